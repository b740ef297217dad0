"""`alkbayes safety`: what a reader sees, files, and what is refused."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alkbayes.cli import app

type Command = Callable[..., Any]

COHORTS = "cohort_id,trial,n,responders\na,A,40,20\nb,B,30,10\nc,C,25,15\n"
EVENTS = "cohort_id,measure,events,n\na,serious_ae,4,40\nb,serious_ae,6,30\nc,serious_ae,9,25\n"


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "cohorts.csv", tmp_path / "events.csv"
    for path, text in zip(paths, (COHORTS, EVENTS), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


@pytest.mark.parametrize("columns", [80, 120])
def test_the_tables_for_a_reader_fit_and_little_comes_first(columns: int) -> None:
    runner = CliRunner(env={"COLUMNS": str(columns), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"})
    result = runner.invoke(app, ["safety"])
    assert result.exit_code == 0, result.output
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert max(map(len, lines)) <= columns
    assert "…" not in result.stdout
    text = " ".join(result.stdout.split())
    places = [
        text.index(words)
        for words in (
            "Sparse data: 21 of 66 cohorts",
            "Cohorts with a count of adverse events",
            "Rates of adverse events by TKI generation",
            "Benefit beside harm",
        )
    ]
    assert places == sorted(places)
    words = [" ".join(line.split()) for line in lines]
    # Two counts: a sum, and no pooled rate.
    assert "third 2 117/329 35.6 – – –" in words


def test_json_and_csv_have_the_same_counts(alkbayes: Command) -> None:
    found = json.loads(alkbayes("safety", "--json").stdout)["safety"]
    rows = list(csv.DictReader(io.StringIO(alkbayes("safety", "--csv").stdout)))
    assert [(row["measure"], row["level"], int(row["events"])) for row in rows] == [
        (row["measure"], row["level"], row["events"]) for row in found["counts"]
    ]


def test_ones_own_tables_have_no_words_of_the_field(alkbayes: Command, own: tuple[Path, Path]) -> None:
    data, events = own
    result = alkbayes("safety", "--data", data, "--adverse-events", events)
    assert result.exit_code == 0, result.output
    for word in ("ALK", "TKI", "generation", "reconstructs", "line"):
        assert word not in result.stdout
    assert "3 of 3 cohorts, 95 of 95 patients, have a count of adverse events of any kind." in result.stdout


def test_bundled_counts_are_not_laid_over_other_cohorts(alkbayes: Command, own: tuple[Path, Path]) -> None:
    result = alkbayes("safety", "--data", own[0])
    assert result.exit_code == 2
    assert "Give theirs: --adverse-events FILE." in result.stderr


def test_a_fault_of_the_counts_computes_nothing(alkbayes: Command, own: tuple[Path, Path]) -> None:
    data, events = own
    events.write_text(f"{EVENTS}a,serious_ae,5,40\n", encoding="utf-8")
    result = alkbayes("safety", "--data", data, "--adverse-events", events)
    assert result.exit_code == 3
    assert 'found "a" again, which line 2 counts' in result.stderr
    assert result.stdout == ""


def test_another_name_of_a_cohort_is_told(alkbayes: Command, own: tuple[Path, Path]) -> None:
    data, events = own
    events.write_text("cohort_id,trial,measure,events,n\na-one,A,serious_ae,4,40\n", encoding="utf-8")
    text = " ".join(alkbayes("safety", "--data", data, "--adverse-events", events).stdout.split())
    assert 'Caution: Adverse events: "a-one" is no cohort of the table, and "a" is of this trial and agent' in text


def test_files_are_written_once(alkbayes: Command, tmp_path: Path) -> None:
    figure, table = tmp_path / "harm.pdf", tmp_path / "harm.csv"
    result = alkbayes("safety", "--plot", figure, "--table", table, "--json")
    assert result.exit_code == 0, result.output
    assert figure.read_bytes().startswith(b"%PDF")
    fitted = alkbayes("pool", "--outcome", "discontinuation", "--data", table, "--json")
    assert fitted.exit_code == 0, fitted.output
    again = alkbayes("safety", "--table", table)
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    wrong = alkbayes("safety", "--table", tmp_path / "harm.xlsx")
    assert wrong.exit_code == 2
    assert "must end in .csv" in wrong.stderr
