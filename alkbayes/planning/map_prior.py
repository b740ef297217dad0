"""Beta mixtures fitted to draws of a response rate by the EM algorithm.

Dempster, Laird and Rubin 1977, doi:10.1111/j.2517-6161.1977.tb01600.x. As in RBesT's `automixfit`, AIC with a penalty
of 6 per parameter chooses one to four components with shapes of at least one, as a finite ELIR requires. Unlike there,
the search stops once AIC has risen; it starts from several fixed points and keeps the best result, so that the same
draws give the same mixture; and the log-likelihood counts each posterior draw once, however many future cohorts were
drawn from it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, digamma, zeta

from alkbayes.planning.beta_mixture import BetaMixture
from alkbayes.planning.responders import RateStrata, strata_of

type Array = NDArray[np.float64]

MOST_COMPONENTS = 4
PENALTY = 6.0
"""Penalty per parameter in AIC: the upper end of Collett's range, which RBesT takes to favour fewer components."""
FIT_STRATA = 1024
"""Number of strata of draws; a fit to every draw has the same mean and SD to 0.0005."""
STEPS = 1000
TOLERANCE = 1e-7
"""Gain in mean log-likelihood over two steps and a leap, below which the search ends."""
LARGEST_LOG = 16.0
"""Largest log of a shape, or of the inverse of a weight, after a leap."""
NEWTON_STEPS = 50
LARGEST_SIZE = 1e6
"""Largest shape: beyond it a component would be a point."""
LEAST_WEIGHT = 0.01
"""Smallest weight; components below it hold too few draws to estimate shapes, and are dropped."""
EDGE = 1e-9
"""Smallest distance of a rate from 0 and 1."""
GRID = 50
"""Number of intervals with equal shares of the draws in the Kullback-Leibler divergence."""
CLOSE_ENOUGH = 0.01
"""Largest divergence of a mixture that is said to follow the draws."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Fitted mixture with a given number of components.

    Attributes
    ----------
    mixture
        Fitted mixture, heaviest component first.
    log_likelihood
        Sum over posterior draws of the mean log-likelihood of the future cohorts drawn from each.
    aic
        Penalty times the number of parameters, minus twice the log-likelihood.
    """

    mixture: BetaMixture
    log_likelihood: float
    aic: float


@dataclass(frozen=True, slots=True)
class MixtureFit:
    """Mixture fitted to draws.

    Attributes
    ----------
    mixture
        The candidate with the smallest AIC.
    candidates
        Candidates by number of components, up to the first that is worse than a smaller one.
    divergence
        Kullback-Leibler divergence of the mixture from the draws, in nats, over 50 intervals with equal shares of the
        draws.
    distance
        Kolmogorov distance: the largest difference of the distribution functions.
    """

    mixture: BetaMixture
    candidates: tuple[Candidate, ...]
    divergence: float
    distance: float

    @property
    def follows(self) -> bool:
        """Whether the mixture follows the draws closely enough."""
        return self.divergence <= CLOSE_ENOUGH


def fit_mixture(rates: Array) -> MixtureFit:
    """Return the beta mixture fitted to draws of a response rate.

    `rates` are proportions, not all equal, shape (draw, future cohort).
    """
    strata = strata_of(rates, FIT_STRATA)
    candidates: list[Candidate] = []
    for components in range(1, MOST_COMPONENTS + 1):
        before = candidates[-1].mixture if candidates else None
        mixture = best_mixture(strata, components, before)
        log_likelihood = len(rates) * _mean_log_likelihood(strata, mixture)
        aic = PENALTY * (3 * len(mixture.weights) - 1) - 2 * log_likelihood
        candidates.append(Candidate(mixture, log_likelihood, aic))
        if aic > min(candidate.aic for candidate in candidates):
            break
    chosen = min(candidates, key=lambda candidate: candidate.aic).mixture
    return MixtureFit(chosen, tuple(candidates), divergence(rates, chosen), distance(rates, chosen))


