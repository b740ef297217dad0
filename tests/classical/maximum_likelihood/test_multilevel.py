"""The multilevel normal model: against metafor's rma.mv, a dense likelihood, and data that cannot say."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.stats import chi2, multivariate_normal

from alkbayes.classical.maximum_likelihood.multilevel import MultilevelFit, fit_multilevel, variance_intervals
from alkbayes.classical.scales import Scale, effects
from alkbayes.evidence.table import Evidence

CLOSED_FORM = 1e-10
NELDER_MEAD = 2e-6
"""What optim leaves undone in the variances; a mean or a covariance depends on them less."""
NEAR_ZERO = 1e-7
"""Absolute, for a limit beside 0."""
CONFINT = 1e-7
"""uniroot to 1e-10 in the variance."""

SETS = [
    "konstantopoulos_reml",
    "konstantopoulos_ml",
    "konstantopoulos_year",
    "cohorts_reml",
    "cohorts_ml",
    "cohorts_line",
    "within_only",
]

type Reader = Callable[[str], dict[str, Any]]


def fitted(expected: dict[str, Any], **settings: Any) -> tuple[MultilevelFit, dict[str, Any]]:
    """The fit of a recorded set, and the arguments that any other function of it takes."""
    columns = expected["X"]
    arguments = {
        "design": np.column_stack([np.ones(len(expected["yi"])), columns]) if columns else None,
        "restricted": expected["method"] == "REML",
    }
    data = (expected["yi"], expected["vi"], expected["group"])
    return fit_multilevel(*data, **arguments, **settings), {"data": data, **arguments}


def dense(tau2: np.ndarray, yi: np.ndarray, vi: np.ndarray, group: np.ndarray, design: np.ndarray) -> tuple[float, ...]:
    """Full and restricted log-likelihood with the covariance built whole, beta at its best."""
    v = np.diag(vi + tau2[1]) + tau2[0] * (group[:, None] == group)
    inverse = np.linalg.inv(v)
    information = design.T @ inverse @ design
    beta = np.linalg.solve(information, design.T @ inverse @ yi)
    full = float(multivariate_normal(design @ beta, v).logpdf(yi))
    p = len(beta)
    correction = p / 2 * math.log(2 * math.pi) - np.linalg.slogdet(information)[1] / 2
    return full, full + correction + np.linalg.slogdet(design.T @ design)[1] / 2


@pytest.mark.parametrize("name", SETS)
def test_it_agrees_with_metafor(reference: Reader, name: str) -> None:
    expected = reference("multilevel")["sets"][name]
    fit, _ = fitted(expected)
    assert fit.converged
    assert [fit.tau2_group, fit.tau2_cohort] == pytest.approx(expected["sigma2"], rel=NELDER_MEAD, abs=1e-9)
    assert fit.beta == pytest.approx(expected["b"], rel=NELDER_MEAD, abs=1e-12)
    assert fit.covariance == pytest.approx(np.array(expected["vb"]), rel=NELDER_MEAD)
    assert fit.log_likelihood == pytest.approx(expected["ll"], abs=1e-9)
    assert [fit.q, fit.q_p] == pytest.approx([expected["QE"], expected["QEp"]], rel=CLOSED_FORM)
    first = np.eye(len(fit.beta))[0]
    for t, ends in ((False, expected["z"]), (True, expected["t"])):
        low, high = fit.interval(first, prob=0.95, t=t)
        recorded = np.ravel(ends["ci_lb"])[0], np.ravel(ends["ci_ub"])[0]
        assert (low, high) == pytest.approx(recorded, rel=NELDER_MEAD, abs=NEAR_ZERO)
        recorded = ends["pi_lb"], ends["pi_ub"]
        assert fit.prediction(first, prob=0.95, t=t) == pytest.approx(recorded, rel=NELDER_MEAD, abs=NEAR_ZERO)


@pytest.mark.parametrize("name", SETS)
def test_profile_intervals_agree_with_metafor(reference: Reader, name: str) -> None:
    expected = reference("multilevel")["sets"][name]
    _, arguments = fitted(expected)
    got = variance_intervals(*arguments.pop("data"), prob=0.95, **arguments)
    assert got.tau2_group == pytest.approx(expected["sigma2_ci"]["1"], rel=CONFINT)
    assert got.tau2_cohort == pytest.approx(expected["sigma2_ci"]["2"], rel=CONFINT)


@pytest.mark.parametrize("restricted", [False, True])
def test_no_other_point_of_the_dense_likelihood_is_higher(restricted: bool) -> None:
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(9), [1, 2, 3, 4, 1, 2, 3, 4, 5])
    vi = rng.uniform(0.02, 0.5, group.size)
    design = np.column_stack([np.ones(group.size), rng.normal(size=group.size)])
    yi = design @ [0.3, 0.5] + rng.normal(size=9)[group] * 0.6 + rng.normal(size=group.size) * np.sqrt(vi + 0.2)

    def minus(tau: np.ndarray) -> float:
        return -dense(tau**2, yi, vi, group, design)[restricted]

    found = minimize(minus, [0.5, 0.5], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13})
    order = rng.permutation(group.size)
    fit = fit_multilevel(yi[order], vi[order], group[order], design=design[order], restricted=restricted)
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-9)
    assert [fit.tau2_group, fit.tau2_cohort] == pytest.approx((found.x**2).tolist(), rel=1e-5)
    got = variance_intervals(yi, vi, group, prob=0.9, design=design, restricted=restricted)
    drop = chi2.ppf(0.9, 1) / 2

    def profile(tau2: float) -> float:
        best = minimize(lambda tau: minus(np.array([math.sqrt(tau2), tau[0]])), [0.5], method="Nelder-Mead", tol=1e-10)
        return float(best.fun - found.fun - drop)

    assert got.tau2_group[1] == pytest.approx(brentq(profile, fit.tau2_group, 20, xtol=1e-9), rel=1e-5)


def test_shares_of_the_variation_are_of_the_typical_sampling_variance(reference: Reader) -> None:
    expected = reference("multilevel")["sets"]["cohorts_line"]
    fit, arguments = fitted(expected)
    design, w = arguments["design"], np.diag(1 / np.array(expected["vi"]))
    p = w - w @ design @ np.linalg.inv(design.T @ w @ design) @ design.T @ w
    typical = (len(w) - 3) / np.trace(p)
    total = fit.tau2_group + fit.tau2_cohort + typical
    assert [fit.i2_group, fit.i2_cohort] == pytest.approx([fit.tau2_group / total, fit.tau2_cohort / total], rel=1e-10)


def test_no_differences_put_both_variances_at_0() -> None:
    vi = np.array([0.1, 0.2, 0.3, 0.4])
    fit = fit_multilevel([0.5, 0.5, 0.5, 0.5], vi, ["a", "a", "b", "b"])
    assert (fit.tau2_group, fit.tau2_cohort, fit.i2_group, fit.i2_cohort) == (0, 0, 0, 0)
    assert fit.beta[0] == pytest.approx(0.5)
    assert fit.covariance[0, 0] == pytest.approx(1 / (1 / vi).sum(), rel=1e-12)
    assert variance_intervals([0.5, 0.5, 0.5, 0.5], vi, ["a", "a", "b", "b"], prob=0.95).tau2_cohort[0] == 0


def test_alike_cohorts_of_different_groups_put_the_lower_variance_at_0() -> None:
    """Each group holds one value twice: as if it were one estimate of half the variance."""
    means = np.array([-1.0, 0.2, 0.4, 1.9])
    fit = fit_multilevel(np.repeat(means, 2), np.full(8, 0.2), np.repeat(np.arange(4), 2))
    assert fit.tau2_cohort == 0
    assert fit.tau2_group == pytest.approx(means.var(ddof=1) - 0.1, rel=1e-8)
    assert fit.beta[0] == pytest.approx(means.mean())


@pytest.mark.parametrize("unit", [1e-4, 1e4])
def test_the_unit_of_the_estimates_does_not_matter(reference: Reader, unit: float) -> None:
    expected = reference("multilevel")["sets"]["cohorts_reml"]
    yi, vi = np.array(expected["yi"]), np.array(expected["vi"])
    fit, scaled = (fit_multilevel(u * yi, u**2 * vi, expected["group"]) for u in (1.0, unit))
    assert scaled.tau2_group == pytest.approx(unit**2 * fit.tau2_group, rel=1e-9)
    assert scaled.log_likelihood == pytest.approx(fit.log_likelihood - (len(yi) - 1) * math.log(unit), abs=1e-7)


def test_huge_cohorts_are_the_balanced_analysis_of_variance() -> None:
    """Known values in pairs: between pairs the variance of their means less half of that within."""
    pairs = np.array([[-1.0, 0.2], [0.4, 1.9], [2.0, 2.2], [-0.5, -1.1]])
    fit = fit_multilevel(pairs.ravel(), np.array([1e-7, 3e-6] * 4), np.repeat(np.arange(4), 2))
    within = (np.diff(pairs, axis=1) ** 2).sum() / 2 / 4
    assert fit.converged
    assert fit.tau2_cohort == pytest.approx(within, rel=1e-4)
    assert fit.tau2_group == pytest.approx(pairs.mean(axis=1).var(ddof=1) - within / 2, rel=1e-4)


@pytest.mark.parametrize(
    ("group", "design", "why"),
    [
        (["a"] * 4, None, "nothing shows how groups differ"),
        (["a", "a", "b", "b"], np.kron(np.eye(2), np.ones((2, 1))), "nothing shows how groups differ"),
        (["a", "b", "c", "d"], None, "no group has two cohorts"),
        (["a", "a", "b", "b"], np.vander([1.0, 2, 3, 4], 4), "as many fixed effects as cohorts"),
    ],
)
def test_what_the_data_cannot_tell_is_said(group: list[str], design: np.ndarray | None, why: str) -> None:
    fit = fit_multilevel([0.1, 0.9, 0.4, 0.6], [0.1, 0.2, 0.3, 0.4], group, design=design)
    assert not fit.converged
    assert why in fit.message
    assert np.isnan([*fit.beta, *fit.covariance.ravel(), fit.tau2_group, fit.log_likelihood, fit.i2_cohort]).all()
    got = variance_intervals([0.1, 0.9, 0.4, 0.6], [0.1, 0.2, 0.3, 0.4], group, design=design, prob=0.95)
    assert np.isnan([got.tau2_group, got.tau2_cohort]).all()


def test_a_mean_is_asked_for_by_a_whole_row_of_the_design() -> None:
    fit = fit_multilevel([0.1, 0.9, 0.4, 0.6, 0.2], [0.2] * 5, list("aabbc"), design=np.vander([1.0, 2, 3, 4, 5], 2))
    with pytest.raises(ValueError, match=r"shape \(2,\), got \(1,\)"):
        fit.interval(prob=0.95)


def test_one_cohort_has_no_heterogeneity() -> None:
    fit = fit_multilevel([0.1], [0.2], ["a"])
    assert not fit.converged
    assert math.isnan(fit.q_p)


def test_running_out_of_steps_is_owned_up_to(bundled: Evidence) -> None:
    frame = bundled.frame
    observed = effects(frame["responders"], frame["n"], scale=Scale.LOGIT)
    fit = fit_multilevel(observed.yi, observed.vi, frame["trial"], max_iterations=1)
    assert not fit.converged
    assert fit.message == "the search for the maximum did not converge"


def test_ten_thousand_cohorts_take_less_than_a_second_and_give_the_truth_back() -> None:
    rng = np.random.default_rng(1)
    group = rng.integers(0, 3000, 10_000)
    vi = rng.uniform(0.05, 1, 10_000)
    yi = 0.2 + 0.5 * rng.normal(size=3000)[group] + rng.normal(size=10_000) * np.sqrt(0.49 + vi)
    start = time.process_time()
    fit = fit_multilevel(yi, vi, group)
    assert time.process_time() - start < 1
    assert abs(fit.beta[0] - 0.2) < 4 * math.sqrt(fit.covariance[0, 0])
    # Their standard errors, from the expected information, are 0.015 and 0.017.
    assert fit.tau2_group == pytest.approx(0.25, abs=0.06)
    assert fit.tau2_cohort == pytest.approx(0.49, abs=0.07)
