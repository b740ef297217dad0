"""Numbers and counts in the words of a reader: percent, intervals, signs, plurals."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alkbayes.text.digits import error_decimals, ratio_decimals, supported_decimals
from alkbayes.text.names import shown

RATE_DECIMALS, OTHER_DECIMALS, SHARE_DECIMALS, MONTH_DECIMALS = 1, 2, 0, 1
"""Maximum decimals of rates in percent, SDs, shares and months; larger Monte Carlo errors reduce them."""
LEAST_PLAIN, LARGEST_PLAIN = 1e-4, 1e6
"""Range of ratios printed without an exponent."""

LEAST_ERROR, LARGEST_ERROR = 1e-5, 1e5
"""Range of standard errors printed, with their estimates, without an exponent."""
LEAST_P = 0.001
"""Smallest probability printed; others are printed as less than this."""
LEAST_VARIANCE = 1e-6
"""Smallest variance printed; others are printed as less than this."""


def percent(value: float | None, digits: int = 1) -> str:
    """Return a proportion as percent; a dash if missing."""
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.{digits}f}"


def percent_interval(low: float | None, high: float | None, digits: int = 1, *, between: str = "–") -> str:
    """Return an interval of proportions as percent, with `between` its limits; a dash if missing."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return "–"
    return f"{percent(low, digits)}{between}{percent(high, digits)}"


def level_text(prob: float) -> str:
    """Return the probability of an interval, such as "95 %"."""
    return f"{100 * prob:g} %"


def variance(value: float | None) -> str:
    """Return a variance with three decimals, or more to show two digits of a small one; a dash if missing."""
    if value is None or not math.isfinite(value):
        return "–"
    if 0 < value < LEAST_VARIANCE:
        return f"< {LEAST_VARIANCE:.6f}"
    digits = 3 if value <= 0 else max(3, 1 - math.floor(math.log10(value)))
    return f"{value:.{digits}f}"


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign (a true minus), none for zero."""
    text = f"{value:+.{digits}f}"
    return (text[1:] if float(text) == 0 else text).replace("-", "−")


def points(difference: float | None, digits: int = 0) -> str:
    """Return a difference of proportions in percentage points with its sign; a dash if missing."""
    return "–" if difference is None else signed(100 * difference, digits)


def p_value(p: float | None) -> str:
    """Return a p-value; a dash if missing."""
    if p is None:
        return "–"
    return f"< {LEAST_P}" if p < LEAST_P else f"{p:.3f}"


def p_equals(p: float | None) -> str:
    """Return a p-value as an equation, for use in a sentence."""
    return f"p {p_value(p)}" if p is not None and p < LEAST_P else f"p = {p_value(p)}"


def share_of_draws(share: float) -> str:
    """Return a share of draws, which cannot distinguish 0 and 1 from nearby values."""
    return f"> {1 - LEAST_P}" if share > 1 - LEAST_P else p_value(share)


def unsigned_zero(value: float, digits: int = 2) -> str:
    """Return a number with a true minus if negative, but no sign if it prints as zero."""
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if round(value, digits) == 0 else text.replace("-", "−")


def figure(value: float | None, digits: int = 2) -> str:
    """Return a number with a true minus if negative; a dash if missing."""
    return "–" if value is None else unsigned_zero(value, digits)


def beside_error(value: float | None, se: float | None) -> str:
    """Return an estimate, a limit or the standard error itself, rounded as the error of the estimate allows.

    Two digits of the standard error, at least two decimals; with an exponent where it is very small or large. A dash
    if missing.
    """
    if value is None or not se:
        return figure(value)
    digits = error_decimals(se)
    if LEAST_ERROR <= se <= LARGEST_ERROR:
        return figure(value, max(OTHER_DECIMALS, digits))
    return f"{round(value, digits) + 0.0:.3g}".replace("-", "−")


def capitalised(text: str) -> str:
    """Return a text with a capital first letter, otherwise unchanged."""
    return text[:1].upper() + text[1:]


def with_article(noun: str) -> str:
    """Return a noun with "a" or "an", by its first letter, or the name of that letter in an abbreviation."""
    vowels = "AEFHILMNORSX" if noun[:2].isupper() else "AEIOUaeiou"
    return f"{'an' if noun[:1] in vowels else 'a'} {noun}"


def ended(text: str) -> str:
    """Return a text of another's with a full stop, unless it has an end of its own."""
    found = text.rstrip()
    return found if found.rstrip("\"'”’»)]").endswith((".", "?", "!", "…")) else f"{found}."


def sentence(clause: str) -> str:
    """Return a clause as a sentence; empty if it is."""
    return f"{capitalised(clause)}." if clause else ""


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, as "1 cohort" or "12 cohorts"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def new_cohort(unit: str | None) -> str:
    """Return the future cohort of a model in whose heterogeneity it has a new `unit`, such as "trial"; None: none."""
    return "a new cohort" if unit is None else f"a new cohort of a new {shown(unit)}"


