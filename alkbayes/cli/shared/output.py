"""Output of results: JSON and CSV with proportions in [0, 1], tables in percent for readers."""

import codecs
import io
import json
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import typer

from alkbayes.errors import UsageError
from alkbayes.text.json import finite_or_none, records

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

__all__ = [
    "LATEX",
    "QUIET",
    "WIDTH",
    "check_format",
    "forgive_encodings",
    "message_console",
    "no_color",
    "print_csv",
    "print_json",
    "print_markdown",
    "print_message",
    "print_note",
    "print_text",
    "printable",
    "reader_console",
    "records",
    "say",
    "shows_progress",
]

WIDTH = 100
"""Width of tables that go to a file or a pipe."""

UNBOUNDED = 10_000
"""Width of a console for LaTeX, whose tables are for paper."""

LEAST_WIDTH = 80
"""Minimum table width: a narrower terminal wraps lines itself, a narrower table would omit numbers."""

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, which a terminal obeys rather than shows."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of cells that a spreadsheet takes for a formula (OWASP, CSV injection; CWE-1236)."""

QUIET: ContextVar[bool] = ContextVar("quiet", default=False)
"""Whether progress and notes on stderr are suppressed."""

LATEX: ContextVar[bool] = ContextVar("latex", default=False)
"""Whether what is for readers is printed as LaTeX: tables as such, sentences as comments."""

PLAIN = {"–": "-", "−": "-", "…": "...", "≤": "<=", "≥": ">=", "²": "2"}
"""Replacements for characters missing from the terminal's encoding."""


def check_format(*, json_: bool, csv: bool, latex: bool, markdown: bool = False) -> None:
    """Check that at most one output format is requested.

    Raises
    ------
    UsageError
        If more than one of `--json`, `--csv`, `--latex` and `--markdown` is given.
    """
    formats = {"--json": json_, "--csv": csv, "--latex": latex, "--markdown": markdown}
    given = [name for name, asked in formats.items() if asked]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other: one document goes to stdout. Give one of them.")


def print_json(document: Mapping[str, object]) -> None:
    """Print `document` on stdout."""
    # ASCII only, so that the document is the same in every encoding of stdout.
    typer.echo(json.dumps(finite_or_none(document), indent=2, allow_nan=False))


def print_csv(frame: "pd.DataFrame") -> None:
    """Print `frame` as CSV on stdout with numbers in full precision.

    Cells are unchanged: an apostrophe before text that a spreadsheet takes for a formula would alter names for programs
    that read the file. A warning on stderr reports such cells.
    """
    text = frame.to_csv(index=False)
    # Without `color`, anything like an escape sequence in a name would be cut from a file.
    typer.echo(printable(text) if sys.stdout.isatty() else text, nl=False, color=True)
    cells = (cell for _, column in frame.items() for cell in column if isinstance(cell, str))
    if formulas := list(dict.fromkeys(cell for cell in cells if cell.startswith(FORMULA))):
        print_message(
            f"warning: a spreadsheet would take {formulas[0]!r}{' and others' if len(formulas) > 1 else ''} for a "
            "formula. Import the columns as text there."
        )


def print_text(line: str) -> None:
    """Print one line on stdout unchanged."""
    typer.echo(line)


def print_message(text: str) -> None:
    """Print a message on stderr."""
    typer.echo(printable(text), err=True)


def print_note(text: str) -> None:
    """Print a note on stderr, unless only warnings are wanted there."""
    if not QUIET.get():
        print_message(text)


def print_markdown(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table as Markdown on stdout, one line per row whatever the cells hold."""
    for cells in (headings, ["---"] * len(headings), *rows):
        typer.echo(f"| {' | '.join(_markdown_cell(cell) for cell in cells)} |")


def _markdown_cell(cell: object) -> str:
    """Return a cell escaped so that it ends neither its row nor, by a backslash before a bar, its column."""
    return printable(" ".join(str(cell).splitlines())).replace("\\", "\\\\").replace("|", "\\|")


def reader_console() -> "Console":
    """Return the console for readers on stdout: plain text, no markup; for LaTeX with room for every column."""
    console = _console(stderr=False)
    if LATEX.get():
        console.width = UNBOUNDED
        return console
    asked = console.is_terminal or "COLUMNS" in os.environ
    console.width = max(console.width, LEAST_WIDTH) if asked else WIDTH
    return console


def message_console() -> "Console":
    """Return the console for messages and progress, on stderr."""
    return _console(stderr=True)


KERNEL = "JPY_PARENT_PID"
"""Variable that Jupyter sets for a notebook's kernel, and so for what its cells run."""


def shows_progress(console: "Console") -> bool:
    """Return whether to show progress on a console: on a terminal, unless suppressed.

    A notebook gives `!alkbayes` a terminal, but keeps all that was written to it with the cell.
    """
    return console.is_terminal and KERNEL not in os.environ and not QUIET.get()


def no_color() -> bool:
    """Return whether the user wants no escape sequences (https://no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    class PlainText(Console):
        """Print with control characters shown as codes."""

        def render_str(self, text: str, **options: Any) -> Any:
            return super().render_str(printable(text), **options)

    # Without a colour system, bold and italics are omitted, too.
    system: Any = None if no_color() else "auto"
    return PlainText(stderr=stderr, color_system=system, highlight=False, markup=False, emoji=False)


def say(console: "Console", text: str, *, hang: int = 0) -> None:
    """Print a sentence: in a terminal wrapped with further lines indented by `hang`; elsewhere on one line.

    In LaTeX it is a comment. A word longer than the terminal, such as a path, stays whole, so that it can be copied.
    """
    if LATEX.get():
        text = "\n".join(f"% {line}" for line in text.splitlines())
    elif console.is_terminal:
        text = textwrap.fill(
            text,
            console.width,
            subsequent_indent=" " * hang,
            break_long_words=False,
            break_on_hyphens=False,
        )
    console.print(text, soft_wrap=True)


def printable(text: str) -> str:
    """Return a text with control characters (except line ends) and changes of direction as codes.

    Text from others, such as a cohort's name, might otherwise move the cursor or change colours.
    """
    return OBEYED.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def forgive_encodings() -> None:
    """Make stdout and stderr replace characters missing from their encoding rather than raise an error."""
    codecs.register_error("alkbayes.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="alkbayes.plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end
