"""Levels that the bundled models know, in another case or with other blanks."""

from collections.abc import Collection
from dataclasses import replace

from alkbayes.alk.levels import LEVELS
from alkbayes.evidence.records import Record, Table
from alkbayes.text.names import listed, quoted


def with_known_levels(table: Table, columns: Collection[str]) -> Table:
    """Return a table with "Naive" and "pre treated" written as the levels they are, and a note that says so.

    Parameters
    ----------
    table
        With its columns named.
    columns
        Those whose levels are read so; any other column keeps its own.
    """
    names = table.header.cells
    records, notes = [list(record.cells) for record in table.records], list(table.notes)
    for place, name in enumerate(names):
        if name not in columns or name not in LEVELS or names.count(name) > 1:
            continue
        levels = {cell: known_level(name, cell) for cell in dict.fromkeys(cells[place] for cells in records)}
        for cells in records:
            cells[place] = levels[cells[place]]
        if said := [f"{quoted(cell)} is read as {level}" for cell, level in levels.items() if cell != level]:
            notes.append(f"Column {table.columns.get(name, name)}: {listed(said)}.")
    whole = zip(table.records, records, strict=True)
    return replace(
        table, records=tuple(Record(record.line, tuple(cells)) for record, cells in whole), notes=tuple(notes)
    )


def known_level(column: str, value: str) -> str:
    """Return the known level of a column that a value is but for case and blanks; the value itself if there is none."""
    return next((str(level) for level in LEVELS.get(column, ()) if _folded(level) == _folded(value)), value)


def _folded(value: str) -> str:
    return "".join(value.casefold().split())