def joined(parts: Sequence[str]) -> str:
    """Return parts of a sentence as a list with "and" before the last."""
    return ", ".join(parts[:-1]) + f" and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def decimals_of(
    row: Mapping[str, Any], *, most: int, unit: int = 1, of: Sequence[str] = ("median", "low", "high")
) -> int:
    """Return the decimals that the Monte Carlo errors of a row support; earlier versions' runs have no errors.

    Parameters
    ----------
    row
        Row of a result table, with columns `mcse_<name>`.
    most
        Maximum number of decimals.
    unit
        100 for rows shown in percent.
    of
        Numbers shown.
    """
    errors = (row.get(f"mcse_{name}") for name in of)
    return supported_decimals((None if error is None else unit * error for error in errors), most=most)


def planned_decimals(rate: Mapping[str, Any]) -> int:
    """Return the decimals in percent for a planned cohort's rate, common to mean, median and limits."""
    errors = (rate[name] for name in ("mcse", "mcse_median", "mcse_low", "mcse_high"))
    return shared_decimals(errors)


def shared_decimals(errors: Iterable[float | None]) -> int:
    """Return the decimals in percent supported by the Monte Carlo errors of proportions printed together."""
    return supported_decimals((None if error is None else 100 * error for error in errors), most=RATE_DECIMALS)


def rate(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return a response rate's median and interval, both in percent."""
    digits = decimals_of(row, most=RATE_DECIMALS, unit=100)
    return percent(row["median"], digits), percent_interval(row["low"], row["high"], digits)


def limits(row: Mapping[str, Any], *, between: str = "–") -> str:
    """Return a response rate's interval in percent, with `between` its limits."""
    digits = decimals_of(row, most=RATE_DECIMALS, unit=100, of=("low", "high"))
    return percent_interval(row["low"], row["high"], digits, between=between)


def rate_text(row: Mapping[str, Any]) -> str:
    """Return a response rate with its interval in percent, such as "61.0 (56.5–65.4)"."""
    return "{} ({})".format(*rate(row))


def size(row: Mapping[str, Any], *, prefix: str = "") -> tuple[str, str]:
    """Return the median and interval of an SD, each number to its own precision.

    The ends may differ by powers of ten. `prefix` is that of the columns ("prior_").
    """
    names = (f"{prefix}{name}" for name in ("median", "low", "high"))
    median, low, high = (ratio_figure(row[name], row.get(f"mcse_{name}")) for name in names)
    return median, f"{low}–{high}"


def size_text(row: Mapping[str, Any], *, prefix: str = "") -> str:
    """Return an SD with its interval, such as "0.51 (0.33–0.71)"."""
    return "{} ({})".format(*size(row, prefix=prefix))


def headline(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return a headline number's median and interval by its `measure`, with the same decimals in every command."""
    match row["measure"]:
        case "sd" | "correlation":
            return size(row)
        case "risk_difference":
            return difference(row)
        case _:
            return rate(row)


def moved_by(shift: float, error: float | None, measure: str) -> str:
    """Return the shift of a headline number with its sign: in percentage points, or for an SD on its own scale."""
    if measure in ("sd", "correlation"):
        return signed(shift, supported_decimals((error,), most=OTHER_DECIMALS))
    return points(shift, shared_decimals((error,)))


def months(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the median and interval of a number of months."""
    digits = decimals_of(row, most=MONTH_DECIMALS)
    median, low, high = (unsigned_zero(row[name], digits) for name in ("median", "low", "high"))
    return median, f"{low}–{high}"


def ratio_figure(value: float, error: float | None = None) -> str:
    """Return a ratio or an SD, rounded on the log scale as its Monte Carlo error allows; never 0 unless it is 0."""
    if value <= 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = ratio_decimals(value, error)
    if not LEAST_PLAIN <= value < LARGEST_PLAIN:
        return f"{value:.{max(0, digits + math.floor(math.log10(value)))}e}"
    return f"{round(value, digits):,.{max(0, digits)}f}"


def ratio(row: Mapping[str, Any]) -> str:
    """Return a ratio with its interval, such as "0.29 (0.19–0.43)", each number to its own precision."""
    median, low, high = (ratio_figure(row[name], row.get(f"mcse_{name}")) for name in ("median", "low", "high"))
    return f"{median} ({low}–{high})"


def difference(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return a difference of rates and its interval in percentage points, such as "−26.2" and "−33.9 to −17.7"."""
    digits = decimals_of(row, most=RATE_DECIMALS, unit=100)
    median, low, high = (signed(100 * row[name], digits) for name in ("median", "low", "high"))
    return median, f"{low} to {high}"


def difference_size(row: Mapping[str, Any]) -> str:
    """Return the distance between two rates, for a sentence that names the higher: "26.2 points (17.7–33.9)".

    An interval of one sign is given as sizes, smaller first; any other keeps its signs.
    """
    digits = decimals_of(row, most=RATE_DECIMALS, unit=100)
    middle, interval = f"{100 * abs(row['median']):.{digits}f}", difference(row)[1]
    if row["low"] * row["high"] > 0:
        interval = "–".join(f"{100 * size:.{digits}f}" for size in sorted((abs(row["low"]), abs(row["high"]))))
    return f"{middle} points ({interval})"


def probability(value: float) -> str:
    """Return a probability in percent; draws cannot distinguish 0 and 1 from nearby values."""
    if value < 0.01:
        return "< 1 %"
    return "> 99 %" if value > 0.99 else f"{100 * value:.0f} %"
