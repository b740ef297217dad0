"""Log posterior of a model's global parameters, with the deviations of trials and cohorts integrated out.

There are two kinds of global parameters. The scales psi are the standard deviations of the exchangeable effects and of
the heterogeneity, and for a beta-binomial the root of the odds of rho, which behaves like one. The coefficients b are
linear in theta: the intercept, the fixed effects and the standardised exchangeable effects, so that eta = X (c b) with
c one, or the standard deviation of the column's effect. If heterogeneity differs by level, the standardised logs of the
levels' taus are coefficients, too, with zeros in X. Groups of one level are then integrated over together: given the
parameters they are independent of the others.

Units that are exchangeable or on their own (EXNEX) are integrated over one by one: the marginal likelihood of each is
that of either kind, weighted by the prior probability of being exchangeable. The indicators are thereby summed out.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from alkbayes.likelihood.binomial_normal.deviations import Deviations, draw_deviations
from alkbayes.likelihood.binomial_normal.marginal import NODES, Nodes, log_marginal
from alkbayes.likelihood.cohorts import BetaBinomial, Binomial
from alkbayes.likelihood.general import cohort as varied
from alkbayes.likelihood.general import trials as hierarchy
from alkbayes.likelihood.general.cohort import Level
from alkbayes.likelihood.general.lattice import Rule
from alkbayes.likelihood.general.scores import Score
from alkbayes.likelihood.general.table import Table
from alkbayes.likelihood.general.trials import Hierarchy
from alkbayes.likelihood.links import Link
from alkbayes.model.design import Design, Exnex, HeterogeneityBlock, Parameter, parameters
from alkbayes.model.draws import Draws, cohort_taus, level_taus
from alkbayes.parallel import in_threads
from alkbayes.spec.priors import StudentT

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]

PARTS = 4
"""Parts of a density for threads to share: a fixed number, since sums round by how they are cut."""
PIECE = 2_000_000
"""Maximum of parameter values times cohorts in one array; for 10,000 cohorts, 200 values at once."""
MOST_SCALES = 8
"""The proposal is folded in each scale: its density has two to that power terms."""


class Fineness(NamedTuple):
    """Accuracy of integrating deviations out.

    Attributes
    ----------
    nodes
        For the binomial-normal model of logits.
    rule, tabulated
        For all others: the lattices, and whether cohorts' integrals may come from a table.
    """

    nodes: Nodes
    rule: Rule
    tabulated: bool


class Stratum(NamedTuple):
    """Cohorts whose groups share their tau; with EXNEX, those of one unit.

    Attributes
    ----------
    cohorts
        Their positions.
    group
        Group of each, or None if the model has no such level.
    level
        Position of the level whose tau the groups have; 0 if all share one. With EXNEX, the position of the unit.
    """

    cohorts: Index | slice
    group: Index | None
    level: int


USUAL = Fineness(NODES, varied.RULE, tabulated=True)


def unsupported(design: Design) -> str:
    """Return the feature of a design that the target does not cover; empty if it covers all."""
    scales = len(design.heterogeneity) + sum(block.sd_prior is not None for block in design.effects)
    scales += sum(term.by is not None for term in design.heterogeneity) + (design.rho_prior is not None)
    if scales == 0:
        return "neither heterogeneity nor exchangeable effects"
    return f"{scales} standard deviations, more than {MOST_SCALES}" if scales > MOST_SCALES else ""


def root_odds(rho: Array) -> Array:
    """Return sqrt(rho / (1 - rho)), the counterpart of tau in a beta-binomial."""
    return np.sqrt(rho / (1 - rho))


def rho_of(root: Array) -> Array:
    """Return the intraclass correlation from the root of its odds."""
    return root**2 / (1 + root**2)


class Target:
    """The log posterior of a design's global parameters, for many values of them at once.

    Attributes
    ----------
    scales
        Standard deviations, and rho in a beta-binomial, in the order of psi.
    coefficients
        Parameters whose entries make up b, in its order.
    matrix
        X, shape (cohort, coefficient).
    scale_of
        Position in psi of the scale that multiplies each coefficient, or the one after the last, for a factor of one.
    """

    def __init__(self, design: Design) -> None:
        self.design = design
        by_name = {item.name: item for item in parameters(design)}
        scaled = [f"sd_{block.slug}" for block in design.effects if block.sd_prior is not None]
        names = scaled + [f"tau_{term.slug}" for term in design.heterogeneity]
        by_level = [term for term in design.heterogeneity if term.by is not None]
        names += [f"spread_{term.slug}" for term in by_level]
        names += [] if design.rho_prior is None else ["rho"]
        self.scales: tuple[Parameter, ...] = tuple(by_name[name] for name in names)
        logs = [by_name[f"raw_tau_{term.slug}"] for term in by_level]
        self.coefficients = (by_name["alpha"], *(by_name[block.free] for block in design.effects), *logs)
        columns = [np.ones((len(design.cohorts), 1)), *(block.basis[block.index] for block in design.effects)]
        columns += [np.zeros((len(design.cohorts), item.size)) for item in logs]
        self.matrix: Array = np.hstack(columns)
        positions = [len(names)] + [
            names.index(f"sd_{block.slug}") if block.sd_prior is not None else len(names) for block in design.effects
        ]
        positions += [len(names)] * len(logs)
        self.scale_of: Index = np.repeat(positions, [column.shape[1] for column in columns])

    @property
    def group_index(self) -> Index | None:
        """Group of each cohort, or None if the model has no such level."""
        return None if self.design.group is None else self.design.group.index

    @property
    def binomial_normal(self) -> bool:
        """True for the fast path: a binomial likelihood of logits with normal deviations."""
        design = self.design
        normal = all(score_of(term).normal for term in design.heterogeneity)
        return design.link is Link.LOGIT and design.rho_prior is None and normal

    def log_density(self, psi: Array, b: Array, *, fineness: Fineness = USUAL) -> Array:
        """Return the log posterior of scales (S, scale) and coefficients (S, coefficient), shape (S,)."""
        value = self.log_scale_prior(psi)
        start = 0
        for item in self.coefficients:
            value = value + item.prior.log_density(b[:, start : start + item.size]).sum(axis=1)
            start += item.size

        def log_likelihood(rows: slice) -> Array:
            eta = self.logits(psi[rows], b[rows])
            return sum(
                (self._log_marginal(each, psi[rows], b[rows], eta, fineness) for each in self.strata),
                np.zeros(len(eta)),
            )

        parts = in_threads(log_likelihood, list(self.pieces(len(psi), parts=PARTS)))
        return value + np.concatenate(parts)

    @cached_property
    def strata(self) -> tuple[Stratum, ...]:
        """Cohorts by the tau of their groups; all cohorts together if there is one."""
        group, exnex = self.design.group, self.design.exnex
        if exnex is not None:
            of_unit = (np.flatnonzero(exnex.index == unit) for unit in range(len(exnex.units)))
            return tuple(
                Stratum(cohorts, None if group is None else group.index[cohorts], unit)
                for unit, cohorts in enumerate(of_unit)
            )
        if group is None or group.by is None:
            return (Stratum(slice(None), None if group is None else group.index, 0),)
        levels = group.by.of_unit[group.index]
        parts = ((np.flatnonzero(levels == level), level) for level in np.unique(levels).tolist())
        return tuple(Stratum(cohorts, group.index[cohorts], level) for cohorts, level in parts)

    def taus_in(self, stratum: Stratum, psi: Array, b: Array) -> tuple[Array, Array]:
        """Return the standard deviations of groups, (S,), and cohorts of a stratum; 0 for an absent level.

        Those of cohorts are of shape (S,), or (S, cohort) if they differ by level.
        """
        named, group, cohort = self.named(psi, b), self.design.group, self.design.cohort
        none = np.zeros(len(psi))
        return (
            none if group is None else level_taus(group, named)[:, 0 if group.by is None else stratum.level],
            none if cohort is None else _cohort_taus(cohort, named, stratum),
        )

    @cached_property
    def table(self) -> Table | None:
        """The cohorts' integrals, if they are nested and the same for all parameter values."""
        design = self.design
        if (
            design.group is None
            or design.cohort is None
            or design.rho_prior is not None
            or design.cohort.by is not None
        ):
            return None
        return Table(self.binomial, score_of(design.cohort), len(design.cohorts))

    @property
    def binomial(self) -> Binomial:
        """The likelihood of the counts."""
        return Binomial(self.design.responders, self.design.n, self.design.link)

    def _log_marginal(self, stratum: Stratum, psi: Array, b: Array, eta: Array, fineness: Fineness) -> Array:
        """Return the marginal log-likelihood of a stratum, shape (S,); `eta` is of all cohorts."""
        if self.design.exnex is None:
            return self._of_kind(stratum, psi, eta, self.taus_in(stratum, psi, b), fineness)
        exchangeable, own = self._kinds(stratum, psi, b, eta, fineness)
        both: Array = np.logaddexp(exchangeable, own)
        return both

    def _kinds(
        self, stratum: Stratum, psi: Array, b: Array, eta: Array, fineness: Fineness = USUAL
    ) -> tuple[Array, Array]:
        """Return the joint log probability of a unit's counts with its being exchangeable, and on its own, (S,)."""
        probability = self._exnex.probabilities[stratum.level]
        exchangeable = self._of_kind(stratum, psi, eta, self.taus_in(stratum, psi, b), fineness)
        own = self._of_kind(stratum, psi, *self._on_its_own(b, eta), fineness)
        return exchangeable + np.log(probability), own + np.log1p(-probability)

    def _on_its_own(self, b: Array, eta: Array) -> tuple[Array, tuple[Array, Array]]:
        """Return linear predictors with the mean of a unit's own intercept for alpha, and the SDs of the two levels."""
        prior, none = self._exnex.own, np.zeros(len(b))
        spread = np.full(len(b), prior.sd)
        taus = (spread, none) if self.design.cohort is None else (none, spread)
        return eta - b[:, :1] + prior.mean, taus

    @property
    def _exnex(self) -> Exnex:
        term = self.design.exnex
        if term is None or term.exnex is None:
            raise ValueError("all units of the design are exchangeable")
        return term.exnex

    def _of_kind(
        self, stratum: Stratum, psi: Array, eta: Array, taus: tuple[Array, Array], fineness: Fineness
    ) -> Array:
        """Return the marginal log-likelihood of a stratum at linear predictors of all cohorts and SDs, shape (S,)."""
        if not self.binomial_normal:
            nested = self._hierarchy(stratum, psi, eta, taus, tabulated=fineness.tabulated)
            return hierarchy.log_marginal(nested, fineness.rule)
        tau_group, tau_cohort = taus
        return log_marginal(
            self.design.responders[stratum.cohorts],
            self.design.n[stratum.cohorts],
            eta=eta[:, stratum.cohorts],
            group=stratum.group,
            tau_group=tau_group,
            tau_cohort=tau_cohort,
            nodes=fineness.nodes,
        )

    def _hierarchy(
        self, stratum: Stratum, psi: Array, eta: Array, taus: tuple[Array, Array], *, tabulated: bool = True
    ) -> Hierarchy:
        """Return the cohorts of a stratum within their groups at linear predictors of all cohorts and SDs."""
        design = self.design
        binomial = Binomial(design.responders[stratum.cohorts], design.n[stratum.cohorts], design.link)
        group, cohort = (
            None if term is None else Level(tau, score_of(term))
            for term, tau in zip((design.group, design.cohort), taus, strict=True)
        )
        alone = np.arange(len(binomial.n))
        return Hierarchy(
            likelihood=binomial if design.rho_prior is None else BetaBinomial(binomial, self.rho(psi)),
            eta=eta[:, stratum.cohorts],
            labels=alone if stratum.group is None else np.unique(stratum.group, return_inverse=True)[1],
            group=group,
            cohort=cohort,
            table=self.table if tabulated and len(self.strata) == 1 else None,
        )

    def log_scale_prior(self, psi: Array) -> Array:
        """Return the log prior density of scales, shape (S,)."""
        density = np.zeros(len(psi))
        for column, item in enumerate(self.scales):
            if item.name == "rho":
                # Jacobian of rho by its root.
                root = psi[:, column]
                density += item.prior.log_density(rho_of(root)) + np.log(2 * root) - 2 * np.log1p(root**2)
            else:
                density += item.prior.log_density(psi[:, column])
        return density

    def draw_deviations(self, psi: Array, b: Array, rng: np.random.Generator) -> Draws:
        """Draw the deviations given scales and coefficients, under their names, each (S, unit).

        With EXNEX also which units are exchangeable.
        """
        design = self.design
        z_group = np.empty((len(psi), 0 if design.group is None else len(design.group.units)))
        z_cohort = np.empty((len(psi), len(design.cohorts)))
        exchangeable = np.empty((len(psi), 0 if design.exnex is None else len(design.exnex.units)))

        def draw(rows: slice, rng: np.random.Generator) -> None:
            eta = self.logits(psi[rows], b[rows])
            for stratum in self.strata:
                found, kind = self._drawn(stratum, psi[rows], b[rows], eta, rng)
                if kind is not None:
                    exchangeable[rows, stratum.level] = kind
                if stratum.group is not None:
                    z_group[rows, np.unique(stratum.group)] = found.group
                z_cohort[rows, stratum.cohorts] = found.cohort

        # Much to draw goes to several threads, each piece with a generator of its own.
        pieces = list(self.pieces(len(psi)))
        if len(pieces) < PARTS:
            for rows in pieces:
                draw(rows, rng)
        else:
            in_threads(lambda task: draw(*task), list(zip(pieces, rng.spawn(len(pieces)), strict=True)))
        drawn: Draws = {}
        if design.group is not None:
            drawn[f"z_{design.group.slug}"] = z_group
        if design.cohort is not None:
            drawn[f"z_{design.cohort.slug}"] = z_cohort
        if design.exnex is not None:
            drawn[design.exnex.exchangeable] = exchangeable
        return drawn

    def _drawn(
        self, stratum: Stratum, psi: Array, b: Array, eta: Array, rng: np.random.Generator
    ) -> tuple[Deviations, Array | None]:
        """Draw the deviations of a stratum's groups, in ascending order, and cohorts.

        With EXNEX also whether the unit is exchangeable, 1 or 0, shape (S,).
        """
        taus, kind = self.taus_in(stratum, psi, b), None
        if self.design.exnex is not None:
            exchangeable, own = self._kinds(stratum, psi, b, eta)
            chosen = rng.random(len(psi)) < expit(exchangeable - own)
            alone, spreads = self._on_its_own(b, eta)
            eta = np.where(chosen[:, None], eta, alone)
            taus = np.where(chosen, taus[0], spreads[0]), np.where(chosen, taus[1], spreads[1])
            kind = chosen.astype(np.float64)
        return self._drawn_of_kind(stratum, psi, eta, taus, rng), kind

    def _drawn_of_kind(
        self, stratum: Stratum, psi: Array, eta: Array, taus: tuple[Array, Array], rng: np.random.Generator
    ) -> Deviations:
        """Draw the deviations of a stratum at linear predictors of all cohorts and SDs."""
        if not self.binomial_normal:
            return hierarchy.draw_deviations(self._hierarchy(stratum, psi, eta, taus), rng)
        tau_group, tau_cohort = taus
        return draw_deviations(
            self.design.responders[stratum.cohorts],
            self.design.n[stratum.cohorts],
            eta=eta[:, stratum.cohorts],
            group=stratum.group,
            tau_group=tau_group,
            tau_cohort=tau_cohort,
            rng=rng,
        )

    def named(self, psi: Array, b: Array) -> Draws:
        """Return scales and coefficients under their names, each (S,) or (S, entry)."""
        values = {item.name: psi[:, column] for column, item in enumerate(self.scales)}
        if self.design.rho_prior is not None:
            values["rho"] = self.rho(psi)
        start = 0
        for item in self.coefficients:
            piece = b[:, start : start + item.size]
            values[item.name] = piece[:, 0] if item.coords is None else piece
            start += item.size
        return values

    def logits(self, psi: Array, b: Array) -> Array:
        """Return each cohort's linear predictor, shape (S, cohort)."""
        eta: Array = (b * self.factors(psi)) @ self.matrix.T
        return eta

    def factors(self, psi: Array) -> Array:
        """Return the multiplier of each coefficient, shape (S, coefficient)."""
        return np.hstack([psi, np.ones((len(psi), 1))])[:, self.scale_of]

    def taus(self, psi: Array) -> tuple[Array, Array]:
        """Return the standard deviations of groups and cohorts, each (S,); 0 for a level absent from the model.

        If they differ between levels, these are their geometric means.
        """
        names = [item.name for item in self.scales]
        group, cohort = self.design.group, self.design.cohort
        none = np.zeros(len(psi))
        return (
            none if group is None else psi[:, names.index(f"tau_{group.slug}")],
            none if cohort is None else psi[:, names.index(f"tau_{cohort.slug}")],
        )

    def rho(self, psi: Array) -> Array:
        """Return the intraclass correlations of a beta-binomial, shape (S,)."""
        return rho_of(psi[:, -1])

    def pieces(self, count: int, *, parts: int = 1) -> Iterator[slice]:
        """Yield slices of `count` parameter values, at least `parts`, whose arrays by cohort are not too large."""
        step = max(1, min(PIECE // len(self.design.cohorts), -(-count // parts)))
        return (slice(start, min(start + step, count)) for start in range(0, count, step))


def positions(target: Target, draws: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return the scales (S, scale) and coefficients (S, coefficient) of named draws, the inverse of `Target.named`.

    A beta-binomial's correlation enters the scales as the root of its odds.
    """
    count = draws["alpha"].size
    psi = [
        (root_odds(draws[item.name]) if item.name == "rho" else draws[item.name]).reshape(count, -1)
        for item in target.scales
    ]
    b = [draws[item.name].reshape(count, -1) for item in target.coefficients]
    return np.hstack(psi), np.hstack(b)


def score_of(term: HeterogeneityBlock) -> Score:
    """Return the score of the deviations of a level of heterogeneity."""
    return Score(term.unit_prior.nu) if isinstance(term.unit_prior, StudentT) else Score()


def _cohort_taus(term: HeterogeneityBlock, named: Draws, stratum: Stratum) -> Array:
    """Return the tau of a stratum's cohorts, shape (S,), or (S, cohort) if it differs by level."""
    return named[f"tau_{term.slug}"] if term.by is None else cohort_taus(term, named)[:, stratum.cohorts]
