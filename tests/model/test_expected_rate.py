"""Averages over the heterogeneity against adaptive integration, and the error that the module promises."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from alkbayes.likelihood.links import Link
from alkbayes.model.expected_rate import expected_rate
from alkbayes.model.predictive import Heterogeneity
from alkbayes.spec.priors import Normal, StudentT

NORMAL = Normal(dist="normal", mean=0.0, sd=1.0)
MUS = (-9.0, -4.0, -1.0, 0.0, 0.3, 2.5, 8.0)


def student(nu: float) -> StudentT:
    return StudentT(dist="student_t", nu=nu, mean=0.0, sd=1.0)


def levels(*pairs: tuple[float, Normal | StudentT]) -> Heterogeneity:
    return Heterogeneity(tuple(np.array([tau]) for tau, _ in pairs), tuple(prior for _, prior in pairs), None)


def integrated(mu: float, tau: float, deviation: Any) -> float:
    """Return the probability that a logistic variable is below mu + tau z.

    By parts: the tail of the deviation is weighted by the logistic density, nothing beyond 45. The trapezoid rule is
    exact to rounding: no singularity is nearer to the real line than tau sqrt(nu), at least eight steps.
    """
    x = np.linspace(-45.0, 45.0, 15_001)
    return float((stats.logistic.pdf(x) * deviation.sf((x - mu) / tau)).sum() * (x[1] - x[0]))


@pytest.mark.parametrize("tau", [0.05, 0.4, 1.0, 2.0, 5.0, 30.0])
def test_normal_heterogeneity_to_the_promised_error(tau: float) -> None:
    found = expected_rate(np.array([MUS]), levels((tau, NORMAL)))[0]
    np.testing.assert_allclose(found, [integrated(mu, tau, stats.norm) for mu in MUS], atol=1e-9)


@pytest.mark.parametrize(
    ("nu", "error"), [(1.0, 1e-4), (1.5, 1e-4), (2.0, 1e-5), (4.0, 1e-5), (30.0, 1e-5), (900.0, 1e-5)]
)
@pytest.mark.parametrize("tau", [0.05, 1.0, 5.0, 20.0])
def test_student_t_heterogeneity_to_the_promised_error(nu: float, error: float, tau: float) -> None:
    found = expected_rate(np.array([MUS]), levels((tau, student(nu))))[0]
    np.testing.assert_allclose(found, [integrated(mu, tau, stats.t(nu)) for mu in MUS], atol=error)


def test_a_normal_and_a_student_t_level_together() -> None:
    found = expected_rate(np.array([[0.8, -1.5]]), levels((0.7, NORMAL), (0.9, student(3.0))))[0]
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    share = weights / weights.sum()
    for value, mu in zip(found, (0.8, -1.5), strict=True):
        exact = sum(w * integrated(mu + 0.7 * z, 0.9, stats.t(3.0)) for z, w in zip(nodes, share, strict=True))
        assert value == pytest.approx(exact, abs=1e-5)
    swapped = expected_rate(np.array([[0.8, -1.5]]), levels((0.9, student(3.0)), (0.7, NORMAL)))[0]
    np.testing.assert_allclose(swapped, found, rtol=1e-12)


def test_two_normal_levels_are_one_with_their_variances_added() -> None:
    two = expected_rate(np.array([MUS]), levels((0.6, NORMAL), (0.8, NORMAL)))
    np.testing.assert_allclose(two, expected_rate(np.array([MUS]), levels((1.0, NORMAL))), rtol=1e-12)


def test_two_student_t_levels_against_simulation() -> None:
    found = expected_rate(np.array([[1.2]]), levels((0.8, student(3.0)), (0.5, student(5.0))))[0, 0]
    rng = np.random.default_rng(5)
    rates = expit(1.2 + 0.8 * rng.standard_t(3.0, 400_000) + 0.5 * rng.standard_t(5.0, 400_000))
    assert found == pytest.approx(rates.mean(), abs=4 * rates.std() / np.sqrt(rates.size))


def test_no_heterogeneity_is_the_typical_cohort() -> None:
    np.testing.assert_array_equal(expected_rate(np.array([MUS]), Heterogeneity((), (), None)), expit([MUS]))
    np.testing.assert_allclose(expected_rate(np.array([MUS]), levels((0.0, NORMAL))), expit([MUS]), atol=1e-9)


def test_each_draw_has_its_own_tau_and_stays_a_proportion() -> None:
    taus = np.array([0.0, 0.5, 3.0, 1e3])
    heterogeneity = Heterogeneity((taus,), (NORMAL,), None)
    logits = np.array([[1.0, -40.0, 40.0]] * 4)
    found = expected_rate(logits, heterogeneity)
    for row, tau in enumerate(taus.tolist()):
        np.testing.assert_allclose(
            found[row], expected_rate(logits[row : row + 1], levels((tau, NORMAL)))[0], rtol=1e-12
        )
    assert (np.diff(found[:, 0]) < 0).all()  # the wider, the nearer to one half
    assert found.min() >= 0.0
    assert found.max() <= 1.0


def test_success_and_failure_mirror_each_other() -> None:
    for heterogeneity in (levels((0.9, NORMAL)), levels((0.9, student(2.0)), (0.3, NORMAL))):
        both = expected_rate(np.array([MUS]), heterogeneity) + expected_rate(-np.array([MUS]), heterogeneity)
        np.testing.assert_allclose(both, 1.0, atol=1e-12)


@pytest.mark.parametrize("tau", [0.0, 0.3, 0.99, 1.01, 3.0, 40.0])
@pytest.mark.parametrize(("link", "distribution"), [(Link.PROBIT, stats.norm), (Link.CLOGLOG, stats.gumbel_l)])
def test_other_links_to_the_promised_error(link: Link, distribution: Any, tau: float) -> None:
    heterogeneity = Heterogeneity((np.array([tau]),), (NORMAL,), None, link)
    found = expected_rate(np.array([MUS]), heterogeneity)[0]
    z = np.linspace(-9, 9, 200_001)
    weights = stats.norm.pdf(z) * (z[1] - z[0])
    true = [float(weights @ distribution.cdf(mu + tau * z)) for mu in MUS]
    np.testing.assert_allclose(found, true, rtol=0, atol=2e-9)
