"""Profile-likelihood intervals against profiles found by brute force on a dense grid."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import expit, logsumexp
from scipy.stats import binom, chi2, norm

from alkbayes.classical.maximum_likelihood.glmm import build, maximum_likelihood
from alkbayes.classical.maximum_likelihood.profile import _Profile, profile_intervals, tau_interval

PRITZ = (
    np.array([19.0, 55, 23, 57, 17, 24, 37, 28, 60, 40, 20, 9]),
    np.array([22.0, 69, 26, 87, 36, 30, 43, 44, 99, 50, 21, 20]),
)
Z = np.linspace(-9, 9, 601)
LOG_Z = norm.logpdf(Z) + math.log(Z[1] - Z[0])
NESTED = (
    np.array([8.0, 3, 15, 22, 6, 9, 2, 30, 11, 19]),
    np.array([10.0, 9, 20, 30, 21, 31, 12, 36, 12, 40]),
    np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]),
)


def grid_value(mu: np.ndarray, tau: float, x: np.ndarray, n: np.ndarray) -> float:
    """Log-likelihood of one level on a dense grid."""
    return float(logsumexp(binom.logpmf(x, n, expit(mu + tau * Z[:, None])) + LOG_Z[:, None], axis=0).sum())


def nested_value(mu: float, tau: float, tau_group: float) -> float:
    """Log-likelihood of two levels on a dense grid, without the binomial coefficients."""
    x, n, group = NESTED
    z = Z[::6]
    log_z = norm.logpdf(z) + math.log(z[1] - z[0])
    theta = mu + tau_group * z[:, None, None] + tau * z[:, None]
    inside = logsumexp(x * theta - n * np.logaddexp(0, theta) + log_z[:, None], axis=1)
    sums = np.stack([inside[:, group == g].sum(axis=1) for g in range(5)], axis=1)
    return float(logsumexp(sums + log_z[:, None], axis=0).sum())


def test_one_level_against_brute_force() -> None:
    x, n = PRITZ
    got = profile_intervals(x, n, prob=0.95)
    best = minimize(lambda phi: -grid_value(phi[0], phi[1], x, n), [1.3, 0.7], method="Nelder-Mead", tol=1e-9)
    target = -best.fun - chi2.ppf(0.95, 1) / 2

    def profile_mu(mu: float) -> float:
        return -minimize_scalar(lambda t: -grid_value(mu, t, x, n), bounds=(0, 4), method="bounded").fun - target

    def profile_tau(tau: float) -> float:
        return -minimize_scalar(lambda mu: -grid_value(mu, tau, x, n), bounds=(-2, 4), method="bounded").fun - target

    mu, tau = best.x
    assert got.beta[0] == pytest.approx([brentq(profile_mu, mu - 3, mu), brentq(profile_mu, mu, mu + 3)], abs=2e-5)
    assert got.tau == pytest.approx([brentq(profile_tau, 0, tau), brentq(profile_tau, tau, 4)], abs=2e-5)
    assert got.tau_group is None


def test_the_boundary_gives_a_lower_limit_of_0_and_an_upper_above_it() -> None:
    x, n = np.array([30.0, 31, 29, 30]), np.full(4, 60.0)
    got = profile_intervals(x, n, prob=0.9)
    target = grid_value(0.0, 0.0, x, n) - chi2.ppf(0.9, 1) / 2
    assert got.tau[0] == 0
    assert got.tau[1] == pytest.approx(brentq(lambda tau: grid_value(0.0, tau, x, n) - target, 0.01, 3), abs=1e-5)


def test_a_tau_above_0_may_have_0_in_its_interval() -> None:
    x, n = np.array([20.0, 30, 26, 35]), np.full(4, 60.0)
    got = profile_intervals(x, n, prob=0.99)
    assert got.tau[0] == 0
    assert profile_intervals(x, n, prob=0.5).tau[0] > 0


@pytest.fixture(scope="module")
def best() -> float:
    """Highest log-likelihood of two levels."""
    start, options = [0.5, 0.4, 0.7], {"fatol": 1e-9}
    return -float(minimize(lambda phi: -nested_value(*phi), start, method="Nelder-Mead", options=options).fun)


@pytest.mark.parametrize("place", [0, *(pytest.param(place, marks=pytest.mark.slow) for place in (1, 2))])
def test_two_levels_against_brute_force(place: int, best: float) -> None:
    x, n, group = NESTED
    got = profile_intervals(x, n, group=group, prob=0.8)
    limits = [got.beta[0], got.tau, got.tau_group][place]

    def profile(value: float) -> float:
        def minus(others: np.ndarray) -> float:
            return -nested_value(*np.insert(others, place, value))

        start = np.delete([0.5, 0.4, 0.7], place)
        return -minimize(minus, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-7}).fun

    for limit in limits:
        fall = best - profile(float(limit))
        if limit == 0:
            assert fall <= chi2.ppf(0.8, 1) / 2
        else:
            assert fall == pytest.approx(chi2.ppf(0.8, 1) / 2, abs=2e-5)


def test_no_maximum_no_interval() -> None:
    got = profile_intervals([0, 0, 0], [12, 35, 20], prob=0.95)
    assert np.isnan(got.beta).all()
    assert np.isnan(got.tau).all()


def test_the_quick_limits_of_tau_are_those_of_the_profile() -> None:
    for x, n in (
        ([16, 10, 4, 43, 10, 25], [17, 12, 8, 58, 10, 42]),
        ([5, 6, 5, 4], [10, 11, 9, 10]),  # tau is estimated at 0
        ([0, 1, 0, 3, 1], [20, 22, 31, 25, 18]),
        ([300_000, 500_000, 650_000], [1_000_000] * 3),
        # A simulated table on which the search arrives at a limit to the last bit, with a step of 0.
        (
            [3, 5, 1, 1, 4, 1, 1, 1, 2, 2, 4, 1, 1, 1, 0],
            [138, 143, 147, 18, 137, 8, 83, 12, 44, 18, 143, 46, 91, 41, 16],
        ),
    ):
        quick = tau_interval(maximum_likelihood(build(x, n, None, None)), prob=0.95)
        assert quick is not None
        # The slower way stops within PROFILE_TOLERANCE of a limit.
        assert quick == pytest.approx(tuple(_bracketed(x, n)), abs=3e-7)


def _bracketed(x: list[int], n: list[int]) -> list[float]:
    """Return the limits of tau by bisection of the profile alone."""
    profile = _Profile(maximum_likelihood(build(x, n, None, None)), 0.95)
    profile.newton = lambda place, sign: None  # type: ignore[method-assign,assignment]  # noqa: ARG005
    return [profile.limit(1, sign) for sign in (-1, 1)]


def test_the_quick_way_gives_up_where_there_is_nothing_to_find() -> None:
    for x, n in (([0, 0, 0], [12, 35, 20]), ([5], [10]), ([0, 12, 0, 9], [10, 12, 5, 9])):
        assert tau_interval(maximum_likelihood(build(x, n, None, None)), prob=0.95) is None
