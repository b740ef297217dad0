"""Results of one model of a network: draws of a posterior, or estimates with their covariance."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]

LARGEST_K = 0.7
LEAST_ESS = 400
"""The gate of importance sampling: Pareto k of the weights (Vehtari et al. 2024, arXiv:1507.02646), effective draws."""


@dataclass(frozen=True, slots=True)
class NetworkPosterior:
    """Draws of a network's posterior.

    Attributes
    ----------
    effects
        Log ratios against the reference, shape (draw, treatment - 1); of a node-splitting model a last column, direct
        minus indirect evidence.
    tau
        SD between trials, shape (draw,).
    pareto_k, ess, weighted
        Shape of the tail of the importance weights, effective draws and their number before resampling; None, and the
        number of draws, where they are exact.
    failures
        Why the draws must not be used; empty if they may.
    """

    effects: Array
    tau: Array
    pareto_k: float | None
    ess: float
    weighted: int
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Estimates:
    """Estimates of a network's effects.

    Attributes
    ----------
    effects, covariance
        As of :class:`NetworkPosterior`, shapes (effect,) and (effect, effect).
    tau
        SD between trials.
    log_likelihood
        At the estimates; restricted by REML.
    method
        Its name.
    """

    effects: Array
    covariance: Array
    tau: float
    log_likelihood: float
    method: Literal["maximum likelihood", "REML", "inverse variance"]


def tau_quantiles(grid: Array, density: Array, u: Array) -> Array:
    """Return quantiles `u` of a density that is linear between the points of a grid."""
    cumulative = np.concatenate([[0.0], np.cumsum(np.diff(grid) * (density[1:] + density[:-1]) / 2)])
    target = u * cumulative[-1]
    left = np.clip(np.searchsorted(cumulative, target, side="right") - 1, 0, len(grid) - 2)
    width = grid[left + 1] - grid[left]
    slope = (density[left + 1] - density[left]) / width
    rest = target - cumulative[left]
    # The root of slope x^2 / 2 + density x = rest, in the form that is stable for a slope of 0.
    root = np.sqrt(np.maximum(density[left] ** 2 + 2 * slope * rest, 0.0))
    quantiles: Array = grid[left] + np.minimum(2 * rest / np.maximum(density[left] + root, np.finfo(float).tiny), width)
    return quantiles
