"""Mixtures fitted to draws: known mixtures found again, SciPy's maximum likelihood, and RBesT's numbers on its data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import rel_entr

from alkbayes.estimates.rates import pooled_draws, posterior_of
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine
from alkbayes.planning.beta_mixture import BetaMixture
from alkbayes.planning.map_prior import (
    FIT_STRATA,
    GRID,
    PENALTY,
    best_mixture,
    distance,
    divergence,
    fit_mixture,
)
from alkbayes.planning.prior_ess import effective_sample_sizes
from alkbayes.planning.responders import strata_of
from alkbayes.vocabulary import Estimand

REFERENCE = Path(__file__).parents[1] / "reference"
COUNT = 64_000


def mixture_of(weights, a, b) -> BetaMixture:
    return BetaMixture(*(np.array(values, dtype=float) for values in (weights, a, b)))


TRUTH = mixture_of([0.6, 0.4], [30, 4], [20, 9])


def noiseless(mixture: BetaMixture, count: int = COUNT) -> np.ndarray:
    """Return the middles of equal parts of a mixture: draws without noise, shape (draw, 16)."""
    grid = np.linspace(0, 1, 200_001)
    return np.interp((np.arange(count) + 0.5) / count, mixture.below(grid), grid).reshape(-1, 16)


@pytest.fixture(scope="module")
def rates() -> np.ndarray:
    return noiseless(TRUTH)


def test_a_mixture_is_found_again(rates: np.ndarray) -> None:
    found = fit_mixture(rates).mixture
    # Without noise nothing but the strata, a thousandth of the draws each, lies between the two.
    assert found.weights == pytest.approx(TRUTH.weights, abs=0.005)
    assert found.a == pytest.approx(TRUTH.a, rel=0.02)
    assert found.b == pytest.approx(TRUTH.b, rel=0.02)


def test_the_fit_stands_for_the_draws(rates: np.ndarray) -> None:
    found = fit_mixture(rates)
    assert found.mixture.mean == pytest.approx(rates.mean(), abs=0.0005)
    assert found.mixture.sd == pytest.approx(rates.std(), abs=0.0005)
    assert found.divergence < 1e-4
    assert found.distance < 0.002
    assert found.follows


def test_aic_takes_the_components_that_pay(rates: np.ndarray) -> None:
    found = fit_mixture(rates)
    for number, candidate in enumerate(found.candidates, 1):
        assert len(candidate.mixture.weights) == number
        # Each posterior draw counts once, whatever the number of cohorts drawn from it.
        mean = float(np.mean(candidate.mixture.log_density(rates)))
        assert candidate.log_likelihood / len(rates) == pytest.approx(mean, abs=0.002)
        assert candidate.aic == pytest.approx(PENALTY * (3 * number - 1) - 2 * candidate.log_likelihood)
    assert [len(each.mixture.weights) for each in found.candidates] == [1, 2, 3]
    assert len(found.mixture.weights) == 2


def test_more_components_are_never_less_likely(rates: np.ndarray) -> None:
    strata = strata_of(rates, FIT_STRATA)
    values, before = [], None
    for components in (1, 2, 3, 4):
        before = best_mixture(strata, components, before)
        values.append(float(strata.weights @ before.log_density(strata.rates)))
    # Up to what is left where the search ends: 1e-5 in the mean over 4,000 draws is 0.04, and a parameter costs 6.
    assert (np.diff(values) > -1e-5).all()


def test_one_component_is_scipys_maximum_likelihood() -> None:
    draws = np.random.default_rng(5).beta(3.0, 11.0, (250, 16))
    (mixture,) = (best_mixture(strata_of(draws, draws.size), 1),)
    a, b, _, _ = stats.beta.fit(draws.ravel(), floc=0, fscale=1)
    assert (mixture.a[0], mixture.b[0]) == pytest.approx((a, b), rel=1e-4)


def test_the_order_of_the_draws_decides_nothing(rates: np.ndarray) -> None:
    shuffled = np.random.default_rng(1).permutation(rates.ravel()).reshape(rates.shape)
    assert fit_mixture(shuffled).mixture.as_text() == fit_mixture(rates).mixture.as_text()


def test_shapes_stay_at_one_or_above() -> None:
    """A density that is unbounded at both ends has shapes below one, of which no ELIR exists."""
    found = fit_mixture(noiseless(mixture_of([1], [0.5], [0.4])))
    for candidate in found.candidates:
        assert min(candidate.mixture.a.min(), candidate.mixture.b.min()) >= 1
    assert not found.follows
    skewed = np.random.default_rng(3).beta(0.6, 5.0, (500, 16))
    one = best_mixture(strata_of(skewed, skewed.size), 1)
    # With a held at 1 the most likely b is -1 / E[log (1 - p)].
    assert (one.a[0], one.b[0]) == pytest.approx((1.0, -1 / np.log1p(-skewed).mean()), rel=1e-6)


@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_draws_at_the_edge_are_fitted_as_well_as_betas_can(edge: float) -> None:
    draws = np.random.default_rng(4).beta(8.0, 8.0, (500, 16))
    draws[:1] = edge
    found = fit_mixture(draws)
    assert found.mixture.mean == pytest.approx(draws.mean(), abs=0.01)
    # A point with a share of the draws is no density, and the divergence says so.
    draws[:20] = edge
    found = fit_mixture(draws)
    assert np.isfinite([found.mixture.mean, found.mixture.sd]).all()
    assert not found.follows


def test_rates_that_hardly_differ_are_fitted() -> None:
    draws = 0.6 + np.random.default_rng(4).normal(0, 0.002, (500, 16))
    found = fit_mixture(draws)
    assert found.mixture.mean == pytest.approx(0.6, abs=1e-3)
    assert found.mixture.sd == pytest.approx(draws.std(), rel=0.05)


def test_the_divergence_is_that_of_the_binned_draws() -> None:
    draws, other = np.random.default_rng(6).beta(8, 4, (1000, 16)), mixture_of([1], [6], [4])
    edges = np.concatenate([[-np.inf], np.quantile(draws, np.linspace(0, 1, GRID + 1)[1:-1]), [np.inf]])
    share = np.histogram(draws, edges)[0] / draws.size
    assert divergence(draws, other) == pytest.approx(rel_entr(share, np.diff(stats.beta(6, 4).cdf(edges))).sum())
    # The binned divergence loses little of the whole one, E[log f - log g].
    x = (np.arange(20_000) + 0.5) / 20_000
    whole = np.mean(rel_entr(stats.beta(8, 4).pdf(x), stats.beta(6, 4).pdf(x)))
    assert divergence(draws, other) == pytest.approx(whole, rel=0.2)


def test_the_distance_is_kolmogorovs() -> None:
    draws, other = np.random.default_rng(7).beta(8, 4, (100, 16)), mixture_of([1], [6], [4])
    assert distance(draws, other) == pytest.approx(stats.kstest(draws.ravel(), stats.beta(6, 4).cdf).statistic)


# --- RBesT on its data set AS ---


@pytest.fixture(scope="module")
def as_prior(spec_of: Any, table_of: Any) -> BetaMixture:
    published = json.loads((REFERENCE / "rbest_as.json").read_text(encoding="utf-8"))
    rows = zip(published["data"]["responders"], published["data"]["n"], strict=True)
    spec = spec_of(
        intercept={"prior": {"dist": "normal", "mean": 0.0, "sd": 2.0}},
        heterogeneity=[
            {"column": "cohort_id", "distribution": "normal", "sd_prior": {"dist": "half_normal", "sd": 1.0}}
        ],
    )
    table = table_of("\n".join(f"c{k} t{k} naive first {n} {r}" for k, (r, n) in enumerate(rows)))
    fit = fit_model(spec, table, engine=Engine.QUADRATURE)
    assert fit.diagnostics.converged
    (rates,) = (draws for row, draws in pooled_draws(posterior_of(fit)) if row["estimand"] == Estimand.NEXT_COHORT)
    return fit_mixture(rates).mixture


def test_the_as_prior_is_rbests(as_prior: BetaMixture) -> None:
    """RBesT prints what it fitted to 4,000 draws of chains, whose number decides how far its figures may be off.

    The standard deviations here are over 16 seeds of our own fits, of mixtures fitted to one cohort to come of each of
    4,000 independent draws, as RBesT's are at best. Those of our 16 of each draw are 0.2 to 0.6 of them. Four of them
    are allowed, and half a unit of the last digit printed.
    """
    expected = json.loads((REFERENCE / "rbest_planning.json").read_text(encoding="utf-8"))["as"]
    sizes, robust = (effective_sample_sizes(each) for each in (as_prior, as_prior.robust(0.2)))
    for name, value, printed, sd, half in (
        ("mean", as_prior.mean, expected["mean"], 0.0011, 0.0005),
        ("sd", as_prior.sd, expected["sd"], 0.0019, 0.0005),
        ("elir", sizes.elir, expected["ess"]["elir"], 1.3, 0.5),
        ("moment", sizes.moment, expected["ess"]["moment"], 1.1, 0.5),
        # At the mode of a mixture with a narrow component the curvature is the least certain of all.
        ("morita", sizes.morita, expected["ess"]["morita"], 19.0, 0.5),
        ("robust elir", robust.elir, expected["robust_elir"], 1.0, 0.5),
    ):
        assert value == pytest.approx(printed, abs=4 * sd + half), name
    assert sizes.moment < sizes.elir < sizes.morita


def test_the_as_prior_has_the_moments_of_the_exact_predictive(as_prior: BetaMixture) -> None:
    exact = json.loads((REFERENCE / "rbest_as.json").read_text(encoding="utf-8"))["values"]["next_cohort"]
    # Standard deviations over 16 seeds: 0.0005 of the mean, 0.0006 of the SD. Four of them, and the rounding printed.
    assert as_prior.mean == pytest.approx(exact["mean"], abs=0.0025)
    assert as_prior.sd == pytest.approx(exact["sd"], abs=0.003)
    for prob, value in exact["quantiles"].items():
        # A quantile in the tail has about three times the error of the mean.
        assert as_prior.quantile(float(prob)) == pytest.approx(value, abs=0.007), prob
