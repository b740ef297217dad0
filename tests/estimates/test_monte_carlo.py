"""Monte Carlo errors: ArviZ's where it has them, and those that are seen when numbers are computed again and again."""

from types import SimpleNamespace
from typing import Any

import arviz_stats as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from alkbayes.estimates.monte_carlo import (
    chain_error,
    duplicate_error,
    error_columns_of,
    errors_of,
    mean_error_of,
    mixture_errors,
    statistics,
    worth_of,
)
from alkbayes.estimates.rates import pooled_draws, posterior_of
from alkbayes.inference.fit import fit_model
from alkbayes.inference.importance.weights import resample
from alkbayes.inference.settings import Engine, SamplerSettings


def independent(values: np.ndarray) -> float:
    return float(values.std() / np.sqrt(len(values)))


def with_stats(engine: Engine = Engine.NUTS, **arrays: np.ndarray) -> Any:
    """Return as much of a fit as errors need."""
    data = xr.Dataset({name: (("chain", "draw"), values) for name, values in arrays.items()})
    return SimpleNamespace(tree={"sample_stats": data}, provenance=SimpleNamespace(engine=engine), interval_prob=0.95)


def autoregression(rng: np.random.Generator, shape: tuple[int, int], rho: float = 0.8) -> np.ndarray:
    """Return stationary chains with unit variance, whose mean has the variance (1 + rho) / (1 - rho) / draws."""
    walk = np.empty(shape)
    walk[:, 0] = rng.standard_normal(shape[0])
    noise = np.sqrt(1 - rho**2) * rng.standard_normal(shape)
    for draw in range(1, shape[1]):
        walk[:, draw] = rho * walk[:, draw - 1] + noise[:, draw]
    return walk


def test_errors_of_statistics_are_those_seen_in_repetitions() -> None:
    """Of independent draws of a skewed distribution; one column, and several that share a draw's part."""
    rng = np.random.default_rng(1)
    for columns in (1, 4):
        runs = [
            statistics(rng.exponential(size=(400, 1)) + rng.exponential(size=(400, columns)), independent)
            for _ in range(400)
        ]
        for name in ("mean", "sd", "median", "low", "high"):
            seen = np.std([run[name][0] for run in runs])
            said = np.mean([run[name][1] for run in runs])
            # 400 runs know an SD to 4 %; an error of an end is itself known to some 10 %.
            assert said == pytest.approx(seen, rel=0.2), (columns, name)


def test_the_error_of_duplicates_is_that_seen_in_repetitions() -> None:
    """Importance sampling of a normal from a wider one and resampling, many times over."""
    rng = np.random.default_rng(2)
    means, said = [], []
    for _ in range(1500):
        x = 1.6 * rng.standard_normal(300)
        weights = stats.norm.pdf(x) / stats.norm.pdf(x, scale=1.6)
        chosen = rng.permutation(resample(weights / weights.sum(), 200, rng))
        values = x[chosen]
        means.append(values.mean())
        said.append(duplicate_error(with_stats(proposal=chosen.reshape(2, 100)))(values))
    assert np.sqrt(np.mean(np.square(said))) == pytest.approx(np.std(means), rel=0.08)


def test_without_duplicates_it_is_that_of_independent_draws() -> None:
    values = np.random.default_rng(3).exponential(size=200)
    error = duplicate_error(with_stats(proposal=np.arange(200).reshape(2, 100)))
    assert error(values) == pytest.approx(independent(values), rel=1e-12)


def test_the_error_of_chains_knows_their_autocorrelation() -> None:
    """Of an autoregression with coefficient 0.8, whose mean has nine times the variance of independent draws."""
    walk = autoregression(np.random.default_rng(4), (4, 20_000))
    error = chain_error(with_stats(lp=walk))
    assert error(walk.ravel()) == pytest.approx(3 * independent(walk.ravel()), rel=0.08)


def test_errors_of_an_autoregression_are_those_of_theory_and_of_repetitions() -> None:
    rng = np.random.default_rng(5)
    found, values = [], []
    for _ in range(300):
        walk = autoregression(rng, (4, 500))
        found.append(errors_of(with_stats(lp=walk))(walk.ravel()))
        values.append(np.quantile(walk, [0.5, 0.025, 0.975]))
    # Analytic: unit variance, 2,000 draws, an autocorrelation time of 9.
    assert np.mean([each.mean for each in found]) == pytest.approx(np.sqrt(9 / 2000), rel=0.1)
    for name, seen in zip(("median", "low", "high"), np.std(values, axis=0), strict=True):
        assert np.mean([getattr(each, name) for each in found]) == pytest.approx(seen, rel=0.15), name


