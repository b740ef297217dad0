"""Leave-one-out pooling by cohort or trial, for any model."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.regression import has_full_rank
from alkbayes.classical.maximum_likelihood.glmm import GlmmFit, fit_glmm

NOTHING_LEFT = "no fit: too few cohorts are left"
NO_SECOND_LEVEL = "no fit: no two of the cohorts that are left are of one group"
UNIDENTIFIED = "no fit: a fixed effect rests on what is left out"


@dataclass(frozen=True, slots=True)
class LeftOut[Result]:
    """Result of a model without one unit.

    Attributes
    ----------
    unit
        Label of the omitted unit.
    cohorts
        Positions of its cohorts, shape (any,).
    result
        Result without them, converged or not; None if the model cannot be fitted to the rest.
    message
        Reason for a missing result, else empty.
    """

    unit: str
    cohorts: NDArray[np.intp]
    result: Result | None
    message: str


def leave_one_out[Result](
    pooled: Callable[[NDArray[np.bool_]], Result],
    units: Iterable[object],
    *,
    design: Floats | None = None,
    group: npt.ArrayLike | None = None,
    least: int = 1,
) -> tuple[LeftOut[Result], ...]:
    """Pool without each unit in turn.

        leave_one_out(lambda kept: pool(responders[kept], n[kept], method=method), trials)

    Parameters
    ----------
    pooled
        Function from the mask of kept cohorts, shape (k,), bool, to a result.
    units
        Unit of each cohort, length k: cohort names to leave out one cohort at a time, trial names for one trial at a
        time.
    design
        Fixed effects, shape (k, p), if the model has any: no result for a unit without which they lose full column
        rank.
    group
        Group of each cohort, shape (k,), if the model has a level between groups: no result for a unit without which no
        two cohorts share a group.
    least
        Minimum number of cohorts for `pooled`.

    Returns
    -------
    tuple of LeftOut
        One for each unit, in order of first appearance.
    """
    labels = np.array([str(unit) for unit in units], dtype=object)
    groups = None if group is None else np.asarray(group)
    rows = []
    for unit in dict.fromkeys(labels.tolist()):
        kept = labels != unit
        message = ""
        if kept.sum() < max(least, 1):
            message = NOTHING_LEFT
        elif design is not None and not has_full_rank(design[kept]):
            message = UNIDENTIFIED
        elif groups is not None and np.unique(groups[kept]).size == kept.sum():
            message = NO_SECOND_LEVEL
        rows.append(LeftOut(unit, np.flatnonzero(~kept), None if message else pooled(kept), message))
    return tuple(rows)


def glmm_leave_one_out(
    responders: npt.ArrayLike,
    n: npt.ArrayLike,
    units: Iterable[object],
    *,
    design: Floats | None = None,
    group: npt.ArrayLike | None = None,
) -> tuple[LeftOut[GlmmFit], ...]:
    """Fit the binomial-normal model without each unit in turn, starting each search at the fit to all cohorts.

    Parameters
    ----------
    responders, n, design, group
        As for :func:`alkbayes.classical.maximum_likelihood.glmm.fit_glmm`, also for its EvidenceError and ValueError.
    units
        As for `leave_one_out`.
    """
    x, m = np.atleast_1d(np.asarray(responders)), np.atleast_1d(np.asarray(n))
    labels = None if group is None else np.asarray(group)
    full = fit_glmm(x, m, design=design, group=group)

    def pooled(kept: NDArray[np.bool_]) -> GlmmFit:
        return fit_glmm(
            x[kept],
            m[kept],
            design=None if design is None else design[kept],
            group=None if labels is None else labels[kept],
            start=full,
        )

    return leave_one_out(pooled, units, design=design, group=group)
