"""Page layout in millimetres from the upper left corner: axes, text, footnotes and keys."""

import itertools
import math
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib import get_data_path
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Affine2D, Transform, blended_transform_factory

from alkbayes.plots.page.style import FONT_FILES, GREY, INK, ORANGE, SMALL_PT, TEXT_PT, TITLE_PT, Caption, Look
from alkbayes.text.names import printable

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.text import Text

MM = 1 / 25.4
PT_MM = 25.4 / 72
LEADING = 1.3
"""Line spacing as a multiple of type size."""
MARGIN_MM = 2.0
LABELS_APART_MM = 1.0
"""Minimum space between tick labels."""
ELLIPSIS = "…"
MOST_NOTES = 16
"""Maximum lines of footnotes: a table may have hundreds of similar cohorts, and the figure needs room."""
MORE_NOTES = f"{ELLIPSIS} and more, which `alkbayes summary` and `alkbayes evidence` print."
MISSING_GLYPH = "Glyph .* missing from font"
"""Matplotlib's warning for a missing glyph; a box replaces it, and an SVG file keeps the character."""


def new_page(width_mm: float, height_mm: float) -> Figure:
    """Return an empty figure of this size."""
    return Figure(figsize=(width_mm * MM, height_mm * MM))


def place_axes(figure: Figure, left: float, top: float, width: float, height: float) -> "Axes":
    """Return axes with their frame at this position, in mm from the upper left corner of the page."""
    page_width, page_height = figure.get_figwidth() / MM, figure.get_figheight() / MM
    bottom = page_height - top - height
    return figure.add_axes((left / page_width, bottom / page_height, width / page_width, height / page_height))


def write(figure: Figure, x: float, y: float, text: str, **style: Any) -> "Text":
    """Write a line of text with its upper left corner at (x, y) mm from the page's."""
    place = Affine2D().translate(0, -figure.get_figheight() / MM).scale(MM, -MM) + figure.dpi_scale_trans
    look: Look = {"va": "top", "fontsize": TEXT_PT} | style
    return figure.text(x, y, text, transform=place, **look)


def row_axes(figure: Figure, left: float, right: float, top: float, height: float, rows: float) -> "Axes":
    """Return axes for stacked rows, one unit each downwards from 0, between two positions in mm."""
    axes = place_axes(figure, left, top, right - left, height)
    axes.set_ylim(rows, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    return axes


def write_headings(figure: Figure, top: float, columns: Sequence[tuple[float, str, tuple[str, str]]]) -> None:
    """Write two-line column headings above `top`, by position in mm and alignment."""
    y = top - HEADINGS_MM - 0.3
    for x, align, lines in columns:
        for place, line in enumerate(lines):
            write(figure, x, y + place * line_mm(TEXT_PT), line, ha=align, weight="bold", fontsize=SMALL_PT)


def beside(axes: "Axes") -> Transform:
    """Return the transform from (mm from the left edge of the page, data), for text columns beside axes."""
    return blended_transform_factory(Affine2D().scale(MM) + axes.figure.dpi_scale_trans, axes.transData)


def cell(axes: "Axes", x: float, y: float, text: str, **style: Any) -> None:
    """Write a cell of a column beside axes, `x` mm from the left edge of the page and centred at data `y`."""
    look: Look = {"ha": "right", "va": "center_baseline", "clip_on": False} | style
    axes.text(x, y, text, transform=beside(axes), **look)


@lru_cache(maxsize=20_000)
def text_mm(text: str, size: float = TEXT_PT, *, bold: bool = False) -> float:
    """Return the width of a line of text, in mm."""
    file = Path(get_data_path()) / "fonts" / "ttf" / FONT_FILES[bold][0]
    font = FontProperties(fname=str(file), size=size)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", MISSING_GLYPH)
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) * PT_MM


