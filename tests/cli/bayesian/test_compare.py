"""`alkbayes compare`: what it prints, and which runs it refuses."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alkbayes.cli import app
from alkbayes.criticism import comparison
from alkbayes.runs.analyses import kept_analysis

type Command = Callable[..., Result]


@pytest.fixture(scope="module", autouse=True)
def _compared_once(once: Callable[..., None]) -> None:
    once(comparison, "compare_fits", lambda fits, **_: tuple(fits))


@pytest.fixture(scope="module")
def runs(alkbayes: Command, own_table: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = tmp_path_factory.mktemp("compare")
    folders = []
    for model in ("line", "overall"):
        folders.append(home / model)
        result = alkbayes(
            "fit", model, "--engine", "quadrature", "--data", own_table, "--out", folders[-1], "--draws", "250"
        )
        assert result.exit_code == 0
    return folders


@pytest.fixture(scope="module")
def document(alkbayes: Command, runs: list[Path]) -> dict:
    result = alkbayes("compare", *runs, "--json")
    assert result.exit_code == 0
    return json.loads(result.stdout)["comparison"]


def test_json_is_one_document(document: dict, runs: list[Path]) -> None:
    assert kept_analysis(runs[0], "compare") == {"comparison": document}
    assert kept_analysis(runs[1], "compare") is None
    assert document["runs"] == [{"run": path.name, "folder": str(path)} for path in runs]
    assert [(row["left_out"], row["run"]) for row in document["elpd"]] == [
        (unit, run) for unit in ("cohort", "trial") for run in ("line", "overall")
    ]
    for unit in ("cohort", "trial"):
        rows = [row for row in document["elpd"] if row["left_out"] == unit]
        assert sum(row["weight"] for row in rows) == pytest.approx(1.0)
        for row in rows:
            parts = [each for each in document["pointwise"] if (each["left_out"], each["run"]) == (unit, row["run"])]
            assert row["elpd"] == pytest.approx(sum(part["elpd"] for part in parts))
            assert len(parts) == {"cohort": 8, "trial": 6}[unit]
    assert {row["run"] for row in document["stacked"]} == {"line", "overall", "(stacked)"}
    assert document["verdict"]
    assert any("fewer than 100" in caution for caution in document["cautions"])


def test_csv_and_a_reader_have_the_same_numbers(alkbayes: Command, document: dict, runs: list[Path]) -> None:
    rows = list(csv.DictReader(io.StringIO(alkbayes("compare", *runs, "--csv").stdout)))
    assert [float(row["elpd"]) for row in rows] == pytest.approx([row["elpd"] for row in document["elpd"]])
    result = CliRunner(env={"COLUMNS": "80", "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}).invoke(
        app, ["compare", *map(str, runs)]
    )
    assert result.exit_code == 0
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    text = " ".join(result.stdout.split())
    assert f"line {document['elpd'][0]['elpd']:.1f}".replace("-", "−") in text
    assert "Caution: By trial, there are 6 trials" in text


@pytest.mark.slow
def test_runs_of_one_model_have_their_folders_names(alkbayes: Command, runs: list[Path], tmp_path: Path) -> None:

    copy = tmp_path / "again"
    shutil.copytree(runs[1], copy)
    found = json.loads(alkbayes("compare", runs[1], copy, "--json").stdout)["comparison"]
    assert [row["run"] for row in found["runs"]] == [str(runs[1]), str(copy)]
    assert {row["difference"] for row in found["elpd"]} == {0.0}


def test_bad_requests_have_their_exit_codes(alkbayes: Command, runs: list[Path], tmp_path: Path) -> None:
    other_table, other = tmp_path / "other.csv", tmp_path / "other"
    other_table.write_text("cohort_id,trial,n,responders\na,A,40,21\nb,B,50,19\nc,C,60,33\n", encoding="utf-8")
    settings = ("--engine", "quadrature", "--draws", "250")
    assert alkbayes("fit", "overall", "--data", other_table, "--out", other, *settings).exit_code == 0
    for arguments, code, message in (
        ((runs[0],), 2, "two different runs at least"),
        ((runs[0], runs[0]), 2, "two different runs at least"),
        ((*runs, "--json", "--csv"), 2, "exclude each other"),
        ((runs[0], tmp_path / "none"), 7, "there is no such folder"),
        ((*runs, other), 7, "is of other evidence than"),
    ):
        result = alkbayes("compare", *arguments)
        assert (result.exit_code, result.stdout) == (code, "")
        assert message in result.stderr
