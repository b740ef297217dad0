"""Files that hold tables: reading the bytes, and telling the format from them."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from alkbayes.errors import EvidenceError
from alkbayes.evidence.csv import read_text
from alkbayes.evidence.frames import PARQUET, read_parquet
from alkbayes.evidence.records import Table
from alkbayes.text.names import quoted

OLE, ZIP, OPEN_DOCUMENT = b"\xd0\xcf\x11\xe0", b"PK\x03\x04", b"application/vnd.oasis.opendocument.spreadsheet"
"""First bytes of .xls files and of other workbooks, and a string near the start of .ods files."""

OTHERS = {b"\x1f\x8b": "a gzip archive", b"%PDF": "a PDF", b"{\\rtf": "a text document (RTF)"}


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
        raise EvidenceError(f"{path} is a folder; an evidence table is one file. Name the file.") from error
    except PermissionError as error:
        message = f"{path} may not be read by you. Ask its owner, or allow it: chmod u+r {shlex.quote(str(path))}"
        raise EvidenceError(message) from error
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror or error}.") from error


def read_records(content: bytes, name: str, *, expected: Sequence[str], sheet: str | None = None) -> Table:
    """Return the table in a file; the content tells a workbook from Parquet and text.

    Parameters
    ----------
    content
        The file's bytes.
    name
        The file's name, for messages.
    expected
        Column names, in any spelling, that identify a header.
    sheet
        Of a workbook; None takes the one that holds a table.

    Raises
    ------
    EvidenceError
        If the file cannot be read as a table. The message says what it is, and what to do.
    """
    if content.startswith((ZIP, OLE)):
        from alkbayes.evidence.workbooks import read_workbook

        return read_workbook(content, name, sheet=sheet, expected=expected)
    if sheet is not None:
        raise EvidenceError(f"{name} is no workbook and has no sheets, so that {quoted(sheet)} cannot be read from it.")
    if content.startswith(PARQUET):
        return read_parquet(content, name)
    for signature, kind in OTHERS.items():
        if content.startswith(signature):
            raise EvidenceError(
                f"{name} is {kind}; allowed: a text file (CSV), a workbook (.xlsx, .xls, .ods) or Parquet."
            )
    return read_text(content, name, expected=expected)


def file_name(stem: str, content: bytes) -> str:
    """Return a file name with the right extension for the content."""
    if content.startswith(ZIP):
        return f"{stem}.ods" if OPEN_DOCUMENT in content[:200] else f"{stem}.xlsx"
    if content.startswith(OLE):
        return f"{stem}.xls"
    return f"{stem}.parquet" if content.startswith(PARQUET) else f"{stem}.csv"
