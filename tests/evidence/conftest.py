"""Tables as files of every kind, made from the same rows."""

import io
import zipfile
from collections.abc import Callable, Sequence
from typing import Any
from xml.sax.saxutils import escape

import pytest
import xlsxwriter

type Rows = Sequence[Sequence[Any]]


def workbook(sheets: dict[str, Rows], *, hidden: Sequence[str] = ()) -> bytes:
    """Return an .xlsx file with these sheets."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
            if name in hidden:
                sheet.hide()
    return content.getvalue()


def open_document(name: str, rows: Rows) -> bytes:
    """Return an .ods file with one sheet."""
    cells = [
        "".join(
            f'<table:table-cell office:value-type="float" office:value="{cell}"/>'
            if isinstance(cell, int | float)
            else f'<table:table-cell office:value-type="string"><text:p>{escape(cell)}</text:p></table:table-cell>'
            for cell in row
        )
        for row in rows
    ]
    body = "".join(f"<table:table-row>{row}</table:table-row>" for row in cells)
    base = "urn:oasis:names:tc:opendocument:xmlns"
    names = " ".join(f'xmlns:{each}="{base}:{each}:1.0"' for each in ("office", "table", "text"))
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr(
            "content.xml",
            f"<office:document-content {names}><office:body><office:spreadsheet>"
            f'<table:table table:name="{name}">{body}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
        archive.writestr(
            "META-INF/manifest.xml",
            f'<m:manifest xmlns:m="{base}:manifest:1.0"><m:file-entry m:full-path="/" m:media-type="{kind}"/>'
            "</m:manifest>",
        )
    return content.getvalue()


@pytest.fixture(scope="session")
def xlsx() -> Callable[..., bytes]:
    return workbook


@pytest.fixture(scope="session")
def ods() -> Callable[..., bytes]:
    return open_document
