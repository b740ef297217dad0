"""What the columns of median PFS must obey: each fault by its line, with what to do."""

from pathlib import Path

import pytest

from alkbayes.errors import EvidenceError
from alkbayes.evidence.median_rules import months_of
from alkbayes.evidence.medians import check_medians
from alkbayes.evidence.table import read_evidence

HEADER = (
    "cohort_id,trial,line,regimen_class,n,responders,pfs_median,pfs_ci_low,pfs_ci_high,pfs_n,pfs_status,pfs_beyond\n"
)
FIRST = "a,A,naive,first,50,30,10.5,8,14,50,reached,\n"


def faults(tmp_path: Path, *rows: str) -> list[str]:
    """Return the lines of the error of a table with these PFS cells, `median,low,high,n,status,beyond`."""
    path = tmp_path / "own.csv"
    path.write_text(HEADER + FIRST + "".join(f"c{at},C,naive,first,40,20,{row}\n" for at, row in enumerate(rows)))
    evidence = read_evidence(path)
    with pytest.raises(EvidenceError) as caught:
        check_medians(evidence, needed=())
    return [line.removeprefix(f"  {path}, line ") for line in str(caught.value).splitlines()[1:]]


@pytest.mark.parametrize(
    ("cells", "column", "found", "says"),
    [
        ("NR,,,,,", "pfs_median", '"NR"', "write not_reached in the column pfs_status"),
        ("not reached,,,,,", "pfs_median", '"not reached"', "write not_reached"),
        ("12,9,NE,,,", "pfs_ci_high", '"NE"', "Leave a limit that was not reached or is not known empty."),
        ('"10,5",,,,,', "pfs_median", '"10,5"', "Write it with a point: 10.5."),
        (">36,,,,,", "pfs_median", '">36"', "into pfs_beyond"),
        ("11.1 (9.1-13.0),,,,,", "pfs_median", '"11.1 (9.1-13.0)"', "pfs_ci_low and pfs_ci_high"),
        ("0,,,,,", "pfs_median", '"0"', "Write a plain decimal number"),
        ("-3,,,,,", "pfs_median", '"-3"', "Write a plain decimal number"),
        ("730,,,,,", "pfs_median", '"730"', "Write months, not days or weeks."),
        ("1e1,,,,,", "pfs_median", '"1e1"', "Write a plain decimal number"),
        ("nan,,,,,", "pfs_median", '"nan"', "Write a plain decimal number"),
        ("9,<b>,,,,", "pfs_ci_low", '"<b>"', "Write a plain decimal number"),
        ("9,,,0,,", "pfs_n", '"0"', "n stands for it"),
        ("9,,,12.5,,", "pfs_n", '"12.5"', "n stands for it"),
        ("9,,,,Reached,", "pfs_status", '"Reached"', 'Did you mean "reached"?'),
        (",,,,NR,", "pfs_status", '"NR"', 'Did you mean "not_reached"?'),
        (",,,,maybe,", "pfs_status", '"maybe"', "allowed: reached, not_reached, not_reported."),
        (",,,,reached,", "pfs_status", "reached, without a median", "or write not_reached or not_reported"),
        ("9,,,,not_reached,", "pfs_status", "not_reached, beside a median of 9 months", "Delete the median"),
        ("9,,,,reached,12", "pfs_beyond", "12, of a median that is not marked", "Write not_reached"),
        (",8,,,,", "pfs_ci_low", "8, a lower limit without a median", "write not_reached into pfs_status"),
        (",8,20,,not_reached,", "pfs_ci_high", "20, an upper limit without a median", "delete the limit"),
        ("9,10,14,,,", "pfs_ci_low", "10, above the median of 9", "not swapped"),
        ("9,5,8,,,", "pfs_ci_high", "8, below the median of 9", "not swapped"),
        ("9,9,9,,,", "pfs_ci_high", "9, the same as the lower limit", "leave both empty"),
    ],
)
def test_what_is_refused(tmp_path: Path, cells: str, column: str, found: str, says: str) -> None:
    (line,) = faults(tmp_path, cells)
    assert line.startswith(f'3, cohort "c0", column {column}: found {found}')
    assert says in line


def test_all_faults_stand_in_one_error_by_line(tmp_path: Path) -> None:
    lines = faults(tmp_path, "NR,,,,,", "9,10,14,,,", "12,9,NE,x,,")
    assert [line.partition(",")[0] for line in lines] == ["3", "4", "5", "5"]


@pytest.mark.parametrize(
    "cells",
    [
        *("10.9,8.3,13.9,172,reached,", "25.7,19.9,,152,,", "7,,11,,,"),
        *(",,,,,", ",20.3,,125,not_reached,", ",,,46,not_reached,36"),
    ],
)
def test_what_is_allowed(tmp_path: Path, cells: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(HEADER + FIRST + f"c,C,naive,first,40,20,{cells}\n")
    check_medians(read_evidence(path), needed=("line", "trial"))


def test_a_table_without_medians_says_what_is_lacking(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,n,responders\na,40,20\n")
    with pytest.raises(EvidenceError, match=r"column pfs_median: found no such column, only cohort_id, n and"):
        check_medians(read_evidence(path), needed=())
    path.write_text("cohort_id,n,responders,pfs_median,pfs_status\na,40,20,,not_reached\n")
    with pytest.raises(EvidenceError, match=r"no cohort has a median PFS.*There is nothing to pool"):
        check_medians(read_evidence(path), needed=())


def test_a_model_s_column_may_not_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,trial,line,n,responders,pfs_median\na,,,40,20,9\n")
    with pytest.raises(EvidenceError, match=r"column line: found nothing"):
        check_medians(read_evidence(path), needed=("line", "trial"))
    check_medians(read_evidence(path), needed=("trial",))


def test_response_rates_do_not_wait_for_medians(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,n,responders,pfs_median\na,40,20,NR\n")
    assert read_evidence(path).cohorts == 1


def test_months() -> None:
    assert [months_of(cell) for cell in ("9", "9.50", ".5", "600")] == [9.0, 9.5, 0.5, 600.0]
    assert {months_of(cell) for cell in ("", "0", "-1", "601", "1e2", "nan", "inf", "९", "9.", " 9")} == {None}
