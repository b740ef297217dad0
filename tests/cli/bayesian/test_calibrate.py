"""`alkbayes calibrate`: what goes to stdout and stderr, with which exit code, and how it goes on after Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from alkbayes.calibration import workers as study_workers
from alkbayes.calibration.folder import RECORDS_FILE, StudyFolder
from alkbayes.calibration.replications import replicate_study
from alkbayes.cli import app

type Command = Callable[..., Result]
SMALL = ("overall", "--scenario", "three-trials", "--draws", "400", "--seed", "3")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make replications in this process: starting others takes seconds, and test_study_workers.py does."""

    def run_study(study: Any, folder: StudyFolder, *, replications: int, told: Any, **_: Any) -> list[dict[str, Any]]:
        for number in range(replications):
            if number not in folder.records:
                folder.add([replicate_study(study, number)])
                told(len(folder.records))
        return [folder.records[number] for number in range(replications)]

    monkeypatch.setattr(study_workers, "run_study", run_study)


@pytest.mark.usefixtures("here")
def test_json_is_one_document(alkbayes: Command, tmp_path: Path) -> None:
    arguments = ("--replications", "8", "--out", tmp_path / "s", "--plots", tmp_path / "plots", "--json")
    result = alkbayes("calibrate", *SMALL, *arguments)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)["calibration"]
    assert set(document) == {"study", "summary", "out"}
    assert (document["study"]["engine"], document["study"]["seed"]) == ("quadrature", 3)
    summary = document["summary"]
    assert summary == json.loads((tmp_path / "s" / "summary.json").read_text())
    assert summary["replications"] == 8
    assert set(summary["ranks"]["values"]) == {item["quantity"] for item in summary["ranks"]["quantities"]}
    assert {row["method"] for row in summary["coverage"]} == {"posterior", "crude-wilson", "reml-logit-hk", "glmm-ml"}
    assert "8 of 8 replications" in result.stderr
    assert (tmp_path / "plots" / "ranks.png").is_file()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("scenario", ["three-trials", "three-trials-fixed"])
def test_the_tables_for_a_reader_fit_80_columns(tmp_path: Path, scenario: str) -> None:
    out = tmp_path / "s"
    arguments = [
        "calibrate",
        "line",
        "--scenario",
        scenario,
        "--replications",
        "4",
        "--draws",
        "400",
        "--out",
        str(out),
    ]
    result = CliRunner(env={"COLUMNS": "80", "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}).invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    # Running text, which a terminal has wrapped, ends with a full stop.
    assert max(len(line) for line in lines if str(out) not in line and not line.endswith(".")) <= 80
    assert "…" not in result.stdout
    text = " ".join(result.stdout.split())
    assert ("Ranks: calibrated" in text) == (scenario == "three-trials")
    assert ("ranks say nothing" in text) == (scenario == "three-trials-fixed")
    assert "next cohort" in text


@pytest.mark.usefixtures("here")
def test_the_same_command_goes_on_and_says_so(alkbayes: Command, tmp_path: Path) -> None:
    arguments = ("calibrate", *SMALL, "--out", tmp_path / "s", "--json", "--replications")
    alkbayes(*arguments, "2")
    again = alkbayes(*arguments, "5")
    assert "goes on, 2 replications are there" in again.stderr
    assert json.loads(again.stdout)["calibration"]["summary"]["replications"] == 5
    assert len((tmp_path / "s" / RECORDS_FILE).read_text().splitlines()) == 5


@pytest.mark.usefixtures("here")
def test_ranks_that_are_not_uniform_fail_the_gate(
    alkbayes: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alkbayes.calibration import replications

    monkeypatch.setattr(replications, "_rank", lambda *_: 99)
    result = alkbayes("calibrate", *SMALL, "--replications", "5", "--out", tmp_path / "s")
    assert result.exit_code == 6
    assert "NOT CALIBRATED" in result.stdout
    assert "error: the ranks are not uniform: tau_trial, tau_cohort, alpha" in result.stderr
    assert (tmp_path / "s" / "summary.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--scenario", "best"), 2, "--scenario: found 'best'; allowed: "),
        (("--replications", "0"), 2, "--replications: found 0; allowed: 1 to 1,000,000"),
        (("--workers", "-1"), 2, "--workers: found -1"),
        (("--draws", "50"), 2, "--draws: found 50"),
        (("--seed", "-1"), 2, "--seed: found -1"),
        (("--workers", "2", "--scheduler", "tcp://127.0.0.1:1"), 2, "exclude each other"),
        (("nothing",), 4, "nothing"),
        (("beta-binomial", "--scenario", "tau-zero"), 2, "this model is beta-binomial"),
    ],
)
def test_bad_requests_have_their_exit_codes_and_leave_nothing(
    alkbayes: Command, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = alkbayes("calibrate", *arguments, "--out", tmp_path / "s")
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert not (tmp_path / "s").exists()


def test_a_model_of_another_outcome_is_refused(alkbayes, tmp_path) -> None:
    result = alkbayes("calibrate", "intracranial", "--out", tmp_path / "study")
    assert result.exit_code == 2
    assert "counts ic_responders of ic_n; scenarios have responders and n alone" in result.stderr
    assert not (tmp_path / "study").exists()


def test_another_study_in_the_folder_is_refused(alkbayes: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    result = alkbayes("calibrate", "--out", tmp_path)
    assert (result.exit_code, result.stdout) == (7, "")
    assert "no study's folder" in result.stderr


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(tmp_path: Path) -> None:
    out = tmp_path / "s"
    # Where the tests themselves run in the background of a shell, Ctrl-C is ignored, and children inherit that.
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [sys.executable, "-c", f"{heeding}from alkbayes.cli import main; main()", "calibrate", *SMALL]
    process = subprocess.Popen(
        [*command, "--replications", "100000", "--workers", "1", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (out / RECORDS_FILE).exists() or len((out / RECORDS_FILE).read_bytes().splitlines()) < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    try:
        stdout, stderr = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    assert (process.returncode, stdout) == (130, "")
    assert "the same command goes on with the rest" in " ".join(stderr.split())
    assert "Traceback" not in stderr
    lines = (out / RECORDS_FILE).read_text().splitlines()
    assert len({json.loads(line)["replication"] for line in lines}) == len(lines) >= 3
