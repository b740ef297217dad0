"""A report as files: whole or not at all, and never over one that is there."""

from pathlib import Path

from alkbayes.report.blocks import Report
from alkbayes.report.renderers.html import html_of
from alkbayes.report.renderers.markdown import figure_files, markdown_of
from alkbayes.runs.places import format_of, new_files

FORMATS = {"html": ("html", "htm"), "md": ("md", "markdown")}
"""What a report can be written as, with the endings of its file's name."""


def report_format(path: Path | None, asked: str | None) -> str:
    """Return what a report is written as: what was asked for, else by the ending of its file's name, else HTML.

    Raises
    ------
    UsageError
        If the format is none of `FORMATS`, or the file's name ends otherwise.
    """
    return format_of(path, asked, FORMATS, "a report")


def figures_folder(path: Path) -> Path:
    """Return the folder of a Markdown report's figures: beside it, with its name."""
    return path.with_name(f"{path.stem}-figures")


def places(path: Path, format_: str) -> list[Path]:
    """Return what writing a report makes: the file, and of Markdown the folder of its figures."""
    return [path] if format_ == "html" else [path, figures_folder(path)]


def write_report(report: Report, path: Path, format_: str) -> list[Path]:
    """Write a report.

    Returns
    -------
    list of Path
        What was made, as :func:`places`.

    Raises
    ------
    UsageError
        If something is at one of these places, or the folder cannot be written to.
    """
    made = places(path, format_)
    # What is named last is moved first: the file that names the figures is what a reader opens.
    with new_files(path, made) as parts:
        if format_ == "html":
            parts[0].write_text(html_of(report), encoding="utf-8")
        else:
            parts[0].write_text(markdown_of(report, made[1].name), encoding="utf-8")
            parts[1].mkdir()
            for name, content in figure_files(report).items():
                (parts[1] / name).write_bytes(content)
    return made
