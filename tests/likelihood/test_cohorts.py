"""Likelihoods of cohorts against SciPy's distributions, far out too."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

from alkbayes.likelihood.cohorts import BetaBinomial, Binomial, log_rising
from alkbayes.likelihood.links import Link, inverse

X, N = np.array([0.0, 3, 20, 150]), np.array([12.0, 35, 20, 400])
COHORTS = np.arange(4)
LOG_CHOOSE = gammaln(N + 1) - gammaln(X + 1) - gammaln(N - X + 1)


@pytest.mark.parametrize("link", list(Link))
def test_binomial(link: Link) -> None:
    likelihood = Binomial(X, N, link)
    theta = np.linspace(-3, 2, 6)[:, None] + np.zeros(4)
    found = likelihood.at(COHORTS, COHORTS)(theta) + LOG_CHOOSE
    np.testing.assert_allclose(found, stats.binom.logpmf(X, N, inverse(link, theta)), rtol=1e-9)
    assert likelihood.coefficients == pytest.approx(LOG_CHOOSE.sum())


@pytest.mark.parametrize("link", list(Link))
def test_beta_binomial(link: Link) -> None:
    rho = np.array([0.02, 0.3, 0.9])
    likelihood = BetaBinomial(Binomial(X, N, link), rho)
    theta = np.linspace(-2, 1.5, 5)[:, None] + np.zeros(4)
    for row in range(3):
        size = (1 - rho[row]) / rho[row]
        p = inverse(link, theta)
        expected = stats.betabinom.logpmf(X, N, p * size, (1 - p) * size)
        found = likelihood.at(COHORTS, np.full(4, row))(theta) + LOG_CHOOSE
        np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_a_rho_of_next_to_nothing_is_the_binomial() -> None:
    theta = np.linspace(-2, 2, 5)[:, None] + np.zeros(4)
    binomial = Binomial(X, N)
    found = BetaBinomial(binomial, np.array([1e-13])).at(COHORTS, np.zeros(4, dtype=np.intp))(theta)
    # n^2 rho / 2 is 1e-8 for the largest cohort.
    np.testing.assert_allclose(found, binomial.at(COHORTS, COHORTS)(theta), atol=1e-7)


@pytest.mark.parametrize("a", [1e-300, 0.3, 700.0, 9.99e3, 1.001e4, 1e7, 1e15])
@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_rising_factorials(a: float, count: int) -> None:
    expected = np.log(a + np.arange(count)).sum()
    assert log_rising(np.array([a]), np.array([count]))[0] == pytest.approx(expected, rel=1e-11, abs=1e-9)


@pytest.mark.parametrize("link", list(Link))
def test_far_out_it_stays_finite(link: Link) -> None:
    theta = np.array([[-60.0], [-20.0], [20.0], [60.0]]) + np.zeros(4)
    for likelihood in (Binomial(X, N, link), BetaBinomial(Binomial(X, N, link), np.full(4, 0.05))):
        found = likelihood.at(COHORTS, COHORTS)(theta)
        assert not np.isnan(found).any()
        assert (found < 1e-6).all()


@pytest.mark.parametrize("link", list(Link))
def test_the_stand_in_of_a_large_cohort_is_its_likelihood(link: Link) -> None:
    likelihood = Binomial(np.array([4e6]), np.array([1e7]), link)
    one = np.zeros(1, dtype=np.intp)
    (centre,), (variance,) = likelihood.stand_in(one, one)
    sd = np.sqrt(variance)
    at = likelihood.at(one, one)(centre + sd * np.array([[-1.0], [0.0], [1.0]]))[:, 0]
    np.testing.assert_allclose(at - at[1], [-0.5, 0.0, -0.5], atol=1e-3)
    assert BetaBinomial(likelihood, np.array([0.1])).stand_in(one, one)[1] == pytest.approx(variance * (1 + 1e6 - 0.1))
