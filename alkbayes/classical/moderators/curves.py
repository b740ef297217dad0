"""Curves of a meta-regression over its numeric moderators, by level of a factor that they interact with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alkbayes.classical.moderators.design import NO_REFERENCES, Moderator, Moderators, moderators_of
from alkbayes.classical.moderators.predictions import PredictedRate
from alkbayes.classical.moderators.regression import regress
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.errors import FigureError
from alkbayes.vocabulary import INTERVAL_PROB, in_order

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence

POINTS = 41
"""Values of a curve, evenly spaced over those of the cohorts; the ends of each level's are added."""


@dataclass(frozen=True, slots=True)
class ModeratorCurve:
    """Rates over a numeric moderator, beside the cohorts.

    Attributes
    ----------
    label
        Name of the moderator.
    by, levels
        Name of the factor that it interacts with, and its levels in order; "" and ("",) without one.
    cohorts
        Columns value, level, observed and n.
    curves
        Columns value, level, middle, low, high, next_low and next_high, rates in [0, 1] as in `PredictedRate`; NaN for
        None.
    note
        Sentences of warning to the reader.
    """

    label: str
    by: str
    levels: tuple[str, ...]
    cohorts: pd.DataFrame
    curves: pd.DataFrame
    note: str


def moderator_curves(
    evidence: "Evidence",
    moderators: Sequence[str],
    *,
    method: PoolingMethod,
    levels: Collection[str] = (),
    references: Mapping[str, str] = NO_REFERENCES,
    prob: float = INTERVAL_PROB,
) -> list[ModeratorCurve]:
    """Return the curve of each numeric moderator, over values and in levels that cohorts have.

    Parameters as in :func:`alkbayes.classical.moderators.regression.regress`.

    Raises
    ------
    FigureError
        If no moderator is a number, or the method has no result.
    """
    found = moderators_of(evidence, moderators, levels=levels, references=references)
    numbers = [moderator for moderator in found.moderators.values() if not moderator.levels]
    if not numbers:
        raise FigureError("A bubble plot is over a number, and each of these moderators is a factor.")
    curves = []
    for number in numbers:
        crossed = found.factors_of(number.column)
        factor = found.moderators[crossed[0]] if crossed else None
        cohorts = _cohorts(evidence, found, number, factor)
        ends = cohorts.groupby("level")["value"].agg(["min", "max"])
        values = np.union1d(np.linspace(number.low, number.high, POINTS), ends.to_numpy())
        at = {number.column: [repr(value) for value in values.tolist()]}
        if factor is not None:
            at[factor.column] = list(factor.levels)
        result = regress(evidence, moderators, method=method, levels=levels, references=references, at=at, prob=prob)
        if not result.converged:
            raise FigureError(f"{method} has no result to draw a curve of.")
        curve = _curve(number, factor, result.predictions)
        inside = curve["value"].between(curve["level"].map(ends["min"]), curve["level"].map(ends["max"]))
        curves.append(
            ModeratorCurve(
                label=number.label,
                by="" if factor is None else factor.label,
                levels=("",) if factor is None else tuple(in_order(factor.column, factor.levels)),
                cohorts=cohorts,
                curves=curve[inside].reset_index(drop=True),
                note=result.note,
            )
        )
    return curves


def _cohorts(evidence: "Evidence", found: Moderators, number: Moderator, factor: Moderator | None) -> pd.DataFrame:
    frame, cells = evidence.frame.iloc[found.kept], found.values  # noqa: PD011 - no frame's
    return pd.DataFrame(
        {
            "value": cells[number.column].astype(np.float64),
            "level": "" if factor is None else cells[factor.column],
            "observed": (frame["responders"] / frame["n"]).to_numpy(dtype=np.float64),
            "n": found.n,
        }
    )


def _curve(number: Moderator, factor: Moderator | None, predictions: Sequence[PredictedRate]) -> pd.DataFrame:
    rows = []
    for row in predictions:
        values = dict(row.at)
        rates = (row.estimate, row.low, row.high, row.prediction_low, row.prediction_high)
        rows.append((float(values[number.column]), "" if factor is None else values[factor.column], *rates))
    names = ("middle", "low", "high", "next_low", "next_high")
    return pd.DataFrame(rows, columns=["value", "level", *names]).astype(dict.fromkeys(names, "float64"))
