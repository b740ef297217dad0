"""Workbooks: which sheet is read, and the traps that spreadsheets lay."""

import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from alkbayes.errors import EvidenceError
from alkbayes.evidence.table import read_evidence

STRANGERS = Path(__file__).parents[1] / "fixtures" / "strangers"
HEADER = ["cohort_id", "trial", "responders", "n"]
TABLE = [HEADER, ["a", "A", 1, 5], ["b", "B", 2, 6]]


@pytest.fixture
def made(tmp_path: Path) -> Callable[[Callable[[Any, Any], None]], Path]:
    """Write a workbook of one sheet by a function of the workbook and the sheet."""

    def write(fill: Callable[[Any, Any], None]) -> Path:
        path = tmp_path / "book.xlsx"
        content = io.BytesIO()
        with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
            fill(book, book.add_worksheet("Data"))
        path.write_bytes(content.getvalue())
        return path

    return write


def give(folder: Path, content: bytes) -> Path:
    path = folder / "book.xlsx"
    path.write_bytes(content)
    return path


def test_the_one_sheet_that_holds_a_table_is_read(tmp_path: Path, xlsx: Callable[..., bytes]) -> None:
    path = give(tmp_path, xlsx({"Read me": [["All of it"]], "Cohorts": TABLE, "Old": TABLE}, hidden=["Old"]))
    evidence = read_evidence(path)
    assert (evidence.sheet, evidence.cohorts) == ("Cohorts", 2)
    assert evidence.notes == ('Sheet "Cohorts" is read; the workbook also has Read me and Old.',)
    assert read_evidence(path, sheet="Old").sheet == "Old"


def test_several_sheets_that_may_be_meant(tmp_path: Path, xlsx: Callable[..., bytes]) -> None:
    path = give(tmp_path, xlsx({"2019": TABLE, "2020": TABLE[:2], "Notes": [["x"]]}))
    with pytest.raises(EvidenceError) as caught:
        read_evidence(path)
    assert str(caught.value) == (
        f"{path} has 2 sheets that may hold the table: 2019 and 2020. Name the one to read, as in: sheet='2019'"
    )
    assert read_evidence(path, sheet="2020").cohorts == 1


def test_a_sheet_that_is_not_there(tmp_path: Path, xlsx: Callable[..., bytes]) -> None:
    path = give(tmp_path, xlsx({"Cohorts": TABLE, "Notes": [["x"]]}))
    with pytest.raises(EvidenceError) as caught:
        read_evidence(path, sheet="cohorts")
    assert str(caught.value) == f'{path} has no sheet "cohorts", only Cohorts and Notes. Did you mean "Cohorts"?'


def test_an_empty_workbook_and_an_empty_sheet(tmp_path: Path, xlsx: Callable[..., bytes]) -> None:
    path = give(tmp_path, xlsx({"Cohorts": [], "Data": []}))
    for sheet in (None, "Data"):
        with pytest.raises(EvidenceError, match="is empty; an evidence table has a header and a row for each cohort"):
            read_evidence(path, sheet=sheet)


def test_a_damaged_workbook_is_refused(tmp_path: Path, xlsx: Callable[..., bytes]) -> None:
    whole = xlsx({"Cohorts": TABLE})
    refused = 0
    for place in range(4, len(whole), 97):
        content = bytearray(whole)
        content[place : place + 3] = b"\xff\x00\x07"
        try:
            read_evidence(give(tmp_path, bytes(content)))
        except EvidenceError:
            refused += 1
    assert refused > 20


def test_rows_are_those_of_the_sheet(made: Callable[..., Path]) -> None:
    def fill(_: Any, sheet: Any) -> None:
        sheet.write(0, 1, "Table 2. Responses by cohort")
        for at, row in ((2, HEADER), (3, TABLE[1]), (6, ["b", "B", 7, 6]), (7, ["c", "C", "4 ", 6])):
            sheet.write_row(at, 1, row)

    with pytest.raises(EvidenceError) as caught:
        read_evidence(made(fill))
    (_, fault) = str(caught.value).split("\n")
    assert 'book.xlsx, sheet "Data", row 7, cohort "b", column responders: found 7 responders among 6' in fault


