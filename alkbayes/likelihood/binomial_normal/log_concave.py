"""Exact draws from many log-concave densities at once, by rejection from a hat of three tangents each.

A concave function lies below its tangents. The tangents at the mode and sqrt(2) widths on either side form a hat, flat
in the middle with exponential tails, which accepts nine draws in ten for a normal density and fewer for a skewed one;
nothing is approximated. Adaptive rejection sampling (Gilks and Wild 1992, doi:10.2307/2347565) would add tangents,
which does not pay for one draw per density.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]
type LogDensity = Callable[[Array, Index | None], Array]
"""Log density at one point for each of the selected densities (all if None)."""
type Tangents = tuple[tuple[Array, Array, Array], ...]
"""Three tangents from left to right: point of contact, log density there, and slope."""

REACH = float(np.sqrt(2.0))
"""Distance of the outer tangents from the mode, in widths; optimal for a normal density."""
MOST_TRIES = 10_000
"""Far more than any log-concave density needs; stops the loop for one that is not log-concave."""


@dataclass(frozen=True, slots=True)
class Hat:
    """Piecewise exponential hats with three pieces, each array of shape (N,).

    Attributes
    ----------
    edges
        Starts of the second and third pieces.
    heights
        Log of the hat at the two edges.
    slopes
        Slopes of the three pieces on the log scale.
    shares
        Probability of the first piece, and of the first two.
    """

    edges: tuple[Array, Array]
    heights: tuple[Array, Array]
    slopes: tuple[Array, Array, Array]
    shares: tuple[Array, Array]

    def chosen(self, index: Index) -> "Hat":
        """Return the hats of selected densities."""
        first, second = ((each[0][index], each[1][index]) for each in (self.edges, self.heights))
        left, middle, right = (each[index] for each in self.slopes)
        return Hat(first, second, (left, middle, right), (self.shares[0][index], self.shares[1][index]))

    def draw(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return a point under each hat, and the log of the hat there."""
        (start, stop), (left, middle, right) = self.edges, self.slopes
        size = start.size
        # Choose the piece, then reuse the rest of the uniform number for the place in it.
        uniform = rng.random(size)
        below, inside = self.shares
        in_left, in_right = uniform < below, uniform >= inside
        share = np.where(in_left, below, np.where(in_right, 1 - inside, inside - below))
        within = np.where(in_left, uniform, np.where(in_right, 1 - uniform, uniform - below)) / share
        tail = np.log(np.maximum(within, np.finfo(np.float64).tiny))
        rise = middle * (stop - start)
        bent = np.abs(rise) > 1e-8
        along = np.where(bent, np.log1p(within * np.expm1(rise)) / np.where(bent, rise, 1.0), within) * (stop - start)
        point = np.where(in_left, start + tail / left, np.where(in_right, stop + tail / right, start + along))
        height = np.where(
            in_left,
            self.heights[0] + tail,
            np.where(in_right, self.heights[1] + tail, self.heights[0] + middle * along),
        )
        return point, height


def draw_log_concave(tangents: Tangents, log_density: LogDensity, rng: np.random.Generator) -> Array:
    """Draw once from each of N log-concave densities.

    Parameters
    ----------
    tangents
        Three points of each density with values and slopes, arrays of shape (N,); the slope must be positive at the
        leftmost point and negative at the rightmost.
    log_density
        Log densities, with the same constants as the tangents' values.
    rng
        Random generator; its numbers go to densities still without a draw.
    """
    hat = hat_of(tangents)
    drawn, height = hat.draw(rng)
    left = np.flatnonzero(log_density(drawn, None) - height < np.log(rng.random(drawn.size)))
    for _ in range(MOST_TRIES):
        if left.size == 0:
            return drawn
        point, height = hat.chosen(left).draw(rng)
        kept = log_density(point, left) - height >= np.log(rng.random(left.size))
        drawn[left[kept]] = point[kept]
        left = left[~kept]
    raise ArithmeticError(f"{left.size} densities of {drawn.size} accepted no draw: they are not log-concave")


def hat_of(tangents: Tangents) -> Hat:
    """Return the hat under the three tangents of each density."""
    (x_left, g_left, left), (x_middle, g_middle, middle), (x_right, g_right, right) = tangents
    # Intersections of neighbouring tangents, clipped against rounding to lie between the points of contact.
    drop_left, drop_right = np.where(left == middle, 1.0, left - middle), np.where(middle == right, 1.0, middle - right)
    start = x_middle + (g_middle - g_left - left * (x_middle - x_left)) / drop_left
    stop = x_middle + (g_right - g_middle + right * (x_middle - x_right)) / drop_right
    start, stop = np.clip(start, x_left, x_middle), np.clip(stop, x_middle, x_right)
    at_start = np.maximum(g_left + left * (start - x_left), g_middle + middle * (start - x_middle))
    at_stop = np.maximum(g_right + right * (stop - x_right), g_middle + middle * (stop - x_middle))
    rise = middle * (stop - start)
    flat = np.abs(rise) <= 1e-8
    masses = (
        1 / left,
        np.where(flat, 1 + rise / 2, np.expm1(rise) / np.where(flat, 1.0, rise)) * (stop - start),
        np.exp(at_stop - at_start) / -right,
    )
    whole = masses[0] + masses[1] + masses[2]
    return Hat(
        edges=(start, stop),
        heights=(at_start, at_stop),
        slopes=(left, middle, right),
        shares=(masses[0] / whole, (masses[0] + masses[1]) / whole),
    )