def fitted(name: str, width: float, size: float = TEXT_PT, *, bold: bool = False) -> str:
    """Return a name on one line of at most `width` mm, shortened by an ellipsis in the middle.

    Both ends identify it: cohorts of a trial share their beginning, arms of two trials their end.
    """
    text = printable(name)
    if text_mm(text, size, bold=bold) <= width:
        return text
    low, high = 1, len(text) - 1
    while low < high:
        kept = (low + high + 1) // 2
        if text_mm(_cut(text, kept), size, bold=bold) <= width:
            low = kept
        else:
            high = kept - 1
    return _cut(text, low)


def wrapped(text: str, width: float, size: float = SMALL_PT, *, bold: bool = False) -> list[str]:
    """Return a text as lines of at most `width` mm."""
    lines: list[str] = []
    for word in map(printable, text.split()):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_mm(longer, size, bold=bold) <= width:
            lines[-1] = longer
        else:
            lines.append(fitted(word, width, size, bold=bold))
    return lines


def title_lines(title: str, page_mm: float) -> list[str]:
    """Return a title as lines for a page of this width."""
    return wrapped(title, page_mm - 2 * MARGIN_MM, TITLE_PT, bold=True)


def line_mm(size: float) -> float:
    """Return the line spacing for this type size, in mm."""
    return size * LEADING * PT_MM


HEADINGS_MM = 2 * line_mm(TEXT_PT)
"""Height of the column headings."""


def head_mm(caption: Caption, subtitle: Sequence[str] = (), *, titles: int = 1) -> float:
    """Return the height of :func:`write_head` with a title of so many lines, including the space below."""
    return (
        MARGIN_MM
        + titles * line_mm(TITLE_PT)
        + len(subtitle) * line_mm(TEXT_PT)
        + (line_mm(TEXT_PT) if caption.warning else 0)
        + 1.5
    )


def write_head(figure: Figure, title: str, caption: Caption, subtitle: Sequence[str] = ()) -> None:
    """Write the title, the subtitle, and any warning against use of the figure."""
    y, page_mm = MARGIN_MM, figure.get_figwidth() / MM
    for line in title_lines(title, page_mm):
        write(figure, MARGIN_MM, y, line, fontsize=TITLE_PT, weight="bold")
        y += line_mm(TITLE_PT)
    for line in subtitle:
        write(figure, MARGIN_MM, y, line, color=GREY)
        y += line_mm(TEXT_PT)
    if caption.warning:
        write(
            figure,
            MARGIN_MM,
            y,
            fitted(caption.warning, page_mm - 2 * MARGIN_MM, bold=True),
            color=ORANGE,
            weight="bold",
        )


def foot_lines(notes: Sequence[str], width_mm: float) -> list[str]:
    """Return footnotes as lines for a page of this width, cut to the maximum."""
    lines = [line for note in notes for line in wrapped(note, width_mm - 2 * MARGIN_MM)]
    return lines if len(lines) <= MOST_NOTES else [*lines[: MOST_NOTES - 1], MORE_NOTES]


def foot_mm(lines: Sequence[str]) -> float:
    """Return the height of footnotes, with the space around them."""
    return len(lines) * line_mm(SMALL_PT) + MARGIN_MM + 0.8


def write_foot(figure: Figure, lines: Sequence[str]) -> None:
    """Write footnotes at the lower edge of the page."""
    y = figure.get_figheight() / MM - foot_mm(lines) + 0.8
    for line in lines:
        write(figure, MARGIN_MM, y, line, fontsize=SMALL_PT, color=GREY)
        y += line_mm(SMALL_PT)


def key_rows(entries: Sequence[str], width: float) -> list[list[int]]:
    """Return the indices of key entries by row, each row as full as `width` mm allows."""
    rows: list[list[int]] = [[]]
    used = 0.0
    for position, entry in enumerate(entries):
        needed = KEY_HANDLE_MM + text_mm(entry) + KEY_GAP_MM
        if rows[-1] and used + needed > width:
            rows.append([])
            used = 0.0
        rows[-1].append(position)
        used += needed
    return rows


KEY_HANDLE_MM = 7.0
KEY_GAP_MM = 4.0


def key_mm(entries: Sequence[str], width: float) -> float:
    """Return the height of a key."""
    return len(key_rows(entries, width)) * line_mm(TEXT_PT) + 0.5


