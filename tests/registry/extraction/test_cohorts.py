from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from alkbayes.errors import RegistryError
from alkbayes.evidence.table import read_evidence
from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction.cohorts import COLUMNS, SOURCE_COLUMNS, numbered, slug
from alkbayes.registry.extraction.tables import Extraction, extract_folder, rows_of
from alkbayes.registry.folder import Folder
from alkbayes.registry.screening.decisions import screen_folder
from alkbayes.reporting.sections.sources import read_sources

DATA = Path(__file__).parents[3] / "alkbayes" / "data"


@pytest.fixture
def extraction(reg: Folder, protocol: Protocol) -> Extraction:
    screen_folder(reg, protocol)
    return extract_folder(reg, protocol)


def test_columns_are_those_of_the_bundled_tables() -> None:
    # Labels are written by people.
    assert [name for name in pd.read_csv(DATA / "cohorts.csv", nrows=0).columns if name != "label"] == list(COLUMNS)
    assert list(pd.read_csv(DATA / "sources.csv", nrows=0).columns) == list(SOURCE_COLUMNS)


def test_the_table_is_one_that_a_fit_takes(reg: Folder, extraction: Extraction) -> None:
    evidence = read_evidence(reg.file("cohorts.csv"), needed=("registry_id", "regimen_class"))
    assert evidence.cohorts == len(extraction.cohorts) == 19
    assert set(read_sources(reg.file("sources.csv"))) == set(evidence.frame["source_id"])


def test_figures_are_those_of_the_trials(reg: Folder, extraction: Extraction) -> None:
    rows = {row["cohort_id"]: row for row in extraction.cohorts}
    row = rows["ascend-4-ceritinib"]
    figures = {
        name: row[name] for name in ("n", "responders", "orr_reported", "orr_ci_low", "pfs_median", "pfs_ci_high")
    }
    assert figures == {
        "n": 189,
        "responders": 137,
        "orr_reported": "72.5",
        "orr_ci_low": "65.5",
        "pfs_median": "16.6",
        "pfs_ci_high": "27.2",
    }
    known = {name: row[name] for name in ("line", "prior_alk_tki", "assessor", "confirmed", "count_basis", "certainty")}
    assert known == {
        "line": "naive",
        "prior_alk_tki": "none",
        "assessor": "irc",
        "confirmed": "yes",
        "count_basis": "derived",
        "certainty": "low",
    }
    assert row["prior_chemo"] == "", "what the record does not say stays empty"
    assert "/outcomeMeasures/1/" in row["note"]
    assert "PMID 28126333" in row["note"]
    assert "PMID 28126333, 1" not in row["note"], "only what the sponsor calls results"


def test_a_combination_has_its_partner(extraction: Extraction) -> None:
    (row,) = [row for row in extraction.cohorts if row["registry_id"] == "NCT02584634"]
    assert (row["agent"], row["partner"], row["regimen_class"], row["n"]) == (
        "lorlatinib",
        "avelumab",
        "combination",
        31,
    )


def test_histories_come_from_the_nearest_words(extraction: Extraction) -> None:
    told = {row["cohort_id"]: (row["line"], row["prior_alk_tki"]) for row in extraction.cohorts}
    assert told["ascend-5-ceritinib"] == ("pretreated", "crizotinib")
    assert told["ascend-7-arm-1-prior-brain-radiation-prior-alk-inhibitor"] == ("pretreated", "any")
    assert told["ascend-7-arm-3-prior-brain-radiation-alk-inhibitor-naive"] == ("", "none"), "may have had chemotherapy"
    assert told["alta-1l-brigatinib"] == ("", "none"), "no prior ALK inhibitor"
    assert told["nct04362072-lorlatinib"] == ("pretreated", "second")


def test_what_a_person_must_decide_is_listed(extraction: Extraction) -> None:
    found = {(each.nct_id, each.what) for each in extraction.undecided}
    assert ("NCT02737501", "orr") in found, "the crossover group"
    assert ("NCT02075840", "orr") in found, "two counts that fit"
    assert ("NCT02568267", "screening") in found
    assert ("NCT01154140", "no cohort") in found
    assert ("NCT03052608", "no results") not in found, "no results posted is no decision"


