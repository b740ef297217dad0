"""Marks of figures with stacked rows: intervals, markers, diamonds and bars."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from numpy.typing import ArrayLike, NDArray

from alkbayes.plots.page.layout import key_bar
from alkbayes.plots.page.style import BAR, BLUE, GREY, INK, Look
from alkbayes.text.json import records
from alkbayes.vocabulary import Estimand

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

type Pooled = Mapping[tuple[str, str, str], Mapping[str, Any]]
"""Rows of a table of pooled rates by group, level and estimand."""
type Array = NDArray[np.float64]

FILLED: Look = {"facecolor": INK, "edgecolor": INK, "linewidth": 0.5}
OPEN: Look = {"facecolor": "white", "edgecolor": INK, "linewidth": 0.6}
PREDICTED: Look = {"facecolor": BAR, "edgecolor": "#8796a3", "linewidth": 0.4}
OBSERVED: Look = {"marker": "s", "facecolor": "white", "edgecolor": INK, "linewidth": 0.5}
POSTERIOR: Look = {"marker": "o", "facecolor": BLUE, "edgecolor": BLUE, "linewidth": 0.0}
"""Consistent marks in all figures: observed rates square and open, posterior rates round and filled, `typical` a filled
diamond, `mean` an open one, and the next cohort's prediction interval a bar."""


DOTS = (0, (1, 1.5))
ARROW: Look = {"facecolor": GREY, "edgecolor": GREY, "s": 6.0, "linewidth": 0.0}

SHOWN = (Estimand.TYPICAL, Estimand.MEAN, Estimand.NEXT_COHORT)


def intervals(axes: "Axes", low: ArrayLike, high: ArrayLike, y: ArrayLike, *, gid: str, **style: Any) -> None:
    """Draw horizontal intervals, shapes (row,), in axis units; rows without limits are skipped."""
    rows = np.column_stack([np.asarray(column, dtype=np.float64) for column in (low, y, high, y)])
    rows = rows[np.isfinite(rows).all(axis=1)]
    look: Look = {"colors": INK, "linewidths": 0.6, "zorder": 3} | style
    axes.add_collection(LineCollection(list(rows.reshape(-1, 2, 2)), gid=gid, **look), autolim=False)


def points(axes: "Axes", x: ArrayLike, y: ArrayLike, *, gid: str, **style: Any) -> None:
    """Draw markers, shapes (row,), in axis units."""
    # A rate of 100 % has half its marker outside.
    look: Look = {"s": 5.0, "zorder": 4, "clip_on": False} | style
    axes.scatter(x, y, gid=gid, **look)


def diamonds(
    axes: "Axes",
    low: ArrayLike,
    middle: ArrayLike,
    high: ArrayLike,
    y: ArrayLike,
    *,
    half: float,
    gid: str,
    **style: Any,
) -> None:
    """Draw diamonds from `low` over `middle` to `high`, shapes (row,), extending `half` above and below."""
    left, centre, right, height = (np.asarray(column, dtype=np.float64) for column in (low, middle, high, y))
    corners = np.stack(
        [
            np.stack([left, height], axis=-1),
            np.stack([centre, height + half], axis=-1),
            np.stack([right, height], axis=-1),
            np.stack([centre, height - half], axis=-1),
        ],
        axis=1,
    )
    look: Look = {"zorder": 5} | style
    axes.add_collection(PolyCollection(list(corners), gid=gid, **look), autolim=False)


def bars(axes: "Axes", low: ArrayLike, high: ArrayLike, y: ArrayLike, *, half: float, gid: str, **style: Any) -> None:
    """Draw bars from `low` to `high`, shapes (row,), extending `half` above and below."""
    rows = zip(*(np.asarray(column, dtype=np.float64).tolist() for column in (low, high, y)), strict=True)
    corners = [
        [(left, at - half), (left, at + half), (right, at + half), (right, at - half)] for left, right, at in rows
    ]
    look: Look = {"zorder": 2} | PREDICTED | style
    axes.add_collection(PolyCollection(corners, gid=gid, **look), autolim=False)


