"""Number of decimals that Monte Carlo error supports."""

import math
from collections.abc import Iterable

NOISE = 1 / math.sqrt(12)
"""Root mean square rounding error, in units of the last digit."""


def supported_decimals(errors: Iterable[float | None], *, most: int) -> int:
    """Return the number of decimals, 0 to `most`, for numbers printed together.

    A decimal is printed if the Monte Carlo standard error of every number is below the error of rounding it away,
    1/sqrt(12) of the coarser unit: one decimal for errors up to 0.29, two up to 0.029. Larger errors leave whole
    numbers; see :func:`whole_numbers_hold`.

    Parameters
    ----------
    errors
        Monte Carlo standard errors in the printed unit (percentage points for percent). None and non-finite values are
        ignored; without any error `most` is returned.
    most
        Maximum number of decimals.
    """
    known = [error for error in errors if error is not None and math.isfinite(error)]
    worst = max(known, default=0.0)
    decimals = 0
    while decimals < most and worst <= NOISE * 10.0**-decimals:
        decimals += 1
    return decimals


def ratio_decimals(value: float, error: float | None = None) -> int:
    """Return the number of decimals of a positive ratio, chosen for a small rounding error on the log scale.

    Two decimals from 0.1 to 10, three significant digits above, two below: rounding changes a ratio by 5 % at most.
    Fewer if the Monte Carlo standard error exceeds that of rounding, as in :func:`supported_decimals`; a None or
    non-finite `error` is ignored. The first significant digit always stays, so that no ratio prints as 0. Negative for
    rounding to tens, hundreds or more.
    """
    # The leading digit after rounding to three significant digits: 9.996 prints as 10.0, like 10.01.
    leading = -math.floor(math.log10(float(f"{value:.2e}")))
    decimals = max(2, leading + 1) if leading >= 0 else leading + 2
    noise = error if error is not None and math.isfinite(error) else 0.0
    while decimals > leading and noise > NOISE * 10.0 ** (1 - decimals):
        decimals -= 1
    return decimals


def error_decimals(se: float) -> int:
    """Return the number of decimals that shows two digits of a standard error; negative for tens and more."""
    return 1 - math.floor(math.log10(se))


def whole_numbers_hold(error: float) -> bool:
    """Return whether the last digit of an integer exceeds Monte Carlo noise: an error of at most 2.9."""
    return error <= NOISE * 10
