"""Calibration of predictions: PIT values of the cohorts' rates in a simultaneous band."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from arviz_stats.ecdf_utils import ecdf_pit
from matplotlib.figure import Figure
from numpy.typing import NDArray

from alkbayes.criticism.predictive import LEAST_COHORTS, Kind
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    foot_lines,
    foot_mm,
    head_mm,
    key_bar,
    key_line,
    key_mm,
    line_mm,
    new_page,
    place_axes,
    write,
    write_foot,
    write_head,
    write_key,
)
from alkbayes.plots.page.style import BAR, BLUE, DOUBLE_MM, GREY, NO_CAPTION, TEXT_PT, Caption, styled
from alkbayes.text.wording import counted, p_equals
from alkbayes.vocabulary import INTERVAL_PROB

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

SIDE_MM = 70.0
LEFT_MM = (13.0, 103.0)
AXIS_MM = 7.5
HEADING_MM = 2 * line_mm(TEXT_PT) + 1.0
SIMULATIONS = 2000
SEED = 214
TITLES = {
    Kind.NEW: "New cohorts with these profiles",
    Kind.SAME: "The same cohorts again, each at its own rate",
}
DIAGONAL = (0, (4, 3))
READING = (
    "PIT value: predictive probability of a lower rate than observed, with a random share of that of the same rate. If "
    "the model is right, the curve of new cohorts follows the dashed line, and stays in the band all along in 95 of "
    "100 tables. Steep in the middle: predictions are too wide; flat there: too narrow; all above: too high; all "
    "below: too low."
)


@styled
def calibration(
    pit: Mapping[str, NDArray[np.float64]], uniform: Mapping[str, float | None], caption: Caption = NO_CAPTION
) -> list[Figure]:
    """Draw the distribution of the cohorts' PIT values in its simultaneous 95 % band, two columns wide (180 mm).

    The band (Säilynoja, Bürkner and Vehtari 2022, doi:10.1007/s11222-022-10090-6; by ArviZ) holds the whole curve of as
    many independent uniform values with probability 95 %. `pit`, shape (cohort,), and the p-values `uniform` are those
    of :class:`alkbayes.criticism.predictive.PosteriorChecks`, by kind.

    Raises
    ------
    ValueError
        If there are fewer cohorts than :data:`alkbayes.criticism.predictive.LEAST_COHORTS`.
    """
    count = len(pit[Kind.NEW])
    if count < LEAST_COHORTS:
        raise ValueError(f"{count} PIT values tell too little of their distribution")
    notes = foot_lines((READING, *caption.notes), DOUBLE_MM)
    key: list[tuple[Artist, str]] = [
        (key_line(color=BLUE, linewidth=0.9), "cohorts"),
        (key_line(color=GREY, linewidth=0.6, linestyle=DIAGONAL), "uniform"),
        (key_bar(facecolor=BAR, edgecolor="none"), "95 % band, simultaneous"),
    ]
    width = DOUBLE_MM - 2 * MARGIN_MM
    top = head_mm(caption) + HEADING_MM
    key_top = top + SIDE_MM + AXIS_MM
    figure = new_page(DOUBLE_MM, key_top + key_mm([text for _, text in key], width) + foot_mm(notes))
    write_head(figure, f"Calibration over {counted(count, 'cohort')}", caption)
    for left, kind in zip(LEFT_MM, (Kind.NEW, Kind.SAME), strict=True):
        write(figure, left, head_mm(caption), TITLES[kind], weight="bold")
        write(figure, left, head_mm(caption) + line_mm(TEXT_PT), _judged(kind, uniform[kind]), color=GREY)
        axes = place_axes(figure, left, top, SIDE_MM, SIDE_MM)
        _draw(axes, pit[kind], kind)
    write_key(figure, MARGIN_MM, key_top, width, key)
    write_foot(figure, notes)
    return [figure]


def _draw(axes: "Axes", pit: NDArray[np.float64], kind: Kind) -> None:
    places, share, low, high = ecdf_pit(pit, INTERVAL_PROB, SIMULATIONS, rng=np.random.default_rng(SEED))
    axes.fill_between(places, low, high, step="mid", color=BAR, linewidth=0, zorder=1, gid=f"band-{kind}")
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.6, linestyle=DIAGONAL, zorder=2)
    axes.step(places, share, where="mid", color=BLUE, linewidth=0.9, zorder=3, gid=f"cohorts-{kind}")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(np.linspace(0, 1, 6), [f"{tick:g}" for tick in np.linspace(0, 1, 6).round(1)])
    axes.grid(color="#e4e4e4", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel("PIT value")
    axes.set_ylabel("Share of cohorts with a smaller one")


def _judged(kind: Kind, p: float | None) -> str:
    """Return the verdict of the uniformity test."""
    if kind is Kind.SAME or p is None:
        return "nearer to the middle than uniform by construction: no test"
    return f"uniformity: {p_equals(p)}"
