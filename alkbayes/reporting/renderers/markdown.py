"""Report as Markdown for a supplement or a pull request, with tables as text and figures as separate files."""

import re
from collections.abc import Iterator, Sequence
from functools import singledispatch

from alkbayes.reporting.blocks import (
    Block,
    Bullets,
    Equation,
    Facts,
    Flow,
    Fold,
    Forest,
    Heading,
    Link,
    Listing,
    Paragraph,
    Picture,
    Pieces,
    Report,
    Table,
    Verbatim,
)
from alkbayes.reporting.pictures import svg_of

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$!])")
"""Characters with a meaning in Markdown, or in HTML or formulas within it."""


def markdown_of(report: Report, figures: str) -> str:
    """Return a report as Markdown, with text from tables and model files escaped.

    `figures` is the path of the figures folder relative to the Markdown file; see :func:`figure_files`.
    """
    parts = [f"# {escaped(report.title)}", escaped(report.subtitle)]
    if report.warning:
        parts.append(f"**{escaped(report.warning)}**")
    if report.remark:
        parts.append(f"**{escaped(report.remark)}.**")
    parts += ["## Key results", "\n".join(f"- {escaped(label)}: {escaped(told)}" for label, told in report.key_results)]
    parts += _parts(report.opening, figures)
    for section in report.sections:
        parts.append(f"## {escaped(section.title)}")
        for block in section.blocks:
            parts += _parts(block, figures)
    return "\n\n".join(parts) + "\n"


def figure_files(report: Report) -> dict[str, bytes]:
    """Return each page of each figure by file name."""
    return {
        _file(picture, page): svg_of(drawn)
        for picture in report.pictures
        for page, drawn in enumerate(picture.pages, start=1)
    }


def escaped(text: str) -> str:
    """Return a text on one line with special characters escaped."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


@singledispatch
def _parts(block: Block, _figures: str) -> Iterator[str]:
    """Yield the paragraphs of a block."""
    raise TypeError(f"a block that Markdown does not know: {type(block).__name__}")


@_parts.register
def _paragraph(block: Paragraph, _figures: str) -> Iterator[str]:
    said = _inline(block.pieces)
    yield f"**{said}**" if block.strong else said


@_parts.register
def _heading(block: Heading, _figures: str) -> Iterator[str]:
    yield f"### {escaped(block.text)}"


@_parts.register
def _bullets(block: Bullets, _figures: str) -> Iterator[str]:
    marks = (f"{number}." if block.numbered else "-" for number in range(1, len(block.items) + 1))
    yield "\n".join(f"{mark} {_inline(item)}" for mark, item in zip(marks, block.items, strict=True))


@_parts.register
def _facts(block: Facts, _figures: str) -> Iterator[str]:
    yield _grid(("", ""), [(escaped(name), _inline(value)) for name, value in block.rows])


@_parts.register
def _flow(block: Flow, _figures: str) -> Iterator[str]:
    for number, (step, out) in enumerate(block.steps, start=1):
        yield "\n".join((f"{number}. {escaped(step)}", *(f"   - {escaped(reason)}" for reason in out)))


@_parts.register
def _table(block: Table, _figures: str) -> Iterator[str]:
    table = block.table
    if table.title:
        yield f"**{escaped(table.title)}**"
    width, columns = len(table.headings), enumerate(table.headings)
    rows = [
        [f"**{escaped(row[0])}**", *[""] * (width - 1)] if len(row) == 1 else [_cell(cell) for cell in row]
        for row in table.rows
    ]
    numbers = [place > 0 and place not in table.words for place in range(width)]
    titles = [_title(heading, [row[place] for row in table.rows if len(row) > 1]) for place, heading in columns]
    yield _grid(titles, rows, numbers)
    if block.notes:
        yield " ".join(escaped(note) for note in block.notes)


@_parts.register
def _picture(block: Picture, figures: str) -> Iterator[str]:
    for page in range(1, len(block.pages) + 1):
        yield f"![{escaped(f'{block.title}. {block.description}')}]({figures}/{_file(block, page)})"


@_parts.register
def _equation(block: Equation, _figures: str) -> Iterator[str]:
    yield from (f"$${line}$$" for line in block.latex)


@_parts.register
def _listing(block: Listing, _figures: str) -> Iterator[str]:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", block.text)), default=0))
    yield f"{fence}{block.language}\n{block.text.rstrip()}\n{fence}"


@_parts.register
def _fold(block: Fold, figures: str) -> Iterator[str]:
    yield f"### {escaped(block.title)}"
    for inner in block.blocks:
        yield from _parts(inner, figures)


@_parts.register
def _forest(block: Forest, _figures: str) -> Iterator[str]:
    table = block.table
    rows = [
        [_cell(name) if name.startswith(" ") else f"**{escaped(name)}**", *map(escaped, cells)]
        for name, *cells in table.rows
    ]
    yield f"**{escaped(table.title)}**"
    numbers = [place > 0 and place not in table.words for place in range(len(table.headings))]
    yield _grid([*map(escaped, table.headings)], rows, numbers)
    yield " ".join(map(escaped, table.notes))


def _inline(pieces: Pieces) -> str:
    return "".join(_piece(piece) for piece in pieces)


def _piece(piece: str | Link | Verbatim) -> str:
    match piece:
        case Link():
            # Anchors do not exist in Markdown.
            address = piece.url.replace("(", "%28").replace(")", "%29")
            return escaped(piece.text) if piece.url.startswith("#") else f"[{escaped(piece.text)}](<{address}>)"
        case Verbatim():
            return f"`{piece.text}`"
    # Spaces at the ends of a piece separate it from its neighbours.
    core = escaped(piece)
    return f"{' ' if piece[:1].isspace() else ''}{core}{' ' if core and piece[-1:].isspace() else ''}"


def _title(text: str, cells: Sequence[str]) -> str:
    """Return a column heading on one line; its second line names what the column's cells have in brackets, if any."""
    if re.search(r"[^,-]\n", text) and any("\n" in cell for cell in cells):
        return _cell(text)
    return escaped(" ".join(text.replace("-\n", "-").split("\n")))


def _cell(text: str) -> str:
    """Return a table cell, with an interval in brackets after its number."""
    first, _, second = text.strip().partition("\n")
    return f"{escaped(first)} ({escaped(second)})" if second else escaped(first)


def _grid(headings: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[bool] = ()) -> str:
    marks = ["---:" if place < len(numbers) and numbers[place] else "---" for place in range(len(headings))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, marks, *rows))


def _file(picture: Picture, page: int) -> str:
    return f"{picture.name}.svg" if len(picture.pages) == 1 else f"{picture.name}-{page}.svg"
