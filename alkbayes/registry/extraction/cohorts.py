"""Candidates as a table of cohorts and its sources, by the rules of alkbayes/data/SCHEMA.md: one row for each cohort.

What the record does not say stays empty, every row is of low certainty until a person has read it, and what cannot be
decided is listed rather than guessed.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction.arms import OUTCOME_TITLE, part_of_name
from alkbayes.registry.extraction.candidates import Candidate, Status
from alkbayes.registry.extraction.kinds import Kind
from alkbayes.registry.extraction.units import Unit, in_months, number_of, unit_named
from alkbayes.registry.study import Study
from alkbayes.text.names import plain

COLUMNS = (
    *("cohort_id", "trial", "registry_id", "phase", "arm", "agent", "partner", "regimen_class", "generation"),
    *("line", "prior_alk_tki", "prior_chemo", "region", "assessor", "analysis_set", "n", "responders", "confirmed"),
    *("orr_reported", "orr_ci_low", "orr_ci_high", "pfs_median", "pfs_ci_low", "pfs_ci_high", "pfs_n", "pfs_status"),
    *("pfs_beyond", "ic_n", "ic_responders", "ic_assessor", "cutoff", "source_id", "count_basis", "assessor_basis"),
    *("certainty", "note"),
)
SOURCE_COLUMNS = ("source_id", "kind", "title", "year", "pmid", "doi", "url", "read")
UNDECIDED_COLUMNS = (
    "nct_id",
    "what",
    "group_title",
    "title",
    "value",
    "unit",
    "n",
    "responders_fits",
    "pointer",
    "why",
)

NO_COHORT = "no cohort"
"""In place of a kind, for a study without a response of its groups."""
ADDRESS = "https://clinicaltrials.gov/study/"
LEVEL = "95"
LONGEST_SLUG = 60

EVALUABLE = re.compile(r"\bevaluable\b|\bmeasurable\b|\bassessable\b|\bresponse[\s-]analysis set\b", re.IGNORECASE)
ITT = re.compile(
    r"\bintent(?:ion)?[\s-]to[\s-]treat\b|\bITT\b|\bfull analysis\b|\bFAS\b|"
    r"\ball (?:\w+ )?(?:randomi[sz]ed|treated|enrolled|dosed)\b|"
    r"\b(?:participants|patients|subjects) who (?:were randomi[sz]ed|received)\b",
    re.IGNORECASE,
)
CUTOFF = re.compile(
    r"(?:cut-?[\s-]?off|data cut|DCO)[^.;]{0,40}?\b(\d{1,2}[\s-])?"
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*[\s.,-]*(?:\d{1,2},\s*)?(20\d\d)",
    re.IGNORECASE,
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
KOREA = {"Korea, Republic of": "korea", "South Korea": "korea"}
COUNTRIES = {"China": "china", "Japan": "japan", "United States": "usa"} | KOREA
ASIA = frozenset(
    {"China", "Japan", *KOREA, "Hong Kong", "India", "Malaysia", "Singapore", "Taiwan", "Thailand", "Vietnam"}
    | {"Philippines", "Indonesia"}
)
EUROPE = frozenset(
    {
        "Austria",
        "Belgium",
        "Bulgaria",
        "Croatia",
        "Czechia",
        "Czech Republic",
        "Denmark",
        "Estonia",
        "Finland",
        "France",
    }
    | {"Germany", "Greece", "Hungary", "Ireland", "Italy", "Latvia", "Lithuania", "Netherlands", "Norway", "Poland"}
    | {"Portugal", "Romania", "Serbia", "Slovakia", "Slovenia", "Spain", "Sweden", "Switzerland", "Ukraine"}
    | {"United Kingdom"}
)


@dataclass(frozen=True, slots=True)
class Undecided:
    """What a person has to decide: a row of candidates, or a study without a cohort."""

    nct_id: str
    what: str
    why: str
    candidate: Candidate | None = None

    def as_row(self) -> dict[str, Any]:
        """Return the row as it is written."""
        row = dict.fromkeys(UNDECIDED_COLUMNS) | {"nct_id": self.nct_id, "what": self.what, "why": self.why}
        if self.candidate is not None:
            of = self.candidate.as_row()
            row |= {name: of[name] for name in UNDECIDED_COLUMNS if name in of and name != "why"}
        return row


@dataclass(frozen=True, slots=True)
class Cohorts:
    """Rows of the table for one study, its source, and what is to be decided."""

    rows: tuple[dict[str, Any], ...]
    source: dict[str, Any] | None
    undecided: tuple[Undecided, ...]


def cohorts_of(candidates: Sequence[Candidate], study: Study, protocol: Protocol) -> Cohorts:
    """Return the cohorts of a study: one for each group with a clean response under an agent of the protocol.

    Of several figures of a group independent review goes before investigators, all participants before evaluable ones,
    the primary outcome before others; the rest is in the note. Nobody is counted twice: where groups have more
    participants than were enrolled, or one comes under two titles, a person decides on those of the lesser outcome.
    """
    if not study.results_here:
        why = "results are posted, and this copy of the record has none" if study.has_results else "no results posted"
        return Cohorts((), None, (Undecided(study.nct_id, "no results", why),) if study.has_results else ())
    usable, doubtful = _sorted(candidates, protocol)
    chosen = {key: min(group, key=_rank) for key, group in usable.items()}
    chosen, twice = _each_once(chosen, study)
    of_group: dict[Key, list[Candidate]] = {key: [] for key in chosen}
    for each in candidates:
        if each.kind in {Kind.PFS_MEDIAN, Kind.INTRACRANIAL_ORR} and each.status is Status.CLEAN:
            keys = people_of(each, chosen)
            # Few of a group have brain metastases that can be measured; all of it has a median.
            few = each.kind is Kind.PFS_MEDIAN and any(_other_people(each, chosen[key]) for key in keys)
            if len(keys) == 1 and not few:
                of_group[keys[0]].append(each)
            elif any(key.title == cohort_key(each).title for key in chosen):
                doubtful.append(
                    Undecided(study.nct_id, str(each.kind), "of other participants than the response?", each)
                )
    rows = [_row(best, usable[key], of_group[key], study, protocol) for key, best in chosen.items()]
    doubtful += [
        Undecided(study.nct_id, str(each.kind), f"cohort of {best.n}: other participants?", each)
        for key, best in chosen.items()
        for each in usable[key]
        if _other_people(each, best)
    ]
    doubtful += twice
    if not rows and not doubtful:
        doubtful.append(Undecided(study.nct_id, NO_COHORT, "no response of a group under an agent of the protocol"))
    return Cohorts(tuple(rows), _source(study) if rows else None, tuple(doubtful))


def _other_people(each: Candidate, best: Candidate) -> bool:
    """Return whether two figures can hardly be of one group: one has fewer than half of the other's participants."""
    sizes = sorted((each.n or 0, best.n or 0))
    return each.n is not None and 2 * sizes[0] < sizes[1]


