"""What a printed value is: a count, a percentage, a proportion, a time; and which interval stands beside it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

from alkbayes.registry.outcomes import Measurement, OutcomeMeasure

NUMBER = re.compile(r"-?(?:\d{1,12}|\d{1,3}(?:,\d{3})+)(?:\.\d{1,12})?", re.ASCII)
MISSING = frozenset({"", "NA", "N/A", "NR", "NE", "ND", "NAN", "NONE", "NOT REACHED", "-", "--", "–", "NOT ESTIMABLE"})
"""What stands in place of a number that there is not; why, only a comment says."""

DAYS = {"day": Fraction(1), "week": Fraction(7), "month": Fraction(1461, 48), "year": Fraction(1461, 4)}
"""Days of a unit of time; a month is a twelfth of a year of 365.25 days."""

LEVEL = re.compile(r"(\d{2}(?:\.\d+)?)\s*%|CONFIDENCE[_ ](\d{2})")


class Unit(StrEnum):
    """Kind of unit."""

    COUNT = "count"
    PERCENT = "percent"
    PROPORTION = "proportion"
    PROBABILITY = "probability"
    """Of an event by a time, as a percentage or a proportion: no count follows from it."""
    TIME = "time"
    OTHER = "other"


PEOPLE = r"(?:participants?|patients?|subjects?|persons?|people|individuals?|responders?|cases?)"
PERCENT_OF_PEOPLE = re.compile(
    rf"(?:%|per ?cent(?:age)?s?)(?: \(%\))?(?:[- ]*(?:of|in))?"
    rf"(?: (?:all|the|evaluable|treated|randomi[sz]ed|analy[sz]ed|enrolled|responding))*(?: {PEOPLE})?(?: \(%\))?"
    rf"(?: (?:with|who|achieving|having) [\w ()+/-]*respon\w*[\w ()+/-]*)?"
    rf"|{PEOPLE} ?\(%\)|(?:response )?rate \(?(?:%|percent(?:age)?)\)?",
    re.IGNORECASE,
)
PROPORTION_OF_PEOPLE = re.compile(
    rf"(?:estimated )?(?:proportion|fraction)s?(?: of (?:\w+ )?{PEOPLE})?(?: (?:with|achieving) [\w ()+/-]*)?",
    re.IGNORECASE,
)
COUNT_OF_PEOPLE = re.compile(
    rf"(?:(?:number|no\.?|count|#) of )?(?:\w+ )?{PEOPLE}(?: \((?:n|count)\))?"
    r"(?: (?:with|who|responding) [\w ()+/-]*)?",
    re.IGNORECASE,
)
TIME = re.compile(r"(?:number of |in )?(day|week|month|year)s?(?: \(median\))?", re.IGNORECASE)


def unit_of(outcome: OutcomeMeasure) -> Unit:
    """Return the kind of an outcome's unit, by the unit alone: titles say "number" where percentages stand."""
    return unit_named(outcome.unit, outcome.param)


@lru_cache(maxsize=10_000)
def unit_named(name: str, param: str) -> Unit:
    """Return the kind of a unit by its name; a count of participants is one whatever its unit is called."""
    text = name.strip(" .")
    if param == "COUNT_OF_PARTICIPANTS":
        return Unit.COUNT
    if "probab" in text.casefold() or "kaplan" in text.casefold() or "cumulative" in text.casefold():
        return Unit.PROBABILITY
    for kind, pattern in (
        (Unit.TIME, TIME),
        (Unit.PERCENT, PERCENT_OF_PEOPLE),
        (Unit.PROPORTION, PROPORTION_OF_PEOPLE),
        (Unit.COUNT, COUNT_OF_PEOPLE),
    ):
        if pattern.fullmatch(text):
            return kind
    return Unit.OTHER


def in_months(value: Fraction, unit: str) -> Fraction | None:
    """Return a time in months; None if the unit is none of time."""
    found = TIME.fullmatch(unit.strip(" ."))
    return None if found is None else value * DAYS[found[1].lower()] / DAYS["month"]


@dataclass(frozen=True, slots=True)
class Interval:
    """Limits of a confidence interval as printed, either may be empty, and its level in percent ("" if not stated)."""

    low: str
    high: str
    level: str


NO_INTERVAL = Interval("", "", "")


def interval_of(outcome: OutcomeMeasure, measurement: Measurement) -> Interval:
    """Return the confidence interval of a value; a range, quartiles or an error is none."""
    level = _level_of(outcome.dispersion)
    if level is None:
        return NO_INTERVAL
    low, high = (limit if _is_number(limit) else "" for limit in (measurement.low, measurement.high))
    return Interval(low, high, level if low or high else "")


@lru_cache(maxsize=10_000)
def _level_of(label: str) -> str | None:
    """Return the level of a confidence interval in percent, "" if it is not stated; None for another dispersion."""
    if "confidence" not in label.casefold() and not re.search(r"\bCI\b", label):
        return None
    level = LEVEL.search(label.upper())
    return "" if level is None else level[1] or level[2]


def _is_number(text: str) -> bool:
    return bool(text) and NUMBER.fullmatch(_plain_number(text)) is not None


def _plain_number(text: str) -> str:
    return text.strip().replace("−", "-").removesuffix("%").strip()


def number_of(text: str) -> Fraction | None:
    """Return a printed number, exact; None for anything else, such as "NA" or "<0.1"."""
    plain = _plain_number(text)
    return Fraction(plain.replace(",", "")) if NUMBER.fullmatch(plain) else None


def is_missing_value(text: str) -> bool:
    """Return whether a value is a word for no value."""
    return text.strip(" .").upper() in MISSING
