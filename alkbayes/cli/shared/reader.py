"""Results for a reader, printed in a terminal."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from alkbayes.cli.shared.output import LATEX, WIDTH, say
from alkbayes.presentation.tables import Part, ReaderTable, Sentence, Title

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

TITLE = "#{}"
"""Placeholder in a table for a title of rows, shorter than any column."""
NAMES = 24
"""Longest name left unwrapped in a table that would not fit otherwise."""
WORDS = 20
"""Minimum width of a text column, before space between columns is reduced."""


def print_parts(console: "Console", parts: Iterable[Part]) -> None:
    """Print titles, sentences and tables, a blank line before each title and table."""
    for part in parts:
        match part:
            case Title(text=text):
                console.print()
                say(console, text)
            case Sentence(text=text):
                say(console, text)
            case ReaderTable():
                print_table(console, part, space=True)


def fits(console: "Console", content: ReaderTable) -> bool:
    """Return whether a table fits the console with tight columns and long names wrapped."""
    return _width(content, narrow=console.width < WIDTH, tight=True, names=NAMES) <= console.width


def print_table(console: "Console", content: ReaderTable, *, space: bool = False) -> None:
    """Print a table with its notes, with row titles across all columns; with `space` after a blank line."""
    if space:
        console.print()
    if LATEX.get():
        from alkbayes.reporting.renderers.latex import latex_of

        console.print(latex_of(content), soft_wrap=True)
        return
    if content.title:
        say(console, content.title)
    table = _table(console, content)
    _print_titled(console, table, [name for name, *cells in content.rows if not cells])
    for note in content.notes:
        say(console, note, hang=2)


def _table(console: "Console", content: ReaderTable) -> "Table":
    """Return a table for the console, with tight columns if it would not fit otherwise.

    If that does not suffice on a narrow console, names of two levels and long headings take two lines.
    """
    narrow = console.width < WIDTH
    tight = _width(content, narrow=narrow, tight=False) > console.width
    short = narrow and not fits(console, content)
    table = _empty_table(narrow=narrow, tight=tight)
    for position, heading in enumerate(content.headings):
        if position == 0 or position in content.words:
            table.add_column(heading, overflow="fold")
        else:
            cells = [row[position] for row in content.rows if len(row) > 1]
            shown = _shorter(heading, cells) if short else heading
            table.add_column(shown, justify="right", no_wrap=True)
    titles = 0
    for name, *cells in content.rows:
        if not cells:
            table.add_section()
            table.add_row(TITLE.format(titles))
            titles += 1
        else:
            table.add_row(content.folded.get(name, name) if short else name, *cells)
    return table


def _empty_table(*, narrow: bool, tight: bool) -> "Table":
    from rich import box
    from rich.table import Table

    space = _space(narrow=narrow, tight=tight)
    return Table(box=box.SIMPLE_HEAD, show_edge=not narrow, pad_edge=False, padding=(0, space, 0, 0))


def _space(*, narrow: bool, tight: bool) -> int:
    """Return the space between columns besides the separating one."""
    return (1 if narrow else 2) - tight


def _width(content: ReaderTable, *, narrow: bool, tight: bool, names: int | None = None) -> int:
    """Return the width of a table with text columns wrapped, and names, too, at `names` if given."""
    from rich.cells import cell_len

    rows = [content.headings, *(row for row in content.rows if len(row) > 1)]
    widths = [max(cell_len(line) for cell in column for line in cell.split("\n")) for column in zip(*rows, strict=True)]
    shown = [min(width, WORDS) if place in content.words else width for place, width in enumerate(widths)]
    shown[0] = min(shown[0], names or shown[0])
    return sum(shown) + (len(shown) - 1) * (1 + _space(narrow=narrow, tight=tight)) + (0 if narrow else 2)


def _shorter(heading: str, cells: Sequence[str]) -> str:
    """Return a heading on two lines if it is wider than its cells."""
    widest = max((len(line) for cell in cells for line in cell.splitlines()), default=0)
    return "\n".join(heading.rsplit(" ", 1)) if "\n" not in heading and len(heading) > widest else heading


def _print_titled(console: "Console", table: "Table", titles: Sequence[str]) -> None:
    """Print a table of :func:`_table` with row titles across all columns, as cells cannot span several."""
    from rich.segment import Segment, Segments

    placed = {TITLE.format(place): title for place, title in enumerate(titles)}
    for line in console.render_lines(table, pad=False):
        said = "".join(segment.text for segment in line)
        if title := placed.get(said.strip()):
            edge = said[: len(said) - len(said.lstrip())]
            say(console, f"{edge}{title}", hang=len(edge) + 1)
        elif console.is_terminal:
            console.print(Segments([*line, Segment.line()]), end="")
        else:
            say(console, said.rstrip())
