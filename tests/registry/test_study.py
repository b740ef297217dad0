from typing import Any

from alkbayes.registry.study import nct_id_of, study_of


def record(**modules: Any) -> dict[str, Any]:
    return {"protocolSection": {"identificationModule": {"nctId": "NCT00000001"}, **modules}}


def test_criteria_are_split_at_headings_wherever_they_stand() -> None:
    text = "Inclusion Criteria:\n\n* ALK-positive\n* Age \\>= 18\n\nKey Exclusion Criteria:\n\n* alkaline phosphatase"
    for variant in (text, text.replace("\n", " "), text.replace("Key Exclusion Criteria:", "EXCLUSION CRITERIA")):
        study = study_of(record(eligibilityModule={"eligibilityCriteria": variant}))
        assert "ALK-positive" in " ".join(line.text for line in study.inclusion)
        assert "Age >= 18" in " ".join(line.text for line in study.inclusion)
        assert "alkaline" in " ".join(line.text for line in study.exclusion)
        assert "alkaline" not in " ".join(line.text for line in study.inclusion)


def test_a_line_broken_for_print_is_whole_again() -> None:
    study = study_of(
        record(eligibilityModule={"eligibilityCriteria": "* No EGFR or\n  ALK alteration\n* without\n  an ALK change"})
    )
    assert [line.text for line in study.inclusion] == ["* No EGFR or ALK alteration", "* without an ALK change"]


def test_what_is_unknown_is_none_and_not_zero() -> None:
    study = study_of(record(designModule={"enrollmentInfo": {"count": 99999999}}))
    assert study.enrollment is None
    assert study.minimum_age == ""
    assert study.phases == ()


def test_results_elsewhere_are_told_from_no_results() -> None:
    assert study_of({**record(), "hasResults": True}).has_results
    assert not study_of({**record(), "hasResults": True}).results_here
    assert not study_of(record()).has_results


def test_a_hostile_record_is_read_for_what_it_has() -> None:
    study = study_of(
        {
            "protocolSection": {
                "identificationModule": {"nctId": "nct00000001", "briefTitle": ["x"], "unknown": {"kept": 1}},
                "designModule": "none",
                "armsInterventionsModule": {"armGroups": [1, {"label": "A\u202e"}]},
            }
        }
    )
    assert study.nct_id == "NCT00000001"
    assert [arm.label.text for arm in study.arms] == ["A"]
    assert study.faults == (
        "/protocolSection/designModule: found a text; allowed: an object",
        "/protocolSection/identificationModule/briefTitle: found a list; allowed: a text",
        "/protocolSection/armsInterventionsModule/armGroups/0: found a number; allowed: an object",
    )


def test_a_number_that_is_none_is_empty() -> None:
    for number in ("NCT0", "NCT123456789", "../../etc/passwd", "", 5, None):
        assert nct_id_of({"protocolSection": {"identificationModule": {"nctId": number}}}) == ""
    assert nct_id_of([]) == ""
