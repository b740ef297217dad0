"""A study as registered: what screening needs of a record, typed, each text with its place."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alkbayes.registry.cleaning import clean
from alkbayes.registry.json_reader import Cursor, root

NCT_ID = re.compile(r"NCT0*[1-9]\d{0,7}")
UNKNOWN_ENROLLMENT = 99_999_999
"""What the registry writes for an enrolment that is not known."""

EXCLUSION = re.compile(
    r"^\W*(?:(?:key|main|major|other|general|specific|additional|patient|subject|participant|study)\s+)*"
    r"(?:exclusion\b|excluded\s*:|(?:patients?|subjects?|participants?)\s+(?:will be|are)\s+excluded\b.{0,40}:)",
    re.IGNORECASE,
)
INCLUSION = re.compile(
    r"^\W*(?:(?:key|main|major|other|general|specific|additional|patient|subject|participant|study)\s+)*"
    r"(?:inclusion\b|eligibility criteria\b|included\s*:)",
    re.IGNORECASE,
)


GOES_ON = frozenset(
    ("a", "an", "and", "by", "for", "in", "no", "not", "of", "on", "or", "the", "to", "with", "without")
)
"""Last words of a line that the next one goes on with."""

HEADING = re.compile(r"(?<=\S)\s+((?:key |main )?(?:inclusion|exclusion) criteria\s*:)", re.IGNORECASE)
"""A heading within a line: criteria are often pasted without line ends."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Words of a record with their JSON pointer."""

    text: str
    pointer: str


@dataclass(frozen=True, slots=True)
class Arm:
    """A planned arm: label, kind as registered, description, and its interventions ("Drug: Crizotinib")."""

    label: Passage
    kind: str
    description: Passage
    interventions: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Intervention:
    """An intervention: its kind as registered, name, other names (codes, brands), description, and its arms' labels."""

    kind: str
    name: Passage
    other_names: tuple[Passage, ...]
    description: Passage
    arms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """A publication: PubMed number and kind.

    "RESULT": the sponsor says that it has the results; "DERIVED": it names the study; "BACKGROUND".
    """

    pmid: str
    kind: str


@dataclass(frozen=True, slots=True)
class Study:
    """What a record says before results.

    Attributes
    ----------
    phases
        As registered, such as ("PHASE1", "PHASE2"); empty where none is.
    enrollment
        Number of participants, None if not known.
    inclusion, exclusion
        Lines of the eligibility criteria.
    minimum_age, maximum_age
        As registered, such as "18 Years"; empty means none, not 0.
    ages
        Of CHILD, ADULT and OLDER_ADULT, those that may take part.
    has_results
        Whether the registry has results; `results_here` whether this copy of the record has them.
    last_update
        Date as registered.
    faults
        Values of a wrong type that were passed over.
    """

    nct_id: str
    brief_title: Passage
    official_title: Passage
    acronym: str
    study_type: Passage
    phases: tuple[Passage, ...]
    enrollment: int | None
    conditions: tuple[Passage, ...]
    keywords: tuple[Passage, ...]
    summary: tuple[Passage, ...]
    arms: tuple[Arm, ...]
    interventions: tuple[Intervention, ...]
    inclusion: tuple[Passage, ...]
    exclusion: tuple[Passage, ...]
    minimum_age: str
    maximum_age: str
    ages: tuple[Passage, ...]
    countries: tuple[str, ...]
    references: tuple[Reference, ...]
    has_results: bool
    results_here: bool
    last_update: str
    results_posted: str
    faults: tuple[str, ...]

    @property
    def titles(self) -> tuple[Passage, ...]:
        """Titles and acronym that are not empty."""
        acronym = Passage(self.acronym, "/protocolSection/identificationModule/acronym")
        return tuple(each for each in (self.brief_title, self.official_title, acronym) if each.text)

    @property
    def name(self) -> str:
        """Short name: the acronym, else the number."""
        return self.acronym or self.nct_id


def nct_id_of(document: Any) -> str:
    """Return a record's number, upper-case; empty if it has none that is one."""
    identification = root(document).at("protocolSection", "identificationModule")
    found = identification.text("nctId").upper()
    return found if NCT_ID.fullmatch(found) else ""


