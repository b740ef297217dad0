"""Benefit beside harm: the response rate of cohorts over their rate of an adverse event, both with their intervals."""

from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from alkbayes.alk.levels import RESULT_NAMES
from alkbayes.analyses.safety import BESIDE
from alkbayes.evidence.adverse_events import MEASURE, measure_words
from alkbayes.plots.page.forest_rows import group_name
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    fitted,
    foot_lines,
    foot_mm,
    head_mm,
    key_line,
    key_mm,
    line_mm,
    new_page,
    place_axes,
    text_mm,
    title_lines,
    write,
    write_foot,
    write_head,
    write_key,
)
from alkbayes.plots.page.marks import in_percent
from alkbayes.plots.page.style import (
    DOUBLE_MM,
    GREY,
    INK,
    LEVEL_FILLS,
    LEVEL_MARKERS,
    NO_CAPTION,
    SINGLE_MM,
    SMALL_PT,
    Caption,
    estimate,
    styled,
)
from alkbayes.presentation.safety import beside_name
from alkbayes.text.json import records
from alkbayes.text.wording import capitalised
from alkbayes.vocabulary import in_order

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

LEFT_MM = 13.0
GAP_MM = 17.0
HIGH_MM = 62.0
AXIS_MM = 9.0
NUMBER_MM = 4.0
"""Width of the number before a name."""
TOPS = (10, 20, 30, 50, 75, 100)
"""Ends of the horizontal axis in percent; the first that has room for every limit is used."""
MOST_LISTED = 40
COLUMNS = {label: column for column, label in RESULT_NAMES.items()}
"""Columns by their names in results."""
READING = (
    "A cross is a cohort, or several counted together: its bars are the exact {level} confidence intervals of its own "
    "two counts. Up is more benefit, left is less harm. Cohorts are not randomised between agents, and differ in "
    "history and follow-up."
)


