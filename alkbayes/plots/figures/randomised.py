"""Randomised trials: the network of treatments, and direct, indirect and combined contrasts beside single arms'."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from alkbayes.plots.page import marks
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    PT_MM,
    cell,
    chunks,
    fitted,
    foot_lines,
    foot_mm,
    head_mm,
    key_bar,
    key_line,
    log_ticks,
    new_page,
    place_axes,
    text_mm,
    write,
    write_foot,
    write_head,
)
from alkbayes.plots.page.rows import RowPage
from alkbayes.plots.page.style import (
    BLUE,
    DOUBLE_MM,
    GREY,
    INK,
    NO_CAPTION,
    ORANGE,
    SMALL_PT,
    TEXT_PT,
    Caption,
    Look,
    styled,
)
from alkbayes.presentation.randomised import BUNDLED, NAMES, outcome_title, pair_name
from alkbayes.text.wording import counted, ratio_figure

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from alkbayes.randomised.analysis import OutcomeRecord, RandomisedRecord

type Row = Mapping[str, Any]
type Place = tuple[float, float]
type Box = tuple[float, float, float, float]
"""Centre, half the width and half the height, in mm."""
type Array = NDArray[np.float64]

NETWORK_MM, ALONE_MM = 86.0, 120.0
"""Side of a network's square where two stand beside each other, and where there is one."""
AROUND = 26.5 / 86.0
"""Radius of the circle of treatments, in sides of the square."""
MOST_LABELLED = 10
"""Lines of a network up to which each has its ratio; of more it has its number of trials alone."""
LARGEST_NODE_MM, LEAST_NODE_MM = 4.2, 1.2
WIDEST_EDGE_PT = 4.0
MOST_ORDERED = 8
"""Treatments up to which every order around the circle is tried for the fewest crossings."""
ALONG = (0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73)
POINTS = 60
"""Points of a line that a label of another one should not cover."""
BESIDE_MM = (0.0, 3.0, -3.0, 6.0, -6.0)
"""Places of a label along its edge, and beside it, the best first."""

ROW_MM = 3.4
NAME_MM = 46.0
EVIDENCE_MM = 72.0
PLOT_MM = (76.0, 144.0)
RATIO_MM = DOUBLE_MM - MARGIN_MM
LIMITS = (0.02, 50.0)
"""Ratios beyond which an axis does not reach: intervals are cut there."""
LOOKS: dict[str, Look] = {
    "direct": {"marker": "o", "facecolor": BLUE, "edgecolor": BLUE, "linewidth": 0.0},
    "indirect": {"marker": "o", "facecolor": "white", "edgecolor": BLUE, "linewidth": 0.7},
    "combined": {"marker": "D", "facecolor": INK, "edgecolor": INK, "linewidth": 0.0},
    "single arms": {"marker": "s", "facecolor": "white", "edgecolor": ORANGE, "linewidth": 0.7},
}
COLOURS = {"direct": BLUE, "indirect": BLUE, "combined": INK, "single arms": ORANGE}


