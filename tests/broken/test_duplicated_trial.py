"""What is broken on purpose is caught by the command that should catch it."""

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from alkbayes.cli import app
from alkbayes.evidence.table import read_evidence


def run(*arguments: object):
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_a_trial_that_stands_in_the_table_twice_is_caught_by_evidence_and_by_fit(tmp_path: Path) -> None:
    frame = read_evidence().frame
    again = frame[frame["trial"] == "PROFILE 1014"].assign(trial="Solomon 2014", registry_id="")
    again["cohort_id"] += "-solomon"
    table = tmp_path / "twice.csv"
    pd.concat([frame, again]).to_csv(table, index=False)
    warning = "of trials PROFILE 1014 and Solomon 2014 both have"
    assert warning in " ".join(run("evidence", "--data", table).stdout.split())
    found, chance = json.loads(run("evidence", "--data", table, "--json").stdout)["warnings"]
    assert warning in found
    assert chance.startswith("1 pair of cohorts has the same counts; chance alone makes about 0.0")
    fitted = run(
        "fit", "overall", "--engine", "quadrature", "--draws", 500, "--data", table, "--out", tmp_path / "run", "--json"
    )
    assert fitted.exit_code == 0
    assert {found, chance} <= set(json.loads(fitted.stdout)["notes"])
