"""What an outcome measure is about, by its words and unit: the classifier whose accuracy the docs state."""

import re
from dataclasses import dataclass
from enum import StrEnum

from alkbayes.registry.extraction.units import Unit, unit_of
from alkbayes.registry.outcomes import OutcomeClass, OutcomeMeasure


class Kind(StrEnum):
    """Kind of a row."""

    ORR = "orr"
    CR = "cr"
    BEST_RESPONSE = "best_response"
    INTRACRANIAL_ORR = "intracranial_orr"
    PFS_MEDIAN = "pfs_median"
    PFS_RATE = "pfs_rate"
    OS_MEDIAN = "os_median"
    DOR = "dor"
    SERIOUS_AE = "serious_ae"
    DEATH = "death"
    DISCONTINUATION_AE = "discontinuation_ae"
    OTHER = "other"


RESPONSES = frozenset({Kind.ORR, Kind.CR, Kind.BEST_RESPONSE, Kind.INTRACRANIAL_ORR})
MEDIANS = frozenset({Kind.PFS_MEDIAN, Kind.OS_MEDIAN, Kind.DOR})
EVENTS = frozenset({Kind.SERIOUS_AE, Kind.DEATH, Kind.DISCONTINUATION_AE})
COUNTED = RESPONSES | EVENTS
"""Kinds whose rows stand for a count of people."""


@dataclass(frozen=True, slots=True)
class Classified:
    """Kind of a row, and why, as a clause."""

    kind: Kind
    why: str


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


NOT_OF_TUMOUR = _words(
    r"\bMRD\b|minimal residual|measurable residual",
    r"ha?ematolog|erythroid|cytogenetic|molecular|transfusion|leuka?emi|ha?emoglobin|platelet|neutrophil|\bRBC\b",
    r"patholog|\bpCR\b|\bMPR\b|\bPSA\b|\bCA[- ]?125\b|biochemical|metabolic|\bPET\b|\bFDG\b|biomarker|ctDNA|plasma",
    r"immun\w*[- ](?:response|globulin)|antibod|vaccin|serolog|titer|titre|\bT[- ]cell|virolog|viral",
    r"symptom|\bpain\b|quality of life|\bQo?L\b|\bHRQo?L\b|EORTC|questionnaire|\bEQ-?5D|patient[- ]reported",
    r"\bskin\b|psoria|rosacea|acne|dermat|\bIGA\b|\bACR ?\d0\b|\bEASI\b|pressor|insulin|glucose|vomit|emesis",
    r"pharmaco|concentration|\bAUC\b|\bCmax\b|exposure|seroconver|depress|anxiety|clinical improvement",
    r"\bIMWG|myeloma|\bIWG\b|iwCLL|waldenstr|lymphocytic",
    r"treatment responders?\b|ovarian response|ovulat|heart rate|blood pressure|hormon|growth",
)
"""Words of responses of something other than a tumour."""

TUMOUR_RESPONSE = _words(
    r"\b(?:objective|overall|tumou?r|radiolog\w+|radiograph\w+|intracranial|cranial|CNS|brain|clinical|RECIST)"
    r"(?:\s+(?:\(?\w+\)?)){0,3}?\s+(?:best\s+)?(?:respon[sd]\w*|remission)",
    r"\bI?C?-?ORR\d*\b|\bIC[- ]?ORR\b|\bORR\b",
    r"\brespon\w+\s+(?:rate|by|per|according|based|as (?:assessed|determined|evaluated|defined))\b",
    r"\b(?:CR|complete respon\w*|complete remission)\s*(?:\(CR\))?\s*(?:\+|or|and|/|plus|,)\s*(?:a\s+)?"
    r"(?:confirmed\s+)?(?:PR\b|partial)",
    r"\bcomplete\s*(?:\(CR\)\s*)?(?:or|and|/)\s*(?:a\s+)?partial\b.{0,12}\brespon",
    r"\bbest\s+(?:overall\s+)?(?:respon[sd]\w*)|\bRECIST\b.{0,20}\brespon|\bresponders?\b",
)
"""Words of a title that may be about the response of tumours."""

SAYS_TUMOUR = _words(
    r"\bRECIST\b|\btumou?rs?\b|\blesions?\b|\bpartial (?:respon|remission)|\bCR\b.{0,60}\bPR\b|\bORR\b",
    r"\bobjective respon",
    r"\bWHO criteria\b|\bRANO\b|\bCheson\b|\bLugano\b|\bmRECIST\b",
)
"""Words anywhere in an outcome that say that tumours are measured."""

