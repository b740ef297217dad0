"""Planned trial for readers: predicted responders, analysis prior and operating characteristics."""

from collections.abc import Iterator, Mapping
from typing import Any

from alkbayes.evidence.outcomes import Outcome
from alkbayes.planning.responders import MOST_PATIENTS
from alkbayes.planning.trial import POWERS, STEADY_SHARE, Prediction
from alkbayes.presentation.tables import Part, ReaderTable, Sentence, columns_in
from alkbayes.text.wording import (
    capitalised,
    counted,
    figure,
    level_text,
    new_cohort,
    percent,
    percent_interval,
    planned_decimals,
    shared_decimals,
    with_article,
)

BELOW_NULL, STEP = 0.1, 0.05
"""Distance below the null of the first true response rate in the table of power, and step."""
SURE = 0.9995
"""Power that prints as 100 %: higher values are not shown."""
SIZES = ("ess_elir", "ess_moment", "ess_morita")
"""Effective sample sizes of a prior by definition."""


def prediction_parts(found: Prediction) -> Iterator[Part]:
    """Yield the results for a planned trial: cohort and caveats, then a table per question."""
    yield from cohort_sentences(found)
    yield rate_rows(found)
    if found.exceeding:
        yield exceeding_rows(found)
    yield interval_rows(found)
    yield prior_rows(found)
    if found.designs:
        yield design_rows(found)
        yield success_rows(found)


def cohort_sentences(found: Prediction) -> Iterator[Sentence]:
    """Yield the planned cohort, similar cohorts in the table, and caveats."""
    cohort = found.cohort
    cohorts = f"{counted(cohort.cohorts, 'cohort')} of {cohort.outcome.units_of(cohort.patients)}"
    like = f"The table has {cohorts} like it" if cohort.seen else "NO COHORT OF THE TABLE IS LIKE IT"
    yield Sentence(f"Planned: {new_cohort(cohort.unit)}, {cohort.name}. {like}.")
    if cohort.left_open:
        yield Sentence(cohort.left_open)
    yield from (Sentence(note, strong=True) for note in found.notes)


def rate_rows(found: Prediction) -> ReaderTable:
    """Return the true rate of the planned cohort and the predicted observed rates, in percent."""
    rate, places, outcome = found.rate, planned_decimals(found.rate), found.cohort.outcome
    level = level_text(found.interval_prob)
    true = (percent(rate["mean"], places), percent(rate["median"], places), percent(rate["sd"], places))
    return ReaderTable(
        title=f"{capitalised(outcome.rate)} of the planned cohort, %",
        headings=("", "mean", "median", "SD", f"{level} prediction\ninterval", outcome.events),
        rows=(
            ("true rate of the cohort", *true, percent_interval(rate["low"], rate["high"], places), ""),
            *(
                (
                    f"observed in {outcome.units_of(row['n'])}",
                    percent(row["mean"] / row["n"], places),
                    percent(row["median"] / row["n"], places),
                    "",
                    percent_interval(row["low"], row["high"], places),
                    _counts(row),
                )
                for row in found.planned
            ),
        ),
        notes=(
            f"true rate: the rate behind the planned cohort's {outcome.events} (next_cohort of the run).",
            (
                f"observed: {outcome.events} over {outcome.units}, which vary around the true rate by chance; as "
                f"counts are whole numbers, the interval covers {level} or more."
            ),
        ),
        units=columns_in("%", 1, 2, 3, 4),
    )


def exceeding_rows(found: Prediction) -> ReaderTable:
    """Return the probabilities that the true and observed rates exceed limits, in percent."""
    rows, sizes = found.exceeding, [row["n"] for row in found.planned]
    places = shared_decimals(row["mcse"] for row in rows)
    cells = {(row["above"], row["n"]): percent(row["probability"], places) for row in rows}
    return ReaderTable(
        title=f"Probability of {with_article(found.cohort.outcome.rate)} above a limit, %",
        headings=("", "true rate", *(f"observed,\nn = {n:,}" for n in sizes)),
        rows=tuple(
            (f"above {100 * limit:g} %", *(cells[limit, n] for n in (None, *sizes)))
            for limit in dict.fromkeys(row["above"] for row in rows)
        ),
        units=columns_in("%", *range(1, 2 + len(sizes))),
    )


def interval_rows(found: Prediction) -> ReaderTable:
    """Return the prediction intervals of the observed rate by size, and the size from which they hardly narrow."""
    planned = {row["n"] for row in found.planned}
    rate, outcome = found.rate, found.cohort.outcome
    half = with_article(outcome.event)
    true, level = percent_interval(rate["low"], rate["high"], planned_decimals(rate)), level_text(found.interval_prob)
    return ReaderTable(
        title=f"{level} prediction interval of the observed {outcome.rate} by size of the cohort, %",
        headings=("", outcome.events, "observed rate", "narrower if doubled"),
        rows=(
            *(
                (
                    f"{outcome.units_of(row['n'])}{', planned' if row['n'] in planned else ''}",
                    _counts(row),
                    percent_interval(row["low"], row["high"], 0),
                    # Among many draws, noise may widen an interval slightly.
                    percent(max(row["narrowing"], 0.0), 0),
                )
                for row in found.intervals
            ),
            ("limit", "", true, "0"),
        ),
        notes=(
            steady_sentence(found.steady, outcome),
            "limit: interval of the true rate. No sample size narrows it further, because trials differ.",
            f"narrower: reduction in width, each count spread evenly over half {half} either way.",
        ),
        units=columns_in("%", 2, 3),
    )


