"""Which agent a group of an outcome got, and what it had before: told by words, each with where they stand.

No key joins the groups of outcomes to the arms of the protocol. They are matched by title, never by place.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alkbayes.registry.declarations import Protocol, WordRule, any_of
from alkbayes.registry.outcomes import Group, OutcomeClass, OutcomeMeasure
from alkbayes.registry.study import Arm, Study
from alkbayes.text.names import plain

CROSSOVER_TITLE = re.compile(
    r"\bcross(?:ed)?[\s-]?over\b|\bswitch(?:ed)?\b|\broll-?over\b|\bre-?treat|\bextension\b|"
    r"\b(?:\w+[nk]ib|chemotherapy|docetaxel|pemetrexed|placebo)[\s-]to[\s-]\w+[nk]ib\b|\bpost[\s-]progression\b|"
    r"\b(?:second|2nd) (?:treatment |study )?(?:period|phase)\b|\bperiod (?:2|II|two)\b",
    re.IGNORECASE,
)
CROSSOVER_TEXT = re.compile(
    r"\b(?:participants?|patients?|subjects?)(?: randomi[sz]ed to [\w ]{1,60})?(?:,)? (?:who|that) "
    r"(?:crossed[\s-]?over|switched)\b|^\W*(?:crossover (?:phase|period|cohort|population|part)|period (?:2|II|two))\b",
    re.IGNORECASE,
)
SUM_OF_GROUPS = re.compile(
    r"^(?:all|total|overall|pooled|combined)\b"
    r"(?: (?:participants|patients|subjects|groups|arms|cohorts|treated|doses?))*\W*$",
    re.IGNORECASE,
)
SUM_WORDS = re.compile(r"\b(?:all|total|overall|pooled|combined|both)\b", re.IGNORECASE)
PART = re.compile(
    r"\b(?:cohorts?|parts?|arms?|groups?|phase|stage|EXP-?)\s*[:#-]?\s*(\d+[a-z]?(?:/\d)?|[IVX]{1,4}[ab]?|[A-H]\d?)\b",
    re.IGNORECASE,
)
SYSTEMIC = ("DRUG", "BIOLOGICAL", "COMBINATION_PRODUCT")
PLACEBO = re.compile(r"\bplacebo\b|\bbest supportive\b|\bquestionnaire\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Treatment:
    """What a group got: agents of the protocol, other agents given with them, and where that stands.

    `agents` is empty for a group of another treatment, and has several where the words name several.
    """

    agents: tuple[str, ...]
    partners: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Past:
    """What a group had before, as the protocol's levels; empty where no words tell."""

    line: str
    prior: str
    why: str


NO_PAST = Past("", "", "")
OUTCOME_TITLE = "outcome title"
"""Where words stand that may tell groups of one title apart."""


def treatment_of(group: Group, study: Study, protocol: Protocol) -> Treatment:
    """Return what a group got: by its title, else the protocol's arm of that title, else its description.

    A study all of whose arms get one agent of the protocol tells by that.
    """
    masks = _before(protocol)
    arm = matched_arm(group, study)
    texts = [("group title", group.title)]
    if arm is not None:
        texts.append(("arm", " ; ".join(each.text for each in (arm.label, *arm.interventions))))
    texts.append(("group description", group.description))
    if arm is not None:
        texts.append(("arm description", arm.description.text))
    for where, text in texts:
        if agents := protocol.agents_in(masks.sub(" ", text) if masks else text):
            return Treatment(agents, _partners(group, arm, study, protocol), where)
    if len(study.arms) == 1 or all(_agents_of(each, study, protocol) for each in study.arms):
        named = {name for each in study.arms for name in _agents_of(each, study, protocol)}
        if len(named) == 1:
            return Treatment(tuple(named), _partners(group, arm, study, protocol), "every arm")
    return Treatment((), (), "no agent of the protocol named")


def matched_arm(group: Group, study: Study) -> Arm | None:
    """Return the arm whose label is the group's title, or alone contains it or is contained in it; None if none is."""
    title = plain(group.title)
    if not title:
        return None
    labels = [(plain(arm.label.text), arm) for arm in study.arms]
    for same in (
        [arm for label, arm in labels if label == title],
        [arm for label, arm in labels if label and (_within(label, title) or _within(title, label))],
    ):
        if len(same) == 1:
            return same[0]
    return study.arms[0] if len(study.arms) == 1 else None


def _within(part: str, whole: str) -> bool:
    """Return whether one plain title stands in another; "arm1" does not in "arm10"."""
    return re.search(rf"(?<![0-9]){part}(?![0-9])" if part[-1].isdigit() else part, whole) is not None


def crossed_over(group: Group, outcome: OutcomeMeasure) -> bool:
    """Return whether a group holds people who are counted in another group, or in an earlier period, already."""
    titles = f"{group.title} ; {outcome.title}"
    return bool(CROSSOVER_TITLE.search(titles) or CROSSOVER_TEXT.search(group.description))


