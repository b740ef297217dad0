"""Numbers in a table: what is refused, what is left out, and the structure that they make."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alkbayes.errors import EvidenceError, UsageError
from alkbayes.estimates.rates import posterior_of
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.covariates import stated_cohorts
from alkbayes.model.design import Number, build_design, number_text
from alkbayes.model.identification import NO_VARIANCE
from alkbayes.model.prior_implications import prior_implications
from alkbayes.model.restriction import restricted, vanished_levels
from alkbayes.planning.cohort import planned_cohort

NORMAL = {"prior": {"dist": "normal", "mean": 0.0, "sd": 0.5}}
AGE = {"column": "age", "kind": "numeric", "centre": 60, "scale": 10, "step": "per 10 years"} | NORMAL
LINE = {"column": "line", "kind": "fixed", "reference": "naive"} | NORMAL
ARM = {"column": "arm", "kind": "fixed", "reference": "x"} | NORMAL
COHORT = {"column": "cohort_id", "distribution": "normal", "sd_prior": {"dist": "half_normal", "sd": 0.5}}
LEAVE_OUT = {"missing": "leave_out"}

type SpecOf = Callable[..., Any]


def crossed(*columns: str) -> dict[str, Any]:
    return {"kind": "interaction", "column": list(columns)} | NORMAL


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Evidence]:
    def make(*ages: str, lines: str = "naive", arms: str = "x") -> Evidence:
        rows = [
            f"c{place},{'naive' if lines == 'naive' else lines.split()[place]},"
            f"{'x' if arms == 'x' else arms.split()[place]},{age},{place + 3},{10 + place}"
            for place, age in enumerate(ages)
        ]
        path = tmp_path / "table.csv"
        path.write_text("\n".join(["cohort_id,line,arm,age,responders,n", *rows]), encoding="utf-8")
        return read_evidence(path)

    return make


# cells


def test_a_missing_number_is_refused_by_its_cohort_and_column(spec_of: SpecOf, table: Any) -> None:
    with pytest.raises(EvidenceError) as caught:
        stated_cohorts(spec_of(effect=[AGE]), table("61", "", "NA"))
    first, *lines = caught.value.message.splitlines()
    assert first.endswith("table.csv has 2 faults; nothing was computed.")
    for line, number in zip(lines, (1, 2), strict=True):
        assert f'line {number + 2}, cohort "c{number}", column age: found nothing; allowed: a number.' in line
        assert 'missing = "leave_out"' in line


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("ca. 61", "Write it as 61."),
        ("61%", "Write it as 61, without the sign, in each row."),
        ("60-65", "Write a number, or leave the cell empty if it is not known."),
        ("inf", "Write a number"),
    ],
)
@pytest.mark.parametrize("missing", [{}, LEAVE_OUT])
def test_a_cell_that_is_no_number_is_refused_whatever_the_model_says_of_missing_ones(
    spec_of: SpecOf, table: Any, cell: str, advice: str, missing: dict[str, str]
) -> None:
    spec = spec_of(effect=[AGE | missing])
    with pytest.raises(EvidenceError) as caught:
        stated_cohorts(spec, table("61", cell))
    assert f'line 3, cohort "c1", column age: found "{cell}"; allowed: a number' in caught.value.message
    assert advice in caught.value.message
    with pytest.raises(EvidenceError, match='cohort "c1", column age: found'):
        build_design(spec, table("61", cell))


def test_cohorts_without_a_number_are_left_out_and_named(spec_of: SpecOf, table: Any) -> None:
    whole = table("61", "", "70", "NR", "55")
    spec = spec_of(effect=[AGE | LEAVE_OUT], heterogeneity=[COHORT])
    found = stated_cohorts(spec, whole)
    assert found.frame["cohort_id"].tolist() == ["c0", "c2", "c4"]
    assert found.notes[-1] == "2 of 5 cohorts are left out, without age: c1 and c3."
    assert found.part_of == whole
    assert stated_cohorts(spec, found) is found
    fit = fit_model(spec, whole, engine=Engine.QUADRATURE, settings=SamplerSettings(draws=250))
    assert fit.design.cohorts == ("c0", "c2", "c4")
    assert fit.evidence.notes == found.notes
    assert len(prior_implications(spec, whole, draws=1000)) > 0


def test_one_cohort_left_out_is_one(spec_of: SpecOf, table: Any) -> None:
    found = stated_cohorts(spec_of(effect=[AGE | LEAVE_OUT]), table("61", "", "70"))
    assert found.notes[-1] == "1 of 3 cohorts is left out, without age: c1."


def test_a_table_without_the_column_or_without_any_number_is_refused(spec_of: SpecOf, table: Any) -> None:
    with pytest.raises(EvidenceError, match="found no column dose, which the model made-up takes as a number; it has"):
        stated_cohorts(spec_of(effect=[AGE | {"column": "dose"}]), table("61", "70"))
    with pytest.raises(EvidenceError, match="no cohort has a number in age, which the model made-up needs"):
        stated_cohorts(spec_of(effect=[AGE | LEAVE_OUT]), table("", ""))


def test_a_model_without_numbers_takes_the_table_as_it_is(spec_of: SpecOf, table: Any) -> None:
    whole = table("x", "")
    assert stated_cohorts(spec_of(effect=[LINE]), whole) is whole


# structure


@pytest.mark.parametrize(
    ("value", "text"),
    [(21.0, "21"), (-0.0, "0"), (0.1 + 0.2, "0.3"), (2005.0, "2005"), (1e-7, "1e-07"), (3.67, "3.67")],
)
def test_a_number_has_one_notation(value: float, text: str) -> None:
    assert number_text(value) == text


def test_a_number_is_a_line_through_its_centre(spec_of: SpecOf, table: Any) -> None:
    design = build_design(spec_of(effect=[AGE]), table("70", "55.0", "9", "55"))
    (block,) = design.effects
    assert block.levels == ("9", "55", "70")  # by value, not by spelling
    np.testing.assert_allclose(block.basis[block.index][:, 0], [1.0, -0.5, -5.1, -0.5])
    assert block.free_coords == ("per 10 years",)
    assert block.numbers == {"age": Number(60, 10, "per 10 years")}
    np.testing.assert_array_equal(design.covariates["age"], [70.0, 55.0, 9.0, 55.0])


def test_an_interaction_may_come_before_its_effects(spec_of: SpecOf, table: Any) -> None:
    evidence = table("70", "55", "40", "60", lines="naive pretreated mixed pretreated")
    design = build_design(spec_of(effect=[crossed("age", "line"), LINE, AGE]), evidence)
    assert [block.label for block in design.effects] == ["line", "age", "age:line"]
    block = design.effects[2]
    assert block.free_coords == ("per 10 years:pretreated", "per 10 years:mixed")
    np.testing.assert_allclose(block.basis[block.index], [[0, 0], [-0.5, 0], [0, -2], [0, 0]])


def test_levels_by_levels_have_every_combination_without_a_reference(spec_of: SpecOf, table: Any) -> None:
    evidence = table("1", "2", "3", "4", lines="naive pretreated naive pretreated", arms="x x y z")
    design = build_design(spec_of(effect=[LINE, ARM, crossed("line", "arm")]), evidence)
    block = design.effects[2]
    assert block.free_coords == ("pretreated:y", "pretreated:z")
    np.testing.assert_array_equal(block.basis[block.index], [[0, 0], [0, 0], [0, 0], [0, 1]])


def test_a_number_that_every_cohort_shares(spec_of: SpecOf, table: Any) -> None:
    at_centre = build_design(
        spec_of(effect=[AGE, LINE, crossed("age", "line")]), table("60", "60.0", lines="naive mixed")
    )
    assert [block.label for block in at_centre.effects] == ["line"]
    assert at_centre.notes == (
        "age: every cohort is '60'; there is nothing to compare, and the model has no such effect",
        "line: naive and mixed have one cohort each: nothing shows how cohorts of these levels differ.",
        NO_VARIANCE,
    )
    elsewhere = build_design(spec_of(effect=[AGE]), table("50", "50"))
    assert [block.label for block in elsewhere.effects] == ["age"]
    assert elsewhere.notes[0] == "age: every cohort has 50, so that its slope rests on its prior."


def test_a_centre_outside_the_table_is_said(spec_of: SpecOf, table: Any) -> None:
    (note, _, averaged) = build_design(spec_of(effect=[AGE]), table("61", "75")).notes
    assert note.startswith("age: its centre, 60, is outside the table's values, 61 to 75, so that the intercept")
    assert averaged == "Pooled rates are averaged over the patients' values of age, each cohort's its own."


def test_leaving_cohorts_out_takes_no_level_of_a_number(spec_of: SpecOf, table: Any) -> None:
    design = build_design(spec_of(effect=[AGE, LINE]), table("61", "75", "50", lines="naive naive mixed"))
    kept = np.array([0, 1])
    assert vanished_levels(design, kept) == ("line mixed",)
    assert restricted(design, kept).profiles["age"].tolist() == ["61", "75"]


# what priors imply, and planned cohorts


def test_prior_implications_are_shown_per_step_over_the_range_and_within_an_interaction(
    spec_of: SpecOf, table: Any
) -> None:
    evidence = table("55", "70", "40", "60", lines="naive pretreated pretreated naive")
    spec = spec_of(effect=[AGE, LINE, crossed("age", "line")], heterogeneity=[COHORT])
    implied = prior_implications(spec, evidence, draws=40_000)
    odds = implied[(implied["scale"] == "odds_ratio") & (implied["quantity"] == "levels")].set_index("of")
    assert list(odds.index) == [
        "age 70 vs 60 (per 10 years)",
        "age 70 vs 40 (the range of the table)",
        "line pretreated vs naive",
        "age 70 vs 60 (per 10 years), line pretreated",
    ]
    for of, sd in zip(odds.index, (0.5, 1.5, 0.5, np.hypot(0.5, 0.5)), strict=True):
        np.testing.assert_allclose(np.log(odds.loc[of, "high"]), 1.96 * sd, rtol=0.03)
    assert set(implied.loc[implied["quantity"] == "typical", "of"]) == {
        "age 60, line naive",
        "age 60, line pretreated",
    }


def test_a_planned_cohort_may_have_any_number(spec_of: SpecOf, table: Any) -> None:
    evidence = table("55", "70", "40", "60", lines="naive pretreated pretreated naive")
    fit = fit_model(
        spec_of(effect=[AGE, LINE], heterogeneity=[COHORT]),
        evidence,
        engine=Engine.QUADRATURE,
        settings=SamplerSettings(draws=250),
    )
    draws = posterior_of(fit).draws
    planned = planned_cohort(fit, {"age": "80.0", "line": "pretreated"})
    assert dict(planned.levels) == {"age": "80", "line": "pretreated"}
    assert (planned.cohorts, planned.patients, planned.averaged) == (2, 23, ())
    centre = draws["alpha"] + 2 * draws["beta_age"][:, 0] + draws["beta_line"][:, 0]
    logits = np.log(planned.rates / (1 - planned.rates))
    # Stratified deviations about the centre: their mean within a draw is the centre's.
    np.testing.assert_allclose(logits.mean(axis=1), centre, atol=0.25 * draws["tau_cohort"].max())
    with pytest.raises(UsageError, match="age: found 'old'; allowed: a number; those of the table are from 40 to 70"):
        planned_cohort(fit, {"age": "old"})
    open_line = planned_cohort(fit, {"age": "50"})
    assert open_line.averaged == ("line",)
    assert open_line.weights


@pytest.mark.parametrize(
    ("column", "by", "of_level"),
    [("trial", "line", "tau_trial_by_line"), ("cohort_id", "trial", "tau_cohort_by_trial")],
)
def test_cohorts_without_trials_are_trials_of_their_own_in_heterogeneity_by_level(
    spec_of: SpecOf, table: Any, column: str, by: str, of_level: str
) -> None:
    term = COHORT | {"column": column, "by": by, "spread_prior": COHORT["sd_prior"]}
    design = build_design(spec_of(heterogeneity=[term]), table("50", "60", "70", lines="naive naive mixed"))
    (block,) = design.heterogeneity
    assert block.of_level == of_level
    assert len(block.units) == 3
    assert block.by is not None
    assert list(block.by.units.values()) == ([2, 1] if by == "line" else [1, 1, 1])
