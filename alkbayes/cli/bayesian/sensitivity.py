"""`alkbayes sensitivity`: what a run's conclusions hang on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alkbayes.cli.shared.common import (
    console_for,
    empty_table,
    figure,
    keep,
)
from alkbayes.cli.shared.options import Csv, Json, Run
from alkbayes.cli.shared.output import WIDTH, check_format, print_csv, print_json, print_message, say
from alkbayes.cli.shared.progress import counted, working
from alkbayes.errors import ConvergenceError, SamplingError
from alkbayes.text.digits import supported_decimals
from alkbayes.text.wording import OTHER_DECIMALS, percent, percent_interval, points, shared_decimals
from alkbayes.vocabulary import Contrast, Standard

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from alkbayes.inference.fit import Fit
    from alkbayes.sensitivity.power_scaling import PowerScaling
    from alkbayes.sensitivity.table import Estimate, Grid, Outcome

WIDE = 112
"""Of a terminal that has room for estimates beside shifts."""
MOST_LEVELS = 4
"""Levels of the first effect that the table of a terminal shows."""
MOVED, UNUSED = "*", "!"
HYPHENATED = {"pretreated": "pre-\ntreated"}


def command(run: Run, json_: Json = False, csv: Csv = False) -> None:
    """Say what the numbers of a run hang on: priors, readings of the evidence, the model.

    What is found is kept in the run's folder, as sensitivity.json, for figures and reports.

    Example: alkbayes sensitivity runs/line-generation-20261122-101500
    """
    check_format(json_=json_, csv=csv)
    from alkbayes.runs.run import read_fit

    fit = read_fit(run)
    if not fit.diagnostics.converged:
        raise ConvergenceError(
            f"the posterior of this run did not converge: {'; '.join(fit.diagnostics.failures)}. "
            "There is nothing to compare other readings with. Fit again, with more draws (--draws)."
        )
    from alkbayes.sensitivity.conclusions import conclusions, movers
    from alkbayes.sensitivity.power_scaling import power_scaling
    from alkbayes.sensitivity.refit import over_own, run_grid
    from alkbayes.sensitivity.table import grid_records, grid_table

    with working("scaling priors and likelihood"):
        scaling = power_scaling(over_own(fit))
    with counted("fitting other readings") as progress:
        grid = run_grid(fit, progress=progress, warn=lambda message: print_message(f"warning: {message}"))
    said = conclusions(grid, scaling)
    largest = [
        {
            "number": mover.number.name,
            "reading": mover.reading,
            "statistic": mover.shift.largest,
            "shift": mover.shift.by[mover.shift.largest],
            "shift_error": mover.shift.errors[mover.shift.largest],
            "shift_in_sds": mover.shift.in_sds,
            "beyond_noise": mover.shift.beyond_noise,
        }
        for mover in movers(grid)
    ]
    document = {
        "run": str(run),
        "model": fit.spec.name,
        "power_scaling": scaling.as_record(),
        "readings": grid_records(grid),
        "largest": largest,
        "conclusions": said,
    }
    keep(run, "sensitivity", {"sensitivity": document})
    if csv:
        print_csv(grid_table(grid))
    elif json_:
        print_json({"sensitivity": document})
    else:
        _show(run, fit, grid, scaling, said)
    if grid.stopped:
        raise SamplingError(f"{grid.stopped} What was done so far is above and in {run / 'sensitivity.json'}.")


def _show(run: "Path", fit: "Fit", grid: "Grid", scaling: "PowerScaling", said: Sequence[str]) -> None:
    """Print what was found for a reader."""
    console = console_for(fit.evidence)
    say(console, f"Model: {fit.spec.name} ({fit.spec.question})")
    console.print(f"Run: {run}", soft_wrap=True)
    _show_scaling(console, grid, scaling)
    _show_readings(console, grid)
    _show_notes(console, fit, grid)
    console.print("\nWhat the conclusions hang on")
    for sentence in said:
        console.print(f"- {sentence}")


def _show_scaling(console: "Console", grid: "Grid", scaling: "PowerScaling") -> None:
    """Print each headline number with its interval, and how much it hangs on priors and likelihood."""
    console.print("\nHeadline numbers, and how sensitive they are to the power of priors and likelihood")
    table = empty_table(console)
    table.add_column("", overflow="fold")
    for heading in ("median", "95 % interval", "priors", "likelihood"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("diagnosis", overflow="fold")
    for number, found in zip(grid.numbers, scaling.sensitivities, strict=True):
        said = "" if not found.responsible else f"{found.diagnosis}: {', '.join(found.responsible)}"
        table.add_row(number.spoken, *_estimated(number), figure(found.prior), figure(found.likelihood), said)
    console.print(table)
    kind = (
        "Likelihood: of the global parameters, the cohorts' and trials' deviations integrated out."
        if scaling.likelihood == "integrated"
        else "Likelihood: of the counts given each cohort's rate; it is not integrated for this model, and is noisy."
    )
    noise = f"noise reaches {scaling.prior_noise:.3f} for priors and {scaling.likelihood_noise:.3f} for the likelihood"
    console.print(f"{kind} Flagged from {scaling.threshold:.2f}; {noise}.")


def _estimated(number: "Estimate") -> tuple[str, str]:
    """Return median and interval: of rates in percent, of differences in points, of SDs on the model's scale."""
    if number.key[0] == "heterogeneity":
        digits = supported_decimals(number.errors.values(), most=OTHER_DECIMALS)
        return figure(number.median, digits), f"{figure(number.low, digits)}–{figure(number.high, digits)}"
    digits = shared_decimals(number.errors.values())
    if number.prob_positive is not None:
        return points(number.median, digits), f"{points(number.low, digits)} to {points(number.high, digits)}"
    return percent(number.median, digits), percent_interval(number.low, number.high, digits)


