"""`alkbayes pfs`: median progression-free survival, as reviews average it and by a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared.common import evidence_for, keep
from alkbayes.cli.shared.options import Csv, Data, ForRun, Json
from alkbayes.cli.shared.output import check_format, print_csv, print_json, print_message
from alkbayes.cli.shared.progress import working
from alkbayes.errors import ConvergenceError
from alkbayes.inference.settings import DEFAULT_SEED
from alkbayes.vocabulary import MEDIAN_MODEL

if TYPE_CHECKING:
    import pandas as pd

    from alkbayes.analyses.pfs import PfsResults
    from alkbayes.evidence.table import Evidence

DEFAULT_DRAWS = 8000

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="The bundled model of medians, or the path of a TOML file of one.")
]
Seed = Annotated[int, typer.Option(help="Decides every draw and every resample.")]
Draws = Annotated[int, typer.Option(help="Draws of the posterior.")]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Draw it to a PNG, SVG or PDF file: a forest.", show_default=False),
]


def command(
    model: Model = MEDIAN_MODEL,
    data: Data = None,
    seed: Seed = DEFAULT_SEED,
    draws: Draws = DEFAULT_DRAWS,
    plot: Plot = None,
    for_run: ForRun = None,
    json_: Json = False,
    csv: Csv = False,
) -> None:
    """Pool median progression-free survival: the patient-weighted mean, and a model that has the printed intervals.

    Example: alkbayes pfs --data my-trials.csv --plot pfs.pdf
    """
    check_format(json_=json_, csv=csv)
    if plot is not None:
        from alkbayes.plots.files import figure_format
        from alkbayes.runs.places import check_free

        figure_format(plot, None)
        check_free([plot])
    from alkbayes.spec.medians import read_median_spec
    from alkbayes.spec.schema import model_path

    spec = read_median_spec(model_path(model))
    evidence = evidence_for(data, for_run, columns=spec.columns)
    with working("fitting the medians"):
        from alkbayes.analyses.pfs import pfs_results

        results = pfs_results(evidence, spec, seed=seed, draws=draws)
    if plot is not None:
        _plot(evidence, results, plot)
    document = {"evidence": _subject(evidence)} | results.document()
    if for_run is not None:
        keep(for_run, "pfs", document)
    if json_:
        print_json(document)
    elif csv:
        print_csv(_flat(results))
    else:
        from alkbayes.cli.analyses.pfs_sheet import show_pfs

        show_pfs(results, evidence)
    if not results.converged:
        raise ConvergenceError(
            f"the posterior did not converge: {'; '.join(results.failures)}. What was printed is marked; do not use it."
        )


def _subject(evidence: "Evidence") -> dict[str, Any]:
    names = ("source", "sha256", "cohorts", "trials", "patients")
    return {name: getattr(evidence, name) for name in names}


def _flat(results: "PfsResults") -> "pd.DataFrame":
    """Return the pooled medians with, in each row of a group, its mean of medians."""
    key = ["group", "level"]
    weighted = results.weighted.drop(columns="not_reached").set_index(key).add_prefix("weighted_").reset_index()
    flat = results.pooled.merge(weighted, on=key)
    return flat.assign(converged=results.converged)


def _plot(evidence: "Evidence", results: "PfsResults", path: Path) -> None:
    """Draw the forest, and say on stderr where."""
    from alkbayes.plots.figures.pfs import pfs_forest
    from alkbayes.plots.files import save_figures
    from alkbayes.plots.page.style import Caption

    warning = "" if results.converged else f"NOT CONVERGED, DO NOT USE: {'; '.join(results.failures)}"
    caption = Caption(
        (f"Evidence: {evidence.source}.", *results.notes[:2], *(note.text for note in results.cautions)), warning
    )
    for file in save_figures(pfs_forest(results.pooled, results.cohorts, results.weighted, caption), path):
        print_message(f"Figure: {file}")
