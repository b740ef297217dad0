"""`alkbayes models`: the model files."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.alk.levels import DEFAULT_MODEL, MEDIAN_MODEL
from alkbayes.cli.shared import completion as completing
from alkbayes.cli.shared.options import Json, reads_table
from alkbayes.cli.shared.output import message_console, print_json, print_note, reader_console, records, say
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_table
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.naming import TRIAL
from alkbayes.evidence.sources import TableSource

if TYPE_CHECKING:
    import pandas as pd

    from alkbayes.evidence.outcomes import Outcome
    from alkbayes.spec.schema import Declaration, Spec

Name = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        help="A bundled model or the path of a TOML file. Default: list the bundled models.",
        show_default=False,
        autocompletion=completing.models,
    ),
]


@reads_table
def command(name: Name = None, data: TableSource | None = None, json_: Json = False) -> None:
    """Bundled models; or one model file, with what its priors imply for rates.

    Levels of columns come from the table. A bundled model is a good start for one of your own.

    Example: alkbayes models line-generation > my-model.toml
    """
    from alkbayes.spec.files import family_of, read_declaration
    from alkbayes.spec.schema import LOG_MEDIAN, OTHER_TABLES, model_names, model_path, other_model_path, read_spec

    if name is None:
        if data is not None:
            raise UsageError("--data goes with the NAME of a model: its priors are shown for the levels of that table.")
        listed = [_line(model) for model in (*model_names(), MEDIAN_MODEL)]
        if json_:
            print_json({"models": listed, "other_tables": dict(OTHER_TABLES)})
        else:
            _show_all(listed)
        return
    if name in OTHER_TABLES and data is not None:
        raise UsageError(f"--data is a table of cohorts, and the model {name} reads {OTHER_TABLES[name]}.")
    path = other_model_path(name) if name in OTHER_TABLES else model_path(name)
    if family_of(read_declaration(path)) == LOG_MEDIAN:
        _show_median_model(path, data, json_=json_)
        return
    spec = read_spec(path)
    implied = None
    if name in OTHER_TABLES:
        print_note(f"note: this model reads {OTHER_TABLES[name]}; fit it with: alkbayes {name}")
    else:
        with working("drawing from the priors"):
            implied = _implied(spec, data)
    if json_:
        document = None if implied is None else records(implied)
        print_json({"model": spec.model_dump(by_alias=True), "prior_implications": document})
        return
    typer.echo(path.read_text(encoding="utf-8-sig"), nl=False)
    if implied is not None:
        _show_implied(records(implied), spec.outcome)


def _show_median_model(path: Path, data: "TableSource | None", *, json_: bool) -> None:
    """Print a model of medians, and what its priors say of these."""
    from alkbayes.analyses.pfs import prior_table
    from alkbayes.evidence.outcomes import ORR
    from alkbayes.evidence.table import read_evidence
    from alkbayes.spec.medians import read_median_spec

    spec = read_median_spec(path)
    counted = replace(ORR, declared=spec.declared)
    implied = records(prior_table(read_evidence(data, needed=spec.needed, outcome=counted), spec))
    if json_:
        print_json({"model": spec.model_dump(by_alias=True), "prior_implications": implied})
        return
    typer.echo(path.read_text(encoding="utf-8-sig"), nl=False)
    typer.echo("\nFit it with: alkbayes pfs. What these priors say before any median is read:", err=True)
    for row in implied:
        interval = f"{row['median']:.1f}, with 95 % from {row['low']:.1f} to {row['high']:.1f}"
        typer.echo(f"  {row['quantity']}, {row['of']}: {interval}", err=True)


def _implied(spec: "Spec", data: "TableSource | None") -> "pd.DataFrame | None":
    """Return what the priors imply; None where the bundled table lacks a column of a user's model."""
    from alkbayes.evidence.outcomes import ORR
    from alkbayes.evidence.table import read_evidence
    from alkbayes.model.covariates import stated_cohorts
    from alkbayes.model.prior_implications import prior_implications

    # What priors imply depends on the levels, not on the counts, which the bundled table may lack.
    for outcome in (spec.outcome, ORR):
        try:
            evidence = stated_cohorts(spec, read_evidence(data, needed=spec.needed, outcome=outcome))
            return prior_implications(spec, evidence)
        except EvidenceError:
            if data is not None:
                raise
    columns = ", ".join(_columns(spec))
    typer.echo(
        f"note: what the priors imply is left out: the bundled table has not all of {columns} for each cohort. "
        "Give your table: --data FILE.",
        err=True,
    )
    return None


def _columns(spec: "Spec") -> list[str]:
    """Return a model's required columns besides those of every table."""
    return [*(() if spec.outcome.usual else spec.outcome.columns), *_named(spec)]


def _named(spec: "Declaration[Any]") -> list[str]:
    """Return the columns that a model's parts need: without a column of trials each cohort is a trial of its own."""
    effects = {column for effect in spec.effect for column in effect.columns}
    return [column for column in spec.columns if column != TRIAL or column in effects]


def _line(model: str) -> dict[str, Any]:
    from alkbayes.spec.medians import MedianSpec, read_median_spec
    from alkbayes.spec.schema import model_path, read_spec

    path = model_path(model)
    spec = read_median_spec(path) if model == MEDIAN_MODEL else read_spec(path)
    return {
        "name": spec.name,
        "question": spec.question,
        "columns": _named(spec) if isinstance(spec, MedianSpec) else _columns(spec),
        "default": spec.name == DEFAULT_MODEL,
    }


def _show_all(listed: list[dict[str, Any]]) -> None:
    from alkbayes.presentation.models import model_rows
    from alkbayes.spec.schema import OTHER_TABLES

    console = reader_console()
    print_table(console, model_rows(listed))
    say(
        console, f"{MEDIAN_MODEL} is of median PFS, not of response rates; `alkbayes pfs` fits it and needs pfs_median."
    )
    for name, reads in OTHER_TABLES.items():
        say(console, f"Another, {name}, reads {reads}: alkbayes {name}.")
    say(console, "One in full: alkbayes models NAME. Fit one: alkbayes fit NAME.")


def _show_implied(rows: list[dict[str, Any]], outcome: "Outcome") -> None:
    """Print the prior implications on stderr: stdout has only the model file."""
    from alkbayes.presentation.priors import implication_rows, reading

    console = message_console()
    console.print()
    say(console, "What these priors imply before any data:")
    for table in implication_rows(rows, outcome):
        print_table(console, table)
    for line in reading(outcome):
        say(console, line)
