"""`alkbayes compare`: predictive accuracy of several models for left-out cohorts and trials."""

from pathlib import Path
from typing import Annotated

import typer

from alkbayes.cli.shared import completion as completing
from alkbayes.cli.shared.common import console_for, keep
from alkbayes.cli.shared.options import Csv, Json, Latex, run_prob
from alkbayes.cli.shared.output import check_format, print_csv, print_json
from alkbayes.cli.shared.reader import print_parts
from alkbayes.errors import ConvergenceError, UsageError

Runs = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN RUN...", help="Folders of two or more runs of the same evidence.", autocompletion=completing.runs
    ),
]


FirstLevel = Annotated[
    float | None,
    typer.Option(
        "--level",
        metavar="LEVEL",
        help="Probability of all intervals, such as 0.9, or 90 in percent. Default: that of the first run.",
        show_default=False,
    ),
]


def command(runs: Runs, level: FirstLevel = None, json_: Json = False, csv: Csv = False, latex: Latex = False) -> None:
    """Model comparison by leave-one-cohort-out and leave-one-trial-out predictive accuracy.

    Results are kept in the folder of the first run as compare.json, for figures and reports.

    Example: alkbayes compare runs/line-20261122-101500 runs/line-generation-20261122-101600
    """
    check_format(json_=json_, csv=csv, latex=latex)
    prob = run_prob(level)
    if len({run.resolve() for run in runs}) < max(2, len(runs)):
        raise UsageError("Comparing takes two different runs at least. Give the folders of several, each once.")
    from alkbayes.cli.shared.progress import counted, working
    from alkbayes.criticism.comparison import check_comparable, compare_fits
    from alkbayes.runs.run import read_fit

    with working("reading"):
        found = [read_fit(run, prob=prob) for run in runs]
    models = [fit.spec.name for fit in found]
    fits = {
        str(run) if models.count(model) > 1 else model: fit for run, model, fit in zip(runs, models, found, strict=True)
    }
    check_comparable(fits)
    with counted("leaving out each trial") as progress:
        comparison = compare_fits(fits, progress=progress)
    document = {
        "comparison": {
            "runs": [{"run": name, "folder": str(run)} for name, run in zip(fits, runs, strict=True)],
            **comparison.to_dict(),
        }
    }
    keep(runs[0], "compare", document)
    if json_:
        print_json(document)
    elif csv:
        print_csv(comparison.elpd)
    else:
        from alkbayes.presentation.comparison import comparison_parts

        print_parts(console_for(found[0].evidence), comparison_parts(document["comparison"]))
    if failed := [name for name, fit in fits.items() if not fit.diagnostics.converged]:
        raise ConvergenceError(f"the posterior of {', '.join(failed)} did not converge. Do not use this comparison.")
