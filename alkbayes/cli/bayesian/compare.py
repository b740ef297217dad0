"""`alkbayes compare`: which of several models predicts cohorts and trials best that it has not seen."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared import completion as completing
from alkbayes.cli.shared.common import console_for, empty_table, figure, keep
from alkbayes.cli.shared.options import Csv, Json
from alkbayes.cli.shared.output import check_format, print_csv, print_json, records
from alkbayes.errors import ConvergenceError, UsageError
from alkbayes.text.wording import percent, percent_interval

if TYPE_CHECKING:
    from rich.console import Console

    from alkbayes.criticism.comparison import Comparison
    from alkbayes.inference.fit import Fit

Runs = Annotated[
    list[Path],
    typer.Argument(metavar="RUN RUN...", help="Folders of runs of the same evidence.", autocompletion=completing.runs),
]
HEADINGS = {
    "cohort": "By cohort: integrated leave-one-out",
    "trial": "By trial: exact refits",
}


def command(runs: Runs, json_: Json = False, csv: Csv = False) -> None:
    """Model comparison by leave-one-cohort-out and leave-one-trial-out predictive accuracy.

    What is found is kept in the folder of the first run, as compare.json, for figures and reports.

    Example: alkbayes compare runs/line-20261122-101500 runs/line-generation-20261122-101600
    """
    check_format(json_=json_, csv=csv)
    if len({run.resolve() for run in runs}) < max(2, len(runs)):
        raise UsageError("Comparing takes two different runs at least. Give the folders of several, each once.")
    from alkbayes.cli.shared.progress import counted, working
    from alkbayes.criticism.comparison import check_comparable, compare_fits, verdict
    from alkbayes.runs.run import read_fit

    with working("reading"):
        found = [read_fit(run) for run in runs]
    models = [fit.spec.name for fit in found]
    fits = {
        str(run) if models.count(model) > 1 else model: fit for run, model, fit in zip(runs, models, found, strict=True)
    }
    check_comparable(fits)
    with counted("refitting without each trial") as progress:
        comparison = compare_fits(fits, progress=progress)
    document = {
        "comparison": {
            "runs": [{"run": name, "folder": str(run)} for name, run in zip(fits, runs, strict=True)],
            "elpd": records(comparison.elpd),
            "weights_by": comparison.weights_by,
            "stacked": records(comparison.stacked),
            "pointwise": records(comparison.pointwise),
            "verdict": list(verdict(comparison)),
            "cautions": list(comparison.cautions),
        }
    }
    keep(runs[0], "compare", document)
    if json_:
        print_json(document)
    elif csv:
        print_csv(comparison.elpd)
    else:
        _show(fits, comparison)
    if failed := [name for name, fit in fits.items() if not fit.diagnostics.converged]:
        raise ConvergenceError(f"the posterior of {', '.join(failed)} did not converge. Do not use this comparison.")


def _show(fits: dict[str, "Fit"], comparison: "Comparison") -> None:
    from alkbayes.criticism.comparison import verdict

    console = console_for(next(iter(fits.values())).evidence)
    grid = empty_table(console)
    grid.add_column("run", overflow="fold")
    for heading in ("elpd", "SE", "p", "difference", "SE", "weight"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for unit, rows in comparison.elpd.groupby("left_out", sort=False):
        if grid.row_count:
            grid.add_row()
        grid.add_row(HEADINGS[str(unit)])
        for row in records(rows):
            grid.add_row(
                f"  {row['run']}",
                *(figure(row[name], 1) for name in ("elpd", "se", "p", "difference", "difference_se")),
                figure(row["weight"]),
            )
    console.print(grid)
    console.print("elpd:       log predictive density of what is left out; larger is better")
    console.print("p:          effective number of parameters")
    console.print("difference: from the best run, with its standard error")
    console.print("weight:     of stacking: the mixture of the runs that predicts best")
    _show_stacked(console, comparison)
    for sentence in verdict(comparison):
        console.print(sentence)
    for caution in comparison.cautions:
        console.print(f"Caution: {caution}")


def _show_stacked(console: "Console", comparison: "Comparison") -> None:
    """Print the headline numbers by run, and by the mixture of all."""
    from rich.text import Text

    from alkbayes.text.names import shown

    if comparison.stacked.empty:
        console.print("The runs report no headline number in common: nothing is stacked.")
        return
    grid = empty_table(console)
    grid.add_column("headline number", overflow="fold")
    for heading in ("mean", "95 % interval"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for number, rows in comparison.stacked.groupby("number", sort=False):
        grid.add_row(Text(shown(str(number))))
        for row in records(rows):
            grid.add_row(f"  {row['run']}", *_figures(row))
    console.print()
    console.print(grid)
    console.print(
        f"(stacked): the mixture of the runs' posteriors with the weights by {comparison.weights_by}; rates in %"
    )


def _figures(row: dict[str, Any]) -> tuple[str, str]:
    """Return the mean of a number and its interval: rates in percent, SDs as they are."""
    if row["measure"] in ("sd", "correlation"):
        return figure(row["mean"]), f"{figure(row['low'])}–{figure(row['high'])}"
    if row["measure"] == "risk_difference":
        low, high = (percent(row[name]).replace("-", "−") for name in ("low", "high"))
        return percent(row["mean"]).replace("-", "−"), f"{low} to {high}"
    return percent(row["mean"]), percent_interval(row["low"], row["high"])
