"""The binomial-normal model: likelihood against a dense grid, derivatives, limits, failures that are owned up to."""

import math
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from scipy.stats import binom, norm

from alkbayes.classical.glmm import MAX_NODES, fit_glmm, marginal

RESPONDERS = np.array([0.0, 3, 20, 7, 11, 5000, 6_100_000])
PATIENTS = np.array([12.0, 35, 20, 64, 29, 9000, 10_000_000])
BRUIN = (
    [11, 24, 179, 82, 60, 11, 99, 9, 88, 17, 26, 23, 40],
    [29, 33, 326, 240, 110, 29, 244, 17, 215, 26, 138, 55, 54],
)


def grid_log_likelihood(x: float, n: float, mu: float, tau: float) -> float:
    """Log marginal probability of x of n, by the trapezoid rule on a grid of logits; shares nothing with `marginal`."""
    width = min(1.0, 1 / (tau * math.sqrt(n) / 4 + 1e-12))
    peak = math.log((x + 0.5) / (n - x + 0.5))
    near = np.linspace(peak - 4000 / math.sqrt(n), peak + 4000 / math.sqrt(n), 400_001)
    wide = np.linspace(mu - 14 * tau, mu + 14 * tau, 400_001)
    theta = near if width < 1 and n > 1e5 else wide
    logs = binom.logpmf(x, n, expit(theta)) + norm.logpdf(theta, mu, tau)
    return float(logsumexp(logs) + math.log(theta[1] - theta[0]))


def constants(x: np.ndarray, n: np.ndarray) -> np.ndarray:
    """What `marginal` leaves out: the log probability of x at its own rate."""
    return binom.logpmf(x, n, x / n)


@pytest.mark.parametrize(("mu", "tau"), [(0.0, 0.5), (-1.5, 1.2), (2.0, 0.3), (-3.5, 0.9)])
def test_likelihood_against_a_dense_grid(mu: float, tau: float) -> None:
    got = marginal(RESPONDERS, PATIENTS, np.full(7, mu), tau).value + constants(RESPONDERS, PATIENTS)
    expected = [grid_log_likelihood(x, n, mu, tau) for x, n in zip(RESPONDERS, PATIENTS, strict=True)]
    # The grid sums log probabilities of ten million patients; what it can resolve there is 1e-7.
    np.testing.assert_allclose(got[:-1], expected[:-1], atol=2e-9)
    np.testing.assert_allclose(got[-1], expected[-1], atol=1e-6)


@pytest.mark.parametrize(("x", "n", "mu", "tau"), [(0, 20, -2.0, 1.0), (3, 17, 1.5, 1.5), (40, 54, -0.1, 0.6)])
def test_the_error_falls_with_the_nodes(x: int, n: int, mu: float, tau: float) -> None:
    exact = grid_log_likelihood(x, n, mu, tau) - float(constants(np.array(x), np.array(n)))
    errors = [
        abs(float(marginal(np.array([x]), np.array([n]), np.array([mu]), tau, nodes=count).value[0]) - exact)
        for count in (1, 5, 11, 41)
    ]
    assert errors[0] > 1e-3
    assert all(later < earlier / 5 for earlier, later in pairwise(errors))
    assert errors[3] < 1e-10


@pytest.mark.parametrize("tau", [0.0, 0.4, 2.0])
def test_derivatives_are_those_of_the_value(tau: float) -> None:
    x, n, mu, h = RESPONDERS[:-1], PATIENTS[:-1], np.linspace(-1, 1, 6), 1e-4
    at = marginal(x, n, mu, tau)
    up, down = marginal(x, n, mu + h, tau), marginal(x, n, mu - h, tau)
    wide, tight = marginal(x, n, mu, tau + h), marginal(x, n, mu, tau - h)
    for got, plus, minus in (
        (at.d_mu, up.value, down.value),
        (at.d_tau, wide.value, tight.value),
        (at.d_mu_mu, up.d_mu, down.d_mu),
        (at.d_mu_tau, up.d_tau, down.d_tau),
        (at.d_tau_tau, wide.d_tau, tight.d_tau),
    ):
        np.testing.assert_allclose(got, (plus - minus) / (2 * h), rtol=2e-4, atol=2e-5)


def test_many_parameters_at_once_are_each_by_itself() -> None:
    mu, tau = np.random.default_rng(1).normal(size=(4, 7)), np.array([0.0, 0.1, 0.7, 2.0])
    together = marginal(RESPONDERS, PATIENTS, mu, tau[:, None])
    for i in range(4):
        alone = marginal(RESPONDERS, PATIENTS, mu[i], tau[i])
        np.testing.assert_allclose(together.value[i], alone.value, rtol=1e-10)
        np.testing.assert_allclose(together.d_tau_tau[i], alone.d_tau_tau, rtol=1e-9)


def test_at_tau_0_it_is_the_binomial() -> None:
    mu = np.linspace(-1, 1, 6)
    got = marginal(RESPONDERS[:-1], PATIENTS[:-1], mu, 0.0).value
    expected = binom.logpmf(RESPONDERS[:-1], PATIENTS[:-1], expit(mu)) - constants(RESPONDERS[:-1], PATIENTS[:-1])
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-11)


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
    # Not equal: the tau they share is known better, and the effects' errors hang a little on tau's.
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
        start = time.perf_counter()
        assert fit_glmm(x, n).converged
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.2
