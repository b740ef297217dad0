"""Patients by year."""

import pandas as pd

from alkbayes.evidence.composition import patients_by_year
from alkbayes.evidence.table import Evidence, read_evidence


def table(**columns: list[str]) -> Evidence:
    frame = pd.DataFrame({"cohort_id": list("abcd"), "n": [10, 20, 30, 40], "responders": [1, 2, 3, 4]} | columns)
    return Evidence(frame, "own.csv", "", b"")


def rows(evidence: Evidence) -> list[tuple]:
    return [
        (None if pd.isna(year) else int(year), *rest)
        for year, *rest in patients_by_year(evidence).itertuples(index=False)
    ]


def test_the_year_is_that_of_the_cutoff() -> None:
    evidence = table(cutoff=["2017-05", "2016", "2017", ""], source_id=["x"] * 4)
    assert rows(evidence) == [
        (2016, "cut-off", 1, 20),
        (2017, "cut-off", 2, 40),
        (None, "unknown", 1, 40),
    ]


def test_a_table_without_the_column_has_no_years() -> None:
    assert rows(table()) == [(None, "unknown", 4, 100)]
    assert rows(table(cutoff=["soon", "17", "1066", " "])) == [(None, "unknown", 4, 100)]


def test_the_bundled_table_falls_back_on_its_sources() -> None:
    evidence = read_evidence()
    counted = patients_by_year(evidence)
    assert counted["patients"].sum() == evidence.patients
    assert counted["cohorts"].sum() == evidence.cohorts
    by_basis = counted.groupby("basis")["cohorts"].sum()
    assert by_basis["cut-off"] == 21
    # PROFILE 1001 has no cut-off; the first of its sources is Camidge et al. 2012.
    published = counted[counted["basis"] == "publication"]
    assert 2012 in published["year"].tolist()
