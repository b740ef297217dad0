"""Planned cohort: its levels, and draws of its response rate from a run's model.

It is a new cohort in a new trial, if the model has trials, with its own deviations: the estimand `next_cohort` for its
levels. Columns left open are averaged over the patients of the table's cohorts with these levels, as in the pooled
table, or over all patients if there is no such cohort.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alkbayes.errors import UsageError
from alkbayes.estimates.rates import Posterior, pooled_draws, posterior_of
from alkbayes.evidence.naming import TRIAL
from alkbayes.evidence.numbers import number_in
from alkbayes.evidence.outcomes import Outcome
from alkbayes.evidence.table import trial_names
from alkbayes.inference.fit import Fit
from alkbayes.model.design import number_text
from alkbayes.model.predictive import heterogeneity_of
from alkbayes.model.profiles import Group, profile_predictors
from alkbayes.spec.schema import model_names, model_path, read_spec
from alkbayes.text.names import shown
from alkbayes.vocabulary import Estimand, Standard, label_of

type Array = NDArray[np.float64]


class NoEffectError(UsageError):
    """Planned cohort with a level of a column of which the run's model has no effect; `name` is the column's."""

    def __init__(self, name: str, model: str) -> None:
        other = _model_with(name)
        example = "" if other is None else f", e.g. `alkbayes fit {other}`"
        super().__init__(
            f"this run's model ({shown(model)}) has no effect of {shown(name)}; fit a model that has one{example}"
        )
        self.name = name


@dataclass(frozen=True, slots=True)
class PlannedCohort:
    """Future cohort.

    Attributes
    ----------
    levels
        Level by requested column, under its name in results.
    averaged
        The model's other columns: the cohort is a mixture of their levels.
    weights
        Levels averaged over and their shares of patients; empty if there is one.
    cohorts, patients
        Numbers in the table with these levels.
    rates
        Draws of the true response rate, proportions, shape (draw, future cohort).
    outcome
        What its rate counts.
    unit
        What the cohort has a new one of, such as "trial"; None if the model has no such heterogeneity.
    varies
        Whether the model has any variance between cohorts of the same levels.
    """

    levels: Mapping[str, str]
    averaged: tuple[str, ...]
    weights: str
    cohorts: int
    patients: int
    rates: Array
    outcome: Outcome
    unit: str | None
    varies: bool

    @property
    def seen(self) -> bool:
        """Whether the table has such a cohort."""
        return self.cohorts > 0

    @property
    def name(self) -> str:
        """Levels on one line for a reader."""
        return (
            ", ".join(f"{self.outcome.declared.name(label)} {shown(level)}" for label, level in self.levels.items())
            or "of any kind"
        )

    @property
    def left_open(self) -> str:
        """Sentence on the columns left open and their average, empty if there are none."""
        if not self.averaged:
            return ""
        over = "these cohorts" if self.seen else "the whole table"
        weights = f": {self.weights}" if self.weights else ""
        left = ", ".join(map(self.outcome.declared.heading, self.averaged))
        return f"Left open: {left}; averaged over the {self.outcome.units} of {over}{weights}."


def planned_cohort(fit: Fit, asked: Mapping[str, str]) -> PlannedCohort:
    """Return the planned cohort with the requested levels.

    `asked` maps columns of the model's effects, by their name in results or in the table, to levels.

    Raises
    ------
    NoEffectError
        If the model has no effect of a column.
    UsageError
        If a column has no such level.
    """
    allowed, labels = levels_of(fit), fit.design.labels
    levels: dict[str, str] = {}
    columns: dict[str, str] = {}
    numbers: dict[str, str] = {}
    for name, level in asked.items():
        column = _column(name, tuple(allowed), fit)
        if labels[column] in levels:
            raise UsageError(f"{shown(name)}: its level is given twice. Give one.")
        if column in fit.design.numbers:
            levels[labels[column]] = numbers[column] = _number(name, level, allowed[column])
            continue
        if level not in allowed[column]:
            choices = ", ".join(map(shown, allowed[column]))
            raise UsageError(f"{shown(name)}: found {shown(level)!r}; this run's model has: {choices}.")
        levels[labels[column]] = level
        if column in fit.design.profiles:
            columns[column] = level
    # Columns left open are averaged over these cohorts, whatever the rows of a table are averaged over.
    posterior = replace(posterior_of(fit), standard=Standard.OWN)
    members = np.ones(len(fit.design.cohorts), dtype=np.bool_)
    for column, level in columns.items():
        members &= fit.design.profiles[column] == level
    found = posterior if members.any() and not numbers else _given(posterior, columns | numbers)
    over = members if members.any() else np.ones_like(members)
    group = Group(levels, over)
    (row, rates) = next(each for each in pooled_draws(found, [group]) if each[0]["estimand"] == Estimand.NEXT_COHORT)
    return PlannedCohort(
        levels=levels,
        averaged=tuple(labels[column] for column in fit.design.profiles if column not in columns | numbers),
        weights=str(row["weights"]),
        cohorts=int(members.sum()),
        patients=int(fit.design.n[members].sum()),
        rates=rates,
        outcome=fit.evidence.outcome,
        unit=fit.design.new_unit,
        varies=bool(fit.design.heterogeneity) or fit.design.rho_prior is not None,
    )


def levels_of(fit: Fit) -> dict[str, tuple[str, ...]]:
    """Return the possible levels of each column of the model's effects, by its name in the table.

    A column with one level in the table is in no effect of the fit; that level is the only one possible. Any number is
    possible in a numeric column; its levels here are the table's, in order.
    """
    found: dict[str, tuple[str, ...]] = {}
    frame = fit.evidence.frame
    in_order = fit.design.declared.in_order
    for effect in fit.spec.effect:
        for column in effect.columns:
            if column in fit.design.numbers:
                found[column] = tuple(sorted(set(fit.design.profiles[column].tolist()), key=float))
                continue
            cells = trial_names(frame) if column == TRIAL else frame[column].astype(str).tolist()
            observed = in_order(column, cells)
            blocks = [block for block in fit.design.effects if column in block.columns]
            if blocks and all(len(block.columns) == 1 for block in blocks):
                # The reference of a fixed effect is a level even without cohorts; it is then in no interaction.
                found[column] = fit.design.declared.in_order(
                    column, [level for block in blocks for level in block.levels]
                )
            else:
                found[column] = observed
    return found


def _number(name: str, written: str, seen: Sequence[str]) -> str:
    """Return a requested number in the notation of profiles."""
    value = number_in(written)
    if value is None:
        raise UsageError(
            f"{shown(name)}: found {shown(written)!r}; allowed: a number; those of the table are from {seen[0]} to "
            f"{seen[-1]}."
        )
    return number_text(value)


def _column(name: str, columns: tuple[str, ...], fit: Fit) -> str:
    """Return the column by its name in results or in the table."""
    by_label = {fit.design.labels[column]: column for column in columns}
    if name in by_label:
        return by_label[name]
    if name in columns:
        return name
    raise NoEffectError(name, fit.spec.name)


def _model_with(name: str) -> str | None:
    """Return the bundled model with an effect of a column, and of as few others as possible."""
    columns = {
        model: {column for effect in read_spec(model_path(model)).effect for column in effect.columns}
        for model in model_names()
    }
    having = [model for model, each in columns.items() if name in {*each, *map(label_of, each)}]
    return min(having, key=lambda model: len(columns[model]), default=None)


def _given(posterior: Posterior, columns: Mapping[str, str]) -> Posterior:
    """Return a posterior in which every cohort's profile has these levels, as no cohort of the table has them all."""
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
        heterogeneity=heterogeneity_of(design, posterior.draws, profiles),
    )
