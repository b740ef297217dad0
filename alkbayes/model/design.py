"""Model structure as arrays, indices and priors, independent of any inference library.

The engines, the predictive draws and the estimates all read this structure::

    theta_i = alpha + sum_f beta_f[i] + sum_g sd_g (Q_g raw_g)[i] + tau_trial z_trial[i] + tau_cohort z_cohort[i]

where beta_f[i] is the coefficient of the level of cohort i, or of a number the slope times (value - centre) / scale;
interactions of the two kinds are products. p_i is the inverse link of theta_i and `Q_g` an orthonormal basis of the
zero-sum vectors: the effects of an exchangeable column average zero over its levels, and the intercept is their mean.
A unit on its own (EXNEX) has an intercept m + s z_unit in place of alpha + tau z_unit.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alkbayes.alk.levels import LEVELS
from alkbayes.errors import EvidenceError, SpecError
from alkbayes.evidence.declared import Declared
from alkbayes.evidence.naming import TRIAL
from alkbayes.evidence.numbers import number_in
from alkbayes.evidence.outcomes import ORR
from alkbayes.evidence.table import trial_names
from alkbayes.likelihood.links import Link
from alkbayes.model.identification import (
    ONE_TRIAL,
    check_reference,
    exnex_note,
    heterogeneity_note,
    level_note,
    number_note,
    spread_note,
)
from alkbayes.spec.faults import fault
from alkbayes.spec.priors import Beta, Indicators, Normal, Prior, RootSumOfSquares, StudentT
from alkbayes.spec.schema import (
    COHORT,
    BetaBinomial,
    ExnexHeterogeneity,
    FixedEffect,
    Interaction,
    NumericEffect,
    StudentTHeterogeneity,
    exchangeable_name,
)
from alkbayes.text.names import listed, near_miss, quoted, several
from alkbayes.vocabulary import TOTAL, in_own_words, joined_key, label_of, slug_of

if TYPE_CHECKING:
    import pandas as pd

    from alkbayes.evidence.table import Evidence
    from alkbayes.spec.schema import Declaration, Effect, Heterogeneity, Spec

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]

STANDARD_NORMAL = Normal(dist="normal", mean=0.0, sd=1.0)


@dataclass(frozen=True, slots=True)
class Number:
    """Scale of a numeric column: the effect is zero at `centre`, and its slope per `scale`, in words `step`."""

    centre: float
    scale: float
    step: str

    @property
    def ends(self) -> tuple[str, str]:
        """Values one step apart: the centre, and the one above it."""
        return number_text(self.centre), number_text(self.centre + self.scale)

    def scaled(self, values: NDArray[np.str_]) -> Array:
        """Return distances from the centre in steps."""
        return (values.astype(np.float64) - self.centre) / self.scale


def number_text(value: float) -> str:
    """Return a number as the text that stands for it among levels: "21" for 21.0."""
    return f"{value + 0.0:.15g}"


@dataclass(frozen=True, slots=True)
class EffectBlock:
    """One effect of a model.

    Attributes
    ----------
    label
        Name of the effect in results: "line", "generation", "line:generation".
    columns
        Evidence columns that define the levels.
    levels
        All levels in display order; a fixed effect starts with its reference. For a number, its distinct values.
    index
        Level of each cohort, shape (cohort,).
    basis
        Matrix from free parameters to level effects, shape (level, free): for a fixed effect the identity without the
        reference's column, for a number its distance from the centre in steps, for an exchangeable effect an
        orthonormal basis of the zero-sum vectors.
    prior
        Prior of each free parameter; standard normal for an exchangeable effect.
    sd_prior
        Prior of the SD of an exchangeable effect; None for all others.
    numbers
        The numeric ones among its columns.
    factors
        The two effects that an interaction without pooling is the product of.
    """

    label: str
    columns: tuple[str, ...]
    levels: tuple[str, ...]
    index: Index
    basis: Array
    prior: Prior
    sd_prior: Prior | None
    numbers: Mapping[str, Number] = field(default_factory=dict)
    factors: tuple["EffectBlock", ...] = ()

    @property
    def slug(self) -> str:
        """Label as part of a variable's name."""
        return slug_of(self.label)

    @property
    def free(self) -> str:
        """Name of the free parameters."""
        return f"beta_{self.slug}" if self.sd_prior is None else f"raw_{self.slug}"

    @property
    def free_coords(self) -> tuple[str, ...]:
        """Names of the entries of the free parameters."""
        if self.factors:
            return tuple(map(joined_key, itertools.product(*(factor.free_coords for factor in self.factors))))
        if self.numbers:
            return tuple(number.step for number in self.numbers.values())
        if self.sd_prior is None:
            # There are fewer than levels if a level is a mixture of others without a parameter of its own.
            return self.levels[1 : 1 + self.basis.shape[1]]
        return tuple(f"contrast {number}" for number in range(1, self.basis.shape[1] + 1))

    def over(self, profiles: Mapping[str, NDArray[np.str_]]) -> "EffectBlock":
        """Return the effect over other cohorts, `index` their levels; with their values, if a number defines levels.

        `profiles` has the level of each by column, shape (profile,).
        """
        if not self.numbers:
            return replace(self, index=level_codes(self.levels, self.columns, profiles))
        rows = [joined_key(row) for row in zip(*(profiles[column].tolist() for column in self.columns), strict=True)]
        first = {row: place for place, row in reversed([*enumerate(rows)])}
        levels = tuple(sorted(first, key=_by_value if len(self.columns) == 1 else str))
        place = {level: code for code, level in enumerate(levels)}
        basis = self.rows(profiles)[[first[level] for level in levels]]
        return replace(self, levels=levels, basis=basis, index=np.array([place[row] for row in rows], dtype=np.intp))

    def rows(self, profiles: Mapping[str, NDArray[np.str_]]) -> Array:
        """Return the row of the basis for each profile, shape (profile, free)."""
        if self.factors:
            one, two = (factor.rows(profiles) for factor in self.factors)
            product: Array = (one[:, :, None] * two[:, None, :]).reshape(len(one), -1)
            return product
        if self.numbers:
            return np.column_stack([number.scaled(profiles[column]) for column, number in self.numbers.items()])
        return self.basis[level_codes(self.levels, self.columns, profiles)]


