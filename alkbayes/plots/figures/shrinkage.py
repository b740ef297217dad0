"""Observed and shrunk response rates of the cohorts."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from alkbayes.alk.levels import STRATA
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    foot_lines,
    foot_mm,
    head_mm,
    key_line,
    key_mm,
    new_page,
    percent_axis,
    place_axes,
    title_lines,
    write_foot,
    write_head,
    write_key,
)
from alkbayes.plots.page.marks import in_percent
from alkbayes.plots.page.style import GREY, INK, LEVEL_FILLS, LEVEL_MARKERS, NO_CAPTION, SINGLE_MM, Caption, styled

if TYPE_CHECKING:
    from matplotlib.artist import Artist

SIDE_MM = 66.0
LEFT_MM = 13.0
AXIS_MM = 7.5
LARGEST = 30.0
SMALLEST = 3.0
CROWD = 120
"""Number of cohorts above which marks get smaller."""
READING = (
    "Vertical lines are {level} credible intervals of the cohorts' rates; areas are by {units}. On the dashed line, a "
    "rate is as observed; the further from it, the more it is shrunk towards cohorts like it."
)


@styled
def shrinkage(cohorts: pd.DataFrame, caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw each cohort's posterior rate over its observed one, one column wide (85 mm).

    `cohorts` is a :func:`alkbayes.estimates.rates.cohort_table` with rates in [0, 1]; the page is in percent. Markers
    differ by line, if available.
    """
    notes = foot_lines((READING.format(units=caption.outcome.units, level=caption.level), *caption.notes), SINGLE_MM)
    line = STRATA[0]
    levels = caption.outcome.declared.in_order(line, cohorts[line].astype(str)) if line in cohorts else ()
    key = _key(levels)
    texts = [text for _, text in key]
    width = SINGLE_MM - 2 * MARGIN_MM
    title = f"Observed and shrunken {caption.outcome.rate}s"
    head = head_mm(caption, titles=len(title_lines(title, SINGLE_MM)))
    figure = new_page(SINGLE_MM, head + SIDE_MM + AXIS_MM + key_mm(texts, width) + foot_mm(notes))
    write_head(figure, title, caption)
    axes = place_axes(figure, LEFT_MM, head, SIDE_MM, SIDE_MM)
    percent_axis(axes)
    axes.set_ylim(0, 100)
    axes.set_yticks(range(0, 101, 20))
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.4)
    axes.set_xlabel("Observed rate, %")
    axes.set_ylabel("Posterior median of the rate, %")
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=0.6, linestyle=(0, (4, 3)), zorder=1)
    x, low, y, high = (in_percent(cohorts[name]) for name in ("observed", "low", "median", "high"))
    # Hundreds of cohorts need smaller marks and thinner lines than dozens.
    crowding = min(1.0, CROWD / len(cohorts))
    ends = np.stack([np.column_stack([x, low]), np.column_stack([x, high])], axis=1)
    axes.add_collection(
        LineCollection(
            list(ends), colors="#8f9aa3", linewidths=max(0.5 * crowding, 0.15), zorder=2, gid="posterior-interval"
        ),
        autolim=False,
    )
    n = cohorts["n"].to_numpy(dtype=np.float64)
    area = np.maximum(crowding * LARGEST * n / n.max(), SMALLEST)
    for place, level in enumerate(levels or ("",)):
        # The largest first, so that small ones lie on top.
        member = cohorts[line].to_numpy() == level if levels else np.ones(len(cohorts), dtype=bool)
        chosen = np.flatnonzero(member)[np.argsort(-n[member], kind="stable")]
        axes.scatter(
            x[chosen],
            y[chosen],
            s=area[chosen],
            marker=LEVEL_MARKERS[place % len(LEVEL_MARKERS)],
            facecolor=LEVEL_FILLS[place % len(LEVEL_FILLS)],
            edgecolor=INK,
            linewidth=0.4,
            zorder=3,
            clip_on=False,
            gid=f"cohorts-{place}",
        )
    write_key(figure, MARGIN_MM, head + SIDE_MM + AXIS_MM, width, key)
    write_foot(figure, notes)
    return [figure]


def _key(levels: tuple[str, ...]) -> list[tuple["Artist", str]]:
    return [
        (
            key_line(
                linewidth=0,
                marker=LEVEL_MARKERS[place % len(LEVEL_MARKERS)],
                markersize=4,
                markerfacecolor=LEVEL_FILLS[place % len(LEVEL_FILLS)],
                markeredgecolor=INK,
                markeredgewidth=0.4,
            ),
            level,
        )
        for place, level in enumerate(levels)
    ]
