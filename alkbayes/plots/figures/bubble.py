"""Bubble plot of a meta-regression: rates of the cohorts over a numeric moderator, with the fitted curve."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from alkbayes.plots.page.layout import (
    MARGIN_MM,
    fitted,
    foot_lines,
    foot_mm,
    head_mm,
    key_bar,
    key_line,
    key_mm,
    new_page,
    place_axes,
    title_lines,
    write_foot,
    write_head,
    write_key,
)
from alkbayes.plots.page.marks import PREDICTED, in_percent
from alkbayes.plots.page.style import BLUE, INK, LEVEL_FILLS, LEVEL_MARKERS, NO_CAPTION, SINGLE_MM, Caption, styled
from alkbayes.text.wording import capitalised

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

LEFT_MM = 13.0
RIGHT_MM = 4.0
HIGH_MM = 58.0
AXIS_MM = 7.5
LARGEST = 60.0
SMALLEST = 3.0
CROWD = 60
"""Number of cohorts above which bubbles get smaller."""
DASHES = ("-", (0, (5, 2)), (0, (5, 1.5, 1, 1.5)), (0, (1.5, 1.5)))
"""Line styles of the levels' curves in order, so that they differ without colour."""
TOPS = (2, 5, 10, 20, 50, 100)
"""Ends of the vertical axis in percent; the first that has room is used."""
RATES = ("middle", "low", "high", "next_low", "next_high")
BY_LEVEL = "Thin lines are the limits of the {level} prediction interval of the next cohort's rate."


@dataclass(frozen=True, slots=True)
class Bubbles:
    """Cohorts and curves over a numeric moderator.

    Attributes
    ----------
    label
        Name of the moderator.
    by
        Name of the factor that it interacts with, whose levels have a curve each; empty without one.
    levels
        Its levels in order; ("",) without one.
    cohorts
        Columns value, level, observed (rate in [0, 1]) and n.
    curves
        Columns value, level, middle, low, high, next_low and next_high: rate with its interval, and prediction interval
        of the next cohort, in [0, 1]; missing where there is none.
    curve, interval
        The curve, "mean" or "typical", and its interval, "credible" or "confidence".
    notes
        Footnotes before the caption's.
    """

    label: str
    by: str
    levels: tuple[str, ...]
    cohorts: pd.DataFrame
    curves: pd.DataFrame
    curve: str
    interval: str
    notes: tuple[str, ...] = ()


