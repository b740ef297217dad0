"""Rates that a meta-regression predicts at values of its moderators.

A prediction is a linear combination x0' beta of the coefficients. Moderators that are not set keep the cohorts' values,
and x0 is the mean of the cohorts' rows, weighted by patients: direct standardisation on the scale of the method.
Intervals follow metafor's `predict.rma`.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.regression import has_full_rank, quantile
from alkbayes.classical.moderators.design import Moderator, Moderators
from alkbayes.classical.scales import Scale, back_transform
from alkbayes.errors import UsageError
from alkbayes.evidence.numbers import number_in
from alkbayes.text.names import listed, near_miss, quoted

NO_VALUES: Mapping[str, Sequence[str]] = MappingProxyType({})
ESTIMABLE = 1e-8
"""Largest part, relative to its length, of a row of a design outside the rows of the cohorts that is rounding error."""

type Linear = Callable[[Floats], tuple[float, float, float | None]]
"""Function from a row x0, shape (p,), to x0' beta, its standard error, and the degrees of freedom of its t."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """A number asked for that lies beyond those of the cohorts.

    Attributes
    ----------
    column, value
        The number.
    within
        Levels that it interacts with, by column, of the cohorts that it is compared with; empty for all cohorts.
    low, high
        The smallest and the largest number of these cohorts.
    """

    column: str
    value: str
    within: Mapping[str, str]
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Point:
    """Values of moderators at which a rate is predicted.

    Attributes
    ----------
    at
        Value by column.
    row
        x0, shape (p,); None if the cohorts do not determine a rate there.
    outside
        The numbers beyond those of the cohorts.
    """

    at: Mapping[str, str]
    row: Floats | None
    outside: tuple[Beyond, ...]


@dataclass(frozen=True, slots=True)
class PredictedRate:
    """Rate at values of moderators. What a method does not define, or cannot find, is None.

    Attributes
    ----------
    at
        Value by column.
    estimate, low, high
        Rate of the typical cohort with its confidence interval, in [0, 1].
    prediction_low, prediction_high
        Prediction interval of the next cohort's rate, in [0, 1].
    extrapolated
        True if a number lies beyond those of the cohorts, of a level that it interacts with if one is set.
    """

    at: Mapping[str, str]
    estimate: float | None
    low: float | None
    high: float | None
    prediction_low: float | None
    prediction_high: float | None
    extrapolated: bool


class Intercepted(Protocol):
    """Fit of a regression whose first coefficient is an intercept."""

    @property
    def beta(self) -> Floats:
        """Coefficients, shape (p,)."""

    @property
    def se(self) -> Floats:
        """Standard errors, shape (p,)."""

    @property
    def df(self) -> Floats:
        """Degrees of freedom of each coefficient's t, shape (p,)."""


def points_of(found: Moderators, at: Mapping[str, Sequence[str]]) -> tuple[Point, ...]:
    """Return the points of all combinations of some values.

    Raises
    ------
    UsageError
        If a column is no moderator, a value no number or no level, or a column has no value.
    """
    moderators = found.moderators
    if strangers := [column for column in at if column not in moderators]:
        raise UsageError(
            f"{listed(strangers)}: not regressed on, so that it has no value to predict at; allowed: "
            f"{listed([*moderators])}.",
            parameter="at",
        )
    for column, values in at.items():
        if not values:
            raise UsageError(f"{column} has no value.", parameter="at")
        for value in values:
            _check_value(moderators[column], value)
    combinations = itertools.product(*at.values()) if at else ()
    return tuple(_point(found, dict(zip(at, values, strict=True))) for values in combinations)


def predicted_rates(
    points: Sequence[Point], linear: Linear, *, tau2: float | None, scale: Scale, n: Floats, prob: float
) -> tuple[PredictedRate, ...]:
    """Return the rates at some points.

    Parameters
    ----------
    points
        Values of moderators.
    linear
        The predicted mean on the scale.
    tau2
        Residual variance between cohorts, squared scale; None for a method without one, which predicts no next cohort.
    scale
        Scale of the regression.
    n
        Patients of the cohorts, shape (k,).
    prob
        Probability of the intervals.
    """
    return tuple(_predicted(point, linear, tau2, scale, n, prob) for point in points)


def by_covariance(beta: Floats, covariance: Floats, df: int | None) -> Linear:
    """Return predicted means with the coefficients' covariance, shape (p, p), and degrees of freedom."""

    def linear(row: Floats) -> tuple[float, float, float | None]:
        return float(row @ beta), float(np.sqrt(row @ covariance @ row)), df

    return linear


def by_intercept(design: Floats, fit: Callable[[Floats], Intercepted]) -> Linear:
    """Return predicted means as the intercepts of fits to the design with its values counted from the point's."""

    def linear(row: Floats) -> tuple[float, float, float | None]:
        about = design - np.where(np.arange(row.size) > 0, row, 0.0)
        if not has_full_rank(about):
            return np.nan, np.nan, None
        found = fit(about)
        return float(found.beta[0]), float(found.se[0]), float(found.df[0])

    return linear