def shares_title(group: Group, outcome: OutcomeMeasure) -> bool:
    """Return whether another group of the outcome has the same title: other people, whom other outcomes may mix up."""
    return sum(plain(each.title) == plain(group.title) for each in outcome.groups) > 1


def sums_groups(group: Group, outcome: OutcomeMeasure) -> bool:
    """Return whether a group holds those of other groups of the outcome together.

    Its title says so and nothing else ("Total"), or says so among other words ("Overall: ...", or the names of others)
    while it has as many participants as some of them.
    """
    others = [each for each in outcome.groups if each.id != group.id]
    if len(others) < 2:
        return False
    whole = outcome.denominators.get(group.id)
    sizes = [outcome.denominators.get(each.id) for each in others]
    if SUM_OF_GROUPS.match(group.title):
        return whole is None or None in sizes or whole >= max(count or 0 for count in sizes)
    title = plain(group.title)
    names = sum(bool(each.title) and plain(each.title) in title for each in others)
    return bool(SUM_WORDS.search(group.title) or names > 1) and _is_sum(whole, [count for count in sizes if count])


def _is_sum(whole: int | None, sizes: Iterable[int]) -> bool:
    """Return whether a number is the sum of two or more of others."""
    terms = {0: 0}
    for size in sizes:
        for total, count in tuple(terms.items()):
            if whole is not None and total + size <= whole:
                terms[total + size] = max(count + 1, terms.get(total + size, 0))
    return whole is not None and terms.get(whole, 0) > 1


def past_of(group: Group, part: OutcomeClass, outcome: OutcomeMeasure, study: Study, protocol: Protocol) -> Past | None:
    """Return what a group had before, by the nearest words about it; None if they tell nothing."""
    arm = matched_arm(group, study)
    return _first_told(
        (
            ("group title", group.title),
            ("class title", part.title),
            (OUTCOME_TITLE, outcome.title),
            ("group description", group.description),
            ("population", outcome.population),
            ("arm", "" if arm is None else f"{arm.label.text} {arm.description.text}"),
        ),
        protocol,
    )


def past_of_all(study: Study, protocol: Protocol) -> Past:
    """Return what all groups of a study had before, by its titles and criteria."""
    titles = (("title", title.text) for title in study.titles)
    lines = (("inclusion criteria", line.text) for line in study.inclusion)
    return _first_told((*titles, *lines), protocol) or NO_PAST


def _first_told(texts: Iterable[tuple[str, str]], protocol: Protocol) -> Past | None:
    if (told := protocol.histories_pattern) is None:
        return None
    for where, text in texts:
        if not told.search(text):
            continue
        for history in protocol.history:
            if history.pattern.search(text):
                return Past(history.line, history.prior, where)
    return None


def part_of_name(group_title: str, outcome_title: str, population: str) -> str:
    """Return the cohort, part or arm that an outcome's title or population names beside the group's; may be empty.

    Ids of groups restart in every outcome: without it, cohort 1 and cohort 2 of two outcomes would be one.
    """
    if PART.search(group_title):
        return ""
    found = PART.search(outcome_title) or PART.search(population)
    return "" if found is None else plain(found.group())


def _before(protocol: Protocol) -> re.Pattern[str] | None:
    """Return what tells agents that were given before the trial."""
    masks = [mask for rule in protocol.rule if isinstance(rule, WordRule) and rule.agents for mask in rule.but_not]
    return any_of(masks) if masks else None


def _agents_of(arm: Arm, study: Study, protocol: Protocol) -> tuple[str, ...]:
    """Return the agents among an arm's interventions."""
    names = [each.text for each in arm.interventions]
    names += [
        name.text
        for each in study.interventions
        if arm.label.text in each.arms
        for name in (each.name, *each.other_names)
    ]
    return protocol.agents_in(" ; ".join(names))


def _partners(group: Group, arm: Arm | None, study: Study, protocol: Protocol) -> tuple[str, ...]:
    """Return the other drugs of a group: named in its title, or listed for its arm in the protocol."""
    listed = set() if arm is None else {plain(each.text.partition(": ")[2] or each.text) for each in arm.interventions}
    kinds = {} if arm is None else {plain(each.text.partition(": ")[2]): each.text for each in arm.interventions}
    title, found = plain(group.title), []
    for each in _drugs(study):
        name = plain(each)
        drug = not kinds.get(name) or kinds[name].upper().startswith(("DRUG", "BIOLOGICAL", "COMBINATION"))
        if len(name) > 3 and (name in title or name in listed) and drug and not protocol.agents_in(each):
            found.append(each.casefold())
    return tuple(dict.fromkeys(found))


def _drugs(study: Study) -> Iterator[str]:
    for each in study.interventions:
        if not PLACEBO.search(each.name.text) and each.kind in SYSTEMIC:
            yield each.name.text
