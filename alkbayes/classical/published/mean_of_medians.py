"""Patient-weighted mean of cohorts' medians, as reviews report it, with a bootstrap interval over trials.

It is not the median of the pooled patients, and uses neither the intervals of the medians nor a model. Trials are
resampled whole, so that their cohorts stay together (a cluster bootstrap; Davison and Hinkley 1997, section 3.8,
doi:10.1017/CBO9780511802843), with a percentile interval (section 5.3).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alkbayes.vocabulary import INTERVAL_PROB

type Array = NDArray[np.float64]

RESAMPLES = 10_000
FEW = 10
"""Number of trials below which the interval is called too narrow: resampling so few hardly varies them."""


@dataclass(frozen=True, slots=True)
class WeightedMean:
    """A mean of medians.

    Attributes
    ----------
    estimate, low, high
        Months; low and high are the ends of the confidence interval. NaN if undefined.
    note
        Warning to the reader, or empty.
    """

    k: int
    trials: int
    patients: int
    estimate: float
    low: float
    high: float
    note: str


def weighted_mean(
    medians: Array,
    patients: Array,
    trials: Sequence[str],
    *,
    rng: np.random.Generator,
    prob: float = INTERVAL_PROB,
    resamples: int = RESAMPLES,
) -> WeightedMean:
    """Return the patient-weighted mean of medians (months), with all arrays of shape (cohort,).

    `rng` draws the bootstrap `resamples`; `prob` is the probability of the interval.
    """
    names, index = np.unique(np.array(trials, dtype=np.str_), return_inverse=True)
    count = len(names)
    if not count:
        return WeightedMean(0, 0, 0, math.nan, math.nan, math.nan, "no median")
    months = np.bincount(index, weights=medians * patients)
    weights = np.bincount(index, weights=patients)
    low = high = math.nan
    note = "one trial: there is nothing to resample"
    if count > 1:
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
        tail = (1 - prob) / 2
        low, high = np.quantile((drawn @ months) / (drawn @ weights), [tail, 1 - tail]).tolist()
        note = f"{count} trials: a bootstrap interval of so few is too narrow" if count < FEW else ""
    total = weights.sum()
    return WeightedMean(len(index), count, int(total), float(months.sum() / total), low, high, note)
