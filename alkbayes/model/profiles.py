"""Profiles of cohorts, the combinations of levels of a model's effects, and the groups that results are about."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alkbayes.evidence.rules import STRATA
from alkbayes.model.design import Index, Structure, level_codes
from alkbayes.model.draws import linear_predictor
from alkbayes.model.standardisation import common_support, in_words
from alkbayes.vocabulary import ALL, Contrast, Standard, group_row, joined_key

type Array = NDArray[np.float64]
type Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Group:
    """A set of cohorts that one row of the pooled table is about.

    Attributes
    ----------
    levels
        For each label of the columns that define it, the level; empty for all cohorts.
    members
        Which cohorts belong to it, shape (cohort,).
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
        """Return what identifies it in a row of a table."""
        return group_row(self.levels)


@dataclass(frozen=True, slots=True)
class Mix:
    """What a row is averaged over.

    Attributes
    ----------
    profiles
        For each column, the level of each profile, shape (profile,).
    share
        Of the patients that has each, shape (profile,).
    seen
        Whether a cohort of the table has it, shape (profile,); where not, the row is a prediction there.
    over
        Whose patients these are, such as "the patients of all cohorts"; empty where they are the row's own.
    """

    profiles: Mapping[str, NDArray[np.str_]]
    share: Array
    seen: Mask
    over: str

    @property
    def predicted(self) -> float:
        """The share in [0, 1] of patients with a combination of levels that no cohort has."""
        return float(self.share[~self.seen].sum())


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two levels of an effect of one column, given to the profiles of the same patients.

    Attributes
    ----------
    contrast
        The two levels, and the label of their effect.
    share
        Of the patients that has each profile, shape (profile,).
    one, other
        Linear predictors with the first level and with the second, shape (draw, profile).
    seen
        Whether cohorts of the table have a profile both with the one and with the other, shape (profile,).
    over
        Whose patients these are, as in :class:`Mix`; empty where they are those of both levels.
    """

    contrast: Contrast
    share: Array
    one: Array
    other: Array
    seen: Mask
    over: str

    @property
    def predicted(self) -> float:
        """The share in [0, 1] of patients of whom at least one side is a prediction: no cohort has the combination."""
        return float(self.share[~self.seen].sum())


def distinct_profiles(design: Structure) -> tuple[dict[str, NDArray[np.str_]], Index]:
    """Return the profiles that a table has: of each column the levels, (profile,); and each cohort's, (cohort,)."""
    rows = list(zip(*(values.tolist() for values in design.profiles.values()), strict=True)) or [()] * len(
        design.cohorts
    )
    distinct = sorted(set(rows))
    profiles = {
        column: np.array([row[position] for row in distinct], dtype=np.str_)
        for position, column in enumerate(design.profiles)
    }
    return profiles, np.array([distinct.index(row) for row in rows], dtype=np.intp)


def profile_predictors(
    design: Structure, draws: Mapping[str, Array], profiles: Mapping[str, NDArray[np.str_]], *, count: int
) -> Array:
    """Return the linear predictor of each of `count` profiles in the middle of the heterogeneity, (draw, profile)."""
    if not design.effects:
        return np.repeat(draws["alpha"][:, None], count, axis=1)
    codes = {block.label: level_codes(block.levels, block.columns, profiles) for block in design.effects}
    return linear_predictor(design, draws, codes)


def groups_of(design: Structure) -> Iterator[Group]:
    """Yield the groups of the pooled table: all cohorts, each level of each effect, and the two-way cells with cohorts.

    Two-way cells are those of line by TKI generation, where a model has both, and of each interaction that it has.
    """
    yield Group({}, np.ones(len(design.cohorts), dtype=np.bool_))
    single = [block for block in design.effects if len(block.columns) == 1]
    for block in single:
        for level in block.levels:
            if (members := design.profiles[block.columns[0]] == level).any():
                yield Group({block.label: level}, members)
    pairs = [STRATA] if all(column in design.profiles for column in STRATA) else []
    pairs += [block.columns for block in design.effects if len(block.columns) == 2 and block.columns != STRATA]
    order = {block.columns[0]: block.levels for block in single}
    for first, second in pairs:
        for one, two in itertools.product(order[first], order[second]):
            members = (design.profiles[first] == one) & (design.profiles[second] == two)
            if members.any():
                labels = design.labels[first], design.labels[second]
                yield Group(dict(zip(labels, (one, two), strict=True)), members)


