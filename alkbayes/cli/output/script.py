"""`alkbayes script`: a finished run as a script for other software."""

from pathlib import Path
from typing import Annotated

import typer

from alkbayes.cli.shared.options import Json, Run
from alkbayes.cli.shared.output import print_json, print_text
from alkbayes.errors import ConvergenceError

For = Annotated[
    str,
    typer.Option(
        "--for",
        metavar="metafor|meta|brms|rbest|pymc|bambi",
        help="Software: metafor and meta (R) repeat the run's classical results, brms and rbest (R), pymc and bambi "
        "(Python) its posterior.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Output file, .R or .py. Default: stdout.", show_default=False),
]


def command(run: Run, for_: For, out: Out = None, json_: Json = False) -> None:
    """Script for other software that repeats a run's results, with the data in it.

    It prints its results beside the run's, and how far they are apart. A model that the software cannot express is
    refused.

    Example: alkbayes script runs/line-generation-20261122-101500 --for brms --out again.R
    """
    from alkbayes.plots.source import warning
    from alkbayes.reporting.scripts.script import check_script_place, script_for
    from alkbayes.reporting.scripts.targets import target_named
    from alkbayes.runs.places import new_files
    from alkbayes.runs.run import read_run

    target = target_named(for_)
    if out is not None:
        check_script_place(out, target)
    text = script_for(run, target)
    if out is not None:
        with new_files(out, [out]) as (part,):
            part.write_text(text, encoding="utf-8")
    if json_:
        print_json({"script": {"for": str(target), "file": None if out is None else str(out), "text": text}})
    else:
        print_text(text.rstrip("\n") if out is None else str(out))
    if not target.is_classical and (fault := warning(read_run(run))):
        raise ConvergenceError(f"the script is marked as {fault}.")
