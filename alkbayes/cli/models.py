"""`alkbayes models`: the model files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.options import Data, Json
from alkbayes.cli.output import percent, percent_interval, print_json, reader_console, records
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.vocabulary import DEFAULT_MODEL

if TYPE_CHECKING:
    import pandas as pd

    from alkbayes.spec import Spec

Name = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME", help="A bundled model, or the path of a TOML file; all if left out.", show_default=False
    ),
]

SHOWN = ("proportion", "risk_difference")
"""Scales that a terminal shows, in this order; the others are in the JSON document."""

TITLES = {
    "typical": "typical ORR",
    "next_cohort": "next cohort's ORR",
    "levels": "typical ORR, apart",
    "heterogeneity": "ORR, apart",
}


def command(name: Name = None, data: Data = None, json_: Json = False) -> None:
    """List the models, or show one: the file on stdout, and on stderr what its priors say of response rates.

    The levels of its columns come from the table. A model of one's own may start from a bundled one.

    Example: alkbayes models line-generation > my-model.toml
    """
    from alkbayes.spec import model_names, model_path, read_spec

    if name is None:
        if data is not None:
            raise UsageError("--data goes with the NAME of a model: its priors are shown for the levels of that table.")
        listed = [_line(model) for model in model_names()]
        if json_:
            print_json({"models": listed})
        else:
            _show_all(listed)
        return
    path = model_path(name)
    spec = read_spec(path)
    implied = _implied(spec, data)
    if json_:
        document = None if implied is None else records(implied)
        print_json({"model": spec.model_dump(by_alias=True), "prior_implications": document})
        return
    typer.echo(path.read_text(encoding="utf-8-sig"), nl=False)
    if implied is not None:
        _show_implied(records(implied))


def _implied(spec: "Spec", data: Path | None) -> "pd.DataFrame | None":
    """Return what the priors imply; None where the bundled table lacks a column of a user's model."""
    from alkbayes.evidence import read_evidence
    from alkbayes.prior_implications import prior_implications

    try:
        evidence = read_evidence(data, columns=spec.columns, outcome=spec.outcome)
    except EvidenceError:
        if data is not None:
            raise
        columns = ", ".join(_columns(spec))
        typer.echo(
            f"note: what the priors imply is left out: the bundled table has not all of {columns} for each cohort. "
            "Give your table: --data FILE.",
            err=True,
        )
        return None
    return prior_implications(spec, evidence)


def _columns(spec: "Spec") -> list[str]:
    """Return the columns that a model needs beside those of every table."""
    return [*(() if spec.outcome.usual else spec.outcome.columns), *spec.columns]


def _line(model: str) -> dict[str, Any]:
    from alkbayes.spec import model_path, read_spec

    spec = read_spec(model_path(model))
    return {
        "name": spec.name,
        "question": spec.question,
        "columns": _columns(spec),
        "default": spec.name == DEFAULT_MODEL,
    }


def _show_all(listed: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("model", "question", "columns it needs"):
        table.add_column(heading, overflow="fold")
    for row in listed:
        table.add_row(f"{row['name']}{' *' if row['default'] else ''}", row["question"], ", ".join(row["columns"]))
    console = reader_console()
    console.print(table)
    console.print("* what `alkbayes fit` fits. Every model also needs cohort_id, responders and n.", soft_wrap=True)
    console.print("One in full: alkbayes models NAME. Fit one: alkbayes fit NAME.", soft_wrap=True)


def _show_implied(rows: list[dict[str, Any]]) -> None:
    """Print on stderr what the priors imply: stdout is the model file and nothing else."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("%")
    table.add_column("of", overflow="fold")
    for heading in ("middle", "95 %", "extreme"):
        table.add_column(heading, justify="right")
    for scale in SHOWN:
        title = ""
        for row in (row for row in rows if row["scale"] == scale):
            before, title = title, TITLES[row["quantity"]]
            table.add_row("" if title == before else title, row["of"], *_cells(row))
        table.add_section()
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    console.print("\nWhat these priors say before any count is read:", soft_wrap=True)
    console.print(table)
    console.print(
        "Extreme: the share of the prior at an ORR below 1 or above 99 %, or at a difference beyond 50 points.\n"
        "One level, or pair of levels, stands for all that have the same prior.",
        soft_wrap=True,
    )


def _cells(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return the middle, the interval and the share outside the limits for a reader."""
    low, high = row["low"], row["high"]
    if row["scale"] == "proportion":
        middle, interval = percent(row["median"], 0), percent_interval(low, high, 0)
    else:
        middle, interval = f"±{percent(row['apart'], 0)}", f"{100 * low:+.0f} to {100 * high:+.0f}"
    return middle, interval, percent(row["outside"])
