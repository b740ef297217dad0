"""Report as one self-contained HTML file: no network, external font or external script."""

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from alkbayes.reporting.blocks import Report

TEMPLATES = "reporting/templates"


def html_of(report: Report) -> str:
    """Return a report as an HTML document.

    Text from tables and model files is escaped, and the page's policy allows no script but its own.
    """
    environment = Environment(
        loader=PackageLoader("alkbayes", TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"data_address": _data_address, "integrity": _integrity}
    folder = files("alkbayes").joinpath(TEMPLATES)
    style, script = (folder.joinpath(name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return environment.get_template("report.html.j2").render(report=report, style=style, script=script)


def _data_address(svg: bytes) -> str:
    """Return a picture as a data address; an SVG document used as an image runs no script."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def _integrity(script: str) -> str:
    """Return the hash that admits a script under the page's policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
