"""A cohort that a trial plans: which levels it has, and what a run's model says of its response rate.

It is a new cohort of a new trial, with deviations of its own: the estimand `next_cohort` of the cohorts of the table
with the same levels. What is not said of it is averaged over the patients of these cohorts, as in the pooled table;
where the table has no such cohort, over all its patients.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alkbayes.errors import UsageError
from alkbayes.estimates.rates import Posterior, pooled_draws, posterior_of
from alkbayes.inference.fit import Fit
from alkbayes.model.profiles import Group, profile_predictors
from alkbayes.text.names import column_title, shown
from alkbayes.vocabulary import Estimand, Standard, in_order

type Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlannedCohort:
    """A cohort to come.

    Attributes
    ----------
    levels
        For each column that was asked for, by the name that results have for it, the level.
    averaged
        The other columns of the model: the cohort is a mixture of their levels.
    weights
        Of which levels, and with what shares of patients; empty where there is one.
    cohorts, patients
        Of the table, with these levels.
    rates
        Draws of its true response rate, proportions, shape (draw, cohort to come).
    """

    levels: Mapping[str, str]
    averaged: tuple[str, ...]
    weights: str
    cohorts: int
    patients: int
    rates: Array

    @property
    def seen(self) -> bool:
        """Whether the table has such a cohort."""
        return self.cohorts > 0

    @property
    def name(self) -> str:
        """The levels for a reader, on one line."""
        return ", ".join(f"{shown(label)} {shown(level)}" for label, level in self.levels.items()) or "of any kind"

    @property
    def left_open(self) -> str:
        """What was not said of the cohort, and what it is averaged over: a sentence, empty where all was said."""
        if not self.averaged:
            return ""
        over = "these cohorts" if self.seen else "the whole table"
        weights = f": {self.weights}" if self.weights else ""
        return (
            f"Left open: {', '.join(map(column_title, self.averaged))}; averaged over the patients of {over}{weights}."
        )


def planned_cohort(fit: Fit, asked: Mapping[str, str]) -> PlannedCohort:
    """Return the cohort that has these levels.

    Parameters
    ----------
    fit
        A run's.
    asked
        For columns of the model's effects, by their names in results or in the table, the level.

    Raises
    ------
    UsageError
        If the model has no such column, or the column no such level.
    """
    allowed, labels = levels_of(fit), fit.design.labels
    levels: dict[str, str] = {}
    columns: dict[str, str] = {}
    for name, level in asked.items():
        column = _column(name, tuple(allowed), fit)
        if labels[column] in levels:
            raise UsageError(f"{shown(name)}: its level is given twice. Give one.")
        if level not in allowed[column]:
            choices = ", ".join(map(shown, allowed[column]))
            raise UsageError(f"{shown(name)}: found {shown(level)!r}; this run's model has: {choices}.")
        levels[labels[column]] = level
        if column in fit.design.profiles:
            columns[column] = level
    # What is not said of the cohort is open among these cohorts, whatever the rows of a table are averaged over.
    posterior = replace(posterior_of(fit), standard=Standard.OWN)
    members = np.ones(len(fit.design.cohorts), dtype=np.bool_)
    for column, level in columns.items():
        members &= fit.design.profiles[column] == level
    found = posterior if members.any() else _given(posterior, columns)
    over = members if members.any() else np.ones_like(members)
    group = Group(levels, over)
    (row, rates) = next(each for each in pooled_draws(found, [group]) if each[0]["estimand"] == Estimand.NEXT_COHORT)
    return PlannedCohort(
        levels=levels,
        averaged=tuple(labels[column] for column in fit.design.profiles if column not in columns),
        weights=str(row["weights"]),
        cohorts=int(members.sum()),
        patients=int(fit.design.n[members].sum()),
        rates=rates,
    )


def levels_of(fit: Fit) -> dict[str, tuple[str, ...]]:
    """Return the levels that each column of the model's effects may be given, by its name in the table.

    A column that has one level in the table is in no effect of the fit; that level is what it may be given.
    """
    found: dict[str, tuple[str, ...]] = {}
    for effect in fit.spec.effect:
        for column in effect.columns:
            observed = in_order(column, fit.evidence.frame[column].astype(str).tolist())
            blocks = [block for block in fit.design.effects if column in block.columns]
            if blocks and all(len(block.columns) == 1 for block in blocks):
                # The reference of a fixed effect is a level though no cohort may have it; no interaction has it then.
                found[column] = in_order(column, [level for block in blocks for level in block.levels])
            else:
                found[column] = observed
    return found


def _column(name: str, columns: tuple[str, ...], fit: Fit) -> str:
    """Return the column that results, or the table, call so."""
    by_label = {fit.design.labels[column]: column for column in columns}
    if name in by_label:
        return by_label[name]
    if name in columns:
        return name
    has = f"has {', '.join(by_label)}" if by_label else "has none"
    raise UsageError(
        f"{shown(name)} is no column of the effects of this run's model ({shown(fit.spec.name)} {has}). "
        "What a model does not distinguish it cannot predict apart: fit one that has the column."
    )


def _given(posterior: Posterior, columns: Mapping[str, str]) -> Posterior:
    """Return a posterior in whose profiles every cohort has these levels: no cohort of the table has them all."""
    design = posterior.design
    overridden = {
        column: np.full(len(values), columns[column]) if column in columns else values
        for column, values in posterior.profiles.items()
    }
    rows = list(zip(*(values.tolist() for values in overridden.values()), strict=True))
    distinct = sorted(set(rows))
    profiles = {
        column: np.array([row[place] for row in distinct], dtype=np.str_) for place, column in enumerate(overridden)
    }
    place_of = np.array([distinct.index(row) for row in rows], dtype=np.intp)
    return replace(
        posterior,
        profiles=profiles,
        profile_of_cohort=place_of[posterior.profile_of_cohort],
        predictors=profile_predictors(design, posterior.draws, profiles, count=len(distinct)),
    )
