"""`alkbayes predictive`: what goes to stdout and stderr, which plots, and with which exit code."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alkbayes.cli import app

type Command = Callable[..., Result]


def test_json_and_csv_are_the_same_cohorts(alkbayes: Command, json_run) -> None:
    result = alkbayes("predictive", json_run.folder, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert (found["run"], found["of"], found["plots"]) == (str(json_run.folder), "posterior", [])
    assert len(found["cohorts"]) == 8
    assert set(found["uniform"]) == {"same", "new"}
    rows = list(csv.DictReader(io.StringIO(alkbayes("predictive", json_run.folder, "--csv").stdout)))
    assert list(rows[0]) == list(found["cohorts"][0])
    for row, record in zip(rows, found["cohorts"], strict=True):
        assert float(row["new_pit"]) == record["new_pit"]
        assert 0 <= record["new_low"] <= record["new_low90"] <= record["new_high90"] <= record["new_high"] <= 1
        # A new cohort may differ from this one: its interval is the wider.
        assert record["new_high"] - record["new_low"] >= record["same_high"] - record["same_low"]


def test_the_prior_has_its_cells(alkbayes: Command, json_run) -> None:
    found = json.loads(alkbayes("predictive", json_run.folder, "--prior", "--json").stdout)
    assert found["of"] == "prior"
    assert [cell["cell"] for cell in found["cells"]] == [
        "naive:first",
        "naive:second",
        "pretreated:first",
        "pretreated:second",
    ]
    rows = list(csv.DictReader(io.StringIO(alkbayes("predictive", json_run.folder, "--prior", "--csv").stdout)))
    assert [float(row["median"]) for row in rows] == [cell["median"] for cell in found["cells"]]


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("arguments", [(), ("--prior",)])
def test_what_a_reader_sees_fits(json_run, columns: int, arguments: tuple[str, ...]) -> None:
    runner = CliRunner(env={"COLUMNS": str(columns), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"})
    lines = runner.invoke(app, ["predictive", str(json_run.folder), *arguments]).stdout.splitlines()
    # Its first line has the run's path, which may be long.
    assert max(len(line.rstrip()) for line in lines[1:]) <= columns
    assert "…" not in "\n".join(lines[1:])


def test_the_reader_is_told_what_each_statistic_means(alkbayes: Command, json_run) -> None:
    text = " ".join(alkbayes("predictive", json_run.folder).stdout.split())
    for name in ("SD of the logits", "smallest ORR", "largest ORR", "naive less pretreated", "cohorts outside 90 %"):
        assert f"{name}: " in text
    assert "Verdict: What was observed is what the model expects" in text


def test_the_seed_of_the_run_decides(alkbayes: Command, json_run) -> None:
    one, other = (alkbayes("predictive", json_run.folder, "--json").stdout for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("arguments", "names"), [((), ["calibration.png", "intervals.png"]), (("--prior",), ["prior-cells.png"])]
)
def test_plots_are_written_and_not_overwritten(
    alkbayes: Command, json_run, tmp_path: Path, arguments: tuple[str, ...], names: list[str]
) -> None:
    place = tmp_path / "plots"
    result = alkbayes("predictive", json_run.folder, "--plots", place, *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(path.name for path in place.iterdir()) == names
    again = alkbayes("predictive", json_run.folder, "--plots", place, *arguments)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "is there already" in again.stderr


def test_a_posterior_that_did_not_converge_predicts_nothing_to_be_used(alkbayes: Command, failed_run) -> None:
    result = alkbayes("predictive", failed_run.folder)
    assert result.exit_code == 6
    assert "Do not use what it predicts" in result.stderr
    assert alkbayes("predictive", failed_run.folder, "--prior").exit_code == 0


def test_bad_requests_have_their_exit_codes(alkbayes: Command, json_run, tmp_path: Path) -> None:
    assert alkbayes("predictive", json_run.folder, "--json", "--csv").exit_code == 2
    assert alkbayes("predictive", tmp_path / "nowhere").exit_code == 7
