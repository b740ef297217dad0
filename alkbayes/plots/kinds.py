"""Kinds of figures of a run, listed only here.

Heavy imports are avoided, because the command's help names the kinds.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from alkbayes.errors import FigureError, RunError
from alkbayes.plots.view import AS_IT_IS, View
from alkbayes.text.wording import counted

CLASSICAL = "reml-logit"
"""Pooling method of the classical plots of single cohorts, metafor's default."""
DEFAULT_METHOD = "reml-logit-hk-adhoc"
"""Pooling method of the forests of classical pooling, the default of `pool`."""

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from alkbayes.appraisal.judgements import Appraisal
    from alkbayes.classical.pooling.methods import PoolingMethod
    from alkbayes.plots.page.style import Caption
    from alkbayes.plots.source import RunTables


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of figure.

    Attributes
    ----------
    draw
        Function from a run to the figure's pages.
    columns
        Width in journal columns: 1 is 85 mm, 2 is 180 mm.
    shows
        One-line description.
    viewed
        Function that draws it as a reader chooses; None if there is no choice.
    choices
        Fields of :class:`alkbayes.plots.view.View` that it has.
    """

    draw: Callable[["RunTables"], list["Figure"]]
    columns: int
    shows: str
    viewed: "Callable[[RunTables, View], list[Figure]] | None" = None
    choices: tuple[str, ...] = ()


def _has_no(run: "RunTables", what: str, needed: str) -> FigureError:
    return FigureError(f"model {run.document['model']!r} has no {what}. Draw a run of a model with {needed}.")


def _forest(run: "RunTables", view: View = AS_IT_IS) -> list["Figure"]:
    from alkbayes.plots.figures.forest import forest

    further = [(name, _column(run, name, "to show")) for name in view.columns]
    cohorts = run.cohorts.assign(cohort_id=_labels(run))
    judged = _judgements(run) if view.risk_of_bias else None
    return forest(run.pooled, cohorts, run.caption, further=further, judged=judged, order=_order(run, view), view=view)


def _judgements(run: "RunTables") -> "Appraisal":
    """Return the judgements of a run's cohorts."""
    if run.appraisal is None:
        raise FigureError(
            "the table has no judgements of the risk of bias: no column rob_overall, or rob_ and another domain of a "
            "tool. Nothing is inferred; write people's judgements into the table and fit again."
        )
    return run.appraisal


def _labels(run: "RunTables") -> list[str]:
    """Return what the run's cohorts are called in figures, in their order."""
    from alkbayes.evidence.table import cohort_labels

    return run.cohorts["cohort_id"].astype(str).map(cohort_labels(run.evidence.frame)).tolist()


def _risk_of_bias(run: "RunTables") -> list["Figure"]:
    from alkbayes.plots.figures.appraisal import traffic_lights

    return traffic_lights(_judgements(run), _labels(run), run.caption)


def _risk_of_bias_summary(run: "RunTables") -> list["Figure"]:
    from alkbayes.plots.figures.appraisal import summary_bars

    return summary_bars(_judgements(run), run.caption)


def _reporting_quality(run: "RunTables") -> list["Figure"]:
    from alkbayes.appraisal.judgements import reporting_quality
    from alkbayes.appraisal.tools import REPORTING_QUALITY, bundled_tool
    from alkbayes.plots.figures.appraisal import traffic_lights

    found = reporting_quality(run.evidence)
    if found is None:
        known = ", ".join(bundled_tool(REPORTING_QUALITY).columns)
        raise FigureError(f"the table does not say how counts were assessed and reported: it has none of {known}.")
    return traffic_lights(found.among(run.cohorts["cohort_id"].astype(str).tolist()), _labels(run), run.caption)


def _column(run: "RunTables", name: str, purpose: str) -> list[str]:
    """Return a column of the run's table as text, in the order of the run's cohorts."""
    from alkbayes.evidence.naming import no_such_column

    frame = run.evidence.frame
    if name not in frame:
        raise no_such_column([name], frame.columns.tolist(), purpose)
    values = dict(zip(frame["cohort_id"].astype(str), frame[name].astype(str), strict=True))
    return [values[cohort] for cohort in run.cohorts["cohort_id"].astype(str)]


