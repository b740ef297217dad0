"""The example at the end of each command's help: it can be typed as it stands."""

import inspect
import shlex
import socket
import webbrowser
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from alkbayes.calibration import workers
from alkbayes.calibration.folder import StudyFolder
from alkbayes.calibration.replications import replicate_study
from alkbayes.cli import COMMANDS, app
from alkbayes.explore import server
from alkbayes.sensitivity_analysis import refit
from alkbayes.sensitivity_analysis.refit import run_grid

RUNS = ("line-generation-20261122-101500", "line-generation-20261122-101600", "line-20261122-101500")


def example(command: str) -> list[str]:
    """Return the words of a command's example, after the program's name."""
    last = (inspect.getdoc(COMMANDS[command].command) or "").strip().splitlines()[-1]
    assert last.startswith(f"Example: alkbayes {command}"), command
    return shlex.split(last)[2:]


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_have_options_that_there_are(command: str) -> None:
    group = typer.main.get_command(app)
    words = example(command)[1:]
    if ">" in words:
        words = words[: words.index(">")]
    group.commands[command].make_context(command, words)


@pytest.fixture(scope="module")
def place(brain_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs and the table that the examples name."""
    place = tmp_path_factory.mktemp("examples")
    bundled = pd.read_csv(str(resources.files("alkbayes") / "data" / "cohorts.csv"), dtype=str, keep_default_na=False)
    bundled.assign(rob_overall="Low").to_csv(place / "my-trials.csv", index=False)
    for name in RUNS:
        model = name.removesuffix("-20261122-101500").removesuffix("-20261122-101600")
        asked = ["fit", model, "--data", str(brain_table), "--out", str(place / "runs" / name)]
        assert CliRunner().invoke(app, [*asked, "--engine", "quadrature", "--draws", "500"]).exit_code == 0
    return place


def two_replications(study: Any, folder: StudyFolder, **_: Any) -> list[dict[str, Any]]:
    return [replicate_study(study, number) for number in range(2)]


def opened_and_ended(_explorer: Any, *, listening: socket.socket, opened: Callable[[], None], **_: Any) -> None:
    opened()
    listening.close()


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_examples_run(
    command: str,
    place: Path,
    fewer_draws: Callable[[], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(place)
    # The same work on a smaller scale: two of a study's replications, one of the alternatives, fewer draws.
    monkeypatch.setattr(workers, "run_study", two_replications)
    monkeypatch.setattr(refit, "run_grid", partial(run_grid, names=("differences normal 0.5",), workers=1))
    monkeypatch.setattr(webbrowser, "open", lambda _address: True)
    monkeypatch.setattr(server, "serve", opened_and_ended)
    words = example(command)
    out = None
    if ">" in words:
        words, (_, out) = words[: words.index(">")], words[words.index(">") :]
    with fewer_draws():
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert done.stdout
    if out:
        (place / out).write_text(done.stdout, encoding="utf-8")
