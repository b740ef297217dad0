"""Shrunken cohorts: against metafor's BLUPs, lme4's modes, dense grids, and the likelihood's own gradient."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit, logsumexp
from scipy.stats import binom, norm

from alkbayes.classical.influence.shrinkage import shrunken_estimates, shrunken_rates
from alkbayes.classical.inverse_variance.regression import Test as Interval
from alkbayes.classical.inverse_variance.regression import fit_regression
from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator
from alkbayes.classical.maximum_likelihood.glmm import fit_glmm
from alkbayes.classical.scales import Scale, effects
from alkbayes.evidence.table import Evidence
from alkbayes.likelihood.binomial_normal.marginal import Nodes, marginal

ITERATED = 1e-8
"""metafor's tau2 at a threshold of 1e-12, as in test_metafor_reference."""
LME4_MODES = 1e-9
"""Absolute, logit scale; 5e-12 is reached."""

type Reader = Callable[[str], dict[str, Any]]


@pytest.mark.parametrize("name", ["pritz1997", "debruin2009", "nielweise2007", "cohorts", "cohorts_line"])
def test_predictions_agree_with_metafor(reference: Reader, name: str) -> None:
    expected = reference("shrinkage")["sets"]["blup"][name]
    observed = effects(expected["xi"], expected["ni"], scale=Scale.LOGIT)
    columns = expected["X"]
    design = np.column_stack([np.ones(observed.yi.size), columns]) if columns else None
    fit = fit_regression(
        observed.yi,
        observed.vi,
        design=design,
        estimator=Tau2Estimator(expected["method"].lower()),
        test=Interval(expected["test"]),
    )
    got = shrunken_estimates(observed.yi, observed.vi, fit=fit, design=design)
    assert got.mean == pytest.approx(expected["pred"], rel=ITERATED)
    assert got.se == pytest.approx(expected["se"], rel=ITERATED)
    assert got.low == pytest.approx(expected["pi_lb"], rel=ITERATED, abs=1e-9)
    assert got.high == pytest.approx(expected["pi_ub"], rel=ITERATED, abs=1e-9)


def test_a_variance_of_0_predicts_the_mean_for_all() -> None:
    yi, vi = np.full(4, 0.3), np.array([0.1, 0.2, 0.3, 0.4])
    fit = fit_regression(yi, vi, estimator=Tau2Estimator.REML)
    got = shrunken_estimates(yi, vi, fit=fit)
    assert got.mean == pytest.approx([0.3] * 4)
    assert got.se == pytest.approx([fit.se[0]] * 4)


@pytest.mark.parametrize("name", ["pritz1997", "debruin2009", "nielweise2007", "cohorts", "cohorts_nested"])
def test_modes_agree_with_lme4(reference: Reader, name: str) -> None:
    """At lme4's own estimates: the two-level ones are Laplace's and a little off the maximum."""
    expected = reference("shrinkage")["sets"]["modes"][name]
    group = expected.get("group")
    fit = replace(
        fit_glmm(expected["xi"], expected["ni"], group=group),
        beta=np.array(expected["beta"]),
        tau=expected["tau"],
        tau_group=expected.get("tau_group"),
    )
    got = shrunken_rates(expected["xi"], expected["ni"], fit=fit, group=group)
    assert got.theta_mode == pytest.approx(expected["theta"], abs=LME4_MODES)


def test_one_level_against_a_dense_grid() -> None:
    x, n = np.array([0, 5, 1, 8, 40, 12]), np.array([9, 5, 8, 20, 300, 12])
    fit = fit_glmm(x, n)
    got = shrunken_rates(x, n, fit=fit)
    z = np.linspace(-10, 10, 8001)[:, None]
    theta = fit.beta[0] + fit.tau * z
    weight = np.exp(binom.logpmf(x, n, expit(theta)) + norm.logpdf(z))
    weight /= weight.sum(axis=0)
    for mean, sd, values in ((got.theta_mean, got.theta_sd, theta), (got.p_mean, got.p_sd, expit(theta))):
        expected = (weight * values).sum(axis=0)
        assert mean == pytest.approx(expected, abs=1e-7)
        assert sd == pytest.approx(np.sqrt((weight * (values - expected) ** 2).sum(axis=0)), rel=1e-6)
    highest = (fit.beta[0] + fit.tau * z[weight.argmax(axis=0), 0]).tolist()
    assert got.theta_mode == pytest.approx(highest, abs=fit.tau * 20 / 8000)


