"""Confidence intervals of one binomial proportion."""

from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, ndtri

from alkbayes.classical.counts import Floats, checked_counts
from alkbayes.vocabulary import INTERVAL_PROB


class IntervalMethod(StrEnum):
    """How an interval of one proportion is made."""

    WALD = "wald"
    WILSON = "wilson"
    CLOPPER_PEARSON = "clopper-pearson"


def proportion_interval(
    responders: npt.ArrayLike, n: npt.ArrayLike, *, method: IntervalMethod, prob: float = INTERVAL_PROB
) -> tuple[Floats, Floats]:
    """Return equal-tailed confidence limits of each proportion responders / n.

    The closed forms are used, since `scipy.stats.binomtest` takes one cohort at a time; the tests hold the two
    together.

    Parameters
    ----------
    responders, n
        Counts, a number or shape (k,).
    method
        `WALD` (normal approximation, clipped to [0, 1]; without width at 0/n and n/n), `WILSON` (inverted score test)
        or `CLOPPER_PEARSON` (inverted exact test; covers at least `prob`).
    prob
        Probability of the interval, in (0, 1).

    Returns
    -------
    tuple of ndarray
        Lower and upper limits, each of shape (k,), probability scale.

    Raises
    ------
    EvidenceError
        If the counts are not counts (see `checked_counts`).
    ValueError
        If `prob` is not between 0 and 1.

    References
    ----------
    Wilson (1927), doi:10.1080/01621459.1927.10502953; Clopper & Pearson (1934), doi:10.1093/biomet/26.4.404; compared
    by Brown, Cai & DasGupta (2001), doi:10.1214/ss/1009213286.
    """
    x, m = checked_counts(responders, n)
    if not 0 < prob < 1:
        raise ValueError(f"prob must lie in (0, 1), got {prob!r}")
    tail = (1 - prob) / 2
    match method:
        case IntervalMethod.WALD:
            p = x / m
            half = -ndtri(tail) * np.sqrt(p * (1 - p) / m)
            return np.clip(p - half, 0, 1), np.clip(p + half, 0, 1)
        case IntervalMethod.WILSON:
            z = -float(ndtri(tail))
            return _wilson_low(x, m, z), 1 - _wilson_low(m - x, m, z)
        case IntervalMethod.CLOPPER_PEARSON:
            return _clopper_pearson_low(x, m, tail), 1 - _clopper_pearson_low(m - x, m, tail)


def _wilson_low(x: Floats, n: Floats, z: float) -> Floats:
    """Return Wilson's lower limit, as the product of both roots over the upper one: nothing cancels, 0 at x = 0."""
    upper_root = (x + z * z / 2 + z * np.sqrt(x * (n - x) / n + z * z / 4)) / (n + z * z)
    return np.asarray(x * x / (n * (n + z * z)) / upper_root, dtype=np.float64)


def _clopper_pearson_low(x: Floats, n: Floats, tail: float) -> Floats:
    """Return the `tail` quantile of Beta(x, n - x + 1), and 0 at x = 0, where there is no such distribution."""
    some = x > 0
    return np.where(some, betaincinv(np.where(some, x, 1.0), n - x + 1, tail), 0.0)
