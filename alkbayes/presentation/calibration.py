"""Calibration study for readers: uniformity of the ranks, and coverage of each interval."""

from collections.abc import Mapping, Sequence
from typing import Any

from alkbayes.presentation.tables import ReaderTable
from alkbayes.text.names import GROUP_TITLES, shown
from alkbayes.text.wording import figure, p_value, percent, points
from alkbayes.vocabulary import ALL

SHOWN = 12
"""Quantities in a table, those with the least uniform ranks; JSON has all."""


def rank_rows(ranks: Mapping[str, Any]) -> ReaderTable:
    """Return the quantities with the least uniform ranks."""
    least = sorted(ranks["quantities"], key=lambda item: float(item["p"]))
    more = len(least) - SHOWN
    return ReaderTable(
        title="Ranks of the true value",
        headings=("", "ECDF diff.", "at", "p", "adjusted", "95 % envelope"),
        rows=tuple(
            (
                _quantity(item),
                figure(item["difference"], 3),
                figure(item["at"]),
                p_value(item["p"]),
                p_value(item["adjusted"]),
                ("inside" if item["inside"] else "outside") + (f": {item['verdict']}" if item["verdict"] else ""),
            )
            for item in least[:SHOWN]
        ),
        words=(5,),
        notes=(f"{more} more are more uniform; the JSON has all.",) if more > 0 else (),
    )


def coverage_rows(rows: Sequence[Mapping[str, Any]]) -> ReaderTable:
    """Return the coverage of each interval with its Monte Carlo error."""
    cells: list[tuple[str, ...]] = []
    level = None
    for row in rows:
        if row["level"] != level:
            level = row["level"]
            cells.append((_level(level),))
        cells.append(
            (
                f" {_estimand(row['estimand'])}",
                row["method"],
                f"{row['verdict']} {percent(row['coverage'])}",
                percent(row["se"]),
                percent(row["width"]),
                points(row["bias"], 1),
                str(row["without"] or ""),
            )
        )
    return ReaderTable(
        title="Coverage of 95 % intervals",
        headings=("estimand", "interval", "coverage, %", "SE", "width", "bias", "none"),
        rows=tuple(cells),
        words=(1,),
        notes=(
            "coverage: share of the 95 % intervals that hold the true value; SE: its Monte Carlo standard error.",
            "below, above: 95 % lies outside the Wilson interval of the coverage, by chance one in twenty.",
            "width, bias: means, in percentage points. none: replications without an interval.",
            "crude-wilson is held against these cohorts, which it aims at, and mean, which it is often taken for.",
        ),
    )


def failed_quantities(ranks: Mapping[str, Any]) -> list[str]:
    """Return the quantities whose ranks are not uniform, in words."""
    return [_quantity(item) for item in ranks["quantities"] if item["adjusted"] < ranks["alpha"]]


def named_ranks(ranks: Mapping[str, Any]) -> dict[str, Sequence[int]]:
    """Return the ranks of each quantity by its name in words."""
    return {_quantity(item): ranks["values"][item["quantity"]] for item in ranks["quantities"]}


def _quantity(item: Mapping[str, Any]) -> str:
    """Return a parameter's name, or group and estimand as elsewhere, such as "overall, next cohort"."""
    if item["estimand"] is None:
        return shown(item["quantity"])
    return f"{_level(item['level'])}, {_estimand(item['estimand'])}"


def _level(level: str) -> str:
    return GROUP_TITLES[ALL] if level == ALL else shown(level)


def _estimand(estimand: str) -> str:
    return estimand.replace("_", " ")
