"""Lattices: integrals and draws against closed forms, two peaks among them."""

import numpy as np
import pytest
from scipy import stats

from alkbayes.likelihood.general.lattice import Rule, draw, integrate, lattices

RULE = Rule(points=15, drop=13.0, tolerance=0.003)
CASES = {
    "normal": (stats.norm(), -5.5, 5.5),
    "normal, span too short": (stats.norm(), -2.0, 1.0),
    "normal, span beside it": (stats.norm(), 3.0, 8.0),
    "normal, span too long": (stats.norm(), -60.0, 80.0),
    "log of a gamma": (stats.loggamma(0.4), -3.0, 3.0),
    "logistic": (stats.logistic(), -4.0, 4.0),
}


def one(density) -> object:
    return lambda points, chosen: density.logpdf(points) + 0.0 * chosen


@pytest.mark.parametrize("name", CASES)
def test_a_density_integrates_to_one(name: str) -> None:
    density, low, high = CASES[name]
    value = integrate(one(density), np.array([low]), np.array([high]), np.array([1.0]), RULE)
    # Beyond a drop of 13 an exponential tail has e^-13, 2e-6, of the scale over its rate; the gamma's rate is 0.4.
    assert value[0] == pytest.approx(0.0, abs=1e-5)


def two_peaks(points: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Normals of width 1 and 0.02, 6 apart, of different weights."""
    narrow = np.log(0.3) + stats.norm.logpdf(points, 6.0, 0.02)
    return np.logaddexp(np.log(0.7) + stats.norm.logpdf(points), narrow) + 0.0 * chosen


def test_a_narrow_second_peak_is_found_if_the_step_knows_of_it() -> None:
    span = np.array([-5.0]), np.array([6.5])
    assert integrate(two_peaks, *span, np.array([0.02]), RULE)[0] == pytest.approx(0.0, abs=1e-6)
    drawn = draw(two_peaks, *(np.repeat(each, 4000) for each in span), np.full(4000, 0.02), RULE, rng())
    assert (drawn > 5.5).mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 4000))
    assert stats.kstest((drawn[drawn > 5.5] - 6) / 0.02, "norm").pvalue > 1e-3


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_draws_have_the_density(name: str) -> None:
    density, low, high = CASES[name]
    size = 40_000
    drawn = draw(one(density), np.full(size, low), np.full(size, high), np.ones(size), RULE, rng())
    assert stats.kstest(drawn, density.cdf).pvalue > 1e-3
    for prob in (0.002, 0.998):
        below = (drawn < density.ppf(prob)).mean()
        assert below == pytest.approx(prob, abs=4.5 * np.sqrt(prob * (1 - prob) / size))


def test_where_chords_are_far_below_the_density_draws_are_made_anew() -> None:
    """A rule that lets a step of 2.2 widths pass: the density is up to 1.8 times its chord."""
    rule = Rule(points=15, drop=13.0, tolerance=0.5)
    size = 40_000
    low = np.full(size, -14.9)
    drawn = draw(one(stats.norm()), low, low + 14 * 2.2, np.full(size, 9.0), rule, rng())
    assert stats.kstest(drawn, "norm").pvalue > 1e-3


def test_every_function_has_its_own_lattice_and_value() -> None:
    centre, width = np.linspace(-50, 50, 300), np.geomspace(1e-3, 30, 300)

    def log_density(points: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return stats.norm.logpdf(points, centre[chosen], width[chosen]) + 0.1 * chosen

    spans = (centre - np.linspace(1, 8, 300) * width, centre + np.linspace(9, 2, 300) * width, width)
    np.testing.assert_allclose(integrate(log_density, *spans, RULE), 0.1 * np.arange(300), atol=2e-6)
    drawn = draw(log_density, *spans, RULE, rng())
    assert stats.kstest((drawn - centre) / width, "norm").pvalue > 1e-3
    found = np.concatenate([at.chosen for at in lattices(log_density, *spans, RULE)])
    assert sorted(found.tolist()) == list(range(300))


def test_what_is_no_number_ends_and_is_no_number() -> None:
    value = integrate(lambda points, _: points * np.nan, np.zeros(2), np.ones(2), np.ones(2), RULE)
    assert np.isnan(value).all()
