"""`alkbayes randomised`: network meta-analysis of randomised trials, beside what single arms suggest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.cli.shared.common import check_same_review, keep, prob_for
from alkbayes.cli.shared.options import AnalysisLevel, BesideRun, Csv, Json, Latex
from alkbayes.cli.shared.output import check_format, print_csv, print_json, print_note, reader_console
from alkbayes.cli.shared.progress import working
from alkbayes.errors import ConvergenceError
from alkbayes.inference.settings import DEFAULT_SEED

if TYPE_CHECKING:
    from alkbayes.randomised.analysis import Randomised

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Randomised trials, one row an arm: CSV, .xlsx, .xls, .ods or Parquet; - for stdin. Default: the bundled "
        "trials.",
        show_default=False,
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="NAME=COLUMN,…",
        help="Columns of FILE: trial=study,responders=event,n=n; repeatable.",
        show_default=False,
    ),
]
Sheet = Annotated[
    str | None, typer.Option("--sheet", metavar="NAME", help="Sheet of a workbook FILE.", show_default=False)
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="COLUMN",
        help="Column that names the treatments, such as agent. Default: treatment_class of the bundled trials, else "
        "treatment, agent or arm.",
        show_default=False,
    ),
]
Reference = Annotated[
    str | None,
    typer.Option(
        "--reference", metavar="TREATMENT", help="Treatment that stands first in the contrasts.", show_default=False
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="TRIAL", help="Leave out this trial; repeatable.", show_default=False),
]
Common = Annotated[bool, typer.Option("--common", help="Effects common to all trials, instead of random effects.")]
TauPriorText = Annotated[
    str | None,
    typer.Option(
        "--tau-prior",
        metavar="PRIOR",
        help="Prior of the SD between trials: half-normal(SCALE) or uniform(LIMIT). Default: half-normal(0.5).",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(help="Random seed.")]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Plot the network and the contrasts of each outcome (PNG, SVG or PDF).",
        show_default=False,
    ),
]


def command(
    data: Data = None,
    columns: Columns = None,
    sheet: Sheet = None,
    by: By = None,
    reference: Reference = None,
    exclude: Exclude = None,
    common: Common = False,
    tau_prior: TauPriorText = None,
    seed: Seed = DEFAULT_SEED,
    plot: Plot = None,
    for_run: BesideRun = None,
    level: AnalysisLevel = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Network meta-analysis of randomised trials, beside what single arms suggest.

    Example: alkbayes randomised --by agent --plot network.pdf
    """
    check_format(json_=json_, csv=csv, latex=latex)
    prob = prob_for(level, for_run)
    if plot is not None:
        from alkbayes.plots.files import figure_format
        from alkbayes.runs.places import check_free

        figure_format(plot, None)
        check_free([plot], "plot")
    if for_run is not None and data is None:
        check_same_review(for_run, "randomised")
    from alkbayes.cli.shared.options import table_source
    from alkbayes.evidence.randomised import read_randomised
    from alkbayes.randomised.priors import Priors, parse_tau

    priors = Priors() if tau_prior is None else Priors(tau=parse_tau(tau_prior))
    table = read_randomised(table_source(data, columns, sheet), by=by, exclude=exclude or [])
    from alkbayes.randomised.analysis import randomised_of

    with working("comparing treatments within trials"):
        found = randomised_of(table, reference=reference, priors=priors, common=common, prob=prob, seed=seed)
    if plot is not None:
        _plot(found, plot)
    record = found.to_dict()
    if for_run is not None:
        keep(for_run, "randomised", record)
    if json_:
        print_json(record)
    elif csv:
        print_csv(found.contrasts)
    else:
        from alkbayes.cli.shared.reader import print_parts
        from alkbayes.presentation.randomised import randomised_parts

        print_parts(reader_console(), randomised_parts(record))
    if found.failures:
        raise ConvergenceError(f"a posterior did not converge: {'; '.join(found.failures)}. Do not use its numbers.")


def _plot(found: "Randomised", path: Path) -> None:
    """Draw the network and the contrasts of each outcome, and report the file on stderr."""
    from alkbayes.plots.figures.randomised import randomised
    from alkbayes.plots.files import save_figures
    from alkbayes.plots.page.style import Caption

    warning = f"NOT CONVERGED, not to be used: {'; '.join(found.failures)}" if found.failures else ""
    caption = Caption((f"Trials: {found.table.source}.",), warning, interval_prob=found.interval_prob)
    for file in save_figures(randomised(found.to_dict(), caption), path):
        print_note(f"Figure: {file}")
