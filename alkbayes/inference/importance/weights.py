"""Importance sampling: mixture proposals, Pareto-smoothed weights, refitting and resampling."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaln, logsumexp

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]

EM_STEPS = 10
"""EM steps of a mixture's refit, which need not be optimal: the weights correct it."""
LEAST_SHARE = 0.05
"""Minimum weight of a component before normalisation, and share of the whole covariance mixed into each one's own: no
component vanishes or collapses onto a few draws."""
SINGULAR = 1e-8
"""Added to the variances, in units of their mean, in case the draws lie in a plane."""


@dataclass(frozen=True, slots=True)
class Component:
    """A multivariate Student t; or one folded at zero in every direction, the distribution of |x|.

    A posterior of standard deviations extends evenly beyond zero in each of them, so folding leaves no edge there.

    Attributes
    ----------
    weight
        Share in a mixture.
    mean
        Location of x, shape (d,).
    factor
        Lower Cholesky factor of x's scale matrix, shape (d, d).
    nu
        Degrees of freedom.
    folded
        True for |x|.
    """

    weight: float
    mean: Array
    factor: Array
    nu: float
    folded: bool

    def log_density(self, x: Array) -> Array:
        """Return the log density at `x`, shape (S, d), positive for a folded one."""
        d = len(self.mean)
        whiten = np.linalg.inv(self.factor)
        centre = whiten @ self.mean
        signs = itertools.product((1.0, -1.0) if self.folded else (1.0,), repeat=d)
        squares = np.array([(((x * np.array(sign)) @ whiten.T - centre) ** 2).sum(axis=1) for sign in signs])
        constant = gammaln((self.nu + d) / 2) - gammaln(self.nu / 2) - d / 2 * np.log(self.nu * np.pi)
        log_determinant = np.log(np.diag(self.factor)).sum()
        kernel: Array = logsumexp(-(self.nu + d) / 2 * np.log1p(squares / self.nu), axis=0)
        density: Array = kernel + (constant - log_determinant)
        return density

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """Return `count` draws, shape (count, d)."""
        z = rng.standard_normal((count, len(self.mean)))
        stretch = np.sqrt(self.nu / rng.chisquare(self.nu, count))
        x: Array = self.mean + stretch[:, None] * (z @ self.factor.T)
        return np.abs(x) if self.folded else x


type Mixture = tuple[Component, ...]


def log_density(x: Array, mixture: Mixture) -> Array:
    """Return the log density of a mixture at `x`, shape (S, d)."""
    density: Array = logsumexp([np.log(part.weight) + part.log_density(x) for part in mixture], axis=0)
    return density


def draw(rng: np.random.Generator, mixture: Mixture, count: int) -> Array:
    """Return `count` draws of a mixture, from each component its share up to rounding, shape (count, d)."""
    edges = np.floor(np.cumsum([0.0] + [part.weight for part in mixture]) * count + 0.5).astype(int)
    edges[-1] = count
    return np.concatenate(
        [part.draw(rng, stop - start) for part, start, stop in zip(mixture, edges[:-1], edges[1:], strict=True)]
    )


def smooth(log_ratios: Array) -> tuple[Array, float]:
    """Return normalised Pareto-smoothed log weights, shape (S,), and the shape k of their tail.

    The largest 3 sqrt(S) ratios, or S / 5 if S is at most 225, are replaced by expected order statistics of a
    generalised Pareto distribution fitted to their excess over the rest, none above the largest (Vehtari et al. 2024,
    arXiv:1507.02646, algorithm 1). Non-finite ratios (a density that underflows) count as zero. Without a fit k is NaN
    and nothing is smoothed.

    ArviZ's `psislw` gives the same (a test); its import would be a quarter of a fit by quadrature.
    """
    log_weights = np.where(np.isfinite(log_ratios), log_ratios, np.finfo(np.float64).min / 1e4)
    log_weights -= log_weights.max()
    order = np.argsort(log_weights)
    count = int(3 * len(order) ** 0.5) if len(order) > 225 else len(order) // 5
    tail, below = order[-count:], np.exp(log_weights[order[-count - 1]])
    k, scale = _generalised_pareto(np.exp(log_weights[tail]) - below)
    if np.isfinite(k):
        survival = 1 - np.arange(0.5, count) / count
        excess = -np.log(survival) if k == 0 else np.expm1(-k * np.log(survival)) / k
        log_weights[tail] = np.minimum(np.log(below + scale * excess), 0.0)
    normalised: Array = log_weights - logsumexp(log_weights)
    return normalised, k


