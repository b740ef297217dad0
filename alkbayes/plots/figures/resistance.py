"""Resistance mutations: every row with its exact interval, above the model's estimate for its question."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure

from alkbayes.plots.page import marks
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    cell,
    chunks,
    fitted,
    key_line,
    percent_axis,
    wrapped,
)
from alkbayes.plots.page.rows import WIDTH_MM, RowPage
from alkbayes.plots.page.style import (
    DOUBLE_MM,
    GREY,
    INK,
    NO_CAPTION,
    TEXT_PT,
    Caption,
    estimate,
    styled,
)
from alkbayes.text.json import records
from alkbayes.text.wording import percent_interval, rate_text
from alkbayes.vocabulary import Estimand

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

ROW_MM = 4.0
NAME_MM = 52.0
COUNTS_MM = 66.0
PLOT_MM = (70.0, 132.0)
SHARE_MM = 160.0
PRIOR_MM = DOUBLE_MM - MARGIN_MM
"""Position, alignment and heading of each text column."""
READING = (
    "A row's interval is the exact (Clopper-Pearson) confidence interval of its samples. Under the rows of a "
    "generation stands what the model says of it, the mean's credible interval in figures and, to the right, the one "
    "that its prior alone has. Sets of mutations, and tissue and plasma, are different questions and not pooled."
)
NEXT = "the next set of samples"


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the table, the model's estimate for a generation, or the heading of a question."""

    label: str
    count: dict[str, Any] | None = None
    estimands: dict[str, dict[str, Any]] | None = None


@styled
def resistance(
    rows: pd.DataFrame, prevalence: pd.DataFrame, *, heading: str, caption: Caption = NO_CAPTION
) -> list[Figure]:
    """Draw a table of resistance mutations, two columns wide (180 mm).

    `rows` and `prevalence` are those of :class:`alkbayes.analyses.resistance.Resistance`, proportions in [0, 1]; pages
    are in percent. `heading`, under each title, says how sparse the data are.
    """
    subtitle = wrapped(heading, WIDTH_MM, TEXT_PT)
    columns = (
        (MARGIN_MM, "left", ("", "Question, inhibitor before")),
        (COUNTS_MM, "right", ("with /", "samples")),
        (SHARE_MM, "right", ("% of samples,", f"{caption.level} interval")),
        (PRIOR_MM, "right", ("before any", "count")),
    )
    frame = RowPage("ALK resistance mutations", caption, columns, partial(_key, caption.level), (READING,), subtitle)
    pages = chunks(list(_rows(rows, prevalence)), int(frame.room / ROW_MM))
    figures = []
    for number, page in enumerate(pages, 1):
        body = len(page) * ROW_MM
        figure = frame.figure(body, number=number, of=len(pages))
        axes = frame.axes(figure, PLOT_MM, body, 2 * len(page))
        percent_axis(axes)
        axes.set_xlabel("Samples with a mutation, %")
        _draw(axes, page)
        figures.append(figure)
    return figures


def _key(level: str) -> list[tuple["Artist", str]]:
    mark = key_line(marker="s", markersize=3, markerfacecolor="white", markeredgewidth=0.5, linewidth=0.6)
    return [
        (mark, f"samples with a mutation, {level} confidence interval"),
        *marks.summary_key(level, following=NEXT, of="set"),
    ]


def _rows(rows: pd.DataFrame, prevalence: pd.DataFrame) -> Iterator[_Row]:
    """Yield each question, its rows by generation, and the model's estimate under them."""
    pooled = prevalence.groupby(["mutation_set", "assay", "after_generation"], sort=False)
    said = {key: {row["estimand"]: row for row in records(of)} for key, of in pooled}
    for (mutation_set, assay), question in rows.groupby(["mutation_set", "assay"], sort=False):
        yield _Row(f"{mutation_set}, {assay}")
        for level, of in question.groupby("after_generation", sort=True):
            for row in records(of):
                beside = "" if row["counted"] else ", beside"
                yield _Row(f"{row['after_agent']} ({row['sample_set']}{beside})", count=row)
            if (estimands := said.get((mutation_set, assay, level))) is not None:
                name = "mixed inhibitors" if level == "mixed" else f"generation {level}"
                yield _Row(f"model, after {name}", estimands=estimands)


def _draw(axes: "Axes", page: list[_Row]) -> None:
    """Draw rows of two units of the vertical axis each."""
    middles = [(row, 2 * at + 1.0) for at, row in enumerate(page)]
    counts = [(row.count, y) for row, y in middles if row.count is not None]
    low, observed, high = (
        marks.in_percent([count[name] for count, _ in counts]) for name in ("exact_low", "observed", "exact_high")
    )
    marks.intervals(axes, low, high, [y for _, y in counts], gid="row-interval")
    marks.points(axes, observed, [y for _, y in counts], gid="row", s=9.0, **marks.OBSERVED)
    summaries = [(row.estimands, y) for row, y in middles if row.estimands is not None]
    marks.summaries(
        axes,
        {estimand: [estimands[estimand] for estimands, _ in summaries] for estimand in marks.SHOWN},
        [y for _, y in summaries],
    )
    for row, y in middles:
        if row.count is not None:
            count = row.count
            look = {} if count["counted"] else {"color": GREY}
            cell(axes, MARGIN_MM + 2.0, y, fitted(row.label, NAME_MM - 2.0), ha="left", **look)
            cell(axes, COUNTS_MM, y, f"{count['n_with']:,}/{count['n_biopsies']:,}", **look)
            cell(axes, SHARE_MM, y, estimate(count["observed"], count["exact_low"], count["exact_high"]), **look)
        elif row.estimands is not None:
            mean = row.estimands[Estimand.MEAN]
            cell(axes, MARGIN_MM + 2.0, y, fitted(row.label, NAME_MM - 2.0), ha="left", style="italic")
            cell(axes, SHARE_MM, y, rate_text(mean), color=INK, style="italic")
            cell(axes, PRIOR_MM, y, percent_interval(mean["prior_low"], mean["prior_high"], 0), style="italic")
        else:
            cell(axes, MARGIN_MM, y, fitted(row.label, NAME_MM, bold=True), ha="left", weight="bold")
