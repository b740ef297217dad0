"""How many decimals of a number that was computed from draws are more than Monte Carlo noise."""

import math
from collections.abc import Iterable

NOISE = 1 / math.sqrt(12)
"""Of a unit of the last digit: the root mean square error of rounding to that unit."""


def supported_decimals(errors: Iterable[float | None], *, most: int) -> int:
    """Return with how many decimals numbers are printed together.

    A further decimal is printed as long as the Monte Carlo standard error of each of the numbers is below the error
    that rounding that decimal away would add, 1/sqrt(12) of the coarser unit: one decimal up to an error of 0.29, two
    up to 0.029. Beyond it the decimal would tell more of the draws than of the number.

    Parameters
    ----------
    errors
        Monte Carlo standard errors in the unit that is printed: of rates in percent, percentage points. None and what
        is not finite, as of a run that has no errors, count for nothing; with no error left `most` is returned.
    most
        Decimals that are never exceeded, however small the errors.

    Returns
    -------
    int
        0 to `most`. An error above 0.29 leaves whole numbers; see :func:`whole_numbers_hold` for whether these hold.
    """
    known = [error for error in errors if error is not None and math.isfinite(error)]
    worst = max(known, default=0.0)
    decimals = 0
    while decimals < most and worst <= NOISE * 10.0**-decimals:
        decimals += 1
    return decimals


def ratio_decimals(value: float, error: float | None = None) -> int:
    """Return with how many decimals a ratio is printed, so that rounding moves its logarithm little wherever it lies.

    Two decimals from 0.1 to 10; beyond, as many as leave three significant digits, and below, two. So rounding moves a
    ratio by 5 % at the most. Fewer where the Monte Carlo error is above that of rounding, as in
    :func:`supported_decimals`; the first significant digit always stays, so that no ratio is printed as 0.

    Parameters
    ----------
    value
        Positive and finite.
    error
        Its Monte Carlo standard error; None or what is not finite counts for nothing.

    Returns
    -------
    int
        Negative where the ratio is rounded to tens, hundreds or more.
    """
    # Of what three significant digits leave of it: 9.996 is 10.0, as 10.01 is.
    leading = -math.floor(math.log10(float(f"{value:.2e}")))
    decimals = max(2, leading + 1) if leading >= 0 else leading + 2
    noise = error if error is not None and math.isfinite(error) else 0.0
    while decimals > leading and noise > NOISE * 10.0 ** (1 - decimals):
        decimals -= 1
    return decimals


def whole_numbers_hold(error: float) -> bool:
    """Return whether the last digit of a whole number is more than noise: an error of at most 2.9."""
    return error <= NOISE * 10
