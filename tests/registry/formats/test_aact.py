# ruff: noqa: E501 - rows of tables stand on one line
"""AACT's tables, built here around the figures of ASCEND-4."""

import zipfile
from pathlib import Path

import pytest

from alkbayes.errors import RegistryError
from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction.candidates import candidates_of
from alkbayes.registry.extraction.events import event_totals_of
from alkbayes.registry.formats import aact
from alkbayes.registry.formats.files import sources_of
from alkbayes.registry.screening.rules import screen
from alkbayes.registry.study import study_of

TABLES = {
    "studies": "nct_id|brief_title|official_title|acronym|overall_status|phase|study_type|enrollment|last_update_posted_date\n"
    "NCT01828099|LDK378 Versus Chemotherapy in ALK Rearranged Advanced NSCLC||ASCEND-4|Active, not recruiting|PHASE1/PHASE2|INTERVENTIONAL|376|2026-01-15\n",
    "eligibilities": "id|nct_id|criteria|minimum_age|maximum_age|adult|child|older_adult\n"
    '1|NCT01828099|"Inclusion Criteria:~~* ALK-positive, ""advanced"" NSCLC~~Exclusion Criteria:~~* other | pipes"|18 Years|N/A|t|f|t\n',
    "conditions": "id|nct_id|name\n1|NCT01828099|Non-small Cell Lung Cancer\n",
    "design_groups": "id|nct_id|group_type|title|description\n7|NCT01828099|Experimental|Ceritinib|\n",
    "interventions": "id|nct_id|intervention_type|name|description\n8|NCT01828099|Drug|LDK378|\n",
    "design_group_interventions": "id|nct_id|design_group_id|intervention_id\n1|NCT01828099|7|8\n",
    "outcomes": "id|nct_id|outcome_type|title|units|dispersion_type|param_type\n"
    "11|NCT01828099|Secondary|Overall Response Rate (ORR) by BIRC|percentage of participants|95% Confidence Interval|NUMBER\n"
    "12|NCT01828099|Primary|Progression Free Survival (PFS)|months|95% Confidence Interval|MEDIAN\n",
    # The ids of groups are wrong for outcome 12, as they have been in AACT: the codes count.
    "result_groups": "id|nct_id|ctgov_group_code|result_type|title|description|outcome_id\n"
    "21|NCT01828099|OG000|Outcome|Ceritinib||11\n22|NCT01828099|OG000|Outcome|Ceritinib||12\n"
    "23|NCT01828099|EG000|Reported Event|Ceritinib||\n",
    "outcome_counts": "id|nct_id|outcome_id|ctgov_group_code|scope|units|count\n"
    "1|NCT01828099|11|OG000|Measure|Participants|189\n2|NCT01828099|12|OG000|Measure|Participants|189\n",
    "outcome_measurements": "id|nct_id|outcome_id|result_group_id|ctgov_group_code|classification|category|param_value|"
    "dispersion_lower_limit|dispersion_upper_limit|explanation_of_na\n"
    "1|NCT01828099|11|21|OG000|||72.5|65.5|78.7|\n2|NCT01828099|12|21|OG000|||16.6|12.6|27.2|\n",
    "reported_event_totals": "id|nct_id|ctgov_group_code|event_type|subjects_affected|subjects_at_risk\n"
    "1|NCT01828099|EG000|serious|84|189\n2|NCT01828099|EG000|deaths||\n",
}


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    place = tmp_path / "aact"
    place.mkdir()
    for name, text in TABLES.items():
        (place / f"{name}.txt").write_text(text, encoding="utf-8")
    return place


def test_studies_are_put_together_from_the_tables(tables: Path, protocol: Protocol) -> None:
    ((name, studies),) = sources_of([tables])
    record = next(studies).study
    study = study_of(record)
    assert (name, study.acronym, study.enrollment) == ("aact", "ASCEND-4", 376)
    assert [phase.text for phase in study.phases] == ["PHASE1", "PHASE2"]
    assert study.exclusion[1].text == "* other | pipes"
    assert str(screen(study, protocol).decision) == "include"
    response, survival = candidates_of(record, study, protocol)
    assert (response.kind, response.n, response.responders, response.agent) == ("orr", 189, 137, "ceritinib")
    assert (survival.kind, survival.value, survival.group_title) == ("pfs_median", "16.6", "Ceritinib")
    (serious,) = event_totals_of(record, study.nct_id)
    assert (serious.value, serious.n) == (84, 189)


def test_a_zip_of_the_tables_is_the_same(tables: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "aact.zip", "w") as archive:
        for path in tables.iterdir():
            archive.write(path, path.name)
    (from_folder, from_zip) = [list(studies) for _, studies in sources_of([tables, tmp_path / "aact.zip"])]
    assert from_folder == from_zip


def test_the_whole_registry_is_refused(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aact, "MOST_STUDIES", 0)
    with pytest.raises(RegistryError, match="Export those of your search"):
        list(next(sources_of([tables]))[1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id|name\n1|x\n", "has no column nct_id"),
        ("id|nct_id|name\n1|NCT01828099\n", "line 2: has another number of cells"),
    ],
)
def test_a_broken_table_is_named(tables: Path, text: str, said: str) -> None:
    (tables / "conditions.txt").write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError, match=rf"conditions\.txt.*{said}"):
        list(next(sources_of([tables]))[1])
