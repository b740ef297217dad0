"""`alkbayes regress`: meta-regression on columns of the table."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared.common import (
    DEFAULT_METHOD,
    Method,
    console_for,
    degrees,
    evidence_counted,
    method_named,
)
from alkbayes.cli.shared.options import (
    At,
    Csv,
    Json,
    Latex,
    Level,
    OutcomeOf,
    interval_prob,
    reads_table,
    values_at,
)
from alkbayes.cli.shared.output import WIDTH, check_format, print_csv, print_json, print_note, say
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import fits, print_table
from alkbayes.errors import UsageError
from alkbayes.evidence.sources import TableSource
from alkbayes.presentation.regression import CI, coefficient_rows
from alkbayes.presentation.tables import value_columns
from alkbayes.text.wording import figure, p_equals, percent, variance

if TYPE_CHECKING:
    from rich.console import Console

    from alkbayes.classical.inverse_variance.regression import Omnibus
    from alkbayes.classical.moderators.regression import MetaRegression
    from alkbayes.classical.pooling.methods import PoolingMethod
    from alkbayes.evidence.table import Evidence
    from alkbayes.presentation.tables import ReaderTable

Columns = Annotated[
    list[str],
    typer.Argument(
        metavar="TERM",
        help="Moderators: numeric columns enter as numbers, others as factors. Interactions as in R: a:b is the "
        'interaction alone, "a*b" both columns and their interaction.',
    ),
]
Levels = Annotated[
    list[str] | None,
    typer.Option(
        "--levels", metavar="COLUMN", help="Treat this numeric column as a factor; repeatable.", show_default=False
    ),
]
References = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        metavar="COLUMN=LEVEL",
        help="Reference level of a factor; repeatable. Default: its first level.",
        show_default=False,
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Bubble plot of each numeric moderator, by level of a factor that it interacts with (PNG, SVG or PDF).",
        show_default=False,
    ),
]
DISPENSABLE = ("SE", "odds ratio", CI)
"""Columns dropped on a narrow terminal, in this order."""


@reads_table
def command(
    columns: Columns,
    data: TableSource | None = None,
    levels: Levels = None,
    reference: References = None,
    method: Method = DEFAULT_METHOD,
    at: At = None,
    plot: Plot = None,
    outcome: OutcomeOf = None,
    level: Level = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Meta-regression of rates on columns of the table: coefficients, tests, residual heterogeneity.

    With --at, --csv prints the rates at these values in place of the coefficients.

    Example: alkbayes regress line regimen_class --reference line=pretreated --method glmm-ml
    """
    check_format(json_=json_, csv=csv, latex=latex)
    prob = interval_prob(level)
    asked, references, values = method_named(method), _references(reference or ()), values_at(at)
    if plot is not None:
        from alkbayes.plots.files import figure_format
        from alkbayes.runs.places import check_free

        figure_format(plot, None)
        check_free([plot], "plot")
    with working("fitting"):
        from alkbayes.classical.moderators.regression import regress

        evidence = evidence_counted(data, outcome)
        found = regress(
            evidence, columns, method=asked, levels=levels or (), references=references, at=values, prob=prob
        )
    if plot is not None:
        with working("drawing"):
            files = _plot(evidence, columns, found, plot, levels=levels or (), references=references)
        for file in files:
            print_note(f"Figure: {file}")
    document = found.to_dict()
    rows = document["coefficients"]
    if json_:
        print_json({"regression": document})
    elif csv:
        import pandas as pd

        print_csv(pd.DataFrame([value_columns(row) for row in document["predictions"]] if values else rows))
    else:
        _show(found, rows, evidence)


def _plot(
    evidence: "Evidence",
    columns: Sequence[str],
    found: "MetaRegression",
    path: Path,
    *,
    levels: Sequence[str],
    references: dict[str, str],
) -> list[Path]:
    """Draw a bubble plot of each numeric moderator and return the files."""
    from alkbayes.classical.moderators.curves import moderator_curves
    from alkbayes.plots.figures.bubble import Bubbles, bubble
    from alkbayes.plots.files import save_figures
    from alkbayes.plots.page.style import Caption

    curves = moderator_curves(
        evidence, columns, method=found.method, levels=levels, references=references, prob=found.prob
    )
    fitted = f"Meta-regression on {', '.join(columns)} of {found.k:,} cohorts by {found.method}, {evidence.source}."
    pages = []
    for curve in curves:
        drawn = Bubbles(
            curve.label, curve.by, curve.levels, curve.cohorts, curve.curves, curve="typical", interval="confidence"
        )
        pages += bubble(drawn, Caption((fitted, curve.note), outcome=evidence.outcome, interval_prob=found.prob))
    return save_figures(pages, path)


