"""`alkbayes sequence`: what is left to gain after which earlier ALK inhibitor."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared import completion as completing
from alkbayes.cli.shared.common import empty_table, evidence_for, figure, headline, keep
from alkbayes.cli.shared.options import Csv, Data, ForRun, Json
from alkbayes.cli.shared.output import (
    check_format,
    print_csv,
    print_json,
    reader_console,
    records,
    say,
)
from alkbayes.cli.shared.progress import working
from alkbayes.errors import ConvergenceError, UsageError
from alkbayes.text.wording import difference, limits, percent, percent_interval, probability, rate, ratio

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from alkbayes.analyses.sequence import Sequencing
    from alkbayes.inference.fit import Fit

MODEL = "sequence"
"""What is fitted where no run is given."""
PREDICTED = "*"
"""Marks what rests on no cohort."""

MaybeRun = Annotated[
    Path | None,
    typer.Argument(
        metavar="RUN",
        help=f"Folder of a run of the model {MODEL}, or one like it. Without it that model is fitted, by quadrature.",
        show_default=False,
        autocompletion=completing.runs,
    ),
]
After = Annotated[
    str | None,
    typer.Option(
        "--after",
        metavar="HISTORY",
        help="Only what follows this earlier ALK inhibitor: none, crizotinib, second, any or mixed. All options are "
        "then compared, and --csv has the comparisons.",
        show_default=False,
    ),
]


def command(
    run: MaybeRun = None,
    after: After = None,
    data: Data = None,
    for_run: ForRun = None,
    json_: Json = False,
    csv: Csv = False,
) -> None:
    """Response rates by prior ALK TKI and TKI generation, with contrasts of what may follow.

    Example: alkbayes sequence --after crizotinib
    """
    check_format(json_=json_, csv=csv)
    if run is not None and data is not None:
        raise UsageError("A RUN has its own table, and --data names another. Give one of them.")
    if for_run is not None and (run is not None or after is not None):
        raise UsageError(
            "--for fits the bundled model to its run's table, and keeps all that is found. Give it without RUN and "
            "--after."
        )
    fit = _fit(run, data, for_run)
    from alkbayes.analyses.sequence import sequencing_of

    found = sequencing_of(fit, after=after)
    if for_run is not None:
        keep(for_run, "sequence", _document(run, after, fit, found))
    if json_:
        print_json(_document(run, after, fit, found))
    elif csv:
        print_csv(found.matrix if after is None else found.comparisons)
    else:
        _show(run, fit, found, whole=after is None)
    if not fit.diagnostics.converged:
        raise ConvergenceError(
            f"the posterior did not converge: {'; '.join(fit.diagnostics.failures)}. Do not use these numbers."
        )


def _fit(run: Path | None, data: Path | None, for_run: Path | None) -> "Fit":
    """Return the fit of a run; where there is none, fit the bundled model."""
    if run is not None:
        from alkbayes.runs.run import read_fit

        return read_fit(run)
    from alkbayes.inference.settings import Engine
    from alkbayes.spec.schema import model_path, read_spec

    spec = read_spec(model_path(MODEL))
    evidence = evidence_for(data, for_run, columns=spec.columns)
    from alkbayes.inference.fit import fit_model

    with working(f"fitting the model {MODEL}"):
        return fit_model(spec, evidence, engine=Engine.QUADRATURE)


def _document(run: Path | None, after: str | None, fit: "Fit", found: "Sequencing") -> dict[str, Any]:
    return {
        "run": None if run is None else str(run),
        "model": fit.spec.name,
        "evidence": {"source": fit.evidence.source, "sha256": fit.evidence.sha256},
        "diagnostics": fit.diagnostics.as_record(),
        "after": after,
        "cautions": list(found.cautions),
        "matrix": records(found.matrix),
        "options": records(found.options),
        "comparisons": records(found.comparisons),
        "findings": list(found.findings),
        "notes": list(fit.design.notes),
    }


def _show(run: Path | None, fit: "Fit", found: "Sequencing", *, whole: bool) -> None:
    """Print the matrix, or one of its rows in full, and the comparisons."""
    console = reader_console()
    if not fit.diagnostics.converged:
        console.print("NOT CONVERGED: DO NOT USE THESE NUMBERS")
    first, *cautions = found.cautions
    console.print(first)
    source, *more = headline(fit.evidence)
    say(console, source)
    for line in more:
        console.print(line)
    made = "fitted by quadrature" if run is None else f"run {run}"
    say(console, f"Model {fit.spec.name}, {made}")
    for caution in cautions:
        console.print(caution)
    if whole:
        _show_matrix(console, found.matrix)
    else:
        _show_row(console, found)
    _show_comparisons(console, found.comparisons, whole=whole)
    for finding in found.findings:
        console.print(finding)
    for note in fit.design.notes:
        console.print(f"Note: {note}.")
    if whole:
        console.print("All options after one of them: --after HISTORY. Every number: --json, --csv.")


def _show_matrix(console: "Console", matrix: "pd.DataFrame") -> None:
    from rich.text import Text

    from alkbayes.text.names import shown

    cells = {(row["earlier"], row["generation"], row["estimand"]): row for row in records(matrix)}
    rows, columns = (list(dict.fromkeys(matrix[name])) for name in ("earlier", "generation"))
    table = empty_table(console)
    table.add_column("after")
    for name in columns:
        table.add_column(Text(shown(name), justify="right"), justify="right")
    for earlier in rows:
        lines = []
        for generation in columns:
            mean, following = (cells[earlier, generation, estimand] for estimand in ("mean", "next_cohort"))
            lines.append(
                f"{percent(mean['median'], 0)}{'' if mean['observed'] else PREDICTED}\n"
                f"{percent_interval(mean['low'], mean['high'], 0)}\n"
                f"next {percent_interval(following['low'], following['high'], 0)}\n"
                f"{'no cohort' if not mean['observed'] else f'k = {mean["k"]:,}'}"
            )
        table.add_row(Text(shown(earlier)), *lines)
        table.add_section()
    console.print("\nMean objective response rate over cohorts, %, by earlier ALK inhibitor and generation")
    console.print(table)
    _explain(console, matrix)


def _explain(console: "Console", matrix: "pd.DataFrame") -> None:
    console.print("Medians with 95 % credible intervals. next: prediction interval of the next cohort's rate.")
    if not matrix["observed"].all():
        console.print(f"{PREDICTED}: no cohort has had this after that; a prediction of the model.")


def _show_row(console: "Console", found: "Sequencing") -> None:
    """Print what may follow one earlier inhibitor, with every estimand and the ranks."""
    from rich.text import Text

    from alkbayes.analyses.sequence import history_words
    from alkbayes.text.names import shown

    ranks = {row["generation"]: row for row in records(found.options)}
    rows: dict[str, dict[str, dict[str, object]]] = {}
    for row in records(found.matrix):
        rows.setdefault(row["generation"], {})[row["estimand"]] = row
    earlier = str(found.matrix["earlier"].iloc[0])
    console.print(f"\nObjective response rate after {history_words(earlier)}, %")
    table = empty_table(console)
    table.add_column("")
    for heading in ("k", "patients\nresponders", "typical", "mean", "next\ncohort", "P(best)", "rank"):
        table.add_column(heading, justify="right", no_wrap=True)
    for generation, estimands in rows.items():
        mean, own = estimands["mean"], ranks[generation]
        table.add_row(
            Text(f"{shown(generation)}{'' if mean['observed'] else PREDICTED}"),
            f"{mean['k']:,}",
            f"{mean['patients']:,}\n{mean['responders']:,}",
            *("\n".join(rate(estimands[estimand])) for estimand in ("typical", "mean")),
            limits(estimands["next_cohort"]),
            "–" if own["prob_best"] is None else probability(own["prob_best"]),
            _rank(own),
        )
    console.print(table)
    _explain(console, found.matrix)
    if found.options["prob_best"].notna().any():
        console.print("P(best), rank with 95 % interval: among the options with cohorts, over the same patients.")


def _rank(row: dict[str, float | None]) -> str:
    if row["mean_rank"] is None:
        return "–"
    return f"{figure(row['mean_rank'], 1)}\n{figure(row['rank_low'], 0)}–{figure(row['rank_high'], 0)}"


def _show_comparisons(console: "Console", comparisons: "pd.DataFrame", *, whole: bool) -> None:
    """Print pairs of options; of the whole matrix those in which both rest on cohorts."""
    from rich.text import Text

    from alkbayes.text.names import shown

    rows = comparisons[comparisons["observed"]] if whole else comparisons
    if rows.empty:
        console.print("\nNo two options after one earlier inhibitor to compare.")
        return
    table = empty_table(console)
    table.add_column("")
    for heading in ("k", "odds ratio", "difference of\nmeans, points", "P(first\nhigher)"):
        table.add_column(heading, justify="right", no_wrap=True)
    for earlier, of_row in rows.groupby("earlier", sort=False):
        table.add_row(Text(f"after {shown(str(earlier))}", style="bold"))
        for contrast, pair in of_row.groupby("contrast", sort=False):
            scales = {row["scale"]: row for row in records(pair)}
            apart = scales["risk_difference"]
            middle, interval = difference(apart)
            table.add_row(
                Text(f" {shown(str(contrast))}{'' if apart['observed'] else PREDICTED}"),
                f"{apart['k']:,}, {apart['k_against']:,}",
                ratio(scales["odds_ratio"]),
                f"{middle} ({interval})",
                probability(apart["prob_better"]),
            )
    console.print(f"\nOptions against each other{', where both rest on cohorts' if whole else ''}")
    console.print(table)
    if not rows["observed"].all():
        console.print(f"{PREDICTED}: one of the two, or both, rest on no cohort; a prediction of the model.")
