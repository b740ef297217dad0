"""What a reader sees of a result, printed in a terminal."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from alkbayes.cli.shared.output import WIDTH, say
from alkbayes.presentation.tables import Part, ReaderTable, Sentence, Title

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

TITLE = "#{}"
"""Stands in a table where the title of rows goes: shorter than any column."""


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


def print_table(console: "Console", content: ReaderTable, *, space: bool = False) -> None:
    """Print a table with its notes, the titles of its rows across all columns; with `space` after a blank line."""
    table = _table(console, content, space=space)
    _print_titled(console, table, [name for name, *cells in content.rows if not cells])
    for note in content.notes:
        say(console, note, hang=2)


def empty_table(console: "Console", title: str) -> "Table":
    """Return a table without columns; on a narrow terminal, one that wastes no space between them."""
    from rich import box
    from rich.table import Table

    narrow = console.width < WIDTH
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=not narrow,
        pad_edge=False,
        padding=(0, 0 if narrow else 1, 0, 0),
    )


def _table(console: "Console", content: ReaderTable, *, space: bool) -> "Table":
    """Return a table for the console; on a narrow one names of two levels, and long headings, take two lines."""
    narrow = console.width < WIDTH
    table = empty_table(console, f"\n{content.title}" if space else content.title)
    for position, heading in enumerate(content.headings):
        if position == 0 or position in content.words:
            table.add_column(heading, overflow="fold")
        else:
            cells = [row[position] for row in content.rows if len(row) > 1]
            table.add_column(_shorter(heading, cells) if narrow else heading, justify="right", no_wrap=True)
    titles = 0
    for name, *cells in content.rows:
        if not cells:
            table.add_section()
            table.add_row(TITLE.format(titles))
            titles += 1
        else:
            table.add_row(content.folded.get(name, name) if narrow else name, *cells)
    return table


def _shorter(heading: str, cells: Sequence[str]) -> str:
    """Return a heading in two lines where it is wider than all that stands under it."""
    widest = max((len(line) for cell in cells for line in cell.splitlines()), default=0)
    return "\n".join(heading.rsplit(" ", 1)) if "\n" not in heading and len(heading) > widest else heading


def _print_titled(console: "Console", table: "Table", titles: Sequence[str]) -> None:
    """Print a table of :func:`_table`, the titles of its rows across all columns: cells cannot reach over several."""
    from rich.segment import Segment, Segments

    placed = {TITLE.format(place): title for place, title in enumerate(titles)}
    for line in console.render_lines(table, pad=False):
        said = "".join(segment.text for segment in line)
        if title := placed.get(said.strip()):
            edge = said[: len(said) - len(said.lstrip())]
            say(console, f"{edge}{title}", hang=len(edge) + 1)
        else:
            console.print(Segments([*line, Segment.line()]), end="")
