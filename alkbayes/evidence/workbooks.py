"""Workbooks: choosing the sheet, and reading its cells as the user sees them."""

import io
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from xml.etree import ElementTree as ET

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from alkbayes.errors import EvidenceError, Setting
from alkbayes.evidence.faults import Fault
from alkbayes.evidence.records import ROWS, Record, Table, assembled
from alkbayes.text.names import listed, near_miss, plain, quoted
from alkbayes.text.wording import counted

FIRST_ROWS = 10
"""Number of rows searched for the header."""

BUILT_IN_PERCENT = {"9", "10"}
"""Ids of Excel's built-in formats 0% and 0.00%."""

PANIC = "PanicException"
"""Name of what calamine raises for a fault of its own, which cannot be imported."""
DAMAGED = (CalamineError, zipfile.BadZipFile, zlib.error, ET.ParseError, EOFError, NotImplementedError)
"""Exceptions raised for damaged workbooks."""

OLD_EXCEL = b"\xd0\xcf\x11\xe0"
"""First bytes of an .xls file."""
PROBE = """
import io, sys
from python_calamine import CalamineWorkbook
book = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
for name in book.sheet_names:
    book.get_sheet_by_name(name).to_python()
"""
"""Program that reads every sheet of a workbook."""

type Cells = list[list[str]]
type Place = tuple[int, int]


def read_workbook(content: bytes, name: str, *, sheet: str | None, expected: Sequence[str]) -> Table:
    """Return the table on a sheet of a workbook.

    Parameters
    ----------
    content
        The file's bytes: .xlsx, .xlsb, .xls or .ods.
    name
        The file's name, for messages.
    sheet
        The sheet's name. Default: the only visible sheet with a table.
    expected
        Column names, in any spelling, that identify a table.

    Raises
    ------
    EvidenceError
        If the file cannot be read, there is no such sheet, or several could be meant.
    """
    if content.startswith(OLD_EXCEL):
        _probe(content, name)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        visible = [
            each.name
            for each in workbook.sheets_metadata
            if each.visible is SheetVisibleEnum.Visible and each.typ is SheetTypeEnum.WorkSheet
        ]
        chosen = _chosen(workbook, name, sheet, visible, expected)
        found = workbook.get_sheet_by_name(chosen)
        rows, where = _texts(found), f"{name}, sheet {quoted(chosen)}"
        notes, shown = _date_notes(found, rows), _as_shown(content, chosen)
        for (row, column), text in shown.items():
            if row < len(rows) and column < len(rows[row]):
                rows[row][column] = text
        merged = list(_unmerged(found, rows))
    except PasswordError as error:
        raise EvidenceError(f"{name} is protected by a password. Save a copy without one, and give that.") from error
    except DAMAGED as error:
        raise _unreadable(name, str(error)) from error
    except BaseException as error:
        # What calamine raises where it meets the unexpected in a damaged file; Rust has it be no Exception.
        if type(error).__name__ != PANIC:
            raise
        raise _unreadable(name, str(error)) from error
    others = [each for each in workbook.sheet_names if each != chosen]
    if others:
        notes.insert(0, f"Sheet {quoted(chosen)} is read; the workbook also has {listed(others)}.")
    records = (Record(at, tuple(row)) for at, row in enumerate(rows, start=1) if any(row))
    if not any(map(any, rows)):
        raise EvidenceError(f"{where} is empty; {ROWS}")
    notes += [each for each in merged if isinstance(each, str)]
    faults = [each for each in merged if isinstance(each, Fault)]
    table = assembled(records, where, unit="row", notes=notes, sheet=chosen)
    return replace(table, faults=(*table.faults, *faults))


def _probe(content: bytes, name: str) -> None:
    """Refuse an .xls file whose reading ends the process that reads it.

    Calamine takes lengths in the file at their word: of a damaged one it may ask for more memory than there is, which
    aborts Python without an exception, or panic, which prints to stderr. So the file is read by another process first.
    """
    done = subprocess.run(  # noqa: S603 - the program is a constant
        [sys.executable, "-P", "-c", PROBE], input=content, capture_output=True, check=False
    )
    said = done.stderr.decode(errors="replace").strip().splitlines() or [""]
    if done.returncode not in {0, 1}:
        raise _unreadable(name, "it states impossible lengths")
    if PANIC in said[-1]:
        raise _unreadable(name, said[-1].partition(": ")[2])


def _unreadable(name: str, reason: str) -> EvidenceError:
    """Return the error for a file that looks like a workbook but is damaged."""
    return EvidenceError(
        f"{name} looks like a workbook but cannot be read as one ({reason}); allowed: .xlsx, .xlsb, .xls and .ods. "
        "Open it in Excel or LibreOffice, save it as .xlsx or CSV, and give that file."
    )


def _chosen(
    workbook: CalamineWorkbook, name: str, sheet: str | None, visible: Sequence[str], expected: Sequence[str]
) -> str:
    """Return the name of the sheet to read."""
    if sheet is not None:
        if sheet in workbook.sheet_names:
            return sheet
        guess = near_miss(sheet, workbook.sheet_names)
        advice = f" Did you mean {quoted(guess)}?" if guess else ""
        raise EvidenceError(f"{name} has no sheet {quoted(sheet)}, only {listed(workbook.sheet_names)}.{advice}")
    filled = [each for each in visible if workbook.get_sheet_by_name(each).height]
    wanted = set(map(plain, expected))
    tables = [each for each in filled if _knows(workbook.get_sheet_by_name(each), wanted)]
    if len(tables or filled) > 1:
        raise EvidenceError(
            f"{name} has {counted(len(tables or filled), 'sheet')} that may hold the table: "
            f"{listed(tables or filled)}. Name the one to read, as in:",
            remedy=Setting("sheet", (tables or filled)[0]),
        )
    if not filled:
        raise EvidenceError(f"{name} is empty; {ROWS}")
    return (tables or filled)[0]


