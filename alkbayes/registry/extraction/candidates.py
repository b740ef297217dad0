"""Rows of candidates: one for each outcome, class and group of a record, nothing guessed and nothing left out.

A row is `clean` where its figure can be taken for what its kind says, `ambiguous` where two readings or two counts fit,
and `refused` where it is of no use: another kind of outcome, or no value for another reason than "not reached".
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction.arms import (
    NO_PAST,
    Past,
    Treatment,
    crossed_over,
    past_of,
    past_of_all,
    shares_title,
    sums_groups,
    treatment_of,
)
from alkbayes.registry.extraction.counts import NONE_FITS, Counts, counts_of
from alkbayes.registry.extraction.kinds import (
    COUNTED,
    MEDIANS,
    RESPONSES,
    Classified,
    Kind,
    classify,
    is_complete,
    is_partial,
    split_by_classes,
)
from alkbayes.registry.extraction.units import (
    NO_INTERVAL,
    Interval,
    Unit,
    interval_of,
    is_missing_value,
    number_of,
    unit_of,
)
from alkbayes.registry.outcomes import Group, Measurement, OutcomeClass, OutcomeMeasure, outcomes_of
from alkbayes.registry.study import Study

IRC = re.compile(
    r"\bindependent\b|\bB?I(?:RC|CR|RRC|RR|CRC|RF)\b|\bcentral(?:ly|ized)?\W+(?:\w+\W+){0,2}"
    r"(?:review|assess|read|imag|radiol)|\bblinded\b",
    re.IGNORECASE,
)
INVESTIGATOR = re.compile(r"\binvestigators?\b|\bINV\b|\blocal(?:ly)?\W+(?:review|assess|radiol)", re.IGNORECASE)
UNCONFIRMED = re.compile(r"\bun-?confirmed\b|\bregardless of confirmation\b|\bnot confirmed\b", re.IGNORECASE)
CONFIRMED = re.compile(r"\bconfirm(?:ed|ation)\b", re.IGNORECASE)
CONFIRMED_SOMETHING = re.compile(r"(?:histolog|patholog|cytolog|molecular|genetic)\w*[\s-]+confirmed", re.IGNORECASE)

NOT_REACHED = re.compile(r"\bnot (?:been |yet |was )?(?:yet )?(?:been )?reached\b|\bnot been met\b", re.IGNORECASE)
OF_A_LIMIT = re.compile(
    r"\b(?:upper|lower)\b|\blimits?\b|\bCI\b|\bconfidence\b|\bbounds?\b|\binterval\b|\b(?:UL|LL)\b", re.IGNORECASE
)
OF_THE_MEDIAN = re.compile(r"\bmedian\b", re.IGNORECASE)

N_IN_TITLE = re.compile(
    r"\bn(?:[A-Za-z]{0,2})?\s*=\s*(\d[\d,\s]*?)(?=[);,\]]*\s*(?:n[A-Za-z]{0,2}\s*=|[);\]]|$|and\b))", re.IGNORECASE
)
NO_SUBGROUP = re.compile(
    r"(?:(?:by|per|as assessed by|according to|based on)\W+)?(?:the\W+)?"
    r"(?:B?I[CR]{1,2}C?|independent[\w\s()-]{0,60}|investigators?[\w\s'’()-]{0,40}|central[\w\s()-]{0,40}"
    r"|RECIST[\w\s.,()-]{0,20})"
    r"|(?:all|overall|total)(?:\s+\w+){0,3}|(?:un)?confirmed(?:\s+\w+){0,4}"
    r"|(?:objective|overall|best overall|tumou?r|intracranial|complete|partial)\s+respon\w*(?:\s+rate)?s?"
    r"(?:\s*\(\w+(?:\s*[+/]\s*\w+)?\))?|ORR|IC-?ORR|CR|PR|median(?:\s+\w+){0,4}|CR\s*\+\s*PR"
    r"|(?:number|percentage|proportion)\s+of\s+responders|responders?"
    r"|yes|(?:at\s+)?(?:\d+(?:\.\d+)?[\s-]*(?:month|week|year|day)s?|(?:month|week|year|day)s?\s*\d+)(?:\s+\w+){0,3}",
    re.IGNORECASE,
)
"""Titles of classes that name no subgroup: an assessor, the figure itself, a time."""

NO_RESPONDERS = re.compile(r"^(?:no|non[\s-]?responders?|not responding)\b", re.IGNORECASE)


class Status(StrEnum):
    """Whether the figure of a row can be used."""

    CLEAN = "clean"
    AMBIGUOUS = "ambiguous"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A figure of a record, as printed, with what it is about and where it stands.

    `value`, `ci_low` and `ci_high` keep the printed digits; `responders` is the count behind a row if only one fits,
    `responders_fits` all that fit. `agent` is empty where the words name several `agents`. `shared` is whether its
    people are a part of the group, or counted in another group too.
    """

    nct_id: str
    outcome_index: int
    class_title: str
    pointer: str
    kind: Kind
    outcome_type: str
    title: str
    time_frame: str
    population: str
    assessor: str
    confirmed: str
    group_id: str
    group_title: str
    agents: tuple[str, ...]
    agent: str
    partner: str
    regimen_class: str
    agent_why: str
    line: str
    prior_alk_tki: str
    line_why: str
    n: int | None
    n_source: str
    value: str
    unit: str
    ci_low: str
    ci_high: str
    ci_level: str
    comment: str
    responders: int | None
    responders_fits: tuple[int, ...]
    derived: bool
    shared: bool
    status: Status
    why: str

    def as_row(self) -> dict[str, Any]:
        """Return the row as it is written."""
        row = dict(zip(COLUMNS, CELLS(self), strict=True))
        return row | {"responders_fits": ";".join(map(str, self.responders_fits))}


