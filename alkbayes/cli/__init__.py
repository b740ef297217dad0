"""The command line: one file a command, each thin.

Nothing heavy is imported here or at the top of a command's file: `alkbayes --help` must not wait for PyMC.
"""

from typing import Any

import typer
from typer.core import TyperGroup

from alkbayes.cli.analyses import intracranial, pfs, resistance, sequence
from alkbayes.cli.bayesian import calibrate, compare, diagnose, fit, outliers, predict, predictive, sensitivity, summary
from alkbayes.cli.classical import audit, influence, pool, regress, small_study, subgroups
from alkbayes.cli.data import evidence, models
from alkbayes.cli.output import plot, report
from alkbayes.cli.shared.output import forgive_encodings, no_color, print_message
from alkbayes.errors import AlkbayesError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the number of the signal."""


class Group(TyperGroup):
    """Turns the errors that a user can mend into a message on stderr and their exit code; a bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except AlkbayesError as error:
            print_message(f"error: {error}")
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as interrupt:
            typer.echo("interrupted: what was not finished is not kept", err=True)
            raise typer.Exit(INTERRUPTED) from interrupt


app = typer.Typer(
    cls=Group,
    name="alkbayes",
    help="Pooled objective response rates in ALK-positive lung cancer, from a hierarchical binomial model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS = {
    "fit": fit,
    "pool": pool,
    "subgroups": subgroups,
    "regress": regress,
    "influence": influence,
    "small-study": small_study,
    "audit": audit,
    "pfs": pfs,
    "evidence": evidence,
    "models": models,
    "summary": summary,
    "diagnose": diagnose,
    "predictive": predictive,
    "predict": predict,
    "outliers": outliers,
    "compare": compare,
    "sensitivity": sensitivity,
    "sequence": sequence,
    "resistance": resistance,
    "intracranial": intracranial,
    "calibrate": calibrate,
    "plot": plot,
    "report": report,
}
for name, module in COMMANDS.items():
    app.command(name)(module.command)


def main() -> None:
    """Run the command line."""
    forgive_encodings()
    if no_color():
        from typer import rich_utils

        rich_utils.COLOR_SYSTEM = None
    app()
