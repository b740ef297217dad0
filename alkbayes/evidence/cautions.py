"""Cautions about a table: values spelt in two ways, a possible row of totals, possible duplicates."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator

import pandas as pd

from alkbayes.alk.levels import LEVELS
from alkbayes.evidence.duplicates import possible_duplicates
from alkbayes.evidence.rules import BASIC_COLUMNS
from alkbayes.evidence.table import Evidence
from alkbayes.text.names import listed, plain, quoted

LEAST_ROWS = 3
"""With two rows alike, each would be the sum of the others."""
TOTALS = frozenset(
    {
        "total",
        "totals",
        "grandtotal",
        "totalgeneral",
        "subtotal",
        "soustotal",
        "sum",
        "sums",
        "overall",
        "pooled",
        "all",
        "allpatients",
        "gesamt",
        "gesamtsumme",
        "summe",
        "zwischensumme",
        "totaal",
        "totale",
        "somme",
        "somma",
        "suma",
    }
)
"""Names of a row of totals or subtotals, as `text.names.plain` leaves them."""
MOST_SHOWN = 5


def table_cautions(evidence: Evidence) -> tuple[str, ...]:
    """Return cautions that take more than one row to see, one sentence each.

    Returns
    -------
    tuple of str
        On a row that has the sums of all others, or is called a total; on values that differ only in case, blanks or
        Unicode form (the first five); on unfamiliar levels among familiar ones; and on possible duplicates.
    """
    spellings = list(_spellings(evidence.frame))
    if len(spellings) > MOST_SHOWN:
        spellings[MOST_SHOWN:] = [f"{len(spellings) - MOST_SHOWN} more values are spelt in two ways."]
    return (*_totals(evidence), *spellings, *_strangers(evidence), *possible_duplicates(evidence))


def _totals(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each row that has the sums of the others, or is called a total."""
    frame, outcome = evidence.frame, evidence.outcome
    trials = frame["trial"] if "trial" in frame else frame["cohort_id"]
    for cohort, trial, responders, n in zip(frame["cohort_id"], trials, frame["responders"], frame["n"], strict=True):
        rest = evidence.responders - responders, evidence.patients - n
        if evidence.cohorts >= LEAST_ROWS and rest == (responders, n):
            yield (
                f"Cohort {quoted(cohort)} has the sums of all others, {responders:,} {outcome.events} of {n:,} "
                f"{outcome.units}: if it is their total, delete the row, or every {outcome.unit} is counted twice."
            )
        elif evidence.cohorts > 1 and (_is_total(cohort) or _is_total(trial)):
            yield (
                f"Cohort {quoted(cohort)} is called a total and has {responders:,} {outcome.events} of {n:,} "
                f"{outcome.units}; all others together have {rest[0]:,} of {rest[1]:,}. If it adds up other rows, "
                f"delete it, or their {outcome.units} are counted twice."
            )


def _is_total(name: str) -> bool:
    """Return whether a row's name is that of a total, as in "Total (95% CI)"."""
    return plain(name.partition("(")[0]) in TOTALS


def _spellings(frame: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence for each set of values in one column that look the same to a reader.

    Trials and columns of levels only (two cohorts to a value, on average); the rest is free text.
    """
    for column in (name for name in frame if name not in BASIC_COLUMNS):
        alike: dict[str, list[str]] = defaultdict(list)
        for value in dict.fromkeys(frame[column]):
            alike["".join(unicodedata.normalize("NFKC", value).casefold().split())].append(value)
        if column != "trial" and 2 * len(alike) > len(frame):
            continue
        for values in (values for values in alike.values() if len(values) > 1):
            what = "case or blanks"
            names = listed([quoted(value) for value in values])
            if len({unicodedata.normalize("NFC", value) for value in values}) == 1:
                what, names = "Unicode form, which cannot be seen,", f"{len(values)} spellings of {quoted(values[0])}"
            yield (
                f"Column {column}: {names} differ only in {what} and count as {len(values)} values. If they are one, "
                "write them alike."
            )


def _strangers(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each column that mixes the field's levels with others, unless a model file gives them."""
    frame, declared = evidence.frame, evidence.outcome.declared
    for column, levels in LEVELS.items():
        if declared.levels(column):
            continue
        values = [value for value in dict.fromkeys(frame[column]) if value] if column in frame else []
        others = [value for value in values if value not in levels]
        if others and len(others) < len(values):
            verb = "is a level" if len(others) == 1 else "are levels"
            yield (
                f"Column {column}: {listed([quoted(value) for value in others])} {verb} beside "
                f"{listed([value for value in values if value in levels])}. If one of these is meant, write it so."
            )