@styled
def benefit_beside_harm(benefit: pd.DataFrame, by: str = "", caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw response over harm, a panel for each measure: one or two columns wide (85 or 180 mm).

    Parameters
    ----------
    benefit
        As of :class:`alkbayes.analyses.safety.Safety`; proportions in [0, 1], the page is in percent.
    by
        Name in results of the column whose levels the marks tell apart; empty for none.
    """
    levels = in_order(COLUMNS.get(by, by), benefit["level"])
    panels = [(name, benefit[benefit[MEASURE] == name]) for name in BESIDE if (benefit[MEASURE] == name).any()]
    page_mm = DOUBLE_MM if len(panels) > 1 else SINGLE_MM
    notes = foot_lines([READING.format(level=caption.level), *caption.notes], page_mm)
    gaps = LEFT_MM + 2 * MARGIN_MM + (GAP_MM if len(panels) > 1 else 0.0)
    width = (page_mm - gaps) / max(1, len(panels))
    key = _key(by, levels) if len(levels) > 1 else []
    listed = max((min(len(rows), MOST_LISTED + 1) for _, rows in panels), default=1)
    title = f"{caption.outcome.title} beside harm"
    head = head_mm(caption, titles=len(title_lines(title, page_mm)))
    below = head + HIGH_MM + AXIS_MM
    key_top = below + (listed + 1) * line_mm(SMALL_PT) + 2.0
    key_height = key_mm([text for _, text in key], page_mm - 2 * MARGIN_MM) if key else 0.0
    figure = new_page(page_mm, key_top + key_height + foot_mm(notes))
    write_head(figure, title, caption)
    for place, (measure, rows) in enumerate(panels):
        left = LEFT_MM + place * (width + GAP_MM)
        axes = place_axes(figure, left, head, width, HIGH_MM)
        ordered = rows.sort_values(["agent", "trial"]).reset_index(drop=True)
        _panel(axes, measure, ordered, levels, caption)
        _list(figure, left - LEFT_MM + MARGIN_MM, below, width + LEFT_MM - MARGIN_MM, ordered, caption)
    if not panels:
        write(figure, LEFT_MM, head, "No cohort of the table has a count of both.", color=GREY)
    write_key(figure, MARGIN_MM, key_top, page_mm - 2 * MARGIN_MM, key)
    write_foot(figure, notes)
    return [figure]


def _panel(axes: "Axes", measure: str, rows: pd.DataFrame, levels: tuple[str, ...], caption: Caption) -> None:
    """Draw the crosses of a measure, each with its number in the list below."""
    highest = float(in_percent(rows["harm_high"]).max())
    axes.set_xlim(0, next(end for end in TOPS if highest <= end))
    axes.set_ylim(0, 100)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(color="#e4e4e4", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel(f"{capitalised(measure_words(measure))}, %")
    axes.set_ylabel(f"{caption.outcome.title}, %")
    for number, row in enumerate(records(rows), 1):
        x, y = 100 * row["harm"], 100 * row["response"]
        ends = {name: 100 * row[name] for name in ("harm_low", "harm_high", "response_low", "response_high")}
        axes.plot([ends["harm_low"], ends["harm_high"]], [y, y], color=INK, linewidth=0.6, gid=f"harm-{number}")
        axes.plot(
            [x, x], [ends["response_low"], ends["response_high"]], color=INK, linewidth=0.6, gid=f"response-{number}"
        )
        axes.scatter(
            [x], [y], s=16, edgecolor=INK, linewidth=0.5, zorder=3, gid="cohort", **_look(levels, row["level"])
        )
        axes.annotate(
            str(number),
            (x, y),
            xytext=(2.6, 2.2),
            textcoords="offset points",
            fontsize=SMALL_PT,
            weight="bold",
            zorder=4,
            path_effects=[withStroke(linewidth=1.2, foreground="white")],
        )


def _list(figure: Figure, left: float, top: float, width: float, rows: pd.DataFrame, caption: Caption) -> None:
    """Write what the numbers of a panel stand for."""
    heading = f"{caption.outcome.short}; harm, % ({caption.level} interval)"
    write(figure, left + width, top, heading, fontsize=SMALL_PT, ha="right", color=GREY)
    y = top + line_mm(SMALL_PT)
    for number, row in enumerate(records(rows.iloc[:MOST_LISTED]), 1):
        numbers = (
            f"{estimate(row['response'], row['response_low'], row['response_high'])}; "
            f"{estimate(row['harm'], row['harm_low'], row['harm_high'])}"
        )
        write(figure, left, y, str(number), fontsize=SMALL_PT, weight="bold")
        room = width - NUMBER_MM - text_mm(numbers, SMALL_PT) - MARGIN_MM
        write(figure, left + NUMBER_MM, y, fitted(beside_name(row), room, SMALL_PT), fontsize=SMALL_PT)
        write(figure, left + width, y, numbers, fontsize=SMALL_PT, ha="right")
        y += line_mm(SMALL_PT)
    if len(rows) > MOST_LISTED:
        more = f"… and {len(rows) - MOST_LISTED} more, which `alkbayes safety` prints."
        write(figure, left, y, more, fontsize=SMALL_PT, color=GREY)


def _look(levels: tuple[str, ...], level: str) -> dict[str, Any]:
    place = levels.index(level)
    return {
        "marker": LEVEL_MARKERS[place % len(LEVEL_MARKERS)],
        "facecolor": LEVEL_FILLS[place % len(LEVEL_FILLS)],
    }


def _key(by: str, levels: tuple[str, ...]) -> list[tuple["Artist", str]]:
    """Return the marks of the levels."""
    return [
        (
            key_line(
                linewidth=0.6,
                marker=LEVEL_MARKERS[place % len(LEVEL_MARKERS)],
                markersize=4,
                markerfacecolor=LEVEL_FILLS[place % len(LEVEL_FILLS)],
                markeredgecolor=INK,
                markeredgewidth=0.5,
            ),
            group_name(by, level) if level else "(several, or not given)",
        )
        for place, level in enumerate(levels)
    ]
