"""Patients counted twice across tables: cohorts, other counts of them, cohorts left out, randomised arms, safety.

:mod:`alkbayes.evidence.duplicates` looks within one table of cohorts, where only chance and counts can tell. Between
tables names tell: each says which cohort it is about.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

import pandas as pd

from alkbayes.evidence.adverse_events import MEASURE, MEMBERS, AdverseEvents, measure_words, read_adverse_events
from alkbayes.evidence.cuts import with_cuts
from alkbayes.evidence.naming import COHORT, RESPONDERS, TRIAL, N
from alkbayes.evidence.table import Evidence
from alkbayes.text.names import quoted

AGENT, REGISTRY = "agent", "registry_id"
LEFT_OUT_FILE, RANDOMISED_FILE = "left_out.csv", "randomised.csv"


@dataclass(frozen=True, slots=True)
class Beside:
    """Tables beside one of cohorts; None where there is none.

    Attributes
    ----------
    cuts
        Other counts of its cohorts (:mod:`alkbayes.evidence.cuts`).
    left_out
        Cohorts that are left out of it, in its columns.
    randomised
        Arms of randomised trials: columns trial, agent and cohort_id, which is empty for an arm without a row in the
        table of cohorts; registry_id if there is one.
    adverse_events
        Counts of adverse events.
    """

    cuts: pd.DataFrame | None = None
    left_out: pd.DataFrame | None = None
    randomised: pd.DataFrame | None = None
    adverse_events: AdverseEvents | None = None


def bundled_beside(evidence: Evidence) -> Beside:
    """Return the bundled tables beside the bundled cohorts."""
    return Beside(
        cuts=with_cuts(evidence).cuts,
        left_out=_text_of(LEFT_OUT_FILE),
        randomised=_text_of(RANDOMISED_FILE),
        adverse_events=read_adverse_events(),
    )


def overlaps(cohorts: pd.DataFrame, beside: Beside) -> tuple[str, ...]:
    """Return a sentence for each patient group that two tables count twice, or call by two names.

    Parameters
    ----------
    cohorts
        The table of cohorts, columns cohort_id, responders and n, and trial, agent and registry_id where it has them.
    beside
        The other tables.
    """
    rows = [{str(key): str(value) for key, value in row.items()} for row in cohorts.to_dict("records")]
    known = {row[COHORT]: row for row in rows}
    parts: list[Iterator[str]] = []
    if beside.cuts is not None:
        parts.append(_of_cuts(known, beside.cuts))
    if beside.left_out is not None:
        parts.append(_of_left_out(known, beside.left_out))
    if beside.randomised is not None:
        parts.append(_of_randomised(known, beside.randomised))
    if beside.adverse_events is not None:
        parts.append(_of_adverse_events(known, beside.adverse_events))
    return tuple(sentence for part in parts for sentence in part)


def _of_cuts(known: Mapping[str, Mapping[str, str]], cuts: pd.DataFrame) -> Iterator[str]:
    """Yield counts at another cut that stand in the table as cohorts of their own."""
    for cut in _rows(cuts):
        own = known.get(cut[COHORT])
        if own is None:
            yield f"Other cuts: {quoted(cut[COHORT])} is no cohort of the table."
            continue
        for name, row in known.items():
            if name != cut[COHORT] and _one_trial(own, row) and (row[RESPONDERS], row[N]) == (cut[RESPONDERS], cut[N]):
                yield (
                    f"Other cuts: {cut[RESPONDERS]} of {cut[N]} at another cut of {quoted(cut[COHORT])} is the count "
                    f"of {quoted(name)} too, of the same trial: if they are the same patients, keep one of them."
                )


def _of_left_out(known: Mapping[str, Mapping[str, str]], left_out: pd.DataFrame) -> Iterator[str]:
    """Yield cohorts that are left out and in the table."""
    for row in _rows(left_out):
        name = row[COHORT]
        if name in known:
            yield f"Cohort {quoted(name)} is both in the table and left out of it."
            continue
        alike = [other for other, cohort in known.items() if _one_trial(row, cohort) and _same(row, cohort, AGENT)]
        if alike:
            yield (
                f"Cohort {quoted(name)}, which is left out, and {quoted(alike[0])} of the table are of one trial and "
                "agent: say in its reason that they are other patients, or leave out one of the two."
            )


def _of_randomised(known: Mapping[str, Mapping[str, str]], arms: pd.DataFrame) -> Iterator[str]:
    """Yield arms of randomised trials that are no cohort of theirs, or one cohort twice."""
    seen: set[str] = set()
    for arm in _rows(arms):
        name, what = arm.get(COHORT, ""), f"{arm.get(AGENT, '')} in {arm.get(TRIAL, '')}".strip()
        if not name:
            same = [each for each, row in known.items() if _one_trial(arm, row) and _same(arm, row, AGENT)]
            if same:
                yield f"Randomised arms: {what} names no cohort, and {quoted(same[0])} is of this trial and agent."
            continue
        if name not in known:
            yield f"Randomised arms: {quoted(name)} ({what}) is no cohort of the table."
        elif _other_trial(arm, known[name]) or not _same(arm, known[name], AGENT):
            yield f"Randomised arms: {what} names the cohort {quoted(name)}, which is of another trial or agent."
        if name in seen:
            yield f"Randomised arms: {quoted(name)} is two arms."
        seen.add(name)


def _of_adverse_events(known: Mapping[str, Mapping[str, str]], events: AdverseEvents) -> Iterator[str]:
    """Yield cohorts whose adverse events are counted twice, or under another name than the table's."""
    counted: dict[tuple[str, str], str] = {}
    strangers: set[str] = set()
    for place, row in enumerate(_rows(events.used.drop(columns=MEMBERS))):
        for member in events.used[MEMBERS][place]:
            key = (row[MEASURE], member)
            if key in counted:
                yield f"Adverse events: {quoted(member)} is counted twice among {measure_words(row[MEASURE])}."
            counted[key] = row[COHORT]
            if member in known:
                if _other_trial(row, known[member]) or not _same(row, known[member], AGENT):
                    yield f"Adverse events: {quoted(member)} is of another trial or agent in the table of cohorts."
            elif member not in strangers:
                strangers.add(member)
                alike = [
                    name for name, cohort in known.items() if _one_trial(row, cohort) and _same(row, cohort, AGENT)
                ]
                if alike:
                    yield (
                        f"Adverse events: {quoted(member)} is no cohort of the table, and {quoted(alike[0])} is of "
                        "this trial and agent: if they are the same patients, give them one name."
                    )


def _rows(frame: pd.DataFrame) -> list[dict[str, str]]:
    return [{str(key): str(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _one_trial(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Return whether two rows name one trial, by its registry number or its name; saying nothing is no agreement."""
    return any(one.get(name) and one.get(name) == other.get(name) for name in (REGISTRY, TRIAL))


def _other_trial(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Return whether two rows name two trials."""
    return not _one_trial(one, other) and any(one.get(name) and other.get(name) for name in (REGISTRY, TRIAL))


def _same(one: Mapping[str, str], other: Mapping[str, str], column: str) -> bool:
    """Return whether two rows do not differ in a column."""
    first, second = one.get(column, ""), other.get(column, "")
    return not (first and second) or first == second


def _text_of(name: str) -> pd.DataFrame | None:
    """Return a bundled table as text; None if there is no such table."""
    path = files("alkbayes").joinpath("data", name)
    if not path.is_file():
        return None
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)
