"""Rows of a forest plot and their pages, without any drawing."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.alk.levels import STRATA
from alkbayes.alk.words import GROUP_NAMES
from alkbayes.classical.proportions import IntervalMethod, proportion_interval
from alkbayes.errors import FigureError
from alkbayes.evidence.declared import NOTHING, Declared
from alkbayes.evidence.naming import no_such_column
from alkbayes.evidence.outcomes import Outcome
from alkbayes.text.json import records
from alkbayes.text.names import is_pair
from alkbayes.vocabulary import ALL, INTERVAL_PROB, joined_key, label_of

PAIR = joined_key(label_of(column) for column in STRATA)
CONTINUED = " (continued)"
OWN = "own_"
"""Prefix of columns for a row over its own patients, if the row itself is over others'."""
NOT_COMPARED = "A summary is over its own cohorts' {o.units}: no comparison."
"""Note on a forest whose run compares levels over the same patients."""


MOST_FURTHER = 2
"""Columns of the table for which a forest has room."""


def too_many(columns: int) -> FigureError:
    """Return the error for more further columns than a forest has room for."""
    return FigureError(f"found {columns} further columns; there is room for {MOST_FURTHER}.")


class Rank(StrEnum):
    """Type of a row."""

    OUTER = "outer"
    INNER = "inner"
    COHORT = "cohort"
    OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class Row:
    """Row of a forest plot.

    Attributes
    ----------
    rank
        Type of row.
    label
        Name of a cohort or group.
    group, level
        Key of a summary in the table of pooled rates; empty for a cohort.
    cohort
        Position in the table of cohorts; -1 for a summary.
    continued
        Whether a group continues from an earlier page with its summary.
    summarised
        Whether a group has a summary, which takes two lines.
    """

    rank: Rank
    label: str
    group: str = ""
    level: str = ""
    cohort: int = -1
    continued: bool = False
    summarised: bool = True

    @property
    def rows(self) -> float:
        """Height in rows of text, including the space above."""
        one_line = self.rank is Rank.COHORT or self.continued or not self.summarised
        return (1.0 if one_line else 2.0) + self.space

    @property
    def space(self) -> float:
        """Height of the space above, in rows of text."""
        return {Rank.OUTER: 0.6, Rank.INNER: 0.25, Rank.COHORT: 0.0, Rank.OVERALL: 0.6}[self.rank]


def forest_rows(
    pooled: pd.DataFrame, cohorts: pd.DataFrame, declared: Declared = NOTHING, order: Sequence[int] | None = None
) -> list[Row]:
    """Return the rows of a forest plot in order.

    Cohorts are grouped as in the table of pooled rates: line by TKI generation, else the levels of the first effect,
    else not at all. Within a group cohorts are in the `order` of their positions in the table, without one the highest
    observed rate first. Summaries stand above their cohorts, except
    that of all cohorts, which comes last.
    """
    if order is None:
        observed = cohorts["observed"].to_numpy(dtype=np.float64)
        order = sorted(range(len(cohorts)), key=lambda at: (-observed[at], str(cohorts["cohort_id"].iloc[at])))
    groups = list(dict.fromkeys(pooled["group"]))
    overall = Row(Rank.OVERALL, "All cohorts", ALL, ALL)
    if PAIR in groups:
        rows = list(_two_way(pooled, cohorts, order, declared))
    elif single := [row["group"] for row in records(pooled) if row["group"] != ALL and not is_pair(row)]:
        rows = list(_one_way(pooled, cohorts, order, single[0], declared))
    else:
        rows = _of(cohorts, order)
    return [*rows, overall]


def column_of(frame: pd.DataFrame, name: str, purpose: str = "to show") -> list[str]:
    """Return a column of a table of cohorts as text.

    Raises
    ------
    EvidenceError
        If there is no such column; `purpose` says what it was asked for.
    """
    if name not in frame:
        raise no_such_column([name], frame.columns.tolist(), purpose)
    return frame[name].astype(str).tolist()


def order_by(frame: pd.DataFrame, name: str) -> list[int]:
    """Return the order of cohorts by a column: as numbers if all are, the empty last, ties as in the table.

    Raises
    ------
    EvidenceError
        If there is no such column.
    """
    values = column_of(frame, name, "to sort by")
    places = sorted(range(len(values)), key=lambda at: values[at])
    with suppress(ValueError):
        places = sorted(range(len(values)), key=lambda at: float(values[at]) if values[at] else 0.0)
    return sorted(places, key=lambda at: not values[at])


def over_own_patients(pooled: pd.DataFrame) -> pd.DataFrame:
    """Return a table of pooled rates with each row over its own patients, to summarise the cohorts beside it."""
    own = [name for name in pooled if str(name).startswith(OWN)]
    return pooled.assign(**{str(name).removeprefix(OWN): pooled[name] for name in own})


def summary_notes(pooled: pd.DataFrame, outcome: Outcome) -> tuple[str, ...]:
    """Return notes on a forest's summaries, none if every row is over its own patients."""
    return (NOT_COMPARED.format(o=outcome),) if any(str(name).startswith(OWN) for name in pooled) else ()


