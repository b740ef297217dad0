"""The workbook to fill in: what is in it, and that it is read once it is filled."""

import io
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from alkbayes.errors import EvidenceError
from alkbayes.evidence.table import read_evidence
from alkbayes.evidence.template import COHORTS, COLUMNS, EXPLAINED, template


def sheets() -> dict[str, list[list[object]]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(template()))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def test_a_table_to_fill_in_and_a_sheet_that_explains_every_column_of_it() -> None:
    found = sheets()
    assert list(found) == [COHORTS, EXPLAINED]
    assert found[COHORTS] == [["cohort_id", "trial", "responders", "n"]]
    explained = {row[0]: row[1:] for row in found[EXPLAINED][1 : 1 + len(COLUMNS)]}
    assert list(explained) == found[COHORTS][0]
    assert all(needed and what for needed, what in explained.values())


def test_unfilled_it_has_no_rows_and_filled_it_is_read(tmp_path: Path, xlsx) -> None:
    path = tmp_path / "mine.xlsx"
    path.write_bytes(template())
    with pytest.raises(EvidenceError, match=r'sheet "Cohorts", row 1: found a header and no rows below it'):
        read_evidence(path)
    path.write_bytes(xlsx({COHORTS: [*sheets()[COHORTS], ["a", "A", 3, 10]], EXPLAINED: sheets()[EXPLAINED]}))
    evidence = read_evidence(path)
    assert (evidence.sheet, evidence.cohorts, evidence.responders, evidence.patients) == (COHORTS, 1, 3, 10)
