"""Odds ratios from trials with counts: the Bayesian posterior by importance sampling, and maximum likelihood.

events_ik ~ Binomial(n_ik, p_ik), logit p_ik = mu_i + d_t(ik) + u_ik: each trial has a baseline mu_i of its own, d are
the effects against the reference, and the deviations u of a trial's arms give its contrasts the variance tau^2 and,
with an arm in common, correlation 1/2. Baselines are parameters of maximum likelihood, and have a prior in the Bayesian
model, where they are integrated out with the deviations.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from alkbayes.inference.importance.weights import effective, resample, smooth
from alkbayes.randomised.integrals import FINER, Batch, batches_of, log_integrals, moments
from alkbayes.randomised.network import CountTrial, Network, Pair, design_of
from alkbayes.randomised.posterior import LARGEST_K, LEAST_ESS, Estimates, NetworkPosterior, tau_quantiles
from alkbayes.randomised.priors import Priors

type Array = NDArray[np.float64]
type Derivatives = tuple[float, Array, Array]
"""A log density with its gradient and its Hessian."""

COARSE, GRID = 15, 25
"""Values of tau at which the effects' mode is found: to find where its density ends, and up to there."""
FAR = 0.9999
"""Quantile of the prior of tau at which its grid ends at the latest."""
NEGLIGIBLE = 12.0
"""Fall of the log density of tau from its largest value beyond which it is negligible."""
NU = 8.0
"""Degrees of freedom of the proposals given tau: heavier tails than the posterior's."""
DEFENSIVE = 0.1
"""Share of taus proposed from the prior, so that no weight can be very large."""
PROPOSED = 1.25
"""Proposals for each draw kept."""
CHECKED = 50
"""Draws at which the integrals are compared with those over more nodes."""
LARGEST_CHANGE = 0.05
"""Change of a log likelihood by more nodes at which the integrals are called too coarse."""
NEWTON_STEPS = 50
CLOSE = 1e-6
"""Gain of a log density at which its mode is found."""
SHORTEST = 0.1
"""Share of a step of Newton's method below which none is taken."""
LARGEST_TAU = 5.0
"""Upper end of the search for the most likely tau, on the logit scale."""
SINGULAR = 1e-10


@dataclass(frozen=True, slots=True)
class _Model:
    """The log density of effects given tau, with baselines integrated out (`baseline_sd`) or among the effects."""

    batches: tuple[Batch, ...]
    effects: int
    effect_sd: float
    baseline_sd: float | None

    def loading(self, batch: Batch, tau: Array) -> Array:
        """Return the matrix of random effects for each tau, shape (draw, arm, dimension)."""
        spread = tau[:, None, None] * batch.spread if tau.any() else np.empty((1, batch.n.shape[1], 0))
        if self.baseline_sd is None:
            return spread
        baseline = np.full((len(spread), batch.n.shape[1], 1), self.baseline_sd)
        return np.concatenate([baseline, spread], axis=2)

    def start(self, batch: Batch, base: Array, dimension: int) -> Array | None:
        """Return a start near the mode: the trial's own rate, and no deviations."""
        if self.baseline_sd is None:
            return None
        start = np.zeros((*base.shape[:2], dimension))
        start[..., 0] = (batch.start - base.mean(axis=-1)) / self.baseline_sd
        return start

    def log_likelihood(self, effects: Array, tau: Array, *, finer: bool = False) -> Array:
        """Return the log likelihood of each draw, effects of shape (draw, effect) and tau of shape (draw,)."""
        total = np.zeros(len(effects))
        for batch in self.batches:
            base = np.einsum("tke,de->dtk", batch.design, effects)
            loading = self.loading(batch, tau)
            dimension = loading.shape[-1]
            nodes = FINER.get(dimension) if finer else None
            start = self.start(batch, base, dimension)
            total += log_integrals(batch, base, loading, start=start, nodes=nodes).sum(axis=1)
        return total

    def derivatives(self, effects: Array, tau: float) -> Derivatives:
        """Return the log density of one draw with the effects' prior, its gradient and its Hessian."""
        precision = 0.0 if np.isinf(self.effect_sd) else self.effect_sd**-2
        value, gradient = -0.5 * precision * float(effects @ effects), -precision * effects
        hessian = -precision * np.eye(self.effects)
        for batch in self.batches:
            base = (batch.design @ effects)[None]
            loading = self.loading(batch, np.array([tau]))
            dimension = loading.shape[-1]
            # A maximum likelihood estimate rests on few integrals, proposals on many rough ones.
            nodes = FINER.get(dimension) if self.baseline_sd is None else None
            found = moments(batch, base, loading, start=self.start(batch, base, dimension), nodes=nodes)
            value += float(found.log_integral.sum())
            gradient = gradient + np.einsum("tke,tk->e", batch.design, found.score[0])
            hessian = hessian + np.einsum("tke,tkl,tlf->ef", batch.design, found.curvature[0], batch.design)
        return value, gradient, hessian

    def mode(self, tau: float, start: Array) -> tuple[float, Array, Array]:
        """Return the largest log density given tau, where it is, and the covariance there (inverse of the Hessian)."""
        effects = start
        value, gradient, hessian = self.derivatives(effects, tau)
        for _ in range(NEWTON_STEPS):
            step = np.linalg.solve(SINGULAR * np.eye(self.effects) - hessian, gradient)
            # What the log density can still gain, to second order.
            if gradient @ step / 2 < CLOSE:
                break
            length = 1.0
            while (new := self.derivatives(effects + length * step, tau))[0] < value and length > SHORTEST:
                length /= 2
            if new[0] < value:
                # Quadrature's own error in the gradient is all that is left.
                break
            effects, (value, gradient, hessian) = effects + length * step, new
        return value, effects, np.linalg.inv(SINGULAR * np.eye(self.effects) - hessian)


