"""Report's tables as a workbook: a sheet for each, numbers as numbers, and a first sheet that explains them."""

import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import xlsxwriter

from alkbayes.presentation.tables import ReaderTable
from alkbayes.reporting.blocks import Block, Fold, Forest, Heading, Report, Table
from alkbayes.reporting.renderers.cells import Column, Number, Value, columns_of
from alkbayes.text.xml import legible

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

OPTIONS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
"""Text stays text, whatever it begins with: a cohort may be called =1+1."""
ABOUT = "About"
REFUSED_IN_NAMES = re.compile(r"[\[\]:*?/\\]")
ENDS_A_NAME = re.compile(r"[:,;] ")
"""What ends the part of a title that fits a sheet's name."""
LONGEST_NAME, LONGEST_TEXT = 31, 32_767
"""Most characters of a sheet's name and of a cell, by Excel's specification."""
A4 = 9
NARROWEST, WIDEST = 9, 60
"""Widths of columns in characters."""
ABOUT_WIDTHS = (34, 90, 34)
LINE_PT = 15.0
"""Height of a line."""
READING = (
    "Numbers are those of the report, rounded as there; the CSV files in the run's folder have all digits.",
    "The unit stands in the heading. Rates in % are percentages: 61.0 is 61.0 %. lower, upper: limits of the interval.",
    "A blank cell: there is no such number. Marks such as * belong to the cell's format, and are explained below.",
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Table on a sheet, with the title of the report's section that it is of."""

    name: str
    title: str
    section: str
    table: ReaderTable


def xlsx_of(report: Report) -> bytes:
    """Return the tables of a report as a workbook; the same report gives the same bytes."""
    sheets = sheets_of(report)
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, OPTIONS) as book:
        written = datetime.fromisoformat(report.written).astimezone(UTC).replace(tzinfo=None)
        book.set_properties(
            {
                "title": legible(report.title),
                "subject": legible(report.subtitle),
                "author": "alkbayes",
                "created": written,
            }
        )
        formats = _Formats(book)
        _explain(book.add_worksheet(ABOUT), report, sheets, formats)
        for sheet in sheets:
            _fill(book.add_worksheet(sheet.name), sheet, formats)
    return content.getvalue()


def sheets_of(report: Report) -> list[Sheet]:
    """Return the tables of a report in its order."""
    found = [
        (title, section.title, table) for section in report.sections for title, table in _tables(section.blocks, "")
    ]
    return [
        Sheet(_sheet_name(number, title or section), title or section, section, table)
        for number, (title, section, table) in enumerate(found, start=1)
    ]


def _tables(blocks: Sequence[Block], below: str) -> Iterator[tuple[str, ReaderTable]]:
    """Yield each table with its title, or the heading that it stands below."""
    for block in blocks:
        match block:
            case Heading(text=below):
                pass
            case Fold():
                yield from _tables(block.blocks, block.title)
            case Forest():
                yield block.table.title, block.table
            case Table():
                yield block.table.title or below, replace(block.table, notes=block.notes)


def _sheet_name(number: int, title: str) -> str:
    """Return a valid name of a sheet, which its number makes unique."""
    words = REFUSED_IN_NAMES.sub(" ", ENDS_A_NAME.split(legible(title), maxsplit=1)[0]).split()
    name = f"{number}"
    for word in words:
        if len(f"{name} {word}") > LONGEST_NAME:
            break
        name = f"{name} {word}"
    return name.rstrip("'")


class _Formats:
    """Formats of cells, each made once."""

    def __init__(self, book: "xlsxwriter.Workbook") -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, object], ...], Format] = {}

    def __call__(self, **properties: object) -> "Format":
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format(properties)
        return self._made[key]


