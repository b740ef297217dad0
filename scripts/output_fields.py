"""Fields of what commands print with `--json` and `--csv`: their structure, and the page that says what they are.

`output_fields.toml` has the structure and the meanings. `make reference` writes the page of it, and
tests/cli/test_output_fields.py runs every command and holds the structure to what is printed.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("output_fields.toml")

PAGE = """\
# Fields of every output

What each command prints with `--json` and `--csv`, record by record. Rates and probabilities are proportions in [0,
1], differences of rates proportions in [−1, 1]; numbers that are not defined are null, in CSV empty. `fit` and
`summary` print [`run.json`](run.md), and the CSV files of a run have its columns. An analysis kept beside a run, such
as `compare.json`, has what `--json` prints as `document`, with `schema`, `analysis` and `run_sha256`, the SHA-256 of
the run's `run.json`. Fields that stand only where they apply are listed too. `make reference` generates this page,
and a test runs every command and compares.

"""


def described() -> dict[str, Any]:
    """Return the structure and the meanings."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def records_of(command: str, document: Any, maps: set[str]) -> dict[str, list[str]]:
    """Return the fields of each record of a command's JSON document by its path, such as "pooled[]".

    `maps` are fields whose keys are data, such as names of levels, by name, by path, or by command and name.
    """
    found: dict[str, dict[str, None]] = {}

    def look(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                found.setdefault(path, {})[name] = None
                inner_path = f"{path}.{name}".lstrip(".")
                if maps.isdisjoint({name, inner_path, f"{command} {inner_path}"}):
                    look(inner, inner_path)
        elif isinstance(value, list):
            for item in value:
                look(item, f"{path}[]")

    look(document, "")
    return {path: [*names] for path, names in found.items()}


def page() -> str:
    """Return the page of all fields."""
    data = described()
    parts = [PAGE.rstrip() + "\n"]
    for output in data["output"]:
        parts += _output(output, data["fields"])
    return "\n".join(parts).rstrip() + "\n"


def meaning(command: str, record: str, name: str, fields: Mapping[str, str]) -> str:
    """Return what a field is: as described for the record, the command, or wherever it stands."""
    place = record.replace("[]", "").rpartition(".")[2]
    for key in (f"{command} {place}.{name}", f"{place}.{name}", f"{command} {name}", name):
        if key in fields:
            return fields[key]
    raise KeyError(f"{FILE.name}: {command}, {record or 'the document'}: {name} has no meaning")


def _output(output: Mapping[str, Any], fields: Mapping[str, str]) -> Iterator[str]:
    command = output["command"]
    yield f"## {command}\n"
    for record, names in output["json"].items():
        yield f"`--json`{f', `{record}`' if record else ', the document'}:\n"
        yield from _table(command, record, names.split(), fields)
    inner = {names: record for record, names in output["json"].items()}
    for call, columns in zip(output["calls"], output.get("csv", ()), strict=False):
        of = f"`--csv`{f', as in `{call}`' if len(output['csv']) > 1 else ''}"
        if columns in inner:
            yield f"{of}: the columns of `{inner[columns]}`.\n"
        else:
            yield f"{of}:\n"
            yield from _table(command, "csv", columns.split(), fields)


def _table(command: str, record: str, names: list[str], fields: Mapping[str, str]) -> Iterator[str]:
    yield "| field | what it is |\n|---|---|"
    for name in names:
        yield f"| `{name}` | {meaning(command, record, name, fields)} |"
    yield ""
