"""`alkbayes diagnose`: what goes to stdout and stderr, which plots, and with which exit code."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alkbayes.cli import app
from alkbayes.criticism import diagnosis
from alkbayes.text.names import column_title

type Command = Callable[..., Result]


@pytest.fixture(scope="module", autouse=True)
def _diagnosed_once(once: Callable[..., None]) -> None:
    once(diagnosis, "diagnosis_of", lambda fit: (fit.provenance.engine, fit.provenance.settings))


@pytest.fixture(scope="module")
def quadrature_run(alkbayes: Command, own_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quadrature") / "run"
    result = alkbayes(
        "fit", "--data", own_table, "--out", folder, "--engine", "quadrature", "--draws", "500", "--seed", "7"
    )
    assert result.exit_code == 0
    return folder


def test_json_is_one_document_that_says_all(alkbayes: Command, json_run, quadrature_run: Path) -> None:
    for folder, engine in ((json_run.folder, "nuts"), (quadrature_run, "quadrature")):
        result = alkbayes("diagnose", folder, "--json")
        assert (result.exit_code, result.stderr) == (0, "")
        found = json.loads(result.stdout)
        assert (found["run"], found["engine"], found["usable"], found["plots"]) == (str(folder), engine, True, [])
        assert found["gate"] == found["recorded"]
        assert all(check["verdict"] != "failed" for check in found["checks"])
        rows = {row["name"]: row for row in found["quantities"] if row["kind"] == "reported"}
        document = json.loads(alkbayes("summary", folder, "--json").stdout)
        # The errors of the tables and those of the diagnosis are one thing.
        for row in document["pooled"]:
            place = "overall" if row["group"] == "all" else f"{column_title(row['group'])} {row['level']}"
            number = rows[f"{place}, {row['estimand'].replace('_', ' ')}"]
            for name in ("mean", "median", "low", "high", "mcse", "mcse_median", "mcse_low", "mcse_high"):
                assert number[name] == pytest.approx(row[name], rel=1e-9), name
        for row in document["heterogeneity"]:
            assert rows[row["parameter"]]["mcse_low"] == pytest.approx(row["mcse_low"], rel=1e-9)


@pytest.mark.parametrize("columns", [80, 100])
def test_what_a_reader_sees_fits(json_run, quadrature_run: Path, failed_run, columns: int) -> None:
    terminal = {"COLUMNS": str(columns), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}
    for folder in (json_run.folder, quadrature_run, failed_run.folder):
        result = CliRunner(env=terminal).invoke(app, ["diagnose", str(folder)])
        lines = result.stdout.splitlines()
        assert max(len(line.rstrip()) for line in lines[1:]) <= columns
        assert "…" not in "\n".join(lines[1:])


def test_the_reader_sees_a_verdict_on_each_sign_and_the_headline(alkbayes: Command, json_run) -> None:
    text = " ".join(alkbayes("diagnose", json_run.folder).stdout.split())
    assert "Verdict: The numbers of this run can be used" in text
    for sign in ("R-hat passed", "bulk ESS passed", "divergences passed", "E-BFMI passed", "Monte Carlo error passed"):
        assert sign in text
    assert "overall, next cohort" in text
    assert "What to do" not in text


def test_a_run_that_failed_its_gate_is_refused_with_what_to_do(alkbayes: Command, failed_run) -> None:
    for arguments in ([], ["--json"]):
        result = alkbayes("diagnose", failed_run.folder, *arguments)
        assert result.exit_code == 6
        assert "must not be used" in result.stderr
    assert json.loads(result.stdout)["usable"] is False
    text = " ".join(alkbayes("diagnose", failed_run.folder).stdout.split())
    assert "Verdict: Do not use the numbers of this run" in text
    assert "What to do: Use more draws" in text


@pytest.mark.slow
def test_plots_are_written_and_not_overwritten(
    alkbayes: Command, json_run, quadrature_run: Path, tmp_path: Path
) -> None:
    place = tmp_path / "plots"
    result = alkbayes("diagnose", json_run.folder, "--plots", place, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    names = ["rank-parameters", "rank-reported", "trace-parameters", "ess-parameters", "ess-reported", "energy"]
    assert json.loads(result.stdout)["plots"] == [str(place / f"{name}.png") for name in names]
    assert sorted(path.stem for path in place.iterdir()) == sorted(names)
    assert all(path.stat().st_size > 5_000 for path in place.iterdir())
    again = alkbayes("diagnose", json_run.folder, "--plots", place)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "is there already; nothing is overwritten" in again.stderr
    weights = tmp_path / "weights"
    assert alkbayes("diagnose", quadrature_run, "--plots", weights).exit_code == 0
    assert [path.name for path in weights.iterdir()] == ["weights.png"]


def test_what_is_no_run_is_refused_before_anything_is_drawn(alkbayes: Command, tmp_path: Path) -> None:
    result = alkbayes("diagnose", tmp_path / "nowhere", "--plots", tmp_path / "plots")
    assert (result.exit_code, result.stdout) == (7, "")
    assert not (tmp_path / "plots").exists()


def test_the_documentation_has_every_sign(alkbayes: Command, json_run, quadrature_run: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "how-to" / "diagnose.md").read_text(encoding="utf-8")
    for folder in (json_run.folder, quadrature_run):
        for check in json.loads(alkbayes("diagnose", folder, "--json").stdout)["checks"]:
            assert f"\n| {check['name']} | " in text