def _explain(sheet: "Worksheet", report: Report, sheets: Sequence[Sheet], formats: _Formats) -> None:
    """Write what the workbook is, how to read it, and its sheets with links to them."""
    bold, wrapped = formats(bold=True, valign="top"), formats(text_wrap=True, valign="top")
    for place, width in enumerate(ABOUT_WIDTHS):
        sheet.set_column(place, place, width)
    warnings = [("", line) for line in (report.warning, f"{report.remark}." if report.remark else "") if line]
    written = f"Written by alkbayes from a run of {report.written}."
    lines = [*warnings, *report.key_results, ("", ""), *(("", line) for line in (*READING, written))]
    _text(sheet, 0, 0, report.title, formats(bold=True, font_size=14))
    _text(sheet, 1, 0, report.subtitle)
    for row, (topic, told) in enumerate(lines, start=3):
        sheet.set_row(row, _height(told, ABOUT_WIDTHS[1]))
        _text(sheet, row, 0, topic, bold)
        _text(sheet, row, 1, told, bold if (topic, told) in warnings else wrapped)
    first = len(lines) + 4
    for place, heading in enumerate(("Sheet", "Table", "Section of the report")):
        _text(sheet, first, place, heading, bold)
    for row, each in enumerate(sheets, start=first + 1):
        quoted = each.name.replace("'", "''")
        sheet.write_url(row, 0, f"internal:'{quoted}'!A1", formats(font_color="#0563C1", underline=1), each.name)
        _text(sheet, row, 1, each.title)
        _text(sheet, row, 2, each.section)
    _printed(sheet)


def _fill(sheet: "Worksheet", content: Sheet, formats: _Formats) -> None:
    """Write a table: its title, its headings, which stay in view, its rows and its notes."""
    table, columns = content.table, columns_of(content.table)
    titled = [len(row) == 1 for row in table.rows]
    indented = [row[0].startswith(" ") for row in table.rows]
    widths = [_width(column, titled if place == 0 else ()) for place, column in enumerate(columns)]
    _text(sheet, 0, 0, content.title, formats(bold=True, font_size=12))
    sheet.freeze_panes(2, 1)
    sheet.repeat_rows(1)
    sheet.set_row(1, max(_height(each.heading, width) for each, width in zip(columns, widths, strict=True)))
    for place, (column, width) in enumerate(zip(columns, widths, strict=True)):
        sheet.set_column(place, place, width)
        shape = {"align": "left" if column.words else "right", "indent": int(column.words and place > 0)}
        heading = formats(**shape, bold=True, text_wrap=True, bottom=1)
        sheet.write_blank(1, place, None, heading)
        _text(sheet, 1, place, column.heading, heading)
    for row, title in enumerate(titled):
        cells = [column.cells[row] for column in columns]
        if not title:
            texts = zip(cells, widths, strict=True)
            sheet.set_row(row + 2, max(_height(cell, width) for cell, width in texts if not isinstance(cell, Number)))
        for place, (cell, column) in enumerate(zip(cells, columns, strict=True)):
            strong = place == 0 and (title or (any(indented) and not indented[row]))
            inward = column.words and (place > 0 or indented[row])
            _write(
                sheet,
                (row + 2, place),
                cell,
                formats,
                align="left" if column.words else "right",
                bold=strong,
                indent=int(inward),
                text_wrap=not title,
                valign="top",
            )
    for row, note in enumerate(table.notes, start=len(table.rows) + 3):
        shape = formats(text_wrap=True, valign="top")
        sheet.merge_range(row, 0, row, len(columns) - 1, "", shape)
        sheet.set_row(row, _height(note, sum(widths)))
        _text(sheet, row, 0, note, shape)
    _printed(sheet)


def _write(sheet: "Worksheet", at: tuple[int, int], cell: Value, formats: _Formats, **shape: object) -> None:
    match cell:
        case Number(value=value, format=shown):
            sheet.write_number(*at, value, formats(**shape, num_format=shown))
        case str():
            _text(sheet, *at, cell, formats(**shape))


def _text(sheet: "Worksheet", row: int, place: int, text: str, shape: "Format | None" = None) -> None:
    """Write text as text: `write` would guess what it is."""
    if text:
        sheet.write_string(row, place, legible(text)[:LONGEST_TEXT], shape)


def _width(column: Column, titled: Sequence[bool]) -> int:
    """Return the width of a column in characters; titles of rows, in `titled`, reach over the next columns."""
    longest = [len(word) for word in column.heading.split()]
    for row, cell in enumerate(column.cells):
        if isinstance(cell, Number):
            longest.append(len(f"{cell.value:,.3f}"))
        elif cell and not (titled and titled[row]):
            longest.append(len(cell))
    return min(WIDEST, 2 + max(NARROWEST, *longest))


def _height(text: str | None, width: float) -> float:
    """Return the height of wrapped text in points: programs fit that of a row when it is edited, not when opened."""
    return LINE_PT * max(1, math.ceil(len(text or "") / width))


def _printed(sheet: "Worksheet") -> None:
    """Print a sheet on A4 on its side, all columns on one page."""
    sheet.set_paper(A4)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
