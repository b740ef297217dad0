"""`alkbayes regress`: meta-regression on columns of the table."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared.common import (
    DEFAULT_METHOD,
    Method,
    console_for,
    decimals,
    degrees,
    empty_table,
    evidence_counted,
    figure,
    method_named,
)
from alkbayes.cli.shared.options import Csv, Data, Json, OutcomeOf
from alkbayes.cli.shared.output import WIDTH, check_format, print_csv, print_json, printable
from alkbayes.cli.shared.progress import working
from alkbayes.errors import UsageError
from alkbayes.text.wording import p_equals, p_value, percent, ratio_figure, variance

if TYPE_CHECKING:
    from rich.table import Table

    from alkbayes.classical import MetaRegression
    from alkbayes.evidence.table import Evidence

Columns = Annotated[
    list[str],
    typer.Argument(metavar="COLUMN", help="Columns to regress on: numbers as they are, other values as levels."),
]
Levels = Annotated[
    list[str] | None,
    typer.Option("--levels", metavar="COLUMN", help="Take the numbers of this column as levels.", show_default=False),
]
References = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        metavar="COLUMN=LEVEL",
        help="Compare the other levels of a column with this one. Default: its first.",
        show_default=False,
    ),
]
LARGEST_EXPONENT = 700.0
LEAST_PLAIN, LARGEST_PLAIN = 1e-4, 1e5
"""Smaller and larger numbers have a power of ten."""
LEAST_NAME = 24
"""Characters that the name of a coefficient has at least, where it has so many."""
SPACE = 3
"""Characters between two columns, at most."""


def command(
    columns: Columns,
    data: Data = None,
    levels: Levels = None,
    reference: References = None,
    method: Method = DEFAULT_METHOD,
    outcome: OutcomeOf = None,
    json_: Json = False,
    csv: Csv = False,
) -> None:
    """Meta-regression of response rates on columns of the table: coefficients, tests, residual heterogeneity.

    Example: alkbayes regress line regimen_class --reference line=pretreated --method glmm-ml
    """
    check_format(json_=json_, csv=csv)
    asked, references = method_named(method), _references(reference or ())
    with working("fitting"):
        from alkbayes.classical import regress

        evidence = evidence_counted(data, outcome)
        found = regress(evidence, columns, method=asked, levels=levels or (), references=references)
    rows = _coefficients(found)
    if json_:
        print_json({"regression": asdict(found) | {"coefficients": rows}})
    elif csv:
        import pandas as pd

        print_csv(pd.DataFrame(rows))
    else:
        _show(found, rows, evidence)


def _references(given: Sequence[str]) -> dict[str, str]:
    """Return the reference level of each column that has one on the command line."""
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


def _coefficients(found: "MetaRegression") -> list[dict[str, Any]]:
    """Return the coefficients as records; on the logit scale with odds ratios, which an intercept is none of."""
    from alkbayes.classical import Scale
    from alkbayes.classical.moderators.design import INTERCEPT

    rows = []
    for coefficient in found.coefficients:
        ratio = found.scale is Scale.LOGIT and coefficient.name != INTERCEPT
        logs = (coefficient.estimate, coefficient.low, coefficient.high) if ratio else (None,) * 3
        ratios = zip(("odds_ratio", "odds_ratio_low", "odds_ratio_high"), map(_exponential, logs), strict=True)
        rows.append(asdict(coefficient) | dict(ratios))
    return rows


def _exponential(value: float | None) -> float | None:
    """Return e to a power; None where there is no power, or no number for the result."""
    return None if value is None or value > LARGEST_EXPONENT else math.exp(value)


def _show(found: "MetaRegression", rows: list[dict[str, Any]], evidence: "Evidence") -> None:
    """Print a meta-regression for a reader."""
    from alkbayes.classical import PoolingMethod

    console = console_for(evidence)
    within = f", cohorts within {found.group}s" if found.group else ""
    console.print(f"Meta-regression of {found.k:,} cohorts, {found.method}{within}, {found.scale} scale")
    grid = empty_table(console)
    _fill(grid, rows, width=console.width)
    console.print(grid)
    console.print(f"Moderators: {_omnibus(found)}")
    console.print(f"Residual heterogeneity: {_residual(found)}")
    if found.q_e is not None:
        name = "likelihood ratio" if found.method is PoolingMethod.GLMM_ML else "Q_E"
        console.print(f"Test of it: {name} = {figure(found.q_e)}, df {found.q_e_df}, {p_equals(found.q_e_p)}")
    if found.r2 is not None:
        console.print(f"R2: {percent(found.r2, 0)} % of the variance between cohorts goes with the moderators")
    console.print(found.note)


def _fill(grid: "Table", rows: list[dict[str, Any]], *, width: int) -> None:
    """Fill the table of coefficients, without the columns that there is no room for.

    On a narrow terminal that is the standard errors, which the intervals show too, then the odds ratios, then the
    intervals; name, estimate and p are always there.
    """
    from rich.cells import cell_len
    from rich.text import Text

    cells = {row["name"]: _cells(row) for row in rows}
    least = min(LEAST_NAME, max(map(cell_len, ("coefficient", *cells))))
    widths = {
        heading: SPACE + max(len(heading), *(len(row[heading]) for row in cells.values()))
        for heading in cells[rows[0]["name"]]
    }
    if width < WIDTH:
        del widths["SE"]
    if not any(row["odds ratio"] for row in cells.values()):
        del widths["odds ratio"]
    for heading in ("SE", "odds ratio", "95 % CI"):
        if least + sum(widths.values()) > width:
            widths.pop(heading, None)
    headings = list(widths)
    grid.add_column("coefficient", overflow="fold", min_width=least)
    for heading in headings:
        grid.add_column(heading, justify="right", no_wrap=True)
    for name, row in cells.items():
        grid.add_row(Text(printable(name.replace("\n", "\\n"))), *(row[heading] for heading in headings))


def _cells(row: dict[str, Any]) -> dict[str, str]:
    """Return a coefficient's cells by their headings, with the decimals that its standard error calls for."""
    digits = decimals(row["se"])
    ratio = ""
    if row["odds_ratio"] is not None:
        low, high = row["odds_ratio_low"], row["odds_ratio_high"]
        limits = "–" if low is None or high is None else f"{_ratio(low, digits)}–{_ratio(high, digits)}"
        ratio = f"{_ratio(row['odds_ratio'], digits)} ({limits})"
    return {
        "estimate": _figure(row["estimate"], digits),
        "SE": _figure(row["se"], digits),
        "95 % CI": _interval(row["low"], row["high"], digits, " to "),
        "p": p_value(row["p"]),
        "odds ratio": ratio,
    }


