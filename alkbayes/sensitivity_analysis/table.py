"""Headline numbers of a run under alternative analyses, with their shifts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from alkbayes.estimates.headline import Key
from alkbayes.inference.settings import Engine
from alkbayes.sensitivity_analysis.alternatives import ALTERNATIVES
from alkbayes.vocabulary import Contrast, Estimand

AGAIN = "main model again"
"""Row of the run's own model, refitted like the alternatives: its shift is noise."""

MOVED = 0.5
"""Shift in SDs of the main fit's number from which an alternative is said to move it."""
BEYOND_NOISE = 2.0
"""Shift in Monte Carlo errors below which it is called noise."""
BEYOND_CHANCE = 2.0
"""Shift, in SDs of the effect of dropping as many cohorts at random, from which it exceeds chance."""
FALSE_ALARM = 0.001
"""Probability that an agreeing refit of the main model is reported as disagreeing (Bonferroni over its numbers)."""


COMMON = ("alternative", "family", "status", "reason", "engine", "cohorts", "patients")
"""Columns common to all rows of an alternative."""


class Status(StrEnum):
    """Status of an alternative."""

    FITTED = "fitted"
    NOT_CONVERGED = "not converged"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Headline number of one fit.

    Attributes
    ----------
    key, name
        Identifier across fits, and name for a reader.
    mean, median, sd, low, high
        Summary of the draws; low and high are the ends of the equal-tailed interval. Rates are in [0, 1],
        differences of rates in [-1, 1], SDs on the scale of the model's link.
    errors
        Monte Carlo standard errors of median, low and high.
    prob_positive
        Probability that a difference exceeds 0; None otherwise.
    """

    key: Key
    name: str
    mean: float
    median: float
    sd: float
    low: float
    high: float
    errors: Mapping[str, float]
    prob_positive: float | None

    @property
    def spoken(self) -> str:
        """Name within a sentence: without commas, and for a difference without its scale, which is that of rates."""
        return self.name.removesuffix(", risk difference").replace(", ", " ")

    @property
    def shown(self) -> tuple[str, ...]:
        """Ends or median of interest: the interval for a future cohort, else the median."""
        return ("low", "high") if self.key[3] == Estimand.NEXT_COHORT else ("median",)


@dataclass(frozen=True, slots=True)
class Shift:
    """Shift of a number from the main fit to an alternative.

    Attributes
    ----------
    by
        Differences of median, low and high.
    errors
        Monte Carlo standard errors of the differences.
    sd
        SD in the main fit, the unit in which shifts are judged.
    shown
        Which of the three are judged.
    chance
        SD of the effect of dropping as many cohorts at random: the root of the difference of the two variances
        (Hausman 1978, doi:10.2307/1913827). None if no cohort is dropped, and for a future cohort.
    """

    by: Mapping[str, float]
    errors: Mapping[str, float]
    sd: float
    shown: tuple[str, ...]
    chance: float | None

    @property
    def largest(self) -> str:
        """Judged quantity with the largest shift."""
        return max(self.shown, key=lambda name: abs(self.by[name]))

    @property
    def in_sds(self) -> float:
        """Largest shift in SDs of the main fit's number, signed; 0 if nothing varies."""
        return self.by[self.largest] / self.sd if self.sd > 0 else 0.0

    @property
    def beyond_noise(self) -> bool:
        """Whether the shift exceeds Monte Carlo error."""
        return any(abs(self.by[name]) > BEYOND_NOISE * self.errors[name] for name in self.shown)

    @property
    def beyond_chance(self) -> bool:
        """Whether the shift exceeds that of dropping as many cohorts at random; true if none is dropped."""
        return self.chance is None or abs(self.by[self.largest]) > BEYOND_CHANCE * self.chance

    @property
    def moved(self) -> bool:
        """Whether the shift exceeds half an SD of the main fit's number, and Monte Carlo error."""
        return any(abs(self.by[name]) > max(MOVED * self.sd, BEYOND_NOISE * self.errors[name]) for name in self.shown)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one alternative.

    Attributes
    ----------
    name
        Name of the alternative.
    status
        Whether there are numbers, and whether they are usable.
    reason
        Why there are no numbers, which checks failed, or why it fell back to NUTS; else empty.
    engine
        Engine of the draws; None if nothing was fitted.
    cohorts, patients
        Numbers in the fitted table.
    gone
        Effect levels of the main table missing here.
    estimates
        Estimates by key.
    """

    name: str
    status: Status
    reason: str = ""
    engine: Engine | None = None
    cohorts: int | None = None
    patients: int | None = None
    gone: tuple[str, ...] = ()
    estimates: Mapping[Key, Estimate] | None = None

    @property
    def usable(self) -> bool:
        """Whether the numbers passed the convergence gate."""
        return self.status is Status.FITTED


@dataclass(frozen=True, slots=True)
class Grid:
    """Headline numbers of a run under every alternative.

    Attributes
    ----------
    main
        Original run.
    again
        Its model and table, refitted like the alternatives.
    outcomes
        Every alternative in order.
    stopped
        Why the work stopped early; empty if complete.
    chosen
        Whether the alternatives were named, and are not all that make sense.
    """

    main: Outcome
    again: Outcome
    outcomes: tuple[Outcome, ...]
    stopped: str = ""
    chosen: bool = False

    @property
    def numbers(self) -> tuple[Estimate, ...]:
        """Headline numbers of the run."""
        return tuple((self.main.estimates or {}).values())

    @property
    def usable(self) -> tuple[Outcome, ...]:
        """Alternatives with usable numbers."""
        return tuple(outcome for outcome in self.outcomes if outcome.usable)

    def shift(self, outcome: Outcome, key: Key) -> Shift | None:
        """Return the shift of a number; None if the alternative lacks it."""
        main, other = (self.main.estimates or {})[key], (outcome.estimates or {}).get(key)
        if other is None:
            return None
        left_out = (outcome.cohorts or 0) < (self.main.cohorts or 0) and main.shown == ("median",)
        return Shift(
            by={name: getattr(other, name) - getattr(main, name) for name in main.errors},
            errors={name: float(np.hypot(error, other.errors[name])) for name, error in main.errors.items()},
            sd=main.sd,
            shown=main.shown,
            chance=math.sqrt(max(other.sd**2 - main.sd**2, 0.0)) if left_out else None,
        )

    @property
    def not_reproduced(self) -> tuple[tuple[Estimate, Shift], ...]:
        """Numbers that a refit of the run's own model does not reproduce up to Monte Carlo error, with their shifts."""
        shifts = [(number, found) for number in self.numbers if (found := self.shift(self.again, number.key))]
        judged = sum(len(found.shown) for _, found in shifts)
        limit = float(-ndtri(FALSE_ALARM / 2 / max(judged, 1)))
        return tuple(
            (number, found)
            for number, found in shifts
            if any(abs(found.by[which]) > limit * found.errors[which] for which in found.shown)
        )


