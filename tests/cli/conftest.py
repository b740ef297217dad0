"""Real small runs that the tests of the commands share: one model on one table, so that it is compiled once."""

import contextlib
import json
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from alkbayes import parallel
from alkbayes.cli import app

SMALL = ("--draws", "1000", "--tune", "500", "--seed", "7")


@dataclass(frozen=True)
class Run:
    """One call of `alkbayes fit`, and the folder that it wrote."""

    result: Result
    folder: Path
    home: Path

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.result.stdout)


def invoke(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def alkbayes() -> Callable[..., Result]:
    """Run the command line in this process."""
    return invoke


@pytest.fixture(scope="module", autouse=True)
def _in_this_process() -> Iterator[None]:
    """Have small work done here: starting others takes seconds, and tests/test_parallel.py does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "FEW", 1_000)
        yield


type Once = Callable[[ModuleType, str, Callable[..., Hashable]], None]


@pytest.fixture(scope="module")
def once() -> Iterator[Once]:
    """Have a function compute once for each key: a command prints what is found in one form after another."""
    with pytest.MonkeyPatch.context() as patch:

        def remember(module: ModuleType, name: str, key: Callable[..., Hashable]) -> None:
            whole, found = getattr(module, name), {}

            def recalled(*arguments: Any, **options: Any) -> Any:
                place = key(*arguments, **options)
                if place not in found:
                    found[place] = whole(*arguments, **options)
                return found[place]

            patch.setattr(module, name, recalled)

        yield remember


@pytest.fixture(scope="session")
def json_run(own_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`fit --json` into a folder that was named."""
    home = tmp_path_factory.mktemp("json")
    folder = home / "deep" / "run"
    return Run(invoke("fit", "--data", own_table, "--out", folder, "--json", *SMALL), folder, home)


@pytest.fixture(scope="session")
def text_run(own_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same fit for a reader, into the folder that the command chooses."""
    home = tmp_path_factory.mktemp("text")
    with contextlib.chdir(home):
        result = invoke("fit", "--data", own_table, *SMALL)
    (folder,) = (home / "runs").iterdir()
    return Run(result, folder, home)


@pytest.fixture(scope="session")
def failed_run(own_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A fit with too few draws for any convergence gate."""
    home = tmp_path_factory.mktemp("failed")
    result = invoke("fit", "--data", own_table, "--out", home / "run", "--draws", "100", "--tune", "100", "--seed", "7")
    return Run(result, home / "run", home)
