"""`alkbayes summary`: print a finished run again."""

from alkbayes.cli.options import Json, Run
from alkbayes.cli.output import print_json
from alkbayes.errors import ConvergenceError


def command(run: Run, json_: Json = False) -> None:
    """Print a finished run again, after checking that its files are the ones it wrote.

    Example: alkbayes summary runs/line-generation-20261122-101500
    """
    from alkbayes.runs import read_run

    document = read_run(run) | {"run": str(run)}
    if json_:
        print_json(document)
    else:
        from alkbayes.cli.report import show_fit

        show_fit(document)
    if not document["diagnostics"]["converged"]:
        raise ConvergenceError(
            f"the posterior of this run did not converge: {'; '.join(document['diagnostics']['failures'])}. "
            "Do not use its results."
        )
    if faults := (document.get("cross_check") or {}).get("faults"):
        raise ConvergenceError(f"the cross-check of this run failed: {'; '.join(faults)}.")