DURATION = _words(
    r"\bduration\b|\bDO?R\b|\bDoOR\b|\btime to\b|\bTTR\b|\btime[- ]to[- ]\w+|\btime from\b|\bonset\b|\btime until\b"
)
DURATION_OF_RESPONSE = _words(
    r"\bduration of (?:[\w()/-]+\s+){0,5}?(?:respon\w*|ORR|OR|CR|PR|IC-?DOR)\b",
    r"\b(?:IC-?)?DO?R\b",
    r"\brespon\w* duration\b",
)
CONTROL = _words(
    r"disease control|clinical benefit|\bDCR\b|\bCBR\b|stable disease|\bdurable\b",
    r"tumou?r shrinkage|depth of|best (?:percent|%)",
)
INTRACRANIAL = _words(
    r"\bintra-?\s?cranial\b|\bcranial\b|\bIC[- ]|\bIC-?ORR\b|\bCNS\b|\bbrain\b|central nervous|\bcerebral\b"
)
COMPLETE = _words(r"\bcomplete[,\s]+(?:\w+\s+)?(?:re[sp]\w*ons?\w*|remission)s?\b|\bCRs?\b")
PARTIAL = _words(r"\bpartial[,\s]+(?:\w+\s+)?(?:re[sp]\w*ons?\w*|remission)s?\b|\bPRs?\b")
OTHER_CATEGORY = _words(
    r"very good|VGPR|stringent|\bsCR\b|\bnCR\b|\bMR\b|minor|minimal|\bCRi\b|\bCRp\b|cytogen|molecular"
)
"""Categories of responses in blood: no tumour is measured where one of them stands."""

PFS = _words(r"\bprogression[\s-]*free[\s-]*survival\b|\bPFS\b")
NOT_PFS = _words(
    r"\bPFS[\s-]?2\b|second (?:disease )?progression|next[- ]line|subsequent",
    r"intra-?\s?cranial|\bCNS\b|\bbrain\b|\bIC-?PFS",
    r"event[- ]free|relapse[- ]free|recurrence[- ]free|disease[- ]free|metastasis[- ]free",
    r"\bratio\b|\bhazard\b|correlat|\bchange\b|biomarker|by .{0,30}expression level",
)
OS = _words(r"\boverall\s+survival\b|\bOS\b")
NOT_OS = _words(r"\bratio\b|\bhazard\b|correlat|\bintra-?cranial\b")
SURVIVAL_EVENTS = _words(
    r"\bevents?\b|who (?:died|progressed|had)|with (?:disease )?progression|\bdeaths?\b|\bnumber of\b|\bdied\b"
)
MEDIAN = _words(r"\bmedian\b")

ADVERSE = (
    r"(?:(?:treatment|study|drug)[\s-]*(?:emergent)?[\s-]*)?"
    r"(?:adverse\s+(?:events?|experiences?|drug reactions?)|TEAEs?|AEs?)"
)
SERIOUS = _words(rf"\bserious\s+(?:treatment[\s-]*emergent\s+)?{ADVERSE}\b", r"\bSAEs?\b|\bserious TEAEs?\b")
LEADING_TO = _words(r"\b(?:lead|led|result|caus)\w*\b")
NOT_SERIOUS = _words(r"\bnon[\s-]*serious\b|\bother than serious\b|\bexcluding serious\b|\bnot serious\b")
RELATED = _words(
    r"\brelated\b|\battribut|\bcaused by\b|\bof special interest\b|\bAESI\b|\bgrade\b|\bfatal\b|\bsevere\b|\bSUSAR"
)
DISCONTINUED = _words(
    rf"{ADVERSE}[^.;]{{0,60}}\b(?:lead|led|result|caus)\w*\b[^.;]{{0,30}}\b(?:discontinu|withdraw)",
    r"\b(?:discontinu|withdr[ae]w)\w*\b[^.;]{0,60}\b(?:due to|because of|owing to|for)\b[^.;]{0,25}"
    rf"(?:{ADVERSE}|toxicit)",
)
INTERRUPTED = _words(r"\binterrupt|\breduc|\bdelay|\bmodif|\bdose adjust")
DEATH = _words(r"\bdeaths?\b|\bdied\b|\bmortality\b|\bfatal\b")
NOT_DEATH = _words(
    r"\bor\b|\band/or\b|\bcomposite\b|\btime to\b|\bfree\b|,\s*\w+.{0,60}\b(?:or|and)\b",
    r"cardi|vascular|myocard|stroke|hospitali|infarct|sudden|bleed|transplant|infection",
    r"\brelated\b|\bcause-specific\b|\bneonatal\b|\bfetal\b|\bcell death\b|\bdue to (?!any)",
)
ALL_CAUSE = _words(r"\b(?:all|any)[\s-]*causes?\b|\bfrom any cause\b")


