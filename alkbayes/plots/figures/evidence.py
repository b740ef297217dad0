"""Evidence table before any model: patients by year and by level, and every observed rate."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from alkbayes.alk.levels import STRATA
from alkbayes.alk.words import COUNTED_BY
from alkbayes.evidence.composition import CUTOFF, PUBLICATION, UNKNOWN
from alkbayes.evidence.declared import Declared
from alkbayes.evidence.outcomes import Outcome
from alkbayes.plots.page import marks
from alkbayes.plots.page.forest_rows import CONTINUED, Rank, Row, exact_limits, group_name, pages_of
from alkbayes.plots.page.layout import (
    MARGIN_MM,
    cell,
    fitted,
    foot_lines,
    foot_mm,
    head_mm,
    key_bar,
    key_line,
    key_mm,
    new_page,
    percent_axis,
    place_axes,
    write,
    write_foot,
    write_head,
    write_key,
)
from alkbayes.plots.page.marks import in_percent
from alkbayes.plots.page.rows import RowPage
from alkbayes.plots.page.style import (
    BLUE,
    DOUBLE_MM,
    INK,
    NO_CAPTION,
    SMALL_PT,
    Caption,
    Look,
    estimate,
    styled,
)
from alkbayes.text.wording import capitalised, counted
from alkbayes.vocabulary import label_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_MM = 42.0
"""Height of the bars."""
BELOW_MM = 10.0
LEVEL_NAME_MM = 18.0
LEVELS_MM = (116.0, 178.0)
"""Width of level names, and start and limit of their bars."""
LEAST_SLOTS = 8
"""Minimum number of years on the axis."""
UNDATED = "The table has no year of any cohort: column `cutoff` is missing or empty."
BAR_LOOKS: dict[str, Look] = {
    CUTOFF: {"facecolor": BLUE, "edgecolor": INK},
    PUBLICATION: {"facecolor": "white", "edgecolor": INK, "hatch": "/////"},
    UNKNOWN: {"facecolor": "white", "edgecolor": INK},
}
BAR_NAMES = {CUTOFF: "year of data cut-off", PUBLICATION: "year of publication", UNKNOWN: "year not known"}
ROW_MM = 2.3
ROW_PT = 5.6
NAME_MM = 48.0
COUNTS_MM = 66.0
PLOT_MM = (70.0, 152.0)
OBSERVED_MM = DOUBLE_MM - MARGIN_MM


@styled
def composition_figure(
    groups: pd.DataFrame, years: pd.DataFrame, *, heading: str, caption: Caption = NO_CAPTION
) -> list[Figure]:
    """Draw patients by year and by level of the field's columns, two columns wide (180 mm).

    `groups` is a :func:`alkbayes.evidence.table.composition`, `years` from
    :func:`alkbayes.evidence.composition.patients_by_year`, and `heading` describes the table, such as "63 cohorts of 42
    trials". Returns no page for a table without any of these.
    """
    panels = [
        (label_of(column), caption.outcome.declared.label(label_of(column)) or title)
        for column, title in COUNTED_BY.items()
        if (groups["group"] == label_of(column)).any()
    ]
    dated = bool(years["year"].notna().any())
    if not dated and not panels:
        return []
    notes = foot_lines((*([] if dated else [UNDATED]), *caption.notes), DOUBLE_MM)
    bases = [basis for basis in BAR_LOOKS if basis in set(years["basis"])] if dated else []
    key = [(key_bar(half_height=0.8, **BAR_LOOKS[basis]), BAR_NAMES[basis]) for basis in bases]
    texts = [text for _, text in key]
    width = DOUBLE_MM - 2 * MARGIN_MM
    head = head_mm(caption) + 3.0
    figure = new_page(DOUBLE_MM, head + PANEL_MM + BELOW_MM + (key_mm(texts, width) if dated else 0) + foot_mm(notes))
    write_head(figure, f"{capitalised(caption.outcome.units)} in the table: {heading}", caption)
    if dated:
        by_year = place_axes(figure, 13.0, head, 80.0 if panels else 160.0, PANEL_MM)
        _draw_years(by_year, years, bases, caption.outcome)
        write_key(figure, MARGIN_MM, head + PANEL_MM + BELOW_MM, width, key)
    left = LEVELS_MM[0] if dated else MARGIN_MM + LEVEL_NAME_MM
    bars = sum((groups["group"] == group).sum() for group, _ in panels)
    top = head
    for group, title in panels:
        of_group = groups[groups["group"] == group]
        # All bars are equally thick: the height without headings is divided by their number.
        height = (PANEL_MM + BELOW_MM - 5.5 * len(panels)) * len(of_group) / bars
        write(figure, left, top, title, weight="bold")
        axes = place_axes(figure, left, top + 4.0, LEVELS_MM[1] - left, height)
        _draw_levels(axes, of_group, group, left)
        top += 4.0 + height + 1.5
    write_foot(figure, notes)
    return [figure]


def _draw_years(axes: "Axes", years: pd.DataFrame, bases: Sequence[str], outcome: Outcome) -> None:
    """Draw patients by year as bars, stacked by basis of the year."""
    known = years.dropna(subset=["year"])
    span = list(range(int(known["year"].min()), int(known["year"].max()) + 1)) if len(known) else []
    slots: list[int | None] = [*span, *([None] if years["year"].isna().any() else [])]
    base = np.zeros(len(slots))
    for basis in bases:
        of_basis = {
            None if pd.isna(year) else int(year): int(patients)
            for year, patients in years.loc[years["basis"] == basis, ["year", "patients"]].itertuples(index=False)
        }
        height = np.array([of_basis.get(slot, 0) for slot in slots], dtype=np.float64)
        axes.bar(range(len(slots)), height, bottom=base, width=0.75, linewidth=0.5, gid=basis, **BAR_LOOKS[basis])
        base += height
    # A table of many decades cannot label every year.
    step = max(1, -(-len(slots) // 16))
    shown = [place for place, slot in enumerate(slots) if slot is None or place % step == 0]
    axes.set_xticks(shown, ["unknown" if slots[place] is None else f"{slots[place]}" for place in shown])
    axes.tick_params(axis="x", length=0, labelsize=SMALL_PT - 0.5, rotation=90 if len(slots) > 8 else 0)
    # A single year must not fill the width.
    axes.set_xlim(-0.7, max(len(slots), LEAST_SLOTS) - 0.3)
    axes.set_ylim(0, 1.06 * base.max())
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylabel(capitalised(outcome.units))


def _draw_levels(axes: "Axes", groups: pd.DataFrame, group: str, left: float) -> None:
    """Draw patients by level as bars from `left` mm, with numbers of patients and cohorts."""
    patients = groups["patients"].to_numpy(dtype=np.float64)
    axes.barh(range(len(groups)), patients, height=0.62, facecolor="#b7c9d8", edgecolor=INK, linewidth=0.5, gid=group)
    axes.set_xlim(0, 1.45 * patients.max())
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.axis("off")
    for place, (level, count, cohorts) in enumerate(groups[["level", "patients", "cohorts"]].itertuples(index=False)):
        name = fitted(level or "not given", LEVEL_NAME_MM, SMALL_PT)
        cell(axes, left - 1.0, place, name, fontsize=SMALL_PT)
        numbers = f"{count:,} ({counted(cohorts, 'cohort')})"
        axes.annotate(
            numbers, (count, place), (2, 0), textcoords="offset points", va="center_baseline", fontsize=SMALL_PT
        )


@styled
def observed_forest(frame: pd.DataFrame, caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw every cohort's observed rate with its exact interval, two columns wide (180 mm).

    `frame` is `Evidence.frame`, grouped by line and TKI generation if available; rates are in percent.
    """
    look: Look = {"markersize": 3, "markerfacecolor": "white", "markeredgewidth": 0.5, "linewidth": 0.6}
    outcome = caption.outcome
    key = f"observed rate, exact (Clopper-Pearson) {caption.level} confidence interval"
    page = RowPage(
        f"Observed {outcome.label} of every cohort",
        caption,
        (
            (MARGIN_MM, "left", ("", "Cohort")),
            (COUNTS_MM, "right", (outcome.events, f"/ {outcome.units}")),
            (OBSERVED_MM, "right", ("observed", f"% (exact {caption.level} CI)")),
        ),
        lambda: [(key_line(marker="s", **look), key)],
        notes=(f"Nothing is pooled here. Areas are by {outcome.units}.",),
    )
    pages = pages_of(list(_rows(frame, outcome.declared)), page.room / ROW_MM)
    low, high = exact_limits(frame, caption.interval_prob)
    figures = []
    for number, rows in enumerate(pages, 1):
        body = sum(row.rows for row in rows) * ROW_MM
        figure = page.figure(body, number=number, of=len(pages))
        axes = page.axes(figure, PLOT_MM, body, body / ROW_MM)
        percent_axis(axes)
        axes.set_xlabel(f"{outcome.title}, %")
        _draw_observed(axes, rows, frame, low, high)
        figures.append(figure)
    return figures


