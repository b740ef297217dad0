"""`alkbayes export`: a finished run as one archive."""

from pathlib import Path
from typing import Annotated

import typer

from alkbayes.cli.shared.options import Json, Run
from alkbayes.cli.shared.output import print_json, print_text
from alkbayes.errors import ConvergenceError

Archive = Annotated[
    Path, typer.Argument(metavar="FILE", help="Archive to be written, .zip; it must not exist.", show_default=False)
]
Posterior = Annotated[
    bool,
    typer.Option(
        "--posterior", help="Include the posterior draws: unpacked, the archive is then a run.", show_default=False
    ),
]


def command(run: Run, archive: Archive, posterior: Posterior = False, json_: Json = False) -> None:
    """Archive of a finished run, for a supplement or a repository.

    One ZIP file: report, figures (PDF and PNG), tables (CSV; those of the report also as a workbook), model, data,
    further analyses of the run, versions, and reproduce.sh, which repeats the fit and compares its pooled rates. The
    same run gives the same bytes.

    Example: alkbayes export runs/line-generation-20261122-101500 supplement.zip
    """
    from alkbayes.cli.shared.progress import working
    from alkbayes.plots.source import warning
    from alkbayes.reporting.archive import check_archive_name, write_archive
    from alkbayes.runs.places import check_free
    from alkbayes.runs.run import read_run

    check_archive_name(archive)
    check_free([archive])
    document = read_run(run)
    with working("writing the archive"):
        contents = write_archive(run, archive, posterior=posterior)
    if json_:
        print_json({"export": {"file": str(archive), "contents": contents}})
    else:
        print_text(str(archive))
    if fault := warning(document):
        raise ConvergenceError(f"report and figures in the archive are marked as {fault}.")
