"""Every prior's density and draws against SciPy's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats
from scipy.integrate import quad

from alkbayes.spec.priors import (
    Beta,
    Exponential,
    HalfNormal,
    HalfStudentT,
    Normal,
    Prior,
    RootSumOfSquares,
    StudentT,
    student_t_log_density,
)

PRIORS: tuple[Prior, ...] = (
    Normal(dist="normal", mean=-0.7, sd=1.5),
    Normal(dist="normal", mean=3.0, sd=0.01),
    StudentT(dist="student_t", nu=1.0, mean=0.0, sd=2.5),
    StudentT(dist="student_t", nu=4.0, mean=1.0, sd=0.3),
    StudentT(dist="student_t", nu=300.0, mean=1.0, sd=0.3),
    HalfNormal(dist="half_normal", sd=0.5),
    HalfNormal(dist="half_normal", sd=7.0),
    HalfStudentT(dist="half_student_t", nu=1.0, sd=0.4),
    HalfStudentT(dist="half_student_t", nu=6.5, sd=2.0),
    Exponential(dist="exponential", mean=0.25),
    Exponential(dist="exponential", mean=3.0),
    Beta(dist="beta", a=1.0, b=15.0),
    Beta(dist="beta", a=0.5, b=0.5),
    Beta(dist="beta", a=40.0, b=2.0),
)


def name(prior: Prior) -> str:
    return " ".join(str(value) for value in prior.model_dump().values())


@pytest.mark.parametrize("prior", PRIORS, ids=name)
def test_log_density_is_scipys(prior: Prior, scipy_of: Callable[[Any], Any]) -> None:
    reference = scipy_of(prior)
    tails = np.geomspace(1e-9, 0.5, 60)
    x = np.concatenate([reference.ppf(tails), reference.ppf(1 - tails)])
    x = x[(x > 0) | isinstance(prior, Normal | StudentT)]
    x = x[(x < 1) | ~np.array(isinstance(prior, Beta))]
    assert len(x) > 80
    np.testing.assert_allclose(prior.log_density(x), reference.logpdf(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("prior", PRIORS, ids=name)
def test_density_integrates_to_one(prior: Prior, scipy_of: Callable[[Any], Any]) -> None:
    # Not against SciPy's density: a wrong constant there or here, or a fold forgotten in both, would show.
    low, high = {
        "normal": (-np.inf, np.inf),
        "student_t": (-np.inf, np.inf),
        "beta": (0.0, 1.0),
    }.get(prior.dist, (0.0, np.inf))
    middle = float(scipy_of(prior).ppf(0.5))
    total = sum(
        quad(lambda x: float(np.exp(prior.log_density(np.float64(x)))), *ends, limit=200)[0]
        for ends in ((low, middle), (middle, high))
    )
    assert total == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("prior", PRIORS, ids=name)
def test_draws_follow_the_distribution(prior: Prior, scipy_of: Callable[[Any], Any]) -> None:
    draws = prior.draw(np.random.default_rng(7), (40, 500))
    assert draws.shape == (40, 500)
    assert stats.kstest(draws.ravel(), scipy_of(prior).cdf).pvalue > 0.001
    # Independent along both axes: were an axis broadcast, its averages would spread as single draws do.
    scores = scipy_of(prior).cdf(draws)
    assert stats.kstest(stats.norm.cdf((scores.mean(axis=1) - 0.5) * np.sqrt(12 * 500)), "uniform").pvalue > 0.001
    assert stats.kstest(stats.norm.cdf((scores.mean(axis=0) - 0.5) * np.sqrt(12 * 40)), "uniform").pvalue > 0.001


def test_draws_are_decided_by_the_generator() -> None:
    for prior in PRIORS:
        first, again, other = (prior.draw(np.random.default_rng(seed), (5,)) for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert (first != other).all()


def test_student_t_density_nears_the_normal() -> None:
    x = np.linspace(-4, 4, 41)
    np.testing.assert_allclose(student_t_log_density(x, 1e7), stats.norm.logpdf(x), atol=1e-5)


@pytest.mark.parametrize("sd", [0.0, -1.0, float("nan"), float("inf"), "1"])
def test_a_scale_is_positive_and_finite(sd: Any) -> None:
    with pytest.raises(ValidationError):
        HalfNormal(dist="half_normal", sd=sd)


SCALES: dict[str, Prior] = {
    "half-normal": HalfNormal(dist="half_normal", sd=0.5),
    "narrow": HalfNormal(dist="half_normal", sd=0.02),
    "half-Cauchy": HalfStudentT(dist="half_student_t", nu=1.0, sd=0.4),
    "exponential": Exponential(dist="exponential", mean=3.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("first", SCALES)
@pytest.mark.parametrize("second", SCALES)
def test_the_root_of_a_sum_of_squares_has_the_density_of_it(
    first: str, second: str, scipy_of: Callable[[Any], Any]
) -> None:
    one, other = scipy_of(SCALES[first]), scipy_of(SCALES[second])
    prior = RootSumOfSquares(SCALES[first], SCALES[second])
    for t in (0.01, 0.3, 1.0, 8.0):

        def along(angle: float, t: float = t) -> float:
            return float(t * np.exp(one.logpdf(t * np.cos(angle)) + other.logpdf(t * np.sin(angle))))

        # Adaptive, where the rule has fixed nodes; scales much below t leave all mass at the ends of the quarter.
        cuts = (0.001, 0.01, 0.1, 1.47, 1.56, 1.5698)
        density = quad(along, 0.0, np.pi / 2, points=cuts, limit=100)[0]
        if density > 1e-6:
            assert prior.log_density(np.float64(t)) == pytest.approx(np.log(density), abs=1e-6)


def test_two_equal_half_normals_make_a_rayleigh() -> None:
    prior = RootSumOfSquares(SCALES["half-normal"], SCALES["half-normal"])
    x = np.geomspace(1e-6, 5.0, 40)
    np.testing.assert_allclose(prior.log_density(x), stats.rayleigh(scale=0.5).logpdf(x), atol=1e-6)
    drawn = prior.draw(np.random.default_rng(3), (4000,))
    assert stats.kstest(drawn, stats.rayleigh(scale=0.5).cdf).pvalue > 0.001
