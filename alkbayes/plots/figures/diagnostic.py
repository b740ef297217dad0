"""Classical plots of single cohorts: funnel plot and Baujat plot."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

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
    percent_axis,
    place_axes,
    text_mm,
    title_lines,
    write_foot,
    write_head,
    write_key,
)
from alkbayes.plots.page.marks import in_percent
from alkbayes.plots.page.style import BLUE, GREY, INK, NO_CAPTION, SINGLE_MM, SMALL_PT, Caption, styled
from alkbayes.text.wording import capitalised

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

type Array = NDArray[np.float64]

SIDE_MM = 66.0
LEFT_MM = 13.0
AXIS_MM = 7.5
SIZES = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
CHANCE, ALL = (0, (4, 2)), (0, (1, 1.5))
LABELLED = 8
NAME_MM = 34.0
FUNNEL_READING = (
    "Curves hold {level} of observed rates. Single arms have no null value: asymmetry is weak evidence of missing "
    "cohorts."
)
BAUJAT_READING = (
    "To the right: cohorts far from the pooled logit. Upwards: cohorts whose removal moves it. As metafor; Baujat et "
    "al. 2002, doi:10.1002/sim.1221. The {labelled} with the largest product of both are named, where there is room."
)


@styled
def funnel(
    cohorts: pd.DataFrame, *, pooled: float, tau2: float, method: str, caption: Caption = NO_CAPTION
) -> list[Figure]:
    """Draw observed rates over cohort size, one column wide (85 mm).

    The vertical axis, linear in 1 / sqrt(n), is size rather than standard error: a proportion's standard error depends
    on the proportion, which skews a funnel with nothing missing (Hunter et al. 2014,
    doi:10.1016/j.jclinepi.2014.03.003).

    Parameters
    ----------
    cohorts
        Columns responders and n.
    pooled, tau2
        Pooled rate in [0, 1], and between-cohort variance on the logit scale.
    method
        Name of the pooling method.
    caption
        Footnotes and warning.
    """
    n = cohorts["n"].to_numpy(dtype=np.float64)
    notes = foot_lines((FUNNEL_READING.format(level=caption.level), *caption.notes), SINGLE_MM)
    key = [
        (key_line(linewidth=0, marker="o", markersize=3.2, markerfacecolor="white", markeredgewidth=0.6), "cohort"),
        (key_line(linewidth=0.7, color=BLUE), f"pooled, {method}"),
        (key_line(linewidth=0.7, color=GREY, linestyle=CHANCE), f"{caption.level} by chance alone"),
        (key_line(linewidth=0.7, color=GREY, linestyle=ALL), f"{caption.level} with tau"),
    ]
    figure, axes = _square("Funnel plot: observed rate by size of cohort", notes, caption, key)
    percent_axis(axes)
    deepest = 1.06 / np.sqrt(n.min())
    axes.set_ylim(deepest, 0)
    ticks = [size for size in SIZES if 1 / np.sqrt(size) <= deepest]
    # Ticks too close together at the top of the funnel are omitted.
    kept: list[int] = []
    for size in ticks:
        if not kept or 1 / np.sqrt(kept[-1]) - 1 / np.sqrt(size) > deepest * 0.055:
            kept.append(size)
    axes.set_yticks(1 / np.sqrt(np.array(kept, dtype=np.float64)), [f"{size:,}" for size in kept])
    axes.set_xlabel("Observed rate, %")
    axes.set_ylabel(f"{capitalised(caption.outcome.units)} (scale of 1/√n)")
    depth = np.linspace(1e-6, deepest, 200)
    reach = ndtri((1 + caption.interval_prob) / 2)
    variance = depth**2 / (pooled * (1 - pooled))
    for extra, dash, name in ((0.0, CHANCE, "chance"), (tau2, ALL, "all")):
        for sign in (-1, 1):
            rates = expit(logit(pooled) + sign * reach * np.sqrt(variance + extra))
            axes.plot(100 * rates, depth, color=GREY, linewidth=0.7, linestyle=dash, gid=f"{name}{sign:+d}")
    axes.axvline(100 * pooled, color=BLUE, linewidth=0.7, zorder=1)
    observed = in_percent(cohorts["responders"] / cohorts["n"])
    axes.scatter(
        observed,
        1 / np.sqrt(n),
        s=9,
        facecolor="white",
        edgecolor=INK,
        linewidth=0.6,
        zorder=3,
        clip_on=False,
        gid="observed",
    )
    write_foot(figure, notes)
    return [figure]


@styled
def baujat(rows: pd.DataFrame, *, method: str, caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw each cohort's contribution to Q and influence on the pooled result, one column wide (85 mm).

    `rows` has columns left_out, baujat_x and baujat_y of :func:`alkbayes.classical.influence.tables.influence_table`;
    `method` is the name of the pooling method.

    Raises
    ------
    ValueError
        If no row has coordinates.
    """
    shown = rows[np.isfinite(rows["baujat_x"]) & np.isfinite(rows["baujat_y"])]
    if shown.empty:
        raise ValueError("no cohort has Baujat's coordinates")
    x, y = shown["baujat_x"].to_numpy(dtype=np.float64), shown["baujat_y"].to_numpy(dtype=np.float64)
    named = np.argsort(-x * y, kind="stable")[:LABELLED]
    notes = foot_lines((BAUJAT_READING.format(labelled=len(named)), *caption.notes), SINGLE_MM)
    figure, axes = _square(f"Baujat plot: influence of each cohort ({method})", notes, caption, [])
    axes.set_xlim(0, 1.08 * x.max() or 1)
    axes.set_ylim(0, 1.08 * y.max() or 1)
    axes.grid(color="#e4e4e4", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel("Squared Pearson residual")
    axes.set_ylabel("Squared standardised change of the pooled logit")
    axes.scatter(x, y, s=9, facecolor="white", edgecolor=INK, linewidth=0.6, zorder=3, clip_on=False, gid="cohorts")
    _name_points(axes, x, y, named.tolist(), shown["left_out"].astype(str).tolist())
    write_foot(figure, notes)
    return [figure]


def _square(
    title: str, notes: Sequence[str], caption: Caption, key: Sequence[tuple["Artist", str]]
) -> tuple[Figure, "Axes"]:
    """Return a page with square axes, title and key."""
    head, width = head_mm(caption, titles=len(title_lines(title, SINGLE_MM))), SINGLE_MM - 2 * MARGIN_MM
    height = key_mm([text for _, text in key], width) if key else 0.0
    figure = new_page(SINGLE_MM, head + SIDE_MM + AXIS_MM + height + foot_mm(notes))
    write_head(figure, title, caption)
    if key:
        write_key(figure, MARGIN_MM, head + SIDE_MM + AXIS_MM, width, key)
    return figure, place_axes(figure, LEFT_MM, head, SIDE_MM, SIDE_MM)


def _name_points(axes: "Axes", x: Array, y: Array, named: Sequence[int], names: Sequence[str]) -> None:
    """Write names next to points, clear of other names and points and inside the axes."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    at_x, at_y = (x - left) / (right - left) * SIDE_MM, (y - bottom) / (top - bottom) * SIDE_MM
    height, gap = line_mm(SMALL_PT) * 0.9, 1.2
    taken = [(px - 0.6, py - 0.6, px + 0.6, py + 0.6) for px, py in zip(at_x, at_y, strict=True)]
    for place in named:
        name = fitted(names[place], NAME_MM, SMALL_PT)
        width = text_mm(name, SMALL_PT)
        for dx, dy in OFFSETS:
            box_left = at_x[place] + (gap if dx > 0 else -gap - width if dx < 0 else -width / 2)
            box_bottom = at_y[place] + dy * (gap + height / 2) - height / 2
            box = (box_left, box_bottom, box_left + width, box_bottom + height)
            inside = box[0] >= 0.3 and box[1] >= 0.3 and box[2] <= SIDE_MM + 2.5 and box[3] <= SIDE_MM
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                scale_x, scale_y = (right - left) / SIDE_MM, (top - bottom) / SIDE_MM
                axes.text(
                    left + box[0] * scale_x,
                    bottom + (box[1] + height / 2) * scale_y,
                    name,
                    fontsize=SMALL_PT,
                    va="center",
                    color=INK,
                    zorder=4,
                )
                break


OFFSETS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1), (1, 2), (-1, 2), (1, -2), (-1, -2))
"""Candidate offsets of a name from its point, in steps right and up."""


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
