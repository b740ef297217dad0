"""`alkbayes pfs`: median progression-free survival, averaged as in reviews and by a model."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.alk.levels import MEDIAN_MODEL
from alkbayes.cli.shared.common import console_for, evidence_for, keep, prob_for
from alkbayes.cli.shared.options import AnalysisLevel, Csv, ForRun, Json, Latex, reads_table
from alkbayes.cli.shared.output import check_format, print_csv, print_json, print_note
from alkbayes.cli.shared.progress import working
from alkbayes.errors import ConvergenceError
from alkbayes.evidence.outcomes import ORR
from alkbayes.evidence.sources import TableSource
from alkbayes.inference.settings import DEFAULT_SEED

if TYPE_CHECKING:
    from alkbayes.analyses.pfs import PfsResults
    from alkbayes.evidence.table import Evidence

DEFAULT_DRAWS = 8000

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="The bundled model of medians, or the path of a TOML file.")
]
Seed = Annotated[int, typer.Option(help="Random seed.")]
Draws = Annotated[int, typer.Option(help="Number of posterior draws.")]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Forest plot of the medians (PNG, SVG or PDF).", show_default=False),
]


@reads_table
def command(
    model: Model = MEDIAN_MODEL,
    data: TableSource | None = None,
    seed: Seed = DEFAULT_SEED,
    draws: Draws = DEFAULT_DRAWS,
    plot: Plot = None,
    for_run: ForRun = None,
    level: AnalysisLevel = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Pooled median progression-free survival: patient-weighted mean and hierarchical model.

    Example: alkbayes pfs --data my-trials.csv --plot pfs.pdf
    """
    check_format(json_=json_, csv=csv, latex=latex)
    prob = prob_for(level, for_run)
    if plot is not None:
        from alkbayes.plots.files import figure_format
        from alkbayes.runs.places import check_free

        figure_format(plot, None)
        check_free([plot], "plot")
    from alkbayes.spec.medians import read_median_spec
    from alkbayes.spec.schema import model_path

    spec = read_median_spec(model_path(model))
    counted = replace(ORR, declared=spec.declared)
    evidence = evidence_for(data, for_run, needed=spec.needed, outcome=counted)
    with working("fitting the medians"):
        from alkbayes.analyses.pfs import pfs_results

        results = pfs_results(evidence, spec, seed=seed, draws=draws, prob=prob)
    if plot is not None:
        _plot(evidence, results, plot)
    record = results.to_dict()
    if for_run is not None:
        keep(for_run, "pfs", record)
    if json_:
        print_json(record)
    elif csv:
        print_csv(results.table)
    else:
        from alkbayes.cli.shared.reader import print_parts
        from alkbayes.presentation.pfs import pfs_parts

        print_parts(console_for(evidence), pfs_parts(record))
    if not results.converged:
        raise ConvergenceError(
            f"the posterior did not converge: {'; '.join(results.failures)}. What was printed is marked; do not use it."
        )


def _plot(evidence: "Evidence", results: "PfsResults", path: Path) -> None:
    """Draw the forest plot, and report the file on stderr."""
    from alkbayes.evidence.table import labelled
    from alkbayes.plots.figures.pfs import pfs_forest
    from alkbayes.plots.files import save_figures
    from alkbayes.plots.page.style import Caption

    warning = "" if results.converged else f"NOT CONVERGED, DO NOT USE: {'; '.join(results.failures)}"
    caption = Caption(
        (f"Evidence: {evidence.source}.", *results.notes[:2], *(note.text for note in results.cautions)),
        warning,
        evidence.outcome,
        interval_prob=results.interval_prob,
    )
    cohorts = labelled(results.cohorts, evidence.frame)
    for file in save_figures(pfs_forest(results.pooled, cohorts, results.weighted, caption), path):
        print_note(f"Figure: {file}")
