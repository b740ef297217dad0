"""The beta-binomial model: against VGAM, glmmTMB and scipy, limits, huge counts, failures that are owned up to."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import beta, betabinom, binom, chi2, norm

from alkbayes.classical.maximum_likelihood.beta_binomial import EXACT_TERMS, _terms, fit_beta_binomial
from alkbayes.errors import EvidenceError

MAXIMUM = 2e-6
"""What glmmTMB's optimiser leaves undone, relative; VGAM comes to 1e-7."""

type Reader = Callable[[str], dict[str, Any]]


@pytest.mark.parametrize("name", ["pritz1997", "debruin2009", "nielweise2007", "cohorts"])
def test_it_agrees_with_vgam_and_glmmtmb(reference: Reader, name: str) -> None:
    expected = reference("beta_binomial")["sets"][name]
    fit = fit_beta_binomial(expected["xi"], expected["ni"])
    assert fit.converged
    for theirs in (expected["vgam"], expected["glmmTMB"]):
        assert logit(fit.mean) == pytest.approx(theirs["logit_mu"], abs=MAXIMUM)
        assert fit.rho == pytest.approx(theirs["rho"], rel=MAXIMUM)
        assert fit.log_likelihood == pytest.approx(theirs["ll"], abs=1e-9)
    tmb = expected["glmmTMB"]
    assert fit.logit_se == pytest.approx(tmb["se"], rel=MAXIMUM)
    # Theirs is the error of log((1 - rho) / rho).
    assert fit.rho_se == pytest.approx(tmb["log_phi_se"] * fit.rho * (1 - fit.rho), rel=MAXIMUM)
    assert fit.heterogeneity is not None
    statistic = 2 * (tmb["ll"] - expected["binomial_ll"])
    assert fit.heterogeneity.statistic == pytest.approx(statistic, rel=1e-8)
    assert fit.heterogeneity.p == pytest.approx(chi2.sf(statistic, 1) / 2, rel=1e-6)


def test_limits_are_of_the_logit_and_of_the_fitted_beta(reference: Reader) -> None:
    expected = reference("beta_binomial")["sets"]["debruin2009"]
    fit = fit_beta_binomial(expected["xi"], expected["ni"])
    wide = norm.ppf(0.95) * fit.logit_se
    centre = float(logit(fit.mean))
    assert fit.interval(0.9) == pytest.approx((expit(centre - wide), expit(centre + wide)), rel=1e-12)
    size = 1 / fit.rho - 1
    expected_limits = beta.ppf([0.05, 0.95], fit.mean * size, (1 - fit.mean) * size)
    assert fit.prediction(0.9) == pytest.approx(tuple(expected_limits), rel=1e-10)


def test_empty_and_full_cohorts_are_data_like_any_other() -> None:
    x, n = np.array([0, 5, 1, 8, 0]), np.array([9, 5, 8, 20, 4])
    fit = fit_beta_binomial(x, n)
    size = 1 / fit.rho - 1

    def value(mean: float, size: float) -> float:
        return float(betabinom.logpmf(x, n, mean * size, (1 - mean) * size).sum())

    assert fit.log_likelihood == pytest.approx(value(fit.mean, size), abs=1e-10)
    for step in (1e-3, -1e-3):
        assert value(fit.mean + step, size) < fit.log_likelihood
        assert value(fit.mean, size * (1 + step)) < fit.log_likelihood


def test_responders_and_others_may_change_places() -> None:
    x, n = np.array([0, 5, 1, 8, 0]), np.array([9, 5, 8, 20, 4])
    fit, turned = fit_beta_binomial(x, n), fit_beta_binomial(n - x, n)
    assert turned.mean == pytest.approx(1 - fit.mean, rel=1e-6)
    assert turned.rho == pytest.approx(fit.rho, rel=1e-6)
    assert turned.logit_se == pytest.approx(fit.logit_se, rel=1e-6)


