"""`alkbayes summary`: print a finished run again."""

from typing import Annotated

import typer

from alkbayes.cli.shared.options import Above, Json, Run, RunLevel, limits_of, run_prob
from alkbayes.cli.shared.output import print_json, print_text, records
from alkbayes.errors import ConvergenceError, UsageError

Plain = Annotated[bool, typer.Option("--plain", help="Print a summary in plain language instead.")]


def command(run: Run, plain: Plain = False, above: Above = None, level: RunLevel = None, json_: Json = False) -> None:
    """Results of a finished run, after a check that its files are unchanged.

    Example: alkbayes summary runs/line-generation-20261122-101500
    """
    from alkbayes.runs.run import read_run_at

    if plain and json_:
        raise UsageError("--plain and --json exclude each other: one document goes to stdout. Give one of them.")
    limits = limits_of(above)
    document, _ = read_run_at(run, run_prob(level))
    if limits:
        from alkbayes.estimates.exceedance import exceedance_table
        from alkbayes.runs.run import read_fit

        document = {**document, "exceedance": records(exceedance_table(read_fit(run), limits))}
    if json_:
        print_json({**document, "run": str(run)})
    elif plain:
        from alkbayes.presentation.plain_language import summary

        print_text(summary(document))
    else:
        from alkbayes.cli.bayesian.fit_sheet import show_fit

        show_fit(document, run)
    if not document["diagnostics"]["converged"]:
        raise ConvergenceError(
            f"the posterior of this run did not converge: {'; '.join(document['diagnostics']['failures'])}. "
            "Do not use its results."
        )
    from alkbayes.presentation.fit import cross_check_faults

    if faults := cross_check_faults(document):
        raise ConvergenceError(f"the cross-check of this run failed: {'; '.join(faults)}.")
