"""Regression with known sampling variances: identities, limits, coverage; metafor is in test_rma_reference.py."""

import math

import numpy as np
import pytest
from scipy.stats import chi2, f, norm, t

from alkbayes.classical.inverse_variance import regression as ours
from alkbayes.classical.inverse_variance.regression import Prediction, fit_regression, omnibus, prediction_interval
from alkbayes.classical.inverse_variance.tau2 import Tau2, Tau2Estimator

YI = np.array([0.2, 1.1, -0.4, 0.9, 2.0, 0.1])
VI = np.array([0.10, 0.25, 0.05, 0.40, 0.20, 0.15])
SLOPE = np.column_stack([np.ones(6), [0.0, 1.0, 4.0, 2.0, 3.0, 2.5]])
TESTS = list(ours.Test)
REML = Tau2Estimator.REML


def test_equal_variances_make_it_ordinary_least_squares() -> None:
    """With one variance for all, and all of it sampling error, Hartung-Knapp is the t interval of a linear model."""
    fit = fit_regression(YI, np.full(6, 0.3), design=SLOPE, estimator=None, test=ours.Test.KNAPP_HARTUNG)
    beta, rss, _, _ = np.linalg.lstsq(SLOPE, YI)
    covariance = np.linalg.inv(SLOPE.T @ SLOPE) * rss[0] / 4
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-12)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-12)
    half = t.ppf(0.975, 4) * np.sqrt(np.diag(covariance))
    np.testing.assert_allclose([fit.low, fit.high], [beta - half, beta + half], rtol=1e-12)
    np.testing.assert_allclose(fit.p_values, 2 * t.sf(np.abs(beta) / np.sqrt(np.diag(covariance)), 4), rtol=1e-10)


@pytest.mark.parametrize("test", TESTS)
def test_one_coefficient_has_the_same_p_by_omnibus_and_alone(test: ours.Test) -> None:
    fit = fit_regression(YI, VI, design=SLOPE, estimator=REML, test=test)
    assert fit.omnibus is not None
    assert fit.omnibus.df1 == 1
    assert fit.omnibus.df2 == (None if test is ours.Test.Z else 4)
    assert fit.omnibus.p == pytest.approx(fit.p_values[1], rel=1e-10)
    assert fit.omnibus.statistic == pytest.approx((fit.beta[1] / fit.se[1]) ** 2, rel=1e-10)


@pytest.mark.parametrize("estimator", [None, *Tau2Estimator])
def test_the_unit_of_a_covariate_changes_its_coefficient_and_nothing_else(estimator: Tau2Estimator | None) -> None:
    """A year is 2,000 and a share 0.001: neither is singular."""
    plain = fit_regression(YI, VI, design=SLOPE, estimator=estimator)
    for factor, shift in ((1e6, 0.0), (1e-6, 0.0), (1.0, 2000.0)):
        moved = np.column_stack([SLOPE[:, 0], SLOPE[:, 1] * factor + shift])
        fit = fit_regression(YI, VI, design=moved, estimator=estimator)
        assert fit.beta[1] * factor == pytest.approx(plain.beta[1], rel=1e-7)
        assert fit.tau2 == pytest.approx(plain.tau2, rel=1e-7, abs=1e-12)
        assert fit.q_e == pytest.approx(plain.q_e, rel=1e-8)
        np.testing.assert_allclose(fit.fitted, plain.fitted, rtol=1e-8)


def test_a_perfect_covariate_explains_everything() -> None:
    yi = SLOPE @ [0.5, -1.5]
    fit = fit_regression(yi, VI, design=SLOPE, estimator=REML)
    np.testing.assert_allclose(fit.beta, [0.5, -1.5], rtol=1e-12)
    assert (fit.tau2, fit.i2, fit.h2, fit.r2) == (0, 0, 1, 1)
    assert fit.q_e == pytest.approx(0, abs=1e-20)


def test_r2_is_the_share_of_tau2_that_is_gone() -> None:
    for estimator in Tau2Estimator:
        alone = fit_regression(YI, VI, estimator=estimator)
        fit = fit_regression(YI, VI, design=SLOPE, estimator=estimator)
        assert fit.r2 == pytest.approx(max(0, (alone.tau2 - fit.tau2) / alone.tau2), abs=1e-12)
        assert alone.r2 is None
    # Levels as columns of their own span the ones as well; without any such span there is nothing to compare with.
    halves = np.column_stack([np.repeat([1.0, 0.0], 3), np.repeat([0.0, 1.0], 3)])
    coded = np.column_stack([np.ones(6), halves[:, 1]])
    assert fit_regression(YI, VI, design=halves, estimator=REML).r2 == pytest.approx(
        fit_regression(YI, VI, design=coded, estimator=REML).r2, abs=1e-10
    )
    assert fit_regression(YI, VI, design=SLOPE[:, 1:] + np.eye(6)[:, :1], estimator=REML).r2 is None
    assert fit_regression(YI, VI, design=SLOPE, estimator=None).r2 is None
    alike = np.full(6, 0.3) + 1e-3 * np.arange(6)
    assert fit_regression(alike, VI, design=SLOPE, estimator=REML).r2 is None


