"""Plain-language summary of a fit, composed from its numbers without presuming their direction."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

from alkbayes.alk.review import REBUILT
from alkbayes.alk.words import COHORTS_OF, SINGULAR_AND_PLURAL
from alkbayes.evidence.outcomes import Outcome
from alkbayes.evidence.table import BUNDLED
from alkbayes.presentation.fit import (
    ALL_PREDICTED,
    Document,
    cohorts_vary,
    compares_slopes,
    contrasts_by_column,
    cross_check_faults,
    exploratory,
    outcome_of,
    pooled_by_level,
    unit_of,
    varying_units,
)
from alkbayes.runs.document import ContrastRow, PooledRow
from alkbayes.text.names import is_pair, shown
from alkbayes.text.wording import (
    capitalised,
    counted,
    difference_size,
    joined,
    level_text,
    limits,
    new_cohort,
    percent,
    percent_interval,
    rate,
)
from alkbayes.vocabulary import ALL, NO_VARIANCE, SETTLED, joined_key

MOST_NAMED = 4
"""Differences of one effect described one by one; more are counted."""
MOST_LEVELS = 6
"""Levels of one effect with rates in the text."""
APART_POINTS = 0.03
"""Difference between means beyond which a level's own-patient mean is given, too."""
MUCH_PREDICTED = 0.25
"""Share of a row's patients with a combination no cohort has, from which it is mentioned."""
NOT_OBSERVED = ", predicted and not observed"
APART = 1.5
"""Ratio of the widths of prediction interval and interval of the mean from which cohorts are said to differ."""

NOT_TO_BE_USED = "The posterior of this analysis failed its convergence gate, so that none of its numbers may be used"
CAUTION = (
    "{counted} were not randomised between {units}: a difference may come from the {o.units}, the years or how "
    "{o.responses} were assessed, and does not show what a treatment would do for a given {o.unit}."
)
SINGLE_ARMS = (
    "Cohorts are single arms: their rates describe these {o.units}. They do not compare treatments, and do not show "
    "what a treatment would do for a given {o.unit}."
)


def summary(document: Document) -> str:
    """Return a summary in short paragraphs for readers without statistical training, separated by blank lines.

    Intervals are named by type: a credible interval for the average, a prediction interval for the next cohort, a
    confidence interval for the summed counts. A difference between levels is called higher or lower if the probability
    of its sign is above 0.975, and otherwise not settled. A posterior that has not converged leaves all numbers out.
    """
    if not document["diagnostics"]["converged"]:
        return f"{NOT_TO_BE_USED}: {'; '.join(document['diagnostics']['failures'])}."
    if faults := cross_check_faults(document):
        return (
            f"The two ways of computing this analysis disagree, so that its numbers may not be used: {joined(faults)}."
        )
    return "\n\n".join(" ".join(sentences) for sentences in _paragraphs(document))


def _paragraphs(document: Document) -> Iterator[list[str]]:
    pooled = pooled_by_level(document)
    overall = pooled[ALL, ALL]
    evidence = document["evidence"]
    outcome = outcome_of(document)
    trials = "" if evidence["trials"] is None else f" of {counted(evidence['trials'], 'trial')}"
    counts = (
        f"In {counted(evidence['cohorts'], 'cohort')}{trials}, {evidence['responders']:,} of "
        f"{evidence['patients']:,} {outcome.patients} {outcome.had}."
    )
    yield [counts, *(f"{remark}." for remark in filter(None, [exploratory(document)]))]
    middle, interval = rate(overall["mean"])
    level = level_text(document["interval_prob"])
    mix = f" for the mix of these {outcome.units}" if len(pooled) > 1 else ""
    average = (
        f"Averaged over {varying_units(document)}{mix}, the {outcome.label} is {middle} % ({level} credible interval "
        f"{interval} %): given the model and its priors, the average lies in that interval with {level} probability."
    )
    yield [average, *_next_cohort(document, overall, outcome), *_crude(document, overall)]
    contrasts = contrasts_by_column(document)
    means = (estimands["mean"] for estimands in pooled.values())
    columns = dict.fromkeys(row["group"] for row in means if row["group"] != ALL and not is_pair(row))
    for column in columns:
        differences = _differences(column, contrasts.get(column, {}), outcome, others=len(columns) > 1)
        yield [*_levels(column, pooled, outcome), *differences]
    for column in contrasts:
        if column not in columns:
            yield [*_along(column, contrasts[column], document["pooled"], outcome)]
    rebuilt = [REBUILT] if evidence["source"] == BUNDLED else []
    numbers = [column for column in contrasts if column not in columns]
    yield [*_left_out(document), _caution(document, list(contrasts), numbers, outcome), *rebuilt]