@styled
def bubble(drawn: Bubbles, caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw observed rates over a moderator and the curve fitted to them, one column wide (85 mm).

    Areas are by patients. The page is in percent.
    """
    outcome = caption.outcome
    reading = f"Bubbles are observed {outcome.rate}s, their areas by {outcome.units}."
    parted = BY_LEVEL.format(level=caption.level) if drawn.by and drawn.curves["next_low"].notna().any() else ""
    notes = foot_lines([note for note in (reading, parted, *drawn.notes, *caption.notes) if note], SINGLE_MM)
    key = _key(drawn, caption.level)
    width = SINGLE_MM - 2 * MARGIN_MM
    across = f" and {drawn.by}" if drawn.by else ""
    title = f"{capitalised(outcome.rate)} by {drawn.label}{across}"
    head = head_mm(caption, titles=len(title_lines(title, SINGLE_MM)))
    below = head + HIGH_MM + AXIS_MM
    figure = new_page(SINGLE_MM, below + key_mm([text for _, text in key], width) + foot_mm(notes))
    write_head(figure, title, caption)
    axes = place_axes(figure, LEFT_MM, head, SINGLE_MM - LEFT_MM - RIGHT_MM, HIGH_MM)
    _lay_out(axes, drawn)
    for place, level in enumerate(drawn.levels):
        _curve(axes, drawn, level, place)
        _cohorts(axes, drawn, level, place)
    write_key(figure, MARGIN_MM, below, width, key)
    write_foot(figure, notes)
    return [figure]


def _lay_out(axes: "Axes", drawn: Bubbles) -> None:
    values = np.concatenate([drawn.cohorts["value"], drawn.curves["value"]])
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.10g}".replace("-", "−"))
    highest = max(float(np.nanmax(in_percent(part))) for part in (drawn.cohorts["observed"], drawn.curves[list(RATES)]))
    top = next(end for end in TOPS if highest <= end)
    axes.set_ylim(0, top)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel(fitted(drawn.label, SINGLE_MM - LEFT_MM - RIGHT_MM))
    axes.set_ylabel("Rate, %")


def _colour(place: int) -> str:
    """Return the colour of a level's curve: that of its bubbles, or of their outline if they are white."""
    fill = LEVEL_FILLS[place % len(LEVEL_FILLS)]
    return INK if fill == "white" else fill


def _curve(axes: "Axes", drawn: Bubbles, level: str, place: int) -> None:
    curve = drawn.curves[drawn.curves["level"] == level].sort_values("value")
    x, colour, dashes = curve["value"].to_numpy(), _colour(place), DASHES[place % len(DASHES)]
    middle, low, high, next_low, next_high = (in_percent(curve[name]) for name in RATES)
    if drawn.by:
        for end in (next_low, next_high):
            axes.plot(x, end, color=colour, linewidth=0.35, linestyle=dashes, zorder=2, gid=f"prediction-{place}")
    else:
        axes.fill_between(
            x, next_low, next_high, facecolor=PREDICTED["facecolor"], linewidth=0, zorder=1, gid="prediction-0"
        )
    axes.fill_between(x, low, high, facecolor=colour, alpha=0.22, linewidth=0, zorder=2, gid=f"interval-{place}")
    axes.plot(x, middle, color=colour, linewidth=1.0, linestyle=dashes, zorder=4, gid=f"curve-{place}")


def _cohorts(axes: "Axes", drawn: Bubbles, level: str, place: int) -> None:
    n = drawn.cohorts["n"].to_numpy(dtype=np.float64)
    crowding = min(1.0, CROWD / len(n))
    area = np.maximum(crowding * LARGEST * n / n.max(), SMALLEST)
    # The largest first, so that small ones lie on top.
    member = drawn.cohorts["level"].to_numpy() == level
    chosen = np.flatnonzero(member)[np.argsort(-n[member], kind="stable")]
    axes.scatter(
        drawn.cohorts["value"].to_numpy()[chosen],
        in_percent(drawn.cohorts["observed"])[chosen],
        s=area[chosen],
        marker=LEVEL_MARKERS[place % len(LEVEL_MARKERS)] if drawn.by else "o",
        facecolor=LEVEL_FILLS[place % len(LEVEL_FILLS)] if drawn.by else "white",
        edgecolor=INK,
        linewidth=0.4,
        alpha=0.85,
        zorder=3,
        clip_on=False,
        gid=f"cohorts-{place}",
    )


def _key(drawn: Bubbles, level: str) -> list[tuple["Artist", str]]:
    curve = f"{drawn.curve} rate, {level} {drawn.interval} interval"
    following = f"{level} prediction interval of the next cohort's rate"
    if not drawn.by:
        predicted = [(key_bar(**PREDICTED), following)] if drawn.curves["next_low"].notna().any() else []
        return [(key_line(color=BLUE, linewidth=1.0), curve), *predicted]
    levels: list[tuple[Artist, str]] = [
        (
            key_line(
                color=_colour(place),
                linewidth=1.0,
                linestyle=DASHES[place % len(DASHES)],
                marker=LEVEL_MARKERS[place % len(LEVEL_MARKERS)],
                markersize=4,
                markerfacecolor=LEVEL_FILLS[place % len(LEVEL_FILLS)],
                markeredgecolor=INK,
                markeredgewidth=0.4,
            ),
            name,
        )
        for place, name in enumerate(drawn.levels)
    ]
    return [*levels, (key_bar(facecolor=INK, alpha=0.22, linewidth=0), curve)]