def test_the_omnibus_test_leaves_out_an_intercept_wherever_it_stands() -> None:
    front = fit_regression(YI, VI, design=SLOPE, estimator=REML).omnibus
    back = fit_regression(YI, VI, design=SLOPE[:, ::-1], estimator=REML).omnibus
    assert front is not None
    assert back is not None
    assert back.statistic == pytest.approx(front.statistic, rel=1e-10)
    assert fit_regression(YI, VI, estimator=REML).omnibus is None


def test_omnibus_by_hand() -> None:
    beta, covariance = np.array([1.0, 2.0, -1.0]), np.diag([9.0, 4.0, 0.25])
    tested = np.array([False, True, True])
    by_chi2, by_f = (omnibus(beta, covariance, tested, df2=df2) for df2 in (None, 7))
    assert (by_chi2.statistic, by_chi2.df1, by_chi2.df2) == (5, 2, None)
    assert by_chi2.p == pytest.approx(chi2.sf(5, 2), rel=1e-12)
    assert (by_f.statistic, by_f.df1, by_f.df2) == (2.5, 2, 7)
    assert by_f.p == pytest.approx(f.sf(2.5, 2, 7), rel=1e-12)
    assert omnibus(beta, covariance, np.zeros(3, dtype=bool), df2=None) is None
    assert omnibus(beta, np.zeros((3, 3)), tested, df2=None) is None


def test_identical_estimates_leave_hartung_knapp_nothing_to_test_by() -> None:
    """Residuals that are 0, or as good as, give no standard error; held at 1 the factor gives the plain one."""
    fit = fit_regression(np.array([0.5, 0.5]), np.array([0.25, 0.25]), estimator=REML, test=ours.Test.KNAPP_HARTUNG)
    assert fit.factor == 0
    assert np.isnan([fit.se[0], fit.low[0], fit.high[0], fit.p_values[0]]).all()
    assert fit.beta[0] == pytest.approx(0.5)
    adhoc = fit_regression(np.array([0.5, 0.5]), np.array([0.25, 0.25]), estimator=REML, test=ours.Test.AD_HOC)
    assert adhoc.se[0] == pytest.approx(math.sqrt(0.125), rel=1e-12)


def test_residuals_of_rounding_size_test_nothing() -> None:
    """0/30 three times against 30/30 three times, 1/2 added: F was 1.7e32 of nothing but rounding."""
    yi, vi = np.repeat([-math.log(61), math.log(61)], 3), np.full(6, 2 + 1 / 30.5)
    design = np.column_stack([np.ones(6), np.repeat([0.0, 1.0], 3)])
    unmodified, held = (
        fit_regression(yi, vi, design=design, estimator=REML, test=test)
        for test in (ours.Test.KNAPP_HARTUNG, ours.Test.AD_HOC)
    )
    assert unmodified.omnibus is None
    assert np.isnan(unmodified.p_values).all()
    expected = (2 * math.log(61)) ** 2 / (2 * vi[0] / 3)
    assert (held.omnibus.statistic, held.omnibus.p) == pytest.approx((expected, f.sf(expected, 1, 4)), rel=1e-9)


def test_as_many_coefficients_as_cohorts_are_fitted_exactly_and_not_judged() -> None:
    fit = fit_regression(YI[:2], VI[:2], design=SLOPE[:2], estimator=None)
    np.testing.assert_allclose(fit.fitted, YI[:2], rtol=1e-12)
    assert fit.q_e is fit.q_e_p is fit.i2 is fit.h2 is None
    assert fit.q_e_df == 0
    for arguments in ({"estimator": REML}, {"estimator": None, "test": ours.Test.T}):
        with pytest.raises(ValueError, match="2 cohorts leave no degrees of freedom beside 2"):
            fit_regression(YI[:2], VI[:2], design=SLOPE[:2], **arguments)


@pytest.mark.parametrize("design", [np.ones((6, 2)), np.ones((5, 1)), np.ones(6), np.zeros((6, 1))])
def test_a_design_that_does_not_fit_is_refused(design: np.ndarray) -> None:
    with pytest.raises(ValueError, match="6 rows and full column rank"):
        fit_regression(YI, VI, design=design, estimator=REML)


