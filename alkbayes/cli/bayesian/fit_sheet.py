"""Fit for a reader in a terminal: model, verdict, pooled table, contrasts, and run folder."""

from typing import TYPE_CHECKING

from alkbayes.cli.shared.output import reader_console, say
from alkbayes.cli.shared.reader import print_parts, print_table
from alkbayes.presentation.cross_check import cross_check_parts
from alkbayes.presentation.exceedance import exceedance_tables
from alkbayes.presentation.exchangeability import exchangeability_notes, exchangeability_tables
from alkbayes.presentation.fit import (
    WHOLE_PERCENTS,
    column_meanings,
    contrast_notes,
    contrast_rows,
    heterogeneity_rows,
    inverse_variance_notes,
    medians_sentence,
    outcome_of,
    pooled_rows,
    shows_whole_percents,
    subject,
    verdict,
)
from alkbayes.presentation.key_results import key_results
from alkbayes.presentation.moderators import rates_at_parts
from alkbayes.presentation.standardisation import averaging, prediction_lines, standard_lines, unnamed_lines

if TYPE_CHECKING:
    from rich.console import Console

    from alkbayes.runs.document import FitDocument

MOST_CONTRASTS = 12
"""Contrasts of one effect printed; contrasts.csv has all."""


def show_fit(document: "FitDocument", run: object) -> None:
    """Print a fit's document on stdout."""
    console = reader_console()
    for line in (*subject(document), *verdict(document)):
        failed = line.startswith("failed: ")
        say(console, f"  {line}" if failed else line, hang=2 if failed else 0)
    _show_pooled(console, document)
    for table in exchangeability_tables(document):
        print_table(console, table, space=True)
    for line in exchangeability_notes(document):
        say(console, line)
    for table in exceedance_tables(document["exceedance"], document["pooled"], outcome_of(document)):
        print_table(console, table, space=True)
    if rows := document.get("rates_at"):
        print_parts(console, rates_at_parts(rows, document))
    if document["heterogeneity"]:
        print_table(console, heterogeneity_rows(document), space=True)
    _show_contrasts(console, document)
    if document.get("cross_check") is not None:
        print_parts(console, cross_check_parts(document["cross_check"]))
    for note in document["notes"]:
        say(console, f"Note: {note}")
    console.print()
    say(console, "Key results")
    for label, told in key_results(document):
        say(console, f"  {label}: {told}", hang=4)
    say(console, f"Run: {run}")


def _show_pooled(console: "Console", document: "FitDocument") -> None:
    """Print the pooled rates, with notes on columns and rows."""
    for line in (*unnamed_lines(document), *standard_lines(document)):
        say(console, line)
    print_table(console, pooled_rows(document))
    meanings = column_meanings(document)
    hang = max(len(name) for name, _ in meanings) + 2
    for name, meaning in meanings:
        say(console, f"{name + ':':<{hang}}{meaning}", hang=hang)
    say(console, medians_sentence(document))
    for line in inverse_variance_notes(document):
        say(console, line)
    if shows_whole_percents(document):
        say(console, WHOLE_PERCENTS)
    for line in prediction_lines(document):
        say(console, line, hang=2)
    what, weights = averaging(document)
    if weights:
        console.print()
        say(console, f"{what} (all weights are in pooled.csv):")
        for line in weights:
            say(console, f"  {line}", hang=4)


def _show_contrasts(console: "Console", document: "FitDocument") -> None:
    for contrasts in contrast_rows(document):
        if len(contrasts.rows) > MOST_CONTRASTS:
            console.print()
            say(console, f"{len(contrasts.rows)} {_lower(contrasts.title)} are in contrasts.csv.")
        else:
            print_table(console, contrasts, space=True)
    for line in contrast_notes(document["contrasts"], outcome_of(document)):
        say(console, line, hang=2)


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]
