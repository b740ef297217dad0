"""Figure files, written whole or not at all, and never over an existing file."""

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
"""Page of a figure, for packages that import no matplotlib."""

FORMATS = {"png": ("png",), "svg": ("svg",), "pdf": ("pdf",)}
"""File extensions by format."""


def figure_format(path: Path | None, asked: str | None) -> str:
    """Return the requested format of a figure, else that of the file's extension, else PNG.

    Raises
    ------
    UsageError
        If the format is not in `FORMATS`, or disagrees with the file's extension.
    """
    return format_of(path, asked, FORMATS, "a figure")


def paths_of(path: Path, pages: int) -> list[Path]:
    """Return the files for a figure's pages: one PDF with all of them, or numbered files in other formats."""
    if pages == 1 or path.suffix.lower() == ".pdf":
        return [path]
    return [path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(1, pages + 1)]


@styled
def save_figures(pages: Sequence["Figure"], path: Path) -> list[Path]:
    """Write the pages of a figure in the format of the file's extension and return the files.

    Each file is written to a temporary name and renamed. Output is reproducible byte for byte, without a date.

    Raises
    ------
    UsageError
        If one of the files exists, or the folder is not writable.
    """
    paths = paths_of(path, len(pages))
    with new_files(path, paths) as files, _missing_glyphs_as_boxes():
        _write(pages, files)
    return paths


@styled
def write_svg(page: "Figure", file: "Path | BinaryIO") -> None:
    """Write one page as SVG, reproducible byte for byte."""
    with _missing_glyphs_as_boxes():
        page.savefig(file, format="svg", metadata={"Date": None, "Creator": "alkbayes"})


@styled
def write_png(page: "Figure", file: "Path | BinaryIO") -> None:
    """Write one page as PNG with `DPI` dots per inch, reproducible byte for byte."""
    with _missing_glyphs_as_boxes():
        page.savefig(file, format="png", dpi=DPI, metadata={"Software": "alkbayes"})


@contextmanager
def _missing_glyphs_as_boxes() -> Iterator[None]:
    """Show a box for a glyph missing from the font: an altered name would be worse, and SVG has the character."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", MISSING_GLYPH)
        yield


def save_folder(folder: Path, figures: Mapping[str, Sequence["Figure"]]) -> list[Path]:
    """Write figures as PNG files into a new folder, whole or not at all, and return them in the order of `figures`.

    `figures` maps file names without extension to pages.

    Raises
    ------
    UsageError
        As :func:`alkbayes.runs.places.new_plots_folder`.
    """
    with new_plots_folder(folder) as place:
        files = [file for name, pages in figures.items() for file in save_figures(pages, place / f"{name}.png")]
    return [folder / file.name for file in files]


def _write(pages: Sequence["Figure"], files: Sequence[Path]) -> None:
    """Write pages to files, or all to one PDF."""
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
            write_png(page, file)
