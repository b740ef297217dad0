"""Report files, written whole or not at all, and never over an existing file."""

from pathlib import Path

from alkbayes.reporting.blocks import Report
from alkbayes.reporting.renderers.html import html_of
from alkbayes.reporting.renderers.markdown import figure_files, markdown_of
from alkbayes.runs.places import format_of, new_files

FORMATS = {"html": ("html", "htm"), "md": ("md", "markdown")}
"""File extensions by format."""


def report_format(path: Path | None, asked: str | None) -> str:
    """Return the requested format of a report, else that of the file's extension, else HTML.

    Raises
    ------
    UsageError
        If the format is not in `FORMATS`, or disagrees with the file's extension.
    """
    return format_of(path, asked, FORMATS, "a report")


def figures_folder(path: Path) -> Path:
    """Return the figures folder of a Markdown report, beside the file and named after it."""
    return path.with_name(f"{path.stem}-figures")


def places(path: Path, format_: str) -> list[Path]:
    """Return the paths of a report: the file and, for Markdown, its figures folder."""
    return [path] if format_ == "html" else [path, figures_folder(path)]


def write_report(report: Report, path: Path, format_: str) -> list[Path]:
    """Write a report and return its paths, as :func:`places`.

    Raises
    ------
    UsageError
        If one of the paths exists, or the folder is not writable.
    """
    made = places(path, format_)
    # The last path is moved first, so that the figures are there before the file that links to them.
    with new_files(path, made) as parts:
        if format_ == "html":
            parts[0].write_text(html_of(report), encoding="utf-8")
        else:
            parts[0].write_text(markdown_of(report, made[1].name), encoding="utf-8")
            parts[1].mkdir()
            for name, content in figure_files(report).items():
                (parts[1] / name).write_bytes(content)
    return made
