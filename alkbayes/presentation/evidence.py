"""Composition of the table of cohorts, for readers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from alkbayes.evidence.naming import COHORT, RESPONDERS, TRIAL, N
from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.evidence.overlaps import Beside
from alkbayes.evidence.table import Evidence, cohort_labels
from alkbayes.presentation.tables import ReaderTable
from alkbayes.text.names import listed, shown
from alkbayes.text.wording import capitalised, counted, percent

GROUPS = ("line", "generation", "prior_tki", "agent", "line:generation")
"""Columns, and the pair of columns, that cohorts are counted by."""
NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?")
NOT_GIVEN = "(not given)"


def group_rows(groups: Sequence[Mapping[str, Any]], outcome: Outcome) -> ReaderTable:
    """Return cohorts, both counts and crude rate by level of each column.

    `groups` are records of :func:`alkbayes.evidence.table.composition`.
    """
    rows: list[tuple[str, ...]] = []
    for group in GROUPS:
        of_group = [row for row in groups if row["group"] == group]
        if of_group:
            rows.append((outcome.declared.heading(group),))
        for row in of_group:
            counts = (f"{row[name]:,}" for name in ("cohorts", "patients", "responders"))
            rows.append((f" {_level(row)}", *counts, percent(row["orr"])))
    headings = ("", "cohorts", outcome.units, outcome.events, f"crude {outcome.short}, %")
    return ReaderTable("Cohorts by group", headings, tuple(rows))


def cohort_rows(evidence: Evidence) -> ReaderTable:
    """Return both counts and the crude rate of each cohort."""
    outcome, frame = evidence.outcome, evidence.frame
    labels = cohort_labels(frame)
    rows = [
        (labels[cohort], f"{events:,}", f"{n:,}", percent(events / n))
        for cohort, events, n in zip(*(frame[name].tolist() for name in (COHORT, RESPONDERS, N)), strict=True)
    ]
    headings = ("", outcome.events, outcome.units, f"crude {outcome.short}, %")
    return ReaderTable(f"{capitalised(outcome.events)} by cohort", headings, tuple(rows))


def beside_sentences(beside: Beside, found: Sequence[str]) -> tuple[str, ...]:
    """Return what stands beside a table of cohorts, and who is counted twice across these tables."""
    tables = (
        (beside.cuts, "other count", "other counts"),
        (beside.left_out, "cohort left out", "cohorts left out"),
        (beside.randomised, "randomised arm", "randomised arms"),
        (
            None if beside.adverse_events is None else beside.adverse_events.frame,
            "count of adverse events",
            "counts of adverse events",
        ),
    )
    there = [f"{len(table):,} {one if len(table) == 1 else many}" for table, one, many in tables if table is not None]
    if not there:
        return ()
    nobody = () if found else ("By names and numbers, nobody is counted twice across these tables.",)
    return (f"Beside it: {listed(there)}.", *(f"Caution: {sentence}" for sentence in found), *nobody)


def understood(evidence: Evidence) -> str:
    """Return which columns of a table say what, by the names that they have there, in a sentence."""
    own, frame = evidence.columns, evidence.frame
    counts = [own.get(name, name) for name in evidence.outcome.columns]
    parts = [f"{shown(counts[0])} of {shown(counts[1])} is counted"]
    parts += [
        f"{shown(own.get(name, name))} names the {what}"
        for name, what in ((COHORT, "cohorts"), (TRIAL, "trials"))
        if name in frame
    ]
    known = {COHORT, TRIAL, *ORR.columns, *evidence.outcome.columns}
    others = [
        f"{own.get(name, name)} ({_kind(frame[name].tolist())})" for name in frame.columns.tolist() if name not in known
    ]
    return f"Columns: {'; '.join(parts)}{f'; also {listed(others)}' if others else ''}."


def _kind(cells: Sequence[str]) -> str:
    """Return what a column holds: numbers, or how many levels."""
    stated = {cell for cell in cells if cell}
    if not stated:
        return "blank"
    return "numbers" if all(map(NUMBER.fullmatch, stated)) else counted(len(stated), "level")


def _level(row: Mapping[str, Any]) -> str:
    levels = (row["first_level"], row["second_level"])
    return " : ".join(shown(level) or NOT_GIVEN for level in levels if level is not None)
