"""Pooled rates by level of a column, for readers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alkbayes.evidence.outcomes import Outcome
from alkbayes.presentation.tables import ReaderTable
from alkbayes.text.names import shown
from alkbayes.text.wording import level_text, percent, percent_interval, variance

HEADINGS = {
    "separate": "each with its own tau2",
    "shared": "one tau2 for all",
    "none": "no variance between cohorts",
}
"""Heading by kind of heterogeneity."""


def level_rows(
    levels: Sequence[Mapping[str, Any]], kinds: Iterable[str], outcome: Outcome, *, prob: float
) -> ReaderTable:
    """Return the results of each level under each kind of heterogeneity, with intervals of the probability `prob`."""
    rows: list[tuple[str, ...]] = []
    for kind in kinds:
        rows.append((HEADINGS[kind],))
        rows += [_level(row) for row in levels if row["heterogeneity"] == kind]
    counts = f"{outcome.events}\n/ {outcome.units}"
    headings = ("", "cohorts", counts, f"{outcome.short} %", f"{level_text(prob)} CI", "prediction", "tau2")
    return ReaderTable("", headings, tuple(rows))


def _level(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f" {shown(row['level'])}",
        f"{row['k']:,}",
        f"{row['responders']:,}/{row['patients']:,}",
        percent(row["estimate"]),
        percent_interval(row["low"], row["high"]),
        percent_interval(row["prediction_low"], row["prediction_high"]),
        variance(row["tau2"]),
    )
