"""Prior and posterior of the heterogeneity."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

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
    write_foot,
    write_head,
    write_key,
)
from alkbayes.plots.page.marks import FILLED
from alkbayes.plots.page.style import BLUE, DOUBLE_MM, INK, NO_CAPTION, TEXT_PT, Caption, styled
from alkbayes.text.json import records
from alkbayes.text.names import GROUP_TITLES, column_title, several
from alkbayes.text.wording import size_text
from alkbayes.vocabulary import TOTAL, slug_of

type Array = NDArray[np.float64]

ACROSS = 4
PANEL_MM = 37.0
PANEL_HEIGHT_MM = 30.0
LEFT_MM = 8.0
GAP_MM = 6.8
BELOW_MM = 18.0
BINS = 36
FILL = "#a9c7de"
NAMES = {
    "tau_total": "all heterogeneity together",
    "rho": "intraclass correlation",
}


@styled
def heterogeneity(
    prior: Mapping[str, Array],
    posterior: Mapping[str, Array],
    table: pd.DataFrame,
    caption: Caption = NO_CAPTION,
    *,
    headings: Mapping[str, str] | None = None,
) -> list[Figure]:
    """Draw prior and posterior of each standard deviation, two columns wide (180 mm).

    `prior` and `posterior` map parameters to draws of any shape, SDs on the logit scale; those without prior draws are
    omitted. The :func:`alkbayes.estimates.rates.heterogeneity_table` gives the medians and limits marked.
    `headings` are those of columns by their part of a parameter's name, where not made of that.

    Raises
    ------
    ValueError
        If no parameter has both.
    """
    names = [name for name in posterior if name in prior]
    if not names:
        raise ValueError("there is no heterogeneity to draw")
    rows = -(-len(names) // ACROSS)
    notes = foot_lines(caption.notes, DOUBLE_MM)
    key = [
        (key_line(color=INK, linewidth=0.8, linestyle=(0, (4, 2))), "prior"),
        (key_bar(facecolor=FILL, edgecolor=BLUE), "posterior"),
        (
            key_line(linewidth=1.0, marker="D", markersize=3, markerfacecolor=INK, markeredgewidth=0),
            f"posterior median and {caption.level} credible interval",
        ),
    ]
    texts = [text for _, text in key]
    width = DOUBLE_MM - 2 * MARGIN_MM
    head = head_mm(caption) + 5.0
    body = rows * (PANEL_HEIGHT_MM + BELOW_MM) - 9.0
    figure = new_page(DOUBLE_MM, head + body + key_mm(texts, width) + foot_mm(notes))
    write_head(figure, "Heterogeneity between cohorts: prior and posterior", caption)
    summaries = {row["parameter"]: row for row in records(table)}
    for place, name in enumerate(names):
        left = LEFT_MM + (place % ACROSS) * (PANEL_MM + GAP_MM)
        axes = place_axes(
            figure, left, head + (place // ACROSS) * (PANEL_HEIGHT_MM + BELOW_MM), PANEL_MM, PANEL_HEIGHT_MM
        )
        before, after = prior[name].ravel(), posterior[name].ravel()
        # The posterior without its extreme draws, and the bulk of the prior.
        most = float(max(np.quantile(after, 0.999), min(np.quantile(before, 0.975), 3 * np.quantile(after, 0.975))))
        edges = np.linspace(0.0, most, BINS + 1)
        heights = [np.histogram(draws, edges)[0] / (draws.size * (edges[1] - edges[0])) for draws in (before, after)]
        axes.stairs(
            heights[1], edges, fill=True, facecolor=FILL, edgecolor=BLUE, linewidth=0.5, gid=f"posterior-{name}"
        )
        middles = (edges[1:] + edges[:-1]) / 2
        axes.plot(middles, heights[0], color=INK, linewidth=0.8, linestyle=(0, (4, 2)), gid=f"prior-{name}")
        top = 1.22 * max(float(height.max()) for height in heights)
        axes.set_xlim(0, most)
        axes.set_ylim(0, top)
        axes.set_yticks([])
        row, y = summaries[name], 0.94 * top
        axes.plot([row["low"], row["high"]], [y, y], color=INK, linewidth=1.0, gid=f"interval-{name}")
        axes.scatter([row["median"]], [y], s=9, marker="D", gid=f"median-{name}", zorder=4, **FILLED)
        axes.set_title(
            f"{fitted(title_of(name, names, headings), PANEL_MM)}\n{size_text(row)}",
            fontsize=TEXT_PT,
            loc="left",
            pad=2,
        )
        axes.set_xlabel({"rho": "correlation", "spread": "SD of logs"}.get(name.split("_")[0], "SD on the logit scale"))
        if place % ACROSS == 0:
            axes.set_ylabel("density")
    write_key(figure, MARGIN_MM, head + body, width, key)
    write_foot(figure, notes)
    return [figure]


def title_of(name: str, names: Iterable[str] = (), headings: Mapping[str, str] | None = None) -> str:
    """Return the panel title of a parameter; `names` are those of all parameters of its model."""
    if name in NAMES:
        return NAMES[name]
    kind, _, label = name.partition("_")
    headings = headings or {}
    slug, _, level = label.rstrip("]").partition("[")
    heading = headings.get(slug, slug.replace("_", " "))
    if kind == "spread":
        return f"SD of log tau between {several(heading)}"
    if kind == "tau" and level:
        return f"between {several(heading)}, {level}"
    if kind == "tau":
        others = (other.removeprefix("tau_") for other in names if other.startswith("tau_") and "[" not in other)
        unit = next((other for other in others if other not in ("cohort", TOTAL)), None)
        nested = (
            f" of one {headings.get(unit, unit.replace('_', ' '))}" if slug == "cohort" and unit is not None else ""
        )
        return f"between {several(heading)}{nested}"
    # A parameter's name replaces the colon of a group by an underscore.
    group = next((group for group in GROUP_TITLES if slug_of(group) == label), None)
    if group is None:
        return f"between levels of {heading}"
    # An interaction's name is too long for a title with more words.
    title = headings.get(slug, column_title(group))
    return f"between levels of {title}" if group == label else title
