"""What a script contains, independent of its language: data, model, groups, and the run's numbers."""

import keyword
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count, product
from typing import TYPE_CHECKING

from alkbayes.model.profiles import groups_of
from alkbayes.model.standardisation import common_support, in_words
from alkbayes.spec.priors import Exponential, HalfNormal, HalfStudentT, Normal, StudentT
from alkbayes.spec.schema import COHORT, BetaBinomial, StudentTHeterogeneity
from alkbayes.vocabulary import ALL, Standard

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit
    from alkbayes.model.design import Design, EffectBlock
    from alkbayes.spec.schema import Spec

type Location = Normal | StudentT
type Scale = HalfNormal | HalfStudentT | Exponential

R_WORDS = frozenset({"break", "else", "for", "function", "if", "in", "next", "repeat", "while"})
"""Words of R that no column can have for a name."""


@dataclass(frozen=True, slots=True)
class Factor:
    """What a coefficient is multiplied with: the indicator of a level, or the distance of a number from its centre.

    `column` is the script's name for the column; `level` is None for a number.
    """

    column: str
    level: str | None
    centre: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A coefficient: its name in the script, the factors of its column of the design matrix, its prior and the why."""

    name: str
    factors: tuple[Factor, ...]
    prior: Location
    why: str


@dataclass(frozen=True, slots=True)
class ZeroSum:
    """An exchangeable effect, whose levels sum to zero.

    Attributes
    ----------
    name
        In the script.
    columns
        The script's names for its columns.
    levels
        Levels, each with an entry for each column, whether a cohort has them or not.
    sd_prior, why
        Prior of its SD, and the reason for it.
    parameter
        Name of the SD in the run's table of heterogeneity.
    """

    name: str
    columns: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    sd_prior: Scale
    why: str
    parameter: str

    @property
    def separator(self) -> str:
        """Text between the columns' levels by which no two combinations look alike."""
        inside = {level for levels in self.levels for level in levels}
        return next(
            mark for mark in (" / " + "/" * more for more in count()) if not any(mark in each for each in inside)
        )


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """A level of heterogeneity.

    Attributes
    ----------
    column
        The script's name for the column of its units.
    sd_prior, why
        Prior of tau, and the reason for it.
    nu
        Degrees of freedom of a Student t; None for the normal distribution.
    parameter
        Name of tau in the run's table of heterogeneity; empty if the run has the total of two levels only.
    """

    column: str
    sd_prior: Scale
    why: str
    nu: float | None
    parameter: str


@dataclass(frozen=True, slots=True)
class Group:
    """Patients of a row of the run's tables.

    Attributes
    ----------
    key
        Group and level in the run's tables.
    where
        Levels of the patients averaged over, by the script's name of the column.
    given
        Level that they are all given, by column; empty for a row over its own patients.
    over
        These patients in words; empty for the row's own.
    """

    key: tuple[str, str]
    where: Mapping[str, tuple[str, ...]]
    given: Mapping[str, str]
    over: str = ""

    @property
    def name(self) -> str:
        """Name in the script, such as "line naive"."""
        return ALL if self.key == (ALL, ALL) else " ".join(self.key)


