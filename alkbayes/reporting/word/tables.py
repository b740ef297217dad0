"""Tables for Word: column widths, orientation of the page, and rows as WordprocessingML."""

from collections.abc import Sequence
from dataclasses import dataclass

from alkbayes.presentation.tables import ReaderTable
from alkbayes.reporting.word.markup import paragraph, run, twips

PORTRAIT_MM, LANDSCAPE_MM = 180.0, 267.0
"""Widths of text on A4 with margins of 15 mm: upright that of two journal columns, which figures are drawn for."""
LETTER_MM, SLACK_MM, MARGIN_MM = 1.8, 1.2, 1.2
"""Width of a letter in tables of 8 points, for wide typefaces too; what a short word of wide letters takes beyond that;
and a cell's margin on either side."""
LEAST_LETTERS, UNBROKEN = 12, 36
"""Letters in the narrowest column of words, and in the longest word that is not broken to make room."""
INDENT_MM = 2.5
SHORT = 16
"""Most rows of a table that is kept on one page."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Widths of a table's columns in mm, and whether it needs a page on its side."""

    widths: tuple[float, ...]
    landscape: bool


def layout(table: ReaderTable) -> Layout:
    """Return the layout of a table: as wide as its text, or with columns of words wrapped to fit the page."""
    rows = [table.headings, *(row for row in table.rows if len(row) > 1)]
    columns = list(zip(*rows, strict=True))
    wanted = [_wide(max(len(line) for cell in column for line in cell.split("\n"))) for column in columns]
    wraps = {0, *table.words}
    least = [
        min(width, _wide(_least_letters(column, words=place in wraps)))
        for place, (width, column) in enumerate(zip(wanted, columns, strict=True))
    ]
    landscape = sum(least) > PORTRAIT_MM
    return Layout(tuple(_fitted(wanted, least, LANDSCAPE_MM if landscape else PORTRAIT_MM)), landscape)


def _fitted(wanted: Sequence[float], least: Sequence[float], width: float) -> list[float]:
    """Return the widths wanted if they fit, else the least ones with what is left shared by what each lacks."""
    lacking = sum(wanted) - sum(least)
    if sum(wanted) <= width:
        return list(wanted)
    if lacking == 0 or sum(least) > width:
        return [each * width / sum(least) for each in least]
    share = (width - sum(least)) / lacking
    return [each + share * (most - each) for each, most in zip(least, wanted, strict=True)]


def _least_letters(column: Sequence[str], *, words: bool) -> int:
    """Return the letters in the narrowest form of a column: headings wrap, and cells of words do; numbers do not."""
    heading, *cells = column
    inside = map(_longest_part, cells) if words else (len(line) for cell in cells for line in cell.split("\n"))
    longest = max(inside, default=0)
    return max(_longest_part(heading), min(max(longest, LEAST_LETTERS), UNBROKEN) if words else longest)


def _longest_part(text: str) -> int:
    """Return the length of the longest part that a line cannot break in: Word breaks after a hyphen."""
    return max((len(part) for part in text.replace("-", "- ").split()), default=0)


def _wide(letters: int) -> float:
    return letters * LETTER_MM + SLACK_MM + 2 * MARGIN_MM


def table_markup(table: ReaderTable, widths: Sequence[float], *, style: str, text: str, strong: str) -> str:
    """Return a table with its heading repeated on each page.

    Parameters
    ----------
    table
        The table.
    widths
        Of its columns, in mm.
    style, text, strong
        Ids of the styles of the table, of its paragraphs, and of titles of rows.
    """
    numbers = [place > 0 and place not in table.words for place in range(len(widths))]
    grouped = any(row[0].startswith(" ") for row in table.rows)
    short = len(table.rows) <= SHORT

    def line(cells: Sequence[str], *, heading: bool = False, last: bool = False) -> str:
        above = "<w:tblHeader/>" if heading else ""
        keep = heading or len(cells) == 1 or (short and not last)
        emphasis = len(cells) == 1 or (grouped and not heading and not cells[0].startswith(" "))
        made = [
            _cell(
                run(cell.strip(), strong if emphasis and place == 0 else ""),
                width=sum(widths) if len(cells) == 1 else widths[place],
                span=len(widths) if len(cells) == 1 else 1,
                text=text,
                properties=f"{'<w:keepNext/>' if keep else ''}"
                + (f'<w:ind w:left="{twips(INDENT_MM)}"/>' if place == 0 and cell.startswith(" ") else "")
                + ('<w:jc w:val="right"/>' if numbers[place] else ""),
                bottom=heading,
            )
            for place, cell in enumerate(cells)
        ]
        return f"<w:tr><w:trPr><w:cantSplit/>{above}</w:trPr>{''.join(made)}</w:tr>"

    rows = [line(row, last=place == len(table.rows)) for place, row in enumerate(table.rows, start=1)]
    return framed([line(table.headings, heading=True), *rows], widths, style, heading=True)


def facts_markup(rows: Sequence[tuple[str, str]], *, style: str, text: str, strong: str) -> str:
    """Return names, as text, beside their values, as runs."""
    widths = (45.0, PORTRAIT_MM - 45.0)
    cells = [
        "".join(
            _cell(content, width=width, span=1, text=text, properties="", bottom=False)
            for content, width in zip((run(name, strong), value), widths, strict=True)
        )
        for name, value in rows
    ]
    return framed([f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{each}</w:tr>" for each in cells], widths, style)


def framed(rows: Sequence[str], widths: Sequence[float], style: str, *, heading: bool = False) -> str:
    """Return rows as a table in its style, without bands, and with the style's heading if there is one."""
    grid = "".join(f'<w:gridCol w:w="{twips(width)}"/>' for width in widths)
    margins = "".join(f'<w:{side} w:w="{twips(MARGIN_MM)}" w:type="dxa"/>' for side in ("left", "right"))
    return (
        f'<w:tbl><w:tblPr><w:tblStyle w:val="{style}"/><w:tblW w:w="{twips(sum(widths))}" w:type="dxa"/>'
        f'<w:tblLayout w:type="fixed"/><w:tblCellMar>{margins}</w:tblCellMar><w:tblLook w:val="06{2 * heading}0" '
        f'w:firstRow="{int(heading)}" w:lastRow="0" w:firstColumn="0" w:lastColumn="0" w:noHBand="1" w:noVBand="1"/>'
        f"</w:tblPr><w:tblGrid>{grid}</w:tblGrid>{''.join(rows)}</w:tbl>"
    )


def _cell(content: str, *, width: float, span: int, text: str, properties: str, bottom: bool) -> str:
    spanned = f'<w:gridSpan w:val="{span}"/>' if span > 1 else ""
    placed = '<w:vAlign w:val="bottom"/>' if bottom else ""
    return (
        f'<w:tc><w:tcPr><w:tcW w:w="{twips(width)}" w:type="dxa"/>{spanned}{placed}</w:tcPr>'
        f"{paragraph(content, text, properties)}</w:tc>"
    )
