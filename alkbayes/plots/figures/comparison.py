"""Pooled rate of all cohorts by the model and by every classical method."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from alkbayes.classical.pooling.methods import CLUSTER_ROBUST, CRUDE_INTERVALS, INVERSE_VARIANCE, PoolingMethod
from alkbayes.evidence.outcomes import Outcome
from alkbayes.plots.page import marks
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    cell,
    key_bar,
    key_line,
    percent_axis,
)
from alkbayes.plots.page.marks import in_percent
from alkbayes.plots.page.rows import RowPage
from alkbayes.plots.page.style import BLUE, DOUBLE_MM, NO_CAPTION, Caption, Look, estimate, styled
from alkbayes.text.json import records
from alkbayes.text.wording import limits, percent_interval, rate_text
from alkbayes.vocabulary import ALL, Estimand

ROW_MM = 3.0
PLOT_MM = (58.0, 126.0)
ESTIMATE_MM = 150.0
PREDICTION_MM = DOUBLE_MM - MARGIN_MM
"""Position, alignment and heading of each text column."""
BAYESIAN = "Bayesian model (credible intervals)"
ESTIMANDS = {
    Estimand.THESE_COHORTS: "these cohorts: the {o.units} of these cohorts",
    Estimand.TYPICAL: "typical: a cohort in the middle",
    Estimand.MEAN: "mean: the average over cohorts",
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A result or a heading."""

    label: str
    numbers: tuple[float, float, float] | None = None
    prediction: tuple[float, float] = (np.nan, np.nan)
    pooled: str = "no result"
    predicted: str = "–"
    bayesian: bool = False
    heading: bool = False


@styled
def comparison(pooled: pd.DataFrame, classical: pd.DataFrame, caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw the pooled rate of all cohorts by the model and by classical methods, two columns wide (180 mm).

    `pooled` is a :func:`alkbayes.estimates.rates.pooled_table`, `classical` an :func:`alkbayes.classical.pool_table`,
    both with rates in [0, 1]; the page is in percent.
    """
    rows = _rows(pooled, classical, caption.outcome)
    posterior = {"marker": "o", "markersize": 3, "markerfacecolor": BLUE, "markeredgewidth": 0, "linewidth": 0.9}
    observed = {"marker": "s", "markersize": 3, "markerfacecolor": "white", "markeredgewidth": 0.5, "linewidth": 0.6}
    key = [
        (key_line(color=BLUE, **posterior), f"posterior median, {caption.level} credible interval"),
        (key_line(**observed), f"classical estimate, {caption.level} confidence interval"),
        (key_bar(**marks.PREDICTED), f"{caption.level} prediction interval for a further cohort"),
    ]
    columns = (
        (MARGIN_MM, "left", ("", "Method")),
        (ESTIMATE_MM, "right", ("pooled rate", f"% ({caption.level} interval)")),
        (PREDICTION_MM, "right", (f"{caption.level} prediction", "interval, %")),
    )
    title = f"Pooled {caption.outcome.label} of all cohorts, by every method"
    page = RowPage(title, caption, columns, lambda: key)
    body = len(rows) * ROW_MM
    figure = page.figure(body)
    axes = page.axes(figure, PLOT_MM, body, len(rows))
    percent_axis(axes)
    axes.set_xlabel(f"{caption.outcome.title}, %")
    looks: list[tuple[bool, Look, Look]] = [
        (True, marks.POSTERIOR, {"colors": BLUE, "linewidths": 0.9}),
        (False, marks.OBSERVED, {}),
    ]
    for bayesian, look, line in looks:
        shown = [(at + 0.5, row) for at, row in enumerate(rows) if row.numbers and row.bayesian == bayesian]
        y = [at for at, _ in shown]
        middle, low, high = in_percent([row.numbers for _, row in shown]).reshape(-1, 3).T
        left, right = in_percent([row.prediction for _, row in shown]).reshape(-1, 2).T
        has = np.isfinite(left)
        name = "bayesian" if bayesian else "classical"
        marks.bars(axes, left[has], right[has], np.array(y)[has], half=0.3, gid=f"{name}-prediction")
        marks.intervals(axes, low, high, y, gid=f"{name}-interval", **line)
        marks.points(axes, middle, y, gid=name, s=7, **look)
    for at, row in enumerate(rows):
        indent, weight = (0.0, "bold") if row.heading else (1.5, "normal")
        cell(axes, MARGIN_MM + indent, at + 0.5, row.label, ha="left", weight=weight)
        if not row.heading:
            cell(axes, ESTIMATE_MM, at + 0.5, row.pooled)
            cell(axes, PREDICTION_MM, at + 0.5, row.predicted)
    return [figure]


def _rows(pooled: pd.DataFrame, classical: pd.DataFrame, outcome: Outcome) -> list[_Row]:
    """Return the rows: the model's estimands, then the methods by family."""
    of_all = {row["estimand"]: row for row in records(pooled[pooled["group"] == ALL])}
    following = of_all[Estimand.NEXT_COHORT]
    rows = [_Row(BAYESIAN, heading=True)]
    for estimand, label in ESTIMANDS.items():
        record = of_all[estimand]
        row = _Row(label.format(o=outcome), _numbers(record), pooled=rate_text(record), bayesian=True)
        if estimand is Estimand.MEAN:
            row = replace(row, prediction=_numbers(following)[1:], predicted=limits(following))
        rows.append(row)
    families: dict[str, list[_Row]] = {}
    for record in records(classical[classical["group"] == ALL]):
        numbers = _number(record["estimate"]), _number(record["low"]), _number(record["high"])
        prediction = _number(record["prediction_low"]), _number(record["prediction_high"])
        row = _Row(str(record["method"]), prediction=prediction, predicted=percent_interval(*prediction))
        if np.isfinite(numbers[0]):
            row = replace(row, numbers=numbers, pooled=estimate(*numbers))
        families.setdefault(family_of(PoolingMethod(record["method"])), []).append(row)
    for family in FAMILIES:
        if family in families:
            rows += [_Row(family, heading=True), *families[family]]
    return rows


FAMILIES = (
    "Summed counts, one sample",
    "Common effect",
    "Random effects, inverse variance",
    "Models of the counts, maximum likelihood",
)


def family_of(method: PoolingMethod) -> str:
    """Return the entry of `FAMILIES` for a method."""
    if method in CRUDE_INTERVALS:
        return FAMILIES[0]
    if method in INVERSE_VARIANCE:
        return FAMILIES[1] if INVERSE_VARIANCE[method].estimator is None else FAMILIES[2]
    if method in CLUSTER_ROBUST:
        return FAMILIES[1] if CLUSTER_ROBUST[method] is None else FAMILIES[2]
    return FAMILIES[2] if method is PoolingMethod.MULTILEVEL_LOGIT else FAMILIES[3]


def _numbers(row: Mapping[str, Any]) -> tuple[float, float, float]:
    return row["median"], row["low"], row["high"]


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
