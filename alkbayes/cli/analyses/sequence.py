"""`alkbayes sequence`: response to further ALK TKIs after each prior ALK TKI."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.cli.shared import completion as completing
from alkbayes.cli.shared.common import evidence_for, headline, keep, prob_for
from alkbayes.cli.shared.options import AnalysisLevel, Csv, ForRun, Json, Latex, reads_table
from alkbayes.cli.shared.output import check_format, print_csv, print_json, reader_console, say
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_parts
from alkbayes.errors import ConvergenceError, UsageError
from alkbayes.evidence.sources import TableSource

if TYPE_CHECKING:
    from alkbayes.analyses.sequence import SequenceRecord
    from alkbayes.evidence.table import Evidence
    from alkbayes.inference.fit import Fit

MODEL = "sequence"
"""Model of :mod:`alkbayes.analyses.sequence`, which is slow to import."""

MaybeRun = Annotated[
    Path | None,
    typer.Argument(
        metavar="RUN",
        help=f"Folder of a run of the model {MODEL}, or one like it. Default: fit that model, by quadrature.",
        show_default=False,
        autocompletion=completing.runs,
    ),
]
After = Annotated[
    str | None,
    typer.Option(
        "--after",
        metavar="HISTORY",
        help="Only treatments after this prior ALK TKI: none, crizotinib, second, any or mixed. All options are then "
        "compared, and --csv prints the comparisons.",
        show_default=False,
    ),
]


@reads_table
def command(
    run: MaybeRun = None,
    after: After = None,
    data: TableSource | None = None,
    for_run: ForRun = None,
    level: AnalysisLevel = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Response rates by prior ALK TKI and TKI generation, with contrasts of what may follow.

    Example: alkbayes sequence --after crizotinib
    """
    check_format(json_=json_, csv=csv, latex=latex)
    prob = prob_for(level, run or for_run)
    if run is not None and data is not None:
        raise UsageError("A RUN has its own table, and --data names another. Give one of them.")
    if for_run is not None and (run is not None or after is not None):
        raise UsageError(
            "--for fits the bundled model to its run's table, and keeps all that is found. Give it without RUN and "
            "--after."
        )
    fit = _fit(run, data, for_run, prob)
    from alkbayes.analyses.sequence import sequencing_of

    found = sequencing_of(fit, after=after)
    record = found.to_dict(run=None if run is None else str(run))
    if for_run is not None:
        keep(for_run, "sequence", record)
    if json_:
        print_json(record)
    elif csv:
        print_csv(found.matrix if after is None else found.comparisons)
    else:
        _show(record, fit.evidence)
    if not fit.diagnostics.converged:
        raise ConvergenceError(
            f"the posterior did not converge: {'; '.join(fit.diagnostics.failures)}. Do not use these numbers."
        )


def _fit(run: Path | None, data: "TableSource | None", for_run: Path | None, prob: float) -> "Fit":
    """Return the fit of a run; where there is none, fit the bundled model."""
    if run is not None:
        from alkbayes.runs.run import read_fit

        return read_fit(run, prob=prob)
    from alkbayes.spec.schema import model_path, read_spec

    evidence = evidence_for(data, for_run, needed=read_spec(model_path(MODEL)).columns)
    from alkbayes.analyses.sequence import sequence_fit

    with working(f"fitting the model {MODEL}"):
        return sequence_fit(evidence, interval_prob=prob)


def _show(record: "SequenceRecord", evidence: "Evidence") -> None:
    """Print the cautions, the source and the numbers."""
    from alkbayes.presentation.sequence import sequence_opening, sequence_parts

    console = reader_console()
    print_parts(console, sequence_opening(record))
    for line in headline(evidence):
        say(console, line)
    print_parts(console, sequence_parts(record))
    if record["after"] is None:
        say(console, "Every pair after one of them, predicted ones too: --after HISTORY. Every number: --json, --csv.")