COLUMNS = (
    "nct_id",
    "outcome_index",
    "class_title",
    "pointer",
    "kind",
    "outcome_type",
    "title",
    "time_frame",
    "population",
    "assessor",
    "confirmed",
    "group_id",
    "group_title",
    "agent",
    "partner",
    "regimen_class",
    "agent_why",
    "line",
    "prior_alk_tki",
    "line_why",
    "n",
    "n_source",
    "value",
    "unit",
    "ci_low",
    "ci_high",
    "ci_level",
    "comment",
    "responders",
    "responders_fits",
    "status",
    "why",
)
"""Columns of the file, in order."""
CELLS = attrgetter(*COLUMNS)


class _Figure(NamedTuple):
    """What a cell of an outcome comes to, before it is put beside its group."""

    kind: Kind
    value: str
    interval: Interval
    n: int | None
    n_source: str
    counts: Counts
    status: Status
    why: str
    comment: str
    pointer: str


def candidates_of(document: Mapping[str, Any], study: Study, protocol: Protocol) -> tuple[Candidate, ...]:
    """Return the candidates of a record, in its order; an outcome that is not posted has none."""
    found: list[Candidate] = []
    seen: dict[tuple[object, ...], int] = {}
    of_all = cache(lambda: past_of_all(study, protocol))
    for outcome in outcomes_of(document):
        if not outcome.posted:
            continue
        for part, group, figure in _figures(outcome):
            candidate = _candidate(outcome, part, group, figure, study, protocol, of_all)
            key = (candidate.kind, candidate.group_title, candidate.class_title, candidate.n, candidate.value)
            first = seen.setdefault((*key, candidate.ci_low, candidate.ci_high), outcome.index)
            found.append(candidate if first == outcome.index else _repeats(candidate, first))
    return tuple(found)


def _repeats(candidate: Candidate, first: int) -> Candidate:
    if candidate.kind is Kind.OTHER:
        return candidate
    return replace(candidate, why=_joined(candidate.why, f"same figures as outcome {first}"))


