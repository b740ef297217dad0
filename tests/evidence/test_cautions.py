"""Values spelt in two ways and a row of totals are named; what differs in more is left alone."""

from pathlib import Path

import pytest

from alkbayes.evidence.cautions import table_cautions
from alkbayes.evidence.table import read_evidence

STRANGERS = Path(__file__).parents[1] / "fixtures" / "strangers"
ALIKE = "If they are one, write them alike."


def cautions(folder: Path, *rows: str) -> tuple[str, ...]:
    path = folder / "own.csv"
    path.write_text("\n".join(("cohort_id,trial,region,responders,n", *rows)), encoding="utf-8")
    return table_cautions(read_evidence(path))


def test_the_bundled_table_needs_none() -> None:
    assert table_cautions(read_evidence()) == ()


def test_levels_and_trials_that_differ_in_case_are_named() -> None:
    assert table_cautions(read_evidence(STRANGERS / "case_levels.csv")) == (
        f'Column trial: "T5" and "t5" differ only in case or blanks and count as 2 values. {ALIKE}',
        f'Column region: "Asia" and "asia" differ only in case or blanks and count as 2 values. {ALIKE}',
        f'Column region: "Europe" and "europe" differ only in case or blanks and count as 2 values. {ALIKE}',
    )


def test_names_that_look_alike_are_said_to_be_two() -> None:
    (said,) = table_cautions(read_evidence(STRANGERS / "csv_nfd.csv"))
    expected = "differ only in Unicode form, which cannot be seen, and count as 2 values"
    assert said == f'Column trial: 2 spellings of "Müller" {expected}. {ALIKE}'


@pytest.mark.parametrize(("one", "other"), [("North America", "north  america"), ("NorthAmerica", "north america")])
def test_blanks_within_a_name(tmp_path: Path, one: str, other: str) -> None:
    (said,) = cautions(tmp_path, f"a,A,{one},3,30", f"b,B,{other},4,31")
    assert said.startswith(f'Column region: "{one}" and "{other}" differ only in case or blanks')


def test_what_differs_in_more_is_two_values(tmp_path: Path) -> None:
    """And free text may be spelt as it likes."""
    assert cautions(tmp_path, "a,A,Read twice,3,30", "b,B,read twice,4,31", "c,C,once,5,32") == ()
    assert cautions(tmp_path, "a,AURA2,naïve,3,30", "A,AURA-2,naive,4,31", "c,AURA3,,4,32", "d,,,5,33") == ()


def test_many_are_counted(tmp_path: Path) -> None:
    rows = [f"{name}{place},{name}{place},x,{place},{1000 + place}" for place in range(1, 9) for name in "aA"]
    said = cautions(tmp_path, *(f"{row}{place}" for place, row in enumerate(rows)))
    assert len([line for line in said if line.startswith("Column trial: ")]) == 5
    assert said[5] == "3 more values are spelt in two ways."


@pytest.mark.parametrize("name", ["Total", "AURA and others"])
def test_a_row_of_totals_is_named_and_used(tmp_path: Path, name: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text((STRANGERS / "csv_total_row.csv").read_text().replace("Total", name))
    evidence = read_evidence(path)
    assert (evidence.cohorts, evidence.responders, evidence.patients) == (6, 2 * 819, 2 * 1186)
    (said,) = table_cautions(evidence)
    assert said == (
        f'Cohort "{name}" has the sums of all others, 819 responders of 1,186 patients: if it is their total, delete '
        "the row, or every patient is counted twice."
    )


def test_two_rows_are_no_total_of_each_other(tmp_path: Path) -> None:
    assert cautions(tmp_path, "a,A,x,3,19", "b,B,x,3,19") == ()
    assert len(cautions(tmp_path, "a,A,x,3,19", "b,B,x,1,9", "c,C,x,2,10")) == 1
    assert cautions(tmp_path, "a,A,x,4,19", "b,B,x,1,9", "c,C,x,2,10") == ()


def test_levels_that_the_field_does_not_know_are_named_beside_those_that_it_knows(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,line,phase,responders,n\na,naive,II,1,9\nb,TKI-naive,2,2,8\nc,mixed,1b/2a,3,7\n")
    assert table_cautions(read_evidence(path)) == (
        'Column line: "TKI-naive" is a level beside naive and mixed. If one of these is meant, write it so.',
        'Column phase: "II" and "1b/2a" are levels beside 2. If one of these is meant, write it so.',
    )
    own = tmp_path / "1l.csv"
    own.write_text("cohort_id,line,responders,n\na,1L,1,9\nb,2L+,2,8\n")
    assert table_cautions(read_evidence(own)) == ()


@pytest.mark.parametrize(
    "name",
    [
        "Total",
        "TOTALS:",
        " sum ",
        "Overall",
        "Pooled",
        "Sub-total",
        "All",
        "Gesamt",
        "Summe",
        "Total général",
        "Total (95% CI)",
    ],
)
@pytest.mark.parametrize("column", ["cohort_id", "Study"])
def test_a_row_called_a_total_is_named_whatever_its_counts(tmp_path: Path, name: str, column: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"{column};Responders;N\nA;5;20\nB;9;30\nC;9;21\n{name};24;71\n", encoding="utf-8")
    assert table_cautions(read_evidence(path)) == (
        (
            f'Cohort "{name.strip()}" is called a total and has 24 responders of 71 patients; all others together have '
            "23 of 71. If it adds up other rows, delete it, or their patients are counted twice."
        ),
    )


def test_a_total_below_a_single_cohort_and_one_in_the_column_of_trials(tmp_path: Path) -> None:
    (said,) = cautions(tmp_path, "a,A,x,5,20", "Total,,x,5,21")
    assert said.startswith('Cohort "Total" is called a total and has 5 responders of 21 patients; all others ')
    (said,) = cautions(tmp_path, "a,A,x,5,20", "b,B,x,9,30", "c,Overall,x,15,50")
    assert said.startswith('Cohort "c" is called a total and has 15 responders of 50 patients')


def test_a_cohort_with_a_longer_name_or_alone_is_no_total(tmp_path: Path) -> None:
    rows = ("a,TOTAL-1,x,5,20", "Overall survivors,B,all,9,30", "c,C,total,4,11")
    assert cautions(tmp_path, *rows) == ()
    assert cautions(tmp_path, "Total,Total,x,5,20") == ()
