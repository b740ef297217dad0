"""Predictive checks for readers: test statistics, predictions of cohorts, and prior predictions of cells."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alkbayes.criticism.predictive import INNER_PROB, PosteriorChecks, PriorChecks, Scale, Statistic
from alkbayes.presentation.tables import Part, ReaderTable, Sentence, columns_in
from alkbayes.text.names import level_name, shown
from alkbayes.text.wording import (
    counted,
    figure,
    level_text,
    new_cohort,
    p_equals,
    percent,
    percent_interval,
    share_of_draws,
    unsigned_zero,
)

READING = "p: proportion of replicated tables with a larger value, ties count half; *: in the outer 5 %."

SHOWN = 15
"""Cohorts in a table, those with the most extreme PIT values."""
NOT_UNIFORM = 0.05
"""P-value below which PIT values are called non-uniform."""


def posterior_parts(found: PosteriorChecks, labels: Mapping[str, str]) -> Iterator[Part]:
    """Yield the posterior predictions of these cohorts, and of new ones like them.

    `labels` are those of :func:`alkbayes.evidence.table.cohort_labels`.
    """
    new = new_cohort(found.unit)
    yield Sentence(f"new: {new} with each cohort's profile and size, as the model predicts it.")
    yield Sentence("same: these cohorts again, each at its own rate, which was shrunk towards its counts.")
    cohorts = counted(len(found.cohorts), "cohort")
    for kind, p in reversed(list(found.uniform.items())):
        if p is not None:
            yield Sentence(f"Calibration over {cohorts}, {kind}: {_calibrated(kind, p)}")
    yield statistic_rows(found.statistics, prob=found.interval_prob)
    yield cohort_rows(found, labels)


def prior_parts(found: PriorChecks) -> Iterator[Part]:
    """Yield the prior predictions."""
    yield statistic_rows(found.statistics, prob=found.interval_prob, of=", replicated from the priors")
    yield cell_rows(found)


def cohort_rows(found: PosteriorChecks, labels: Mapping[str, str]) -> ReaderTable:
    """Return the cohorts with the most extreme rates for their profile, in percent."""
    rows, level = found.as_record()["cohorts"], level_text(found.interval_prob)
    # Once, where it is the interval asked for.
    inner = [] if found.interval_prob == INNER_PROB else [f"new, {level_text(INNER_PROB)}"]
    extreme = sorted(rows, key=lambda row: min(row["new_pit"], 1 - row["new_pit"]))[:SHOWN]
    return ReaderTable(
        title=f"Cohorts with the most extreme rates for their profile, {len(extreme)} of {len(rows)}; %",
        headings=("cohort", "n", "observed", f"new, {level}", *inner, "PIT", f"same, {level}"),
        rows=tuple(_cohort(row, labels, inner=bool(inner)) for row in extreme),
        notes=(
            "PIT: probability of a lower rate in a new such cohort; evenly spread over 0 to 1 if the model is right.",
            "*: outside the 90 % interval, as 1 of 10 cohorts should be. The CSV has all cohorts.",
        ),
        units=columns_in("%", *range(2, 4 + len(inner)), 5 + len(inner)),
    )


def cell_rows(found: PriorChecks) -> ReaderTable:
    """Return the prior predictions of each cell, in percent."""
    rows, outcome = found.as_record()["cells"], found.outcome
    outside = [] if all(row["inside"] for row in rows) else ["*: outside the interval."]
    return ReaderTable(
        title=f"Crude {outcome.rate} of each cell, predicted by the priors for the same cohorts; %",
        headings=(
            "cell",
            "k",
            outcome.units,
            "observed",
            "median",
            level_text(found.interval_prob),
            "below 5",
            "above 95",
        ),
        rows=tuple(map(_cell, rows)),
        notes=(
            "below 5, above 95: probability in percent that the cell's rate is below 5 or above 95 %.",
            *outside,
        ),
        units=columns_in("%", *range(3, 8)),
    )


def statistic_rows(statistics: Sequence[Statistic], *, prob: float, of: str = "") -> ReaderTable:
    """Return each statistic as observed and replicated, new cohorts before the same ones again.

    `prob` is the probability of the intervals.
    """
    several = len({each.kind for each in statistics}) > 1
    rows = []
    for name in dict.fromkeys(each.name for each in statistics):
        for place, each in enumerate(reversed([each for each in statistics if each.name == name])):
            replicated = f"{_value(each, each.median)} ({_value(each, each.low)} to {_value(each, each.high)})"
            rows.append(
                (
                    "" if place else name,
                    _value(each, each.observed),
                    *([str(each.kind)] if several else []),
                    replicated,
                    f"{share_of_draws(each.p)}{'*' if each.unusual else ' '}",
                )
            )
    headings = ("", "observed", *(["of"] if several else []), f"replicated, {level_text(prob)}", "p")
    notes = (*_meanings(statistics), READING)
    return ReaderTable(f"Test statistics of the whole table{of}", headings, tuple(rows), notes=notes)


def _meanings(statistics: Sequence[Statistic]) -> tuple[str, ...]:
    """Return the meaning of each statistic in a sentence."""
    return tuple(f"{name}: {meaning}." for name, meaning in {each.name: each.meaning for each in statistics}.items())


def _value(of: Statistic, value: float) -> str:
    match of.scale:
        case Scale.RATE:
            return percent(value).replace("-", "−")
        case Scale.COUNT:
            return f"{value:.0f}"
        case Scale.SD:
            return unsigned_zero(value)


def _calibrated(kind: str, p: float) -> str:
    """Return the verdict on the uniformity of PIT values."""
    if kind == "same":
        return f"{p_equals(p)}. Not a test: closer to the middle than uniform by construction."
    if p < NOT_UNIFORM:
        return f"{p_equals(p)}. The PIT values are not uniform: the predictive distributions are miscalibrated."
    return f"{p_equals(p)}. No evidence against uniform PIT values."


def _cohort(row: Mapping[str, Any], labels: Mapping[str, str], *, inner: bool) -> tuple[str, ...]:
    outside = not row["new_low90"] <= row["observed"] <= row["new_high90"]
    return (
        shown(labels[row["cohort_id"]]),
        f"{row['n']:,}",
        f"{percent(row['observed'])}{'*' if outside else ' '}",
        percent_interval(row["new_low"], row["new_high"], 0),
        *([percent_interval(row["new_low90"], row["new_high90"], 0)] if inner else []),
        figure(row["new_pit"], 3),
        percent_interval(row["same_low"], row["same_high"], 0),
    )


def _cell(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        level_name(row),
        str(row["k"]),
        f"{row['patients']:,}",
        f"{percent(row['observed'])}{' ' if row['inside'] else '*'}",
        percent(row["median"], 0),
        percent_interval(row["low"], row["high"], 0),
        percent(row["below"], 0),
        percent(row["above"], 0),
    )
