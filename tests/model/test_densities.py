"""Log likelihoods against SciPy's, far out too. That they are PyMC's as well: test_model.py."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from alkbayes.model.densities import log_likelihood, log_prior
from alkbayes.model.design import parameters
from alkbayes.model.draws import from_prior


def test_binomial_is_scipys(case_of: Any) -> None:
    design = case_of("group-only").design
    theta = np.random.default_rng(1).normal(0, 2, (2, 3, len(design.cohorts)))
    expected = stats.binom.logpmf(design.responders, design.n, expit(theta))
    np.testing.assert_allclose(log_likelihood(design, {"theta": theta}), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rho", [1e-6, 0.03, 0.5, 0.97])
def test_beta_binomial_is_scipys(rho: float, case_of: Any) -> None:
    design = case_of("beta-binomial-trials").design
    theta = np.random.default_rng(1).normal(0, 2, (1, 3, len(design.cohorts)))
    size = 1 / rho - 1
    expected = stats.betabinom.logpmf(design.responders, design.n, expit(theta) * size, expit(-theta) * size)
    found = log_likelihood(design, {"theta": theta, "rho": np.full((1, 3), rho)})
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "extra"), [("group-only", {}), ("beta-binomial-alone", {"rho": np.array([[0.2]])})])
def test_probabilities_of_all_outcomes_sum_to_one(name: str, extra: dict[str, Any], case_of: Any) -> None:
    design = case_of(name).design
    theta = np.full((1, 1, len(design.cohorts)), 0.7)
    design = replace(design, n=np.full_like(design.n, 9.0))
    total = sum(
        np.exp(log_likelihood(replace(design, responders=np.full_like(design.n, y)), {"theta": theta} | extra))
        for y in range(10)
    )
    np.testing.assert_allclose(total, 1.0, rtol=1e-12)


def test_a_certain_cohort_is_finite_far_out(case_of: Any) -> None:
    design = case_of("group-only").design
    theta = np.full((1, 1, len(design.cohorts)), 800.0)
    found = log_likelihood(design, {"theta": theta})[0, 0]
    assert found[2] == 0.0  # 44 of 44
    np.testing.assert_allclose(found[1], -800.0 * 12)  # 0 of 12


def test_priors_are_given_for_each_parameter_but_the_deviations(case: Any) -> None:
    draws = from_prior(case.design, rng=np.random.default_rng(3), draws=5)
    found = log_prior(case.design, draws)
    names = {parameter.name for parameter in parameters(case.design)}
    assert names - set(found) == {f"z_{term.label}" for term in case.design.heterogeneity}
    for name, values in found.items():
        assert values.shape == draws[name].shape