def numbered(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with unique ids: a number follows where two would be the same."""
    taken: dict[str, int] = {}
    out = []
    for row in rows:
        stem = row["cohort_id"]
        taken[stem] = taken.get(stem, 0) + 1
        out.append(row | {"cohort_id": stem if taken[stem] == 1 else f"{stem}-{taken[stem]}"})
    return out


class Key(NamedTuple):
    """What tells groups of a study apart, since ids restart in every outcome.

    Attributes
    ----------
    title
        Of the group.
    part
        Cohort, part or arm that the outcome names beside it; may be empty.
    past
        History that the outcome's title names: "ORR in Crizotinib-Naive Patients" of a group called by its drug.
    """

    title: str
    part: str
    past: tuple[str, str] | None

    def is_of(self, other: "Key") -> bool:
        """Return whether this may be the group that `other` tells less of."""
        return self.title == other.title and other.part in {"", self.part} and other.past in {None, self.past}


def cohort_key(candidate: Candidate) -> Key:
    """Return what an outcome tells of its group."""
    part = part_of_name(candidate.group_title, candidate.title, candidate.population)
    told = (candidate.line, candidate.prior_alk_tki) if candidate.line_why == OUTCOME_TITLE else None
    return Key(plain(candidate.group_title), part, told)


def people_of(candidate: Candidate, keys: Collection[Key]) -> tuple[Key, ...]:
    """Return those of `keys` that a candidate may be about: those that tell more, else its own, else those of less."""
    mine = cohort_key(candidate)
    finer = tuple(key for key in keys if key != mine and key.is_of(mine))
    return finer or tuple(key for key in keys if (key == mine if mine in keys else mine.is_of(key)))


def _sorted(candidates: Sequence[Candidate], protocol: Protocol) -> tuple[dict[Key, list[Candidate]], list[Undecided]]:
    """Return the responses that may be cohorts by group, and those that a person must look at."""
    others = [re.compile(pattern, re.IGNORECASE) for pattern in protocol.not_of_population]
    clean, doubtful = [], []
    for each in candidates:
        if each.kind not in {Kind.ORR, Kind.BEST_RESPONSE} or not each.agents:
            continue
        words = f"{each.group_title} ; {each.class_title}"
        if any(pattern.search(words) for pattern in others):
            doubtful.append(Undecided(each.nct_id, str(each.kind), "the group may not be of the population", each))
        elif each.status is Status.AMBIGUOUS:
            doubtful.append(Undecided(each.nct_id, str(each.kind), each.why, each))
        elif not each.agent:
            doubtful.append(Undecided(each.nct_id, str(each.kind), f"several agents: {each.agent_why}", each))
        elif each.status is Status.CLEAN and each.responders is not None and each.n:
            clean.append(each)
    usable: dict[Key, list[Candidate]] = {}
    keys = {cohort_key(each): None for each in clean}
    for each in clean:
        people = people_of(each, keys)
        if len(people) == 1:
            usable.setdefault(people[0], []).append(each)
        else:
            doubtful.append(Undecided(each.nct_id, str(each.kind), "of which of the groups of this title?", each))
    return usable, doubtful


def _rank(each: Candidate) -> tuple[int, int, int, int, int]:
    """Return the order of preference of figures of one group, by the rules of the table."""
    return (
        ("irc", "investigator", "").index(each.assessor),
        ("itt", "", "evaluable").index(analysis_set(each)),
        0 if each.outcome_type == "primary" else 1,
        0 if each.kind is Kind.ORR else 1,
        each.outcome_index,
    )


def _each_once(chosen: dict[Key, Candidate], study: Study) -> tuple[dict[Key, Candidate], list[Undecided]]:
    """Return cohorts that cannot share participants, and the others, of which a person decides."""
    kept, twice = dict[Key, Candidate](), dict[Key, str]()
    for key, each in sorted(chosen.items(), key=lambda item: _rank(item[1])):
        if any(_under_another_title(key, each, other, of) for other, of in kept.items()):
            twice[key] = f"as many participants as another group of {each.agent}: the same under another title?"
        else:
            kept[key] = each
    if _too_many(kept, study):
        best = min(kept.values(), key=_rank).outcome_index
        within = {key: each for key, each in kept.items() if each.outcome_index == best}
        if _too_many(within, study):
            whole = max(within, key=lambda key: within[key].n or 0)
            rest = {key: each for key, each in within.items() if key != whole}
            summed = len(rest) > 1 and sum(each.n or 0 for each in rest.values()) == within[whole].n
            within = rest if summed and not _too_many(rest, study) else {}
        twice |= dict.fromkeys(kept.keys() - within, "more participants than were enrolled: counted in another group?")
        kept = within
    undecided = [
        Undecided(study.nct_id, str(chosen[key].kind), twice[key], chosen[key]) for key in chosen if key in twice
    ]
    return {key: each for key, each in chosen.items() if key in kept}, undecided


def _under_another_title(key: Key, each: Candidate, other: Key, of: Candidate) -> bool:
    """Return whether groups of two outcomes may be one: same agent and number of participants, nothing told apart."""
    apart = key.part != other.part or key.past != other.past or each.outcome_index == of.outcome_index
    return not apart and each.agent == of.agent and each.n == of.n


def _too_many(kept: Mapping[Key, Candidate], study: Study) -> bool:
    """Return whether cohorts have more participants together than a study enrolled; one alone may."""
    total = sum(each.n or 0 for each in kept.values())
    return len(kept) > 1 and study.enrollment is not None and total > study.enrollment


def analysis_set(each: Candidate) -> str:
    """Return the denominator as the population or the title says it: "evaluable", "itt" or empty."""
    for text in (each.population, each.title):
        if EVALUABLE.search(text):
            return "evaluable"
        if ITT.search(text):
            return "itt"
    return ""


def _row(
    best: Candidate,
    same: Sequence[Candidate],
    of_group: Sequence[Candidate],
    study: Study,
    protocol: Protocol,
) -> dict[str, Any]:
    """Return a row: `same` are the figures of response of the group, `of_group` its other clean figures."""
    others = [each for each in same if each is not best]
    medians = [each for each in of_group if each.kind is Kind.PFS_MEDIAN]
    median = min(medians, key=lambda each: (each.assessor != best.assessor, _rank(each)), default=None)
    cranial = min((each for each in of_group if each.kind is Kind.INTRACRANIAL_ORR), key=_rank, default=None)
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    row |= {
        "cohort_id": slug(f"{study.name}-{best.group_title}"),
        "trial": study.name,
        "registry_id": study.nct_id,
        "phase": _phase(study),
        "arm": best.group_title,
        "agent": best.agent,
        "partner": best.partner,
        "regimen_class": best.regimen_class,
        "generation": protocol.agents[best.agent].generation,
        "line": best.line,
        "prior_alk_tki": best.prior_alk_tki,
        "region": _region(study),
        "assessor": best.assessor,
        "analysis_set": analysis_set(best),
        "n": best.n,
        "responders": best.responders,
        "confirmed": best.confirmed,
        **_rate(best),
        **_median(median),
        **_intracranial(cranial),
        "cutoff": _cutoff(best),
        "source_id": _source_id(study),
        "count_basis": "derived" if best.derived else "stated",
        "assessor_basis": "stated" if best.assessor else "",
        "certainty": "low",
        "note": _note(best, others, median, cranial, study),
    }
    return row


def _rate(best: Candidate) -> dict[str, str]:
    """Return rate and interval in percent as printed; empty where counts are printed."""
    unit = unit_named(best.unit, "")
    if best.kind is not Kind.ORR or unit not in {Unit.PERCENT, Unit.PROPORTION}:
        return {}
    limits = (best.ci_low, best.ci_high) if best.ci_level in {LEVEL, ""} else ("", "")
    names = ("orr_reported", "orr_ci_low", "orr_ci_high")
    return {name: _percent(text, unit) for name, text in zip(names, (best.value, *limits), strict=True)}


def _percent(text: str, unit: Unit) -> str:
    value = number_of(text)
    if value is None:
        return ""
    if unit is Unit.PERCENT:
        return text.strip().removesuffix("%").strip()
    return f"{float(100 * value):.{max(0, len(text.partition('.')[2]) - 2)}f}"


def _median(median: Candidate | None) -> dict[str, Any]:
    """Return median PFS in months and its interval; "not_reached" only where the record says so."""
    if median is None:
        return {"pfs_status": "not_reported"}
    printed = _months(median.value, median.unit)
    low, high = (_months(each, median.unit) for each in (median.ci_low, median.ci_high))
    level = median.ci_level in {LEVEL, ""}
    return {
        "pfs_median": printed,
        "pfs_ci_low": low if level else "",
        "pfs_ci_high": high if level and printed else "",
        "pfs_n": median.n or "",
        "pfs_status": "reached" if printed else "not_reached",
    }


def _months(text: str, unit: str) -> str:
    """Return a time in months: as printed, or to the tenth where the unit is another."""
    value = number_of(text)
    months = None if value is None else in_months(value, unit)
    if months is None or months <= 0:
        return ""
    return text.strip() if months == value else f"{float(months):.1f}"


def _intracranial(cranial: Candidate | None) -> dict[str, Any]:
    if cranial is None or cranial.responders is None:
        return {}
    return {"ic_n": cranial.n, "ic_responders": cranial.responders, "ic_assessor": cranial.assessor}


def _note(
    best: Candidate,
    others: Sequence[Candidate],
    median: Candidate | None,
    cranial: Candidate | None,
    study: Study,
) -> str:
    parts = [f"ORR: {best.pointer} ({best.title})"]
    if median is not None:
        parts.append(f"PFS: {median.pointer}")
        if median.unit.strip().casefold() not in {"month", "months"}:
            parts.append(f"median printed as {median.value} {median.unit}")
    if cranial is not None:
        measurable = EVALUABLE.search(f"{cranial.title} {cranial.population}")
        parts.append(f"intracranial: {cranial.pointer}{'' if measurable else ', measurable lesions not stated'}")
    if best.line_why:
        parts.append(f"history from the {best.line_why}")
    if best.n_source:
        parts.append(f"n from the {best.n_source}")
    for each in others:
        reader = each.assessor or "reader not stated"
        parts.append(f"also {each.value} {each.unit} of {each.n} ({reader}, outcome {each.outcome_index})")
    linked = [reference.pmid for reference in study.references if reference.kind == "RESULT"]
    if linked:
        parts.append(f"sponsor names as results PMID {', '.join(dict.fromkeys(linked))}")
    return "; ".join(parts)


def _source(study: Study) -> dict[str, Any]:
    linked = list(dict.fromkeys(each.pmid for each in study.references if each.kind == "RESULT"))
    return {
        "source_id": _source_id(study),
        "kind": "registry",
        "title": study.official_title.text or study.brief_title.text or study.nct_id,
        "year": (study.results_posted or study.last_update)[:4],
        "pmid": linked[0] if len(linked) == 1 else "",
        "doi": "",
        "url": f"{ADDRESS}{study.nct_id}",
        "read": "full",
    }


def _source_id(study: Study) -> str:
    return study.nct_id.lower()


def _phase(study: Study) -> str:
    digits = sorted({phase.text[-1] for phase in study.phases if phase.text.startswith("PHASE")})
    return "/".join(digits)


def _region(study: Study) -> str:
    there = set(study.countries)
    if len(there) == 1:
        (only,) = there
        return COUNTRIES.get(only, "europe" if only in EUROPE else only.casefold())
    if not there:
        return ""
    return "asia" if there <= ASIA else "europe" if there <= EUROPE else "global"


def _cutoff(best: Candidate) -> str:
    for text in (best.title, best.time_frame, best.population):
        if found := CUTOFF.search(text):
            return f"{found[3]}-{MONTHS.index(found[2].lower()) + 1:02d}"
    return ""


def slug(text: str) -> str:
    """Return a name of lower-case letters, digits and hyphens."""
    words = re.findall(r"[a-z0-9]+", text.casefold())
    return "-".join(words)[:LONGEST_SLUG].strip("-") or "cohort"
