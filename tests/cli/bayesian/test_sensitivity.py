"""`alkbayes sensitivity`: what goes to stdout and stderr, and with which exit code."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from alkbayes.cli import app
from alkbayes.runs.analyses import kept_analysis
from alkbayes.runs.run import read_fit, read_run
from alkbayes.sensitivity_analysis import power_scaling
from alkbayes.sensitivity_analysis import refit as sensitivity
from alkbayes.sensitivity_analysis.power_scaling import PowerScaling
from alkbayes.sensitivity_analysis.refit import run_grid
from alkbayes.sensitivity_analysis.table import Grid, Outcome, Status

type Command = Callable[..., Result]

NAMES = ("tau half-normal 1", "differences normal 1", "high certainty", "mixed lines left out", "mixed 50 % pretreated")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled table under the model of line, without chains."""
    folder = tmp_path_factory.mktemp("sensitivity") / "run"
    result = CliRunner().invoke(app, ["fit", "line", "--engine", "quadrature", "--draws", "250", "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def computed(run: Path, fewer_draws: Callable[[], AbstractContextManager[None]]) -> tuple[Grid, PowerScaling]:
    """Of each kind of alternative one, and one that does not apply; computed once for all tests of what is printed."""
    fit = read_fit(run)
    with fewer_draws():
        return run_grid(fit, names=NAMES, workers=1), power_scaling.power_scaling(fit)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, computed: tuple[Grid, PowerScaling]) -> None:
    # tests/test_broken_models.py has the command compute them.
    grid, scaling = computed
    monkeypatch.setattr(sensitivity, "run_grid", lambda *_, **__: grid)
    monkeypatch.setattr(power_scaling, "power_scaling", lambda _: scaling)


def test_json_is_one_document(alkbayes: Command, run: Path) -> None:
    result = alkbayes("sensitivity", run, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)["sensitivity"]
    assert list(document) == [
        *(
            "run",
            "model",
            "interval_prob",
            "over_own",
            "effects",
            "power_scaling",
            "alternatives",
            "largest",
            "conclusions",
        )
    ]
    assert [row["alternative"] for row in document["alternatives"]] == ["main", "main model again", *NAMES]
    statuses = {row["alternative"]: row["status"] for row in document["alternatives"]}
    assert statuses.pop("differences normal 1") == "not applicable"
    assert set(statuses.values()) == {"fitted"}
    main, again, *_ = document["alternatives"]
    summary = json.loads((run / "run.json").read_text(encoding="utf-8"))
    pooled = {(row["level"], row["estimand"]): row for row in summary["pooled"]}
    for number in main["numbers"]:
        if number["table"] == "pooled":
            row = pooled[number["level"], number["measure"]]
            assert [number[name] for name in ("median", "low", "high")] == [row["median"], row["low"], row["high"]]
    assert all(number["shift"] == 0.0 for number in again["numbers"])
    assert len(document["power_scaling"]["numbers"]) == len(main["numbers"]) == len(document["largest"])


def test_what_is_found_is_kept_whatever_is_printed(alkbayes: Command, run: Path) -> None:
    document = json.loads(alkbayes("sensitivity", run, "--json").stdout)
    assert kept_analysis(run, "sensitivity") == document
    for form in ([], ["--csv"]):
        (run / "sensitivity.json").unlink()
        assert alkbayes("sensitivity", run, *form).exit_code == 0
        assert kept_analysis(run, "sensitivity") == document
    assert read_run(run)


def test_a_folder_that_cannot_be_written_to_is_a_warning(
    alkbayes: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = alkbayes("sensitivity", run, "--json").stdout

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    result = alkbayes("sensitivity", run, "--json")
    assert (result.exit_code, result.stdout) == (0, before)
    assert result.stderr == (
        f"warning: {run / 'sensitivity.json'}: could not be kept: Read-only file system. Figures and reports of this "
        "run will do without.\n"
    )


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_what_was_done_before_workers_were_lost_is_printed_and_kept(
    alkbayes: Command, run: Path, computed: tuple[Grid, PowerScaling], monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    grid, _ = computed
    *first, last = grid.outcomes
    last = Outcome(last.name, Status.FAILED, sensitivity.NOT_DONE)
    stopped = replace(grid, outcomes=(*first, last), stopped="a worker process was killed 3 times.")
    monkeypatch.setattr(sensitivity, "run_grid", lambda *_, **__: stopped)
    result = alkbayes("sensitivity", run, *form)
    assert result.exit_code == 5
    assert result.stderr == (
        "error: a worker process was killed 3 times. What was done so far is above and in "
        f"{run / 'sensitivity.json'}.\n"
    )
    assert "high certainty" in result.stdout
    assert sensitivity.NOT_DONE in " ".join(result.stdout.split())
    kept = kept_analysis(run, "sensitivity")
    assert kept is not None
    assert [row["status"] for row in kept["sensitivity"]["alternatives"]][-1] == "failed"


def test_csv_is_the_same_numbers(alkbayes: Command, run: Path) -> None:
    result = alkbayes("sensitivity", run, "--csv")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    document = json.loads(alkbayes("sensitivity", run, "--json").stdout)["sensitivity"]
    numbers = [number for record in document["alternatives"] for number in record["numbers"]]
    fitted = [row for row in rows if row["number"]]
    assert [float(row["median"]) for row in fitted] == [number["median"] for number in numbers]
    assert {row["alternative"] for row in rows if not row["number"]} == {"differences normal 1"}


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_the_tables_for_a_reader_fit(run: Path, columns: int) -> None:
    result = CliRunner(env={"COLUMNS": str(columns), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}).invoke(
        app, ["sensitivity", str(run)]
    )
    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    wrapped_by_the_terminal = ("Model: ", "Run: ")
    assert max(len(line) for line in lines if not line.startswith(wrapped_by_the_terminal)) <= columns
    assert "…" not in result.stdout
    # No name is broken: each stands in its row.
    for name in NAMES:
        if name != "differences normal 1":
            assert any(line.strip().startswith(f"{name} ") for line in lines), name


def test_other_cuts_are_read_before_anything_is_fitted(alkbayes: Command, run: Path, tmp_path: Path) -> None:
    path = tmp_path / "cuts.csv"
    path.write_text("cohort_id,cut,responders,n\nalur-alectinb,later,40,79\n", encoding="utf-8")
    result = alkbayes("sensitivity", run, "--cuts", path)
    assert result.exit_code == 3
    assert 'found "alur-alectinb"; allowed: a cohort of the evidence table.' in result.stderr
    assert 'Did you mean "alur-alectinib"?' in result.stderr
    path.write_text("cohort_id,cut,responders,n\nalur-alectinib,later,40,79\n", encoding="utf-8")
    assert alkbayes("sensitivity", run, "--cuts", path).exit_code == 0


def test_a_reader_sees_shifts_what_is_left_out_and_why(alkbayes: Command, run: Path) -> None:
    text = alkbayes("sensitivity", run).stdout
    lines = [" ".join(line.split()) for line in text.splitlines()]
    main = next(line for line in lines if line.startswith("main fit 66 5,707 "))
    again = next(line for line in lines if line.startswith("the same again 66 5,707 "))
    # With as many decimals as the error of each supports.
    assert [float(shift) for shift in again.split()[5:10]] == [0.0] * 5
    assert main.split()[-2] == again.split()[-2]  # the interval of the next cohort
    assert any(line.startswith("high certainty 50 4,862 ") for line in lines)
    assert "mixed lines left out: leaves no cohort with line mixed" in lines
    joined = " ".join(lines)
    assert "Not applicable: differences normal 1: it changes nothing: the model has this prior" in joined
    assert "What the conclusions depend on - Priors: none of 1 alternative moves" in joined
    assert "reconstructs" in joined


def test_a_run_that_did_not_converge_is_refused(alkbayes: Command, failed_run) -> None:  # type: ignore[no-untyped-def]
    result = alkbayes("sensitivity", failed_run.folder)
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr.startswith("error: the posterior of this run did not converge: ")


def test_bad_requests_have_their_exit_codes(alkbayes: Command, run: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(run, damaged)
    (damaged / "posterior.nc").unlink()
    for arguments, code, message in (
        ((tmp_path / "nowhere",), 7, "there is no such folder"),
        ((damaged,), 7, "posterior.nc is missing"),
        ((run, "--json", "--csv"), 2, "exclude each other"),
    ):
        result = alkbayes("sensitivity", *arguments)
        assert (result.exit_code, result.stdout) == (code, "")
        assert message in result.stderr
