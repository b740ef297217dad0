"""`alkbayes predictive`: whether data like the observed are what the model expects."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.cli.shared.common import (
    empty_table,
    figure,
)
from alkbayes.cli.shared.options import Csv, Json, Plots, Run
from alkbayes.cli.shared.output import WIDTH, check_format, print_csv, print_json, reader_console, say
from alkbayes.cli.shared.progress import working
from alkbayes.errors import ConvergenceError
from alkbayes.text.wording import counted, p_equals, percent, percent_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from alkbayes.criticism.predictive import PosteriorChecks, PriorChecks, Statistic

Prior = Annotated[bool, typer.Option("--prior", help="Check the priors: what they predict before any count is read.")]
SHOWN = 15
"""Cohorts that a terminal shows, those with the most extreme PIT values."""


def command(run: Run, prior: Prior = False, json_: Json = False, csv: Csv = False, plots: Plots = None) -> None:
    """Check whether data like the observed are what a run's model expects, cohort by cohort and as a whole.

    Example: alkbayes predictive runs/line-generation-20261122-101500 --plots plots
    """
    check_format(json_=json_, csv=csv)
    from alkbayes.runs.places import check_plots_place
    from alkbayes.runs.run import read_fit

    if plots is not None:
        check_plots_place(plots)
    with working("making tables like the observed one"):
        fit = read_fit(run)
        from alkbayes.criticism.predictive import PosteriorChecks, posterior_checks, prior_checks

        found = prior_checks(fit) if prior else posterior_checks(fit)
        files = [] if plots is None else _draw(run, found, plots)
    if json_:
        subject = {"run": str(run), "model": fit.spec.name, "of": "prior" if prior else "posterior"}
        print_json(subject | found.as_record() | {"plots": [str(each) for each in files]})
    elif csv:
        print_csv(found.cohorts if isinstance(found, PosteriorChecks) else found.cells)
    else:
        console = reader_console()
        say(console, f"Run: {run}, model {fit.spec.name}, evidence {fit.evidence.source}")
        for note in fit.evidence.notes:
            say(console, note)
        console.print(f"Verdict: {found.conclusion}")
        if isinstance(found, PosteriorChecks):
            _show_posterior(console, found)
        else:
            _show_prior(console, found)
        if files:
            console.print(f"Plots: {', '.join(str(each) for each in files)}", soft_wrap=True)
    # What the priors predict does not depend on whether the posterior converged.
    if not prior and not fit.diagnostics.converged:
        raise ConvergenceError(
            f"the posterior of this run did not converge: {'; '.join(fit.diagnostics.failures)}. "
            "Do not use what it predicts."
        )


def _draw(run: Path, found: "PosteriorChecks | PriorChecks", folder: Path) -> list[Path]:
    """Write the figures of checks; with few cohorts there is none of the calibration."""
    from alkbayes.criticism.predictive import LEAST_COHORTS, PriorChecks
    from alkbayes.plots.figures.calibration import calibration
    from alkbayes.plots.figures.predictive import predictive, prior_cells
    from alkbayes.plots.files import save_folder
    from alkbayes.plots.source import RunTables
    from alkbayes.runs.run import read_run

    caption = RunTables(run, read_run(run)).caption
    if isinstance(found, PriorChecks):
        # What the priors predict does not depend on whether the posterior converged.
        return save_folder(folder, {"prior-cells": prior_cells(found.cells, replace(caption, warning=""))})
    figures = {"intervals": predictive(found.cohorts, caption)}
    if len(found.cohorts) >= LEAST_COHORTS:
        figures["calibration"] = calibration(found.pit, found.uniform, caption)
    return save_folder(folder, figures)


def _show_posterior(console: "Console", found: "PosteriorChecks") -> None:
    from alkbayes.text.names import shown

    console.print(
        "\nnew: new cohorts of new trials with these profiles and sizes; what the model says of the next ones."
    )
    console.print("same: these cohorts again, each at its own rate, which was drawn towards its counts.")
    for kind, p in reversed(list(found.uniform.items())):
        if p is not None:
            console.print(f"Calibration over {counted(len(found.cohorts), 'cohort')}, {kind}: {_calibrated(kind, p)}")
    _show_statistics(console, found.statistics, "\nTest statistics of the whole table")
    rows = found.as_record()["cohorts"]
    extreme = sorted(rows, key=lambda row: min(row["new_pit"], 1 - row["new_pit"]))[:SHOWN]
    console.print(f"Cohorts with the most extreme rates for their profile, {len(extreme)} of {len(rows)}; percent")
    table = empty_table(console)
    table.add_column("cohort", overflow="fold")
    wide = console.width >= WIDTH
    headings = ("n", "observed", "new, 95 %", *(["new, 90 %"] if wide else []), "PIT", "same, 95 %")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in extreme:
        inner = [percent_interval(row["new_low90"], row["new_high90"], 0)] if wide else []
        outside = not row["new_low90"] <= row["observed"] <= row["new_high90"]
        table.add_row(
            shown(row["cohort_id"]),
            f"{row['n']:,}",
            f"{percent(row['observed'])}{'*' if outside else ' '}",
            percent_interval(row["new_low"], row["new_high"], 0),
            *inner,
            figure(row["new_pit"], 3),
            percent_interval(row["same_low"], row["same_high"], 0),
        )
    console.print(table)
    console.print(
        "PIT: probability of a lower rate in a new such cohort; evenly spread over 0 to 1 if the model is right."
    )
    console.print("*: outside the 90 % interval, as 1 of 10 cohorts should be. --json and --csv have all cohorts.")


def _calibrated(kind: str, p: float) -> str:
    """Return what the uniformity of PIT values comes to."""
    if kind == "same":
        return f"{p_equals(p)}. Nearer to the middle than uniform by construction, and no test."
    if p < 0.05:
        return f"{p_equals(p)}. The PIT values are not uniform: the predictive distributions are off."
    return f"{p_equals(p)}. The PIT values are uniform as far as can be seen."


def _show_prior(console: "Console", found: "PriorChecks") -> None:
    from alkbayes.text.names import level_name

    _show_statistics(console, found.statistics, "\nTest statistics of the whole table, replicated from the priors")
    console.print("Crude response rate of each cell, predicted by the priors for the same cohorts; percent")
    table = empty_table(console)
    table.add_column("cell", overflow="fold")
    for heading in ("k", "patients", "observed", "median", "95 %", "below 5", "above 95"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in found.as_record()["cells"]:
        table.add_row(
            level_name(row),
            str(row["k"]),
            f"{row['patients']:,}",
            f"{percent(row['observed'])}{' ' if row['inside'] else '*'}",
            percent(row["median"], 0),
            percent_interval(row["low"], row["high"], 0),
            percent(row["below"], 0),
            percent(row["above"], 0),
        )
    console.print(table)
    console.print("below 5, above 95: probability in percent that the cell's rate is below 5 or above 95 %.")
    if not found.cells["inside"].all():
        console.print("*: outside the interval.")


def _show_statistics(console: "Console", statistics: "Sequence[Statistic]", title: str) -> None:
    from alkbayes.presentation.predictive import READING, meanings, statistic_rows

    console.print(title)
    shown = statistic_rows(statistics)
    table = empty_table(console)
    for place, heading in enumerate(shown.headings):
        table.add_column(heading, overflow="fold", justify="right" if place else "left", no_wrap=place > 0)
    for cells in shown.rows:
        table.add_row(*cells)
    console.print(table)
    for line in (*meanings(statistics), READING):
        console.print(line)
    console.print()
