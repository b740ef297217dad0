"""Page of rows: headings, axis, key and footnotes around the rows of a figure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alkbayes.plots.page.layout import (
    HEADINGS_MM,
    MARGIN_MM,
    foot_lines,
    foot_mm,
    head_mm,
    key_mm,
    new_page,
    row_axes,
    title_lines,
    write_foot,
    write_head,
    write_headings,
    write_key,
)
from alkbayes.plots.page.style import DOUBLE_MM, TALLEST_MM, Caption

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

type Columns = Sequence[tuple[float, str, tuple[str, str]]]
"""Position in mm, alignment, and two heading lines per column."""
type Key = Callable[[], Sequence[tuple["Artist", str]]]
"""Function that makes the marks of a page's key with their meanings; marks cannot be shared between pages."""

AXIS_MM = 7.0
"""Height of a horizontal axis with its label."""
PAGED = " (page {} of {})"
WIDTH_MM = DOUBLE_MM - 2 * MARGIN_MM


@dataclass(frozen=True, slots=True)
class RowPage:
    """Frame of a figure of rows, two columns wide (180 mm), common to its pages.

    Attributes
    ----------
    title, subtitle
        Text above the rows; the title includes the page number.
    caption
        Footnotes and warning.
    columns
        Column headings.
    key
        Key below the axis, if any.
    notes
        Footnotes before the caption's, as sentences.
    """

    title: str
    caption: Caption
    columns: Columns = ()
    key: Key = tuple
    notes: Sequence[str] = ()
    subtitle: Sequence[str] = ()

    @property
    def top(self) -> float:
        """Upper edge of the rows, in mm from the page's."""
        titles = len(title_lines(self.title + PAGED.format(99, 99), DOUBLE_MM))
        return head_mm(self.caption, self.subtitle, titles=titles) + HEADINGS_MM

    @property
    def room(self) -> float:
        """Height available for rows on the tallest page, in mm."""
        return TALLEST_MM - self._fixed

    def figure(self, body: float, *, number: int = 1, of: int = 1) -> "Figure":
        """Return page `number` of `of` with `body` mm for rows."""
        figure = new_page(DOUBLE_MM, self._fixed + body)
        paged = PAGED.format(number, of) if of > 1 else ""
        write_head(figure, f"{self.title}{paged}", self.caption, self.subtitle)
        write_headings(figure, self.top, self.columns)
        if key := self.key():
            write_key(figure, MARGIN_MM, self.top + body + AXIS_MM, WIDTH_MM, key)
        write_foot(figure, self._foot)
        return figure

    def axes(self, figure: "Figure", place: tuple[float, float], body: float, rows: float) -> "Axes":
        """Return axes for rows between two positions in mm, one unit each downwards from 0."""
        return row_axes(figure, *place, self.top, body, rows)

    @property
    def _foot(self) -> list[str]:
        return foot_lines((*self.notes, *self.caption.notes), DOUBLE_MM)

    @property
    def _fixed(self) -> float:
        texts = [text for _, text in self.key()]
        return self.top + AXIS_MM + (key_mm(texts, WIDTH_MM) if texts else 0.0) + foot_mm(self._foot)
