"""Percentages as printed, and the values that round to them."""

import re
from dataclasses import dataclass
from fractions import Fraction

from alkbayes.errors import UsageError

MOST_DECIMALS = 6
"""More than any report prints; beyond it interval limits are not accurate enough for comparison."""

PERCENT = re.compile(r"([-−]?)(\d{1,3})(?:\.(\d+))?(%?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Printed:
    """A percentage as printed, exact.

    Attributes
    ----------
    text
        Printed text, without a percent sign.
    value
        Proportion stated, in [0, 1] except for limits.
    least, most
        Range of proportions that round to it: half a unit of the last digit printed to either side, both ends included,
        since rules for ties differ. May lie outside [0, 1].
    signed
        True if it had a percent sign.
    """

    text: str
    value: Fraction
    least: Fraction
    most: Fraction
    signed: bool


def read_percent(text: str, name: str, *, beyond: bool = False) -> Printed:
    """Parse a percentage; trailing zeros count as printed digits.

    Parameters
    ----------
    text
        Such as "58.5", "58", "58.50" or "58.5%".
    name
        Its name in messages.
    beyond
        True to allow -100 to 200 %, as for the limits of a symmetric interval.

    Raises
    ------
    UsageError
        If it is not a plain decimal number in its range, by default 0 to 100, or has more than `MOST_DECIMALS`
        decimals.
    """
    found = PERCENT.fullmatch(text.strip())
    if found is None or (found[1] and not beyond):
        raise UsageError(
            f"{name} must be a percentage as printed, from 0 to 100, with a point before its decimals, such as 58.5; "
            f"got {text!r}."
        )
    minus, whole, decimals, sign = found[1], found[2], found[3] or "", found[4]
    if len(decimals) > MOST_DECIMALS:
        raise UsageError(f"{name} has {len(decimals)} decimals, {text!r}; at most {MOST_DECIMALS} can be compared.")
    unit = Fraction(1, 100 * 10 ** len(decimals))
    value = int(whole + decimals) * unit * (-1 if minus else 1)
    least, most = (-100, 200) if beyond else (0, 100)
    if not least <= 100 * value <= most:
        raise UsageError(f"{name} must lie between {least} and {most} percent; got {text!r}.")
    return Printed(
        text=text.strip().removesuffix("%"),
        value=value,
        least=value - unit / 2,
        most=value + unit / 2,
        signed=bool(sign),
    )