def beyond(axes: "Axes", low: ArrayLike, high: ArrayLike, y: ArrayLike) -> None:
    """Draw an arrow at the edge of the axis for each interval that goes on beyond it, shapes (row,), in axis units."""
    first, last = axes.get_xlim()
    left, right, at = (np.asarray(column, dtype=np.float64) for column in (low, high, y))
    for outside, edge, marker in ((left < first, first, "<"), (right > last, last, ">")):
        points(axes, np.full(outside.sum(), edge), at[outside], gid="beyond", marker=marker, **ARROW)


def within(axes: "Axes", x: ArrayLike) -> NDArray[np.bool_]:
    """Return whether points are on the axis: others would lie on the text beside it."""
    first, last = axes.get_xlim()
    values = np.asarray(x, dtype=np.float64)
    return (values >= first) & (values <= last)


def beyond_key() -> tuple["Artist", str]:
    """Return the key of :func:`beyond`."""
    return Line2D([0], [0], color=GREY, marker=">", markersize=2.5, linestyle="none"), "goes on beyond the axis"


def reference_key(rate: float) -> tuple["Artist", str]:
    """Return the key of a line at a reference rate, in percent."""
    return Line2D([0, 0], [-1, 1], color=INK, linewidth=0.7, linestyle=DOTS), f"reference, {rate:g} %"


def reference(axes: "Axes", rate: float | None) -> None:
    """Draw a line at a reference rate, in percent, if there is one on the axis."""
    if rate is not None and within(axes, rate):
        axes.axvline(rate, color=INK, linewidth=0.7, linestyle=DOTS, zorder=1, gid="reference")


def by_group(pooled: "pd.DataFrame") -> Pooled:
    """Return the rows of a table of pooled rates by their key."""
    return {(row["group"], row["level"], row["estimand"]): row for row in records(pooled)}


def summary_rows(pooled: Pooled, places: Sequence[tuple[str, str]]) -> dict[Estimand, list[Mapping[str, Any]]]:
    """Return the rows of the three displayed estimands for each (group, level)."""
    return {estimand: [pooled[group, level, estimand] for group, level in places] for estimand in SHOWN}


def summaries(
    axes: "Axes", rows: Mapping[Estimand, Sequence[Mapping[str, Any]]], y: Sequence[float], *, unit: float = 100.0
) -> None:
    """Draw pooled numbers: the prediction interval as a bar, over it the diamonds of `typical` and, below, `mean`.

    Each takes two units of the downward vertical axis around its `y`. `unit` scales the table to the horizontal axis:
    by default proportions to percent.
    """
    at = np.asarray(y, dtype=np.float64)

    def column(estimand: Estimand, name: str) -> Array:
        return unit * np.array([row[name] for row in rows[estimand]], dtype=np.float64)

    following = Estimand.NEXT_COHORT
    bars(axes, column(following, "low"), column(following, "high"), at, half=0.34, gid="prediction")
    for estimand, offset, look in ((Estimand.TYPICAL, -0.46, FILLED), (Estimand.MEAN, 0.46, OPEN)):
        low, middle, high = (column(estimand, name) for name in ("low", "median", "high"))
        diamonds(axes, low, middle, high, at + offset, half=0.42, gid=str(estimand), **look)


def summary_key(
    level: str, *, following: str = "the next cohort's rate", of: str = "cohort"
) -> list[tuple["Artist", str]]:
    """Return the key of :func:`summaries`.

    `level` is the probability of the intervals as text, `following` what the bars predict, and `of` the unit.
    """
    return [
        (key_diamond(**FILLED), f"typical {of}, {level} credible interval"),
        (key_diamond(**OPEN), f"mean over {of}s, {level} credible interval"),
        (key_bar(**PREDICTED), f"{level} prediction interval of {following}"),
    ]


def key_diamond(half_width: float = 2.4, half_height: float = 0.8, **style: Any) -> Polygon:
    """Return a diamond for a key, in mm from its middle."""
    return Polygon([(-half_width, 0), (0, half_height), (half_width, 0), (0, -half_height)], closed=True, **style)


def in_percent(values: Sequence[float] | Any) -> Array:
    """Return proportions as percent."""
    return 100 * np.asarray(values, dtype=np.float64)
