"""Design matrix with named coefficients from columns of an evidence table."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from alkbayes.alk.levels import LEVELS
from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.regression import has_full_rank
from alkbayes.errors import EvidenceError, Setting, UsageError
from alkbayes.evidence.faults import Fault
from alkbayes.evidence.naming import no_such_column
from alkbayes.evidence.numbers import ABOUT, NUMBER_OR_NOTHING, number_advice, number_in
from alkbayes.evidence.table import lines_of, table_of
from alkbayes.text.names import listed, near_miss, quoted
from alkbayes.vocabulary import in_order, label_of

if TYPE_CHECKING:
    import pandas as pd

    from alkbayes.evidence.table import Evidence

INTERCEPT = "intercept"
NO_MODERATORS = frozenset({"cohort_id", "responders"})
"""Columns that cannot explain a response rate: the cohort's name, and the outcome itself."""
NO_REFERENCES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Moderators:
    """A design matrix of p named coefficients for k cohorts.

    Attributes
    ----------
    columns
        Columns of the table requested.
    design
        Shape (k, p): a column of ones, then for each moderator its values, or an indicator column for each level except
        the reference.
    names
        Names of the coefficients, length p: "intercept"; "line: mixed (against naive)"; "pfs_median (per unit)".
    kept, cohorts
        Rows of the table in the design, in order, shape (k,), int, and their `cohort_id`.
    left_out
        `cohort_id` of the cohorts with an empty cell in one of the columns.
    """

    columns: tuple[str, ...]
    design: Floats
    names: tuple[str, ...]
    kept: npt.NDArray[np.intp]
    cohorts: tuple[str, ...]
    left_out: tuple[str, ...]


