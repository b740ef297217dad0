"""Rates by earlier ALK inhibitor and generation."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

from alkbayes.design import build_design
from alkbayes.errors import UsageError
from alkbayes.estimates import pooled_table
from alkbayes.evidence import read_evidence
from alkbayes.sequence import sequence_table
from alkbayes.spec import model_path, read_spec


@pytest.fixture(scope="module")
def posterior(posterior_from):
    """Draws of no meaning, from the prior of the bundled model `sequence`."""
    from alkbayes.draws import from_prior

    spec = read_spec(model_path("sequence"))
    design = build_design(spec, read_evidence(columns=spec.columns))
    draws = from_prior(design, rng=np.random.default_rng(2), draws=60)
    free = {name: values for name, values in draws.items() if not name.startswith("effect_")}
    return posterior_from(design, {name: values for name, values in free.items() if name not in {"theta", "p"}})


def test_cells_with_cohorts_are_those_of_the_pooled_table(posterior) -> None:
    table = sequence_table(posterior)
    pooled = pooled_table(posterior)
    cells = pooled[(pooled["group"] == "prior_tki:generation") & (pooled["estimand"] == "mean")].set_index("level")
    seen = table[table["observed"]]
    assert len(seen) == len(cells) == 14
    for row in seen.to_dict(orient="records"):
        cell = cells.loc[f"{row['earlier']}:{row['generation']}"]
        for name in ("k", "patients", "responders", "median", "low", "high"):
            assert row[name] == pytest.approx(cell[name]), name


def test_a_cell_without_cohorts_is_the_models_prediction(posterior) -> None:
    """By hand, draw by draw: alpha and the four effects, over the lines of the row's patients."""
    design, draws = posterior.design, posterior.draws
    table = sequence_table(posterior)
    row = table[(table["earlier"] == "second") & (table["generation"] == "first")].iloc[0]
    assert not row["observed"]
    assert row["k"] == 0
    members = design.profiles["prior_alk_tki"] == "second"
    levels = {block.label: block.levels for block in design.effects}
    rates = np.zeros(len(draws["alpha"]))
    for line in set(design.profiles["line"][members]):
        share = design.n[members & (design.profiles["line"] == line)].sum() / design.n[members].sum()
        beta = 0.0 if line == "naive" else draws["beta_line"][:, levels["line"].index(line) - 1]
        eta = (
            draws["alpha"]
            + beta
            + draws["effect_prior_tki"][:, levels["prior_tki"].index("second")]
            + draws["effect_generation"][:, levels["generation"].index("first")]
            + draws["effect_prior_tki_generation"][:, levels["prior_tki:generation"].index("second:first")]
        )
        tau = np.hypot(draws["tau_trial"], draws["tau_cohort"])
        rates += share * np.array([average(*pair) for pair in zip(eta, tau, strict=True)])
    assert row["mean"] == pytest.approx(rates.mean(), rel=1e-6)
    assert row["median"] == pytest.approx(np.median(rates), rel=1e-6)


def average(eta: float, tau: float) -> float:
    value, _ = integrate.quad(lambda z: expit(eta + tau * z) * stats.norm.pdf(z), -9, 9)
    return value


def test_another_model_is_refused(posterior_from, case_of) -> None:
    case = case_of("line-generation")
    with pytest.raises(UsageError, match="no effect of prior_alk_tki"):
        sequence_table(SimpleNamespace(design=case.design))