def _generalised_pareto(excess: Array) -> tuple[float, float]:
    """Return shape and scale of a generalised Pareto distribution for sorted excesses, shape (n,); NaN without a fit.

    A quasi-posterior mean (Zhang and Stephens 2009, doi:10.1198/tech.2009.08017), its shape drawn to 1/2 with the
    weight of ten observations (Vehtari et al. 2024, arXiv:1507.02646, appendix).
    """
    n, quartile = len(excess), excess[int(len(excess) / 4 + 0.5) - 1]
    if not quartile > excess[0]:
        return np.nan, np.nan
    points = 30 + int(n**0.5)
    theta = 1 / excess[-1] + (1 - np.sqrt(points / (np.arange(points) + 0.5))) / (3 * quartile)
    shapes = np.log1p(-theta[:, None] * excess).mean(axis=1)
    log_likelihood = n * (np.log(-theta / shapes) - shapes - 1)
    weights = np.exp(log_likelihood - logsumexp(log_likelihood))
    weights[weights < 10 * np.finfo(np.float64).eps] = 0.0
    best = float(weights @ theta / weights.sum())
    shape = float(np.log1p(-best * excess).mean())
    return (n * shape + 10 * 0.5) / (n + 10), -shape / best


def effective(log_weights: Array) -> float:
    """Return the effective sample size of normalised log weights: the inverse of the sum of squared weights (Kish)."""
    return float(np.exp(-logsumexp(2 * log_weights)))


def tempered(log_weights: Array, *, least: float) -> Array:
    """Return normalised weights, raised to the largest power at most 1 that leaves `least` effective draws.

    If a proposal misses its target, one or two draws have all the weight, and show only the direction of the target
    (Koblents and Miguez 2015, doi:10.1007/s11222-013-9440-2).
    """
    if effective(log_weights) >= least:
        return log_weights

    def powered(power: float) -> Array:
        logs = power * log_weights
        normalised: Array = logs - logsumexp(logs)
        return normalised

    return powered(brentq(lambda power: effective(powered(power)) - least, 0.0, 1.0, xtol=1e-6))


def refit(
    x: Array, log_weights: Array, *, components: int, nu: float, folded: bool, rng: np.random.Generator
) -> Mixture:
    """Fit a mixture of (folded) t's to weighted draws.

    Parameters
    ----------
    x, log_weights
        Draws, shape (S, d), and their normalised log weights, shape (S,).
    components
        Number of components; their first centres are drawn by weight with `rng`.
    nu, folded
        Common to all components.
    """
    weights = np.exp(log_weights)
    mean = weights @ x
    spread = _covariance(x, weights, mean)
    if components == 1:
        return (Component(1.0, mean, np.linalg.cholesky(spread), nu, folded),)
    centres = x[rng.choice(len(x), size=components, p=weights / weights.sum())]
    parts: Mixture = tuple(
        Component(1 / components, centre, np.linalg.cholesky(spread), nu, folded) for centre in centres
    )
    for _ in range(EM_STEPS):
        logs = np.array([np.log(part.weight) + part.log_density(x) for part in parts])
        shares = np.exp(logs - logsumexp(logs, axis=0)) * weights
        parts = tuple(_update(part, share, x, spread) for part, share in zip(parts, shares, strict=True))
        whole = sum(part.weight for part in parts)
        parts = tuple(replace(part, weight=part.weight / whole) for part in parts)
    return parts


def resample(weights: Array, wanted: int, rng: np.random.Generator) -> Index:
    """Return positions in ascending order, each as often as its weight times `wanted`, rounded up or down at random.

    Systematic resampling (Kitagawa 1996, doi:10.2307/1390750) of normalised weights, shape (S,): no draw with a weight
    below 1 / `wanted` is repeated.
    """
    points = (rng.random() + np.arange(wanted)) / wanted
    return np.minimum(np.searchsorted(np.cumsum(weights), points), len(weights) - 1)


def _update(part: Component, share: Array, x: Array, spread: Array) -> Component:
    total = float(share.sum())
    if total < np.finfo(np.float64).tiny:
        return replace(part, weight=LEAST_SHARE)
    centre = share @ x / total
    own = _covariance(x, share / total, centre)
    mixed = (1 - LEAST_SHARE) * own + LEAST_SHARE * spread
    return replace(part, weight=max(total, LEAST_SHARE), mean=centre, factor=np.linalg.cholesky(mixed))


def _covariance(x: Array, weights: Array, mean: Array) -> Array:
    centred = x - mean
    covariance: Array = (weights[:, None] * centred).T @ centred
    return covariance + (SINGULAR * float(np.diag(covariance).mean()) + np.finfo(np.float64).tiny) * np.eye(x.shape[1])
