"""Decimals are printed as long as they tell more of the number than of the draws."""

import numpy as np
import pytest

from alkbayes.digits import supported_decimals, whole_numbers_hold


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


def test_whole_numbers_hold_up_to_the_error_of_rounding_to_tens() -> None:
    assert whole_numbers_hold(2.8)
    assert not whole_numbers_hold(3.0)
    assert not whole_numbers_hold(float("nan"))