def posterior_of_counts(
    network: Network[CountTrial],
    *,
    priors: Priors,
    common: bool = False,
    split: Pair | None = None,
    draws: int,
    rng: np.random.Generator,
) -> NetworkPosterior:
    """Draw from the posterior of a network of trials with counts.

    For values of tau on a grid the mode of the effects is found, with its curvature; the proposals are of tau by the
    Laplace approximation of its marginal density, and of the effects given tau from a Student t about its mode. Their
    weights rest on the likelihood with baselines and deviations integrated out.

    Parameters
    ----------
    common
        Whether the effects are common to all trials, tau = 0.
    split
        The pair whose direct and indirect evidence are told apart, if any.
    draws
        Number of draws returned.
    """
    designs = design_of(network, split)
    model = _Model(batches_of(network.trials, designs), designs[0].shape[1], priors.effect_sd, priors.baseline_sd)
    proposed = int(PROPOSED * draws)
    if common:
        taus, log_tau = np.zeros(proposed), np.zeros(proposed)
        grid, modes, factors = np.zeros(1), *_modes_at(model, np.zeros(1))[1:]
    else:
        grid, logs, modes, factors = _laplace(model, priors)
        taus, log_tau = _proposed_taus(grid, logs, priors, proposed, rng)
    centres, scales = (_between(grid, each, taus) for each in (modes, factors))
    stretch = np.sqrt(NU / rng.chisquare(NU, proposed))
    z = rng.standard_normal((proposed, model.effects)) * stretch[:, None]
    effects = centres + np.einsum("def,df->de", scales, z)
    log_proposal = log_tau + _log_t(z, scales)
    log_prior = -0.5 * (effects**2).sum(axis=1) / priors.effect_sd**2 + (
        0.0 if common else priors.tau.log_density(taus)
    )
    log_ratios = model.log_likelihood(effects, taus) + log_prior - log_proposal
    log_weights, k = smooth(log_ratios)
    kept = resample(np.exp(log_weights), draws, rng)
    checked = rng.choice(kept, CHECKED)
    change = np.abs(
        model.log_likelihood(effects[checked], taus[checked], finer=True)
        - model.log_likelihood(effects[checked], taus[checked])
    ).max()
    ess = effective(log_weights)
    failures = [
        *([f"Pareto k {k:.2f} above {LARGEST_K}"] if k > LARGEST_K else []),
        *([f"{ess:,.0f} effective draws, at least {LEAST_ESS} needed"] if ess < LEAST_ESS else []),
        *([f"log likelihood changes by {change:.2g} with more nodes"] if change > LARGEST_CHANGE else []),
    ]
    order = rng.permutation(draws)
    return NetworkPosterior(effects[kept][order], taus[kept][order], k, ess, proposed, tuple(failures))


