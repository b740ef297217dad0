"""A workbook to fill in: an empty table of cohorts and an explanation of its columns."""

import io
from collections.abc import Sequence
from typing import Any

import xlsxwriter

from alkbayes.alk.levels import LEVELS
from alkbayes.evidence.naming import COHORT, STRATIFIERS, TRIAL
from alkbayes.evidence.outcomes import ORR, Outcome

COHORTS, EXPLAINED = "Cohorts", "Columns"
MOST_ROWS = 1000
"""Number of rows whose cells Excel validates on entry."""

MEANINGS = {
    "line": "Treatment line, mixed if naive and pretreated patients are in one count:",
    "prior_alk_tki": "Prior ALK TKI, any if not all had the same kind, mixed if only some patients had one:",
    "regimen_class": "Generation or kind of the regimen:",
}
"""What columns hold, before their levels."""
OTHERS = (
    "Add columns of your own to the right, one for each thing that may explain differences: setting, drug, dose, year.",
    "Write a word in one way only: Asia and asia are two levels. A number is a number: 30, not 30 % or about 30.",
    "Leave a cell blank if its value is not known. A cohort without counts cannot be used: delete its row.",
    "One row for each cohort; no totals, no merged cells, no second header.",
)


def template(outcome: Outcome = ORR, columns: Sequence[str] | None = None) -> bytes:
    """Return the bytes of an .xlsx file with an empty table of cohorts and a sheet that explains it.

    Parameters
    ----------
    outcome
        What is counted.
    columns
        Columns that the model needs. Default: those that bundled models use, none of them needed.
    """
    explanations = _explained(outcome, columns)
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        bold, text = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
        table, explained = book.add_worksheet(COHORTS), book.add_worksheet(EXPLAINED)
        table.write_row(0, 0, explanations, bold)
        table.freeze_panes(1, 0)
        table.set_column(0, len(explanations) - 1, 20)
        for place, name in enumerate(explanations):
            if check := _check(name, outcome):
                table.data_validation(1, place, MOST_ROWS, place, check)
        explained.write_row(0, 0, ("Column", "Needed", "What it holds"), bold)
        for row, (name, (needed, what)) in enumerate(explanations.items(), start=1):
            explained.write_row(row, 0, (name, needed, what), text)
        for row, line in enumerate(OTHERS, start=len(explanations) + 2):
            explained.write(row, 2, line, text)
        explained.set_column(0, 1, 14)
        explained.set_column(2, 2, 90)
    return content.getvalue()


def _explained(outcome: Outcome, columns: Sequence[str] | None) -> dict[str, tuple[str, str]]:
    """Return the columns of the table, each with when it is needed and what it holds."""
    n = outcome.n
    basic = {
        COHORT: ("if known", "A name for the cohort that no other row has: the first author and year, or the arm."),
        TRIAL: ("if known", "The trial's name. Cohorts of one trial are not independent. Blank: a trial of its own."),
        outcome.responders: ("always", f"How many had the event: a whole number from 0 to {n}. No percentages."),
        n: ("always", "How many were counted: a whole number of 1 or more."),
    }
    when = "by some models" if columns is None else "by the model"
    named = STRATIFIERS if columns is None else columns
    return basic | {name: (when, _meaning(name)) for name in named if name not in basic}


def _meaning(name: str) -> str:
    """Return what a column holds, with its known levels."""
    if name not in LEVELS:
        return "Levels of your own, or numbers."
    return f"{MEANINGS.get(name, 'One of')} {', '.join(LEVELS[name])}; or levels of your own."


def _check(name: str, outcome: Outcome) -> dict[str, Any] | None:
    """Return what Excel checks of a column's cells on entry."""
    if name in outcome.columns:
        least = 0 if name == outcome.responders else 1
        return {
            "validate": "integer",
            "criteria": ">=",
            "value": least,
            "error_title": name,
            "error_message": f"A whole number of {least} or more.",
        }
    if name in LEVELS:
        return {
            "validate": "list",
            "source": [*map(str, LEVELS[name])],
            "error_type": "information",
            "error_title": name,
            "error_message": "A level of your own: bundled models may need those of the list.",
        }
    return None