def test_traps_in_counts(made: Callable[..., Path]) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["study", "r", "N"])
        for at in range(1, 6):
            sheet.write_row(at, 0, [f"s{at}", None, 12])
        sheet.write(1, 1, 0.3, book.add_format({"num_format": "0%"}))
        sheet.write(2, 1, 0.255, book.add_format({"num_format": 10}))
        sheet.write_formula(3, 1, "=1/0", None, "#DIV/0!")
        sheet.write_datetime(4, 1, datetime(2026, 3, 10), book.add_format({"num_format": "d/m"}))
        sheet.write(5, 1, 5.5)

    with pytest.raises(EvidenceError) as caught:
        read_evidence(made(fill))
    _, *faults = str(caught.value).split("\n")
    expected = [
        ('"30%"', "Give the number of patients, not the rate."),
        ('"25.5%"', "Give the number of patients, not the rate."),
        ('"#DIV/0!"', "A formula in this cell has no result: correct it, or write the value."),
        (
            '"2026-03-10"',
            "That is a date, which spreadsheets make of entries such as 3/10: type the count into a cell for numbers.",
        ),
        ('"5.5"', "A count has no decimals. If the source gives only a rate, work the count out from it."),
    ]
    for at, (fault, (found, advice)) in enumerate(zip(faults, expected, strict=True), start=1):
        place = f'sheet "Data", row {at + 1}, cohort "s{at}", column r (responders)'
        assert fault.endswith(f"{place}: found {found}; allowed: a whole number from 0 to n. {advice}")


def test_traps_in_other_columns(made: Callable[..., Path]) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, [*HEADER, "phase", "year", "share"])
        sheet.write_row(1, 0, ["a", "A", 1, 5, "2", 2019, None])
        sheet.write_row(2, 0, ["b", "B", 2, 6, None, None, None])
        sheet.write_datetime(2, 4, datetime(2026, 1, 2), book.add_format({"num_format": "d/m"}))
        sheet.write_formula(2, 5, "=NA()", None, "#N/A")
        sheet.write(1, 6, 0.3, book.add_format({"num_format": "0.0%"}))

    evidence = read_evidence(made(fill))
    assert evidence.frame[["phase", "year", "share"]].to_numpy().tolist() == [
        ["2", "2019", "30%"],
        ["2026-01-02", "", ""],
    ]
    assert evidence.notes == (
        (
            "Column phase has 1 date among other values, the first in row 3 (2026-01-02): spreadsheets turn entries "
            "such as 1/2 into dates. Type them again in cells formatted as text."
        ),
        'Read as missing, like blank cells: year ("#N/A", 1 cell).',
    )


def test_cells_that_are_merged_down_a_column(made: Callable[..., Path]) -> None:
    def fill(_: Any, sheet: Any) -> None:
        for at, row in enumerate([HEADER, ["a", None, 1, 5], ["b", None, 2, 6], ["c", "T2", 3, 8]]):
            sheet.write_row(at, 0, row)
        sheet.merge_range(1, 1, 2, 1, "T1")

    evidence = read_evidence(made(fill))
    assert evidence.frame["trial"].tolist() == ["T1", "T1", "T2"]
    assert evidence.notes == ('Merged cells: "T1" counts for each of the rows 2 to 3.',)


def test_counts_that_are_merged_are_refused(made: Callable[..., Path]) -> None:
    def fill(_: Any, sheet: Any) -> None:
        for at, row in enumerate([HEADER, ["a", "A", 1, None], ["b", "B", 2, None]]):
            sheet.write_row(at, 0, row)
        sheet.merge_range(1, 3, 2, 3, 12)

    with pytest.raises(EvidenceError, match="column n: found cells that are merged over the rows 2 to 3; allowed"):
        read_evidence(made(fill))


@pytest.mark.parametrize(
    ("place", "byte", "reason"),
    [
        (1424, 190, "range start index 48675 out of range"),  # a panic of calamine 0.37
        (1663, 255, "it states impossible lengths"),  # asks for 258 GB, which aborts the process
    ],
)
def test_a_damaged_xls_is_refused_and_ends_no_process(
    tmp_path: Path, place: int, byte: int, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytearray((STRANGERS / "nielweise.xls").read_bytes())
    content[place] = byte
    path = tmp_path / "damaged.xls"
    path.write_bytes(content)
    with pytest.raises(EvidenceError, match="looks like a workbook but cannot be read as one") as caught:
        read_evidence(path)
    assert reason in str(caught.value)
    assert caught.value.exit_code == 3
    assert capfd.readouterr().err == ""
