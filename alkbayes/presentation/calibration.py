"""Calibration study for readers: uniformity of the ranks, and coverage of each interval."""

from collections.abc import Mapping, Sequence
from typing import Any

from alkbayes.presentation.tables import ReaderTable
from alkbayes.text.names import GROUP_TITLES, shown
from alkbayes.text.wording import counted, figure, p_value, percent, percent_interval, points
from alkbayes.vocabulary import ALL

FEW = 100
"""Replications below which the interval of a coverage of 95 % is wider than 10 points (Wilson's at 100: 89 to 98 %)."""
USUAL = 200
"""Replications that detect a posterior a third too narrow in nine of ten studies (docs/how-to/calibrate.md)."""
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


def rank_verdict(summary: Mapping[str, Any]) -> str:
    """Return the verdict on all ranks in one or two sentences."""
    ranks, made = summary["ranks"], summary["replications"]
    outside = sum(not item["inside"] for item in ranks["quantities"])
    least = min(item["adjusted"] for item in ranks["quantities"])
    few = made < FEW
    word = "calibrated: ranks are as uniform ones" if ranks["passed"] else "NOT CALIBRATED: ranks are not uniform"
    word = "no verdict: ranks are as uniform ones so far" if few and ranks["passed"] else word
    said = (
        f"Ranks: {word} (least p {least:.3f}, adjusted for {len(ranks['quantities'])} quantities; {outside} outside "
        "their own 95 % envelope, by chance one in twenty)"
    )
    more = f"{counted(made, 'replication')} cannot show calibration; take {FEW} at least, better {USUAL} or more."
    return f"{said}. {more}" if few else said


def coverage_rows(rows: Sequence[Mapping[str, Any]]) -> ReaderTable:
    """Return the coverage of each interval with the Wilson interval of it."""
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
                percent_interval(row["low"], row["high"]),
                percent(row["width"]),
                points(row["bias"], 1),
                str(row["without"] or ""),
            )
        )
    return ReaderTable(
        title="Coverage of 95 % intervals",
        headings=("estimand", "interval", "coverage, %", "of it", "width", "bias", "none"),
        rows=tuple(cells),
        words=(1,),
        notes=(
            "coverage: share of the 95 % intervals that hold the true value; of it: its 95 % Wilson interval.",
            "below, above: 95 % lies outside that interval, by chance one in twenty.",
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
