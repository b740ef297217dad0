"""`alkbayes influence`: influence of single cohorts or trials on the pooled rate."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared.common import (
    DEFAULT_METHOD,
    Method,
    console_for,
    evidence_counted,
    method_named,
)
from alkbayes.cli.shared.options import Csv, Json, Latex, Level, OutcomeOf, interval_prob, reads_table
from alkbayes.cli.shared.output import WIDTH, check_format, print_csv, print_json, records, say
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_table
from alkbayes.evidence.sources import TableSource
from alkbayes.text.wording import counted, percent, percent_interval, variance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from alkbayes.classical.influence.tables import InfluenceTable
    from alkbayes.classical.pooling.result import PooledProportion
    from alkbayes.evidence.table import Evidence

ByTrial = Annotated[bool, typer.Option("--by-trial", help="Leave out whole trials instead of single cohorts.")]
SHOWN = 15
"""Rows shown in a terminal, besides those marked or without result."""
READING = {
    "change": "the rate without it less the rate with it, percentage points",
    "shrunk": "its own rate given all cohorts: shrunk towards their mean",
    "resid.": "externally standardised residual, its distance from what the others give",
    "Cook": "Cook's distance, the squared change of the mean over its squared error",
    "*": "influential by metafor's rule of thumb, which is no test",
}


@reads_table
def command(
    data: TableSource | None = None,
    method: Method = DEFAULT_METHOD,
    outcome: OutcomeOf = None,
    by_trial: ByTrial = False,
    level: Level = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Leave-one-out influence diagnostics of classical pooling, by cohort or by trial.

    Example: alkbayes influence --method glmm-ml --by-trial
    """
    check_format(json_=json_, csv=csv, latex=latex)
    asked, prob = method_named(method), interval_prob(level)
    with working("pooling without each"):
        from alkbayes.classical.influence.tables import influence_table

        evidence = evidence_counted(data, outcome)
        table = influence_table(evidence, method=asked, by_trial=by_trial, prob=prob)
    if json_:
        print_json({"influence": table.to_dict()})
    elif csv:
        print_csv(table.rows)
    else:
        _show(table if by_trial else _called(table, evidence), evidence, unit="trial" if by_trial else "cohort")


def _called(table: "InfluenceTable", evidence: "Evidence") -> "InfluenceTable":
    """Return the table with cohorts called as in figures."""
    from alkbayes.evidence.table import cohort_labels

    labels = cohort_labels(evidence.frame)
    rows = table.rows.assign(left_out=table.rows["left_out"].map(labels))
    return replace(table, rows=rows, added=tuple(labels[name] for name in table.added))


def _show(table: "InfluenceTable", evidence: "Evidence", *, unit: str) -> None:
    """Print the pooled rate, its range, and the most influential cohorts or trials."""
    from alkbayes.classical.influence.tables import ADDED_NOTE
    from alkbayes.presentation.influence import left_out_rows
    from alkbayes.text.names import shown

    console = console_for(evidence)
    say(console, f"Leaving out one {unit} at a time, {table.full.method}")
    say(console, f"Pooled from {counted(table.full.k, 'cohort')}: {_full(table.full)}")
    rows = records(table.rows)
    found = [row for row in rows if row["estimate"] is not None]
    for note, names in _without_result(rows).items():
        few = ", ".join(shown(name) for name in names[:SHOWN])
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        say(console, f"Without {'any one of ' if len(names) > 1 else ''}{few}{more}: {note}")
    if found:
        say(console, f"Without one of {counted(len(found), unit)}: {_range(found)}")
        chosen = [row for place, row in enumerate(found) if place < SHOWN or row["influential"]]
        # Without tau2 on a narrow terminal: its range is printed above.
        wide = console.width >= WIDTH
        left_out = left_out_rows(chosen, unit=unit, variances=wide, outcome=evidence.outcome, prob=table.prob)
        columns = left_out.headings
        print_table(console, left_out)
        _show_rest(console, [row for row in found if row not in chosen], diagnosed="Cook" in columns)
        for name in columns:
            if name in READING:
                say(console, f"{name + ':':<8}{READING[name]}", hang=8)
        if "*" not in columns and "Cook" in columns:
            refitted = f" of the {len(found):,} that could be refitted" if len(found) < len(rows) else ""
            say(console, f"None{refitted} is influential by metafor's rule of thumb.")
        for name in [row["left_out"] for row in found if row["left_out"] in table.added]:
            say(console, f"{shown(name)}: {ADDED_NOTE}")
    for note in (*_on_intervals(table), _note(table.full), table.note):
        if note:
            say(console, note)


def _on_intervals(table: "InfluenceTable") -> "Iterator[str]":
    """Yield why rows lack an interval, or have one of little use, with the result to use instead."""
    from alkbayes.text.names import shown
    from alkbayes.text.notes import shared_notes

    doubted = [
        (shown(name), [note for note in notes if note.instead])
        for name, estimate, notes in zip(table.rows["left_out"], table.rows["estimate"], table.row_notes, strict=True)
        if not math.isnan(estimate)
    ]
    for note in shared_notes(doubted[:SHOWN]):
        any_one = "any one of " if len(note.results) > 1 else ""
        whose = "" if note.names_rows else f"Without {any_one}{', '.join(note.results)}: "
        yield f"{whose}{note.worded(where='without')}"


def _note(full: "PooledProportion") -> str:
    """Return the note on all cohorts, without prediction intervals, which are not shown."""
    from alkbayes.text.notes import NoteKind, text_of

    unshown = {NoteKind.PREDICTION}
    if not {full.low, full.high} & {0, 1}:
        unshown.add(NoteKind.CUT_LIMIT)
    return text_of(note for note in full.notes if note.kind not in unshown)


def _show_rest(console: "Console", rest: list[dict[str, Any]], *, diagnosed: bool) -> None:
    """Print the largest change among the rows not shown."""
    if rest:
        most = max(abs(row["change"] or 0.0) for row in rest)
        more = ", with all diagnostics" if diagnosed else ""
        at_most = f"{100 * most:.2f} points at most"
        say(console, f"{len(rest):,} more change it by {at_most}; --json and --csv have all{more}.")


def _full(full: "PooledProportion") -> str:
    """Return the pooled rate of all cohorts."""
    if full.estimate is None:
        return "no result"
    text = f"{percent(full.estimate)} % ({percent_interval(full.low, full.high)})"
    return text if full.tau2 is None else f"{text}, tau2 {variance(full.tau2)}"


def _range(rows: list[dict[str, Any]]) -> str:
    """Return the ranges of estimate and tau2."""
    estimates = [row["estimate"] for row in rows]
    text = f"{percent_interval(min(estimates), max(estimates))} %"
    variances = [row["tau2"] for row in rows if row["tau2"] is not None]
    return f"{text}, tau2 {variance(min(variances))}–{variance(max(variances))}" if variances else text


def _without_result(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the names without a leave-out result by reason."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row["estimate"] is None:
            reasons.setdefault(row["note"], []).append(row["left_out"])
    return reasons
