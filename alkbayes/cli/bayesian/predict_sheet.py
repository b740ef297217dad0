"""What a run says of a planned trial, for a reader in a terminal."""

from typing import TYPE_CHECKING, Any

from alkbayes.cli.shared.common import empty_table, figure
from alkbayes.cli.shared.output import reader_console, say
from alkbayes.text.wording import counted, percent, percent_interval, planned_decimals, shared_decimals

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from alkbayes.inference.fit import Fit
    from alkbayes.planning.trial import Prediction

BELOW_NULL, STEP = 0.1, 0.05
"""Of the true response rates at which success is shown: from how far below the null, and how far apart."""
SURE = 0.9995
"""A probability of success that prints as 100 %: what is beyond it is not shown."""


def show_prediction(found: "Prediction", fit: "Fit", run: "Path", fault: str) -> None:
    """Print a prediction; `fault` is why it is not to be used, empty where it may be."""
    from alkbayes.evidence.table import RECONSTRUCTION
    from alkbayes.text.names import shown

    console = reader_console()
    say(console, f"Run: {run}, model {shown(fit.spec.name)}, evidence {fit.evidence.source}")
    if fault:
        console.print(fault)
    if fit.evidence.bundled:
        console.print(RECONSTRUCTION)
    _show_cohort(console, found)
    _show_rate(console, found)
    if found.exceeding:
        _show_exceeding(console, found)
    _show_intervals(console, found)
    _show_priors(console, found)
    if found.designs:
        _show_designs(console, found)
        _show_success(console, found)
    for note in found.notes:
        console.print(f"Note: {note}")


def _show_cohort(console: "Console", found: "Prediction") -> None:

    cohort = found.cohort
    cohorts = f"{counted(cohort.cohorts, 'cohort')} of {counted(cohort.patients, 'patient')}"
    like = f"The table has {cohorts} like it" if cohort.seen else "NO COHORT OF THE TABLE IS LIKE IT"
    console.print(f"\nPlanned: a new cohort of a new trial, {cohort.name}. {like}.")
    if cohort.left_open:
        console.print(cohort.left_open)


def _show_rate(console: "Console", found: "Prediction") -> None:
    rate, places = found.rate, planned_decimals(found.rate)
    console.print("\nObjective response rate, percent")
    table = _table(console, "", "mean", "median", "SD", "95 % prediction interval")
    table.add_row(
        "true rate of the cohort",
        percent(rate["mean"], places),
        percent(rate["median"], places),
        percent(rate["sd"], places),
        percent_interval(rate["low"], rate["high"], places),
    )
    for row in found.planned:
        table.add_row(
            f"observed in {row['n']:,} patients",
            percent(row["mean"] / row["n"], places),
            percent(row["median"] / row["n"], places),
            "",
            f"{percent_interval(row['low'], row['high'], places)} ({_counts(row)} responders)",
        )
    console.print(table)
    console.print("true rate: the rate behind the planned cohort's responders (next_cohort of the run).")
    console.print(
        "observed: responders over patients, which vary about the true rate by chance; of whole numbers, its "
        "interval holds 95 % at least."
    )


def _show_exceeding(console: "Console", found: "Prediction") -> None:
    rows, sizes = found.exceeding, [row["n"] for row in found.planned]
    places = shared_decimals(row["mcse"] for row in rows)
    console.print("\nProbability of a response rate above this, percent")
    table = _table(console, "above", "true rate", *(f"observed\nn = {n:,}" for n in sizes))
    values = {(row["above"], row["n"]): percent(row["probability"], places) for row in rows}
    for limit in dict.fromkeys(row["above"] for row in rows):
        table.add_row(f"{100 * limit:g}", *(values[limit, n] for n in (None, *sizes)))
    console.print(table)


def _show_intervals(console: "Console", found: "Prediction") -> None:
    from alkbayes.planning.responders import MOST_PATIENTS
    from alkbayes.planning.trial import STEADY_SHARE

    console.print("\n95 % prediction interval of the observed response rate, by size of the cohort; percent")
    table = _table(console, "patients", "responders", "observed rate", "narrower if doubled")
    planned = {row["n"] for row in found.planned}
    for row in found.intervals:
        table.add_row(
            f"{row['n']:,}{'*' if row['n'] in planned else ' '}",
            _counts(row),
            percent_interval(row["low"], row["high"], 0),
            # The spread of the last draws may widen an interval of very many by a trace.
            percent(max(row["narrowing"], 0.0), 0),
        )
    places = planned_decimals(found.rate)
    table.add_row("limit ", "", percent_interval(found.rate["low"], found.rate["high"], places), "0")
    console.print(table)
    share = f"{100 * STEADY_SHARE:g} %"
    if found.steady is None:
        console.print(f"Doubling the cohort narrows the interval by {share} or more up to {MOST_PATIENTS:,} patients.")
    else:
        console.print(f"From {found.steady:,} patients on, doubling narrows the interval by less than {share}.")
    console.print("limit: of the true rate. No number of patients narrows the interval beyond it: trials differ.")
    console.print("*: planned. narrower: of the width with each count spread evenly over half a responder either way.")


