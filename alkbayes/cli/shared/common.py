"""Elements common to several commands: pooling method, evidence, output header and number formats."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.cli.shared import completion as completing
from alkbayes.cli.shared.options import interval_prob
from alkbayes.cli.shared.output import print_message, reader_console, say
from alkbayes.errors import RunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from alkbayes.classical.pooling.methods import PoolingMethod
    from alkbayes.evidence.outcomes import Outcome
    from alkbayes.evidence.sources import TableSource
    from alkbayes.evidence.table import Evidence

Method = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="NAME",
        autocompletion=completing.methods,
        help="Pooling method, named as in `alkbayes pool`; glmm-ml is the binomial model (GLMM).",
    ),
]
DEFAULT_METHOD = "reml-logit-hk-adhoc"


def method_named(name: str) -> "PoolingMethod":
    """Return the pooling method of `--method`; imported where it is needed, as it takes a while."""
    from alkbayes.classical.pooling import methods

    return methods.method_named(name)


def evidence_counted(data: "TableSource | None", outcome: str | None) -> "Evidence":
    """Return the table with the counts of a model's outcome, the usual ones if there is no model."""
    from alkbayes.evidence.outcomes import ORR
    from alkbayes.evidence.table import read_evidence
    from alkbayes.spec.schema import model_path, read_spec

    return read_evidence(data, outcome=ORR if outcome is None else read_spec(model_path(outcome)).outcome)


def evidence_for(
    data: "TableSource | None", run: Path | None, *, needed: "Sequence[str]" = (), outcome: "Outcome | None" = None
) -> "Evidence":
    """Return the table of a run, or without one that of `--data`.

    Raises
    ------
    UsageError
        If both are given.
    """
    from alkbayes.evidence.outcomes import ORR
    from alkbayes.evidence.table import read_evidence
    from alkbayes.runs.run import read_run, run_evidence

    counted = ORR if outcome is None else outcome
    if run is None:
        return read_evidence(data, needed=needed, outcome=counted)
    if data is not None:
        raise UsageError("--for takes the table of its run, and --data names another. Give one of them.")
    return run_evidence(run, read_run(run), needed=needed, outcome=counted)


def check_same_review(run: Path, name: str) -> None:
    """Refuse to keep an analysis of a bundled table with a run of another field, whose report would show it.

    Raises
    ------
    UsageError
        If the run's table lacks the columns by which the two can be told to belong together.
    """
    from alkbayes.alk.review import ANALYSES
    from alkbayes.plots.source import RunTables
    from alkbayes.runs.run import read_run
    from alkbayes.text.names import listed

    evidence = RunTables(run, read_run(run)).evidence
    if missing := [column for column in ANALYSES[name] if column not in evidence.frame]:
        raise UsageError(
            f"--for: the bundled table of {name} is of ALK inhibitors, and {evidence.source}, the table of the run, "
            f"has no {listed(missing)}. Give a table of the same field (--data FILE), or leave out --for."
        )


def prob_for(level: float | None, run: Path | None) -> float:
    """Return the probability of intervals that `--level` asks for; without it that of a run, if there is one."""
    if level is not None or run is None:
        return interval_prob(level)
    from alkbayes.runs.run import read_run

    return read_run(run)["interval_prob"]


def headline(evidence: "Evidence") -> list[str]:
    """Return the lines above the numbers: their source, and possible double counting."""
    from alkbayes.alk.review import RECONSTRUCTION
    from alkbayes.evidence.cautions import table_cautions

    reconstruction = [RECONSTRUCTION] if evidence.bundled else []
    return [f"Evidence: {evidence.source}", *evidence.notes, *reconstruction, *table_cautions(evidence)]


def console_for(evidence: "Evidence") -> "Console":
    """Return the console for a reader, with the source already printed."""
    console = reader_console()
    source, *more = headline(evidence)
    say(console, source)
    for line in more:
        say(console, line)
    return console


def keep(run: Path, name: str, document: "Mapping[str, object]") -> None:
    """Store an analysis beside its run; on failure, report it on stderr and continue."""
    from alkbayes.runs.analyses import keep_analysis

    try:
        keep_analysis(run, name, document)
    except RunError as error:
        print_message(f"warning: {error} Figures and reports of this run will do without.")


def degrees(df: float) -> str:
    """Return degrees of freedom as text: an integer or with one decimal."""
    return f"{df:.1f}".removesuffix(".0")
