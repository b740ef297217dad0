"""`alkbayes resistance`: what it prints, in which form, and with which exit code."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alkbayes.analyses import resistance
from alkbayes.cli import app

type Command = Callable[..., Result]
NUMBER = re.compile(r"\d+(?:\.\d+)?")
HEADER = "mutation_set,after_agent,after_generation,assay,n_biopsies,n_with,sample_set,note\n"


@pytest.fixture(scope="module", autouse=True)
def _asked_once(once: Callable[..., None]) -> None:
    once(resistance, "resistance_of", lambda table, **_: table.sha256)


def test_json_and_csv_are_the_same_rows(alkbayes: Command) -> None:
    result = alkbayes("resistance", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert next(iter(found)) == "few"
    assert found["converged"]
    assert len(found["prevalence"]) == 21
    table = alkbayes("resistance", "--csv")
    assert table.stderr == f"{found['few'][0]}\n", "no table without it"
    rows = list(csv.DictReader(io.StringIO(table.stdout)))
    assert len(rows) == len(found["rows"]) == 9
    for row, record in zip(rows, found["rows"], strict=True):
        assert row["mutation_set"] == record["mutation_set"]
        assert float(row["exact_high"]) == record["exact_high"]
        assert 0 <= record["exact_low"] <= record["observed"] <= record["exact_high"] <= 1


@pytest.mark.parametrize("columns", [80, 100])
def test_what_a_reader_sees_fits_and_starts_with_how_little_it_is(columns: int) -> None:
    result = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, ["resistance"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Sparse data: 9 counts from 6 sets of samples")
    # A sentence stands on one line where no terminal wraps it, and has no two spaces in it.
    rows = [line.rstrip() for line in result.stdout.splitlines() if "  " in line.strip() or "─" in line]
    assert len(rows) > 20
    assert max(map(len, rows)) <= columns
    assert "…" not in result.stdout
    words = " ".join(result.stdout.split())
    assert "same trial as the plasma row: do not add the two" in words, "notes are kept"
    title = "Printed as a percentage alone, of an unknown number of patients, and not used"
    _, without_counts = words.split(title)
    assert without_counts.count("Lorlatinib phase 2") == 4
    assert " 62 " in without_counts


def test_a_table_of_ones_own(alkbayes: Command, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"{HEADER}[red]G1202R[/red],alectinib,2,tissue,20,8,a,see [bold]p. 3[/bold]\n", encoding="utf-8")
    result = alkbayes("resistance", "--data", path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "[red]G1202R[/red]" in result.stdout
    assert "[1] see [bold]p. 3[/bold]" in result.stdout
    assert "Response by mutation status" not in result.stdout


def test_samples_counted_twice_are_refused(alkbayes: Command, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    row = "any ALK mutation,alectinib,2,tissue,20,8,a,\n"
    path.write_text(HEADER + 2 * row, encoding="utf-8")
    result = alkbayes("resistance", "--data", path)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "the samples of" in result.stderr
    assert "which line 2 counts" in result.stderr


def test_the_figure_is_written_and_not_overwritten(alkbayes: Command, tmp_path: Path) -> None:
    path = tmp_path / "resistance.svg"
    result = alkbayes("resistance", "--plot", path, "--json")
    assert (result.exit_code, result.stderr) == (0, f"Figure: {path}\n")
    assert json.loads(result.stdout)
    assert "Sparse data: 9 counts" in path.read_text(encoding="utf-8")
    again = alkbayes("resistance", "--plot", path)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "is there already" in again.stderr


def test_a_posterior_that_did_not_converge_is_marked(
    alkbayes: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = resistance.resistance_of
    monkeypatch.setattr(
        resistance, "resistance_of", lambda *a, **k: replace(whole(*a, **k), failures=("G1202R in tissue: Pareto k",))
    )
    result = alkbayes("resistance", "--plot", tmp_path / "figure.svg")
    assert result.exit_code == 6
    assert "NOT CONVERGED: DO NOT USE THE MODEL'S NUMBERS OF: G1202R in tissue: Pareto k" in result.stdout
    assert "did not converge" in result.stderr
    assert "NOT CONVERGED, not to be used" in (tmp_path / "figure.svg").read_text(encoding="utf-8")


def test_bad_requests_have_their_exit_codes(alkbayes: Command, tmp_path: Path) -> None:
    for arguments, code, words in (
        (("--json", "--csv"), 2, "exclude each other"),
        (("--plot", tmp_path / "figure.txt"), 2, "must end in"),
        (("--data", tmp_path / "nowhere.csv"), 3, "there is no such file"),
    ):
        result = alkbayes("resistance", *arguments)
        assert (result.exit_code, result.stdout) == (code, ""), arguments
        assert words in result.stderr


def test_the_page_shows_what_the_command_prints() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "resistance.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```text\n\$ alkbayes resistance\n(.*?)```", page, flags=re.DOTALL)
    printed = CliRunner(env={"COLUMNS": "100"}).invoke(app, ["resistance"]).stdout
    ours, theirs = ([NUMBER.sub("#", text).split(), NUMBER.findall(text)] for text in (shown, printed))
    assert ours[0] == theirs[0]
    # Percentage points, or hundredths of an SD: draws differ between kinds of processor.
    assert [float(value) for value in ours[1]] == pytest.approx([float(value) for value in theirs[1]], abs=2)
