"""The numbers of a setting beside those of the base, as text."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from alkbayes.evidence.outcomes import Outcome
from alkbayes.presentation.fit import (
    INVERSE_VARIANCE,
    group_heading,
    heterogeneity_rows,
    pooled_by_level,
    predicted_mark,
)
from alkbayes.presentation.tables import ReaderTable, rows_by
from alkbayes.runs.document import FitDocument, PooledRow
from alkbayes.text.digits import supported_decimals
from alkbayes.text.names import is_pair, level_name
from alkbayes.text.wording import (
    RATE_DECIMALS,
    decimals_of,
    limits,
    percent,
    percent_interval,
    points,
    rate,
)
from alkbayes.vocabulary import ALL

type Rates = Mapping[str, Mapping[str, Any]]
"""Rows of one group by their estimand."""

ESTIMANDS = ("typical", "mean", "next_cohort")
CLASSICAL = {"crude-wilson": "crude", INVERSE_VARIANCE: "inverse-variance", "glmm-ml": "GLMM"}
"""Classical methods shown, with their headings."""


@dataclass(frozen=True, slots=True)
class Beside:
    """One number of a setting, and of the base.

    Attributes
    ----------
    now, interval
        Percent and interval of the setting; a prediction has the interval alone.
    base, base_interval
        The same of the base; empty if there is none, or the setting is the base.
    shift
        Difference in percentage points, with its sign; empty for a prediction and without a base.
    """

    now: str
    interval: str
    base: str = ""
    base_interval: str = ""
    shift: str = ""


@dataclass(frozen=True, slots=True)
class HeadlineRow:
    """A group: its name, number of cohorts, that of the base if another, and a number for each estimand.

    `title` is the heading of the rows that begin here, or empty; `cells` is empty for a group without cohorts, which
    has the base's numbers in `base_only`. `overall` is the row of all cohorts, `pair` one of two columns.
    """

    title: str
    name: str
    k: str
    base_k: str
    cells: tuple[Beside, ...]
    base_only: tuple[Beside, ...] = ()
    overall: bool = False
    pair: bool = False


@dataclass(frozen=True, slots=True)
class Shift:
    """How the mean rate of a group moved.

    Attributes
    ----------
    name
        What moved, such as "the overall mean".
    by, error
        Difference and its Monte Carlo error, in [-1, 1].
    was, now
        Means in percent, with the decimals of the table.
    """

    name: str
    by: float
    error: float
    was: str
    now: str


def headline_rows(
    document: FitDocument, base: FitDocument | None, *, pooled: Sequence[Mapping[str, Any]] | None = None
) -> tuple[HeadlineRow, ...]:
    """Return the pooled rates of a setting beside those of the base.

    Parameters
    ----------
    document
        Of the setting; of a preview, of the fit before.
    base
        Of the base; None if the setting is the base, or there is none yet.
    pooled
        Rows of a preview, which replace those of the document and are given in whole percents.
    """
    now = pooled_by_level(document) if pooled is None else rows_by(pooled, "group", "level", "estimand")
    before = {} if base is None else pooled_by_level(base)
    found, previous = [], ALL
    for place in dict.fromkeys(_in_groups(now, before)):
        of = document if place in now else base or document
        title = "" if place[0] == previous else group_heading(place[0], of["pooled"], Outcome.of(of["outcome"]))
        previous = place[0]
        row = _headline_row(now.get(place), before.get(place), whole=pooled is not None)
        found.append(replace(row, title=title, overall=place[0] == ALL))
    return tuple(found)


def _headline_row(own: Rates | None, base: Rates | None, *, whole: bool) -> HeadlineRow:
    """Return the row of a group; either side may have no cohort of it."""
    typical = (own or base or {})["typical"]
    mark = predicted_mark(cast("PooledRow", typical)) if own else ""
    k = str(own["typical"]["k"]) if own else "0"
    base_k = str(base["typical"]["k"]) if base else ""
    return HeadlineRow(
        title="",
        name=f"{level_name(typical)}{f' {mark}' if mark else ''}",
        k=k,
        base_k="" if base_k == k else base_k,
        cells=tuple(_beside(own[each], base and base[each], whole=whole) for each in ESTIMANDS) if own else (),
        base_only=tuple(_beside(base[each], None) for each in ESTIMANDS) if base and not own else (),
        pair=is_pair(typical),
    )


def _in_groups(now: Iterable[tuple[str, str]], before: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the groups of a setting, with levels that only the base has beside the others of their column."""
    columns = dict.fromkeys(group for group, _ in now)
    for column in columns:
        yield from (place for place in before if place[0] == column)
        yield from (place for place in now if place[0] == column)