def classify(outcome: OutcomeMeasure) -> tuple[Classified, ...]:
    """Return what each class of an outcome is about.

    The class's own title goes before the outcome's where it names a kind itself ("Serious adverse events" in a list of
    adverse events); a time, an assessor or a subgroup does not.
    """
    whole = _whole(outcome)
    return tuple(_of_class(outcome, part, whole) for part in outcome.classes)


def _whole(outcome: OutcomeMeasure) -> Classified:
    """Return what an outcome is about, classes apart."""
    if any(_has_both([category.title for category in part.categories]) for part in outcome.classes):
        if NOT_OF_TUMOUR.search(outcome.title):
            return Classified(Kind.OTHER, "categories of a response that is none of a tumour")
        return Classified(Kind.BEST_RESPONSE, "complete and partial responses as categories")
    return _by_title(outcome.title, outcome, own=False) or Classified(Kind.OTHER, "no kind's words in the title")


def _of_class(outcome: OutcomeMeasure, part: OutcomeClass, whole: Classified) -> Classified:
    if part.title and (own := _by_title(part.title, outcome, own=True)) is not None:
        return own
    if whole.kind in EVENTS and part.title and not _keeps_events(part.title):
        return Classified(Kind.OTHER, "class is a part of the events")
    return whole


def _keeps_events(title: str) -> bool:
    """Return whether a class of an outcome on events is a group or a time, not one kind of event among others."""
    return (
        re.fullmatch(r"(?:cohort|arm|group|part|phase|period|cycle|overall|total|all)\b.{0,40}", title, re.IGNORECASE)
        is not None
    )


def _by_title(title: str, outcome: OutcomeMeasure, *, own: bool) -> Classified | None:
    """Return the kind that a title names; None if it names none."""
    unit = unit_of(outcome)
    return (
        _events(title, unit, own=own)
        or _deaths(title, outcome, unit)
        or _survival(title, outcome, unit)
        or _response(title, outcome, unit)
    )


def _events(title: str, unit: Unit, *, own: bool) -> Classified | None:
    """Judge adverse events: those that are serious, and those after which treatment was given up."""
    if DISCONTINUED.search(title):
        partial = RELATED.search(title) or (INTERRUPTED.search(title) and not own)
        if unit in {Unit.COUNT, Unit.PERCENT} and not partial and not SERIOUS.search(title):
            return Classified(Kind.DISCONTINUATION_AE, "title: discontinued for an adverse event")
        return Classified(Kind.OTHER, "a part of the discontinuations, or several things in one count")
    if not SERIOUS.search(title):
        return None
    others = re.sub(SERIOUS, "", title)
    several = re.search(ADVERSE, others, re.IGNORECASE) and not own
    if several or any(words.search(title) for words in (RELATED, NOT_SERIOUS, LEADING_TO, DEATH)):
        return Classified(Kind.OTHER, "a part of the serious events, or several things in one count")
    if unit in {Unit.COUNT, Unit.PERCENT}:
        return Classified(Kind.SERIOUS_AE, "title: serious adverse events")
    return Classified(Kind.OTHER, "serious events that are no people")


def _deaths(title: str, outcome: OutcomeMeasure, unit: Unit) -> Classified | None:
    """Judge deaths of any cause, counted."""
    if not DEATH.search(title) or PFS.search(title) or OS.search(title):
        return None
    rest = ALL_CAUSE.sub("", title)
    if NOT_DEATH.search(rest):
        return Classified(Kind.OTHER, "a composite, or deaths of one cause")
    if unit is Unit.COUNT or (unit is Unit.PERCENT and not outcome.dispersion):
        return Classified(Kind.DEATH, "title: deaths")
    return Classified(Kind.OTHER, "a probability of death, no count")


