"""A planned cohort against the pooled table of the same levels, and against the model written out by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from alkbayes.errors import UsageError
from alkbayes.estimates.rates import pooled_draws, posterior_of
from alkbayes.inference.settings import SamplerSettings
from alkbayes.model.draws import from_prior
from alkbayes.model.expected_rate import expected_rate
from alkbayes.model.predictive import NEXT_COHORTS_PER_DRAW, heterogeneity_of
from alkbayes.planning.cohort import levels_of, planned_cohort
from alkbayes.vocabulary import INTERVAL_PROB, Estimand, Standard

DRAWS = 400


def fit_of(case: Any) -> Any:
    """Return what stands for a fit: draws of the prior, which cost nothing, with all that is read of one."""
    return SimpleNamespace(
        design=case.design,
        spec=case.spec,
        evidence=case.evidence,
        draws=from_prior(case.design, rng=np.random.default_rng(3), draws=DRAWS),
        provenance=SimpleNamespace(settings=SamplerSettings(seed=5)),
        standard=Standard.OWN,
        interval_prob=INTERVAL_PROB,
    )


@pytest.fixture(scope="module")
def default(case_of: Any) -> Any:
    return fit_of(case_of("line-generation"))


@pytest.mark.parametrize("name", ["line-generation", "beta-binomial", "probit", "cloglog", "robust", "overall"])
def test_levels_that_the_table_has_are_the_pooled_tables_next_cohort(case_of: Any, name: str) -> None:
    fit = fit_of(case_of(name))
    rows = {
        (row["group"], row["level"]): (row, draws)
        for row, draws in pooled_draws(posterior_of(fit))
        if row["estimand"] == Estimand.NEXT_COHORT
    }
    asked: dict[tuple[str, str], dict[str, str]] = {("all", "all"): {}}
    if name != "overall":
        asked |= {
            ("line", "naive"): {"line": "naive"},
            ("generation", "third"): {"generation": "third"},
            ("line:generation", "naive:third"): {"line": "naive", "generation": "third"},
        }
    for key, levels in asked.items():
        row, draws = rows[key]
        found = planned_cohort(fit, levels)
        np.testing.assert_array_equal(found.rates, draws)
        assert found.rates.shape == (DRAWS, NEXT_COHORTS_PER_DRAW)
        assert (found.cohorts, found.patients, found.weights) == (row["k"], row["patients"], row["weights"])
        assert found.seen


def test_a_combination_that_no_cohort_has(default: Any) -> None:
    found = planned_cohort(default, {"line": "naive", "generation": "experimental"})
    assert (found.seen, found.cohorts, found.patients, found.averaged, found.weights) == (False, 0, 0, (), "")
    draws = {name: values[0] for name, values in default.draws.items()}
    levels = next(block.levels for block in default.design.effects if block.label == "generation")
    mu = draws["alpha"] + draws["effect_generation"][:, levels.index("experimental")]  # naive is the reference
    expected = expected_rate(mu[:, None], heterogeneity_of(default.design, draws))[:, 0]
    # Sixteen stratified cohorts of each of 400 draws: the mean over all is off by some 0.001.
    assert found.rates.mean() == pytest.approx(expected.mean(), abs=0.005)
    assert np.corrcoef(found.rates.mean(axis=1), expected)[0, 1] > 0.99


def test_what_is_left_open_where_no_cohort_is_like_it(case_of: Any) -> None:
    """Of two levels that never meet, the third column is averaged over all patients of the table."""
    fit = fit_of(case_of("interaction"))
    assert planned_cohort(fit, {"line": "mixed"}).left_open == (
        "Left open: TKI generation; averaged over the patients of these cohorts."
    )
    agent = fit_of(case_of("agent"))
    found = planned_cohort(agent, {"line": "naive", "generation": "experimental"})
    assert not found.seen
    assert found.averaged == ("agent",)
    assert found.left_open.startswith("Left open: agent; averaged over the patients of the whole table: ")
    shares = [float(part.rsplit(" ", 2)[1]) for part in found.weights.split("; ")]
    assert sum(shares) == pytest.approx(100.0, abs=0.05 * len(shares))
    n = agent.evidence.frame.groupby("agent")["n"].sum()
    assert shares[0] == pytest.approx(100 * n.max() / n.sum(), abs=0.05)


def test_levels_of_an_interaction_meet_as_the_model_has_them(case_of: Any) -> None:
    fit = fit_of(case_of("interaction"))
    found = planned_cohort(fit, {"line": "mixed", "generation": "third"})
    assert not found.seen
    draws = {name: values[0] for name, values in fit.draws.items()}
    at = {block.label: block.levels for block in fit.design.effects}
    mu = (
        draws["alpha"]
        + draws["beta_line"][:, at["line"].index("mixed") - 1]
        + draws["effect_generation"][:, at["generation"].index("third")]
        + draws["effect_line_generation"][:, at["line:generation"].index("mixed:third")]
    )
    expected = expected_rate(mu[:, None], heterogeneity_of(fit.design, draws))[:, 0]
    assert found.rates.mean() == pytest.approx(expected.mean(), abs=0.005)


def test_a_column_has_two_names(default: Any) -> None:
    one, other = (planned_cohort(default, {name: "third"}) for name in ("generation", "regimen_class"))
    np.testing.assert_array_equal(one.rates, other.rates)
    assert one.levels == other.levels == {"generation": "third"}


def test_the_seed_decides(default: Any) -> None:
    one, other = (planned_cohort(default, {"line": "mixed"}).rates for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_names_and_levels_are_given_in_the_error(default: Any, case_of: Any) -> None:
    with pytest.raises(UsageError, match=r"generation: found 'fourth'; .* has: first, second, third, combination, exp"):
        planned_cohort(default, {"generation": "fourth"})
    with pytest.raises(
        UsageError, match=r"model \(line-generation\) has no effect of agent; .*, e\.g\. `alkbayes fit agent`$"
    ):
        planned_cohort(default, {"agent": "alectinib"})
    with pytest.raises(UsageError, match=r"has no effect of trial; fit a model that has one$"):
        planned_cohort(default, {"trial": "ALEX"})
    with pytest.raises(UsageError, match=r"model \(overall\) has no effect of line; .*, e\.g\. `alkbayes fit line`$"):
        planned_cohort(fit_of(case_of("overall")), {"line": "naive"})
    with pytest.raises(UsageError, match="given twice"):
        planned_cohort(default, {"generation": "third", "regimen_class": "second"})


def test_hostile_levels_are_shown_as_text(default: Any) -> None:
    with pytest.raises(UsageError) as error:
        planned_cohort(default, {"line": "\x1b[31mred\n"})
    assert "\x1b" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_column_of_one_level_may_be_said(spec_of: Any, table_of: Any, case_of: Any) -> None:
    from alkbayes.model.design import build_design

    base = case_of("group-only")
    table = table_of("a A naive first 20 9\nb B naive second 30 11\nc C naive first 25 5")
    design = build_design(base.spec, table)
    assert not design.effects
    fit = fit_of(SimpleNamespace(spec=base.spec, evidence=table, design=design))
    assert levels_of(fit) == {"line": ("naive",)}
    found = planned_cohort(fit, {"line": "naive"})
    assert (found.cohorts, found.name, found.averaged) == (3, "line naive", ())
    with pytest.raises(UsageError, match=r"has: naive\."):
        planned_cohort(fit, {"line": "mixed"})


def test_the_reference_is_a_level_though_no_cohort_has_it(case_of: Any, table_of: Any) -> None:
    from alkbayes.model.design import build_design

    base = case_of("group-only")
    table = table_of("a A pretreated first 20 9\nb B mixed second 30 11")
    fit = fit_of(SimpleNamespace(spec=base.spec, evidence=table, design=build_design(base.spec, table)))
    assert levels_of(fit)["line"] == ("naive", "pretreated", "mixed")
    found = planned_cohort(fit, {"line": "naive"})
    assert not found.seen
    draws = {name: values[0] for name, values in fit.draws.items()}
    expected = expected_rate(draws["alpha"][:, None], heterogeneity_of(fit.design, draws))
    assert found.rates.mean() == pytest.approx(expected.mean(), abs=0.005)
