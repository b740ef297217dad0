"""Cluster-robust covariances: against clubSandwich and metafor, a dense textbook formula, and clusters that are few."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import f

from alkbayes.classical.inverse_variance.cluster_robust import LARGEST_CLUSTER, Correction, RobustFit, cluster_robust
from alkbayes.classical.scales import Scale, effects

CLOSED_FORM = 1e-10

SETS = [
    "konstantopoulos_reml",
    "konstantopoulos_ee",
    "konstantopoulos_year",
    "cohorts_reml",
    "cohorts_dl",
    "cohorts_ee",
    "cohorts_line",
]

type Reader = Callable[[str], dict[str, Any]]


def fitted(expected: dict[str, Any], correction: Correction) -> RobustFit:
    columns = expected["X"]
    design = np.column_stack([np.ones(len(expected["yi"])), columns]) if columns else None
    return cluster_robust(
        expected["yi"],
        expected["vi"],
        expected["cluster"],
        tau2=expected["tau2"],
        design=design,
        correction=correction,
    )


@pytest.mark.parametrize("name", SETS)
def test_cr2_agrees_with_clubsandwich(reference: Reader, name: str) -> None:
    recorded = reference("cluster_robust")["sets"][name]
    fit, expected = fitted(recorded, Correction.CR2), recorded["CR2"]
    assert fit.correction is Correction.CR2
    assert fit.beta == pytest.approx(recorded["b"], rel=CLOSED_FORM)
    assert fit.covariance == pytest.approx(np.array(expected["vcov"]), rel=CLOSED_FORM)
    assert fit.se == pytest.approx(expected["se"], rel=CLOSED_FORM)
    assert fit.df == pytest.approx(expected["df"], rel=CLOSED_FORM)
    assert fit.p_values == pytest.approx(expected["p"], rel=CLOSED_FORM)
    assert fit.intervals(0.95) == pytest.approx(np.column_stack([expected["ci_lb"], expected["ci_ub"]]), rel=1e-9)


@pytest.mark.parametrize("name", SETS)
def test_cr0_and_cr1_agree_with_clubsandwich_and_metafor(reference: Reader, name: str) -> None:
    recorded = reference("cluster_robust")["sets"][name]
    plain, factor = fitted(recorded, Correction.CR0), fitted(recorded, Correction.CR1)
    robust = recorded["robust"]
    assert plain.covariance == pytest.approx(np.array(recorded["CR0"]["vcov"]), rel=CLOSED_FORM)
    assert factor.covariance == pytest.approx(np.array(robust["vb"]), rel=CLOSED_FORM)
    assert set(factor.df) == {robust["df"]}
    assert factor.intervals(0.95) == pytest.approx(np.column_stack([robust["ci_lb"], robust["ci_ub"]]), rel=1e-9)


def test_cr2_is_unbiased_where_the_weights_are_right() -> None:
    """Its expectation under the working model, by the quadratic form of each residual, is the model's own variance."""
    rng = np.random.default_rng(3)
    vi, cluster = rng.uniform(0.1, 1.0, 9), np.array([0, 0, 1, 1, 1, 2, 3, 3, 3])
    mean = np.zeros(9)
    # The estimate is quadratic in y: polarise it with y = e_i sqrt(v_i), whose squares have the working covariance.
    expected = sum(cluster_robust(mean + np.sqrt(vi[i]) * np.eye(9)[i], vi, cluster).covariance[0, 0] for i in range(9))
    assert expected == pytest.approx(1 / (1 / vi).sum(), rel=1e-12)


def test_the_test_of_one_effect_is_clubsandwichs_t(reference: Reader) -> None:
    recorded = reference("cluster_robust")["sets"]["konstantopoulos_year"]
    test, expected = fitted(recorded, Correction.CR2).omnibus, recorded["CR2"]
    assert test is not None
    assert (test.df1, test.df2) == (1, pytest.approx(expected["df"][1], rel=1e-9))
    assert test.statistic == pytest.approx((recorded["b"][1] / expected["se"][1]) ** 2, rel=1e-9)
    assert test.p == pytest.approx(expected["p"][1], rel=1e-9)


