"""Figures of a run as pictures of a report."""

import io
import re
from typing import TYPE_CHECKING

from alkbayes.plots.files import write_svg
from alkbayes.report.blocks import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alkbayes.plots.files import Page

SCREEN_DPI = 124
"""Dots an inch at which a figure's letters of 6 points are as large as small print on a screen."""


def picture(name: str, title: str, description: str, pages: "Sequence[Page]") -> Picture:
    """Return a figure as a picture of a report."""
    return Picture(
        name, title, description, tuple((_svg(page), round(page.get_figwidth() * SCREEN_DPI)) for page in pages)
    )


def _svg(page: "Page") -> bytes:
    """Return a page as an SVG document without the declaration and the document type, which name addresses."""
    file = io.BytesIO()
    write_svg(page, file)
    return re.sub(rb"^.*?(?=<svg )", b"", file.getvalue(), count=1, flags=re.DOTALL)
