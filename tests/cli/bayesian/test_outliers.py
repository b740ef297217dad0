"""`alkbayes outliers`: what it prints, in each of its forms."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from alkbayes.criticism import loo_cohorts, loo_trials
from alkbayes.runs.analyses import kept_analysis
from alkbayes.runs.run import sealed

type Command = Callable[..., Result]


@pytest.fixture(scope="module", autouse=True)
def _left_out_once(once: Callable[..., None]) -> None:
    once(loo_cohorts, "leave_one_cohort_out", lambda fit, **_: fit.evidence.sha256)
    once(loo_trials, "leave_one_trial_out", lambda fit, **_: fit.evidence.sha256)


@pytest.fixture(scope="module")
def run(alkbayes: Command, own_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outliers") / "run"
    fit = ("fit", "--engine", "quadrature", "--draws", "500", "--data", own_table, "--out", folder, "--json")
    assert alkbayes(*fit).exit_code == 0
    return folder


def test_json_is_one_document_with_every_cohort(alkbayes: Command, run: Path) -> None:
    result = alkbayes("outliers", run, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)["outliers"]
    assert {"model", "engine", "evidence", "elpd", "se", "p", "good_k", "below", "expected_below", "verdict"} < set(
        found
    )
    assert kept_analysis(run, "outliers") == {"outliers": found}
    assert (found["model"], found["engine"]) == ("line-generation", "quadrature")
    assert found["expected_below"] == pytest.approx(0.4)
    rows = found["cohorts"]
    assert len(rows) == 8
    assert [row["p"] for row in rows] == sorted(row["p"] for row in rows)
    for row in rows:
        assert row["observed"] == row["responders"] / row["n"]
        assert 0 <= row["low"] <= row["median"] <= row["high"] <= 1
        assert row["p"] <= row["p_adjusted"] <= 1
        assert row["outlying"] == (row["p_adjusted"] <= 0.05)
    assert found["elpd"] == pytest.approx(sum(row["elpd"] for row in rows))
    assert found["below"] == sum(row["p"] < 0.05 for row in rows)


def test_csv_is_the_table_of_the_json(alkbayes: Command, run: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(alkbayes("outliers", run, "--csv").stdout)))
    found = json.loads(alkbayes("outliers", run, "--json").stdout)["outliers"]["cohorts"]
    assert [row["cohort_id"] for row in rows] == [row["cohort_id"] for row in found]
    assert [float(row["p"]) for row in rows] == pytest.approx([row["p"] for row in found])


def test_a_reader_sees_it_at_80_columns(alkbayes: Command, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for more in ([], ["--by-trial"]):
        result = _narrow("outliers", run, *more)
        assert result.exit_code == 0
        assert max(len(line) for line in result.stdout.splitlines()) <= 80
    assert "Each trial left out in turn" in result.stdout
    text = " ".join(alkbayes("outliers", run).stdout.split())
    assert "Each cohort left out in turn, model line-generation" in text
    assert "0.4 are expected by chance" in text


def test_by_trial_has_every_trial_and_number(alkbayes: Command, run: Path) -> None:
    result = alkbayes("outliers", run, "--by-trial", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)["by_trial"]
    assert kept_analysis(run, "outliers-by-trial") == {"by_trial": found}
    assert sorted(row["trial"] for row in found["trials"]) == list("ABCDEF")
    numbers = {row["number"] for row in found["moves"]}
    assert {"overall, mean", "line naive, mean", "line pretreated vs naive, risk difference"} < numbers
    assert len(found["moves"]) == 6 * len(numbers)
    assert found["leave_one_trial_out"]["elpd"] == pytest.approx(sum(row["elpd"] for row in found["trials"]))
    rows = list(csv.DictReader(io.StringIO(alkbayes("outliers", run, "--by-trial", "--csv").stdout)))
    assert [float(row["move"]) for row in rows] == pytest.approx([row["move"] for row in found["moves"]])


def test_bad_requests_have_their_exit_codes(alkbayes: Command, run: Path, tmp_path: Path) -> None:
    both = alkbayes("outliers", run, "--json", "--csv")
    assert (both.exit_code, both.stdout) == (2, "")
    missing = alkbayes("outliers", tmp_path / "none")
    assert (missing.exit_code, missing.stdout) == (7, "")
    damaged = tmp_path / "damaged"
    shutil.copytree(run, damaged)
    (damaged / "evidence.csv").write_text("cohort_id,n,responders\na,2,1\n", encoding="utf-8")
    assert alkbayes("outliers", damaged).exit_code == 7


def test_a_table_without_trials_has_none_to_leave_out(alkbayes: Command, tmp_path: Path) -> None:
    table, run = tmp_path / "own.csv", tmp_path / "run"
    model = tmp_path / "model.toml"
    model.write_text(
        'schema = 1\nname = "plain"\nquestion = "?"\n[likelihood]\nfamily = "binomial"\nlink = "logit"\n[intercept]\n'
        'prior = { dist = "normal", mean = 0.0, sd = 1.5 }\nwhy = "a test"\n[[heterogeneity]]\ncolumn = "cohort_id"\n'
        'distribution = "normal"\nsd_prior = { dist = "half_normal", sd = 0.5 }\nwhy = "a test"\n',
        encoding="utf-8",
    )
    table.write_text("cohort_id,n,responders\na,40,21\nb,50,19\nc,60,33\n", encoding="utf-8")
    assert (
        alkbayes("fit", model, "--engine", "quadrature", "--draws", "250", "--data", table, "--out", run).exit_code == 0
    )
    assert alkbayes("outliers", run).exit_code == 0
    result = alkbayes("outliers", run, "--by-trial")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "needs a column trial" in result.stderr


def test_a_run_that_did_not_converge_is_told_after_its_numbers(alkbayes: Command, run: Path, tmp_path: Path) -> None:
    failed = tmp_path / "failed"
    shutil.copytree(run, failed)
    document = json.loads((failed / "run.json").read_text(encoding="utf-8"))
    document["diagnostics"]["checks"][0] |= {"passed": False, "sentence": "Pareto k 0.9 above 0.7"}
    (failed / "run.json").write_text(json.dumps(sealed(document)), encoding="utf-8")
    result = alkbayes("outliers", failed, "--json")
    assert result.exit_code == 6
    assert json.loads(result.stdout)["outliers"]["cohorts"]
    assert "did not converge: Pareto k 0.9 above 0.7" in result.stderr


def _narrow(*arguments: str | Path) -> Result:
    from typer.testing import CliRunner

    from alkbayes.cli import app

    return CliRunner(env={"COLUMNS": "80", "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}).invoke(
        app, [str(argument) for argument in arguments]
    )
