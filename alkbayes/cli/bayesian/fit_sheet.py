"""A fit for a reader in a terminal: what was fitted, the verdict, the pooled table, contrasts, where the run is."""

from typing import TYPE_CHECKING, Any

from alkbayes.cli.shared.output import reader_console, say
from alkbayes.cli.shared.reader import empty_table, print_table
from alkbayes.presentation.fit import (
    WHOLE_PERCENTS,
    column_meanings,
    contrast_notes,
    contrast_rows,
    heterogeneity_rows,
    pooled_rows,
    shows_whole_percents,
    subject,
    two_step_notes,
    verdict,
)
from alkbayes.presentation.standardisation import averaging, prediction_lines, standard_lines, unnamed_lines
from alkbayes.text.names import level_name

if TYPE_CHECKING:
    from rich.console import Console

MOST_CONTRASTS = 12
"""Contrasts of one effect that are printed; more are in contrasts.csv."""


def show_fit(document: dict[str, Any]) -> None:
    """Print a fit's document on stdout."""
    console = reader_console()
    for line in (*subject(document), *verdict(document)):
        failed = line.startswith("failed: ")
        say(console, f"  {line}" if failed else line, hang=2 if failed else 0)
    _show_pooled(console, document)
    if document["heterogeneity"]:
        print_table(console, heterogeneity_rows(document), space=True)
    _show_contrasts(console, document)
    if document.get("cross_check") is not None:
        _show_cross_check(console, document["cross_check"])
    for note in document["notes"]:
        say(console, f"Note: {note}")
    console.print(f"Run: {document['run']}", soft_wrap=True)


def _show_pooled(console: "Console", document: dict[str, Any]) -> None:
    """Print the pooled rates, with what is to be known of their columns and rows."""
    for line in (*unnamed_lines(document), *standard_lines(document)):
        say(console, line)
    print_table(console, pooled_rows(document))
    for name, meaning in column_meanings(document):
        say(console, f"{name + ':':<13}{meaning}", hang=13)
    for line in two_step_notes(document):
        say(console, line)
    if shows_whole_percents(document):
        console.print(WHOLE_PERCENTS)
    for line in prediction_lines(document):
        say(console, line, hang=2)
    what, weights = averaging(document)
    if weights:
        console.print(f"\n{what} (all weights are in pooled.csv):")
        for line in weights:
            say(console, f"  {line}", hang=4)


def _show_contrasts(console: "Console", document: dict[str, Any]) -> None:
    for contrasts in contrast_rows(document):
        if len(contrasts.rows) > MOST_CONTRASTS:
            console.print(f"\n{len(contrasts.rows)} {_lower(contrasts.title)} are in contrasts.csv.")
        else:
            print_table(console, contrasts, space=True)
    for line in contrast_notes(document["contrasts"]):
        say(console, line, hang=2)


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]


def _show_cross_check(console: "Console", found: dict[str, Any]) -> None:
    if "differences" not in found:
        say(console, f"Cross-check: FAILED: {'; '.join(found['faults'])}.")
        return
    table = empty_table(console, "\nQuadrature less NUTS, in units of the Monte Carlo error of the difference")
    table.add_column("", overflow="fold")
    names = list(dict.fromkeys(row["statistic"] for row in found["differences"]))
    for heading in ("estimand", *names):
        table.add_column(heading, justify="left" if heading == "estimand" else "right", no_wrap=True)
    rows: dict[tuple[str, str, str], dict[str, float | None]] = {}
    levels = {}
    for row in found["differences"]:
        rows.setdefault((row["group"], row["level"], row["estimand"]), {})[row["statistic"]] = row["z"]
        levels[row["group"], row["level"]] = level_name(row)
    previous = None
    for (group, level, estimand), differences in rows.items():
        cells = ["–" if differences[name] is None else f"{differences[name]:+.1f}" for name in names]
        table.add_row("" if (group, level) == previous else levels[group, level], estimand.replace("_", " "), *cells)
        previous = (group, level)
    console.print(table)
    verdict = "; ".join(found["faults"]) if found["faults"] else "the engines agree"
    say(
        console,
        f"Cross-check: {verdict}. Largest of {found['numbers']} differences {found['largest']:.1f}; engines that agree "
        f"have one beyond {found['limit']:.1f} in at most {100 * found['false_alarm']:.0f} % of runs.",
    )
