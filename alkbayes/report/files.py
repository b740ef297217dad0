"""A report as files: whole or not at all, and never over one that is there."""

import tempfile
from pathlib import Path

from alkbayes.errors import UsageError
from alkbayes.plots.files import check_free
from alkbayes.report.blocks import Report
from alkbayes.report.renderers.html import html_of
from alkbayes.report.renderers.markdown import figure_files, markdown_of

FORMATS = {"html": (".html", ".htm"), "md": (".md", ".markdown")}
"""What a report can be written as, with the endings of its file's name."""


def report_format(path: Path | None, asked: str | None) -> str:
    """Return what a report is written as: what was asked for, else by the ending of its file's name, else HTML.

    Raises
    ------
    UsageError
        If the format is none of `FORMATS`, or the file's name ends otherwise.
    """
    if asked is not None and asked not in FORMATS:
        raise UsageError(f"--format: found {asked!r}; allowed: {', '.join(FORMATS)}.")
    if path is None:
        return asked or "html"
    found = next((name for name, endings in FORMATS.items() if path.suffix.lower() in endings), None)
    if found is None:
        allowed = ", ".join(ending for endings in FORMATS.values() for ending in endings)
        raise UsageError(f"{path}: the name of a report's file must end in one of {allowed}.")
    if asked not in {None, found}:
        raise UsageError(f"{path} ends in {path.suffix}, and --format says {asked}. Give one of them.")
    return found


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
    check_free(made)
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{path.name}.", suffix=".partial", dir=path.absolute().parent
        ) as place:
            parts = [Path(place) / target.name for target in made]
            if format_ == "html":
                parts[0].write_text(html_of(report), encoding="utf-8")
            else:
                parts[0].write_text(markdown_of(report, made[1].name), encoding="utf-8")
                parts[1].mkdir()
                for name, content in figure_files(report).items():
                    (parts[1] / name).write_bytes(content)
            check_free(made)
            # The figures first: the file that names them is what a reader opens.
            for part, target in reversed([*zip(parts, made, strict=True)]):
                part.replace(target)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}.") from error
    return made