def _knows(sheet: CalamineSheet, wanted: set[str]) -> bool:
    """Return whether one of the first rows has at least two of the expected names."""
    rows = sheet.to_python(skip_empty_area=False, nrows=FIRST_ROWS)
    return any(len(wanted.intersection(plain(_text(cell)) for cell in row)) > 1 for row in rows)


def _texts(sheet: CalamineSheet) -> Cells:
    """Return all cells of a sheet as stripped text."""
    return [[_text(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False)]


def _text(cell: object) -> str:
    """Return a cell as text; whole numbers without decimals."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime) and (cell.hour, cell.minute, cell.second) == (0, 0, 0):
        return cell.date().isoformat()
    return str(cell).strip()


def _date_notes(sheet: CalamineSheet, rows: Cells) -> list[str]:
    """Return a note on each column that mixes dates with other values: Excel turns "1/2" into a date."""
    values = sheet.to_python(skip_empty_area=False)
    first = _header_row(rows)
    notes = []
    for place, name in enumerate(rows[first] if rows else []):
        dates = [at for at, row in enumerate(values) if at > first and isinstance(row[place], date)]
        others = [at for at, row in enumerate(rows) if at > first and row[place] and at not in dates]
        if name and dates and others:
            notes.append(
                f"Column {name} has {counted(len(dates), 'date')} among other values, the first in row {dates[0] + 1} "
                f"({rows[dates[0]][place]}): spreadsheets turn entries such as 1/2 into dates. Type them again in "
                "cells formatted as text."
            )
    return notes


def _unmerged(sheet: CalamineSheet, rows: Cells) -> Iterator[str | Fault]:
    """Copy the text of vertically merged cells into each row, and yield a note on it.

    A merged number is a fault, since it may be the value of each row or their sum.
    """
    header = _header_row(rows)
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        value = rows[top][left] if bottom < len(rows) else ""
        if left != right or top == bottom or top <= header or not value:
            continue
        if value[0].isdigit():
            found = f"cells that are merged over the rows {top + 1} to {bottom + 1}"
            advice = "Unmerge them, and write each row's own number."
            yield Fault(top + 1, found, "one number for each row", advice, column=rows[header][left])
            continue
        for row in range(top + 1, bottom + 1):
            rows[row][left] = value
        yield f"Merged cells: {quoted(value)} counts for each of the rows {top + 1} to {bottom + 1}."


def _header_row(rows: Cells) -> int:
    """Return the position of the header: the first row with several cells."""
    return next((at for at, row in enumerate(rows) if sum(map(bool, row)) > 1), 0)


def _as_shown(content: bytes, sheet: str) -> Mapping[Place, str]:
    """Return the cells of an .xlsx sheet that hold an error or a percentage, as the user sees them.

    Calamine returns errors as empty cells, and 30 % as 0.3.
    """
    shown: dict[Place, str] = {}
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return shown
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        path = _sheet_path(archive, sheet)
        if path is None:
            return shown
        percent = _percent_styles(archive)
        for cell in ET.fromstring(archive.read(path)).iter():  # noqa: S314 - expat itself stops entity bombs
            place, value = _place(cell.get("r", "")), next((part for part in cell if _tag(part) == "v"), None)
            if _tag(cell) != "c" or place is None or value is None or not value.text:
                continue
            if cell.get("t") == "e":
                shown[place] = value.text
            elif cell.get("s") in percent and cell.get("t", "n") == "n":
                shown[place] = f"{100 * float(value.text):.10g}%"
    return shown


def _sheet_path(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """Return the path of a sheet within an .xlsx file; None for other workbooks."""
    names = set(archive.namelist())
    if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= names:
        return None
    book = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
    links = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    for element in book.iter():
        if _tag(element) == "sheet" and element.get("name") == sheet:
            key = next((value for name, value in element.items() if name.endswith("}id")), None)
            target = targets.get(key, "")
            path = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
            return path if path in names else None
    return None


def _percent_styles(archive: zipfile.ZipFile) -> set[str]:
    """Return the indices of the cell styles that show percentages."""
    if "xl/styles.xml" not in archive.namelist():
        return set()
    styles = list(ET.fromstring(archive.read("xl/styles.xml")))  # noqa: S314
    own = [each for part in styles if _tag(part) == "numFmts" for each in part]
    codes = {each.get("numFmtId"): each.get("formatCode", "") for each in own}
    formats = next(([*part] for part in styles if _tag(part) == "cellXfs"), [])
    return {
        str(number)
        for number, each in enumerate(formats)
        if each.get("numFmtId") in BUILT_IN_PERCENT or "%" in codes.get(each.get("numFmtId"), "")
    }


def _tag(element: "ET.Element") -> str:
    return element.tag.rpartition("}")[2]


def _place(reference: str) -> Place | None:
    """Return the row and column of a cell such as "B5", counted from 0."""
    match = re.fullmatch(r"([A-Z]+)([0-9]+)", reference)
    if match is None:
        return None
    column = 0
    for letter in match[1]:
        column = 26 * column + ord(letter) - ord("A") + 1
    return int(match[2]) - 1, column - 1
