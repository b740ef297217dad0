"""Results section of a report: pooled rates, heterogeneity, contrasts and every cohort."""

from functools import partial
from typing import TYPE_CHECKING

from alkbayes.errors import FigureError
from alkbayes.model.prior_implications import heterogeneity_priors
from alkbayes.plots.kinds import KINDS
from alkbayes.presentation.exceedance import exceedance_tables
from alkbayes.presentation.exchangeability import exchangeability_notes, exchangeability_tables
from alkbayes.presentation.fit import (
    WHOLE_PERCENTS,
    Document,
    cohorts_vary,
    column_meanings,
    contrast_notes,
    contrast_rows,
    contrasts_by_column,
    heterogeneity_rows,
    inverse_variance_notes,
    medians_sentence,
    outcome_of,
    pooled_rows,
    shows_whole_percents,
    varying_units,
    within_trials,
)
from alkbayes.presentation.standardisation import averaging, prediction_lines, standard_lines, unnamed_lines
from alkbayes.reporting.blocks import Bullets, Fold, Heading, Paragraph, Section, Table, text
from alkbayes.reporting.pictures import picture
from alkbayes.reporting.sections.forest import forest_of
from alkbayes.text.names import is_pair
from alkbayes.text.names import shown as shown_name
from alkbayes.text.wording import capitalised, joined
from alkbayes.vocabulary import NO_VARIANCE, Standard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alkbayes.evidence.outcomes import Outcome
    from alkbayes.inference.fit import Fit
    from alkbayes.plots.files import Page
    from alkbayes.plots.source import RunTables
    from alkbayes.reporting.blocks import Block, Picture
    from alkbayes.reporting.sections.sources import Source

CELLS = (
    "Rows under a heading of two columns are its cells: the cohorts with both levels, over their own {o.units}. "
    "Combinations without cohorts are not shown."
)
MOST_CONTRASTS = 40
"""Contrasts of one effect shown expanded; more are collapsed."""
OF_MEAN = "Differences are of the mean, over the {o.units} of the two levels together."
OF_ROWS = "Differences are of the mean, over the {o.units} that the rows of these levels are averaged over."


def results_section(fit: "Fit", tables: "RunTables", sources: "Mapping[str, tuple[int, Source]]") -> Section:
    """Return the results section."""
    document = tables.document
    evidence = tables.evidence
    meanings = (f"{name}: {meaning}." for name, meaning in column_meanings(document))
    notes: tuple[str, ...] = (*meanings, medians_sentence(document), *inverse_variance_notes(document))
    if shows_whole_percents(document):
        notes = (*notes, WHOLE_PERCENTS)
    if any(map(is_pair, document["pooled"])):
        notes = (*notes, CELLS.format(o=tables.outcome))
    notes = (*notes, *prediction_lines(document))
    blocks: list[Block] = [
        *(text(line) for line in (*unnamed_lines(document), *standard_lines(document))),
        Table(pooled_rows(document), notes),
        *_weights(document),
    ]
    blocks += [Table(table, tuple(exchangeability_notes(document))) for table in exchangeability_tables(document)]
    exceeded = exceedance_tables(document["exceedance"], document["pooled"], outcome_of(document))
    blocks += map(Table, exceeded)
    if document["heterogeneity"]:
        blocks += [Heading("Heterogeneity"), text(_heterogeneity(document)), Table(heterogeneity_rows(document))]
    if heterogeneity_priors(fit.design, draws=1):
        blocks.append(figure_of(tables, "heterogeneity"))
    if len(tables.contrasts):
        blocks += [
            Heading("Contrasts"),
            Paragraph((tables.outcome.not_randomised(tables.trials),), strong=True),
            *map(text, within_trials(document)),
            *_contrasts(document),
        ]
        blocks.append(figure_of(tables, "contrasts"))
    if fit.design.numbers:
        labels = joined([shown_name(fit.design.labels[column]) for column in fit.design.numbers])
        blocks += [Heading(f"Rates by {labels}"), figure_of(tables, "bubble")]
    blocks += [
        Heading("Every cohort"),
        forest_of(
            tables.pooled,
            tables.cohorts,
            evidence,
            sources,
            prob=document["interval_prob"],
            printed=partial(figure_of, tables, "forest"),
        ),
        figure_of(tables, "shrinkage"),
    ]
    return Section("results", "Results", tuple(blocks))


