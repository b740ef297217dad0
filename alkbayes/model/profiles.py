"""Profiles, the combinations of effect levels that cohorts have, and the groups of cohorts in result tables."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alkbayes.alk.levels import STRATA
from alkbayes.model.design import EffectBlock, Index, Structure
from alkbayes.model.draws import linear_predictor
from alkbayes.model.standardisation import common_support, in_words, of_all_cohorts
from alkbayes.vocabulary import ALL, Contrast, Standard, group_row, joined_key

type Array = NDArray[np.float64]
type Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Group:
    """Set of cohorts in one row of the pooled table.

    Attributes
    ----------
    levels
        Level by label of the defining columns; empty for all cohorts.
    members
        Mask of member cohorts, shape (cohort,).
    """

    levels: Mapping[str, str]
    members: Mask

    @property
    def group(self) -> str:
        """Key of the columns: "all", "line", "line:generation"."""
        return joined_key(self.levels) or ALL

    @property
    def level(self) -> str:
        """Key of the levels: "all", "naive", "naive:first"."""
        return joined_key(self.levels.values()) or ALL

    def as_row(self) -> dict[str, str | None]:
        """Return the group and level of a table row."""
        return group_row(self.levels)


@dataclass(frozen=True, slots=True)
class Mix:
    """Patient mix that a row is averaged over.

    Attributes
    ----------
    profiles
        Level of each profile by column, shape (profile,).
    share
        Share of patients with each profile, shape (profile,).
    seen
        Whether a cohort of the table has the profile, shape (profile,); if not, the row is a prediction there.
    over
        Patients averaged over, such as "the patients of all cohorts"; empty for the row's own.
    """

    profiles: Mapping[str, NDArray[np.str_]]
    share: Array
    seen: Mask
    over: str

    @property
    def predicted(self) -> float:
        """Share in [0, 1] of patients with a combination of levels absent from the table."""
        return float(self.share[~self.seen].sum())


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two levels of a column, or two values of a number, compared over the profiles of the same patients.

    Attributes
    ----------
    contrast
        The two levels and the label of their effect.
    share
        Share of patients with each profile, shape (profile,); where slopes are compared, negative at the second level.
    one, other
        Linear predictors with the first and with the second level, shape (draw, profile).
    given
        The profiles with the first, and with the second level, by column, shape (profile,).
    seen
        Whether the table has cohorts of a profile with both levels, shape (profile,).
    over
        Patients averaged over, as in :class:`Mix`; empty for those of both levels.
    """

    contrast: Contrast
    share: Array
    one: Array
    other: Array
    given: tuple[Mapping[str, NDArray[np.str_]], Mapping[str, NDArray[np.str_]]]
    seen: Mask
    over: str

    @property
    def predicted(self) -> float:
        """Share in [0, 1] of patients for whom at least one side is predicted: no cohort has the combination."""
        return float(self.share[~self.seen].sum())


def distinct_profiles(design: Structure) -> tuple[dict[str, NDArray[np.str_]], Index]:
    """Return the profiles of a table, levels by column, (profile,), and the profile of each cohort, (cohort,)."""
    rows = list(zip(*(values.tolist() for values in design.profiles.values()), strict=True)) or [()] * len(
        design.cohorts
    )
    distinct = sorted(set(rows))
    profiles = {
        column: np.array([row[position] for row in distinct], dtype=np.str_)
        for position, column in enumerate(design.profiles)
    }
    place = {row: at for at, row in enumerate(distinct)}
    return profiles, np.array([place[row] for row in rows], dtype=np.intp)


def profile_predictors(
    design: Structure, draws: Mapping[str, Array], profiles: Mapping[str, NDArray[np.str_]], *, count: int
) -> Array:
    """Return the linear predictor of each of `count` profiles at zero deviation, (draw, profile)."""
    if not design.effects:
        return np.repeat(draws["alpha"][:, None], count, axis=1)
    effects = tuple(block.over(profiles) for block in design.effects)
    return linear_predictor(replace(design, effects=effects), draws, {block.label: block.index for block in effects})


def groups_of(design: Structure) -> Iterator[Group]:
    """Yield the groups of the pooled table: all cohorts, each level of each effect, and two-way cells with cohorts.

    Two-way cells are those of line by TKI generation, if a model has both, and of each interaction in it. A number
    defines no groups.
    """
    yield Group({}, np.ones(len(design.cohorts), dtype=np.bool_))
    of_levels = [block for block in design.effects if not block.numbers]
    single = [block for block in of_levels if len(block.columns) == 1]
    for block in single:
        for level in shown_levels(design, block):
            if (members := design.profiles[block.columns[0]] == level).any():
                yield Group({block.label: level}, members)
    pairs = [STRATA] if set(STRATA) <= set(design.level_columns) else []
    pairs += [block.columns for block in of_levels if len(block.columns) == 2 and block.columns != STRATA]
    order = {block.columns[0]: shown_levels(design, block) for block in single}
    for first, second in pairs:
        for one, two in itertools.product(order[first], order[second]):
            members = (design.profiles[first] == one) & (design.profiles[second] == two)
            if members.any():
                labels = design.labels[first], design.labels[second]
                yield Group(dict(zip(labels, (one, two), strict=True)), members)


