"""`alkbayes report`: a finished run as a document."""

from pathlib import Path
from typing import Annotated

import typer

from alkbayes.cli.shared.options import Json, Run, RunLevel, run_prob
from alkbayes.cli.shared.output import print_json, print_text
from alkbayes.errors import ConvergenceError

Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="Output file. Default: report.FORMAT in the run's folder.", show_default=False
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="html|md|docx|xlsx",
        help="Output format. Default: from FILE's extension, else html.",
        show_default=False,
    ),
]
Sources = Annotated[
    Path | None,
    typer.Option(
        "--sources",
        metavar="FILE",
        help="Sources of a table of your own (CSV): source_id, as in the table, and any of title, year, kind, doi, "
        "pmid, url.",
        show_default=False,
    ),
]
Flow = Annotated[
    Path | None,
    typer.Option(
        "--flow",
        metavar="FILE",
        help="Counts of records from the search to the table: flow.json of `alkbayes registry flow`. Default: the one "
        "beside the run's table.",
        show_default=False,
    ),
]


def command(
    run: Run,
    out: Out = None,
    format_: Format = None,
    sources: Sources = None,
    level: RunLevel = None,
    flow: Flow = None,
    json_: Json = False,
) -> None:
    """Report of a finished run: one self-contained HTML file, Markdown with figures, or a file for Word or Excel.

    Sections follow the Bayesian analysis reporting guidelines: question, evidence, model, computation and its verdict,
    results, checks, sensitivity (where it was run), limits, how to reproduce it. Existing files are not overwritten.

    docx is for Word and needs python-docx, the extra office. xlsx is a workbook of the report's tables, a sheet each.

    Example: alkbayes report runs/line-generation-20261122-101500 --out report.html
    """
    from alkbayes.cli.shared.progress import working
    from alkbayes.plots.source import warning
    from alkbayes.reporting.files import places, report_format, write_report
    from alkbayes.reporting.sections.sources import read_sources
    from alkbayes.runs.places import check_free
    from alkbayes.runs.run import read_run

    prob = run_prob(level)
    kind = report_format(out, format_)
    path = run / f"report.{kind}" if out is None else out
    document = read_run(run)
    check_free(places(path, kind), "out")
    known = {} if sources is None else read_sources(sources)
    with working("writing the report"):
        from alkbayes.reporting.document import report_of

        made = write_report(report_of(run, known, flow, prob=prob), path, kind)
    if json_:
        print_json({"report": {"format": kind, "files": [str(file) for file in made]}})
    else:
        for file in made:
            print_text(str(file))
    if fault := warning(document):
        raise ConvergenceError(f"the report is marked as {fault}.")
