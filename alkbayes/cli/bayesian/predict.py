"""`alkbayes predict`: prediction for a planned single-arm trial."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.cli.shared.common import keep
from alkbayes.cli.shared.options import Above, Csv, Json, Latex, Run, RunLevel, limits_of, run_prob
from alkbayes.cli.shared.output import check_format, print_csv, print_json, print_note, reader_console, say
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_parts
from alkbayes.errors import ConvergenceError, UsageError

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit
    from alkbayes.planning.trial import Prediction

Patients = Annotated[list[int], typer.Option("--n", metavar="N", help="Planned sample size; repeatable.")]
OfLine = Annotated[
    str | None,
    typer.Option(
        "--line",
        metavar="LEVEL",
        help="Level of line in the planned cohort; short for --at line=LEVEL.",
        show_default=False,
    ),
]
OfGeneration = Annotated[
    str | None,
    typer.Option(
        "--generation",
        metavar="LEVEL",
        help="Level of generation in the planned cohort; short for --at.",
        show_default=False,
    ),
]
At = Annotated[
    list[str] | None,
    typer.Option(
        "--at",
        metavar="COLUMN=LEVEL",
        help="Level of another column of the model; repeatable. Columns left out are averaged over the cohorts "
        "with the levels given.",
        show_default=False,
    ),
]
Null = Annotated[
    float | None,
    typer.Option(
        "--null",
        metavar="RATE",
        help="Null rate, a proportion: shows operating characteristics of a trial that succeeds if "
        "P(rate > null | data) > threshold.",
        show_default=False,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        metavar="PROBABILITY",
        help="Posterior probability required for success. Default: 0.975.",
        show_default=False,
    ),
]
Robust = Annotated[
    float,
    typer.Option(
        "--robust-weight",
        "--robust",
        metavar="WEIGHT",
        help="Weight of the vague component, Beta(1, 1), in the robust MAP prior.",
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Plot events, MAP prior and probability of success by true rate (PNG, SVG or PDF).",
        show_default=False,
    ),
]
DEFAULT_THRESHOLD = 0.975
DEFAULT_ROBUST = 0.2
MOST_SIZES = 6


def command(
    run: Run,
    n: Patients,
    line: OfLine = None,
    generation: OfGeneration = None,
    at: At = None,
    above: Above = None,
    null: Null = None,
    threshold: Threshold = None,
    robust: Robust = DEFAULT_ROBUST,
    plot: Plot = None,
    level: RunLevel = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Predictions for a planned single-arm trial: events, MAP prior, operating characteristics.

    Rates and probabilities are given as proportions; --above takes percent too, and is the null by default. The latest
    results are kept in the run's folder for its report.
    --csv prints the probability of each number of events.

    Example: alkbayes predict runs/line-generation-20261122-101500 --line naive --generation third --n 40 --null 0.6
    """
    check_format(json_=json_, csv=csv, latex=latex)
    sizes, prob = _sizes(n), run_prob(level)
    limits = limits_of(above)
    if threshold is not None and null is None:
        raise UsageError("--threshold is of a design, which needs the rate to exceed. Give --null too.")
    asked = _levels(line, generation, at or [])
    if plot is not None:
        from alkbayes.plots.files import figure_format
        from alkbayes.runs.places import check_free

        figure_format(plot, None)
        check_free([plot], "plot")
    from alkbayes.runs.run import read_fit, read_run

    threshold = DEFAULT_THRESHOLD if threshold is None else threshold
    document = read_run(run)
    fit = read_fit(run, document, prob=prob)
    from alkbayes.planning.cohort import NoEffectError, planned_cohort
    from alkbayes.planning.trial import predict
    from alkbayes.plots.source import RunTables, warning

    try:
        planned = planned_cohort(fit, asked)
    except NoEffectError as error:
        option = {"line": "--line", "generation": "--generation"}.get(
            error.name, f"--at {error.name}={asked[error.name]}"
        )
        raise UsageError(f"{error.message}, or omit `{option}`.") from error
    with working("predicting"):
        found = predict(
            fit,
            planned,
            sizes=sizes,
            above=limits or ([] if null is None else [null]),
            robust_weight=robust,
            null=null,
            threshold=threshold,
        )
    fault = warning(document)
    if plot is not None:
        from alkbayes.plots.figures.prediction import prediction_figure
        from alkbayes.plots.files import save_figures

        caption = replace(RunTables(run, document).caption, interval_prob=found.interval_prob)
        for file in save_figures(prediction_figure(found, caption), plot):
            print_note(f"Figure: {file}")
    record = {"run": str(run), "model": fit.spec.name, "warning": fault} | found.as_record()
    keep(run, "predict", record | {"threshold": threshold})
    if json_:
        print_json(record)
    elif csv:
        print_csv(found.distribution)
    else:
        _show(run, fit, found, fault)
    if fault:
        raise ConvergenceError(f"{fault}. Do not use what it predicts.")


def _show(run: Path, fit: "Fit", found: "Prediction", fault: str) -> None:
    """Print a prediction; `fault` is the reason not to use it, or empty."""
    from alkbayes.alk.review import RECONSTRUCTION
    from alkbayes.presentation.prediction import prediction_parts
    from alkbayes.text.names import shown

    console = reader_console()
    say(console, f"Run: {run}, model {shown(fit.spec.name)}, evidence {fit.evidence.source}")
    if fault:
        say(console, fault)
    if fit.evidence.bundled:
        say(console, RECONSTRUCTION)
    console.print()
    print_parts(console, prediction_parts(found))


def _sizes(n: list[int]) -> list[int]:
    """Return the planned sizes without duplicates."""
    sizes = list(dict.fromkeys(n))
    if len(sizes) > MOST_SIZES:
        raise UsageError(f"--n: found {len(sizes)} sizes; at most {MOST_SIZES} are compared at once.")
    return sizes


def _levels(line: str | None, generation: str | None, at: list[str]) -> dict[str, str]:
    """Return the given levels by column."""
    pairs = [(name, level) for name, level in (("line", line), ("generation", generation)) if level is not None]
    for text in at:
        name, equals, level = text.partition("=")
        if not (name and equals):
            raise UsageError(f"--at: found {text!r}; give COLUMN=LEVEL, such as line=naive.")
        pairs.append((name, level))
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"{twice!r}: its level is given twice. Give one.")
    return dict(pairs)
