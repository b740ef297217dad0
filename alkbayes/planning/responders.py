"""How many of `n` patients respond, where draws of their response rate are known.

The number of responders is a binomial averaged over the draws, not drawn. The draws are sorted and taken together in
strata of equal number, each at its mean; that changes a probability by less than 0.0001 (a test holds it against the
average over every draw).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from alkbayes.vocabulary import INTERVAL_PROB

type Array = NDArray[np.float64]

STRATA = 2048
CHUNK = 2_000_000
"""Numbers held at once."""
TAIL = (1 - INTERVAL_PROB) / 2
MOST_PATIENTS = 4096
"""Of the search for the size from which on a larger cohort tells little more."""


@dataclass(frozen=True, slots=True)
class RateStrata:
    """A distribution of a response rate, as strata of its sorted draws.

    Attributes
    ----------
    rates
        Mean of each stratum, proportions in ascending order, shape (stratum,).
    weights
        Share of the draws in each, shape (stratum,).
    """

    rates: Array
    weights: Array


def strata_of(rates: Array, most: int = STRATA) -> RateStrata:
    """Return draws of a rate, any shape, in strata of equal number, at most so many."""
    ordered = np.sort(rates, axis=None)
    count = min(most, ordered.size)
    edges = np.linspace(0, ordered.size, count + 1).astype(np.intp)
    sizes = np.diff(edges)
    return RateStrata(np.add.reduceat(ordered, edges[:-1]) / sizes, sizes / ordered.size)


def responder_probabilities(strata: RateStrata, n: int) -> Array:
    """Return the predictive probabilities of 0, 1 … `n` responders of `n` patients, shape (n + 1,)."""
    responders = np.arange(n + 1, dtype=np.float64)
    log_choose = gammaln(n + 1) - gammaln(responders + 1) - gammaln(n - responders + 1)
    # A rate of exactly 0 or 1 has no logarithm; the largest number below one is as good.
    rates = np.clip(strata.rates, np.finfo(np.float64).tiny, 1 - np.finfo(np.float64).eps)
    log_rate, log_other = np.log(rates), np.log1p(-rates)
    found = np.zeros(n + 1)
    step = max(1, CHUNK // (n + 1))
    for start in range(0, len(rates), step):
        part = slice(start, start + step)
        log_probability = log_choose + log_rate[part, None] * responders + log_other[part, None] * (n - responders)
        found += strata.weights[part] @ np.exp(log_probability)
    return found


def count_interval(probabilities: Array) -> tuple[int, int]:
    """Return the ends of the equal-tailed 95 % prediction interval of a number of responders.

    At most 2.5 % lie below the one and at most 2.5 % above the other, so that it holds 95 % at least.
    """
    below = np.cumsum(probabilities)
    low = int(np.searchsorted(below, TAIL, side="right"))
    high = int(np.searchsorted(below, 1 - TAIL, side="left"))
    return min(low, len(probabilities) - 1), min(high, len(probabilities) - 1)


def count_median(probabilities: Array) -> int:
    """Return the smallest number of responders that at least half of the distribution does not exceed."""
    return min(int(np.searchsorted(np.cumsum(probabilities), 0.5)), len(probabilities) - 1)


def interval_width(strata: RateStrata, n: int) -> float:
    """Return the width of the 95 % prediction interval of the observed response rate in a cohort of `n`.

    Each number of responders has its probability spread evenly over half a responder on either side: the ends do not
    jump with `n` as whole numbers do, and the width goes to that of the rate itself.
    """
    cumulated = np.concatenate([[0.0], np.cumsum(responder_probabilities(strata, n))])
    edges = (np.arange(n + 2) - 0.5) / n
    low, high = np.interp([TAIL, 1 - TAIL], cumulated, edges)
    return float(high - low)


def narrowing(strata: RateStrata, n: int) -> float:
    """Return by what share of its width the prediction interval narrows when a cohort of `n` is doubled."""
    return 1 - interval_width(strata, 2 * n) / interval_width(strata, n)


def steady_size(strata: RateStrata, share: float) -> int | None:
    """Return the size from which on doubling a cohort narrows the prediction interval by less than `share`.

    Returns
    -------
    int or None
        Number of patients; None where more than 4,096 are needed, as without heterogeneity between cohorts.
    """
    high = 1
    while narrowing(strata, high) >= share:
        if high >= MOST_PATIENTS:
            return None
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if narrowing(strata, middle) >= share:
            low = middle
        else:
            high = middle
    return high
