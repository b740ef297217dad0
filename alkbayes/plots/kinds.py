"""Kinds of figures of a run, listed only here.

Heavy imports are avoided, because the command's help names the kinds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from alkbayes.errors import FigureError, RunError, UsageError
from alkbayes.plots.view import AS_IT_IS, CHOICES, View
from alkbayes.text.wording import counted

CLASSICAL = "reml-logit"
"""Pooling method of the classical plots of single cohorts, metafor's default."""

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from alkbayes.appraisal.judgements import Appraisal
    from alkbayes.plots.source import RunTables


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of figure.

    Attributes
    ----------
    drawing
        Function from a run to the figure's pages, and from the view of a figure that has choices.
    columns
        Width in journal columns: 1 is 85 mm, 2 is 180 mm.
    shows
        One-line description.
    choices
        Fields of :class:`alkbayes.plots.view.View` that it has.
    """

    drawing: Callable[..., list["Figure"]]
    columns: int
    shows: str
    choices: tuple[str, ...] = ()

    def draw(self, run: "RunTables", view: View = AS_IT_IS) -> list["Figure"]:
        """Return the pages of the figure of a run, as a reader has chosen."""
        return self.drawing(run, view) if self.choices else self.drawing(run)


def _has_no(run: "RunTables", what: str, needed: str) -> FigureError:
    return FigureError(f"model {run.document['model']!r} has no {what}. Draw a run of a model with {needed}.")


def _forest(run: "RunTables", view: View) -> list["Figure"]:
    from alkbayes.evidence.table import labelled
    from alkbayes.plots.figures.forest import forest
    from alkbayes.plots.page.forest_rows import column_of, order_by

    frame = run.frame
    cohorts = labelled(run.cohorts, frame)
    further = [(name, column_of(frame, name)) for name in view.columns]
    judged = _judgements(run) if view.risk_of_bias else None
    order = None if view.sort is None else order_by(frame, view.sort)
    return forest(run.pooled, cohorts, run.caption, further=further, judged=judged, order=order, view=view)


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
    from alkbayes.evidence.table import labelled

    called: list[str] = labelled(run.cohorts, run.frame)["cohort_id"].tolist()
    return called


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
    from alkbayes.evidence.table import cohort_labels
    from alkbayes.plots.figures.diagnostic import baujat

    table = influence_table(run.evidence, method=PoolingMethod(CLASSICAL))
    if not table.rows[["baujat_x", "baujat_y"]].notna().all(axis=1).any():
        raise FigureError(
            "Baujat's plot leaves out one cohort at a time and pools the others: it needs three cohorts at least, and "
            "rates that can be pooled."
        )
    rows = table.rows.assign(left_out=table.rows["left_out"].map(cohort_labels(run.evidence.frame)))
    return baujat(rows, method=CLASSICAL, caption=run.caption)


def _predictive(run: "RunTables") -> list["Figure"]:
    from alkbayes.criticism.predictive import posterior_checks
    from alkbayes.evidence.table import labelled
    from alkbayes.plots.figures.predictive import predictive

    found = posterior_checks(run.fit)
    return predictive(labelled(found.cohorts, run.frame), run.caption, unit=found.unit)


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


def _bubble(run: "RunTables", view: View) -> list["Figure"]:
    from alkbayes.estimates.moderators import rate_curves
    from alkbayes.estimates.rates import posterior_of
    from alkbayes.plots.figures.bubble import Bubbles, bubble
    from alkbayes.presentation.moderators import with_their_own

    pages = []
    for curve in rate_curves(posterior_of(run.fit), view.moderator):
        whose = f"Each point of a curve is an average over {with_their_own(curve.over, curve.averaged)}."
        notes = (whose,) if curve.averaged else ()
        drawn = Bubbles(
            curve.label, curve.by, curve.levels, curve.cohorts, curve.curves, "mean", "credible", notes=notes
        )
        pages += bubble(drawn, run.caption)
    return pages


def _leave_one_out(run: "RunTables", view: View) -> list["Figure"]:
    from alkbayes.plots.forests import leave_one_out

    return leave_one_out(run, view)


def _cumulative(run: "RunTables", view: View) -> list["Figure"]:
    from alkbayes.plots.forests import cumulative_forest

    return cumulative_forest(run, view)


def _classical(run: "RunTables", view: View) -> list["Figure"]:
    from alkbayes.plots.forests import classical_forest

    return classical_forest(run, view)


AXIS = ("title", "xlim", "reference")
"""Choices of every forest."""


KINDS: Mapping[str, Kind] = {
    "forest": Kind(
        _forest,
        2,
        "every cohort, observed and shrunken, and the pooled rates of its groups",
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
        "pooled rate without each cohort, or each trial: by the model, or by a classical method",
        (*AXIS, "sort", "columns", "by_trial", "method"),
    ),
    "cumulative": Kind(
        _cumulative,
        2,
        "classical pooled rate as cohorts are added by year",
        (*AXIS, "columns", "by", "method"),
    ),
    "classical": Kind(
        _classical,
        2,
        "every cohort's observed rate, and classical pooled rates of subgroups",
        (*AXIS, "sort", "columns", "by", "method"),
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
    "bubble": Kind(
        _bubble, 1, "observed rate against each numeric moderator, with the posterior curve", ("moderator",)
    ),
    "sequence": Kind(_sequence, 1, "rates by prior ALK TKI and TKI generation (model sequence)"),
}


def checked_view(kind: str, view: View) -> View:
    """Return the choices for a figure after checking them, and that the figure has them.

    Raises
    ------
    UsageError
        If the figure does not have a choice, or a percentage is out of range.
    """
    for name in CHOICES:
        if getattr(view, name) != getattr(AS_IT_IS, name) and name not in KINDS[kind].choices:
            having = [each for each, of in KINDS.items() if name in of.choices]
            figures = "the figure" if len(having) == 1 else "the figures"
            raise UsageError(f"is for {figures} {', '.join(having)}; {kind} does not have it.", parameter=name)
    if view.xlim is not None and not 0 <= view.xlim[0] < view.xlim[1] <= 100:
        raise UsageError(
            f"found {view.xlim[0]:g} {view.xlim[1]:g}; allowed: two percentages from 0 to 100, the lower first.",
            parameter="xlim",
        )
    if view.reference is not None and not 0 <= view.reference <= 100:
        raise UsageError(f"found {view.reference:g}; allowed: a percentage from 0 to 100.", parameter="reference")
    return view