def study_of(document: Mapping[str, Any]) -> Study:
    """Return the study of a record; whatever is missing or of a wrong type is empty."""
    record = root(document)
    protocol = record.at("protocolSection")
    names, status = protocol.at("identificationModule"), protocol.at("statusModule")
    design, criteria = protocol.at("designModule"), protocol.at("eligibilityModule")
    arms, conditions = protocol.at("armsInterventionsModule"), protocol.at("conditionsModule")
    inclusion, exclusion = _criteria(criteria)
    enrollment = design.at("enrollmentInfo").count("count")
    results = bool(record.at("resultsSection").value)
    return Study(
        nct_id=nct_id_of(document),
        brief_title=_passage(names, "briefTitle"),
        official_title=_passage(names, "officialTitle"),
        acronym=names.text("acronym"),
        study_type=_passage(design, "studyType"),
        phases=_passages(design, "phases"),
        enrollment=None if enrollment == UNKNOWN_ENROLLMENT else enrollment,
        conditions=_passages(conditions, "conditions"),
        keywords=_passages(conditions, "keywords"),
        summary=tuple(_passage(protocol.at("descriptionModule"), key) for key in ("briefSummary",)),
        arms=tuple(_arm(arm) for arm in arms.objects("armGroups")),
        interventions=tuple(_intervention(each) for each in arms.objects("interventions")),
        inclusion=inclusion,
        exclusion=exclusion,
        minimum_age=criteria.text("minimumAge"),
        maximum_age=criteria.text("maximumAge"),
        ages=_passages(criteria, "stdAges"),
        countries=_countries(protocol),
        references=tuple(_references(protocol)),
        has_results=bool(record.flag("hasResults")) or results,
        results_here=results,
        last_update=status.at("lastUpdatePostDateStruct").text("date"),
        results_posted=status.at("resultsFirstPostDateStruct").text("date"),
        faults=tuple(record.faults),
    )


def _passage(cursor: Cursor, key: str) -> Passage:
    return Passage(cursor.text(key), f"{cursor.pointer}/{key}")


def _passages(cursor: Cursor, key: str) -> tuple[Passage, ...]:
    return tuple(Passage(each.value, each.pointer) for each in cursor.texts(key) if each.value)


def _arm(arm: Cursor) -> Arm:
    return Arm(
        _passage(arm, "label"), arm.text("type"), _passage(arm, "description"), _passages(arm, "interventionNames")
    )


def _intervention(each: Cursor) -> Intervention:
    arms = tuple(label.value for label in each.texts("armGroupLabels"))
    return Intervention(
        each.text("type").upper(),
        _passage(each, "name"),
        _passages(each, "otherNames"),
        _passage(each, "description"),
        arms,
    )


def _criteria(module: Cursor) -> tuple[tuple[Passage, ...], tuple[Passage, ...]]:
    """Return the lines of the criteria for inclusion and for exclusion; without headings all are for inclusion."""
    pointer = f"{module.pointer}/eligibilityCriteria"
    parts: tuple[list[Passage], list[Passage]] = ([], [])
    place = 0
    lines = (
        part
        for line in module.lines("eligibilityCriteria")
        for part in (HEADING.sub(r"\n\1", line).split("\n") if "criteria" in line.casefold() else (line,))
    )
    for line in _whole(filter(None, lines)):
        if EXCLUSION.search(line):
            place = 1
        elif INCLUSION.search(line):
            place = 0
        parts[place].append(Passage(line, pointer))
    return tuple(parts[0]), tuple(parts[1])


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines, each with those that only go on with it: old records are broken at 80 characters."""
    whole = ""
    for line in lines:
        if whole and (_goes_on(whole) or (line[0].islower() and whole[-1] not in ".;:")):
            whole = f"{whole} {line}"
        else:
            if whole:
                yield whole
            whole = line
    if whole:
        yield whole


def _goes_on(line: str) -> bool:
    return line[-1] in ",/(" or re.split(r"\W", line[-8:])[-1].casefold() in GOES_ON


def _countries(protocol: Cursor) -> tuple[str, ...]:
    """Return the countries of a study's sites, of which there may be hundreds."""
    sites = protocol.at("contactsLocationsModule").value.get("locations")
    places = (each.get("country") for each in (sites if isinstance(sites, list) else ()) if isinstance(each, dict))
    return tuple(sorted({clean(each) for each in {place for place in places if isinstance(place, str)}} - {""}))


def _references(protocol: Cursor) -> Iterator[Reference]:
    for each in protocol.at("referencesModule").objects("references"):
        pmid = each.text("pmid")
        if pmid.isascii() and pmid.isdigit() and len(pmid) <= 9:
            yield Reference(pmid, each.text("type").upper())
