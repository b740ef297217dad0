"""Classical pooling over an evidence table: overall, by column, and by pairs of columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pandas as pd

from alkbayes.classical.pooling.methods import DEFAULT_METHODS, PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.pooling.result import PooledProportion
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.naming import no_such_column
from alkbayes.evidence.table import trial_labels
from alkbayes.text.names import listed
from alkbayes.text.notes import notes_of
from alkbayes.vocabulary import GROUP_COLUMNS, INTERVAL_PROB, group_row, joined_key, label_of

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence

DEFAULT_BY = ("line", "regimen_class")
WHOLE = "all"
"""Group and level of the whole table."""
COUNTS = frozenset({"n", "responders"})
"""Pooled columns, which cannot define groups."""
POOL_COLUMNS = (*GROUP_COLUMNS, *(field.name for field in fields(PooledProportion) if field.name != "notes"), "note")
"""Columns of a pooled table, in order."""
NUMBERS = POOL_COLUMNS[POOL_COLUMNS.index("estimate") : POOL_COLUMNS.index("note")]
"""Columns that may be missing, as NaN."""


@dataclass(frozen=True, slots=True)
class PooledGroup:
    """A pooled rate and the cohorts it is of.

    Attributes
    ----------
    place
        The columns of a row that identify group and level.
    pooled
        The result of one method, with a note on cohorts that the group leaves out.
    """

    place: Mapping[str, Any]
    pooled: PooledProportion


def pool_table(
    evidence: "Evidence",
    *,
    by: Sequence[str | tuple[str, str]] | None = None,
    methods: Sequence[PoolingMethod] = DEFAULT_METHODS,
    prob: float = INTERVAL_PROB,
) -> pd.DataFrame:
    """Pool all cohorts, and those of each level of some columns, by each method.

    Parameters
    ----------
    by
        Grouping columns; a pair of columns groups by both at once. None means line and TKI generation, if the table has
        them; a named column must exist.
    methods
        Pooling methods, each once, in the order of the rows.
    prob
        Probability of confidence and prediction intervals, in (0, 1).

    Returns
    -------
    DataFrame
        Columns `POOL_COLUMNS`, one row per group, level and method. `group` is "all" (its `level` too), then a column's
        name in results ("line", "generation"), or two joined ("line:generation", with levels such as "naive:first");
        `first_column`, `first_level`, `second_column` and `second_level` are the same as values. Levels are in the
        order of `vocabulary.in_order`; a pair of levels without cohorts has no row, and a cohort with an empty value
        belongs to none. Proportions are in [0, 1], `tau2` is on the logit scale, and undefined values are NaN.

    Raises
    ------
    EvidenceError
        If the table lacks a column of `by`, or no cohort has a value there.
    UsageError
        If a pair names one column twice, or two groups of `by` would have the same name in results.
    """
    return frame_of(pool_groups(evidence, by=by, methods=methods, prob=prob))


def pool_groups(
    evidence: "Evidence",
    *,
    by: Sequence[str | tuple[str, str]] | None = None,
    methods: Sequence[PoolingMethod] = DEFAULT_METHODS,
    prob: float = INTERVAL_PROB,
) -> list[PooledGroup]:
    """Return the rows of :func:`pool_table`, with the same arguments and errors, as values."""
    frame = evidence.frame
    available = [column for column in frame.columns if column not in COUNTS]
    groups = (
        [(column,) for column in DEFAULT_BY if column in available] if by is None else _groups(by, frame, available)
    )
    rows = []
    for place, part, left_out in _parts(evidence, groups):
        trials = trial_labels(part)
        for method in dict.fromkeys(methods):
            pooled = pool(
                part["responders"],
                part["n"],
                method=method,
                cohorts=tuple(part["cohort_id"]),
                trials=trials,
                prob=prob,
            )
            rows.append(PooledGroup(place, replace(pooled, notes=notes_of(*pooled.notes, left_out))))
    return rows


def frame_of(rows: Sequence[PooledGroup]) -> pd.DataFrame:
    """Return pooled groups as a table with the columns `POOL_COLUMNS`."""
    table = pd.DataFrame([{**row.place, **row.pooled.as_row()} for row in rows], columns=list(POOL_COLUMNS))
    return table.astype(dict.fromkeys(NUMBERS, "float64") | dict.fromkeys(("method", "scale"), "str"))


def _groups(
    by: Sequence[str | tuple[str, str]], frame: pd.DataFrame, available: Sequence[str]
) -> list[tuple[str, ...]]:
    """Return the groupings as tuples of columns, each once; refuse missing or ambiguous ones."""
    groups = list(dict.fromkeys((item,) if isinstance(item, str) else tuple(item) for item in by))
    missing = dict.fromkeys(column for group in groups for column in group if column not in available)
    if counts := [column for column in missing if column in COUNTS and column in frame]:
        raise UsageError(f"{' and '.join(counts)} cannot be grouped by: that is what is pooled.")
    if missing:
        raise no_such_column([*missing], available, "to group by")
    if twice := [":".join(group) for group in groups if len(set(group)) < len(group)]:
        raise UsageError(f"{', '.join(twice)} names one column twice. A pair needs two columns.")
    if empty := [_name(group, frame) for group in groups if not _stated(frame, group).any()]:
        raise EvidenceError(f"No cohort of the evidence table has a {' or a '.join(empty)}: nothing to group by.")
    if any(_name(group, frame) == WHOLE for group in groups):
        raise UsageError(f"A column called {WHOLE} cannot be grouped by: results call the whole table so. Rename it.")
    named: dict[str, tuple[str, ...]] = {}
    for group in groups:
        other = named.setdefault(_name(group, frame), group)
        if other != group:
            raise UsageError(
                f"{':'.join(other)} and {':'.join(group)} are both called {_name(group, frame)} in results. "
                "Ask for one of them."
            )
    return groups


def _name(group: tuple[str, ...], frame: pd.DataFrame) -> str:
    """Return the name of a group in results."""
    return joined_key(label_of(column, frame.columns) for column in group)


def _stated(frame: pd.DataFrame, group: tuple[str, ...]) -> "pd.Series[bool]":
    """Return the mask of cohorts with a value in each column of a group."""
    return (frame[list(group)] != "").all(axis=1)


def _parts(
    evidence: "Evidence", groups: Sequence[tuple[str, ...]]
) -> Iterator[tuple[dict[str, Any], pd.DataFrame, str]]:
    """Yield the identifying columns of a group, its cohorts, and the note on cohorts left out."""
    frame, in_order = evidence.frame, evidence.outcome.declared.in_order
    yield dict(group_row({})), frame, ""
    for group in groups:
        stated = frame[_stated(frame, group)]
        lacking = len(frame) - len(stated)
        has, stands = ("has", "stands") if lacking == 1 else ("have", "stand")
        left_out = (
            f"{lacking} of {len(frame)} cohorts {has} no {_name(group, frame)} and {stands} in none of its rows: "
            f"{listed(frame['cohort_id'][~_stated(frame, group)].tolist())}."
            if lacking
            else ""
        )
        cells = dict(iter(stated.groupby(list(group))))
        for levels in product(*(in_order(column, stated[column]) for column in group)):
            if levels in cells:
                labels = (label_of(column, frame.columns) for column in group)
                yield dict(group_row(dict(zip(labels, levels, strict=True)))), cells[levels], left_out
