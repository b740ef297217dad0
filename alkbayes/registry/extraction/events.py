"""Adverse events of the structured module as rows: people affected and at risk, by group, never pooled."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alkbayes.registry.cleaning import clean
from alkbayes.registry.extraction.candidates import Status
from alkbayes.registry.outcomes import event_groups_of, event_terms_of, whole_number
from alkbayes.registry.sheets import cell

COLUMNS = ("nct_id", "group_id", "group_title", "kind", "term", "n", "value", "responders", "status", "why", "pointer")
SERIOUS_AE, DEATH = "serious_ae", "death"
"""Any serious event, and death of any cause."""
SERIOUS_TERM, OTHER_TERM = "serious_term", "other_term"
"""A single event of the two lists; the second has those above a threshold of frequency alone: absent is not zero."""


@dataclass(frozen=True, slots=True)
class EventCount:
    """People of a group with any serious event, or who died: `value` as posted, `n` at risk."""

    nct_id: str
    group_id: str
    group_title: str
    kind: str
    term: str
    n: int | None
    value: int | None
    status: Status
    why: str
    pointer: str

    @property
    def responders(self) -> int | None:
        """The count, if it can be used."""
        return self.value if self.status is Status.CLEAN else None

    def as_row(self) -> dict[str, Any]:
        """Return the row by column."""
        return {name: getattr(self, name) for name in COLUMNS} | {"status": str(self.status)}


def event_totals_of(document: Mapping[str, Any], nct_id: str) -> Iterator[EventCount]:
    """Yield the totals of each group; a record without a total has no row for it."""
    for group in event_groups_of(document):
        totals = (
            (SERIOUS_AE, "any serious adverse event", group.serious, group.serious_at_risk),
            (DEATH, "death of any cause", group.deaths, group.deaths_at_risk),
        )
        for kind, term, affected, at_risk in totals:
            if affected is not None or at_risk is not None:
                status, why = _judged(affected, at_risk)
                yield EventCount(
                    nct_id, group.id, group.title, kind, term, at_risk, affected, status, why, group.pointer
                )


def event_rows_of(
    document: Mapping[str, Any], nct_id: str, text: Callable[[str], str] = cell
) -> Iterator[tuple[str | int | None, ...]]:
    """Yield the totals of each group, then the single events, by column; `text` makes texts of the record safe.

    A record has thousands of them.
    """
    groups = {group.id: (text(group.id), text(group.title)) for group in event_groups_of(document)}
    for total in event_totals_of(document, nct_id):
        yield tuple(text(value) if isinstance(value, str) else value for value in total.as_row().values())
    for event in event_terms_of(document):
        kind, term = SERIOUS_TERM if event.serious else OTHER_TERM, text(event.term)
        for place, stats in enumerate(event.stats):
            if isinstance(stats, dict):
                affected, at_risk = whole_number(stats.get("numAffected")), whole_number(stats.get("numAtRisk"))
                status, why = _judged(affected, at_risk)
                name = str(stats.get("groupId", ""))
                group = groups.get(name) or (text(clean(name)), "")
                counts = (at_risk, affected, affected if status is Status.CLEAN else None)
                yield (nct_id, *group, kind, term, *counts, status.value, why, f"{event.pointer}/{place}")


def _judged(affected: int | None, at_risk: int | None) -> tuple[Status, str]:
    if not at_risk:
        return Status.REFUSED, "nobody at risk: not collected, which is not zero"
    if affected is None:
        return Status.REFUSED, "no number affected"
    if affected > at_risk:
        return Status.REFUSED, "more affected than at risk"
    return Status.CLEAN, ""
