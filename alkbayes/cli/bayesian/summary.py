"""`alkbayes summary`: print a finished run again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.cli.shared.options import Above, At, Csv, Json, Latex, Run, RunLevel, limits_of, run_prob, values_at
from alkbayes.cli.shared.output import check_format, print_csv, print_json, print_text, records
from alkbayes.errors import ConvergenceError, UsageError
from alkbayes.presentation.tables import value_columns

if TYPE_CHECKING:
    from alkbayes.runs.document import RunDocument

Plain = Annotated[bool, typer.Option("--plain", help="Print a summary in plain language instead.")]


def command(
    run: Run,
    plain: Plain = False,
    above: Above = None,
    at: At = None,
    level: RunLevel = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Results of a finished run, after a check that its files are unchanged.

    --csv prints the rates of --at; the run's folder has the other tables.

    Example: alkbayes summary runs/line-generation-20261122-101500 --above 50
    """
    from alkbayes.runs.run import read_run

    check_format(json_=json_, csv=csv, latex=latex)
    if plain and (json_ or csv or latex or at):
        raise UsageError("--plain excludes --json, --csv, --latex and --at: it is a text of its own. Give one of them.")
    if csv and not at:
        raise UsageError("--csv prints the rates of --at, and there is none. The other tables are in the run's folder.")
    limits, values, prob = limits_of(above), values_at(at), run_prob(level)
    document = _with_more(read_run(run), run, prob, limits, values)
    if csv:
        import pandas as pd

        print_csv(pd.DataFrame([value_columns(row) for row in document["rates_at"]]))
    elif json_:
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


def _with_more(
    document: "RunDocument",
    run: Path,
    prob: float | None,
    limits: list[float],
    values: dict[str, tuple[str, ...]],
) -> "RunDocument":
    """Return a run's document with what its draws are read for: another level, exceedance, and rates at values."""
    anew = prob not in {None, document["interval_prob"]}
    if not (anew or limits or values):
        return document
    from alkbayes.estimates.exceedance import exceedance_table
    from alkbayes.estimates.moderators import rates_at
    from alkbayes.estimates.monte_carlo import error_columns_of
    from alkbayes.estimates.rates import posterior_of
    from alkbayes.estimates.results import results_of
    from alkbayes.runs.run import at_level, read_fit

    fit = read_fit(run, document, prob=prob)
    if anew:
        document = at_level(document, results_of(fit))
    if limits:
        document = {**document, "exceedance": records(exceedance_table(fit, limits))}
    if values:
        document = {**document, "rates_at": records(rates_at(posterior_of(fit), values, error_columns_of(fit)))}
    return document
