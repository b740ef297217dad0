"""Uniformity of ranks: the ECDF within its simultaneous envelope, with an exact p-value.

For N independent ranks, each uniform on 0, ..., L, the ECDF at every fraction j / (L + 1) is a binomial count over N.
The envelope consists of equal-tailed binomial intervals, as narrow as possible with the requested probability of
containing the whole ECDF (Säilynoja, Bürkner & Vehtari 2022, doi:10.1007/s11222-022-10090-6). As there, the probability
is computed from fraction to fraction: given the count at one, the increment to the next is binomial. ArviZ simulates
the envelope, which cannot give p-values as small as multiplicity correction needs, and takes a count of zero, common
with few replications, for missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlog1py, xlogy
from scipy.stats import binom

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]

ALPHA = 0.05
"""Probability that a calibrated posterior fails: for each quantity's own envelope, and for the study's verdict."""
LEAST_TAIL = 1e-7
"""Tail probability at one fraction below which the p-value is bounded, not computed: such envelopes are wide."""
MOVED = 3.0
"""Standard errors at which the mean or spread of ranks is reported to differ."""


@dataclass(frozen=True, slots=True)
class Uniformity:
    """Uniformity of the ranks of one quantity.

    Attributes
    ----------
    difference, at
        Largest deviation of the ECDF from uniform, signed, in [-1, 1], and its fraction, in (0, 1).
    p
        Probability that uniform ranks leave the narrowest envelope that these leave.
    adjusted
        p adjusted by Holm's method for all quantities of the study.
    inside
        True if the ECDF lies within its own 95 % envelope.
    mean_z, spread_z
        Mean and variance of the fractional ranks, as deviations from uniform in standard errors.
    verdict
        Interpretation of the shape.
    """

    quantity: str
    difference: float
    at: float
    p: float
    adjusted: float
    inside: bool
    mean_z: float
    spread_z: float
    verdict: str


def judge_ranks(ranks: Mapping[str, Sequence[int]], *, kept: int) -> list[Uniformity]:
    """Judge the ranks of each quantity among `kept` draws, integers from 0 to `kept`."""
    p_values = [p_uniform(np.asarray(values), kept=kept) for values in ranks.values()]
    adjusted = holm(p_values)
    return [
        _judged(name, np.asarray(values), kept, p, corrected)
        for (name, values), p, corrected in zip(ranks.items(), p_values, adjusted, strict=True)
    ]


def p_uniform(ranks: Index, *, kept: int) -> float:
    """Return the probability that uniform ranks leave the narrowest envelope that these leave.

    Exact down to about 1e-5; smaller values are upper bounds (Bonferroni), which cost no time.
    """
    counts, points = _counts(ranks, kept), _points(kept)
    tail = float(_tails(counts, len(ranks), points).min())
    if tail < LEAST_TAIL:
        return 2 * kept * tail
    # Slightly above the tail itself, so that the envelope excludes just these counts.
    return 1.0 - _probability(*_limits(tail * (1 + 1e-9), len(ranks), points), len(ranks), points)


def envelope(count: int, *, kept: int, prob: float) -> tuple[Array, Array, Array]:
    """Return the simultaneous envelope of the ECDF of `count` ranks among `kept` draws.

    Returns
    -------
    points, low, high
        Fractions j / (kept + 1) and limits of the ECDF there, each of shape (kept,).
    """
    points = _points(kept)
    smallest, largest = np.log((1 - prob) / (4 * kept)), np.log((1 - prob) / 2)
    for _ in range(30):
        middle = (smallest + largest) / 2
        inside = _probability(*_limits(np.exp(middle), count, points), count, points)
        smallest, largest = (middle, largest) if inside >= prob else (smallest, middle)
    low, high = _limits(np.exp(smallest), count, points)
    return points, low / count, high / count


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for multiplicity (Holm 1979), each the smallest level of rejection."""
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1.0)
    return [float(value) for value in adjusted]


def _judged(name: str, ranks: Index, kept: int, p: float, adjusted: float) -> Uniformity:
    points, count = _points(kept), len(ranks)
    differences = _counts(ranks, kept) / count - points
    place = int(np.argmax(np.abs(differences)))
    fractions = (ranks + 0.5) / (kept + 1)
    # A uniform number has variance 1/12 and fourth central moment 1/80.
    mean_z = (fractions.mean() - 0.5) * np.sqrt(12 * count)
    spread_z = (((fractions - 0.5) ** 2).mean() - 1 / 12) * np.sqrt(count / (1 / 80 - 1 / 144))
    return Uniformity(
        quantity=name,
        difference=float(differences[place]),
        at=float(points[place]),
        p=p,
        adjusted=adjusted,
        inside=p >= ALPHA,
        mean_z=float(mean_z),
        spread_z=float(spread_z),
        verdict=_verdict(float(mean_z), float(spread_z)),
    )


def _verdict(mean_z: float, spread_z: float) -> str:
    """Return the interpretation of ranks too high, too low, too dispersed or too central."""
    said = []
    if abs(mean_z) > MOVED:
        said.append("too low" if mean_z > 0 else "too high")
    if abs(spread_z) > MOVED:
        said.append("too narrow" if spread_z > 0 else "too wide")
    return f"posterior {' and '.join(said)}" if said else ""


def _points(kept: int) -> Array:
    return np.arange(1, kept + 1) / (kept + 1)


def _counts(ranks: Index, kept: int) -> Index:
    """Return the number of ranks below each fraction, shape (kept,)."""
    return np.bincount(ranks, minlength=kept + 1).cumsum()[:-1]


def _tails(counts: Index, count: int, points: Array) -> Array:
    """Return the smaller tail probability of each count, including that count."""
    return np.minimum(binom.cdf(counts, count, points), binom.sf(counts - 1, count, points))


def _limits(tail: float, count: int, points: Array) -> tuple[Index, Index]:
    """Return the smallest and largest counts at each fraction with at least `tail` on either side."""
    # At least the tail, up to rounding, on both sides: ppf is the smallest k with cdf(k) >= tail.
    low = np.asarray(binom.ppf(tail, count, points)).astype(np.intp)
    high = np.asarray(binom.isf(tail, count, points)).astype(np.intp)
    return low, high


def _probability(low: Index, high: Index, count: int, points: Array) -> float:
    """Return the probability that the counts of uniform ranks lie within the limits at every fraction."""
    log_factorial = gammaln(np.arange(count + 1) + 1.0)
    state, first, before = np.ones(1), 0, 0.0
    for bottom, top, point in zip(low.tolist(), high.tolist(), points.tolist(), strict=True):
        if top < bottom:
            return 0.0
        at = first + np.arange(len(state))[:, None]
        rise = np.arange(bottom, top + 1)[None, :] - at
        there = (rise >= 0) & (rise <= count - at)
        step = np.where(there, rise, 0)
        share = (point - before) / (1 - before)
        left = count - at - step
        log_chance = log_factorial[count - at] - log_factorial[step] - log_factorial[left]
        log_chance = log_chance + xlogy(step, share) + xlog1py(left, -share)
        state = state @ np.where(there, np.exp(log_chance), 0.0)
        first, before = bottom, point
    return float(state.sum())