def _survival(title: str, outcome: OutcomeMeasure, unit: Unit) -> Classified | None:
    """Judge progression-free and overall survival, and duration of response: medians and rates."""
    if DURATION_OF_RESPONSE.search(title) and not PFS.search(title):
        wrong = NOT_OF_TUMOUR.search(title) or INTRACRANIAL.search(title)
        if unit is Unit.TIME and _is_median(outcome) and not wrong:
            return Classified(Kind.DOR, "title: duration of response, a time")
        return Classified(Kind.OTHER, "duration of another response, or no median")
    progression = PFS.search(title)
    if progression and not NOT_PFS.search(title):
        if unit is Unit.TIME:
            kind = Kind.PFS_MEDIAN if _is_median(outcome) else Kind.OTHER
            return Classified(kind, "title: PFS, a time" if _is_median(outcome) else "PFS that is no median")
        if unit in {Unit.PROBABILITY, Unit.PERCENT, Unit.PROPORTION} and not SURVIVAL_EVENTS.search(title):
            return Classified(Kind.PFS_RATE, "title: PFS, a probability")
        return Classified(Kind.OTHER, "PFS that is neither a time nor a probability")
    if progression:
        return Classified(Kind.OTHER, "another progression-free survival")
    if OS.search(title):
        if unit is Unit.TIME and _is_median(outcome) and not NOT_OS.search(title):
            return Classified(Kind.OS_MEDIAN, "title: overall survival, a time")
        return Classified(Kind.OTHER, "overall survival that is no median")
    return None


def _is_median(outcome: OutcomeMeasure) -> bool:
    """Return whether times are medians: a mean of censored times is none."""
    return outcome.param == "MEDIAN" or (outcome.param in {"NUMBER", ""} and bool(MEDIAN.search(outcome.title)))


def _response(title: str, outcome: OutcomeMeasure, unit: Unit) -> Classified | None:
    """Judge responses of tumours."""
    whole = f"{outcome.title} {title}"
    complete, partial = COMPLETE.search(title), PARTIAL.search(title)
    if not (complete or TUMOUR_RESPONSE.search(title)):
        return None
    if DURATION.search(title) or NOT_OF_TUMOUR.search(whole) or OTHER_CATEGORY.search(title):
        return Classified(Kind.OTHER, "a time, or a response that is none of a tumour")
    if not _of_people(outcome, unit):
        return Classified(Kind.OTHER, "a response that is counted in no people")
    if complete and not partial and not re.search(r"\bORR\b|objective|overall response", title, re.IGNORECASE):
        return Classified(Kind.CR, "title: complete responses alone")
    if CONTROL.search(title):
        return Classified(Kind.OTHER, "disease control or another measure beside response")
    about = f"{outcome.title} {outcome.description} {outcome.population} {title}"
    if not SAYS_TUMOUR.search(about):
        return Classified(Kind.OTHER, "a response, of what the record does not say")
    if INTRACRANIAL.search(whole):
        return Classified(Kind.INTRACRANIAL_ORR, "title: intracranial response")
    return Classified(Kind.ORR, "title: objective response")


def _of_people(outcome: OutcomeMeasure, unit: Unit) -> bool:
    """Return whether people are counted; an unknown unit may stand for them if it names nothing else."""
    if outcome.param in {"MEAN", "MEDIAN"} or unit in {Unit.TIME, Unit.PROBABILITY}:
        return False
    return unit is not Unit.OTHER or bool(
        re.fullmatch(
            r"|units?(?: on a scale)?|number|rate|response(?: rate)?s?|n|\w+ responses?", outcome.unit, re.IGNORECASE
        )
    )


def _has_both(titles: list[str]) -> bool:
    if any(OTHER_CATEGORY.search(title) for title in titles):
        return False
    return any(map(is_complete, titles)) and any(map(is_partial, titles))


def is_complete(title: str) -> bool:
    """Return whether a category or class is that of complete responses."""
    return COMPLETE.search(title) is not None and PARTIAL.search(title) is None


def is_partial(title: str) -> bool:
    """Return whether a category or class is that of partial responses."""
    return PARTIAL.search(title) is not None and COMPLETE.search(title) is None


def split_by_classes(outcome: OutcomeMeasure) -> bool:
    """Return whether the classes of an outcome are complete, partial and other responses."""
    titles = [part.title for part in outcome.classes]
    return _has_both(titles) and not NOT_OF_TUMOUR.search(outcome.title)
