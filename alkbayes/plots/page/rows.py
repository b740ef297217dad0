"""A page of rows: what stands above and below them, so that a figure draws its rows alone."""

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
"""Place in mm, alignment, and the two lines of each heading."""
type Key = Callable[[], Sequence[tuple["Artist", str]]]
"""Makes the marks of a key, each with what it stands for; a mark is of one page."""

AXIS_MM = 7.0
"""Height of a horizontal axis with its label."""
WIDTH_MM = DOUBLE_MM - 2 * MARGIN_MM


@dataclass(frozen=True, slots=True)
class RowPage:
    """What a figure of rows, two columns wide (180 mm), has on each of its pages.

    Attributes
    ----------
    title, subtitle
        Above; the number of the page is added to the title.
    caption
        Whether the figure may be used, and footnotes.
    columns
        Headings.
    key
        Below the axis; without it there is none.
    notes
        Footnotes before the caption's, in sentences.
    """

    title: str
    caption: Caption
    columns: Columns = ()
    key: Key = tuple
    notes: Sequence[str] = ()
    subtitle: Sequence[str] = ()

    @property
    def top(self) -> float:
        """Upper edge of the rows, in mm from that of the page."""
        return head_mm(self.caption, self.subtitle) + HEADINGS_MM

    @property
    def room(self) -> float:
        """Height that the tallest page has for rows, in mm."""
        return TALLEST_MM - self._fixed

    def figure(self, body: float, *, number: int = 1, of: int = 1) -> "Figure":
        """Return a page with room for rows of this height in mm; it is the `number`-th `of` so many."""
        figure = new_page(DOUBLE_MM, self._fixed + body)
        paged = f" (page {number} of {of})" if of > 1 else ""
        write_head(figure, f"{self.title}{paged}", self.caption, self.subtitle)
        write_headings(figure, self.top, self.columns)
        if key := self.key():
            write_key(figure, MARGIN_MM, self.top + body + AXIS_MM, WIDTH_MM, key)
        write_foot(figure, self._foot)
        return figure

    def axes(self, figure: "Figure", place: tuple[float, float], body: float, rows: float) -> "Axes":
        """Return axes of rows between two places in mm, of one unit each from 0 downwards."""
        return row_axes(figure, *place, self.top, body, rows)

    @property
    def _foot(self) -> list[str]:
        return foot_lines((*self.notes, *self.caption.notes), DOUBLE_MM)

    @property
    def _fixed(self) -> float:
        texts = [text for _, text in self.key()]
        return self.top + AXIS_MM + (key_mm(texts, WIDTH_MM) if texts else 0.0) + foot_mm(self._foot)