def steady_sentence(steady: int | None, outcome: Outcome) -> str:
    """Return a sentence on the size from which doubling the cohort hardly narrows the interval, if there is one."""
    share = f"{100 * STEADY_SHARE:g} %"
    if steady is None:
        return f"Doubling the cohort narrows the interval by {share} or more up to {MOST_PATIENTS:,} {outcome.units}."
    return f"From {steady:,} {outcome.units} on, doubling narrows the interval by less than {share}."


def prior_rows(found: Prediction) -> ReaderTable:
    """Return priors for the trial's own analysis, with their densities below the table."""
    fitted, units = found.fitted, found.cohort.outcome.units
    # A fitted prior is only as precise as the draws.
    places, level = planned_decimals(found.rate), level_text(found.interval_prob)
    records = [prior.as_record(prob=found.interval_prob) for prior in found.priors]
    return ReaderTable(
        title="Meta-analytic-predictive (MAP) prior for the trial's own analysis",
        headings=("", "mean, %", "SD, %", f"{level} interval, %", "ESS: ELIR", "moment", "Morita"),
        rows=tuple(
            (
                row["prior"],
                percent(row["mean"], places),
                percent(row["sd"], places),
                percent_interval(row["low"], row["high"], places),
                *(figure(row[name], 1) for name in SIZES),
            )
            for row in records
        ),
        notes=(
            *(f"{row['prior']}: {row['text']}" for row in records),
            (
                f"The MAP prior has {counted(len(fitted.mixture.weights), 'component')}, the number by AIC (penalty "
                f"6), by EM on {found.cohort.rates.size:,} draws of the true rate; its distribution function is within "
                f"{percent(fitted.distance, 2)} points of theirs, Kullback-Leibler divergence {fitted.divergence:.4f}."
            ),
            (
                f"{level} interval: equal-tailed, of the true rate under the prior; the MAP prior approximates the one "
                "above."
            ),
            f"ESS: effective sample size of the prior, in {units}; of the three, ELIR is predictively consistent.",
        ),
    )


def design_rows(found: Prediction) -> ReaderTable:
    """Return the operating characteristics under each prior, in percent."""
    first, rows, outcome = found.designs[0][1], found.characteristics, found.cohort.outcome
    # Given the critical number, error and power are exact; predictions are as precise as the draws.
    places = planned_decimals(found.rate)
    impossible = [f"–: no success even if all {outcome.units} {'respond' if outcome.of_response else outcome.had}."]
    return ReaderTable(
        title=(
            f"Single-arm design: success if P({outcome.short} > {100 * first.null:g} % | {outcome.events}) > "
            f"{first.threshold:g}; %"
        ),
        headings=(
            "prior",
            "n",
            f"{outcome.events}\nneeded",
            "type I\nerror",
            "success\npredicted",
            *(f"{outcome.short} for\n{100 * power:.0f} % power" for power in POWERS),
        ),
        rows=tuple(
            (
                row["prior"],
                f"{row['n']:,}",
                "–" if row["critical"] is None else f"{row['critical']:,}",
                percent(row["type_i_error"]),
                percent(row["assurance"], places),
                *(percent(row[f"orr_{100 * power:.0f}"]) for power in POWERS),
            )
            for row in rows
        ),
        notes=(
            f"type I error: probability of success where the true rate is {100 * first.null:g} %.",
            "success predicted: its probability over the true rates that the model predicts (assurance).",
            "vague: the design without the evidence. What a prior adds to its type I error is the price of borrowing.",
            *(impossible if any(row["critical"] is None for row in rows) else []),
        ),
        units=columns_in("%", *range(3, 5 + len(POWERS))),
    )


def success_rows(found: Prediction) -> ReaderTable:
    """Return power by true response rate under the first prior, in percent."""
    name, outcome = found.priors[0].name, found.cohort.outcome
    designs = [design for prior, design in found.designs if prior == name]
    null = designs[0].null
    rows, step = [], 0
    while (orr := null - BELOW_NULL + step * STEP) < 1:
        step += 1
        if orr <= 0:
            continue
        success = [float(design.success(orr)) for design in designs]
        rows.append((f"{100 * orr:.4g} %{', the null' if abs(orr - null) < STEP / 2 else ''}", *map(percent, success)))
        if min(success) > SURE:
            break
    return ReaderTable(
        title=f"Probability of success by true {outcome.rate}, {name}; %",
        headings=(f"true {outcome.short}", *(f"n = {design.n:,}" for design in designs)),
        rows=tuple(rows),
        notes=("At the null it is the type I error. predict.json has the curves of every prior.",),
        units=columns_in("%", *range(1, 1 + len(designs))),
    )


def _counts(row: Mapping[str, Any]) -> str:
    return f"{row['responders_low']:,}–{row['responders_high']:,}"
