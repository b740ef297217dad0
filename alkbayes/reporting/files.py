"""Report files, written whole or not at all, and never over an existing file."""

import importlib.util
from pathlib import Path

from alkbayes.errors import UsageError
from alkbayes.reporting.blocks import Report
from alkbayes.reporting.renderers.html import html_of
from alkbayes.reporting.renderers.markdown import figure_files, markdown_of
from alkbayes.runs.places import format_of, new_files

FORMATS = {"html": ("html", "htm"), "md": ("md", "markdown"), "docx": ("docx",), "xlsx": ("xlsx",)}
"""File extensions by format."""


def report_format(path: Path | None, asked: str | None) -> str:
    """Return the requested format of a report, else that of the file's extension, else HTML.

    Raises
    ------
    UsageError
        If the format is not in `FORMATS`, or disagrees with the file's extension, or is Word's and python-docx, of the
        extra `office`, is not installed.
    """
    format_ = format_of(path, asked, FORMATS, "a report")
    if format_ == "docx" and importlib.util.find_spec("docx") is None:
        raise UsageError(
            'a report for Word needs python-docx, which is not installed: pip install "alkbayes[office]". The other '
            "formats do without: html, md, xlsx."
        )
    return format_


def figures_folder(path: Path) -> Path:
    """Return the figures folder of a Markdown report, beside the file and named after it."""
    return path.with_name(f"{path.stem}-figures")


def places(path: Path, format_: str) -> list[Path]:
    """Return the paths of a report: the file and, for Markdown, its figures folder."""
    return [path, figures_folder(path)] if format_ == "md" else [path]


def write_report(report: Report, path: Path, format_: str) -> list[Path]:
    """Write a report in a format of :func:`report_format` and return its paths, as :func:`places`.

    Raises
    ------
    UsageError
        If one of the paths exists, or the folder is not writable.
    """
    made = places(path, format_)
    # The last path is moved first, so that the figures are there before the file that links to them.
    with new_files(path, made) as parts:
        match format_:
            case "html":
                parts[0].write_text(html_of(report), encoding="utf-8")
            case "docx":
                from alkbayes.reporting.word.document import docx_of

                parts[0].write_bytes(docx_of(report))
            case "xlsx":
                from alkbayes.reporting.renderers.workbook import xlsx_of

                parts[0].write_bytes(xlsx_of(report))
            case _:
                parts[0].write_text(markdown_of(report, made[1].name), encoding="utf-8")
                parts[1].mkdir()
                for name, content in figure_files(report).items():
                    (parts[1] / name).write_bytes(content)
    return made