def _show_priors(console: "Console", found: "Prediction") -> None:
    fitted = found.fitted
    components = len(fitted.mixture.weights)
    console.print("\nMeta-analytic-predictive (MAP) prior for the trial's own analysis")
    for prior in found.priors:
        say(console, f"  {prior.name}: {prior.mixture.as_text()}", hang=4)
    table = _table(console, "percent", "mean", "SD", "95 % interval", "ESS: ELIR", "moment", "Morita")
    # A prior that is fitted to draws is as exact as they are.
    places = planned_decimals(found.rate)
    for prior in found.priors:
        row = prior.as_record()
        table.add_row(
            prior.name,
            percent(row["mean"], places),
            percent(row["sd"], places),
            percent_interval(row["low"], row["high"], places),
            *(figure(row[name], 1) for name in ("ess_elir", "ess_moment", "ess_morita")),
        )
    console.print(table)
    console.print(
        f"MAP: {counted(components, 'component')}, the number by AIC (penalty 6), by EM on "
        f"{found.cohort.rates.size:,} draws of the true rate; its distribution function is within "
        f"{percent(fitted.distance, 2)} points of theirs, Kullback-Leibler divergence {fitted.divergence:.4f}."
    )
    console.print("95 % interval: equal-tailed, of the true rate under the prior; MAP's stands for the one above.")
    console.print("ESS: how many patients the prior is worth; of the three, ELIR is predictively consistent.")


def _show_designs(console: "Console", found: "Prediction") -> None:
    from alkbayes.planning.trial import POWERS

    first = found.designs[0][1]
    console.print(
        f"\nSingle-arm design: success if P(ORR > {100 * first.null:g} % | responders) > {first.threshold:g}; percent"
    )
    powers = (f"ORR for\n{100 * power:.0f} % power" for power in POWERS)
    table = _table(console, "prior", "n", "responders\nneeded", "type I\nerror", "success\npredicted", *powers)
    # Given the responders needed, error and power are exact; what is predicted is as exact as the draws.
    places, last = planned_decimals(found.rate), None
    for row in found.characteristics:
        table.add_row(
            "" if row["prior"] == last else row["prior"],
            f"{row['n']:,}",
            "–" if row["critical"] is None else f"{row['critical']:,}",
            percent(row["type_i_error"]),
            percent(row["assurance"], places),
            *(percent(row[f"orr_{100 * power:.0f}"]) for power in POWERS),
        )
        last = row["prior"]
    console.print(table)
    console.print(f"type I error: probability of success where the true rate is {100 * first.null:g} %.")
    console.print("success predicted: its probability over the true rates that the model predicts (assurance).")
    console.print(
        "vague: the design without the evidence. What a prior adds to its type I error is the price of borrowing."
    )
    if any(row["critical"] is None for row in found.characteristics):
        console.print("–: not even all patients responding would be a success.")


def _show_success(console: "Console", found: "Prediction") -> None:
    name = found.priors[0].name
    designs = [design for prior, design in found.designs if prior == name]
    console.print(f"\nProbability of success by true response rate, {name}; percent")
    table = _table(console, "true ORR", *(f"n = {design.n:,}" for design in designs))
    null = designs[0].null
    step = 0
    while (orr := null - BELOW_NULL + step * STEP) < 1:
        step += 1
        if orr <= 0:
            continue
        success = [float(design.success(orr)) for design in designs]
        table.add_row(f"{100 * orr:.4g}{'*' if abs(orr - null) < STEP / 2 else ' '}", *map(percent, success))
        if min(success) > SURE:
            break
    console.print(table)
    console.print("*: the null, where it is the type I error. --json has the curves of every prior.")


def _counts(row: dict[str, Any]) -> str:
    return f"{row['responders_low']:,}–{row['responders_high']:,}"


def _table(console: "Console", *headings: str) -> "Table":
    """Return a table with its headings, the first column of words."""
    table = empty_table(console)
    table.add_column(headings[0], overflow="fold")
    for heading in headings[1:]:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
