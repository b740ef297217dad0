"""`alkbayes sensitivity`: what a run's conclusions depend on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alkbayes.cli.shared.common import console_for, keep
from alkbayes.cli.shared.options import Csv, Json, Run
from alkbayes.cli.shared.output import WIDTH, check_format, print_csv, print_json, say
from alkbayes.cli.shared.progress import counted, working
from alkbayes.cli.shared.reader import fits, print_parts, print_table
from alkbayes.errors import ConvergenceError, SamplingError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from alkbayes.inference.fit import Fit
    from alkbayes.presentation.tables import ReaderTable
    from alkbayes.sensitivity.power_scaling import PowerScaling
    from alkbayes.sensitivity.table import Grid


def command(run: Run, json_: Json = False, csv: Csv = False) -> None:
    """Sensitivity analysis: how results change with priors, data choices and model.

    Results are kept in the run's folder as sensitivity.json, for figures and reports.

    Example: alkbayes sensitivity runs/line-generation-20261122-101500
    """
    check_format(json_=json_, csv=csv)
    from alkbayes.runs.run import read_fit

    fit = read_fit(run)
    if not fit.diagnostics.converged:
        raise ConvergenceError(
            f"the posterior of this run did not converge: {'; '.join(fit.diagnostics.failures)}. "
            "There is nothing to compare alternatives with. Fit again, with more draws (--draws)."
        )
    from alkbayes.sensitivity.conclusions import conclusions, movers
    from alkbayes.sensitivity.power_scaling import power_scaling
    from alkbayes.sensitivity.refit import over_own, run_grid
    from alkbayes.sensitivity.table import grid_records, grid_table

    with working("scaling priors and likelihood"):
        scaling = power_scaling(over_own(fit))
    with counted("fitting the alternatives") as progress:
        grid = run_grid(fit, progress=progress)
    said = conclusions(grid, scaling)
    largest = [
        {
            "number": mover.number.name,
            "alternative": mover.alternative,
            "statistic": mover.shift.largest,
            "shift": mover.shift.by[mover.shift.largest],
            "shift_error": mover.shift.errors[mover.shift.largest],
            "shift_in_sds": mover.shift.in_sds,
            "beyond_noise": mover.shift.beyond_noise,
        }
        for mover in movers(grid)
    ]
    document = {
        "run": str(run),
        "model": fit.spec.name,
        "power_scaling": scaling.as_record(),
        "alternatives": grid_records(grid),
        "largest": largest,
        "conclusions": said,
    }
    keep(run, "sensitivity", {"sensitivity": document})
    if csv:
        print_csv(grid_table(grid))
    elif json_:
        print_json({"sensitivity": document})
    else:
        _show(run, fit, grid, scaling, said)
    if grid.stopped:
        raise SamplingError(f"{grid.stopped} What was done so far is above and in {run / 'sensitivity.json'}.")


def _show(run: "Path", fit: "Fit", grid: "Grid", scaling: "PowerScaling", said: Sequence[str]) -> None:
    """Print what was found for a reader."""
    from alkbayes.presentation.sensitivity import scaling_rows, shift_sentences

    console = console_for(fit.evidence)
    say(console, f"Model: {fit.spec.name} ({fit.spec.question})")
    console.print(f"Run: {run}", soft_wrap=True)
    print_table(console, scaling_rows(grid, scaling), space=True)
    print_table(console, _shifts(console, grid), space=True)
    print_parts(console, shift_sentences(fit, grid))
    console.print("\nWhat the conclusions depend on")
    for sentence in said:
        say(console, f"- {sentence}", hang=2)


def _shifts(console: "Console", grid: "Grid") -> "ReaderTable":
    """Return the table of shifts, with all that the console has room for."""
    from alkbayes.presentation.sensitivity import shift_rows

    with_estimates = shift_rows(grid, patients=True, estimates=True)
    return (
        with_estimates
        if fits(console, with_estimates)
        else shift_rows(grid, patients=console.width >= WIDTH, estimates=False)
    )
