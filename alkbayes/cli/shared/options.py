"""Options common to several commands."""

from pathlib import Path
from typing import Annotated

import typer

from alkbayes.cli.shared import completion as completing

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="FILE", help="Evidence table (CSV). Default: the bundled trials.", show_default=False
    ),
]
OutcomeOf = Annotated[
    str | None,
    typer.Option(
        "--outcome",
        metavar="MODEL",
        help="Outcome of this model: a bundled one such as intracranial, or a TOML file. Default: objective response.",
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
Plots = Annotated[
    Path | None,
    typer.Option(
        "--plots", metavar="DIR", help="Write plots to this folder, which must not exist.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout, nothing else.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print the table as CSV to stdout, nothing else.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown to stdout.")]
