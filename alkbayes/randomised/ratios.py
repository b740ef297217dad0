"""Hazard ratios from trials' log ratios: the exact posterior given tau, and restricted maximum likelihood.

y_i ~ N(X_i d, V_i + tau^2 P), with P = (I + J) / 2: contrasts of one trial with a reference in common have correlation
1/2 between trials, and the covariance V_i within the trial.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from alkbayes.randomised.network import Network, Pair, RatioTrial, design_of
from alkbayes.randomised.posterior import Estimates, NetworkPosterior, tau_quantiles
from alkbayes.randomised.priors import Priors

type Array = NDArray[np.float64]

GRID = 2000
"""Values of tau at which its marginal posterior is computed."""
FAR = 0.99999
"""Quantile of the prior of tau at which they end."""
LARGEST_TAU = 5.0
CLOSE = 1e-10


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sufficient sums of all trials at one tau: X' W X, X' W y, y' W y, and log |V + tau^2 P|."""

    information: Array
    score: Array
    square: float
    log_determinant: float


@dataclass(frozen=True, slots=True)
class _Stacked:
    """All contrasts of a network, with block-diagonal covariances."""

    y: Array
    design: Array
    within: Array
    between: Array

    def sums(self, tau: float) -> _Sums:
        """Return the sums at a tau."""
        factor = np.linalg.cholesky(self.within + tau**2 * self.between)
        x, y = np.linalg.solve(factor, self.design), np.linalg.solve(factor, self.y)
        return _Sums(x.T @ x, x.T @ y, float(y @ y), 2 * float(np.log(np.diag(factor)).sum()))


def posterior_of_ratios(
    network: Network[RatioTrial],
    *,
    priors: Priors,
    common: bool = False,
    split: Pair | None = None,
    draws: int,
    rng: np.random.Generator,
) -> NetworkPosterior:
    """Draw from the posterior of a network of log ratios.

    Given tau the effects are normal; tau is drawn from its exact marginal density on a grid. Parameters as of
    :func:`alkbayes.randomised.counts.posterior_of_counts`.
    """
    stacked = _stacked(network, split)
    prior = priors.effect_sd**-2 * np.eye(stacked.design.shape[1])
    taus = np.zeros(draws)
    if not common:
        grid = np.linspace(0.0, priors.tau.quantile(FAR), GRID)
        logs = np.array([_log_marginal(stacked.sums(tau), prior) for tau in grid]) + priors.tau.log_density(grid)
        taus = tau_quantiles(grid, np.exp(logs - logs.max()), rng.random(draws))
    z = rng.standard_normal((draws, len(prior)))
    effects = np.empty_like(z)
    for at, tau in enumerate(taus):
        sums = stacked.sums(tau)
        factor = np.linalg.cholesky(sums.information + prior)
        effects[at] = np.linalg.solve(factor.T, np.linalg.solve(factor, sums.score) + z[at])
    return NetworkPosterior(effects, taus, None, float(draws), draws)


def estimate_ratios(network: Network[RatioTrial], *, common: bool = False, split: Pair | None = None) -> Estimates:
    """Estimate a network of log ratios by generalised least squares, with tau by REML, or zero if common."""
    stacked = _stacked(network, split)

    def log_likelihood(tau: float) -> float:
        sums = stacked.sums(tau)
        factor = np.linalg.cholesky(sums.information)
        fitted = np.linalg.solve(factor, sums.score)
        residual = sums.square - float(fitted @ fitted)
        free = len(stacked.y) - stacked.design.shape[1]
        correction = np.log(np.diag(factor)).sum()
        return float(-0.5 * (sums.log_determinant + residual + free * np.log(2 * np.pi)) - correction)

    tau = 0.0
    if not common:
        found = minimize_scalar(
            lambda tau: -log_likelihood(tau), bounds=(0.0, LARGEST_TAU), method="bounded", options={"xatol": 1e-8}
        )
        tau = float(found.x) if -found.fun > log_likelihood(0.0) + CLOSE else 0.0
    sums = stacked.sums(tau)
    covariance = np.linalg.inv(sums.information)
    method: Literal["REML", "inverse variance"] = "inverse variance" if common else "REML"
    return Estimates(covariance @ sums.score, covariance, tau, log_likelihood(tau), method)


def _stacked(network: Network[RatioTrial], split: Pair | None) -> _Stacked:
    designs = [rows[1:] - rows[0] for rows in design_of(network, split)]
    sizes = [len(trial.log_ratios) for trial in network.trials]
    within, between = np.zeros((sum(sizes), sum(sizes))), np.zeros((sum(sizes), sum(sizes)))
    first = 0
    for trial, size in zip(network.trials, sizes, strict=True):
        block = slice(first, first + size)
        within[block, block] = trial.covariance
        between[block, block] = (np.eye(size) + 1) / 2
        first += size
    y = np.concatenate([trial.log_ratios for trial in network.trials])
    return _Stacked(y, np.concatenate(designs), within, between)


def _log_marginal(sums: _Sums, prior: Array) -> float:
    """Return the log density of the data at a tau with the effects integrated out, up to a constant."""
    factor = np.linalg.cholesky(sums.information + prior)
    fitted = np.linalg.solve(factor, sums.score)
    return float(-0.5 * (sums.log_determinant + sums.square - fitted @ fitted) - np.log(np.diag(factor)).sum())
