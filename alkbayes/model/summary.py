"""Draws as a few numbers: mean, SD, median and the ends of an equal-tailed interval."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from alkbayes.vocabulary import INTERVAL_PROB

type Array = NDArray[np.float64]


def summarise(draws: Array, weights: Array | None = None) -> dict[str, float]:
    """Return mean, median, SD and the ends of the equal-tailed 95 % interval.

    Parameters
    ----------
    draws
        Of any shape; where they have weights, of shape (draw,).
    weights
        Of each draw, not below 0, up to a factor; alike if None.
    """
    mean = float(np.average(draws, weights=weights))
    low, median, high = equal_tailed(draws, weights=weights, occurring=weights is not None)
    return {
        "mean": mean,
        "median": float(median),
        "sd": float(draws.std() if weights is None else np.sqrt(np.average((draws - mean) ** 2, weights=weights))),
        "low": float(low),
        "high": float(high),
    }


def equal_tailed(
    values: NDArray[Any],
    *,
    prob: float = INTERVAL_PROB,
    weights: Array | None = None,
    occurring: bool = False,
    axis: int | None = None,
) -> tuple[Any, Any, Any]:
    """Return the lower end of an equal-tailed interval, the median, and the upper end.

    Parameters
    ----------
    values
        Draws.
    prob
        Of the interval, in (0, 1).
    weights
        Of each draw; they need `occurring`.
    occurring
        Whether each is to be a value that occurs, so that counts and ranks stay whole; else it may lie between two.
    axis
        Along which the draws lie; all of them if None.
    """
    tail = (1 - prob) / 2
    method: Literal["inverted_cdf", "linear"] = "inverted_cdf" if occurring else "linear"
    low, median, high = np.quantile(values, [tail, 0.5, 1 - tail], axis=axis, weights=weights, method=method)
    return low, median, high
