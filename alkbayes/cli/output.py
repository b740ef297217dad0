"""How results leave: JSON and CSV with proportions in [0, 1], tables in percent for readers."""

import codecs
import io
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from alkbayes.errors import UsageError
from alkbayes.records import finite_or_none, records

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

__all__ = [
    "WIDTH",
    "check_format",
    "forgive_encodings",
    "print_csv",
    "print_json",
    "print_markdown",
    "print_text",
    "reader_console",
    "records",
]

WIDTH = 100
"""Of tables that go to a file or a pipe."""

LEAST_WIDTH = 80
"""A narrower terminal wraps the lines itself; a narrower table would leave figures out."""

PLAIN = {"–": "-", "−": "-", "…": "...", "≤": "<=", "≥": ">=", "²": "2"}
"""What stands for our characters where the terminal's encoding has not got them."""


def check_format(*, json_: bool, csv: bool, markdown: bool = False) -> None:
    """Refuse two formats at once.

    Raises
    ------
    UsageError
        If more than one of `--json`, `--csv` and `--markdown` was given.
    """
    given = [name for name, asked in (("--json", json_), ("--csv", csv), ("--markdown", markdown)) if asked]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other: one document goes to stdout. Give one of them.")


def print_json(document: dict[str, Any]) -> None:
    """Print `document` on stdout."""
    # ASCII alone, so that the document is the same in every encoding of stdout.
    typer.echo(json.dumps(finite_or_none(document), indent=2, allow_nan=False))


def print_csv(frame: "pd.DataFrame") -> None:
    """Print `frame` as CSV on stdout, numbers in full precision."""
    typer.echo(frame.to_csv(index=False), nl=False)


def print_text(line: str) -> None:
    """Print one line on stdout as it is."""
    typer.echo(line)


def print_markdown(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table as Markdown on stdout, a line for each row whatever its cells hold."""
    for cells in (headings, ["---"] * len(headings), *rows):
        typer.echo(f"| {' | '.join(_markdown_cell(cell) for cell in cells)} |")


def _markdown_cell(cell: object) -> str:
    """Return a cell that ends neither its row nor, by a backslash before a bar, its column."""
    return " ".join(str(cell).splitlines()).replace("\\", "\\\\").replace("|", "\\|")


def reader_console() -> "Console":
    """Return the console that prints on stdout for a reader: text as it is, no markup."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    asked = console.is_terminal or "COLUMNS" in os.environ
    console.width = max(console.width, LEAST_WIDTH) if asked else WIDTH
    return console


def forgive_encodings() -> None:
    """Have stdout and stderr replace what their encoding has not got, where they would raise."""
    codecs.register_error("alkbayes.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="alkbayes.plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end