def _order(run: "RunTables", view: View) -> list[int] | None:
    """Return the order of the cohorts that a reader chose."""
    from alkbayes.plots.page.forest_rows import order_by

    return None if view.sort is None else order_by(_column(run, view.sort, "to sort by"))


def _cells(run: "RunTables") -> list["Figure"]:
    from alkbayes.plots.figures.cells import cells

    return cells(run.pooled, run.caption)


def _contrasts(run: "RunTables") -> list["Figure"]:
    from alkbayes.plots.figures.contrasts import contrasts
    from alkbayes.presentation.fit import within_trials
    from alkbayes.presentation.standardisation import contrast_patients

    if run.contrasts.empty:
        raise _has_no(run, "contrasts", "an effect with two levels")
    notes = (*within_trials(run.document), *contrast_patients(run.document), *run.caption.notes)
    return contrasts(run.contrasts, replace(run.caption, notes=notes), trials=run.trials)


def _shrinkage(run: "RunTables") -> list["Figure"]:
    from alkbayes.plots.figures.shrinkage import shrinkage

    return shrinkage(run.cohorts, run.caption)


def _heterogeneity(run: "RunTables") -> list["Figure"]:
    from alkbayes.estimates.rates import heterogeneity_draws, posterior_of
    from alkbayes.model.prior_implications import heterogeneity_priors
    from alkbayes.plots.figures.heterogeneity import heterogeneity
    from alkbayes.presentation.fit import headings_by_slug

    fit = run.fit
    prior = heterogeneity_priors(fit.design, draws=1_000_000)
    if not prior:
        raise _has_no(run, "heterogeneity", "a standard deviation")
    posterior = dict(heterogeneity_draws(posterior_of(fit)))
    headings = headings_by_slug(run.document)
    return heterogeneity(prior, posterior, run.heterogeneity, run.caption, headings=headings)


def _comparison(run: "RunTables") -> list["Figure"]:
    from alkbayes.classical.pooling.methods import ALL_METHODS
    from alkbayes.classical.pooling.tables import pool_table
    from alkbayes.plots.figures.comparison import comparison

    classical = pool_table(run.evidence, by=(), methods=ALL_METHODS, prob=run.caption.interval_prob)
    return comparison(run.pooled, classical, run.caption)


def _funnel(run: "RunTables") -> list["Figure"]:
    from alkbayes.classical.pooling.methods import PoolingMethod
    from alkbayes.classical.pooling.pool import pool
    from alkbayes.plots.figures.diagnostic import funnel

    frame = run.evidence.frame
    full = pool(frame["responders"], frame["n"], method=PoolingMethod(CLASSICAL))
    if full.estimate is None:
        raise FigureError(f"{CLASSICAL} finds no pooled rate to draw a funnel about: {full.note}")
    return funnel(frame, pooled=full.estimate, tau2=full.tau2 or 0.0, method=CLASSICAL, caption=run.caption)


def _baujat(run: "RunTables") -> list["Figure"]:
    from alkbayes.classical.influence.tables import influence_table
    from alkbayes.classical.pooling.methods import PoolingMethod
    from alkbayes.plots.figures.diagnostic import baujat

    table = influence_table(run.evidence, method=PoolingMethod(CLASSICAL))
    if not table.rows[["baujat_x", "baujat_y"]].notna().all(axis=1).any():
        raise FigureError(
            "Baujat's plot leaves out one cohort at a time and pools the others: it needs three cohorts at least, and "
            "rates that can be pooled."
        )
    return baujat(table.rows, method=CLASSICAL, caption=run.caption)


def _predictive(run: "RunTables") -> list["Figure"]:
    from alkbayes.criticism.predictive import posterior_checks
    from alkbayes.plots.figures.predictive import predictive

    found = posterior_checks(run.fit)
    return predictive(found.cohorts, run.caption, unit=found.unit)


