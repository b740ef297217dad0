"""Forest plot: every cohort's observed and posterior response rate, and the pooled rates of its groups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from alkbayes.appraisal.tools import OVERALL
from alkbayes.errors import FigureError
from alkbayes.evidence.outcomes import Outcome
from alkbayes.plots.page import marks
from alkbayes.plots.page.forest_rows import (
    CONTINUED,
    MOST_FURTHER,
    Rank,
    Row,
    Weights,
    exact_limits,
    forest_rows,
    over_own_patients,
    pages_of,
    summary_notes,
    too_many,
    weights_of,
)
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    beside,
    cell,
    fitted,
    key_line,
    percent_axis,
)
from alkbayes.plots.page.lights import draw_lights, lights_key
from alkbayes.plots.page.limits import axis_limits
from alkbayes.plots.page.marks import in_percent
from alkbayes.plots.page.rows import Columns, RowPage
from alkbayes.plots.page.style import (
    BAND,
    BLUE,
    DOUBLE_MM,
    GREY,
    INK,
    NO_CAPTION,
    SMALL_PT,
    Caption,
    estimate,
    styled,
)
from alkbayes.plots.view import AS_IT_IS, View
from alkbayes.text.wording import counted, limits, percent, rate_text
from alkbayes.vocabulary import ALL, Estimand

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from alkbayes.appraisal.judgements import Appraisal

type Further = Sequence[tuple[str, Sequence[str]]]
"""Heading of each further column, with the cell of each cohort in the order of the table."""

ROW_MM = 1.99
ROW_PT = 5.4
TITLE = " of every cohort, observed and shrunken, and pooled"
NAME_MM = 42.0
"""Width of the names."""
COUNTS_MM = 57.5
WEIGHT_MM = 66.0
OBSERVED_MM = 150.5
POSTERIOR_MM = DOUBLE_MM - MARGIN_MM
"""Right edges of the numeric columns."""
PLOT_LEFT_MM = 69.0
PLOT_RIGHT_MM = 129.0
FURTHER_MM = 17.0
"""Width of a further column, taken from the axis."""
JUDGED_MM = 2.8
"""Width of a domain of judgements, taken from the axis too."""
LEAST_AXIS_MM = 18.0
DASHES = (0, (3, 2))
APART = 0.21
"""Offset of the observed rate above a row's middle, and of the posterior rate below it."""
LARGEST = 11.0
"""Area of the largest weight's marker, in square points."""


@dataclass(frozen=True, slots=True)
class _Tables:
    """Tables behind a page."""

    pooled: marks.Pooled
    cohorts: pd.DataFrame
    low: np.ndarray[Any, np.dtype[np.float64]]
    high: np.ndarray[Any, np.dtype[np.float64]]
    weights: Weights
    further: Further
    judged: "Appraisal | None"
    limits: tuple[float, float, float]
    view: View


@styled
def forest(
    pooled: pd.DataFrame,
    cohorts: pd.DataFrame,
    caption: Caption = NO_CAPTION,
    *,
    further: Further = (),
    judged: "Appraisal | None" = None,
    order: Sequence[int] | None = None,
    view: View = AS_IT_IS,
) -> list[Figure]:
    """Draw the forest plot of a fit, two columns wide (180 mm), on as many pages as needed.

    `pooled` and `cohorts` are tables of :func:`alkbayes.estimates.rates.pooled_table` and
    :func:`alkbayes.estimates.rates.cohort_table`, with rates in [0, 1]; the pages are in percent. `further` are columns
    beside the names, two at most, `judged` judgements of the cohorts in the order of the table, `order` that of the
    cohorts within their groups, and `view` has axis, reference line and title.

    Raises
    ------
    FigureError
        If there are more columns than the page has room for.
    """
    if len(further) > MOST_FURTHER:
        raise too_many(len(further))
    if judged is not None and PLOT_RIGHT_MM - _plot_left_mm(further, judged) < LEAST_AXIS_MM:
        found = f"{len(judged.domains)} domains of judgements beside {counted(len(further), 'further column')}"
        raise FigureError(f"found {found}; there is room for fewer columns. Draw `risk-of-bias` beside it.")
    outcome = caption.outcome
    low, high = exact_limits(cohorts, caption.interval_prob)
    tables = _Tables(
        # A diamond summarises the cohorts under it.
        pooled=marks.by_group(over_own_patients(pooled)),
        cohorts=cohorts,
        low=low,
        high=high,
        weights=weights_of(cohorts, outcome),
        further=further,
        judged=judged,
        limits=axis_limits(_drawn(pooled, cohorts, low, high), view),
        view=view,
    )
    # Joined to the first note, whose line has room.
    first = " ".join((*caption.notes[:1], *summary_notes(pooled, outcome)))
    domains = "" if judged is None else judged.meanings
    notes = (*filter(None, [domains, first]), *caption.notes[1:], tables.weights.meaning)
    columns, key = _columns(outcome, caption.level, further, judged), partial(_key, caption.level, view, judged)
    page = RowPage(view.title or f"{outcome.title}{TITLE}", replace(caption, notes=notes), columns, key)
    pages = pages_of(forest_rows(pooled, cohorts, outcome.declared, order), page.room / ROW_MM)
    return [_page(rows, tables, page, number=number, of=len(pages)) for number, rows in enumerate(pages, 1)]