def best_mixture(strata: RateStrata, components: int, before: BetaMixture | None = None) -> BetaMixture:
    """Return the most likely of the mixtures found from each start.

    At most `components` are fitted; empty ones are dropped. `before`, the best mixture with one component fewer, gives
    a further start with its heaviest component split.
    """
    found = [_search(strata, start) for start in _starts(strata, components, before)]
    best = max(found, key=lambda mixture: _mean_log_likelihood(strata, mixture))
    order = np.argsort(-best.weights, kind="stable")
    return BetaMixture(best.weights[order], best.a[order], best.b[order])


def divergence(rates: Array, mixture: BetaMixture) -> float:
    """Return the Kullback-Leibler divergence of a mixture from draws, over intervals with equal shares of the draws."""
    edges = np.unique(np.quantile(rates, np.linspace(0, 1, GRID + 1)[1:-1]))
    share = np.histogram(rates, np.concatenate([[-np.inf], edges, [np.inf]]))[0] / rates.size
    expected = np.diff(np.concatenate([[0.0], mixture.below(edges), [1.0]]))
    held = share > 0
    return float((share[held] * np.log(share[held] / np.maximum(expected[held], np.finfo(float).tiny))).sum())


def distance(rates: Array, mixture: BetaMixture) -> float:
    """Return the Kolmogorov distance between draws and a mixture."""
    ordered = np.sort(rates, axis=None)
    at = mixture.below(ordered)
    steps = np.arange(ordered.size + 1) / ordered.size
    return float(max(abs(steps[1:] - at).max(), abs(at - steps[:-1]).max()))


def _starts(strata: RateStrata, components: int, before: BetaMixture | None) -> Iterator[BetaMixture]:
    """Yield starts: components side by side, one within the other, and the smaller mixture with one split."""
    rates, weights = strata.rates, strata.weights
    mean = float(weights @ rates)
    variance = max(float(weights @ (rates - mean) ** 2), EDGE**2)
    equal = np.full(components, 1 / components)
    parts = np.array_split(np.arange(len(rates)), components)
    centres = np.array([np.average(rates[part], weights=weights[part]) for part in parts])
    yield _matched(equal, centres, np.full(components, variance / components))
    if components == 1:
        return
    yield _matched(equal, np.full(components, mean), variance * np.geomspace(0.4, 2.5, components))
    if before is not None:
        heaviest = int(before.weights.argmax())
        weights_split = np.append(before.weights, before.weights[heaviest] / 2)
        weights_split[heaviest] /= 2
        a, b = np.append(before.a, before.a[heaviest] / 2), np.append(before.b, before.b[heaviest] / 2)
        a[heaviest], b[heaviest] = 1.5 * a[heaviest], 1.5 * b[heaviest]
        yield BetaMixture(weights_split, np.maximum(a, 1.0), np.maximum(b, 1.0))


def _matched(weights: Array, means: Array, variances: Array) -> BetaMixture:
    """Return the mixture with these component moments and shapes of at least one."""
    means = np.clip(means, EDGE, 1 - EDGE)
    size = np.clip(means * (1 - means) / variances - 1, 1.0, LARGEST_SIZE)
    return BetaMixture(weights, np.maximum(means * size, 1.0), np.maximum((1 - means) * size, 1.0))


def _search(strata: RateStrata, start: BetaMixture) -> BetaMixture:
    """Return the mixture at which EM converges, accelerated by SQUAREM.

    A leap follows every two steps (Varadhan and Roland 2008, doi:10.1111/j.1467-9469.2007.00585.x); one that lowers the
    likelihood is undone.
    """
    rates = np.clip(strata.rates, EDGE, 1 - EDGE)
    logs = np.log(rates), np.log1p(-rates)
    mixture, before_leap, last = start, start, -np.inf
    for _ in range(STEPS):
        first, value = _step(strata.weights, logs, mixture)
        if value < last:
            mixture = before_leap
            first, value = _step(strata.weights, logs, mixture)
        if value - last < TOLERANCE:
            break
        last = value
        before_leap, _ = _step(strata.weights, logs, first)
        mixture = _leap(mixture, first, before_leap)
    return mixture


