"""Options common to several commands."""

import inspect
import re
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from alkbayes.cli.shared import completion as completing
from alkbayes.cli.shared.output import LATEX
from alkbayes.errors import UsageError
from alkbayes.evidence.sources import ALL_COHORTS, CONDITION, EXAMPLE, Selection, TableSource, parse_columns
from alkbayes.vocabulary import INTERVAL_PROB, checked_level

PIPED = Path("-")

TABLE_OPTIONS = {
    "data": Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help="Evidence table: CSV, .xlsx, .xls, .ods or Parquet; - for stdin. Default: the bundled trials.",
            show_default=False,
        ),
    ],
    "table_columns": Annotated[
        list[str] | None,
        typer.Option(
            "--columns", metavar="NAME=COLUMN,…", help=f"Columns of FILE: {EXAMPLE}; repeatable.", show_default=False
        ),
    ],
    "table_sheet": Annotated[
        str | None, typer.Option("--sheet", metavar="NAME", help="Sheet of a workbook FILE.", show_default=False)
    ],
    "table_where": Annotated[
        str | None,
        typer.Option(
            "--where", metavar="CONDITION", help=f"Use these cohorts only: '{CONDITION}'.", show_default=False
        ),
    ],
    "table_exclude": Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="COHORT", help="Leave out this cohort; repeatable.", show_default=False),
    ],
    "table_reason": Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Reason for --where or --exclude, kept.", show_default=False),
    ],
}
"""The options that name a table, by the parameters that Typer sees."""


