"""`alkbayes intracranial`: response in the brain beside that of the body, and whether later generations do better."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared.common import console_for, empty_table, evidence_for, keep
from alkbayes.cli.shared.options import Csv, Data, ForRun, Json
from alkbayes.cli.shared.output import check_format, print_csv, print_json, print_message, records
from alkbayes.errors import ConvergenceError
from alkbayes.text.wording import points, rate_text
from alkbayes.vocabulary import NOT_RANDOMISED

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from alkbayes.analyses.intracranial import IntracranialAnalysis

MODEL = "intracranial"
SYSTEMIC_MODEL = "line-generation"
"""The same effects, of the response of the body."""

JointToo = Annotated[
    bool,
    typer.Option("--joint", help="Fit both responses together too, with correlated trials and cohorts (by NUTS)."),
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Draw the rates: FILE ends in .png, .svg or .pdf.", show_default=False),
]


def command(
    data: Data = None,
    joint: JointToo = False,
    plot: Plot = None,
    for_run: ForRun = None,
    json_: Json = False,
    csv: Csv = False,
) -> None:
    """Lay intracranial beside systemic response, and say whether later generations do better in the brain.

    Example: alkbayes intracranial --joint --plot brain.pdf
    """
    check_format(json_=json_, csv=csv)
    from alkbayes.spec.schema import model_path, read_spec

    specs = read_spec(model_path(SYSTEMIC_MODEL)), read_spec(model_path(MODEL))
    systemic, brain = (evidence_for(data, for_run, columns=spec.columns, outcome=spec.outcome) for spec in specs)
    if plot is not None:
        from alkbayes.plots.files import figure_format
        from alkbayes.runs.places import check_free

        figure_format(plot, None)
        check_free([plot])
    from alkbayes.analyses.intracranial import intracranial_analysis
    from alkbayes.analyses.intracranial_conclusions import record_of
    from alkbayes.cli.shared.progress import counted

    with counted("fitting") as progress:
        found = intracranial_analysis(specs[1], brain, systemic=(specs[0], systemic), progress=progress)
    together = _joint(found) if joint else None
    document = record_of(found) | {"joint": together}
    if for_run is not None:
        keep(for_run, "intracranial", document | {"failures": list(found.failures)})
    if plot is not None:
        _draw(found, plot)
    if json_:
        print_json({"intracranial": document})
    elif csv:
        print_csv(found.rates)
    else:
        _show(found, document)
    failures = [*found.failures, *(together["diagnostics"]["failures"] if together else ())]
    if failures:
        raise ConvergenceError(f"a posterior did not converge: {'; '.join(failures)}. Do not use these numbers.")


def _joint(found: "IntracranialAnalysis") -> dict[str, Any]:
    """Fit both responses together, and return what comes of it for JSON."""
    from alkbayes.analyses.intracranial_conclusions import joint_record_of
    from alkbayes.analyses.joint import fit_joint
    from alkbayes.cli.shared.progress import counted

    with counted("sampling both responses together") as progress:
        fit = fit_joint(
            found.systemic,
            found.brain,
            progress=None if progress is None else lambda done, total, _: progress(done, total),
            warn=lambda message: print_message(f"warning: {message}"),
        )
    return joint_record_of(fit, found.brain)


def _draw(found: "IntracranialAnalysis", path: Path) -> None:
    """Draw the rates, and say on stderr where."""
    from alkbayes.evidence.table import RECONSTRUCTION
    from alkbayes.plots.figures.intracranial import intracranial
    from alkbayes.plots.files import save_figures
    from alkbayes.plots.page.style import Caption

    failed = f"NOT CONVERGED, not to be used: {'; '.join(found.failures)}" if found.failures else ""
    evidence = found.brain.evidence
    reconstruction = [RECONSTRUCTION] if evidence.bundled else []
    notes = (f"Evidence: {evidence.source}.", *reconstruction, *evidence.notes, *found.carried_by, NOT_RANDOMISED)
    for file in save_figures(intracranial(found.rates, Caption(notes, failed)), path):
        print_message(f"Figure: {file}")


def _show(found: "IntracranialAnalysis", document: dict[str, Any]) -> None:
    console = console_for(found.brain.evidence)
    console.print("\nPooled rates, % (95 % credible interval), and k cohorts, responders/patients")
    console.print(_rates(console, found.rates))
    console.print("systemic: all patients of a cohort; intracranial: those with measurable brain lesions.")
    console.print("typical: a cohort in the middle; mean: the average over cohorts.")
    if not found.contrasts.empty:
        console.print("\nGenerations in the brain: difference of means in points, and probability of better")
        console.print(_contrasts(console, found.contrasts))
    for sentence in document["conclusions"]:
        console.print(sentence)
    if document["joint"] is not None:
        console.print("\nBoth responses in one model")
        for sentence in document["joint"]["conclusions"]:
            console.print(sentence)
    console.print(NOT_RANDOMISED)


def _rates(console: "Console", rates: "pd.DataFrame") -> Any:
    from alkbayes.text.names import level_name

    sides = list(dict.fromkeys(rates["side"]))
    rows: dict[tuple[str, str], dict[tuple[str, str], dict[str, Any]]] = {}
    for row in records(rates):
        rows.setdefault((row["group"], row["level"]), {})[row["side"], row["estimand"]] = row
    table = empty_table(console)
    table.add_column("", overflow="fold")
    for side in sides:
        table.add_column(side.replace(", ", ",\n"), justify="right", no_wrap=True)
    for found in rows.values():
        # A level that no cohort with intracranial counts has is not in the question.
        if (sides[-1], "mean") not in found:
            continue
        name = level_name(found[sides[-1], "mean"])
        table.add_row(f"{name}\n  typical\n  mean", *(_cell(found, side) for side in sides))
    return table


def _cell(found: dict[tuple[str, str], dict[str, Any]], side: str) -> str:
    """Return counts, typical and mean of a group on one side, each on a line."""
    row = found[side, "mean"]
    lines = [f"k {row['k']}, {row['responders']:,}/{row['patients']:,}"]
    for estimand in ("typical", "mean"):
        row = found[side, estimand]
        lines.append(rate_text(row))
    return "\n".join(lines)


def _contrasts(console: "Console", contrasts: "pd.DataFrame") -> Any:
    from alkbayes.analyses.intracranial_conclusions import probability_text

    rows = contrasts[contrasts["scale"] == "risk_difference"]
    names = list(dict.fromkeys(rows["contrast"]))
    table = empty_table(console)
    table.add_column("prior, or cohorts", overflow="fold")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for reading, found in rows.groupby("reading", sort=False):
        cells = {
            row["contrast"]: f"{points(row['median'])} ({points(row['low'])} to {points(row['high'])})\n"
            f"{probability_text(row['prob_better'])}"
            for row in records(found)
        }
        table.add_row(str(reading), *(cells.get(name, "–") for name in names))
    return table
