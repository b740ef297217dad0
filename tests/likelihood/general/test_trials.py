"""Nested integrals of any family against dense grids and the binomial-normal kernel; draws against the grids."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logsumexp

from alkbayes.evidence.table import read_evidence
from alkbayes.likelihood.binomial_normal.deviations import Deviations
from alkbayes.likelihood.binomial_normal.marginal import Nodes
from alkbayes.likelihood.binomial_normal.marginal import log_marginal as by_nodes
from alkbayes.likelihood.cohorts import BetaBinomial, Binomial
from alkbayes.likelihood.general.cohort import Level
from alkbayes.likelihood.general.lattice import Rule
from alkbayes.likelihood.general.scores import Score
from alkbayes.likelihood.general.table import Table
from alkbayes.likelihood.general.trials import Hierarchy, draw_deviations, log_marginal

X, N = np.array([8.0, 0, 12, 30, 4, 17, 55, 9]), np.array([8.0, 5, 20, 41, 31, 20, 80, 14])
LABELS = np.array([1, 1, 2, 3, 2, 2, 0, 3])
ETA = np.array([0.3, -0.2, 0.5, 0.5, -1.0, 1.2, 0.0, 0.4])
BINOMIAL = Binomial(X, N)
S = np.linspace(-12, 12, 601)
Z = np.sinh(S)
LOG_CELL = np.log(np.cosh(S)) + np.log(S[1] - S[0])
SIZE = 4000


def density(nu: float) -> np.ndarray:
    return (stats.t(nu) if np.isfinite(nu) else stats.norm).logpdf(Z) + LOG_CELL


def level(tau: float, nu: float = np.inf, size: int = 1) -> Level:
    return Level(np.full(size, tau), Score(nu))


def grid(group: Level | None, cohort: Level | None, rho: float | None = None) -> np.ndarray:
    """Return each group's integrand in v on `Z`, shape (group, v)."""
    found = []
    for label in range(4):
        inside = density(np.inf if group is None else group.score.nu)
        for i in np.flatnonzero(label == LABELS):
            theta = ETA[i] + (0.0 if group is None else group.tau[0]) * Z[:, None]
            if cohort is not None:
                theta = theta + cohort.tau[0] * Z
            if rho is None:
                logs = stats.binom.logpmf(X[i], N[i], expit(theta))
            else:
                size = (1 - rho) / rho
                tiny = 1e-300
                a, b = np.maximum(expit(theta) * size, tiny), np.maximum(expit(-theta) * size, tiny)
                logs = stats.betabinom.logpmf(X[i], N[i], a, b)
            inside = inside + (logs[:, 0] if cohort is None else logsumexp(logs + density(cohort.score.nu), axis=1))
        found.append(inside)
    return np.array(found)


FAMILIES = {
    "t cohorts": (level(0.5), level(0.4, 4.0), None),
    "heavy t cohorts": (level(0.3), level(0.8, 1.5), None),
    "t groups": (level(0.6, 4.0), level(0.3), None),
    "t both": (level(0.6, 4.0), level(0.5, 3.0), None),
    "t groups alone": (level(0.9, 4.0), None, None),
    "t cohorts alone": (None, level(0.9, 4.0), None),
    "normal": (level(0.7), level(0.5), None),
    "beta-binomial": (level(0.6), None, 0.08),
    "beta-binomial, groups far apart": (level(2.5), None, 0.4),
    "beta-binomial, t groups": (level(0.6, 4.0), None, 0.08),
}


def hierarchy(name: str, size: int = 1) -> Hierarchy:
    group, cohort, rho = FAMILIES[name]
    many = [None if each is None else level(each.tau[0], each.score.nu, size) for each in (group, cohort)]
    likelihood = BINOMIAL if rho is None else BetaBinomial(BINOMIAL, np.full(size, rho))
    return Hierarchy(likelihood, np.tile(ETA, (size, 1)), LABELS, *many)


@pytest.mark.parametrize("name", FAMILIES)
def test_against_a_dense_grid(name: str) -> None:
    expected = logsumexp(grid(*FAMILIES[name]), axis=1).sum()
    # The tails of nu = 1.5 beyond a drop of 15 have some 1e-6 of each integral.
    assert log_marginal(hierarchy(name))[0] == pytest.approx(expected, abs=2e-5 if "heavy" in name else 4e-6)


def bundled(size: int) -> Hierarchy:
    """Parameter values such as a posterior of the bundled evidence has, tails included."""
    frame = read_evidence().frame
    labels = np.unique(frame["trial"], return_inverse=True)[1]
    rng, k = np.random.default_rng(0), len(frame)
    eta = 0.5 + 0.3 * rng.standard_normal((size, 1)) + (rng.standard_normal((size, 4)) * 0.4)[:, np.arange(k) % 4]
    taus = np.abs(0.4 + 0.14 * rng.standard_normal((2, size)))
    binomial = Binomial(frame["responders"].to_numpy(float), frame["n"].to_numpy(float))
    return Hierarchy(binomial, eta, labels, Level(taus[0], Score()), Level(taus[1], Score()))


