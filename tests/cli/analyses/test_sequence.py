"""`alkbayes sequence`: what it prints, in which form, and with which exit code."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alkbayes.analyses import sequence
from alkbayes.cli import app
from alkbayes.estimates.results import results_of
from alkbayes.evidence.outcomes import ORR
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.convergence import Check
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.runs.run import write_run
from alkbayes.spec.schema import model_path, read_spec

type Command = Callable[..., Result]


@pytest.fixture(scope="module", autouse=True)
def _compared_once(once: Callable[..., None]) -> None:
    once(sequence, "sequencing_of", lambda fit, after: (fit.evidence.sha256, fit.diagnostics.converged, after))


@pytest.fixture(scope="module")
def fit() -> Fit:
    spec = read_spec(model_path("sequence"))
    evidence = read_evidence(needed=spec.columns)
    return fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=SamplerSettings(seed=3, draws=250))


def written(fit: Fit, folder: Path) -> Path:
    write_run(folder, fit, results_of(fit), model_file=model_path("sequence").read_bytes(), command="alkbayes fit")
    return folder


@pytest.fixture(scope="module")
def run(fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(fit, tmp_path_factory.mktemp("sequence") / "run")


def test_json_and_csv_are_the_same_matrix(alkbayes: Command, run: Path) -> None:
    result = alkbayes("sequence", run, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert found["cautions"][0] == ORR.not_randomised(44)
    assert len(found["matrix"]) == 75
    assert len(found["comparisons"]) == 100
    assert sum(not row["observed"] for row in found["options"]) == 10
    assert all(row["prob_best"] is None for row in found["options"] if not row["observed"])
    rows = list(csv.DictReader(io.StringIO(alkbayes("sequence", run, "--csv").stdout)))
    for row, record in zip(rows, found["matrix"], strict=True):
        assert row["observed"] == str(record["observed"])
        assert float(row["median"]) == record["median"]
        assert 0 <= record["low"] <= record["median"] <= record["high"] <= 1


def test_after_one_inhibitor_csv_has_the_comparisons(alkbayes: Command, run: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(alkbayes("sequence", run, "--after", "crizotinib", "--csv").stdout)))
    assert {row["earlier"] for row in rows} == {"crizotinib"}
    assert len(rows) == 20
    whole = json.loads(alkbayes("sequence", run, "--json").stdout)["comparisons"]
    part = json.loads(alkbayes("sequence", run, "--after", "crizotinib", "--json").stdout)
    assert part["after"] == "crizotinib"
    assert part["comparisons"] == [row for row in whole if row["earlier"] == "crizotinib"]


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("arguments", [(), ("--after", "crizotinib")])
def test_what_a_reader_sees_fits_and_starts_with_the_caution(
    run: Path, columns: int, arguments: tuple[str, ...]
) -> None:
    result = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, ["sequence", str(run), *arguments])
    assert " ".join(result.stdout.split()).startswith(ORR.not_randomised(44))
    # A sentence stands on one line where no terminal wraps it, and has no two spaces in it.
    rows = [line.rstrip() for line in result.stdout.splitlines() if "  " in line.strip() or "─" in line]
    assert len(rows) > 15
    assert max(map(len, rows)) <= columns
    assert "…" not in result.stdout
    assert "*: no cohort has had this after that; a prediction of the model." in result.stdout


def test_pairs_that_rest_on_no_cohort_are_marked(alkbayes: Command, run: Path) -> None:
    text = alkbayes("sequence", run, "--after", "crizotinib").stdout
    assert "third vs second " in text
    assert "third vs first *" in text
    assert "vs first *" not in alkbayes("sequence", run).stdout, "only pairs that rest on cohorts"


def test_without_a_run_the_model_is_fitted(alkbayes: Command, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text(
        "cohort_id,trial,line,prior_alk_tki,regimen_class,n,responders\n"
        "a,A,pretreated,crizotinib,second,40,20\nb,B,pretreated,crizotinib,third,30,18\n",
        encoding="utf-8",
    )
    result = alkbayes("sequence", "--data", table, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert found["run"] is None
    assert found["evidence"]["source"] == str(table)
    assert {row["earlier"] for row in found["matrix"]} == {"crizotinib"}
    assert found["notes"][0].startswith("line: no cohort has the reference level 'naive'")
    assert found["notes"][1].startswith("prior ALK TKI: every cohort is 'crizotinib'")
    assert list(tmp_path.iterdir()) == [table], "nothing is written"
    notes = [line for line in alkbayes("sequence", "--data", table).stdout.splitlines() if line.startswith("Note: ")]
    assert len(notes) == len(found["notes"])
    assert all(line.endswith(".") and not line.endswith("..") for line in notes)


def test_a_posterior_that_did_not_converge_is_marked(alkbayes: Command, fit: Fit, tmp_path: Path) -> None:
    check = Check("Pareto k", False, 0.9, 0.7, "Pareto k is 0.9", "Fit again.")
    failed = written(replace(fit, diagnostics=replace(fit.diagnostics, checks=(check,))), tmp_path / "failed")
    result = alkbayes("sequence", failed)
    assert result.exit_code == 6
    assert result.stdout.startswith("NOT CONVERGED: DO NOT USE THESE NUMBERS")
    assert "Pareto k is 0.9" in result.stderr
    document = alkbayes("sequence", failed, "--json")
    assert document.exit_code == 6
    assert json.loads(document.stdout)["diagnostics"]["converged"] is False


def test_bad_requests_have_their_exit_codes(alkbayes: Command, run: Path, json_run, tmp_path: Path) -> None:
    for arguments, code, words in (
        ((json_run.folder,), 2, "no effect of prior_alk_tki"),
        ((run, "--after", "lorlatinib"), 2, "allowed: none, crizotinib, second, any and mixed"),
        ((run, "--data", "table.csv"), 2, "A RUN has its own table"),
        ((run, "--json", "--csv"), 2, "exclude each other"),
        (("--data", tmp_path / "nowhere.csv"), 3, "there is no such file"),
        ((tmp_path / "nowhere",), 7, "nowhere"),
    ):
        result = alkbayes("sequence", *arguments)
        assert (result.exit_code, result.stdout) == (code, ""), arguments
        assert words in result.stderr