def _step(points: Array, logs: tuple[Array, Array], mixture: BetaMixture) -> tuple[BetaMixture, float]:
    """Return the mixture after one EM step, without empty components, and the mean log-likelihood before it.

    `points` are the shares of the strata; `logs` are log rate and log (1 - rate).
    """
    log_rate, log_other = logs
    constant = np.log(mixture.weights) - betaln(mixture.a, mixture.b)
    parts = constant + log_rate[:, None] * (mixture.a - 1) + log_other[:, None] * (mixture.b - 1)
    highest = parts.max(axis=1)
    parts = np.exp(parts - highest[:, None])
    total = parts.sum(axis=1)
    share = (points / total)[:, None] * parts
    weights = share.sum(axis=0)
    kept = weights > LEAST_WEIGHT
    weights, share = weights[kept], share[:, kept]
    a, b = _shapes(log_rate @ share / weights, log_other @ share / weights, start=(mixture.a[kept], mixture.b[kept]))
    return BetaMixture(weights / weights.sum(), a, b), float(points @ (highest + np.log(total)))


def _leap(start: BetaMixture, first: BetaMixture, second: BetaMixture) -> BetaMixture:
    """Return the SQUAREM leap from two steps; the second step if components were dropped or nothing moved."""
    if not len(start.weights) == len(first.weights) == len(second.weights):
        return second
    before, middle, after = (np.log([each.weights, each.a, each.b]) for each in (start, first, second))
    step, change = middle - before, after - 2 * middle + before
    if not np.linalg.norm(change) > 0:
        return second
    length = max(float(np.linalg.norm(step) / np.linalg.norm(change)), 1.0)
    weights, a, b = np.exp(np.clip(before + 2 * length * step + length**2 * change, -LARGEST_LOG, LARGEST_LOG))
    return BetaMixture(weights / weights.sum(), np.maximum(a, 1.0), np.maximum(b, 1.0))


def _shapes(mean_log: Array, mean_log_other: Array, *, start: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return maximum likelihood beta shapes of at least one, given the means of log p and log(1 - p), (component,).

    Newton steps maximise the concave log-likelihood; a shape below one is set to one and the other re-optimised.
    """
    a, b = start
    for _ in range(NEWTON_STEPS):
        both = digamma(a + b)
        slope_a, slope_b = both - digamma(a) + mean_log, both - digamma(b) + mean_log_other
        # Hurwitz's zeta at 2 is the trigamma function.
        cross = zeta(2, a + b)
        curve_a, curve_b = zeta(2, a) - cross, zeta(2, b) - cross
        determinant = curve_a * curve_b - cross**2
        step_a = (curve_b * slope_a + cross * slope_b) / determinant
        step_b = (curve_a * slope_b + cross * slope_a) / determinant
        # No step divides or multiplies a shape by more than three.
        scale = np.maximum(1.0, 1.5 * np.maximum(abs(step_a) / a, abs(step_b) / b))
        a = np.clip(a + step_a / scale, a / 3, np.minimum(3 * a, LARGEST_SIZE))
        b = np.clip(b + step_b / scale, b / 3, np.minimum(3 * b, LARGEST_SIZE))
        if max(abs(step_a / a).max(), abs(step_b / b).max()) < 1e-10:
            break
    low_a, low_b = a < 1, b < 1
    # With one shape fixed at 1, digamma(b) - digamma(1 + b) = -1 / b.
    a, b = (
        np.where(low_a, 1.0, np.where(low_b, np.maximum(-1 / mean_log, 1.0), a)),
        np.where(low_b, 1.0, np.where(low_a, np.maximum(-1 / mean_log_other, 1.0), b)),
    )
    return np.minimum(a, LARGEST_SIZE), np.minimum(b, LARGEST_SIZE)


def _mean_log_likelihood(strata: RateStrata, mixture: BetaMixture) -> float:
    return float(strata.weights @ mixture.log_density(np.clip(strata.rates, EDGE, 1 - EDGE)))