SHIFTS = (
    *(f"{column}{error}" for column in ("shift", "shift_low", "shift_high") for error in ("", "_error")),
    *("shift_in_sds", "moved", "chance_sd"),
)
"""Columns of an alternative's numbers that the run's own have not."""


def grid_table(grid: Grid) -> pd.DataFrame:
    """Return every number of every alternative; rates and their shifts are proportions.

    Returns
    -------
    pandas.DataFrame
        Columns alternative, family, status, reason, engine, cohorts, patients, number, label (the number in a
        sentence), table, group, level, measure, first and second (levels of a contrast), mean, median, sd, low, high,
        prob_positive, Monte Carlo errors mcse_median, mcse_low and mcse_high, and for median, low and high the shift
        from the main fit and its Monte Carlo error: shift, shift_error, shift_low, shift_low_error, shift_high,
        shift_high_error; shift_in_sds, the largest judged shift in SDs of the main fit's number; moved, whether it
        counts as a move; chance_sd, the SD of the effect of dropping as many cohorts at random. An alternative without
        numbers has one row; the run comes first.
    """
    rows = []
    for record in grid_records(grid):
        common = {name: record[name] for name in COMMON}
        rows += [common | numbers for numbers in record["numbers"]] or [common]
    frame = pd.DataFrame(rows)
    # Where no fit but the run's has numbers, nothing has shifted.
    frame = frame.reindex(columns=[*frame.columns, *(name for name in SHIFTS if name not in frame.columns)])
    return frame.astype({"cohorts": "Int64", "patients": "Int64", "moved": "boolean"})


def grid_records(grid: Grid) -> list[dict[str, Any]]:
    """Return the rows of :func:`grid_table` as JSON-serialisable values, grouped by alternative."""
    described = {alternative.name: alternative for alternative in ALTERNATIVES}
    found = []
    for outcome in (grid.main, grid.again, *grid.outcomes):
        alternative = described.get(outcome.name)
        keys = [number.key for number in grid.numbers if number.key in (outcome.estimates or {})]
        found.append(
            {
                "alternative": outcome.name,
                "family": "main" if alternative is None else str(alternative.family),
                "change": None if alternative is None else alternative.change,
                "why": None if alternative is None else alternative.why,
                "status": str(outcome.status),
                "reason": outcome.reason or None,
                "engine": None if outcome.engine is None else str(outcome.engine),
                "cohorts": outcome.cohorts,
                "patients": outcome.patients,
                "gone": list(outcome.gone),
                "numbers": [_numbers(grid, outcome, key) for key in keys],
            }
        )
    return found


def _numbers(grid: Grid, outcome: Outcome, key: Key) -> dict[str, Any]:
    estimate, shift = (outcome.estimates or {})[key], grid.shift(outcome, key)
    table, group, level, measure = key
    contrast = level if isinstance(level, Contrast) else None
    row: dict[str, Any] = {"number": estimate.name, "label": estimate.spoken, "table": table, "group": group}
    row |= {"level": level if contrast is None else contrast.name, "measure": measure}
    row |= {"first": contrast and contrast.first, "second": contrast and contrast.second}
    row |= {name: getattr(estimate, name) for name in ("mean", "median", "sd", "low", "high", "prob_positive")}
    row |= {f"mcse_{name}": error for name, error in estimate.errors.items()}
    if shift is not None and outcome is not grid.main:
        for name, column in (("median", "shift"), ("low", "shift_low"), ("high", "shift_high")):
            row |= {column: shift.by[name], f"{column}_error": shift.errors[name]}
        row |= {"shift_in_sds": shift.in_sds, "moved": shift.moved, "chance_sd": shift.chance}
    return row
