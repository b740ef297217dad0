"""A long table of adverse events: strict measures, counts with a denominator, and no patient twice within a measure."""

from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest

from alkbayes.errors import EvidenceError
from alkbayes.evidence.adverse_events import (
    MEASURES,
    POOLED,
    AdverseEvents,
    measure_words,
    measures_in_order,
    members_of,
    read_adverse_events,
)
from alkbayes.evidence.table import read_evidence
from alkbayes.spec.schema import model_path, read_spec

HEADER = "cohort_id,measure,events,n,counted\n"


def table(folder: Path, rows: str, header: str = HEADER) -> AdverseEvents:
    path = folder / "events.csv"
    path.write_text(header + rows, encoding="utf-8")
    return read_adverse_events(path)


def test_rows_are_counts_of_cohorts_or_of_several_together(tmp_path: Path) -> None:
    found = table(tmp_path, "a + b,serious_ae,3,20,yes\nc;d,serious_ae,0,5,yes\na,grade3_ae,1,8,no\n")
    assert found.frame["cohort_id"].tolist() == ["a+b", "c+d", "a"]
    assert found.frame["members"].tolist() == [("a", "b"), ("c", "d"), ("a",)]
    assert found.frame[["events", "n"]].dtypes.astype(str).tolist() == ["int64", "int64"]
    assert found.used["cohort_id"].tolist() == ["a+b", "c+d"]


def test_without_the_column_counted_all_rows_are(tmp_path: Path) -> None:
    assert len(table(tmp_path, "a,serious_ae,3,20\n", "cohort_id,measure,events,n\n").used) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            "a,serious_ae,3,20,yes\na,serious_ae,5,22,yes\n",
            'line 3, cohort "a", column cohort_id: found "a" again, which line 2 counts; allowed: a cohort once for',
        ),
        ("a,serious_ae,3,20,yes\na+b,serious_ae,5,42,yes\n", 'found "a" again, which line 2 counts'),
        ("a+a,serious_ae,3,20,yes\n", 'found "a" again, which line 2 counts'),
        ("a,serious_ae,21,20,yes\n", "column events: found 21 of 20; allowed: a whole number from 0 to 20."),
        ("a,serious_ae,3,,yes\n", "column n: found nothing; allowed: a whole number of 1 or more. Write it in digits"),
        ("a,serious_ae,3,0,yes\n", 'column n: found "0"; allowed: a whole number of 1 or more.'),
        ("a,serious_ae,43%,20,yes\n", 'column events: found "43%"'),
        ("a,serious ae,3,20,yes\n", 'column measure: found "serious ae"; allowed: serious_ae, grade3_ae,'),
        ("a,Grade3-AE,3,20,yes\n", "Write `grade3_ae`; measures of your own are allowed but must not resemble these."),
        ("a,serious_ae,3,20,maybe\n", 'column counted: found "maybe"; allowed: yes, no.'),
        (",serious_ae,3,20,yes\n", "column cohort_id: found nothing; allowed: any text."),
    ],
)
def test_a_fault_is_named_by_its_line(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(EvidenceError) as raised:
        table(tmp_path, rows)
    assert message in str(raised.value)


def test_every_column_is_needed_and_named_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError) as raised:
        table(tmp_path, "a,serious_ae,3,20\n", "cohort,measure,events,Patients\n")
    first, *faults = str(raised.value).split("\n")
    assert first.endswith("has 2 faults; nothing was computed.")
    assert "column cohort_id: found no such column, only cohort, measure, events and Patients;" in faults[0]
    assert faults[1].endswith('Rename "Patients" to it, if that is meant.')
    assert "--columns" not in str(raised.value), "they name those of the table of cohorts"
    assert raised.value.remedy is None


def test_one_of_an_interim_and_a_final_count_stays_beside(tmp_path: Path) -> None:
    found = table(tmp_path, "a,serious_ae,3,20,yes\na,serious_ae,5,22,no\na,treatment_related_serious_ae,1,20,yes\n")
    assert len(found.used) == 2


