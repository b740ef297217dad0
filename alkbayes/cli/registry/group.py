"""The group of commands."""

import typer

from alkbayes.cli.registry import diff, extract, flow, screen, search

STEPS = {"search": search, "screen": screen, "extract": extract, "flow": flow, "diff": diff}
"""Commands by name, in the order in which they are used."""

group = typer.Typer(
    help="From ClinicalTrials.gov to a table: search, screen, extract, account for every trial, compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, module in STEPS.items():
    group.command(name)(module.command)
