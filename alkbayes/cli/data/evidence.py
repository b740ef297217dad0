"""`alkbayes evidence`: what is in the table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared.common import console_for
from alkbayes.cli.shared.options import Csv, Data, Json
from alkbayes.cli.shared.output import check_format, print_csv, print_json, print_message, records
from alkbayes.cli.shared.progress import working
from alkbayes.text.names import column_title, shown
from alkbayes.text.wording import counted, percent

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from alkbayes.evidence.table import Evidence

Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Draw it to a PNG, SVG or PDF file: patients by year, line and generation, and every observed rate.",
        show_default=False,
    ),
]
GROUPS = ("line", "generation", "prior_tki", "agent")
CELLS = "line:generation"
MARKED = {("certainty", "low"): "low certainty", ("assessor_basis", "inferred"): "inferred assessor"}


def command(data: Data = None, plot: Plot = None, json_: Json = False, csv: Csv = False) -> None:
    """Say what is in the evidence table: cohorts, patients, responders by line, TKI generation, earlier ALK TKI, agent.

    Example: alkbayes evidence --data my-trials.csv --plot evidence.pdf
    """
    check_format(json_=json_, csv=csv)
    if plot is not None:
        from alkbayes.plots.files import figure_format
        from alkbayes.runs.places import check_free

        figure_format(plot, None)
        check_free([plot])
    with working("reading"):
        from alkbayes.evidence.cautions import table_cautions
        from alkbayes.evidence.table import make_up, read_evidence

        evidence = read_evidence(data)
        groups = make_up(evidence)
    if plot is not None:
        with working("drawing"):
            files = _plot(evidence, groups, plot)
        for file in files:
            print_message(f"Figure: {file}")
    if json_:
        warnings = list(table_cautions(evidence))
        print_json({"evidence": _totals(evidence), "groups": records(groups), "warnings": warnings})
    elif csv:
        print_csv(groups)
    else:
        _show(evidence, records(groups))


def _plot(evidence: "Evidence", groups: "pd.DataFrame", path: Path) -> list[Path]:
    """Draw what is in the table, and return the files."""
    from alkbayes.evidence.cautions import table_cautions
    from alkbayes.evidence.composition import patients_by_year
    from alkbayes.evidence.table import RECONSTRUCTION
    from alkbayes.plots.figures.evidence import make_up_figure, observed_forest
    from alkbayes.plots.files import save_figures
    from alkbayes.plots.page.style import Caption

    reconstruction = [RECONSTRUCTION] if evidence.bundled else []
    caption = Caption((f"Evidence: {evidence.source}.", *reconstruction, *table_cautions(evidence)))
    trials = "" if evidence.trials is None else f" of {counted(evidence.trials, 'trial')}"
    heading = f"{counted(evidence.cohorts, 'cohort')}{trials}, {counted(evidence.patients, 'patient')}"
    pages = make_up_figure(groups, patients_by_year(evidence), heading=heading, caption=caption)
    return save_figures([*pages, *observed_forest(evidence.frame, caption)], path)


def _totals(evidence: "Evidence") -> dict[str, Any]:
    """Return what the whole table comes to."""
    names = ("source", "sha256", "cohorts", "trials", "patients", "responders", "orr")
    return {name: getattr(evidence, name) for name in names}


def _show(evidence: "Evidence", groups: list[dict[str, Any]]) -> None:
    """Print the make-up for a reader."""
    console = console_for(evidence)
    console.print(f"sha256: {evidence.sha256}")
    trials = "" if evidence.trials is None else f" of {counted(evidence.trials, 'trial')}"
    console.print(
        f"{counted(evidence.cohorts, 'cohort')}{trials}, {counted(evidence.patients, 'patient')}, "
        f"{counted(evidence.responders, 'responder')}: crude ORR {percent(evidence.orr)} %"
    )
    for row in groups:
        if mark := MARKED.get((row["group"], row["level"])):
            console.print(f"{mark}: {counted(row['cohorts'], 'cohort')}, {counted(row['patients'], 'patient')}")
    if any(row["group"] in GROUPS for row in groups):
        console.print(_by_level(groups))
    if any(row["group"] == CELLS for row in groups):
        console.print(_by_cell(groups))
    console.print("Crude ORR is all responders over all patients. It is not a pooled estimate.")


def _name(level: str) -> str:
    """Return a level for a reader."""
    return shown(level) if level else "(not given)"


def _by_level(groups: list[dict[str, Any]]) -> "Table":
    """Return the table of counts by line, by generation, by earlier ALK TKI and by agent."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("by")
    table.add_column("level", overflow="fold")
    for heading in ("cohorts", "patients", "responders", "crude ORR %"):
        table.add_column(heading, justify="right")
    for group in GROUPS:
        rows = [row for row in groups if row["group"] == group]
        for place, row in enumerate(rows):
            counts = (f"{row[name]:,}" for name in ("cohorts", "patients", "responders"))
            table.add_row("" if place else column_title(group), Text(_name(row["level"])), *counts, percent(row["orr"]))
        table.add_section()
    return table


def _by_cell(groups: list[dict[str, Any]]) -> "Table":
    """Return the cross-table of line and generation."""
    from rich import box
    from rich.table import Table

    cells = {(row["first_level"], row["second_level"]): row for row in groups if row["group"] == CELLS}
    lines, generations = ([row["level"] for row in groups if row["group"] == group] for group in ("line", "generation"))
    table = Table(box=box.SIMPLE_HEAD, title="crude ORR %, and cohorts / patients", title_justify="left")
    table.add_column("line")
    for generation in generations:
        table.add_column(_name(generation), justify="right")
    for line in lines:
        of_line = [cells.get((line, generation)) for generation in generations]
        table.add_row(_name(line), *("–" if cell is None else _cell(cell) for cell in of_line))
    return table


def _cell(row: dict[str, Any]) -> str:
    """Return a cell of the cross-table: the rate, and under it of how many."""
    return f"{percent(row['orr'])}\n{row['cohorts']:,} / {row['patients']:,}"
