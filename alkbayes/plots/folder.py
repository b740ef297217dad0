"""Folders of plots, complete or absent, in one style."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alkbayes.runs.places import new_plots_folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

type Figures = Mapping[str, Callable[[], "Figure"]]
"""Functions that draw figures, by file name without extension."""

STYLE = "arviz-variat"
"""ArviZ style, with a layout that keeps labels apart."""
SIZES: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titleweight": "normal",
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "figure.titlesize": 11,
    "figure.titleweight": "normal",
    "lines.linewidth": 1.0,
    "figure.constrained_layout.use": True,
}
"""Type sizes in points, for figures read at actual size, on paper or a screen."""
DPI = 150
ENDING = ".png"


def write_plots(folder: Path, figures: Figures) -> list[Path]:
    """Draw figures and write them as PNG files into a new folder, whole or not at all; return the files in order.

    Raises
    ------
    UsageError
        As :func:`alkbayes.runs.places.new_plots_folder`.
    """
    with new_plots_folder(folder) as place, _drawing():
        for name, draw in figures.items():
            draw().savefig(place / f"{name}{ENDING}", dpi=DPI)
    return [folder / f"{name}{ENDING}" for name in figures]


@contextmanager
def _drawing() -> Iterator[None]:
    """Draw without a display, in the ArviZ style, and close all figures."""
    import arviz_plots  # noqa: F401 - registers the style
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    with plt.style.context(STYLE), plt.rc_context(SIZES):
        try:
            yield
        finally:
            plt.close("all")
