"""Marks of judgements: a coloured shape with a symbol in it, so that colour alone tells nothing."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from alkbayes.appraisal.judgements import Appraisal
from alkbayes.appraisal.tools import OVERALL, Domain, Judgement
from alkbayes.plots.page.layout import PT_MM, beside
from alkbayes.plots.page.style import GREY, INK, Look

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

MARKERS = {"circle": "o", "square": "s", "diamond": "D", "octagon": "8", "hexagon": "h", "triangle": "^"}
SMALLER = {"D": 0.82, "s": 0.9}
"""Size of markers whose corners reach farther than a circle of the same size."""
NO_JUDGEMENT = "·"
"""Mark of an empty cell."""
LEAST_LIGHT = 0.35
"""Luminance of a colour below which its symbol is white."""


def domain_name(place: int, domain: Domain, overall: str = "Overall") -> str:
    """Return what a domain's column is called: `D1` and so on, or `overall`."""
    return overall if domain.name == OVERALL else f"D{place + 1}"


def domain_note(appraisal: Appraisal, overall: str = "Overall") -> str:
    """Return what the names of the domains' columns mean, in a sentence."""
    named = [(domain_name(place, domain, overall), domain.label) for place, domain in enumerate(appraisal.domains)]
    return f"{'; '.join(f'{name}: {label}' for name, label in named if name != label)}."


def draw_lights(
    axes: "Axes", at: Sequence[float], y: float, row: Sequence[Judgement | None], *, size: float, symbol: float
) -> None:
    """Draw the judgements of a cohort, `at` mm from the left edge of the page and centred at data `y`.

    `size` is the diameter of a mark in mm, `symbol` the type size in points.
    """
    for x, judged in zip(at, row, strict=True):
        look: Look = {
            "ha": "center",
            "va": "center_baseline",
            "transform": beside(axes),
            "fontsize": symbol,
            "zorder": 4,
        }
        if judged is None:
            axes.text(x, y, NO_JUDGEMENT, color=GREY, clip_on=False, **look)
            continue
        marker = MARKERS[judged.shape]
        axes.plot(
            [x],
            [y],
            transform=beside(axes),
            clip_on=False,
            linestyle="none",
            marker=marker,
            markersize=size / PT_MM * SMALLER.get(marker, 1.0),
            markerfacecolor=judged.colour,
            markeredgecolor=INK,
            markeredgewidth=0.35,
            zorder=3,
            gid=f"judgement-{judged.label}",
        )
        axes.text(x, y, judged.symbol, color=ink_on(judged.colour), weight="bold", clip_on=False, **look)


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
            Line2D(
                [0],
                [0],
                linestyle="none",
                marker=MARKERS[choice.shape],
                markersize=5.5,
                markerfacecolor=choice.colour,
                markeredgecolor=INK,
                markeredgewidth=0.35,
            ),
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
