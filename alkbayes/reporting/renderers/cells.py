"""Cells of a reader's table as numbers: a workbook has a column for the middle and one for each limit."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from alkbayes.presentation.tables import ReaderTable

NUMBER = re.compile(
    r"(?P<before>[±×]? ?)(?P<sign>[+−-]?)(?P<digits>\d{1,3}(?:,\d{3})+|\d{1,15})(?P<decimals>\.\d{1,15})?"
    r"(?P<after>(?: ?%)?(?: ?\*+)?)"
)
"""A number with what surrounds it: a sign, commas between thousands, per cent, and marks of a note."""
MISSING = "–"
WITHIN = {
    "interval": re.compile(r"(?<=[\d%])–(?=[\d−+])| to "),
    "ratio": re.compile(r"(?<=\d)/(?=\d)"),
    "pair": re.compile(r", (?=\d)"),
}
"""What stands between the two numbers of a part."""
BRACKETED = re.compile(r"(?P<middle>[^()]+) \((?P<rest>[^()]+)\)(?P<mark>\**)")

ABSENT = ""

type Shape = tuple[str, ...]
"""Parts of a cell: "number", or "interval", "ratio" or "pair" of two numbers; `ABSENT` for one that is missing."""


@dataclass(frozen=True, slots=True)
class Number:
    """Number with a spreadsheet's format that shows it as the report does: decimals, signs and marks."""

    value: float
    format: str


type Value = str | Number | None
"""Text, a number, or nothing."""


@dataclass(frozen=True, slots=True)
class Column:
    """Column of a spreadsheet, of names or `words` or of numbers; `cells` has one value for each row of the table."""

    heading: str
    cells: tuple[Value, ...]
    words: bool = False


def columns_of(table: ReaderTable) -> list[Column]:
    """Return the columns of a table, those of numbers apart: middle, lower and upper limit, or two counts.

    A cell that has not the form of most in its column stays text, as does one with more than 15 digits, which a
    spreadsheet would round.
    """
    columns: list[Column] = []
    for place, heading in enumerate(table.headings):
        cells = [row[place] if len(row) > 1 else "" for row in table.rows]
        named = on_one_line(heading)
        if place == 0:
            columns.append(Column(named, tuple(row[0].strip() or None for row in table.rows), words=True))
        elif place in table.words:
            columns.append(Column(named, tuple(cell.strip() or None for cell in cells), words=True))
        else:
            columns += _numbers(heading, cells, table.units.get(place, ""))
    return columns


def on_one_line(heading: str) -> str:
    """Return a heading on one line; a part that ends in a hyphen is one word with the next."""
    return " ".join(heading.replace("-\n", "-").split("\n"))


def _numbers(heading: str, cells: Sequence[str], unit: str) -> list[Column]:
    read = [_read(cell.strip()) for cell in cells]
    shapes = Counter(each[0] for each in read if each is not None and ABSENT not in each[0])
    if not shapes:
        return [Column(_with_unit(on_one_line(heading), unit), tuple(cell.strip() or None for cell in cells))]
    usual = shapes.most_common(1)[0][0]
    headings = [_with_unit(name, unit) for name in _names(heading, usual)]
    rows = [
        _filled(*each, usual)
        if each is not None and _alike(each[0], usual)
        else [cell.strip() or None, *[None] * (len(headings) - 1)]
        for cell, each in zip(cells, read, strict=True)
    ]
    return [Column(name, tuple(column)) for name, column in zip(headings, zip(*rows, strict=True), strict=True)]


def _read(cell: str) -> tuple[Shape, list[list[Number]]] | None:
    """Return the parts of a cell with their numbers; None if it is text."""
    bracketed = BRACKETED.fullmatch(cell)
    shape: list[str] = []
    numbers: list[list[Number]] = []
    for part in [bracketed["middle"] + bracketed["mark"], bracketed["rest"]] if bracketed else cell.split("\n"):
        kind, found = (ABSENT, []) if part.strip() == MISSING else _part(part)
        if None in found:
            return None
        shape.append(kind)
        numbers.append([each for each in found if each is not None])
    return tuple(shape), numbers


def _part(text: str) -> tuple[str, list[Number | None]]:
    """Return a part's kind with its numbers, or with None where it has others than numbers."""
    for kind, between in WITHIN.items():
        if len(ends := between.split(text)) == 2:
            return kind, [*map(number, ends)]
    return "number", [number(text)]


def number(text: str) -> Number | None:
    """Return a number as a reader has it; None if the text is none."""
    found = NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    decimals = found["decimals"] or ""
    value = float(f"{found['digits'].replace(',', '')}{decimals}")
    shown = f"{'#,##0' if ',' in found['digits'] else '0'}{f'.{"0" * (len(decimals) - 1)}' if decimals else ''}"
    before, after = (f'"{each}"' if each else "" for each in (found["before"], found["after"]))
    plain = f"{before}{shown}{after}"
    signed = f"{before}+{shown}{after};{before}-{shown}{after};{plain}" if found["sign"] == "+" else plain
    return Number(-value if found["sign"] in {"−", "-"} else value, signed)


def _alike(shape: Shape, usual: Shape) -> bool:
    """Return whether a cell has the usual parts, or lacks some."""
    parts = zip(shape, usual, strict=False)
    return len(shape) <= len(usual) and all(part in {ABSENT, expected} for part, expected in parts)


def _filled(shape: Shape, numbers: Sequence[Sequence[Number]], usual: Shape) -> list[Value]:
    """Return a cell's numbers, None for those of a part that is absent."""
    row: list[Value] = []
    for place, expected in enumerate(usual):
        there = place < len(shape) and shape[place] != ABSENT
        row += numbers[place] if there else [None] * (1 if expected == "number" else 2)
    return row


def _names(heading: str, usual: Shape) -> list[str]:
    """Return the heading of each number of a cell."""
    named = on_one_line(heading)
    lines = heading.replace("-\n", "-").split("\n")
    match usual:
        case ("number",):
            return [named]
        case ("number", "number") if len(lines) == 2:
            return lines
        case ("interval",):
            return [f"{named}, lower", f"{named}, upper"]
        case ("number", "interval"):
            return [named, f"{named}, lower", f"{named}, upper"]
        case ("ratio",) if named.count("/") == 1:
            return [each.strip() for each in named.split("/")]
    return [f"{named}, {place}" for place in range(1, 1 + sum(1 if kind == "number" else 2 for kind in usual))]


def _with_unit(name: str, unit: str) -> str:
    """Return a heading with its unit at the end, where a heading of limits has it within."""
    if not unit:
        for within in (", %", ", points", ", months"):
            if f"{within}, " in name:
                return f"{name.replace(within, '', 1)}{within}"
    return f"{name}, {unit}" if unit else name
