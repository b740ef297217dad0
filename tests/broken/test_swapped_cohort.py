"""Models and tables that are broken on purpose, each caught by the command that should catch it."""

import csv
import io
import json
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alkbayes.cli import app


def alkbayes(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, [str(argument) for argument in arguments])


@pytest.mark.slow
@pytest.mark.parametrize("cohort", ["profile1029-crizotinib", "bfast-alk"])
def test_swapped_responders_and_non_responders_are_the_top_outlier(cohort: str, tmp_path: Path) -> None:
    text = files("alkbayes").joinpath("data", "cohorts.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    (row,) = [row for row in rows if row["cohort_id"] == cohort]
    row["responders"] = str(int(row["n"]) - int(row["responders"]))
    # Whatever else the row says of its responders would contradict them, and be refused when the table is read.
    table, run = tmp_path / "swapped.csv", tmp_path / "run"
    columns = ["cohort_id", "trial", "line", "regimen_class", "responders", "n"]
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    fitted = alkbayes("fit", "--engine", "quadrature", "--draws", 500, "--data", table, "--out", run, "--json")
    assert fitted.exit_code == 0
    result = alkbayes("outliers", run, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)["outliers"]
    first = found["cohorts"][0]
    assert first["cohort_id"] == cohort
    assert first["outlying"]
    assert first["p_swapped"] > 0.05
    (told,) = [sentence for sentence in found["verdict"] if sentence.startswith(f"{cohort}:")]
    assert "With responders and non-responders swapped it would fit" in told
