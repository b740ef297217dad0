"""Posterior rates at values of moderators, for readers."""

from collections.abc import Sequence

from alkbayes.presentation.fit import Document, outcome_of
from alkbayes.presentation.tables import Part, ReaderTable, Sentence
from alkbayes.runs.document import RateAtRow
from alkbayes.text.names import shown
from alkbayes.text.wording import capitalised, limits, rate_text
from alkbayes.vocabulary import Estimand

EXTRAPOLATED = "*: extrapolation beyond the values of the cohorts; there the model's shape decides, not the table."
PREDICTED = "°: predicted for {o.units} with a combination of levels that no cohort has."


def rates_at_parts(rows: Sequence[RateAtRow], document: Document) -> tuple[Part, ...]:
    """Return the rates at some values as a table, and over whom each is averaged."""
    outcome = outcome_of(document)
    first, *others = map(shown, rows[0]["at"])
    cells = []
    points: dict[tuple[str, ...], dict[str, RateAtRow]] = {}
    for row in rows:
        points.setdefault(tuple(row["at"].values()), {})[row["estimand"]] = row
    for (name, *values), found in points.items():
        typical = found[Estimand.TYPICAL]
        marks = " *" * typical["extrapolated"] + " °" * (typical["predicted"] > 0)
        following = limits(found[Estimand.NEXT_COHORT])
        rates = (rate_text(typical), rate_text(found[Estimand.MEAN]), following)
        cells.append((f"{shown(name)}{marks}", *map(shown, values), *rates))
    notes = [EXTRAPOLATED] if any(row["extrapolated"] for row in rows) else []
    notes += [PREDICTED.format(o=outcome)] if any(row["predicted"] > 0 for row in rows) else []
    table = ReaderTable(
        f"{capitalised(outcome.label)} at values of moderators, %",
        (first, *others, "typical", "mean", "next cohort"),
        tuple(cells),
        words=tuple(range(1, len(others) + 1)),
        notes=tuple(notes),
    )
    patients = list(dict.fromkeys(row["over"] for row in rows))
    over = patients[0] if len(patients) == 1 else f"each level's own {outcome.units}"
    averaged = rows[0]["averaged"]
    return (
        (table, Sentence(f"Each rate is an average over {with_their_own(over, averaged)}.")) if averaged else (table,)
    )


def with_their_own(over: str, averaged: str) -> str:
    """Return whose average a rate at a value of one column is: patients with their own values of the others."""
    return f"{over}, with their own {averaged}"
