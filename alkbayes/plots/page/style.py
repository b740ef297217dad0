"""How every figure looks: widths, sizes of type, colours, and numbers for a reader."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.font_manager import FontEntry, fontManager

from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.text.wording import percent, percent_interval

SINGLE_MM = 85.0
DOUBLE_MM = 180.0
"""Widths of one and of two columns of a journal, in mm."""
TALLEST_MM = 247.0
"""Of a page; what is taller goes on to a further one."""
DPI = 300

TITLE_PT = 7.5
TEXT_PT = 6.0
SMALL_PT = 5.5

INK = "#1a1a1a"
BLUE = "#0072b2"
ORANGE = "#d55e00"
GREY = "#6e6e6e"
BAR = "#d3dbe2"
RULE = "#d9d9d9"
BAND = "#f2f4f6"
"""Blue and orange are Okabe and Ito's, told apart by the colour-blind and dark enough in grey; whatever they tell apart
differs in its marker or its fill too."""

type Look = dict[str, Any]
"""Properties of an artist, as matplotlib names them."""

LEVEL_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LEVEL_FILLS = (BLUE, "white", ORANGE, "#56b4e9", "#f0e442", "#009e73", "#cc79a7")
"""Of the levels of a column in their order."""

FONT = "DejaVu Sans of matplotlib"
"""A name for matplotlib's own copy of DejaVu Sans, which no font of the machine has."""
FONT_FILES = (
    ("DejaVuSans.ttf", "normal", 400),
    ("DejaVuSans-Bold.ttf", "normal", 700),
    ("DejaVuSans-Oblique.ttf", "oblique", 400),
    ("DejaVuSans-BoldOblique.ttf", "oblique", 700),
)
"""Its files, each with style and weight."""

RC: dict[str, Any] = {
    "font.family": "sans-serif",
    # The first is one file on every machine, so that text is as wide everywhere and lines break at the same words; the
    # others are for readers of an SVG file.
    "font.sans-serif": [FONT, "DejaVu Sans", "Verdana", "Arial", "Helvetica", "sans-serif"],
    "font.size": TEXT_PT,
    "text.parse_math": False,  # a cohort may be called $\frac$
    "text.usetex": False,
    "text.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "alkbayes",
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "savefig.bbox": None,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "none",  # columns of text may lie under the next axes
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT_PT,
    "axes.labelpad": 2.0,
    "axes.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "xtick.labelsize": TEXT_PT,
    "ytick.labelsize": TEXT_PT,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.minor.size": 0.0,
    "ytick.minor.size": 0.0,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 0.7,
    "patch.linewidth": 0.5,
    "hatch.linewidth": 0.3,
}


def styled[**P, R](draw: Callable[P, R]) -> Callable[P, R]:
    """Have `draw` run under the style, whatever the user's own settings of matplotlib are, and leave those alone."""

    @wraps(draw)
    def under_style(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context():
            _pin_font()
            mpl.rcdefaults()
            mpl.rcParams.update(RC)  # type: ignore[arg-type]  # its stubs want literal keys
            return draw(*args, **kwargs)

    return under_style


def _pin_font() -> None:
    """Have matplotlib know its own files by `FONT`, whatever fonts the machine has or had when they were listed."""
    # Matplotlib lists all fonts anew where one of its list is gone, and that list has not got these.
    if not any(entry.name == FONT for entry in fontManager.ttflist):
        folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
        fontManager.ttflist += [
            FontEntry(
                fname=str(folder / file), name=FONT, style=style, weight=weight, stretch="normal", size="scalable"
            )
            for file, style, weight in FONT_FILES
        ]


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands about every figure of a run.

    Attributes
    ----------
    notes
        Sentences at the foot: model, evidence, what a reader must know.
    warning
        Why the figure is not to be used; empty where it may be.
    outcome
        What the rates are of.
    """

    notes: tuple[str, ...] = ()
    warning: str = ""
    outcome: Outcome = ORR


NO_CAPTION = Caption()


def estimate(value: float, low: float, high: float) -> str:
    """Return a proportion with its interval as percent, such as "61.0 (56.5–65.4)"."""
    return f"{percent(value)} ({percent_interval(low, high)})"
