"""`alkbayes safety`: adverse events, and benefit beside harm."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.cli.shared.common import console_for, evidence_for, keep, prob_for
from alkbayes.cli.shared.options import AnalysisLevel, Csv, ForRun, Json, Latex, reads_table
from alkbayes.cli.shared.output import check_format, print_csv, print_json, print_note, say
from alkbayes.cli.shared.progress import working
from alkbayes.errors import ConvergenceError, UsageError
from alkbayes.evidence.sources import TableSource

if TYPE_CHECKING:
    from alkbayes.analyses.safety import Safety
    from alkbayes.evidence.adverse_events import AdverseEvents
    from alkbayes.evidence.table import Evidence

Events = Annotated[
    Path | None,
    typer.Option(
        "--adverse-events",
        metavar="FILE",
        help="Counts of adverse events of the cohorts (columns cohort_id, measure, events, n). Default: those of the "
        "bundled trials.",
        show_default=False,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="COLUMN",
        help="Part the counts by the levels of this column. Default: regimen_class, if there is one.",
        show_default=False,
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        "--table",
        metavar="FILE",
        help="Write the counts as a table of cohorts (CSV), for fit, pool, report and the other commands.",
        show_default=False,
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Plot benefit beside harm (PNG, SVG or PDF).", show_default=False),
]


@reads_table
def command(
    data: TableSource | None = None,
    adverse_events: Events = None,
    by: By = None,
    table: Table = None,
    plot: Plot = None,
    for_run: ForRun = None,
    level: AnalysisLevel = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Adverse events: how little is known, rates by level, and response beside harm.

    Example: alkbayes safety --plot harm.pdf
    """
    check_format(json_=json_, csv=csv, latex=latex)
    prob = prob_for(level, for_run)
    _check_files(plot, table)
    from alkbayes.evidence.adverse_events import read_adverse_events

    evidence = evidence_for(data, for_run)
    if adverse_events is None and not evidence.bundled:
        raise UsageError(
            f"the bundled counts are not of the cohorts of {evidence.source}. Give theirs: --adverse-events FILE."
        )
    whole = evidence.part_of or evidence
    events = read_adverse_events(adverse_events, set(whole.frame["cohort_id"]))
    from alkbayes.analyses.safety import cohort_table, safety_of

    with working("pooling each measure"):
        found = safety_of(evidence, events, by=by, prob=prob)
    if table is not None:
        from alkbayes.runs.places import new_files

        with new_files(table, [table]) as places:
            places[0].write_text(cohort_table(evidence, events, by).to_csv(index=False), encoding="utf-8")
        print_note(f"Table: {table}. It has a pair of columns for each of the models that count adverse events.")
    if plot is not None:
        _draw(found, plot)
    record = found.to_dict()
    if for_run is not None:
        keep(for_run, "safety", record)
    if json_:
        print_json({"safety": record})
    elif csv:
        print_csv(found.counts)
    else:
        _show(evidence, events, found)
    if found.failures:
        raise ConvergenceError(f"a posterior did not converge: {'; '.join(found.failures)}. Do not use these numbers.")


def _check_files(plot: Path | None, table: Path | None) -> None:
    """Check, before anything is computed, that what is asked for can be written."""
    from alkbayes.runs.places import check_free, format_of

    if plot is not None:
        from alkbayes.plots.files import figure_format

        figure_format(plot, None)
        check_free([plot], "plot")
    if table is not None:
        format_of(table, None, {"csv": ("csv",)}, "a table")
        check_free([table], "table")


def _show(evidence: "Evidence", events: "AdverseEvents", found: "Safety") -> None:
    """Print the results for a reader."""
    from alkbayes.cli.shared.reader import print_parts
    from alkbayes.evidence.overlaps import Beside, overlaps
    from alkbayes.presentation.safety import safety_parts

    console = console_for(evidence)
    say(console, f"Adverse events: {events.source}")
    whole = evidence.part_of or evidence
    for sentence in overlaps(whole.frame, Beside(adverse_events=events)):
        say(console, f"Caution: {sentence}")
    print_parts(console, safety_parts(found.to_dict()))


def _draw(found: "Safety", path: Path) -> None:
    """Draw benefit beside harm, and report the file on stderr."""
    from alkbayes.plots.figures.safety import benefit_beside_harm
    from alkbayes.plots.files import save_figures
    from alkbayes.plots.page.style import Caption

    evidence = found.evidence
    notes = (f"Evidence: {evidence.source}; adverse events: {found.table.source}.", *found.few)
    caption = Caption(notes, outcome=evidence.outcome, interval_prob=found.interval_prob)
    for file in save_figures(benefit_beside_harm(found.benefit, found.by_label, caption), path):
        print_note(f"Figure: {file}")
