"""Predictive distribution of the responders among `n` patients, given draws of their response rate.

It is a binomial averaged over the draws, not simulated. Sorted draws are grouped in strata of equal size, each at its
mean, which changes a probability by less than 0.0001 (tested against the average over every draw).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from alkbayes.vocabulary import INTERVAL_PROB

type Array = NDArray[np.float64]

STRATA = 2048
CHUNK = 2_000_000
"""Numbers held in memory at once."""
MOST_PATIENTS = 4096
"""Largest size searched for the point where a larger cohort adds little."""


@dataclass(frozen=True, slots=True)
class RateStrata:
    """Distribution of a response rate as strata of its sorted draws.

    Attributes
    ----------
    rates
        Mean of each stratum, ascending proportions, shape (stratum,).
    weights
        Share of the draws in each, shape (stratum,).
    """

    rates: Array
    weights: Array


def strata_of(rates: Array, most: int = STRATA) -> RateStrata:
    """Return draws of a rate, any shape, in at most `most` strata of equal size."""
    ordered = np.sort(rates, axis=None)
    count = min(most, ordered.size)
    edges = np.linspace(0, ordered.size, count + 1).astype(np.intp)
    sizes = np.diff(edges)
    return RateStrata(np.add.reduceat(ordered, edges[:-1]) / sizes, sizes / ordered.size)


def responder_probabilities(strata: RateStrata, n: int) -> Array:
    """Return the predictive probabilities of 0, 1 … `n` responders of `n` patients, shape (n + 1,)."""
    responders = np.arange(n + 1, dtype=np.float64)
    log_choose = gammaln(n + 1) - gammaln(responders + 1) - gammaln(n - responders + 1)
    # A rate of exactly 0 or 1 has no finite logit; the nearest representable number serves.
    rates = np.clip(strata.rates, np.finfo(np.float64).tiny, 1 - np.finfo(np.float64).eps)
    log_rate, log_other = np.log(rates), np.log1p(-rates)
    found = np.zeros(n + 1)
    step = max(1, CHUNK // (n + 1))
    for start in range(0, len(rates), step):
        part = slice(start, start + step)
        log_probability = log_choose + log_rate[part, None] * responders + log_other[part, None] * (n - responders)
        found += strata.weights[part] @ np.exp(log_probability)
    return found


def count_interval(probabilities: Array, prob: float = INTERVAL_PROB) -> tuple[int, int]:
    """Return the equal-tailed prediction interval of a number of responders, of probability `prob` or more.

    At most (1 - prob) / 2 lies outside either end.
    """
    below, tail = np.cumsum(probabilities), (1 - prob) / 2
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1 - tail, side="left"))
    return min(low, len(probabilities) - 1), min(high, len(probabilities) - 1)


def count_median(probabilities: Array) -> int:
    """Return the median number of responders: the smallest with a cumulative probability of at least one half."""
    return min(int(np.searchsorted(np.cumsum(probabilities), 0.5)), len(probabilities) - 1)


def interval_width(strata: RateStrata, n: int, prob: float = INTERVAL_PROB) -> float:
    """Return the width of the prediction interval of the observed response rate in a cohort of `n`.

    Each count's probability is spread evenly over half a responder on either side, so that the width changes smoothly
    with `n` and tends to that of the rate itself.
    """
    cumulated = np.concatenate([[0.0], np.cumsum(responder_probabilities(strata, n))])
    edges = (np.arange(n + 2) - 0.5) / n
    low, high = np.interp([(1 - prob) / 2, (1 + prob) / 2], cumulated, edges)
    return float(high - low)


def narrowing(strata: RateStrata, n: int, prob: float = INTERVAL_PROB) -> float:
    """Return the share of its width that the prediction interval loses when a cohort of `n` is doubled."""
    return 1 - interval_width(strata, 2 * n, prob) / interval_width(strata, n, prob)


def steady_size(strata: RateStrata, share: float, prob: float = INTERVAL_PROB) -> int | None:
    """Return the cohort size from which doubling narrows the prediction interval by less than `share`.

    None if more than 4,096 patients are needed, as without heterogeneity between cohorts.
    """
    high = 1
    while narrowing(strata, high, prob) >= share:
        if high >= MOST_PATIENTS:
            return None
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if narrowing(strata, middle, prob) >= share:
            low = middle
        else:
            high = middle
    return high
