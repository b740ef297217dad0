"""From a file to records that know the line on which they start; what is not CSV in UTF-8 is refused by its kind."""

import codecs
import csv
import io
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alkbayes.errors import EvidenceError
from alkbayes.evidence.faults import Fault
from alkbayes.text.names import plain, quoted

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}

SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook (.xlsx) or another zip archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook (.xls)",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF",
}

TEXT_CONTROLS = b"\t\n\v\f\r"
"""Control characters that a text file may hold."""

BINARY_SHARE = 0.01
"""Share of other control characters from which a file that is not UTF-8 is called binary rather than Latin-1."""

WORD_ENDS = ' ,;"\t\r\n'

SAMPLE = 8192
"""Bytes from which the kind of a file is told."""

AS_CSV = 'In Excel choose File > Save As > "CSV UTF-8 (Comma delimited)"'

PAIR_UP = 'Close it or delete it; inside a quoted cell write it twice, as in "the ""mature"" population".'


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one record, stripped of surrounding blanks, and the line of the file on which it starts."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A file's header, its records with as many cells as the header, and what was wrong with the others."""

    header: Record
    records: tuple[Record, ...]
    faults: tuple[Fault, ...]


def read_bytes(path: Path) -> bytes:
    """Return the content of the file `path`.

    Raises
    ------
    EvidenceError
        If there is no such file, it is a folder, or it cannot be read.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        start = "" if path.is_absolute() else f" A relative path starts from {Path.cwd()}."
        raise EvidenceError(f"{path}: there is no such file. Check the name and the folder.{start}") from error
    except IsADirectoryError as error:
        raise EvidenceError(f"{path} is a folder; an evidence table is one CSV file. Name the file.") from error
    except PermissionError as error:
        message = f"{path} may not be read by you. Ask its owner, or allow it: chmod u+r {shlex.quote(str(path))}"
        raise EvidenceError(message) from error
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror or error}.") from error


def decode(content: bytes, name: str) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark.

    Raises
    ------
    EvidenceError
        If the file is empty, binary, in another encoding, or holds NUL bytes. The message says which, and what to do.
    """
    if not content.strip():
        what = "empty" if not content else "empty but for blanks"
        raise EvidenceError(f"{name} is {what}; an evidence table has a header and a row for each cohort.")
    for signature, kind in SIGNATURES.items():
        if content.startswith(signature):
            raise EvidenceError(f"{name} is {kind}, not a CSV file. {AS_CSV}, and give that file.")
    if wide := _wide_encoding(content):
        raise EvidenceError(f"{name} is saved as {wide}; an evidence table is UTF-8. {_resave(wide, name)}")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _undecodable(content, error.start, name) from error
    if "\0" in text:
        where = _line_at(content, content.index(b"\0"))
        raise EvidenceError(
            f"{name}, line {where}: found a NUL byte (a character with the code 0); allowed: text. "
            "Such bytes stand in damaged or half-written files: export the table again."
        )
    return text


def _line_at(content: bytes, position: int) -> int:
    """Return the number of the line on which the byte at `position` stands."""
    before = content[:position].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return before.count(b"\n") + 1


def _wide_encoding(content: bytes) -> str | None:
    """Return the name of the encoding that takes two or four bytes for each letter, if it is one."""
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    sample = content[:SAMPLE]
    for half, other, encoding in ((sample[1::2], sample[::2], "UTF-16LE"), (sample[::2], sample[1::2], "UTF-16BE")):
        if half.count(0) > 0.8 * len(half) and other.count(0) < 0.2 * len(other):
            return encoding
    return None


def _resave(encoding: str, name: str) -> str:
    """Return how a file in `encoding` becomes UTF-8."""
    new = Path(name).with_name(f"{Path(name).stem}-utf8.csv")
    command = f"iconv -f {encoding} -t UTF-8 {shlex.quote(name)} > {shlex.quote(str(new))}"
    return f"{AS_CSV}, or run: {command}"


