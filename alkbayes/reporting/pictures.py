"""Run figures as pictures in a report: as SVG for a screen, as PNG for a document."""

import io
import re
from typing import TYPE_CHECKING

from alkbayes.plots.files import write_png, write_svg
from alkbayes.reporting.blocks import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alkbayes.plots.files import Page

SCREEN_DPI = 124
"""Resolution in dots per inch at which 6-point type appears as small print on a screen."""


def picture(name: str, title: str, description: str, pages: "Sequence[Page]") -> Picture:
    """Return a figure as a report picture."""
    return Picture(name, title, description, tuple(pages))


def svg_of(page: "Page") -> bytes:
    """Return a page as SVG without XML declaration and document type, which contain addresses."""
    file = io.BytesIO()
    write_svg(page, file)
    return re.sub(rb"^.*?(?=<svg )", b"", file.getvalue(), count=1, flags=re.DOTALL)


def screen_width(page: "Page") -> int:
    """Return the width of a page in screen pixels."""
    return round(page.get_figwidth() * SCREEN_DPI)


def png_of(page: "Page") -> bytes:
    """Return a page as PNG, with 300 dots per inch at the width that it is drawn for."""
    file = io.BytesIO()
    write_png(page, file)
    return file.getvalue()
