"""Decision on a study by the ordered rules of a protocol, each with the words that it rests on."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from alkbayes.registry.declarations import FieldRule, Protocol, WordRule, any_of
from alkbayes.registry.study import Passage, Study

AROUND = 60
"""Characters of context on each side of the words found."""

AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(year|month|week|day|hour|minute)", re.IGNORECASE)
YEARS = {"year": 1.0, "month": 1 / 12, "week": 7 / 365.25, "day": 1 / 365.25, "hour": 0.0, "minute": 0.0}
ADULT = 18
OLDER = 65
GONE = " \N{WHITE SQUARE} "
"""Stands where words were taken out, so that what is left and right of them does not join."""


class Decision(StrEnum):
    """What becomes of a record."""

    INCLUDE = "include"
    EXCLUDE = "exclude"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Screened:
    """Decision on a study: the rule that made it, its reason, the words and where they stand."""

    nct_id: str
    decision: Decision
    rule: str
    reason: str
    evidence: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one rule says of a study; `passes` is None where a person must decide."""

    passes: bool | None
    evidence: Passage | None = None


MEETS_ALL = "all"
"""In place of a rule: none excludes the study."""


def screen(study: Study, protocol: Protocol) -> Screened:
    """Return the decision on a study.

    The first rule that excludes decides; if none does, the first that is unclear; else the study is included.
    """
    doubt: Screened | None = None
    words: list[Passage] = []
    for rule in protocol.rule:
        found = _field(rule, study) if isinstance(rule, FieldRule) else _words(rule, study, protocol)
        evidence = () if found.evidence is None else (found.evidence,)
        if found.passes is False:
            return Screened(study.nct_id, Decision.EXCLUDE, rule.id, rule.reason, evidence)
        if found.passes is None and doubt is None:
            doubt = Screened(study.nct_id, Decision.UNCLEAR, rule.id, f"{rule.reason}?", evidence)
        if found.passes and isinstance(rule, WordRule) and not rule.forbidden:
            words += evidence
    return doubt or Screened(study.nct_id, Decision.INCLUDE, MEETS_ALL, "Meets every rule", tuple(words))


def _field(rule: FieldRule, study: Study) -> _Finding:
    """Judge a coded field: one value among several that is allowed is enough."""
    values: tuple[Passage, ...]
    match rule.field:
        case "study_type":
            values = (study.study_type,) if study.study_type.text else ()
        case "phase":
            values = study.phases
        case "age":
            values = study.ages or _ages(study)
    shown = Passage(", ".join(value.text for value in values), values[0].pointer) if values else None
    if not values:
        return _Finding(None if rule.absent == "unclear" else False)
    if any(value.text in rule.allowed for value in values):
        return _Finding(True, shown)
    return _Finding(None if any(value.text in rule.unclear for value in values) else False, shown)


def _ages(study: Study) -> tuple[Passage, ...]:
    """Return the age groups that the limits allow, where the record does not list them; none without any limit."""
    low, high = _years(study.minimum_age), _years(study.maximum_age)
    if low is None and high is None:
        return ()
    least, most = low or 0.0, high if high is not None else float("inf")
    names = {"CHILD": least < ADULT, "ADULT": most >= ADULT and least < OLDER, "OLDER_ADULT": most >= OLDER}
    place = "minimumAge" if low is not None else "maximumAge"
    pointer = f"/protocolSection/eligibilityModule/{place}"
    return tuple(Passage(name, pointer) for name, takes in names.items() if takes)


def _years(text: str) -> float | None:
    found = AGE.match(text)
    return float(found[1]) * YEARS[found[2].lower()] if found else None


def _words(rule: WordRule, study: Study, protocol: Protocol) -> _Finding:
    """Judge by words: where they are wanted, where they leave a doubt, and else."""
    missing = None if rule.otherwise == "unclear" else False
    pattern = protocol.agents_pattern if rule.agents else _any_of(rule.words)
    masks = _any_of(rule.but_not) if rule.but_not else None
    strong = _first(pattern, masks, _passages(study, rule.where))
    if rule.forbidden:
        return _Finding(True) if strong is None else _Finding(missing, strong)
    if strong is not None:
        return _Finding(True, strong)
    if (weak := _first(pattern, masks, _passages(study, rule.weakly))) is not None:
        return _Finding(None, weak)
    return _Finding(missing)


@lru_cache(maxsize=1000)
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return any_of(patterns)


def _first(pattern: re.Pattern[str], masks: re.Pattern[str] | None, texts: Iterable[Passage]) -> Passage | None:
    """Return the first words that match, with their context; what `masks` matches is taken out before."""
    for each in texts:
        if not pattern.search(each.text):
            continue
        text = each.text if masks is None else masks.sub(GONE, each.text)
        if found := pattern.search(text):
            start, end = max(0, found.start() - AROUND), found.end() + AROUND
            words = f"{'…' if start else ''}{text[start:end].strip()}{'…' if end < len(text) else ''}"
            return Passage(words, each.pointer)
    return None


def _passages(study: Study, places: Sequence[str]) -> Iterator[Passage]:
    """Yield the texts of parts of a record, in the order of `places`."""
    for place in places:
        yield from PARTS[place](study)


def _arms(study: Study) -> Iterator[Passage]:
    for arm in study.arms:
        yield from (arm.label, *arm.interventions, arm.description)


def _interventions(study: Study) -> Iterator[Passage]:
    for each in study.interventions:
        yield from (each.name, *each.other_names, each.description)


PARTS: Mapping[str, Callable[[Study], Iterable[Passage]]] = {
    "title": lambda study: study.titles,
    "conditions": lambda study: study.conditions,
    "keywords": lambda study: study.keywords,
    "summary": lambda study: study.summary,
    "arms": _arms,
    "interventions": _interventions,
    "inclusion": lambda study: study.inclusion,
    "exclusion": lambda study: study.exclusion,
}
"""Texts of a record by the places that a rule names."""
