"""`alkbayes explore`: a page to leave cohorts out, change model and priors, and see the pooled rates move."""

from pathlib import Path
from typing import Annotated

import typer

from alkbayes.cli.shared import completion as completing
from alkbayes.cli.shared.options import Json, reads_table
from alkbayes.cli.shared.output import print_json, print_message, print_text
from alkbayes.errors import UsageError
from alkbayes.evidence.sources import TableSource

Run = Annotated[
    Path | None,
    typer.Argument(
        metavar="RUN",
        help="Folder of a finished run.",
        show_default=False,
        autocompletion=completing.runs,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="A bundled model or the path of a TOML file. Default: the richest that the table has columns for.",
        show_default=False,
        autocompletion=completing.models,
    ),
]
Port = Annotated[int, typer.Option("--port", help="Port of this machine; 0: a free one.")]
NoBrowser = Annotated[
    bool, typer.Option("--no-browser", help="Print the address and open nothing.", show_default=False)
]


@reads_table
def command(
    run: Run = None,
    data: TableSource | None = None,
    model: Model = None,
    port: Port = 0,
    no_browser: NoBrowser = False,
    json_: Json = False,
) -> None:
    """Explore an analysis on a local page: leave cohorts out, change model and priors, see the posterior move.

    Nothing leaves this machine. Every setting tried is a line in runs/exploration.jsonl. Ends with Ctrl-C, and after an
    hour without use.

    Example: alkbayes explore --data my-trials.csv
    """
    import secrets
    import webbrowser

    if run is not None and (data is not None or model is not None):
        raise UsageError("a run brings its own table and model. Give RUN alone, or a table and a model.")
    _check_installed()
    from alkbayes.explore.server import HOST, listen, serve
    from alkbayes.explore.start import explorer_of_run, explorer_of_table

    explorer = explorer_of_table(data, model) if run is None else explorer_of_run(run)
    listening = listen(port)
    token = secrets.token_urlsafe(32)
    address = f"http://{HOST}:{listening.getsockname()[1]}/?token={token}"

    def opened() -> None:
        if json_:
            print_json({"address": address, "log": str(explorer.log.path)})
        else:
            print_text(address)
        print_message("The page is open until Ctrl-C, or an hour without use. Nothing leaves this machine.")
        if not no_browser:
            webbrowser.open(address)

    serve(explorer, listening=listening, token=token, opened=opened)
    print_message("The page has ended.")


def _check_installed() -> None:
    """Check that the libraries of the page are there: they are an extra, since this command alone needs them."""
    import importlib.util

    if missing := [name for name in ("starlette", "uvicorn") if importlib.util.find_spec(name) is None]:
        raise UsageError(
            f"the page needs {' and '.join(missing)}, not installed here: pip install 'alkbayes[explore]'."
        )
