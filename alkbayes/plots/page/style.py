"""Style of every figure: widths, type sizes, colours and number formats."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.font_manager import FontEntry, fontManager

from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.text.wording import level_text, percent, percent_interval
from alkbayes.vocabulary import INTERVAL_PROB

SINGLE_MM = 85.0
DOUBLE_MM = 180.0
"""Widths of one and two journal columns, in mm."""
TALLEST_MM = 247.0
"""Maximum page height; taller figures continue on a further page."""
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
"""Blue and orange are Okabe and Ito's, safe for colour-blind readers and dark enough in grey; marker or fill repeats
every distinction made by colour."""

type Look = dict[str, Any]
"""Properties of an artist, by matplotlib's names."""

LEVEL_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LEVEL_FILLS = (BLUE, "white", ORANGE, "#56b4e9", "#f0e442", "#009e73", "#cc79a7")
"""Fill colours of a column's levels in order."""

FONT = "DejaVu Sans of matplotlib"
"""Unique name for matplotlib's own copy of DejaVu Sans."""
FONT_FILES = (
    ("DejaVuSans.ttf", "normal", 400),
    ("DejaVuSans-Bold.ttf", "normal", 700),
    ("DejaVuSans-Oblique.ttf", "oblique", 400),
    ("DejaVuSans-BoldOblique.ttf", "oblique", 700),
)
"""Font files with style and weight."""

RC: dict[str, Any] = {
    "font.family": "sans-serif",
    # The first is the same file on every machine, so that text widths and line breaks are reproducible; the others are
    # for viewers of an SVG file.
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
    "axes.facecolor": "none",  # text columns may lie under the next axes
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
    """Run `draw` under this style, independent of the user's matplotlib settings, which it leaves unchanged."""

    @wraps(draw)
    def under_style(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context():
            _pin_font()
            mpl.rcdefaults()
            mpl.rcParams.update(RC)  # type: ignore[arg-type]  # its stubs want literal keys
            return draw(*args, **kwargs)

    return under_style


def _pin_font() -> None:
    """Register matplotlib's own files as `FONT`, independent of the machine's fonts."""
    # Matplotlib rebuilds its list of fonts if a listed one is gone, and the new list lacks these.
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
    """Footnotes and warning common to all figures of a run.

    Attributes
    ----------
    notes
        Footnotes: model, evidence and caveats, as sentences.
    warning
        Reason not to use the figure, or empty.
    outcome
        Outcome of the rates.
    interval_prob
        Probability of the intervals.
    """

    notes: tuple[str, ...] = ()
    warning: str = ""
    outcome: Outcome = ORR
    interval_prob: float = INTERVAL_PROB

    @property
    def level(self) -> str:
        """Probability of the intervals as text, such as "95 %"."""
        return level_text(self.interval_prob)


NO_CAPTION = Caption()


def estimate(value: float, low: float, high: float) -> str:
    """Return a proportion and its interval in percent, such as "61.0 (56.5–65.4)"."""
    return f"{percent(value)} ({percent_interval(low, high)})"
