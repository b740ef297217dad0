"""Probabilities that pooled rates exceed a limit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import norm
from typer.testing import CliRunner

from alkbayes.cli import app
from alkbayes.estimates.exceedance import EXCEEDANCE_COLUMNS, exceedance_table
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.spec.schema import model_path, read_spec
from alkbayes.vocabulary import Standard


@pytest.fixture(scope="module")
def fits() -> Callable[[str], Fit]:
    def fit(name: str) -> Fit:
        spec = read_spec(model_path(name))
        settings = SamplerSettings(draws=500)
        evidence = read_evidence(needed=spec.columns)
        return fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=settings, standard=Standard.OWN)

    return fit


def test_probabilities_are_those_of_the_parameters(fits: Callable[[str], Fit]) -> None:
    fit = fits("overall")
    posterior = {name: fit.tree["posterior"][name].to_numpy().ravel() for name in ("alpha", "tau_trial", "tau_cohort")}
    table = exceedance_table(fit, [0.6, 0.65]).set_index(["above", "estimand"])
    assert list(exceedance_table(fit, [0.6]).columns) == list(EXCEEDANCE_COLUMNS)
    total = np.hypot(posterior["tau_trial"], posterior["tau_cohort"])
    for limit in (0.6, 0.65):
        above = posterior["alpha"] - logit(limit)
        assert table.loc[(limit, "typical"), "probability"] == pytest.approx((above > 0).mean(), abs=1e-12)
        # A new cohort's logit is normal around alpha given both taus: its probability integrates that out.
        exact = norm.cdf(above / total)
        found = table.loc[(limit, "next_cohort")]
        assert found["probability"] == pytest.approx(exact.mean(), abs=4 * np.hypot(found["mcse"], exact.std() / 44))
        assert 0 < found["mcse"] < 0.02
    mean = table.xs("mean", level="estimand")["probability"]
    assert 1 > mean[0.6] > mean[0.65] > 0


def test_each_group_has_its_rows_and_a_higher_limit_is_never_likelier(fits: Callable[[str], Fit]) -> None:
    table = exceedance_table(fits("line"), [0.3, 0.5, 0.7])
    assert len(table) == 3 * 4 * 3
    wide = table.pivot_table(index=["level", "estimand"], columns="above", values="probability")
    assert (np.diff(wide.to_numpy(), axis=1) <= 0).all()
    # 76 % naive and 50 % pretreated: nothing is surer than that the one exceeds a half, and not the other.
    at_half = wide[0.5]
    assert at_half["naive", "mean"] > 0.99
    assert 0.2 < at_half["pretreated", "mean"] < 0.7


def test_fit_keeps_what_was_asked_and_summary_asks_again(tmp_path: Path) -> None:
    def invoke(*arguments: Any) -> Any:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    run = tmp_path / "run"
    options = ("--engine", "quadrature", "--draws", 200, "--no-check", "--out", run)
    fitted = invoke("fit", "line", *options, "--above", 50, "--above", 0.5, "--above", 70)
    assert "Posterior probability that the objective response rate exceeds 50 %" in fitted.stdout
    kept = json.loads((run / "run.json").read_text(encoding="utf-8"))["exceedance"]
    assert list(dict.fromkeys(row["above"] for row in kept)) == [0.5, 0.7]
    assert json.loads(invoke("summary", run, "--json").stdout)["exceedance"] == kept
    asked = json.loads(invoke("summary", run, "--above", 50, "--json").stdout)["exceedance"]
    assert asked == [row for row in kept if row["above"] == 0.5]
    assert invoke("report", run, "--out", tmp_path / "report.md").exit_code == 0
    assert "exceeds 70 %" in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("limit", ["0", "1", "100", "-3", "nan"])
def test_a_limit_that_is_not_a_rate_is_refused_before_anything_is_read(tmp_path: Path, limit: str) -> None:
    for command in (("fit", "overall", "--out", str(tmp_path / "run")), ("summary", str(tmp_path / "none"))):
        result = CliRunner().invoke(app, [*command, "--above", limit])
        assert result.exit_code == 2
        assert "allowed: a percentage above 1 and below 100, such as 50, or a proportion" in result.stderr
    assert not (tmp_path / "run").exists()
