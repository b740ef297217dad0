"""Pooled rates of every group: line by TKI generation where a model has both, else the levels of its effects."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from alkbayes.evidence_rules import STRATA
from alkbayes.plots import marks
from alkbayes.plots.forest_rows import PAIR, group_name
from alkbayes.plots.page import (
    MARGIN_MM,
    cell,
    chunks,
    fitted,
    foot_lines,
    foot_mm,
    head_mm,
    key_mm,
    new_page,
    percent_axis,
    row_axes,
    text_mm,
    write_foot,
    write_head,
    write_key,
)
from alkbayes.plots.style import (
    GREY,
    NO_CAPTION,
    SINGLE_MM,
    SMALL_PT,
    TALLEST_MM,
    TEXT_PT,
    TITLE_PT,
    Caption,
    Look,
    styled,
)
from alkbayes.vocabulary import ALL, label_of

ROW_MM = 4.4
"""Of two units of the vertical axis."""
PLOT_LEFT_MM = 36.0
PLOT_RIGHT_MM = SINGLE_MM - 3.5
AXIS_MM = 7.0
KEY_MM = SINGLE_MM - 2 * MARGIN_MM
TITLE = "Pooled {}, by group"


@dataclass(frozen=True, slots=True)
class _Row:
    """A group, or the heading of some."""

    label: str
    place: tuple[str, str] | None
    indent: float


@styled
def cells(pooled: pd.DataFrame, caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw the pooled rates of all groups, one column wide (85 mm).

    Parameters
    ----------
    pooled
        Table of :func:`alkbayes.estimates.pooled_table`; rates in [0, 1].
    caption
        What stands at its foot.

    Returns
    -------
    list of Figure
        One a page, rates in percent.
    """
    rows = _rows(pooled)
    notes = foot_lines(caption.notes, SINGLE_MM)
    texts = [text for _, text in marks.summary_key()]
    room = KEY_MM - text_mm(TITLE.format(""), TITLE_PT, bold=True)
    title = TITLE.format(fitted(caption.outcome.label, room, TITLE_PT, bold=True))
    fixed = head_mm(caption) + AXIS_MM + key_mm(texts, KEY_MM) + foot_mm(notes)
    pages = chunks(rows, int((TALLEST_MM - fixed) / ROW_MM))
    figures = []
    for number, page in enumerate(pages, 1):
        body = len(page) * ROW_MM
        figure = new_page(SINGLE_MM, fixed + body)
        write_head(figure, title + (f" ({number} of {len(pages)})" if len(pages) > 1 else ""), caption)
        axes = row_axes(figure, PLOT_LEFT_MM, PLOT_RIGHT_MM, head_mm(caption), body, 2 * len(page))
        percent_axis(axes)
        axes.set_xlabel(f"{caption.outcome.title}, %")
        by_group = marks.by_group(pooled)
        shown = [(row.place, 2 * at + 1.0) for at, row in enumerate(page) if row.place is not None]
        marks.summaries(axes, marks.summary_rows(by_group, [place for place, _ in shown]), [y for _, y in shown])
        for at, row in enumerate(page):
            bold = row.indent == 0
            width = PLOT_LEFT_MM - MARGIN_MM - row.indent - 1.5
            name = fitted(row.label, width, TEXT_PT, bold=bold)
            y = 2 * at + (1.0 if row.place is None else 0.62)
            cell(axes, MARGIN_MM + row.indent, y, name, ha="left", weight="bold" if bold else "normal")
            if row.place is not None:
                record = by_group[(*row.place, "mean")]
                counts = f"k = {record['k']:,}, n = {record['patients']:,}"
                look: Look = {"ha": "left", "color": GREY, "fontsize": SMALL_PT - 0.5}
                cell(axes, MARGIN_MM + row.indent, 2 * at + 1.5, counts, **look)
        write_key(figure, MARGIN_MM, head_mm(caption) + body + AXIS_MM, KEY_MM, marks.summary_key())
        write_foot(figure, notes)
        figures.append(figure)
    return figures


def _rows(pooled: pd.DataFrame) -> list[_Row]:
    """Return all cohorts, each line with its generations, and the levels of each other effect."""
    places = pooled[["group", "level", "line"]].drop_duplicates()
    groups = list(dict.fromkeys(places["group"]))
    rows = [_Row("All cohorts", (ALL, ALL), 0.0)]
    done = {ALL}
    if PAIR in groups:
        line, generation = (label_of(column) for column in STRATA)
        for level in places.loc[places["group"] == line, "level"]:
            rows.append(_Row(group_name(line, level), (line, level), 0.0))
            inside = places[(places["group"] == PAIR) & (places["line"] == level)]["level"]
            rows += [_Row(group_name(generation, cell.partition(":")[2]), (PAIR, cell), 2.0) for cell in inside]
        done |= {line, PAIR}
    rest = [group for group in groups if group not in done and ":" not in group]
    for group in rest:
        rows.append(_Row(f"By {HEADINGS.get(group, group.replace('_', ' '))}", None, 0.0))
        rows += [
            _Row(group_name(group, level), (group, level), 2.0)
            for level in places.loc[places["group"] == group, "level"]
        ]
    return rows


HEADINGS = {"generation": "TKI generation", "prior_tki": "earlier ALK inhibitor"}