def _calibration(run: "RunTables") -> list["Figure"]:
    from alkbayes.criticism.predictive import LEAST_COHORTS, posterior_checks
    from alkbayes.plots.figures.calibration import calibration

    if (count := run.document["evidence"]["cohorts"]) < LEAST_COHORTS:
        raise FigureError(
            f"{counted(count, 'cohort')} cannot show the calibration; it takes {LEAST_COHORTS}. Draw `predictive`, "
            "which has every cohort."
        )
    found = posterior_checks(run.fit)
    return calibration(found.pit, found.uniform, run.caption)


def _sensitivity(run: "RunTables") -> list["Figure"]:
    from alkbayes.plots.figures.sensitivity import sensitivity
    from alkbayes.runs.analyses import command_for, kept_analysis

    kept = kept_analysis(run.folder, "sensitivity")
    if kept is None:
        raise RunError(
            f"{run.folder}: the sensitivity of this run was not computed yet. First: "
            f"{command_for('sensitivity', run.folder)}"
        )
    found = kept["sensitivity"]
    # Alternatives have the intervals that they were fitted with.
    caption = replace(run.caption, interval_prob=found["interval_prob"])
    return sensitivity(found["alternatives"], caption, trials=run.trials)


def _sequence(run: "RunTables") -> list["Figure"]:
    from alkbayes.analyses.sequence import sequence_table
    from alkbayes.estimates.rates import posterior_of
    from alkbayes.plots.figures.sequence import sequence

    fit = run.fit
    return sequence(sequence_table(posterior_of(fit), fit.evidence.frame), run.caption, trials=run.trials)


def bubbles_of(run: "RunTables", moderator: str | None = None) -> list["Figure"]:
    """Draw the bubble plot of one numeric moderator of a run, or of each."""
    from alkbayes.estimates.moderators import rate_curves
    from alkbayes.estimates.rates import posterior_of
    from alkbayes.plots.figures.bubble import Bubbles, bubble
    from alkbayes.presentation.moderators import with_their_own

    pages = []
    for curve in rate_curves(posterior_of(run.fit), moderator):
        whose = f"Each point of a curve is an average over {with_their_own(curve.over, curve.averaged)}."
        notes = (whose,) if curve.averaged else ()
        drawn = Bubbles(
            curve.label, curve.by, curve.levels, curve.cohorts, curve.curves, "mean", "credible", notes=notes
        )
        pages += bubble(drawn, run.caption)
    return pages


def _leave_one_out(run: "RunTables", view: View = AS_IT_IS) -> list["Figure"]:
    from alkbayes.classical.influence.tables import influence_table
    from alkbayes.evidence.table import cohort_labels
    from alkbayes.plots.figures.classical import Line, classical_forest
    from alkbayes.text.json import records
    from alkbayes.text.wording import points

    method, caption = _method_of(run, view)
    table = influence_table(run.evidence, method=method, by_trial=view.by_trial, prob=caption.interval_prob)
    unit, full = "trial" if view.by_trial else "cohort", table.full
    labels = {} if view.by_trial else cohort_labels(run.evidence.frame)
    lines = [
        Line(
            labels.get(row["left_out"], row["left_out"]),
            f"{row['responders']:,}/{row['patients']:,}",
            points(row["change"], 1),
            _estimate(row["estimate"], row["low"], row["high"]),
        )
        for row in records(table.rows)
    ]
    everything = Line("None left out", numbers=_estimate(full.estimate, full.low, full.high))
    title = f"Pooled {run.outcome.label} without each {unit}"
    return classical_forest(
        [everything, *lines],
        title,
        names=f"{unit.capitalize()} left out",
        further=("change,", "points"),
        pooled=full.estimate,
        caption=caption,
        view=view,
    )