def compared_levels(
    design: Structure,
    draws: Mapping[str, Array],
    profiles: Mapping[str, NDArray[np.str_]],
    profile_of_cohort: Index,
    standard: Standard = Standard.OWN,
) -> Iterator[Comparison]:
    """Yield each pair of levels of each effect of one column, given to the profiles of the same patients.

    The patients are those of both levels; by the standard `same` those that all rows of the column are over.
    """
    had = set(_rows(profiles))
    for block in design.effects:
        if len(block.columns) > 1:
            continue
        column = block.columns[0]
        observed = [level for level in block.levels if (design.profiles[column] == level).any()]
        support = common_support(design, column)
        for reference, level in itertools.combinations(observed, 2):
            members = np.isin(design.profiles[column], (reference, level))
            same = standard is Standard.SAME and bool(support.any())
            weights = patient_shares(design, support if same else members, profile_of_cohort)
            used = np.flatnonzero(weights)
            sides = []
            seen = np.ones(len(used), dtype=np.bool_)
            for value in (level, reference):
                given = {name: values[used] for name, values in profiles.items()}
                given[column] = np.full(len(used), value)
                sides.append(profile_predictors(design, draws, given, count=len(used)))
                seen &= [row in had for row in _rows(given)]
            yield Comparison(
                contrast=Contrast(block.label, first=level, second=reference),
                share=weights[used],
                one=sides[0],
                other=sides[1],
                seen=seen,
                over=in_words(design, column, support) if same else "",
            )


def mix_of(
    design: Structure,
    profiles: Mapping[str, NDArray[np.str_]],
    profile_of_cohort: Index,
    group: Group,
    standard: Standard,
) -> Mix:
    """Return what the row of a group is averaged over.

    By the standard `same`, a level of one column is given to the patients of :func:`common_support`. Rows of all
    cohorts, and of a combination of levels, are over their own patients by either.
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
        had = set(_rows(profiles))
        return Mix(
            profiles={name: np.array(levels) for name, levels in zip(given, zip(*merged, strict=True), strict=True)},
            share=np.array(list(merged.values())),
            seen=np.array([row in had for row in merged]),
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


def _rows(profiles: Mapping[str, NDArray[np.str_]]) -> Iterator[tuple[str, ...]]:
    """Yield the levels of each profile."""
    return zip(*(values.tolist() for values in profiles.values()), strict=True)


def patient_shares(design: Structure, members: Mask, profile_of_cohort: Index) -> Array:
    """Return the share of the members' patients that has each profile, shape (profile,)."""
    patients = np.bincount(
        profile_of_cohort[members], weights=design.n[members], minlength=int(profile_of_cohort.max()) + 1
    )
    return patients / patients.sum()


def describe_weights(design: Structure, profiles: Mapping[str, NDArray[np.str_]], group: Group, weights: Array) -> str:
    """Return the profiles of a group and their shares, such as "naive:first 31 %; naive:second 69 %"."""
    used = np.flatnonzero(weights)
    if len(used) < 2:
        return ""
    # What defines the group is the same in all its profiles and not repeated.
    varying = [column for column in profiles if design.labels[column] not in group.levels]
    shares: dict[tuple[str, ...], float] = {}
    for profile in used:
        levels = tuple(str(profiles[column][profile]) for column in varying)
        shares[levels] = shares.get(levels, 0.0) + float(weights[profile])
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return "; ".join(f"{':'.join(levels)} {100 * share:.1f} %" for levels, share in ordered)
