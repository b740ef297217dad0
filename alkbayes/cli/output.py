"""How results leave: JSON and CSV with proportions in [0, 1], tables in percent for readers."""

import json
import math
from typing import TYPE_CHECKING, Any

import typer

from alkbayes.errors import UsageError
from alkbayes.records import finite_or_none, records

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_format", "percent", "percent_interval", "print_csv", "print_json", "records"]


def check_format(*, json_: bool, csv: bool) -> None:
    """Refuse two machine-readable formats at once.

    Raises
    ------
    UsageError
        If both `--json` and `--csv` were given.
    """
    if json_ and csv:
        raise UsageError("--json and --csv exclude each other: one document goes to stdout. Give one of them.")


def print_json(document: dict[str, Any]) -> None:
    """Print `document` on stdout."""
    typer.echo(json.dumps(finite_or_none(document), indent=2, ensure_ascii=False, allow_nan=False))


def print_csv(frame: "pd.DataFrame") -> None:
    """Print `frame` as CSV on stdout, numbers in full precision."""
    typer.echo(frame.to_csv(index=False), nl=False)


def percent(value: float | None, digits: int = 1) -> str:
    """Return a proportion as percent for a reader; a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.{digits}f}"


def percent_interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """Return an interval of proportions as percent for a reader; a dash where there is none."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return "–"
    return f"{percent(low, digits)}–{percent(high, digits)}"
