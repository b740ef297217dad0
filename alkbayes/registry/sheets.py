"""CSV files that people read and edit: written whole, safe in a spreadsheet, read back with the line of every fault."""

import csv
import io
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from alkbayes.errors import RegistryError
from alkbayes.registry.cleaning import clean
from alkbayes.registry.folder import replaced
from alkbayes.text.names import listed, quoted
from alkbayes.text.wording import counted

FORMULA = frozenset("=+-@\t\r")
"""First characters of a cell that a spreadsheet takes for a formula (OWASP, CSV injection; CWE-1236)."""

NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)
KEPT = re.compile(r"'(?=[=+@-])")
"""The apostrophe that keeps text from being a formula."""


def cell(value: object) -> str:
    """Return a value as a cell: on one line, nothing for None, an apostrophe before what a spreadsheet would run."""
    if value is None:
        return ""
    return _cell_of(value) if isinstance(value, str) else str(value)


@lru_cache(maxsize=50_000)
def _cell_of(value: str) -> str:
    text = value if value.isascii() and value.isprintable() else clean(value)
    return f"'{text}" if text[:1] in FORMULA and text and not NUMBER.fullmatch(text) else text


def write_sheet(path: Path, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write rows, with a cell for each column, as a CSV file, whole or not at all, over one of the same name.

    Raises
    ------
    RegistryError
        If the file cannot be written.
    """
    with replaced(path) as place, place.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(map(cell, row) for row in rows)


@contextmanager
def part_of_sheet(path: Path) -> Iterator[Callable[[Iterable[Iterable[str | int | None]]], None]]:
    """Provide a function that writes rows, of which every text is a :func:`cell`, into a part of a CSV file."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield csv.writer(file, lineterminator="\n").writerows
    except OSError as error:
        raise RegistryError(f"{path}: cannot be written: {error.strerror or error}.") from error


def join_parts(path: Path, columns: Sequence[str], parts: Iterable[Path]) -> None:
    """Write a CSV file of parts as :func:`write_sheet` does of rows."""
    with replaced(path) as place, place.open("wb") as file:
        file.write((",".join(columns) + "\n").encode())
        for part in parts:
            with part.open("rb") as rows:
                shutil.copyfileobj(rows, file)


def read_sheet(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a CSV file that a person may have edited, each with its line.

    Raises
    ------
    RegistryError
        If it cannot be read, is no UTF-8 text, lacks a column, or has a row of another length.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise RegistryError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise RegistryError(
            f"{path}, line {line}: is no UTF-8 text. Save it as CSV UTF-8 (comma delimited)."
        ) from error
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
    try:
        header = [name.strip() for name in next(reader, [])]
        if missing := [name for name in columns if name not in header]:
            raise RegistryError(
                f"{path}, line 1: has no column {listed(missing)}; needed: {', '.join(columns)}. Restore the header."
            )
        for cells in reader:
            if not any(map(str.strip, cells)):
                continue
            if len(cells) != len(header):
                found = counted(len(cells), "cell")
                raise RegistryError(
                    f"{path}, line {reader.line_num}: found {found}; allowed: {len(header)}, as in the header. The row "
                    f"begins with {quoted(cells[0])}."
                )
            yield reader.line_num, {name: KEPT.sub("", each.strip()) for name, each in zip(header, cells, strict=True)}
    except csv.Error as error:
        raise RegistryError(f"{path}, line {reader.line_num}: is no CSV: {error}.") from error
