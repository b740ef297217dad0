import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from alkbayes.errors import RegistryError
from alkbayes.evidence.table import read_evidence
from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction.tables import extract_folder
from alkbayes.registry.flow import (
    MOST_LINES,
    NO_RESULTS,
    Flow,
    boxes_of,
    check_agrees,
    flow_beside,
    flow_of,
    prisma_csv,
    read_flow,
    write_flow,
)
from alkbayes.registry.folder import Folder
from alkbayes.registry.screening.decisions import screen_folder


@pytest.fixture
def extracted(reg: Folder, protocol: Protocol) -> Folder:
    screen_folder(reg, protocol)
    extract_folder(reg, protocol)
    return reg


@pytest.fixture
def flow(extracted: Folder) -> Flow:
    return flow_of(extracted)


def test_every_record_is_accounted_for(flow: Flow) -> None:
    """By hand from the built records: 30, of which 10 are of no review, 3 have no results, 2 are baskets."""
    assert (flow.identified, flow.duplicates, flow.screened) == (30, 0, 30)
    assert (sum(flow.excluded.values()), flow.by_people) == (10, 0)
    assert (flow.sought, flow.not_retrieved) == (20, {NO_RESULTS: 3})
    assert flow.assessed == 17
    assert flow.reports_excluded == {
        "No response of a group under an agent of the review": 5,
        "Screening not decided": 1,
    }
    assert (flow.studies, flow.cohorts, flow.participants) == (11, 19, 1302)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"duplicates": 1}, "identified = duplicates + screened (30, 31)"),
        ({"screened": 29}, "screened = excluded + sought"),
        ({"not_retrieved": {}}, "sought = not retrieved + assessed (20, 17)"),
        ({"studies": 12}, "assessed = excluded + studies (17, 18)"),
        ({"sources": {"a": 3}}, "identified = sum of the sources (30, 3)"),
        ({"by_people": 11}, "people excluded more records"),
    ],
)
def test_counts_that_do_not_add_up_are_refused(flow: Flow, change: dict[str, object], said: str) -> None:
    with pytest.raises(RegistryError) as caught:
        replace(flow, **change)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_counts_are_read_back(extracted: Folder, flow: Flow) -> None:
    counts, _ = write_flow(extracted, flow)
    assert read_flow(counts) == flow


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schema", 2),
        ("studies", "11"),
        ("studies", -11),
        ("excluded", []),
        ("excluded", {"a": "10"}),
        ("searched", 5),
        ("cohorts", True),
    ],
)
def test_a_file_of_counts_that_was_changed_is_refused(extracted: Folder, flow: Flow, name: str, value: object) -> None:
    counts, _ = write_flow(extracted, flow)
    document = json.loads(counts.read_text(encoding="utf-8")) | {name: value}
    counts.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(RegistryError):
        read_flow(counts)


def test_the_csv_is_that_of_the_r_package(flow: Flow) -> None:
    """Header, keys, nodes and boxes as in PRISMA2020's inst/extdata/PRISMA.csv; what a registry does not have is NA."""
    rows = list(csv.DictReader(io.StringIO(prisma_csv(flow))))
    assert list(rows[0]) == ["data", "node", "box", "description", "boxtext", "tooltips", "url", "n"]
    by_key = {row["data"]: row for row in rows if row["data"] != "NA"}
    assert len(rows) == 34
    assert by_key["register_results"]["n"] == "30"
    assert by_key["register_specific_results"]["n"] == "ClinicalTrials.gov, 30"
    assert by_key["records_screened"]["box"] == "box4"
    assert by_key["dbr_notretrieved_reports"]["n"] == "3"
    assert by_key["dbr_excluded"]["n"] == (
        "No response of a group under an agent of the review, 5; Screening not decided, 1"
    )
    assert by_key["new_studies"]["n"] == by_key["total_studies_ma"]["n"] == "11"
    assert by_key["previous_studies"]["n"] == "NA"


def test_a_reason_with_the_csvs_own_marks_is_written_without_them(flow: Flow) -> None:
    odd = replace(flow, reports_excluded={"dose, or; schedule": 6})
    rows = csv.DictReader(io.StringIO(prisma_csv(odd)))
    assert {row["n"] for row in rows if row["data"] == "dbr_excluded"} == {"dose  or  schedule, 6"}
    formula = replace(flow, reports_excluded={"=1+1": 6})
    assert ",'=1+1" in prisma_csv(formula).replace('"', "")


def test_a_person_who_excludes_is_counted_with_the_reason(extracted: Folder) -> None:
    path = extracted.file("screening.csv")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    chosen = frame["nct_id"] == "NCT01828099"
    frame.loc[chosen, ["decision", "reason", "decided_by"]] = ["exclude", "Results retracted", "person"]
    frame.to_csv(path, index=False)
    with pytest.raises(RegistryError, match=r"has NCT01828099; allowed: records of .* that screening kept"):
        flow_of(extracted)
    table = extracted.path / "table.csv"
    cohorts = pd.read_csv(extracted.file("cohorts.csv"), dtype=str, keep_default_na=False)
    cohorts[cohorts["registry_id"] != "NCT01828099"].to_csv(table, index=False)
    flow = flow_of(extracted, table)
    assert flow.excluded["Results retracted"] == 1
    assert (flow.by_people, flow.studies) == (1, 10)


def test_a_table_without_rows_has_a_flow(extracted: Folder) -> None:
    path = extracted.path / "none.csv"
    path.write_text(extracted.file("cohorts.csv").read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    flow = flow_of(extracted, path)
    assert (flow.studies, flow.cohorts, flow.participants) == (0, 0, 0)


def test_each_step_that_is_missing_is_named(reg: Folder, protocol: Protocol) -> None:
    with pytest.raises(RegistryError, match="Screen first"):
        flow_of(reg)
    screen_folder(reg, protocol)
    with pytest.raises(RegistryError, match="Extract first"):
        flow_of(reg)


def test_a_flow_that_is_not_the_tables_is_an_error(extracted: Folder, flow: Flow) -> None:
    evidence = read_evidence(extracted.file("cohorts.csv"))
    check_agrees(flow, evidence, "flow.json")
    with pytest.raises(RegistryError, match=r"19 cohorts \(table: 66\)"):
        check_agrees(flow, read_evidence(), "flow.json")


def test_a_table_of_a_folder_finds_its_counts(extracted: Folder, flow: Flow, tmp_path: Path) -> None:
    table = str(extracted.file("cohorts.csv"))
    assert flow_beside(table) is None
    counts, _ = write_flow(extracted, flow)
    assert flow_beside(table) == counts
    assert flow_beside("bundled") is None


def test_a_box_with_very_many_reasons_stays_a_box(flow: Flow) -> None:
    many = {f"Reason {k}": 1 for k in range(10)} | {"Other": 0}
    odd = replace(flow, excluded=many)
    box = boxes_of(odd)[1][2]
    assert box is not None
    assert len(box.lines) <= MOST_LINES + 1
    hundred = replace(flow, sources={f"file {k}": 1 for k in range(30)})
    lines = boxes_of(hundred)[0][1].lines
    assert len(lines) == MOST_LINES
    assert lines[-1] == "17 others (n = 17)"
