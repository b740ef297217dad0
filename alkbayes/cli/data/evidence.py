"""`alkbayes evidence`: composition of the table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared.common import console_for, evidence_counted
from alkbayes.cli.shared.options import Csv, Json, Latex, OutcomeOf, reads_table
from alkbayes.cli.shared.output import check_format, print_csv, print_json, print_note, records, say
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_table
from alkbayes.errors import UsageError
from alkbayes.evidence.sources import TableSource
from alkbayes.text.wording import counted, percent

if TYPE_CHECKING:
    import pandas as pd

    from alkbayes.evidence.overlaps import Beside
    from alkbayes.evidence.table import Evidence

Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Plot the composition of the table, and every observed rate (PNG, SVG or PDF).",
        show_default=False,
    ),
]
New = Annotated[
    Path | None,
    typer.Option(
        "--new",
        metavar="FILE",
        help="Write a workbook (.xlsx) to fill in, with a sheet that explains the columns (--outcome MODEL: with "
        "those of the model); read no table.",
        show_default=False,
    ),
]
MARKED = {("certainty", "low"): "low certainty", ("assessor_basis", "inferred"): "inferred assessor"}


@reads_table
def command(
    data: TableSource | None = None,
    outcome: OutcomeOf = None,
    plot: Plot = None,
    new: New = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Contents of the evidence table: cohorts and counts by group, with cautions.

    Example: alkbayes evidence --data my-trials.csv --plot evidence.pdf
    """
    check_format(json_=json_, csv=csv, latex=latex)
    if new is not None:
        if data is not None:
            raise UsageError("--new writes an empty table, and --data reads one. Give one of them.")
        _write_template(new, outcome)
        return
    if plot is not None:
        from alkbayes.plots.files import figure_format
        from alkbayes.runs.places import check_free

        figure_format(plot, None)
        check_free([plot], "plot")
    with working("reading"):
        from alkbayes.evidence.cautions import table_cautions
        from alkbayes.evidence.table import composition

        evidence = evidence_counted(data, outcome)
        groups = composition(evidence)
    if plot is not None:
        with working("drawing"):
            files = _plot(evidence, groups, plot)
        for file in files:
            print_note(f"Figure: {file}")
    across = _across_tables(evidence)
    if json_:
        warnings = [*table_cautions(evidence), *(() if across is None else across[1])]
        totals, notes = _totals(evidence), list(evidence.notes)
        print_json({"evidence": totals, "groups": records(groups), "notes": notes, "warnings": warnings})
    elif csv:
        print_csv(groups)
    else:
        _show(evidence, records(groups))
        if across is not None:
            from alkbayes.cli.shared.output import reader_console
            from alkbayes.presentation.evidence import beside_sentences

            for sentence in beside_sentences(*across):
                say(reader_console(), sentence)


def _across_tables(evidence: "Evidence") -> "tuple[Beside, tuple[str, ...]] | None":
    """Return the tables beside the bundled cohorts, and who is counted twice across them; None for other cohorts."""
    from alkbayes.evidence.overlaps import bundled_beside, overlaps

    whole = evidence.part_of or evidence
    if not (evidence.bundled and evidence.outcome.usual):
        return None
    beside = bundled_beside(whole)
    return beside, overlaps(whole.frame, beside)


def _write_template(path: Path, model: str | None) -> None:
    """Write a workbook to fill in, with the columns of a model if one is given."""
    from alkbayes.evidence.template import template
    from alkbayes.runs.places import format_of, new_files
    from alkbayes.spec.schema import model_path, read_spec

    format_of(path, None, {"xlsx": ("xlsx",)}, "a workbook")
    spec = None if model is None else read_spec(model_path(model))
    with new_files(path, [path]) as places:
        places[0].write_bytes(template() if spec is None else template(spec.outcome, spec.columns))
    print_note(f"Workbook: {path}. Fill in its first sheet; the second explains the columns.")


def _plot(evidence: "Evidence", groups: "pd.DataFrame", path: Path) -> list[Path]:
    """Draw the composition and return the files."""
    from alkbayes.alk.review import RECONSTRUCTION
    from alkbayes.evidence.cautions import table_cautions
    from alkbayes.evidence.composition import patients_by_year
    from alkbayes.evidence.table import labelled
    from alkbayes.plots.figures.evidence import composition_figure, observed_forest
    from alkbayes.plots.files import save_figures
    from alkbayes.plots.page.style import Caption

    reconstruction = [RECONSTRUCTION] if evidence.bundled else []
    notes = (f"Evidence: {evidence.source}.", *reconstruction, *table_cautions(evidence))
    caption = Caption(notes, outcome=evidence.outcome)
    trials = "" if evidence.trials is None else f" of {counted(evidence.trials, 'trial')}"
    heading = f"{counted(evidence.cohorts, 'cohort')}{trials}, {evidence.outcome.units_of(evidence.patients)}"
    pages = composition_figure(groups, patients_by_year(evidence), heading=heading, caption=caption)
    return save_figures([*pages, *observed_forest(labelled(evidence.frame, evidence.frame), caption)], path)


def _totals(evidence: "Evidence") -> dict[str, Any]:
    """Return what the whole table comes to."""
    names = ("source", "sheet", "sha256", "cohorts", "trials", "patients", "responders", "orr")
    return {name: getattr(evidence, name) for name in names} | {
        "columns": dict(evidence.columns),
        **evidence.selection.as_record(),
    }


def _show(evidence: "Evidence", groups: list[dict[str, Any]]) -> None:
    """Print the composition for a reader."""
    from alkbayes.presentation.evidence import group_rows, understood

    console, outcome = console_for(evidence), evidence.outcome
    if not evidence.bundled:
        say(console, understood(evidence))
    say(console, f"sha256: {evidence.sha256}")
    trials = "" if evidence.trials is None else f" of {counted(evidence.trials, 'trial')}"
    say(
        console,
        f"{counted(evidence.cohorts, 'cohort')}{trials}, {outcome.units_of(evidence.patients)}, "
        f"{outcome.events_of(evidence.responders)}: crude {outcome.short} {percent(evidence.orr)} %",
    )
    for row in groups:
        if mark := MARKED.get((row["group"], row["level"])):
            say(console, f"{mark}: {counted(row['cohorts'], 'cohort')}, {outcome.units_of(row['patients'])}")
    table = group_rows(groups, outcome)
    if table.rows:
        print_table(console, table, space=True)
    over = f"all {outcome.events} over all {outcome.units}"
    say(console, f"Crude {outcome.short} is {over}. It is not a pooled estimate.")
