"""Tornado plot: shift of each headline number under alternatives for the evidence and the model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from alkbayes.estimates.headline import CONTRAST, HETEROGENEITY, POOLED
from alkbayes.evidence.outcomes import Outcome
from alkbayes.plots.page import marks
from alkbayes.plots.page.layout import (
    HEADINGS_MM,
    MARGIN_MM,
    cell,
    fitted,
    foot_lines,
    foot_mm,
    head_mm,
    key_bar,
    key_line,
    key_mm,
    line_mm,
    new_page,
    percent_axis,
    row_axes,
    write,
    write_foot,
    write_head,
    write_headings,
    write_key,
)
from alkbayes.plots.page.style import (
    BAND,
    BLUE,
    DOUBLE_MM,
    GREY,
    NO_CAPTION,
    TALLEST_MM,
    TEXT_PT,
    Caption,
    Look,
    styled,
)
from alkbayes.sensitivity_analysis.alternatives import FAMILY_NAMES
from alkbayes.sensitivity_analysis.table import AGAIN, Status
from alkbayes.text.wording import headline, moved_by, signed
from alkbayes.vocabulary import ALL, Estimand

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

type Record = Mapping[str, Any]

ROW_MM = 2.45
ROW_PT = 5.6
NAME_MM = 40.0
PLOT_MM = (46.0, 117.0)
ESTIMATE_MM = 145.0
SHIFT_MM = 162.0
SDS_MM = DOUBLE_MM - MARGIN_MM
AXIS_MM = 7.0
TITLE_MM = line_mm(TEXT_PT) + 0.8
APART_MM = 3.0
"""Space between the panels of a page."""
WIDTH_MM = DOUBLE_MM - 2 * MARGIN_MM
MOST_TICKS = 8
SHIFTED: Look = {"facecolor": "#9ecae1", "edgecolor": "none"}
OPEN: Look = {"marker": "o", "facecolor": "white", "edgecolor": BLUE, "linewidth": 0.6}
UNUSED: Look = {"marker": "x", "color": GREY, "linewidth": 0.7}
DASHES = (0, (3, 2))
KEY = ("table", "group", "level", "measure", "first", "second")
"""Identifier of a number under every alternative."""
READING = (
    "Within a family the alternative that moves the number most comes first. Moved: by more than half a posterior SD "
    "of the main fit, and by more than Monte Carlo error. The same again is the main model fitted anew: its shift is "
    "noise. An alternative without the number, because its table lacks the level or its model the scale, is left out."
)


@dataclass(frozen=True, slots=True)
class _Row:
    """An alternative's number, or the heading of a family if it has none."""

    label: str
    numbers: Record | None = None
    usable: bool = True
    alternative: bool = True


@dataclass(frozen=True, slots=True)
class _Panel:
    """One headline number under every alternative, with the main fit first."""

    title: str
    axis: str
    table: str
    factor: float
    unit: str
    rows: tuple[_Row, ...]

    @property
    def height(self) -> float:
        return TITLE_MM + HEADINGS_MM + len(self.rows) * ROW_MM + AXIS_MM


@styled
def sensitivity(
    alternatives: Sequence[Record], caption: Caption = NO_CAPTION, *, trials: int | None = None
) -> list[Figure]:
    """Draw the shifts of a run's headline numbers under every alternative, two columns wide (180 mm).

    `alternatives` is from :func:`alkbayes.sensitivity_analysis.table.grid_records`, rates in [0, 1]. The pages show the
    means of all cohorts and of each level and the first difference between levels, in percent and percentage points,
    and the heterogeneity on the scale of the model. `trials` is the number of trials compared, None if the table names
    none.
    """
    panels = [_panel(number, alternatives, caption.outcome) for number in _drawn(alternatives[0]["numbers"])]
    contrasted = any(panel.table == CONTRAST for panel in panels)
    differences = [caption.outcome.not_randomised(trials)] if contrasted else []
    notes = foot_lines((READING, *differences, *_failed(alternatives), *caption.notes), DOUBLE_MM)
    words = [text for _, text in _key(alternatives, caption.level)]
    head, foot = head_mm(caption), key_mm(words, WIDTH_MM) + foot_mm(notes)
    pages = _pages(panels, TALLEST_MM - head - foot)
    figures = []
    for place, page in enumerate(pages, 1):
        height = sum(panel.height for panel in page) + APART_MM * (len(page) - 1)
        figure = new_page(DOUBLE_MM, head + height + foot)
        paged = f" (page {place} of {len(pages)})" if len(pages) > 1 else ""
        write_head(figure, f"What the results depend on: alternative analyses{paged}", caption)
        top = head
        for panel in page:
            _draw(figure, panel, top, caption.level)
            top += panel.height + APART_MM
        write_key(figure, MARGIN_MM, head + height, WIDTH_MM, _key(alternatives, caption.level))
        write_foot(figure, notes)
        figures.append(figure)
    return figures