def _drawn(
    pooled: pd.DataFrame, cohorts: pd.DataFrame, low: "NDArray[np.float64]", high: "NDArray[np.float64]"
) -> Iterator[float]:
    """Yield the ends of everything that is drawn."""
    yield from (*low, *high)
    for table in (over_own_patients(pooled), cohorts):
        yield from (*table["low"], *table["high"])


def _columns(outcome: Outcome, level: str, further: Further, judged: "Appraisal | None") -> Columns:
    """Return position, alignment and heading of each text column."""
    return (
        (MARGIN_MM, "left", ("", "Cohort")),
        (COUNTS_MM, "right", (outcome.events, f"/ {outcome.units}")),
        (WEIGHT_MM, "right", ("weight", "%")),
        *(
            (_further_mm(place), "left", ("", fitted(name, FURTHER_MM - 2.0, SMALL_PT, bold=True)))
            for place, (name, _) in enumerate(further)
        ),
        *(() if judged is None else _of_domains(further, judged)),
        (OBSERVED_MM, "right", ("observed", f"% (exact {level} CI)")),
        (POSTERIOR_MM, "right", ("posterior median", f"% ({level} interval)")),
    )


def _further_mm(place: int) -> float:
    """Return the left edge of a further column."""
    return PLOT_LEFT_MM + place * FURTHER_MM


def _of_domains(further: Further, judged: "Appraisal") -> Iterator[tuple[float, str, tuple[str, str]]]:
    """Yield the headings of the columns of judgements: D above a number, and O for the overall one."""
    for x, domain in zip(_judged_mm(further, judged), judged.domains, strict=True):
        name = judged.tool.short(domain)
        yield x, "center", ("", "O") if domain.name == OVERALL else (name[:1], name[1:])


def _judged_mm(further: Further, judged: "Appraisal") -> list[float]:
    """Return the middles of the columns of judgements."""
    return [_further_mm(len(further)) + (place + 0.3) * JUDGED_MM for place in range(len(judged.domains))]


def _plot_left_mm(further: Further, judged: "Appraisal | None") -> float:
    """Return the left edge of the axis."""
    return _further_mm(len(further)) + (0.0 if judged is None else (len(judged.domains) + 0.5) * JUDGED_MM)


def _key(level: str, view: View, judged: "Appraisal | None") -> list[tuple["Artist", str]]:
    """Return the marks of the key with their meanings."""
    observed = {"marker": "s", "markersize": 3, "markerfacecolor": "white", "markeredgecolor": INK, "linewidth": 0.6}
    posterior = {"marker": "o", "markersize": 2.6, "markerfacecolor": BLUE, "markeredgecolor": BLUE, "linewidth": 1.2}
    return [
        (key_line(markeredgewidth=0.5, **observed), f"observed, exact {level} confidence interval; area by weight"),
        (key_line(color=BLUE, **posterior), f"given all cohorts (shrunken), {level} credible interval"),
        (Line2D([0, 0], [-1, 1], color=GREY, linewidth=0.5, linestyle=DASHES), "mean over all cohorts"),
        *marks.summary_key(level),
        *([marks.reference_key(view.reference)] if view.reference is not None else []),
        *([marks.beyond_key()] if view.xlim is not None else []),
        *([] if judged is None else lights_key(judged)),
    ]


