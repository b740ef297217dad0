"""Forests of classical pooling: cohorts with subgroups, without each cohort or trial, and as cohorts are added."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from alkbayes.plots.page import marks
from alkbayes.plots.page.forest_rows import CONTINUED
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    cell,
    fitted,
    key_bar,
    key_line,
    percent_axis,
)
from alkbayes.plots.page.limits import axis_limits
from alkbayes.plots.page.rows import RowPage
from alkbayes.plots.page.style import BLUE, DOUBLE_MM, GREY, NO_CAPTION, Caption, Look, estimate, styled
from alkbayes.plots.view import AS_IT_IS, View
from alkbayes.text.wording import percent_interval

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

ROW_MM = 2.7
NAME_MM = 52.0
COUNTS_MM = 70.0
FURTHER_MM = 82.0
"""Right edge of a further column."""
PLOT_LEFT_MM = 86.0
PLOT_RIGHT_MM = 130.0
ESTIMATE_MM = 155.0
PREDICTION_MM = DOUBLE_MM - MARGIN_MM
"""Right edges of the axis and of the numbers."""
UNPREDICTED_MM = PREDICTION_MM - ESTIMATE_MM
"""By how much the axis is wider, and the estimates farther to the right, without prediction intervals."""
INDENT_MM = 1.5
DASHES = (0, (3, 2))


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the figure.

    Attributes
    ----------
    label
        Name on the left; of a heading, the only text.
    counts
        Events and patients, such as "31/44".
    further
        Cell of the further column.
    numbers
        Estimate and limits as proportions, NaN where there are no limits; None if there is no result.
    prediction
        Prediction limits as proportions; None if there are none.
    pooled
        Whether the numbers are pooled, and not of a single cohort.
    heading
        Whether it is a heading.
    last
        Whether it is the summary that ends a group.
    """

    label: str
    counts: str = ""
    further: str = ""
    numbers: tuple[float, float, float] | None = None
    prediction: tuple[float, float] | None = None
    pooled: bool = True
    heading: bool = False
    last: bool = False


@styled
def classical_forest(
    lines: Sequence[Line],
    title: str,
    *,
    names: str,
    further: tuple[str, str] = ("", ""),
    pooled: float | None = None,
    caption: Caption = NO_CAPTION,
    view: View = AS_IT_IS,
) -> list[Figure]:
    """Draw rows of classical results, two columns wide (180 mm), on as many pages as needed.

    Parameters
    ----------
    lines
        Rows in order, rates in [0, 1]; the pages are in percent.
    title
        Title, unless `view` has one.
    names
        Heading of the names.
    further
        Heading of the further column.
    pooled
        Pooled rate of all cohorts, for a dashed line.
    view
        Axis, reference line and title.
    """
    outcome = caption.outcome
    predicts = any(line.prediction is not None for line in lines)
    wider = 0.0 if predicts else UNPREDICTED_MM
    columns = (
        (MARGIN_MM, "left", ("", names)),
        (COUNTS_MM, "right", (outcome.events, f"/ {outcome.units}")),
        (FURTHER_MM, "right", further),
        (ESTIMATE_MM + wider, "right", (outcome.short, f"% ({caption.level} CI)")),
        *([(PREDICTION_MM, "right", (f"{caption.level} prediction", "interval, %"))] if predicts else []),
    )
    limits = _limits(lines, view)
    page = RowPage(view.title or title, caption, columns, lambda: _key(lines, limits, caption.level, pooled, view))
    pages = _paged(lines, int(page.room / ROW_MM))
    return [
        _page(rows, page, limits, pooled, view, wider, number=number, of=len(pages))
        for number, rows in enumerate(pages, 1)
    ]


def _paged(lines: Sequence[Line], most: int) -> list[list[Line]]:
    """Return the rows of each page.

    A heading stays with two rows, as the last row does, and is repeated where its group goes on.
    """
    pages: list[list[Line]] = [[]]
    group: Line | None = None
    for at, line in enumerate(lines):
        together = 3 if line.heading or at == len(lines) - 3 else 1
        if pages[-1] and len(pages[-1]) + together > most:
            goes_on = group is not None and not line.heading
            pages.append([replace(group, label=f"{group.label}{CONTINUED}")] if goes_on and group else [])
        group = line if line.heading else group if not line.last else None
        pages[-1].append(line)
    return pages


