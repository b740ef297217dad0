"""`alkbayes resistance`: prevalence of ALK resistance mutations by prior inhibitor."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.cli.shared.common import check_same_review, keep, prob_for
from alkbayes.cli.shared.options import AnalysisLevel, BesideRun, Csv, Json, Latex
from alkbayes.cli.shared.output import check_format, print_csv, print_json, print_message, print_note, reader_console
from alkbayes.cli.shared.progress import working
from alkbayes.errors import ConvergenceError

if TYPE_CHECKING:
    from alkbayes.analyses.resistance import Resistance

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Table of resistance mutations (CSV). Default: the bundled table.",
        show_default=False,
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Plot every row, and the model's estimate for each question (PNG, SVG or PDF).",
        show_default=False,
    ),
]


def command(
    data: Data = None,
    plot: Plot = None,
    for_run: BesideRun = None,
    level: AnalysisLevel = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Proportion of samples with an ALK resistance mutation, by prior ALK TKI.

    Example: alkbayes resistance --plot resistance.pdf
    """
    check_format(json_=json_, csv=csv, latex=latex)
    prob = prob_for(level, for_run)
    if plot is not None:
        from alkbayes.plots.files import figure_format
        from alkbayes.runs.places import check_free

        figure_format(plot, None)
        check_free([plot], "plot")
    from alkbayes.evidence.resistance import read_resistance

    if for_run is not None:
        if data is None:
            check_same_review(for_run, "resistance")
        else:
            from alkbayes.runs.run import read_run

            read_run(for_run)
    table = read_resistance(data)
    from alkbayes.analyses.resistance import resistance_of

    with working("fitting each question"):
        found = resistance_of(table, prob=prob)
    if plot is not None:
        _plot(found, plot)
    record = found.to_dict()
    if for_run is not None:
        keep(for_run, "resistance", record)
    if json_:
        print_json(record)
    elif csv:
        print_message(found.few[0])
        print_csv(found.rows)
    else:
        from alkbayes.cli.shared.reader import print_parts
        from alkbayes.presentation.resistance import resistance_parts

        print_parts(reader_console(), resistance_parts(record))
    if found.failures:
        raise ConvergenceError(f"a posterior did not converge: {'; '.join(found.failures)}. Do not use its numbers.")


def _plot(found: "Resistance", path: Path) -> None:
    """Draw the rows and the model's estimates, and report the file on stderr."""
    from alkbayes.plots.figures.resistance import resistance
    from alkbayes.plots.files import save_figures
    from alkbayes.plots.page.style import Caption

    warning = f"NOT CONVERGED, not to be used: {'; '.join(found.failures)}" if found.failures else ""
    caption = Caption((f"Table: {found.table.source}.", *found.gaps), warning, interval_prob=found.interval_prob)
    for file in save_figures(resistance(found.rows, found.prevalence, heading=found.few[0], caption=caption), path):
        print_note(f"Figure: {file}")
