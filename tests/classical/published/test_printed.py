"""Percentages as printed, and what they were rounded from."""

from fractions import Fraction

import pytest

from alkbayes.classical.published.printed import MOST_DECIMALS, read_percent
from alkbayes.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value", "half"),
    [
        ("58.5", Fraction(585, 1000), Fraction(5, 10_000)),
        ("58", Fraction(58, 100), Fraction(5, 1000)),
        ("58.0", Fraction(58, 100), Fraction(5, 10_000)),
        ("58.50", Fraction(585, 1000), Fraction(5, 100_000)),
        ("0", Fraction(0), Fraction(5, 1000)),
        ("100", Fraction(1), Fraction(5, 1000)),
        ("100.000000", Fraction(1), Fraction(5, 10**9)),
        (" 7.1 ", Fraction(71, 1000), Fraction(5, 10_000)),
    ],
)
def test_digits_say_how_it_was_rounded(text: str, value: Fraction, half: Fraction) -> None:
    printed = read_percent(text, "The rate")
    assert (printed.value, printed.least, printed.most) == (value, value - half, value + half)
    assert (printed.text, printed.signed) == (text.strip(), False)


def test_a_percent_sign_is_kept_apart() -> None:
    printed = read_percent("0.5%", "The rate")
    assert (printed.text, printed.value, printed.signed) == ("0.5", Fraction(5, 1000), True)


@pytest.mark.parametrize(
    "text", ["", "58,5", "58.", ".5", "-1", "+1", "1e1", "nan", "inf", "58.5 %", "fifty", "5 8", "٥٨", "1000", "0x10"]
)
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^The rate must be a percentage as printed, .* such as 58\.5; got "):
        read_percent(text, "The rate")


@pytest.mark.parametrize("text", ["100.1", "101", "585"])
def test_more_than_all_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"between 0 and 100 percent; got '{text}'"):
        read_percent(text, "The rate")


def test_more_decimals_than_anyone_prints_are_refused() -> None:
    assert read_percent("58." + "5" * MOST_DECIMALS, "The rate").most > Fraction(585, 1000)
    with pytest.raises(UsageError, match="has 7 decimals"):
        read_percent("58.5555555", "The rate")
