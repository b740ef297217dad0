"""Real small runs that the tests of the commands share: one model on one table, so that it is compiled once."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from alkbayes.cli import app

OWN = """\
cohort_id,trial,line,regimen_class,responders,n
a-naive,A,naive,first,31,44
a-treated,A,pretreated,first,12,30
b,B,naive,second,52,65
c-naive,C,naive,second,20,24
c-treated,C,pretreated,second,33,70
d,D,pretreated,second,9,33
e,E,pretreated,first,18,40
f,F,naive,first,28,37
"""
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


@pytest.fixture(scope="session")
def own_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "own.csv"
    path.write_text(OWN, encoding="utf-8")
    return path


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
