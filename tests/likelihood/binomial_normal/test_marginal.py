"""The marginal likelihood: against dense grids that share nothing with it, its derivatives, its limits, its cost."""

import math
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit, logsumexp
from scipy.stats import binom, norm

from alkbayes.evidence.table import read_evidence
from alkbayes.likelihood.binomial_normal import cohort as integrand
from alkbayes.likelihood.binomial_normal.cohort import find_mode, integrate
from alkbayes.likelihood.binomial_normal.marginal import NODES, Nodes, cohort_marginal, log_marginal, marginal

RESPONDERS = np.array([0.0, 3, 20, 7, 11, 5000, 6_100_000])
PATIENTS = np.array([12.0, 35, 20, 64, 29, 9000, 10_000_000])

SMALL = np.array([8.0, 0, 12, 30, 4, 17, 55, 9]), np.array([8.0, 5, 20, 41, 31, 20, 80, 14])
GROUP = np.array([3, 3, 1, 7, 1, 1, 0, 7])


def grid_log_likelihood(x: float, n: float, mu: float, tau: float) -> float:
    """Log marginal probability of x of n, by the trapezoid rule on a grid of logits; shares nothing with the kernel."""
    width = min(1.0, 1 / (tau * math.sqrt(n) / 4 + 1e-12))
    peak = math.log((x + 0.5) / (n - x + 0.5))
    near = np.linspace(peak - 4000 / math.sqrt(n), peak + 4000 / math.sqrt(n), 400_001)
    wide = np.linspace(mu - 14 * tau, mu + 14 * tau, 400_001)
    theta = near if width < 1 and n > 1e5 else wide
    logs = binom.logpmf(x, n, expit(theta)) + norm.logpdf(theta, mu, tau)
    return float(logsumexp(logs) + math.log(theta[1] - theta[0]))


def nested_grid(
    data: tuple[np.ndarray, np.ndarray], group: np.ndarray, eta: np.ndarray, tau_group: float, tau_cohort: float
) -> float:
    """log L by the trapezoid rule at both levels, on grids that do not look at the data."""
    z = np.linspace(-9, 9, 721)
    log_z = norm.logpdf(z) + math.log(z[1] - z[0])
    total = 0.0
    for label in np.unique(group):
        inside = log_z.copy()
        for i in np.flatnonzero(group == label):
            theta = eta[i] + tau_group * z[:, None] + tau_cohort * z
            inside += logsumexp(binom.logpmf(data[0][i], data[1][i], expit(theta)) + log_z, axis=1)
        total += float(logsumexp(inside))
    return total


def constants(x: np.ndarray, n: np.ndarray) -> np.ndarray:
    """What `cohort_marginal` leaves out: the log probability of x at its own rate."""
    return binom.logpmf(x, n, x / n)


def bundled() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frame = read_evidence().frame
    trials = np.unique(frame["trial"], return_inverse=True)[1]
    return frame["responders"].to_numpy(np.float64), frame["n"].to_numpy(np.float64), trials


