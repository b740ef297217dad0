"""Pooled rates of every group: two-way cells if the model has them, then the levels of its effects."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from alkbayes.evidence.declared import Declared
from alkbayes.evidence.outcomes import Outcome
from alkbayes.plots.page import marks
from alkbayes.plots.page.forest_rows import group_name, group_title
from alkbayes.plots.page.layout import (
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
from alkbayes.plots.page.style import (
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
from alkbayes.presentation.fit import PARTLY_PREDICTED, group_heading, is_standardised
from alkbayes.text.json import records
from alkbayes.text.names import is_pair
from alkbayes.vocabulary import ALL

ROW_MM = 4.4
"""Height of two units of the vertical axis."""
PLOT_LEFT_MM = 36.0
PLOT_RIGHT_MM = SINGLE_MM - 3.5
AXIS_MM = 7.0
KEY_MM = SINGLE_MM - 2 * MARGIN_MM
TITLE = "Pooled {}, by group"
COMPARED = "Levels under a heading with “over” are over the {o.units} named there; all other rows over their own."
PREDICTED = f"{PARTLY_PREDICTED} in part predicted by the model, where no cohort has the combination of levels."


@dataclass(frozen=True, slots=True)
class _Row:
    """A group or a heading."""

    label: str
    place: tuple[str, str] | None
    indent: float


@styled
def cells(pooled: pd.DataFrame, caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw the pooled rates of all groups, one column wide (85 mm).

    `pooled` is a :func:`alkbayes.estimates.rates.pooled_table` with rates in [0, 1]; the pages are in percent.
    """
    rows = _rows(pooled, caption.outcome)
    notes = foot_lines((*_notes(pooled, caption.outcome), *caption.notes), SINGLE_MM)
    texts = [text for _, text in marks.summary_key(caption.level)]
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
            # A heading without values can use the full width.
            right = PLOT_LEFT_MM - 1.5 if row.place is not None else SINGLE_MM - MARGIN_MM
            width = right - MARGIN_MM - row.indent
            name = fitted(row.label, width, TEXT_PT, bold=bold)
            y = 2 * at + (1.0 if row.place is None else 0.62)
            cell(axes, MARGIN_MM + row.indent, y, name, ha="left", weight="bold" if bold else "normal")
            if row.place is not None:
                record = by_group[(*row.place, "mean")]
                counts = f"k = {record['k']:,}, n = {record['patients']:,}"
                look: Look = {"ha": "left", "color": GREY, "fontsize": SMALL_PT - 0.5}
                cell(axes, MARGIN_MM + row.indent, 2 * at + 1.5, counts, **look)
        write_key(figure, MARGIN_MM, head_mm(caption) + body + AXIS_MM, KEY_MM, marks.summary_key(caption.level))
        write_foot(figure, notes)
        figures.append(figure)
    return figures


def _rows(pooled: pd.DataFrame, outcome: Outcome) -> list[_Row]:
    """Return all cohorts, the two-way cells of an interaction (or line by TKI generation), and levels of other effects.

    Standardised levels of the first column stand together, not above cells averaged over other patients.
    """
    table, declared = records(pooled), outcome.declared
    compared, predicted = is_standardised(table), _predicted(pooled)
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for row in table:
        groups.setdefault(row["group"], {}).setdefault(row["level"], row)
    rows = [_Row("All cohorts", (ALL, ALL), 0.0)]
    done = {ALL}
    pairs = {group: [*levels.values()] for group, levels in groups.items() if all(map(is_pair, levels.values()))}
    for pair in list(pairs)[-1:]:
        outer = pairs[pair][0]["first_column"]
        for level in groups[outer]:
            rows.append(_Row(_outer_name(outer, level, declared), None if compared else (outer, level), 0.0))
            inside = [cell for cell in pairs[pair] if cell["first_level"] == level]
            rows += [
                _Row(group_name(cell["second_column"], cell["second_level"], declared), (pair, cell["level"]), 2.0)
                for cell in inside
            ]
        done |= {pair} if compared else {outer, pair}
    rest = [group for group in groups if group not in done and group not in pairs]
    for group in rest:
        heading = f"By {group_title(group, declared)}"
        rows.append(_Row(group_heading(group, table, outcome) if compared else heading, None, 0.0))
        for level in groups[group]:
            mark = f" {PARTLY_PREDICTED}" if (group, level) in predicted else ""
            rows.append(_Row(f"{group_name(group, level, declared)}{mark}", (group, level), 2.0))
    return rows


def _outer_name(label: str, level: str, declared: Declared) -> str:
    name = group_name(label, level, declared)
    return name if name != level else f"{group_title(label, declared)}: {level}"


def _predicted(pooled: pd.DataFrame) -> set[tuple[str, str]]:
    marked = pooled[pooled["predicted"] > 0] if "predicted" in pooled else pooled[:0]
    return set(marked[["group", "level"]].itertuples(index=False, name=None))


def _notes(pooled: pd.DataFrame, outcome: Outcome) -> tuple[str, ...]:
    compared = (COMPARED.format(o=outcome),) if is_standardised(records(pooled)) else ()
    return (*compared, PREDICTED) if _predicted(pooled) else compared