@dataclass(frozen=True, slots=True)
class Content:
    """Data, model and groups of a script; columns have the script's names.

    Attributes
    ----------
    columns
        Columns of the data: cohort, the units above it, levels and numbers, responders, n.
    rows
        A row for each cohort fitted.
    profile
        Columns that the linear predictor depends on.
    numbers
        Those that are numbers.
    link, intercept, intercept_why, coefficients, zero_sums, heterogeneity
        The model.
    rho
        The two shapes of the beta prior of rho; None for a binomial model.
    rho_why
        The reason for it.
    groups
        Rows of the tables to be compared.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]
    profile: tuple[str, ...]
    numbers: frozenset[str]
    link: str
    intercept: Location
    intercept_why: str
    coefficients: tuple[Coefficient, ...]
    zero_sums: tuple[ZeroSum, ...]
    heterogeneity: tuple[Heterogeneity, ...]
    rho: tuple[float, float] | None
    rho_why: str
    groups: tuple[Group, ...]


def content_of(fit: "Fit", *, pairs: bool, standard: Standard) -> Content:
    """Return data, model and groups of a script for a fit.

    Parameters
    ----------
    fit
        Of a model whose heterogeneity is the same for all levels, without EXNEX.
    pairs
        Whether cells of two columns are among the groups.
    standard
        Patients over whom the levels of a column are averaged.
    """
    design, spec = fit.design, fit.spec
    above = next((term.column for term in spec.heterogeneity if term.column != COHORT), None)
    effects = (*design.level_columns, *design.numbers)
    names = {COHORT: "cohort"}
    for column in dict.fromkeys((*([] if above is None else [above]), *effects)):
        names[column] = _name(design.labels.get(column, column), {"responders", "n", *names.values()})
    data: dict[str, list[str | float]] = {"cohort": list(design.cohorts)}
    if above is not None and design.group is not None:
        data[names[above]] = [design.group.units[unit] for unit in design.group.index]
    data |= {names[column]: design.covariates[column].tolist() for column in effects}
    data |= {"responders": [int(count) for count in design.responders], "n": [int(count) for count in design.n]}
    beta = spec.likelihood if isinstance(spec.likelihood, BetaBinomial) else None
    return Content(
        columns=tuple(data),
        rows=tuple(zip(*data.values(), strict=True)),
        profile=tuple(names[column] for column in effects),
        numbers=frozenset(names[column] for column in design.numbers),
        link=str(design.link),
        intercept=spec.intercept.prior,
        intercept_why=spec.intercept.why,
        coefficients=tuple(_coefficients(spec, design, names)),
        zero_sums=tuple(_zero_sums(spec, design, names)),
        heterogeneity=tuple(_heterogeneity(spec, design, names)),
        rho=None if beta is None else (beta.rho_prior.a, beta.rho_prior.b),
        rho_why="" if beta is None else beta.why,
        groups=tuple(_groups(design, names, pairs=pairs, standard=standard)),
    )


def _name(text: str, taken: Collection[str]) -> str:
    """Return a text as a name of a variable in R, Stan and Python that is not taken."""
    ascii_ = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    # Without double and final underscores, which brms does not allow.
    name = re.sub(r"[^A-Za-z0-9]+", "_", ascii_).strip("_")
    if not name[:1].isalpha() or keyword.iskeyword(name) or name in R_WORDS:
        name = f"x_{name}".rstrip("_")
    return next(each for each in chain([name], (f"{name}_{more}" for more in count(2))) if each not in taken)


def _coefficients(spec: "Spec", design: "Design", names: Mapping[str, str]) -> Iterator[Coefficient]:
    """Yield the coefficients of fixed and numeric effects, and of their interactions, in the order of the design."""
    whys = {frozenset(effect.columns): effect.why for effect in spec.effect}
    taken = {*names.values(), "Intercept", "alpha", "rho", "responders", "n"}
    for block in design.effects:
        if block.sd_prior is not None:
            continue
        assert isinstance(block.prior, Normal | StudentT)  # noqa: S101 - for its type: only a location has such a prior
        for factors in product(*(_factors(part, names) for part in block.factors or (block,))):
            words = [f"{factor.column} {'scaled' if factor.level is None else factor.level}" for factor in factors]
            name = _name(" x ".join(words), taken)
            taken.add(name)
            yield Coefficient(name, factors, block.prior, whys[frozenset(block.columns)])


def _factors(block: "EffectBlock", names: Mapping[str, str]) -> list[Factor]:
    """Return the columns of the design matrix of an effect of one column."""
    (column,) = block.columns
    if (number := block.numbers.get(column)) is not None:
        return [Factor(names[column], None, number.centre, number.scale)]
    return [Factor(names[column], str(level)) for level in block.free_coords]


def _zero_sums(spec: "Spec", design: "Design", names: Mapping[str, str]) -> Iterator[ZeroSum]:
    whys = {effect.columns: effect.why for effect in spec.effect}
    for block in design.effects:
        if isinstance(block.sd_prior, HalfNormal | HalfStudentT | Exponential):
            columns = tuple(names[column] for column in block.columns)
            yield ZeroSum(
                name=columns[0] if len(columns) == 1 else _name("_by_".join(columns), names.values()),
                columns=columns,
                levels=tuple(product(*(sorted(set(design.profiles[column].tolist())) for column in block.columns))),
                sd_prior=block.sd_prior,
                why=whys[block.columns],
                parameter=f"sd_{block.slug}",
            )


def _heterogeneity(spec: "Spec", design: "Design", names: Mapping[str, str]) -> Iterator[Heterogeneity]:
    blocks = {False: design.group, True: design.cohort}
    merged = any(term.merged for term in design.heterogeneity)
    for term in spec.heterogeneity:
        block = blocks[term.column == COHORT]
        yield Heterogeneity(
            column=names[term.column],
            sd_prior=term.sd_prior,
            why=term.why,
            nu=term.nu if isinstance(term, StudentTHeterogeneity) else None,
            parameter="" if merged or block is None else f"tau_{block.slug}",
        )


def _groups(design: "Design", names: Mapping[str, str], *, pairs: bool, standard: Standard) -> Iterator[Group]:
    """Yield the groups of the run's tables: over their own patients, or levels over the same (`model.profiles`)."""
    columns = {design.labels[column]: column for column in design.level_columns}
    for group in groups_of(design):
        levels = {columns[label]: str(level) for label, level in group.levels.items()}
        if len(levels) > 1 and not pairs:
            continue
        key = group.group, group.level
        kept = None
        if len(levels) == 1 and standard is Standard.SAME:
            kept = common_support(design, *levels)
        if kept is None or not kept.any():
            yield Group(key, {names[column]: (level,) for column, level in levels.items()}, {})
            continue
        (column,) = levels
        # The support is where each other column has one of the levels that are left.
        left = {
            other: tuple(dict.fromkeys(values[kept].tolist()))
            for other, values in design.profiles.items()
            if other != column and other in design.level_columns and len({*values[kept]}) < len({*values})
        }
        where = {names[other]: tuple(sorted(of)) for other, of in left.items()}
        yield Group(key, where, {names[column]: levels[column]}, in_words(design, column, kept))