def _figures(outcome: OutcomeMeasure) -> Iterator[tuple[OutcomeClass, Group, _Figure]]:
    """Yield every class and group of an outcome with its figure; sums of complete and partial responses first."""
    if split_by_classes(outcome):
        yield from _sums(outcome)
    for part, classified in zip(outcome.classes, classify(outcome), strict=True):
        ids = dict.fromkeys(each.group_id for category in part.categories for each in category.measurements)
        for group_id in ids:
            cells = [
                (category.title, each)
                for category in part.categories
                for each in category.measurements
                if each.group_id == group_id
            ]
            group = outcome.group(group_id)
            yield part, group, _figure(outcome, part, group, cells, classified)


def _figure(
    outcome: OutcomeMeasure,
    part: OutcomeClass,
    group: Group,
    cells: list[tuple[str, Measurement]],
    classified: Classified,
) -> _Figure:
    """Return the figure of a class and group from the cells of its categories."""
    n, n_source = _denominator(outcome, part, group)
    if classified.kind is Kind.BEST_RESPONSE:
        return _best_response(outcome, cells, n, n_source, part.pointer)
    if len(cells) > 1:
        return _several(cells, n, n_source, classified, part.pointer)
    title, cell = cells[0]
    interval = interval_of(outcome, cell)
    make = _Maker(outcome, part, classified, cell, interval, n, n_source)
    if NO_RESPONDERS.match(title or part.title) and classified.kind in COUNTED:
        return make(Kind.OTHER, NONE_FITS, Status.REFUSED, "those without the event")
    if classified.kind is Kind.OTHER:
        return make(Kind.OTHER, NONE_FITS, Status.REFUSED, classified.why)
    if number_of(cell.value) is None:
        return make.without_a_value()
    if classified.kind in COUNTED:
        return make.counted()
    return make.measured()


class _Maker(NamedTuple):
    """Judges a single cell."""

    outcome: OutcomeMeasure
    part: OutcomeClass
    classified: Classified
    cell: Measurement
    interval: Interval
    n: int | None
    n_source: str

    def __call__(self, kind: Kind, counts: Counts, status: Status, why: str) -> _Figure:
        return _Figure(
            kind=kind,
            value=self.cell.value,
            interval=self.interval,
            n=self.n,
            n_source=self.n_source,
            counts=counts,
            status=status,
            why=why,
            comment=self.cell.comment,
            pointer=self.cell.pointer,
        )

    def without_a_value(self) -> _Figure:
        """Judge a cell without a number: only words that say so make a median not reached."""
        kind, comment = self.classified.kind, f"{self.cell.comment} {self.cell.value}"
        about_limit = OF_A_LIMIT.search(comment) and not OF_THE_MEDIAN.search(comment)
        if kind in MEDIANS and is_missing_value(self.cell.value) and NOT_REACHED.search(comment) and not about_limit:
            return self(kind, NONE_FITS, Status.CLEAN, "median not reached, as the comment says")
        if is_missing_value(self.cell.value):
            said = f": {self.cell.comment}" if self.cell.comment else ", and no comment says why"
            return self(kind, NONE_FITS, Status.REFUSED, f"no value{said}")
        return self(kind, NONE_FITS, Status.REFUSED, "the value is no number")

    def counted(self) -> _Figure:
        """Judge a count, or a rate with a count behind it."""
        kind, unit = self.classified.kind, unit_of(self.outcome)
        if self.n == 0:
            return self(kind, NONE_FITS, Status.REFUSED, "nobody at risk")
        counts, doubt = _read(self.cell.value, unit, self.n, self.interval)
        if self.n is None:
            return self(kind, counts, Status.AMBIGUOUS, _joined("no denominator", doubt))
        if self.n_source == CLASS_TITLE:
            why = "a subgroup, whose n stands in the title of its class alone"
            return self(kind, _only_fits(counts), Status.AMBIGUOUS, _joined(why, counts.why))
        if doubt or not counts.fits:
            return self(kind, _only_fits(counts), Status.AMBIGUOUS, doubt or f"no count of {self.n} fits the value")
        if counts.only is None:
            why = counts.why if counts.doubt else f"{len(counts.fits)} counts fit the rate"
            return self(kind, counts, Status.AMBIGUOUS, _joined(why, "" if counts.doubt else counts.why))
        if counts.derived and kind is Kind.DEATH and self.interval != NO_INTERVAL:
            return self(kind, NONE_FITS, Status.REFUSED, "a probability of death, no count")
        return self(kind, counts, Status.CLEAN, _joined(self.classified.why, counts.why))

    def measured(self) -> _Figure:
        """Judge a median or a rate of a survival curve."""
        if self.n == 0:
            return self(self.classified.kind, NONE_FITS, Status.REFUSED, "nobody analysed")
        if self.n_source == CLASS_TITLE:
            why = "a subgroup, whose n stands in the title of its class alone"
            return self(self.classified.kind, NONE_FITS, Status.AMBIGUOUS, why)
        return self(self.classified.kind, NONE_FITS, Status.CLEAN, self.classified.why)