def shown_levels(design: Structure, block: EffectBlock) -> tuple[str, ...]:
    """Return the levels of a column's effect as tables have them: in the order that the model file gives, if it does.

    Otherwise a reference comes first.
    """
    column = block.columns[0]
    return design.declared.in_order(column, block.levels) if design.declared.levels(column) else block.levels


def compared_levels(
    design: Structure,
    draws: Mapping[str, Array],
    profiles: Mapping[str, NDArray[np.str_]],
    profile_of_cohort: Index,
    standard: Standard = Standard.OWN,
) -> Iterator[Comparison]:
    """Yield each pair of levels of each single-column effect, over the profiles of the same patients.

    These are the patients of both levels; under the standard `same`, those shared by all rows of the column. A number
    is compared at its centre and one step above it over all patients, and in an interaction with levels over those of
    each level; other numbers stay as they are. The slopes of each two levels are compared too.
    """
    had = set(_levels(design, profiles))
    for block in design.effects:
        if block.numbers:
            yield from _stepped(design, draws, profiles, profile_of_cohort, block)
            if len(block.numbers) < len(block.columns):
                yield from _slopes_compared(design, draws, profiles, profile_of_cohort, block)
            continue
        if len(block.columns) > 1:
            continue
        column = block.columns[0]
        observed = [level for level in shown_levels(design, block) if (design.profiles[column] == level).any()]
        support = common_support(design, column)
        for reference, level in itertools.combinations(observed, 2):
            members = np.isin(design.profiles[column], (reference, level))
            same = standard is Standard.SAME and bool(support.any())
            weights = patient_shares(design, support if same else members, profile_of_cohort)
            used = np.flatnonzero(weights)
            sides, profiles_of = [], []
            seen = np.ones(len(used), dtype=np.bool_)
            for value in (level, reference):
                given = {name: values[used] for name, values in profiles.items()}
                given[column] = np.full(len(used), value)
                sides.append(profile_predictors(design, draws, given, count=len(used)))
                profiles_of.append(given)
                seen &= [row in had for row in _levels(design, given)]
            yield Comparison(
                contrast=Contrast(block.label, first=level, second=reference),
                share=weights[used],
                one=sides[0],
                other=sides[1],
                given=(profiles_of[0], profiles_of[1]),
                seen=seen,
                over=in_words(design, column, support) if same else "",
            )


def _stepped(
    design: Structure,
    draws: Mapping[str, Array],
    profiles: Mapping[str, NDArray[np.str_]],
    profile_of_cohort: Index,
    block: EffectBlock,
) -> Iterator[Comparison]:
    """Yield a number at its centre and one step above, over all patients or those of each level it is crossed with."""
    column, number = next(iter(block.numbers.items()))
    crossed = [other for other in block.columns if other not in block.numbers]
    if len(block.numbers) > 1:
        return  # the two numbers are each compared by their own effect
    levels = [
        level for factor in block.factors if factor.columns[0] in crossed for level in shown_levels(design, factor)
    ]
    for level in levels or [""]:
        members = design.profiles[crossed[0]] == level if crossed else np.ones(len(design.cohorts), dtype=np.bool_)
        if not members.any():
            continue
        weights = patient_shares(design, members, profile_of_cohort)
        used = np.flatnonzero(weights)
        sides, names, profiles_of = [], [], []
        for value in reversed(number.ends):
            given = {name: values[used] for name, values in profiles.items()} | {column: np.full(len(used), value)}
            sides.append(profile_predictors(design, draws, given, count=len(used)))
            profiles_of.append(given)
            names.append(joined_key(value if name == column else level for name in block.columns))
        yield Comparison(
            contrast=Contrast(block.label, first=names[0], second=names[1], step=number.step),
            share=weights[used],
            one=sides[0],
            other=sides[1],
            given=(profiles_of[0], profiles_of[1]),
            seen=np.ones(len(used), dtype=np.bool_),
            over=f"the {design.units} with {design.declared.name(design.labels[crossed[0]])} {level}"
            if crossed
            else of_all_cohorts(design),
        )


