"""The traps of registry records, each on a record: real ones trimmed to figures, built ones around true figures."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction.candidates import Candidate, Status
from alkbayes.registry.extraction.cohorts import cohorts_of
from alkbayes.registry.extraction.kinds import Kind
from alkbayes.registry.extraction.units import in_months, number_of
from alkbayes.registry.study import study_of

type Records = dict[str, dict[str, Any]]
type Make = Callable[[dict[str, Any]], list[Candidate]]
G = ("OG000", "Lorlatinib")


def of(rows: list[Candidate], index: int, group: str = "OG000", title: str | None = None) -> Candidate:
    found = [
        row
        for row in rows
        if (row.outcome_index, row.group_id) == (index, group) and (title is None or row.class_title == title)
    ]
    assert len(found) == 1, found
    return found[0]


def test_trap_1_a_rate_is_a_percentage_a_count_a_proportion_or_a_count_in_disguise(
    outcome: Any, candidates: Make
) -> None:
    title = "Objective Response Rate"
    for value, unit, param in (
        ("42.3", "percentage of participants", "NUMBER"),
        ("42.3", "Percentage of patients", "NUMBER"),
        ("42.3", "% of subjects", "NUMBER"),
        ("30", "Participants", "COUNT_OF_PARTICIPANTS"),
        ("30", "participants", "NUMBER"),
        ("0.423", "Proportion of participants", "NUMBER"),
    ):
        record = outcome(title, (*G, "71", value, "", ""), unitOfMeasure=unit, paramType=param)
        (row,) = candidates(record)
        assert (row.kind, row.responders, row.n, row.status) == (Kind.ORR, 30, 71, Status.CLEAN), unit


def test_trap_2_the_unit_goes_before_the_title_and_two_readings_are_refused(outcome: Any, candidates: Make) -> None:
    title = "Number of Participants With Objective Response (ORR)"
    (percent,) = candidates(outcome(title, (*G, "71", "42.3", "", "")))
    assert (percent.responders, percent.status) == (30, Status.CLEAN)
    # A count by its unit that is none: 42.3 people.
    (no_count,) = candidates(outcome(title, (*G, "71", "42.3", "", ""), unitOfMeasure="participants"))
    assert (no_count.responders, no_count.status) == (None, Status.AMBIGUOUS)
    assert no_count.responders_fits == (30,)
    # A count by its unit, a percentage by its interval: 40 of 40 %, exact 28.6-52.4 of 71 is about 28/71.
    (both,) = candidates(
        outcome("Objective Response Rate", (*G, "70", "40", "28.5", "52.4"), unitOfMeasure="participants")
    )
    assert (both.responders, both.status) == (None, Status.AMBIGUOUS)
    assert "percentage by its interval" in both.why
    # No unit at all: 30 people and 30 % of 71 both fit.
    (unknown,) = candidates(outcome("Objective Response Rate", (*G, "71", "30", "", ""), unitOfMeasure=""))
    assert (unknown.responders, unknown.status) == (None, Status.AMBIGUOUS)


def test_trap_3_counts_that_fit_are_all_kept(built: Records, candidates: Make) -> None:
    row = of(candidates(built["NCT02075840"]), 0)
    assert (row.responders, row.responders_fits, row.status) == (None, (108, 109), Status.AMBIGUOUS)
    assert row.why.startswith("2 counts fit")


def test_trap_4_assessors_and_intracranial_responses_are_apart(
    built: Records, candidates: Make, protocol: Protocol
) -> None:
    record = built["NCT04362072"]
    rows = candidates(record)
    told = [(row.kind, row.assessor, row.n, row.responders) for row in rows]
    assert told == [
        (Kind.ORR, "irc", 71, 30),
        (Kind.ORR, "investigator", 71, 26),
        (Kind.INTRACRANIAL_ORR, "irc", 15, 7),
        (Kind.INTRACRANIAL_ORR, "investigator", 23, 13),
    ]
    (row,) = cohorts_of(rows, study_of(record), protocol).rows
    assert (row["assessor"], row["responders"], row["ic_n"], row["ic_responders"]) == ("irc", 30, 15, 7)
    assert "36.6" in row["note"], "the other reading is in the note"


def test_trap_5_cuts_of_one_trial_are_one_cohort(built: Records, candidates: Make, protocol: Protocol) -> None:
    record = built["NCT02604342"]
    rows = [row for row in candidates(record) if row.kind is Kind.ORR and row.agent]
    assert [(row.n, row.responders) for row in rows] == [(72, 26), (79, 40)]
    (cohort,) = cohorts_of(candidates(record), study_of(record), protocol).rows
    assert cohort["n"] == 72
    assert "also 50.6 percentage of participants of 79" in cohort["note"]


def test_trap_6_a_crossover_group_is_no_cohort(built: Records, candidates: Make, protocol: Protocol) -> None:
    rows = candidates(built["NCT02737501"])
    crossed = of(rows, 0, "OG002")
    assert (crossed.responders, crossed.status) == (37, Status.AMBIGUOUS)
    assert "crossover" in crossed.why
    made = cohorts_of(rows, study_of(built["NCT02737501"]), protocol)
    assert [row["arm"] for row in made.rows] == ["Brigatinib", "Crizotinib"]
    assert [each.candidate for each in made.undecided] == [crossed]


def test_trap_7_complete_and_partial_responses_are_added_over_one_denominator(
    posted: Records, outcome: Any, candidates: Make
) -> None:
    row = of(candidates(posted["NCT01065844"]), 0)
    assert row.title == "Tumor Progression"
    assert (row.kind, row.n, row.responders, row.status) == (Kind.BEST_RESPONSE, 11, 0, Status.CLEAN)

    def classes(*titles: tuple[str, str], **denoms: str) -> list[dict[str, Any]]:
        return [
            {"title": title, "categories": [{"measurements": [{"groupId": "OG000", "value": value}]}]}
            | (
                {"denoms": [{"units": "Participants", "counts": [{"groupId": "OG000", "value": denoms[title]}]}]}
                if title in denoms
                else {}
            )
            for title, value in titles
        ]

    unit = {"unitOfMeasure": "Participants", "paramType": "COUNT_OF_PARTICIPANTS"}
    three = (("CR", "2"), ("PR", "5"), ("SD", "3"))
    rows = candidates(outcome("Best Response by RECIST", (*G, "11", "0", "", ""), classes=classes(*three), **unit))
    total = of(rows, 0, title="")
    assert (total.kind, total.responders) == (Kind.BEST_RESPONSE, 7)
    assert of(rows, 0, title="CR").kind is Kind.CR
    # Another denominator for one of them: no sum.
    record = outcome("Best Response by RECIST", (*G, "11", "0", "", ""), classes=classes(*three, CR="5"), **unit)
    assert of(candidates(record), 0, title="").status is Status.AMBIGUOUS
    # Without partial responses: no sum at all.
    record = outcome("Best Response by RECIST", (*G, "11", "0", "", ""), classes=classes(three[0], three[2]), **unit)
    assert {row.kind for row in candidates(record)} == {Kind.CR, Kind.ORR} or Kind.BEST_RESPONSE not in {
        row.kind for row in candidates(record)
    }


def test_trap_8_other_responses_are_no_response_rate(posted: Records, candidates: Make) -> None:
    assert of(candidates(posted["NCT00023673"]), 5).kind is Kind.CR
    assert of(candidates(posted["NCT01207388"]), 0).kind is Kind.OTHER
    for index in (0, 1, 2, 4, 10):
        assert of(candidates(posted["NCT01029262"]), index).kind is Kind.OTHER


def test_trap_9_a_subgroup_has_the_n_of_its_title_and_no_count(posted: Records, candidates: Make) -> None:
    rows = candidates(posted["NCT01642004"])
    found = [row for row in rows if row.outcome_index == 10]
    assert [row.n for row in found] == [42, 39, 75, 69, 18, 29]
    assert {row.n_source for row in found} == {"title of the class"}
    assert {row.status for row in found} == {Status.AMBIGUOUS}
    assert {row.responders for row in found} == {None}
    assert [row.responders_fits for row in found] == [(9,), (3,), (11,), (8,), (7,), (1,)]


def test_trap_10_denominators_of_a_class_and_in_other_units(posted: Records, outcome: Any, candidates: Make) -> None:
    rows = candidates(posted["NCT00023673"])
    assert of(rows, 2, title="Late RT toxicity: Grade 3").n == 50
    assert of(rows, 2, title="Chemotherapy/Acute RT non-hematologic: Grade 3").n == 53
    denoms = [
        {"units": "Lesions", "counts": [{"groupId": "OG000", "value": "300"}]},
        {"units": "Participants", "counts": [{"groupId": "OG000", "value": "71"}]},
    ]
    (row,) = candidates(outcome("Objective Response Rate", (*G, "1", "42.3", "", ""), denoms=denoms))
    assert row.n == 71
    (row,) = candidates(
        outcome("Objective Response Rate", (*G, "1", "42.3", "", ""), denoms=denoms, denomUnitsSelected="Lesions")
    )
    assert row.n == 300


def test_trap_11_ids_of_groups_restart(built: Records, candidates: Make, protocol: Protocol) -> None:
    record = built["NCT03909971"]
    rows = candidates(record)
    assert [(row.group_id, row.group_title, row.n) for row in rows] == [
        ("OG000", "Lorlatinib", 67),
        ("OG000", "Lorlatinib", 42),
    ]
    cohorts = cohorts_of(rows, study_of(record), protocol).rows
    assert [(row["n"], row["responders"], row["prior_alk_tki"]) for row in cohorts] == [
        (67, 47, "crizotinib"),
        (42, 20, "any"),
    ]


def test_trap_12_groups_are_matched_by_words_and_never_by_place(outcome: Any, candidates: Make) -> None:
    record = outcome(
        "Objective Response Rate", ("OG000", "Arm 2", "20", "50", "", ""), ("OG001", "Chemotherapy", "20", "10", "", "")
    )
    arms = record["protocolSection"]["armsInterventionsModule"]
    arms["armGroups"] = [
        {"label": "Chemotherapy", "interventionNames": ["Drug: Pemetrexed"]},
        {"label": "Arm 2", "interventionNames": ["Drug: PF-06463922"]},
    ]
    rows = candidates(record)
    assert [(row.agent, row.agent_why) for row in rows] == [
        ("lorlatinib", "arm"),
        ("", "no agent of the protocol named"),
    ]
    record["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"][0]["groups"][0]["title"] = "Another name"
    assert candidates(record)[0].agent == ""


@pytest.mark.parametrize(
    ("population", "kind"),
    [
        ("All randomized participants", "itt"),
        ("Intent-to-treat population", "itt"),
        ("Response-evaluable participants with measurable disease", "evaluable"),
        ("", ""),
    ],
)
def test_trap_13_the_denominator_is_named(
    outcome: Any, candidates: Make, protocol: Protocol, population: str, kind: str
) -> None:
    record = outcome("Objective Response Rate", (*G, "71", "42.3", "", ""), populationDescription=population)
    (row,) = cohorts_of(candidates(record), study_of(record), protocol).rows
    assert row["analysis_set"] == kind


def test_trap_13_the_responders_of_a_duration_check_the_count(posted: Records, candidates: Make) -> None:
    rows = candidates(posted["NCT01642004"])
    for group in ("OG000", "OG001"):
        assert of(rows, 1, group).responders == of(rows, 5, group).n


def test_trap_14_only_words_make_a_median_not_reached(
    posted: Records, built: Records, candidates: Make, protocol: Protocol, outcome: Any
) -> None:
    assert of(candidates(posted["NCT01642004"]), 5).status is Status.CLEAN
    nobody = candidates(built["NCT03726333"])
    assert (of(nobody, 0).kind, of(nobody, 0).status) == (Kind.DOR, Status.REFUSED)
    assert of(nobody, 1).status is Status.CLEAN
    assert of(candidates(posted["NCT01029262"]), 7, "OG001").status is Status.REFUSED
    for comment, status in (
        ("Median was not reached", Status.CLEAN),
        ("Not reached", Status.CLEAN),
        ("Upper limit of the CI was not reached", Status.REFUSED),
        ("Not estimable due to an insufficient number of events", Status.REFUSED),
        ("", Status.REFUSED),
    ):
        record = outcome(
            "Progression-Free Survival", (*G, "71", "NA", "", ""), paramType="MEDIAN", unitOfMeasure="months"
        )
        cell = record["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"][0]["classes"][0]["categories"][0]
        cell["measurements"][0]["comment"] = comment
        assert candidates(record)[0].status is status, comment


def test_trap_15_a_range_is_no_interval_and_a_limit_may_stand_alone(posted: Records, candidates: Make) -> None:
    rows = candidates(posted["NCT01642004"])
    assert (of(rows, 4).value, of(rows, 4).ci_low, of(rows, 4).ci_high) == ("2.23", "", "")
    assert (of(rows, 5).ci_low, of(rows, 5).ci_high, of(rows, 5).ci_level) == ("9.76", "", "95")


def test_trap_16_rates_stand_beside_medians_and_units_of_time_differ(posted: Records, candidates: Make) -> None:
    rows = candidates(posted["NCT01642004"])
    assert of(rows, 6, title="6 months").kind is Kind.PFS_RATE
    assert of(rows, 6, title="6 months").responders is None
    assert of(rows, 7).kind is Kind.PFS_MEDIAN
    year = number_of("1")
    assert year is not None
    for value, unit, months in (
        ("12", "months", 12.0),
        ("1", "years", 12.0),
        ("52.18", "weeks", 12.0),
        ("365.25", "Days", 12.0),
    ):
        number = number_of(value)
        assert number is not None
        # 52.18 weeks are 365.26 days: the tolerance is that rounding.
        assert float(in_months(number, unit) or 0) == pytest.approx(months, abs=0.001)
    assert in_months(year, "cycles") is None


def test_trap_17_survival_endpoints_are_apart(built: Records, candidates: Make, protocol: Protocol) -> None:
    rows = candidates(built["NCT02075840"])
    assert of(rows, 2, "OG001").kind is Kind.OS_MEDIAN
    assert of(rows, 3).kind is Kind.PFS_MEDIAN
    alectinib = [
        row for row in cohorts_of(rows, study_of(built["NCT02075840"]), protocol).rows if row["agent"] == "alectinib"
    ]
    assert [row["pfs_median"] for row in alectinib] == [""], "81.1 months are survival, not PFS"


def test_trap_18_levels_of_intervals(posted: Records, outcome: Any, candidates: Make, protocol: Protocol) -> None:
    assert {row.ci_level for row in candidates(posted["NCT01874431"]) if row.outcome_index == 0} == {"90"}
    for label, level in (
        ("90% Confidence Interval", "90"),
        ("CONFIDENCE_95", "95"),
        ("97.5% Confidence Interval", "97.5"),
    ):
        (row,) = candidates(
            outcome("Objective Response Rate", (*G, "71", "42.3", "32.3", "52.7"), dispersionType=label)
        )
        assert row.ci_level == level
    record = outcome(
        "Objective Response Rate", (*G, "71", "42.3", "32.3", "52.7"), dispersionType="90% Confidence Interval"
    )
    (cohort,) = cohorts_of(candidates(record), study_of(record), protocol).rows
    assert (cohort["orr_reported"], cohort["orr_ci_low"], cohort["orr_ci_high"]) == ("42.3", "", "")


def test_trap_19_figures_that_repeat_are_told(outcome: Any, candidates: Make, protocol: Protocol) -> None:
    record = outcome("Objective Response Rate", (*G, "71", "42.3", "", ""))
    measures = record["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"]
    measures.append(dict(measures[0], type="OTHER_PRE_SPECIFIED"))
    first, second = candidates(record)
    assert "same figures as outcome 0" in second.why
    assert "same figures" not in first.why
    assert len(cohorts_of([first, second], study_of(record), protocol).rows) == 1


def test_trap_20_an_outcome_that_is_not_posted_has_no_rows(posted: Records, candidates: Make) -> None:
    assert [row for row in candidates(posted["NCT01065844"]) if row.outcome_index == 1] == []
    assert [row for row in candidates(posted["NCT01380080"]) if row.outcome_index == 2] == []


def test_trap_21_dose_cohorts_and_groups_of_other_genes(
    built: Records, outcome: Any, candidates: Make, protocol: Protocol
) -> None:
    rows = candidates(built["NCT01449461"])
    assert [row.responders for row in rows] == [7, 9, 19, 15, 1]
    record = outcome(
        "Objective Response Rate",
        ("OG000", "EXP1: ALK-positive", "30", "90.0", "", ""),
        ("OG001", "EXP6: ROS1", "47", "36.2", "", ""),
    )
    made = cohorts_of(candidates(record), study_of(record), protocol)
    assert [row["arm"] for row in made.rows] == ["EXP1: ALK-positive"]
    assert [each.why for each in made.undecided] == ["the group may not be of the population"]


def test_trap_24_denominators_are_never_added_over_outcomes(built: Records, candidates: Make) -> None:
    """Others have given N = 238 and 533 for PROFILE 1029; it had 104 and 103."""
    assert [row.n for row in candidates(built["NCT01639001"])] == [104, 103]


def test_trap_24_groups_that_share_people_are_not_both_cohorts(
    outcome: Any, candidates: Make, protocol: Protocol
) -> None:
    record = outcome("Objective Response Rate", (*G, "71", "42.3", "", ""), type="PRIMARY")
    record["protocolSection"]["designModule"] = {"enrollmentInfo": {"count": 71}}
    measures = record["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"]
    dose = outcome("Objective Response Rate by Dose", ("OG000", "Lorlatinib 100 mg", "40", "50", "", ""))
    measures += dose["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"]
    made = cohorts_of(candidates(record), study_of(record), protocol)
    assert [row["n"] for row in made.rows] == [71]
    assert "more participants than were enrolled" in made.undecided[0].why


def test_trap_26_hostile_titles_are_plain(outcome: Any, candidates: Make) -> None:
    title = "Objective\u202e Response\x1b[31m Rate &lt;script&gt;"
    record = outcome(title, ("OG000", "=cmd|' /C calc'!A0 Lorlatinib", "71", "42.3", "", ""))
    (row,) = candidates(record)
    assert row.title == "Objective Response [31m Rate"
    assert row.kind is Kind.ORR


def test_a_group_of_all_groups_is_no_cohort(outcome: Any, candidates: Make) -> None:
    groups = [("OG000", "Lorlatinib 50 mg", "20", "50", "", ""), ("OG001", "Lorlatinib 100 mg", "20", "50", "", "")]
    rows = candidates(outcome("Objective Response Rate", *groups, ("OG002", "All Participants", "40", "50", "", "")))
    assert [row.status for row in rows] == [Status.CLEAN, Status.CLEAN, Status.AMBIGUOUS]


def test_a_value_that_is_no_number_is_refused(outcome: Any, candidates: Make) -> None:
    for value in ("<0.1", "NR", "about 40", ""):
        (row,) = candidates(outcome("Objective Response Rate", (*G, "71", value, "", "")))
        assert (row.status, row.responders) == (Status.REFUSED, None), value


def test_nobody_at_risk_is_no_zero(outcome: Any, candidates: Make) -> None:
    (row,) = candidates(outcome("Objective Response Rate", (*G, "0", "0", "", "")))
    assert (row.status, row.why) == (Status.REFUSED, "nobody at risk")


def test_every_pointer_leads_to_the_figure(posted: Records, built: Records, candidates: Make) -> None:
    for record in (*posted.values(), *built.values()):
        for row in candidates(record):
            here: Any = record
            for step in row.pointer.strip("/").split("/"):
                here = here[int(step)] if isinstance(here, list) else here[step]
            if isinstance(here, dict) and "value" in here:
                assert row.value in (str(here["value"]).strip(), str(here["value"])), row.pointer


def test_extraction_is_deterministic(posted: Records, candidates: Make) -> None:
    assert candidates(posted["NCT01642004"]) == candidates(posted["NCT01642004"])
    first = candidates(posted["NCT01642004"])[0]
    assert replace(first) == first
