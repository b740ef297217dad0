"""`alkbayes predictive`: prior and posterior predictive checks."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.cli.shared.options import Csv, Json, Latex, Plots, Run, RunLevel, run_prob
from alkbayes.cli.shared.output import check_format, print_csv, print_json, reader_console, say
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_parts
from alkbayes.errors import ConvergenceError

if TYPE_CHECKING:
    from alkbayes.criticism.predictive import PosteriorChecks, PriorChecks
    from alkbayes.inference.fit import Fit

Prior = Annotated[bool, typer.Option("--prior", help="Prior predictive checks instead, before any count is used.")]


def command(
    run: Run,
    prior: Prior = False,
    level: RunLevel = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
    plots: Plots = None,
) -> None:
    """Posterior predictive checks, by cohort and overall.

    Example: alkbayes predictive runs/line-generation-20261122-101500 --plots checks
    """
    check_format(json_=json_, csv=csv, latex=latex)
    prob = run_prob(level)
    from alkbayes.runs.places import check_plots_place
    from alkbayes.runs.run import read_fit

    if plots is not None:
        check_plots_place(plots)
    with working("making tables like the observed one"):
        fit = read_fit(run, prob=prob)
        from alkbayes.criticism.predictive import PosteriorChecks, posterior_checks, prior_checks
        from alkbayes.evidence.table import cohort_labels
        from alkbayes.presentation.predictive import posterior_parts, prior_parts

        found = prior_checks(fit) if prior else posterior_checks(fit)
        files = [] if plots is None else _draw(run, fit, found, plots)
    if json_:
        subject = {"run": str(run), "model": fit.spec.name, "of": "prior" if prior else "posterior"}
        print_json(subject | found.as_record() | {"plots": [str(each) for each in files]})
    elif csv:
        table = found.cohorts if isinstance(found, PosteriorChecks) else found.cells
        print_csv(table)
    else:
        console = reader_console()
        say(console, f"Run: {run}, model {fit.spec.name}, evidence {fit.evidence.source}")
        for note in fit.evidence.notes:
            say(console, note)
        say(console, f"Verdict: {found.conclusion}")
        if isinstance(found, PosteriorChecks):
            print_parts(console, posterior_parts(found, cohort_labels(fit.evidence.frame)))
        else:
            print_parts(console, prior_parts(found))
        if files:
            say(console, f"Plots: {', '.join(str(each) for each in files)}")
    # What the priors predict does not depend on whether the posterior converged.
    if not prior and not fit.diagnostics.converged:
        raise ConvergenceError(
            f"the posterior of this run did not converge: {'; '.join(fit.diagnostics.failures)}. "
            "Do not use what it predicts."
        )


def _draw(run: Path, fit: "Fit", found: "PosteriorChecks | PriorChecks", folder: Path) -> list[Path]:
    """Write the figures of checks, without calibration for few cohorts."""
    from alkbayes.criticism.predictive import LEAST_COHORTS, PriorChecks
    from alkbayes.evidence.table import labelled
    from alkbayes.plots.figures.calibration import calibration
    from alkbayes.plots.figures.predictive import predictive, prior_cells
    from alkbayes.plots.files import save_folder
    from alkbayes.plots.source import RunTables
    from alkbayes.runs.run import read_run

    caption = replace(RunTables(run, read_run(run)).caption, interval_prob=found.interval_prob)
    if isinstance(found, PriorChecks):
        # Prior predictions do not depend on convergence of the posterior.
        return save_folder(folder, {"prior-cells": prior_cells(found.cells, replace(caption, warning=""))})
    figures = {"intervals": predictive(labelled(found.cohorts, fit.evidence.frame), caption, unit=found.unit)}
    if len(found.cohorts) >= LEAST_COHORTS:
        figures["calibration"] = calibration(found.pit, found.uniform, caption)
    return save_folder(folder, figures)