def test_no_differences_leave_the_binomial() -> None:
    fit = fit_beta_binomial([30, 31, 29, 30], [60] * 4)
    assert fit.converged
    assert (fit.rho, fit.mean) == (0, 0.5)
    assert fit.logit_se == pytest.approx(1 / math.sqrt(60))
    assert fit.log_likelihood == pytest.approx(binom.logpmf([30, 31, 29, 30], 60, 0.5).sum(), rel=1e-12)
    assert fit.heterogeneity is not None
    assert (fit.heterogeneity.statistic, fit.heterogeneity.p) == (0, 1)
    assert fit.prediction(0.95) == (0.5, 0.5)
    assert math.isnan(fit.rho_se)


@pytest.mark.parametrize(("x", "n"), [([3], [5]), ([1, 0, 1, 1], [1, 1, 1, 1])])
def test_what_says_nothing_of_rho_leaves_it_undefined(x: list[int], n: list[int]) -> None:
    fit = fit_beta_binomial(x, n)
    assert fit.converged
    assert fit.mean == sum(x) / sum(n)
    assert math.isnan(fit.rho)
    assert fit.heterogeneity is None
    assert np.isfinite(fit.interval(0.95)).all()
    assert np.isnan(fit.prediction(0.95)).all()


@pytest.mark.parametrize(
    ("x", "why"),
    [([0, 0, 0], "rate of exactly 0"), ([9, 5, 8], "rate of exactly 1"), ([0, 5, 0], "no maximum at rho below 1")],
)
def test_all_or_nothing_gives_no_result(x: list[int], why: str) -> None:
    fit = fit_beta_binomial(x, [9, 5, 8])
    assert not fit.converged
    assert why in fit.message
    assert np.isnan([fit.mean, fit.rho, fit.logit_se, *fit.interval(0.95), *fit.prediction(0.95)]).all()


def test_running_out_of_steps_is_owned_up_to() -> None:
    fit = fit_beta_binomial([2, 5, 1, 8], [9, 7, 8, 20], max_iterations=1)
    assert not fit.converged
    assert fit.message == "the search for the maximum did not converge"


@pytest.mark.parametrize("theta", [0.0, 1e-9, 1e-3, 1.0, 100.0])
def test_long_products_are_exact(theta: float) -> None:
    counts = np.array([10, EXACT_TERMS, EXACT_TERMS + 1, 123_456], dtype=np.float64)
    terms = _terms(counts)
    assert terms.points.size < EXACT_TERMS + 300
    j = np.concatenate([np.arange(count) for count in counts])
    value, first, second = terms.sums(0.3, theta)
    base = 0.3 + theta * j
    assert value == pytest.approx(np.log(base).sum(), rel=1e-13)
    assert first == pytest.approx([(1 / base).sum(), (j / base).sum()], rel=1e-12)
    assert second[1, 1] == pytest.approx(-((j / base) ** 2).sum(), rel=1e-12)


def test_huge_cohorts_give_the_beta_distribution_of_their_rates() -> None:
    rates = np.random.default_rng(0).beta(3, 2, size=200)
    fit = fit_beta_binomial(np.round(1e7 * rates), np.full(200, 1e7))
    a, b, _, _ = beta.fit(rates, floc=0, fscale=1)
    assert fit.mean == pytest.approx(a / (a + b), rel=1e-4)
    assert fit.rho == pytest.approx(1 / (a + b + 1), rel=1e-3)


def test_it_never_raises_and_finds_a_maximum_where_there_is_one() -> None:
    rng = np.random.default_rng(20)
    for _ in range(150):
        k = int(rng.integers(1, 30))
        n = rng.integers(1, 10 ** int(rng.integers(1, 8)), size=k)
        x = rng.binomial(n, rng.beta(*(rng.uniform(0.1, 5, size=2) * rng.choice([1, 10, 100])), size=k))
        fit = fit_beta_binomial(x, n)
        all_or_nothing = bool(((x == 0) | (x == n)).all()) and (k > 1 or x[0] in {0, n[0]}) and n.max() > 1
        assert fit.converged or all_or_nothing or x.sum() in {0, n.sum()}


def test_counts_that_are_none_are_refused() -> None:
    with pytest.raises(EvidenceError, match="7/5"):
        fit_beta_binomial([7], [5])