def _rows(frame: pd.DataFrame, declared: Declared) -> Iterator[Row]:
    """Yield lines, generations within them, and cohorts within these, highest rate first."""
    observed = (frame["responders"] / frame["n"]).to_numpy(dtype=np.float64)
    names = frame["cohort_id"].astype(str).tolist()
    columns = [column for column in STRATA if column in frame and any(frame[column])]
    ranks = (Rank.OUTER, Rank.INNER)[-len(columns) :]

    def within(members: list[int], depth: int) -> Iterator[Row]:
        if depth == len(columns):
            for at in sorted(members, key=lambda at: (-observed[at], names[at])):
                yield Row(Rank.COHORT, names[at], cohort=at)
            return
        column = columns[depth]
        values = frame[column].tolist()
        given = declared.in_order(column, {values[at] for at in members} - {""})
        for level in (*given, *([""] if any(not values[at] for at in members) else [])):
            inside = [at for at in members if values[at] == level]
            named = group_name(label_of(column), level, declared)
            name = named if level else f"{capitalised(declared.name(label_of(column)))} not given"
            label = f"{name} ({counted(len(inside), 'cohort')})"
            yield Row(ranks[depth], label, label_of(column), level, summarised=False)
            yield from within(inside, depth + 1)

    return within(list(range(len(frame))), 0)


