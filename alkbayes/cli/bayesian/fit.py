"""`alkbayes fit`: compute the posterior of a model and report it beside classical pooling."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.alk.levels import DEFAULT_MODEL
from alkbayes.cli.shared import completion as completing
from alkbayes.cli.shared.options import Above, Json, Level, interval_prob, limits_of, reads_table
from alkbayes.cli.shared.output import message_console, no_color, print_json, records, shows_progress
from alkbayes.cli.shared.progress import working
from alkbayes.errors import ConvergenceError, TakenError
from alkbayes.evidence.sources import TableSource
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.vocabulary import Standard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alkbayes.estimates.cross_check import CrossCheck
    from alkbayes.evidence.table import Evidence
    from alkbayes.inference.fit import Fit
    from alkbayes.inference.nuts.sampler import Progress
    from alkbayes.spec.schema import Spec

DEFAULTS = SamplerSettings()

Model = Annotated[
    str | None,
    typer.Argument(
        metavar="MODEL",
        help="A bundled model or the path of a TOML file. Default: the richest that the table has columns for.",
        show_default=False,
        autocompletion=completing.models,
    ),
]
StandardOf = Annotated[
    Standard | None,
    typer.Option(
        help="Standardisation: average levels of a column over the same mix of other columns, or each over its own. "
        f"Default: same for {DEFAULT_MODEL} and where no model is named, else own.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder for the run. Default: runs/<model>-<time>.", show_default=False),
]
Seed = Annotated[int, typer.Option(help="Random seed.")]
Chains = Annotated[int, typer.Option(help="Number of chains.")]
Draws = Annotated[int, typer.Option(help="Draws per chain.")]
Tune = Annotated[int, typer.Option(help="Tuning steps per chain (nuts).")]
EngineName = Annotated[
    Engine,
    typer.Option("--engine", help="nuts: MCMC; quadrature: no chains, done in seconds."),
]
CrossCheckToo = Annotated[
    bool, typer.Option("--cross-check", help="Run both engines and compare all pooled numbers.", show_default=False)
]
NoCheck = Annotated[
    bool,
    typer.Option("--no-check", help="Skip the search for columns that would improve the model.", show_default=False),
]


@reads_table
def command(
    model: Model = None,
    data: TableSource | None = None,
    out: Out = None,
    standard: StandardOf = None,
    seed: Seed = DEFAULTS.seed,
    chains: Chains = DEFAULTS.chains,
    draws: Draws = DEFAULTS.draws,
    tune: Tune = DEFAULTS.tune,
    engine: EngineName = Engine.NUTS,
    cross_check: CrossCheckToo = False,
    no_check: NoCheck = False,
    above: Above = None,
    level: Level = None,
    json_: Json = False,
) -> None:
    """Bayesian meta-analysis: fit a hierarchical model; pooled rates beside classical pooling.

    Example: alkbayes fit line-generation --data my-trials.csv --out my-run
    """
    import shlex
    import sys
    from dataclasses import replace
    from datetime import datetime

    from alkbayes.evidence.table import read_evidence
    from alkbayes.model.covariates import stated_cohorts
    from alkbayes.runs.run import check_place, free_run_folder, write_run
    from alkbayes.spec.default_model import default_model, usual_standard
    from alkbayes.spec.schema import model_path, read_spec

    # Input errors are found before any heavy import, let alone sampling.
    settings = SamplerSettings(seed=seed, chains=chains, draws=draws, tune=tune)
    limits, prob = limits_of(above), interval_prob(level)
    started = datetime.now().astimezone()
    chosen = default_model(read_evidence(data).frame) if model is None else None
    path = model_path(chosen.name if chosen is not None else str(model))
    spec = read_spec(path)
    model_file = path.read_bytes()
    evidence = stated_cohorts(spec, read_evidence(data, needed=spec.needed, outcome=spec.outcome))
    check_place(out or free_run_folder(spec.name, now=started))
    standard = standard or usual_standard(model)

    from alkbayes.estimates.results import results_of

    fit, compared = _fitted(spec, evidence, engine, settings, standard, prob, cross_check=cross_check)
    results = results_of(fit)
    added = {"chosen": None if chosen is None else chosen.why, **_asked_for(fit, limits, check=not no_check)}
    results = replace(results, document=results.document | added)
    if cross_check:
        fell_back = {"faults": [f"quadrature fell back to NUTS: {fit.provenance.fallback_reason}"]}
        record = fell_back if compared is None else compared.as_record()
        results = replace(results, document=results.document | {"cross_check": record})
    typed = f"alkbayes {shlex.join(sys.argv[1:])}"
    while True:
        folder = out or free_run_folder(spec.name, now=started)
        try:
            written = write_run(folder, fit, results, model_file=model_file, command=typed)
            break
        except TakenError:
            # Without --out, another fit begun in the same second may have taken the name.
            if out is not None:
                raise
    if json_:
        print_json({**written, "run": str(folder)})
    else:
        from alkbayes.cli.bayesian.fit_sheet import show_fit

        show_fit(written, folder)
    if not fit.diagnostics.converged:
        raise ConvergenceError(
            f"the posterior did not converge: {'; '.join(fit.diagnostics.failures)}. "
            f"The results are in {folder}, marked; do not use them."
        )
    from alkbayes.presentation.fit import cross_check_faults

    if faults := cross_check_faults(written):
        raise ConvergenceError(f"the cross-check failed: {'; '.join(faults)}. The results are in {folder}.")


def _fitted(
    spec: "Spec",
    evidence: "Evidence",
    engine: Engine,
    settings: SamplerSettings,
    standard: Standard,
    prob: float,
    *,
    cross_check: bool,
) -> "tuple[Fit, CrossCheck | None]":
    """Return the fit, and with `cross_check` the comparison of both engines."""
    from alkbayes.estimates.cross_check import fit_both
    from alkbayes.inference.fit import fit_model

    with _progress(engine) as progress:
        if cross_check:
            return fit_both(
                spec,
                evidence,
                keep=engine,
                settings=settings,
                standard=standard,
                interval_prob=prob,
                progress=progress,
            )
        fit = fit_model(
            spec,
            evidence,
            engine=engine,
            settings=settings,
            standard=standard,
            interval_prob=prob,
            progress=progress,
        )
        return fit, None


def _asked_for(fit: "Fit", limits: list[float], *, check: bool) -> dict[str, Any]:
    """Return parts of the document that take time: columns outside the model, and probabilities of exceeding limits."""
    from alkbayes.criticism.confounding import columns_left_out
    from alkbayes.estimates.exceedance import exceedance_table

    found: dict[str, Any] = dict(columns_left_out(fit)) if check else {}
    if limits:
        found["exceedance"] = records(exceedance_table(fit, limits))
    return found


@contextmanager
def _progress(engine: Engine) -> "Iterator[Progress | None]":
    """Show a progress bar on stderr if that is a terminal."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = message_console()

    first = "integrating" if engine is Engine.QUADRATURE else "compiling the model"
    if not shows_progress(console) or no_color():
        with working(first if engine is Engine.QUADRATURE else "sampling"):
            yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[detail]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(first, total=None, detail="")

        def progress(finished: int, total: int, divergences: int) -> None:
            bar.update(
                task,
                description="sampling",
                completed=finished,
                total=total,
                detail=f"{finished:,} of {total:,} draws, {divergences} divergences",
            )

        yield progress
