"""What a shell is offered, asked as each shell asks."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.cli import COMMANDS
from alkbayes.cli.shared.completion import RUN_FILE, kinds, methods, models, runs
from alkbayes.plots.kinds import KINDS
from alkbayes.runs.run import RUN_FILE as FILE_OF_A_RUN
from alkbayes.spec.schema import model_names

CALL = "import sys; sys.argv[0] = 'alkbayes'; from alkbayes.cli import main; main()"


def ask(place: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CALL],
        capture_output=True,
        text=True,
        cwd=place,
        env=os.environ | environment,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def bash(place: Path, typed: str) -> list[str]:
    last = len(typed.split(" ")) - 1
    return ask(place, _ALKBAYES_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(last)).split()


def zsh(place: Path, typed: str) -> list[str]:
    said = ask(place, _ALKBAYES_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=typed)
    lines = said.removeprefix("_arguments '*: :((").removesuffix("))'\n").splitlines()
    return [line.split('"')[1] for line in lines]


def fish(place: Path, typed: str) -> list[str]:
    how = {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_ARGS": typed}
    return [line.split("\t")[0] for line in ask(place, _ALKBAYES_COMPLETE="complete_fish", **how).splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with runs in it and in `runs`, and other things."""
    for name in ("runs/line-1", "runs/line-2", "runs/overall-1", "mine", "not-a-run", "a[b]c"):
        (tmp_path / name).mkdir(parents=True)
        if name != "not-a-run":
            (tmp_path / name / FILE_OF_A_RUN).touch()
    (tmp_path / "bad\x1b[31m").mkdir()
    (tmp_path / "bad\x1b[31m" / FILE_OF_A_RUN).touch()
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("shell", [bash, zsh, fish])
def test_a_shell_is_offered_commands_models_kinds_and_runs(
    place: Path, shell: Callable[[Path, str], list[str]]
) -> None:
    assert set(shell(place, "alkbayes ")) == {*COMMANDS, "registry"}
    assert shell(place, "alkbayes fit line") == ["line", "line-by-generation", "line-generation"]
    assert shell(place, "alkbayes plot mine s") == ["shrinkage", "sensitivity", "sequence"]
    assert shell(place, "alkbayes summary runs/l") == ["runs/line-1", "runs/line-2"]


def test_methods_and_options_are_offered(place: Path) -> None:
    assert bash(place, "alkbayes pool --method glmm") == ["glmm-ml", "glmm-ml-trials"]
    assert bash(place, "alkbayes influence --method common-r") == ["common-raw"]
    assert bash(place, "alkbayes fit --engine q") == ["quadrature"]
    assert bash(place, "alkbayes fit --cross") == ["--cross-check"]


def test_runs_are_folders_that_hold_one(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert RUN_FILE == FILE_OF_A_RUN
    assert runs("") == ["a[b]c", "mine", "runs/line-1", "runs/line-2", "runs/overall-1"]
    assert runs("a[") == ["a[b]c"]
    assert runs("./m") == ["./mine"]
    assert runs(f"{place}/mi") == [f"{place}/mine"]
    assert runs("nothing") == runs("nowhere/x") == []


def test_every_name_is_offered() -> None:
    assert [name for name, _ in models("")] == list(model_names())
    assert [name for name, _ in kinds("")] == list(KINDS)
    assert methods("") == list(PoolingMethod)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed_and_is_one(place: Path, shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CALL, "--show-completion"],
        capture_output=True,
        text=True,
        cwd=place,
        env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        check=False,
    )
    assert done.returncode == 2, "without detection the shell has to be named"
    done = subprocess.run(
        [sys.executable, "-c", CALL, "--show-completion", shell],
        capture_output=True,
        text=True,
        cwd=place,
        env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        check=True,
    )
    assert f"_ALKBAYES_COMPLETE=complete_{shell}" in done.stdout
    if program := shutil.which(shell):
        (place / "script").write_text(done.stdout, encoding="utf-8")
        subprocess.run([program, "-n", place / "script"], check=True)


def test_bash_completes_by_the_script(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    if (program := shutil.which("bash")) is None:
        pytest.skip("no bash here")
    # What the installed command is: a program of that name on the path.
    command = tmp_path_factory.mktemp("bin") / "alkbayes"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{CALL}" "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    script = (
        'eval "$(_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 alkbayes --show-completion bash)"\n'
        "COMP_WORDS=(alkbayes plot runs/ov); COMP_CWORD=2; _alkbayes_completion alkbayes\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    environment = os.environ | {"PATH": f"{command.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [program, "--norc", "-c", script], capture_output=True, text=True, cwd=place, env=environment, check=True
    )
    assert done.stdout == "runs/overall-1\n", done.stderr
