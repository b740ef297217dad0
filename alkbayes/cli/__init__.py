"""Command line: one thin module per command.

Heavy imports stand inside commands, so that `alkbayes --help` does not wait for PyMC.
"""

import gc
import re
import shlex
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from alkbayes.cli.analyses import intracranial, pfs, randomised, resistance, safety, sequence
from alkbayes.cli.bayesian import (
    calibrate,
    certainty,
    compare,
    diagnose,
    fit,
    outliers,
    predict,
    predictive,
    sensitivity,
    summary,
)
from alkbayes.cli.classical import audit, influence, pool, regress, small_study, subgroups
from alkbayes.cli.data import evidence, models, risk_of_bias
from alkbayes.cli.output import explore, export, plot, report, script
from alkbayes.cli.registry.group import group as registry
from alkbayes.cli.shared.output import LATEX, QUIET, forgive_encodings, no_color, print_message, print_text
from alkbayes.errors import AlkbayesError, AlkbayesWarning, Setting
from alkbayes.evidence.sources import columns_text

INTERRUPTED = 130
"""Exit code after Ctrl-C by shell convention: 128 plus the signal number."""


class Group(TyperGroup):
    """Report errors that a user can fix on stderr with their exit code; a bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the requested command."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", AlkbayesWarning)
                warnings.showwarning = _print_warning(warnings.showwarning)
                return super().invoke(ctx)
        except AlkbayesError as error:
            print_message(f"error: {_spelled(error)}")
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as interrupt:
            typer.echo("interrupted: what was not finished is not kept", err=True)
            raise typer.Exit(INTERRUPTED) from interrupt


def _spelled(error: AlkbayesError) -> str:
    """Return an error's message with its parameters as options."""
    before = "" if error.parameter is None else f"{_option(error.parameter)}: "
    return f"{before}{error.message}{'' if error.remedy is None else f' {_given(error.remedy)}'}"


def _option(parameter: str) -> str:
    return f"--{parameter.replace('_', '-')}"


def _given(setting: Setting) -> str:
    """Return a setting as it is typed in a shell."""
    option = _option(setting.parameter)
    if setting.value is None:
        return option
    match setting.value:
        case tuple() as values:
            return " ".join(f"{option} {_quoted(value)}" for value in values)
        case str() as value:
            return f"{option} {_quoted(value)}"
        case columns:
            return f"{option} {_quoted(columns_text(columns))}"


def _quoted(text: str) -> str:
    """Return a text as it is typed in a shell; double quotes are understood by all, but do not protect everything."""
    if not re.search(r"[^\w@%+=:,./-]", text):
        return text
    return shlex.quote(text) if set(text) & set('"$`\\!') else f'"{text}"'


def _print_warning(otherwise: Callable[..., None]) -> Callable[..., None]:
    """Return a handler that shows our warnings as messages, and others as before."""

    def shown(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, AlkbayesWarning):
            print_message(f"warning: {message}")
        else:
            otherwise(message, category, *where, **more)

    return shown


app = typer.Typer(
    cls=Group,
    name="alkbayes",
    help="Bayesian meta-analysis of response rates and other proportions, made for ALK-positive lung cancer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

PANELS = {
    "Data": {"evidence": evidence, "models": models, "risk-of-bias": risk_of_bias},
    "Bayesian": {
        "fit": fit,
        "summary": summary,
        "diagnose": diagnose,
        "predictive": predictive,
        "outliers": outliers,
        "compare": compare,
        "sensitivity": sensitivity,
        "predict": predict,
        "calibrate": calibrate,
        "certainty": certainty,
    },
    "Classical": {
        "pool": pool,
        "subgroups": subgroups,
        "regress": regress,
        "influence": influence,
        "small-study": small_study,
        "audit": audit,
    },
    "Analyses of the ALK review": {
        "pfs": pfs,
        "intracranial": intracranial,
        "sequence": sequence,
        "resistance": resistance,
        "safety": safety,
    },
    "Randomised trials": {"randomised": randomised},
    "Output": {"plot": plot, "report": report, "export": export, "script": script, "explore": explore},
}
"""Commands by help panel."""
COMMANDS = {name: module for panel in PANELS.values() for name, module in panel.items()}
for panel, modules in PANELS.items():
    for name, module in modules.items():
        app.command(name, rich_help_panel=panel)(module.command)
app.add_typer(registry, name="registry", rich_help_panel="Data")


def _print_version(asked: bool) -> None:
    if asked:
        from alkbayes import __version__

        print_text(f"alkbayes {__version__}")
        raise typer.Exit


@app.callback()
def _of_every_command(
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", help="Suppress progress and notes on stderr, but not warnings.", show_default=False
        ),
    ] = False,
    version: Annotated[  # noqa: ARG001 - its callback has answered
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.", show_default=False),
    ] = False,
) -> None:
    QUIET.set(quiet)
    LATEX.set(False)


def main() -> None:
    """Run the command line."""
    forgive_encodings()
    if no_color():
        from typer import rich_utils

        rich_utils.COLOR_SYSTEM = None
    try:
        app()
    finally:
        # Or the collector visits, at exit, all that imports have made: a seventh of a second.
        gc.freeze()