def _draw_observed(axes: "Axes", rows: Sequence[Row], frame: pd.DataFrame, low: marks.Array, high: marks.Array) -> None:
    bottom = np.cumsum([row.rows for row in rows])
    middle = [at - (row.rows - row.space) / 2 for at, row in zip(bottom.tolist(), rows, strict=True)]
    cohorts = [(row.cohort, y) for row, y in zip(rows, middle, strict=True) if row.rank is Rank.COHORT]
    index, y = [at for at, _ in cohorts], [at for _, at in cohorts]
    table = frame.iloc[index]
    observed = (table["responders"] / table["n"]).to_numpy(dtype=np.float64)
    marks.intervals(axes, in_percent(low[index]), in_percent(high[index]), y, gid="observed-interval")
    area = np.maximum(22.0 * table["n"].to_numpy(dtype=np.float64) / frame["n"].max(), 2.5)
    marks.points(axes, in_percent(observed), y, gid="observed", s=area, **marks.OBSERVED)
    for row, at in zip(rows, middle, strict=True):
        style = {"fontsize": ROW_PT}
        if row.rank is not Rank.COHORT:
            indent = 0.0 if row.rank is Rank.OUTER else 1.0
            label = fitted(row.label, PLOT_MM[0] - 16, ROW_PT, bold=True) + (CONTINUED if row.continued else "")
            cell(axes, MARGIN_MM + indent, at, label, ha="left", weight="bold", **style)
            continue
        responders, n = (int(frame[name].iloc[row.cohort]) for name in ("responders", "n"))
        cell(axes, MARGIN_MM + 2.0, at, fitted(row.label, NAME_MM - 2.0, ROW_PT), ha="left", **style)
        cell(axes, COUNTS_MM, at, f"{responders:,}/{n:,}", **style)
        limits = float(low[row.cohort]), float(high[row.cohort])
        cell(axes, OBSERVED_MM, at, estimate(responders / n, *limits), **style)
