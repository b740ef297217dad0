"""Adverse events of the structured module as rows: people affected and at risk, by group, never pooled."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alkbayes.registry.extraction.candidates import Status
from alkbayes.registry.outcomes import event_groups_of, event_terms_of

COLUMNS = ("nct_id", "group_id", "group_title", "kind", "term", "n", "value", "responders", "status", "why", "pointer")
SERIOUS_AE, DEATH = "serious_ae", "death"
"""Any serious event, and death of any cause."""
SERIOUS_TERM, OTHER_TERM = "serious_term", "other_term"
"""A single event of the two lists; the second has those above a threshold of frequency alone: absent is not zero."""


@dataclass(frozen=True, slots=True)
class EventCount:
    """People of a group with an event: `value` as posted, `n` at risk; `responders` is the count, if it can be used."""

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

    def as_row(self) -> dict[str, Any]:
        """Return the row as it is written."""
        row = {name: getattr(self, name, None) for name in COLUMNS} | {"status": str(self.status)}
        return row | {"responders": self.value if self.status is Status.CLEAN else None}


def event_counts_of(document: Mapping[str, Any], nct_id: str) -> Iterator[EventCount]:
    """Yield the totals of each group, and then the single events; a record without a total has no row for it."""
    groups = event_groups_of(document)
    for group in groups:
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
    titles = {group.id: group.title for group in groups}
    for each in event_terms_of(document):
        kind = SERIOUS_TERM if each.serious else OTHER_TERM
        status, why = _judged(each.affected, each.at_risk)
        title = titles.get(each.group_id, "")
        yield EventCount(
            nct_id, each.group_id, title, kind, each.term, each.at_risk, each.affected, status, why, each.pointer
        )


def _judged(affected: int | None, at_risk: int | None) -> tuple[Status, str]:
    if not at_risk:
        return Status.REFUSED, "nobody at risk: not collected, which is not zero"
    if affected is None:
        return Status.REFUSED, "no number affected"
    if affected > at_risk:
        return Status.REFUSED, "more affected than at risk"
    return Status.CLEAN, ""
