"""The reference is what the program says: generated pages and schemas are those of the code."""

import importlib.util
import json
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest

from alkbayes.cli import COMMANDS
from alkbayes.spec.schema import model_names, model_path

ROOT = Path(__file__).parents[2]


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = script()


@pytest.mark.parametrize("path", REFERENCE.PRODUCTS)
def test_generated_files_are_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == REFERENCE.PRODUCTS[path](), "run `make reference`"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_options_in_the_reference(command: str) -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    _, _, section = page.partition(f"\n### {command}\n")
    assert "| option | value | what it does |" in section.partition("\n### ")[0]


def validator() -> Any:
    """Of the schema without its patterns: `\\p{C}` is known to editors, but not to Python's `re`."""
    kind = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": lambda *_: None})
    schema = json.loads((ROOT / "alkbayes" / "spec" / "model.schema.json").read_bytes())
    return kind(schema)


@pytest.mark.parametrize("name", model_names())
def test_bundled_models_keep_to_the_schema(name: str) -> None:
    validator().validate(tomllib.loads(model_path(name).read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.update(colour="red"),
        lambda model: model["effect"][0].pop("why"),
        lambda model: model["effect"][0]["prior"].update(sd=0.0),
        lambda model: model["effect"][0].update(kind="random"),
        lambda model: model["likelihood"].update(link="log"),
    ],
)
def test_an_editor_sees_what_is_wrong(change: Any) -> None:
    model = tomllib.loads(model_path("line-generation").read_text(encoding="utf-8"))
    change(model)
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(model)
