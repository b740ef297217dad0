"""Responders averaged over draws of a rate, against SciPy's beta-binomial and against every draw one by one."""

import numpy as np
import pytest
from scipy import stats

from alkbayes.planning.responders import (
    MOST_PATIENTS,
    STRATA,
    count_interval,
    count_median,
    interval_width,
    narrowing,
    responder_probabilities,
    steady_size,
    strata_of,
)


def beta_draws(a: float, b: float, count: int = 64_000) -> np.ndarray:
    """Return the middles of equal parts of a beta distribution: its draws without noise."""
    return stats.beta(a, b).ppf((np.arange(count) + 0.5) / count).reshape(-1, 16)


@pytest.mark.parametrize("n", [1, 7, 40, 300])
@pytest.mark.parametrize(("a", "b"), [(12, 4), (0.8, 6), (1, 1)])
def test_responders_are_beta_binomial_if_rates_are_beta(n: int, a: float, b: float) -> None:
    found = responder_probabilities(strata_of(beta_draws(a, b)), n)
    np.testing.assert_allclose(found, stats.betabinom(n, a, b).pmf(np.arange(n + 1)), atol=1e-4)
    assert found.sum() == pytest.approx(1.0, abs=1e-10)


def test_strata_change_nothing_that_is_seen() -> None:
    rates = np.random.default_rng(1).beta(7, 20, (1500, 16))
    for n in (40, 150):
        every = np.asarray(stats.binom.pmf(np.arange(n + 1), n, rates.ravel()[:, None])).mean(axis=0)
        found = responder_probabilities(strata_of(rates), n)
        assert abs(found - every).max() < 1e-4
        assert abs(np.cumsum(found) - np.cumsum(every)).max() < 1e-4


def test_strata_hold_the_draws() -> None:
    rates = np.random.default_rng(2).uniform(size=(999, 7))
    strata = strata_of(rates)
    assert len(strata.rates) == STRATA
    assert strata.weights.sum() == pytest.approx(1.0)
    assert strata.rates @ strata.weights == pytest.approx(rates.mean())
    assert (np.diff(strata.rates) > 0).all()
    few = strata_of(np.array([[0.2, 0.9], [0.4, 0.1]]))
    assert few.rates == pytest.approx([0.1, 0.2, 0.4, 0.9])


def test_rates_of_zero_and_one_have_their_responders() -> None:
    found = responder_probabilities(strata_of(np.array([[0.0, 0.0, 1.0, 1.0]])), 5)
    assert found == pytest.approx([0.5, 0, 0, 0, 0, 0.5], abs=1e-12)


def test_an_interval_leaves_at_most_its_tails_out() -> None:
    for n in (1, 5, 40, 173):
        probabilities = stats.binom(n, 0.3).pmf(np.arange(n + 1))
        low, high = count_interval(probabilities)
        assert probabilities[:low].sum() <= 0.025 < probabilities[: low + 1].sum()
        assert probabilities[high + 1 :].sum() <= 0.025 < probabilities[high:].sum()
        assert count_median(probabilities) == stats.binom(n, 0.3).median()


def test_certain_responders_are_an_interval_of_one() -> None:
    probabilities = np.array([0.0, 0.0, 1.0])
    assert count_interval(probabilities) == (2, 2)
    assert count_median(probabilities) == 2


def test_the_width_goes_to_that_of_the_rate() -> None:
    strata = strata_of(beta_draws(12, 4))
    limit = np.diff(stats.beta(12, 4).ppf([0.025, 0.975]))[0]
    widths = [interval_width(strata, n) for n in (5, 20, 80, 320, 2000)]
    assert (np.diff(widths) < 0).all()
    # The binomial adds some (1 / 2000) / sd² of the width, a hundredth of it.
    assert widths[-1] == pytest.approx(limit, rel=0.01)
    # The spread of the observed rate is sd² + E[p (1 - p)] / n.
    sd = np.sqrt(stats.beta(12, 4).var() + 12 * 4 / (16 * 17) / 80)
    assert widths[2] == pytest.approx(limit * sd / stats.beta(12, 4).std(), rel=0.03)


@pytest.mark.parametrize(("a", "b"), [(12, 4), (4, 4), (60, 40)])
def test_the_steady_size_is_the_first_that_holds(a: float, b: float) -> None:
    strata = strata_of(beta_draws(a, b))
    size = steady_size(strata, 0.05)
    assert size is not None
    assert narrowing(strata, size) < 0.05 <= narrowing(strata, size - 1)
    assert all(narrowing(strata, n) < 0.05 for n in (size + 5, 2 * size, 5 * size))
    # By the variances: (V + E / 2n) / (V + E / n) = 0.95², with E / V = a + b for a beta distribution.
    assert size == pytest.approx((a + b) * (0.95**2 - 0.5) / (1 - 0.95**2), rel=0.15)


def test_without_heterogeneity_no_size_is_steady() -> None:
    assert steady_size(strata_of(beta_draws(60_000, 40_000)), 0.05) is None
    assert narrowing(strata_of(np.full((10, 16), 0.6)), MOST_PATIENTS) == pytest.approx(1 - np.sqrt(0.5), abs=0.01)


def test_rates_that_say_nothing_are_steady_soon() -> None:
    size = steady_size(strata_of(np.tile([0.001, 0.999], (50, 8))), 0.05)
    assert size is not None
    assert size < 20
