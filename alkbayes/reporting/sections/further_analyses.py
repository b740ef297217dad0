"""Further analyses computed for the run: medians, intracranial response, sequences, resistance, randomised trials."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from alkbayes.alk.review import ANALYSES
from alkbayes.evidence.table import labelled
from alkbayes.plots.figures.intracranial import intracranial
from alkbayes.plots.figures.pfs import pfs_forest
from alkbayes.plots.figures.randomised import randomised
from alkbayes.plots.figures.resistance import resistance
from alkbayes.plots.figures.sequence import sequence
from alkbayes.plots.page.style import Caption
from alkbayes.presentation.intracranial import counted_parts, intracranial_parts
from alkbayes.presentation.pfs import pfs_parts
from alkbayes.presentation.randomised import randomised_parts
from alkbayes.presentation.resistance import resistance_parts
from alkbayes.presentation.sequence import sequence_opening, sequence_parts
from alkbayes.reporting.blocks import Heading, Section, blocks_of
from alkbayes.reporting.pictures import picture
from alkbayes.reporting.sections.planned_trial import planned_blocks
from alkbayes.reporting.sections.sensitivity import kept_blocks
from alkbayes.reporting.sections.sources import KEYS
from alkbayes.runs.analyses import is_kept, kept_analysis

if TYPE_CHECKING:
    from alkbayes.analyses.intracranial_record import IntracranialRecord
    from alkbayes.analyses.pfs import PfsRecord
    from alkbayes.analyses.resistance import ResistanceRecord
    from alkbayes.analyses.sequence import SequenceRecord
    from alkbayes.inference.fit import Fit
    from alkbayes.plots.source import RunTables
    from alkbayes.randomised.analysis import RandomisedRecord
    from alkbayes.reporting.blocks import Block


SOURCED = {"resistance": ("rows", "responses", "printed"), "randomised": ("trials",)}
"""Analyses of another table than the cohorts', with the records that name its sources."""


def beyond_section(fit: "Fit", tables: "RunTables") -> Section:
    """Return the stored results for outcomes beyond the run's own."""
    notes = replace(tables.caption, notes=tables.caption.notes[1:], warning="")
    parts: dict[str, Callable[[Any], Iterator[Block]]] = {
        "pfs": lambda found: _pfs(found, notes, tables.evidence.frame),
        "intracranial": lambda found: _intracranial(found, notes),
        "sequence": lambda found: _sequence(found, notes, tables.trials),
        "resistance": lambda found: _resistance(found, notes),
        "randomised": lambda found: _randomised(found, notes),
        "predict": lambda found: planned_blocks(fit, found, notes),
    }
    columns = tables.evidence.frame.columns
    asked = {
        name: part
        for name, part in parts.items()
        if is_kept(tables.folder, name) or all(column in columns for column in ANALYSES.get(name, ()))
    }
    return Section("beyond", "Beyond this outcome", kept_blocks(tables, asked))


def further_sources(tables: "RunTables") -> list[str]:
    """Return the source keys of the stored tables of samples and of trials that the section shows, a cell each."""
    cells = []
    for name, parts in SOURCED.items():
        found = kept_analysis(tables.folder, name) or {}
        cells += [str(row[KEYS]) for part in parts for row in found.get(part, ()) if row.get(KEYS)]
    return cells


def _frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return records as a table; null in JSON is a non-finite number."""
    return pd.DataFrame(rows).infer_objects()


def _at(found: Mapping[str, Any], notes: Caption) -> Caption:
    """Return a caption for the intervals that an analysis was stored with."""
    return replace(notes, interval_prob=found["interval_prob"])


def _pfs(found: "PfsRecord", notes: Caption, frame: pd.DataFrame) -> "Iterator[Block]":
    yield Heading("Median progression-free survival")
    yield from blocks_of(pfs_parts(found))
    description = "One row for each cohort: its median with the printed interval, or an arrow where it was not reached."
    pooled, cohorts, weighted = map(_frame, (found["pooled"], found["cohorts"], found["weighted"]))
    title = "Median progression-free survival of every cohort"
    yield picture("pfs", title, description, pfs_forest(pooled, labelled(cohorts, frame), weighted, _at(found, notes)))


def _intracranial(found: "IntracranialRecord", notes: Caption) -> "Iterator[Block]":
    yield Heading("Intracranial response")
    yield from blocks_of((*counted_parts(found), *intracranial_parts(found)))
    description = "Systemic rates of all cohorts, of those with intracranial counts, and intracranial rates."
    pages = intracranial(_frame(found["rates"]), _at(found, notes))
    yield picture("intracranial", "Systemic and intracranial response", description, pages)


def _sequence(found: "SequenceRecord", notes: Caption, trials: int | None) -> "Iterator[Block]":
    yield Heading("Sequences of ALK inhibitors")
    yield from blocks_of((*sequence_opening(found), *sequence_parts(found)))
    description = "One cell for each prior ALK TKI and generation; cells without cohorts are hatched."
    title = "Response rate by prior ALK TKI and generation"
    yield picture(
        "sequence-matrix", title, description, sequence(_frame(found["matrix"]), _at(found, notes), trials=trials)
    )


def _resistance(found: "ResistanceRecord", notes: Caption) -> "Iterator[Block]":
    yield Heading("Resistance mutations")
    yield from blocks_of(resistance_parts(found))
    description = "One row for each count, and under those of a question what the model makes of them."
    rows, prevalence = _frame(found["rows"]), _frame(found["prevalence"])
    pages = resistance(rows, prevalence, heading=found["few"][0], caption=_at(found, notes))
    yield picture("resistance", "ALK resistance mutations", description, pages)


def _randomised(found: "RandomisedRecord", notes: Caption) -> "Iterator[Block]":
    yield Heading("Randomised evidence")
    yield from blocks_of(randomised_parts(found))
    description = "Networks of the treatments compared, and one row for each kind of evidence of every pair."
    pages = randomised(found, _at(found, Caption((f"Trials: {found['table']['source']}.",), notes.warning)))
    yield picture("randomised", "Randomised trials", description, pages)
