"""`alkbayes resistance`: how many samples have an ALK resistance mutation after which inhibitor."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared import completion as completing
from alkbayes.cli.shared.common import empty_table, keep
from alkbayes.cli.shared.options import Csv, Json
from alkbayes.cli.shared.output import (
    check_format,
    print_csv,
    print_json,
    print_message,
    print_note,
    reader_console,
    records,
    say,
)
from alkbayes.cli.shared.progress import working
from alkbayes.errors import ConvergenceError
from alkbayes.text.wording import limits, percent, percent_interval, rate_text, size_text

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from alkbayes.analyses.resistance import Resistance
    from alkbayes.evidence.resistance import ResistanceTable

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Table of resistance mutations (CSV). Default: the bundled one.",
        show_default=False,
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Draw it to a PNG, SVG or PDF file: every row, and what the model says of each question.",
        show_default=False,
    ),
]


ForRun = Annotated[
    Path | None,
    typer.Option(
        "--for",
        metavar="RUN",
        help="Keep what is found beside this run, for its report.",
        show_default=False,
        autocompletion=completing.runs,
    ),
]


def command(
    data: Data = None, plot: Plot = None, for_run: ForRun = None, json_: Json = False, csv: Csv = False
) -> None:
    """Proportion of samples with an ALK resistance mutation, by prior ALK TKI.

    Example: alkbayes resistance --plot resistance.pdf
    """
    check_format(json_=json_, csv=csv)
    if plot is not None:
        from alkbayes.plots.files import figure_format
        from alkbayes.runs.places import check_free

        figure_format(plot, None)
        check_free([plot])
    from alkbayes.evidence.resistance import read_resistance

    if for_run is not None:
        from alkbayes.runs.run import read_run

        read_run(for_run)
    table = read_resistance(data)
    from alkbayes.analyses.resistance import resistance_of

    with working("fitting each question"):
        found = resistance_of(table)
    if plot is not None:
        _plot(table, found, plot)
    if for_run is not None:
        keep(for_run, "resistance", _document(table, found))
    if json_:
        print_json(_document(table, found))
    elif csv:
        print_message(found.few[0])
        print_csv(found.rows)
    else:
        _show(table, found)
    if found.failures:
        raise ConvergenceError(f"a posterior did not converge: {'; '.join(found.failures)}. Do not use its numbers.")


def _plot(table: "ResistanceTable", found: "Resistance", path: Path) -> None:
    """Draw the rows and what the model makes of them, and say on stderr where."""
    from alkbayes.plots.figures.resistance import resistance
    from alkbayes.plots.files import save_figures
    from alkbayes.plots.page.style import Caption

    warning = f"NOT CONVERGED, not to be used: {'; '.join(found.failures)}" if found.failures else ""
    caption = Caption((f"Table: {table.source}.", *found.gaps), warning)
    for file in save_figures(resistance(found.rows, found.prevalence, heading=found.few[0], caption=caption), path):
        print_note(f"Figure: {file}")


def _document(table: "ResistanceTable", found: "Resistance") -> dict[str, Any]:
    return {
        "few": list(found.few),
        "gaps": list(found.gaps),
        "table": {"source": table.source, "sha256": table.sha256},
        "converged": not found.failures,
        "failures": list(found.failures),
        "rows": records(found.rows),
        "prevalence": records(found.prevalence),
        "spread": records(found.spread),
        "responses": records(found.responses),
        "printed": records(found.printed),
        "findings": list(found.findings),
    }


def _show(table: "ResistanceTable", found: "Resistance") -> None:
    """Print first how little there is, then the rows, the model, and response by mutation status."""
    console = reader_console()
    for sentence in (*found.few, *found.gaps):
        console.print(sentence)
    say(console, f"Table: {table.source}")
    for failure in found.failures:
        console.print(f"NOT CONVERGED: DO NOT USE THE MODEL'S NUMBERS OF: {failure}")
    _show_rows(console, found.rows)
    _show_prevalence(console, found.prevalence)
    _show_spread(console, found.spread)
    if len(found.responses) or len(found.printed):
        _show_responses(console, found)


def _show_rows(console: "Console", rows: "pd.DataFrame") -> None:
    console.print("\nEach row by itself: samples with a mutation, %, and 95 % confidence intervals")
    table = empty_table(console)
    for heading in ("after", "assay"):
        table.add_column(heading, overflow="fold")
    for heading in ("with\n/ samples", "%", "exact", "Jeffreys", "note"):
        table.add_column(heading, justify="right", no_wrap=True)
    notes: list[str] = []
    for mutation_set, of in rows.groupby("mutation_set", sort=False):
        _add_heading(table, str(mutation_set))
        for row in records(of):
            if row["note"]:
                notes.append(row["note"])
            table.add_row(
                _text(f"{row['after_agent']}{'' if row['counted'] else ' (beside)'}", indent=1),
                row["assay"],
                f"{row['n_with']:,}/{row['n_biopsies']:,}",
                percent(row["observed"]),
                percent_interval(row["exact_low"], row["exact_high"]),
                percent_interval(row["jeffreys_low"], row["jeffreys_high"]),
                f"[{len(notes)}]" if row["note"] else "",
            )
    console.print(table)
    if not rows["counted"].all():
        console.print("(beside): the same samples as another row, and not counted with it.")
    for number, note in enumerate(notes, 1):
        console.print(_text(f"[{number}] {note}"))


def _show_prevalence(console: "Console", prevalence: "pd.DataFrame") -> None:
    console.print(
        "\nBy the binomial model, %, with 95 % credible intervals; next: prediction interval of another set of "
        "samples; prior: what the model says of the mean before any count"
    )
    table = empty_table(console)
    table.add_column("after generation", overflow="fold")
    for heading in ("rows", "samples", "typical", "mean", "next", "prior"):
        table.add_column(heading, justify="right", no_wrap=True)
    for (mutation_set, assay), of in prevalence.groupby(["mutation_set", "assay"], sort=False):
        _add_heading(table, f"{mutation_set}, {assay}")
        for level, estimands in of.groupby("after_generation", sort=False):
            by_name = {row["estimand"]: row for row in records(estimands)}
            mean = by_name["mean"]
            table.add_row(
                _text(f"{level} ({mean['agents']})", indent=1),
                f"{mean['k']:,}",
                f"{mean['samples']:,}",
                *(rate_text(by_name[name]) for name in ("typical", "mean")),
                limits(by_name["next_cohort"]),
                percent_interval(mean["prior_low"], mean["prior_high"], 0),
            )
    console.print(table)


def _show_spread(console: "Console", spread: "pd.DataFrame") -> None:
    console.print("\nHow far sets of samples and generations differ: SD on the logit scale, and before any count")
    table = empty_table(console)
    table.add_column("", overflow="fold")
    for heading in ("rows", "between", "SD", "prior"):
        table.add_column(heading, justify="left" if heading == "between" else "right", no_wrap=True)
    alone = False
    for row in records(spread):
        mark = "*" if row["k"] == row["generations"] else ""
        alone = alone or bool(mark)
        table.add_row(
            _text(f"{row['mutation_set']}, {row['assay']}"),
            f"{row['k']:,}",
            "sets of samples" if row["parameter"].startswith("tau_") else "generations",
            f"{size_text(row)}{mark}",
            size_text(row, prefix="prior_"),
        )
    console.print(table)
    if alone:
        console.print("*: one row a generation says next to nothing of this SD: it rests on its prior.")


def _show_responses(console: "Console", found: "Resistance") -> None:
    console.print("\nResponse by mutation status, where there are counts; 95 % confidence intervals")
    table = empty_table(console)
    for heading in ("mutation", "inhibitor", "assay"):
        table.add_column(heading, overflow="fold")
    for heading in ("responders\n/ patients", "ORR %", "exact", "Jeffreys"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in records(found.responses):
        table.add_row(
            *(_text(row[name]) for name in ("mutation_set", "agent", "assay")),
            f"{row['responders']:,}/{row['n']:,}",
            percent(row["observed"]),
            percent_interval(row["exact_low"], row["exact_high"]),
            percent_interval(row["jeffreys_low"], row["jeffreys_high"]),
        )
    console.print(table)
    console.print("Printed as a percentage alone, of an unknown number of patients, and not used:")
    for row in records(found.printed):
        assay = f", {row['assay']}" if row["assay"] else ""
        console.print(
            _text(f"{row['orr_reported']} %: {row['trial']}, {row['agent']}, {row['subset']}{assay}", indent=2)
        )


def _add_heading(table: "Table", words: str) -> None:
    table.add_row(_text(words, style="bold"))


def _text(words: str, *, indent: int = 0, style: str = "") -> "Text":
    """Return words of a table as text, whatever they hold: a note may be long, a single word may not."""
    from rich.text import Text

    from alkbayes.text.names import shown

    return Text(" " * indent + " ".join(map(shown, words.split())), style=style)
