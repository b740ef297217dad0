"""Group and cohort deviations integrated out, and drawn, for any cohort likelihood and any heterogeneity.

The nested integrals are those of :mod:`alkbayes.likelihood.binomial_normal.marginal`, which is some five times as fast
but limited to binomial cohorts, logits and normal deviations. Each is a sum over a lattice, as for the single cohort of
:mod:`alkbayes.likelihood.general.cohort`.
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
"""Distance of a cohort from the middle of its group, in its own SDs, from which it may have a separate peak."""
GROUPS_AT_ONCE = 16384
"""Group integrals per batch, in cohorts."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Cohorts within groups at S parameter values.

    Attributes
    ----------
    likelihood
        Cohort likelihood.
    eta
        Linear predictor of each cohort, shape (S, cohort).
    labels
        Group of each cohort, numbered from 0, shape (cohort,).
    group, cohort
        The two levels of deviations, either of which may be absent.
    table
        Tabulated cohort integrals, if any.
    """

    likelihood: Likelihood
    eta: Array
    labels: Index
    group: Level | None
    cohort: Level | None
    table: Table | None = None

    @property
    def collapse(self) -> bool:
        """Whether both deviations of a cohort alone in its group reduce to one normal deviation."""
        return self.group is None or self.cohort is None or (self.group.score.normal and self.cohort.score.normal)

    @property
    def alone(self) -> Index:
        """Cohorts with a single integral or none."""
        if self.group is None:
            return np.arange(len(self.labels))
        lonely = np.bincount(self.labels)[self.labels] == 1
        return np.flatnonzero(lonely) if self.collapse else np.zeros(0, dtype=np.intp)

    @property
    def single(self) -> Level | None:
        """Level of deviations of stand-alone cohorts."""
        if self.group is None or self.cohort is None:
            return self.group or self.cohort
        group = self.group.tau if self.cohort.tau.ndim == 1 else self.group.tau[:, None]
        return Level(np.hypot(group, self.cohort.tau), self.cohort.score)


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
    """Draw the deviations from their joint conditional distribution at each parameter value.

    Values for an absent level are meaningless.
    """
    z_group = np.zeros((len(hierarchy.eta), int(hierarchy.labels.max()) + 1))
    z_cohort = np.zeros(hierarchy.eta.shape)
    single = hierarchy.single
    if single is not None:
        for cohort, row in _pairs(hierarchy.alone, len(z_group), AT_ONCE):
            z = drawn(hierarchy.likelihood, single, hierarchy.eta[row, cohort], cohort, row, rule, rng)
            # The data depend only on this z of both deviations; orthogonal to it they keep their prior.
            both = np.maximum(single.at(row, cohort), LEAST)
            share = (0.0 if hierarchy.group is None else hierarchy.group.at(row, cohort)) / both
            rest = (0.0 if hierarchy.cohort is None else hierarchy.cohort.at(row, cohort)) / both
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
    """Integrands of group deviations, each at one parameter value, with cohort deviations integrated out."""

    def __init__(self, hierarchy: Hierarchy, level: Level, group: Index, row: Index, rule: Rule) -> None:
        self.hierarchy, self.group, self.row, self.rule = hierarchy, group, row, rule
        self.tau, self.score = level
        self._order = np.argsort(hierarchy.labels, kind="stable")
        self._sizes = np.bincount(hierarchy.labels)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def members(self, chosen: Index) -> tuple[Index, Index]:
        """Return positions in `chosen` and the matching cohorts, ordered by group."""
        sizes = self._sizes[self.group[chosen]]
        element = np.repeat(np.arange(len(chosen)), sizes)
        within = np.arange(len(element)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return element, self._order[self._starts[self.group[chosen]][element] + within]

    def log_density(self, u: Array, chosen: Index) -> Array:
        """Return the log of selected integrands at scores of shape (point, integrand)."""
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
        """Return the starting lattices of all integrands."""
        hierarchy = self.hierarchy
        element, cohort = self.members(np.arange(len(self.group)))
        row = self.row[element]
        tau = np.maximum(self.tau[row], LEAST)
        observed, variance = hierarchy.likelihood.stand_in(cohort, row)
        if hierarchy.cohort is not None:
            variance = variance + hierarchy.cohort.score.variance * hierarchy.cohort.at(row, cohort) ** 2
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
    """Yield pairs of cohort (or group) and parameter value in batches."""
    for start in range(0, len(cohorts) * size, at_once):
        place = np.arange(start, min(start + at_once, len(cohorts) * size))
        yield cohorts[place // size], place % size


def _families(hierarchy: Hierarchy, rule: Rule) -> Iterator[Families]:
    """Yield batches of the groups with nested integrals at all parameter values."""
    if hierarchy.group is None:
        return
    sizes = np.bincount(hierarchy.labels)
    nested = np.flatnonzero(sizes > (1 if hierarchy.collapse else 0))
    if nested.size:
        for group, row in _pairs(nested, len(hierarchy.eta), max(1, GROUPS_AT_ONCE // int(sizes[nested].max()))):
            yield Families(hierarchy, hierarchy.group, group, row, rule)