CLASS_TITLE = "title of the class"


def _only_fits(counts: Counts) -> Counts:
    """Return counts of which none is taken, though they are shown."""
    return Counts(counts.fits, counts.derived, counts.why, doubt=True)


def _read(value: str, unit: Unit, n: int | None, interval: Interval) -> tuple[Counts, str]:
    """Return the counts behind a value by its unit, and a doubt where another reading fits or the unit cannot be."""
    if unit in {Unit.PERCENT, Unit.PROPORTION}:
        counts = counts_of(value, unit, n, interval)
        number = number_of(value)
        if unit is Unit.PERCENT and number is not None and 0 < number < 1 and interval.high:
            high = number_of(interval.high)
            if high is not None and high <= 1 and counts_of(value, Unit.PROPORTION, n, interval).fits:
                return counts, "a percentage below 1 that may be a proportion"
        return counts, ""
    as_count = counts_of(value, Unit.COUNT, n, NO_INTERVAL)
    as_percent = counts_of(value, Unit.PERCENT, n, interval)
    if unit is Unit.COUNT:
        if as_count.fits and not (interval.high and _is_percentage(value, interval, n)):
            return as_count, ""
        if as_count.fits:
            return Counts((), derived=True), "a count by its unit, a percentage by its interval"
        return as_percent, "no count, though the unit says so: perhaps a percentage" if as_percent.fits else ""
    if as_count.fits and as_percent.fits:
        return Counts((), derived=True), f"unit unknown: a count and a percentage of {n} both fit"
    return (as_count if as_count.fits else as_percent), "unit unknown" if as_count.fits or as_percent.fits else ""


def _is_percentage(value: str, interval: Interval, n: int | None) -> bool:
    """Return whether an interval is that of the value as a percentage of n and not as a count."""
    fits = counts_of(value, Unit.PERCENT, n, interval)
    return fits.reproduced and n != 100


def _several(
    cells: list[tuple[str, Measurement]], n: int | None, n_source: str, classified: Classified, pointer: str
) -> _Figure:
    """Return the figure of a class with several categories: none, but for yes and no."""
    yes = [(title, cell) for title, cell in cells if re.fullmatch(r"yes|responders?", title, re.IGNORECASE)]
    why = f"{len(cells)} categories"
    value = yes[0][1].value if len(yes) == 1 else ""
    kind = classified.kind if len(yes) == 1 else Kind.OTHER
    status = Status.REFUSED if kind is Kind.OTHER else Status.AMBIGUOUS
    where = yes[0][1].pointer if len(yes) == 1 else pointer
    return _Figure(kind, value, NO_INTERVAL, n, n_source, NONE_FITS, status, why, "", where)