@dataclass(frozen=True, slots=True)
class ByLevel:
    """Levels that each have their own tau: log tau of a level is log tau plus spread times a zero-sum normal.

    Attributes
    ----------
    column, label
        Evidence column, and its name in results.
    levels
        Levels in display order.
    of_unit
        Level of each unit, shape (unit,).
    spread_prior
        Prior of the SD of the logs.
    """

    column: str
    label: str
    levels: tuple[str, ...]
    of_unit: Index
    spread_prior: Prior

    @property
    def basis(self) -> Array:
        """Orthonormal basis of the zero-sum vectors of the levels, shape (level, level - 1)."""
        return zero_sum_basis(len(self.levels))

    @property
    def units(self) -> dict[str, int]:
        """Number of units of each level."""
        counts = np.bincount(self.of_unit, minlength=len(self.levels))
        return dict(zip(self.levels, counts.tolist(), strict=True))

    @property
    def free_coords(self) -> tuple[str, ...]:
        """Names of the free parameters of the logs."""
        return tuple(f"contrast {number}" for number in range(1, len(self.levels)))


@dataclass(frozen=True, slots=True)
class Exnex:
    """Units that are exchangeable with a probability, and on their own otherwise.

    Attributes
    ----------
    probabilities
        Prior probability that each unit is exchangeable, shape (unit,), in (0, 1).
    of_new
        That of a unit without cohorts in the table.
    own
        Prior of the intercept, on the scale of the link, of a unit on its own.
    """

    probabilities: tuple[float, ...]
    of_new: float
    own: Normal


