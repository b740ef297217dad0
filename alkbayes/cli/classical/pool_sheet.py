"""Classical pooling for a reader: every method side by side, and where they disagree."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from alkbayes.cli.shared.common import console_for, headline
from alkbayes.cli.shared.output import WIDTH, print_markdown, print_text
from alkbayes.text.wording import counted, percent, percent_interval, variance

if TYPE_CHECKING:
    from rich.table import Table

    from alkbayes.evidence.table import Evidence

LABELS = ("group", "level", "k", "responders", "patients")
NUMBERS = ("ORR %", "95 % CI", "prediction", "tau2", "I2 %")
PAIR = ("property", "method", "other", "points", "width")


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is printed.

    Attributes
    ----------
    rows
        Records of `pool_table`.
    disagreements
        Records of `disagreements`; None where they were not asked for.
    evidence
        What was pooled.
    note
        Which methods take cohorts of one trial for independent; empty if none.
    """

    rows: list[dict[str, Any]]
    disagreements: list[dict[str, Any]] | None
    evidence: "Evidence"
    note: str

    @property
    def marks(self) -> dict[str, str]:
        """The mark of each note."""
        notes = dict.fromkeys(row["note"] for row in self.rows if row["note"])
        return {note: f"[{place}]" for place, note in enumerate(notes, 1)}

    @property
    def parts(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """The rows of each group and level."""
        parts: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in self.rows:
            parts.setdefault((row["group"], row["level"]), []).append(row)
        return parts


def print_sheet(sheet: Sheet) -> None:
    """Print a sheet in the terminal: where it is from, the table, each note once, and where methods disagree."""
    console = console_for(sheet.evidence)
    console.print(_table(sheet, narrow=console.width < WIDTH))
    for note, mark in sheet.marks.items():
        console.print(f"{mark} {note}")
    if sheet.note:
        console.print(sheet.note)
    if sheet.disagreements is None:
        return
    console.print(f"\n{_verdict(sheet.disagreements)}")
    if sheet.disagreements:
        console.print(_disagreement_table(sheet.disagreements, narrow=console.width < WIDTH))
        for line in _explanations(sheet.disagreements):
            console.print(line)


def print_sheet_as_markdown(sheet: Sheet) -> None:
    """Print a sheet as Markdown: the same, with a row's group and counts in columns of their own."""
    for line in headline(sheet.evidence):
        print_text(line)
    print_text("")
    marks = sheet.marks
    print_markdown(
        ("group", "level", "cohorts", "responders", "patients", "method", *NUMBERS, "note"),
        [
            (*(row[name] for name in LABELS), row["method"], *_numbers(row), marks.get(row["note"], ""))
            for row in sheet.rows
        ],
    )
    for note, mark in marks.items():
        print_text(f"\n{mark} {note}")
    if sheet.note:
        print_text(f"\n{sheet.note}")
    if sheet.disagreements is None:
        return
    print_text(f"\n{_verdict(sheet.disagreements)}\n")
    if sheet.disagreements:
        print_markdown(
            ("group", "level", *PAIR),
            [(row["group"], row["level"], *_pair(row)) for row in sheet.disagreements],
        )
        for line in _explanations(sheet.disagreements):
            print_text(f"\n{line}")


def _table(sheet: Sheet, *, narrow: bool) -> "Table":
    """Return the table: a section a level, its counts beside the first of its methods."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from alkbayes.text.names import shown

    table = Table(box=box.SIMPLE_HEAD, show_edge=not narrow, padding=(0, 0 if narrow else 1))
    table.add_column("cohorts", overflow="fold")
    table.add_column("method", no_wrap=True)
    for column in (*NUMBERS, "note"):
        table.add_column(column, justify="right", no_wrap=True)
    marks = sheet.marks
    heading = "all"
    for (group, _), members in sheet.parts.items():
        if group != heading:
            table.add_row(Text(f"by {shown(group)}", style="bold"))
            heading = group
        for place, row in enumerate(members):
            label = Text(_label(row, place, last=place == len(members) - 1))
            table.add_row(label, row["method"], *_numbers(row), marks.get(row["note"], ""))
        table.add_section()
    return table


def _label(row: dict[str, Any], place: int, *, last: bool) -> str:
    """Return what stands beside a level's `place`-th method: its name, number of cohorts and counts, a line each."""
    from alkbayes.text.names import is_pair, shown

    names = [shown(row["level"])]
    if is_pair(row):
        names = [f"{shown(row['first_level'])}:", shown(row["second_level"])]
    lines = [*names, counted(row["k"], "cohort"), f"{row['responders']:,}/{row['patients']:,}"]
    return "\n".join(lines[place:] if last else lines[place : place + 1])


def _numbers(row: dict[str, Any]) -> tuple[str, ...]:
    """Return the numbers of a row for a reader."""
    return (
        percent(row["estimate"]),
        percent_interval(row["low"], row["high"]),
        percent_interval(row["prediction_low"], row["prediction_high"]),
        variance(row["tau2"]),
        percent(row["i2"], 0),
    )


def _verdict(pairs: list[dict[str, Any]]) -> str:
    """Return one sentence on whether methods disagree, and what that means here."""
    from alkbayes.classical.pooling.disagreements import POINTS, WIDTH_RATIO

    limits = f"estimates {100 * POINTS:g} point or more apart, or one interval {WIDTH_RATIO:g} times as wide"
    if not pairs:
        return f"No two methods that differ in one property disagree ({limits})."
    return f"Pairs of methods that differ in one property and disagree ({limits}):"


def _disagreement_table(pairs: list[dict[str, Any]], *, narrow: bool) -> "Table":
    """Return the pairs that disagree, a section a level."""
    from itertools import groupby

    from rich import box
    from rich.table import Table
    from rich.text import Text

    from alkbayes.text.names import shown

    table = Table(box=box.SIMPLE_HEAD, show_edge=not narrow, padding=(0, 0 if narrow else 1))
    table.add_column("cohorts", overflow="fold")
    for column in PAIR:
        justify: Literal["left", "right"] = "right" if column in PAIR[3:] else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=column in PAIR[1:3])
    for (_, level), members in groupby(pairs, key=lambda row: (row["group"], row["level"])):
        for place, row in enumerate(members):
            table.add_row(Text("" if place else shown(level)), *_pair(row))
        table.add_section()
    return table


def _pair(row: dict[str, Any]) -> tuple[str, ...]:
    """Return a pair of methods for a reader: the second's estimate less the first's, the ratio of their intervals."""
    ratio = row["width_ratio"]
    points = f"{100 * row['difference']:+.1f}".replace("-", "−")
    return row["property"], row["method"], row["other"], points, "–" if ratio is None else f"× {ratio:.2f}"


def _explanations(pairs: list[dict[str, Any]]) -> list[str]:
    """Return what each property means, once."""
    return [f"{name}: {text}." for name, text in {row["property"]: row["explanation"] for row in pairs}.items()]