def _best_response(
    outcome: OutcomeMeasure, cells: list[tuple[str, Measurement]], n: int | None, n_source: str, pointer: str
) -> _Figure:
    """Return the sum of complete and partial responses over one denominator."""
    unit = unit_of(outcome)
    both = [[cell for title, cell in cells if is_one(title)] for is_one in (is_complete, is_partial)]
    if any(len(found) != 1 for found in both):
        why = "complete or partial responses are missing, or stand there twice"
        return _Figure(Kind.BEST_RESPONSE, "", NO_INTERVAL, n, n_source, NONE_FITS, Status.AMBIGUOUS, why, "", pointer)
    (complete,), (partial,) = both
    counts = [counts_of(cell.value, unit, n, NO_INTERVAL) for cell in (complete, partial)]
    fits = sorted({one + other for one in counts[0].fits for other in counts[1].fits if n is None or one + other <= n})
    derived = any(each.derived for each in counts)
    total = Counts(tuple(fits), derived)
    numbers = [number_of(cell.value) for cell in (complete, partial)]
    known = [number for number in numbers if number is not None]
    value = f"{float(sum(known)):g}" if len(known) == len(numbers) else ""
    if n == 0 or not value:
        status, why = Status.REFUSED, "nobody analysed" if n == 0 else "a value is missing"
    else:
        status = Status.CLEAN if total.only is not None else Status.AMBIGUOUS
        why = f"{complete.value} complete and {partial.value} partial responses"
    return _Figure(Kind.BEST_RESPONSE, value, NO_INTERVAL, n, n_source, total, status, why, "", pointer)


def _sums(outcome: OutcomeMeasure) -> Iterator[tuple[OutcomeClass, Group, _Figure]]:
    """Yield for each group the sum over classes that are complete, partial and other responses."""
    whole = OutcomeClass("", {}, (), f"{outcome.pointer}/classes")
    for group in outcome.groups:
        cells, sizes = [], set()
        for part in outcome.classes:
            found = [each for category in part.categories for each in category.measurements]
            for cell in (each for each in found if each.group_id == group.id):
                cells.append((part.title, cell))
                sizes.add(_denominator(outcome, part, group)[0])
        n, source = _denominator(outcome, whole, group)
        if not cells:
            continue
        figure = _best_response(outcome, cells, n, source, whole.pointer)
        if len(sizes) > 1 or sizes != {n}:
            why = "complete and partial responses have different denominators"
            figure = _Figure(
                Kind.BEST_RESPONSE, "", NO_INTERVAL, n, source, NONE_FITS, Status.AMBIGUOUS, why, "", whole.pointer
            )
        yield whole, group, figure


def _denominator(outcome: OutcomeMeasure, part: OutcomeClass, group: Group) -> tuple[int | None, str]:
    """Return a denominator and where it stands: of the class, in its title, of the outcome."""
    if group.id in part.denominators:
        return part.denominators[group.id], "denominators of the class"
    if numbers := _numbers_in(part.title):
        ids = [each.id for each in outcome.groups]
        if len(numbers) == len(ids) and group.id in ids:
            return numbers[ids.index(group.id)], CLASS_TITLE
        return (numbers[0] if len(numbers) == len(ids) == 1 else None), CLASS_TITLE
    found_n = outcome.denominators.get(group.id)
    return found_n, "" if found_n is None else "denominators of the outcome"


@lru_cache(maxsize=10_000)
def _numbers_in(title: str) -> tuple[int, ...]:
    """Return the participants that a title gives: "PD-L1 >= 5% (n=42,39)"."""
    return tuple(
        int(number.replace(" ", ""))
        for found in N_IN_TITLE.findall(title)
        for number in re.split(r",\s*(?!\d{3}\b)", found)
        if number.strip().replace(" ", "").isdigit()
    )


