"""A workbook to fill in: an empty table of cohorts and an explanation of its columns."""

import io

import xlsxwriter

from alkbayes.evidence.outcomes import ORR

COHORTS, EXPLAINED = "Cohorts", "Columns"
MOST_ROWS = 1000
"""Number of rows whose counts Excel validates on entry."""

COLUMNS = {
    "cohort_id": ("always", "A name for the cohort that no other row has: the first author and year, or the arm."),
    "trial": ("if known", "The trial's name. Cohorts of one trial are not independent. Blank: a trial of its own."),
    ORR.responders: ("always", "How many had the event: a whole number from 0 to n. No percentages."),
    ORR.n: ("always", "How many were counted: a whole number of 1 or more."),
}
OTHERS = (
    "Add columns of your own to the right, one for each thing that may explain differences: setting, drug, dose, year.",
    "Write a word in one way only: Asia and asia are two levels. A number is a number: 30, not 30 % or about 30.",
    "Leave a cell blank if its value is not known. A cohort without counts cannot be used: delete its row.",
    "One row for each cohort; no totals, no merged cells, no second header.",
)


def template() -> bytes:
    """Return the bytes of an .xlsx file with an empty table of cohorts and a sheet that explains it."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        bold, text = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
        table, explained = book.add_worksheet(COHORTS), book.add_worksheet(EXPLAINED)
        table.write_row(0, 0, COLUMNS, bold)
        table.freeze_panes(1, 0)
        table.set_column(0, len(COLUMNS) - 1, 20)
        for place, name in enumerate(COLUMNS):
            if name in ORR.columns:
                least = 0 if name == ORR.responders else 1
                table.data_validation(
                    1,
                    place,
                    MOST_ROWS,
                    place,
                    {
                        "validate": "integer",
                        "criteria": ">=",
                        "value": least,
                        "error_title": name,
                        "error_message": f"A whole number of {least} or more.",
                    },
                )
        explained.write_row(0, 0, ("Column", "Needed", "What it holds"), bold)
        for row, (name, (needed, what)) in enumerate(COLUMNS.items(), start=1):
            explained.write_row(row, 0, (name, needed, what), text)
        for row, line in enumerate(OTHERS, start=len(COLUMNS) + 2):
            explained.write(row, 2, line, text)
        explained.set_column(0, 1, 14)
        explained.set_column(2, 2, 90)
    return content.getvalue()
