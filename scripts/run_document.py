"""Write what alkbayes/runs/document.py says of run.json: its JSON Schema, and docs/run.md. A test holds both to it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alkbayes.runs.document import SCHEMA_FILE, json_schema

ROOT = Path(__file__).parents[1]
HEAD = """\
# `run.json`, field by field

The document in `run.json`, which `fit --json` and `summary --json` also print, with the folder as an additional field
`run`. Rates and probabilities are proportions in [0, 1], heterogeneity is on the scale of the link, and undefined
numbers are null. The JSON Schema is [`alkbayes/runs/run.schema.json`](../alkbayes/runs/run.schema.json). The CSV files
of a run have the same columns. `python scripts/run_document.py` generates this page and the schema.

Results have other names for some columns of the table: group `generation` is the column `regimen_class`, and group
`prior_tki` is the column `prior_alk_tki`. A column `generation` beside `regimen_class` is `agent_generation`; without
`regimen_class` it keeps its name.
"""


def schema_text() -> str:
    """Return the JSON Schema as its file has it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def page() -> str:
    """Return the page of the fields."""
    schema = json_schema()
    parts = [HEAD, *_record("The document", schema)]
    for name, record in schema["$defs"].items():
        if "properties" in record:
            parts += _record(f"`{name}`", record)
    return "\n".join(parts)


def _record(title: str, record: dict[str, Any]) -> Iterator[str]:
    yield f"## {title}\n\n{record['description']}\n\n| field | type | what it is |\n|---|---|---|"
    needed = set(record["required"])
    for name, field in record["properties"].items():
        there = "" if name in needed else " (optional)"
        yield f"| `{name}`{there} | {_type(field)} | {field.get('description', '')} |"
    yield ""


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        if "enum" in (named := json_schema()["$defs"].get(name, {})):
            return _type({"enum": named["enum"]})
        return {"Proportion": "number in [0, 1]", "Fraction": "number in [0, 1] or null"}.get(name, f"`{name}`")
    if "anyOf" in field:
        return " or ".join(_type(each) for each in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    if field["type"] == "object":
        return f"object of {_type(field['additionalProperties'])}"
    return f"{field['type']} in [0, 1]" if "maximum" in field else str(field["type"])


if __name__ == "__main__":
    (ROOT / "alkbayes" / "runs" / SCHEMA_FILE).write_text(schema_text(), encoding="utf-8")
    (ROOT / "docs" / "run.md").write_text(page(), encoding="utf-8")
