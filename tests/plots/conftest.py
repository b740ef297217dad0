"""Small fits that the tests of the figures share, made-up tables of any size, and what a reader sees of a figure."""

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from alkbayes.estimates.results import results_of
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.plots.page.style import styled
from alkbayes.runs.analyses import keep_analysis
from alkbayes.runs.run import write_run
from alkbayes.sensitivity_analysis.refit import run_grid
from alkbayes.sensitivity_analysis.table import grid_records
from alkbayes.spec.schema import model_path, read_spec
from alkbayes.vocabulary import group_row

SETTINGS = SamplerSettings(seed=11, chains=4, draws=250)
ALTERNATIVES = ("tau half-normal 1", "differences normal 0.5", "mixed lines left out")
LINES, GENERATIONS = ("naive", "pretreated"), ("first", "second", "third")
ESTIMANDS = ("these_cohorts", "typical", "mean", "next_cohort")
HOSTILE = (
    "<script>alert(1)</script>",
    r"$\frac{1}{0}$ a_b^c",
    '=HYPERLINK("x")',
    "\U0001f600 smile",
    "a & b \x1b[31m",
    "_under",
    "x" * 300,
)


def fitted(model: str, folder: Path) -> SimpleNamespace:
    spec = read_spec(model_path(model))
    evidence = read_evidence(needed=spec.columns, outcome=spec.outcome)
    fit = fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=SETTINGS)
    results = results_of(fit)
    write_run(folder, fit, results, model_file=model_path(model).read_bytes(), command="alkbayes fit")
    return SimpleNamespace(fit=fit, results=results, folder=folder)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The default model on the bundled table: its fit, its tables, its folder."""
    return fitted("line-generation", tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="session")
def sequence_run(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    return fitted("sequence", tmp_path_factory.mktemp("runs") / "sequence")


@pytest.fixture(scope="session")
def alternatives(run: SimpleNamespace, fewer_draws: Callable[[], AbstractContextManager[None]]) -> list[dict[str, Any]]:
    """Of the default model's run: two alternatives of a family and one that lacks a level, kept in its folder."""
    with fewer_draws():
        records = grid_records(run_grid(run.fit, names=ALTERNATIVES, workers=1))
    keep_analysis(run.folder, "sensitivity", {"sensitivity": {"interval_prob": 0.95, "alternatives": records}})
    return records


def pooled_row(levels: dict[str, str], estimand: str, place: int) -> dict[str, Any]:
    low = 0.3 + 0.01 * (place % 20)
    return {
        **group_row(levels),
        "line": levels.get("line"),
        "generation": levels.get("generation"),
        "k": 3,
        "patients": 100,
        "responders": 50,
        "weights": "",
        "estimand": estimand,
        "mean": low + 0.1,
        "median": low + 0.1,
        "sd": 0.05,
        "low": low,
        "high": low + 0.25,
    }


def made_up(count: int, *, grouped: bool = True, names: tuple[str, ...] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a pooled table and a table of cohorts with so many rows."""
    rng = np.random.default_rng(4)
    cells = list(itertools.product(LINES, GENERATIONS))
    n = rng.integers(5, 300, count)
    responders = rng.binomial(n, 0.6)
    cohorts = pd.DataFrame(
        {
            "cohort_id": [names[at] if at < len(names) else f"trial-{at:03d}-arm" for at in range(count)],
            "line": [cells[at % len(cells)][0] for at in range(count)],
            "regimen_class": [cells[at % len(cells)][1] for at in range(count)],
            "n": n,
            "responders": responders,
            "observed": responders / n,
            "median": 0.5 * responders / n + 0.3,
            "low": 0.5 * responders / n + 0.2,
            "high": 0.5 * responders / n + 0.4,
            "shrinkage": 10 / (10 + n),
        }
    )
    rows = [pooled_row({}, estimand, 0) for estimand in ESTIMANDS]
    if grouped:
        used = cells[: max(1, min(count, len(cells)))]
        for place, line in enumerate(dict.fromkeys(line for line, _ in used), 1):
            rows += [pooled_row({"line": line}, estimand, place) for estimand in ESTIMANDS]
        for place, (line, generation) in enumerate(used, 5):
            levels = {"line": line, "generation": generation}
            rows += [pooled_row(levels, estimand, place) for estimand in ESTIMANDS]
    else:
        cohorts = cohorts.drop(columns=["line", "regimen_class"])
    return pd.DataFrame(rows), cohorts


@pytest.fixture(scope="session")
def tables_of() -> Callable[..., tuple[pd.DataFrame, pd.DataFrame]]:
    return made_up


class Seen:
    """What is on a page as it is drawn."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        canvas = FigureCanvasAgg(figure)
        self._renderer = canvas.get_renderer()
        styled(figure.draw_without_rendering)()
        # Ticks outside the limits, and the labels of axes that are off, exist and are not drawn.
        both = [(axes, axis) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
        undrawn = {text for _, axis in both for text in axis.findobj(Text)}
        for axes, axis in both:
            if axes.axison:
                undrawn -= {axis.label, *(text for tick in axis._update_ticks() for text in tick.findobj(Text))}
        self.texts = [
            text
            for text in figure.findobj(Text)
            if text.get_text().strip() and text.get_visible() and text not in undrawn
        ]
        self.words = [text.get_text() for text in self.texts]

    def by_gid(self, gid: str) -> list[Artist]:
        return self.figure.findobj(lambda artist: artist.get_gid() == gid)

    def one(self, gid: str) -> Any:
        (artist,) = self.by_gid(gid)
        return artist

    def points(self, gid: str) -> np.ndarray:
        """Return where markers are, shape (marker, 2)."""
        return np.asarray(self.one(gid).get_offsets())

    def boxes(self) -> dict[str, Any]:
        return {
            f"{text.get_text()} #{at}": text.get_window_extent(self._renderer) for at, text in enumerate(self.texts)
        }

    def overlaps(self) -> list[tuple[str, str]]:
        """Return the pairs of texts that cover each other.

        matplotlib's boxes are as high as "lp" is, with the space that a line keeps above it; what letters of two lines
        share by less than a fifth of that height does not touch.
        """
        boxes = self.boxes()
        names = list(boxes)
        extents = np.array([boxes[name].extents for name in names])
        left, bottom, right, top = extents.T
        cut = 0.2 * (top - bottom)
        wide = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
        high = np.minimum(top[:, None], top) - np.maximum(bottom[:, None], bottom)
        both = (wide > 0.5) & (high > np.minimum(cut[:, None], cut))
        return [(names[i], names[j]) for i, j in zip(*np.nonzero(np.triu(both, 1)), strict=True)]

    def outside(self) -> list[str]:
        """Return the texts that leave the page."""
        page = self.figure.bbox
        return [
            name
            for name, box in self.boxes().items()
            if box.x0 < page.x0 - 1 or box.x1 > page.x1 + 1 or box.y0 < page.y0 - 1 or box.y1 > page.y1 + 1
        ]


@pytest.fixture(scope="session")
def see() -> type[Seen]:
    return Seen


@pytest.fixture(scope="session")
def hostile() -> tuple[str, ...]:
    return HOSTILE
