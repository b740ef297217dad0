"""Rejection from under three tangents: against SciPy's distributions, the skewed ones, and at badly placed tangents."""

import numpy as np
import pytest
from scipy import stats

from alkbayes.likelihood.binomial_normal.log_concave import draw_log_concave, hat_of

SIZE = 50_000


def tangents(log_density, slope, points: tuple[float, float, float]):
    return tuple((np.full(SIZE, x), np.full(SIZE, log_density(x)), np.full(SIZE, slope(x))) for x in points)


CASES = {
    "normal": (stats.norm(), lambda x: -x, (-1.4, 0.0, 1.4)),
    "normal, middle off its mode": (stats.norm(), lambda x: -x, (-1.0, 0.3, 1.8)),
    "normal, hat far too wide": (stats.norm(), lambda x: -x, (-0.2, 0.0, 0.2)),
    "normal, hat far too narrow": (stats.norm(), lambda x: -x, (-6.0, 0.0, 6.0)),
    "gumbel": (stats.gumbel_r(), lambda x: np.exp(-x) - 1, (-1.0, 0.0, 1.5)),
    "logistic": (stats.logistic(), lambda x: -np.tanh(x / 2), (-2.0, 0.0, 2.0)),
    "log of a gamma": (stats.loggamma(0.4), lambda x: 0.4 - np.exp(x), (-4.0, -1.0, 0.8)),
}


@pytest.mark.parametrize("name", CASES)
def test_draws_have_the_density(name: str) -> None:
    distribution, slope, points = CASES[name]
    drawn = draw_log_concave(
        tangents(distribution.logpdf, slope, points),
        lambda x, _: distribution.logpdf(x),
        np.random.default_rng(3),
    )
    assert stats.kstest(drawn, distribution.cdf).pvalue > 1e-3
    for prob in (0.001, 0.999):
        beyond = (drawn < distribution.ppf(prob)).mean()
        assert beyond == pytest.approx(prob, abs=4.5 * np.sqrt(prob * (1 - prob) / SIZE))


@pytest.mark.parametrize("name", CASES)
def test_the_hat_is_above_the_density_and_draws_from_itself(name: str) -> None:
    distribution, slope, points = CASES[name]
    hat = hat_of(tangents(distribution.logpdf, slope, points))
    x, height = hat.draw(np.random.default_rng(4))
    assert (height >= distribution.logpdf(x) - 1e-12).all()
    # A hat's own integral: the mean of density over hat is one over it.
    kept = np.exp(distribution.logpdf(x) - height)
    grid = np.linspace(points[0] - 40, points[2] + 40, 400_001)
    (start, stop), (left, middle, right) = ([each[0] for each in part] for part in (hat.edges, hat.slopes))
    first, second = hat.heights[0][0], hat.heights[1][0]
    log_hat = np.where(
        grid < start,
        first + left * (grid - start),
        np.where(grid < stop, first + middle * (grid - start), second + right * (grid - stop)),
    )
    area = np.trapezoid(np.exp(log_hat), grid)
    assert kept.mean() == pytest.approx(1 / area, abs=4.5 * kept.std() / np.sqrt(SIZE) + 1e-4)


def test_nine_of_ten_are_kept_of_a_normal_density() -> None:
    hat = hat_of(tangents(stats.norm.logpdf, lambda x: -x, (-np.sqrt(2), 0.0, np.sqrt(2))))
    x, height = hat.draw(np.random.default_rng(5))
    # sqrt(2 pi) / (2 sqrt(2)), by hand.
    assert np.exp(stats.norm.logpdf(x) - height).mean() == pytest.approx(0.8862, abs=0.004)


def test_each_density_has_its_own_draw() -> None:
    centre = np.linspace(-1e6, 1e6, SIZE)
    width = np.geomspace(1e-6, 10, SIZE)

    def log_density(x, chosen):
        at = slice(None) if chosen is None else chosen
        return -(((x - centre[at]) / width[at]) ** 2) / 2

    places = (centre - 1.4 * width, centre, centre + 1.4 * width)
    drawn = draw_log_concave(
        tuple((x, log_density(x, None), -(x - centre) / width**2) for x in places),
        log_density,
        np.random.default_rng(6),
    )
    # Far from zero a double has not the digits for the narrowest.
    wide = width > 1e-3
    assert stats.kstest(((drawn - centre) / width)[wide], stats.norm.cdf).pvalue > 1e-3


def test_what_is_not_log_concave_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alkbayes.likelihood.binomial_normal.log_concave.MOST_TRIES", 50)
    with pytest.raises(ArithmeticError, match="not log-concave"):
        draw_log_concave(
            tangents(stats.norm.logpdf, lambda x: -x, (-1.4, 0.0, 1.4)),
            lambda x, _: np.full_like(x, -np.inf),
            np.random.default_rng(7),
        )
