"""Integrals of, and draws from, many functions of one variable on lattices, without assumptions on their shape.

For a smooth function that decays on both sides the trapezoid rule converges geometrically. Its error is of the order of
the Fourier transform at the lattice's frequency: exp(-2 (pi width / step)^2) for a normal peak. The difference between
the sums over odd and even points therefore tells whether the lattice is fine enough; if not, midpoints are added. A
lattice that misses a tail is stretched. Only a peak much narrower than the first step can be missed, so callers must
choose spans and steps for every peak.

References
----------
Trefethen and Weideman (2014), doi:10.1137/130932132.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]
type LogDensity = Callable[[Array, Index], Array]
"""Log of the selected functions, shape (function,), at points of shape (point, function)."""

STRETCH = 0.3
"""Points added on a side that misses its tail, as a fraction of the current number."""
MOST_STRETCHES = 12
MOST_HALVINGS = 7
HEADROOM = 1.5
"""Largest ratio of density to chord allowed in draws: at a normal peak, that of a step of 1.8 widths."""


class Rule(NamedTuple):
    """Precision of lattices.

    Attributes
    ----------
    points
        Initial number of points, odd.
    drop
        Fall of the log function from its maximum to either end.
    tolerance
        Relative difference between odd and even sums at which a lattice is fine enough. The error of the full sum is
        about its fourth power for a normal peak, and its square for the slowest functions.
    """

    points: int
    drop: float
    tolerance: float


class Lattices(NamedTuple):
    """Functions on lattices that are fine enough, all with the same number of points.

    Attributes
    ----------
    chosen
        Indices of the functions, shape (A,).
    low, step
        First point and spacing, shape (A,).
    top
        Log of each function's maximum, shape (A,).
    relative
        Values relative to the maximum, shape (point, A).
    """

    chosen: Index
    low: Array
    step: Array
    top: Array
    relative: Array

    def those(self, kept: NDArray[np.bool_]) -> "Lattices":
        """Return selected lattices."""
        return Lattices(self.chosen[kept], self.low[kept], self.step[kept], self.top[kept], self.relative[:, kept])


def integrate(log_density: LogDensity, low: Array, high: Array, step: Array, rule: Rule) -> Array:
    """Return the log of the integrals of functions, shape (function,).

    Each span from `low` to `high` must contain the peaks of its function, and `step` must skip none; all have shape
    (function,).
    """
    value = np.empty(len(low))
    for at in lattices(log_density, low, high, step, rule):
        value[at.chosen] = at.top + np.log(at.relative.sum(axis=0) * at.step)
    return value


def draw(log_density: LogDensity, low: Array, high: Array, step: Array, rule: Rule, rng: np.random.Generator) -> Array:
    """Draw once from each of many unnormalised densities; parameters are those of `integrate`.

    Points under the chords of a lattice are accepted or rejected by the density itself, so draws are exact where it
    nowhere exceeds `HEADROOM` times its chord. If a density does, its lattice is refined and it is drawn again.
    """
    drawn = np.empty(len(low))
    for at in lattices(log_density, low, high, step, rule):
        left, steep = np.arange(at.chosen.size), np.zeros(at.chosen.size, dtype=bool)
        while left.size:
            point, height = _under_chords(at.those(_mask(left, at.chosen.size)), rng)
            density = log_density(point[None], at.chosen[left])[0] - at.top[left]
            ratio = np.exp(density) / (HEADROOM * height)
            steep[left[ratio > 1]] = True
            kept = rng.random(left.size) < ratio
            drawn[at.chosen[left[kept]]] = point[kept]
            left = left[~kept & (ratio <= 1)]
        if steep.any():
            again = at.chosen[steep]
            begin, finer = at.low[steep], at.step[steep] / 2
            end = begin + at.step[steep] * (len(at.relative) - 1)
            drawn[again] = draw(_of(log_density, again), begin, end, finer, rule, rng)
    return drawn


def lattices(log_density: LogDensity, low: Array, high: Array, step: Array, rule: Rule) -> Iterator[Lattices]:
    """Yield all functions on lattices that are fine enough, grouped by number of points."""
    for reaching in _reaching(log_density, low, high, rule):
        at = reaching
        for _ in range(MOST_HALVINGS):
            odd, even = at.relative[1::2].sum(axis=0), at.relative[::2].sum(axis=0)
            # The inequality is false for NaN, so that non-finite functions are refined to the limit and stay NaN.
            fine = (np.abs(odd - even) <= rule.tolerance * (odd + even)) & (at.step <= step[at.chosen])
            if fine.all():
                break
            if fine.any():
                yield at.those(fine)
                at = at.those(~fine)
            places = np.arange(0.5, len(at.relative) - 1)[:, None]
            between = log_density(at.low + at.step * places, at.chosen)
            at = _joined(at, between, np.s_[::2], np.s_[1::2])._replace(low=at.low, step=at.step / 2)
        yield at


def _reaching(log_density: LogDensity, low: Array, high: Array, rule: Rule) -> Iterator[Lattices]:
    """Yield lattices that reach both tails, grouped by number of points."""
    step = (high - low) / (rule.points - 1)
    value = log_density(low + step * np.arange(rule.points)[:, None], np.arange(len(low)))
    top = value.max(axis=0)
    at = Lattices(np.arange(len(low)), low, step, top, np.exp(value - top))
    for _ in range(MOST_STRETCHES):
        short = np.maximum(at.relative[0], at.relative[-1]) > np.exp(-rule.drop)
        if not short.all():
            yield at.those(~short) if short.any() else at
        if not short.any():
            return
        if not short.all():
            at = at.those(short)
        count = len(at.relative)
        more = 2 * math.ceil(STRETCH * count / 2)
        places = np.r_[-more:0, count : count + more].astype(np.float64)[:, None]
        beyond = log_density(at.low + at.step * places, at.chosen)
        inside = np.s_[more : more + count]
        at = _joined(at, beyond, inside, np.r_[:more, more + count : 2 * more + count])._replace(
            low=at.low - more * at.step
        )
    yield at


def _joined(at: Lattices, values: Array, old: slice, new: slice | Index) -> Lattices:
    """Return lattices with further points, given the positions of old and new ones among all."""
    top = np.maximum(at.top, values.max(axis=0))
    relative = np.empty((len(at.relative) + len(values), len(top)))
    relative[old] = at.relative * np.exp(at.top - top)
    relative[new] = np.exp(values - top)
    return at._replace(top=top, relative=relative)


def _under_chords(at: Lattices, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return a point from the piecewise linear density on each lattice, and the density's height there."""
    cells = at.relative[:-1] + at.relative[1:]
    below = np.cumsum(cells, axis=0)
    cell = (below < rng.random(at.chosen.size) * below[-1]).sum(axis=0)
    columns = np.arange(at.chosen.size)
    first, last = at.relative[cell, columns], at.relative[cell + 1, columns]
    # Position within the cell: the root of a quadratic, in the form that also holds for a flat top.
    uniform = rng.random(at.chosen.size)
    share = uniform * (first + last) / (first + np.sqrt(first**2 + uniform * (last**2 - first**2)))
    return at.low + at.step * (cell + share), first + share * (last - first)


def _of(log_density: LogDensity, those: Index) -> LogDensity:
    """Return the log densities of selected functions."""
    return lambda points, chosen: log_density(points, those[chosen])


def _mask(index: Index, size: int) -> NDArray[np.bool_]:
    mask = np.zeros(size, dtype=bool)
    mask[index] = True
    return mask
