"""Simulated tables against what they were simulated with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from alkbayes.calibration.scenarios import EFFECTS, FixedTruth
from alkbayes.calibration.simulation import fixed_parameters, simulate
from alkbayes.errors import UsageError


def test_a_fixed_truth_is_what_it_says(case_of: Callable[[str], Any]) -> None:
    design = case_of("line-generation").design
    truth = FixedTruth(orr=0.8, tau=0.5)
    draws = fixed_parameters(design, truth, rng=np.random.default_rng(1))
    assert float(expit(draws["alpha"][0, 0])) == pytest.approx(0.8)
    assert draws["beta_line"][0, 0].tolist() == [EFFECTS["line"]["pretreated"], EFFECTS["line"]["mixed"]]
    (generation,) = [block for block in design.effects if block.label == "generation"]
    named = np.array([EFFECTS["generation"][level] for level in generation.levels])
    np.testing.assert_allclose(draws["effect_generation"][0, 0], named - named.mean(), atol=1e-12)
    assert draws["tau_trial"][0, 0] ** 2 + draws["tau_cohort"][0, 0] ** 2 == pytest.approx(0.25)


def test_without_heterogeneity_or_effects_every_cohort_has_the_one_rate(case_of: Callable[[str], Any]) -> None:
    design = case_of("interaction").design
    draws, table = simulate(design, FixedTruth(orr=0.95, tau=0.0, effects={}), rng=np.random.default_rng(2))
    np.testing.assert_allclose(draws["p"], 0.95)
    assert draws["sd_generation"][0, 0] == 0.0
    # 363 patients: the crude rate has a standard error of 0.011.
    assert table.responders.sum() / table.n.sum() == pytest.approx(0.95, abs=0.04)
    assert (table.responders <= table.n).all()


@pytest.mark.parametrize("name", ["number", "number-by-level", "levels-by-levels", "by-level"])
def test_numbers_have_no_effect_and_levels_one_tau_in_a_fixed_truth(case_of: Callable[[str], Any], name: str) -> None:
    design = case_of(name).design
    draws = fixed_parameters(design, FixedTruth(orr=0.6, tau=0.0, effects={}), rng=np.random.default_rng(4))
    np.testing.assert_allclose(draws["p"], 0.6)
    draws = fixed_parameters(design, FixedTruth(orr=0.6, tau=0.8, effects={}), rng=np.random.default_rng(4))
    for term in design.heterogeneity:
        np.testing.assert_allclose(draws[term.of_level], 0.8 / np.sqrt(len(design.heterogeneity)))


def test_simulated_logits_spread_by_tau(case_of: Callable[[str], Any]) -> None:
    design, rng = case_of("overall").design, np.random.default_rng(3)
    truth = FixedTruth(orr=0.5, tau=1.0, effects={})
    thetas = np.concatenate([fixed_parameters(design, truth, rng=rng)["theta"].ravel() for _ in range(200)])
    # 12,600 cohorts, of trials that share half of the variance: a relative error of some 1 %.
    assert thetas.std() == pytest.approx(1.0, rel=0.03)


def test_parameters_from_the_prior_differ_from_table_to_table(case_of: Callable[[str], Any]) -> None:
    design = case_of("cohort-only").design
    (one, first), (two, second) = (simulate(design, None, rng=np.random.default_rng(seed)) for seed in (1, 2))
    assert one["alpha"] != two["alpha"]
    assert (first.responders != second.responders).any()


def test_a_beta_binomial_model_has_no_tau_to_fix(case_of: Callable[[str], Any]) -> None:
    design = case_of("beta-binomial-trials").design
    with pytest.raises(UsageError, match="this model is beta-binomial"):
        fixed_parameters(design, FixedTruth(orr=0.7, tau=0.5), rng=np.random.default_rng(1))
    assert simulate(design, None, rng=np.random.default_rng(1))[1].n is design.n
