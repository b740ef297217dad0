"""`alkbayes export`: the same bytes each time, a script that gives the same numbers, and what is refused."""

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from alkbayes.runs.run import read_run

type Command = Callable[..., Result]


@pytest.fixture(scope="module")
def folder(alkbayes: Command, own_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without chains, with a selection that a shell would misread, and an analysis kept with it."""
    folder = tmp_path_factory.mktemp("export") / "run of mine"
    table = ("--data", own_table, "--exclude", "a-treated", "--reason", "it's $HOME")
    options = ("--engine", "quadrature", "--draws", "500", "--level", "0.9")
    result = alkbayes("fit", "line", *table, *options, "--out", folder)
    assert result.exit_code == 0, result.output
    assert alkbayes("outliers", folder).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def archive(alkbayes: Command, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "deep" / "run.zip"
    result = alkbayes("export", folder, path)
    assert (result.exit_code, result.stdout) == (0, f"{path}\n"), result.output
    return path


@pytest.fixture
def unpacked(archive: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path)
    return tmp_path / "run of mine"


def test_the_same_run_gives_the_same_bytes_wherever_it_lies(
    alkbayes: Command, folder: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = shutil.copytree(folder, tmp_path / folder.name)
    (moved / "forest.png").write_text("drawn for myself")
    monkeypatch.chdir(moved)
    result = alkbayes("export", ".", tmp_path / "again.zip")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_it_has_what_the_run_wrote_and_says_what_each_file_is(folder: Path, unpacked: Path) -> None:
    document = read_run(folder)
    written = set(document["files"]) - {"posterior.nc"}
    for name in (*written, "run.json", "outliers.json"):
        assert (unpacked / name).read_bytes() == (folder / name).read_bytes(), name
    readme = (unpacked / "README.txt").read_text(encoding="utf-8")
    about = {line.split("  ")[0] for line in readme.splitlines() if "  " in line}
    assert about == {path.name + "/" * path.is_dir() for path in unpacked.iterdir()} - {"README.txt"}
    assert "Posterior: converged." in readme
    judged = "risk-of-bias, risk-of-bias-summary, reporting-quality"
    absent = f"cumulative, calibration, sensitivity, {judged}, bubble, sequence"
    assert f"Figures not drawn, since this run has not what they show: {absent}\n" in readme
    figures = {path.name for path in (unpacked / "figures").iterdir()}
    assert {"forest.pdf", "forest.png", "cells.pdf", "cells.png"} <= figures
    versions = dict(line.split("==") for line in (unpacked / "versions.txt").read_text().splitlines())
    assert versions == document["provenance"]["versions"]
    report = (unpacked / "report.html").read_text(encoding="utf-8")
    assert str(folder.parent) not in report.replace(document["command"], ""), "a path of this machine"


def test_the_script_gives_the_same_pooled_rates(archive: Path, tmp_path: Path, unpacked: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        mode = file.getinfo("run of mine/reproduce.sh").external_attr >> 16
    assert mode & stat.S_IXUSR
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["sh", str(unpacked / "reproduce.sh"), "other"]
    done = subprocess.run(command, env=os.environ | {"PATH": programs}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("pooled.csv: the same, byte for byte\n")
    assert (unpacked / "other" / "pooled.csv").read_bytes() == (unpacked / "pooled.csv").read_bytes()


def test_the_script_says_that_rates_differ(unpacked: Path) -> None:
    """Without the program: one that copies the tables, of which one was changed before."""
    program = unpacked / "bin" / "alkbayes"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nmkdir again && echo changed > again/pooled.csv\n")
    program.chmod(0o755)
    programs = os.pathsep.join([str(program.parent), os.environ["PATH"]])
    command = ["sh", str(unpacked / "reproduce.sh")]
    done = subprocess.run(command, env=os.environ | {"PATH": programs}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("pooled.csv differs.")


def test_with_the_posterior_it_is_a_run(alkbayes: Command, folder: Path, tmp_path: Path) -> None:
    result = alkbayes("export", folder, tmp_path / "whole.zip", "--posterior", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)["export"]
    with zipfile.ZipFile(tmp_path / "whole.zip") as file:
        assert [f"run of mine/{name}" for name in document["contents"]] == file.namelist()
        file.extractall(tmp_path)
    summary = alkbayes("summary", tmp_path / "run of mine", "--json")
    assert summary.exit_code == 0, summary.output
    assert json.loads(summary.stdout)["pooled"] == read_run(folder)["pooled"]


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("a.tar", 2, "a.tar: the name of an archive's file must end in .zip"),
        (
            "taken.zip",
            2,
            "taken.zip: is there already; nothing is overwritten. Remove it, or choose a name that is free",
        ),
        ("file/a.zip", 2, "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused(
    alkbayes: Command, folder: Path, tmp_path: Path, name: str, code: int, message: str
) -> None:
    (tmp_path / "taken.zip").write_text("mine")
    (tmp_path / "file").write_text("")
    result = alkbayes("export", folder, tmp_path / name)
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    assert message in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken.zip"]
    assert (tmp_path / "taken.zip").read_text() == "mine"


def test_a_run_that_has_changed_is_refused(alkbayes: Command, folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "run")
    (copy / "pooled.csv").write_text("")
    result = alkbayes("export", copy, tmp_path / "a.zip")
    assert result.exit_code == 7
    assert "pooled.csv is not what the run wrote" in result.stderr
    assert not (tmp_path / "a.zip").exists()


def test_numbers_not_to_be_used_are_marked(alkbayes: Command, failed_run, tmp_path: Path) -> None:
    result = alkbayes("export", failed_run.folder, tmp_path / "a.zip")
    assert result.exit_code == 6
    assert "report and figures in the archive are marked as NOT CONVERGED" in result.stderr
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert "NOT CONVERGED, not to be used" in file.read("run/README.txt").decode()