def test_the_test_of_several_effects_has_the_degrees_of_freedom_of_its_own_variance() -> None:
    """Hotelling's, of Tipton & Pustejovsky (2015): eta from the covariance's exact moments, a quadratic form of y."""
    rng = np.random.default_rng(11)
    cluster = np.repeat(np.arange(6), [1, 2, 3, 1, 2, 2])
    k, vi = cluster.size, rng.uniform(0.1, 1.0, cluster.size)
    design = np.column_stack([np.ones(k), rng.normal(size=k), np.arange(k) % 2])
    y = rng.normal(size=k)

    def inner(outcome: np.ndarray) -> np.ndarray:
        return cluster_robust(outcome, vi, cluster, design=design).covariance[1:, 1:]

    # Polarised: the covariance at a + b less that at a - b is four times the bilinear form; at a - a there is none.
    rows = list(np.diag(np.sqrt(vi)))
    form = np.array([[inner(a) if a is b else (inner(a + b) - inner(a - b)) / 4 for a in rows] for b in rows])
    bread = np.linalg.inv(design.T @ (design / vi[:, None]))[1:, 1:]
    root = np.linalg.inv(np.linalg.cholesky(bread)).T
    form = root.T @ form @ root
    assert np.einsum("iist->st", form) == pytest.approx(np.eye(2), abs=1e-10)
    eta = 2 * 3 / float(2 * np.einsum("ijst,jist->", form, form))
    fit = cluster_robust(y, vi, cluster, design=design)
    hotelling = fit.beta[1:] @ np.linalg.solve(fit.covariance[1:, 1:], fit.beta[1:])
    test = fit.omnibus
    assert test is not None
    assert (test.df1, test.df2) == (2, pytest.approx(eta - 1, rel=1e-9))
    assert test.statistic == pytest.approx((eta - 1) / (2 * eta) * hotelling, rel=1e-9)
    assert test.p == pytest.approx(f.sf(test.statistic, 2, eta - 1), rel=1e-9)
    factor = cluster_robust(y, vi, cluster, design=design, correction=Correction.CR1).omnibus
    assert factor is not None
    assert factor.df2 == 3


def test_too_few_clusters_for_a_test_of_all_effects_are_said() -> None:
    """Three effects of five clusters, three of one cohort: eta is under 2, which leaves F no degree of freedom."""
    cluster, place = np.repeat(np.arange(5), [1, 1, 1, 2, 14]), np.arange(19)
    design = np.column_stack([np.ones(19), place % 3 == 1, place % 3 == 2, np.sin(place)])
    fit = cluster_robust(np.cos(place**2.0), np.full(19, 0.2), cluster, design=design)
    assert np.isfinite(fit.covariance).all()
    assert fit.omnibus is None
    assert "too few clusters to test all effects together" in fit.caution


def test_each_cohort_its_own_cluster_of_one_variance_is_the_t_test() -> None:
    y = np.array([0.2, 1.1, 0.5, -0.3, 0.9])
    fit = cluster_robust(y, np.full(5, 0.3), np.arange(5))
    assert fit.covariance[0, 0] == pytest.approx(y.var(ddof=1) / 5, rel=1e-12)
    assert fit.df[0] == pytest.approx(4)


def test_it_covers_when_cohorts_of_a_trial_are_not_independent() -> None:
    """Simulation, known mean 0: independent cohorts would be covered at 0.95, dependent ones far less often."""
    rng = np.random.default_rng(8)
    cluster = np.repeat(np.arange(20), rng.integers(1, 7, 20))
    vi = rng.uniform(0.05, 0.3, cluster.size)
    robust = plain = 0
    repeats = 400
    for _ in range(repeats):
        y = 0.8 * rng.normal(size=20)[cluster] + rng.normal(size=cluster.size) * np.sqrt(vi)
        fit = cluster_robust(y, vi, cluster, tau2=0.64)
        low, high = fit.intervals(0.95)[0]
        robust += low < 0 < high
        plain += abs(fit.beta[0]) < 1.96 / np.sqrt((1 / (vi + 0.64)).sum())
    assert robust / repeats > 0.95 - 3 * np.sqrt(0.95 * 0.05 / repeats)
    assert plain / repeats < 0.85