def reads_table(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that name a table: its parameter `data`, a `TableSource`, stands for all of them."""
    signature = inspect.signature(command)

    @wraps(command)
    def with_table(
        *,
        data: Path | None,
        table_columns: list[str] | None,
        table_sheet: str | None,
        table_where: str | None,
        table_exclude: list[str] | None,
        table_reason: str | None,
        **others: Any,
    ) -> None:
        selection = _selection(table_where, table_exclude or [], table_reason)
        command(data=table_source(data, table_columns, table_sheet, selection), **others)

    parameters = []
    for parameter in signature.parameters.values():
        own = TABLE_OPTIONS if parameter.name == "data" else {parameter.name: parameter.annotation}
        parameters += [parameter.replace(name=name, annotation=annotation) for name, annotation in own.items()]
    with_table.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_table.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_table


def _selection(where: str | None, exclude: list[str], reason: str | None) -> Selection:
    """Return the cohorts that the options choose."""
    if where is not None and not where.strip():
        raise UsageError(f"found nothing; allowed: a condition such as {CONDITION}.", parameter="where")
    selection = Selection(where or "", tuple(dict.fromkeys(exclude)), (reason or "").strip())
    if reason is not None and not selection:
        raise UsageError("needs a selection. Give --where or --exclude too.", parameter="reason")
    return selection


def table_source(
    path: Path | None, columns: list[str] | None, sheet: str | None, selection: Selection = ALL_COHORTS
) -> TableSource | None:
    """Return the table that the options name; None for the bundled one. What is piped in is read here, once."""
    if path is None:
        if given := [name for name, value in (("columns", columns or None), ("sheet", sheet)) if value is not None]:
            raise UsageError("is about a table of your own. Give it too: --data FILE.", parameter=given[0])
        return TableSource(None, selection=selection) if selection else None
    content = None
    if path == PIPED:
        if sys.stdin.isatty():
            raise UsageError("- reads the table from standard input, and nothing is piped in.", parameter="data")
        content = sys.stdin.buffer.read()
    return TableSource(
        None if path == PIPED else path, parse_columns(",".join(columns)) if columns else {}, sheet, content, selection
    )


Above = Annotated[
    list[float] | None,
    typer.Option(
        "--above",
        metavar="RATE",
        help="Also show the probability of a rate above this, in percent or below 1 as a proportion; repeatable.",
        show_default=False,
    ),
]
OutcomeOf = Annotated[
    str | None,
    typer.Option(
        "--outcome",
        metavar="MODEL",
        help="Outcome of this model: a bundled one such as intracranial, or a TOML file. Default: response rate.",
        show_default=False,
    ),
]
Level = Annotated[
    float | None,
    typer.Option(
        "--level",
        metavar="LEVEL",
        help="Probability of all intervals, such as 0.9, or 90 in percent. Default: 0.95.",
        show_default=False,
    ),
]
RunLevel = Annotated[
    float | None,
    typer.Option(
        "--level",
        metavar="LEVEL",
        help="Probability of all intervals, such as 0.9, or 90 in percent. Default: that of the run.",
        show_default=False,
    ),
]
AnalysisLevel = Annotated[
    float | None,
    typer.Option(
        "--level",
        metavar="LEVEL",
        help="Probability of all intervals, such as 0.9, or 90 in percent. Default: that of a run, else 0.95.",
        show_default=False,
    ),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.", autocompletion=completing.runs)]
ForRun = Annotated[
    Path | None,
    typer.Option(
        "--for",
        metavar="RUN",
        help="Analyse the table of this run, and keep the results in its folder for the report.",
        show_default=False,
        autocompletion=completing.runs,
    ),
]
BesideRun = Annotated[
    Path | None,
    typer.Option(
        "--for",
        metavar="RUN",
        help="Keep the results in the folder of this run for its report.",
        show_default=False,
        autocompletion=completing.runs,
    ),
]
"""The same for an analysis with a table of its own."""
Plots = Annotated[
    Path | None,
    typer.Option(
        "--plots", metavar="DIR", help="Write plots to this folder, which must not exist.", show_default=False
    ),
]


def _print_latex(asked: bool) -> bool:
    LATEX.set(asked)
    return asked


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout, nothing else.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print the table as CSV to stdout, nothing else.")]
Latex = Annotated[
    bool,
    typer.Option(
        "--latex",
        callback=_print_latex,
        help="Print the tables that a reader sees as LaTeX to stdout; what stands between them is a comment.",
    ),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown to stdout.")]


At = Annotated[
    list[str] | None,
    typer.Option(
        "--at",
        metavar="COLUMN=VALUE,...",
        help='Rates at values of moderators: "age=50,60,70"; "age=60,line=naive". Repeatable; combinations of all. '
        "A column or value with a comma stands in double quotes, as in CSV: 'setting=\"ward, surgical\",clinic'.",
        show_default=False,
    ),
]
IN_QUOTES = r'"((?:[^"]|"")*)"'
VALUE_AT = re.compile(rf'\s*(?:(?:{IN_QUOTES}|([^",=][^,=]*?))\s*=)?\s*(?:{IN_QUOTES}|([^,]*?))\s*(?:,|\Z)')
"""Column, in quotes or not, and value, in quotes or not."""


def values_at(at: list[str] | None) -> dict[str, tuple[str, ...]]:
    """Return the values of `--at` by column, each once; a part without = is one more value of the column before."""
    found: dict[str, dict[str, None]] = {}
    for text in at or ():
        column, where = "", 0
        while where <= len(text):
            part = VALUE_AT.match(text, where)
            quoted_name, name, quoted_value, value = part.groups() if part else (None,) * 4
            column = _unquoted(quoted_name) or name or column
            given = _unquoted(quoted_value) or value
            if part is None or not column or not given:
                raise UsageError(
                    f"found {text!r}; allowed: COLUMN=VALUE, as in age=50,60 or age=60,line=naive. "
                    "A column or value with a comma in it stands in double quotes: '\"Age, mean\"=50,60'.",
                    parameter="at",
                )
            found.setdefault(column, {})[given] = None
            where = part.end() if part[0].endswith(",") else len(text) + 1
    return {column: tuple(values) for column, values in found.items()}


def _unquoted(text: str | None) -> str:
    return (text or "").replace('""', '"')


def interval_prob(level: float | None) -> float:
    """Return the probability of intervals that `--level` asks for, as a proportion; the default without it."""
    return INTERVAL_PROB if level is None else checked_level(level, percent=True)


def run_prob(level: float | None) -> float | None:
    """Return the probability of intervals that `--level` asks for, as a proportion; None, that of the run."""
    return None if level is None else interval_prob(level)


def limits_of(above: list[float] | None) -> list[float]:
    """Return the limits of `--above` as proportions, each once."""
    for value in above or ():
        if not (0 < value < 1 or 1 < value < 100):
            raise UsageError(
                f"found {value:g}; allowed: a percentage above 1 and below 100, such as 50, or a proportion above 0 "
                "and below 1, such as 0.5.",
                parameter="above",
            )
    return list(dict.fromkeys(value if value < 1 else value / 100 for value in above or ()))
