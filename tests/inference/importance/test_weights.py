"""Proposals, weights and resampling, each against something that is known."""

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats
from scipy.integrate import quad
from scipy.special import logsumexp

from alkbayes.inference.importance.weights import (
    Component,
    draw,
    effective,
    log_density,
    refit,
    resample,
    smooth,
    tempered,
)

T_NU = 6.0
NARROW = Component(0.3, np.array([0.1, 0.8]), np.linalg.cholesky(np.array([[0.09, 0.04], [0.04, 0.16]])), T_NU, True)
WIDE = Component(0.7, np.array([0.5, 0.05]), np.linalg.cholesky(np.array([[0.25, -0.1], [-0.1, 0.3]])), T_NU, True)


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 1.0), (0.2, 0.5), (3.0, 0.1)])
def test_a_folded_t_is_scipys_t_folded(mean: float, sd: float) -> None:
    part = Component(1.0, np.array([mean]), np.array([[sd]]), T_NU, folded=True)
    x = np.array([1e-9, 0.1, 0.5, 2.0, 9.0])
    scipys = np.logaddexp(stats.t.logpdf(x, T_NU, mean, sd), stats.t.logpdf(-x, T_NU, mean, sd))
    np.testing.assert_allclose(part.log_density(x[:, None]), scipys, rtol=1e-12)
    whole, _ = quad(lambda at: float(np.exp(part.log_density(np.array([[at]])))[0]), 0, np.inf, points=None)
    assert whole == pytest.approx(1.0, abs=1e-7)


def test_an_unfolded_one_is_scipys_multivariate_t() -> None:
    shape = np.array([[0.5, 0.2], [0.2, 0.8]])
    part = Component(1.0, np.array([-1.0, 2.0]), np.linalg.cholesky(shape), 4.0, folded=False)
    x = np.array([[-1.0, 2.0], [3.0, -4.0], [0.0, 50.0]])
    scipys = stats.multivariate_t([-1.0, 2.0], shape, df=4.0)
    np.testing.assert_allclose(part.log_density(x), scipys.logpdf(x), rtol=1e-12)
    drawn = part.draw(np.random.default_rng(9), 20_000)
    assert stats.kstest((drawn[:, 0] + 1) / np.sqrt(0.5), stats.t(4).cdf).pvalue > 1e-3


def test_a_mixture_in_the_plane_integrates_to_one() -> None:
    grid = np.linspace(0, 1, 801)[:-1] + 1 / 1600
    axis, jacobian = grid / (1 - grid), 1 / (1 - grid) ** 2  # the whole positive axis, by midpoints
    points = np.array(np.meshgrid(axis, axis, indexing="ij")).reshape(2, -1).T
    density = np.exp(log_density(points, (NARROW, WIDE))).reshape(800, 800)
    assert float(jacobian @ density @ jacobian) / 800**2 == pytest.approx(1.0, abs=2e-4)


def test_draws_have_the_density() -> None:
    rng = np.random.default_rng(1)
    drawn = draw(rng, (NARROW, WIDE), 40_001)
    assert drawn.shape == (40_001, 2)
    assert (drawn >= 0).all()
    # The mean of another density over this one, where that has lighter tails, is its integral.
    other = stats.expon.logpdf(drawn, scale=0.2).sum(axis=1)
    ratio = np.exp(other - log_density(drawn, (NARROW, WIDE)))
    assert ratio.mean() == pytest.approx(1.0, abs=4 * ratio.std() / 200)
    box = ((drawn > [0.2, 0.1]) & (drawn < [0.5, 0.9])).all(axis=1).mean()
    axes = [np.linspace(low, high, 201)[:-1] + (high - low) / 400 for low, high in ((0.2, 0.5), (0.1, 0.9))]
    points = np.array(np.meshgrid(*axes, indexing="ij")).reshape(2, -1).T
    inside = np.exp(log_density(points, (NARROW, WIDE))).mean() * 0.3 * 0.8
    assert box == pytest.approx(inside, abs=4 * np.sqrt(inside / 40_000))


def test_weights_are_exact_on_a_conjugate_oracle() -> None:
    """Beta posterior of a rate, proposed from its prior: posterior moments and the evidence in closed form."""
    rng = np.random.default_rng(2)
    a, b, y, n = 2.0, 3.0, 14, 20
    p = rng.beta(a, b, 60_000)
    log_ratios = stats.binom.logpmf(y, n, p)
    log_weights, k = smooth(log_ratios)
    weights = np.exp(log_weights)
    exact = stats.beta(a + y, b + n - y)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    error = exact.std() / np.sqrt(effective(log_weights))
    assert weights @ p == pytest.approx(exact.mean(), abs=4 * error)
    assert weights @ (p - exact.mean()) ** 2 == pytest.approx(exact.var(), rel=0.03)
    assert weights @ (p < exact.ppf(0.025)) == pytest.approx(0.025, abs=0.004)
    assert k < 0.5
    evidence = np.exp(logsumexp(log_ratios) - np.log(60_000))
    assert evidence == pytest.approx(stats.betabinom.pmf(y, n, a, b), rel=0.02)


@pytest.mark.parametrize(("heavy", "low", "high"), [(0.25, 0.15, 0.35), (0.9, 0.75, 1.05)])
def test_k_is_the_shape_of_a_pareto_tail(heavy: float, low: float, high: float) -> None:
    ratios = stats.genpareto.rvs(heavy, size=40_000, random_state=np.random.default_rng(3))
    _, k = smooth(np.log(ratios))
    assert low < k < high