def estimate_counts(network: Network[CountTrial], *, common: bool = False, split: Pair | None = None) -> Estimates:
    """Estimate a network of trials with counts by maximum likelihood.

    The baselines are fixed effects, the deviations are integrated out. Effects have the covariance of the observed
    information at the estimated tau (Wald).
    """
    designs = design_of(network, split)
    trials, many = len(network.trials), designs[0].shape[1]
    own = np.eye(trials)
    with_baselines = [np.hstack([np.repeat(own[at][None], len(rows), axis=0), rows]) for at, rows in enumerate(designs)]
    batches = batches_of(network.trials, with_baselines)
    model = _Model(batches, trials + many, np.inf, None)
    start = np.zeros(trials + many)
    for batch in batches:
        start[batch.index] = batch.start
    _, start, _ = model.mode(0.0, start)

    def deviance(tau: float) -> float:
        return -2 * model.mode(tau, start)[0]

    tau = 0.0
    if not common:
        found = minimize_scalar(deviance, bounds=(0.0, LARGEST_TAU), method="bounded", options={"xatol": 1e-5})
        # The likelihood is even in tau: at 0 it has no slope, and the search ends close to it.
        tau = float(found.x) if found.fun < deviance(0.0) - CLOSE else 0.0
    value, effects, covariance = model.mode(tau, start)
    return Estimates(effects[trials:], covariance[trials:, trials:], tau, value, "maximum likelihood")


def _laplace(model: _Model, priors: Priors) -> tuple[Array, Array, Array, Array]:
    """Return taus, the Laplace approximation of their log density, and the effects' modes and Cholesky factors there.

    The taus reach from 0 to where their density is negligible, which a prior may leave far behind.
    """
    coarse = np.linspace(0, 1, COARSE) ** 2 * priors.tau.quantile(FAR)
    logs: list[float] = []
    at = np.zeros(model.effects)
    for tau in coarse:
        value, at, covariance = model.mode(float(tau), at)
        logs.append(value + np.linalg.slogdet(covariance)[1] / 2 + float(priors.tau.log_density(np.array(tau))))
        if logs[-1] < max(logs) - NEGLIGIBLE:
            break
    grid = np.linspace(0, coarse[len(logs) - 1], GRID)
    values, modes, factors = _modes_at(model, grid)
    log_determinants = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    return grid, values + log_determinants + priors.tau.log_density(grid), modes, factors


def _modes_at(model: _Model, grid: Array) -> tuple[Array, Array, Array]:
    """Return the largest log density, its place and the Cholesky factor of its covariance at each tau."""
    values, modes, factors = [], [], []
    at = np.zeros(model.effects)
    for tau in grid:
        value, at, covariance = model.mode(float(tau), at)
        values.append(value)
        modes.append(at)
        factors.append(np.linalg.cholesky(covariance))
    return np.array(values), np.array(modes), np.array(factors)


def _proposed_taus(
    grid: Array, logs: Array, priors: Priors, count: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return taus proposed by the log density at a grid, mixed with the prior on the same range, and their logs."""
    fine = np.linspace(0.0, grid[-1], 2000)
    approximate = CubicSpline(grid, logs)(fine)
    density = np.exp(approximate - approximate.max())
    prior = np.exp(priors.tau.log_density(fine))
    density = (1 - DEFENSIVE) * density / np.trapezoid(density, fine) + DEFENSIVE * prior / np.trapezoid(prior, fine)
    taus = tau_quantiles(fine, density, rng.random(count))
    return taus, np.log(np.interp(taus, fine, density))


def _between(grid: Array, values: Array, taus: Array) -> Array:
    """Return values at a grid, shape (node, ...), interpolated linearly at each tau, shape (draw, ...)."""
    if len(grid) == 1:
        return np.repeat(values, len(taus), axis=0)
    left = np.clip(np.searchsorted(grid, taus) - 1, 0, len(grid) - 2)
    share = (taus - grid[left]) / (grid[left + 1] - grid[left])
    share = share.reshape(-1, *([1] * (values.ndim - 1)))
    between: Array = (1 - share) * values[left] + share * values[left + 1]
    return between


def _log_t(z: Array, scales: Array) -> Array:
    """Return the log density of Student t's at standardised draws, shape (draw, effect), with Cholesky factors."""
    many = z.shape[1]
    constant = gammaln((NU + many) / 2) - gammaln(NU / 2) - many / 2 * np.log(NU * np.pi)
    kernel: Array = constant - (NU + many) / 2 * np.log1p((z**2).sum(axis=1) / NU)
    kernel -= np.log(np.diagonal(scales, axis1=1, axis2=2)).sum(axis=1)
    return kernel
