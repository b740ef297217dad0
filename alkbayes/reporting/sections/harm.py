"""Harm: how little is known of adverse events, pooled measures, and benefit beside harm."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from alkbayes.analyses.safety import BENEFIT_COLUMNS, safety_of
from alkbayes.evidence.adverse_events import read_adverse_events
from alkbayes.plots.figures.safety import benefit_beside_harm
from alkbayes.presentation.safety import safety_parts
from alkbayes.reporting.blocks import Section, attempted, blocks_of
from alkbayes.reporting.pictures import picture
from alkbayes.reporting.sections.sources import KEYS
from alkbayes.runs.analyses import is_kept, kept_analysis
from alkbayes.runs.run import run_evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alkbayes.analyses.safety import SafetyRecord
    from alkbayes.plots.source import RunTables
    from alkbayes.reporting.blocks import Block


def harm_section(tables: "RunTables") -> Section | None:
    """Return the stored analysis of adverse events, that of the bundled counts for bundled cohorts, else None."""
    if not (is_kept(tables.folder, "safety") or tables.evidence.bundled):
        return None
    return Section("harm", "Harm", tuple(attempted(lambda: _blocks(tables))))


def harm_sources(tables: "RunTables") -> list[str]:
    """Return the source keys of the adverse events that the section shows, a cell each."""
    found: Any = kept_analysis(tables.folder, "safety")
    if found is not None:
        record: SafetyRecord = found
        return record["source_ids"]
    return read_adverse_events().used[KEYS].tolist() if tables.evidence.bundled else []


def _blocks(tables: "RunTables") -> "Iterator[Block]":
    found: Any = kept_analysis(tables.folder, "safety")
    if found is None:
        evidence = run_evidence(tables.folder, tables.document)
        found = safety_of(evidence, read_adverse_events(), prob=tables.document["interval_prob"]).to_dict()
    yield from blocks_of(safety_parts(found))
    caption = replace(tables.caption, notes=(found["few"][0],), warning="", interval_prob=found["interval_prob"])
    benefit = pd.DataFrame(found["benefit"], columns=list(BENEFIT_COLUMNS)).infer_objects()
    description = "A panel for each measure: response over harm of each cohort, with both intervals."
    pages = benefit_beside_harm(benefit, found["by"], caption)
    yield picture("harm", "Response beside adverse events", description, pages)
