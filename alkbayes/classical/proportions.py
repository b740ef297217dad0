"""Confidence intervals for one binomial proportion."""

from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincinv, ndtri

from alkbayes.classical.counts import Floats, checked_counts
from alkbayes.vocabulary import INTERVAL_PROB


class IntervalMethod(StrEnum):
    """Interval for one proportion; the values are its names on the command line and in tables."""

    WALD = "wald"
    WILSON = "wilson"
    WILSON_CC = "wilson-cc"
    AGRESTI_COULL = "agresti-coull"
    CLOPPER_PEARSON = "clopper-pearson"
    JEFFREYS = "jeffreys"
    MID_P = "mid-p"


def proportion_interval(
    responders: npt.ArrayLike, n: npt.ArrayLike, *, method: IntervalMethod, prob: float = INTERVAL_PROB
) -> tuple[Floats, Floats]:
    """Return equal-tailed confidence limits for each proportion responders / n.

    Each method treats responders and non-responders alike, and its limits never fall as responders rise. Closed forms
    are used, since `scipy.stats.binomtest` takes one cohort at a time and has three of the methods; the tests compare
    the two.

    Parameters
    ----------
    responders, n
        Counts, a number or shape (k,).
    method
        `WALD`: normal approximation, clipped to [0, 1]; zero width at 0/n and n/n. `WILSON`: inverted score test.
        `WILSON_CC`: the same with continuity correction. `AGRESTI_COULL`: Wald's about Wilson's centre, clipped to [0,
        1]. `CLOPPER_PEARSON`: inverted exact test; coverage at least `prob`. `JEFFREYS`: quantiles of Beta(responders +
        1/2, n - responders + 1/2). `MID_P`: the exact test inverted with half the probability of the observed count. At
        0/n the lower limit of every method is 0, and at n/n the upper one is 1.
    prob
        Probability of the interval, in (0, 1).

    Returns
    -------
    tuple of ndarray
        Lower and upper limits, each of shape (k,), probability scale.

    Raises
    ------
    EvidenceError
        If the counts are invalid (see `checked_counts`).
    ValueError
        If `prob` is not between 0 and 1.

    References
    ----------
    Wilson (1927), doi:10.1080/01621459.1927.10502953; with continuity correction and mid-P as in Newcombe (1998),
    doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E; Agresti & Coull (1998),
    doi:10.1080/00031305.1998.10480550; Clopper & Pearson (1934), doi:10.1093/biomet/26.4.404; Jeffreys as in, and all
    compared by, Brown, Cai & DasGupta (2001), doi:10.1214/ss/1009213286.
    """
    x, m = checked_counts(responders, n)
    if not 0 < prob < 1:
        raise ValueError(f"prob must lie in (0, 1), got {prob!r}")
    return _lower(x, m, method, (1 - prob) / 2), 1 - _lower(m - x, m, method, (1 - prob) / 2)


def _lower(x: Floats, n: Floats, method: IntervalMethod, tail: float) -> Floats:
    """Return the lower limits; the upper ones are 1 minus those of the non-responders."""
    z = -float(ndtri(tail))
    match method:
        case IntervalMethod.WALD:
            return _wald(x / n, n, z)
        case IntervalMethod.WILSON:
            return _wilson(x, n, z)
        case IntervalMethod.WILSON_CC:
            return np.where(x > 0, _wilson(np.maximum(x - 0.5, 0), n, z), 0.0)
        case IntervalMethod.AGRESTI_COULL:
            return _wald((x + z * z / 2) / (n + z * z), n + z * z, z)
        case IntervalMethod.CLOPPER_PEARSON:
            return _beta_quantile(x, n - x + 1, tail)
        case IntervalMethod.JEFFREYS:
            return np.where(x > 0, betaincinv(x + 0.5, n - x + 0.5, tail), 0.0)
        case IntervalMethod.MID_P:
            return _mid_p(x, n, tail)


def _wald(p: Floats, n: Floats, z: float) -> Floats:
    """Return p minus z standard errors, at least 0."""
    return np.maximum(p - z * np.sqrt(p * (1 - p) / n), 0)


def _wilson(x: Floats, n: Floats, z: float) -> Floats:
    """Return Wilson's lower limit as the product of both roots over the upper one: no cancellation, 0 at x = 0."""
    upper_root = (x + z * z / 2 + z * np.sqrt(x * (n - x) / n + z * z / 4)) / (n + z * z)
    return np.asarray(x * x / (n * (n + z * z)) / upper_root, dtype=np.float64)


def _beta_quantile(a: Floats, b: Floats, tail: float) -> Floats:
    """Return the `tail` quantile of Beta(a, b), or its limiting point mass if a or b is 0."""
    some = (a > 0) & (b > 0)
    return np.where(some, betaincinv(np.where(some, a, 1), np.where(some, b, 1), tail), np.where(a > 0, 1.0, 0.0))


def _mid_p(x: Floats, n: Floats, tail: float) -> Floats:
    """Return the rate at which P(X > x) + P(X = x) / 2 equals `tail`; 0 at x = 0."""
    from scipy.optimize.elementwise import find_root  # takes a fifth of a second; only this method needs it

    def excess(p: Floats, x: Floats, n: Floats) -> Floats:
        # P(X > x) is 0 at x = n, where there is no such beta distribution.
        more = np.where(x < n, betainc(x + 1, np.maximum(n - x, 1), p), 0)
        return np.asarray((betainc(x, n - x + 1, p) + more) / 2 - tail)

    some = np.maximum(x, 1)
    # Between the limits with all of P(X = x) and with none of it.
    bracket = _beta_quantile(some, n - some + 1, tail), _beta_quantile(some + 1, n - some, tail)
    return np.where(x > 0, find_root(excess, bracket, args=(some, n)).x, 0.0)
