"""Classical pooling for a reader: methods side by side, and their disagreements."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alkbayes.cli.shared.common import console_for, headline
from alkbayes.cli.shared.output import print_markdown, print_text, say
from alkbayes.cli.shared.reader import print_parts, print_table
from alkbayes.presentation.pooling import (
    Footnotes,
    disagreement_parts,
    footnotes_of,
    number_headings,
    numbers,
    pair,
    pool_rows,
)
from alkbayes.presentation.tables import ReaderTable, Sentence, Title

if TYPE_CHECKING:
    from alkbayes.classical.pooling.tables import PooledGroup
    from alkbayes.evidence.table import Evidence

LABELS = ("group", "level", "k", "responders", "patients")


@dataclass(frozen=True, slots=True)
class Sheet:
    """Contents of the printed sheet.

    `groups` are those of `pool_groups`, `rows` the same as records, and `disagreements` records of the function of that
    name, None if not requested; `note` lists methods that treat cohorts of one trial as independent, or is empty;
    `prob` is the probability of the intervals.
    """

    groups: "list[PooledGroup]"
    rows: list[dict[str, Any]]
    disagreements: list[dict[str, Any]] | None
    evidence: "Evidence"
    note: str
    prob: float

    @property
    def footnotes(self) -> Footnotes:
        """Notes on the rows."""
        return footnotes_of(self.groups, self.evidence.outcome.declared)


def print_sheet(sheet: Sheet) -> None:
    """Print a sheet in the terminal: source, table, each note once, and disagreements."""
    console = console_for(sheet.evidence)
    found = sheet.footnotes
    print_table(console, pool_rows(sheet.rows, found.marks, sheet.evidence.outcome.declared, prob=sheet.prob))
    for mark, note in found.notes.items():
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
    found, outcome = sheet.footnotes, sheet.evidence.outcome
    print_markdown(
        ("group", "level", "cohorts", outcome.events, outcome.units, "method", *number_headings(sheet.prob), "note"),
        [
            (*(row[name] for name in LABELS), row["method"], *numbers(row), mark)
            for row, mark in zip(sheet.rows, found.marks, strict=True)
        ],
    )
    for mark, note in found.notes.items():
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
