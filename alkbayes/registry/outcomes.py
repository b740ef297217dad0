"""Results of a study as posted: outcome measures, their groups, denominators and measurements, and adverse events."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from alkbayes.registry.cleaning import clean
from alkbayes.registry.json_reader import Cursor, root

PARTICIPANTS = "participants"
MOST_DIGITS = 12
"""Digits of a count that is read."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group of an outcome. Its id restarts in every outcome and identifies nobody."""

    id: str
    title: str
    description: str


class Measurement(NamedTuple):
    """A value of a group in a category, with its limits, all as printed."""

    group_id: str
    value: str
    low: str
    high: str
    comment: str
    pointer: str


@dataclass(frozen=True, slots=True)
class Category:
    """A category of a class, such as "Partial response"; the title may be empty."""

    title: str
    measurements: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True)
class OutcomeClass:
    """A class (row) of an outcome: a subgroup, a time, a kind of event; the title may be empty.

    `denominators` are its own participants by group, empty where those of the outcome hold.
    """

    title: str
    denominators: Mapping[str, int]
    categories: tuple[Category, ...]
    pointer: str


@dataclass(frozen=True, slots=True)
class OutcomeMeasure:
    """An outcome measure as posted; `index` counts from 0, `denominators` are participants by group."""

    index: int
    kind: str
    title: str
    description: str
    population: str
    posted: bool
    param: str
    dispersion: str
    unit: str
    time_frame: str
    groups: tuple[Group, ...]
    denominators: Mapping[str, int]
    classes: tuple[OutcomeClass, ...]
    pointer: str

    def group(self, group_id: str) -> Group:
        """Return a group by its id; one without a title if the outcome does not list it."""
        return next((group for group in self.groups if group.id == group_id), Group(group_id, "", ""))


@dataclass(frozen=True, slots=True)
class EventGroup:
    """A group of the adverse events, with participants affected and at risk; None where a record has no such number."""

    id: str
    title: str
    description: str
    deaths: int | None
    deaths_at_risk: int | None
    serious: int | None
    serious_at_risk: int | None
    pointer: str


class EventTerm(NamedTuple):
    """One adverse event: the cells of its groups as posted, with the JSON pointer of their list."""

    term: str
    serious: bool
    stats: tuple[Any, ...]
    pointer: str


def outcomes_of(document: Mapping[str, Any]) -> tuple[OutcomeMeasure, ...]:
    """Return the outcome measures of a record; empty without results."""
    module = root(document).at("resultsSection", "outcomeMeasuresModule")
    return tuple(_outcome(index, each) for index, each in _numbered(module, "outcomeMeasures"))


def _numbered(module: Cursor, key: str) -> Iterator[tuple[int, Cursor]]:
    """Yield the objects of a list with their places in it, which others that are no objects keep too."""
    for each in module.objects(key):
        yield int(each.pointer.rpartition("/")[2]), each


def _outcome(index: int, each: Cursor) -> OutcomeMeasure:
    units = (each.text("denomUnitsSelected") or PARTICIPANTS).casefold()
    status = each.text("reportingStatus").upper()
    return OutcomeMeasure(
        index=index,
        kind=each.text("type").upper(),
        title=each.text("title"),
        description=each.text("description"),
        population=each.text("populationDescription"),
        posted=status != "NOT_POSTED",
        param=each.text("paramType").upper().replace(" ", "_"),
        dispersion=each.text("dispersionType"),
        unit=each.text("unitOfMeasure"),
        time_frame=each.text("timeFrame"),
        groups=tuple(
            Group(group.text("id"), group.text("title"), group.text("description")) for group in each.objects("groups")
        ),
        denominators=_denominators(each, units),
        classes=tuple(
            OutcomeClass(
                part.text("title"),
                _denominators(part, units),
                tuple(
                    Category(category.text("title"), tuple(map(_measurement, category.objects("measurements"))))
                    for category in part.objects("categories")
                ),
                part.pointer,
            )
            for part in each.objects("classes")
        ),
        pointer=each.pointer,
    )


def _denominators(each: Cursor, units: str) -> dict[str, int]:
    """Return the denominators in the units analysed, by group; several kinds of units may stand beside each other."""
    for denominator in each.objects("denoms"):
        if denominator.text("units").casefold() == units:
            counts = ((count.text("groupId"), count.count("value")) for count in denominator.objects("counts"))
            return {group: value for group, value in counts if value is not None}
    return {}


def _measurement(each: Cursor) -> Measurement:
    return Measurement(
        group_id=each.text("groupId"),
        value=each.text("value"),
        low=each.text("lowerLimit"),
        high=each.text("upperLimit"),
        comment=each.text("comment"),
        pointer=each.pointer,
    )


def event_groups_of(document: Mapping[str, Any]) -> tuple[EventGroup, ...]:
    """Return the groups of the adverse events of a record."""
    module = root(document).at("resultsSection", "adverseEventsModule")
    return tuple(
        EventGroup(
            id=each.text("id"),
            title=each.text("title"),
            description=each.text("description"),
            deaths=each.count("deathsNumAffected"),
            deaths_at_risk=each.count("deathsNumAtRisk"),
            serious=each.count("seriousNumAffected"),
            serious_at_risk=each.count("seriousNumAtRisk"),
            pointer=each.pointer,
        )
        for each in module.objects("eventGroups")
    )


def event_terms_of(document: Mapping[str, Any]) -> Iterator[EventTerm]:
    """Yield each adverse event.

    Events that are not serious are listed above a threshold of frequency alone: one that is not there is not zero.
    """
    module = root(document).at("resultsSection", "adverseEventsModule")
    for key in ("seriousEvents", "otherEvents"):
        # Most of a record is here: it is read without a cursor for each event.
        events = module.value.get(key)
        for place, event in enumerate(events if isinstance(events, list) else ()):
            if isinstance(event, dict):
                term, stats = event.get("term"), event.get("stats")
                yield EventTerm(
                    clean(term) if isinstance(term, str) else "",
                    key == "seriousEvents",
                    tuple(stats) if isinstance(stats, list) else (),
                    f"{module.pointer}/{key}/{place}/stats",
                )


def whole_number(value: Any) -> int | None:
    """Return a whole number from 0, None for anything else."""
    if type(value) is int:
        return value if value >= 0 else None
    whole = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS
    return int(value) if whole else None