def _undecodable(content: bytes, position: int, name: str) -> EvidenceError:
    """Return the error for a file whose byte at `position` is not UTF-8: another encoding, or not text at all."""
    sample = content[:SAMPLE]
    controls = sum(byte < ord(" ") and byte not in TEXT_CONTROLS for byte in sample)
    if controls > BINARY_SHARE * len(sample):
        return EvidenceError(f"{name} is a binary file; an evidence table is text, a CSV file in UTF-8.")
    text = content.decode("cp1252", errors="replace")  # one character a byte: positions stay
    start = max(text.rfind(mark, 0, position) for mark in WORD_ENDS) + 1
    end = min(at for mark in WORD_ENDS if (at := f"{text}\n".find(mark, position)) >= 0)
    return EvidenceError(
        f"{name}, line {_line_at(content, position)}: found the byte 0x{content[position]:02X}, which is not UTF-8; in "
        f"Windows-1252 (Latin-1) the word would be {quoted(text[start:end])}. {_resave('WINDOWS-1252', name)}"
    )


def read_table(text: str, name: str, *, expected: Sequence[str]) -> Table:
    """Split a CSV text into its header and records; rows without any content are passed over.

    Parameters
    ----------
    text
        The whole file.
    name
        The file's name, for messages.
    expected
        Columns that every table has, by which another separator than the comma is known.

    Raises
    ------
    EvidenceError
        If the table is separated by something else than commas, or its header cannot be read.
    """
    _check_separator(text, name, expected=expected)
    header: Record | None = None
    records: list[Record] = []
    faults: list[Fault] = []
    for item in _split(io.StringIO(text, newline="")):
        if header is None:
            if isinstance(item, Fault):
                raise EvidenceError(item.text(name))
            header = item
        elif isinstance(item, Fault):
            faults.append(item)
        elif len(item.cells) != len(header.cells):
            faults.append(_ragged(item, header))
        else:
            records.append(item)
    if header is None:
        raise EvidenceError(f"{name} holds no column names; an evidence table has a header and a row for each cohort.")
    return _without_empty_end(Table(header, tuple(records), tuple(faults)))


def _without_empty_end(table: Table) -> Table:
    """Return a table without the columns at its end that have neither name nor cells: spreadsheets write such."""
    filled = (place for record in (table.header, *table.records) for place, cell in enumerate(record.cells) if cell)
    width = 1 + max(filled, default=-1)
    header, *records = (replace(record, cells=record.cells[:width]) for record in (table.header, *table.records))
    return Table(header, tuple(records), table.faults)


def _split(lines: io.StringIO) -> Iterator[Record | Fault]:
    """Yield the records that are not blank, and a fault for each one that cannot be split."""
    reader = csv.reader(lines, strict=True, skipinitialspace=True)
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


def _check_separator(text: str, name: str, *, expected: Sequence[str]) -> None:
    """Refuse a table whose header is separated by something else than commas."""
    wanted = set(map(plain, expected))
    line, header = next(((i, line) for i, line in enumerate(text.splitlines(), start=1) if line.strip()), (1, ""))
    if wanted.intersection(map(plain, header.split(","))):
        return
    for mark, word in SEPARATORS.items():
        cells = header.split(mark)
        if len(cells) > 1 and ("," not in header or wanted.intersection(map(plain, cells))):
            raise EvidenceError(
                f"{name}, line {line}: found columns separated by {word}; allowed: commas. Save the table again with "
                'commas: in LibreOffice tick "Edit filter settings" when saving and choose the comma, in R use '
                "write.csv(table, file, row.names = FALSE). Excel follows the region settings of the computer."
            )


def _ragged(record: Record, header: Record) -> Fault:
    """Return the fault of a record that has more or fewer cells than the header."""
    many, needed = len(record.cells), len(header.cells)
    advice = (
        'Put quotation marks around a cell with a comma in it, as in "Japan, Korea", and write 1234 rather than 1,234.'
        if many > needed
        else "Write a comma for each empty cell too."
    )
    cohort = record.cells[0] if header.cells[0] == "cohort_id" else ""
    fields = "1 field" if many == 1 else f"{many} fields"
    return Fault(record.line, fields, f"{needed}, as in the header", advice, cohort=cohort)
