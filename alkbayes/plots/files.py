"""Figures as files: whole or not at all, and never over one that is there."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from alkbayes.plots.page.layout import MISSING_GLYPH
from alkbayes.plots.page.style import DPI, styled
from alkbayes.runs.places import format_of, new_files, new_plots_folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

type Page = Figure
"""Of a figure: what packages that import no matplotlib call one."""

FORMATS = {"png": ("png",), "svg": ("svg",), "pdf": ("pdf",)}
"""What a figure can be written as, with the endings of its file's name."""


def figure_format(path: Path | None, asked: str | None) -> str:
    """Return the format of a figure: what was asked for, else by the ending of its file's name, else PNG.

    Raises
    ------
    UsageError
        If the format is none of `FORMATS`, or the file's name ends otherwise.
    """
    return format_of(path, asked, FORMATS, "a figure")


def paths_of(path: Path, pages: int) -> list[Path]:
    """Return the files of a figure of so many pages: a PDF holds all of them, other formats are numbered."""
    if pages == 1 or path.suffix.lower() == ".pdf":
        return [path]
    return [path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(1, pages + 1)]


@styled
def save_figures(pages: Sequence["Figure"], path: Path) -> list[Path]:
    """Write the pages of a figure, in the format that the name ends in.

    Each file is written beside its place and renamed. The same figure gives the same bytes: no file holds a date.

    Returns
    -------
    list of Path
        What was written: one file, or one for each page of a PNG or SVG of several.

    Raises
    ------
    UsageError
        If something is at one of these places, or the folder cannot be written to.
    """
    paths = paths_of(path, len(pages))
    with new_files(path, paths) as files, _missing_glyphs_as_boxes():
        _write(pages, files)
    return paths


@styled
def write_svg(page: "Figure", file: "Path | BinaryIO") -> None:
    """Write one page as SVG. The same figure gives the same bytes: there is no date."""
    with _missing_glyphs_as_boxes():
        page.savefig(file, format="svg", metadata={"Date": None, "Creator": "alkbayes"})


@contextmanager
def _missing_glyphs_as_boxes() -> Iterator[None]:
    """Have a box stand for what the font has not got: a wrong name would be worse, and SVG has the character."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", MISSING_GLYPH)
        yield


def save_folder(folder: Path, figures: Mapping[str, Sequence["Figure"]]) -> list[Path]:
    """Write figures as PNG files into a new folder, whole or not at all.

    Parameters
    ----------
    folder
        Where; nothing may be there.
    figures
        Pages by the name of the file without its ending.

    Returns
    -------
    list of Path
        What was written, in the order of `figures`; of one with several pages, each.

    Raises
    ------
    UsageError
        As :func:`alkbayes.runs.places.new_plots_folder`.
    """
    with new_plots_folder(folder) as place:
        files = [file for name, pages in figures.items() for file in save_figures(pages, place / f"{name}.png")]
    return [folder / file.name for file in files]


def _write(pages: Sequence["Figure"], files: Sequence[Path]) -> None:
    """Write pages to files, all to the one file of a PDF."""
    ending = files[0].suffix.lower()
    if ending == ".pdf":
        from matplotlib.backends.backend_pdf import PdfPages

        with PdfPages(files[0], metadata={"CreationDate": None, "Producer": None, "Creator": "alkbayes"}) as document:
            for page in pages:
                document.savefig(page)
        return
    for page, file in zip(pages, files, strict=True):
        if ending == ".svg":
            write_svg(page, file)
        else:
            page.savefig(file, format="png", dpi=DPI, metadata={"Software": "alkbayes"})
