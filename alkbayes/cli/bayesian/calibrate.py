"""`alkbayes calibrate`: calibration of posteriors and coverage of intervals on simulated tables."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.alk.levels import DEFAULT_MODEL
from alkbayes.cli.shared import completion as completing
from alkbayes.cli.shared.options import Json, reads_table
from alkbayes.cli.shared.output import QUIET, message_console, no_color, print_json, reader_console, say, shows_progress
from alkbayes.cli.shared.reader import print_table
from alkbayes.errors import ConvergenceError, UsageError
from alkbayes.evidence.sources import TableSource
from alkbayes.inference.settings import DEFAULT_SEED, Engine

if TYPE_CHECKING:
    from alkbayes.calibration.workers import Told
    from alkbayes.evidence.table import Evidence
    from alkbayes.spec.schema import Spec

MOST_REPLICATIONS = 1_000_000

BUNDLED_SCENARIO = "bundled"

Model = Annotated[
    str | None,
    typer.Argument(
        metavar="MODEL",
        help=f"A bundled model or the path of a TOML file. Default: {DEFAULT_MODEL}, or the richest bundled one whose "
        "columns the table of --data has.",
        show_default=False,
        autocompletion=completing.models,
    ),
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder of the study; a study that is there is resumed.")]
ScenarioName = Annotated[
    str | None,
    typer.Option(
        "--scenario",
        metavar="NAME",
        help="Cohorts of the bundled table and parameters to simulate; see docs/how-to/calibrate.md. "
        f"Default: {BUNDLED_SCENARIO}.",
        show_default=False,
    ),
]
EngineName = Annotated[Engine, typer.Option("--engine", help="Engine of the posteriors.")]
Replications = Annotated[int, typer.Option(help="Number of simulated tables, including those in the folder.")]
Seed = Annotated[int, typer.Option(help="Random seed.")]
Draws = Annotated[int, typer.Option(help="Draws per posterior.")]
Workers = Annotated[
    int | None, typer.Option(help="Worker processes on this machine. Default: one per core.", show_default=False)
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Dask scheduler of a cluster, such as tcp://host:8786.", show_default=False),
]
Plots = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder for the plot of the ranks, ranks.png.", show_default=False)
]


@reads_table
def command(
    out: Out,
    model: Model = None,
    data: TableSource | None = None,
    scenario: ScenarioName = None,
    engine: EngineName = Engine.QUADRATURE,
    replications: Replications = 200,
    seed: Seed = DEFAULT_SEED,
    draws: Draws = 1000,
    workers: Workers = None,
    scheduler: Scheduler = None,
    plots: Plots = None,
    json_: Json = False,
) -> None:
    """Simulation-based calibration of the posteriors, and coverage of Bayesian and classical intervals.

    With --data, tables are simulated for the cohorts of a table of your own. The same command resumes an interrupted
    study.

    Example: alkbayes calibrate line --data my-trials.csv --replications 100 --out runs/mine
    """
    from datetime import datetime

    for name, value, most in (("replications", replications, MOST_REPLICATIONS), ("workers", workers or 1, 1000)):
        if not 1 <= value <= most:
            raise UsageError(f"--{name}: found {value}; allowed: 1 to {most:,}.")
    if workers is not None and scheduler is not None:
        raise UsageError("--workers and --scheduler exclude each other: a cluster has workers of its own.")
    spec, table, why = _asked(model, data, scenario)

    from alkbayes.calibration.folder import StudyFolder
    from alkbayes.calibration.replications import Study, check_study
    from alkbayes.calibration.summary import summarise_study
    from alkbayes.calibration.workers import check_scheduler, run_study

    study = Study(
        spec=spec,
        scenario=(scenario or BUNDLED_SCENARIO) if table is None else None,
        engine=engine,
        seed=seed,
        draws=draws,
        table=table,
    )
    check_study(study)
    if scheduler is not None:
        check_scheduler(scheduler)
    folder = StudyFolder(out, study, now=datetime.now().astimezone())
    with _progress(out, replications, finished=len(folder.records)) as told:
        records = run_study(
            study,
            folder,
            replications=replications,
            workers=workers or os.cpu_count() or 1,
            scheduler=scheduler,
            told=told,
        )
    summary = summarise_study(study, records)
    folder.write_summary(summary)
    if plots is not None and summary["ranks"] is not None:
        from alkbayes.plots.figures.ranks import write_rank_plot
        from alkbayes.presentation.calibration import named_ranks

        write_rank_plot(plots, named_ranks(summary["ranks"]), kept=summary["ranks"]["kept"])
    document = {"study": folder.described, "summary": summary, "out": str(out)}
    if json_:
        print_json({"calibration": document})
    else:
        _show(document, table, why)
    ranks = summary["ranks"]
    if ranks is not None and not ranks["passed"]:
        from alkbayes.presentation.calibration import failed_quantities

        failed = "; ".join(failed_quantities(ranks))
        raise ConvergenceError(f"the ranks are not uniform: {failed}. The posteriors are not calibrated.")


def _asked(model: str | None, data: TableSource | None, scenario: str | None) -> "tuple[Spec, Evidence | None, str]":
    """Return the model, its cohorts if they are not a scenario's, and why this model if it is not named."""
    from alkbayes.calibration.scenarios import scenario_named
    from alkbayes.evidence.table import read_evidence
    from alkbayes.model.covariates import stated_cohorts
    from alkbayes.spec.default_model import default_model
    from alkbayes.spec.schema import model_path, read_spec

    if data is None:
        scenario_named(scenario or BUNDLED_SCENARIO)
        return read_spec(model_path(model or DEFAULT_MODEL)), None, ""
    if scenario is not None:
        raise UsageError(
            "a scenario has cohorts of its own from the bundled table. Omit it, or the options that name a table and "
            "choose its cohorts.",
            parameter="scenario",
        )
    chosen = default_model(read_evidence(data).frame) if model is None else None
    spec = read_spec(model_path(str(model) if chosen is None else chosen.name))
    table = stated_cohorts(spec, read_evidence(data, needed=spec.needed, outcome=spec.outcome))
    return spec, table, "" if chosen is None else chosen.why