def _cumulative(run: "RunTables", view: View = AS_IT_IS) -> list["Figure"]:
    from alkbayes.classical.pooling.cumulative import cumulative
    from alkbayes.evidence.composition import years_of
    from alkbayes.evidence.naming import no_such_column
    from alkbayes.evidence.table import cohort_labels
    from alkbayes.plots.figures.classical import Line, classical_forest

    method, caption = _method_of(run, view)
    frame = run.evidence.frame
    if view.by is not None and view.by not in frame:
        raise no_such_column([view.by], frame.columns.tolist(), "to add cohorts by")
    values = years_of(run.evidence) if view.by is None else frame[view.by].astype(str).tolist()
    if not any(values):
        raise FigureError(f"No cohort has a {view.by or 'year'}: there is no order to add them in.")
    steps = cumulative(run.evidence, values, method=method, prob=caption.interval_prob)
    names = list(cohort_labels(frame).values())
    lines = [
        Line(
            f"{step.value or 'not known'}: {_added([names[at] for at in step.added])}",
            f"{step.pooled.responders:,}/{step.pooled.patients:,}",
            f"{step.pooled.k}",
            _estimate(step.pooled.estimate, step.pooled.low, step.pooled.high),
        )
        for step in steps
    ]
    dated = "A cohort's year is that of its data cut-off, else that in which its counts were published."
    return classical_forest(
        lines,
        f"Pooled {run.outcome.label} as cohorts are added by {view.by or 'year'}",
        names=f"Added, by {view.by or 'year'}",
        further=("k", "so far"),
        pooled=steps[-1].pooled.estimate,
        caption=caption if view.by else replace(caption, notes=(dated, *caption.notes)),
        view=view,
    )


def _classical(run: "RunTables", view: View = AS_IT_IS) -> list["Figure"]:
    from alkbayes.classical.pooling.tables import pool_table
    from alkbayes.evidence.table import cohort_labels
    from alkbayes.plots.figures.classical import Line, classical_forest
    from alkbayes.plots.page.forest_rows import column_named, exact_limits, group_name, group_title
    from alkbayes.text.json import records

    method, caption = _method_of(run, view)
    frame = run.evidence.frame
    groups = [row["group"] for row in records(run.pooled) if row["second_column"] is None and row["group"] != "all"]
    by = view.by or (column_named(frame, groups[0]) if groups else None)
    rows = records(
        pool_table(run.evidence, by=() if by is None else (by,), methods=(method,), prob=caption.interval_prob)
    )
    labels = list(cohort_labels(frame).values())
    low, high = exact_limits(frame, caption.interval_prob)
    observed = (frame["responders"] / frame["n"]).to_numpy()

    def pooled(row: "Mapping[str, Any]", label: str) -> Line:
        counts = f"{row['responders']:,}/{row['patients']:,}"
        numbers = _estimate(row["estimate"], row["low"], row["high"])
        prediction = _estimate(row["prediction_low"], row["prediction_high"])
        return Line(label, counts, f"{row['k']}", numbers, prediction and prediction[:2], last=True)

    def of(level: str | None) -> "Iterator[Line]":
        """Yield the cohorts of a level, the highest observed rate first."""
        for at in (-observed).argsort(kind="stable"):
            if level is None or (by is not None and str(frame[by].iloc[at]) == level):
                counts = f"{frame['responders'].iloc[at]:,}/{frame['n'].iloc[at]:,}"
                numbers = (observed[at], low[at], high[at])
                yield Line(labels[at], counts, "", numbers, pooled=False)

    lines = []
    for row in rows[1:]:
        name = group_name(row["group"], row["level"], run.outcome.declared)
        if name == row["level"]:
            name = f"{group_title(row['group'], run.outcome.declared)}: {name}"
        lines += [Line(name, heading=True), *of(row["level"]), pooled(row, "Pooled")]
    # In no group, but among all cohorts.
    rest = list(of("")) if by is not None else []
    lines += [Line(f"{by} not known", heading=True), *rest] if rest else []
    lines += [] if by is not None else of(None)
    title = f"{run.outcome.title} of every cohort, and pooled by {method}"
    return classical_forest(
        [*lines, pooled(rows[0], "All cohorts, pooled")],
        title,
        names="Cohort",
        further=("", "k"),
        pooled=rows[0]["estimate"],
        caption=caption,
        view=view,
    )


