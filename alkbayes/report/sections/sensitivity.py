"""What was computed of a run beside it, where it was: other readings, single cohorts and trials, other models."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alkbayes.presentation.tables import ReaderTable
from alkbayes.report.blocks import Bullets, Heading, Listing, Section, Table, attempted, text
from alkbayes.report.sections.results import figure_of
from alkbayes.runs.analyses import command_for, kept_analysis
from alkbayes.text.digits import supported_decimals
from alkbayes.text.wording import (
    OTHER_DECIMALS,
    counted,
    percent,
    percent_interval,
    shared_decimals,
    signed,
    unsigned_zero,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from alkbayes.plots.source import RunTables
    from alkbayes.report.blocks import Block

SHOWN = 10
"""Cohorts and trials that a table shows; all are in the kept file."""


def sensitivity_section(tables: "RunTables") -> Section:
    """Return what the conclusions of a run hang on, of the analyses that were kept with it."""
    parts: dict[str, Callable[[Any], Iterable[Block]]] = {
        "sensitivity": lambda found: _readings(found["sensitivity"], tables),
        "outliers": lambda found: _outliers(found["outliers"]),
        "outliers-by-trial": lambda found: _by_trial(found["by_trial"]),
        "compare": lambda found: _compared(found["comparison"]),
    }
    return Section("sensitivity", "Sensitivity", kept_blocks(tables.folder, parts))


def kept_blocks(folder: Path, parts: "Mapping[str, Callable[[Any], Iterable[Block]]]") -> "tuple[Block, ...]":
    """Return what was kept with a run of each analysis, or why it cannot be shown, and then which were not run.

    Parameters
    ----------
    folder
        Of the run.
    parts
        By the name of an analysis, what makes blocks of its document.
    """
    blocks: list[Block] = []
    missing = []

    def of(name: str) -> "Iterable[Block]":
        if (found := kept_analysis(folder, name)) is None:
            missing.append(name)
            return ()
        return parts[name](found)

    for name in parts:
        blocks += attempted(partial(of, name))
    return (*blocks, *(not_run(folder, missing) if missing else ()))


def _readings(found: dict[str, Any], tables: "RunTables") -> "list[Block]":
    asked = [reading for reading in found["readings"] if reading["why"] is not None]
    rows = tuple((reading["reading"], reading["change"], reading["why"], _status(reading)) for reading in asked)
    fitted = sum(reading["status"] == "fitted" for reading in asked)
    moved = tuple(
        (row["number"], row["reading"], _shift(row), unsigned_zero(row["shift_in_sds"], 1)) for row in found["largest"]
    )
    return [
        Heading("Other priors, readings of the evidence, and models"),
        text(
            f"{counted(fitted, 'other reading')} of the same analysis, each fitted anew. What the conclusions hang on:"
        ),
        Bullets(tuple((sentence,) for sentence in found["conclusions"])),
        figure_of(tables, "sensitivity"),
        Table(
            ReaderTable(
                "The reading that moves each number most",
                ("number", "reading", "shift", "in posterior SDs"),
                moved,
                words=(1,),
            ),
            ("Shifts of rates and differences in points; each level is over its own patients.",),
        ),
        Table(
            ReaderTable(
                "What each reading changes",
                ("reading", "change", "why a reviewer asks", "fitted"),
                rows,
                words=(1, 2, 3),
            )
        ),
    ]


def _status(reading: dict[str, Any]) -> str:
    if reading["status"] == "fitted":
        return f"{counted(reading['cohorts'], 'cohort')}"
    return f"{reading['status']}: {reading['reason']}" if reading["reason"] else str(reading["status"])


def _shift(row: dict[str, Any]) -> str:
    """Return a shift in points; of an SD on the scale of the model."""
    if row["number"].startswith("tau"):
        return signed(row["shift"], supported_decimals((row["shift_error"],), most=OTHER_DECIMALS))
    return signed(100 * row["shift"], shared_decimals((row["shift_error"],)))


def _outliers(found: dict[str, Any]) -> "list[Block]":
    extreme = sorted(found["cohorts"], key=lambda row: row["p"])[:SHOWN]
    rows = tuple(
        (
            row["cohort_id"],
            f"{row['responders']:,}/{row['n']:,}",
            percent(row["observed"]),
            f"{percent(row['median'])} ({percent_interval(row['low'], row['high'])})",
            f"{row['p']:.3f}{' *' if row['outlying'] else ''}",
        )
        for row in extreme
    )
    return [
        Heading("Cohorts that the others do not predict"),
        Bullets(tuple((sentence,) for sentence in found["verdict"])),
        Table(
            ReaderTable(
                f"The {len(rows)} least expected of {counted(len(found['cohorts']), 'cohort')}",
                ("cohort", "responders", "observed, %", "predicted by the others, %", "p"),
                rows,
            ),
            ("p: two-sided mid-p-value. *: beyond chance among so many comparisons (Benjamini-Hochberg, 0.05).",),
        ),
    ]


def _by_trial(found: dict[str, Any]) -> "list[Block]":
    rows = tuple(
        (row["trial"], f"{row['cohorts']:,}", f"{row['patients']:,}", unsigned_zero(row["largest"] or 0.0, 2))
        for row in found["trials"][:SHOWN]
    )
    return [
        Heading("Without each trial"),
        Bullets(tuple((sentence,) for sentence in found["verdict"])),
        Table(
            ReaderTable(
                "Trials whose removal moves a headline number most",
                ("trial", "cohorts", "patients", "largest move, posterior SDs"),
                rows,
            )
        ),
    ]


def _compared(found: dict[str, Any]) -> "list[Block]":
    rows: list[tuple[str, ...]] = []
    for left_out in dict.fromkeys(row["left_out"] for row in found["elpd"]):
        rows.append((f"by {left_out}",))
        rows += [
            (
                f" {row['run']}",
                f"{unsigned_zero(row['elpd'], 1)} ({row['se']:.1f})",
                f"{unsigned_zero(row['difference'], 1)} ({row['difference_se']:.1f})",
                f"{row['weight']:.2f}",
            )
            for row in found["elpd"]
            if row["left_out"] == left_out
        ]
    return [
        Heading("Other models of the same table"),
        Bullets(tuple((sentence,) for sentence in found["verdict"])),
        Table(
            ReaderTable(
                "How well each model predicts what is left out",
                ("", "elpd (SE)", "from the best (SE)", "stacking weight"),
                tuple(rows),
            ),
            ("elpd: log predictive density of what is left out; larger is better.", *found["cautions"]),
        ),
    ]


def not_run(folder: Path, names: list[str]) -> "list[Block]":
    """Return which analyses a report does without, and the commands that add them."""
    commands = "\n".join(command_for(name, folder) for name in names)
    return [text("Not run for this report; each of these adds to it:"), Listing(commands, "console")]
