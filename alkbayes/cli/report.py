"""A fit for a reader in a terminal: what was fitted, the verdict, the pooled table, contrasts, where the run is."""

from typing import TYPE_CHECKING, Any

from alkbayes.cli.output import WIDTH, percent, percent_interval, reader_console
from alkbayes.digits import supported_decimals
from alkbayes.outcomes import ORR, Outcome

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

RATE_DECIMALS, OTHER_DECIMALS, SHARE_DECIMALS = 1, 2, 0
"""Most decimals of rates in percent, of odds ratios and SDs, and of shares; a larger Monte Carlo error leaves fewer."""
MOST_CONTRASTS = 12
"""Contrasts of one effect that are printed; more are in contrasts.csv."""

GROUP_TITLES = {
    "all": "overall",
    "line": "line",
    "generation": "TKI generation",
    "line:generation": "line : TKI generation",
}
EXPLAINED = {
    "tau_total": "all heterogeneity together, SD on the {link} scale",
    "explained": "share of the variance between cohorts that the effects explain",
    "i2": "I², share of the observed variance that is heterogeneity",
    "rho": "intraclass correlation of the patients of a cohort",
}
SHARES = ("explained", "i2")
READING = (
    ("crude", "summed responders over summed patients (Wilson interval): leaves the differences between cohorts out"),
    ("two-step", "REML on the logit scale with a Hartung-Knapp confidence interval, from the counts alone"),
    ("typical", "a cohort in the middle of the distribution, with its credible interval"),
    ("mean", "the average over trials and cohorts, with its credible interval"),
    ("next cohort", "prediction interval: where the response rate of a new cohort of a new trial may lie"),
)


def show_fit(document: dict[str, Any]) -> None:
    """Print a fit's document on stdout."""
    console = reader_console()
    _show_subject(console, document)
    _show_verdict(console, document)
    console.print(_pooled(console, document))
    for name, meaning in READING:
        console.print(f"{name + ':':<13}{meaning}", soft_wrap=True)
    if any(_decimals(row, most=RATE_DECIMALS, unit=100) < RATE_DECIMALS for row in document["pooled"]):
        console.print("Whole percents: the Monte Carlo error leaves no decimal there. More draws (--draws) do.")
    _show_weights(console, document)
    console.print(_heterogeneity(console, document))
    _show_contrasts(console, document)
    if document.get("cross_check") is not None:
        _show_cross_check(console, document["cross_check"])
    for note in document["notes"]:
        console.print(f"Note: {note}", soft_wrap=True)
    console.print(f"Run: {document['run']}", soft_wrap=True)


def _show_subject(console: "Console", document: dict[str, Any]) -> None:
    evidence = document["evidence"]
    trials = "" if evidence["trials"] is None else f" of {_number(evidence['trials'], 'trial')}"
    console.print(f"Model: {document['model']} ({document['question']})", soft_wrap=True)
    if not (outcome := _outcome(document)).usual:
        console.print(f"Outcome: {outcome.label}; patients below are {outcome.patients}", soft_wrap=True)
    console.print(
        f"Evidence: {evidence['source']}, {_number(evidence['cohorts'], 'cohort')}{trials}, "
        f"{_number(evidence['responders'], 'responder')} of {_number(evidence['patients'], 'patient')}",
        soft_wrap=True,
    )


def _outcome(document: dict[str, Any]) -> Outcome:
    """Return what was counted; runs of earlier versions count objective responses."""
    return Outcome(**document["outcome"]) if "outcome" in document else ORR


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _show_verdict(console: "Console", document: dict[str, Any]) -> None:
    found, settings = document["diagnostics"], document["provenance"]["settings"]
    verdict = "converged" if found["converged"] else "NOT CONVERGED: DO NOT USE THESE NUMBERS"
    # Runs of earlier versions have neither weights nor another engine than the one asked for.
    if (weights := document["provenance"].get("weights")) is not None:
        console.print(
            f"Posterior: {verdict}. {settings['chains'] * settings['draws']:,} draws by quadrature and importance "
            f"sampling, seed {settings['seed']}; Pareto k {_figure(found['pareto_k'], 2)}, "
            f"ESS {_figure(found['importance_ess'], 0)} of {weights['weighted']:,} weighted draws, "
            f"{weights['duplicates']:,} of those kept are duplicates",
            soft_wrap=True,
        )
        _show_failures(console, found)
        return
    if reason := document["provenance"].get("handed_over"):
        console.print(f"Sampled by NUTS: {reason}.", soft_wrap=True)
    console.print(
        f"Posterior: {verdict}. {settings['chains']} chains of {settings['draws']} draws, seed {settings['seed']}; "
        f"R-hat ≤ {_figure(found['rhat_max'], 3)}, ESS ≥ {_least_ess(found)}, "
        f"{found['divergences']} divergences, E-BFMI ≥ {_figure(found['ebfmi_min'], 2)}",
        soft_wrap=True,
    )
    _show_failures(console, found)


