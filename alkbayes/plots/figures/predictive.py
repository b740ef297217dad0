"""Prior and posterior predictions beside the observed rates."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from alkbayes.plots.page import marks
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    cell,
    chunks,
    fitted,
    key_bar,
    key_line,
    percent_axis,
)
from alkbayes.plots.page.marks import in_percent
from alkbayes.plots.page.rows import Columns, RowPage
from alkbayes.plots.page.style import (
    BLUE,
    DOUBLE_MM,
    INK,
    NO_CAPTION,
    ORANGE,
    Caption,
    Look,
    estimate,
    styled,
)
from alkbayes.text.json import records
from alkbayes.text.names import level_name
from alkbayes.text.wording import capitalised, counted, new_cohort, percent

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

ROW_MM = 2.3
ROW_PT = 5.4
NAME_MM = 42.0
COUNTS_MM = 59.0
PLOT_MM = (63.0, 128.0)
OBSERVED_MM = 138.0
PREDICTED_MM = 164.0
LAST_MM = DOUBLE_MM - MARGIN_MM
"""Right edges of the numeric columns, and sides of the axes."""
INNER: Look = {"facecolor": "#9fb0bd", "edgecolor": "none"}
OUTSIDE: Look = {"marker": "D", "facecolor": ORANGE, "edgecolor": INK, "linewidth": 0.5}
READING = (
    "New: {new} with the cohort's profile and size; its intervals are those of observed rates, the chance in its "
    "{o.events} included. One of ten observed rates should lie outside the 90 % interval: here "
    "{found} of {cohorts}. The same cohort again has its own rate, which was shrunk towards these counts: its interval "
    "nearly always fits. PIT: probability of a lower rate in a new such cohort."
)
CELL_READING = (
    "Crude rates that the priors alone predict for the same cohorts, before any count is read, the chance in their "
    "{o.events} included."
)


@styled
def predictive(cohorts: pd.DataFrame, caption: Caption = NO_CAPTION, *, unit: str | None = None) -> list[Figure]:
    """Draw each cohort's observed rate over its posterior prediction, two columns wide (180 mm).

    `cohorts` and `unit` are those of :class:`alkbayes.criticism.predictive.PosteriorChecks`, rates in [0, 1]; pages are
    in percent, highest observed rate first.
    """
    table = cohorts.sort_values(["observed", "cohort_id"], ascending=[False, True], kind="stable", ignore_index=True)
    outside = ((table["observed"] < table["new_low90"]) | (table["observed"] > table["new_high90"])).to_numpy()
    reading = READING.format(
        new=new_cohort(unit), found=int(outside.sum()), cohorts=counted(len(table), "cohort"), o=caption.outcome
    )
    title = f"Observed {caption.outcome.rate} of every cohort, and what the model predicts"
    columns = _columns(caption, "Cohort", "new cohort, median", ("PIT", "value"))
    frame = RowPage(title, caption, columns, partial(_key, caption.level), notes=(reading,))
    pages = chunks(range(len(table)), int(frame.room / ROW_MM))
    figures = []
    for number, page in enumerate(pages, 1):
        figure, axes = _page(frame, len(page), number=number, of=len(pages))
        _draw(axes, table.iloc[page], outside[page])
        figures.append(figure)
    return figures


@styled
def prior_cells(cells: pd.DataFrame, caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw each cell's observed crude rate over its prior prediction, two columns wide (180 mm).

    `cells` is that of :class:`alkbayes.criticism.predictive.PriorChecks`, rates in [0, 1]; pages are in percent.
    """
    outcome = caption.outcome
    title = f"{capitalised(outcome.rate)} of each cell before any count is read"
    columns = _columns(caption, "Cell", "prior, median", ("cohorts", ""))
    frame = RowPage(
        title, caption, columns, partial(_prior_key, caption.level), notes=(CELL_READING.format(o=outcome),)
    )
    pages = chunks(range(len(cells)), int(frame.room / ROW_MM))
    figures = []
    for number, page in enumerate(pages, 1):
        figure, axes = _page(frame, len(page), number=number, of=len(pages))
        table, y = cells.iloc[page], np.arange(len(page)) + 0.5
        marks.bars(axes, in_percent(table["low"]), in_percent(table["high"]), y, half=0.32, gid="prior")
        marks.points(axes, in_percent(table["median"]), y, gid="prior-median", s=14, marker="|", color=INK)
        marks.points(axes, in_percent(table["observed"]), y, gid="observed", s=7, **marks.OBSERVED)
        for at, row in zip(y.tolist(), records(table), strict=True):
            _write(axes, at, level_name(row), f"{row['responders']:,}/{row['patients']:,}")
            cell(axes, OBSERVED_MM, at, percent(row["observed"]), fontsize=ROW_PT)
            cell(axes, PREDICTED_MM, at, estimate(row["median"], row["low"], row["high"]), fontsize=ROW_PT)
            cell(axes, LAST_MM, at, f"{row['k']:,}", fontsize=ROW_PT)
        figures.append(figure)
    return figures


