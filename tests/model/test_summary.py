"""Summaries of draws against SciPy, with and without weights."""

import numpy as np
import pytest
from scipy import stats

from alkbayes.model.summary import equal_tailed, summarise


def test_draws_are_summed_up_as_scipy_does() -> None:
    draws = np.random.default_rng(1).gamma(2.0, size=(4, 250))
    found = summarise(draws)
    low, median, high = stats.mstats.mquantiles(draws.ravel(), [0.025, 0.5, 0.975], alphap=1, betap=1)
    expected = {"mean": stats.tmean(draws, axis=None), "median": median, "low": low, "high": high, "sd": draws.std()}
    assert found == pytest.approx(expected)


def test_whole_weights_are_repeated_draws() -> None:
    rng = np.random.default_rng(2)
    draws, copies = rng.normal(size=300), rng.integers(0, 5, 300)
    repeated = np.repeat(draws, copies)
    found = summarise(draws, copies.astype(float))
    low, median, high = equal_tailed(repeated, occurring=True)
    expected = {"mean": repeated.mean(), "sd": repeated.std(), "median": median, "low": low, "high": high}
    assert found == pytest.approx(expected)


def test_ends_that_occur_stay_whole_along_an_axis() -> None:
    counts = np.random.default_rng(3).binomial(20, 0.3, (101, 4))
    for found in equal_tailed(counts, prob=0.9, occurring=True, axis=0):
        assert found.dtype == counts.dtype
        assert all(value in counts[:, column] for column, value in enumerate(found))