@contextmanager
def _progress(out: Path, replications: int, *, finished: int) -> "Iterator[Told]":
    """Show progress on stderr (a bar in a terminal, else occasional lines), and on Ctrl-C how to continue."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = message_console()
    bars = shows_progress(console) and not no_color()
    made = finished
    if finished:
        say(console, f"{out}: goes on, {finished:,} replications are there.")
    columns = (TextColumn("replications"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not bars) as bar:
        task = bar.add_task("", total=replications, completed=min(finished, replications))

        def told(count: int) -> None:
            nonlocal made
            made = count
            bar.update(task, completed=count)
            if not (bars or QUIET.get()) and count * 10 // replications > (count - 1) * 10 // replications:
                say(console, f"{count:,} of {replications:,} replications")

        try:
            yield told
        except KeyboardInterrupt:
            say(
                console,
                f"{made:,} of {replications:,} replications are kept in {out}; the same command goes on with the rest.",
            )
            raise


def _show(document: dict[str, Any], table: "Evidence | None", why: str) -> None:
    """Print the study, the verdict on the ranks, and the coverage."""
    from alkbayes.calibration.scenarios import SCENARIOS
    from alkbayes.evidence.table import BUNDLED_NAME
    from alkbayes.presentation.calibration import coverage_rows, rank_rows, rank_verdict
    from alkbayes.text.names import shown
    from alkbayes.text.wording import counted

    console = reader_console()
    study, summary = document["study"], document["summary"]
    if table is None:
        cohorts = f"scenario {study['scenario']} ({SCENARIOS[study['scenario']].what})"
    else:
        name = BUNDLED_NAME if table.bundled else table.source
        cohorts = f"{counted(table.cohorts, 'cohort')} of {name}, parameters from the priors"
    say(
        console,
        f"Study: model {shown(study['model'])}, {cohorts}, {study['engine']}, "
        f"{counted(summary['replications'], 'replication')}, seed {study['seed']}",
    )
    if why:
        say(console, f"This model, as {why}.")
    for note in () if table is None else table.notes:
        say(console, note)
    for line in _cautions(summary):
        say(console, line)
    if summary["ranks"] is None:
        say(console, "The parameters are fixed: ranks say nothing, and coverage is the frequentist one.")
    else:
        say(console, rank_verdict(summary))
        print_table(console, rank_rows(summary["ranks"]), space=True)
    print_table(console, coverage_rows(summary["coverage"]), space=True)
    say(console, f"Written to {document['out']}")


def _cautions(summary: dict[str, Any]) -> Iterator[str]:
    """Yield deviations from the study as requested."""
    if fallen := sum(summary["fallback_reason"].values()):
        yield f"{fallen:,} posteriors fell back to NUTS, as in a fit."
    if summary["diverged"]:
        yield f"{summary['diverged']:,} posteriors had divergences at the second try too."
    if summary["short"]:
        yield f"{summary['short']:,} posteriors had fewer effective draws than are ranked: their ranks depend."
    for reason, count in summary["failed"].items():
        yield f"{count:,} posteriors could not be drawn and count nowhere: {reason}"
