"""`alkbayes pool`: classical pooling alone, no sampling."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.options import Csv, Data, Json
from alkbayes.cli.output import (
    WIDTH,
    check_format,
    percent,
    percent_interval,
    print_csv,
    print_json,
    reader_console,
    records,
)
from alkbayes.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from alkbayes.classical import PoolingMethod

By = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        metavar="COLUMN",
        help="Pool by the levels of this column too; once or more. Two columns with a colon between them pool by both "
        "at once. Default: line and regimen_class.",
        show_default=False,
    ),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        metavar="NAME",
        help="Once or more. Default: crude-wald, crude-wilson, crude-clopper-pearson, common-logit, dl-logit, "
        "dl-logit-hk, reml-logit, reml-logit-hk, glmm-ml. Others: common-raw, common-arcsine, common-freeman-tukey, "
        "pm-logit, ml-logit, he-logit, hs-logit, sj-logit, reml-logit-hts, reml-logit-t, reml-logit-hk-adhoc, "
        "reml-raw, reml-arcsine, reml-log, reml-freeman-tukey.",
        show_default=False,
    ),
]


def command(data: Data = None, by: By = None, method: Methods = None, json_: Json = False, csv: Csv = False) -> None:
    """Pool the response rates by classical methods: from the counts alone, nothing sampled.

    Example: alkbayes pool --by line --by line:regimen_class --method reml-logit-hk --method glmm-ml --json
    """
    check_format(json_=json_, csv=csv)
    from alkbayes.classical import DEFAULT_METHODS, pool_table
    from alkbayes.evidence import read_evidence

    methods = [_method(name) for name in method] if method else DEFAULT_METHODS
    evidence = read_evidence(data)
    pooled = pool_table(evidence, by=[_columns(item) for item in by] if by else None, methods=methods)
    if json_:
        print_json({"pooled": records(pooled)})
    elif csv:
        print_csv(pooled)
    else:
        _show(records(pooled), source=evidence.source, bundled=evidence.bundled)


def _method(name: str) -> "PoolingMethod":
    """Return the method of that name."""
    from alkbayes.classical import PoolingMethod

    if name not in set(PoolingMethod):
        raise UsageError(f"There is no pooling method {name!r}. --method may be: {', '.join(PoolingMethod)}.")
    return PoolingMethod(name)


def _columns(item: str) -> str | tuple[str, str]:
    """Return the column or the pair of columns that one --by names."""
    first, colon, second = item.partition(":")
    return (first, second) if colon else item


def _show(rows: list[dict[str, Any]], *, source: str, bundled: bool) -> None:
    """Print the pooled rates for a reader: where they are from, the table, and each note once."""
    from alkbayes.evidence import RECONSTRUCTION

    console = reader_console()
    console.print(f"Evidence: {source}", soft_wrap=True)
    if bundled:
        console.print(RECONSTRUCTION)
    marks = {note: f"[{place}]" for place, note in enumerate(dict.fromkeys(r["note"] for r in rows if r["note"]), 1)}
    console.print(_table(rows, marks, narrow=console.width < WIDTH))
    for note, mark in marks.items():
        console.print(f"{mark} {note}")


def _table(rows: list[dict[str, Any]], marks: dict[str, str], *, narrow: bool) -> "Table":
    """Return the table: a section a level, its counts beside the first of its methods."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from alkbayes.evidence_faults import shown

    table = Table(box=box.SIMPLE_HEAD, show_edge=not narrow, padding=(0, 0 if narrow else 1))
    table.add_column("cohorts", overflow="fold")
    table.add_column("method", no_wrap=True)
    for column in ("ORR %", "95 % CI", "prediction", "tau2", "I2 %", "note"):
        table.add_column(column, justify="right", no_wrap=True)
    cells: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault((row["group"], row["level"]), []).append(row)
    heading = "all"
    for (group, level), members in cells.items():
        if group != heading:
            table.add_row(Text(f"by {group}", style="bold"))
            heading = group
        for place, row in enumerate(members):
            table.add_row(
                Text(_label(shown(level), row, place, last=place == len(members) - 1)),
                row["method"],
                percent(row["estimate"]),
                percent_interval(row["low"], row["high"]),
                percent_interval(row["prediction_low"], row["prediction_high"]),
                "–" if row["tau2"] is None else f"{row['tau2']:.3f}",
                percent(row["i2"], 0),
                marks.get(row["note"], ""),
            )
        table.add_section()
    return table


def _label(level: str, row: dict[str, Any], place: int, *, last: bool) -> str:
    """Return what stands beside a level's `place`-th method: its name, number of cohorts and counts, a line each."""
    noun = "cohort" if row["k"] == 1 else "cohorts"
    names = level.replace(":", ":\n").split("\n")
    lines = [*names, f"{row['k']:,} {noun}", f"{row['responders']:,}/{row['patients']:,}"]
    return "\n".join(lines[place:] if last else lines[place : place + 1])