def _show_failures(console: "Console", found: dict[str, Any]) -> None:
    for failure in found["failures"]:
        console.print(f"  failed: {failure}", soft_wrap=True)


def _figure(value: float | None, digits: int) -> str:
    """Return a diagnostic for a reader; chains that stand still leave some without a number."""
    return "not a number" if value is None else f"{value:.{digits}f}"


def _least_ess(found: dict[str, Any]) -> str:
    values = (found["ess_bulk_min"], found["ess_tail_min"])
    return _figure(None if None in values else min(values), 0)


def _empty_table(console: "Console", title: str) -> "Table":
    """Return a table without columns; on a narrow terminal, one that wastes no space between them."""
    from rich import box
    from rich.table import Table

    narrow = console.width < WIDTH
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=not narrow,
        pad_edge=False,
        padding=(0, 0 if narrow else 1, 0, 0),
    )


def _pooled(console: "Console", document: dict[str, Any]) -> "Table":
    table = _empty_table(console, f"Pooled {_outcome(document).label}, %")
    joint, following = (":\n  ", "next\ncohort") if console.width < WIDTH else (" : ", "next cohort")
    table.add_column("", overflow="fold")
    for heading in ("k", "patients\nresponders", "crude", "two-step", "typical", "mean", following):
        table.add_column(heading, justify="right", no_wrap=True)
    classical = {(row["group"], row["level"], row["method"]): row for row in document["classical"]}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for row in document["pooled"]:
        rows.setdefault((row["group"], row["level"]), {})[row["estimand"]] = row
    previous = None
    for (group, level), estimands in rows.items():
        if group != previous and group != "all":
            table.add_section()
            table.add_row(GROUP_TITLES.get(group, group))
        previous = group
        typical = estimands["typical"]
        table.add_row(
            "overall" if group == "all" else f" {level.replace(':', joint)}",
            str(typical["k"]),
            f"{typical['patients']:,}\n{typical['responders']:,}",
            _classical(classical.get((group, level, "crude-wilson"))),
            _classical(classical.get((group, level, "reml-logit-hk"))),
            _posterior(typical),
            _posterior(estimands["mean"]),
            _prediction(estimands["next_cohort"]),
        )
    return table


def _posterior(row: dict[str, Any]) -> str:
    digits = _decimals(row, most=RATE_DECIMALS, unit=100)
    return f"{percent(row['median'], digits)}\n{percent_interval(row['low'], row['high'], digits)}"


def _prediction(row: dict[str, Any]) -> str:
    digits = _decimals(row, most=RATE_DECIMALS, unit=100, of=("low", "high"))
    return percent_interval(row["low"], row["high"], digits)


def _decimals(row: dict[str, Any], *, most: int, unit: int = 1, of: tuple[str, ...] = ("median", "low", "high")) -> int:
    """Return the decimals that the Monte Carlo errors of a row support; runs of earlier versions have none."""
    errors = (row.get(f"mcse_{name}") for name in of)
    return supported_decimals((None if error is None else unit * error for error in errors), most=most)


def _classical(row: dict[str, Any] | None) -> str:
    if row is None or row["estimate"] is None:
        return "–"
    return f"{percent(row['estimate'])}\n{percent_interval(row['low'], row['high'])}"


def _show_weights(console: "Console", document: dict[str, Any]) -> None:
    """Say over what each level is averaged."""
    rows = [
        row for row in document["pooled"] if row["estimand"] == "mean" and row["weights"] and ":" not in row["group"]
    ]
    rows = [row for row in rows if row["group"] in ("line", "generation")]
    if not rows:
        return
    console.print("\nEach row is averaged over its own patients (all weights are in pooled.csv):")
    for row in rows:
        console.print(f"  {row['level']}: {row['weights']}", soft_wrap=True)


