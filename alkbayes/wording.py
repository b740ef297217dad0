"""Numbers and counts in the words of a reader: percent, intervals, signs, nouns in the plural."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from alkbayes.digits import supported_decimals

RATE_DECIMALS, OTHER_DECIMALS, SHARE_DECIMALS = 1, 2, 0
"""Most decimals of rates in percent, of odds ratios and SDs, and of shares; a larger Monte Carlo error leaves fewer."""

LEAST_VARIANCE = 1e-6
"""A smaller variance is printed as smaller than this."""


def percent(value: float | None, digits: int = 1) -> str:
    """Return a proportion as percent; a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.{digits}f}"


def percent_interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """Return an interval of proportions as percent; a dash where there is none."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return "–"
    return f"{percent(low, digits)}–{percent(high, digits)}"


def variance(value: float | None) -> str:
    """Return a variance with three decimals, or the more that show two digits of a small one; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if 0 < value < LEAST_VARIANCE:
        return f"< {LEAST_VARIANCE:.6f}"
    digits = 3 if value <= 0 else max(3, 1 - math.floor(math.log10(value)))
    return f"{value:.{digits}f}"


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign, a true minus; zero has none."""
    text = f"{value:+.{digits}f}"
    return (text[1:] if float(text) == 0 else text).replace("-", "−")


def unsigned_zero(value: float, digits: int = 2) -> str:
    """Return a number with a true minus where it is negative; one that is zero as printed has no sign."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def counted(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def joined(parts: Sequence[str]) -> str:
    """Return parts of a sentence as a list with an "and" before the last."""
    return ", ".join(parts[:-1]) + f" and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def decimals_of(
    row: Mapping[str, Any], *, most: int, unit: int = 1, of: Sequence[str] = ("median", "low", "high")
) -> int:
    """Return the decimals that the Monte Carlo errors of a row support; runs of earlier versions have no errors.

    Parameters
    ----------
    row
        Of a table of results, with columns `mcse_<name>`.
    most
        Decimals at the most.
    unit
        100 where the row is shown in percent.
    of
        The numbers of the row that are shown.
    """
    errors = (row.get(f"mcse_{name}") for name in of)
    return supported_decimals((None if error is None else unit * error for error in errors), most=most)


def rate(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the median of a response rate and its interval, both in percent."""
    digits = decimals_of(row, most=RATE_DECIMALS, unit=100)
    return percent(row["median"], digits), percent_interval(row["low"], row["high"], digits)


def limits(row: Mapping[str, Any]) -> str:
    """Return the interval of a response rate alone, in percent."""
    digits = decimals_of(row, most=RATE_DECIMALS, unit=100, of=("low", "high"))
    return percent_interval(row["low"], row["high"], digits)


def ratio(row: Mapping[str, Any]) -> str:
    """Return a ratio with its interval, such as "0.29 (0.19–0.43)"."""
    digits = decimals_of(row, most=OTHER_DECIMALS)
    return f"{row['median']:.{digits}f} ({row['low']:.{digits}f}–{row['high']:.{digits}f})"


def difference(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return a difference of rates and its interval in percentage points, such as "−26.2" and "−33.9 to −17.7"."""
    digits = decimals_of(row, most=RATE_DECIMALS, unit=100)
    median, low, high = (signed(100 * row[name], digits) for name in ("median", "low", "high"))
    return median, f"{low} to {high}"


def probability(value: float) -> str:
    """Return a probability in percent; draws cannot tell 0 and 1 from what is next to them."""
    if value < 0.01:
        return "< 1 %"
    return "> 99 %" if value > 0.99 else f"{100 * value:.0f} %"