def test_one_cluster_gives_no_result_and_says_why() -> None:
    fit = cluster_robust([0.1, 0.5, 0.3], [0.1, 0.2, 0.1], ["a", "a", "a"])
    assert fit.clusters == 1
    assert np.isnan(fit.covariance).all()
    assert np.isnan(fit.intervals(0.95)).all()
    assert fit.beta[0] == pytest.approx((1 + 2.5 + 3) / 25)
    assert fit.without == "cluster-robust intervals of 1 fixed effect need at least 2 clusters, found 1"


def test_two_clusters_give_a_result_of_one_degree_of_freedom() -> None:
    fit = cluster_robust([0.1, 0.5, 0.3], [0.1, 0.2, 0.1], ["a", "a", "b"])
    assert np.isfinite(fit.intervals(0.95)).all()
    assert 1 <= fit.df[0] < 1.01
    assert (fit.without, fit.caution) == ("", "")


@pytest.mark.parametrize("correction", list(Correction))
def test_an_effect_that_rests_on_one_cluster_has_no_interval(correction: Correction) -> None:
    cluster = np.repeat(np.arange(6), 2)
    design = np.column_stack([np.ones(12), cluster == 5])
    y = np.sin(np.arange(12.0))
    fit = cluster_robust(y, np.full(12, 0.1), cluster, design=design, correction=correction)
    without = cluster_robust(y[:10], np.full(10, 0.1), cluster[:10], correction=Correction.CR0)
    assert np.isnan(fit.covariance[1]).all()
    assert np.isnan(fit.df[1])
    assert "rests on one cluster alone" in fit.without
    if correction is Correction.CR0:
        assert fit.covariance[0, 0] == pytest.approx(without.covariance[0, 0])


def test_a_cluster_too_large_for_cr2_falls_back_and_says_so() -> None:
    rng = np.random.default_rng(0)
    cluster = np.r_[np.zeros(LARGEST_CLUSTER + 1), np.arange(1, 30)]
    y, vi = rng.normal(size=cluster.size), np.full(cluster.size, 1.0)
    fit = cluster_robust(y, vi, cluster)
    assert fit.correction is Correction.CR1
    assert "too large" in fit.caution
    assert fit.covariance == pytest.approx(cluster_robust(y, vi, cluster, correction=Correction.CR1).covariance)


@pytest.mark.parametrize("tau2", [-0.1, float("nan")])
def test_a_variance_that_is_none_is_refused(tau2: float) -> None:
    with pytest.raises(ValueError, match="tau2 must be at least 0"):
        cluster_robust([0.1, 0.2], [0.1, 0.1], ["a", "b"], tau2=tau2)


def test_a_cohort_of_millions_beside_one_of_tens() -> None:
    # clubSandwich 0.5.8, conf_int(rma(measure="PLO", method="EE"), vcov="CR2", cluster): 38.70 to 41.91 %, SE 0.00526.
    x, n = np.array([3e6, 5e6, 4e6, 10.0]), np.array([1e7, 1e7, 1e7, 20.0])
    observed = effects(x, n, scale=Scale.LOGIT)
    robust = cluster_robust(observed.yi, observed.vi, ["a", "a", "b", "b"])
    assert float(robust.intervals(0.95)[0, 0]) == pytest.approx(float(np.log(0.3870 / 0.6130)), abs=3e-4)
    assert float(robust.intervals(0.95)[0, 1]) == pytest.approx(float(np.log(0.4191 / 0.5809)), abs=3e-4)
