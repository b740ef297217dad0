"""Response rates by prior ALK TKI and TKI generation, as a heat map."""

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from alkbayes.alk.words import SHORT_HISTORIES
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    fitted,
    foot_lines,
    foot_mm,
    head_mm,
    line_mm,
    new_page,
    place_axes,
    wrapped,
    write_foot,
    write_head,
)
from alkbayes.plots.page.style import GREY, INK, NO_CAPTION, SINGLE_MM, SMALL_PT, TEXT_PT, Caption, styled
from alkbayes.text.json import records
from alkbayes.text.wording import percent, percent_interval
from alkbayes.vocabulary import Estimand

LEFT_MM = 18.0
CELL_MM = 12.5
"""Height of a cell."""
LABEL_PT = 5.2
COLOURS = "Blues"
DARKEST = 0.65
"""Share of the colour map used, so that dark numbers stand out on all of it."""
READING = (
    "In each cell the mean response rate over cohorts (posterior median) and its {level} credible interval, %; next: "
    "the {level} prediction interval of the next cohort's rate; k cohorts. A cell with cohorts is averaged over its "
    "own patients' lines. Hatched: no cohort has had this after that; the rate is what the model predicts for the "
    "lines of its row's patients."
)


@styled
def sequence(table: pd.DataFrame, caption: Caption = NO_CAPTION, *, trials: int | None = None) -> list[Figure]:
    """Draw response rates by prior ALK TKI and TKI generation, one column wide (85 mm).

    `table` is an :func:`alkbayes.analyses.sequence.sequence_table` with rates in [0, 1]; the page is in percent.
    `trials` is the number of trials compared, None if the table names none.
    """
    means, following = (_by_cell(table, estimand) for estimand in (Estimand.MEAN, Estimand.NEXT_COHORT))
    rows, columns = list(dict.fromkeys(table["earlier"])), list(dict.fromkeys(table["generation"]))
    notes = foot_lines(
        (READING.format(level=caption.level), caption.outcome.not_randomised(trials), *caption.notes), SINGLE_MM
    )
    head = head_mm(caption) + 2 * line_mm(TEXT_PT)
    body = len(rows) * CELL_MM
    figure = new_page(SINGLE_MM, head + body + 1.0 + foot_mm(notes))
    write_head(figure, "Response rate by prior ALK TKI and generation", caption)
    width = SINGLE_MM - LEFT_MM - MARGIN_MM
    axes = place_axes(figure, LEFT_MM, head, width, body)
    axes.set_xlim(0, len(columns))
    axes.set_ylim(len(rows), 0)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    room = width / len(columns) - 0.6
    axes.set_xticks([at + 0.5 for at in range(len(columns))], [fitted(name, room, LABEL_PT) for name in columns])
    axes.set_yticks(
        [at + 0.5 for at in range(len(rows))],
        ["\n".join(wrapped(SHORT_HISTORIES.get(name, name), LEFT_MM - MARGIN_MM - 3.5, LABEL_PT)) for name in rows],
    )
    axes.tick_params(labelsize=LABEL_PT)
    axes.set_xlabel("TKI generation", weight="bold", labelpad=3)
    axes.set_ylabel("prior ALK TKI", weight="bold")
    colours = mpl.colormaps[COLOURS]
    for (earlier, generation), record in means.items():
        x, y = columns.index(generation), rows.index(earlier)
        predicted = not record["observed"]
        axes.add_patch(
            Rectangle(
                (x, y),
                1,
                1,
                facecolor=colours(DARKEST * record["median"]),
                edgecolor="white",
                linewidth=1.2,
                gid=f"cell-{y}-{x}",
            )
        )
        if predicted:
            axes.add_patch(
                Rectangle(
                    (x, y),
                    1,
                    1,
                    fill=False,
                    hatch="/////",
                    edgecolor=GREY,
                    linewidth=0,
                    alpha=0.45,
                    gid=f"predicted-{y}-{x}",
                )
            )
        interval = percent_interval(record["low"], record["high"], 0)
        later = following[earlier, generation]
        prediction = f"next {percent_interval(later['low'], later['high'], 0)}"
        count = "no cohorts" if predicted else f"k = {record['k']:,}"
        # On a patch of the cell's colour, so that hatching does not cross numbers.
        ground = (
            {"facecolor": colours(DARKEST * record["median"]), "edgecolor": "none", "pad": 0.6} if predicted else None
        )
        for offset, text, style in (
            (0.2, percent(record["median"], 0), {"weight": "bold", "fontsize": TEXT_PT + 1}),
            (0.43, interval, {"fontsize": SMALL_PT}),
            (0.63, prediction, {"fontsize": SMALL_PT}),
            (0.83, count, {"fontsize": SMALL_PT - 0.5, "style": "italic" if predicted else "normal"}),
        ):
            axes.text(x + 0.5, y + offset, text, ha="center", va="center", color=INK, bbox=ground, **style)
    write_foot(figure, notes)
    return [figure]


def _by_cell(table: pd.DataFrame, estimand: Estimand) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["earlier"], row["generation"]): row for row in records(table[table["estimand"] == estimand])}