def _heterogeneity(console: "Console", document: dict[str, Any]) -> "Table":
    table = _empty_table(console, "\nHeterogeneity")
    table.add_column("", overflow="fold")
    table.add_column("median", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for row in document["heterogeneity"]:
        name = row["parameter"]
        meaning = EXPLAINED.get(name, _meaning(name)).format(link=document.get("link", "logit"))
        if name in SHARES:
            digits = _decimals(row, most=SHARE_DECIMALS, unit=100)
            interval = percent_interval(row["low"], row["high"], digits)
            table.add_row(name, f"{percent(row['median'], digits)} %", f"{interval} %", meaning)
        else:
            digits = _decimals(row, most=OTHER_DECIMALS)
            interval = f"{row['low']:.{digits}f}–{row['high']:.{digits}f}"
            table.add_row(name, f"{row['median']:.{digits}f}", interval, meaning)
    return table


def _meaning(parameter: str) -> str:
    """Return what a standard deviation is of, with a place for the link."""
    kind, _, label = parameter.partition("_")
    if kind == "tau":
        return f"between {label}s{' of one trial' if label == 'cohort' else ''}, SD on the {{link}} scale"
    return f"between the levels of {label.replace('_', ' by ')}, SD on the {{link}} scale"


def _show_contrasts(console: "Console", document: dict[str, Any]) -> None:
    by_column: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for row in document["contrasts"]:
        by_column.setdefault(row["column"], {}).setdefault(row["contrast"], {})[row["scale"]] = row
    for column, contrasts in by_column.items():
        title = GROUP_TITLES.get(column, column)
        if len(contrasts) > MOST_CONTRASTS:
            console.print(f"\n{len(contrasts)} contrasts of {title} are in contrasts.csv.")
            continue
        table = _empty_table(console, f"\nContrasts of {title}")
        table.add_column("", overflow="fold")
        for heading in ("odds ratio", "difference of\nmeans, points", "P(first is\nhigher)"):
            table.add_column(heading, justify="right", no_wrap=True)
        for name, scales in contrasts.items():
            odds, difference = scales["odds_ratio"], scales["risk_difference"]
            table.add_row(
                name,
                _ratio(odds),
                _difference(difference),
                _probability(difference["prob_better"]),
            )
        console.print(table)


def _show_cross_check(console: "Console", found: dict[str, Any]) -> None:
    if "differences" not in found:
        console.print(f"Cross-check: FAILED: {'; '.join(found['faults'])}.", soft_wrap=True)
        return
    table = _empty_table(console, "\nQuadrature less NUTS, in units of the Monte Carlo error of the difference")
    table.add_column("", overflow="fold")
    names = list(dict.fromkeys(row["statistic"] for row in found["differences"]))
    for heading in ("estimand", *names):
        table.add_column(heading, justify="left" if heading == "estimand" else "right", no_wrap=True)
    rows: dict[tuple[str, str, str], dict[str, float | None]] = {}
    for row in found["differences"]:
        rows.setdefault((row["group"], row["level"], row["estimand"]), {})[row["statistic"]] = row["z"]
    previous = None
    for (group, level, estimand), differences in rows.items():
        cells = ["–" if differences[name] is None else f"{differences[name]:+.1f}" for name in names]
        shown = "overall" if group == "all" else level.replace(":", " : ")
        table.add_row("" if (group, level) == previous else shown, estimand.replace("_", " "), *cells)
        previous = (group, level)
    console.print(table)
    verdict = "; ".join(found["faults"]) if found["faults"] else "the engines agree"
    console.print(
        f"Cross-check: {verdict}. Largest of {found['numbers']} differences {found['largest']:.1f}; engines that agree "
        f"have one beyond {found['limit']:.1f} in at most {100 * found['false_alarm']:.0f} % of runs.",
        soft_wrap=True,
    )


def _ratio(row: dict[str, Any]) -> str:
    digits = _decimals(row, most=OTHER_DECIMALS)
    return f"{row['median']:.{digits}f} ({row['low']:.{digits}f}–{row['high']:.{digits}f})"


def _difference(row: dict[str, Any]) -> str:
    digits = _decimals(row, most=RATE_DECIMALS, unit=100)
    median, low, high = (f"{100 * row[name]:+.{digits}f}".replace("-", "−") for name in ("median", "low", "high"))
    return f"{median} ({low} to {high})"


def _probability(value: float) -> str:
    """Return a probability for a reader; draws cannot tell 0 and 1 from what is next to them."""
    if value < 0.01:
        return "< 1 %"
    return "> 99 %" if value > 0.99 else f"{100 * value:.0f} %"
