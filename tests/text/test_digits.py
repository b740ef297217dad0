"""Decimals are printed as long as they tell more of the number than of the draws."""

import math

import numpy as np
import pytest

from alkbayes.text.digits import ratio_decimals, supported_decimals, whole_numbers_hold


@pytest.mark.parametrize(
    ("errors", "decimals"),
    [
        ([0.0], 2),
        ([0.028], 2),
        ([0.030], 1),
        ([0.28], 1),
        ([0.30], 0),
        ([5.0], 0),
        ([0.01, 0.30, 0.02], 0),
        ([0.01, None, float("nan")], 2),
        ([], 2),
    ],
)
def test_the_largest_error_decides(errors: list[float | None], decimals: int) -> None:
    assert supported_decimals(errors, most=2) == decimals
    assert supported_decimals(errors, most=1) == min(decimals, 1)


@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_the_rule_is_where_rounding_and_noise_are_equal(decimals: int) -> None:
    """At the limit, noise adds as much to a number as dropping its last decimal does."""
    rng = np.random.default_rng(1)
    truth = rng.uniform(0, 100, 200_000)
    rounding = np.sqrt(np.mean((np.round(truth, decimals) - truth) ** 2))
    assert supported_decimals([0.97 * rounding], most=decimals + 1) == decimals + 1
    assert supported_decimals([1.03 * rounding], most=decimals + 1) == decimals


@pytest.mark.parametrize("error", [0.0, 0.03, 0.3])
def test_a_ratio_is_rounded_no_finer_than_its_noise_and_moves_by_a_twentieth_at_most(error: float) -> None:
    for value in np.geomspace(1e-6, 1e6, 2_001).tolist():
        decimals = ratio_decimals(value, error * value)
        unit = 10.0**-decimals
        assert float(f"{value:.{max(decimals, 0)}f}") > 0
        # One significant digit always stays; beyond it, rounding to the coarser unit would move more than the noise.
        first = 10.0 ** math.floor(math.log10(value))
        assert unit <= 10 * first * (1 + 1e-9)
        if unit < 0.99 * first:
            assert error * value <= 10 * unit / math.sqrt(12)
        if error == 0:
            assert unit / 2 / value <= 0.0501


def test_whole_numbers_hold_up_to_the_error_of_rounding_to_tens() -> None:
    assert whole_numbers_hold(2.8)
    assert not whole_numbers_hold(3.0)
    assert not whole_numbers_hold(float("nan"))
