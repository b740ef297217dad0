"""Numbers in the words of a reader."""

import math

import pytest

from alkbayes import wording

RATE = {"median": 0.61234, "low": 0.5651, "high": 0.65449}


def test_rates_are_percent_with_the_decimals_that_their_errors_support() -> None:
    assert wording.rate(RATE) == ("61.2", "56.5–65.4")
    # An error of half a point leaves whole percents; of the median alone it leaves the limits their decimal.
    assert wording.rate(RATE | {"mcse_low": 0.005}) == ("61", "57–65")
    assert wording.limits(RATE | {"mcse_median": 0.005}) == "56.5–65.4"
    assert wording.limits(RATE | {"mcse_high": 0.005}) == "57–65"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_no_number_is_a_dash(value: float | None) -> None:
    assert wording.percent(value) == "–"
    assert wording.percent_interval(0.1, value) == "–"
    assert wording.percent_interval(value, 0.2) == "–"


def test_signs_are_true_minuses_and_zero_has_none() -> None:
    assert [wording.signed(value) for value in (-1.26, 0.04, -0.04, 2.0)] == ["−1.3", "0.0", "0.0", "+2.0"]
    found = wording.difference({"median": -0.2618, "low": -0.3393, "high": 0.0177})
    assert found == ("−26.2", "−33.9 to +1.8")


def test_ratios_have_two_decimals_at_most() -> None:
    row = {"median": 0.2884, "low": 0.1895, "high": 0.4342}
    assert wording.ratio(row) == "0.29 (0.19–0.43)"
    assert wording.ratio(row | {"mcse_high": 0.05}) == "0.3 (0.2–0.4)"


def test_probabilities_of_draws_are_never_0_or_1() -> None:
    assert [wording.probability(value) for value in (0.0, 0.0099, 0.5, 0.991, 1.0)] == [
        "< 1 %",
        "< 1 %",
        "50 %",
        "> 99 %",
        "> 99 %",
    ]


def test_counts_and_lists() -> None:
    assert (wording.counted(1, "trial"), wording.counted(1234, "trial")) == ("1 trial", "1,234 trials")
    assert [wording.joined(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_a_small_variance_is_not_printed_as_none() -> None:
    """Three decimals, or the two digits of a smaller one: 0.0004 is not 0.000."""
    shown = [wording.variance(value) for value in (None, 0.0, 0.5871, 18.2461, 0.0074, 0.0004, 0.00000123, 1e-9)]
    assert shown == ["–", "0.000", "0.587", "18.246", "0.0074", "0.00040", "0.0000012", "< 0.000001"]
