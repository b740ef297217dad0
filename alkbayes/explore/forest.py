"""Rows of the forest with every cohort of the table, those left out among them, in an order that no click changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from alkbayes.evidence.naming import COHORT, TRIAL
from alkbayes.evidence.table import Evidence
from alkbayes.plots.page.forest_rows import Rank, exact_limits, forest_rows
from alkbayes.reporting.blocks import ForestRow
from alkbayes.reporting.sections.forest import forest_of
from alkbayes.reporting.sections.sources import KEYS
from alkbayes.text.wording import percent, percent_interval
from alkbayes.vocabulary import ALL

LEFT_OUT = "Left out"


@dataclass(frozen=True, slots=True)
class Observed:
    """Observed rate and exact limits of a cohort: positions in percent of the width, and as text."""

    at: float
    low: float
    high: float
    text: str


@dataclass(frozen=True, slots=True)
class CohortRow:
    """A row of the forest.

    Attributes
    ----------
    label
        Name of a cohort, or of a group.
    cohort
        Whether it is a cohort.
    counts
        Responders of patients.
    row
        The report's row; None for a cohort that is left out, and before there is a fit.
    observed
        Of a cohort; None for a group.
    ticked
        Whether the cohort's box is ticked: it is not left out by name.
    dropped
        Levels by which it is left out, as text; empty if it is not.
    trial, of_trial
        Trial of a cohort that has others beside it, and the names of all of them; empty if it has none.
    place
        Position of the cohort in the table, for an id.
    """

    label: str
    cohort: bool
    counts: str = ""
    row: ForestRow | None = None
    observed: Observed | None = None
    ticked: bool = True
    dropped: str = ""
    trial: str = ""
    of_trial: tuple[str, ...] = ()
    place: int = 0
    rank: str = ""


@dataclass(frozen=True, slots=True)
class CohortForest:
    """Rows, and the position of the overall mean in percent of the width, if there is one."""

    rows: tuple[CohortRow, ...]
    reference: float | None
    title: str
    rate: str
    level: str


def cohort_forest(
    whole: Evidence,
    *,
    excluded: frozenset[str],
    dropped: Mapping[str, str],
    document: Mapping[str, Any] | None,
    cohorts: Sequence[Mapping[str, Any]],
    prob: float,
) -> CohortForest:
    """Return the forest of a setting.

    Parameters
    ----------
    whole
        Every cohort of the table.
    excluded, dropped
        Cohorts left out by name, and those left out by their levels, with these as text.
    document, cohorts
        Of a fit; None and empty without one.
    prob
        Probability of the intervals.
    """
    everyone, frame = _everyone(whole, prob), whole.frame.assign(observed=_rates(whole))
    if document is None:
        pooled = pd.DataFrame({"group": [ALL], "level": [ALL]}).assign(second_level=None)
        plain = [
            row for row in forest_rows(pooled, whole.frame.assign(observed=_rates(whole))) if row.rank is Rank.COHORT
        ]
        alone = tuple(_cohort(everyone[row.cohort], None, excluded, dropped) for row in plain)
        return CohortForest(alone, None, _title(whole), whole.outcome.rate, f"{100 * prob:g}")
    pooled = pd.DataFrame(document["pooled"])
    names = [row[COHORT] for row in cohorts]
    # Without keys of sources, of which the page has no list.
    fitted = whole.part(whole.frame[COHORT].isin(names).to_numpy())
    fitted = replace(fitted, frame=fitted.frame.drop(columns=[KEYS], errors="ignore"))
    forest = forest_of(pooled, pd.DataFrame([*cohorts]), fitted, {}, prob=prob)
    ours = {row.cohort: row for row in forest.rows if row.rank == "cohort"}
    groups = iter([row for row in forest.rows if row.rank != "cohort"])
    rows: list[CohortRow] = []
    for row in forest_rows(pooled, frame, whole.outcome.declared):
        if row.rank is Rank.COHORT:
            name = frame[COHORT].iloc[row.cohort]
            own = None if name in excluded or name in dropped else ours.get(name)
            rows.append(_cohort(everyone[row.cohort], own, excluded, dropped))
        else:
            group = next(groups)
            rows.append(CohortRow(group.label, cohort=False, counts=group.counts, row=group, rank=group.rank))
    seen = {row.place for row in rows if row.cohort}
    if rest := [place for place in range(whole.cohorts) if place not in seen]:
        # Of levels that have lost all their cohorts; before the summary of all.
        others = [_cohort(everyone[place], None, excluded, dropped) for place in rest]
        rows[-1:-1] = [CohortRow(LEFT_OUT, cohort=False, rank="group inner"), *others]
    return CohortForest(tuple(rows), forest.reference[0][1], _title(whole), whole.outcome.rate, forest.level)


def _title(whole: Evidence) -> str:
    return f"Cohorts: {whole.outcome.rate}, observed and given all cohorts that are ticked"


def _cohort(
    cohort: CohortRow, own: ForestRow | None, excluded: frozenset[str], dropped: Mapping[str, str]
) -> CohortRow:
    """Return the row of a cohort in a setting."""
    return replace(cohort, row=own, ticked=cohort.label not in excluded, dropped=dropped.get(cohort.label, ""))


def _everyone(whole: Evidence, prob: float) -> list[CohortRow]:
    """Return the row of each cohort before anything is fitted or left out, in table order."""
    frame = whole.frame
    names, low, high = frame[COHORT].tolist(), *(limits.tolist() for limits in exact_limits(frame, prob))
    trials = frame[TRIAL].tolist() if TRIAL in frame else [""] * len(frame)
    of_trial: dict[str, list[str]] = {}
    for name, trial in zip(names, trials, strict=True):
        of_trial.setdefault(trial, []).append(name)
    found = []
    for place, (name, at, trial) in enumerate(zip(names, _rates(whole), trials, strict=True)):
        together = tuple(of_trial[trial]) if trial and len(of_trial[trial]) > 1 else ()
        text = f"{percent(at)} ({percent_interval(low[place], high[place])})"
        found.append(
            CohortRow(
                label=name,
                cohort=True,
                counts=f"{frame['responders'].iloc[place]:,}/{frame['n'].iloc[place]:,}",
                observed=Observed(100 * at, 100 * low[place], 100 * high[place], text),
                trial=trial if together else "",
                of_trial=together,
                place=place,
                rank="cohort",
            )
        )
    return found


def _rates(whole: Evidence) -> list[float]:
    rates: list[float] = (whole.frame["responders"] / whole.frame["n"]).tolist()
    return rates