def _caution(document: Document, columns: list[str], numbers: Collection[str], outcome: Outcome) -> str:
    """Return that nothing was randomised; `columns` are those with contrasts, of which `numbers` have no levels."""
    if not columns:
        return SINGLE_ARMS.format(o=outcome)
    trials = ["trials"] if (document["evidence"]["trials"] or 0) > 1 else []
    # An interaction's two columns have contrasts of their own.
    interactions = {joined_key(pair) for pair in permutations(columns, 2)}
    kinds = [
        f"values of {outcome.declared.heading(column)}" if column in numbers else _titles(column, outcome)[1]
        for column in columns
        if column not in interactions
    ]
    *others, last = [*kinds, *trials]
    units = f"{', '.join(others)} or {last}" if others else last
    return CAUTION.format(o=outcome, counted=capitalised(outcome.units), units=units)


def _left_out(document: Document) -> Iterator[str]:
    """Return a sentence on columns outside the model that would clearly improve it."""
    if names := [shown(row["column"]) for row in document.get("unnamed") or []]:
        columns, it = ("columns {} tell", "them") if len(names) > 1 else ("column {} tells", "it")
        yield (
            f"The table's {columns.format(joined(names))} {outcome_of(document).rate}s apart, and this model does not "
            f"use {it}: a difference between groups may be due to {it}."
        )


def _width(row: Mapping[str, Any]) -> float:
    return float(row["high"]) - float(row["low"])


def _next_cohort(document: Document, overall: Mapping[str, PooledRow], outcome: Outcome) -> Iterator[str]:
    """Yield sentences on the next cohort; they never say that cohorts are alike, which few cohorts cannot show."""
    following = overall["next_cohort"]
    times = _width(following) / _width(overall["mean"])
    ends = limits(following, between=" and ")
    lead = "Individual cohorts vary more than that interval suggests: the" if times >= APART else "The"
    yield (
        f"{lead} {outcome.rate} of {new_cohort(unit_of(document))} may lie between {ends} % ("
        f"{level_text(document['interval_prob'])} prediction interval), a range {times:.1f} times as wide."
    )
    if not cohorts_vary(document):
        yield NO_VARIANCE


def _crude(document: Document, overall: Mapping[str, PooledRow]) -> Iterator[str]:
    row = next((row for row in document["classical"] if (row["group"], row["method"]) == (ALL, "crude-wilson")), None)
    if row is None or row["estimate"] is None:
        return
    times = _width(overall["mean"]) / _width(row)
    narrower = f" and is {times:.1f} times narrower" if round(times, 1) > 1 else ""
    yield (
        f"Adding up all {outcome_of(document).units} gives {percent(row['estimate'])} % ("
        f"{level_text(document['interval_prob'])} confidence interval "
        f"{percent_interval(row['low'], row['high'])} %), which ignores the differences between cohorts{narrower}."
    )