def moderators_of(
    evidence: "Evidence",
    columns: Sequence[str],
    *,
    levels: Collection[str] = (),
    references: Mapping[str, str] = NO_REFERENCES,
) -> Moderators:
    """Return the design for some columns of a table.

    A column is numeric if it is a count of the table, or if all its values are numbers and the vocabulary does not list
    it as levels (a phase of "2" is a level). Numbers enter as they are: a coefficient is per unit of the column.

    Parameters
    ----------
    evidence
        The cohorts. Those without a value in one of the columns are left out.
    columns
        Moderators, each once, at least one.
    levels
        Those whose numbers are levels, ordered by value.
    references
        Reference level of a column, by default its first.

    Raises
    ------
    EvidenceError
        If a column is missing or cannot be a moderator, mixes numbers with other cells, does not vary or lacks the
        reference level; if no cohort has values in all columns, they are collinear, or there are as many coefficients
        as cohorts.
    UsageError
        If `levels` or `references` name another column, or `references` a numeric one.
    """
    frame = evidence.frame
    wanted = tuple(dict.fromkeys(columns))
    available = [column for column in frame.columns if column not in NO_MODERATORS]
    if not wanted:
        raise EvidenceError(f"A meta-regression needs a moderator. Columns of the table: {', '.join(available)}.")
    if missing := [column for column in wanted if column not in available]:
        raise no_such_column(missing, available, "to regress on")
    if strangers := dict.fromkeys(column for column in (*levels, *references) if column not in wanted):
        raise UsageError(f"{listed([*strangers])} cannot have levels here; regressed on: {listed(wanted)}.")
    declared = evidence.outcome.declared
    with_levels = {*LEVELS, *(column for column in wanted if declared.levels(column))}
    _check_numbers(evidence, [column for column in wanted if column not in {*levels, *with_levels, "n"}])
    asked = ", ".join(wanted)
    each = wanted[0] if len(wanted) == 1 else f"each of {asked}"
    stated = (frame[list(wanted)].astype(str) != "").all(axis=1).to_numpy()
    kept = frame[stated]
    if kept.empty:
        raise EvidenceError(f"No cohort of the evidence table has a value in {each}.")
    blocks, names = [np.ones((len(kept), 1))], [INTERCEPT]
    for column in wanted:
        label = label_of(column, frame.columns)
        block, labels = _block(
            column,
            label,
            kept[column],
            as_levels=column in {*levels, *with_levels},
            reference=references.get(column),
            declared=declared.levels(column),
        )
        if not labels:
            which = "the one cohort with a value" if len(kept) == 1 else f"all {len(kept)} cohorts with values"
            raise EvidenceError(
                f"{column} is {quoted(str(kept[column].iloc[0]))} in {which} in {asked}: it explains no differences."
            )
        blocks.append(block)
        names += labels
    design = np.hstack(blocks)
    k, p = design.shape
    if p >= k:
        raise EvidenceError(
            f"{asked} {'takes' if len(wanted) == 1 else 'take'} {p} coefficients, and there "
            f"{'is 1 cohort with a value' if k == 1 else f'are {k} cohorts with values'} in {each}; a meta-regression "
            "needs more cohorts than coefficients."
        )
    if not has_full_rank(design) and len(wanted) == 1:
        raise EvidenceError(
            f"{asked} varies so little for its size in these {k} cohorts that its coefficient cannot be told from the "
            "intercept. Subtract its mean."
        )
    if not has_full_rank(design):
        raise EvidenceError(
            f"{asked} determine each other in these {k} cohorts, so that no coefficient is their own: "
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


def _block(
    column: str,
    label: str,
    values: "pd.Series[str]",
    *,
    as_levels: bool,
    reference: str | None,
    declared: tuple[str, ...],
) -> tuple[Floats, list[str]]:
    """Return the columns of one moderator, called `label`, and their names; empty if it does not vary."""
    numbers = [number_in(str(value)) for value in values]
    if not as_levels and None not in numbers:
        if reference is not None:
            raise UsageError(
                f"{column} is a column of numbers, which have no reference level.\n{_as_factor(column)}",
                remedy=Setting("levels", (column,)),
            )
        block = np.array(numbers, dtype=np.float64)
        return block[:, None], [f"{label} (per unit)"] if np.ptp(block) > 0 else []
    text = values.astype(str).to_numpy(dtype=object)
    found = in_order(column, text, declared)
    if not declared and column not in LEVELS and None not in numbers:
        found = tuple(sorted(found, key=float))
    first = found[0] if reference is None else reference
    if first not in found:
        guess = near_miss(first, found)
        advice = f" Did you mean {quoted(guess)}?" if guess else ""
        raise EvidenceError(
            f"{column}: no cohort has the reference level {quoted(first)}, only {listed(found)}.{advice}"
        )
    others = [level for level in found if level != first]
    indicators = np.array([text == level for level in others], dtype=np.float64).reshape(len(others), len(text)).T
    return indicators, [f"{label}: {level} (against {first})" for level in others]


def _check_numbers(evidence: "Evidence", columns: Sequence[str]) -> None:
    """Refuse columns that mix numbers with other cells or informal notation.

    Treating them as levels would let one cell "ca. 2005" turn a trend over years into a difference per year.
    """
    for column in columns:
        pairs = zip(evidence.frame["cohort_id"], evidence.frame[column], strict=True)
        cells = {cohort: cell for cohort, cell in pairs if cell}
        others = {cohort: cell for cohort, cell in cells.items() if number_in(cell) is None}
        if not others or (len(others) == len(cells) and not all(map(ABOUT.fullmatch, others.values()))):
            continue
        table = table_of(evidence)
        lines = lines_of(table)
        faults = [
            Fault(lines[cohort], quoted(cell), NUMBER_OR_NOTHING, number_advice(cell), cohort=cohort, column=column)
            for cohort, cell in others.items()
        ]
        raise EvidenceError(
            f"{table.refusal(faults).message}\n{_as_factor(column)}", remedy=Setting("levels", (column,))
        )


def _as_factor(column: str) -> str:
    """Return what stands before the setting that makes a column of numbers a factor."""
    return f"To treat {column} as a factor, each value a level:"


def _dependent(design: Floats, names: Sequence[str]) -> list[str]:
    """Return the names of the coefficients whose columns are combinations of those before."""
    found, independent = [], [0]
    for place in range(1, design.shape[1]):
        if has_full_rank(design[:, [*independent, place]]):
            independent.append(place)
        else:
            found.append(names[place])
    return found