def _page(rows: Sequence[Row], tables: _Tables, page: RowPage, *, number: int, of: int) -> Figure:
    body = sum(row.rows for row in rows) * ROW_MM
    figure = page.figure(body, number=number, of=of)
    figure.add_artist(rule(figure, page.top - 0.3))
    axes = page.axes(figure, (_plot_left_mm(tables.further, tables.judged), PLOT_RIGHT_MM), body, body / ROW_MM)
    first, last, step = tables.limits
    percent_axis(axes, low=first, high=last, step=step)
    marks.reference(axes, tables.view.reference)
    axes.set_xlabel(f"{page.caption.outcome.title}, %")
    overall = 100 * tables.pooled[ALL, ALL, Estimand.MEAN]["median"]
    if marks.within(axes, overall):
        axes.axvline(overall, color=GREY, linewidth=0.5, linestyle=DASHES, zorder=1)
    _draw_rows(axes, rows, tables)
    return figure


def rule(figure: Figure, y: float) -> Line2D:
    """Return the line under the headings, at `y` mm."""
    height = figure.get_figheight() * 25.4
    left, right = MARGIN_MM / DOUBLE_MM, 1 - MARGIN_MM / DOUBLE_MM
    return Line2D([left, right], [1 - y / height] * 2, color=INK, linewidth=0.5, transform=figure.transFigure)


def _draw_rows(axes: "Axes", rows: Sequence[Row], tables: _Tables) -> None:
    """Draw the marks and write the numbers of a page's rows."""
    at = np.cumsum([row.rows for row in rows])
    middle = at - np.array([(row.rows - row.space) / 2 for row in rows])
    cohorts = [(row, y) for row, y in zip(rows, middle, strict=True) if row.rank is Rank.COHORT]
    summaries = [(row, y) for row, y in zip(rows, middle, strict=True) if row.rank is not Rank.COHORT]
    if cohorts:
        _draw_cohorts(axes, cohorts, tables)
    for row, y in summaries:
        write_group(axes, row, float(y))
    if of_groups := [(row, y) for row, y in summaries if not row.continued]:
        _draw_summaries(axes, of_groups, tables)


def _draw_cohorts(axes: "Axes", rows: Sequence[tuple[Row, float]], tables: _Tables) -> None:
    index = [row.cohort for row, _ in rows]
    y = np.array([at for _, at in rows])
    table = tables.cohorts.iloc[index]
    low, high = tables.low[index], tables.high[index]
    share = tables.weights.share[index]
    marks.intervals(axes, in_percent(low), in_percent(high), y - APART, gid="observed-interval", linewidths=0.6)
    area = LARGEST * np.maximum(share / tables.weights.share.max(), 0.12)
    observed, shrunken = in_percent(table["observed"]), in_percent(table["median"])
    shown = marks.within(axes, observed)
    marks.points(axes, observed[shown], y[shown] - APART, gid="observed", s=area[shown], **marks.OBSERVED)
    marks.beyond(axes, in_percent(low), in_percent(high), y - APART)
    marks.intervals(
        axes,
        in_percent(table["low"]),
        in_percent(table["high"]),
        y + APART,
        gid="posterior-interval",
        colors=BLUE,
        linewidths=0.9,
    )
    shown = marks.within(axes, shrunken)
    marks.points(axes, shrunken[shown], y[shown] + APART, gid="posterior", s=5.5, **marks.POSTERIOR)
    marks.beyond(axes, in_percent(table["low"]), in_percent(table["high"]), y + APART)
    for place, (_, values) in enumerate(tables.further):
        for row, at in rows:
            text = fitted(values[row.cohort], FURTHER_MM - 2.0, ROW_PT)
            cell(axes, _further_mm(place), at, text, ha="left", fontsize=ROW_PT)
    if tables.judged is not None:
        places = _judged_mm(tables.further, tables.judged)
        judgements = [(at, tables.judged.cells[row.cohort]) for row, at in rows]
        draw_lights(axes, places, judgements, size=1.75, symbol=3.8)
    # Among hundreds of cohorts each weight is a few tenths of a percent.
    digits = 1 if tables.weights.share.max() >= 0.01 else 2
    counts = zip(table["responders"].tolist(), table["n"].tolist(), table["observed"].tolist(), strict=True)
    posterior = zip(table["median"].tolist(), table["low"].tolist(), table["high"].tolist(), strict=True)
    for (row, at), (responders, n, rate), numbers, left, right, weight in zip(
        rows, counts, posterior, low.tolist(), high.tolist(), share.tolist(), strict=True
    ):
        cell(axes, MARGIN_MM + 2.0, at, fitted(row.label, NAME_MM - 2.0, ROW_PT), ha="left", fontsize=ROW_PT)
        cell(axes, COUNTS_MM, at, f"{responders:,}/{n:,}", fontsize=ROW_PT)
        cell(axes, WEIGHT_MM, at, percent(weight, digits), fontsize=ROW_PT)
        cell(axes, OBSERVED_MM, at, estimate(rate, left, right), fontsize=ROW_PT)
        cell(axes, POSTERIOR_MM, at, estimate(*numbers), fontsize=ROW_PT)


