"""Scales for averaging response rates: from counts to each scale, and back to proportions."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from alkbayes.classical.counts import Floats, checked_counts

FREEMAN_TUKEY_DISCOURAGED = (
    "The Freeman-Tukey double arcsine is discouraged: it depends on n, so that cohorts of different sizes share no "
    "way back to a proportion, and the usual one, by the harmonic mean of the sizes, can put the pooled rate far from "
    "what the cohorts show (Schwarzer et al. 2019, doi:10.1002/jrsm.1348; Röver & Friede 2022, doi:10.1002/jrsm.1591)."
)


class Scale(StrEnum):
    """Scale on which a method averages; estimates are always given as proportions.

    In metafor the measures PR, PLO, PAS, PLN and PFT.
    """

    PROBABILITY = "probability"
    LOGIT = "logit"
    ARCSINE = "arcsine"
    LOG = "log"
    FREEMAN_TUKEY = "freeman-tukey"


CORRECTED = frozenset({Scale.PROBABILITY, Scale.LOGIT, Scale.LOG})
"""Scales on which a cohort with an empty cell needs a correction: no value, or a sampling variance of 0, without it."""


@dataclass(frozen=True, slots=True)
class Effects:
    """Observed response rates of k cohorts on a scale.

    Attributes
    ----------
    yi
        Transformed rates, shape (k,), on the scale.
    vi
        Sampling variances of `yi`, shape (k,), squared scale; all positive.
    corrected
        True for cohorts with 1/2 added to both cells, shape (k,), bool.
    """

    yi: Floats
    vi: Floats
    corrected: npt.NDArray[np.bool_]


def effects(responders: npt.ArrayLike, n: npt.ArrayLike, *, scale: Scale) -> Effects:
    """Return the observed rates on a scale, with their sampling variances.

    The rules are those of metafor's `escalc(measure=, add=1/2, to="only0")` (Viechtbauer 2010,
    doi:10.18637/jss.v036.i03). On the scales of `CORRECTED`, only cohorts with 0/n or n/n get 1/2 added to responders
    and to non-responders, for the rate and its variance. With x and m so corrected and p = x / m:

    - probability: p, variance p (1 - p) / m
    - logit: log(p / (1 - p)), variance 1 / x + 1 / (m - x)
    - log: log(p), variance 1 / x - 1 / m

    On the other two no count is ever corrected:

    - arcsine: asin(sqrt(p)), variance 1 / (4 n)
    - freeman-tukey: half of asin(sqrt(x / (n + 1))) + asin(sqrt((x + 1) / (n + 1))), variance 1 / (4 n + 2) (Freeman &
      Tukey 1950, doi:10.1214/aoms/1177729756)

    Counts have shape (k,).

    Raises
    ------
    EvidenceError
        If the counts are invalid (see `checked_counts`).
    """
    x, m = checked_counts(responders, n)
    corrected = ((x == 0) | (x == m)) & (scale in CORRECTED)
    yes, no = x + 0.5 * corrected, m - x + 0.5 * corrected
    total = yes + no
    match scale:
        case Scale.PROBABILITY:
            yi, vi = yes / total, yes * no / total**3
        case Scale.LOGIT:
            yi, vi = np.log(yes) - np.log(no), 1 / yes + 1 / no
        case Scale.LOG:
            yi, vi = np.log(yes) - np.log(total), no / (yes * total)
        case Scale.ARCSINE:
            yi, vi = np.arcsin(np.sqrt(yes / total)), 1 / (4 * total)
        case Scale.FREEMAN_TUKEY:
            yi, vi = _double_arcsine(yes, total), 1 / (4 * total + 2)
    return Effects(yi=yi, vi=vi, corrected=corrected)


def back_transform(y: npt.ArrayLike, *, scale: Scale, n: npt.ArrayLike | None = None) -> Floats:
    """Return values on a scale as proportions, for the whole package.

    The result never decreases in `y` and lies in [0, 1]: values beyond the end of a scale (a lower limit below 0, say)
    become 0 or 1, as in metafor's `transf.*` (which does not truncate on the log scale above 1 or on the probability
    scale).

    Parameters
    ----------
    y
        Values, any shape, on the scale; infinities are its ends, NaN stays NaN.
    n
        Patients of the cohorts behind `y`, a number or shape (k,): needed only for the Freeman-Tukey scale, whose
        inverse uses their harmonic mean (Miller 1978, doi:10.1080/00031305.1978.10479283).

    Returns
    -------
    ndarray
        Proportions, shape of `y`.

    Raises
    ------
    ValueError
        If the scale needs `n` and it is missing.
    """
    values = np.asarray(y, dtype=np.float64)
    match scale:
        case Scale.PROBABILITY:
            return np.clip(values, 0, 1)
        case Scale.LOGIT:
            return np.asarray(expit(values), dtype=np.float64)
        case Scale.LOG:
            return np.exp(np.minimum(values, 0))
        case Scale.ARCSINE:
            return np.sin(np.clip(values, 0, np.pi / 2)) ** 2
        case Scale.FREEMAN_TUKEY:
            if n is None:
                raise ValueError("the Freeman-Tukey scale has no inverse without the numbers of patients n")
            return _inverse_double_arcsine(values, float(1 / np.mean(1 / np.asarray(n, dtype=np.float64))))


def discouraged(scale: Scale) -> str:
    """Return the warning attached to a scale; empty without one."""
    return FREEMAN_TUKEY_DISCOURAGED if scale is Scale.FREEMAN_TUKEY else ""


def _double_arcsine(x: Floats, n: Floats) -> Floats:
    """Return the Freeman-Tukey transform of x out of n."""
    return (np.arcsin(np.sqrt(x / (n + 1))) + np.arcsin(np.sqrt((x + 1) / (n + 1)))) / 2


def _inverse_double_arcsine(y: Floats, n: float) -> Floats:
    """Return the proportion whose Freeman-Tukey transform for n patients is y.

    Miller's sign(cos 2y) sqrt(1 - (s + (s - 1/s) / n)²) with s = sin 2y, rewritten as cos 2y times a root without
    cancellation: the original loses half of its digits about y = pi/4 and is not monotone there.
    """
    low, high = _double_arcsine(np.array([0.0, n]), np.array([n, n]))
    cosine, sine = np.cos(2 * np.clip(y, low, high)), np.sin(2 * np.clip(y, low, high))
    root = np.sqrt(1 + 2 / n - (cosine / (sine * n)) ** 2)
    inside = np.clip((1 - cosine * root) / 2, 0, 1)
    return np.where(y < low, 0.0, np.where(y > high, 1.0, inside))