def test_a_measure_of_ones_own_comes_after_the_known_ones(tmp_path: Path) -> None:
    found = table(tmp_path, "a,hot_flushes,3,20,yes\na,grade3_ae,5,20,yes\n")
    assert measures_in_order(found.used) == ("grade3_ae", "hot_flushes")
    assert measure_words("hot_flushes") == "hot flushes"


def test_members_are_told_apart_by_either_sign() -> None:
    assert members_of("a+b; c + ") == ("a", "b", "c")


def test_every_pooled_measure_has_a_model_with_columns_of_its_own() -> None:
    columns = [column for model in POOLED.values() for column in read_spec(model_path(model)).outcome.columns]
    assert len(set(columns)) == 2 * len(POOLED)
    assert set(POOLED) <= set(MEASURES)


def test_a_cohort_may_have_such_a_sign_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(f"{HEADER}a+b,serious_ae,3,20,yes\na,serious_ae,1,9,yes\n", encoding="utf-8")
    found = read_adverse_events(path, {"a+b", "a"})
    assert found.frame["members"].tolist() == [("a+b",), ("a",)]
    with pytest.raises(EvidenceError, match="a cohort once for a measure"):
        read_adverse_events(path)


@pytest.fixture(scope="module")
def bundled() -> pd.DataFrame:
    return read_adverse_events().frame


def test_the_bundled_counts_are_those_in_print(bundled: pd.DataFrame) -> None:
    """Typed from the abstracts' own words: J-ALEX (PMID 28501140), ALEX, ASCEND-5 (28602779), ALESIA (30981696)."""
    found = {(row["cohort_id"], row["measure"]): (row["events"], row["n"]) for row in used(bundled)}
    for cohort, measure, counts, percent in (
        ("jalex-crizotinib", "grade3_ae", (54, 104), 52),
        ("jalex-alectinib", "grade3_ae", (27, 103), 26),
        ("jalex-crizotinib", "discontinuation_ae", (21, 104), 20),
        ("jalex-alectinib", "discontinuation_ae", (9, 103), 9),
        ("alex-alectinib", "grade3_ae", (63, 152), 41),
        ("alex-crizotinib", "grade3_ae", (75, 151), 50),
        ("ascend5-ceritinib", "serious_ae", (49, 115), 43),
        ("ascend5-chemotherapy", "serious_ae", (36, 113), 32),
        ("ascend5-chemotherapy", "discontinuation_ae", (8, 116), 7),
        ("alesia-alectinib", "grade3_ae", (36, 125), 29),
        ("alesia-crizotinib", "serious_ae", (16, 62), 26),
    ):
        assert found[cohort, measure] == counts
        assert round(100 * counts[0] / counts[1]) == percent


def test_deaths_in_alex_are_no_adverse_events(bundled: pd.DataFrame) -> None:
    rows = bundled[bundled["cohort_id"].str.startswith("alex-") & bundled["events"].isin([5, 7])]
    assert rows["measure"].tolist() == ["death", "death"]


def test_what_no_count_follows_from_is_not_there(bundled: pd.DataFrame) -> None:
    crown = bundled[bundled["cohort_id"].str.startswith("crown-")]
    assert crown["measure"].tolist() == ["fatal_ae"]
    assert (bundled["n"] >= 1).all()


def test_the_bundled_names_and_sources_are_those_of_the_other_tables(bundled: pd.DataFrame) -> None:
    assert set(bundled["measure"]) <= set(MEASURES)
    cohorts = read_evidence().frame.set_index("cohort_id")
    outside = {name for members in bundled["members"] for name in members if name not in cohorts.index}
    assert outside == {
        *("jalex-alectinib", "jalex-crizotinib", "crizotinib-japan-pms"),
        *("ascend5-chemotherapy", "profile1029-chemotherapy"),
    }
    text = files("alkbayes").joinpath("data", "sources.csv").read_text(encoding="utf-8")
    for source in set(bundled["source_id"].str.split(";").explode()):
        assert f"\n{source}," in text, source


def used(frame: pd.DataFrame) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = frame[frame["counted"]].to_dict("records")
    return rows
