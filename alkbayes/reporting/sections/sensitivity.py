"""Stored analyses of a run: alternative analyses, single cohorts and trials, and other models."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alkbayes.evidence.table import cohort_labels
from alkbayes.presentation.comparison import comparison_parts
from alkbayes.presentation.outliers import outlier_parts, trial_parts
from alkbayes.presentation.sensitivity import (
    asked_of,
    change_rows,
    largest_rows,
    scaling_rows,
    shift_rows,
    shift_sentences,
)
from alkbayes.reporting.blocks import Bullets, Heading, Listing, Section, attempted, blocks_of, text
from alkbayes.reporting.sections.results import figure_of
from alkbayes.runs.analyses import command_for, kept_analysis
from alkbayes.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from alkbayes.plots.source import RunTables
    from alkbayes.presentation.tables import Part
    from alkbayes.reporting.blocks import Block
    from alkbayes.sensitivity_analysis.conclusions import SensitivityRecord


def sensitivity_section(tables: "RunTables") -> Section:
    """Return the stored analyses of what a run's conclusions depend on."""
    parts: dict[str, Callable[[Any], Iterable[Block]]] = {
        "sensitivity": lambda found: _alternatives(found["sensitivity"], tables),
        "outliers": lambda found: _titled(
            "Cohorts that the others do not predict",
            outlier_parts(found["outliers"], tables.outcome, cohort_labels(tables.evidence.frame)),
        ),
        "outliers-by-trial": lambda found: _titled("Without each trial", trial_parts(found["by_trial"])),
        "compare": lambda found: _titled("Other models of the same table", comparison_parts(found["comparison"])),
    }
    return Section("sensitivity", "Sensitivity", kept_blocks(tables, parts))


def kept_blocks(tables: "RunTables", parts: "Mapping[str, Callable[[Any], Iterable[Block]]]") -> "tuple[Block, ...]":
    """Return each stored analysis, or why it cannot be shown, and then those not run.

    `parts` maps names of analyses to functions from their document to blocks.
    """
    blocks: list[Block] = []
    missing = []

    def of(name: str) -> "Iterable[Block]":
        if (found := kept_analysis(tables.folder, name)) is None:
            missing.append(name)
            return ()
        return parts[name](found)

    for name in parts:
        blocks += attempted(partial(of, name))
    return (*blocks, *(not_run(tables.named or tables.folder, missing) if missing else ()))


def _alternatives(found: "SensitivityRecord", tables: "RunTables") -> "list[Block]":
    outcome = tables.outcome
    fitted = sum(row["status"] == "fitted" for row in asked_of(found))
    return [
        Heading("Other priors, data and models"),
        text(f"{counted(fitted, 'alternative')} of the same analysis, each fitted anew. What conclusions depend on:"),
        Bullets(tuple((sentence,) for sentence in found["conclusions"])),
        figure_of(tables, "sensitivity"),
        *blocks_of((scaling_rows(found), shift_rows(found, outcome), *shift_sentences(found, outcome))),
        *blocks_of((largest_rows(found, outcome), change_rows(found))),
    ]


def _titled(title: str, parts: "Iterable[Part]") -> "list[Block]":
    return [Heading(title), *blocks_of(parts)]


def not_run(folder: Path, names: list[str]) -> "list[Block]":
    """Return the analyses missing from a report, with the commands to add them."""
    commands = "\n".join(command_for(name, folder) for name in names)
    return [text("Not run for this report. To add them, run:"), Listing(commands, "console")]
