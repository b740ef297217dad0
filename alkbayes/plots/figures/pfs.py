"""Forest plot of medians: each cohort's reported and posterior median, on a log axis of months."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from alkbayes.plots.figures.forest import APART, ROW_MM, ROW_PT, rule, write_group
from alkbayes.plots.page import marks
from alkbayes.plots.page.forest_rows import Rank, Row, forest_rows, pages_of
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    cell,
    fitted,
    key_line,
)
from alkbayes.plots.page.rows import Columns, RowPage
from alkbayes.plots.page.style import BLUE, DOUBLE_MM, GREY, INK, NO_CAPTION, Caption, styled
from alkbayes.text.json import records
from alkbayes.text.wording import counted, months
from alkbayes.vocabulary import Estimand

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

type Rows = Sequence[tuple[Row, float]]

TITLE = "Median progression-free survival of every cohort, as printed and shrunken, and pooled"
NAME_MM = 42.0
PATIENTS_MM = 54.0
OBSERVED_MM = 150.0
POSTERIOR_MM = DOUBLE_MM - MARGIN_MM
"""Right edges of the text columns."""
PLOT_MM = (57.0, 127.0)
TICKS = (0.5, 1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 48.0, 96.0, 192.0, 384.0)
"""Position, alignment and heading of each text column."""


@dataclass(frozen=True, slots=True)
class _Tables:
    """Tables behind a page; `left` and `right` are the ends of the axis, in months."""

    pooled: marks.Pooled
    cohorts: pd.DataFrame
    weighted: dict[tuple[str, str], dict[str, Any]]
    left: float
    right: float


@styled
def pfs_forest(
    pooled: pd.DataFrame, cohorts: pd.DataFrame, weighted: pd.DataFrame, caption: Caption = NO_CAPTION
) -> list[Figure]:
    """Draw the forest plot of medians, two columns wide (180 mm), on as many pages as needed.

    The tables are those of :class:`alkbayes.analyses.pfs.PfsResults`, in months.
    """
    left, right = _limits(pooled, cohorts)
    means = {(row["group"], row["level"]): row for row in records(weighted)}
    tables = _Tables(marks.by_group(pooled), cohorts, means, left, right)
    page = RowPage(TITLE, caption, _columns(caption.level), partial(_key, caption.level))
    ordered = cohorts.assign(observed=cohorts["observed"].fillna(cohorts["bound"]))
    pages = pages_of(forest_rows(pooled, ordered, caption.outcome.declared), page.room / ROW_MM)
    figures = []
    for number, rows in enumerate(pages, 1):
        body = sum(row.rows for row in rows) * ROW_MM
        figure = page.figure(body, number=number, of=len(pages))
        figure.add_artist(rule(figure, page.top - 0.3))
        axes = page.axes(figure, PLOT_MM, body, body / ROW_MM)
        _month_axis(axes, left, right)
        _draw_rows(axes, rows, tables)
        figures.append(figure)
    return figures


def _columns(level: str) -> Columns:
    """Return position, alignment and heading of each text column."""
    return (
        (MARGIN_MM, "left", ("", "Cohort")),
        (PATIENTS_MM, "right", ("", "patients")),
        (OBSERVED_MM, "right", ("printed median", "months (95 % CI)")),
        (POSTERIOR_MM, "right", ("posterior median", f"months ({level} CrI)")),
    )


def _key(level: str) -> list[tuple["Artist", str]]:
    """Return the marks of the key with their meanings."""
    printed = {"marker": "s", "markersize": 3, "markerfacecolor": "white", "markeredgecolor": INK, "linewidth": 0.6}
    posterior = {"marker": "o", "markersize": 2.6, "markerfacecolor": BLUE, "markeredgecolor": BLUE, "linewidth": 1.2}
    arrow = {"marker": ">", "markersize": 2.6, "markerfacecolor": INK, "markeredgecolor": INK, "linewidth": 0.6}
    return [
        (key_line(markeredgewidth=0.5, **printed), "printed median, 95 % confidence interval"),
        (key_line(markeredgewidth=0.5, **arrow), "to the right: limit, or median, that was not reached or not printed"),
        (key_line(color=BLUE, **posterior), f"given all cohorts (shrunken), {level} credible interval"),
        *marks.summary_key(level, following="the next cohort's median"),
    ]


def _limits(pooled: pd.DataFrame, cohorts: pd.DataFrame) -> tuple[float, float]:
    """Return the ends of the axis: printed numbers and intervals, with a margin."""
    low = [*pooled["low"], *cohorts["low"], *cohorts["observed_low"].dropna(), *cohorts["bound"].dropna()]
    high = [*pooled["high"], *cohorts["high"], *cohorts["observed_high"].dropna(), *cohorts["observed"].dropna()]
    return 0.9 * min(*low, *cohorts["observed"].dropna(), TICKS[2]), 1.1 * max(high)


def _month_axis(axes: "Axes", left: float, right: float) -> None:
    """Set up a logarithmic horizontal axis of months with faint grid lines."""
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    axes.set_xticks([tick for tick in TICKS if left <= tick <= right])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.4, zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel("Median progression-free survival, months")


def _draw_rows(axes: "Axes", rows: Sequence[Row], tables: _Tables) -> None:
    """Draw the marks and write the numbers of a page's rows."""
    at = np.cumsum([row.rows for row in rows])
    middle = (at - np.array([(row.rows - row.space) / 2 for row in rows])).tolist()
    placed = list(zip(rows, middle, strict=True))
    if cohorts := [(row, y) for row, y in placed if row.rank is Rank.COHORT]:
        _draw_cohorts(axes, cohorts, tables)
    groups = [(row, y) for row, y in placed if row.rank is not Rank.COHORT]
    for row, y in groups:
        write_group(axes, row, y)
    if of := [(row, y) for row, y in groups if not row.continued]:
        _draw_summaries(axes, of, tables)


