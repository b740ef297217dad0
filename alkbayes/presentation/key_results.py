"""Key results of a fit in at most six lines."""

from collections.abc import Iterator, Mapping

from alkbayes.presentation.fit import (
    OVER_ITS_OWN,
    PARTLY_PREDICTED,
    WHOLLY_PREDICTED,
    Document,
    cohorts_vary,
    compares_slopes,
    cross_check_faults,
    declared_in,
    measures,
    outcome_of,
    patients_of,
    pooled_by_level,
    predicted_mark,
    unit_of,
)
from alkbayes.runs.document import PooledRow
from alkbayes.text.names import is_pair, shown
from alkbayes.text.wording import (
    SHARE_DECIMALS,
    decimals_of,
    difference,
    joined,
    level_text,
    limits,
    new_cohort,
    percent,
    percent_interval,
    probability,
    rate,
    rate_text,
    ratio,
    size_text,
)
from alkbayes.vocabulary import ALL, NO_VARIANCE

MOST_LEVELS = 5
"""Maximum levels of the first effect listed one by one; of more, only the lowest and highest."""
PREDICTED = {PARTLY_PREDICTED: "predicted for some of these {o.units}", WHOLLY_PREDICTED: "predicted for all of these"}
"""Meanings of the marks of levels."""


def key_results(document: Document) -> tuple[tuple[str, str], ...]:
    """Return the key results of a fit, at most six pairs of topic and sentence, without unusable numbers."""
    if failures := document["diagnostics"]["failures"]:
        return (("Verdict", f"NOT CONVERGED, no number may be used: {'; '.join(failures)}."),)
    if faults := cross_check_faults(document):
        return (("Verdict", f"THE ENGINES DISAGREE, no number may be used: {joined(faults)}."),)
    return tuple(_results(document))


def _results(document: Document) -> Iterator[tuple[str, str]]:
    pooled = pooled_by_level(document)
    columns = dict.fromkeys(row["group"] for row in document["pooled"] if row["group"] != ALL and not is_pair(row))
    overall = pooled[ALL, ALL]
    middle, interval = rate(overall["mean"])
    level = level_text(document["interval_prob"])
    told = (
        f"{middle} % on average ({level} credible interval {interval}); {limits(overall['next_cohort'])} % in "
        f"{new_cohort(unit_of(document))} ({level} prediction interval)."
    )
    if not cohorts_vary(document):
        told += f" {NO_VARIANCE}"
    yield f"Pooled {outcome_of(document).label}", told
    if columns:
        yield _by_level(next(iter(columns)), pooled, document)
    yield from _exchangeability(document)
    yield from _largest_contrast(document)
    yield from _heterogeneity(document)
    if names := [shown(row["column"]) for row in document.get("unnamed") or []]:
        yield "Not in the model", f"{joined(names)}, which would improve its predictions; groups may differ by that."
    yield "Verdict", f"Converged: {measures(document)}."


def _by_level(
    column: str, pooled: Mapping[tuple[str, str], Mapping[str, PooledRow]], document: Document
) -> tuple[str, str]:
    rows = [(level, estimands) for (group, level), estimands in pooled.items() if group == column]
    several = len(rows) > MOST_LEVELS
    if several:
        rows.sort(key=lambda row: row[1]["mean"]["median"])
        rows = [rows[0], rows[-1]]
    marks = {level: predicted_mark(row["mean"]) for level, row in rows}
    each = "; ".join(
        f"{shown(level)}{f' {marks[level]}' if marks[level] else ''} {rate_text(row['mean'])}, "
        f"new cohort {limits(row['next_cohort'])}"
        for level, row in rows
    )
    over = patients_of(column, document["pooled"])
    outcome = outcome_of(document)
    own = OVER_ITS_OWN.format(o=outcome)
    told = f"{each}. Percent, {f'over {over}' if over else own}"
    told += ", lowest and highest level." if several else "."
    meanings = "; ".join(f"{mark} {meaning}" for mark, meaning in PREDICTED.items() if mark in marks.values())
    return f"By {declared_in(document).heading(column)}", f"{told} {meanings.format(o=outcome)}." if meanings else told


def _exchangeability(document: Document) -> Iterator[tuple[str, str]]:
    """Yield the units most likely on their own and most likely exchangeable, of a model that tells these apart."""
    if rows := sorted(document.get("exchangeability") or [], key=lambda row: row["exchangeable"]):
        ends = [rows[0], rows[-1]] if len(rows) > 1 else rows
        each = [f"{shown(row['unit'])} {probability(row['exchangeable'])}" for row in ends]
        which = "lowest and highest" if len(rows) > 1 else "the only one"
        yield "Exchangeable", f"posterior probability {joined(each)}, {which} of {len(rows)}."


def _largest_contrast(document: Document) -> Iterator[tuple[str, str]]:
    """Yield the largest risk difference between two levels that is not entirely predicted."""
    rows = [
        row
        for row in document["contrasts"]
        if row["scale"] == "risk_difference"
        and predicted_mark(row) != WHOLLY_PREDICTED
        and not compares_slopes(row, document["pooled"])
    ]
    if not rows:
        return
    largest = max(rows, key=lambda row: abs(row["median"]))
    odds = next(
        row
        for row in document["contrasts"]
        if row["scale"] == "odds_ratio" and (row["column"], row["contrast"]) == (largest["column"], largest["contrast"])
    )
    middle, interval = difference(largest)
    lower = largest["median"] < 0
    likely = 1 - largest["prob_better"] if lower else largest["prob_better"]
    column = declared_in(document).heading(largest["column"])
    told = (
        f"{column}, {shown(largest['contrast'])}: {middle} points ({interval}), odds ratio "
        f"{ratio(odds)}; probability of {'a lower' if lower else 'a higher'} rate {probability(likely)}. "
        "Cohorts were not randomised."
    )
    yield "Largest contrast", told


def _heterogeneity(document: Document) -> Iterator[tuple[str, str]]:
    found = {row["parameter"]: row for row in document["heterogeneity"]}
    # Not those of single levels.
    taus = [name for name in found if name.startswith("tau_") and "[" not in name]
    if not taus:
        return
    between = "exchangeable cohorts" if document.get("exchangeability") else "cohorts"
    told = f"SD between {between} {size_text(found[taus[-1]])} on the {document['link']} scale"
    if (share := found.get("i2")) is not None:
        digits = decimals_of(share, most=SHARE_DECIMALS, unit=100)
        interval = percent_interval(share["low"], share["high"], digits)
        told += f"; I² {percent(share['median'], digits)} % ({interval})"
    yield "Heterogeneity", f"{told}."