def _key(
    lines: Sequence[Line], limits: tuple[float, float, float], level: str, pooled: float | None, view: View
) -> "list[tuple[Artist, str]]":
    """Return the marks of the key with their meanings."""
    square = {"marker": "s", "markersize": 3, "markerfacecolor": "white", "markeredgewidth": 0.5, "linewidth": 0.6}
    full = {"marker": "D", "markersize": 3, "markerfacecolor": BLUE, "markeredgewidth": 0, "linewidth": 0.9}
    entries: list[tuple[Artist, str]] = []
    if any(not line.pooled and line.numbers for line in lines):
        entries.append((key_line(**square), f"observed, exact {level} confidence interval"))
    entries.append((key_line(color=BLUE, **full), f"pooled, {level} confidence interval"))
    if any(line.prediction for line in lines):
        entries.append((key_bar(**marks.PREDICTED), f"{level} prediction interval for a further cohort"))
    if pooled is not None:
        entries.append((Line2D([0, 0], [-1, 1], color=GREY, linewidth=0.5, linestyle=DASHES), "all cohorts pooled"))
    if view.reference is not None:
        entries.append(marks.reference_key(view.reference))
    drawn = [line.numbers[1:] for line in lines if line.numbers] + [
        line.prediction for line in lines if line.prediction
    ]
    ends = marks.in_percent(drawn).reshape(-1, 2)
    if (ends[:, 0] < limits[0]).any() or (ends[:, 1] > limits[1]).any():
        entries.append(marks.beyond_key())
    return entries


def _limits(lines: Sequence[Line], view: View) -> tuple[float, float, float]:
    """Return limits and step of the axis, in percent: those asked for, else all that is drawn."""
    return axis_limits([value for line in lines for value in (*(line.numbers or ()), *(line.prediction or ()))], view)


def _page(
    lines: Sequence[Line],
    page: RowPage,
    limits: tuple[float, float, float],
    pooled: float | None,
    view: View,
    wider: float,
    *,
    number: int,
    of: int,
) -> Figure:
    body = len(lines) * ROW_MM
    figure = page.figure(body, number=number, of=of)
    axes = page.axes(figure, (PLOT_LEFT_MM, PLOT_RIGHT_MM + wider), body, len(lines))
    low, high, step = limits
    percent_axis(axes, low=low, high=high, step=step)
    axes.set_xlabel(f"{page.caption.outcome.title}, %")
    if pooled is not None and low <= 100 * pooled <= high:
        axes.axvline(100 * pooled, color=GREY, linewidth=0.5, linestyle=DASHES, zorder=1)
    marks.reference(axes, view.reference)
    _draw(axes, lines)
    for at, line in enumerate(lines):
        y = at + 0.5
        look: Look = {"weight": "bold"} if line.heading or line.last else {}
        width = (DOUBLE_MM if line.heading else NAME_MM) - 2 * MARGIN_MM
        indent = 0.0 if line.pooled or line.heading else INDENT_MM
        cell(axes, MARGIN_MM + indent, y, fitted(line.label, width - indent, bold=bool(look)), ha="left", **look)
        if not line.heading:
            cell(axes, COUNTS_MM, y, line.counts, **look)
            cell(axes, FURTHER_MM, y, line.further, **look)
            cell(axes, ESTIMATE_MM + wider, y, estimate(*line.numbers) if line.numbers else "no result", **look)
            cell(axes, PREDICTION_MM, y, percent_interval(*line.prediction) if line.prediction else "", **look)
    return figure


def _draw(axes: "Axes", lines: Sequence[Line]) -> None:
    """Draw the marks; what lies beyond the axis ends in an arrow at its edge."""
    square: Look = {**marks.OBSERVED, "s": 7.0}
    full: Look = {"marker": "D", "facecolor": BLUE, "edgecolor": BLUE, "linewidth": 0.0, "s": 9.0}
    for pooled, gid, look, thin in (
        (False, "observed", square, {}),
        (True, "pooled", full, {"colors": BLUE, "linewidths": 0.9}),
    ):
        shown = [(at + 0.5, line) for at, line in enumerate(lines) if line.numbers and line.pooled == pooled]
        y = np.array([at for at, _ in shown])
        middle, left, right = marks.in_percent([line.numbers for _, line in shown]).reshape(-1, 3).T
        marks.intervals(axes, left, right, y, gid=f"{gid}-interval", **thin)
        inside = marks.within(axes, middle)
        marks.points(axes, middle[inside], y[inside], gid=gid, **look)
        marks.beyond(axes, left, right, y)
    bars = [(at + 0.5, line.prediction) for at, line in enumerate(lines) if line.prediction]
    left, right = marks.in_percent([limits for _, limits in bars]).reshape(-1, 2).T
    marks.bars(axes, left, right, [at for at, _ in bars], half=0.32, gid="prediction")
    marks.beyond(axes, left, right, [at for at, _ in bars])
