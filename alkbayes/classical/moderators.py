"""From columns of an evidence table to a design matrix whose coefficients have names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from alkbayes.classical.counts import Floats
from alkbayes.classical.regression import has_full_rank
from alkbayes.errors import EvidenceError
from alkbayes.vocabulary import LEVELS, in_order, label_of

if TYPE_CHECKING:
    import pandas as pd

    from alkbayes.evidence import Evidence

INTERCEPT = "intercept"
NO_MODERATORS = frozenset({"cohort_id", "responders"})
"""Columns that cannot explain a response rate: a name of each cohort, and what is to be explained."""


@dataclass(frozen=True, slots=True)
class Moderators:
    """A design matrix of p named coefficients for k cohorts.

    Attributes
    ----------
    columns
        Columns of the table that were asked for.
    design
        Shape (k, p): a column of ones, then for each moderator its numbers, or for each level but the first a column
        that is 1 in that level and 0 elsewhere.
    names
        Of the coefficients, length p: "intercept"; "line: mixed (against naive)"; "pfs_median (per unit)".
    kept
        Which rows of the table are in the design, in order, shape (k,), int.
    cohorts
        `cohort_id` of those rows, length k.
    left_out
        `cohort_id` of the cohorts with an empty cell in one of the columns.
    """

    columns: tuple[str, ...]
    design: Floats
    names: tuple[str, ...]
    kept: npt.NDArray[np.intp]
    cohorts: tuple[str, ...]
    left_out: tuple[str, ...]


def moderators_of(evidence: "Evidence", columns: Sequence[str]) -> Moderators:
    """Return the design of some columns of a table.

    A column is numeric if it is a count of the table, or each of its values is a number and the vocabulary does not
    have it as a set of levels (a phase of "2" is a level). Numbers stand as they are: a coefficient is per unit of the
    column.

    Parameters
    ----------
    evidence
        The cohorts. Those without a value in one of the columns are left out.
    columns
        Moderators, each once, at least one.

    Raises
    ------
    EvidenceError
        If a column is missing or cannot be a moderator, no cohort has values in all of them, one does not vary, they
        determine each other, or there are as many coefficients as cohorts.
    """
    frame = evidence.frame
    wanted = tuple(dict.fromkeys(columns))
    available = [column for column in frame.columns if column not in NO_MODERATORS]
    if not wanted:
        raise EvidenceError(f"A meta-regression needs a moderator. Columns of the table: {', '.join(available)}.")
    if missing := [column for column in wanted if column not in available]:
        raise EvidenceError(
            f"The evidence table has no column {', '.join(missing)} to regress on. Its columns: {', '.join(available)}."
        )
    listed = ", ".join(wanted)
    each = wanted[0] if len(wanted) == 1 else f"each of {listed}"
    stated = (frame[list(wanted)].astype(str) != "").all(axis=1).to_numpy()
    kept = frame[stated]
    if kept.empty:
        raise EvidenceError(f"No cohort of the evidence table has a value in {each}.")
    blocks, names = [np.ones((len(kept), 1))], [INTERCEPT]
    for column in wanted:
        block, labels = _block(column, kept[column])
        if not labels:
            which = "the one cohort with a value" if len(kept) == 1 else f"all {len(kept)} cohorts with values"
            raise EvidenceError(
                f"{column} is {kept[column].tolist()[0]!r} in {which} in {listed}: it explains no differences."
            )
        blocks.append(block)
        names += labels
    design = np.hstack(blocks)
    k, p = design.shape
    if p >= k:
        raise EvidenceError(
            f"{listed} {'takes' if len(wanted) == 1 else 'take'} {p} coefficients, and there "
            f"{'is 1 cohort with a value' if k == 1 else f'are {k} cohorts with values'} in {each}; a meta-regression "
            "needs more cohorts than coefficients."
        )
    if not has_full_rank(design) and len(wanted) == 1:
        raise EvidenceError(
            f"{listed} varies so little for its size in these {k} cohorts that its coefficient cannot be told from the "
            "intercept. Subtract its mean."
        )
    if not has_full_rank(design):
        raise EvidenceError(
            f"{listed} determine each other in these {k} cohorts, so that no coefficient is their own: "
            f"{', '.join(_dependent(design, names))} follows from those before it. Leave a moderator out."
        )
    return Moderators(
        columns=wanted,
        design=design,
        names=tuple(names),
        kept=np.flatnonzero(stated),
        cohorts=tuple(kept["cohort_id"]),
        left_out=tuple(frame["cohort_id"][~stated]),
    )


def _block(column: str, values: "pd.Series[str]") -> tuple[Floats, list[str]]:
    """Return the columns of one moderator and their names; none where it does not vary."""
    label = label_of(column)
    numbers = None if column in LEVELS else _numbers(values)
    if numbers is not None:
        return numbers[:, None], [f"{label} (per unit)"] if np.ptp(numbers) > 0 else []
    first, *others = in_order(column, values)
    text = values.to_numpy(dtype=object)
    indicators = np.array([text == level for level in others], dtype=np.float64).reshape(len(others), len(text)).T
    return indicators, [f"{label}: {level} (against {first})" for level in others]


def _numbers(values: "pd.Series[str]") -> Floats | None:
    """Return the values as finite numbers, or None if one of them is none."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return None
    return np.array(numbers) if all(math.isfinite(number) for number in numbers) else None


def _dependent(design: Floats, names: Sequence[str]) -> list[str]:
    """Return the names of the coefficients whose columns are combinations of those before."""
    found, independent = [], [0]
    for place in range(1, design.shape[1]):
        if has_full_rank(design[:, [*independent, place]]):
            independent.append(place)
        else:
            found.append(names[place])
    return found