def point_notes(found: Moderators, points: Sequence[Point]) -> list[str]:
    """Say over what rates are averaged, and which are extrapolated, or cannot be had."""
    if not points:
        return []
    notes = []
    set_ = points[0].at
    if others := [column for column in found.columns if column not in set_]:
        notes.append(f"Rates at values are for the cohorts' own mix of {listed(others)}, weighted by size.")
    for column in found.moderators:
        beyond = [each for point in points for each in point.outside if each.column == column]
        # One sentence for each range: those of levels differ.
        for first in {_range_of(each): each for each in reversed(beyond)}.values():
            values = dict.fromkeys(each.value for each in beyond if _range_of(each) == _range_of(first))
            levels = listed([f"{found.moderators[name].label} {level}" for name, level in first.within.items()])
            cohorts = f"the cohorts with {levels}" if levels else "these cohorts"
            observed = f"{first.low:.15g} to {first.high:.15g}" if first.low < first.high else f"{first.low:.15g}"
            notes.append(f"Extrapolation: {column} is {observed} in {cohorts}, and not {_either([*values])}.")
    if any(point.row is None for point in points):
        notes.append("No rate where no cohort has a combination of levels whose interaction is in the model.")
    return notes


def _range_of(beyond: Beyond) -> tuple[tuple[str, str], ...]:
    return tuple(beyond.within.items())


def _either(values: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(values[:-1]), values[-1])))


def _check_value(moderator: Moderator, value: str) -> None:
    if not moderator.levels:
        if number_in(value) is None:
            raise UsageError(f"{moderator.column}: found {quoted(value)}; allowed: a number.", parameter="at")
        return
    if value not in moderator.levels:
        guess = near_miss(value, moderator.levels)
        advice = f" Did you mean {quoted(guess)}?" if guess else ""
        raise UsageError(
            f"{moderator.column}: found {quoted(value)}; allowed: {listed(moderator.levels)}.{advice}", parameter="at"
        )


def _point(found: Moderators, at: Mapping[str, str]) -> Point:
    """Return a point, its row the mean over the cohorts' own values of the other columns."""
    k = len(found.cohorts)
    values = {column: np.full(k, at[column]) if column in at else cells for column, cells in found.values.items()}
    row = np.average(found.rows(values), axis=0, weights=found.n)
    outside = tuple(filter(None, (_beyond(found, column, at) for column in at)))
    return Point(at, row[found.estimable] if _determined(found, row) else None, outside)


def _beyond(found: Moderators, column: str, at: Mapping[str, str]) -> Beyond | None:
    """Return a point's number if it is beyond those of the cohorts with the point's levels that it interacts with."""
    if found.moderators[column].levels:
        return None
    within = {other: at[other] for other in found.factors_of(column) if other in at}
    cells = found.values
    member = np.ones(len(found.cohorts), dtype=np.bool_)
    for other, level in within.items():
        member &= cells[other] == level
    if not member.any():
        # No cohort has the combination, which is said of the rate.
        within, member = {}, ~member
    numbers = cells[column][member].astype(np.float64)
    low, high = float(numbers.min()), float(numbers.max())
    return None if low <= float(at[column]) <= high else Beyond(column, at[column], within, low, high)


def _determined(found: Moderators, row: Floats) -> bool:
    """Return whether a row of all terms' columns is a combination of those of the cohorts."""
    if found.estimable.all():
        return True
    design: npt.NDArray[np.float64] = found.rows(found.values)
    # In units of each column, which an empty combination of levels leaves 0 throughout.
    scale = np.maximum(np.abs(design).max(axis=0), np.abs(row))
    scale[scale == 0] = 1.0
    _, singular, axes = np.linalg.svd(design / scale)
    span = axes[: int((singular > ESTIMABLE * singular[0]).sum())]
    scaled = row / scale
    return bool(np.linalg.norm(scaled - span.T @ (span @ scaled)) <= ESTIMABLE * np.linalg.norm(scaled))


def _predicted(point: Point, linear: Linear, tau2: float | None, scale: Scale, n: Floats, prob: float) -> PredictedRate:
    centre, se, df = (np.nan, np.nan, None) if point.row is None else linear(point.row)
    half = np.nan if np.isnan(se) else quantile(df, prob) * se
    reach = np.nan if tau2 is None or np.isnan(se) else quantile(df, prob) * float(np.hypot(np.sqrt(tau2), se))
    ends = np.array([centre, centre - half, centre + half, centre - reach, centre + reach])
    estimate, low, high, prediction_low, prediction_high = (
        None if np.isnan(rate) else float(rate) for rate in back_transform(ends, scale=scale, n=n)
    )
    return PredictedRate(point.at, estimate, low, high, prediction_low, prediction_high, bool(point.outside))
