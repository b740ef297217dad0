"""`alkbayes diagnose`: whether the numbers of a run can be relied on."""

from typing import TYPE_CHECKING, Any

from alkbayes.cli.shared.common import empty_table, figure
from alkbayes.cli.shared.options import Json, Plots, Run
from alkbayes.cli.shared.output import WIDTH, print_json, reader_console, say
from alkbayes.cli.shared.progress import working
from alkbayes.errors import ConvergenceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from alkbayes.criticism.diagnosis import Diagnosis

FEWEST = 5
"""Parameters that a terminal shows: those with the fewest effective draws."""
DIVERGENT = 3
"""Parameters that a terminal names where transitions diverged."""


def command(run: Run, json_: Json = False, plots: Plots = None) -> None:
    """Convergence diagnostics and Monte Carlo errors of every parameter and reported number, with advice.

    Exit code 6 if the run must not be used.

    Example: alkbayes diagnose runs/line-generation-20261122-101500 --plots plots
    """
    from alkbayes.plots.folder import write_plots
    from alkbayes.runs.places import check_plots_place
    from alkbayes.runs.run import read_fit

    if plots is not None:
        check_plots_place(plots)
    with working("judging the draws"):
        fit = read_fit(run)
        from alkbayes.criticism.diagnosis import diagnosis_of
        from alkbayes.plots.figures.draws import diagnosis_figures

        found = diagnosis_of(fit)
        files = [] if plots is None else write_plots(plots, diagnosis_figures(fit))
    if json_:
        subject = {"run": str(run), "model": fit.spec.name}
        print_json(subject | found.as_record() | {"plots": [str(each) for each in files]})
    else:
        settings = fit.provenance.settings
        _show(found, f"Run: {run}, model {fit.spec.name}, {found.engine}, {settings.chains} × {settings.draws:,} draws")
        if files:
            reader_console().print(f"Plots: {', '.join(str(each) for each in files)}", soft_wrap=True)
    if found.failures:
        names = ", ".join(each.name for each in found.findings if each.verdict == "failed")
        raise ConvergenceError(f"{run} must not be used. What failed: {names}.")


def _show(found: "Diagnosis", subject: str) -> None:
    console = reader_console()
    say(console, subject)
    console.print(f"Verdict: {found.conclusion}")
    table = empty_table(console)
    table.add_column("diagnostic", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("what it says", overflow="fold")
    for each in found.findings:
        table.add_row(each.name, str(each.verdict), each.with_advice)
    console.print(table)
    # Tables have an empty line around them where there is room.
    gap = "\n" if console.width < WIDTH else ""
    if len(found.divergent):
        rows = found.divergent.head(DIVERGENT).to_dict(orient="records")
        named = ", ".join(f"{row['parameter']} {figure(row['difference'], 1)}" for row in rows)
        console.print(f"{gap}Divergent draws against the others, in normal scores of the ranks: {named}")
    rows = found.as_record()["quantities"]
    reported = [row for row in rows if row["kind"] == "reported"]
    headline = [row for row in reported if row["headline"]]
    console.print(
        f"{gap}Headline numbers, {len(headline)} of {len(reported)} reported ones; rates and differences in percent"
    )
    console.print(_quantities(console, headline))
    parameters = [row for row in rows if row["kind"] == "parameter"]
    fewest = sorted(parameters, key=lambda row: min(row["ess_bulk"] or 0.0, row["ess_tail"] or 0.0))[:FEWEST]
    console.print(f"{gap}Parameters with the fewest effective draws, {len(fewest)} of {len(parameters)}; logit scale")
    console.print(_quantities(console, fewest))
    console.print(f"{gap}error: Monte Carlo standard error, of the median and of the worse end of the 95 % interval.")
    console.print("Decimals shown are those that the errors support. --json has every number and parameter.")


def _quantities(console: "Console", rows: "Sequence[dict[str, Any]]") -> "Table":
    from alkbayes.presentation.diagnosis import quantity_rows

    shown = quantity_rows("", rows)
    table = empty_table(console)
    for place, heading in enumerate(shown.headings):
        table.add_column(heading, overflow="fold", justify="right" if place else "left", no_wrap=place > 0)
    for cells in shown.rows:
        table.add_row(*cells)
    return table
