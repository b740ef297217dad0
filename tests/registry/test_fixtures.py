"""The records that tests stand on: where they are from, and that they are what they say."""

import importlib.util
import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parents[1] / "fixtures" / "registry"


def test_built_records_are_what_the_script_builds(built: dict[str, dict[str, Any]]) -> None:
    spec = importlib.util.spec_from_file_location("build", FIXTURES / "build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    for name, records in build.FILES.items():
        lines = (FIXTURES / name).read_text(encoding="utf-8").splitlines()
        assert [json.dumps(record) for record in records()] == [json.dumps(json.loads(line)) for line in lines]


def test_every_built_record_says_that_it_is(built: dict[str, dict[str, Any]]) -> None:
    assert all(record["annotationSection"]["built"].startswith("built for tests") for record in built.values())


def test_trimmed_records_have_figures_alone(posted: dict[str, dict[str, Any]]) -> None:
    """No descriptions, criteria or contacts: see README.md beside them."""
    assert len(posted) == 28
    for record in posted.values():
        assert set(record["protocolSection"]) == {"identificationModule"}
        outcomes = record["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"]
        assert not [key for outcome in outcomes for key in ("description", "populationDescription") if key in outcome]
