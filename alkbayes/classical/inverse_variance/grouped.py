"""Checked estimates with known sampling variances, in dependent groups."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.regression import has_full_rank


@dataclass(frozen=True, slots=True)
class GroupedEstimates:
    """Estimates of k cohorts in groups.

    Attributes
    ----------
    yi, vi
        Estimates and their sampling variances, shape (k,).
    design
        Fixed effects, shape (k, p), of full column rank.
    labels
        Group of each cohort, numbered from 0, shape (k,).
    """

    yi: Floats
    vi: Floats
    design: Floats
    labels: NDArray[np.intp]

    @classmethod
    def of(cls, yi: npt.ArrayLike, vi: npt.ArrayLike, group: npt.ArrayLike, design: Floats | None) -> Self:
        """Return checked arguments; a design of None is a column of ones.

        Raises
        ------
        ValueError
            If the array shapes disagree, an estimate is not finite, a variance is not positive and finite, or the
            design lacks full column rank.
        """
        y, v = (np.asarray(each, dtype=np.float64) for each in (yi, vi))
        if y.ndim != 1 or y.shape != v.shape or y.size == 0:
            raise ValueError(f"yi and vi must be two lists of one length, at least 1; got shapes {y.shape}, {v.shape}")
        if not (np.isfinite(y).all() and np.isfinite(v).all() and (v > 0).all()):
            raise ValueError("yi must be finite, vi positive and finite")
        matrix = np.ones((y.size, 1)) if design is None else np.asarray(design, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[0] != y.size or not has_full_rank(matrix):
            raise ValueError(f"design must have {y.size} rows and full column rank, got shape {matrix.shape}")
        labels = np.unique(np.asarray(group), return_inverse=True)[1]
        if labels.shape != y.shape:
            raise ValueError(f"each of {y.size} cohorts needs a group, got shape {labels.shape}")
        return cls(y, v, matrix, labels)

    def members(self) -> list[NDArray[np.intp]]:
        """Return the positions of each group's cohorts."""
        order = np.argsort(self.labels, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(self.labels[order])) + 1)
