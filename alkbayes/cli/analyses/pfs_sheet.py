"""Median progression-free survival for a reader in a terminal; months."""

from math import isfinite
from typing import TYPE_CHECKING, Any

from alkbayes.cli.shared.common import console_for, empty_table, figure
from alkbayes.cli.shared.output import WIDTH, records, say
from alkbayes.presentation.fit import SHARES
from alkbayes.text.names import GROUP_TITLES, is_pair, level_name
from alkbayes.text.notes import NoteKind
from alkbayes.text.wording import (
    MONTH_DECIMALS,
    decimals_of,
    months,
    percent,
    percent_interval,
    probability,
    ratio,
    size_text,
    unsigned_zero,
)

if TYPE_CHECKING:
    from rich.console import Console

    from alkbayes.analyses.pfs import PfsResults
    from alkbayes.evidence.table import Evidence

READING = (
    ("mean of medians", "weighted by patients, as reviews print it; 95 % bootstrap confidence interval over trials"),
    ("typical", "a cohort in the middle of the distribution, with its 95 % credible interval"),
    ("mean", "the average over trials and cohorts, with its credible interval"),
    ("next cohort", "prediction interval: where the median of a new cohort of a new trial may lie"),
)
COHORT_HEADING = "k"


def show_pfs(results: "PfsResults", evidence: "Evidence") -> None:
    """Print what is said of median PFS."""
    console = console_for(evidence)
    say(console, f"Model: {results.spec.name} ({results.spec.question})")
    _show_verdict(console, results)
    _show_pooled(console, results)
    for name, meaning in READING:
        say(console, f"{name}: {meaning}", hang=2)
    say(console, "k: cohorts with a median, and after + those whose median was not reached, which are bounds")
    _show_left_out(console, results)
    _show_contrasts(console, results)
    _show_heterogeneity(console, results)
    _show_readings(console, results)
    # That the table is a reconstruction stands at the head.
    cautions = [note.text for note in results.cautions if note.kind is not NoteKind.RECONSTRUCTION]
    for text in (*results.notes, *cautions):
        say(console, f"Note: {text}", hang=6)


def _show_verdict(console: "Console", results: "PfsResults") -> None:
    found, verdict = results.posterior, "converged"
    if not results.converged:
        verdict = "NOT CONVERGED: DO NOT USE THESE NUMBERS"
    pareto_k = figure(found.pareto_k if isfinite(found.pareto_k) else None)
    say(
        console,
        f"Posterior: {verdict}. {results.settings['draws']:,} draws by importance sampling, seed "
        f"{results.settings['seed']}; Pareto k {pareto_k}, ESS {found.ess:,.0f} of "
        f"{found.weighted:,} weighted draws",
    )
    for failure in results.failures:
        say(console, f"  failed: {failure}", hang=2)


def _show_pooled(console: "Console", results: "PfsResults") -> None:
    grid = empty_table(console)
    grid.title, grid.title_justify = "Median progression-free survival, months", "left"
    narrow = console.width < WIDTH
    grid.add_column("", overflow="fold")
    for heading in (COHORT_HEADING, "patients", "mean of\nmedians", "typical", "mean", "next\ncohort"):
        grid.add_column(heading, justify="right", no_wrap=True)
    weighted = {(row["group"], row["level"]): row for row in records(results.weighted)}
    pooled: dict[tuple[str, str], dict[str, Any]] = {}
    for row in records(results.pooled):
        pooled.setdefault((row["group"], row["level"]), {})[row["estimand"]] = row
    previous = None
    for (group, level), estimands in pooled.items():
        if group != previous and group != "all":
            grid.add_section()
            grid.add_row(GROUP_TITLES.get(group, _plain(group)))
        previous, typical, mean = group, estimands["typical"], weighted[group, level]
        name = f"{'' if group == 'all' else ' '}{level_name(typical, between=':' if narrow else ' : ')}"
        grid.add_row(
            _text(name),
            _cohorts(typical["k"], typical["not_reached"]),
            f"{typical['patients']:,}",
            _estimate(mean["estimate"], mean["low"], mean["high"], 1),
            "\n".join(months(typical)),
            "\n".join(months(estimands["mean"])),
            months(estimands["next_cohort"])[1],
        )
    console.print(grid)