def write_group(axes: "Axes", row: Row, y: float) -> None:
    """Write the name of a group."""
    if row.rank in {Rank.OUTER, Rank.OVERALL}:
        half = (row.rows - row.space) / 2
        axes.add_patch(_band(axes, y - half, 2 * half))
    indent = 0.0 if row.rank in {Rank.OUTER, Rank.OVERALL} else 1.0
    name = fitted(row.label, NAME_MM - indent - (10 if row.continued else 0), ROW_PT, bold=True)
    place = y if row.continued else y - 0.5
    cell(
        axes,
        MARGIN_MM + indent,
        place,
        name + (CONTINUED if row.continued else ""),
        ha="left",
        weight="bold",
        fontsize=ROW_PT,
    )


def _band(axes: "Axes", y: float, height: float) -> Rectangle:
    return Rectangle(
        (MARGIN_MM, y),
        DOUBLE_MM - 2 * MARGIN_MM,
        height,
        transform=beside(axes),
        clip_on=False,
        facecolor=BAND,
        edgecolor="none",
        zorder=0,
    )


def _draw_summaries(axes: "Axes", rows: Sequence[tuple[Row, float]], tables: _Tables) -> None:
    of = marks.summary_rows(tables.pooled, [(row.group, row.level) for row, _ in rows])
    marks.summaries(axes, of, [at for _, at in rows])
    following_rows = of[Estimand.NEXT_COHORT]
    left, right = (in_percent([row[name] for row in following_rows]) for name in ("low", "high"))
    marks.beyond(axes, left, right, [at for _, at in rows])
    for place, (row, at) in enumerate(rows):
        typical, mean, following = (of[estimand][place] for estimand in of)
        bold = {"weight": "bold"} if row.rank is not Rank.INNER else {}
        cell(axes, COUNTS_MM, at - 0.5, f"{typical['responders']:,}/{typical['patients']:,}", **bold, fontsize=ROW_PT)
        cohorts = counted(typical["k"], "cohort")
        cell(
            axes,
            MARGIN_MM + (1.0 if row.rank is Rank.INNER else 0.0),
            at + 0.5,
            cohorts,
            ha="left",
            color=GREY,
            fontsize=ROW_PT,
        )
        cell(axes, OBSERVED_MM, at - 0.5, "next cohort", color=GREY, fontsize=ROW_PT)
        cell(axes, OBSERVED_MM, at + 0.5, limits(following), **bold, fontsize=ROW_PT)
        for offset, name, record in ((-0.5, "typical", typical), (0.5, "mean", mean)):
            cell(axes, POSTERIOR_MM - 18.4, at + offset, name, color=GREY, fontsize=ROW_PT)
            cell(axes, POSTERIOR_MM, at + offset, rate_text(record), **bold, fontsize=ROW_PT)
