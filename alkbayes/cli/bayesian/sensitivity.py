"""`alkbayes sensitivity`: dependence of a run's conclusions on priors, evidence and model."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.cli.shared.common import console_for, keep
from alkbayes.cli.shared.options import Csv, Json, Latex, Run, RunLevel, run_prob
from alkbayes.cli.shared.output import WIDTH, check_format, print_csv, print_json, say
from alkbayes.cli.shared.progress import counted, working
from alkbayes.cli.shared.reader import fits, print_parts, print_table
from alkbayes.errors import ConvergenceError, SamplingError

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit
    from alkbayes.sensitivity_analysis.conclusions import SensitivityRecord

Cuts = Annotated[
    Path | None,
    typer.Option(
        "--cuts",
        metavar="FILE",
        help="Other counts of the cohorts (columns cohort_id, cut, responders, n): those with cut later replace the "
        "cohorts' own in the alternative `later cut`. Default: those of the bundled trials.",
        show_default=False,
    ),
]


def command(
    run: Run, cuts: Cuts = None, level: RunLevel = None, json_: Json = False, csv: Csv = False, latex: Latex = False
) -> None:
    """Sensitivity analysis: how results change with priors, data choices and model.

    Results are kept in the run's folder as sensitivity.json, for figures and reports.

    Example: alkbayes sensitivity runs/line-generation-20261122-101500
    """
    check_format(json_=json_, csv=csv, latex=latex)
    prob = run_prob(level)
    from alkbayes.runs.run import read_fit

    fit = read_fit(run, prob=prob)
    if not fit.diagnostics.converged:
        raise ConvergenceError(
            f"the posterior of this run did not converge: {'; '.join(fit.diagnostics.failures)}. "
            "There is nothing to compare alternatives with. Fit again, with more draws (--draws)."
        )
    from alkbayes.appraisal.judgements import with_low_risk
    from alkbayes.evidence.cuts import with_cuts
    from alkbayes.runs.appraisal import appraisal_of
    from alkbayes.sensitivity_analysis.conclusions import sensitivity_record
    from alkbayes.sensitivity_analysis.power_scaling import power_scaling
    from alkbayes.sensitivity_analysis.refit import over_own, run_grid
    from alkbayes.sensitivity_analysis.table import grid_table

    appraisal = appraisal_of(run, fit.evidence)
    fit = replace(fit, evidence=with_low_risk(with_cuts(fit.evidence, cuts), appraisal))
    with working("scaling priors and likelihood"):
        scaling = power_scaling(over_own(fit))
    with counted("fitting the alternatives") as progress:
        grid = run_grid(fit, progress=progress)
    found = sensitivity_record(fit, grid, scaling)
    document = {"run": str(run), **found}
    keep(run, "sensitivity", {"sensitivity": document})
    if csv:
        print_csv(grid_table(grid))
    elif json_:
        print_json({"sensitivity": document})
    else:
        _show(run, fit, found)
    if grid.stopped:
        raise SamplingError(f"{grid.stopped} What was done so far is above and in {run / 'sensitivity.json'}.")


def _show(run: "Path", fit: "Fit", found: "SensitivityRecord") -> None:
    """Print the results, with as many columns of shifts as the console has room for."""
    from alkbayes.presentation.sensitivity import scaling_rows, shift_rows, shift_sentences

    console = console_for(fit.evidence)
    say(console, f"Model: {fit.spec.name} ({fit.spec.question})")
    say(console, f"Run: {run}")
    print_table(console, scaling_rows(found), space=True)
    outcome = fit.evidence.outcome
    whole = shift_rows(found, outcome)
    shorter = shift_rows(found, outcome, patients=console.width >= WIDTH, estimates=False)
    print_table(console, whole if fits(console, whole) else shorter, space=True)
    print_parts(console, shift_sentences(found, outcome))
    console.print()
    say(console, "What the conclusions depend on")
    for sentence in found["conclusions"]:
        say(console, f"- {sentence}", hang=2)
