"""`alkbayes plot`: a figure of a finished run."""

from pathlib import Path
from typing import Annotated

import typer

from alkbayes.cli.shared import completion as completing
from alkbayes.cli.shared.options import Json, Run, RunLevel, run_prob
from alkbayes.cli.shared.output import print_json, print_text
from alkbayes.cli.shared.progress import working
from alkbayes.errors import ConvergenceError, FigureError, UsageError
from alkbayes.plots.kinds import KINDS, checked_view
from alkbayes.plots.view import View

KindName = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="\n\n".join(f"{name}: {kind.shows}." for name, kind in KINDS.items()),
        autocompletion=completing.kinds,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="Output file. Default: KIND.FORMAT in the run's folder.", show_default=False
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="png|svg|pdf",
        help="Output format. Default: from FILE's extension, else png.",
        show_default=False,
    ),
]
Moderator = Annotated[
    str | None,
    typer.Option(
        "--moderator",
        metavar="COLUMN",
        help="Moderator of the figure `bubble`. Default: each numeric one.",
        show_default=False,
    ),
]

Title = Annotated[str, typer.Option("--title", metavar="TEXT", help="Title of a forest.", show_default=False)]
XLim = Annotated[
    tuple[float, float] | None,
    typer.Option(
        "--xlim",
        metavar="LOW HIGH",
        help="Limits of the axis of a forest, in percent. Default: those of the data.",
        show_default=False,
    ),
]
Reference = Annotated[
    float | None,
    typer.Option(
        "--reference", metavar="RATE", help="Draw a line at this rate in a forest, in percent.", show_default=False
    ),
]
Sort = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="COLUMN",
        help="Sort the cohorts of `forest` and `classical`, or the rows of `leave-one-out`, by this column of the "
        "table. Default: the highest observed rate first, or the largest change.",
        show_default=False,
    ),
]
Further = Annotated[
    str,
    typer.Option(
        "--columns", metavar="COLUMN,…", help="One or two further columns of the table in a forest.", show_default=False
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="COLUMN",
        help="Column of the subgroups (`classical`), or of the order in which cohorts are added (`cumulative`).",
        show_default=False,
    ),
]
ByTrial = Annotated[
    bool, typer.Option("--by-trial", help="Leave out whole trials (`leave-one-out`).", show_default=False)
]
Judged = Annotated[
    bool,
    typer.Option(
        "--risk-of-bias",
        help="Judgements of the risk of bias beside the cohorts of `forest`.",
        show_default=False,
    ),
]
Pooling = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="NAME",
        autocompletion=completing.methods,
        help="Pooling method of a classical forest, named as in `alkbayes pool`. `leave-one-out` without it is by the "
        "model.",
        show_default=False,
    ),
]


def command(
    run: Run,
    kind: KindName,
    moderator: Moderator = None,
    by: By = None,
    by_trial: ByTrial = False,
    method: Pooling = "",
    xlim: XLim = None,
    reference: Reference = None,
    sort: Sort = None,
    columns: Further = "",
    risk_of_bias: Judged = False,
    title: Title = "",
    out: Out = None,
    format_: Format = None,
    level: RunLevel = None,
    json_: Json = False,
) -> None:
    """Figures of a finished run, one (85 mm) or two (180 mm) journal columns wide.

    Several pages make one PDF, or numbered PNG or SVG files. Existing files are not overwritten.

    Example: alkbayes plot runs/line-generation-20261122-101500 forest --out figure-2.pdf
    """
    if kind not in KINDS:
        raise UsageError(f"There is no figure {kind!r}. KIND may be: {', '.join(KINDS)}.")
    chosen = View(title, xlim, reference, sort, _listed(columns), by, by_trial, method, moderator, risk_of_bias)
    view = checked_view(kind, chosen)
    prob = run_prob(level)
    with working("drawing"):
        from alkbayes.plots.files import figure_format, save_figures
        from alkbayes.plots.source import RunTables, warning
        from alkbayes.runs.places import check_free
        from alkbayes.runs.run import read_run_at

        ending = figure_format(out, format_)
        tables = RunTables(run, *read_run_at(run, prob))
        path = run / f"{kind}.{ending}" if out is None else out
        check_free([path], "out")
        try:
            pages = KINDS[kind].draw(tables, view)
        except FigureError as error:
            raise FigureError(f"{run}: {error.message}", remedy=error.remedy) from error
        files = save_figures(pages, path)
    if json_:
        print_json(
            {"plot": {"kind": kind, "format": ending, "pages": len(pages), "files": [str(file) for file in files]}}
        )
    else:
        for file in files:
            print_text(str(file))
    if fault := warning(tables.document):
        raise ConvergenceError(f"the figure is marked as {fault}.")


def _listed(columns: str) -> tuple[str, ...]:
    """Return the names in a list with commas."""
    return tuple(filter(None, (name.strip() for name in columns.split(","))))
