"""Forest of cohorts as rows with positions, which a page draws as strips, sorts and filters."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from alkbayes.alk.words import COLUMN_TITLES
from alkbayes.evidence.outcomes import Outcome
from alkbayes.evidence.table import cohort_labels
from alkbayes.plots.page.forest_rows import (
    Rank,
    column_named,
    exact_limits,
    forest_rows,
    group_title,
    over_own_patients,
    summary_notes,
    weights_of,
)
from alkbayes.reporting.blocks import Axis, Forest, ForestRow, Link, Mark, Paragraph, Picture, Piece, Pieces
from alkbayes.reporting.sections.sources import KEYS, REGISTRY, Source, keys_of, linked, registered
from alkbayes.text.json import records
from alkbayes.text.names import is_pair
from alkbayes.text.wording import percent, percent_interval, probability
from alkbayes.vocabulary import ALL

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence
    from alkbayes.plots.page.forest_rows import Row

PERCENT, LOGIT = "percent", "logit"
LOGITS = 5.0
"""Limit of the strip on either side; values beyond are drawn at its edge."""
PERCENT_TICKS = tuple((f"{tick}", float(tick)) for tick in range(0, 101, 20))
LOGIT_TICKS = tuple(
    (f"{tick:+d}".replace("-", "−").replace("+0", "0"), 50 + 50 * tick / LOGITS) for tick in (-4, -2, 0, 2, 4)
)
NOTES = (
    (
        "In each strip of a cohort: the observed rate (open square) with its exact {level} % confidence interval "
        "(thin), and under it the rate given all cohorts (full circle) with its {level} % credible interval (thick)."
    ),
    (
        "In each strip of a group: a typical cohort (full diamond) with its {level} % credible interval, the mean "
        "(open diamond), and the {level} % prediction interval of the next cohort (bar). The dashed line is the mean "
        "of all cohorts."
    ),
)
NOT_DETAILS = frozenset({"label", "responders", "n", KEYS})
"""Columns shown elsewhere in a row."""


def forest_of(
    pooled: pd.DataFrame,
    cohorts: pd.DataFrame,
    evidence: "Evidence",
    sources: Mapping[str, tuple[int, Source]],
    *,
    prob: float,
    printed: Callable[[], Picture | Paragraph] | None = None,
) -> Forest:
    """Return the forest of a run.

    `pooled` and `cohorts` are tables of :func:`alkbayes.estimates.rates.pooled_table` and
    :func:`alkbayes.estimates.rates.cohort_table` with rates in [0, 1]; `evidence` has its rows in the order of
    `cohorts`, and `sources` come from :func:`alkbayes.reporting.sections.sources.cited`. `prob` is the
    probability of the intervals; `printed` draws the forest for paper, if it may have to be.
    """
    low, high = exact_limits(cohorts, prob)
    outcome, level = evidence.outcome, f"{100 * prob:g}"
    weights = weights_of(cohorts, outcome)
    exact = list(zip(low.tolist(), high.tolist(), strict=True))
    rates = {(row["group"], row["level"], row["estimand"]): row for row in records(over_own_patients(pooled))}
    overall = rates[ALL, ALL, "mean"]
    labels = _labels(pooled)
    columns = [column_named(cohorts, label) for label in labels]
    numbers = records(cohorts)
    facts = {row["cohort_id"]: row for row in records(evidence.frame)}
    called = cohort_labels(evidence.frame)

    def rows() -> Iterator[ForestRow]:
        count = 0
        for row in forest_rows(pooled, cohorts, outcome.declared):
            if row.rank is not Rank.COHORT:
                yield _summary(row, rates)
                continue
            count += 1
            record = numbers[row.cohort]
            yield _cohort(
                record,
                label=called[record["cohort_id"]],
                number=count,
                exact=exact[row.cohort],
                weight=float(weights.share[row.cohort]),
                columns=columns,
                details=_details(facts.get(record["cohort_id"], {}), record, sources, outcome),
            )

    return Forest(
        title="Every cohort, observed and given all cohorts",
        rows=tuple(rows()),
        axes=(Axis(PERCENT, f"{outcome.rate}, %", PERCENT_TICKS), Axis(LOGIT, "logit", LOGIT_TICKS)),
        counts=(outcome.events, outcome.units),
        filters=tuple(
            (group_title(label, outcome.declared), tuple(dict.fromkeys(str(value) for value in cohorts[column])))
            for label, column in zip(labels, columns, strict=True)
        ),
        reference=((PERCENT, _at(overall["median"], PERCENT)), (LOGIT, _at(overall["median"], LOGIT))),
        level=level,
        notes=(*(note.format(level=level) for note in NOTES), weights.meaning, *summary_notes(pooled, outcome)),
        printed=printed,
    )


def _labels(pooled: pd.DataFrame) -> list[str]:
    """Return the effects whose levels are pooled separately."""
    return list(dict.fromkeys(row["group"] for row in records(pooled) if row["group"] != ALL and not is_pair(row)))


def _summary(row: "Row", rates: Mapping[tuple[str, str, str], Mapping[str, Any]]) -> ForestRow:
    typical = rates.get((row.group, row.level, "typical"))
    rank = "group" if typical is None else "summary"
    marks: tuple[Mark, ...] = ()
    counts = ""
    if typical is not None:
        mean, following = (rates[row.group, row.level, estimand] for estimand in ("mean", "next_cohort"))
        marks = tuple(_summary_mark(typical, mean, following, scale) for scale in (PERCENT, LOGIT))
        counts = f"{typical['responders']:,}/{typical['patients']:,}"
    level = "outer" if row.rank in {Rank.OUTER, Rank.OVERALL} else "inner"
    return ForestRow(f"{rank} {level}", row.label, 0, (), counts, "", (), marks, ())


def _summary_mark(
    typical: Mapping[str, Any], mean: Mapping[str, Any], following: Mapping[str, Any], scale: str
) -> Mark:
    return Mark(
        scale=scale,
        observed=None,
        observed_low=None,
        observed_high=None,
        middle=_at(typical["median"], scale),
        low=_at(typical["low"], scale),
        high=_at(typical["high"], scale),
        mean=_at(mean["median"], scale),
        next_low=_at(following["low"], scale),
        next_high=_at(following["high"], scale),
        text=_text(typical["median"], typical["low"], typical["high"], scale),
        observed_text="",
    )


def _cohort(
    record: Mapping[str, Any],
    *,
    label: str,
    number: int,
    exact: tuple[float, float],
    weight: float,
    columns: list[str],
    details: tuple[tuple[str, Pieces], ...],
) -> ForestRow:
    groups = tuple(str(record[column]) for column in columns)
    return ForestRow(
        rank="cohort",
        label=label,
        cohort=str(record["cohort_id"]),
        number=number,
        groups=groups,
        counts=f"{record['responders']:,}/{record['n']:,}",
        weight=percent(weight),
        order=(
            label.casefold(),
            *groups,
            str(record["n"]),
            f"{record['observed']:.6f}",
            f"{record['median']:.6f}",
            f"{weight:.8f}",
        ),
        marks=tuple(_cohort_mark(record, exact, scale) for scale in (PERCENT, LOGIT)),
        details=details,
    )


def _cohort_mark(record: Mapping[str, Any], exact: tuple[float, float], scale: str) -> Mark:
    low, high = exact
    return Mark(
        scale=scale,
        observed=_at(record["observed"], scale),
        observed_low=_at(low, scale),
        observed_high=_at(high, scale),
        middle=_at(record["median"], scale),
        low=_at(record["low"], scale),
        high=_at(record["high"], scale),
        mean=None,
        next_low=None,
        next_high=None,
        text=_text(record["median"], record["low"], record["high"], scale),
        observed_text=_text(record["observed"], low, high, scale),
    )


def _details(
    facts: Mapping[str, Any], record: Mapping[str, Any], sources: Mapping[str, tuple[int, Source]], outcome: Outcome
) -> tuple[tuple[str, Pieces], ...]:
    """Return a cohort's sources, and its table values other than counts in table order."""
    known: list[tuple[str, Pieces]] = [
        (
            COLUMN_TITLES.get(column, column.replace("_", " ")).format(o=outcome),
            registered(value) if column == REGISTRY else linked(value),
        )
        for column, value in facts.items()
        if column not in NOT_DETAILS and isinstance(value, str) and value
    ]
    if isinstance(record.get("shrinkage"), float) and math.isfinite(record["shrinkage"]):
        known.append(("shrunk towards cohorts like it by", (f"{percent(record['shrinkage'], 0)} %",)))
    if isinstance(record.get("exchangeable"), float):
        known.append(("exchangeable with the others, probability", (probability(record["exchangeable"]),)))
    pieces: list[Piece] = []
    for key in keys_of(str(facts.get(KEYS, ""))):
        number, source = sources[key]
        pieces += [", " if pieces else "", Link(f"[{number}]", f"#source-{number}"), " ", source.piece]
    if pieces:
        known.insert(0, ("sources", tuple(piece for piece in pieces if piece)))
    return tuple(known)


def _at(rate: float, scale: str) -> float:
    """Return a rate's position on a strip in percent of the width; values beyond it are at the edge."""
    if scale == PERCENT:
        return 100 * rate
    return min(max(50 + 50 * _logit(rate) / LOGITS, 0.0), 100.0)


def _text(middle: float, low: float, high: float, scale: str) -> str:
    if scale == PERCENT:
        return f"{percent(middle)} ({percent_interval(low, high)})"
    return f"{_number(middle)} ({_number(low)} to {_number(high)})"


def _number(rate: float) -> str:
    value = _logit(rate)
    text = f"{value:.2f}" if math.isfinite(value) else f"{'-' if value < 0 else ''}∞"
    return text.replace("-", "−")


def _logit(rate: float) -> float:
    if rate <= 0:
        return -math.inf
    return math.inf if rate >= 1 else math.log(rate / (1 - rate))
