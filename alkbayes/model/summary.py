"""Summaries of draws: mean, SD, median and the ends of an equal-tailed interval."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from alkbayes.vocabulary import INTERVAL_PROB

type Array = NDArray[np.float64]


def summarise(draws: Array, weights: Array | None = None, *, prob: float = INTERVAL_PROB) -> dict[str, float]:
    """Return mean, median, SD and the ends of the equal-tailed interval.

    Parameters
    ----------
    draws
        Draws of any shape; of shape (draw,) if weighted.
    weights
        Non-negative weight of each draw, up to a factor; equal if None.
    prob
        Probability of the interval, in (0, 1).
    """
    mean = float(np.average(draws, weights=weights))
    low, median, high = equal_tailed(draws, prob=prob, weights=weights, occurring=weights is not None)
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
    """Return the lower end, median and upper end of an equal-tailed interval.

    Parameters
    ----------
    values
        Draws.
    prob
        Probability of the interval, in (0, 1).
    weights
        Weight of each draw; requires `occurring`.
    occurring
        Whether to return values that occur, so that counts and ranks stay whole, instead of interpolating.
    axis
        Axis of the draws; all if None.
    """
    tail = (1 - prob) / 2
    method: Literal["inverted_cdf", "linear"] = "inverted_cdf" if occurring else "linear"
    low, median, high = np.quantile(values, [tail, 0.5, 1 - tail], axis=axis, weights=weights, method=method)
    return low, median, high