def _shown(grid: "Grid") -> list["Estimate"]:
    """Return the numbers that a table in a terminal has room for."""
    pooled = [number for number in grid.numbers if number.key[0] == "pooled"]
    means = [number for number in pooled if number.key[3] != "next_cohort"]
    following = [number for number in pooled if number.key[3] == "next_cohort"]
    contrasts = [number for number in grid.numbers if number.key[0] == "contrast"]
    rest = [number for number in grid.numbers if number.key[0] == "heterogeneity"]
    return [*means[: 1 + MOST_LEVELS], *contrasts[:1], *following, *rest]


def _heading(number: "Estimate") -> str:
    table, group, level, _ = number.key
    if number.key[3] == "next_cohort":
        return "next\ncohort"
    if isinstance(level, Contrast):
        return f"{HYPHENATED.get(level.first, level.first)}\nvs {level.second}"
    if table == "pooled":
        return "overall" if group == "all" else HYPHENATED.get(level, level)
    return level.replace("_", "_\n", 1)


def _show_readings(console: "Console", grid: "Grid") -> None:
    """Print how far the numbers move under each reading that was fitted."""
    numbers = _shown(grid)
    wide = console.width >= WIDE
    shown = "estimate, and shift" if wide else "shift"
    console.print(f"\nOther readings: {shown} from the main fit in percentage points; next cohort: 95 % interval")
    table = empty_table(console)
    table.padding = (0, 1 if WIDTH <= console.width < WIDE else 0, 0, 0)
    table.add_column("", overflow="fold")
    sizes = ["k", "patients"] if console.width >= WIDTH else ["k"]
    for heading in (*sizes, *map(_heading, numbers)):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_row("main fit", *_sizes(grid.main, sizes), *(_main_cell(number) for number in numbers))
    table.add_row("the same again", *_sizes(grid.again, sizes), *_cells(grid, grid.again, numbers, wide=wide))
    from alkbayes.sensitivity.alternatives import BY_NAME, FAMILY_NAMES

    previous = None
    for outcome in grid.outcomes:
        if outcome.estimates is None:
            continue
        family = BY_NAME[outcome.name].family
        if family is not previous:
            previous = family
            table.add_section()
            table.add_row(FAMILY_NAMES[family])
        mark = "" if outcome.usable else f" {UNUSED}"
        cells = _cells(grid, outcome, numbers, wide=wide)
        table.add_row(f" {outcome.name}{mark}", *_sizes(outcome, sizes), *cells)
    console.print(table)


def _sizes(outcome: "Outcome", sizes: Sequence[str]) -> list[str]:
    counts = (outcome.cohorts, outcome.patients)[: len(sizes)]
    return ["–" if count is None else f"{count:,}" for count in counts]


def _main_cell(number: "Estimate") -> str:
    if number.key[3] == "next_cohort":
        return percent_interval(number.low, number.high, 0)
    return _estimated(number)[0]


def _cells(grid: "Grid", outcome: "Outcome", numbers: list["Estimate"], *, wide: bool) -> list[str]:
    cells = []
    for number in numbers:
        found, shift = (outcome.estimates or {}).get(number.key), grid.shift(outcome, number.key)
        if found is None or shift is None:
            cells.append("–")
            continue
        mark = MOVED if shift.moved and outcome.usable else ""
        by, error = shift.by["median"], shift.errors["median"]
        # points() has the sign, and none of a zero, of SDs as of percentage points.
        if number.key[0] == "heterogeneity":
            text = points(by / 100, supported_decimals((error,), most=OTHER_DECIMALS))
        else:
            text = points(by, shared_decimals((error,)))
        if number.key[3] == "next_cohort":
            text = _main_cell(found)
        elif wide:
            text = f"{_main_cell(found)} {f'{mark}{text}':>6}"
            mark = ""
        cells.append(f"{mark}{text}")
    return cells


def _show_notes(console: "Console", fit: "Fit", grid: "Grid") -> None:
    """Print what the marks mean, what was left out of the table, and why."""
    if fit.standard is Standard.SAME:
        console.print(
            "Each level is over its own patients here: a reading may leave out cohorts, and with them the mix that "
            "levels share."
        )
    console.print(f"{MOVED}  more than half a posterior SD of the main fit's number, and more than Monte Carlo error")
    for outcome in grid.outcomes:
        if outcome.estimates is not None and not outcome.usable:
            console.print(f"{UNUSED}  {outcome.name} did not converge, and is not used: {outcome.reason}")
        elif outcome.estimates is not None and outcome.reason:
            console.print(f"{outcome.name}: {outcome.reason}")
        elif outcome.estimates is None and outcome.status == "failed":
            console.print(f"{outcome.name} could not be fitted: {outcome.reason}")
        if outcome.gone:
            console.print(f"{outcome.name}: leaves no cohort with {', '.join(outcome.gone)}")
    reasons: dict[str, list[str]] = {}
    for outcome in grid.outcomes:
        if outcome.status == "not applicable":
            reasons.setdefault(outcome.reason, []).append(outcome.name)
    for reason, names in reasons.items():
        console.print(f"Not applicable: {', '.join(names)}: {reason}")
    console.print(
        "Overall is averaged over the patients of each reading, and moves with their mix. An earlier line is not "
        "randomised: no difference is a treatment effect."
        if len(fit.design.effects)
        else "Overall is averaged over the patients of each reading."
    )
