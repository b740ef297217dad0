"""Classical pooling for a reader: methods side by side, and their disagreements."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alkbayes.cli.shared.common import console_for, headline
from alkbayes.cli.shared.output import print_markdown, print_text, say
from alkbayes.cli.shared.reader import print_parts, print_table
from alkbayes.presentation.pooling import disagreement_parts, note_marks, number_headings, numbers, pair, pool_rows
from alkbayes.presentation.tables import ReaderTable, Sentence, Title

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence

LABELS = ("group", "level", "k", "responders", "patients")


@dataclass(frozen=True, slots=True)
class Sheet:
    """Contents of the printed sheet.

    `rows` and `disagreements` are records of the functions of that name (`pool_table`, `disagreements`), the latter
    None if not requested; `note` lists methods that treat cohorts of one trial as independent, or is empty;
    `prob` is the probability of the intervals.
    """

    rows: list[dict[str, Any]]
    disagreements: list[dict[str, Any]] | None
    evidence: "Evidence"
    note: str
    prob: float

    @property
    def marks(self) -> dict[str, str]:
        """Mark of each note."""
        return note_marks(self.rows)


def print_sheet(sheet: Sheet) -> None:
    """Print a sheet in the terminal: source, table, each note once, and disagreements."""
    console = console_for(sheet.evidence)
    marks = sheet.marks
    print_table(console, pool_rows(sheet.rows, marks, sheet.evidence.outcome.declared, prob=sheet.prob))
    for note, mark in marks.items():
        say(console, f"{mark} {note}")
    if sheet.note:
        say(console, sheet.note)
    if sheet.disagreements is not None:
        print_parts(console, disagreement_parts(sheet.disagreements, sheet.evidence.outcome.declared))


def print_sheet_as_markdown(sheet: Sheet) -> None:
    """Print a sheet as Markdown, with a row's group and counts in columns of their own."""
    for line in headline(sheet.evidence):
        print_text(line)
    print_text("")
    marks, outcome = sheet.marks, sheet.evidence.outcome
    print_markdown(
        ("group", "level", "cohorts", outcome.events, outcome.units, "method", *number_headings(sheet.prob), "note"),
        [
            (*(row[name] for name in LABELS), row["method"], *numbers(row), marks.get(row["note"], ""))
            for row in sheet.rows
        ],
    )
    for note, mark in marks.items():
        print_text(f"\n{mark} {note}")
    if sheet.note:
        print_text(f"\n{sheet.note}")
    if sheet.disagreements is None:
        return
    for part in disagreement_parts(sheet.disagreements, sheet.evidence.outcome.declared):
        print_text("")
        match part:
            case Sentence(text=text) | Title(text=text):
                print_text(text)
            case ReaderTable():
                print_text(f"{part.title}\n")
                print_markdown(
                    ("group", "level", *part.headings),
                    [(row["group"], row["level"], *pair(row)) for row in sheet.disagreements],
                )
                for note in part.notes:
                    print_text(f"\n{note}")
