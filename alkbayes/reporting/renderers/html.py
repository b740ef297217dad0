"""Report as one self-contained HTML file, and a result as a part of a page: nothing is loaded from elsewhere."""

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from alkbayes.reporting.blocks import Block, Report
from alkbayes.reporting.pictures import screen_width, svg_of

if TYPE_CHECKING:
    from alkbayes.plots.files import Page

TEMPLATES = "reporting/templates"


def html_of(report: Report) -> str:
    """Return a report as an HTML document.

    Text from tables and model files is escaped, and the page's policy allows no script but its own.
    """
    folder = files("alkbayes").joinpath(TEMPLATES)
    style, script = (folder.joinpath(name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return environment_with().get_template("report.html.j2").render(report=report, style=style, script=script)


def fragment_of(subject: str, verdict: str, blocks: Iterable[Block], *, failed: bool) -> str:
    """Return a result as an HTML element for a notebook, its verdict first, in red and announced if it `failed`."""
    template = environment_with().get_template("fragment.html.j2")
    return template.render(subject=subject, verdict=verdict, blocks=tuple(blocks), failed=failed)


@cache
def environment_with(*folders: str) -> Environment:
    """Return the environment of the report's templates, and of those in other folders of the package."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("alkbayes", folder) for folder in (TEMPLATES, *folders)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"data_address": _data_address, "integrity": _integrity, "screen_width": screen_width}
    return environment


def _data_address(page: "Page") -> str:
    """Return a figure's page as a data address; an SVG document used as an image runs no script."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg_of(page)).decode()}"


def _integrity(script: str) -> str:
    """Return the hash that admits a script under the page's policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