@dataclass(frozen=True, slots=True)
class HeterogeneityBlock:
    """Unexplained heterogeneity between the units of a column.

    Attributes
    ----------
    label
        "trial", "cohort" or another grouping column; "total" for a term that merges two.
    units
        Unit names: cohorts in order of appearance, others sorted.
    index
        Unit of each cohort, shape (cohort,).
    unit_prior
        Prior of each standardised deviation: standard normal or standard Student t.
    sd_prior
        Prior of tau, the SD (Student t: scale) on the scale of the link; by level, of the geometric mean of the taus.
    by
        Levels with a tau of their own; None if all units share one.
    exnex
        How units may be on their own instead; None if all are exchangeable.
    merged
        Labels of the two terms merged here. If every group has one cohort, the data identify only the sum of both
        deviations, with SD sqrt(tau_group^2 + tau_cohort^2).
    """

    label: str
    units: tuple[str, ...]
    index: Index
    unit_prior: Normal | StudentT
    sd_prior: Prior
    by: ByLevel | None = None
    exnex: Exnex | None = None
    merged: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """Name of one unit, such as "trial"."""
        return self.merged[0] if self.merged else self.label

    @property
    def slug(self) -> str:
        """Label as part of a variable's name."""
        return slug_of(self.label)

    @property
    def exchangeable(self) -> str:
        """Name of the indicators, 1 for an exchangeable unit and 0 for one on its own."""
        return exchangeable_name(self.slug)

    @property
    def of_level(self) -> str:
        """Name of the taus of the levels; "tau_cohort_by_line"."""
        return f"tau_{self.slug}" if self.by is None else f"tau_{self.slug}_by_{slug_of(self.by.label)}"


@dataclass(frozen=True, slots=True)
class Structure:
    """Effects and heterogeneity laid over a table of cohorts, independent of the outcome.

    Attributes
    ----------
    cohorts
        Cohort names.
    n
        Patients, shape (cohort,).
    intercept_prior
        Prior of alpha.
    effects
        Effects in the order of the model file, interactions without pooling last.
    group, cohort
        The two levels of heterogeneity, either of which may be absent.
    profiles
        Level of each cohort, shape (cohort,), by column used in an effect or with heterogeneity by level.
    labels
        Name of each table column in results.
    declared
        Headings of columns and order of their levels, as the model file gives them.
    numbers
        The numeric ones among the columns of `profiles`, whose levels are numbers as text.
    units
        Name of those that `n` counts.
    notes
        Notes to the reader on how this table meets this model.
    """

    cohorts: tuple[str, ...]
    n: Array
    intercept_prior: Normal | StudentT
    effects: tuple[EffectBlock, ...]
    group: HeterogeneityBlock | None
    cohort: HeterogeneityBlock | None
    profiles: Mapping[str, NDArray[np.str_]]
    labels: Mapping[str, str]
    declared: Declared
    numbers: Mapping[str, Number]
    units: str
    notes: tuple[str, ...]

    def in_words(self, variable: str) -> str:
        """Return a variable's name for a reader, with the headings of columns whose own names it can only hash."""
        labels = [block.label for block in self.effects]
        for term in self.heterogeneity:
            labels += [term.label, *([] if term.by is None else [term.by.label])]
        return in_own_words(variable, {label: self.declared.heading(label) for label in labels})

    @property
    def heterogeneity(self) -> tuple[HeterogeneityBlock, ...]:
        """Levels of heterogeneity in the model, group before cohort."""
        return tuple(block for block in (self.group, self.cohort) if block is not None)

    @property
    def level_columns(self) -> tuple[str, ...]:
        """Columns of `profiles` whose levels have effects: neither numbers nor columns that only tell taus apart."""
        columns = dict.fromkeys(column for block in self.effects for column in block.columns)
        return tuple(column for column in columns if column not in self.numbers)

    @property
    def exnex(self) -> HeterogeneityBlock | None:
        """The heterogeneity whose units may be on their own, or None; it is then the only one."""
        return next((term for term in self.heterogeneity if term.exnex is not None), None)

    @property
    def covariates(self) -> dict[str, NDArray[np.str_] | Array]:
        """Value of each cohort by column used in an effect: a level, or a number, shape (cohort,)."""
        return {
            column: levels.astype(np.float64) if column in self.numbers else levels
            for column, levels in self.profiles.items()
        }

    @property
    def new_unit(self) -> str | None:
        """Name of the units, such as "trial", of which a future cohort has a new one; None if the model has none."""
        return None if self.group is None else self.group.unit


