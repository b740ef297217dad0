"""PRISMA 2020 flow diagram of a review's records (Page et al. 2021, doi:10.1136/bmj.n71)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.transforms import Affine2D

from alkbayes.plots.page.layout import (
    MARGIN_MM,
    MM,
    foot_lines,
    foot_mm,
    head_mm,
    line_mm,
    new_page,
    text_mm,
    wrapped,
    write,
    write_foot,
    write_head,
)
from alkbayes.plots.page.style import BAND, DOUBLE_MM, GREY, INK, NO_CAPTION, TEXT_PT, Caption, styled
from alkbayes.registry.flow import Box, Flow, boxes_of

if TYPE_CHECKING:
    from matplotlib.transforms import Transform

TITLE = "Flow of records and studies"
STAGE_MM = (MARGIN_MM, 7.0)
"""Left edge and width of the bars with the stages' names."""
LEFT_MM = (12.0, 74.0)
RIGHT_MM = (96.0, 82.0)
"""Left edge and width of the boxes of what goes on, and of what does not."""
PAD_MM = 2.0
GAP_MM = 6.0
TEXT_MM = line_mm(TEXT_PT)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A box as lines, at its place in mm from the page's upper left corner; the first `bold` lines are its heading."""

    lines: tuple[str, ...]
    bold: int
    left: float
    width: float

    @property
    def height(self) -> float:
        return len(self.lines) * TEXT_MM + 2 * PAD_MM


@styled
def prisma(flow: Flow, caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw the flow diagram, two columns wide (180 mm), on one page."""
    rows = [
        (stage, _placed(box, *LEFT_MM), None if beside is None else _placed(beside, *RIGHT_MM))
        for stage, box, beside in boxes_of(flow)
    ]
    stages = [stage for stage, _, _ in rows]
    heights = [
        max(box.height, beside.height if beside else 0.0, _name_mm(stage) if stages.count(stage) == 1 else 0.0)
        for stage, box, beside in rows
    ]
    searched = f"Searched on {flow.searched}. " if flow.searched else ""
    explained = (
        f"{searched}A record is a study's; its report is the results posted in it. By rules: those of the protocol "
        "decided, and no person overruled them."
    )
    notes = foot_lines((explained, *caption.notes), DOUBLE_MM)
    top = head_mm(caption) + 1.0
    figure = new_page(DOUBLE_MM, top + sum(heights) + GAP_MM * (len(rows) - 1) + 3.0 + foot_mm(notes))
    write_head(figure, TITLE, caption)
    place = Affine2D().translate(0, -figure.get_figheight() / MM).scale(MM, -MM) + figure.dpi_scale_trans
    tops = [top + sum(heights[:row]) + GAP_MM * row for row in range(len(rows))]
    for row, (_, box, beside) in enumerate(rows):
        _draw(figure, box, tops[row], place)
        middle = LEFT_MM[0] + LEFT_MM[1] / 2
        if row + 1 < len(rows):
            _arrow(figure, (middle, tops[row] + box.height), (middle, tops[row + 1]), place)
        if beside is not None:
            _draw(figure, beside, tops[row], place)
            level = tops[row] + min(box.height, beside.height) / 2
            _arrow(figure, (LEFT_MM[0] + LEFT_MM[1], level), (RIGHT_MM[0], level), place)
    for stage in dict.fromkeys(stages):
        of = [row for row, name in enumerate(stages) if name == stage]
        _stage(figure, stage, tops[of[0]], tops[of[-1]] + heights[of[-1]], place)
    write_foot(figure, notes)
    return [figure]


def described(flow: Flow) -> str:
    """Return the diagram in words, for those who cannot see it."""
    parts = []
    for _, box, beside in boxes_of(flow):
        parts.append(box.title + (f": {'; '.join(box.lines)}" if box.lines else ""))
        if beside is not None:
            parts.append(beside.title + (f": {'; '.join(beside.lines)}" if beside.lines else ""))
    return ". ".join(parts) + "."


def _name_mm(stage: str) -> float:
    """Return the height of a stage's bar that holds its name."""
    return text_mm(stage, TEXT_PT, bold=True) + 2 * PAD_MM


def _placed(box: Box, left: float, width: float) -> _Placed:
    heading = wrapped(box.title, (width - 2 * PAD_MM) * 0.92, TEXT_PT)
    lines = [part for line in box.lines for part in _hanging(line, width - 2 * PAD_MM)]
    return _Placed((*heading, *lines), len(heading), left, width)


def _hanging(line: str, width: float) -> Sequence[str]:
    first, *more = wrapped(line, width - 3.0, TEXT_PT)
    return [first, *(f"    {part}" for part in more)]


def _draw(figure: Figure, box: _Placed, top: float, place: "Transform") -> None:
    rectangle = Rectangle(
        (box.left, top), box.width, box.height, facecolor="white", edgecolor=INK, linewidth=0.5, transform=place
    )
    figure.add_artist(rectangle)
    for number, line in enumerate(box.lines):
        weight = "bold" if number < box.bold else "normal"
        write(figure, box.left + PAD_MM, top + PAD_MM + number * TEXT_MM, line, weight=weight)


def _arrow(figure: Figure, start: tuple[float, float], end: tuple[float, float], place: "Transform") -> None:
    arrow = FancyArrowPatch(
        start,
        end,
        arrowstyle="-|>",
        mutation_scale=5.0,
        shrinkA=0,
        shrinkB=0,
        linewidth=0.6,
        color=INK,
        transform=place,
    )
    figure.add_artist(arrow)


def _stage(figure: Figure, name: str, top: float, bottom: float, place: "Transform") -> None:
    left, width = STAGE_MM
    figure.add_artist(
        Rectangle((left, top), width, bottom - top, facecolor=BAND, edgecolor=GREY, linewidth=0.5, transform=place)
    )
    look = {"rotation": 90, "ha": "center", "va": "center", "weight": "bold"}
    write(figure, left + width / 2, (top + bottom) / 2, name, **look)