def _added(cohorts: list[str]) -> str:
    return cohorts[0] if len(cohorts) == 1 else counted(len(cohorts), "cohort")


def _method_of(run: "RunTables", view: View) -> "tuple[PoolingMethod, Caption]":
    """Return the pooling method asked for, and the run's caption with notes on it."""
    from alkbayes.classical.moderators.clustering import clustering_note
    from alkbayes.classical.pooling.methods import method_named
    from alkbayes.evidence.table import trial_labels

    method, caption = method_named(view.method or DEFAULT_METHOD), run.caption
    together = clustering_note(method, trial_labels(run.evidence.frame))
    said = (f"Pooled by {method}, from the counts alone.", *filter(None, [together]))
    return method, replace(caption, notes=(*said, *caption.notes))


def _estimate(
    value: float | None, low: float | None = None, high: float | None = None
) -> tuple[float, float, float] | None:
    """Return a rate with its limits, NaN where a method gives none; None if there is no rate."""
    found = [math.nan if number is None else float(number) for number in (value, low, high)]
    return None if math.isnan(found[0]) else (found[0], found[1], found[2])


AXIS = ("title", "xlim", "reference")
"""Choices of every forest."""


KINDS: Mapping[str, Kind] = {
    "forest": Kind(
        _forest,
        2,
        "every cohort, observed and shrunken, and the pooled rates of its groups",
        _forest,
        (*AXIS, "sort", "columns", "risk_of_bias"),
    ),
    "cells": Kind(_cells, 1, "pooled rates of all groups, with their three intervals"),
    "contrasts": Kind(_contrasts, 2, "contrasts between levels: odds ratios and differences"),
    "shrinkage": Kind(_shrinkage, 1, "each cohort's rate as observed and given all cohorts"),
    "heterogeneity": Kind(_heterogeneity, 2, "prior and posterior of the heterogeneity between cohorts"),
    "comparison": Kind(_comparison, 2, "pooled rate by the model and by every classical method"),
    "leave-one-out": Kind(
        _leave_one_out,
        2,
        "classical pooled rate without each cohort, or each trial",
        _leave_one_out,
        (*AXIS, "by_trial", "method"),
    ),
    "cumulative": Kind(
        _cumulative, 2, "classical pooled rate as cohorts are added by year", _cumulative, (*AXIS, "by", "method")
    ),
    "classical": Kind(
        _classical,
        2,
        "every cohort's observed rate, and classical pooled rates of subgroups",
        _classical,
        (*AXIS, "by", "method"),
    ),
    "funnel": Kind(_funnel, 1, "observed rate against size of each cohort"),
    "baujat": Kind(_baujat, 1, "each cohort's contribution to heterogeneity and influence on the pooled rate"),
    "predictive": Kind(_predictive, 2, "every cohort's observed rate and predictive interval"),
    "calibration": Kind(_calibration, 2, "PIT values of the cohorts with a simultaneous band"),
    "sensitivity": Kind(_sensitivity, 2, "how far each headline number moves under alternative analyses"),
    "risk-of-bias": Kind(_risk_of_bias, 2, "judgements of the risk of bias of every cohort, by domain"),
    "risk-of-bias-summary": Kind(
        _risk_of_bias_summary, 2, "how often each judgement of the risk of bias was made, of cohorts and of patients"
    ),
    "reporting-quality": Kind(_reporting_quality, 2, "how the counts of every cohort were assessed and reported"),
    "bubble": Kind(bubbles_of, 1, "observed rate against each numeric moderator, with the posterior curve"),
    "sequence": Kind(_sequence, 1, "rates by prior ALK TKI and TKI generation (model sequence)"),
}
