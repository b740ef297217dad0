"""Response rates at values of moderators, from a posterior.

The numbers and levels asked for replace those of the patients averaged over. These are the patients of all cohorts, or
for levels those of the levels' rows: their own, or by direct standardisation those of
:mod:`alkbayes.model.standardisation`.
"""

import copy
import itertools
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alkbayes.errors import FigureError, UsageError
from alkbayes.estimates.rates import Array, ErrorsOf, Posterior, with_errors
from alkbayes.evidence.numbers import number_in
from alkbayes.likelihood.links import inverse
from alkbayes.model.design import Design, number_text
from alkbayes.model.expected_rate import expected_rate
from alkbayes.model.predictive import heterogeneity_of, new_cohorts
from alkbayes.model.profiles import Group, Mix, mix_of, profile_predictors
from alkbayes.model.standardisation import of_all_cohorts
from alkbayes.model.summary import summarise
from alkbayes.text.names import listed, near_miss, quoted
from alkbayes.vocabulary import Estimand, in_order

POINTS = 25
"""Values of a curve, evenly spaced over those of the cohorts; the ends of each level's are added."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Posterior rates over a number, beside the cohorts.

    Attributes
    ----------
    label
        Name of the number.
    by, levels
        Name of the factor that it interacts with, and its levels in order; "" and ("",) without one.
    over
        Patients that the rates are averaged over.
    averaged
        The other columns with an effect, which keep the values of these patients; empty if there is none.
    cohorts
        Columns value, level, observed (rate in [0, 1]) and n.
    curves
        Columns value, level, middle, low and high of `mean`, next_low and next_high, rates in [0, 1].
    """

    label: str
    by: str
    levels: tuple[str, ...]
    over: str
    averaged: str
    cohorts: pd.DataFrame
    curves: pd.DataFrame


def rates_at(posterior: Posterior, at: Mapping[str, Sequence[str]], errors: ErrorsOf | None = None) -> pd.DataFrame:
    """Return the rates at all combinations of some values, a row for each estimand.

    Parameters
    ----------
    at
        Values by column of the table: numbers of a numeric effect, levels of another.
    errors
        Function for the Monte Carlo errors of draws; without it the table has no such columns.

    Returns
    -------
    pandas.DataFrame
        Columns at (value by column), over (patients averaged over), averaged (the other columns, which keep these
        patients' values; empty if there is none), predicted (the share in [0, 1] of them with a combination of levels
        found in no cohort), extrapolated (whether a number lies beyond those of the cohorts, of the levels asked for
        that it interacts with), estimand (`typical`, `mean`, `next_cohort`), mean, median, sd, low, high, as in
        :func:`alkbayes.estimates.rates.pooled_table`.

    Raises
    ------
    UsageError
        If the model has no effect of a column, or a value is no number, or a level of no cohort.
    """
    _check(posterior.design, at)
    averaged = _others(posterior.design, at)
    rows = []
    for values in itertools.product(*at.values()):
        point = dict(zip(at, values, strict=True))
        mix = _mix(posterior, point)
        about = {
            "at": point,
            "over": mix.over,
            "averaged": averaged,
            "predicted": mix.predicted,
            "extrapolated": any(_beyond(posterior.design, column, point) for column in point),
        }
        for estimand, draws in _draws(posterior, mix):
            rows.append(
                about
                | {"estimand": str(estimand)}
                | summarise(draws, prob=posterior.interval_prob)
                | with_errors(errors, draws)
            )
    return pd.DataFrame(rows)


def rate_curves(posterior: Posterior, moderator: str | None = None) -> list[Curve]:
    """Return the curve of a numeric column, or of each in the model, over values and in levels that cohorts have.

    Raises
    ------
    FigureError
        If the model has no numeric effect, or none of `moderator`.
    """
    numbers = [*posterior.design.numbers]
    if not numbers:
        raise FigureError("its model has no numeric effect. Draw a run of a model with one.")
    if moderator is not None and moderator not in numbers:
        raise FigureError(f"its model has no numeric effect of {quoted(moderator)}, only of {listed(numbers)}.")
    return [_curve(posterior, column) for column in numbers if moderator in {None, column}]


def observed_range(design: Design, column: str) -> tuple[float, float]:
    """Return the smallest and the largest value of a number in the cohorts."""
    values = design.profiles[column].astype(np.float64)
    return float(values.min()), float(values.max())


def _check(design: Design, at: Mapping[str, Sequence[str]]) -> None:
    if strangers := [column for column in at if column not in design.profiles]:
        has = listed([*design.profiles]) or "none"
        raise UsageError(f"the model has no effect of {listed(strangers)}; allowed: {has}.", parameter="at")
    for column, values in at.items():
        levels = in_order(column, design.profiles[column].tolist())
        for value in values:
            if column in design.numbers:
                if number_in(value) is None:
                    raise UsageError(f"{column}: found {quoted(value)}; allowed: a number.", parameter="at")
            elif value not in levels:
                guess = near_miss(value, levels)
                advice = f" Did you mean {quoted(guess)}?" if guess else ""
                raise UsageError(f"{column}: found {quoted(value)}; allowed: {listed(levels)}.{advice}", parameter="at")


def _others(design: Design, columns: Container[str | None]) -> str:
    """Return the columns with an effect other than some, by their headings."""
    others = [column for column in design.profiles if column not in columns]
    return listed([design.declared.heading(design.labels[column]) for column in others]) if others else ""


