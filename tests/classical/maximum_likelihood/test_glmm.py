"""The binomial-normal model: maxima against a dense grid, limits, tests, failures that are owned up to."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import comb, expit, logsumexp
from scipy.stats import binom, chi2, norm

from alkbayes.classical.maximum_likelihood.glmm import (
    MAX_NODES,
    NESTED_MOST,
    Level,
    build,
    fit_glmm,
    likelihood_ratio,
    maximum_likelihood,
)
from alkbayes.evidence.table import Evidence

BRUIN = (
    [11, 24, 179, 82, 60, 11, 99, 9, 88, 17, 26, 23, 40],
    [29, 33, 326, 240, 110, 29, 244, 17, 215, 26, 138, 55, 54],
)


def test_no_other_point_is_higher() -> None:
    fit = fit_glmm(*BRUIN)
    x, n = (np.array(counts)[:, None] for counts in BRUIN)
    z = np.linspace(-9, 9, 3001)

    def minus(phi: np.ndarray) -> float:
        logs = binom.logpmf(x, n, expit(phi[0] + abs(phi[1]) * z)) + norm.logpdf(z)
        return -float((logsumexp(logs, axis=1) + math.log(z[1] - z[0])).sum())

    found = minimize(minus, [0.1, 0.4], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10})
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-8)
    assert [fit.beta[0], fit.tau] == pytest.approx(list(found.x), abs=2e-5)


def test_fixed_effects_split_cohorts_that_share_a_tau() -> None:
    """Two groups mirror each other: the effects must be opposite and the tau that of one group alone."""
    x, n = np.array(BRUIN[0]), np.array(BRUIN[1])
    one = fit_glmm(x, n)
    design = np.kron(np.eye(2), np.ones((13, 1)))
    two = fit_glmm(np.r_[x, n - x], np.r_[n, n], design=design)
    assert two.converged
    assert two.beta == pytest.approx([one.beta[0], -one.beta[0]], abs=1e-8)
    assert two.tau == pytest.approx(one.tau, abs=1e-8)
    assert two.lr_df == 24
    assert two.lr == pytest.approx(2 * one.lr, rel=1e-9)
    # Not equal: the tau they share is known better, and the effects' errors depend a little on tau's.
    assert np.sqrt(np.diag(two.covariance)) == pytest.approx([math.sqrt(one.covariance[0, 0])] * 2, rel=2e-3)


def test_no_differences_put_tau_at_its_boundary() -> None:
    fit = fit_glmm([30, 31, 29, 30], [60, 60, 60, 60])
    assert fit.converged
    assert fit.tau == 0
    assert fit.beta[0] == pytest.approx(0, abs=1e-12)
    assert fit.covariance[0, 0] == pytest.approx(1 / (240 / 4), rel=1e-12)
    assert fit.log_likelihood == pytest.approx(binom.logpmf([30, 31, 29, 30], 60, 0.5).sum(), rel=1e-12)


def test_large_cohorts_approach_the_normal_model() -> None:
    """With cohorts of ten million a logit is known: maximum likelihood is their mean and variance over k."""
    theta = np.array([-0.9, 0.1, 0.4, 1.3, -0.2])
    n = np.full(5, 10_000_000)
    fit = fit_glmm(np.round(n * expit(theta)), n)
    assert fit.converged
    assert fit.beta[0] == pytest.approx(theta.mean(), abs=1e-6)
    assert fit.tau == pytest.approx(theta.std(), rel=1e-5)
    assert fit.covariance[0, 0] == pytest.approx(theta.var() / 5, rel=1e-5)


def test_tiny_differences_between_large_cohorts_are_found() -> None:
    theta = 0.5 + 0.01 * np.array([-1.0, 1.0, 0.4, -0.6])
    n = np.full(4, 10_000_000)
    fit = fit_glmm(np.round(n * expit(theta)), n)
    assert fit.converged
    assert fit.tau == pytest.approx(theta.std(), rel=1e-2)


@pytest.mark.parametrize("x", [[0, 0, 0], [12, 35, 20]])
def test_a_maximum_at_infinity_is_owned_up_to(x: list[int]) -> None:
    fit = fit_glmm(x, [12, 35, 20])
    assert not fit.converged
    assert fit.message == "the likelihood has no maximum at finite values"
    assert np.isnan(fit.covariance).all()


def test_all_or_nothing_cohorts_leave_tau_without_a_maximum() -> None:
    assert not fit_glmm([0, 5, 0, 6], [9, 5, 8, 6]).converged


def test_a_covariate_that_separates_is_owned_up_to() -> None:
    design = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    assert not fit_glmm([0, 0, 5, 6], [9, 8, 10, 12], design=design).converged


def test_running_out_of_steps_is_owned_up_to() -> None:
    fit = fit_glmm(*BRUIN, max_iterations=1)
    assert not fit.converged
    assert fit.message == "the search for the maximum did not converge"


def test_a_start_that_did_not_converge_is_passed_over() -> None:
    nowhere = fit_glmm([0, 0, 0], [9, 12, 8])
    assert not nowhere.converged
    assert fit_glmm(*BRUIN, start=nowhere).beta == fit_glmm(*BRUIN).beta


def test_too_few_nodes_are_not_relied_upon() -> None:
    """Seven nodes are one too few for these data; the fit goes on to more until it is exact."""
    coarse, fine = fit_glmm(*BRUIN, nodes=7), fit_glmm(*BRUIN, nodes=MAX_NODES // 2)
    assert coarse.converged
    assert coarse.log_likelihood == pytest.approx(fine.log_likelihood, abs=1e-6)


def test_a_single_cohort_is_its_own_rate() -> None:
    fit = fit_glmm(12, 40)
    assert fit.converged
    assert fit.tau is None
    assert fit.lr is None
    assert fit.beta[0] == pytest.approx(math.log(12 / 28), rel=1e-12)
    assert fit.covariance[0, 0] == pytest.approx(1 / 12 + 1 / 28, rel=1e-10)


@pytest.mark.parametrize("design", [np.ones((2, 1)), np.ones((3, 2)), np.ones(3)])
def test_a_design_that_does_not_fit_is_refused(design: np.ndarray) -> None:
    with pytest.raises(ValueError, match="3 rows and full column rank"):
        fit_glmm([1, 2, 3], [9, 9, 9], design=design)


@pytest.mark.parametrize("nodes", [0, MAX_NODES])
def test_a_number_of_nodes_out_of_range_is_refused(nodes: int) -> None:
    with pytest.raises(ValueError, match="1 to 165"):
        fit_glmm([1, 2, 3], [9, 9, 9], nodes=nodes)


COHORTS = st.lists(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=2, max_size=12
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(cohorts=COHORTS, seed=st.integers(0, 2**32 - 1))
def test_order_and_direction_do_not_matter(cohorts: list[tuple[int, int]], seed: int) -> None:
    x, n = np.array(cohorts).T
    order = np.random.default_rng(seed).permutation(len(x))
    fit, shuffled, turned = fit_glmm(x, n), fit_glmm(x[order], n[order]), fit_glmm(n - x, n)
    if not fit.converged:
        return
    assert shuffled.converged
    assert turned.converged
    assert fit.tau is not None
    se = math.sqrt(fit.covariance[0, 0])
    for other, sign in ((shuffled, 1), (turned, -1)):
        assert sign * other.beta[0] == pytest.approx(fit.beta[0], abs=1e-5 * se)
        assert other.tau == pytest.approx(fit.tau, abs=1e-4 * (1 + fit.tau))
        assert other.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-6)


def test_it_never_raises_and_never_claims_what_it_has_not() -> None:
    rng = np.random.default_rng(20)
    converged = 0
    for _ in range(150):
        k = int(rng.integers(1, 30))
        n = rng.integers(1, 10 ** int(rng.integers(1, 8)), size=k)
        x = rng.binomial(n, expit(rng.normal(0, 2.5) + rng.choice([0, 0.3, 1, 4]) * rng.normal(size=k)))
        fit = fit_glmm(x, n)
        assert fit.converged == (not fit.message)
        assert fit.converged == np.isfinite(fit.covariance).all()
        converged += fit.converged
    assert converged > 130


def test_sixty_three_cohorts_take_less_than_a_fifth_of_a_second() -> None:
    rng = np.random.default_rng(2)
    n = rng.integers(5, 350, size=63)
    x = rng.binomial(n, expit(0.4 + 0.8 * rng.normal(size=63)))
    fit_glmm(x, n)
    taken = []
    for _ in range(3):
        start = time.process_time()
        assert fit_glmm(x, n).converged
        taken.append(time.process_time() - start)
    assert min(taken) < 0.2


NESTED = (
    np.array([8, 12, 2, 9, 22, 30, 1, 14, 19, 12, 0, 5]),
    np.array([10, 20, 9, 21, 30, 36, 12, 31, 20, 12, 7, 15]),
    np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]),
)


def nested_grid(mu: float, tau: float, tau_group: float) -> float:
    """Log-likelihood of `NESTED` by the trapezoid rule at both levels."""
    x, n, group = NESTED
    z = np.linspace(-8.5, 8.5, 81)
    log_z = norm.logpdf(z) + math.log(z[1] - z[0])
    theta = mu + tau_group * z[:, None, None] + tau * z[:, None]
    inside = logsumexp(x * theta - n * np.logaddexp(0, theta) + log_z[:, None], axis=1)
    inside += np.log(comb(n, x))
    sums = np.stack([inside[:, group == g].sum(axis=1) for g in range(6)], axis=1)
    return float(logsumexp(sums + log_z[:, None], axis=0).sum())


def test_two_levels_against_a_dense_grid() -> None:
    x, n, group = NESTED
    fit = fit_glmm(x, n, group=group)
    assert fit.converged
    found = minimize(
        lambda phi: -nested_grid(*phi), [0.5, 0.4, 0.7], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-11}
    )
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-6)
    assert [fit.beta[0], fit.tau, fit.tau_group] == pytest.approx(np.abs(found.x).tolist(), abs=2e-4)
    h = 1e-3
    hessian = np.array(
        [
            [
                sum(
                    a * b * nested_grid(*(found.x + h * (a * np.eye(3)[i] + b * np.eye(3)[j])))
                    for a in (-1, 1)
                    for b in (-1, 1)
                )
                / (4 * h * h)
                for j in range(3)
            ]
            for i in range(3)
        ]
    )
    assert math.sqrt(fit.covariance[0, 0]) == pytest.approx(math.sqrt(np.linalg.inv(-hessian)[0, 0]), rel=1e-3)


def test_tests_of_two_levels_compare_with_the_model_without() -> None:
    x, n, group = NESTED
    fit, one = fit_glmm(x, n, group=group), fit_glmm(x, n)
    test = fit.heterogeneity[Level.GROUP]
    assert test.statistic == pytest.approx(2 * (fit.log_likelihood - one.log_likelihood), abs=1e-7)
    assert test.p == pytest.approx(chi2.sf(test.statistic, 1) / 2, rel=1e-9)
    lone = minimize(lambda phi: -nested_grid(phi[0], 0, phi[1]), [0.5, 1.0], method="Nelder-Mead", tol=1e-8)
    assert fit.heterogeneity[Level.COHORT].statistic == pytest.approx(2 * (fit.log_likelihood + lone.fun), abs=1e-5)


def test_groups_that_do_not_differ_leave_one_level() -> None:
    """Each group holds the same two cohorts: all differences lie within."""
    x, n, group = np.tile([5, 25], 5), np.tile([30, 30], 5), np.repeat(np.arange(5), 2)
    fit, one = fit_glmm(x, n, group=group), fit_glmm(x, n)
    assert fit.tau_group == 0
    assert fit.tau == one.tau
    assert fit.covariance == pytest.approx(one.covariance)
    assert fit.heterogeneity[Level.GROUP].p == 1


def test_cohorts_of_a_group_that_do_not_differ_leave_the_other_level() -> None:
    x, n, group = np.repeat([5, 25, 14, 20], 2), np.full(8, 30), np.repeat(np.arange(4), 2)
    fit, pooled = fit_glmm(x, n, group=group), fit_glmm([10, 50, 28, 40], [60] * 4)
    assert fit.tau == 0
    assert fit.tau_group == pytest.approx(pooled.tau, abs=1e-6)
    assert fit.beta == pytest.approx(pooled.beta, abs=1e-6)
    assert fit.covariance == pytest.approx(pooled.covariance, rel=1e-5)


def test_heterogeneity_of_one_level_is_tested_at_its_boundary() -> None:
    x, n = (np.array(counts) for counts in BRUIN)
    fit = fit_glmm(x, n)
    common = binom.logpmf(x, n, x.sum() / n.sum()).sum()
    test = fit.heterogeneity[Level.COHORT]
    assert test.statistic == pytest.approx(2 * (fit.log_likelihood - common), rel=1e-9)
    assert test.p == pytest.approx(chi2.sf(test.statistic, 1) / 2, rel=1e-9)


def test_a_covariate_is_tested_against_the_model_without() -> None:
    x, n = (np.array(counts) for counts in BRUIN)
    design = np.column_stack([np.ones(13), np.arange(13) % 2])
    small, large = fit_glmm(x, n), fit_glmm(x, n, design=design)
    test = likelihood_ratio(small, large)
    assert test.df == 1
    assert test.statistic == pytest.approx(2 * (large.log_likelihood - small.log_likelihood))
    assert test.p == pytest.approx(chi2.sf(test.statistic, 1), rel=1e-9)
    with pytest.raises(ValueError, match="larger"):
        likelihood_ratio(large, small)
    with pytest.raises(ValueError, match="converged"):
        likelihood_ratio(fit_glmm(x, n, max_iterations=1), large)


@pytest.mark.parametrize("group", [[1, 2, 3], [1, 1]])
def test_groups_that_make_no_second_level_are_refused(group: list[int]) -> None:
    with pytest.raises(ValueError, match="3 entries, at least two of them alike"):
        fit_glmm([1, 2, 3], [9, 9, 9], group=group)


def test_two_levels_against_lme4(bundled: Evidence) -> None:
    """Bundled evidence; glmer of lme4 1.1 with Laplace's approximation, so only roughly."""
    frame = bundled.frame
    fit = fit_glmm(frame["responders"], frame["n"], group=frame["trial"])
    assert fit.beta[0] == pytest.approx(0.4322, abs=1e-3)
    assert math.sqrt(fit.covariance[0, 0]) == pytest.approx(0.1148, abs=1e-3)
    assert fit.tau == pytest.approx(0.6160, abs=5e-3)
    assert fit.tau_group == pytest.approx(0.4753, abs=5e-3)
    assert fit.log_likelihood == pytest.approx(-252.31, abs=0.5)


