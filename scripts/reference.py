"""Write what the program generates: two JSON Schemas and four pages of the reference. A test holds them to it."""

import json
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import output_fields
import typer

from alkbayes.cli import PANELS, app
from alkbayes.runs import document
from alkbayes.spec import json_schema as model_file

ROOT = Path(__file__).parents[1]

RUN = """\
# `run.json`, field by field

The document in `run.json`, which `fit --json` and `summary --json` also print, with the folder as an additional field
`run`. Rates and probabilities are proportions in [0, 1], heterogeneity is on the scale of the link, and undefined
numbers are null. The JSON Schema is [`run.schema.json`](../../alkbayes/runs/run.schema.json). The CSV files of a run
have the same columns. `make reference` generates this page and the schema.

Results have other names for some columns of the table: group `generation` is the column `regimen_class`, and group
`prior_tki` is the column `prior_alk_tki`. A column `generation` beside `regimen_class` is `agent_generation`; without
`regimen_class` it keeps its name.
"""

MODEL = """\
# Schema of model files

Every key of a model file with its type and range. [Model files](model-files.md) explains them. The JSON Schema,
[`model.schema.json`](../../alkbayes/spec/model.schema.json), lets an editor check and complete a file as you type: with
taplo, or an editor that uses it, write `#:schema ./model.schema.json` at the top of the file. Rules between keys, such
as a column that occurs twice, are checked by `alkbayes models FILE`. `make reference` generates this page and the
schema.
"""

COMMANDS = """\
# Commands

Every command and option, generated from the program by `make reference`. `alkbayes COMMAND --help` prints the same.
Options marked *repeatable* may be given more than once. [Output](output.md) describes what commands print, and
[exit codes](exit-codes.md) how they end.
"""


def run_schema() -> str:
    """Return the JSON Schema of `run.json` as its file has it."""
    return _text(document.json_schema())


def model_schema() -> str:
    """Return the JSON Schema of model files as its file has it."""
    return _text(model_file.json_schema())


def run_page() -> str:
    """Return the page of the fields of `run.json`."""
    return _page(RUN, "The document", document.json_schema())


def model_page() -> str:
    """Return the page of the keys of model files."""
    schema = model_file.json_schema()
    defs = schema["$defs"]
    return _page(MODEL, "The file", defs.pop("Spec") | {"$defs": defs})


def commands_page() -> str:
    """Return the page of the commands."""
    group: Any = typer.main.get_command(app)
    parts = [COMMANDS, "## Options of every command\n", *_table("option", [p for p in group.params if p.opts]), ""]
    for panel, modules in PANELS.items():
        parts += [f"## {panel}\n"]
        for name in modules:
            parts += _command(name, group.commands[name])
    for name, inner in group.commands.items():
        if commands := getattr(inner, "commands", {}):
            parts += [f"## {name.capitalize()}\n\n{_prose(inner.help.strip())}\n"]
            for each, command in commands.items():
                parts += _command(f"{name} {each}", command)
    return "\n".join(parts).rstrip() + "\n"


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _page(head: str, title: str, schema: dict[str, Any]) -> str:
    parts = [head, *_record(title, schema, schema["$defs"])]
    for name, record in schema["$defs"].items():
        if "properties" in record:
            parts += _record(f"`{name}`", record, schema["$defs"])
    return "\n".join(parts)


def _record(title: str, record: dict[str, Any], defs: dict[str, Any]) -> Iterator[str]:
    about = record["description"].partition("\n\n")[0]
    yield f"## {title}\n\n{about}\n\n| field | type | what it is |\n|---|---|---|"
    needed = set(record.get("required", ()))
    for name, field in record["properties"].items():
        there = "" if name in needed else " (optional)"
        yield f"| `{name}`{there} | {_type(field, defs)} | {_cell(field.get('description', ''))} |"
    yield ""


def _type(field: dict[str, Any], defs: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        if "enum" in (named := defs.get(name, {})):
            return _type({"enum": named["enum"]}, defs)
        known = {"Proportion": "number in [0, 1]", "Fraction": "number in [0, 1] or null"}
        return known.get(name, f"[`{name}`](#{name.lower()})")
    if choices := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(_type(each, defs) for each in choices)
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field["type"] == "array":
        return f"list of {_type(field['items'], defs)}"
    if field["type"] == "object":
        # Keys that must look like a column's name come as a pattern.
        values = [field["additionalProperties"]] if field.get("additionalProperties") else []
        values += field.get("patternProperties", {}).values()
        return f"object of {' or '.join(_type(each, defs) for each in values)}"
    if field.get("minimum") == field.get("maximum") is not None:
        return f"`{field['minimum']}`"
    return f"{field['type']} in [0, 1]" if "maximum" in field else str(field["type"])


def _command(name: str, command: Any) -> Iterator[str]:
    about, _, example = command.help.rpartition("Example: ")
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    yield f"### {name}\n\n{_prose(about.strip())}\n\n    {example.strip()}\n"
    if arguments:
        yield from (*_table("argument", arguments), "")
    yield from (*_table("option", options), "")


def _table(kind: str, parameters: list[Any]) -> Iterator[str]:
    yield f"| {kind} | value | what it does |\n|---|---|---|"
    for each in parameters:
        names = ", ".join(f"`{name}`" for name in (*each.opts, *each.secondary_opts))
        if kind == "argument":
            names = f"`{each.metavar or each.name.upper()}`"
        shown = "" if kind == "argument" else _value(each)
        yield f"| {names} | {shown} | {_cell(each.help or '')}{_default(each)} |"


def _value(option: Any) -> str:
    if option.is_flag:
        return ""
    if option.metavar:
        return f"`{option.metavar}`".replace("|", r"\|")
    annotation = option.type_descriptor.annotation
    if get_origin(annotation) is list:
        (annotation,) = get_args(annotation)
    if get_origin(annotation) is Literal:
        return r"\|".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) in {Union, type(int | None)}:
        annotation = next(each for each in get_args(annotation) if each is not type(None))
    if issubclass(annotation, Enum):
        return " or ".join(f"`{each.value}`" for each in annotation)
    return {int: "whole number", float: "number", str: "text"}.get(annotation, annotation.__name__)


def _default(parameter: Any) -> str:
    value = parameter.default
    if value is None or isinstance(value, bool) or value == () or not parameter.show_default:
        return ""
    return f" Default: `{value.value if isinstance(value, Enum) else value}`."


def _prose(text: str) -> str:
    """Escape what Markdown would take for markup."""
    return re.sub(r"([*_<\[\]|$])", r"\\\1", text)


def _cell(text: str) -> str:
    return _prose(text).replace("\n\n", "<br>").replace("\n", " ")


PRODUCTS = {
    f"alkbayes/runs/{document.SCHEMA_FILE}": run_schema,
    f"alkbayes/spec/{model_file.SCHEMA_FILE}": model_schema,
    "docs/reference/run.md": run_page,
    "docs/reference/model-schema.md": model_page,
    "docs/reference/commands.md": commands_page,
    "docs/reference/fields.md": output_fields.page,
}
"""Functions of the texts by file."""

if __name__ == "__main__":
    for path, text in PRODUCTS.items():
        (ROOT / path).write_text(text(), encoding="utf-8")
