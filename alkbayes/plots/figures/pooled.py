"""Forests of pooled rates: cohorts with subgroups, without each cohort or trial, and as cohorts are added."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from alkbayes.plots.page import marks
from alkbayes.plots.page.forest_rows import CONTINUED, MOST_FURTHER, too_many
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
from alkbayes.plots.page.style import BLUE, DOUBLE_MM, GREY, NO_CAPTION, SMALL_PT, Caption, Look, estimate, styled
from alkbayes.plots.view import AS_IT_IS, View
from alkbayes.text.wording import percent_interval

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

ROW_MM = 2.7
INDENT_MM = 1.5
ESTIMATE_MM = 155.0
PREDICTION_MM = DOUBLE_MM - MARGIN_MM
"""Right edges of the estimates and of the prediction intervals."""
UNPREDICTED_MM = PREDICTION_MM - ESTIMATE_MM
"""By how much the axis is wider, and the estimates farther to the right, without prediction intervals."""
COLUMN_MM = 17.0
NARROWER_MM = 6.0
"""Width of a column of the table, and by how much it narrows the names beside prediction intervals; the rest is taken
from the axis."""
DASHES = (0, (3, 2))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the columns of a page are, in mm from its left edge.

    Attributes
    ----------
    names
        Width of the names.
    counts, further, estimate
        Right edges of the counts, of the method's own column and of the estimates.
    columns
        Left edges of the columns of the table.
    axis
        Left and right edge of the axis.
    """

    names: float
    counts: float
    further: float
    columns: tuple[float, ...]
    axis: tuple[float, float]
    estimate: float

    @classmethod
    def of(cls, columns: int, *, predicts: bool) -> Self:
        """Return the places for so many columns of the table, with prediction intervals or without."""
        shift, wider = (-NARROWER_MM * columns, 0.0) if predicts else (0.0, UNPREDICTED_MM)
        left = 86.0 + shift
        return cls(
            names=52.0 + shift,
            counts=70.0 + shift,
            further=82.0 + shift,
            columns=tuple(left + COLUMN_MM * place for place in range(columns)),
            axis=(left + COLUMN_MM * columns, 130.0 + wider),
            estimate=ESTIMATE_MM + wider,
        )


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
        Cell of the method's own column.
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
    columns
        Cells of the columns of the table; none if the row has none.
    """

    label: str
    counts: str = ""
    further: str = ""
    numbers: tuple[float, float, float] | None = None
    prediction: tuple[float, float] | None = None
    pooled: bool = True
    heading: bool = False
    last: bool = False
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the pages have in common."""

    page: RowPage
    places: _Places
    limits: tuple[float, float, float]
    pooled: float | None
    view: View


@styled
def pooled_forest(
    lines: Sequence[Line],
    title: str,
    *,
    names: str,
    further: tuple[str, str] = ("", ""),
    interval: str = "confidence",
    pooled: float | None = None,
    caption: Caption = NO_CAPTION,
    view: View = AS_IT_IS,
) -> list[Figure]:
    """Draw rows of pooled rates, two columns wide (180 mm), on as many pages as needed.

    Parameters
    ----------
    lines
        Rows in order, rates in [0, 1]; the pages are in percent.
    title
        Title, unless `view` has one.
    names
        Heading of the names.
    further
        Heading of the method's own column.
    interval
        Kind of the intervals of pooled rates, "confidence" or "credible".
    pooled
        Pooled rate of all cohorts, for a dashed line.
    view
        Axis, reference line, title and further columns.

    Raises
    ------
    FigureError
        If there are more columns than the page has room for.
    """
    if len(view.columns) > MOST_FURTHER:
        raise too_many(len(view.columns))
    outcome = caption.outcome
    predicts = any(line.prediction is not None for line in lines)
    places = _Places.of(len(view.columns), predicts=predicts)
    ends = "CI" if interval == "confidence" else "interval"
    columns = (
        (MARGIN_MM, "left", ("", names)),
        (places.counts, "right", (outcome.events, f"/ {outcome.units}")),
        (places.further, "right", further),
        *(
            (at, "left", ("", fitted(name, COLUMN_MM - 2.0, SMALL_PT, bold=True)))
            for at, name in zip(places.columns, view.columns, strict=True)
        ),
        (places.estimate, "right", (outcome.short, f"% ({caption.level} {ends})")),
        *([(PREDICTION_MM, "right", (f"{caption.level} prediction", "interval, %"))] if predicts else []),
    )
    limits = _limits(lines, view)

    def key() -> "list[tuple[Artist, str]]":
        return _key(lines, limits, f"{caption.level} {interval} interval", caption.level, pooled, view)

    frame = _Frame(RowPage(view.title or title, caption, columns, key), places, limits, pooled, view)
    pages = _paged(lines, int(frame.page.room / ROW_MM))
    return [_page(rows, frame, number=number, of=len(pages)) for number, rows in enumerate(pages, 1)]


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
    lines: Sequence[Line],
    limits: tuple[float, float, float],
    interval: str,
    level: str,
    pooled: float | None,
    view: View,
) -> "list[tuple[Artist, str]]":
    """Return the marks of the key with their meanings."""
    square = {"marker": "s", "markersize": 3, "markerfacecolor": "white", "markeredgewidth": 0.5, "linewidth": 0.6}
    full = {"marker": "D", "markersize": 3, "markerfacecolor": BLUE, "markeredgewidth": 0, "linewidth": 0.9}
    entries: list[tuple[Artist, str]] = []
    if any(not line.pooled and line.numbers for line in lines):
        entries.append((key_line(**square), f"observed, exact {level} confidence interval"))
    entries.append((key_line(color=BLUE, **full), f"pooled, {interval}"))
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


def _page(lines: Sequence[Line], frame: _Frame, *, number: int, of: int) -> Figure:
    page, places = frame.page, frame.places
    body = len(lines) * ROW_MM
    figure = page.figure(body, number=number, of=of)
    axes = page.axes(figure, places.axis, body, len(lines))
    low, high, step = frame.limits
    percent_axis(axes, low=low, high=high, step=step)
    axes.set_xlabel(f"{page.caption.outcome.title}, %")
    if frame.pooled is not None and low <= 100 * frame.pooled <= high:
        axes.axvline(100 * frame.pooled, color=GREY, linewidth=0.5, linestyle=DASHES, zorder=1)
    marks.reference(axes, frame.view.reference)
    _draw(axes, lines)
    for at, line in enumerate(lines):
        y = at + 0.5
        look: Look = {"weight": "bold"} if line.heading or line.last else {}
        width = (DOUBLE_MM if line.heading else places.names) - 2 * MARGIN_MM
        indent = 0.0 if line.pooled or line.heading else INDENT_MM
        cell(axes, MARGIN_MM + indent, y, fitted(line.label, width - indent, bold=bool(look)), ha="left", **look)
        if not line.heading:
            cell(axes, places.counts, y, line.counts, **look)
            cell(axes, places.further, y, line.further, **look)
            for left, text in zip(places.columns, line.columns, strict=False):
                cell(axes, left, y, fitted(text, COLUMN_MM - 2.0), ha="left")
            cell(axes, places.estimate, y, estimate(*line.numbers) if line.numbers else "no result", **look)
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
