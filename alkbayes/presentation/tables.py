"""Parts of a result for readers: titles, sentences and tables of text, common to all output formats.

Each function of this package formats a result as parts. :mod:`alkbayes.cli.shared.reader` prints them, and
:func:`alkbayes.reporting.blocks.blocks_of` makes report blocks of them, without formatting any number.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ReaderTable:
    """Table as text.

    Attributes
    ----------
    title
        Title.
    headings
        Column headings; the first column holds names, the others numbers. Line breaks are allowed in narrow columns.
    rows
        Cells of each row; a single cell is the title of the rows below. A line break separates number and interval.
    words
        Positions of further text columns.
    notes
        Sentences below the table.
    folded
        Two-line forms of names of two levels, for narrow output.
    units
        Unit of a column by its position, where the title alone says it.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    folded: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[int, str] = field(default_factory=dict)


def columns_in(unit: str, *places: int) -> Mapping[int, str]:
    """Return the unit of the columns at these positions, for `ReaderTable.units`."""
    return dict.fromkeys(places, unit)


@dataclass(frozen=True, slots=True)
class Title:
    """Title of the following parts."""

    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One or more sentences; `strong` for warnings."""

    text: str
    strong: bool = False


type Part = Title | Sentence | ReaderTable

type Row = Mapping[str, Any]
"""Row of a result's record."""


def not_converged(failures: Sequence[str]) -> tuple[Sentence, ...]:
    """Return the warning above the numbers of a posterior that failed its gate, if any."""
    if not failures:
        return ()
    return (Sentence(f"NOT CONVERGED: DO NOT USE THESE NUMBERS: {'; '.join(failures)}.", strong=True),)


def rows_by[R: Mapping[str, Any]](rows: Iterable[R], *keys: str) -> dict[tuple[Any, ...], dict[Any, R]]:
    """Return rows by all keys but the last, and within these by the last."""
    found: dict[tuple[Any, ...], dict[Any, R]] = {}
    *outer, inner = keys
    for row in rows:
        found.setdefault(tuple(row[name] for name in outer), {})[row[inner]] = row
    return found


def value_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of rates at values with each value in a column of its own."""
    others = {name: value for name, value in row.items() if name != "at"}
    return {f"at_{column}": value for column, value in row["at"].items()} | others
