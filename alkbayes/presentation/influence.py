"""Influence of single cohorts or trials on the pooled rate, for readers."""

from collections.abc import Mapping, Sequence
from typing import Any

from alkbayes.evidence.outcomes import Outcome
from alkbayes.presentation.tables import ReaderTable
from alkbayes.text.names import shown
from alkbayes.text.wording import figure, level_text, percent, percent_interval, points, variance

RATE, CI, MARK = "rate", "CI", "*"
OPTIONAL = {"shrunken": "shrunk", "rstudent": "resid.", "cook": "Cook", "tau2": "tau2"}
"""Headings specific to some methods."""


def left_out_rows(
    rows: Sequence[Mapping[str, Any]], *, unit: str, variances: bool, outcome: Outcome, prob: float
) -> ReaderTable:
    """Return the results without each cohort or trial, in the columns that have values.

    `rows` are records of :func:`alkbayes.classical.influence.tables.influence_table`, `unit` is "cohort" or "trial",
    `variances` adds a column of tau2,
    and `prob` is the probability of the intervals.
    """
    unused = {heading for name, heading in OPTIONAL.items() if all(row[name] is None for row in rows)}
    unused |= set() if variances else {"tau2"}
    marked = (MARK,) if any(row["influential"] for row in rows) else ()
    order = (RATE, "shrunk", "without", CI, "tau2", "change", "resid.", "Cook")
    headings = (*(heading for heading in order if heading not in unused), *marked)
    titles = {RATE: f"{outcome.short} %", CI: f"{level_text(prob)} CI"}
    return ReaderTable(
        "",
        (f"{unit} left out", *(titles.get(heading, heading) for heading in headings)),
        tuple((_name(row), *(_cells(row)[heading] for heading in headings)) for row in rows),
    )


def _name(row: Mapping[str, Any]) -> str:
    many = f" ({row['cohorts']} cohorts)" if row["cohorts"] > 1 else ""
    return f"{shown(row['left_out'])}{many}"


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        RATE: percent(row["observed"]),
        "shrunk": percent(row["shrunken"]),
        "without": percent(row["estimate"]),
        CI: percent_interval(row["low"], row["high"]),
        "tau2": variance(row["tau2"]),
        "change": points(row["change"], 2),
        "resid.": figure(row["rstudent"]),
        "Cook": figure(row["cook"], 3),
        MARK: MARK if row["influential"] else "",
    }