def test_worth_of_chains_is_what_arviz_says_of_the_same_draws() -> None:
    rng = np.random.default_rng(6)
    walk = np.exp(autoregression(rng, (4, 300)))
    fit, data = with_stats(lp=walk), xr.Dataset({"x": (("chain", "draw"), walk)})
    found = worth_of(fit)(walk.ravel())
    assert found.rhat == pytest.approx(float(az.rhat(data)["x"]), rel=1e-12)
    assert found.ess_bulk == pytest.approx(float(az.ess(data, method="bulk")["x"]), rel=1e-12)
    assert found.ess_tail == pytest.approx(float(az.ess(data, method="tail", prob=(0.05, 0.95))["x"]), rel=1e-12)
    assert found.errors.mean == pytest.approx(float(az.mcse(data, method="mean")["x"]), rel=1e-12)
    for name, prob in (("median", 0.5), ("low", 0.025), ("high", 0.975)):
        expected = float(az.mcse(data, method="quantile", prob=prob)["x"])
        assert getattr(found.errors, name) == pytest.approx(expected, rel=1e-12)


def test_replicates_of_a_draw_are_no_further_draws() -> None:
    """Sixteen alike replicates of each draw are worth what the draw is."""
    walk = autoregression(np.random.default_rng(7), (4, 400))
    worth = worth_of(with_stats(lp=walk))
    one, many = worth(walk.ravel()), worth(np.repeat(walk.ravel()[:, None], 16, axis=1))
    assert (many.rhat, many.ess_bulk) == (one.rhat, one.ess_bulk)
    assert many.ess_tail == pytest.approx(one.ess_tail, rel=1e-6)
    assert many.errors.mean == pytest.approx(one.errors.mean, rel=1e-9)
    # Two ways to carry the error of a probability over to a quantile: by a beta distribution, and by steps.
    for name in ("median", "low", "high"):
        assert getattr(many.errors, name) == pytest.approx(getattr(one.errors, name), rel=0.35)


def test_draws_by_quadrature_are_worth_their_number_but_for_duplicates() -> None:
    rng = np.random.default_rng(8)
    values = rng.standard_normal(4000)
    found = worth_of(with_stats(Engine.QUADRATURE, lp=values.reshape(4, -1), proposal=np.arange(4000).reshape(4, -1)))
    worth = found(values)
    assert worth.rhat is None
    assert (worth.ess_bulk, worth.ess_tail) == (pytest.approx(4000), pytest.approx(4000))
    doubled = np.repeat(values[:2000], 2)
    copies = np.repeat(np.arange(2000), 2).reshape(4, -1)
    worth = worth_of(with_stats(Engine.QUADRATURE, lp=copies, proposal=copies))(doubled)
    assert (worth.ess_bulk, worth.ess_tail) == (pytest.approx(2000), pytest.approx(2000))


@pytest.mark.slow
def test_errors_of_the_quadrature_engine_are_those_seen_over_seeds(case_of: Any) -> None:
    """The pooled numbers of a small table, computed with 40 seeds."""
    case = case_of("cohort-only")
    values, said = [], []
    for seed in range(40):
        fit = fit_model(
            case.spec,
            case.evidence,
            engine=Engine.QUADRATURE,
            settings=SamplerSettings(seed=seed, chains=2, draws=500),
        )
        assert mean_error_of(fit)(np.zeros(1000)) == 0
        columns = error_columns_of(fit)
        rows = [draws for row, draws in pooled_draws(posterior_of(fit)) if row["group"] == "all" and draws.ndim == 1]
        values.append([[draws.mean(), *np.quantile(draws, [0.5, 0.025, 0.975])] for draws in rows])
        said.append([list(columns(draws).values()) for draws in rows])
    ratio = np.mean(said, axis=0) / np.std(values, axis=0, ddof=1)
    # 40 seeds know an SD to 11 %; the bounds are beyond three of these for each of the twelve numbers.
    assert ratio.shape == (3, 4)
    assert ratio.min() > 0.65
    assert ratio.max() < 1.5


def test_errors_of_a_mixture_are_those_seen_in_repetitions() -> None:
    """Of two posteriors that are apart, with unequal weights; of one alone, they are its own."""
    rng = np.random.default_rng(5)
    weights = (0.3, 0.7)

    def mixture() -> tuple[list[tuple[np.ndarray, float, Any]], np.ndarray, np.ndarray]:
        draws = (rng.normal(0.0, 1.0, 400), rng.normal(2.0, 0.5, 400))
        parts = [(each, weight, independent) for each, weight in zip(draws, weights, strict=True)]
        return parts, np.concatenate(draws), np.repeat(np.array(weights) / 400, 400)

    made = [mixture() for _ in range(400)]
    seen = np.std(
        [np.quantile(mixed, [0.5, 0.025, 0.975], weights=shares, method="inverted_cdf") for _, mixed, shares in made],
        axis=0,
    )
    said = np.mean([mixture_errors(*each) for each in made], axis=0)
    np.testing.assert_allclose(said, seen, rtol=0.2)
    values = rng.exponential(size=4000)
    alone = mixture_errors([(values, 1.0, independent)], values, np.full(4000, 1 / 4000))
    own = statistics(values, independent)
    np.testing.assert_allclose(alone, [own[name][1] for name in ("median", "low", "high")], rtol=0.05)
