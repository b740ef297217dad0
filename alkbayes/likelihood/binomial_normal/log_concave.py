"""Exact draws from many log-concave densities at once, by rejection from under three tangents each.

A concave function lies below each of its tangents. The three at the mode and at sqrt(2) widths on either side of it
make a hat that is flat in the middle and exponential in the tails; for a normal density nine draws of ten from it are
kept. Nothing is approximated: where the density is skewed, more draws are thrown away. The tangents are those of
adaptive rejection sampling (Gilks and Wild 1992, doi:10.2307/2347565), which would add more of them; with one draw
wanted of each density that does not pay.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]
type LogDensity = Callable[[Array, Index | None], Array]
"""Log density at points, one for each of the densities chosen (all of them if None)."""
type Tangents = tuple[tuple[Array, Array, Array], ...]
"""Of each of three tangents from left to right: where it touches, the log density there, and its slope."""

REACH = float(np.sqrt(2.0))
"""Distance of the outer tangents from the mode in widths: the best for a normal density."""
MOST_TRIES = 10_000
"""Far more than a log-concave density needs; a density that is not one must not be tried for ever."""


@dataclass(frozen=True, slots=True)
class Hat:
    """Three exponential pieces, each array of shape (N,).

    Attributes
    ----------
    edges
        Where the second and the third piece begin.
    heights
        Logarithm of the hat at the two edges.
    slopes
        Of the three pieces' logarithms.
    shares
        Probability of the first piece, and of the first two.
    """

    edges: tuple[Array, Array]
    heights: tuple[Array, Array]
    slopes: tuple[Array, Array, Array]
    shares: tuple[Array, Array]

    def chosen(self, index: Index) -> "Hat":
        """Return the hats of some of the densities."""
        first, second = ((each[0][index], each[1][index]) for each in (self.edges, self.heights))
        left, middle, right = (each[index] for each in self.slopes)
        return Hat(first, second, (left, middle, right), (self.shares[0][index], self.shares[1][index]))

    def draw(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return a point under each hat and the hat's logarithm there."""
        (start, stop), (left, middle, right) = self.edges, self.slopes
        size = start.size
        # Which piece, and with what is left of the uniform number where in it.
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
        leftmost and negative at the rightmost.
    log_density
        The densities, with the same constants as the tangents' values.
    rng
        Its numbers go to whichever densities still lack a draw.
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
    """Return the hat under three tangents of each density."""
    (x_left, g_left, left), (x_middle, g_middle, middle), (x_right, g_right, right) = tangents
    # Where neighbours meet; what rounding does to their places is kept between the points they touch.
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
