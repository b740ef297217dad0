"""A folder of built records on which the commands are tried, each test with its own copy."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

BUILT = Path(__file__).parents[2] / "fixtures" / "registry" / "built.jsonl"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, alkbayes: Callable[..., Result]) -> Path:
    """A folder after search, screening, extraction and flow."""
    folder = tmp_path_factory.mktemp("registry") / "reg"
    for step in (("search", "--from", BUILT, "--out"), ("screen",), ("extract",), ("flow",)):
        result = alkbayes("registry", *step, folder)
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def reg(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "reg"))
