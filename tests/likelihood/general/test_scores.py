"""Scores of deviations against SciPy's distributions."""

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from alkbayes.likelihood.general.scores import Score

NUS = (0.7, 1.0, 4.0, 50.0)


@pytest.mark.parametrize("nu", NUS)
def test_the_density_is_that_of_the_deviation_times_its_slope(nu: float) -> None:
    score, u = Score(nu), np.linspace(-9, 9, 37)
    z, log_density = score.at(u)
    np.testing.assert_allclose(score.of(z), u, atol=1e-12)
    np.testing.assert_allclose(score.slope(z), (score.at(u + 1e-6)[0] - score.at(u - 1e-6)[0]) / 2e-6, rtol=1e-7)
    np.testing.assert_allclose(log_density, stats.t(nu).logpdf(z) + np.log(score.slope(z)), atol=1e-10)


def test_the_normal_is_its_own_score_and_the_limit() -> None:
    u = np.linspace(-5, 5, 11)
    z, log_density = Score().at(u)
    np.testing.assert_array_equal(z, u)
    np.testing.assert_allclose(log_density, stats.norm.logpdf(u), rtol=1e-14)
    np.testing.assert_allclose(Score(1e8).at(u)[1], log_density, atol=1e-5)


@pytest.mark.parametrize("nu", [*NUS, np.inf])
def test_reach_and_variance(nu: float) -> None:
    score = Score(nu)
    top, there = score.at(np.array([0.0, score.reach(13.0)]))[1]
    assert top - there == pytest.approx(13.0)
    density = stats.t(nu) if np.isfinite(nu) else stats.norm
    # The inverse of the Fisher information of a location, by SciPy's quadrature of the squared slope.
    information = integrate.quad(
        lambda z: ((density.logpdf(z + 1e-5) - density.logpdf(z - 1e-5)) / 2e-5) ** 2 * density.pdf(z), -np.inf, np.inf
    )[0]
    assert 1 / score.variance == pytest.approx(information, rel=1e-5)


@pytest.mark.parametrize("nu", [4.0, np.inf])
@pytest.mark.parametrize(("centre", "precision"), [(0.5, 3.0), (-2.0, 0.4), (6.0, 4.0)])
def test_the_middle_is_near_the_mode(nu: float, centre: float, precision: float) -> None:
    density = stats.t(nu) if np.isfinite(nu) else stats.norm
    mode = optimize.minimize_scalar(
        lambda z: precision * (z - centre) ** 2 / 2 - density.logpdf(z), bounds=(-8, 8), method="bounded"
    ).x
    found = Score(nu).middle(np.array([centre]), np.array([precision]))[0]
    assert found == pytest.approx(mode, abs=0.15)
