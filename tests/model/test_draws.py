"""Draws in NumPy: what follows from the free parameters, and the prior."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from alkbayes.model.design import parameters
from alkbayes.model.draws import complete, from_prior, from_unconstrained, level_effects, linear_predictor, total_sd


def test_theta_is_built_by_names(case_of: Any) -> None:
    case = case_of("interaction")
    design, frame = case.design, case.evidence.frame
    draws = from_unconstrained(design, case.points(4))
    names = {f"effect_{block.slug}": block.levels for block in design.effects}
    for chain, draw in ((0, 0), (0, 3)):
        entry = {
            name: dict(zip(levels, draws[name][chain, draw], strict=True))
            for name, levels in names.items()
            if name in draws
        }
        beta = {"naive": 0.0} | dict(zip(("pretreated", "mixed"), draws["beta_line"][chain, draw], strict=True))
        trial = dict(zip(sorted(set(frame["trial"])), draws["z_trial"][chain, draw], strict=True))
        for row in range(len(frame)):
            line, generation = frame["line"][row], frame["regimen_class"][row]
            theta = (
                draws["alpha"][chain, draw]
                + beta[line]
                + entry["effect_generation"][generation]
                + entry["effect_line_generation"][f"{line}:{generation}"]
                + draws["tau_trial"][chain, draw] * trial[frame["trial"][row]]
                + draws["tau_cohort"][chain, draw] * draws["z_cohort"][chain, draw, row]
            )
            assert draws["theta"][chain, draw, row] == pytest.approx(theta, rel=1e-12)
            assert draws["p"][chain, draw, row] == pytest.approx(expit(theta), rel=1e-12)


def test_chains_and_draws_do_not_mix(case: Any) -> None:
    positions = case.points(6).reshape(2, 3, case.size)
    together = from_unconstrained(case.design, positions)
    for chain in range(2):
        for draw in range(3):
            alone = from_unconstrained(case.design, positions[chain : chain + 1, draw : draw + 1])
            for name, values in together.items():
                np.testing.assert_allclose(values[chain, draw], alone[name][0, 0], rtol=1e-9, atol=1e-12, err_msg=name)


def test_supports_are_kept_far_out(case: Any) -> None:
    draws = from_unconstrained(case.design, np.concatenate([case.points(20, scale=6.0), -case.points(20, scale=6.0)]))
    for parameter in parameters(case.design):
        values = draws[parameter.name]
        assert np.isfinite(values).all(), parameter.name
        if parameter.support != "real":
            assert (values > 0).all()
        if parameter.support == "unit":
            assert (values < 1).all()


def test_prior_draws_have_the_declared_distributions(case: Any, scipy_of: Any) -> None:
    draws = from_prior(case.design, rng=np.random.default_rng(12), draws=400)
    for parameter in parameters(case.design):
        values = draws[parameter.name]
        assert values.shape == ((1, 400) if parameter.coords is None else (1, 400, parameter.size))
        assert stats.kstest(values.ravel(), scipy_of(parameter.prior).cdf).pvalue > 1e-4, parameter.name
    assert draws["theta"].shape == (1, 400, len(case.design.cohorts))


def test_exchangeable_levels_are_exchangeable_in_the_prior(case_of: Any) -> None:
    draws = from_prior(case_of("generation").design, rng=np.random.default_rng(2), draws=40_000)
    effects = draws["effect_generation"][0] / draws["sd_generation"][0, :, None]
    np.testing.assert_allclose(effects.sum(axis=1), 0.0, atol=1e-10)
    np.testing.assert_allclose(np.cov(effects.T), np.eye(5) - 1 / 5, atol=0.03)


def test_total_sd_adds_variances(case_of: Any) -> None:
    design = case_of("student-t-group").design
    draws = {"alpha": np.zeros((1, 2)), "tau_trial": np.array([[3.0, 0.0]]), "tau_cohort": np.array([[4.0, 2.0]])}
    np.testing.assert_allclose(total_sd(design, draws), [[5.0, 2.0]])
    np.testing.assert_array_equal(total_sd(case_of("no-heterogeneity").design, draws), [[0.0, 0.0]])


def test_a_fixed_effects_reference_has_zero(case_of: Any) -> None:
    (block,) = case_of("group-only").design.effects
    effects = level_effects(block, {"beta_line": np.array([[[0.4, -0.2]]])})
    np.testing.assert_array_equal(effects, [[[0.0, 0.4, -0.2]]])


def test_without_effects_all_cohorts_share_one_logit(case_of: Any) -> None:
    design = case_of("overall").design
    eta = linear_predictor(design, {"alpha": np.array([[0.3, 0.4]])}, {})
    assert eta.shape == (1, 2, len(design.cohorts))
    np.testing.assert_array_equal(eta[0, 1], 0.4)


def test_completing_leaves_what_is_given_alone(case_of: Any) -> None:
    design = case_of("line").design
    free = from_prior(design, rng=np.random.default_rng(1), draws=2)
    given = {name: values.copy() for name, values in free.items()}
    complete(design, {name: free[name] for name in free if name not in {"theta", "p"}})
    for name, values in given.items():
        np.testing.assert_array_equal(values, free[name])
