"""Marks of judgements: a coloured shape with a symbol in it, so that colour alone tells nothing."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from alkbayes.appraisal.judgements import Appraisal
from alkbayes.appraisal.tools import Judgement
from alkbayes.plots.page.layout import PT_MM, beside
from alkbayes.plots.page.style import GREY, INK, Look
from alkbayes.text.names import plain

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

MARKERS = {"circle": "o", "square": "s", "diamond": "D", "octagon": "8", "hexagon": "h", "triangle": "^"}
SMALLER = {"diamond": 0.82, "square": 0.9}
"""Relative size of marks whose corners reach farther than a circle of the same size."""
NO_JUDGEMENT = "·"
"""Mark of an empty cell."""
LEAST_LIGHT = 0.35
"""Luminance of a colour below which its symbol is white."""


def draw_lights(
    axes: "Axes",
    at: Sequence[float],
    rows: Sequence[tuple[float, Sequence[Judgement | None]]],
    *,
    size: float,
    symbol: float,
) -> None:
    """Draw the judgements of cohorts.

    Parameters
    ----------
    axes
        Of the page.
    at
        Middle of each domain's column, in mm from the left edge of the page.
    rows
        Of each cohort its place in data units, and its judgement of each domain.
    size, symbol
        Diameter of a mark in mm, and type size of its symbol in points.
    """
    transform = beside(axes)
    marks: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for y, row in rows:
        for x, judged in zip(at, row, strict=True):
            text, ink, weight = NO_JUDGEMENT, GREY, "normal"
            if judged is not None:
                text, ink, weight = judged.symbol, ink_on(judged.colour), "bold"
                marks.setdefault((judged.label, judged.shape, judged.colour), []).append((x, y))
            axes.text(
                x,
                y,
                text,
                color=ink,
                weight=weight,
                ha="center",
                va="center_baseline",
                fontsize=symbol,
                transform=transform,
                clip_on=False,
                zorder=4,
            )
    for (label, shape, colour), places in marks.items():
        axes.plot(
            *zip(*places, strict=True),
            transform=transform,
            clip_on=False,
            linestyle="none",
            markersize=size / PT_MM * SMALLER.get(shape, 1.0),
            gid=f"judgement-{plain(label)}",
            zorder=3,
            **_look(shape, colour),
        )


def _look(shape: str, colour: str) -> Look:
    return {
        "marker": MARKERS[shape],
        "markerfacecolor": colour,
        "markeredgecolor": INK,
        "markeredgewidth": 0.35,
    }


def ink_on(colour: str) -> str:
    """Return the colour of text on a colour, by its luminance (ITU-R BT.709, without gamma)."""
    red, green, blue = to_rgb(colour)
    return INK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > LEAST_LIGHT else "white"


def lights_key(appraisal: Appraisal, blank: "Artist | None" = None) -> "list[tuple[Artist, str]]":
    """Return the marks of the judgements with their meanings, each once, and that of an empty cell if there is one.

    `blank` is the mark of an empty cell, if it is no point.
    """
    entries: list[tuple[Artist, str]] = [
        (
            Line2D([0], [0], linestyle="none", markersize=5.5, **_look(choice.shape, choice.colour)),
            f"{choice.symbol} {choice.label}",
        )
        for choice in _used(appraisal)
    ]
    if any(judged is None for row in appraisal.cells for judged in row):
        point = Line2D([0], [0], linestyle="none", marker=".", markersize=1.5, color=GREY)
        entries.append((blank or point, appraisal.tool.missing))
    return entries


def _used(appraisal: Appraisal) -> Iterator[Judgement]:
    """Yield the judgements that the domains may have, each symbol and label once."""
    seen = set()
    for domain in appraisal.domains:
        for choice in appraisal.tool.judgements_of(domain):
            if (choice.symbol, choice.label) not in seen:
                seen.add((choice.symbol, choice.label))
                yield choice
