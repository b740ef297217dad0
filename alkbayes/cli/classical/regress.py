"""`alkbayes regress`: meta-regression on columns of the table."""

from collections.abc import Sequence
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
from alkbayes.cli.shared.options import Csv, Json, Level, OutcomeOf, interval_prob, reads_table
from alkbayes.cli.shared.output import WIDTH, check_format, print_csv, print_json, say
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import fits, print_table
from alkbayes.errors import UsageError
from alkbayes.evidence.sources import TableSource
from alkbayes.presentation.regression import CI, coefficient_rows
from alkbayes.text.wording import figure, p_equals, percent, variance

if TYPE_CHECKING:
    from rich.console import Console

    from alkbayes.classical import MetaRegression
    from alkbayes.evidence.table import Evidence
    from alkbayes.presentation.tables import ReaderTable

Columns = Annotated[
    list[str],
    typer.Argument(metavar="COLUMN", help="Moderators: numeric columns enter as numbers, others as factors."),
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
DISPENSABLE = ("SE", "odds ratio", CI)
"""Columns dropped on a narrow terminal, in this order."""


@reads_table
def command(
    columns: Columns,
    data: TableSource | None = None,
    levels: Levels = None,
    reference: References = None,
    method: Method = DEFAULT_METHOD,
    outcome: OutcomeOf = None,
    level: Level = None,
    json_: Json = False,
    csv: Csv = False,
) -> None:
    """Meta-regression of response rates on columns of the table: coefficients, tests, residual heterogeneity.

    Example: alkbayes regress line regimen_class --reference line=pretreated --method glmm-ml
    """
    check_format(json_=json_, csv=csv)
    prob = interval_prob(level)
    asked, references = method_named(method), _references(reference or ())
    with working("fitting"):
        from alkbayes.classical import regress

        evidence = evidence_counted(data, outcome)
        found = regress(evidence, columns, method=asked, levels=levels or (), references=references, prob=prob)
    document = found.to_dict()
    rows = document["coefficients"]
    if json_:
        print_json({"regression": document})
    elif csv:
        import pandas as pd

        print_csv(pd.DataFrame(rows).assign(interval_prob=prob))
    else:
        _show(found, rows, evidence)


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

    console = console_for(evidence)
    within = f", cohorts within {found.group}s" if found.group else ""
    say(console, f"Meta-regression of {found.k:,} cohorts, {found.method}{within}, {found.scale} scale")
    print_table(console, _coefficient_rows(console, rows, prob=found.prob))
    say(console, f"Moderators: {_omnibus(found)}")
    say(console, f"Residual heterogeneity: {_residual(found)}")
    if found.q_e is not None:
        name = "likelihood ratio" if found.method in BINOMIAL_NORMAL else "Q_E"
        say(console, f"Test of it: {name} = {figure(found.q_e)}, df {found.q_e_df}, {p_equals(found.q_e_p)}")
    if found.r2 is not None:
        say(console, f"R2: {percent(found.r2, 0)} % of the variance between cohorts goes with the moderators")
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


def _omnibus(found: "MetaRegression") -> str:
    """Return the test of all moderators as text."""
    from alkbayes.classical.pooling.methods import BINOMIAL_NORMAL

    test = found.omnibus
    if test is None:
        return "no test"
    if test.df2 is not None:
        return f"F = {figure(test.statistic)}, df {test.df1} and {degrees(test.df2)}, {p_equals(test.p)}"
    name = "likelihood ratio" if found.method in BINOMIAL_NORMAL else "Q_M"
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