def _ratio(value: float, digits: int) -> str:
    """Return an odds ratio, rounded on the log scale; with more decimals where its logarithm is known that well."""
    return ratio_figure(value) if digits <= 2 else _figure(value, digits)


def _interval(low: float | None, high: float | None, digits: int, joint: str) -> str:
    """Return an interval; a dash where there is none."""
    return "–" if low is None or high is None else f"{_figure(low, digits)}{joint}{_figure(high, digits)}"


def _figure(value: float | None, digits: int) -> str:
    """Return a number for a reader; with three digits and a power of ten where these decimals would not do."""
    text = figure(value, digits)
    if not value or (LEAST_PLAIN <= abs(value) <= LARGEST_PLAIN and text.strip("−0.")):
        return text
    return f"{value:.3g}".replace("-", "−")


def _omnibus(found: "MetaRegression") -> str:
    """Return the test of all moderators in words."""
    from alkbayes.classical import PoolingMethod

    test = found.omnibus
    if test is None:
        return "no test"
    if test.df2 is not None:
        return f"F = {figure(test.statistic)}, df {test.df1} and {degrees(test.df2)}, {p_equals(test.p)}"
    name = "likelihood ratio" if found.method is PoolingMethod.GLMM_ML else "Q_M"
    return f"{name} = {figure(test.statistic)}, df {test.df1}, {p_equals(test.p)}"


def _residual(found: "MetaRegression") -> str:
    """Return what the moderators leave unexplained."""
    parts = []
    if found.tau2 is not None:
        limits = "" if found.tau2_low is None else f" ({variance(found.tau2_low)}–{variance(found.tau2_high)})"
        parts.append(f"tau2 {variance(found.tau2)}{limits}")
    if found.i2 is not None:
        parts.append(f"I2 {percent(found.i2, 0)} %")
    return ", ".join(parts) or "not known"
