"""Cohorts that may be the same patients twice, under two names: what no check of a single row can see."""

from collections import defaultdict
from collections.abc import Iterator

import pandas as pd

from alkbayes.evidence import Evidence
from alkbayes.evidence_faults import shown

ALIKE = ("agent", "line", "phase")
"""Columns in which two cohorts must not differ to be taken for one, where a table has them and both say something."""
LEAST_PATIENTS = 20
"""Smaller cohorts have the same counts by chance too often."""
MOST_SHOWN = 5

type Row = dict[str, str]


def possible_duplicates(evidence: Evidence) -> tuple[str, ...]:
    """Return a sentence for each pair of trials, or of cohorts, that may be the same patients.

    Two trials are a pair if they have one registry number and no different phase: often one trial at two data cut-offs.
    Two cohorts of different trials (of any, where the table names none) are a pair if they have as many patients, 20 at
    least, and as many responders, and no different agent, line or phase. Two trials are named once.

    Returns
    -------
    tuple of str
        In the order of the table; the sixth and later ones are counted in one last sentence.
    """
    frame = evidence.frame
    found = [*_trials(frame), *_cohorts(frame)]
    if len(found) > MOST_SHOWN:
        found[MOST_SHOWN:] = [f"{len(found) - MOST_SHOWN} more pairs may be the same patients."]
    return tuple(found)


def _trials(frame: pd.DataFrame) -> Iterator[str]:
    if not {"trial", "registry_id"} <= set(frame):
        return
    for one, other in _alike(frame[frame["registry_id"] != ""], ["registry_id"], ("phase",)):
        if one["trial"] != other["trial"]:
            yield (
                f"Trials {shown(one['trial'])} and {shown(other['trial'])} have one registry number, "
                f"{shown(one['registry_id'])}: if they are one trial at two cut-offs, keep one of them; if they are "
                "two parts of it, say so in the column phase."
            )


def _cohorts(frame: pd.DataFrame) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for one, other in _alike(frame[frame["n"] >= LEAST_PATIENTS], ["n", "responders"], ALIKE):
        trials = one.get("trial", ""), other.get("trial", "")
        named = all(trials)
        if named and (trials[0] == trials[1] or trials in seen):
            continue
        seen.add(trials)
        where = f" of trials {shown(trials[0])} and {shown(trials[1])}" if named else ""
        yield (
            f"Cohorts {shown(one['cohort_id'])} and {shown(other['cohort_id'])}{where} both have {one['responders']} "
            f"responders of {one['n']} patients: if they are the same patients, keep one of them."
        )


def _alike(frame: pd.DataFrame, keys: list[str], unless: tuple[str, ...]) -> Iterator[tuple[Row, Row]]:
    """Yield each row that is like an earlier one in `keys` and not told apart by another column, with that one."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for record in frame.astype(str).to_dict("records"):
        row = {str(name): str(value) for name, value in record.items()}
        group = groups[tuple(row[key] for key in keys)]
        twin = next((other for other in group if not _told_apart(other, row, unless)), None)
        if twin is not None:
            yield twin, row
        group.append(row)


def _told_apart(one: Row, other: Row, columns: tuple[str, ...]) -> bool:
    """Return whether two rows differ in a column that both say something in."""
    return any(one[name] != other[name] and one[name] and other[name] for name in columns if name in one)
