"""Probabilities that pooled rates exceed a limit, for readers."""

from collections.abc import Iterable, Sequence

from alkbayes.evidence.outcomes import Outcome
from alkbayes.presentation.fit import group_heading
from alkbayes.presentation.tables import ReaderTable, rows_by
from alkbayes.runs.document import ExceedanceRow, PooledRow
from alkbayes.text.names import level_name
from alkbayes.text.wording import probability
from alkbayes.vocabulary import ALL, Estimand

COLUMNS = {Estimand.TYPICAL: "typical", Estimand.MEAN: "mean", Estimand.NEXT_COHORT: "next cohort"}


def exceedance_tables(
    rows: Iterable[ExceedanceRow], pooled: Sequence[PooledRow], outcome: Outcome
) -> list[ReaderTable]:
    """Return a table of pooled rates for each limit.

    Parameters
    ----------
    rows
        See :func:`alkbayes.estimates.exceedance.exceedance_table`.
    pooled
        Pooled rates of the same fit, which say over whose patients each group is.
    outcome
        What the rates count.
    """
    rows = [row for row in rows if row["estimand"] in COLUMNS]
    cells: dict[float, list[tuple[str, ...]]] = {}
    previous: dict[float, str] = {}
    for (limit, group, _), found in rows_by(rows, "above", "group", "level", "estimand").items():
        of_limit = cells.setdefault(limit, [])
        if group != previous.setdefault(limit, ALL):
            of_limit.append((group_heading(group, pooled, outcome),))
        previous[limit] = group
        name = level_name(found[Estimand.TYPICAL])
        chances = (probability(found[estimand]["probability"]) for estimand in COLUMNS)
        of_limit.append((name if group == ALL else f" {name}", *chances))
    headings, event = ("", *COLUMNS.values()), f"Posterior probability that the {outcome.label} exceeds"
    return [ReaderTable(f"{event} {100 * limit:g} %", headings, tuple(of_limit)) for limit, of_limit in cells.items()]
