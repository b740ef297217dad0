"""`run.json` against its types: what runs write is what they say, and page and schema are made of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from typer.testing import CliRunner

from alkbayes.cli import app
from alkbayes.runs.document import RunDocument, json_schema
from alkbayes.runs.run import PARTS, SCHEMA

DOCUMENT = TypeAdapter(RunDocument)
ARGUMENTS = {
    "quadrature": ("line-generation", "--engine", "quadrature", "--draws", "500"),
    "same patients": ("sequence", "--standard", "same", "--engine", "quadrature", "--draws", "500"),
    "cross-check": ("overall", "--cross-check", "--draws", "500", "--tune", "500"),
}


def test_a_run_by_nuts_is_what_the_types_say(json_run: Any) -> None:
    DOCUMENT.validate_json((json_run.folder / "run.json").read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["quadrature", "same patients", "cross-check"])
def test_other_runs_are_what_the_types_say(kind: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["fit", *ARGUMENTS[kind], "--out", str(tmp_path / "run")])
    assert done.exit_code in {0, 6}, done.output
    document = json.loads((tmp_path / "run" / "run.json").read_bytes())
    DOCUMENT.validate_json(json.dumps(document))
    assert ("cross_check" in document) is (kind == "cross-check")


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(more=1),
        lambda document: document.pop("notes"),
        lambda document: document["pooled"][0].update(mean=60.2),
        lambda document: document["provenance"]["settings"].update(seed="7"),
    ],
)
def test_a_document_that_is_otherwise_is_seen(json_run: Any, change: Any) -> None:
    document = json.loads((json_run.folder / "run.json").read_bytes())
    change(document)
    with pytest.raises(ValidationError):
        DOCUMENT.validate_json(json.dumps(document))


def test_what_is_looked_for_in_a_run_is_what_must_be_there() -> None:
    assert set(PARTS) < RunDocument.__required_keys__
    assert json_schema()["properties"]["schema"]["const"] == SCHEMA
