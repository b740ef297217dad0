"""`alkbayes models`: the model files."""

from typing import Annotated, Any

import typer

from alkbayes.cli.options import Json
from alkbayes.cli.output import print_json
from alkbayes.vocabulary import DEFAULT_MODEL

Name = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]", help="A bundled model, or the path of a TOML file; all if left out.", show_default=False
    ),
]


def command(name: Name = None, json_: Json = False) -> None:
    """List the models, or show one in full: its effects, its priors and the reasons for them.

    Example: alkbayes models line-generation
    """
    from alkbayes.spec import model_names, model_path, read_spec

    if name is None:
        listed = [_line(model) for model in model_names()]
        if json_:
            print_json({"models": listed})
        else:
            _show_all(listed)
        return
    path = model_path(name)
    spec = read_spec(path)
    if json_:
        print_json({"model": spec.model_dump(by_alias=True)})
    else:
        typer.echo(path.read_text(encoding="utf-8-sig"), nl=False)


def _line(model: str) -> dict[str, Any]:
    from alkbayes.spec import model_path, read_spec

    spec = read_spec(model_path(model))
    return {
        "name": spec.name,
        "question": spec.question,
        "columns": list(spec.columns),
        "default": spec.name == DEFAULT_MODEL,
    }


def _show_all(listed: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("model", "question", "columns it needs"):
        table.add_column(heading, overflow="fold")
    for row in listed:
        table.add_row(f"{row['name']}{' *' if row['default'] else ''}", row["question"], ", ".join(row["columns"]))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print("* what `alkbayes fit` fits. Every model also needs cohort_id, responders and n.", soft_wrap=True)
    console.print("One in full: alkbayes models NAME. Fit one: alkbayes fit NAME.", soft_wrap=True)
