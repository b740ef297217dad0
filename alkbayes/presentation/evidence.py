"""Composition of the table of cohorts, for readers."""

from collections.abc import Mapping, Sequence
from typing import Any

from alkbayes.evidence.outcomes import Outcome
from alkbayes.presentation.tables import ReaderTable
from alkbayes.text.names import column_title, shown
from alkbayes.text.wording import percent

GROUPS = ("line", "generation", "prior_tki", "agent", "line:generation")
"""Columns, and a pair of columns, by which cohorts are counted."""
NOT_GIVEN = "(not given)"


def group_rows(groups: Sequence[Mapping[str, Any]], outcome: Outcome) -> ReaderTable:
    """Return cohorts, both counts and crude rate by level of each column.

    `groups` are records of :func:`alkbayes.evidence.table.composition`.
    """
    rows: list[tuple[str, ...]] = []
    for group in GROUPS:
        of_group = [row for row in groups if row["group"] == group]
        if of_group:
            rows.append((column_title(group),))
        for row in of_group:
            counts = (f"{row[name]:,}" for name in ("cohorts", "patients", "responders"))
            rows.append((f" {_level(row)}", *counts, percent(row["orr"])))
    headings = ("", "cohorts", outcome.units, outcome.events, f"crude {outcome.short}, %")
    return ReaderTable("Cohorts by group", headings, tuple(rows))


def _level(row: Mapping[str, Any]) -> str:
    levels = (row["first_level"], row["second_level"])
    return " : ".join(shown(level) or NOT_GIVEN for level in levels if level is not None)
