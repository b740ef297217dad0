"""`alkbayes outliers`: cohorts not predicted by a model, and the influence of each trial."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.cli.shared.common import console_for, keep
from alkbayes.cli.shared.options import Csv, Json, Latex, Run, RunLevel, run_prob
from alkbayes.cli.shared.output import check_format, print_csv, print_json
from alkbayes.cli.shared.reader import print_parts
from alkbayes.errors import ConvergenceError

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit

ByTrial = Annotated[
    bool, typer.Option("--by-trial", help="Leave out each trial, and show how far the headline numbers move.")
]
NUTS_MINUTES = 0.5
"""Approximate minutes of a NUTS refit with compilation, which every design without a trial needs."""


def command(
    run: Run,
    by_trial: ByTrial = False,
    level: RunLevel = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Outlying cohorts: each against its prediction from the others, or results without each trial.

    Results are kept in the run's folder as outliers.json or outliers-by-trial.json, for figures and reports.

    Example: alkbayes outliers runs/line-generation-20261122-101500 --by-trial
    """
    check_format(json_=json_, csv=csv, latex=latex)
    prob = run_prob(level)
    from alkbayes.runs.run import read_fit

    fit = read_fit(run, prob=prob)
    (_trials if by_trial else _cohorts)(run, fit, json_=json_, csv=csv)
    if not fit.diagnostics.converged:
        raise ConvergenceError(
            f"the posterior of this run did not converge: {'; '.join(fit.diagnostics.failures)}. "
            "Do not use its results."
        )


def _cohorts(run: Path, fit: "Fit", *, json_: bool, csv: bool) -> None:
    from alkbayes.cli.shared.progress import counted
    from alkbayes.criticism.loo_cohorts import leave_one_cohort_out
    from alkbayes.criticism.outliers import fit_record, outlier_record, outlier_table

    with counted("refitting without single cohorts") as progress:
        left_out = leave_one_cohort_out(fit, progress=progress)
    table = outlier_table(fit, left_out)
    document = {"outliers": fit_record(fit) | outlier_record(fit, left_out, table)}
    keep(run, "outliers", document)
    if json_:
        print_json(document)
    elif csv:
        print_csv(table)
    else:
        from alkbayes.evidence.table import cohort_labels
        from alkbayes.presentation.outliers import outlier_parts

        labels = cohort_labels(fit.evidence.frame)
        print_parts(console_for(fit.evidence), outlier_parts(document["outliers"], fit.evidence.outcome, labels))


def _trials(run: Path, fit: "Fit", *, json_: bool, csv: bool) -> None:
    from alkbayes.cli.shared.progress import counted
    from alkbayes.criticism.loo_trials import leave_one_trial_out, trials_to_leave_out
    from alkbayes.criticism.outliers import fit_record
    from alkbayes.inference.importance.target import unsupported

    trials = trials_to_leave_out(fit)
    if why := unsupported(fit.design):
        typer.echo(
            f"warning: the model has {why}, so that its {len(trials)} refits are sampled by NUTS; this takes about "
            f"{len(trials) * NUTS_MINUTES:.0f} minutes.",
            err=True,
        )
    with counted("leaving out each trial") as progress:
        found = leave_one_trial_out(fit, progress=progress)
    document = {"by_trial": fit_record(fit) | found.to_dict()}
    keep(run, "outliers-by-trial", document)
    if json_:
        print_json(document)
    elif csv:
        print_csv(found.moves)
    else:
        from alkbayes.presentation.outliers import trial_parts

        print_parts(console_for(fit.evidence), trial_parts(document["by_trial"]))