def _candidate(
    outcome: OutcomeMeasure,
    part: OutcomeClass,
    group: Group,
    figure: _Figure,
    study: Study,
    protocol: Protocol,
    of_all: Callable[[], Past],
) -> Candidate:
    """Put a figure beside its group, and mark what makes it no cohort of its own."""
    wanted = figure.kind is not Kind.OTHER
    treatment = treatment_of(group, study, protocol) if wanted else Treatment((), (), "")
    past = NO_PAST
    if wanted and treatment.agents:
        past = past_of(group, part, outcome, study, protocol) or of_all()
    agent = treatment.agents[0] if len(treatment.agents) == 1 else ""
    several = len(treatment.agents) > 1
    status, why = _of_group(outcome, part, group, figure)
    return Candidate(
        nct_id=study.nct_id,
        outcome_index=outcome.index,
        class_title=part.title,
        pointer=figure.pointer,
        kind=figure.kind,
        outcome_type=outcome.kind.lower(),
        title=outcome.title,
        time_frame=outcome.time_frame,
        population=outcome.population,
        assessor=_assessor(outcome, part) if figure.kind in RESPONSES | MEDIANS | {Kind.PFS_RATE} else "",
        confirmed=_confirmed(outcome, part) if figure.kind in RESPONSES else "",
        group_id=group.id,
        group_title=group.title,
        agents=treatment.agents,
        agent=agent,
        partner="+".join(treatment.partners) if agent else "",
        regimen_class=_class_of(agent, treatment, protocol),
        agent_why=f"{treatment.why}: {', '.join(treatment.agents)}" if several else treatment.why,
        line=past.line,
        prior_alk_tki=past.prior,
        line_why=past.why,
        n=figure.n,
        n_source=figure.n_source,
        value=figure.value,
        unit=outcome.unit or outcome.param.lower(),
        ci_low=figure.interval.low,
        ci_high=figure.interval.high,
        ci_level=figure.interval.level,
        comment=figure.comment,
        responders=figure.counts.only if figure.kind in COUNTED and status is not Status.REFUSED else None,
        responders_fits=figure.counts.fits,
        derived=figure.counts.derived,
        shared=wanted and (crossed_over(group, outcome) or _is_subgroup(figure, part)),
        status=status,
        why=why,
    )


def _of_group(outcome: OutcomeMeasure, part: OutcomeClass, group: Group, figure: _Figure) -> tuple[Status, str]:
    """Return status and reason with what the group and the class add: people who are counted elsewhere too."""
    if figure.status is not Status.CLEAN or figure.kind is Kind.OTHER:
        return figure.status, figure.why
    if shares_title(group, outcome):
        return Status.AMBIGUOUS, _joined("another group of the outcome has the same title", figure.why)
    if crossed_over(group, outcome):
        return Status.AMBIGUOUS, _joined("a crossover or extension group, counted in another group too", figure.why)
    if sums_groups(group, outcome):
        return Status.AMBIGUOUS, _joined("a group of all other groups together", figure.why)
    if _is_subgroup(figure, part):
        return Status.AMBIGUOUS, _joined("a subgroup: the class is a part of the group", figure.why)
    return figure.status, figure.why


def _is_subgroup(figure: _Figure, part: OutcomeClass) -> bool:
    """Return whether a class of a response or a median is a part of the group rather than a time or an assessor."""
    if not part.title or figure.kind not in RESPONSES | MEDIANS | {Kind.PFS_RATE}:
        return False
    return figure.n_source == CLASS_TITLE or NO_SUBGROUP.fullmatch(part.title.strip(" .:")) is None


def _class_of(agent: str, treatment: Treatment, protocol: Protocol) -> str:
    if not agent:
        return ""
    return "combination" if treatment.partners else protocol.agents[agent].regimen_class


def _assessor(outcome: OutcomeMeasure, part: OutcomeClass) -> str:
    """Return who read the tumours: by the nearest text that names one alone; empty if none does."""
    for text in (part.title, outcome.title, outcome.description, outcome.population):
        independent, investigator = bool(IRC.search(text)), bool(INVESTIGATOR.search(text))
        if independent != investigator:
            return "irc" if independent else "investigator"
        if independent:
            return ""
    return ""


def _confirmed(outcome: OutcomeMeasure, part: OutcomeClass) -> str:
    """Return whether responses were confirmed: "yes", "no" or "unknown"."""
    for text in (part.title, outcome.title, outcome.description, outcome.population):
        rest = CONFIRMED_SOMETHING.sub("", text)
        if UNCONFIRMED.search(rest):
            return "no"
        if CONFIRMED.search(rest):
            return "yes"
    return "unknown"


def _joined(*clauses: str) -> str:
    return "; ".join(dict.fromkeys(filter(None, clauses)))