def pages_of(rows: Sequence[Row], room: float) -> list[list[Row]]:
    """Return the rows of each page, with at most `room` rows of text.

    A summary is never left alone at the foot of a page, and a continued group repeats its name.
    """
    pages: list[list[Row]] = [[]]
    open_groups: dict[Rank, Row] = {}
    used = 0.0
    for position, row in enumerate(rows):
        if row.rank is Rank.OUTER:
            open_groups.clear()
        together = row.rows
        if row.rank in {Rank.OUTER, Rank.INNER}:
            # A summary stays with what it summarises: a line's with a generation's, that with two cohorts.
            following = rows[position + 1 : position + (4 if row.rank is Rank.OUTER else 3)]
            together += sum(other.rows for other in following if other.rank in {Rank.INNER, Rank.COHORT})
        if pages[-1] and used + together > room:
            repeated = [
                replace(group, continued=True)
                for rank, group in sorted(open_groups.items(), reverse=True)
                if row.rank is Rank.COHORT or (row.rank is Rank.INNER and rank is Rank.OUTER)
            ]
            pages.append(repeated)
            used = sum(group.rows for group in repeated)
        pages[-1].append(row)
        used += row.rows
        if row.rank in {Rank.OUTER, Rank.INNER}:
            open_groups[row.rank] = row
    return pages


def exact_limits(cohorts: pd.DataFrame, prob: float = INTERVAL_PROB) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each cohort's Clopper-Pearson limits of probability `prob`, shapes (cohort,), in [0, 1]."""
    return proportion_interval(cohorts["responders"], cohorts["n"], method=IntervalMethod.CLOPPER_PEARSON, prob=prob)


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the cohorts.

    Attributes
    ----------
    share
        Share of each cohort, shape (cohort,), summing to 1.
    meaning
        Explanation in one sentence.
    """

    share: NDArray[np.float64]
    meaning: str


def weights_of(cohorts: pd.DataFrame, outcome: Outcome) -> Weights:
    """Return each cohort's share of the information on a mean logit, or of the patients if that is undefined.

    As in random-effects pooling (DerSimonian and Laird 1986, doi:10.1016/0197-2456(86)90046-2), the information is
    1 / (s² + tau²), with s² the sampling variance of the cohort's logit. It is 1 minus `shrinkage`, the posterior mean
    of s² / (s² + tau²), in units of 1 / tau².
    """
    if "shrinkage" in cohorts:
        information = 1 - cohorts["shrinkage"].to_numpy(dtype=np.float64)
        if np.isfinite(information).all() and information.sum() > 0:
            return Weights(
                information / information.sum(),
                "Weight: share of the information on a mean, 1/(s² + τ²), of all cohorts, s² a cohort's sampling "
                "variance and τ the total heterogeneity on the logit scale.",
            )
    patients = cohorts["n"].to_numpy(dtype=np.float64)
    return Weights(patients / patients.sum(), f"Weight: share of all {outcome.units}.")


def column_named(table: pd.DataFrame, label: str) -> str:
    """Return the column of a table of cohorts named `label` in results."""
    columns = table.columns.tolist()
    # A column used in no effect is not in the table, though another may be named differently because of it.
    names = {label_of(column): column for column in columns} | {label_of(column, columns): column for column in columns}
    return names[label]


def _two_way(pooled: pd.DataFrame, cohorts: pd.DataFrame, order: Sequence[int], declared: Declared) -> Iterator[Row]:
    """Yield lines, generations within them, and cohorts within these."""
    line, generation = (cohorts[column].astype(str).tolist() for column in STRATA)
    cells = pooled[pooled["group"] == PAIR].drop_duplicates("level")
    lines = list(dict.fromkeys(cells["first_level"]))
    for first in lines:
        yield Row(Rank.OUTER, group_name(label_of(STRATA[0]), first, declared), label_of(STRATA[0]), first)
        of_line = cells[cells["first_level"] == first]
        for second, level in of_line[["second_level", "level"]].itertuples(index=False):
            yield Row(Rank.INNER, group_name(label_of(STRATA[1]), second, declared), PAIR, level)
            yield from _of(cohorts, [at for at in order if line[at] == first and generation[at] == second])


def _one_way(
    pooled: pd.DataFrame, cohorts: pd.DataFrame, order: Sequence[int], group: str, declared: Declared
) -> Iterator[Row]:
    """Yield the levels of one effect, and the cohorts within each."""
    levels = cohorts[column_named(cohorts, group)].astype(str).tolist()
    for level in dict.fromkeys(pooled.loc[pooled["group"] == group, "level"]):
        yield Row(Rank.INNER, group_name(group, level, declared), group, level)
        yield from _of(cohorts, [at for at in order if levels[at] == level])


def _of(cohorts: pd.DataFrame, order: Sequence[int]) -> list[Row]:
    return [Row(Rank.COHORT, str(cohorts["cohort_id"].iloc[at]), cohort=at) for at in order]


def group_name(label: str, level: str, declared: Declared = NOTHING) -> str:
    """Return a group's stand-alone name, such as "First-generation TKI"; of a column with a heading, the level."""
    return level if declared.label(label) else GROUP_NAMES.get((label, level), level)


def group_title(group: str, declared: Declared) -> str:
    """Return the heading of a column, or pair of columns, in a figure."""
    title = declared.heading(group)
    return title.replace("_", " ") if title == group else title