def test_a_tau2_that_is_not_found_leaves_no_number_that_hangs_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "estimate_tau2", lambda *_: Tau2(tau2=0.5, converged=False))
    fit = fit_regression(YI, VI, design=SLOPE, estimator=REML, test=ours.Test.KNAPP_HARTUNG)
    assert not fit.converged
    for numbers in (fit.beta, fit.covariance, fit.low, fit.high, fit.tau2, fit.weights, fit.fitted, fit.p_values):
        assert np.isnan(numbers).all()
    assert fit.omnibus is fit.i2 is fit.h2 is fit.log_likelihood is fit.r2 is None
    assert (fit.q_e_df, fit.df) == (4, 4)
    assert fit.q_e == pytest.approx(fit_regression(YI, VI, design=SLOPE, estimator=None).q_e)


@pytest.mark.parametrize(
    ("kind", "quantile"),
    [
        (Prediction.NORMAL, norm.ppf(0.95)),
        (Prediction.T_K_MINUS_1, t.ppf(0.95, 6)),
        (Prediction.T_K_MINUS_2, t.ppf(0.95, 5)),
    ],
)
def test_prediction_by_hand(kind: Prediction, quantile: float) -> None:
    limits = prediction_interval(0.4, 0.3, 0.16, k=7, kind=kind, prob=0.9)
    assert limits == pytest.approx((0.4 - quantile * 0.5, 0.4 + quantile * 0.5), rel=1e-12)


def test_prediction_needs_a_degree_of_freedom() -> None:
    assert prediction_interval(0, 1, 1, k=2, kind=Prediction.T_K_MINUS_2) is None
    assert prediction_interval(0, 1, 1, k=1, kind=Prediction.T_K_MINUS_1) is None
    assert prediction_interval(0, 1, 1, k=1, kind=Prediction.NORMAL) is not None


def test_hartung_knapp_covers_where_z_does_not() -> None:
    """2,000 samples of 6 cohorts, tau2 near the sampling variance; a coverage of 95 % has a standard error of 0.5 %."""
    rng = np.random.default_rng(5)
    covered = dict.fromkeys((ours.Test.Z, ours.Test.KNAPP_HARTUNG), 0)
    for _ in range(2000):
        yi = rng.normal(0.7, np.sqrt(VI + 0.2))
        for test in covered:
            fit = fit_regression(yi, VI, estimator=Tau2Estimator.DL, test=test)
            covered[test] += bool(fit.low[0] <= 0.7 <= fit.high[0])
    assert covered[ours.Test.Z] / 2000 < 0.93
    assert 0.93 < covered[ours.Test.KNAPP_HARTUNG] / 2000 < 0.965


def test_ten_thousand_cohorts() -> None:
    rng = np.random.default_rng(8)
    k = 10_000
    vi = rng.uniform(0.05, 0.5, size=k)
    design = np.column_stack([np.ones(k), rng.normal(size=(k, 3))])
    yi = design @ [0.3, 0.5, 0.0, -1.0] + rng.normal(0, np.sqrt(vi + 0.4))
    fit = fit_regression(yi, vi, design=design, estimator=REML, test=ours.Test.KNAPP_HARTUNG)
    # Standard errors are about sqrt(0.7 / k) = 0.008.
    np.testing.assert_allclose(fit.beta, [0.3, 0.5, 0.0, -1.0], atol=0.035)
    assert fit.r2 == pytest.approx(1.25 / 1.65, abs=0.02)


def test_the_test_of_all_moderators_does_not_depend_on_their_units() -> None:
    rng = np.random.default_rng(4)
    y, v = rng.normal(size=14), rng.uniform(0.05, 0.3, 14)
    columns = np.column_stack([np.ones(14), np.arange(14.0), rng.normal(size=14)])
    plain = fit_regression(y, v, design=columns, estimator=Tau2Estimator.REML).omnibus
    far = fit_regression(y, v, design=columns * [1, 1, 1e9], estimator=Tau2Estimator.REML).omnibus
    assert plain is not None
    assert far is not None
    assert far.statistic == pytest.approx(plain.statistic, rel=1e-6)
    assert far.df1 == 2


def test_rank_is_judged_whatever_the_size_of_the_numbers() -> None:
    huge = np.column_stack([np.ones(4), [1e300, 2e300, 4e300, 3e300]])
    assert ours.has_full_rank(huge)
    assert not ours.has_full_rank(huge[:, [1, 1]])
    assert not ours.has_full_rank(np.column_stack([np.ones(3), np.zeros(3)]))