@pytest.mark.parametrize("size", [40, 225, 226, 4000])
@pytest.mark.parametrize("spread", [0.3, 1.5, 6.0])
def test_weights_are_those_of_arviz(size: int, spread: float) -> None:
    log_ratios = np.random.default_rng(5).normal(scale=spread, size=size)
    log_ratios[7] = -np.inf
    log_weights, k = smooth(log_ratios)
    finite = np.where(np.isfinite(log_ratios), log_ratios, -1e300)
    wanted, wanted_k = array_stats.psislw(-finite)  # which takes log likelihoods, as for leave-one-out
    np.testing.assert_allclose(np.exp(log_weights), np.exp(wanted), rtol=1e-9)
    assert k == pytest.approx(float(wanted_k), abs=1e-9)


def test_weights_that_no_tail_fits_are_left_and_k_is_not_a_number() -> None:
    log_ratios = np.repeat([0.0, -1.0], [500, 500])
    log_weights, k = smooth(log_ratios)
    assert np.isnan(k)
    np.testing.assert_allclose(log_weights, log_ratios - logsumexp(log_ratios), atol=1e-12)


def test_weights_do_not_depend_on_a_constant_and_survive_what_is_not_finite() -> None:
    log_ratios = np.random.default_rng(4).normal(size=1000)
    log_weights, k = smooth(log_ratios)
    shifted, same = smooth(log_ratios - 1e4)
    np.testing.assert_allclose(shifted, log_weights, atol=1e-9)
    assert same == pytest.approx(k, abs=1e-9)
    log_ratios[[3, 5]] = -np.inf, np.nan
    log_weights, _ = smooth(log_ratios)
    assert np.isfinite(log_weights[np.arange(1000) > 5]).all()
    assert np.exp(log_weights[[3, 5]]).sum() == 0.0


def test_the_effective_size() -> None:
    assert effective(np.log(np.full(50, 0.02))) == pytest.approx(50)
    assert effective(np.log(np.array([0.5, 0.25, 0.25]))) == pytest.approx(1 / 0.375)


def test_resampling_is_unbiased_and_repeats_nothing_it_need_not() -> None:
    rng = np.random.default_rng(5)
    weights = rng.dirichlet(np.full(40, 0.7))
    counts = np.array([np.bincount(resample(weights, 10, rng), minlength=40) for _ in range(20_000)])
    assert (counts.sum(axis=1) == 10).all()
    exact = 10 * weights
    assert (np.abs(counts - exact) < 1).all()  # up or down, never further
    spread = np.sqrt((exact - np.floor(exact)) * (1 - exact + np.floor(exact)) / 20_000)
    np.testing.assert_array_less(np.abs(counts.mean(axis=0) - exact), 4.5 * spread + 1e-9)
    even = resample(np.full(60, 1 / 60), 40, rng)
    assert len(np.unique(even)) == 40


def test_one_component_is_fitted_by_its_moments() -> None:
    rng = np.random.default_rng(6)
    psi = np.abs(rng.normal([1.0, 2.0], [0.2, 0.3], (5000, 2)))
    log_weights = np.log(np.where(psi[:, 0] > 1.0, 1.0, 1e-9))
    (part,) = refit(psi, log_weights - logsumexp(log_weights), components=1, nu=T_NU, folded=True, rng=rng)
    kept = psi[psi[:, 0] > 1.0]
    np.testing.assert_allclose(part.mean, kept.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(part.factor @ part.factor.T, np.cov(kept.T, bias=True), atol=1e-6)


def test_a_mixture_is_a_better_proposal_for_two_peaks() -> None:
    rng = np.random.default_rng(7)

    def log_target(psi: np.ndarray) -> np.ndarray:
        one = stats.norm.logpdf(psi, [0.1, 0.1], 0.05).sum(axis=1)
        other = stats.norm.logpdf(psi, [1.5, 2.0], 0.1).sum(axis=1)
        return np.logaddexp(one, other)

    start = (Component(1.0, np.array([0.8, 1.0]), np.diag([0.7, 1.0]), T_NU, folded=True),)
    psi = draw(rng, start, 6000)
    log_weights, _ = smooth(log_target(psi) - log_density(psi, start))
    sizes = []
    for components in (1, 3):
        mixture = refit(psi, log_weights, components=components, nu=T_NU, folded=True, rng=rng)
        assert len(mixture) == components
        assert sum(part.weight for part in mixture) == pytest.approx(1.0)
        again = draw(rng, mixture, 6000)
        sizes.append(effective(smooth(log_target(again) - log_density(again, mixture))[0]))
    assert sizes[1] > 3 * sizes[0]
    assert sizes[1] > 2000


def test_draws_on_a_line_can_be_refitted() -> None:
    rng = np.random.default_rng(8)
    psi = np.outer(rng.uniform(size=500), [1.0, 2.0])
    mixture = refit(psi, np.full(500, -np.log(500)), components=3, nu=T_NU, folded=False, rng=rng)
    assert np.isfinite(log_density(draw(rng, mixture, 100), mixture)).all()


def test_weights_are_tempered_to_as_many_effective_draws_as_asked() -> None:
    rng = np.random.default_rng(1)
    logs = 30 * rng.standard_normal(500)
    logs -= logsumexp(logs)
    assert effective(logs) < 3
    found = tempered(logs, least=20.0)
    assert effective(found) == pytest.approx(20.0, rel=1e-3)  # the power is found to 1e-6
    assert logsumexp(found) == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_array_equal(np.argsort(found), np.argsort(logs))


def test_weights_that_are_even_enough_stay_as_they_are() -> None:
    logs = np.log(np.full(50, 1 / 50))
    assert tempered(logs, least=20.0) is logs
