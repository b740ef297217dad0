"""Cumulative meta-analysis: the pooled rate as cohorts are added in the order of a column."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.pooling.result import PooledProportion
from alkbayes.evidence.table import trial_labels
from alkbayes.vocabulary import INTERVAL_PROB

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from alkbayes.evidence.table import Evidence


@dataclass(frozen=True, slots=True)
class Step:
    """The pooled rate up to a value of the column.

    Attributes
    ----------
    value
        The value; empty for the last step, of cohorts without one.
    added
        Positions in the table of the cohorts with this value.
    pooled
        All cohorts up to and with these.
    """

    value: str
    added: tuple[int, ...]
    pooled: PooledProportion


def cumulative(
    evidence: "Evidence", values: Sequence[str], *, method: PoolingMethod, prob: float = INTERVAL_PROB
) -> tuple[Step, ...]:
    """Pool all cohorts up to each value in turn (Lau et al. 1992, doi:10.1056/NEJM199207233270406).

    Cohorts with the same value are added in one step, since their order would be arbitrary.

    Parameters
    ----------
    values
        Value of each cohort, shape (k,); empty where it is not known, which comes last. Sorted as numbers if all are.
    method, prob
        As for :func:`alkbayes.classical.pooling.pool.pool`.
    """
    frame, trials = evidence.frame, trial_labels(evidence.frame)
    of_cohort = np.array(values, dtype=object)
    kept: NDArray[np.bool_] = np.zeros(len(frame), dtype=np.bool_)
    steps = []
    for value in _in_order(values):
        added = of_cohort == value
        kept |= added
        part = frame[kept]
        pooled = pool(
            part["responders"],
            part["n"],
            method=method,
            cohorts=tuple(part["cohort_id"]),
            trials=None if trials is None else [trials[at] for at in np.flatnonzero(kept)],
            prob=prob,
        )
        steps.append(Step(value, tuple(np.flatnonzero(added).tolist()), pooled))
    return tuple(steps)


def _in_order(values: Sequence[str]) -> list[str]:
    """Return the distinct values in order, as numbers if all are, an empty one last."""
    known = sorted({value for value in values if value})
    with suppress(ValueError):
        known = sorted(known, key=float)
    return known + [""] * ("" in values)
