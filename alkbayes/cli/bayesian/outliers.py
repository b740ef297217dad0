"""`alkbayes outliers`: cohorts that a model does not predict, and what each trial does to the results."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared.common import (
    console_for,
    empty_table,
    figure,
    keep,
)
from alkbayes.cli.shared.options import Csv, Json, Run
from alkbayes.cli.shared.output import WIDTH, check_format, print_csv, print_json, records, say
from alkbayes.errors import ConvergenceError
from alkbayes.text.wording import counted, p_value, percent, percent_interval, points

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from alkbayes.criticism.loo_cohorts import CohortsLeftOut
    from alkbayes.criticism.loo_trials import TrialsLeftOut
    from alkbayes.inference.fit import Fit

ByTrial = Annotated[
    bool, typer.Option("--by-trial", help="Fit anew without each trial, and say how far the headline numbers move.")
]
SHOWN = 12
"""Rows that a terminal shows, beside those that are marked."""
MARK = "*"
NUTS_MINUTES = 0.5
"""About what a refit by NUTS takes where its density has to be compiled; each design without a trial is a new one."""


def command(run: Run, by_trial: ByTrial = False, json_: Json = False, csv: Csv = False) -> None:
    """Outlying cohorts: each against its prediction from the others, or a refit without each trial.

    What is found is kept in the run's folder, as outliers.json or outliers-by-trial.json, for figures and reports.

    Example: alkbayes outliers runs/line-generation-20261122-101500 --by-trial
    """
    check_format(json_=json_, csv=csv)
    from alkbayes.runs.run import read_fit

    fit = read_fit(run)
    (_trials if by_trial else _cohorts)(run, fit, json_=json_, csv=csv)
    if not fit.diagnostics.converged:
        raise ConvergenceError(
            f"the posterior of this run did not converge: {'; '.join(fit.diagnostics.failures)}. "
            "Do not use its results."
        )


def _cohorts(run: Path, fit: "Fit", *, json_: bool, csv: bool) -> None:
    from alkbayes.cli.shared.progress import counted
    from alkbayes.criticism.loo_cohorts import leave_one_cohort_out
    from alkbayes.criticism.outliers import NOMINAL, outlier_table, verdict

    with counted("refitting without single cohorts") as progress:
        left_out = leave_one_cohort_out(fit, progress=progress)
    table = outlier_table(fit, left_out)
    loo = left_out.loo
    summary = {
        "elpd": float(loo.elpd),
        "se": float(loo.se),
        "p": float(loo.p),
        "good_k": float(loo.good_k),
        "below": int((table["p"] < NOMINAL).sum()),
        "expected_below": NOMINAL * len(table),
        "verdict": list(verdict(table, model=fit.spec.name)),
    }
    document = {"outliers": _subject(fit) | summary | {"cohorts": records(table)}}
    keep(run, "outliers", document)
    if json_:
        print_json(document)
    elif csv:
        print_csv(table)
    else:
        _show_cohorts(fit, left_out, table)


def _trials(run: Path, fit: "Fit", *, json_: bool, csv: bool) -> None:
    from alkbayes.cli.shared.progress import counted
    from alkbayes.criticism.loo_trials import leave_one_trial_out, trials_to_leave_out, verdict
    from alkbayes.inference.importance.target import unsupported

    trials = trials_to_leave_out(fit)
    if why := unsupported(fit.design):
        typer.echo(
            f"warning: the model has {why}, so that its {len(trials)} refits are sampled by NUTS; this takes about "
            f"{len(trials) * NUTS_MINUTES:.0f} minutes.",
            err=True,
        )
    with counted("refitting without each trial") as progress:
        found = leave_one_trial_out(fit, progress=progress)
    elpd = None if found.elpd is None else {"elpd": float(found.elpd.elpd), "se": float(found.elpd.se)}
    document = {
        "by_trial": _subject(fit)
        | {"leave_one_trial_out": elpd, "verdict": list(verdict(found))}
        | {"trials": records(found.trials), "moves": records(found.moves)}
    }
    keep(run, "outliers-by-trial", document)
    if json_:
        print_json(document)
    elif csv:
        print_csv(found.moves)
    else:
        _show_trials(fit, found)


def _subject(fit: "Fit") -> dict[str, Any]:
    return {
        "model": fit.spec.name,
        "engine": str(fit.provenance.engine),
        "evidence": {"source": fit.evidence.source, "cohorts": fit.evidence.cohorts, "sha256": fit.evidence.sha256},
    }


def _show_cohorts(fit: "Fit", left_out: "CohortsLeftOut", table: "pd.DataFrame") -> None:
    from alkbayes.criticism.outliers import verdict
    from alkbayes.text.names import shown

    console, loo = console_for(fit.evidence), left_out.loo
    console.print(f"Each cohort left out in turn, model {fit.spec.name}")
    say(
        console,
        f"elpd {figure(float(loo.elpd), 1)} (SE {figure(float(loo.se), 1)}), effective parameters "
        f"{figure(float(loo.p), 1)}; {_weights(left_out, len(table))}",
    )
    rows = records(table)
    chosen = [row for place, row in enumerate(rows) if place < SHOWN or row["outlying"]]
    grid = empty_table(console)
    grid.add_column("cohort", overflow="fold")
    wide = console.width >= WIDTH
    for heading in ("resp./n", "ORR %", "predicted", "95 %", "p", *(["elpd"] if wide else []), "k"):
        grid.add_column(heading, justify="right", no_wrap=True)
    marked = any(row["outlying"] for row in chosen)
    if marked:
        grid.add_column(MARK, no_wrap=True)
    for row in chosen:
        cells = [
            shown(row["cohort_id"]),
            f"{row['responders']:,}/{row['n']:,}",
            percent(row["observed"]),
            percent(row["median"]),
            percent_interval(row["low"], row["high"]),
            p_value(row["p"]),
            *([figure(row["elpd"], 1)] if wide else []),
            "exact" if row["refitted"] else figure(row["pareto_k"]),
        ]
        grid.add_row(*cells, *([MARK if row["outlying"] else ""] if marked else []))
    console.print(grid)
    if len(chosen) < len(rows):
        least = min(row["p"] for row in rows if row not in chosen)
        console.print(
            f"{len(rows) - len(chosen):,} more have p of {p_value(least)} or more: --json and --csv have all."
        )
    console.print("predicted: what the others give, those of its trial too: median, 95 % interval")
    console.print("p:         two-sided mid-p-value of the responders in that prediction")
    console.print(f"k:         Pareto k of the weights without it; above {loo.good_k:.1f}, it is refitted")
    if marked:
        console.print(f"{MARK}:         beyond chance among so many comparisons (Benjamini-Hochberg, 0.05)")
    for paragraph in verdict(table, model=fit.spec.name):
        console.print(paragraph)


def _weights(left_out: "CohortsLeftOut", count: int) -> str:
    """Return how far the importance weights can be relied on."""
    limit = left_out.loo.good_k
    cohorts = counted(count, "cohort")
    if left_out.unreliable:
        return f"Pareto k above {limit:.1f} for {len(left_out.unreliable)} of {cohorts}, not to be relied on"
    if left_out.refitted:
        return f"{len(left_out.refitted)} of {cohorts} with Pareto k above {limit:.1f}, refitted exactly"
    return f"Pareto k at most {left_out.pareto_k.max():.2f}, good"


def _show_trials(fit: "Fit", found: "TrialsLeftOut") -> None:
    from alkbayes.criticism.loo_trials import verdict

    console = console_for(fit.evidence)
    console.print(f"Each trial left out in turn and the others fitted anew, model {fit.spec.name}")
    if found.elpd is not None:
        console.print(f"elpd by trial {figure(float(found.elpd.elpd), 1)} (SE {figure(float(found.elpd.se), 1)})")
    _fill_trials(console, found)
    console.print("moves most: the number that moves most, in posterior SDs (last column)")
    console.print("move:       of its posterior mean; of a rate in percentage points")
    console.print("±:          Monte Carlo error of the move; below two of them it is noise")
    for paragraph in verdict(found):
        console.print(paragraph)


def _fill_trials(console: "Console", found: "TrialsLeftOut") -> None:
    """Print the trials with the largest moves."""
    from rich.text import Text

    from alkbayes.text.names import shown

    per_trial = len(found.moves) // len(found.trials)
    grid = empty_table(console)
    grid.add_column("trial left out", overflow="fold")
    grid.add_column("k", justify="right", no_wrap=True)
    grid.add_column("n", justify="right", no_wrap=True)
    grid.add_column("moves most", overflow="fold")
    for heading in ("with", "without", "move", "±", "SDs"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for place, trial in enumerate(records(found.trials.head(SHOWN))):
        moves = records(found.moves.iloc[place * per_trial : (place + 1) * per_trial])
        row = max(moves, key=lambda move: abs(move["move_sd"] or 0.0))
        grid.add_row(
            Text(shown(trial["trial"])),
            f"{trial['cohorts']:,}",
            f"{trial['patients']:,}",
            Text(shown(row["number"])),
            *_figures(row),
            figure(row["move_sd"]) if row["beyond_noise"] else "noise",
        )
    console.print(grid)
    if len(found.trials) > SHOWN:
        rest = found.trials["largest"].iloc[SHOWN:].max()
        console.print(
            f"{len(found.trials) - SHOWN:,} more move every number by {figure(float(rest))} SDs at most: --json and "
            "--csv have all."
        )


def _figures(row: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return a number with and without a trial, its move and the error: rates in percent, SDs as they are."""
    if row["measure"] in ("sd", "correlation"):
        return figure(row["whole"]), figure(row["without"]), figure(row["move"]), figure(row["mcse"], 3)
    whole, without = (percent(row[name]).replace("-", "−") for name in ("whole", "without"))
    return whole, without, points(row["move"], 2), figure(100 * row["mcse"])