def test_a_record_on_which_screening_is_unclear_gives_candidates_and_no_cohort(
    reg: Folder, extraction: Extraction
) -> None:
    assert "\nNCT01449461," in reg.file("candidates.csv").read_text(encoding="utf-8")
    assert not any(row["registry_id"] == "NCT01449461" for row in extraction.cohorts)


def test_without_a_screening_every_record_is_extracted(reg: Folder, protocol: Protocol) -> None:
    made = extract_folder(reg, protocol)
    assert not made.screened
    assert len(made.studies) == 30
    assert any(row["registry_id"] == "NCT01449461" for row in made.cohorts)


def test_extracting_twice_writes_the_same_bytes(reg: Folder, protocol: Protocol, extraction: Extraction) -> None:
    names = ("candidates.csv", "cohorts.csv", "sources.csv", "adverse_events.csv", "undecided.csv")
    before = {name: reg.file(name).read_bytes() for name in names}
    extract_folder(reg, protocol)
    assert {name: reg.file(name).read_bytes() for name in names} == before


@pytest.mark.parametrize(
    ("name", "before", "after", "own"),
    [
        ("cohorts.csv", ",low,", ",high,", "table.csv"),
        ("sources.csv", ",full", ",abstract", "my-sources.csv"),
        ("undecided.csv", "not decided", "done: not decided", "my-undecided.csv"),
    ],
)
def test_a_table_that_a_person_edited_is_not_overwritten(
    reg: Folder, protocol: Protocol, extraction: Extraction, name: str, before: str, after: str, own: str
) -> None:
    path = reg.file(name)
    edited = path.read_text(encoding="utf-8").replace(before, after, 1)
    path.write_text(edited, encoding="utf-8")
    with pytest.raises(RegistryError, match=rf"{name}: was edited since it was extracted.*{own}"):
        extract_folder(reg, protocol)
    assert path.read_text(encoding="utf-8") == edited
    path.replace(reg.file(own))
    extract_folder(reg, protocol)
    assert path.exists()


def test_an_interrupted_extraction_is_no_edit(
    reg: Folder, protocol: Protocol, extraction: Extraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    reg.record(extraction.cohorts[0]["registry_id"]).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write_json", interrupted_after(Folder.write_json))
        with pytest.raises(KeyboardInterrupt):
            extract_folder(reg, protocol)
    again = extract_folder(reg, protocol)
    assert len(again.cohorts) < len(extraction.cohorts)
    assert extract_folder(reg, protocol) == again


def interrupted_after[**P](work: Callable[P, None]) -> Callable[P, None]:
    """Return a function that is interrupted when its work is done."""

    def interrupted(*args: P.args, **options: P.kwargs) -> None:
        work(*args, **options)
        raise KeyboardInterrupt

    return interrupted


def test_trap_25_adverse_events_keep_absent_and_zero_apart(
    reg: Folder, protocol: Protocol, extraction: Extraction
) -> None:
    assert "NCT01828099" in extraction.studies
    _, events = rows_of(reg, "NCT01828099", protocol)
    rows = {(each["nct_id"], each["group_id"], each["kind"]): each for each in events}
    served = rows["NCT01828099", "EG000", "serious_ae"]
    assert (served["n"], served["responders"], served["status"]) == (189, 84, "clean")
    nobody = rows["NCT01828099", "EG001", "serious_ae"]
    assert (nobody["n"], nobody["responders"], nobody["status"]) == (0, None, "refused")
    assert ("NCT01828099", "EG000", "death") not in rows, "the record has no number of deaths"


def test_ids_are_unique_slugs() -> None:
    assert slug("ALTA-1L: Brigatinib 180 mg (7-day lead-in at 90 mg), once daily for ever and ever") == (
        "alta-1l-brigatinib-180-mg-7-day-lead-in-at-90-mg-once-daily"
    )
    assert slug("…") == "cohort"
    rows = numbered([{"cohort_id": "a"}, {"cohort_id": "b"}, {"cohort_id": "a"}])
    assert [row["cohort_id"] for row in rows] == ["a", "b", "a-2"]
