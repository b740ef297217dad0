"""Influence in the binomial-normal model: against lme4's refits, the normal model in its limit, simulated counts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from alkbayes.classical.influence.diagnostics import influence
from alkbayes.classical.influence.glmm import glmm_influence
from alkbayes.classical.influence.leave_one_out import glmm_leave_one_out
from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator
from alkbayes.classical.maximum_likelihood.glmm import fit_glmm
from alkbayes.classical.scales import Scale, effects

GLMER = 1e-5
"""Absolute, of a change in standard errors of 0.1 to 0.3: lme4's means and errors are right to 2e-7."""

type Reader = Callable[[str], dict[str, Any]]

BRUIN = (
    np.array([11, 24, 179, 82, 60, 11, 99, 9, 88, 17, 26, 23, 40]),
    np.array([29, 33, 326, 240, 110, 29, 244, 17, 215, 26, 138, 55, 54]),
)


@pytest.mark.parametrize("name", ["pritz1997", "debruin2009", "nielweise2007"])
def test_changes_agree_with_refits_by_lme4(reference: Reader, name: str) -> None:
    recorded = reference("influence")["sets"]["glmm"][name]
    full = reference(name)["sets"]["all"]["glmer-25"]
    got = glmm_influence(recorded["xi"], recorded["ni"])
    change, se = full["b"] - np.array(recorded["b"]), np.array(recorded["se"])
    assert got.dfbetas[:, 0] == pytest.approx(change / se, abs=GLMER)
    assert got.cook == pytest.approx((change / full["se"]) ** 2, abs=GLMER)
    assert got.baujat_y == pytest.approx((change / se) ** 2, abs=GLMER)
    assert got.covariance_ratio == pytest.approx((se / full["se"]) ** 2, rel=GLMER)
    assert got.tau_deleted**2 == pytest.approx(recorded["tau2"], rel=GLMER)
    assert np.isnan(got.tau_group_deleted).all()
    assert set(got.messages) == {""}


def test_large_cohorts_approach_the_normal_model() -> None:
    """Cohorts of ten million with rates so near each other that logit and rate are linear in each other."""
    theta = 0.3 + 0.01 * np.array([-1.0, 1.0, 0.4, -0.6, 0.1, 3.0])
    n = np.full(6, 10_000_000)
    x = np.round(n * expit(theta))
    observed = effects(x, n, scale=Scale.LOGIT)
    normal = influence(observed.yi, observed.vi, estimator=Tau2Estimator.ML)
    got = glmm_influence(x, n)
    # Rates and logits differ by a curvature of (1 - 2p) tau / 2, a part in 500 at tau = 0.01.
    assert got.rstudent == pytest.approx(normal.rstudent, rel=0.01, abs=0.01)
    assert got.baujat_x == pytest.approx(normal.baujat_x, rel=0.02, abs=0.01)
    assert got.baujat_y == pytest.approx(normal.baujat_y, rel=0.01)
    assert got.cook == pytest.approx(normal.cook, rel=0.01)
    assert got.rstudent[5] > 3


def test_a_residual_is_standardised_by_the_distribution_of_counts() -> None:
    """Against simulated counts of the fit without the first cohort."""
    x, n = BRUIN
    got = glmm_influence(x, n)
    fit = fit_glmm(x[1:], n[1:])
    assert fit.tau is not None
    rng = np.random.default_rng(4)
    theta = fit.beta[0] + np.sqrt(fit.tau**2 + fit.covariance[0, 0]) * rng.normal(size=400_000)
    counts = rng.binomial(n[0], expit(theta))
    # Of 400,000 draws, mean and SD are right to 0.0016 SD and 0.0011.
    assert got.rstudent[0] == pytest.approx((x[0] - counts.mean()) / counts.std(), abs=0.01)


def test_with_two_levels_each_has_its_tau_and_an_outlier_shows() -> None:
    x, n = np.array([8, 12, 9, 9, 12, 14, 14, 0]), np.array([20, 25, 21, 21, 30, 36, 31, 60])
    group = np.array([0, 0, 1, 1, 2, 3, 4, 5])
    rows = glmm_leave_one_out(x, n, range(8), group=group)
    got = glmm_influence(x, n, group=group, rows=rows)
    fits = [row.result for row in rows]
    assert got.tau_deleted.tolist() == [fit.tau for fit in fits if fit]
    assert got.tau_group_deleted.tolist() == [fit.tau_group for fit in fits if fit]
    assert np.abs(got.rstudent).argmax() == 7
    assert got.rstudent[7] < -3
    assert got.baujat_y.argmax() == 7


def test_a_fixed_effect_of_one_cohort_is_said() -> None:
    design = np.column_stack([np.ones(13), np.arange(13) == 4])
    got = glmm_influence(*BRUIN, design=design)
    assert got.messages[4] == "no fit: a fixed effect rests on what is left out"
    assert np.isnan([got.cook[4], got.rstudent[4], *got.dfbetas[4]]).all()
    assert np.isfinite(np.delete(got.dfbetas, 4, axis=0)).all()


def test_without_a_fit_of_all_there_is_none_and_it_says_so() -> None:
    got = glmm_influence([0, 0, 0], [9, 12, 8])
    assert np.isnan(np.r_[got.rstudent, got.cook, got.baujat_x, got.tau_deleted]).all()
    assert set(got.messages) == {"the likelihood has no maximum at finite values"}


def test_a_fit_that_does_not_converge_without_one_says_so_and_the_others_stand() -> None:
    got = glmm_influence([0, 0, 0, 5], [9, 12, 8, 20])
    assert got.messages == ("", "", "", "the likelihood has no maximum at finite values")
    assert np.isfinite(got.cook[:3]).all()
    assert np.isnan(got.cook[3])


@pytest.mark.parametrize("k", [1, 2])
def test_too_few_cohorts_have_none(k: int) -> None:
    got = glmm_influence([3, 8][:k], [9, 12][:k])
    assert all(got.messages)
    assert np.isnan(got.cook).all()


def test_rows_of_other_units_are_refused() -> None:
    x, n = BRUIN
    with pytest.raises(ValueError, match="each of 13 cohorts in turn"):
        glmm_influence(x, n, rows=glmm_leave_one_out(x, n, [0, 0, *range(1, 12)]))
