"""Deviation of one cohort integrated out or drawn, for any cohort likelihood and any density of the deviation.

No mode, derivative or unimodality is needed: an integral is a sum over a lattice of the deviation's score
(:mod:`alkbayes.likelihood.general.lattice`, :mod:`alkbayes.likelihood.general.scores`). The lattice is centred by a
normal approximation and wide enough to hold the peaks of prior and likelihood: the Student t deviation of an outlying
cohort may have two.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alkbayes.likelihood.cohorts import Likelihood
from alkbayes.likelihood.general.lattice import LogDensity, Rule, draw, integrate
from alkbayes.likelihood.general.scores import Score

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]

RULE = Rule(points=17, drop=15.0, tolerance=0.001)
"""Error of log L below 1e-6 on the bundled evidence wherever the posterior has mass (tested)."""
LONGEST = 1.0
"""Longest step, in widths of the narrowest peak: an error of 5e-9 for a normal one."""
MARGIN = 1.15
"""Factor on a span for the error of the normal approximation: a short lattice costs more than a long one."""
FAR = 36.0
"""Distance in widths beyond which a peak this narrow has all the mass."""
LEAST = 1e-100
"""Smallest tau; its deviation keeps its prior."""
AT_ONCE = 1024
"""Cohort integrals per batch, so that the lattices stay in the cache."""


class Level(NamedTuple):
    """Deviations of one level: their SD (Student t: scale), shape (S,), and the score of their density.

    The SD is of shape (S, cohort) if it differs between cohorts.
    """

    tau: Array
    score: Score

    def at(self, row: Index, cohort: Index) -> Array:
        """Return the SD for each pair of parameter value and cohort."""
        return self.tau[row] if self.tau.ndim == 1 else self.tau[row, cohort]


class Span(NamedTuple):
    """Starting lattice, each of shape (integral,): see :func:`alkbayes.likelihood.general.lattice.integrate`."""

    low: Array
    high: Array
    step: Array


def integrated(likelihood: Likelihood, level: Level | None, mu: Array, cohort: Index, row: Index, rule: Rule) -> Array:
    """Return the log-likelihood of each cohort and parameter value pair, with the deviation integrated out."""
    if level is None:
        direct: Array = likelihood.at(cohort, row)(mu[None])[0]
        return direct
    value = np.empty(len(mu))
    for start in range(0, len(mu), AT_ONCE):
        piece = slice(start, start + AT_ONCE)
        value[piece] = integrate(*_cohorts(likelihood, level, mu[piece], cohort[piece], row[piece], rule), rule)
    return value


def drawn(
    likelihood: Likelihood,
    level: Level,
    mu: Array,
    cohort: Index,
    row: Index,
    rule: Rule,
    rng: np.random.Generator,
) -> Array:
    """Draw the deviation of each cohort and parameter value pair."""
    z, _ = level.score.at(draw(*_cohorts(likelihood, level, mu, cohort, row, rule), rule, rng))
    return z


def _cohorts(
    likelihood: Likelihood, level: Level, mu: Array, cohort: Index, row: Index, rule: Rule
) -> tuple[LogDensity, Array, Array, Array]:
    """Return the integrands of cohorts' deviations and their starting lattices."""
    tau = level.at(row, cohort)

    def log_density(u: Array, chosen: Index) -> Array:
        # Usually all are selected, and nothing needs to be copied.
        every = len(chosen) == len(mu)
        middle, spread = (mu, tau) if every else (mu[chosen], tau[chosen])
        who, at = (cohort, row) if every else (cohort[chosen], row[chosen])
        z, value = level.score.at(u)
        value += likelihood.at(who, at)(middle + spread * z)
        return value

    own, variance = likelihood.stand_in(cohort, row)
    scale = np.maximum(tau, LEAST)
    centre = (own - mu) / scale
    return log_density, *span_of(level.score, centre, scale**2 / variance, rule, (centre, centre))


def span_of(score: Score, centre: Array, precision: Array, rule: Rule, peaks: tuple[Array, Array]) -> Span:
    """Return starting spans on the scale of the score.

    `centre` and `precision`, shape (integral,), are those of a normal likelihood of the deviation; `peaks` are the
    lowest and highest deviation at which the likelihood may peak.
    """
    z = score.middle(centre, precision)
    middle, steepness = score.of(z), np.sqrt(precision) * score.slope(z)
    width = 1 / np.sqrt(steepness**2 + 1)
    reach = MARGIN / np.sqrt(steepness**2 / (2 * rule.drop) + score.reach(rule.drop) ** -2)
    low, high, narrowest = middle - reach, middle + reach, width
    for peak in (np.zeros_like(z), *peaks):
        place = score.of(peak)
        away = np.abs(place - middle)
        outside = (away > reach) & (away < FAR * width)
        if outside.any():
            own = 1 / np.sqrt(precision * score.slope(peak) ** 2 + 1)
            low = np.where(outside, np.minimum(low, place - LONGEST * own), low)
            high = np.where(outside, np.maximum(high, place + LONGEST * own), high)
            narrowest = np.where(outside, np.minimum(narrowest, own), narrowest)
    return Span(low, high, np.minimum(LONGEST * narrowest, score.step))
