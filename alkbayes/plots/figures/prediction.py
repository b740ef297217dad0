"""Planned trial: predicted responders, prior over the draws, and probability of success by true response rate."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from alkbayes.evidence.outcomes import Outcome
from alkbayes.plots.figures.heterogeneity import FILL
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    foot_lines,
    foot_mm,
    head_mm,
    key_bar,
    key_line,
    key_mm,
    new_page,
    percent_axis,
    place_axes,
    wrapped,
    write_foot,
    write_head,
    write_key,
)
from alkbayes.plots.page.marks import in_percent
from alkbayes.plots.page.style import (
    BAR,
    BLUE,
    DOUBLE_MM,
    GREY,
    INK,
    NO_CAPTION,
    ORANGE,
    TEXT_PT,
    Caption,
    Look,
    styled,
)
from alkbayes.text.wording import capitalised, level_text, new_cohort

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alkbayes.planning.single_arm import SingleArmDesign
    from alkbayes.planning.trial import Prediction

type Array = NDArray[np.float64]

ACROSS = 3
PANEL_MM = 47.0
PANEL_HEIGHT_MM = 36.0
LEFT_MM = 10.0
GAP_MM = 12.0
BELOW_MM = 17.0
BINS = 50
DASHED = (0, (4, 2))
LINES: tuple[Any, ...] = ("-", DASHED, (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))
"""Line styles by number of patients."""
NULL: Look = {"color": GREY, "linewidth": 0.6, "linestyle": (0, (1, 1))}
NEEDED: Look = {"color": ORANGE, "linewidth": 0.8}
ROBUST: Look = {"color": ORANGE, "linewidth": 0.9, "linestyle": DASHED}


@styled
def prediction_figure(found: "Prediction", caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw the prediction for a planned trial, two columns wide (180 mm).

    `found` is from :func:`alkbayes.planning.trial.predict`. The page has a panel for each planned size, one for the
    prior and, with a null, one for the design.
    """
    outcome, sizes = caption.outcome, list(found.responders)
    panels = len(sizes) + 1 + bool(found.designs)
    rows = -(-panels // ACROSS)
    notes = foot_lines((*filter(None, [found.cohort.left_open]), *found.notes, *caption.notes), DOUBLE_MM)
    key = _key(found)
    texts = [text for _, text in key]
    width = DOUBLE_MM - 2 * MARGIN_MM
    subtitle = wrapped(f"{capitalised(new_cohort(found.cohort.unit))}, {found.cohort.name}", width, TEXT_PT)
    head = head_mm(caption, subtitle) + 4.0
    body = rows * (PANEL_HEIGHT_MM + BELOW_MM) - 6.0
    figure = new_page(DOUBLE_MM, head + body + key_mm(texts, width) + foot_mm(notes))
    write_head(figure, "What is predicted of a planned trial", caption, subtitle)
    places = iter(range(panels))

    def next_axes(heading: str) -> "Axes":
        place = next(places)
        left = LEFT_MM + (place % ACROSS) * (PANEL_MM + GAP_MM)
        top = head + (place // ACROSS) * (PANEL_HEIGHT_MM + BELOW_MM)
        axes = place_axes(figure, left, top, PANEL_MM, PANEL_HEIGHT_MM)
        axes.set_title(heading, fontsize=TEXT_PT, loc="left", pad=2)
        return axes

    first = {design.n: design for name, design in found.designs if name == found.priors[0].name}
    for row in found.planned:
        interval = f"{row['responders_low']:,}–{row['responders_high']:,}"
        heading = f"{capitalised(outcome.events)} of {row['n']:,}: {row['median']:,} ({interval})"
        _draw_responders(next_axes(heading), found.responders[row["n"]], row, first.get(row["n"]), outcome)
    _draw_prior(next_axes("True rate: draws and prior"), found, outcome)
    if found.designs:
        _draw_success(next_axes(f"Success, {found.priors[0].name} prior"), list(first.values()), outcome)
    write_key(figure, MARGIN_MM, head + body, width, key)
    write_foot(figure, notes)
    return [figure]


def _draw_responders(
    axes: "Axes", probabilities: Array, row: dict[str, Any], design: "SingleArmDesign | None", outcome: Outcome
) -> None:
    """Draw the predictive distribution of the number of events, filled within the interval."""
    n = len(probabilities) - 1
    counts = np.arange(n + 1)
    inside = (counts >= row["responders_low"]) & (counts <= row["responders_high"])
    edges = np.arange(n + 2) - 0.5
    for part, colour, gid in ((~inside, BAR, "outside"), (inside, FILL, "inside")):
        axes.stairs(100 * np.where(part, probabilities, 0.0), edges, fill=True, facecolor=colour, gid=f"{gid}-{n}")
    axes.stairs(100 * probabilities, edges, color=BLUE, linewidth=0.5, gid=f"responders-{n}")
    axes.set_xlim(-0.5, n + 0.5)
    axes.set_ylim(0, 1.1 * 100 * float(probabilities.max()))
    if design is not None and design.critical is not None:
        axes.axvline(design.critical - 0.5, gid=f"critical-{n}", **NEEDED)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel(outcome.events)
    axes.set_ylabel("probability, %")


def _draw_prior(axes: "Axes", found: "Prediction", outcome: Outcome) -> None:
    """Draw the histogram of the draws under the mixture and the robust prior."""
    rates = found.cohort.rates
    edges = np.linspace(0.0, 1.0, BINS + 1)
    height = np.histogram(rates, edges)[0] / (rates.size * (edges[1] - edges[0]))
    axes.stairs(height, in_percent(edges), fill=True, facecolor=FILL, edgecolor=BLUE, linewidth=0.5, gid="draws")
    # The grid stops short of the edges: with a shape of one the density is positive there, and a steep mixture's
    # would leave the page.
    grid = np.linspace(0.001, 0.999, 500)
    density = found.fitted.mixture.density(grid)
    axes.plot(in_percent(grid), density, color=INK, linewidth=0.9, gid="map")
    if found.priors[0].name != "MAP":
        axes.plot(in_percent(grid), found.priors[0].mixture.density(grid), gid="robust", **ROBUST)
    percent_axis(axes)
    axes.set_ylim(0, 1.15 * float(height.max()))
    axes.set_xlabel(f"true {outcome.rate}, %")
    axes.set_ylabel("density")


def _draw_success(axes: "Axes", designs: "list[SingleArmDesign]", outcome: Outcome) -> None:
    """Draw the probability of success by true rate, one line per number of patients."""
    orr = np.linspace(0.0, 1.0, 501)
    for place, design in enumerate(designs):
        axes.plot(
            in_percent(orr),
            in_percent(design.success(orr)),
            color=BLUE,
            linewidth=0.9,
            linestyle=LINES[place],
            gid=f"success-{design.n}",
        )
    axes.axvline(100 * designs[0].null, gid="null", **NULL)
    percent_axis(axes)
    axes.set_ylim(0, 102)
    axes.set_yticks(range(0, 101, 20))
    axes.set_xlabel(f"true {outcome.rate}, %")
    axes.set_ylabel("probability of success, %")


def _key(found: "Prediction") -> list[tuple[Any, str]]:
    entries: list[tuple[Any, str]] = [
        (
            key_bar(facecolor=FILL, edgecolor=BLUE),
            f"within the {level_text(found.interval_prob)} prediction interval; draws",
        ),
        (key_bar(facecolor=BAR, edgecolor=BLUE), "outside it"),
        (key_line(linewidth=0.9), "MAP prior"),
    ]
    if (name := found.priors[0].name) != "MAP":
        entries.append((key_line(**ROBUST), f"{name} prior"))
    if found.designs:
        entries.append((key_line(**NEEDED), "from here on a success"))
        entries += [
            (key_line(color=BLUE, linewidth=0.9, linestyle=line), f"success, n = {n:,}")
            for line, n in zip(LINES, found.responders, strict=False)
        ]
        entries.append((key_line(**NULL), f"null, {100 * found.designs[0][1].null:g} %"))
    return entries