@dataclass(frozen=True, slots=True)
class Design(Structure):
    """A response-rate model laid over a table of cohorts.

    Attributes
    ----------
    responders
        Counts, shape (cohort,).
    link
        Scale of `theta` and of all its parameters.
    rho_prior
        Prior of the intraclass correlation of a beta-binomial model; None for the binomial.
    """

    responders: Array
    link: Link
    rho_prior: Beta | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One free parameter of the sampler.

    Attributes
    ----------
    name
        Variable name in the posterior.
    coords
        Names of its entries; None for a scalar.
    dim
        Name of its dimension; None for a scalar.
    prior
        Prior of each entry.
    support
        "real", "positive" (sampled as its logarithm), "unit" (sampled as its logit) or "indicator" (0 or 1, never
        sampled by chains).
    """

    name: str
    dim: str | None
    coords: tuple[str, ...] | None
    prior: Prior
    support: str

    @property
    def size(self) -> int:
        """Number of entries."""
        return 1 if self.coords is None else len(self.coords)


def parameters(design: Design) -> tuple[Parameter, ...]:
    """Return the free parameters in the order used by every engine.

    The intercept comes first; without effects it follows the standard deviations, given which it is sampled.
    """
    intercept = Parameter("alpha", None, None, design.intercept_prior, "real")
    listed = [intercept] if design.effects else []
    for block in design.effects:
        if block.sd_prior is not None:
            listed.append(Parameter(f"sd_{block.slug}", None, None, block.sd_prior, "positive"))
        listed.append(Parameter(block.free, f"{block.slug}_contrast", block.free_coords, block.prior, "real"))
    if design.rho_prior is not None:
        listed.append(Parameter("rho", None, None, design.rho_prior, "unit"))
    for term in design.heterogeneity:
        listed.append(Parameter(f"tau_{term.slug}", None, None, term.sd_prior, "positive"))
        if term.by is not None:
            spread = Parameter(f"spread_{term.slug}", None, None, term.by.spread_prior, "positive")
            coords, dim = term.by.free_coords, f"tau_{term.slug}_contrast"
            listed += [spread, Parameter(f"raw_tau_{term.slug}", dim, coords, STANDARD_NORMAL, "real")]
    if not design.effects:
        listed.append(intercept)
    for term in design.heterogeneity:
        if term.exnex is not None:
            indicators = Indicators(term.exnex.probabilities)
            listed.append(Parameter(term.exchangeable, term.slug, term.units, indicators, "indicator"))
        listed.append(Parameter(f"z_{term.slug}", term.slug, term.units, term.unit_prior, "real"))
    return tuple(listed)


def build_design(spec: "Spec", evidence: "Evidence") -> Design:
    """Lay a model over a checked table of cohorts with every column in `spec.columns`."""
    frame = evidence.frame
    laid = build_structure(spec, frame, frame["n"].to_numpy(dtype=np.float64), units=evidence.outcome.units)
    return Design(
        **{part.name: getattr(laid, part.name) for part in fields(laid)},
        responders=frame["responders"].to_numpy(dtype=np.float64),
        link=Link(spec.likelihood.link),
        rho_prior=spec.likelihood.rho_prior if isinstance(spec.likelihood, BetaBinomial) else None,
    )


def build_structure(spec: "Declaration[Any]", frame: "pd.DataFrame", n: Array, *, units: str = ORR.units) -> Structure:
    """Lay the effects and the heterogeneity of a model over the rows of a table.

    `frame` has one row per cohort and every column in `spec.columns`; `n`, shape (cohort,), is the number of patients,
    or of other `units`.
    """
    if TRIAL in spec.columns:
        # The table may lack trials, of all its cohorts or of some.
        frame = frame.assign(**{TRIAL: trial_names(frame)})
    heading = spec.declared.heading
    numbers = {effect.column: Number(effect.centre, effect.scale, effect.step) for effect in spec.numbers}
    levels_of = _levels_of(spec, frame)
    labels = {column: label_of(column, frame.columns) for column in frame.columns}
    effects, notes = _effects_of(spec, frame, levels_of, labels, numbers)
    names = [
        f"tau_{slug_of(labels[term.column])}" for term in sorted(spec.heterogeneity, key=lambda t: t.column == COHORT)
    ]
    names += ["rho"] if isinstance(spec.likelihood, BetaBinomial) else []
    terms = [_heterogeneity_block(term, frame, labels, spec.declared) for term in spec.heterogeneity]
    group = next((term for term in terms if term.label != label_of(COHORT)), None)
    cohort = next((term for term in terms if term.label == label_of(COHORT)), None)
    normal = all(isinstance(term.unit_prior, Normal) and term.by is None for term in terms)
    if merged := group is not None and cohort is not None and normal and len(group.units) == len(frame):
        group, cohort = _merged(group, cohort), None
    index, unit = (np.arange(len(frame)), "") if group is None else (group.index, heading(group.unit))
    apart = "the shapes of their distributions" if all(term.by is None for term in terms) else "what differs by level"
    notes.append(heterogeneity_note(names, index, group=unit, merged=merged, apart=apart))
    if len(frame) > 1 and all(term.column != TRIAL for term in spec.heterogeneity):
        notes.append(ONE_TRIAL if len(set(trial_names(frame))) == 1 else "")
    notes += [
        f"{heading(labels[asked.by])}: every cohort is {str(levels_of[asked.by][0])!r}, so that the "
        f"heterogeneity between {several(heading(term.label))} has one tau."
        for asked, term in zip(spec.heterogeneity, terms, strict=True)
        if asked.by is not None and term.by is None
    ]
    notes += [exnex_note(term.unit, term.exnex.of_new) for term in terms if term.exnex is not None]
    notes += [
        spread_note(f"tau_{term.slug}", heading(term.unit), heading(term.by.label), term.by.units)
        for term in terms
        if term.by is not None
    ]
    of_effects = dict.fromkeys(column for block in effects for column in block.columns)
    columns = of_effects | dict.fromkeys(term.by.column for term in terms if term.by is not None)
    if averaged := [heading(labels[column]) for column in columns if column in numbers]:
        notes.append(
            f"Pooled rates are averaged over the {units}' values of {listed(averaged)}, each cohort's its own."
        )
    return Structure(
        cohorts=tuple(frame[COHORT]),
        n=n,
        intercept_prior=spec.intercept.prior,
        effects=tuple(effects),
        group=group,
        cohort=cohort,
        profiles={column: levels_of[column] for column in columns},
        labels=labels,
        declared=spec.declared,
        numbers={column: number for column, number in numbers.items() if column in columns},
        units=units,
        notes=tuple(filter(None, notes)),
    )


def zero_sum_basis(levels: int) -> Array:
    """Return Helmert contrasts: an orthonormal basis of the zero-sum vectors, shape (levels, levels - 1).

    Standard normal weights give the zero-sum normal: independent standard normals minus their mean.
    """
    basis = np.zeros((levels, levels - 1))
    for column in range(levels - 1):
        basis[: column + 1, column] = 1.0
        basis[column + 1, column] = -(column + 1.0)
    return basis / np.sqrt((basis**2).sum(axis=0)) if levels > 1 else basis


def level_codes(levels: tuple[str, ...], columns: tuple[str, ...], profiles: Mapping[str, NDArray[np.str_]]) -> Index:
    """Return the position in `levels` of each profile, shape (profile,).

    The levels of an interaction are keys of its columns' levels (:func:`alkbayes.vocabulary.joined_key`); `profiles`
    has the level of each profile by column, shape (profile,).
    """
    position = {level: code for code, level in enumerate(levels)}
    rows = zip(*(profiles[column].tolist() for column in columns), strict=True)
    return np.array([position[joined_key(row)] for row in rows], dtype=np.intp)


def _effects_of(
    spec: "Declaration[Any]",
    frame: "pd.DataFrame",
    levels_of: Mapping[str, NDArray[np.str_]],
    labels: Mapping[str, str],
    numbers: Mapping[str, Number],
) -> tuple[list[EffectBlock], list[str]]:
    """Return the effects of a model over a table, and notes on them."""
    effects: list[EffectBlock] = []
    notes: list[str] = []
    varies = bool(spec.heterogeneity) or isinstance(spec.likelihood, BetaBinomial)
    # The effects that an interaction multiplies come before it.
    for position, effect in sorted(enumerate(spec.effect), key=lambda each: isinstance(each[1], Interaction)):
        if isinstance(effect, FixedEffect):
            column = effect.columns[0]
            levels = spec.declared.in_order(column, frame[column].tolist())
            known = spec.declared.levels(column) or LEVELS.get(column, ())
            check_reference(spec.name, position, column, effect.reference, levels, known=known)
        block = _effect_block(effect, levels_of, labels, spec.declared, effects, numbers)
        if block is None:
            continue  # a factor with nothing to compare, which has its own note
        title = spec.declared.heading(block.label)
        if (only := _only_level(block, frame)) is None:
            effects.append(block)
            if isinstance(effect, NumericEffect):
                notes.append(number_note(title, block.levels, *numbers[effect.column].ends))
                continue
            if isinstance(effect, FixedEffect) and not (block.index == 0).any():
                notes.append(
                    f"{title}: no cohort has the reference level {block.levels[0]!r}, so the "
                    "intercept rests on its prior and on the differences' priors"
                )
            if len(block.columns) == 1:
                notes.append(level_note(title, block.levels, block.index, heterogeneous=varies))
        else:
            notes.append(
                f"{title}: every cohort is {only!r}; there is nothing to compare, and the model has no such effect"
            )
    return effects, notes


def _levels_of(spec: "Declaration[Any]", frame: "pd.DataFrame") -> dict[str, NDArray[np.str_]]:
    """Return the level of each cohort by column of an effect or with heterogeneity by level, numbers in one notation.

    Raises
    ------
    EvidenceError
        If a cell of a numeric column holds no number.
    """
    columns = [column for effect in spec.effect for column in effect.columns]
    columns += [term.by for term in spec.heterogeneity if term.by is not None]
    found = {column: frame[column].to_numpy(dtype=np.str_) for column in dict.fromkeys(columns)}
    for effect in spec.numbers:
        values = list(map(number_in, found[effect.column].tolist()))
        for cohort, cell, value in zip(frame[COHORT], found[effect.column].tolist(), values, strict=True):
            if value is None:
                place = f"cohort {quoted(cohort)}, column {effect.column}"
                raise EvidenceError(f"{place}: found {quoted(cell)}; allowed: a number.")
        found[effect.column] = np.array([number_text(value) for value in values if value is not None], dtype=np.str_)
    return found


def _effect_block(
    effect: "Effect",
    levels_of: Mapping[str, NDArray[np.str_]],
    labels: Mapping[str, str],
    declared: Declared,
    before: Sequence[EffectBlock],
    numbers: Mapping[str, Number],
) -> EffectBlock | None:
    """Return an effect over the cohorts; None for an interaction of which a factor is not among the effects before."""
    profiles = {column: levels_of[column] for column in effect.columns}
    label = joined_key(labels[column] for column in effect.columns)
    if isinstance(effect, NumericEffect | Interaction):
        by_column = {block.columns[0]: block for block in before if len(block.columns) == 1}
        if isinstance(effect, Interaction) and any(column not in by_column for column in effect.columns):
            return None
        factors = tuple(by_column[column] for column in effect.columns) if isinstance(effect, Interaction) else ()
        # Combinations without cohorts keep their prior; of a number there are only the values of the table.
        seed = EffectBlock(
            label=label,
            columns=effect.columns,
            levels=tuple(map(joined_key, itertools.product(*(factor.levels for factor in factors)))),
            index=np.zeros(0, dtype=np.intp),
            basis=_product(factors[0].basis, factors[1].basis) if factors else np.zeros((0, 1)),
            prior=effect.prior,
            sd_prior=None,
            numbers={column: numbers[column] for column in effect.columns if column in numbers},
            factors=factors,
        )
        return seed.over(profiles)
    observed = [declared.in_order(column, values.tolist()) for column, values in profiles.items()]
    if isinstance(effect, FixedEffect):
        levels: tuple[str, ...] = (effect.reference, *(level for level in observed[0] if level != effect.reference))
        basis, prior, sd_prior = np.eye(len(levels))[:, 1:], effect.prior, None
    else:
        # An interaction includes every combination, observed or not: one without cohorts keeps its prior.
        levels = tuple(map(joined_key, itertools.product(*observed)))
        basis, prior, sd_prior = zero_sum_basis(len(levels)), STANDARD_NORMAL, effect.sd_prior
    return EffectBlock(
        label=label,
        columns=effect.columns,
        levels=levels,
        index=level_codes(levels, effect.columns, profiles),
        basis=basis,
        prior=prior,
        sd_prior=sd_prior,
    )


def _product(one: Array, two: Array) -> Array:
    """Return the basis over all pairs of levels, the second varying fastest."""
    return np.asarray(np.kron(one, two), dtype=np.float64)


def _by_value(level: str) -> float:
    return float(level)


def _only_level(block: EffectBlock, frame: "pd.DataFrame") -> str | None:
    """Return the only level of an effect with nothing to compare, else None.

    An interaction with a one-level column would duplicate the other column's effect. A fixed effect whose one level is
    not the reference, or a number that is not the centre, keeps its coefficient: the intercept still means the
    reference.
    """
    if not block.basis.any():
        return block.levels[0]
    if len(block.columns) > 1:
        for column in block.columns:
            if len(levels := frame[column].unique()) == 1:
                return str(levels[0])
    return None


def _heterogeneity_block(
    term: "Heterogeneity", frame: "pd.DataFrame", labels: Mapping[str, str], declared: Declared
) -> HeterogeneityBlock:
    values = frame[term.column].tolist()
    units = tuple(values) if term.column == COHORT else tuple(sorted(set(values)))
    index = level_codes(units, (term.column,), {term.column: np.array(values, dtype=np.str_)})
    return HeterogeneityBlock(
        label=labels[term.column],
        units=units,
        index=index,
        unit_prior=(
            StudentT(dist="student_t", nu=term.nu, mean=0.0, sd=1.0)
            if isinstance(term, StudentTHeterogeneity)
            else STANDARD_NORMAL
        ),
        sd_prior=term.sd_prior,
        by=_by_level(term, frame, labels, declared, units, index),
        exnex=_exnex(term, units) if isinstance(term, ExnexHeterogeneity) else None,
    )


def _exnex(term: ExnexHeterogeneity, units: Sequence[str]) -> Exnex:
    """Return how the units of a table may be on their own.

    Raises
    ------
    SpecError
        If the model gives a probability for a unit that the table lacks.
    """
    for name in term.exchangeable_of:
        if name not in units:
            guess = near_miss(name, units)
            line = fault(
                f"heterogeneity[0].exchangeable_of (of {quoted(term.column)})",
                f"found {quoted(name)}, which is no {term.column} of the table",
                listed([quoted(unit) for unit in units]),
                f"Did you mean {quoted(guess)}?" if guess else "",
            )
            raise SpecError(f"The model does not fit this table ([0] is the first):\n  {line}")
    probabilities = tuple(term.exchangeable_of.get(unit, term.exchangeable) for unit in units)
    return Exnex(probabilities, term.exchangeable, term.nex_prior)


def _by_level(
    term: "Heterogeneity",
    frame: "pd.DataFrame",
    labels: Mapping[str, str],
    declared: Declared,
    units: Sequence[str],
    index: Index,
) -> ByLevel | None:
    """Return the levels with a tau of their own; None if the model has none, or all cohorts have one level.

    Raises
    ------
    EvidenceError
        If a unit has cohorts of several levels: its deviation would have several SDs.
    """
    if term.by is None or term.spread_prior is None:
        return None
    levels = declared.in_order(term.by, frame[term.by].tolist())
    if len(levels) == 1:
        return None
    codes = level_codes(levels, (term.by,), {term.by: frame[term.by].to_numpy(dtype=np.str_)})
    for unit, name in enumerate(units):
        if len(several := np.unique(codes[index == unit])) > 1:
            raise EvidenceError(
                f"{term.column} {quoted(name)}: found cohorts with {term.by} "
                f"{listed([levels[code] for code in several])}; allowed: one level, as the heterogeneity of "
                f"{term.column} has by = {quoted(term.by)} in the model. Delete that by; with column = "
                f"{quoted(COHORT)} it is always possible."
            )
    of_unit = np.zeros(len(units), dtype=np.intp)
    of_unit[index] = codes
    return ByLevel(term.by, labels[term.by], levels, of_unit, term.spread_prior)


def _merged(group: HeterogeneityBlock, cohort: HeterogeneityBlock) -> HeterogeneityBlock:
    """Return one term for two whose sum alone is identified; the posterior of the rest is unchanged."""
    prior = RootSumOfSquares(group.sd_prior, cohort.sd_prior)
    return replace(group, label=TOTAL, sd_prior=prior, merged=(group.label, cohort.label))