def _drawn(numbers: Sequence[Record]) -> list[Record]:
    """Return the headline numbers with a panel."""
    pooled = [each for each in numbers if each["table"] == POOLED and each["measure"] != Estimand.NEXT_COHORT]
    contrasts = [each for each in numbers if each["table"] == CONTRAST]
    return [*pooled, *contrasts[:1], *(each for each in numbers if each["table"] == HETEROGENEITY)]


def _panel(main: Record, alternatives: Sequence[Record], outcome: Outcome) -> _Panel:
    def found(record: Record) -> Record | None:
        return next((each for each in record["numbers"] if all(each[name] == main[name] for name in KEY)), None)

    rows = [_Row("main fit", main, alternative=False)]
    again = [each for each in alternatives if each["alternative"] == AGAIN and found(each) is not None]
    rows += [_Row("the same again", found(each), alternative=False) for each in again]
    for family, name in FAMILY_NAMES.items():
        members = [each for each in alternatives if each["family"] == family and found(each) is not None]
        if members:
            rows.append(_Row(name.capitalize()))
        members.sort(key=lambda each: -abs((found(each) or main).get("shift", 0.0)))
        rows += [_Row(each["alternative"], found(each), each["status"] == Status.FITTED) for each in members]
    place = "All cohorts" if main["group"] == ALL else f"{main['group']} {main['level']}"
    match main["table"]:
        case "pooled":
            title, axis = f"{place}: mean {outcome.label}", f"{outcome.title}, %"
        case "contrast":
            title, axis = f"{place}: difference of mean rates", "Difference, percentage points"
        case _:
            axis = "Correlation" if main["measure"] == "correlation" else "SD on the scale of the model's link"
            title = f"{main['level']}: heterogeneity between cohorts"
    factor, unit = (1.0, "") if main["table"] == HETEROGENEITY else (100.0, "points")
    return _Panel(title, axis, main["table"], factor, unit, tuple(rows))


def _pages(panels: Sequence[_Panel], room: float) -> list[list[_Panel]]:
    """Return the panels of each page."""
    pages: list[list[_Panel]] = [[]]
    used = 0.0
    for panel in panels:
        if pages[-1] and used + panel.height > room:
            pages.append([])
            used = 0.0
        pages[-1].append(panel)
        used += panel.height + APART_MM
    return pages


def _draw(figure: Figure, panel: _Panel, top: float, level: str) -> None:
    write(figure, MARGIN_MM, top, fitted(panel.title, WIDTH_MM, bold=True), weight="bold")
    top += TITLE_MM + HEADINGS_MM
    columns = (
        (MARGIN_MM, "left", ("", "Alternative")),
        (ESTIMATE_MM, "right", ("median", f"({level} interval)")),
        (SHIFT_MM, "right", ("shift,", panel.unit) if panel.unit else ("", "shift")),
        (SDS_MM, "right", ("in posterior", "SDs")),
    )
    write_headings(figure, top, columns)
    axes = row_axes(figure, *PLOT_MM, top, len(panel.rows) * ROW_MM, len(panel.rows))
    shown = [(at + 0.5, row, row.numbers) for at, row in enumerate(panel.rows) if row.numbers is not None]
    _axis(axes, panel, [numbers for _, _, numbers in shown])
    _draw_marks(axes, panel, shown)
    for at, row in enumerate(panel.rows):
        _write_row(axes, at + 0.5, row)


