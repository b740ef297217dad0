"""Counts of cohorts, checked, and their logits with sampling variances."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alkbayes.errors import EvidenceError

type Floats = npt.NDArray[np.float64]
"""An array of float64; its shape is said where it is used."""


@dataclass(frozen=True, slots=True)
class Logits:
    """Observed logits of k cohorts.

    Attributes
    ----------
    yi
        Log odds of a response, shape (k,), logit scale.
    vi
        Sampling variances of `yi`, shape (k,), squared logit scale.
    corrected
        Whether 1/2 was added to both cells of a cohort, shape (k,), bool.
    """

    yi: Floats
    vi: Floats
    corrected: npt.NDArray[np.bool_]


def checked_counts(responders: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the counts as float64 arrays of one shape.

    Parameters
    ----------
    responders
        Responders of each cohort, a number or shape (k,).
    n
        Patients of each cohort, a number or shape (k,).

    Returns
    -------
    tuple of ndarray
        `responders` and `n`, each of shape (k,), k >= 1; a single number has k = 1. Counts up to 2**53 are exact.

    Raises
    ------
    EvidenceError
        If there is no cohort, the two differ in length, or some cohort breaks 0 <= responders <= n, n >= 1, or holds
        what is not a whole number.
    """
    x, m = np.atleast_1d(np.asarray(responders, dtype=np.float64)), np.atleast_1d(np.asarray(n, dtype=np.float64))
    if x.ndim != 1 or x.shape != m.shape or x.size == 0:
        raise EvidenceError(
            f"responders and n must be two lists of one length, at least 1; got shapes {x.shape} and {m.shape}."
        )
    good = (x >= 0) & (x <= m) & (m >= 1) & np.isfinite(m) & (x == np.floor(x)) & (m == np.floor(m))
    if not good.all():
        shown = ", ".join(f"{x[i]:g}/{m[i]:g} (position {i + 1})" for i in np.flatnonzero(~good)[:5])
        raise EvidenceError(f"Counts must be whole numbers with 0 <= responders <= n and n >= 1; got {shown}.")
    return x, m


def logits(responders: Floats, n: Floats) -> Logits:
    """Return the observed logits, with 1/2 added to both cells of those cohorts that have an empty one.

    The rule is metafor's `escalc(measure="PLO", add=1/2, to="only0")`: a cohort without a zero cell keeps its counts.
    The variance is 1 / responders + 1 / (n - responders), of the corrected counts where there are such.

    Parameters
    ----------
    responders, n
        Checked counts, shape (k,).

    References
    ----------
    Viechtbauer (2010), doi:10.18637/jss.v036.i03.
    """
    corrected = (responders == 0) | (responders == n)
    yes, no = responders + 0.5 * corrected, n - responders + 0.5 * corrected
    return Logits(yi=np.log(yes) - np.log(no), vi=1 / yes + 1 / no, corrected=corrected)
