"""Systemic and intracranial rates side by side, by generation and line."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from alkbayes.plots.page import marks
from alkbayes.plots.page.forest_rows import group_name
from alkbayes.plots.page.layout import (
    HEADINGS_MM,
    MARGIN_MM,
    cell,
    fitted,
    percent_axis,
    write,
)
from alkbayes.plots.page.marks import in_percent
from alkbayes.plots.page.rows import RowPage
from alkbayes.plots.page.style import DOUBLE_MM, GREY, NO_CAPTION, SMALL_PT, TEXT_PT, Caption, Look, styled
from alkbayes.text.json import records
from alkbayes.text.names import GROUP_TITLES
from alkbayes.text.wording import capitalised, rate_text
from alkbayes.vocabulary import ALL, Estimand

ROW_MM = 4.2
LABEL_MM = 33.0
"""Width of row names; the panels share the rest."""
NUMBERS_MM = 16.5
"""Width of the numbers to the right of each panel."""
GAP_MM = 2.0
TITLE = "Systemic and intracranial objective response, side by side"
READING = (
    "Beside each: k cohorts, responders/patients, and the mean over cohorts with its interval, %. The systemic rate "
    "counts all patients of a cohort, the intracranial one those with measurable brain lesions."
)

type Rates = Mapping[tuple[str, str, str, str], Mapping[str, Any]]


@styled
def intracranial(rates: pd.DataFrame, caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw pooled rates of each side in a panel of its own with common rows, two columns wide (180 mm).

    `rates` is `alkbayes.analyses.intracranial.IntracranialAnalysis.rates` in [0, 1], with groups from the last side;
    the page is in percent.
    """
    sides = list(dict.fromkeys(rates["side"]))
    rows = _rows(rates[rates["side"] == sides[-1]])
    found = {(row["side"], row["group"], row["level"], row["estimand"]): row for row in records(rates)}
    key = [entry for entry in marks.summary_key(caption.level) if "prediction" not in entry[1]]
    page = RowPage(TITLE, caption, key=lambda: key, notes=(READING,))
    body = len(rows) * ROW_MM
    figure = page.figure(body)
    panel = (DOUBLE_MM - MARGIN_MM - LABEL_MM) / len(sides)
    for place, side in enumerate(sides):
        left = LABEL_MM + place * panel + GAP_MM
        right = left + panel - GAP_MM - NUMBERS_MM
        write(figure, left, page.top - HEADINGS_MM + 1.0, capitalised(side), weight="bold")
        axes = page.axes(figure, (left, right), body, 2 * len(rows))
        percent_axis(axes, step=25)
        axes.set_xlabel("Response rate, %")
        _draw(axes, rows, found, side=side, numbers=right + NUMBERS_MM)
        if place == 0:
            _names(axes, rows)
    return [figure]


def _rows(side: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return group, level and name of each row; a heading has no level."""
    rows = [(ALL, ALL, "All cohorts")]
    previous = ALL
    for row in records(side.drop_duplicates(["group", "level"])):
        group, first, second = row["group"], row["first_column"], row["second_column"]
        if group == ALL:
            continue
        if group != previous:
            heading = GROUP_TITLES.get(group, group) if second is None else f"{first} and {second}"
            rows.append((group, "", f"By {heading.replace('_', ' ')}"))
        previous = group
        name = group_name(first, row["first_level"])
        rows.append((group, row["level"], name if second is None else f"{name}, {row['second_level']}"))
    return rows


def _names(axes: Any, rows: Sequence[tuple[str, str, str]]) -> None:
    for at, (_, level, name) in enumerate(rows):
        indent, bold = (0.0, True) if level in {"", ALL} else (2.0, False)
        text = fitted(name, LABEL_MM - MARGIN_MM - indent, TEXT_PT, bold=bold)
        cell(axes, MARGIN_MM + indent, 2 * at + 1.0, text, ha="left", weight="bold" if bold else "normal")


def _draw(axes: Any, rows: Sequence[tuple[str, str, str]], found: Rates, *, side: str, numbers: float) -> None:
    """Draw one side's rates, each row with its counts and its mean as numbers."""
    shown = [(2 * at + 1.0, group, level) for at, (group, level, _) in enumerate(rows) if level]
    # A level of the last side may be missing on another, where other cohorts may be counted.
    shown = [(y, group, level) for y, group, level in shown if (side, group, level, Estimand.MEAN) in found]
    for estimand, offset, look in ((Estimand.TYPICAL, -0.42, marks.FILLED), (Estimand.MEAN, 0.42, marks.OPEN)):
        records_ = [found[side, group, level, estimand] for _, group, level in shown]
        low, middle, high = (in_percent([row[name] for row in records_]) for name in ("low", "median", "high"))
        beside = [at + offset for at, _, _ in shown]
        marks.diamonds(axes, low, middle, high, beside, half=0.38, gid=f"{side} {estimand}", **look)
    look = {"fontsize": SMALL_PT - 0.7}
    grey: Look = look | {"color": GREY}
    for y, group, level in shown:
        row = found[side, group, level, Estimand.MEAN]
        cell(axes, numbers, y - 0.45, f"k {row['k']}, {row['responders']:,}/{row['patients']:,}", **grey)
        cell(axes, numbers, y + 0.5, rate_text(row), **look)