def _axis(axes: "Axes", panel: _Panel, shown: Sequence[Record]) -> None:
    """Scale the horizontal axis to every interval, with ticks at round numbers."""
    least = panel.factor * min(each["low"] for each in shown)
    most = panel.factor * max(each["high"] for each in shown)
    finest = max(most - least, 1e-6) / (MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(finest))
    # Ten times the power of ten below it always exceeds it.
    step = next((times * power for times in (1, 2, 5) if times * power >= finest), 10 * power)
    low, high = step * math.floor(least / step), step * math.ceil(most / step)
    percent_axis(axes, low=low, high=max(high, low + step), step=step)
    if panel.table == CONTRAST:
        axes.xaxis.set_major_formatter(lambda value, _: signed(value, 0 if step >= 1 else 1))
        if low < 0 < high:
            axes.axvline(0, color=GREY, linewidth=0.5, zorder=1)
    axes.set_xlabel(panel.axis)


def _draw_marks(axes: "Axes", panel: _Panel, shown: Sequence[tuple[float, _Row, Record]]) -> None:
    y = np.array([at for at, _, _ in shown])
    low, middle, high = (
        panel.factor * np.array([numbers[name] for _, _, numbers in shown]) for name in ("low", "median", "high")
    )
    axes.axvspan(low[0], high[0], facecolor=BAND, edgecolor="none", zorder=0, gid="main-interval")
    axes.axvline(middle[0], color=GREY, linewidth=0.6, linestyle=DASHES, zorder=1, gid="main")
    left, right = np.minimum(middle, middle[0]), np.maximum(middle, middle[0])
    marks.bars(axes, left[1:], right[1:], y[1:], half=0.34, gid="shift", **SHIFTED)
    marks.intervals(axes, low, high, y, gid="interval", colors=BLUE, linewidths=0.6)
    moved = np.array([bool(numbers.get("moved")) and row.usable for _, row, numbers in shown])
    usable = np.array([row.usable for _, row, _ in shown])
    main = np.arange(len(shown)) == 0
    for chosen, name, look in (
        (usable & (moved | main), "moved", marks.POSTERIOR),
        (usable & ~moved & ~main, "not-moved", OPEN),
        (~usable, "unused", UNUSED),
    ):
        marks.points(axes, middle[chosen], y[chosen], gid=name, s=8, **look)


def _write_row(axes: "Axes", at: float, row: _Row) -> None:
    if row.numbers is None:
        cell(axes, MARGIN_MM, at, row.label, ha="left", weight="bold", fontsize=ROW_PT)
        return
    numbers, bold = row.numbers, bool(row.numbers.get("moved")) and row.usable
    style: Look = {"fontsize": ROW_PT, "weight": "bold" if bold else "normal"}
    indent = 1.5 if row.alternative else 0.0
    name = row.label if row.usable else f"{row.label}, not converged"
    cell(axes, MARGIN_MM + indent, at, fitted(name, NAME_MM, ROW_PT, bold=bold), ha="left", **style)
    cell(axes, ESTIMATE_MM, at, "{} ({})".format(*headline(numbers)), **style)
    if "shift" in numbers:
        cell(axes, SHIFT_MM, at, moved_by(numbers["shift"], numbers["shift_error"], numbers["measure"]), **style)
        cell(axes, SDS_MM, at, signed(numbers["shift_in_sds"], 2), **style)


def _key(alternatives: Sequence[Record], level: str) -> list[tuple["Artist", str]]:
    moved: Look = {"marker": "o", "markersize": 3, "markerfacecolor": BLUE, "markeredgewidth": 0}
    still: Look = {"marker": "o", "markersize": 3, "markerfacecolor": "white", "markeredgewidth": 0.6}
    cross: Look = {"marker": "x", "markersize": 3, "markeredgewidth": 0.7}
    failed = [(key_line(color=GREY, linewidth=0, **cross), "not converged, not to be used")]
    return [
        (key_line(color=BLUE, linewidth=0.6, **moved), f"median, {level} credible interval; moved, or main fit"),
        (key_line(color=BLUE, linewidth=0.6, **still), "not moved"),
        *(failed if any(each["status"] == Status.NOT_CONVERGED for each in alternatives) else []),
        (key_bar(**SHIFTED), "shift of the median"),
        (key_bar(facecolor=BAND, edgecolor=GREY, linewidth=0.3), "main fit's interval"),
    ]


def _failed(alternatives: Sequence[Record]) -> list[str]:
    """Return a sentence on alternatives that could not be fitted."""
    names = [each["alternative"] for each in alternatives if each["status"] == Status.FAILED]
    return [f"Could not be fitted: {', '.join(names)}; `alkbayes sensitivity` says why."] if names else []
