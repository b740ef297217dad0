"""What a result is to a reader: titles, sentences and tables of text, for every form that they are given out in.

A function of this package turns a result into such parts once. The command line prints them
(:mod:`alkbayes.cli.shared.reader`), a report makes blocks of them (:func:`alkbayes.report.blocks.blocks_of`): neither
formats a number.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ReaderTable:
    """A table as text.

    Attributes
    ----------
    title
        What it is of.
    headings
        Of its columns; the first column holds names, the others numbers. A line break may stand where it is narrow.
    rows
        The cells of each row. A row of one cell is the title of those under it. A line break parts a number from its
        interval.
    words
        Positions of further columns that hold words.
    notes
        Sentences that stand under it.
    folded
        Of names of two levels, how they stand in two lines where it is narrow.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    folded: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Title:
    """The title of the parts that follow."""

    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One or more sentences of running text; `strong` for what must not be overlooked."""

    text: str
    strong: bool = False


type Part = Title | Sentence | ReaderTable

type Row = Mapping[str, Any]
"""A row of a result's record."""


def not_converged(failures: Sequence[str]) -> tuple[Sentence, ...]:
    """Return the warning that stands above numbers of a posterior that failed its gate; nothing if none did."""
    if not failures:
        return ()
    return (Sentence(f"NOT CONVERGED: DO NOT USE THESE NUMBERS: {'; '.join(failures)}.", strong=True),)


def rows_by[R: Mapping[str, Any]](rows: Iterable[R], *keys: str) -> dict[tuple[Any, ...], dict[Any, R]]:
    """Return rows by the values of all keys but the last, and among those by the value of the last."""
    found: dict[tuple[Any, ...], dict[Any, R]] = {}
    *outer, inner = keys
    for row in rows:
        found.setdefault(tuple(row[name] for name in outer), {})[row[inner]] = row
    return found
