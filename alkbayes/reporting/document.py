"""Report of a run, ordered by the Bayesian analysis reporting guidelines.

Kruschke 2021, doi:10.1038/s41562-021-01177-7.
"""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from alkbayes.alk.review import OF_DRUGS
from alkbayes.errors import AlkbayesError
from alkbayes.plots.source import RunTables, warning
from alkbayes.presentation.fit import exploratory, outcome_of, unit_of
from alkbayes.presentation.key_results import key_results
from alkbayes.registry.flow import Flow, check_agrees, flow_beside, read_flow
from alkbayes.reporting.blocks import Report, Section, text
from alkbayes.reporting.sections.appraisal import certainty_section, risk_of_bias_section
from alkbayes.reporting.sections.checks import classical_section, predictive_section
from alkbayes.reporting.sections.diagnostics import computation_section
from alkbayes.reporting.sections.evidence import evidence_section
from alkbayes.reporting.sections.further_analyses import beyond_section, further_sources
from alkbayes.reporting.sections.harm import harm_section, harm_sources
from alkbayes.reporting.sections.limits import limits_section, reproduce_section
from alkbayes.reporting.sections.model import model_section
from alkbayes.reporting.sections.results import figure_of, results_section
from alkbayes.reporting.sections.sensitivity import sensitivity_section
from alkbayes.reporting.sections.sources import KEYS, bundled_sources, cited
from alkbayes.runs.run import read_run_at
from alkbayes.text.wording import ended, new_cohort

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alkbayes.evidence.table import Evidence
    from alkbayes.reporting.sections.sources import Source


def report_of(
    folder: Path,
    sources: "Mapping[str, Source] | None" = None,
    flow: Path | None = None,
    *,
    prob: float | None = None,
    named: Path | None = None,
) -> Report:
    """Return the report of a finished run.

    Parameters
    ----------
    folder
        Of the run.
    sources
        Those of a user's own table, from :func:`alkbayes.reporting.sections.sources.read_sources`.
    flow
        File of counts of records, from :func:`alkbayes.registry.flow.write_flow`. Default: the one beside the table,
        where that came of a review's folder.
    prob
        Probability of the intervals, that of the run if None; stored analyses keep theirs.
    named
        The run in commands that the report shows; None for its folder.

    Raises
    ------
    RunError
        If this is not a finished run, or its files have changed.
    RegistryError
        If the counts cannot be read, or are not those of the table.
    """
    document, made = read_run_at(folder, prob)
    tables = RunTables(folder, document, made, named)
    evidence, fit = tables.evidence, tables.fit
    known = bundled_sources() if evidence.bundled else {}
    keys = evidence.frame[KEYS].tolist() if KEYS in evidence.frame else []
    used = cited([*keys, *_beside(tables)], known | dict(sources or {}))
    asked = ASKED.format(new=new_cohort(unit_of(document)), o=tables.outcome)
    question = (text(ended(document["question"])), text(asked))
    return Report(
        title=f"{outcome_of(document).title}{OF_DRUGS if evidence.bundled else ''}, pooled",
        subtitle=document["question"],
        warning=warning(document),
        remark=exploratory(document),
        key_results=key_results(document),
        opening=figure_of(tables, "cells"),
        sections=(
            Section("question", "Question", question),
            evidence_section(evidence, used, tables.caption, left_out=evidence.notes, flow=_flow(evidence, flow)),
            risk_of_bias_section(tables),
            model_section(fit),
            computation_section(fit, document),
            results_section(fit, tables, used),
            predictive_section(fit, tables),
            classical_section(tables),
            sensitivity_section(tables),
            *((harm,) if (harm := harm_section(tables)) is not None else ()),
            beyond_section(fit, tables),
            certainty_section(tables),
            limits_section(tables),
            reproduce_section(tables),
        ),
        written=document["written"],
    )


def _beside(tables: RunTables) -> list[str]:
    """Return the source keys of the other tables that the report shows, a cell each."""
    cells = []
    for of in (harm_sources, further_sources):
        # The section says why a stored analysis cannot be read.
        with suppress(AlkbayesError):
            cells += of(tables)
    return cells


def _flow(evidence: "Evidence", path: Path | None) -> Flow | None:
    """Return the flow of records behind a table, checked against it; None if there is none."""
    path = flow_beside(evidence.source) if path is None else path
    if path is None:
        return None
    flow = read_flow(path)
    check_agrees(flow, evidence, str(path))
    return flow


ASKED = (
    "The report keeps three questions apart: the rate of a typical cohort, the average rate over cohorts, and the rate "
    "that {new} may have. A fourth rate, that of the {o.units} in these cohorts, is in the run's tables as "
    "these_cohorts."
)
