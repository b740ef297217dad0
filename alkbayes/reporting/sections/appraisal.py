"""Risk of bias as people judged it, and the certainty of the evidence for people to judge."""

from typing import TYPE_CHECKING

from alkbayes.evidence.table import cohort_labels
from alkbayes.presentation.appraisal import NOBODY, appraisal_parts, judgement_rows
from alkbayes.presentation.certainty import certainty_parts
from alkbayes.reporting.blocks import Fold, Section, Table, attempted, blocks_of, text
from alkbayes.reporting.sections.results import figure_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alkbayes.plots.source import RunTables
    from alkbayes.reporting.blocks import Block


def risk_of_bias_section(tables: "RunTables") -> Section:
    """Return the judgements of the risk of bias in the run's table, or that there are none."""
    return Section("risk-of-bias", "Risk of bias", tuple(attempted(lambda: _judgements(tables))))


def certainty_section(tables: "RunTables") -> Section:
    """Return what GRADE asks for, with empty places for the judgements."""
    parts = attempted(lambda: blocks_of(certainty_parts(tables.certainty)))
    return Section("certainty", "Certainty of the evidence", tuple(parts))


def _judgements(tables: "RunTables") -> "Iterator[Block]":
    found = tables.appraisal
    if found is None:
        yield text(NOBODY)
        return
    blocks = list(blocks_of(appraisal_parts(found, tables.outcome)))
    yield from (block for block in blocks if not isinstance(block, Table))
    yield figure_of(tables, "risk-of-bias-summary")
    yield figure_of(tables, "risk-of-bias")
    yield Fold("How often each judgement was made", tuple(block for block in blocks if isinstance(block, Table)))
    of_cohorts = judgement_rows(found, cohort_labels(tables.evidence.frame))
    yield Fold(of_cohorts.title, (Table(of_cohorts, of_cohorts.notes),))
