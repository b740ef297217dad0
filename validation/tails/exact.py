"""The posterior of a random-intercept binomial model by dense grids alone; nothing of the project computes here.

Logit rates are mu + tau_trial v + tau_cohort w, with mu ~ N(0, 1.5) and half-normal(1) standard deviations: the bundled
model `overall`. The grid is over log r and log tan phi of (tau_trial, tau_cohort) = r (cos phi, sin phi), so that every
order of magnitude has its nodes, and over mu in units of its spread given these. Deviations are integrated out by the
trapezoid rule about each integrand's middle, which converges geometrically for such bell-shaped integrands.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import expit, log_expit, ndtr

type Array = NDArray[np.float64]
type Trial = Sequence[tuple[int, int]]
"""Responders and patients of each of its cohorts."""

MU_SD = 1.5
LOG_R = (-11.5, 1.9)
LOG_TAN = 11.0
STEP, REACH = 0.75, 9.0
"""Of the trapezoid rule, in units of an integrand's width; half the step changes no quantile by 1e-4."""
T = np.arange(-9.0, 9.25, 0.5)
"""Nodes of mu, in units of its spread."""
COARSE = {"log_r_step": 0.35, "log_tan_step": 0.7}
"""For trials of several cohorts, whose double integrals cost; no quantile changes by more than 1e-4."""


@dataclass
class Exact:
    """The posterior on its grid.

    Attributes
    ----------
    log_r, log_tan
        Nodes, shapes (r,) and (phi,).
    centre, width
        Of mu's nodes, shape (r, phi).
    share
        Probability of each node, shape (r, phi, mu).
    """

    log_r: Array
    log_tan: Array
    centre: Array
    width: Array
    share: Array
    _of_r: Array = field(init=False)
    _of_mu: Array = field(init=False)

    def __post_init__(self) -> None:
        cell = self.share.sum(axis=2)
        self._of_r = CubicSpline(self.log_r, cell / (self.log_r[1] - self.log_r[0])).antiderivative().c
        self._of_mu = CubicSpline(T, np.moveaxis(self.share, 2, 0) / (T[1] - T[0])).antiderivative().c

    def below(self, name: str, x: float) -> float:
        """Return the probability that mu or the next cohort's logit, or the logarithm of a tau, is below x."""
        if name == "next":
            mu = self.centre[..., None] + self.width[..., None] * T
            return float((self.share * ndtr((x - mu) / np.exp(self.log_r)[:, None, None])).sum())
        if name == "typical":
            return float(_at(T, self._of_mu, (x - self.centre) / self.width).sum())
        angle = np.arctan(np.exp(self.log_tan))
        part = {"total": np.ones_like(angle), "trial": np.cos(angle), "cohort": np.sin(angle)}[name]
        return float(_at(self.log_r, self._of_r, x - np.log(part)).sum())

    def quantile(self, name: str, prob: float) -> float:
        """Return a quantile of a rate (`typical`, `next`) or of a tau (`trial`, `cohort`, `total`)."""
        rate = name in ("typical", "next")
        ends = (-40.0, 40.0) if rate else (self.log_r[0] - LOG_TAN, self.log_r[-1])
        x = float(brentq(lambda x: self.below(name, x) - prob, *ends))
        return float(expit(x) if rate else np.exp(x))


def posterior(trials: Sequence[Trial], *, log_r_step: float = 0.25, log_tan_step: float = 0.5) -> Exact:
    """Integrate the posterior.

    Parameters
    ----------
    trials
        The counts.
    log_r_step, log_tan_step
        Of the grid.
    """
    log_r = np.arange(*LOG_R, log_r_step)
    log_tan = np.arange(-LOG_TAN, LOG_TAN + log_tan_step / 2, log_tan_step)
    r, angle = np.exp(log_r)[:, None], np.arctan(np.exp(log_tan))[None, :]
    tau_trial, tau_cohort = r * np.cos(angle), r * np.sin(angle)
    precision, pull = np.full(tau_trial.shape, MU_SD**-2), np.zeros(tau_trial.shape)
    for trial in trials:
        weights = [1 / (1 / (y + 0.5) + 1 / (n - y + 0.5) + tau_cohort**2) for y, n in trial]
        whole = sum(weights)
        middle = sum(w * np.log((y + 0.5) / (n - y + 0.5)) for w, (y, n) in zip(weights, trial, strict=True)) / whole
        precision += 1 / (1 / whole + tau_trial**2)
        pull += middle / (1 / whole + tau_trial**2)
    centre, width = pull / precision, precision**-0.5
    # Where every trial has one cohort the likelihood does not know of phi.
    some = slice(None) if any(len(trial) > 1 for trial in trials) else slice(1)
    mu = centre[:, some, None] + width[:, some, None] * T
    log = -(mu**2) / (2 * MU_SD**2) + np.log(width[:, some, None])
    for trial in trials:
        log = log + _trial(trial, mu, tau_trial[:, some, None], tau_cohort[:, some, None])
    prior = -(r**2) / 2 + np.log(tau_trial * tau_cohort)
    log = log + prior[..., None]
    share = np.exp(log - log.max())
    return Exact(log_r, log_tan, *np.broadcast_arrays(centre, width), share / share.sum())


