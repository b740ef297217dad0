"""The certainty sheet for readers: what GRADE asks for, with places for people's judgements."""

from collections.abc import Iterator

from alkbayes.appraisal.certainty import CertaintySheet, Fact
from alkbayes.presentation.tables import Part, ReaderTable, Sentence
from alkbayes.text.names import shown
from alkbayes.text.wording import (
    capitalised,
    figure,
    level_text,
    limits,
    p_value,
    percent,
    percent_interval,
    rate_text,
    size_text,
    variance,
)

BLANK = "________"
"""Place for a judgement."""
OF_GRADE = (
    "Items are those of GRADE (Schünemann et al. 2013, handbook, chapter 5); for a pooled rate see Iorio et al. 2015, "
    "doi:10.1136/bmj.h870. The program gathers numbers and judges nothing: the places are for people, with their "
    "reasons."
)

OF_SLOPES = "A slope above 0: the smaller the cohort, the higher its rate."


def certainty_parts(sheet: CertaintySheet) -> Iterator[Part]:
    """Yield the sheet, with an empty place for each judgement."""
    yield Sentence(OF_GRADE)
    yield certainty_rows(sheet)


def certainty_rows(sheet: CertaintySheet) -> ReaderTable:
    """Return the facts of each item and the place for its judgement."""
    rows: list[tuple[str, ...]] = []
    for item in sheet.items:
        rows.append((item.name,))
        rows += [(f" {shown(fact.name)}", _text(fact)) for fact in item.facts]
        if item.allowed:
            rows.append((f" Judgement: {', '.join(item.allowed)}", BLANK))
    title = f"Certainty of the evidence: {sheet.outcome}, {level_text(sheet.interval_prob)} intervals"
    return ReaderTable(capitalised(title), ("", "found"), tuple(rows), words=(1,), notes=(OF_SLOPES,))


def _text(fact: Fact) -> str:
    """Return a fact's number with its interval, to the precision that it has."""
    row = {"median": fact.value, "low": fact.low, "high": fact.high, **fact.errors}
    match fact.kind:
        case "words":
            return fact.words or ""
        case "count":
            return "–" if fact.value is None else f"{fact.value:,.0f}"
        case "p":
            return p_value(fact.value)
        case "number":
            return figure(fact.value)
        case "sd" | "rho":
            return size_text(row)
        case "rate" if fact.errors:
            return f"{limits(row) if fact.value is None else rate_text(row)} %"
        case "rate" if fact.value is None:
            return "–" if fact.low is None else f"{percent_interval(fact.low, fact.high)} %"
        case "variance":
            return _with(variance(fact.value), variance(fact.low), variance(fact.high))
        case _:
            digits = 0 if fact.kind == "share" else 1
            text = _with(*(percent(value, digits) for value in (fact.value, fact.low, fact.high)))
            return text if fact.value is None else f"{text} %"


def _with(value: str, low: str, high: str) -> str:
    """Return a number with its interval, if it has one."""
    return value if "–" in (low, high) else f"{value} ({low}–{high})"
