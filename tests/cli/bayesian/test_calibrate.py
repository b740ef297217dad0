"""`alkbayes calibrate`: what goes to stdout and stderr, with which exit code, and how it goes on after Ctrl-C."""

import hashlib
import json
import os
import re
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
    assert ("4 replications cannot show calibration" in text) == (scenario == "three-trials")
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
    assert "error: the ranks are not uniform: tau_trial; tau_cohort; alpha" in result.stderr
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


@pytest.mark.usefixtures("here")
def test_a_model_of_another_outcome_has_the_cohorts_that_report_it(alkbayes: Command, tmp_path: Path) -> None:
    result = alkbayes(
        "calibrate", "intracranial", "--draws", "400", "--replications", "1", "--out", tmp_path / "s", "--json"
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["calibration"]["study"]["scenario"] == "bundled"
    refused = alkbayes("calibrate", "intracranial", "--scenario", "three-trials", "--out", tmp_path / "none")
    assert refused.exit_code == 2
    assert "--scenario: three-trials picks cohorts, not all of which report what the model" in refused.stderr
    assert not (tmp_path / "none").exists()


QUICK = ("--draws", "400", "--seed", "3", "--replications", "2")
OWN = """\
study,arm,region,overall,events,total
A,a1,Asia,all,3,20
A,a2,Asia,$x$,0,1
B,b1,Europe,$x$,7,31
C,c1,Europe,all,400,900
"""
OWN_COLUMNS = ("--columns", "cohort_id=arm,trial=study,responders=events,n=total,line=overall")
OWN_MODEL = """
schema = 1
name = "own"
question = "?"
outcome = { responders = "responders", n = "n", label = "infection rate", patients = "catheters" }
likelihood = { family = "binomial", link = "logit" }
intercept = { prior = { dist = "normal", mean = 0.0, sd = 1.5 }, why = "wide" }
[[effect]]
column = "region"
kind = "exchangeable"
sd_prior = { dist = "half_normal", sd = 0.5 }
why = "usual"
[[effect]]
column = "line"
kind = "exchangeable"
sd_prior = { dist = "half_normal", sd = 0.5 }
why = "usual"
[[heterogeneity]]
column = "trial"
distribution = "normal"
sd_prior = { dist = "half_normal", sd = 0.5 }
why = "usual"
"""


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, Path]:
    """A model file and the table that it is for, with names and levels of their own."""
    model, table = tmp_path / "own.toml", tmp_path / "own.csv"
    model.write_text(OWN_MODEL, encoding="utf-8")
    table.write_text(OWN, encoding="utf-8")
    return model, table


@pytest.mark.usefixtures("here")
def test_a_table_of_ones_own_is_studied_with_its_levels_and_recorded(
    alkbayes: Command, own: tuple[Path, Path], tmp_path: Path
) -> None:
    model, table = own
    call = ("calibrate", model, *QUICK, *OWN_COLUMNS, "--out", tmp_path / "s")
    result = alkbayes(*call, "--data", table, "--plots", tmp_path / "plots", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)["calibration"]
    kept = json.loads((tmp_path / "s" / "study.json").read_text())
    assert kept == document["study"]
    assert kept["scenario"] is None
    of = kept["table"]
    assert (of["source"], of["cohorts"], of["columns"]["cohort_id"]) == (str(table), 4, "arm")
    assert of["sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    # A level that is called as the row of all cohorts stays apart from it.
    levels = ["all", "region: Asia", "region: Europe", "$x$", "line: all"]
    assert list(dict.fromkeys(row["level"] for row in document["summary"]["coverage"])) == levels
    named = {item["quantity"]: (item["level"], item["estimand"]) for item in document["summary"]["ranks"]["quantities"]}
    assert named["region: Asia these_cohorts"] == ("region: Asia", "these_cohorts")
    assert named["all next_cohort"] == ("all", "next_cohort")
    assert named["tau_trial"] == (None, None)

    moved = table.rename(tmp_path / "moved.csv")
    again = alkbayes(*call, "--data", moved)
    assert again.exit_code == 0, again.stderr
    assert "goes on, 2 replications are there" in again.stderr
    assert f"Study: model own, 4 cohorts of {moved}, parameters from the priors" in " ".join(again.stdout.split())
    # Quantities read as elsewhere.
    text = " ".join(again.stdout.split())
    # Twelve of 26 quantities are shown, at most six of them parameters.
    assert re.search(r"(overall|\w+: \w+|\$x\$), (these cohorts|typical|mean|next cohort) ", text)
    assert "all mean" not in text


@pytest.mark.usefixtures("here")
def test_another_table_or_selection_does_not_go_on(alkbayes: Command, own: tuple[Path, Path], tmp_path: Path) -> None:
    model, table = own
    call = ("calibrate", model, *QUICK, "--out", tmp_path / "s")
    assert alkbayes(*call, *OWN_COLUMNS, "--data", table).exit_code == 0
    other = tmp_path / "other.csv"
    other.write_text(OWN.replace("400,900", "400,901"), encoding="utf-8")
    for arguments, said in (
        ((*OWN_COLUMNS, "--data", other), f"the table is {table} (SHA-256 "),
        ((*OWN_COLUMNS, "--data", table, "--exclude", "a2"), "exclude is none there and 'a2' here"),
        (
            (*OWN_COLUMNS, "--data", table, "--where", 'region == "Asia"'),
            "where is none there and 'region == \"Asia\"'",
        ),
    ):
        refused = alkbayes(*call, *arguments)
        assert (refused.exit_code, refused.stdout) == (7, "")
        assert said in refused.stderr
    scenario = alkbayes("calibrate", "line", *QUICK, "--out", tmp_path / "s")
    assert scenario.exit_code == 7
    assert "there and that of a scenario here" in scenario.stderr


def test_a_scenario_and_a_table_exclude_each_other(alkbayes: Command, own: tuple[Path, Path], tmp_path: Path) -> None:
    for arguments in (("--data", own[1]), ("--where", 'line == "naive"')):
        result = alkbayes("calibrate", "--scenario", "bundled", *arguments, "--out", tmp_path / "s")
        assert result.exit_code == 2
        assert "--scenario: a scenario has cohorts of its own from the bundled table." in result.stderr
    assert not (tmp_path / "s").exists()


@pytest.mark.usefixtures("here")
def test_without_a_model_the_table_has_the_one_of_a_fit(alkbayes: Command, tmp_path: Path) -> None:
    table = Path(__file__).parents[2] / "fixtures" / "strangers" / "tdxd_nocoltrial.csv"
    result = alkbayes("calibrate", "--data", table, *QUICK, "--out", tmp_path / "s")
    assert result.exit_code == 0, result.stderr
    text = " ".join(result.stdout.split())
    assert "Study: model overall, 19 cohorts of" in text
    assert "The table names no trials: each cohort counts as a trial of its own." in text


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
