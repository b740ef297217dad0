"""Contrasts between the levels of each effect: odds ratios and risk differences."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from alkbayes.evidence.declared import Declared
from alkbayes.plots.page import marks
from alkbayes.plots.page.forest_rows import group_title
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    cell,
    chunks,
    fitted,
    log_ticks,
)
from alkbayes.plots.page.rows import RowPage
from alkbayes.plots.page.style import BLUE, DOUBLE_MM, GREY, NO_CAPTION, Caption, styled
from alkbayes.presentation.fit import contrast_notes, predicted_mark
from alkbayes.text.json import records
from alkbayes.text.wording import difference as difference_text
from alkbayes.text.wording import probability, ratio, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_MM = 3.2
NAME_MM = 40.0
ODDS_MM = (42.0, 82.0)
ODDS_TEXT_MM = 103.0
DIFFERENCE_MM = (107.0, 143.0)
DIFFERENCE_TEXT_MM = 169.0
BETTER_MM = DOUBLE_MM - MARGIN_MM
"""Position, alignment and heading of each text column."""
READING = (
    "Odds ratios on typical rates; differences between mean rates, in percentage points. Points are posterior medians, "
    "lines {level} credible intervals; P, the posterior probability that the first level has the higher rate."
)


@dataclass(frozen=True, slots=True)
class _Row:
    """A contrast on both scales, or a heading."""

    label: str
    odds: dict[str, Any] | None = None
    difference: dict[str, Any] | None = None


@styled
def contrasts(table: pd.DataFrame, caption: Caption = NO_CAPTION, *, trials: int | None = None) -> list[Figure]:
    """Draw the contrasts of a fit, two columns wide (180 mm).

    `table` is a :func:`alkbayes.estimates.rates.contrast_table`; the pages show differences in percentage points.
    `trials` is the number of trials compared, None if the table names none.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    if table.empty:
        raise ValueError("there are no contrasts to draw")
    rows = _rows(table, caption.outcome.declared)
    marked = (f"{note}." for note in contrast_notes(records(table), caption.outcome))
    columns = (
        (MARGIN_MM, "left", ("", "Contrast")),
        (sum(ODDS_MM) / 2, "center", ("odds ratio,", f"{caption.level} credible interval")),
        (sum(DIFFERENCE_MM) / 2, "center", ("difference of means,", f"{caption.level} credible interval")),
        (BETTER_MM, "right", ("P (first", "higher)")),
    )
    notes = (READING.format(level=caption.level), *marked, caption.outcome.not_randomised(trials))
    frame = RowPage("Contrasts between levels, not randomised", caption, columns, notes=notes)
    pages = chunks(rows, int(frame.room / ROW_MM))
    figures = []
    for number, page in enumerate(pages, 1):
        body = len(page) * ROW_MM
        figure = frame.figure(body, number=number, of=len(pages))
        odds = frame.axes(figure, ODDS_MM, body, len(page))
        difference = frame.axes(figure, DIFFERENCE_MM, body, len(page))
        _odds_axis(odds, table[table["scale"] == "odds_ratio"])
        _difference_axis(difference, table[table["scale"] == "risk_difference"])
        _draw(odds, difference, page)
        figures.append(figure)
    return figures


def _rows(table: pd.DataFrame, declared: Declared) -> list[_Row]:
    rows = []
    for column, of_column in table.groupby("column", sort=False):
        name = str(column)
        rows.append(_Row(group_title(name, declared)))
        for _, pair in of_column.groupby(["first", "second"], sort=False):
            scales = {record["scale"]: record for record in records(pair)}
            difference = scales["risk_difference"]
            name = f"{difference['contrast']} {predicted_mark(difference)}".rstrip()
            rows.append(_Row(name, scales["odds_ratio"], difference))
    return rows


def _odds_axis(axes: "Axes", table: pd.DataFrame) -> None:
    low, high = min(table["low"].min(), 0.5), max(table["high"].max(), 2.0)
    axes.set_xscale("log")
    axes.set_xlim(low / 1.1, high * 1.1)
    axes.set_xticks(log_ticks(low / 1.1, high * 1.1, ODDS_MM[1] - ODDS_MM[0]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.axvline(1, color=GREY, linewidth=0.5, linestyle=(0, (3, 2)), zorder=1)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel("Odds ratio (log scale)")


def _difference_axis(axes: "Axes", table: pd.DataFrame) -> None:
    # Limits in whole tens, with at most about seven ticks.
    low, high = 100 * min(table["low"].min(), -0.05), 100 * max(table["high"].max(), 0.05)
    step = 10 if high - low <= 50 else 20 if high - low <= 130 else 50
    left, right = step * math.floor(low / step), step * math.ceil(high / step)
    axes.set_xlim(left, right)
    axes.set_xticks(np.arange(left, right + 1, step))
    axes.xaxis.set_major_formatter(lambda value, _: signed(value, 0))
    axes.axvline(0, color=GREY, linewidth=0.5, linestyle=(0, (3, 2)), zorder=1)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel("Difference, percentage points")


def _draw(odds: "Axes", difference: "Axes", page: list[_Row]) -> None:
    drawn = [(at + 0.5, row.odds, row.difference) for at, row in enumerate(page) if row.odds and row.difference]
    y = [at for at, _, _ in drawn]
    for axes, factor, drawn_rows, gid in (
        (odds, 1, [record for _, record, _ in drawn], "odds_ratio"),
        (difference, 100, [record for _, _, record in drawn], "risk_difference"),
    ):
        low, middle, high = (
            factor * np.array([record[name] for record in drawn_rows]) for name in ("low", "median", "high")
        )
        marks.intervals(axes, low, high, y, gid=f"{gid}-interval", colors=BLUE, linewidths=0.9)
        marks.points(axes, middle, y, gid=gid, s=9, **marks.POSTERIOR)
    for at, row in enumerate(page):
        if row.odds is None or row.difference is None:
            cell(odds, MARGIN_MM, at + 0.5, fitted(row.label, NAME_MM - MARGIN_MM, bold=True), ha="left", weight="bold")
            continue
        cell(odds, MARGIN_MM + 1.5, at + 0.5, fitted(row.label, NAME_MM - MARGIN_MM - 1.5), ha="left")
        cell(odds, ODDS_TEXT_MM, at + 0.5, ratio(row.odds))
        cell(odds, DIFFERENCE_TEXT_MM, at + 0.5, "{} ({})".format(*difference_text(row.difference)))
        cell(odds, BETTER_MM, at + 0.5, probability(row.difference["prob_better"]))
