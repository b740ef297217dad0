"""Report checks: predictive checks of the model, and classical analyses of the counts."""

from typing import TYPE_CHECKING, Any

from alkbayes.classical.moderators.small_study import small_study_effects
from alkbayes.classical.pooling.disagreements import disagreements
from alkbayes.classical.pooling.methods import ALL_METHODS
from alkbayes.classical.pooling.tables import pool_table
from alkbayes.criticism.predictive import LEAST_COHORTS, posterior_checks
from alkbayes.evidence.table import cohort_labels, labelled
from alkbayes.plots.figures.calibration import calibration
from alkbayes.plots.figures.predictive import predictive
from alkbayes.presentation.pooling import disagreement_parts, pool_rows
from alkbayes.presentation.predictive import posterior_parts
from alkbayes.presentation.small_study import small_study_parts
from alkbayes.reporting.blocks import Bullets, Fold, Heading, Paragraph, Section, blocks_of, text
from alkbayes.reporting.sections.results import figure_of, shown
from alkbayes.text.json import records
from alkbayes.text.wording import p_equals, percent

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit
    from alkbayes.plots.source import RunTables
    from alkbayes.reporting.blocks import Block


def predictive_section(fit: "Fit", tables: "RunTables") -> Section:
    """Return the predictive checks: whether the model expects data like those observed."""
    found = posterior_checks(fit)
    cohorts, labels = labelled(found.cohorts, fit.evidence.frame), cohort_labels(fit.evidence.frame)
    blocks: list[Block] = [Paragraph((found.conclusion,), strong=True), *blocks_of(posterior_parts(found, labels))]
    # Drawn from these checks: the kinds of figures would replicate the table again for each.
    blocks.append(shown("predictive", predictive(cohorts, tables.caption, unit=found.unit), tables.outcome))
    if len(found.cohorts) >= LEAST_COHORTS:
        blocks.append(shown("calibration", calibration(found.pit, found.uniform, tables.caption), tables.outcome))
    return Section("fit", "Does the model fit these cohorts?", tuple(blocks))


def classical_section(tables: "RunTables") -> Section:
    """Return the classical analyses of the same counts and their disagreements."""
    evidence, prob = tables.evidence, tables.document["interval_prob"]
    pooled = pool_table(evidence, by=(), methods=ALL_METHODS, prob=prob)
    rows = records(pooled)
    apart = records(disagreements(pooled))
    effects = small_study_effects(evidence.frame["responders"], evidence.frame["n"])
    crude = next((row for row in rows if row["q"] is not None), None)
    blocks: list[Block] = [
        text(
            "From the counts alone, never from the posterior. A method that leaves the differences between cohorts "
            f"out has a narrow interval that holds for these {tables.outcome.units} only."
        ),
        figure_of(tables, "comparison"),
        Fold(
            f"All {len(rows)} methods in numbers",
            (
                *blocks_of((pool_rows(rows, ("",) * len(rows), tables.outcome.declared, prob=prob),)),
                Bullets(tuple((f"{', '.join(methods)}: {note}",) for note, methods in _notes(rows).items())),
            ),
        ),
    ]
    if crude is not None:
        blocks.append(
            text(
                f"Heterogeneity: Q = {crude['q']:.1f} on {crude['q_df']:.0f} degrees of freedom, "
                f"{p_equals(crude['q_p'])}; I² {percent(crude['i2'], 0)} %, which large cohorts make large whatever "
                "the differences are."
            )
        )
    blocks += [
        Heading("Where methods disagree, and why"),
        *blocks_of(disagreement_parts(apart, tables.outcome.declared)),
    ]
    blocks += [Heading("Small and single cohorts"), *blocks_of(small_study_parts(effects))]
    blocks += [figure_of(tables, "funnel"), figure_of(tables, "baujat")]
    return Section("classical", "Classical checks", tuple(blocks))


def _notes(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the methods by note."""
    methods: dict[str, list[str]] = {}
    for row in rows:
        if row["note"]:
            methods.setdefault(row["note"], []).append(row["method"])
    return methods