def _levels(column: str, pooled: Mapping[tuple[str, str], Mapping[str, PooledRow]], outcome: Outcome) -> Iterator[str]:
    rows = [(level, estimands["mean"]) for (group, level), estimands in pooled.items() if group == column]
    if len(rows) > MOST_LEVELS:
        yield f"The average rates of {len(rows)} {_titles(column, outcome)[1]} are in the table."
        return
    wholly = {level for level, row in rows if (row.get("predicted") or 0.0) >= ALL_PREDICTED}
    each = [
        f"{middle} % in {_name(column, level, outcome)} ({interval} %{NOT_OBSERVED if level in wholly else ''})"
        for level, row in rows
        for middle, interval in [rate(row)]
    ]
    if not any(row.get("over") for _, row in rows):
        over = f"each over its own {outcome.units}"
        yield f"By {_titles(column, outcome)[0]}, {over}, the average {outcome.rate} is {joined(each)}."
        return
    same = next(row["over"] for _, row in rows if row.get("over"))
    over = f"each over the same {outcome.units} ({same})"
    yield f"By {_titles(column, outcome)[0]}, {over}, the average {outcome.rate} is {joined(each)}."
    if wholly:
        names = joined([_name(column, level, outcome) for level, _ in rows if level in wholly])
        yield f"In {names} all of that is the model's prediction: no cohort of that level had such {outcome.units}."
    much = [level for level, row in rows if row["predicted"] >= MUCH_PREDICTED and level not in wholly]
    if partly := [_name(column, level, outcome) for level in much]:
        yield (
            f"In {joined(partly)} much of that is the model's prediction: at least a quarter of these {outcome.units} "
            "resemble none of that level's cohorts."
        )
    own = [
        f"{percent(row['own_median'], 0)} % in {_name(column, level, outcome)}"
        for level, row in rows
        if abs(row["own_median"] - row["median"]) >= APART_POINTS
    ]
    if own:
        yield (
            f"Over its own {outcome.units} the rate is {joined(own)}: these levels differ from the others in their "
            f"{outcome.units}, too."
        )


def _differences(
    column: str,
    contrasts: Mapping[tuple[str, str], Mapping[str, ContrastRow]],
    outcome: Outcome,
    *,
    others: bool,
) -> Iterator[str]:
    """Return sentences on differences with a settled sign, and the number without."""
    rows = [scales["risk_difference"] for scales in contrasts.values()]
    if not rows:
        return
    title = _titles(column, outcome)[1]
    # Rates may be over each level's own patients, differences are over the same ones: they need not agree.
    mix = ", compared over the same mix of the other columns," if others else ""
    settled = [row for row in rows if min(row["prob_better"], 1 - row["prob_better"]) < 1 - SETTLED]
    if not settled:
        none = "The difference" if len(rows) == 1 else f"None of the {len(rows)} differences"
        yield f"{none} between {title}{mix} is {'not ' if len(rows) == 1 else ''}settled: either sign remains possible."
        return
    settled.sort(key=lambda row: -abs(row["median"]))
    said = [_difference(column, row, outcome) for row in settled[:MOST_NAMED]]
    yield f"The rate{mix} is {joined(said)}."
    if (more := len(settled) - MOST_NAMED) > 0:
        yield f"{counted(more, 'further difference')} {'are' if more > 1 else 'is'} also settled."
    if rest := len(rows) - len(settled):
        yield f"{rest} of the {len(rows)} differences between {title} {'are' if rest > 1 else 'is'} not settled."


def _difference(column: str, row: ContrastRow, outcome: Outcome) -> str:
    first, second = (_name(column, row[side], outcome) for side in ("first", "second"))
    word = "lower" if row["median"] < 0 else "higher"
    return f"{difference_size(row)} {word} in {first} than in {second}"


def _along(
    column: str,
    contrasts: Mapping[tuple[str, str], Mapping[str, ContrastRow]],
    levels: Sequence[PooledRow],
    outcome: Outcome,
) -> Iterator[str]:
    """Return sentences on a number: how the rate changes with it where the sign is settled."""
    differences = (scales["risk_difference"] for scales in contrasts.values())
    rows = [row for row in differences if not compares_slopes(row, levels)]
    settled = [row for row in rows if min(row["prob_better"], 1 - row["prob_better"]) < 1 - SETTLED]
    title = outcome.declared.heading(column)
    if not settled:
        alone = f"Whether the rate rises or falls with {title} is not settled."
        yield alone if len(rows) == 1 else f"None of the {len(rows)} differences along {title} is settled."
        return
    said = [
        f"{difference_size(row)} {'lower' if row['median'] < 0 else 'higher'} at {shown(row['first'])} than at "
        f"{shown(row['second'])}"
        for row in settled[:MOST_NAMED]
    ]
    yield f"By {title}, compared over the same {outcome.units}, the rate is {joined(said)}."


def _titles(column: str, outcome: Outcome) -> tuple[str, str]:
    if own := outcome.declared.label(column):
        return own, f"levels of {own}"
    return SINGULAR_AND_PLURAL.get(column, (column, f"levels of {column}"))


def _name(column: str, level: str, outcome: Outcome) -> str:
    if own := outcome.declared.label(column):
        return f"{own} {level}"
    return COHORTS_OF.get((column, level), f"{column} {level}")