def _trial(trial: Trial, mu: Array, tau_trial: Array, tau_cohort: Array) -> Array:
    """Return the log-likelihood of a trial, up to a constant."""
    if len(trial) == 1:
        return _cohort(*trial[0], mu, np.hypot(tau_trial, tau_cohort))
    precision, pull = tau_trial**-2, mu * tau_trial**-2
    for y, n in trial:
        weight = 1 / (1 / (y + 0.5) + 1 / (n - y + 0.5) + tau_cohort**2)
        precision, pull = precision + weight, pull + weight * np.log((y + 0.5) / (n - y + 0.5))
    width = precision**-0.5
    logs = []
    for t in np.arange(-REACH, REACH + STEP / 2, STEP):
        at = pull / precision + width * t
        logs.append(sum(_cohort(y, n, at, tau_cohort) for y, n in trial) - ((at - mu) / tau_trial) ** 2 / 2)
    found: Array = np.logaddexp.reduce(logs) + np.log(width / tau_trial)
    return found


def _cohort(y: int, n: int, mu: Array, tau: Array) -> Array:
    """Return log of the integral of the binomial likelihood over N(theta; mu, tau), up to a constant."""
    mu, tau = np.broadcast_arrays(mu, tau)
    precision = tau**-2
    observed, variance = np.log((y + 0.5) / (n - y + 0.5)), 1 / (y + 0.5) + 1 / (n - y + 0.5)
    theta = (observed / variance + mu * precision) / (1 / variance + precision)
    for _ in range(80):
        p = expit(theta)
        curvature = n * p * (1 - p) + precision
        step = (y - n * p - (theta - mu) * precision) / curvature
        longest = np.abs(step) + 1e-300
        theta = theta + step * np.log1p(longest) / longest
        if np.max(longest * np.sqrt(curvature)) < 1e-2:
            break
    often = theta > 0
    sign, count, rate = np.where(often, -1.0, 1.0), np.where(often, n - y, y), expit(-np.abs(theta))
    width = (n * rate * (1 - rate) + precision) ** -0.5
    total = np.zeros(theta.shape)
    for t in np.arange(-REACH, REACH + STEP / 2, STEP):
        away = width * t
        # Relative to theta, so that a cohort of a million loses no digits.
        log = count * sign * away - n * np.log1p(rate * np.expm1(sign * away))
        total += np.exp(log - away * precision * (away / 2 + theta - mu))
    distance = theta - observed
    near = np.abs(distance) < 1
    short = np.where(near, distance, 0.0)
    at_theta = np.where(
        near,
        y * short - n * np.log1p(expit(observed) * np.expm1(short)),
        y * (log_expit(theta) - log_expit(observed)) + (n - y) * (log_expit(-theta) - log_expit(-observed)),
    )
    found: Array = at_theta - (theta - mu) ** 2 * precision / 2 + np.log(total * width / tau)
    return found


def _at(nodes: Array, pieces: Array, x: Array) -> Array:
    """Return piecewise polynomials, one for each entry of x (its last axes), at the entries of x."""
    x = np.clip(x, nodes[0], nodes[-1])
    place = np.clip(np.searchsorted(nodes, x) - 1, 0, len(nodes) - 2)
    coefficients = pieces[(slice(None), place, *np.indices(x.shape))]
    value = np.zeros(x.shape)
    for each in coefficients:
        value = value * (x - nodes[place]) + each
    return value