def _references(given: Sequence[str]) -> dict[str, str]:
    """Return the reference level by column from the command line."""
    references: dict[str, str] = {}
    for text in given:
        column, joint, level = text.partition("=")
        if not (column and joint and level):
            raise UsageError(f"--reference: found {text!r}; allowed: COLUMN=LEVEL, as in line=pretreated.")
        if references.setdefault(column, level) != level:
            raise UsageError(
                f"--reference: found two levels of {column}, {references[column]} and {level}; allowed: one."
            )
    return references


def _show(found: "MetaRegression", rows: list[dict[str, Any]], evidence: "Evidence") -> None:
    """Print a meta-regression for a reader."""
    from alkbayes.classical.pooling.methods import BINOMIAL_NORMAL
    from alkbayes.presentation.regression import rate_rows
    from alkbayes.text.names import shown

    console = console_for(evidence)
    within = f", cohorts within {found.group}s" if found.group else ""
    say(console, f"Meta-regression of {found.k:,} cohorts, {found.method}{within}, {found.scale} scale")
    print_table(console, _coefficient_rows(console, rows, prob=found.prob))
    say(console, f"Moderators: {_tested(found.omnibus, found.method)}")
    for term in found.terms if len(found.terms) > 1 else ():
        say(console, f"  {shown(term.term)}: {_tested(term.test, found.method)}", hang=4)
    say(console, f"Residual heterogeneity: {_residual(found)}")
    if found.q_e is not None:
        name = "likelihood ratio" if found.method in BINOMIAL_NORMAL else "Q_E"
        say(console, f"Test of it: {name} = {figure(found.q_e)}, df {found.q_e_df}, {p_equals(found.q_e_p)}")
    if found.r2 is not None:
        say(console, f"R2: {percent(found.r2, 0)} % of the variance between cohorts goes with the moderators")
    if found.predictions:
        print_table(console, rate_rows(found.to_dict()["predictions"], evidence.outcome, prob=found.prob), space=True)
    say(console, found.note)


def _coefficient_rows(console: "Console", rows: list[dict[str, Any]], *, prob: float) -> "ReaderTable":
    """Return the table of coefficients, without the `DISPENSABLE` columns that do not fit.

    Standard errors go first, as the intervals show them, too.
    """
    without: tuple[str, ...] = () if console.width >= WIDTH else DISPENSABLE[:1]
    table = coefficient_rows(rows, prob=prob, without=without)
    while not fits(console, table) and len(without) < len(DISPENSABLE):
        without = DISPENSABLE[: len(without) + 1]
        table = coefficient_rows(rows, prob=prob, without=without)
    return table


def _tested(test: "Omnibus | None", method: "PoolingMethod") -> str:
    """Return a joint test of coefficients as text."""
    from alkbayes.classical.pooling.methods import BINOMIAL_NORMAL

    if test is None:
        return "no test"
    if test.df2 is not None:
        return f"F = {figure(test.statistic)}, df {test.df1} and {degrees(test.df2)}, {p_equals(test.p)}"
    name = "likelihood ratio" if method in BINOMIAL_NORMAL else "Q_M"
    return f"{name} = {figure(test.statistic)}, df {test.df1}, {p_equals(test.p)}"


def _residual(found: "MetaRegression") -> str:
    """Return the residual heterogeneity."""
    parts = []
    if found.tau2 is not None:
        limits = "" if found.tau2_low is None else f" ({variance(found.tau2_low)}–{variance(found.tau2_high)})"
        parts.append(f"tau2 {variance(found.tau2)}{limits}")
    if found.i2 is not None:
        parts.append(f"I2 {percent(found.i2, 0)} %")
    return ", ".join(parts) or "not known"