def _beyond(design: Design, column: str, point: Mapping[str, str]) -> bool:
    """Return whether a number is beyond those of the cohorts with the point's levels that it interacts with."""
    if column not in design.numbers:
        return False
    member = np.ones(len(design.cohorts), dtype=np.bool_)
    for other in _crossed_with(design, column):
        if other in point:
            member &= design.profiles[other] == point[other]
    # Of a combination that no cohort has, the rate is marked as predicted.
    values = design.profiles[column][member if member.any() else ~member].astype(np.float64)
    return not values.min() <= float(point[column]) <= values.max()


def _mix(posterior: Posterior, point: Mapping[str, str]) -> Mix:
    """Return the patients that rates at a point are averaged over, with the point's values in place of their own."""
    design = posterior.design
    levels = {column: value for column, value in point.items() if column not in design.numbers}
    members = np.ones(len(design.cohorts), dtype=np.bool_)
    for column, value in levels.items():
        members &= design.profiles[column] == value
    known = bool(members.any())
    if not known:
        # A combination without cohorts has no patients of its own.
        members = np.ones_like(members)
    group = Group({design.labels[column]: value for column, value in levels.items()} if known else {}, members)
    mix = mix_of(design, posterior.profiles, posterior.profile_of_cohort, group, posterior.standard)
    given = {name: values.astype(object) for name, values in mix.profiles.items()}
    for column, value in point.items():
        given[column][:] = number_text(float(value)) if column in design.numbers else value
    merged: dict[tuple[str, ...], tuple[float, bool]] = {}
    rows = zip(*(values.tolist() for values in given.values()), strict=True)
    for row, share, seen in zip(rows, mix.share.tolist(), mix.seen.tolist(), strict=True):
        before, _ = merged.get(row, (0.0, seen))
        merged[row] = before + share, known and seen
    return Mix(
        profiles={name: np.array(values) for name, values in zip(given, zip(*merged, strict=True), strict=True)},
        share=np.array([share for share, _ in merged.values()]),
        seen=np.array([seen for _, seen in merged.values()]),
        over=mix.over or (_own(design, levels) if known and levels else of_all_cohorts(design)),
    )


def _own(design: Design, levels: Mapping[str, str]) -> str:
    return f"the {design.units} with {listed([f'{design.labels[column]} {level}' for column, level in levels.items()])}"


def _draws(posterior: Posterior, mix: Mix) -> Iterator[tuple[Estimand, Array]]:
    """Yield the estimands over a mix with their draws, as those of pooled rates."""
    design = posterior.design
    predictors = profile_predictors(design, posterior.draws, mix.profiles, count=len(mix.share))
    heterogeneity = heterogeneity_of(design, posterior.draws, mix.profiles)
    rng = np.random.default_rng(posterior.seed)
    new = new_cohorts(heterogeneity, len(predictors), rng=rng)
    yield Estimand.TYPICAL, inverse(design.link, predictors @ mix.share)
    yield Estimand.MEAN, expected_rate(predictors, heterogeneity) @ mix.share
    yield Estimand.NEXT_COHORT, new.rates(predictors, mix.share, rng=copy.deepcopy(rng))


def _crossed_with(design: Design, column: str) -> list[str]:
    """Return the columns of levels that a number interacts with."""
    crossed = [other for block in design.effects if column in block.numbers for other in block.columns]
    return [*dict.fromkeys(other for other in crossed if other not in design.numbers)]


def _curve(posterior: Posterior, column: str) -> Curve:
    design = posterior.design
    factor = next(iter(_crossed_with(design, column)), None)
    levels = ("",) if factor is None else tuple(in_order(factor, design.profiles[factor].tolist()))
    cohorts = pd.DataFrame(
        {
            "value": design.profiles[column].astype(np.float64),
            "level": "" if factor is None else design.profiles[factor],
            "observed": design.responders / design.n,
            "n": design.n,
        }
    )
    ends = cohorts.groupby("level")["value"].agg(["min", "max"])
    values = np.union1d(np.linspace(*observed_range(design, column), POINTS), ends.to_numpy())
    rows: list[pd.DataFrame] = []
    over: dict[str, None] = {}
    for level in levels:
        inside = values[(values >= ends["min"][level]) & (values <= ends["max"][level])]
        at = {column: [number_text(value) for value in inside.tolist()]} | ({} if factor is None else {factor: [level]})
        found = rates_at(posterior, at)
        of = {estimand: part.reset_index(drop=True) for estimand, part in found.groupby("estimand")}
        mean, following = of[str(Estimand.MEAN)], of[str(Estimand.NEXT_COHORT)]
        over |= dict.fromkeys(found["over"])
        rows.append(
            pd.DataFrame(
                {
                    "value": inside,
                    "level": level,
                    "middle": mean["median"],
                    "low": mean["low"],
                    "high": mean["high"],
                    "next_low": following["low"],
                    "next_high": following["high"],
                }
            )
        )
    return Curve(
        label=design.labels[column],
        by="" if factor is None else design.labels[factor],
        levels=levels,
        over=f"each level's own {design.units}" if len(over) > 1 else next(iter(over)),
        averaged=_others(design, {column, factor}),
        cohorts=cohorts,
        curves=pd.concat(rows, ignore_index=True),
    )