NESTED = (
    np.array([8, 12, 2, 9, 22, 30, 1, 14, 19, 12, 0]),
    np.array([10, 20, 9, 21, 30, 36, 12, 31, 20, 12, 7]),
    np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]),
)


def test_two_levels_against_a_dense_grid() -> None:
    x, n, group = NESTED
    fit = fit_glmm(x, n, group=group)
    fit = replace(fit, tau=0.7, tau_group=0.9)
    got = shrunken_rates(x, n, fit=fit, group=group)
    z = np.linspace(-8, 8, 401)
    log_z = norm.logpdf(z)
    theta = fit.beta[0] + 0.9 * z[:, None, None] + 0.7 * z[:, None]  # v, w, cohort
    logs = binom.logpmf(x, n, expit(theta)) + log_z[:, None]
    inside = logsumexp(logs, axis=1)
    for cohort in range(x.size):
        others = (group == group[cohort]) & (np.arange(x.size) != cohort)
        weight = np.exp(logs[:, :, cohort] + (inside[:, others].sum(axis=1) + log_z)[:, None])
        weight /= weight.sum()
        for mean, sd, values in (
            (got.theta_mean, got.theta_sd, theta[:, :, 0]),
            (got.p_mean, got.p_sd, expit(theta[:, :, 0])),
        ):
            expected = float((weight * values).sum())
            assert mean[cohort] == pytest.approx(expected, abs=1e-6)
            assert sd[cohort] == pytest.approx(np.sqrt((weight * (values - expected) ** 2).sum()), rel=1e-5)


def test_mean_rates_are_those_of_the_gradient(bundled: Evidence) -> None:
    """The derivative of the log-likelihood by a cohort's predictor is responders less n times the mean rate."""
    frame = bundled.frame
    x, n = frame["responders"].to_numpy(dtype=float), frame["n"].to_numpy(dtype=float)
    group = np.unique(frame["trial"], return_inverse=True)[1]
    fit = fit_glmm(x, n, group=group)
    start = time.process_time()
    got = shrunken_rates(x, n, fit=fit, group=group)
    assert time.process_time() - start < 0.5
    eta = np.full((1, x.size), fit.beta[0])
    at = marginal(x, n, eta=eta, group=group, tau_group=fit.tau_group, tau_cohort=fit.tau, nodes=Nodes(31, 31))
    assert got.p_mean == pytest.approx((x - at.d_eta[0]) / n, abs=1e-7)


def test_a_tau_of_0_leaves_every_cohort_at_the_mean() -> None:
    x, n = [30, 31, 29, 30], [60] * 4
    got = shrunken_rates(x, n, fit=fit_glmm(x, n))
    assert got.p_mean == pytest.approx([0.5] * 4)
    assert got.theta_mode == pytest.approx([0] * 4, abs=1e-9)
    assert (got.theta_sd == 0).all()
    assert (got.p_sd == 0).all()


def test_tau_between_groups_alone_makes_cohorts_of_a_group_alike() -> None:
    x, n, group = np.repeat([5, 25, 14, 20], 2), np.full(8, 30), np.repeat(np.arange(4), 2)
    fit = fit_glmm(x, n, group=group)
    assert fit.tau == 0
    got = shrunken_rates(x, n, fit=fit, group=group)
    one = shrunken_rates(x[::2] * 2, n[::2] * 2, fit=fit_glmm(x[::2] * 2, n[::2] * 2))
    assert got.theta_mean == pytest.approx(np.repeat(one.theta_mean, 2), abs=1e-5)
    assert got.p_sd == pytest.approx(np.repeat(one.p_sd, 2), rel=1e-4)


def test_huge_cohorts_keep_their_own_rate() -> None:
    rates = expit(np.array([-0.9, 0.1, 0.4, 1.3]))
    n = np.full(4, 10_000_000)
    x = np.round(n * rates)
    got = shrunken_rates(x, n, fit=fit_glmm(x, n))
    assert got.p_mean == pytest.approx(rates, abs=1e-6)
    assert got.p_sd == pytest.approx(np.sqrt(rates * (1 - rates) / n), rel=1e-4)
    assert got.theta_mode == pytest.approx(logit(rates), abs=1e-5)


@pytest.mark.parametrize(("x", "n"), [([0, 0, 0], [12, 35, 20]), ([3], [7])])
def test_without_a_usable_fit_there_is_none(x: list[int], n: list[int]) -> None:
    got = shrunken_rates(x, n, fit=fit_glmm(x, n))
    assert np.isnan([got.theta_mean, got.theta_sd, got.theta_mode, got.p_mean, got.p_sd]).all()