def figure_of(tables: "RunTables", kind: str) -> "Picture | Paragraph":
    """Return a run's figure by kind, or why it has none."""
    try:
        return shown(kind, KINDS[kind].draw(tables), tables.outcome)
    except FigureError as error:
        return text(f"No figure `{kind}`: {error}")


def shown(kind: str, pages: "Sequence[Page]", outcome: "Outcome") -> "Picture":
    """Return drawn pages as a picture by kind."""
    shows = KINDS[kind].shows
    return picture(kind, capitalised(shows), DESCRIPTIONS[kind].format(o=outcome), pages)


DESCRIPTIONS = {
    "cells": "One row for each pooled group; its numbers and marks are those of the table of pooled rates.",
    "heterogeneity": "Densities of prior and posterior; medians and intervals are those of the table of heterogeneity.",
    "contrasts": "Odds ratios and differences with intervals; its numbers are those of the tables of contrasts.",
    "shrinkage": "One point for each cohort, observed rate across, posterior median upwards; numbers as in the forest.",
    "bubble": "One bubble for each cohort, its value across and its observed rate upwards, with the posterior curve of "
    "the mean and its bands; `alkbayes summary` prints it at any value.",
    "comparison": "One row for each method, with confidence and prediction intervals, the model's own at the top.",
    "funnel": "One point for each cohort, observed rate across and number of {o.units} upwards.",
    "baujat": "One point for each cohort, its share of the heterogeneity across and what leaving it out does upwards.",
    "predictive": "One row for each cohort, its observed rate and the predicted intervals.",
    "calibration": "Share of cohorts below each level of the predictive distribution, with the band it may lie in.",
    "sensitivity": "For each headline number one bar for each alternative, as long as the number shifts under it.",
    "sequence": "One cell for each prior ALK TKI and generation, with rate, interval and number of cohorts.",
    "risk-of-bias": "One row for each cohort, a symbol for each domain, as in the table of every cohort's judgements.",
    "risk-of-bias-summary": "One bar for each domain, divided by judgement, of cohorts and of {o.units}; shares as in "
    "the table.",
    "reporting-quality": "One row for each cohort, a symbol for each column on how its counts were reported.",
    "forest": "Every cohort with its observed and its shrunken rate, in the groups of the pooled table.",
}
"""Alternative text by kind: the content of the figure, and where to find its numbers."""


def _heterogeneity(document: Document) -> str:
    if not cohorts_vary(document):
        return NO_VARIANCE
    explained = any(row["parameter"] == "explained" for row in document["heterogeneity"])
    share = ", and how much of it the effects explain" if explained else ""
    return f"Heterogeneity between {varying_units(document)}{share}."


def _weights(document: Document) -> "list[Block]":
    said_of, lines = averaging(document)
    if not lines:
        return []
    what = "Over what each row is averaged"
    said = text(f"{said_of}. All weights are in pooled.csv of the run.")
    return [Fold(what, (said, Bullets(tuple((line,) for line in lines))))]


def _contrasts(document: Document) -> "list[Block]":
    found: list[Block] = []
    outcome = outcome_of(document)
    of = (OF_ROWS if document.get("standard") == Standard.SAME else OF_MEAN).format(o=outcome)
    for column, table in zip(contrasts_by_column(document), contrast_rows(document), strict=True):
        rows = (row for row in document["contrasts"] if row["column"] == column)
        marked = contrast_notes(rows, outcome)
        shown = Table(table, (of, *marked))
        found.append(shown if len(table.rows) <= MOST_CONTRASTS else Fold(table.title, (shown,)))
    return found