def _draw_cohorts(axes: "Axes", rows: Rows, tables: _Tables) -> None:
    y = np.array([at for _, at in rows])
    table = tables.cohorts.iloc[[row.cohort for row, _ in rows]]
    start, stop = table["observed_low"].fillna(table["bound"]), table["observed_high"]
    known = table["observed"].notna().to_numpy()
    # A one-sided limit: the line runs from it, or from the median, to the edge.
    low = np.where(start.isna() & stop.notna(), tables.left, start)
    high = np.where(stop.isna() & start.notna(), tables.right, stop)
    marks.intervals(axes, low, high, y - APART, gid="printed-interval", linewidths=0.6)
    for marker, ends, edge in ((">", high, tables.right), ("<", low, tables.left)):
        if (open_ := ends == edge).any():
            edges = np.full(int(open_.sum()), edge)
            marks.points(axes, edges, (y - APART)[open_], gid=f"arrow{marker}", s=4.0, marker=marker, **marks.FILLED)
    marks.points(axes, table["observed"][known], (y - APART)[known], gid="printed", s=5.5, **marks.OBSERVED)
    marks.intervals(axes, table["low"], table["high"], y + APART, gid="posterior-interval", colors=BLUE, linewidths=0.9)
    marks.points(axes, table["median"], y + APART, gid="posterior", s=5.5, **marks.POSTERIOR)
    for (row, middle), cohort in zip(rows, records(table), strict=True):
        cell(axes, MARGIN_MM + 2.0, middle, fitted(row.label, NAME_MM - 2.0, ROW_PT), ha="left", fontsize=ROW_PT)
        cell(axes, PATIENTS_MM, middle, f"{cohort['patients']:,}", fontsize=ROW_PT)
        cell(axes, OBSERVED_MM, middle, printed(cohort), fontsize=ROW_PT)
        cell(axes, POSTERIOR_MM, middle, _estimate(cohort), fontsize=ROW_PT)


def printed(cohort: dict[str, Any]) -> str:
    """Return a cohort's reported median, in months."""
    if cohort["observed"] is None:
        return f"not reached, > {cohort['bound']:.1f}"
    low, high = (None if cohort[name] is None else f"{cohort[name]:.1f}" for name in ("observed_low", "observed_high"))
    median = f"{cohort['observed']:.1f}"
    if low is None and high is None:
        return f"{median} (no interval)"
    if low is None or high is None:
        return f"{median} (from {low})" if high is None else f"{median} (to {high})"
    return f"{median} ({low}–{high})"


def _estimate(row: dict[str, Any]) -> str:
    return "{} ({})".format(*months(row))


def _draw_summaries(axes: "Axes", rows: Rows, tables: _Tables) -> None:
    of = marks.summary_rows(tables.pooled, [(row.group, row.level) for row, _ in rows])
    marks.summaries(axes, of, [at for _, at in rows], unit=1.0)
    for place, (row, at) in enumerate(rows):
        typical, mean, following = (of[estimand][place] for estimand in of)
        bold = {"weight": "bold"} if row.rank is not Rank.INNER else {}
        missed = f", {typical['not_reached']} not reached" if typical["not_reached"] else ""
        cohorts = f"{counted(typical['k'], 'cohort')}{missed}"
        indent = 1.0 if row.rank is Rank.INNER else 0.0
        cell(axes, MARGIN_MM + indent, at + 0.5, cohorts, ha="left", color=GREY, fontsize=ROW_PT)
        cell(axes, PATIENTS_MM, at - 0.5, f"{typical['patients']:,}", **bold, fontsize=ROW_PT)
        weighted = tables.weighted[row.group, row.level]["estimate"]
        if weighted is not None:
            cell(axes, OBSERVED_MM, at - 0.5, f"mean of medians {weighted:.1f}", color=GREY, fontsize=ROW_PT)
        interval = f"next cohort {months(following)[1]}"
        cell(axes, OBSERVED_MM, at + 0.5, interval, color=GREY, fontsize=ROW_PT)
        for offset, name, record in ((-0.5, Estimand.TYPICAL, typical), (0.5, Estimand.MEAN, mean)):
            cell(axes, POSTERIOR_MM - 19.0, at + offset, str(name), color=GREY, fontsize=ROW_PT)
            cell(axes, POSTERIOR_MM, at + offset, _estimate(dict(record)), **bold, fontsize=ROW_PT)
