"""Text files: encoding, separator and decimal mark are detected from the file itself."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote

from alkbayes.errors import EvidenceError
from alkbayes.evidence.faults import Fault
from alkbayes.evidence.records import ROWS, Record, Table, assembled
from alkbayes.text.names import listed, plain, quoted
from alkbayes.vocabulary import is_missing

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}

TEXT_CONTROLS = b"\t\n\v\f\r"
"""Control characters that a text file may hold."""

BINARY_SHARE = 0.01
"""Share of other control characters above which a file that is not UTF-8 is binary rather than Windows-1252."""

WORD_ENDS = ' ,;"\t\r\n'

FIRST_LINES = 10
"""Number of lines searched for the header."""

SAMPLE = 8192
"""Number of bytes examined to tell the kind of file."""

AS_CSV = 'In Excel choose File > Save As > "CSV UTF-8 (Comma delimited)"'

PAIR_UP = 'Close it or delete it; inside a quoted cell write it twice, as in "the ""mature"" population".'

DECIMAL_COMMA = re.compile(r"[-+−]?[0-9]+,[0-9]+")
DECIMAL = re.compile(r"[-+−]?[0-9]+([,.][0-9]+)?")


UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UTF16_NOTE = 'Read as UTF-16, which Excel calls "Unicode text".'


def read_text(content: bytes, name: str, *, expected: Sequence[str]) -> Table:
    """Return the table in a text file.

    Parameters
    ----------
    content
        The file's bytes: UTF-8, with or without a byte order mark, UTF-16 with one, or Windows-1252.
    name
        The file's name, for messages.
    expected
        Column names, in any spelling, that help to tell the separator.

    Raises
    ------
    EvidenceError
        If the file is empty or no text, or its header cannot be read. The message says what to do.
    """
    text, encoding = decode(content, name)
    mark = _separator(text, expected)
    notes = [encoding] if encoding else []
    if mark != ",":
        notes.append(f"Columns are separated by {SEPARATORS[mark]}s.")
    table = assembled(_split(text, mark), name, notes=notes, separator=SEPARATORS[mark])
    return table if mark == "," else _with_decimal_points(table)


def decode(content: bytes, name: str) -> tuple[str, str]:
    """Return the text of a file, with a note on the encoding unless it is UTF-8.

    Raises
    ------
    EvidenceError
        If the file is empty or no text.
    """
    if not content.strip():
        what = "empty" if not content else "empty but for blanks"
        raise EvidenceError(f"{name} is {what}; {ROWS}")
    if content.startswith(UTF16_MARKS) and not content.startswith(codecs.BOM_UTF32_LE):
        content, utf16 = _from_utf16(content, name), UTF16_NOTE
    else:
        utf16 = ""
    if wide := _wide_encoding(content):
        new = Path(name).with_name(f"{Path(name).stem}-utf8.csv")
        command = f"iconv -f {wide} -t UTF-8 {quote(name)} > {quote(str(new))}"
        raise EvidenceError(f"{name} is saved as {wide}; an evidence table is UTF-8. {AS_CSV}, or run: {command}")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text, note = content.decode("utf-8"), utf16
    except UnicodeDecodeError as error:
        text, note = _as_windows(content, error.start, name)
    if "\0" in text:
        raise EvidenceError(
            f"{name}, line {_line_at(content, content.index(b'\0'))}: found a NUL byte (a character with the code 0); "
            "allowed: text. Such bytes stand in damaged or half-written files: export the table again."
        )
    return text, note


def _from_utf16(content: bytes, name: str) -> bytes:
    """Return a file with a UTF-16 byte order mark as UTF-8, in which lines are counted."""
    try:
        return content.decode("utf-16").encode("utf-8")
    except UnicodeError as error:
        raise EvidenceError(
            f"{name} begins as UTF-16 and is not: it is damaged or half-written. Export the table again."
        ) from error


def _line_at(content: bytes, position: int) -> int:
    """Return the line number of the byte at `position`."""
    before = content[:position].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return before.count(b"\n") + 1


def _wide_encoding(content: bytes) -> str | None:
    """Return the name of the encoding if it uses two or four bytes per character."""
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    sample = content[:SAMPLE]
    for half, other, encoding in ((sample[1::2], sample[::2], "UTF-16LE"), (sample[::2], sample[1::2], "UTF-16BE")):
        if half.count(0) > 0.8 * len(half) and other.count(0) < 0.2 * len(other):
            return encoding
    return None


def _as_windows(content: bytes, position: int, name: str) -> tuple[str, str]:
    """Decode a file as Windows-1252 after UTF-8 failed at `position`, and return a note on it."""
    sample = content[:SAMPLE]
    controls = sum(byte < ord(" ") and byte not in TEXT_CONTROLS for byte in sample)
    if controls > BINARY_SHARE * len(sample):
        raise EvidenceError(
            f"{name} is a binary file of an unknown kind; allowed: a text file (CSV), a workbook (.xlsx, .xls, .ods) "
            "or Parquet."
        )
    line = _line_at(content, position)
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError as error:
        raise EvidenceError(
            f"{name}, line {_line_at(content, error.start)}: found the byte 0x{content[error.start]:02X}, which is "
            f"neither UTF-8 nor Windows-1252. {AS_CSV}, and give that file."
        ) from error
    # One character a byte: positions stay.
    start = max(text.rfind(mark, 0, position) for mark in WORD_ENDS) + 1
    end = min(at for mark in WORD_ENDS if (at := f"{text}\n".find(mark, position)) >= 0)
    return text, (
        f"Not UTF-8, so read as Windows-1252: line {line} then has {quoted(text[start:end])}. If that is misspelt, "
        "save the file as UTF-8."
    )


def _separator(text: str, expected: Sequence[str]) -> str:
    """Return the separator that finds most of the expected columns; in a tie, the most columns.

    More than the first line is searched, since a title may stand above the header.
    """
    wanted = set(map(plain, expected))
    lines = [line for line in text.splitlines() if line.strip()][:FIRST_LINES]

    def score(mark: str) -> tuple[int, int]:
        found = [line.split(mark) for line in lines]
        return max(len(wanted.intersection(map(plain, cells))) for cells in found), len(found[0])

    return max(SEPARATORS, key=score) if lines else ","


def _split(text: str, mark: str) -> Iterator[Record | Fault]:
    """Yield every record that is not blank, or a fault if it cannot be split."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True, skipinitialspace=mark != "\t")
    while True:
        line = reader.line_num + 1
        try:
            cells = tuple(cell.strip() for cell in next(reader))
        except StopIteration:
            return
        except csv.Error as error:
            if "field limit" in str(error):
                found = f"a cell of more than {csv.field_size_limit()} characters"
                yield Fault(line, found, "shorter ones", f"Look for a quotation mark that is not closed. {PAIR_UP}")
                return
            yield Fault(
                line,
                "quotation marks that do not pair up",
                "quotation marks around a whole cell",
                f"Look for a quotation mark that is not closed. {PAIR_UP}",
            )
        else:
            if any(cells):
                yield Record(line, cells)


def _with_decimal_points(table: Table) -> Table:
    """Replace decimal commas by points, in a table that is not separated by commas.

    Columns of numbers only. If every comma in a column precedes exactly three digits, it may mark thousands: such a
    column is left alone.
    """
    columns = list(zip(*(record.cells for record in table.records), strict=True))
    changed = []
    for place, cells in enumerate(columns):
        commas = [cell for cell in cells if DECIMAL_COMMA.fullmatch(cell)]
        thousands = all(len(cell.partition(",")[2]) == len("000") for cell in commas)
        if commas and not thousands and all(DECIMAL.fullmatch(cell) for cell in cells if not is_missing(cell)):
            columns[place] = tuple(cell.replace(",", ".") for cell in cells)
            changed.append(table.header.cells[place])
    if not changed:
        return table
    records = zip(table.records, zip(*columns, strict=True), strict=True)
    note = f"Commas are read as decimal points in {listed(changed)}."
    return replace(
        table,
        records=tuple(replace(record, cells=cells) for record, cells in records),
        notes=(*table.notes, note),
    )
