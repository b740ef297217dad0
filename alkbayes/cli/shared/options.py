"""Options that several commands share, defined once."""

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
        help="Count what this model does: a bundled one such as intracranial, or a TOML file. Default: responders.",
        show_default=False,
    ),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.", autocompletion=completing.runs)]
ForRun = Annotated[
    Path | None,
    typer.Option(
        "--for",
        metavar="RUN",
        help="Take the table of this run, and keep what is found beside it, for its report.",
        show_default=False,
        autocompletion=completing.runs,
    ),
]
Plots = Annotated[
    Path | None,
    typer.Option("--plots", metavar="DIR", help="Write plots into this folder, which must be new.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print the table as CSV on stdout and nothing else there.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown on stdout.")]