def _slopes_compared(
    design: Structure,
    draws: Mapping[str, Array],
    profiles: Mapping[str, NDArray[np.str_]],
    profile_of_cohort: Index,
    block: EffectBlock,
) -> Iterator[Comparison]:
    """Yield the slopes of a number in each two levels that it is crossed with, over all patients.

    The step at the first level counts as it is, that at the second with the opposite sign, so that a difference is one
    of differences, and an odds ratio a ratio of odds ratios.
    """
    column, number = next(iter(block.numbers.items()))
    (factor,) = (factor for factor in block.factors if not factor.numbers)
    crossed = factor.columns[0]
    observed = [level for level in shown_levels(design, factor) if (design.profiles[crossed] == level).any()]
    shares = patient_shares(design, np.ones(len(design.cohorts), dtype=np.bool_), profile_of_cohort)
    count = len(shares)
    for second, first in itertools.combinations(observed, 2):
        twice = {name: np.tile(values, 2) for name, values in profiles.items()}
        twice[crossed] = np.repeat([first, second], count)
        centre, above = (twice | {column: np.full(2 * count, value)} for value in number.ends)
        one, other = (profile_predictors(design, draws, given, count=2 * count) for given in (above, centre))
        yield Comparison(
            contrast=Contrast(block.label, first=first, second=second, step=f"difference of slopes, {number.step}"),
            share=np.concatenate([shares, -shares]),
            one=one,
            other=other,
            given=(above, centre),
            seen=np.ones(2 * count, dtype=np.bool_),
            over=of_all_cohorts(design),
        )


def mix_of(
    design: Structure,
    profiles: Mapping[str, NDArray[np.str_]],
    profile_of_cohort: Index,
    group: Group,
    standard: Standard,
) -> Mix:
    """Return the patient mix of a group's row.

    Under the standard `same`, levels of one column are averaged over the patients of :func:`common_support`. Rows of
    all cohorts, and of a combination of levels, always use their own patients.
    """
    columns = [column for column in profiles if design.labels[column] in group.levels]
    if standard is Standard.SAME and len(columns) == 1 and (kept := common_support(design, columns[0])).any():
        weights = patient_shares(design, kept, profile_of_cohort)
        used = np.flatnonzero(weights)
        given = {name: values[used] for name, values in profiles.items()}
        given[columns[0]] = np.full(len(used), group.levels[design.labels[columns[0]]])
        merged: dict[tuple[str, ...], float] = {}
        for row, share in zip(_rows(given), weights[used], strict=True):
            merged[row] = merged.get(row, 0.0) + float(share)
        had = set(_levels(design, profiles))
        mixed = {name: np.array(levels) for name, levels in zip(given, zip(*merged, strict=True), strict=True)}
        return Mix(
            profiles=mixed,
            share=np.array(list(merged.values())),
            seen=np.array([row in had for row in _levels(design, mixed)]),
            over=in_words(design, columns[0], kept),
        )
    weights = patient_shares(design, group.members, profile_of_cohort)
    used = np.flatnonzero(weights)
    return Mix(
        profiles={name: values[used] for name, values in profiles.items()},
        share=weights[used],
        seen=np.ones(len(used), dtype=np.bool_),
        over="",
    )


def _levels(design: Structure, profiles: Mapping[str, NDArray[np.str_]]) -> Iterator[tuple[str, ...]]:
    """Yield the levels of each profile that have effects; at a new number a model predicts as at those of the table."""
    count = len(next(iter(profiles.values()), ()))
    rows = list(_rows({column: profiles[column] for column in design.level_columns}))
    return iter(rows or [()] * count)


def _rows(profiles: Mapping[str, NDArray[np.str_]]) -> Iterator[tuple[str, ...]]:
    """Yield the levels of each profile."""
    return zip(*(values.tolist() for values in profiles.values()), strict=True)


def patient_shares(design: Structure, members: Mask, profile_of_cohort: Index) -> Array:
    """Return the share of the members' patients with each profile, shape (profile,)."""
    patients = np.bincount(
        profile_of_cohort[members], weights=design.n[members], minlength=int(profile_of_cohort.max()) + 1
    )
    return patients / patients.sum()


def describe_weights(design: Structure, profiles: Mapping[str, NDArray[np.str_]], group: Group, weights: Array) -> str:
    """Return the profiles of a group and their shares, such as "naive:first 31 %; naive:second 69 %".

    Numbers are not spelt out.
    """
    used = np.flatnonzero(weights)
    # The defining levels are the same in all profiles of the group and not repeated.
    hidden = {*group.levels, *(design.labels[column] for column in design.numbers)}
    varying = [column for column in profiles if design.labels[column] not in hidden]
    shares: dict[tuple[str, ...], float] = {}
    for profile in used:
        levels = tuple(str(profiles[column][profile]) for column in varying)
        shares[levels] = shares.get(levels, 0.0) + float(weights[profile])
    if len(shares) < 2:
        return ""
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return "; ".join(f"{':'.join(levels)} {100 * share:.1f} %" for levels, share in ordered)
