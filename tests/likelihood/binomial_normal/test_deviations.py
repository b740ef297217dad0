"""Draws of deviations against conditional distributions on a dense grid, skewed ones among them."""

import numpy as np
import pytest
from scipy.special import expit, logsumexp
from scipy.stats import binom, kstest, norm

from alkbayes.likelihood.binomial_normal.deviations import draw_deviations

Z = np.linspace(-9, 9, 1801)
SIZE = 20_000


def against(draws: np.ndarray, log_density: np.ndarray) -> None:
    """Compare draws with a density on `Z`: Kolmogorov-Smirnov, mean, SD and tail quantiles."""
    weight = np.exp(log_density - logsumexp(log_density))
    cdf = np.cumsum(weight) - weight / 2
    mean = float(weight @ Z)
    sd = float(np.sqrt(weight @ (Z - mean) ** 2))
    assert kstest(draws, lambda z: np.interp(z, Z, cdf)).pvalue > 1e-3
    assert draws.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(SIZE))
    assert draws.std() == pytest.approx(sd, rel=0.03)
    for prob in (0.005, 0.995):
        # Of draws below the exact quantile, a binomial number.
        below = (draws < np.interp(prob, cdf, Z)).mean()
        assert below == pytest.approx(prob, abs=4.5 * np.sqrt(prob * (1 - prob) / SIZE))


@pytest.mark.parametrize(
    ("x", "n", "eta", "tau"),
    [
        (8, 8, 0.3, 1.0),
        (0, 5, -0.5, 2.0),
        (0, 5, 0.5, 5.0),
        (30, 90, 0.4, 0.5),
        (7, 9, 0.0, 1e-9),
        (6e6, 1e7, 0.0, 0.5),
    ],
)
def test_a_cohort_alone(x: float, n: float, eta: float, tau: float) -> None:
    got = draw_deviations(
        np.array([x]), np.array([n]), eta=np.full((SIZE, 1), eta), tau_cohort=tau, rng=np.random.default_rng(5)
    )
    if n < 1e6:
        against(got.cohort[:, 0], binom.logpmf(x, n, expit(eta + tau * Z)) + norm.logpdf(Z))
    else:
        peak, sd = (np.log(x / (n - x)) - eta) / tau, 1 / np.sqrt(x * (1 - x / n)) / tau
        assert kstest(got.cohort[:, 0], norm(peak, sd).cdf).pvalue > 1e-3
    assert kstest(got.group[:, 0], norm.cdf).pvalue > 1e-3


def test_a_group_of_one_shares_its_logit_between_both_deviations() -> None:
    x, n, eta, tau_group, tau_cohort = 8, 8, 0.2, 0.6, 0.9
    got = draw_deviations(
        np.array([8.0]),
        np.array([8.0]),
        eta=np.full((SIZE, 1), eta),
        group=np.array([4]),
        tau_group=tau_group,
        tau_cohort=tau_cohort,
        rng=np.random.default_rng(6),
    )
    joint = binom.logpmf(x, n, expit(eta + tau_group * Z[:, None] + tau_cohort * Z))
    joint += norm.logpdf(Z[:, None]) + norm.logpdf(Z)
    against(got.group[:, 0], logsumexp(joint, axis=1))
    against(got.cohort[:, 0], logsumexp(joint, axis=0))
    weight = np.exp(joint - logsumexp(joint))
    product = float(Z @ weight @ Z)
    assert (got.group[:, 0] * got.cohort[:, 0]).mean() == pytest.approx(product, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("tau_group", "tau_cohort"), [(1.2, 0.7), (2.0, 0.3), (0.8, 0.0)])
def test_a_group_of_two(tau_group: float, tau_cohort: float) -> None:
    x, n, eta = np.array([8.0, 3, 5]), np.array([8.0, 4, 20]), np.array([0.2, -0.3, 0.0])
    got = draw_deviations(
        x,
        n,
        eta=np.tile(eta, (SIZE, 1)),
        group=np.array([1, 1, 0]),
        tau_group=tau_group,
        tau_cohort=tau_cohort,
        rng=np.random.default_rng(10),
    )
    theta = [eta[i] + tau_group * Z[:, None] + tau_cohort * Z for i in range(2)]
    given_v = [binom.logpmf(x[i], n[i], expit(theta[i])) + norm.logpdf(Z) for i in range(2)]
    inside = [logsumexp(each, axis=1) for each in given_v]
    against(got.group[:, 1], norm.logpdf(Z) + inside[0] + inside[1])
    against(got.cohort[:, 0], logsumexp(given_v[0] + (norm.logpdf(Z) + inside[1])[:, None], axis=0))
    product = np.exp(given_v[0] - inside[0][:, None]) @ Z  # mean of w given v
    weight = np.exp(norm.logpdf(Z) + inside[0] + inside[1])
    expected = float(weight @ (Z * product) / weight.sum())
    assert (got.group[:, 1] * got.cohort[:, 0]).mean() == pytest.approx(expected, abs=0.03)


def test_without_group_heterogeneity_the_groups_keep_their_prior() -> None:
    got = draw_deviations(
        np.array([8.0, 1]),
        np.array([8.0, 9]),
        eta=np.zeros((SIZE, 2)),
        group=np.array([0, 0]),
        tau_cohort=1.0,
        rng=np.random.default_rng(8),
    )
    assert got.group.shape == (SIZE, 1)
    assert kstest(got.group[:, 0], norm.cdf).pvalue > 1e-3
    assert abs(np.corrcoef(got.group[:, 0], got.cohort[:, 1])[0, 1]) < 0.03


def test_every_parameter_value_has_its_own_draw() -> None:
    """More than a piece of them, so that a misplaced piece would show: a large cohort's logit is known."""
    rng = np.random.default_rng(9)
    x, n = np.array([4e6, 6e6, 5e6]), np.full(3, 1e7)
    eta, tau_cohort = rng.normal(size=(9000, 3)), rng.uniform(0.2, 1, size=9000)
    got = draw_deviations(
        x, n, eta=eta, group=np.array([0, 1, 1]), tau_group=0.5, tau_cohort=tau_cohort, rng=np.random.default_rng(1)
    )
    theta = eta + 0.5 * got.group[:, [0, 1, 1]] + tau_cohort[:, None] * got.cohort
    np.testing.assert_allclose(theta, np.tile(np.log(x / (n - x)), (9000, 1)), atol=0.005)
