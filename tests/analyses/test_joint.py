"""Two responses in one model: against importance sampling over the two models apart, and on tables of known truth."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alkbayes.analyses.joint import (
    JointFit,
    beside_separate,
    brain_less_body,
    correlation_of,
    fit_joint,
    flat,
    sceptical,
)
from alkbayes.estimates.rates import pooled_table, posterior_of
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.importance.target import Target, positions
from alkbayes.inference.importance.weights import effective, smooth
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.likelihood.binomial_normal.marginal import log_marginal
from alkbayes.spec.schema import model_path, read_spec

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "validation" / "joint" / "record.json"
DOCUMENTATION = ROOT / "docs" / "how-to" / "intracranial.md"
TIMES = 6
"""Pairs of draws of the two models apart, for each draw of either."""


@dataclass(frozen=True)
class Together:
    systemic: Fit
    brain: Fit
    joint: JointFit


@pytest.fixture(scope="module")
def together(brain_table: Path) -> Together:
    fits = []
    for name in ("line-generation", "intracranial"):
        spec = read_spec(model_path(name))
        evidence = read_evidence(brain_table, needed=spec.columns, outcome=spec.outcome)
        fits.append(fit_model(spec, evidence, engine=Engine.QUADRATURE))
    return Together(*fits, fit_joint(*fits, settings=SamplerSettings(seed=5, draws=1500)))


@pytest.mark.slow
def test_it_converges(together: Together) -> None:
    assert together.joint.diagnostics.failures == ()


@pytest.mark.slow
def test_the_posterior_is_that_of_weighted_pairs_of_the_models_apart(together: Together) -> None:
    # Another road to the same posterior, with nothing of PyMC and no chains: draws of the systemic model, of the
    # intracranial one and of rho's prior, weighted by what rho and the systemic deviations change in the intracranial
    # likelihood, with its own deviations integrated out.
    first, second = together.systemic.design, together.brain.design
    target, systemic = Target(second), flat(together.systemic.draws)
    psi, b = positions(target, together.brain.draws)
    count = TIMES * len(psi)
    rng = np.random.default_rng(8)
    mine, theirs = (np.concatenate([rng.permutation(len(psi)) for _ in range(TIMES)]) for _ in range(2))
    rho = rng.permutation((np.arange(count) + rng.random(count)) / count * 2 - 1)
    assert first.group is not None
    assert second.group is not None
    trials = [first.group.units.index(unit) for unit in second.group.units]
    cohorts = [first.cohorts.index(cohort) for cohort in second.cohorts]
    z_trial = systemic["z_trial"][theirs][:, trials][:, second.group.index]
    z_cohort = systemic["z_cohort"][theirs][:, cohorts]
    tau_trial, tau_cohort = target.taus(psi[mine])
    eta, own = target.logits(psi[mine], b[mine]), np.sqrt(1 - rho**2)
    shift = rho[:, None] * (tau_trial[:, None] * z_trial + tau_cohort[:, None] * z_cohort)

    def log_likelihood(eta: np.ndarray, *taus: np.ndarray) -> np.ndarray:
        group, cohort = taus
        counts = second.responders, second.n
        return log_marginal(*counts, eta=eta, group=second.group.index, tau_group=group, tau_cohort=cohort)

    ratios = log_likelihood(eta + shift, own * tau_trial, own * tau_cohort) - log_likelihood(eta, tau_trial, tau_cohort)
    logs, k = smooth(ratios)
    weights, ess = np.exp(logs), effective(logs)
    assert k < 0.7
    assert ess > 1000
    draws = together.joint.draws
    alphas = together.brain.draws["alpha"].ravel()[mine]
    for ours, other in ((draws.rho, rho), (draws.rho > 0, rho > 0), (draws.second["alpha"], alphas)):
        expected = weights @ other
        sd = np.sqrt(weights @ (other - expected) ** 2)
        # Four standard errors of the difference; of the chains' ESS 1,000 at least is assumed, which they have.
        assert np.mean(ours) == pytest.approx(expected, abs=4 * sd * np.sqrt(1 / ess + 1 / 1000))


@pytest.mark.slow
def test_the_numbers_are_those_of_its_draws(together: Together) -> None:
    beside = beside_separate(together.joint, posterior_of(together.brain))
    rows = beside.set_index(["group", "level", "measure"])
    draws = together.joint.draws.second
    alone = pooled_table(posterior_of(together.brain)).set_index(["group", "level", "estimand"])
    for place in (
        ("all", "all", "mean"),
        ("generation", "third", "typical"),
        ("line:generation", "naive:first", "mean"),
    ):
        assert rows.loc[place, "separate_median"] == alone.loc[place, "median"]
        assert rows.loc[place, "separate_high"] == alone.loc[place, "high"]
    # By the words of the docstrings, from the draws themselves: one profile, in the middle of the heterogeneity.
    effect = draws["effect_generation"][..., together.brain.design.effects[0].levels.index("first")]
    typical = 1 / (1 + np.exp(-(draws["alpha"] + effect)))
    assert rows.loc[("line:generation", "naive:first", "typical"), "median"] == pytest.approx(np.median(typical))
    contrast = rows.loc[("generation", "third vs first", "odds_ratio")]
    third = draws["effect_generation"][..., together.brain.design.effects[0].levels.index("third")]
    assert contrast["median"] == pytest.approx(np.exp(np.median(third - effect)), rel=1e-3)
    assert contrast["prob_better"] == pytest.approx((third > effect).mean())
    assert np.isnan(rows.loc[("all", "all", "mean"), "prob_better"])
    log_alone = np.log(contrast["separate_high"] / contrast["separate_low"])
    assert contrast["width_ratio"] == pytest.approx(np.log(contrast["high"] / contrast["low"]) / log_alone)


@pytest.mark.slow
def test_brain_and_body_are_compared_over_the_same_profiles(together: Together) -> None:
    gap = brain_less_body(together.joint).set_index(["group", "level"])
    assert gap.loc[("all", "all"), "patients"] == together.brain.design.n.sum() == 74
    first, second = together.joint.draws.first, together.joint.draws.second
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(200)[:, None, None]
    means = []
    for draws, design in ((second, together.brain.design), (first, together.systemic.design)):
        (block,) = (block for block in design.effects if block.label == "generation")
        middle = draws["alpha"] + draws["effect_generation"][..., block.levels.index("first")]
        tau = np.hypot(draws["tau_trial"], draws["tau_cohort"])
        means.append((1 / (1 + np.exp(-(middle + tau * noise)))).mean(axis=0))
    row = gap.loc[("line:generation", "naive:first")]
    # Plain Monte Carlo in place of quadrature: 200 deviations leave an error of about 0.02, alike on both sides.
    assert row["intracranial"] == pytest.approx(np.median(means[0]), abs=0.03)
    assert row["systemic"] == pytest.approx(np.median(means[1]), abs=0.03)
    assert row["difference"] == pytest.approx(np.median(means[0] - means[1]), abs=0.02)
    assert row["prob_higher"] == pytest.approx((means[0] > means[1]).mean(), abs=0.02)


def test_a_correlation_is_described_beside_its_prior() -> None:
    rng = np.random.default_rng(2)
    nothing = correlation_of(rng.uniform(-1, 1, (4, 50_000)))
    assert nothing.sd_ratio == pytest.approx(1, abs=0.01)
    assert nothing.information == pytest.approx(0, abs=0.001)
    assert nothing.prob_positive == pytest.approx(0.5, abs=0.01)
    # Uniform on a quarter of the range: log 4 nats from the prior, a quarter of its SD.
    quarter = correlation_of(rng.uniform(0.5, 1, (4, 5_000)))
    assert quarter.information == pytest.approx(np.log(4), abs=0.01)
    assert quarter.sd_ratio == pytest.approx(0.25, abs=0.01)
    assert (quarter.low, quarter.high) == pytest.approx((0.5125, 0.9875), abs=0.005)
    assert sum(quarter.shares) == pytest.approx(1)
    assert "shares" in asdict(quarter)


def test_a_prior_that_leans_to_0_is_lkj() -> None:
    # Uniform draws become those of (rho + 1) / 2 ~ Beta(2, 2); of a half they become that half of it.
    uniform = sceptical(np.random.default_rng(4).uniform(-1, 1, (4, 50_000)))
    low, median, high = 2 * stats.beta(2, 2).ppf([0.025, 0.5, 0.975]) - 1
    assert (uniform["low"], uniform["median"], uniform["high"]) == pytest.approx((low, median, high), abs=0.01)
    assert uniform["prob_positive"] == pytest.approx(0.5, abs=0.01)
    above = sceptical(np.random.default_rng(4).uniform(0, 1, (4, 50_000)))
    assert above["median"] == pytest.approx(2 * stats.beta(2, 2).ppf(0.75) - 1, abs=0.01)
    assert above["prob_positive"] == 1.0


# tables of known truth, recorded by validation/joint/study.py


@pytest.fixture(scope="module")
def study() -> pd.DataFrame:
    return pd.DataFrame(json.loads(RECORD.read_text(encoding="utf-8"))["rows"])


def test_a_correlation_that_is_not_there_is_seldom_found(study: pd.DataFrame) -> None:
    none = study[(study["rho"] == 0) & (study["copula"] == 0)]
    found = (none["prob_positive"] > 0.975) | (none["prob_positive"] < 0.025)
    assert len(none) == 100
    # Five of a hundred by chance; twelve or more have a probability of 0.004.
    assert found.sum() < 12


def test_intervals_hold_the_truth_where_patients_are_independent(study: pd.DataFrame) -> None:
    independent = study[study["copula"] == 0]
    for rho, rows in independent.groupby("rho"):
        # A fixed truth, not one drawn from the prior: near the edge of the range coverage is not exactly 95 %. Of 100
        # intervals that hold with 0.95, fewer than 88 do with a probability of 0.002.
        assert ((rows["low"] <= rho) & (rho <= rows["high"])).sum() >= 88, rho


def test_responses_that_go_together_within_patients_add_little(study: pd.DataFrame) -> None:
    # What docs/how-to/intracranial.md says of the same patients in both counts: 0.03 to 0.10 of the median.
    apart, together = (study[study["copula"] == copula].groupby("rho")["median"].mean() for copula in (0.0, 0.6))
    added = together - apart
    assert added.between(0.0, 0.15).all()
    assert (study["divergences"] == 0).all()


def test_the_documentation_quotes_the_record(study: pd.DataFrame) -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    for (rho, copula), rows in study.groupby(["rho", "copula"]):
        above, below = rows["prob_positive"] > 0.975, rows["prob_positive"] < 0.025
        cells = (
            f"{rho}",
            "correlated" if copula else "independent",
            f"{rows['median'].mean():.2f}",
            ((rows["low"] <= rho) & (rho <= rows["high"])).sum(),
            above.sum(),
            below.sum(),
            ((above | below) & (rows["sd_ratio"] < 0.5)).sum(),
            f"{rows['sd_ratio'].mean():.2f}",
        )
        assert f"| {' | '.join(map(str, cells))} |" in text
    assert (study.loc[study["rho"] == 0, "prob_positive"] < 0.9957).all()


def test_the_posterior_follows_the_truth(study: pd.DataFrame) -> None:
    medians = study[study["copula"] == 0].groupby("rho")["median"].mean()
    assert medians.is_monotonic_increasing
    assert medians[0.0] == pytest.approx(0, abs=0.15)
    assert medians[0.9] - medians[0.0] > 0.4