def write_key(figure: Figure, left: float, top: float, width: float, handles: Sequence[tuple["Artist", str]]) -> None:
    """Write a key of marks and their meanings, in rows of `width` mm.

    Handles belong to no axes yet; their coordinates are mm from their middle.
    """
    page_height = figure.get_figheight() / MM
    entries = [text for _, text in handles]
    y = top
    for row in key_rows(entries, width):
        x = left
        for position in row:
            handle, text = handles[position]
            centre = page_height - (y + line_mm(TEXT_PT) / 2 - 0.15)
            handle.set_transform(
                Affine2D().translate(x + (KEY_HANDLE_MM - 1.5) / 2, centre).scale(MM) + figure.dpi_scale_trans
            )
            figure.add_artist(handle)
            write(figure, x + KEY_HANDLE_MM, y, text)
            x += KEY_HANDLE_MM + text_mm(text) + KEY_GAP_MM
        y += line_mm(TEXT_PT)


def key_bar(half_width: float = 2.6, half_height: float = 0.55, **style: Any) -> Rectangle:
    """Return a bar for a key, in mm from its middle."""
    return Rectangle((-half_width, -half_height), 2 * half_width, 2 * half_height, **style)


def key_line(**style: Any) -> Line2D:
    """Return a horizontal line with a central marker for a key, in mm from its middle."""
    half = (KEY_HANDLE_MM - 1.5) / 2
    return Line2D([-half, 0, half], [0, 0, 0], markevery=[1], color=style.pop("color", INK), **style)


def chunks[T](rows: Sequence[T], most: int) -> list[list[T]]:
    """Return rows in as few, evenly filled pages of at most `most` as possible; one page if there are none."""
    pages = max(1, -(-len(rows) // most))
    size = -(-len(rows) // pages)
    return [list(rows[start : start + size]) for start in range(0, max(len(rows), 1), max(size, 1))]


def percent_limits(low: float, high: float) -> tuple[float, float, float]:
    """Return limits and step of an axis in percent that holds `low` to `high`, with eight ticks at most."""
    wide = max(high - low, 0.5)
    step = next(step for step in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0) if wide / step <= 6 or step == 20.0)
    # Rounded, because 58.2 / 0.1 is not quite 582.
    first, last = math.floor(round(low / step, 6)), math.ceil(round(high / step, 6))
    return max(0.0, first * step), min(100.0, max(last, first + 1) * step), step


def percent_axis(axes: "Axes", *, low: float = 0, high: float = 100, step: float = 20) -> None:
    """Set up a horizontal axis in percent with faint grid lines."""
    axes.set_xlim(low, high)
    first = math.ceil(round(low / step, 6))
    axes.set_xticks([tick * step for tick in range(first, math.floor(round(high / step, 6)) + 1)])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.4, zorder=0)
    axes.set_axisbelow(True)


def log_ticks(low: float, high: float, width: float) -> list[float]:
    """Return ticks of a log axis `width` mm wide: as many round numbers as have room for labels.

    Candidates are 1, 2 and 5 of every power of ten, 1 and 3, then every power, second power, third and so on.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    scale = width / math.log10(high / low)
    ladders = [((1, 2, 5), 1), ((1, 3), 1), *(((1,), step) for step in range(1, last - first + 1))]
    ticks: list[float] = []
    for digits, step in ladders:
        powers = [power for power in range(first, last + 1) if power % step == 0]
        numbers = [float(f"{digit}e{power}") for power in powers for digit in digits]
        ticks = [number for number in numbers if low <= number <= high]
        if all(
            scale * math.log10(right / left) >= (text_mm(f"{left:g}") + text_mm(f"{right:g}")) / 2 + LABELS_APART_MM
            for left, right in itertools.pairwise(ticks)
        ):
            break
    return ticks


def _cut(text: str, kept: int) -> str:
    """Return a text cut to its first and last characters, `kept` in all, around an ellipsis."""
    tail = kept // 2
    return f"{text[: kept - tail]}{ELLIPSIS}{text[len(text) - tail :]}"
