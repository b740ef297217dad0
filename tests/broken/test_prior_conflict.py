"""Models and tables that are deliberately broken, each caught by the command that should catch it."""

import json
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alkbayes.cli import app
from alkbayes.sensitivity_analysis import refit as sensitivity


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prior", "replaced", "by", "other"),
    [
        ("line", "mean = 0.0, sd = 1.0", "mean = 3.0, sd = 0.3", "intercept"),
        ("intercept", "mean = 0.0, sd = 1.5", "mean = -4.0, sd = 0.3", "line"),
    ],
)
def test_a_prior_in_conflict_with_the_data_is_named_by_sensitivity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prior: str, replaced: str, by: str, other: str
) -> None:
    # Naive cohorts respond in three of four patients, pretreated ones in one of two.
    runner, model, run = CliRunner(), tmp_path / "conflict.toml", tmp_path / "run"
    text = runner.invoke(app, ["models", "line"]).stdout
    assert text.count(replaced) == 1
    model.write_text(text.replace(replaced, by), encoding="utf-8")
    fitted = runner.invoke(app, ["fit", str(model), "--engine", "quadrature", "--out", str(run)])
    assert fitted.exit_code == 0, fitted.output
    # One alternative is enough, of a prior that is in no conflict.
    alternative = {"line": "differences normal 1", "intercept": "intercept normal 3"}[prior]
    monkeypatch.setattr(sensitivity, "run_grid", partial(sensitivity.run_grid, names=(alternative,), workers=1))
    result = runner.invoke(app, ["sensitivity", str(run), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["sensitivity"]
    flagged = [row for row in found["power_scaling"]["numbers"] if row["diagnosis"] == "prior-data conflict"]
    (difference,) = [row for row in flagged if row["number"] == "line pretreated vs naive, risk difference"]
    assert prior in difference["responsible"]
    assert difference["by_prior"][prior] > difference["by_prior"][other]
    (sentence,) = [line for line in found["conclusions"] if line.startswith("Power-scaling flags")]
    assert f"the prior of {prior}: prior-data conflict in " in sentence
    # And the grid says the same by fitting again.
    (priors,) = [line for line in found["conclusions"] if line.startswith("Priors: ")]
    assert (
        f"1 of 1 alternative moves a headline number by more than half of its posterior SD: {alternative} (" in priors
    )