def posterior_like(size: int, k: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Parameter values such as a posterior of the bundled evidence has, tails included."""
    rng = np.random.default_rng(seed)
    line = (rng.standard_normal((size, 4)) * 0.4)[:, np.arange(k) % 4]
    return {
        "eta": 0.5 + 0.3 * rng.standard_normal((size, 1)) + line,
        "tau_group": abs(0.45 + 0.15 * rng.standard_normal(size)),
        "tau_cohort": abs(0.35 + 0.12 * rng.standard_normal(size)),
    }


@pytest.mark.parametrize(("mu", "tau"), [(0.0, 0.5), (-1.5, 1.2), (2.0, 0.3), (-3.5, 0.9)])
def test_one_level_against_a_dense_grid(mu: float, tau: float) -> None:
    at = cohort_marginal(RESPONDERS, PATIENTS, mu=np.full(7, mu), tau=tau, nodes=41)
    got = at.value + constants(RESPONDERS, PATIENTS)
    expected = [grid_log_likelihood(x, n, mu, tau) for x, n in zip(RESPONDERS, PATIENTS, strict=True)]
    # The grid sums log probabilities of ten million patients; what it can resolve there is 1e-7.
    np.testing.assert_allclose(got[:-1], expected[:-1], atol=2e-9)
    np.testing.assert_allclose(got[-1], expected[-1], atol=1e-6)


@pytest.mark.parametrize(("x", "n", "mu", "tau"), [(0, 20, -2.0, 1.0), (3, 17, 1.5, 1.5), (40, 54, -0.1, 0.6)])
def test_the_error_of_one_level_falls_with_the_nodes(x: int, n: int, mu: float, tau: float) -> None:
    exact = grid_log_likelihood(x, n, mu, tau) - float(constants(np.array(x), np.array(n)))
    errors = [
        abs(
            float(cohort_marginal(np.array([x]), np.array([n]), mu=np.array([mu]), tau=tau, nodes=count).value[0])
            - exact
        )
        for count in (1, 5, 11, 41)
    ]
    assert errors[0] > 1e-3
    assert all(later < earlier / 5 for earlier, later in pairwise(errors))
    assert errors[3] < 1e-10


@pytest.mark.parametrize("tau", [0.0, 0.4, 2.0])
def test_derivatives_of_one_level_are_those_of_the_value(tau: float) -> None:
    x, n, mu, h = RESPONDERS[:-1], PATIENTS[:-1], np.linspace(-1, 1, 6), 1e-4

    def at_point(mu: np.ndarray, tau: float):
        return cohort_marginal(x, n, mu=mu, tau=tau, nodes=41)

    at = at_point(mu, tau)
    up, down = at_point(mu + h, tau), at_point(mu - h, tau)
    wide, tight = at_point(mu, tau + h), at_point(mu, tau - h)
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
    together = cohort_marginal(RESPONDERS, PATIENTS, mu=mu, tau=tau[:, None], nodes=41)
    for i in range(4):
        alone = cohort_marginal(RESPONDERS, PATIENTS, mu=mu[i], tau=tau[i], nodes=41)
        np.testing.assert_allclose(together.value[i], alone.value, rtol=1e-10)
        np.testing.assert_allclose(together.d_tau_tau[i], alone.d_tau_tau, rtol=1e-9)


def test_at_tau_0_it_is_the_binomial() -> None:
    mu = np.linspace(-1, 1, 6)
    x, n = RESPONDERS[:-1], PATIENTS[:-1]
    expected = binom.logpmf(x, n, expit(mu))
    np.testing.assert_allclose(
        cohort_marginal(x, n, mu=mu, tau=0.0, nodes=41).value, expected - constants(x, n), rtol=1e-11, atol=1e-11
    )
    got = log_marginal(x, n, eta=mu[None], group=np.array([0, 0, 1, 1, 1, 2]))
    np.testing.assert_allclose(got, expected.sum(), rtol=1e-11)


@pytest.mark.parametrize(
    ("tau_group", "tau_cohort"), [(0.5, 0.4), (1.5, 0.2), (0.2, 1.5), (0.7, 0.0), (0.0, 0.7), (0.01, 0.01)]
)
def test_two_levels_against_a_dense_grid(tau_group: float, tau_cohort: float) -> None:
    eta = np.array([0.3, -0.2, 0.5, 0.5, -1.0, 1.2, 0.0, 0.4])
    got = log_marginal(
        *SMALL, eta=eta[None], group=GROUP, tau_group=tau_group, tau_cohort=tau_cohort, nodes=Nodes(61, 41)
    )
    assert got[0] == pytest.approx(nested_grid(SMALL, GROUP, eta, tau_group, tau_cohort), abs=2e-8)


def test_taus_of_5_are_still_about_right() -> None:
    """Cohorts of 8/8 and 0/5 leave their logits open on one side, where polynomials do not fit well."""
    eta = np.zeros(8)
    got = log_marginal(*SMALL, eta=eta[None], group=GROUP, tau_group=5.0, tau_cohort=5.0)
    assert got[0] == pytest.approx(nested_grid(SMALL, GROUP, eta, 5.0, 5.0), abs=0.02)


def test_a_group_of_one_collapses_to_one_level() -> None:
    """Beside a cohort that cannot but fail, and so says nothing, the same cohort takes the nested road."""
    x, n = np.array([3.0, 0]), np.array([20.0, 1])
    given = {"eta": np.array([[0.2, -45.0]]), "tau_group": 0.6, "tau_cohort": 0.8, "nodes": Nodes(41, 41)}
    one = log_marginal(x, n, group=np.array([0, 1]), **given)
    assert one[0] == pytest.approx(log_marginal(x, n, group=np.array([0, 0]), **given)[0], abs=1e-9)
    assert one[0] == pytest.approx(log_marginal(x, n, eta=given["eta"], tau_cohort=1.0)[0], abs=1e-7)


def test_the_error_falls_with_the_nodes_and_is_below_1e_6_at_the_default() -> None:
    x, n, group = bundled()
    given = posterior_like(300, len(x))
    exact = log_marginal(x, n, group=group, **given, nodes=Nodes(41, 31))
    errors = [
        np.abs(log_marginal(x, n, group=group, **given, nodes=nodes) - exact).max()
        for nodes in (Nodes(5, 3), Nodes(7, 5), Nodes(11, 7), NODES, Nodes(21, 15))
    ]
    assert errors[0] > 1e-3
    assert all(later < earlier / 5 for earlier, later in pairwise(errors))
    assert errors[3] < 1e-6


@pytest.mark.parametrize(("tau_group", "tau_cohort"), [(0.5, 0.4), (0.8, 0.0), (0.0, 0.6)])
def test_the_gradient_is_that_of_the_value(tau_group: float, tau_cohort: float) -> None:
    eta, h = np.linspace(-1, 1, 8), 1e-4
    nodes = Nodes(41, 31)

    def value(eta: np.ndarray, tau_group: float, tau_cohort: float) -> float:
        return float(
            log_marginal(*SMALL, eta=eta[None], group=GROUP, tau_group=tau_group, tau_cohort=tau_cohort, nodes=nodes)[0]
        )

    at = marginal(*SMALL, eta=eta[None], group=GROUP, tau_group=tau_group, tau_cohort=tau_cohort, nodes=nodes)
    assert at.value[0] == pytest.approx(value(eta, tau_group, tau_cohort), abs=1e-12)
    for i in range(8):
        step = h * np.eye(8)[i]
        rise = value(eta + step, tau_group, tau_cohort) - value(eta - step, tau_group, tau_cohort)
        assert at.d_eta[0, i] == pytest.approx(rise / (2 * h), abs=1e-6)
    rise = value(eta, tau_group + h, tau_cohort) - value(eta, tau_group - h, tau_cohort)
    assert at.d_tau_group[0] == pytest.approx(rise / (2 * h), abs=1e-6)
    rise = value(eta, tau_group, tau_cohort + h) - value(eta, tau_group, tau_cohort - h)
    assert at.d_tau_cohort[0] == pytest.approx(rise / (2 * h), abs=1e-6)


def test_order_pieces_and_labels_do_not_matter() -> None:
    """More parameter values than a piece holds, cohorts shuffled, groups renamed."""
    x, n, group = bundled()
    given = posterior_like(700, len(x))
    at = marginal(x, n, group=group, **given)
    order = np.random.default_rng(3).permutation(len(x))
    mixed = marginal(x[order], n[order], group=100 - 7 * group[order], **(given | {"eta": given["eta"][:, order]}))
    np.testing.assert_allclose(mixed.value, at.value, atol=1e-8)
    np.testing.assert_allclose(mixed.d_eta, at.d_eta[:, order], atol=1e-7)
    for s in (0, 350, 699):
        one = marginal(x, n, group=group, **{name: value[s : s + 1] for name, value in given.items()})
        np.testing.assert_allclose(one.value[0], at.value[s], atol=1e-8)
        np.testing.assert_allclose(one.d_tau_group[0], at.d_tau_group[s], atol=1e-6)


def test_extremes_stay_finite() -> None:
    x, n = np.array([0.0, 5, 6_100_000, 10_000_000, 0, 8]), np.array([7.0, 5, 10_000_000, 10_000_000, 1, 9])
    taus = np.array([0.0, 1e-12, 1e-5, 0.1, 5.0, 25.0])
    group_sd, cohort_sd = (each.ravel() for each in np.meshgrid(taus, taus))
    for shift in (-6.0, 0.0, 6.0):
        at = marginal(
            x,
            n,
            eta=np.full((36, 6), shift),
            group=np.array([0, 0, 1, 1, 1, 2]),
            tau_group=group_sd,
            tau_cohort=cohort_sd,
        )
        for each in (at.value, at.d_eta, at.d_tau_group, at.d_tau_cohort):
            assert np.isfinite(each).all()
        assert (at.value < 0).all()


def test_taus_near_0_approach_0() -> None:
    x, n, group = bundled()
    eta = np.full((3, len(x)), 0.4)
    got = log_marginal(x, n, eta=eta, group=group, tau_group=[0, 1e-7, 1e-5], tau_cohort=[0, 1e-7, 1e-5])
    np.testing.assert_allclose(got, got[0], atol=1e-5)


def test_eta_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"eta must have shape \(S, 8\), got \(1, 7\)"):
        log_marginal(*SMALL, eta=np.zeros((1, 7)))


def test_a_million_integrals_need_little_memory() -> None:
    rng = np.random.default_rng(4)
    n = rng.integers(5, 300, size=1000).astype(np.float64)
    x, group = rng.binomial(n.astype(int), 0.6).astype(np.float64), rng.integers(0, 300, size=1000)
    eta = np.zeros((250, 1000))
    tracemalloc.start()
    log_marginal(x, n, eta=eta, group=group, tau_group=0.5, tau_cohort=0.4, nodes=Nodes(3, 3))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 * 2**20


@pytest.mark.parametrize("at_once", [1, 100, 10**9])
def test_how_many_nodes_are_done_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    rng = np.random.default_rng(2)
    n = rng.integers(1, 300, (3, 20)).astype(float)
    x = np.floor(n * rng.uniform(size=n.shape))
    mu, tau = rng.normal(size=n.shape), rng.uniform(0, 2, n.shape)
    mode = find_mode(x, n, mu, tau, np.zeros(n.shape))
    expected = integrate(x, n, mu, tau, mode, nodes=17, order=2)
    monkeypatch.setattr(integrand, "AT_ONCE", at_once)
    for found, value in zip(integrate(x, n, mu, tau, mode, nodes=17, order=2), expected, strict=True):
        # The same sums in another order; the second derivatives are differences of larger ones.
        np.testing.assert_allclose(found, value, rtol=1e-9, atol=1e-9)
