"""`alkbayes intracranial`: intracranial and systemic response, and comparisons between generations."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.cli.shared.common import console_for, evidence_for, keep, prob_for
from alkbayes.cli.shared.options import AnalysisLevel, Csv, ForRun, Json, Latex, reads_table
from alkbayes.cli.shared.output import check_format, print_csv, print_json, print_note
from alkbayes.errors import ConvergenceError
from alkbayes.evidence.outcomes import ORR
from alkbayes.evidence.sources import TableSource

if TYPE_CHECKING:
    from alkbayes.analyses.intracranial import IntracranialAnalysis
    from alkbayes.analyses.joint import JointFit

MODEL = "intracranial"
SYSTEMIC_MODEL = "line-generation"
"""Model with the same effects for systemic response."""

JointToo = Annotated[
    bool,
    typer.Option(
        "--joint", help="Also fit both responses jointly, with correlated trial and cohort effects (by NUTS)."
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Plot the rates (PNG, SVG or PDF).", show_default=False),
]


@reads_table
def command(
    data: TableSource | None = None,
    joint: JointToo = False,
    plot: Plot = None,
    for_run: ForRun = None,
    level: AnalysisLevel = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Intracranial beside systemic response rates, and their differences between TKI generations.

    Example: alkbayes intracranial --plot brain.pdf
    """
    check_format(json_=json_, csv=csv, latex=latex)
    prob = prob_for(level, for_run)
    from alkbayes.spec.schema import model_path, read_spec

    specs = read_spec(model_path(SYSTEMIC_MODEL)), read_spec(model_path(MODEL))
    systemic, brain = (evidence_for(data, for_run, needed=spec.columns, outcome=spec.outcome) for spec in specs)
    if plot is not None:
        from alkbayes.plots.files import figure_format
        from alkbayes.runs.places import check_free

        figure_format(plot, None)
        check_free([plot], "plot")
    from alkbayes.analyses.intracranial import intracranial_analysis
    from alkbayes.analyses.intracranial_record import failures_of, intracranial_record
    from alkbayes.cli.shared.progress import counted

    with counted("fitting") as progress:
        found = intracranial_analysis(specs[1], brain, systemic=(specs[0], systemic), prob=prob, progress=progress)
    record = intracranial_record(found, _joint(found) if joint else None)
    if for_run is not None:
        keep(for_run, "intracranial", record)
    if plot is not None:
        _draw(found, plot)
    if json_:
        print_json({"intracranial": record})
    elif csv:
        print_csv(found.rates)
    else:
        from alkbayes.cli.shared.reader import print_parts
        from alkbayes.presentation.intracranial import intracranial_parts

        print_parts(console_for(brain), intracranial_parts(record))
    if failures := failures_of(record):
        raise ConvergenceError(f"a posterior did not converge: {'; '.join(failures)}. Do not use these numbers.")


def _joint(found: "IntracranialAnalysis") -> "JointFit":
    """Fit both outcomes jointly."""
    from alkbayes.analyses.joint import fit_joint
    from alkbayes.cli.shared.progress import counted

    with counted("sampling both responses together") as progress:
        return fit_joint(
            found.systemic,
            found.brain,
            progress=None if progress is None else lambda done, total, _: progress(done, total),
        )


def _draw(found: "IntracranialAnalysis", path: Path) -> None:
    """Draw the rates, and report the file on stderr."""
    from alkbayes.alk.review import RECONSTRUCTION
    from alkbayes.plots.figures.intracranial import intracranial
    from alkbayes.plots.files import save_figures
    from alkbayes.plots.page.style import Caption

    failed = f"NOT CONVERGED, not to be used: {'; '.join(found.failures)}" if found.failures else ""
    evidence = found.brain.evidence
    reconstruction = [RECONSTRUCTION] if evidence.bundled else []
    caveat = ORR.not_randomised(evidence.trials)
    notes = (f"Evidence: {evidence.source}.", *reconstruction, *evidence.notes, *found.carried_by, caveat)
    caption = Caption(notes, failed, interval_prob=found.brain.interval_prob)
    for file in save_figures(intracranial(found.rates, caption), path):
        print_note(f"Figure: {file}")