def _show_left_out(console: "Console", results: "PfsResults") -> None:
    """Print what leaving out the medians that were not reached does."""
    if results.left_out.empty:
        return
    weighted = {(row["group"], row["level"]): row for row in records(results.weighted)}
    sides: dict[tuple[str, str], dict[str, Any]] = {}
    for row in records(results.left_out):
        if not is_pair(row):
            sides.setdefault((row["group"], row["level"]), {})[row["estimand"]] = row
    grid = empty_table(console)
    grid.title, grid.title_justify = "\nWhat leaving out the medians that were not reached does, months", "left"
    grid.add_column("", overflow="fold")
    means = tuple(f"mean of\nmedians,\n{kind}" for kind in ("without", "at least", "by model"))
    for heading in (COHORT_HEADING, "\ntypical,\nwith", "\ntypical,\nwithout", *means):
        grid.add_column(heading, justify="right", no_wrap=True)
    for (group, level), estimands in sides.items():
        row, own, plain = estimands["typical"], estimands["registry"], weighted[group, level]
        grid.add_row(
            _text("overall" if group == "all" else _plain(level)),
            _cohorts(row["k"], plain["not_reached"]),
            _estimate(row["median"], row["low"], row["high"], 1),
            _estimate(row["median_without"], row["low_without"], row["high_without"], 1),
            figure(plain["estimate"], 1),
            figure(plain["at_least"], 1),
            _estimate(own["median"], own["low"], own["high"], 1),
        )
    console.print(grid)
    say(
        console,
        "mean of medians: without those not reached; at least, with these at their bounds; by the model, of the "
        "cohorts' own medians given all (registry), its credible interval",
    )


def _show_contrasts(console: "Console", results: "PfsResults") -> None:
    by_column: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for row in records(results.contrasts):
        by_column.setdefault(row["column"], {}).setdefault(row["contrast"], {})[row["scale"]] = row
    for column, contrasts in by_column.items():
        grid = empty_table(console)
        grid.title, grid.title_justify = f"\nContrasts of {GROUP_TITLES.get(column, _plain(column))}", "left"
        grid.add_column("", overflow="fold")
        for heading in ("ratio of\nmedians", "difference of\nmeans, months", "P(first is\nlonger)"):
            grid.add_column(heading, justify="right", no_wrap=True)
        for name, scales in contrasts.items():
            apart = scales["months"]
            digits = decimals_of(apart, most=MONTH_DECIMALS)
            middle, low, high = (unsigned_zero(apart[name], digits) for name in ("median", "low", "high"))
            grid.add_row(
                _text(_plain(name)),
                ratio(scales["median_ratio"]),
                f"{middle} ({low} to {high})",
                probability(scales["median_ratio"]["prob_longer"]),
            )
        console.print(grid)


def _show_heterogeneity(console: "Console", results: "PfsResults") -> None:
    if results.heterogeneity.empty:
        return
    grid = empty_table(console)
    grid.title, grid.title_justify = "\nHow far cohorts differ, SDs of log months", "left"
    grid.add_column("", overflow="fold")
    grid.add_column("median (95 % credible interval)", justify="right", no_wrap=True)
    for row in records(results.heterogeneity):
        text = size_text(row)
        if row["parameter"] in SHARES:
            text = f"{percent(row['median'], 0)} % ({percent_interval(row['low'], row['high'], 0)})"
        grid.add_row(_text(_plain(row["parameter"])), text)
    console.print(grid)
    say(
        console,
        "explained: share of the variance between cohorts that the effects explain; i2: share of the observed variance "
        "that is heterogeneity, not the uncertainty of each median.",
    )


def _show_readings(console: "Console", results: "PfsResults") -> None:
    """Print the typical median under other readings of what is printed."""
    table = records(results.readings)
    levels = list(dict.fromkeys((row["group"], row["level"]) for row in table))
    if len({row["reading"] for row in table}) < 2:
        return
    grid = empty_table(console)
    grid.title, grid.title_justify = "\nTypical median under other readings of what is printed, months", "left"
    grid.add_column("", overflow="fold")
    shown = levels[:4]
    for group, level in shown:
        grid.add_column("overall" if group == "all" else _plain(level), justify="right", no_wrap=True)
    failed: dict[str, str] = {}
    for reading in dict.fromkeys(row["reading"] for row in table):
        of = {(row["group"], row["level"]): row for row in table if row["reading"] == reading}
        cells = [_estimate(of[at]["median"], of[at]["low"], of[at]["high"], 1) for at in shown]
        grid.add_row(reading, *cells)
        if why := of[shown[0]]["failed"]:
            failed[reading] = why
    console.print(grid)
    for reading, why in failed.items():
        say(console, f"{reading}: NOT CONVERGED, do not use: {why}")


def _cohorts(k: int, not_reached: int) -> str:
    return f"{k - not_reached}+{not_reached}" if not_reached else f"{k}"


def _estimate(value: float | None, low: float | None, high: float | None, digits: int) -> str:
    if value is None:
        return "–"
    if low is None or high is None:
        return figure(value, digits)
    return f"{value:.{digits}f}\n{low:.{digits}f}–{high:.{digits}f}"


def _plain(name: str) -> str:
    from alkbayes.text.names import shown

    return shown(name)


def _text(name: str) -> Any:
    from rich.text import Text

    return Text(name)
