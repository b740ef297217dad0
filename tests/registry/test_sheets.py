import csv
from pathlib import Path

import pytest

from alkbayes.errors import RegistryError
from alkbayes.registry.sheets import cell, read_sheet, write_sheet

COLUMNS = ("nct_id", "note")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1 (555)", "'+1 (555)"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1+1", "'=1+1"),
        ("\u200b=1+1", "'=1+1"),
        ("-1.5", "-1.5"),
        ("+2", "+2"),
        ("- 18 years or older", "'- 18 years or older"),
        ("a\nb\x1b[2J", "a b [2J"),
        (None, ""),
        (12, "12"),
        ("", ""),
    ],
)
def test_a_cell_runs_nothing_in_a_spreadsheet_and_moves_no_cursor(value: object, written: str) -> None:
    assert cell(value) == written


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_sheet(path, COLUMNS, [("NCT00000001", '=1+1, "quoted"'), ("NCT00000002", "- a line")])
    rows = list(read_sheet(path, COLUMNS))
    assert rows == [
        (2, {"nct_id": "NCT00000001", "note": '=1+1, "quoted"'}),
        (3, {"nct_id": "NCT00000002", "note": "- a line"}),
    ]
    assert next(csv.reader(path.read_text(encoding="utf-8").splitlines())) == list(COLUMNS)


def test_a_sheet_saved_with_semicolons_and_a_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbfnct_id;note\r\nNCT00000001;ja, gut\r\n")
    assert [row for _, row in read_sheet(path, COLUMNS)] == [{"nct_id": "NCT00000001", "note": "ja, gut"}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nct_id\nNCT00000001\n", "line 1: has no column note"),
        (b"nct_id,note\nNCT00000001\n", "line 2: found 1 cell; allowed: 2"),
        (b"nct_id,note\nNCT00000001,\xe4\n", "line 2: is no UTF-8 text"),
    ],
)
def test_a_fault_names_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(RegistryError, match=said):
        list(read_sheet(path, COLUMNS))


def test_an_interrupted_write_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_sheet(path, COLUMNS, [("NCT00000001", "first")])
    before = path.read_bytes()

    def rows() -> object:
        yield ("NCT00000002", "second")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sheet(path, COLUMNS, rows())  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
