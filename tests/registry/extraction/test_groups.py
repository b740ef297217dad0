"""Groups of several outcomes as people: no key joins them, and a wrong join is a wrong number.

The records are built for these tests, in the real structure.
"""

from collections.abc import Callable
from typing import Any

import pytest

from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction.arms import matched_arm
from alkbayes.registry.extraction.candidates import candidates_of
from alkbayes.registry.extraction.cohorts import Cohorts, cohorts_of
from alkbayes.registry.outcomes import Group
from alkbayes.registry.study import study_of

type Outcome = dict[str, Any]
type Make = Callable[..., Cohorts]
HALF, MORE = ("100", "50.0", "39.8", "60.2"), ("110", "60.0", "50.2", "69.2")


@pytest.fixture
def made(outcome: Callable[..., dict[str, Any]], protocol: Protocol) -> Make:
    """Return the cohorts of a study of one drug with outcomes of (title, more of the outcome, groups)."""

    def cohorts(*outcomes: tuple[str, dict[str, Any], tuple[tuple[str, ...], ...]], enrolled: int = 210) -> Cohorts:
        measures = []
        for title, more, groups in outcomes:
            record = outcome(title, *groups, **more)
            measures += record["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"]
        record["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"] = measures
        record["protocolSection"]["designModule"] = {"enrollmentInfo": {"count": enrolled}}
        study = study_of(record)
        return cohorts_of(candidates_of(record, study, protocol), study, protocol)

    return cohorts


def figures(made: Cohorts) -> list[tuple[Any, ...]]:
    return [(row["n"], row["responders"], row["prior_alk_tki"], row["pfs_median"]) for row in made.rows]


def doubts(made: Cohorts) -> list[tuple[str, str]]:
    return [(each.what, each.why.partition(";")[0]) for each in made.undecided]


MEDIAN = {"paramType": "MEDIAN", "unitOfMeasure": "months"}
DRUG = ("OG000", "Lorlatinib")
NAIVE, TREATED = "ORR in Crizotinib-Naive Patients", "ORR in Patients Previously Treated With Crizotinib"


def test_two_groups_of_one_title_are_no_cohort_until_a_person_tells_them_apart(made: Make) -> None:
    found = made(("Objective Response Rate", {}, ((*DRUG, *HALF), ("OG001", "lorlatinib", *MORE))))
    assert found.rows == ()
    assert doubts(found) == [("orr", "another group of the outcome has the same title")] * 2
    untitled = made(("Objective Response Rate", {}, (("OG000", "", *HALF), ("OG001", "", *MORE))))
    assert untitled.rows == ()
    assert len(untitled.undecided) == 2


def test_outcomes_that_name_different_histories_are_about_different_people(made: Make) -> None:
    median = (*DRUG, "100", "24.0", "18.5", "30.1")
    both = made((NAIVE, {}, ((*DRUG, *HALF),)), (TREATED, {}, ((*DRUG, *MORE),)))
    assert figures(both) == [(100, 50, "none", ""), (110, 66, "crizotinib", "")]
    wrong = made((TREATED, {}, ((*DRUG, *MORE),)), ("PFS in Crizotinib-Naive Patients", MEDIAN, (median,)))
    assert figures(wrong) == [(110, 66, "crizotinib", "")]
    assert doubts(wrong) == [("pfs_median", "of other participants than the response?")]
    right = made((NAIVE, {}, ((*DRUG, *HALF),)), ("PFS in Crizotinib-Naive Patients", MEDIAN, (median,)))
    assert figures(right) == [(100, 50, "none", "24.0")]
    silent = made((NAIVE, {}, ((*DRUG, *HALF),)), ("Progression-Free Survival", MEDIAN, (median,)))
    assert figures(silent) == [(100, 50, "none", "24.0")]
    either = made(
        (NAIVE, {}, ((*DRUG, *HALF),)),
        (TREATED, {}, ((*DRUG, *MORE),)),
        ("Progression-Free Survival", MEDIAN, (median,)),
    )
    assert figures(either) == figures(both)
    assert doubts(either) == [("pfs_median", "of other participants than the response?")]


def test_a_response_of_all_is_no_third_cohort_beside_its_parts(made: Make) -> None:
    found = made(
        (NAIVE, {}, ((*DRUG, *HALF),)),
        (TREATED, {}, ((*DRUG, *MORE),)),
        ("Objective Response Rate", {}, ((*DRUG, "210", "55.2", "48.2", "62.1"),)),
        enrolled=500,
    )
    assert figures(found) == [(100, 50, "none", ""), (110, 66, "crizotinib", "")]
    assert doubts(found) == [("orr", "of which of the groups of this title?")]


@pytest.mark.parametrize(
    "title", ["Objective Response Rate, Crossover Period", "Period 2: ORR", "ORR After the Second Treatment Period"]
)
def test_a_second_period_counts_people_again(made: Make, title: str) -> None:
    found = made(("Objective Response Rate", {}, ((*DRUG, *HALF),)), (title, {}, ((*DRUG, *MORE),)))
    assert figures(found) == [(100, 50, "", "")]
    assert doubts(found) == [("orr", "a crossover or extension group, counted in another group too")]


def test_a_median_of_far_fewer_people_is_not_joined(made: Make) -> None:
    for n, median in (("31", ""), ("88", "24.0")):
        cell = (*DRUG, n, "24.0", "18.5", "30.1")
        found = made(("Objective Response Rate", {}, ((*DRUG, *HALF),)), ("PFS", MEDIAN, (cell,)))
        assert figures(found) == [(100, 50, "", median)]
        assert doubts(found) == ([] if median else [("pfs_median", "of other participants than the response?")])


