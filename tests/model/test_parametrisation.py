"""The conditional moments of the deviations against a normal model solved by matrix algebra."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from alkbayes.model.parametrisation import (
    cohort_moments,
    empirical_predictors,
    group_moments,
    positive_from_score,
    sampling_variance,
    score_scale,
)
from alkbayes.spec.priors import Exponential, HalfNormal, HalfStudentT, Normal

INDEX = np.array([0, 0, 1, 2, 2, 2])
RESIDUAL = np.array([0.3, -1.2, 2.0, 0.1, 0.4, -0.6])
VARIANCE = np.array([0.1, 0.5, 0.02, 1.0, 0.3, 0.2])


def by_group(values: Any) -> Any:
    return np.bincount(INDEX, weights=values, minlength=3)


@pytest.mark.parametrize(("tau_group", "tau_cohort"), [(0.7, 0.4), (0.7, 0.0), (0.0, 0.4), (3.0, 1e-3)])
def test_moments_are_those_of_the_normal_model(tau_group: float, tau_cohort: float) -> None:
    # residual = tau_group v[group] + tau_cohort w + e: the joint normal posterior of (v, w), solved whole.
    loading = np.hstack([tau_group * np.eye(3)[INDEX], tau_cohort * np.eye(6)])
    precision = np.eye(9) + loading.T @ np.diag(1 / VARIANCE) @ loading
    covariance = np.linalg.inv(precision)
    mean = covariance @ loading.T @ (RESIDUAL / VARIANCE)
    group_mean, group_precision = group_moments(RESIDUAL, VARIANCE, tau_group, tau_cohort, by_group)
    np.testing.assert_allclose(group_mean, mean[:3], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(1 / group_precision, np.diag(covariance)[:3], rtol=1e-10)
    # The cohorts' are given the groups': condition the joint normal on v.
    v = np.array([0.5, -0.1, 1.4])
    block = precision[3:, 3:]
    given = np.linalg.solve(block, tau_cohort * RESIDUAL / VARIANCE - precision[3:, :3] @ v)
    cohort_mean, cohort_precision = cohort_moments(RESIDUAL - tau_group * v[INDEX], VARIANCE, tau_cohort)
    np.testing.assert_allclose(cohort_mean, given, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(cohort_precision, np.diag(block), rtol=1e-10)


def test_empirical_predictors_are_finite_at_zero_and_all(case_of: Any) -> None:
    design = case_of("group-only").design
    logit, variance = empirical_predictors(design)
    assert design.responders[1] == 0
    assert design.responders[2] == design.n[2]
    assert logit[1] == pytest.approx(np.log(0.5 / 12.5))
    assert logit[2] == pytest.approx(np.log(44.5 / 0.5))
    assert variance[1] == pytest.approx(1 / 0.5 + 1 / 12.5)
    assert np.isfinite(logit).all()


def test_correlated_patients_say_less(case_of: Any) -> None:
    design = case_of("beta-binomial-trials").design
    _, variance = empirical_predictors(design)
    assert sampling_variance(design.n, variance, None) is variance
    np.testing.assert_allclose(sampling_variance(design.n, variance, 0.0), variance)
    np.testing.assert_allclose(sampling_variance(design.n, variance, 1.0), variance * design.n)


def test_score_is_the_normal_score_of_an_exponential() -> None:
    x = np.linspace(-6, 35, 83)
    np.testing.assert_allclose(positive_from_score(x, 0.4), stats.expon.isf(stats.norm.sf(x), scale=0.4), rtol=1e-6)


def test_score_scale_is_half_the_priors() -> None:
    assert score_scale(HalfNormal(dist="half_normal", sd=0.6)) == 0.3
    assert score_scale(HalfStudentT(dist="half_student_t", nu=3.0, sd=0.8)) == 0.4
    assert score_scale(Exponential(dist="exponential", mean=0.2)) == 0.1
    with pytest.raises(TypeError):
        score_scale(Normal(dist="normal", mean=0.0, sd=1.0))
