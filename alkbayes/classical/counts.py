"""Counts of cohorts, checked."""

import numpy as np
import numpy.typing as npt

from alkbayes.errors import EvidenceError

type Floats = npt.NDArray[np.float64]
"""Array of float64; functions state its shape."""


def checked_counts(responders: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the counts as float64 arrays of one shape.

    Parameters
    ----------
    responders, n
        Responders and patients of each cohort, a number or shape (k,).

    Returns
    -------
    tuple of ndarray
        `responders` and `n`, each of shape (k,), k >= 1; a single number has k = 1. Counts up to 2**53 are exact.

    Raises
    ------
    EvidenceError
        If there is no cohort, the lengths differ, or some cohort breaks 0 <= responders <= n, n >= 1, or has a value
        that is not a whole number.
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