@pytest.mark.parametrize(("unit", "offset"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 20_200_101.0), (1e9, 1e9)])
def test_units_and_origin_of_a_covariate_do_not_matter(unit: float, offset: float) -> None:
    x, n = [16, 10, 4, 43, 10, 25, 7, 9], [17, 12, 8, 58, 10, 42, 20, 31]
    z = np.arange(8.0)
    plain = fit_glmm(x, n, design=np.column_stack([np.ones(8), z]))
    other = fit_glmm(x, n, design=np.column_stack([np.ones(8), offset + unit * z]))
    assert other.converged
    # What an offset of 2e7 units leaves of double precision.
    assert other.beta[1] * unit == pytest.approx(plain.beta[1], rel=1e-6)
    assert other.covariance[1, 1] * unit**2 == pytest.approx(plain.covariance[1, 1], rel=1e-5)
    assert other.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-7)
    assert other.tau == pytest.approx(plain.tau, rel=1e-5)


def test_an_extreme_small_table_does_not_take_forever() -> None:
    # Nodes are bounded by their product: all of a trial, or none, in every cohort asks for more than anyone waits for.
    model = build([20, 30, 1, 5], [20, 30, 10, 12], None, ["a", "a", "b", "c"])
    assert model.group is not None
    fitted = maximum_likelihood(model)
    assert fitted.nodes.outer * fitted.nodes.inner <= 4 * NESTED_MOST