def _beside(own: Mapping[str, Any], base: Mapping[str, Any] | None, *, whole: bool = False) -> Beside:
    if own["estimand"] == "next_cohort":
        interval = percent_interval(own["low"], own["high"], 0) if whole else limits(own)
        return Beside("", interval, "", "" if base is None else limits(base))
    now, interval = (percent(own["median"], 0), percent_interval(own["low"], own["high"], 0)) if whole else rate(own)
    if base is None:
        return Beside(now, interval)
    was, was_interval = rate(base)
    digits = 0 if whole else _digits(own, base)
    return Beside(now, interval, was, was_interval, points(own["median"] - base["median"], digits))


def _digits(own: Mapping[str, Any], base: Mapping[str, Any]) -> int:
    """Return the decimals of a difference in points: as many as both Monte Carlo errors together support."""
    errors = [row.get("mcse_median") or 0.0 for row in (own, base)]
    return supported_decimals((100 * math.hypot(*errors),), most=RATE_DECIMALS)


def shifts(document: FitDocument, base: FitDocument) -> list[Shift]:
    """Return how the mean of each group moved that both have, the largest first."""
    before, declared = pooled_by_level(base), Outcome.of(document["outcome"]).declared
    found = []
    for place, rows in pooled_by_level(document).items():
        own = rows["mean"]
        if place not in before or is_pair(own):
            continue
        was = before[place]["mean"]
        # Levels of two columns may have one name.
        of = "the overall mean" if place[0] == ALL else f"the mean of {level_name(own)} ({declared.headings(own)})"
        error = math.hypot(own["mcse_median"] or 0.0, was["mcse_median"] or 0.0)
        found.append(Shift(of, own["median"] - was["median"], error, rate(was)[0], rate(own)[0]))
    return sorted(found, key=lambda each: -abs(each.by))


NOISE = 2.5
"""Monte Carlo errors of a difference within which it is called none."""


def moved_most(document: FitDocument, base: FitDocument) -> str:
    """Return a sentence on the group whose mean moved most, of those that moved by more than chance."""
    found = shifts(document, base)
    moved = [each for each in found if abs(each.by) > NOISE * each.error]
    if not moved:
        return "No mean moved by more than its Monte Carlo error explains." if found else ""
    most = moved[0]
    digits = supported_decimals((100 * most.error,), most=RATE_DECIMALS)
    return f"Moved most: {most.name}, from {most.was} % to {most.now} % ({points(most.by, digits)} points)."


def heterogeneity_table(document: FitDocument, base: FitDocument | None) -> ReaderTable:
    """Return the heterogeneity of a setting with a column of the base."""
    table = heterogeneity_rows(document)
    if base is None:
        return table
    before = {row[0]: f"{row[1]} ({row[2]})" for row in heterogeneity_rows(base).rows}
    rows = tuple((*row[:3], before.get(row[0], "–"), *row[3:]) for row in table.rows)
    return ReaderTable(table.title, (*table.headings[:3], "base", *table.headings[3:]), rows, words=(4,))


def classical_table(rows: Sequence[Mapping[str, Any]], outcome: Outcome) -> ReaderTable:
    """Return classical pooling of the same cohorts; `rows` are those of a table of pooled rates by several methods."""
    methods = [method for method in CLASSICAL if any(row["method"] == method for row in rows)]
    cells: list[tuple[str, ...]] = []
    previous = ALL
    for (group, _), by_method in rows_by(rows, "group", "level", "method").items():
        row = next(iter(by_method.values()))
        if group != previous:
            cells.append((f"By {outcome.declared.headings(row)}, each over its own {outcome.units}",))
        previous = group
        numbers = (_classical(by_method.get(method)) for method in methods)
        name = f"{'' if group == ALL else ' '}{level_name(row)}"
        cells.append((name, str(row["k"]), f"{row['responders']:,}/{row['patients']:,}", *numbers))
    headings = ("", "k", f"{outcome.events}/\n{outcome.units}", *(CLASSICAL[method] for method in methods))
    return ReaderTable(f"Classical pooling of these cohorts: {outcome.rate}, %", headings, tuple(cells))


def _classical(row: Mapping[str, Any] | None) -> str:
    if row is None or row["estimate"] is None or not math.isfinite(row["estimate"]):
        return "–"
    return f"{percent(row['estimate'])}\n{percent_interval(row['low'], row['high'])}"


def mean_text(document: FitDocument) -> str:
    """Return the overall mean with its interval, for the line that says what changed."""
    row = next(row for row in document["pooled"] if row["group"] == ALL and row["estimand"] == "mean")
    digits = decimals_of(row, most=RATE_DECIMALS, unit=100)
    return f"{percent(row['median'], digits)} % ({percent_interval(row['low'], row['high'], digits)})"
