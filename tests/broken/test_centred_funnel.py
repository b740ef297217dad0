"""Deliberately broken models and tables: each is caught by the command that should catch it."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from alkbayes.cli import app
from alkbayes.estimates.results import results_of
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.convergence import diagnose
from alkbayes.inference.datatree import build_tree
from alkbayes.inference.fit import Fit, Provenance, judged
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import build_design
from alkbayes.model.draws import complete
from alkbayes.runs.run import write_run
from alkbayes.spec.schema import read_spec

THREE_TRIALS = "cohort_id,trial,responders,n\na,A,7,12\nb,B,8,12\nc,C,6,11\n"
ONE_HETEROGENEITY = """\
schema = 1
name = "funnel"
question = "Three trials, one heterogeneity"
[likelihood]
family = "binomial"
link = "logit"
[intercept]
prior = { dist = "normal", mean = 0.0, sd = 1.5 }
why = "a test"
[[heterogeneity]]
column = "trial"
distribution = "normal"
sd_prior = { dist = "half_normal", sd = 1.0 }
why = "a test"
"""


@pytest.fixture(scope="module")
def centred_funnel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run of three trials whose logits a textbook model samples centred, by PyMC as it comes."""
    import pymc as pm

    home = tmp_path_factory.mktemp("funnel")
    (home / "table.csv").write_text(THREE_TRIALS, encoding="utf-8")
    (home / "model.toml").write_text(ONE_HETEROGENEITY, encoding="utf-8")
    spec = read_spec(home / "model.toml")
    evidence = read_evidence(home / "table.csv", needed=spec.columns)
    design = build_design(spec, evidence)
    settings = SamplerSettings(seed=2, chains=4, draws=500, tune=500)
    with pm.Model():
        alpha, tau = pm.Normal("alpha", 0.0, 1.5), pm.HalfNormal("tau", 1.0)
        theta = pm.Normal("theta", alpha, tau, shape=3)
        pm.Binomial("y", design.n.astype(int), logit_p=theta, observed=design.responders.astype(int))
        sampled = pm.sample(
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=1,
            random_seed=settings.seed,
            nuts_sampler="pymc",
            progressbar=False,
            compute_convergence_checks=False,
        )
    found = {name: sampled["posterior"][name].to_numpy() for name in ("alpha", "tau", "theta")}
    alpha, tau = found["alpha"], found["tau"]
    draws = complete(
        design,
        {"alpha": alpha, "tau_trial": tau, "z_trial": (found["theta"] - alpha[..., None]) / tau[..., None]},
    )
    np.testing.assert_allclose(draws["theta"], found["theta"], rtol=1e-9)
    names = ("diverging", "energy", "lp", "n_steps", "tree_depth", "reached_max_treedepth")
    stats = {name: sampled["sample_stats"][name].to_numpy() for name in names}
    tree = build_tree(design, draws, stats, seed=settings.seed, attributes={})
    fit = Fit(
        spec=spec,
        evidence=evidence,
        design=design,
        tree=tree,
        diagnostics=diagnose(judged(tree["posterior"].to_dataset()), tree["sample_stats"].to_dataset()),
        provenance=Provenance(
            engine=Engine.NUTS,
            engine_asked=Engine.NUTS,
            fallback_reason="",
            settings=settings,
            tries=1,
            first_failures=(),
            weights=None,
            versions={},
            seconds={},
        ),
    )
    folder = home / "run"
    write_run(folder, fit, results_of(fit), model_file=ONE_HETEROGENEITY.encode(), command="pm.sample")
    return folder


@pytest.mark.slow
def test_diagnose_catches_a_centred_funnel_with_three_trials(centred_funnel: Path) -> None:
    result = CliRunner().invoke(app, ["diagnose", str(centred_funnel), "--json"])
    assert result.exit_code == 6
    assert "must not be used" in result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["usable"] is False
    checks = {check["name"]: check for check in found["checks"]}
    assert checks["divergences"]["verdict"] == "failed"
    assert checks["divergences"]["advice"]
    # The funnel's neck is where the heterogeneity is small, and the command says so.
    assert "They lie where tau_trial is small" in checks["divergences"]["finding"]
    assert found["divergent"][0]["parameter"] == "tau_trial"
    assert found["divergent"][0]["difference"] < -0.5
    assert checks["bulk ESS"]["verdict"] == "failed"
    assert checks["record"]["verdict"] == "passed"


@pytest.mark.slow
def test_the_documentation_shows_its_verdicts(centred_funnel: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "diagnose.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^\$ alkbayes diagnose runs/funnel\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    printed = CliRunner(env={"COLUMNS": "100"}).invoke(app, ["diagnose", str(centred_funnel)]).stdout
    verdicts = re.compile(r"^ (\S.*?) {2,}(passed|failed|attention)\b", re.MULTILINE)
    assert verdicts.findall(shown) == verdicts.findall(printed)
