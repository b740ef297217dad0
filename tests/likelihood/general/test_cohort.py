"""One cohort's integral and its draws against dense grids, for every link, density and likelihood; two peaks too."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from alkbayes.likelihood.cohorts import BetaBinomial, Binomial, Likelihood
from alkbayes.likelihood.general.cohort import RULE, Level, drawn, integrated
from alkbayes.likelihood.general.scores import Score
from alkbayes.likelihood.links import Link

X, N = np.array([0.0, 3, 20, 7, 11, 210]), np.array([12.0, 35, 20, 64, 29, 300])
COHORTS = np.arange(6)
S = np.linspace(-17, 17, 100_001)
Z = np.sinh(S)
"""From -1e7 to 1e7, and 3e-4 apart in the middle."""
LOG_CELL = np.log(np.cosh(S)) + np.log(S[1] - S[0])


def grid(likelihood: Likelihood, cohort: int, mu: float, tau: float, nu: float) -> np.ndarray:
    """Return the log of likelihood times SciPy's density of the deviation on `Z`, which reaches far."""
    one = np.array([cohort])
    density = stats.t(nu) if np.isfinite(nu) else stats.norm
    return likelihood.at(one, np.zeros(1, dtype=np.intp))((mu + tau * Z)[:, None])[:, 0] + density.logpdf(Z)


def value_of(likelihood: Likelihood, mu: np.ndarray, tau: float, nu: float) -> np.ndarray:
    level = Level(np.array([tau]), Score(nu))
    return integrated(likelihood, level, mu, COHORTS[: len(mu)], np.zeros(len(mu), dtype=np.intp), RULE)


@pytest.mark.parametrize("link", list(Link))
@pytest.mark.parametrize("nu", [2.0, 4.0, np.inf])
@pytest.mark.parametrize("tau", [0.05, 0.4, 1.5])
def test_against_a_dense_grid(link: Link, nu: float, tau: float) -> None:
    likelihood = Binomial(X, N, link)
    mu = likelihood.stand_in(COHORTS, COHORTS)[0] + np.array([0.5, -0.4, -0.7, 0.3, 0.0, 0.2])
    expected = [logsumexp(grid(likelihood, i, mu[i], tau, nu) + LOG_CELL) for i in COHORTS]
    np.testing.assert_allclose(value_of(likelihood, mu, tau, nu), expected, atol=1e-5)


def test_a_beta_binomial_against_a_dense_grid() -> None:
    likelihood = BetaBinomial(Binomial(X, N), np.array([0.1]))
    mu = np.array([-1.0, -2.0, 1.5, -2.0, 0.0, 0.5])
    expected = [logsumexp(grid(likelihood, i, mu[i], 0.7, np.inf) + LOG_CELL) for i in COHORTS]
    np.testing.assert_allclose(value_of(likelihood, mu, 0.7, np.inf), expected, atol=1e-6)


ODD = {
    # Responders, patients, mu, tau, nu: the prior's peak at 0 and the likelihood's far off, each with its share.
    "3 of 3 where next to none was expected": (3.0, 3.0, -8.0, 0.4, 4.0),
    "half of 8, far below": (4.0, 8.0, -6.0, 0.1, 4.0),
    "1 of 2, far above, heavier tails": (1.0, 2.0, 6.0, 0.3, 1.0),
    "1 of 1": (1.0, 1.0, -9.0, 0.5, 2.0),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_cohort_has_two_peaks_and_both_are_integrated(name: str) -> None:
    x, n, mu, tau, nu = ODD[name]
    likelihood = Binomial(np.array([x]), np.array([n]))
    log_density = grid(likelihood, 0, mu, tau, nu)
    rising = np.diff(log_density[np.abs(Z) < 1e4]) > 0
    assert np.count_nonzero(np.diff(rising)) == 3  # up, down, up, down
    found = value_of(likelihood, np.array([mu]), tau, nu)[0]
    assert found == pytest.approx(logsumexp(log_density + LOG_CELL), abs=2e-5)


@pytest.mark.parametrize("nu", [4.0, np.inf])
@pytest.mark.parametrize(("cohort", "mu", "tau"), [(0, -1.5, 0.8), (3, -5.5, 0.15), (5, 0.3, 0.5), (2, 0.0, 1e-9)])
def test_draws_have_the_density(nu: float, cohort: int, mu: float, tau: float) -> None:
    likelihood, size = Binomial(X, N), 20_000
    zeros = np.zeros(size, dtype=np.intp)
    level = Level(np.array([tau]), Score(nu))
    z = drawn(likelihood, level, np.full(size, mu), zeros + cohort, zeros, RULE, np.random.default_rng(4))
    logs = grid(likelihood, cohort, mu, tau, nu) + LOG_CELL
    weight = np.exp(logs - logs.max())
    cdf = np.cumsum(weight) - weight / 2
    assert stats.kstest(z, lambda at: np.interp(at, Z, cdf / weight.sum())).pvalue > 1e-3
