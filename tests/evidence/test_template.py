"""The workbook to fill in: what is in it, and that it is read once it is filled."""

import io
import re
import zipfile
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from alkbayes.errors import EvidenceError
from alkbayes.evidence.outcomes import Outcome
from alkbayes.evidence.table import read_evidence
from alkbayes.evidence.template import COHORTS, EXPLAINED, template

BASIC = ["cohort_id", "trial", "responders", "n"]


def sheets(content: bytes) -> dict[str, list[list[object]]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def validations(content: bytes) -> list[str]:
    """Return the checks that Excel makes on entry, as the file has them."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    return re.findall("<dataValidation .*?</dataValidation>", sheet)


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        pytest.param(template(), [*BASIC, "line", "regimen_class", "prior_alk_tki"], id="any model"),
        pytest.param(
            template(Outcome("infections", "catheters"), ["coating", "line", "trial"]),
            ["cohort_id", "trial", "infections", "catheters", "coating", "line"],
            id="a model of its own",
        ),
    ],
)
def test_a_table_to_fill_in_and_a_sheet_that_explains_every_column_of_it(content: bytes, columns: list[str]) -> None:
    found = sheets(content)
    assert list(found) == [COHORTS, EXPLAINED]
    assert found[COHORTS] == [columns]
    explained = {row[0]: row[1:] for row in found[EXPLAINED][1 : 1 + len(columns)]}
    assert list(explained) == columns
    assert all(needed and what for needed, what in explained.values())
    assert "naive, pretreated, mixed; or levels of your own." in str(explained["line"][1])
    assert explained[columns[2]] == [
        "always",
        f"How many had the event: a whole number from 0 to {columns[3]}. No percentages.",
    ]


def test_known_levels_are_offered_and_others_are_possible() -> None:
    checks = {re.search('sqref="([A-Z])', check)[1]: check for check in validations(template())}
    assert sorted(checks) == list("CDEFG")
    assert '<formula1>"naive,pretreated,mixed"</formula1>' in checks["E"]
    assert '<formula1>"first,second,third,combination,experimental"</formula1>' in checks["F"]
    assert '<formula1>"none,crizotinib,second,any,mixed"</formula1>' in checks["G"]
    assert all('errorStyle="information"' in checks[column] for column in "EFG")
    assert all('type="whole"' in checks[column] and "errorStyle" not in checks[column] for column in "CD")


def test_unfilled_it_has_no_rows_and_filled_it_is_read(tmp_path: Path, xlsx) -> None:
    path = tmp_path / "mine.xlsx"
    path.write_bytes(template())
    empty = sheets(template())
    with pytest.raises(EvidenceError, match=r'sheet "Cohorts", row 1: found a header and no rows below it'):
        read_evidence(path)
    path.write_bytes(xlsx(empty | {COHORTS: [*empty[COHORTS], ["a", "A", 3, 10]]}))
    evidence = read_evidence(path)
    assert (evidence.sheet, evidence.cohorts, evidence.responders, evidence.patients) == (COHORTS, 1, 3, 10)