def _page(frame: RowPage, rows: int, *, number: int, of: int) -> tuple[Figure, "Axes"]:
    """Return a page with axes in percent for this number of rows."""
    body = rows * ROW_MM
    figure = frame.figure(body, number=number, of=of)
    axes = frame.axes(figure, PLOT_MM, body, rows)
    percent_axis(axes)
    axes.set_xlabel(f"{frame.caption.outcome.title}, %")
    return figure, axes


def _columns(caption: Caption, of: str, predicted: str, last: tuple[str, str]) -> Columns:
    """Return position, alignment and heading of each text column."""
    return (
        (MARGIN_MM, "left", ("", of)),
        (COUNTS_MM, "right", (caption.outcome.events, f"/ {caption.outcome.units}")),
        (OBSERVED_MM, "right", ("observed", "%")),
        (PREDICTED_MM, "right", (predicted, f"% ({caption.level} interval)")),
        (LAST_MM, "right", last),
    )


def _observed_key() -> "Artist":
    return key_line(linewidth=0, marker="s", markersize=3, markerfacecolor="white", markeredgewidth=0.5)


def _key(level: str) -> list[tuple["Artist", str]]:
    outside: Look = {"marker": "D", "markersize": 3, "markerfacecolor": ORANGE, "markeredgewidth": 0.5}
    return [
        (_observed_key(), "observed"),
        (key_line(linewidth=0, **outside), "observed, outside 90 %"),
        (key_bar(**marks.PREDICTED), f"new cohort, {level} prediction interval"),
        (key_bar(**INNER), "new cohort, 90 %"),
        (key_line(linewidth=0.9, color=BLUE), f"same cohort again, {level}"),
    ]


def _prior_key(level: str) -> list[tuple["Artist", str]]:
    return [
        (_observed_key(), "observed"),
        (key_bar(**marks.PREDICTED), f"priors, {level} prediction interval"),
        (key_line(linewidth=0, marker="|", markersize=5), "its median"),
    ]


def _draw(axes: "Axes", table: pd.DataFrame, outside: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    """Draw the marks and write the numbers of a page's rows."""
    y = np.arange(len(table)) + 0.5
    marks.bars(axes, in_percent(table["new_low"]), in_percent(table["new_high"]), y, half=0.32, gid="new")
    low, high = (in_percent(table[f"new_{end}90"]) for end in ("low", "high"))
    marks.bars(axes, low, high, y, half=0.32, gid="new-90", **INNER)
    low, high = (in_percent(table[f"same_{end}"]) for end in ("low", "high"))
    marks.intervals(axes, low, high, y, gid="same", colors=BLUE, linewidths=0.9)
    observed = in_percent(table["observed"])
    marks.points(axes, observed[~outside], y[~outside], gid="observed", s=6, **marks.OBSERVED)
    marks.points(axes, observed[outside], y[outside], gid="observed-outside", s=7, **OUTSIDE)
    for at, far, row in zip(y.tolist(), outside.tolist(), table.to_dict(orient="records"), strict=True):
        _write(axes, at, str(row["cohort_id"]), f"{row['responders']:,}/{row['n']:,}", bold=far)
        style: Look = {"fontsize": ROW_PT} | ({"weight": "bold"} if far else {})
        cell(axes, OBSERVED_MM, at, percent(row["observed"]), **style)
        cell(axes, PREDICTED_MM, at, estimate(row["new_median"], row["new_low"], row["new_high"]), **style)
        cell(axes, LAST_MM, at, f"{row['new_pit']:.3f}", **style)


def _write(axes: "Axes", y: float, name: str, counts: str, *, bold: bool = False) -> None:
    weight = "bold" if bold else "normal"
    cell(axes, MARGIN_MM, y, fitted(name, NAME_MM, ROW_PT, bold=bold), ha="left", fontsize=ROW_PT, weight=weight)
    cell(axes, COUNTS_MM, y, counts, fontsize=ROW_PT, weight=weight)
