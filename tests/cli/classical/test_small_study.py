"""`alkbayes small-study`: what goes to stdout and stderr."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alkbayes.classical.moderators.small_study import small_study_effects
from alkbayes.cli import app
from alkbayes.evidence.table import read_evidence

type Command = Callable[..., Result]


def test_json_is_the_three_tests(alkbayes: Command) -> None:
    result = alkbayes("small-study", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    frame = read_evidence().frame
    expected = small_study_effects(frame["responders"], frame["n"])
    rows = document["small_study"]
    assert [row["test"] for row in rows] == ["egger", "egger-reml", "peters"]
    assert [(row["slope"], row["p"], row["df"]) for row in rows] == [(e.slope, e.p, e.df) for e in expected]


def test_csv_is_the_same_rows(alkbayes: Command) -> None:
    rows = list(csv.DictReader(io.StringIO(alkbayes("small-study", "--csv").stdout)))
    assert [row["df"] for row in rows] == ["64", "", "64"]
    assert all(row["note"] for row in rows)


@pytest.mark.parametrize("columns", [80, 100])
def test_the_table_for_a_reader_fits_and_has_the_caution_once(columns: int) -> None:
    result = CliRunner(env={"COLUMNS": str(columns), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}).invoke(
        app, ["small-study"]
    )
    assert result.exit_code == 0
    assert max(len(line.rstrip()) for line in result.stdout.splitlines()) <= columns
    assert "…" not in result.stdout
    text = " ".join(result.stdout.split())
    assert "reconstructs" in text
    assert text.count("Weak evidence either way") == 1
    assert "t(64) = −0.66" in text
    assert "z = −1.03" in text


def test_under_ten_cohorts_there_is_no_result(own_table: Path, alkbayes: Command) -> None:
    result = alkbayes("small-study", "--data", own_table)
    assert result.exit_code == 0
    assert "Fewer than 10 cohorts cannot tell asymmetry from chance: no result." in result.stdout
    assert "A slope above 0" not in result.stdout
    assert "A slope above 0: the smaller the cohort, the higher its rate." in alkbayes("small-study").stdout
    assert all(
        row["p"] is None
        for row in json.loads(alkbayes("small-study", "--data", own_table, "--json").stdout)["small_study"]
    )


def test_two_formats_at_once_are_refused(alkbayes: Command) -> None:
    assert alkbayes("small-study", "--json", "--csv").exit_code == 2