def test_another_figure_of_far_fewer_people_is_told(made: Make) -> None:
    few = (*DRUG, "20", "45.0", "23.1", "68.5")
    found = made(("Objective Response Rate", {}, ((*DRUG, *HALF),)), ("ORR at Month 6", {}, (few,)))
    assert figures(found) == [(100, 50, "", "")]
    assert doubts(found) == [("orr", "cohort of 100: other participants?")]


def test_a_group_resistant_to_an_agent_is_no_crossover(made: Make) -> None:
    groups = (("OG000", "Lorlatinib in NSCLC resistant to crizotinib", *HALF),)
    assert figures(made(("Objective Response Rate", {}, groups))) == [(100, 50, "crizotinib", "")]
    crossed = (("OG000", "Crizotinib to lorlatinib", *HALF),)
    assert made(("Objective Response Rate", {}, crossed)).rows == ()


def test_arm_10_is_not_arm_1() -> None:
    arms = [{"label": label} for label in ("Arm 1", "Arm 2")]
    study = study_of({"protocolSection": {"armsInterventionsModule": {"armGroups": arms}}})
    assert matched_arm(Group("OG000", "Arm 10: lorlatinib", ""), study) is None
    found = matched_arm(Group("OG000", "Arm 1: lorlatinib", ""), study)
    assert found is not None
    assert found.label.text == "Arm 1"


@pytest.mark.parametrize("history", ["Crizotinib-Pretreated", "crizotinib-resistant", "Crizotinib Naive"])
def test_an_agent_of_a_groups_past_is_none_of_its_agents(made: Make, history: str) -> None:
    found = made(("Objective Response Rate", {}, (("OG000", f"Lorlatinib, {history}", *HALF),)))
    assert [row["agent"] for row in found.rows] == ["lorlatinib"]
    assert figures(found)[0][2] == ("none" if "Naive" in history else "crizotinib")


@pytest.mark.parametrize("name", ["BICR", "BIRC", "IRC", "ICR", "IRRC", "BIRRC", "IRR", "IRF"])
def test_an_abbreviated_committee_is_independent_review(made: Make, name: str) -> None:
    found = made((f"Objective Response Rate by {name}", {}, ((*DRUG, *HALF),)))
    assert [row["assessor"] for row in found.rows] == ["irc"]


def cells(*sizes: tuple[str, int]) -> tuple[tuple[str, ...], ...]:
    """Groups of (title, n) with half of them responding, as counts."""
    return tuple((f"OG{place:03}", title, str(n), str(n // 2), "", "") for place, (title, n) in enumerate(sizes))


COUNTS = {"paramType": "COUNT_OF_PARTICIPANTS", "unitOfMeasure": "Participants", "dispersionType": ""}


@pytest.mark.parametrize(
    ("sums", "parts"),
    [
        # NCT02513472, NCT02404441, NCT02414139, NCT02616393, NCT02551991, NCT02432846: numbers and titles but the drug.
        (["Overall: Lorlatinib"], [66, 101]),
        (["All Phase II Patients"], [61, 59, 59, 42, 40]),
        (["Cohort 4 + Cohort 6.2: All Pre-treated Patients"], [69, 31]),
        (["Overall BM"], [13, 3]),
        (["Cohort -1: Pooled"], [25, 7]),
        (["Lorlatinib, Total (Both Strata)"], [32, 13]),
    ],
)
def test_a_sum_of_groups_beside_its_parts_is_no_cohort(made: Make, sums: list[str], parts: list[int]) -> None:
    groups = cells(
        *((title, sum(parts)) for title in sums), *((f"Stratum {place}", n) for place, n in enumerate(parts))
    )
    found = made(("Objective Response Rate (ORR)", COUNTS, groups), enrolled=9999)
    assert [row["n"] for row in found.rows] == parts
    assert doubts(found) == [("orr", "a group of all other groups together")] * len(sums)


def test_a_combination_named_by_its_drugs_is_no_sum(made: Make) -> None:
    groups = cells(("Avelumab + Lorlatinib", 31), ("Lorlatinib", 20), ("Avelumab", 9))
    found = made(("Objective Response Rate", COUNTS, groups), enrolled=9999)
    assert 31 in [row["n"] for row in found.rows]


def test_parts_by_two_axes_in_one_outcome_are_left_to_a_person(made: Make) -> None:
    """As in NCT02599402: by disease and by performance status, with the whole; no title says which is which."""
    groups = cells(("Cutaneous", 365), ("Mucosal", 32), ("PS 0-1", 340), ("PS 2", 57))
    found = made(("Objective Response Rate (ORR)", COUNTS, groups), enrolled=397)
    assert found.rows == ()
    assert doubts(found) == [("orr", "more participants than were enrolled: counted in another group?")] * 4
    whole = cells(("Lorlatinib", 60), ("Aged below 65", 40), ("Aged 65 or more", 20))
    found = made(("Objective Response Rate (ORR)", COUNTS, whole), enrolled=70)
    assert [row["n"] for row in found.rows] == [40, 20]
    assert doubts(found) == [("orr", "more participants than were enrolled: counted in another group?")]


def test_a_group_under_two_titles_is_one_cohort(made: Make) -> None:
    """As in NCT02625623: one arm is "Avelumab + SC" in one outcome and "Avelumab + BSC" in another."""
    found = made(
        ("Best Overall Response Rate (ORR)", COUNTS, cells(("Lorlatinib + BSC", 185))),
        ("Objective Response Rate (ORR)", {**COUNTS, "type": "PRIMARY"}, cells(("Lorlatinib + SC", 185))),
        enrolled=371,
    )
    assert [(row["arm"], row["n"]) for row in found.rows] == [("Lorlatinib + SC", 185)]
    assert doubts(found) == [
        ("orr", "as many participants as another group of lorlatinib: the same under another title?")
    ]
