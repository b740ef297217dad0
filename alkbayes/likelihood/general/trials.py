"""Deviations of groups and cohorts integrated out, and drawn, for any likelihood of a cohort and any heterogeneity.

The same nested integrals as in :mod:`alkbayes.likelihood.binomial_normal.marginal`, which is some five times as fast
but for binomial cohorts, logits and normal deviations alone. Each integral is a sum over a lattice: see
:mod:`alkbayes.likelihood.general.cohort`, which is this for one cohort.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alkbayes.likelihood.binomial_normal.deviations import Deviations
from alkbayes.likelihood.cohorts import Likelihood
from alkbayes.likelihood.general.cohort import AT_ONCE, LEAST, RULE, Level, Span, drawn, integrated, span_of
from alkbayes.likelihood.general.lattice import Rule, draw, integrate
from alkbayes.likelihood.general.table import Table

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]

ODD = 3.0
"""Distance of a cohort from the middle of its group, in its own standard deviations, from which it may have a peak of
its own."""
GROUPS_AT_ONCE = 16384
"""Integrals of groups at once, in cohorts."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Cohorts within groups at S parameter values.

    Attributes
    ----------
    likelihood
        Of each cohort.
    eta
        Linear predictor of each cohort, shape (S, cohort).
    labels
        Group of each cohort, 0, 1 and so on, shape (cohort,).
    group, cohort
        The two levels of deviations, either of which may be absent.
    table
        Of the cohorts' integrals, where there is one.
    """

    likelihood: Likelihood
    eta: Array
    labels: Index
    group: Level | None
    cohort: Level | None
    table: Table | None = None

    @property
    def collapse(self) -> bool:
        """Whether the two deviations of a cohort that is alone in its group are one, which is normal too."""
        return self.group is None or self.cohort is None or (self.group.score.normal and self.cohort.score.normal)

    @property
    def alone(self) -> Index:
        """Cohorts with a single integral, or none."""
        if self.group is None:
            return np.arange(len(self.labels))
        lonely = np.bincount(self.labels)[self.labels] == 1
        return np.flatnonzero(lonely) if self.collapse else np.zeros(0, dtype=np.intp)

    @property
    def single(self) -> Level | None:
        """What cohorts that stand alone have for deviations."""
        if self.group is None or self.cohort is None:
            return self.group or self.cohort
        return Level(np.hypot(self.group.tau, self.cohort.tau), self.cohort.score)


def log_marginal(hierarchy: Hierarchy, rule: Rule = RULE) -> Array:
    """Return the marginal log-likelihood, binomial coefficients included, shape (S,)."""
    value = np.full(len(hierarchy.eta), hierarchy.likelihood.coefficients)
    for cohort, row in _pairs(hierarchy.alone, len(value), AT_ONCE):
        each = integrated(hierarchy.likelihood, hierarchy.single, hierarchy.eta[row, cohort], cohort, row, rule)
        np.add.at(value, row, each)
    for families in _families(hierarchy, rule):
        np.add.at(value, families.row, integrate(families.log_density, *families.span(), rule))
    return value


def draw_deviations(hierarchy: Hierarchy, rng: np.random.Generator, rule: Rule = RULE) -> Deviations:
    """Draw the deviations from their joint conditional distribution given each of the parameter values.

    Those of a level that is absent mean nothing.
    """
    z_group = np.zeros((len(hierarchy.eta), int(hierarchy.labels.max()) + 1))
    z_cohort = np.zeros(hierarchy.eta.shape)
    single = hierarchy.single
    if single is not None:
        for cohort, row in _pairs(hierarchy.alone, len(z_group), AT_ONCE):
            z = drawn(hierarchy.likelihood, single, hierarchy.eta[row, cohort], cohort, row, rule, rng)
            # Only this z of both deviations together meets the data; across it they are a priori.
            both = np.maximum(single.tau[row], LEAST)
            share = (0.0 if hierarchy.group is None else hierarchy.group.tau[row]) / both
            rest = (0.0 if hierarchy.cohort is None else hierarchy.cohort.tau[row]) / both
            across = rng.standard_normal(z.shape)
            z_group[row, hierarchy.labels[cohort]] = share * z + rest * across
            z_cohort[row, cohort] = rest * z - share * across
    for families in _families(hierarchy, rule):
        v, _ = families.score.at(draw(families.log_density, *families.span(), rule, rng))
        z_group[families.row, families.group] = v
        if hierarchy.cohort is not None:
            element, cohort = families.members(np.arange(len(v)))
            at = families.row[element]
            mu = hierarchy.eta[at, cohort] + families.tau[at] * v[element]
            z_cohort[at, cohort] = drawn(hierarchy.likelihood, hierarchy.cohort, mu, cohort, at, rule, rng)
    return Deviations(z_group, z_cohort)


class Families:
    """The integrands of some groups' deviations, each at one parameter value, with its cohorts' integrated out."""

    def __init__(self, hierarchy: Hierarchy, level: Level, group: Index, row: Index, rule: Rule) -> None:
        self.hierarchy, self.group, self.row, self.rule = hierarchy, group, row, rule
        self.tau, self.score = level
        self._order = np.argsort(hierarchy.labels, kind="stable")
        self._sizes = np.bincount(hierarchy.labels)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def members(self, chosen: Index) -> tuple[Index, Index]:
        """Return positions in `chosen` and cohorts: those of each one's group, side by side."""
        sizes = self._sizes[self.group[chosen]]
        element = np.repeat(np.arange(len(chosen)), sizes)
        within = np.arange(len(element)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return element, self._order[self._starts[self.group[chosen]][element] + within]

    def log_density(self, u: Array, chosen: Index) -> Array:
        """Return the log of the integrands chosen at scores of shape (point, integrand)."""
        hierarchy = self.hierarchy
        z, value = self.score.at(u)
        element, cohort = self.members(chosen)
        row = self.row[chosen][element]
        mu = hierarchy.eta[row, cohort] + self.tau[row] * z[:, element]
        points, level, table = len(mu), hierarchy.cohort, hierarchy.table
        flat = (mu.ravel(), np.tile(cohort, points), np.tile(row, points), self.rule)
        if level is None or table is None:
            each = integrated(hierarchy.likelihood, level, *flat)
        else:
            each = table.integrated(hierarchy.likelihood, level, *flat)
        starts = np.flatnonzero(np.r_[True, np.diff(element) != 0])
        value += np.add.reduceat(each.reshape(points, -1), starts, axis=1)
        return value

    def span(self) -> Span:
        """Return where the lattices of all start."""
        hierarchy = self.hierarchy
        element, cohort = self.members(np.arange(len(self.group)))
        row = self.row[element]
        tau = np.maximum(self.tau[row], LEAST)
        observed, variance = hierarchy.likelihood.stand_in(cohort, row)
        if hierarchy.cohort is not None:
            variance = variance + hierarchy.cohort.score.variance * hierarchy.cohort.tau[row] ** 2
        starts = np.flatnonzero(np.r_[True, np.diff(element) != 0])
        own, precision = (observed - hierarchy.eta[row, cohort]) / tau, tau**2 / variance
        total = np.add.reduceat(precision, starts)
        centre = np.add.reduceat(precision * own, starts) / total
        middle = self.score.middle(centre, total)[element]
        odd = np.abs(own - middle) * np.sqrt(precision) > ODD
        peaks = np.where(odd, own, middle)
        ends = (np.minimum.reduceat(peaks, starts), np.maximum.reduceat(peaks, starts))
        return span_of(self.score, centre, total, self.rule, ends)


def _pairs(cohorts: Index, size: int, at_once: int) -> Iterator[tuple[Index, Index]]:
    """Yield pairs of each of the cohorts (or groups) and each parameter value, so many at once."""
    for start in range(0, len(cohorts) * size, at_once):
        place = np.arange(start, min(start + at_once, len(cohorts) * size))
        yield cohorts[place // size], place % size


def _families(hierarchy: Hierarchy, rule: Rule) -> Iterator[Families]:
    """Yield the groups with nested integrals, each at each of the parameter values, some at once."""
    if hierarchy.group is None:
        return
    sizes = np.bincount(hierarchy.labels)
    nested = np.flatnonzero(sizes > (1 if hierarchy.collapse else 0))
    if nested.size:
        for group, row in _pairs(nested, len(hierarchy.eta), max(1, GROUPS_AT_ONCE // int(sizes[nested].max()))):
            yield Families(hierarchy, hierarchy.group, group, row, rule)
