"""The alternatives together: their names, and which apply to a model and a table."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from alkbayes.evidence.cuts import with_cuts
from alkbayes.evidence.outcomes import ORR
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.sensitivity_analysis.alternatives import ALTERNATIVES, BY_NAME, AlternativeAnalysis, Family, apply
from alkbayes.sensitivity_analysis.edits import Inapplicable
from alkbayes.spec.schema import Spec, model_names, model_path, read_spec


def test_every_alternative_has_a_name_of_its_own_and_says_what_and_why() -> None:
    assert len(BY_NAME) == len(ALTERNATIVES)
    assert {alternative.family for alternative in ALTERNATIVES} == set(Family)
    for alternative in ALTERNATIVES:
        assert alternative.change
        assert alternative.why.endswith("?")


@pytest.mark.parametrize("model", model_names())
def test_every_alternative_applies_to_every_bundled_model_or_says_why_not(model: str) -> None:
    spec = read_spec(model_path(model))
    evidence = read_evidence(needed=spec.columns)
    found = {name: apply(alternative, spec, evidence) for name, alternative in BY_NAME.items()}
    for name, analysis in found.items():
        if isinstance(analysis, Inapplicable):
            assert analysis.reason, name
        else:
            assert len(analysis.design.cohorts) == analysis.evidence.cohorts
            assert analysis.design.n.sum() == analysis.evidence.patients
    applied = [name for name, analysis in found.items() if isinstance(analysis, AlternativeAnalysis)]
    assert {"independent review", "intention to treat", "stated counts", "no phase 1", "high certainty"} <= {*applied}
    assert ("mixed 50 % pretreated" in applied) == ("line by prior TKI" in applied) == ("line" in spec.columns)


def test_later_cuts_are_asked_of_tables_that_have_other_counts_alone() -> None:
    spec = read_spec(model_path("line"))
    evidence = read_evidence(needed=spec.columns)
    assert not BY_NAME["later cut"].concerns(spec, evidence)
    assert BY_NAME["later cut"].concerns(spec, with_cuts(evidence))
    assert isinstance(apply(BY_NAME["later cut"], spec, with_cuts(evidence)), AlternativeAnalysis)


def test_a_table_of_pretreated_cohorts_alone_says_what_it_cannot_do(
    spec_of: Callable[..., Spec], table_of: Callable[..., Evidence]
) -> None:
    spec = read_spec(model_path("line-generation"))
    table = table_of("\n".join(f"c{place} {'AB'[place % 2]} pretreated second 40 {15 + place}" for place in range(6)))
    found = {name: apply(alternative, spec, table) for name, alternative in BY_NAME.items()}
    assert found["mixed 50 % pretreated"] == Inapplicable("the table has no naive and no mixed cohorts")
    assert found["mixed lines left out"] == Inapplicable("it leaves no cohort out")
    assert found["high certainty"] == Inapplicable("the table has no column certainty")
    assert isinstance(found["tau half-Cauchy 0.5"], AlternativeAnalysis)
    assert isinstance(apply(BY_NAME["differences normal 2"], spec_of(), table), Inapplicable)


@pytest.mark.parametrize(
    ("phases", "reason"),
    [
        ("1 1 1 1 1 1 1 1 2 3", "it leaves 2 of 10 cohorts, fewer than 3"),
        # Of naive cohorts: a1, b1 and d1.
        ("1 2 1 2 2 1 2 2 2 2", "it leaves no cohort with line naive, the level that others are compared with"),
        # Cohorts of the first generation stay, all of them naive or pretreated.
        ("2 1 2 1 1 1 2 1 1 1", "it leaves cohorts of one regimen_class alone, first: nothing to compare"),
    ],
)
def test_what_leaves_too_little_is_not_fitted(
    spec_of: Callable[..., Spec], table_of: Callable[..., Evidence], phases: str, reason: str
) -> None:
    spec = read_spec(model_path("line-generation"))
    assert apply(BY_NAME["no phase 1"], spec, table_of(phase=phases.split())) == Inapplicable(reason)


@pytest.mark.parametrize("rows", ["a A naive first 40 12", "a A naive first 40 12\nb B naive first 41 16"])
def test_priors_are_varied_where_a_table_has_one_cohort_or_two(
    rows: str, spec_of: Callable[..., Spec], table_of: Callable[..., Evidence]
) -> None:
    half = {"dist": "half_normal", "sd": 0.7}
    terms = [{"column": name, "distribution": "normal", "sd_prior": half} for name in ("trial", "cohort_id")]
    spec, table = spec_of(heterogeneity=terms), table_of(rows)
    taus = [alternative for alternative in BY_NAME.values() if alternative.name.startswith("tau ")]
    assert len(taus) == 6
    for alternative in (*taus, BY_NAME["intercept normal 3"], BY_NAME["probit link"], BY_NAME["beta-binomial"]):
        analysis = apply(alternative, spec, table)
        assert isinstance(analysis, AlternativeAnalysis), alternative.name
        assert len(analysis.design.cohorts) == len(table.frame)


def test_an_alternative_must_not_leave_one_cohort_of_two(
    spec_of: Callable[..., Spec], table_of: Callable[..., Evidence]
) -> None:
    table = table_of("a A naive first 40 12\nb B naive first 41 16", phase=["1", "2"])
    assert apply(BY_NAME["no phase 1"], spec_of(), table) == Inapplicable("it leaves 1 of 2 cohorts, fewer than 2")


def test_a_table_is_asked_about_its_own_columns_and_about_responses_where_these_are_counted(
    spec_of: Callable[..., Spec],
    table_of: Callable[..., Evidence],
) -> None:
    def asked(evidence: Evidence) -> set[str]:
        return {alternative.name for alternative in ALTERNATIVES if alternative.concerns(spec_of(), evidence)}

    of_others = {each.name for each in ALTERNATIVES if each.of_exnex or each.of_cuts or each.of_judgements}
    always = {alternative.name for alternative in ALTERNATIVES if alternative.column is None} - of_others
    assert {"tau half-normal 1", "intercept normal 3", "beta-binomial"} <= always
    assert asked(read_evidence()) == {*BY_NAME} - of_others
    small = table_of("a A naive first 40 12\nb B naive first 41 16", assessor=["irc", "investigator"])
    lines = {alternative.name for alternative in ALTERNATIVES if alternative.column == "line"}
    assert asked(small) == {*always, *lines, "independent review"}
    events = replace(small, outcome=replace(ORR, event="event"), frame=small.frame.drop(columns="line"))
    assert asked(events) == always


LOW_RISK = BY_NAME["low risk of bias"]


def test_low_risk_is_asked_where_people_judged_it_and_keeps_what_they_said(
    spec_of: Callable[..., Spec], table_of: Callable[..., Evidence]
) -> None:
    spec, table = spec_of(), table_of()
    assert not LOW_RISK.concerns(spec, table)
    assert apply(LOW_RISK, spec, table) == Inapplicable("the table has no overall judgements of the risk of bias")
    low = table.frame["cohort_id"].tolist()[2:6]
    judged = replace(table, low_risk=frozenset(low))
    assert LOW_RISK.concerns(spec, judged)
    found = apply(LOW_RISK, spec, judged)
    assert isinstance(found, AlternativeAnalysis)
    assert found.evidence.frame["cohort_id"].tolist() == low


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (0, "it leaves 0 of 10 cohorts, fewer than 3"),
        (2, "it leaves 2 of 10 cohorts, fewer than 3"),
        (10, "it leaves no cohort out"),
    ],
)
def test_low_risk_says_how_many_cohorts_remain_where_they_are_too_few(
    spec_of: Callable[..., Spec], table_of: Callable[..., Evidence], kept: int, reason: str
) -> None:
    table = table_of()
    judged = replace(table, low_risk=frozenset(table.frame["cohort_id"].tolist()[:kept]))
    assert apply(LOW_RISK, spec_of(), judged) == Inapplicable(reason)