def test_normal_deviations_are_those_of_the_kernel_with_nodes() -> None:
    """Half of it shares nothing with the lattices: adaptive Gauss-Hermite nodes."""
    at = bundled(40)
    assert at.group is not None
    assert at.cohort is not None
    given = {"eta": at.eta, "group": at.labels, "tau_group": at.group.tau, "tau_cohort": at.cohort.tau}
    expected = by_nodes(at.likelihood.responders, at.likelihood.n, **given, nodes=Nodes(41, 31))
    np.testing.assert_allclose(log_marginal(at), expected, atol=1e-5)


@pytest.mark.parametrize("nu", [4.0, pytest.param(2.0, marks=pytest.mark.slow)])
def test_the_table_and_finer_lattices_change_little_on_the_bundled_evidence(nu: float) -> None:
    at = bundled(8)
    assert at.cohort is not None
    robust = Hierarchy(at.likelihood, at.eta, at.labels, at.group, Level(at.cohort.tau, Score(nu)))
    table = Table(at.likelihood, Score(nu), at.eta.shape[1])
    tabulated = Hierarchy(at.likelihood, at.eta, at.labels, at.group, robust.cohort, table)
    exact = log_marginal(robust, Rule(points=25, drop=22.0, tolerance=1e-5))
    np.testing.assert_allclose(log_marginal(robust), exact, atol=1e-4)
    np.testing.assert_allclose(log_marginal(tabulated), exact, atol=1e-4)


def test_pieces_do_not_change_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    at = hierarchy("t both", 7)
    whole = log_marginal(at)
    monkeypatch.setattr("alkbayes.likelihood.general.trials.GROUPS_AT_ONCE", 10)
    monkeypatch.setattr("alkbayes.likelihood.general.cohort.AT_ONCE", 9)
    np.testing.assert_allclose(log_marginal(at), whole, rtol=1e-12)


@pytest.fixture(
    scope="module",
    params=[
        "t cohorts",
        pytest.param("t both", marks=pytest.mark.slow),
        "beta-binomial",
        "beta-binomial, groups far apart",
    ],
)
def drawn(request: pytest.FixtureRequest) -> tuple[str, Deviations]:
    return request.param, draw_deviations(hierarchy(request.param, SIZE), np.random.default_rng(8))


@pytest.mark.slow
def test_group_deviations_have_their_density(drawn: tuple[str, Deviations]) -> None:
    name, found = drawn
    for label, logs in enumerate(grid(*FAMILIES[name])):
        weight = np.exp(logs - logsumexp(logs))
        cdf = np.cumsum(weight) - weight / 2
        at = np.interp(found.group[:, label], Z, cdf)
        assert stats.kstest(at, "uniform").pvalue > 1e-3


def test_cohort_deviations_have_their_density_given_the_group(drawn: tuple[str, Deviations]) -> None:
    """Of the first cohort, by its tail probabilities given v."""
    name, found = drawn
    group, cohort, _ = FAMILIES[name]
    if cohort is None:
        pytest.skip("a model without deviations of cohorts")
    v = found.group[:2000, LABELS[0]]
    theta = ETA[0] + group.tau[0] * v[:, None] + cohort.tau[0] * Z
    logs = stats.binom.logpmf(X[0], N[0], expit(theta)) + density(cohort.score.nu)
    weight = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    cdf = np.cumsum(weight, axis=1) - weight / 2
    place = [np.interp(w, Z, row) for w, row in zip(found.cohort[:2000, 0], cdf, strict=True)]
    assert stats.kstest(place, "uniform").pvalue > 1e-3


def test_a_cohort_alone_shares_its_theta_between_normal_deviations() -> None:
    size, tau_group, tau_cohort = SIZE, 0.6, 0.9
    likelihood = Binomial(np.array([8.0]), np.array([8.0]))
    levels = (level(tau_group, size=size), level(tau_cohort, size=size))
    at = Hierarchy(likelihood, np.full((size, 1), 0.2), np.zeros(1, dtype=np.intp), *levels)
    found = draw_deviations(at, np.random.default_rng(6))
    z = np.linspace(-8, 8, 801)
    joint = stats.binom.logpmf(8, 8, expit(0.2 + tau_group * z[:, None] + tau_cohort * z))
    joint += stats.norm.logpdf(z[:, None]) + stats.norm.logpdf(z)
    for draws, axis in ((found.group[:, 0], 1), (found.cohort[:, 0], 0)):
        logs = logsumexp(joint, axis=axis)
        weight = np.exp(logs - logsumexp(logs))
        assert stats.kstest(np.interp(draws, z, np.cumsum(weight) - weight / 2), "uniform").pvalue > 1e-3
    weight = np.exp(joint - logsumexp(joint))
    assert (found.group[:, 0] * found.cohort[:, 0]).mean() == pytest.approx(float(z @ weight @ z), abs=0.06)