@styled
def randomised(record: "RandomisedRecord", caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw a table of randomised trials, two columns wide (180 mm): its networks, then the contrasts of each outcome.

    `record` is that of :class:`alkbayes.randomised.analysis.Randomised`.
    """
    bundled = record["table"]["source"] == BUNDLED
    figures = [_networks(record["outcomes"], caption, bundled=bundled)]
    for outcome in record["outcomes"]:
        title = f"{outcome_title(outcome['measure'], bundled=bundled)} of every pair of treatments"
        figures += _forest(outcome, title, caption)
    return figures


def _networks(outcomes: Sequence["OutcomeRecord"], caption: Caption, *, bundled: bool) -> Figure:
    """Draw the networks side by side."""
    side = NETWORK_MM if len(outcomes) > 1 else ALONE_MM
    labelled = all(len(outcome["edges"]) <= MOST_LABELLED for outcome in outcomes)
    ratio = (
        "On a line stands the ratio within these trials, of the treatment at the arrow against the other, with its "
        f"{caption.level} credible interval."
    )
    reading = (
        "Areas of treatments are in proportion to their patients, widths of lines to the number of trials"
        f"{'. ' + ratio if labelled else ', which stands on them.'}"
    )
    notes = foot_lines((reading, *caption.notes), DOUBLE_MM)
    head = head_mm(caption)
    figure = new_page(DOUBLE_MM, head + 4.0 + side + foot_mm(notes))
    write_head(
        figure, "Networks of randomised trials" if len(outcomes) > 1 else "Network of randomised trials", caption
    )
    for place, outcome in enumerate(outcomes):
        left = MARGIN_MM + place * (side + 4.0)
        write(figure, left, head, outcome_title(outcome["measure"], bundled=bundled), weight="bold", fontsize=TEXT_PT)
        middle = (DOUBLE_MM - side) / 2 if len(outcomes) == 1 else left
        axes = place_axes(figure, middle, head + 4.0, side, side)
        axes.set_xlim(-side / 2, side / 2)
        axes.set_ylim(-side / 2, side / 2)
        axes.set_axis_off()
        _network(axes, outcome, side, labelled=labelled)
    write_foot(figure, notes)
    return figure


def _network(axes: "Axes", outcome: "OutcomeRecord", side: float, *, labelled: bool) -> None:
    """Draw a network on square axes in mm."""
    names = [row["treatment"] for row in outcome["nodes"]]
    places = {name: (AROUND * side * x, AROUND * side * y) for name, (x, y) in _places(names, outcome["edges"]).items()}
    largest = max((row["patients"] or 1.0) for row in outcome["nodes"])
    most = max(row["trials"] for row in outcome["edges"])
    radii = {
        row["treatment"]: max(LEAST_NODE_MM, LARGEST_NODE_MM * math.sqrt((row["patients"] or 1.0) / largest))
        for row in outcome["nodes"]
    }
    direct = {(row["first"], row["second"]): row for row in outcome["contrasts"]}
    crossing = {
        (start, end): np.linspace(start, end, POINTS)
        for start, end in ((places[row["second"]], places[row["first"]]) for row in outcome["edges"])
    }
    taken = [(x, y, radii[name], radii[name]) for name, (x, y) in places.items()]
    for row in outcome["edges"]:
        (x0, y0), (x1, y1) = places[row["second"]], places[row["first"]]
        width = max(0.5, WIDEST_EDGE_PT * row["trials"] / most)
        axes.plot([x0, x1], [y0, y1], color=GREY, linewidth=width, solid_capstyle="butt", zorder=1, gid="edge")
        if labelled:
            _arrow(axes, (x0, y0), (x1, y1), radii[row["first"]])
    for row in sorted(outcome["edges"], key=lambda row: -row["trials"]):
        contrast = direct[row["first"], row["second"]]
        low, middle, high = (ratio_figure(contrast[f"direct_{name}"]) for name in ("low", "median", "high"))
        lines = (f"{middle} ({low}–{high})", counted(row["trials"], "trial")) if labelled else (f"{row['trials']:,}",)
        ends = places[row["second"]], places[row["first"]]
        _label(axes, ends, lines, taken, [points for pair, points in crossing.items() if pair != ends])
    for row in outcome["nodes"]:
        name = row["treatment"]
        axes.add_patch(
            Circle(places[name], radii[name], facecolor=BLUE, edgecolor="white", linewidth=0.8, zorder=3, gid="node")
        )
        # A network alone has the width of the page for its names.
        _name_node(axes, row, places[name], radii[name], side if side < ALONE_MM else DOUBLE_MM - 2 * MARGIN_MM)


def _name_node(axes: "Axes", row: Row, place: Place, radius: float, width: float) -> None:
    """Write a treatment and its patients outside the circle."""
    x, y = place
    length = math.hypot(x, y) or 1.0
    away = (radius + 1.5) / length
    align = "left" if x > length / 3 else "right" if x < -length / 3 else "center"
    patients = "" if row["patients"] is None else f"\n{int(row['patients']):,}"
    room = width / 2 - abs(x) - radius - 1.5 if align != "center" else width / 2
    name = fitted(row["treatment"], max(room, 10.0), bold=True)
    vertical = "bottom" if align == "center" and y > 0 else "top" if align == "center" else "center"
    axes.text(
        x * (1 + away),
        y * (1 + away),
        f"{name}{patients}",
        ha=align,
        va=vertical,
        fontsize=TEXT_PT,
        weight="bold",
        zorder=6,
    )


def _arrow(axes: "Axes", start: Place, end: Place, radius: float) -> None:
    """Draw a small head at the end of an edge, just outside the node."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy)
    tip = (length - radius - 0.4) / length
    back = (length - radius - 2.4) / length
    axes.annotate(
        "",
        xy=(start[0] + tip * dx, start[1] + tip * dy),
        xytext=(start[0] + back * dx, start[1] + back * dy),
        arrowprops={
            "arrowstyle": "-|>,head_length=0.35,head_width=0.2",
            "color": INK,
            "linewidth": 0.5,
            "shrinkA": 0,
            "shrinkB": 0,
        },
        zorder=2,
    )


def _label(
    axes: "Axes",
    ends: tuple[Place, Place],
    lines: Sequence[str],
    taken: list[Box],
    others: Sequence[Array],
) -> None:
    """Write a label on an edge where it covers the least of boxes taken and of other edges."""
    start, end = ends
    half_width = max(text_mm(line, SMALL_PT) for line in lines) / 2 + 0.5
    half_height = len(lines) * SMALL_PT * 1.2 * PT_MM / 2 + 0.3
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy)
    options = [
        (start[0] + along * dx - beside * dy / length, start[1] + along * dy + beside * dx / length)
        for beside in BESIDE_MM
        for along in ALONG
    ]

    def covered(place: Place) -> float:
        points = sum(int((np.abs(edge - place) < (half_width, half_height)).all(axis=1).sum()) for edge in others)
        return _overlap((*place, half_width, half_height), taken) + points

    x, y = min(options, key=covered)
    taken.append((x, y, half_width, half_height))
    axes.text(
        x,
        y,
        "\n".join(lines),
        ha="center",
        va="center",
        fontsize=SMALL_PT,
        linespacing=1.15,
        zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )


def _overlap(box: Box, taken: Sequence[Box]) -> float:
    """Return the area that a box shares with those taken."""
    x, y, w, h = box
    return sum(
        max(0.0, w + other_w - abs(x - other_x)) * max(0.0, h + other_h - abs(y - other_y))
        for other_x, other_y, other_w, other_h in taken
    )


def _places(names: Sequence[str], edges: Sequence[Row]) -> dict[str, Place]:
    """Return the treatments' places on the unit circle, in an order with few crossings of lines."""
    pairs = [(row["first"], row["second"]) for row in edges]
    if len(names) <= MOST_ORDERED:
        orders = ((names[0], *rest) for rest in itertools.permutations(names[1:]))
        best: Sequence[str] = min(orders, key=lambda order: _crossings(order, pairs))
    else:
        best = _exchanged(names, pairs)
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(best)) / len(best)
    if len(best) == 2:
        angles = np.array([np.pi, 0.0])
    return {name: (float(np.cos(a)), float(np.sin(a))) for name, a in zip(best, angles, strict=True)}


def _exchanged(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return an order in which no exchange of two names leaves fewer crossings."""
    best = list(names)
    fewest = _crossings(best, pairs)
    better = True
    while better:
        better = False
        for one, other in itertools.combinations(range(len(best)), 2):
            order = best.copy()
            order[one], order[other] = order[other], order[one]
            if (found := _crossings(order, pairs)) < fewest:
                best, fewest, better = order, found, True
    return best


def _crossings(order: Sequence[str], pairs: Sequence[tuple[str, str]]) -> int:
    """Return how many pairs of lines cross, for names around a circle."""
    at = {name: place for place, name in enumerate(order)}
    chords = [sorted((at[one], at[other])) for one, other in pairs]
    return sum(a < c < b < d or c < a < d < b for (a, b), (c, d) in itertools.combinations(chords, 2))


@dataclass(frozen=True, slots=True)
class _Line:
    """One kind of evidence of a pair: its ratio with its limits; a heading has none."""

    label: str
    kind: str = ""
    about: str = ""
    ratio: tuple[float, float, float] | None = None
    prediction: tuple[float, float] | None = None


def _forest(outcome: "OutcomeRecord", title: str, caption: Caption) -> list[Figure]:
    """Draw the contrasts of one outcome."""
    columns = (
        (MARGIN_MM, "left", ("", "Contrast")),
        (EVIDENCE_MM, "right", ("trials /", "patients")),
        (RATIO_MM, "right", (f"{NAMES[outcome['measure']]},", f"{caption.level} interval")),
    )
    random = any(row["new_low"] < row["combined_low"] for row in outcome["contrasts"])
    single = bool(outcome["single_arms"])
    reading = (
        "Posterior medians with credible intervals. Direct evidence is from trials of the two treatments, indirect "
        "from the rest of the network."
    )
    if single:
        reading += " Single arms are of other trials, and were not randomised against each other."
    key = partial(_key, caption.level, random=random, single=single)
    frame = RowPage(title, caption, columns, key, (reading, *outcome["notes"]))
    groups = list(_lines(outcome))
    most = int(frame.room / ROW_MM)
    pages = [
        [line for group in page for line in group] for page in chunks(groups, max(1, most // max(map(len, groups))))
    ]
    limits = _limits([line for group in groups for line in group])
    figures = []
    for number, page in enumerate(pages, 1):
        body = len(page) * ROW_MM
        figure = frame.figure(body, number=number, of=len(pages))
        axes = frame.axes(figure, PLOT_MM, body, len(page))
        _axis(axes, limits, NAMES[outcome["measure"]])
        _draw(axes, page, limits)
        figures.append(figure)
    return figures


def _key(level: str, *, random: bool, single: bool) -> list[tuple["Artist", str]]:
    entries: list[tuple[Artist, str]] = []
    for kind, look in LOOKS.items():
        if kind == "single arms" and not single:
            continue
        mark = key_line(
            color=COLOURS[kind],
            marker=look["marker"],
            markersize=3,
            markerfacecolor=look["facecolor"],
            markeredgecolor=look["edgecolor"],
            markeredgewidth=0.6,
            linewidth=0.7,
        )
        entries.append((mark, kind))
    if random:
        entries.append((key_bar(**marks.PREDICTED), f"{level} prediction interval of another trial"))
    return entries


def _lines(outcome: "OutcomeRecord") -> Iterator[list[_Line]]:
    """Yield the lines of each pair."""
    single = {(row["first"], row["second"]): row for row in outcome["single_arms"]}
    for row in outcome["contrasts"]:
        lines = [_Line(pair_name(row))]
        patients = "" if row["patients"] is None else f" / {int(row['patients']):,}"
        kinds = {"both": ("direct", "indirect", "combined")}.get(row["evidence"], (row["evidence"],))
        for kind in kinds:
            about = f"{row['trials']}{patients}" if kind == "direct" else ""
            ratio = (row[f"{kind}_low"], row[f"{kind}_median"], row[f"{kind}_high"])
            prediction = (row["new_low"], row["new_high"]) if kind == kinds[-1] else None
            lines.append(_Line(kind, kind, about, ratio, prediction))
        if (other := single.get((row["first"], row["second"]))) is not None:
            cohorts = f"{other['first_cohorts']} and {other['second_cohorts']} cohorts"
            ratio = (other["single_low"], other["single_median"], other["single_high"])
            lines.append(_Line("single arms", "single arms", cohorts, ratio))
        yield lines


def _limits(lines: Sequence[_Line]) -> tuple[float, float]:
    """Return the ends of the axis: those of the widest interval, within reason."""
    ends = [end for line in lines if line.ratio for end in (*line.ratio, *(line.prediction or ()))]
    return max(LIMITS[0], min(0.5, *ends) / 1.1), min(LIMITS[1], max(2.0, *ends) * 1.1)


def _axis(axes: "Axes", limits: tuple[float, float], name: str) -> None:
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    axes.set_xticks(log_ticks(*limits, PLOT_MM[1] - PLOT_MM[0]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.axvline(1, color=GREY, linewidth=0.5, linestyle=(0, (3, 2)), zorder=1)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel(f"{name.capitalize()} (log scale)")


def _draw(axes: "Axes", page: Sequence[_Line], limits: tuple[float, float]) -> None:
    for at, line in enumerate(page):
        y = at + 0.5
        if line.ratio is None:
            cell(axes, MARGIN_MM, y, fitted(line.label, EVIDENCE_MM, bold=True), ha="left", weight="bold")
            continue
        low, middle, high = line.ratio
        if line.prediction is not None and line.prediction[0] < low:
            ends = np.clip(line.prediction, *limits)
            marks.bars(axes, [ends[0]], [ends[1]], [y], half=0.3, gid="prediction")
        shown = np.clip([low, high], *limits)
        marks.intervals(
            axes, shown[:1], shown[1:], [y], gid=f"{line.kind}-interval", colors=COLOURS[line.kind], linewidths=0.9
        )
        for cut, at_end, mark in ((low < limits[0], shown[0], "<"), (high > limits[1], shown[1], ">")):
            if cut:
                marks.points(
                    axes, [at_end], [y], gid="beyond", s=8, marker=mark, facecolor=COLOURS[line.kind], linewidth=0
                )
        if limits[0] <= middle <= limits[1]:
            marks.points(axes, [middle], [y], gid=line.kind, s=10, **LOOKS[line.kind])
        look: Look = {"weight": "bold"} if line.kind == "combined" else {}
        cell(axes, MARGIN_MM + 2.0, y, line.label, ha="left", **look)
        cell(axes, EVIDENCE_MM, y, line.about)
        cell(axes, RATIO_MM, y, f"{ratio_figure(middle)} ({ratio_figure(low)}–{ratio_figure(high)})", **look)
