"""Rank plot of a calibration study: each quantity's ECDF minus uniform, in its simultaneous envelope."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alkbayes.calibration.uniformity import ALPHA, envelope
from alkbayes.errors import RunError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 4
PANEL = (2.6, 1.9)
"""Panel size in inches."""


def rank_figure(ranks: Mapping[str, Sequence[int]], *, kept: int) -> "Figure":
    """Draw the ECDF of each quantity's ranks minus uniform, with its 95 % envelope, a panel each.

    Ranks are integers from 0 to `kept`, the number of draws ranked among; every quantity has the same number of ranks.
    """
    from matplotlib.figure import Figure

    count = len(next(iter(ranks.values())))
    points, low, high = envelope(count, kept=kept, prob=1 - ALPHA)
    rows = -(-len(ranks) // COLUMNS)
    figure = Figure(figsize=(COLUMNS * PANEL[0], rows * PANEL[1]), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, (name, values) in zip(axes, ranks.items(), strict=False):
        below = np.searchsorted(np.sort(values), np.arange(1, kept + 1)) / count
        axis.fill_between(points, low - points, high - points, color="0.85", linewidth=0)
        outside = bool(((below < low) | (below > high)).any())
        axis.step(points, below - points, where="mid", color="C3" if outside else "C0", linewidth=1)
        axis.axhline(0, color="0.5", linewidth=0.5)
        axis.set_title(name, fontsize=8, parse_math=False)
    for axis in axes[len(ranks) :]:
        axis.set_axis_off()
    figure.supxlabel("fractional rank of the true value", fontsize=9)
    figure.supylabel("ECDF less uniform", fontsize=9)
    return figure


def write_rank_plot(folder: Path, ranks: Mapping[str, Sequence[int]], *, kept: int) -> Path:
    """Write the figure to `ranks.png` in a folder, created if missing, and return its path.

    Raises
    ------
    RunError
        If the file cannot be written.
    """
    path = folder / "ranks.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rank_figure(ranks, kept=kept).savefig(path, dpi=150)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}. Choose a folder of yours.") from error
    return path
