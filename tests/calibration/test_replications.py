"""One replication: what it holds, what decides it, and how it treats ties and chains."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from alkbayes.calibration import replications
from alkbayes.calibration.replications import (
    CHAINS,
    KEPT,
    LONGER,
    Drawn,
    Study,
    _rank,
    by_nuts,
    by_quadrature,
    check_study,
    quantities_of,
    replicate_study,
)
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.errors import SamplingError, UsageError
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import build_design
from alkbayes.model.draws import from_prior
from alkbayes.model.profiles import groups_of
from alkbayes.spec.schema import model_path, read_spec
from alkbayes.vocabulary import ALL

LINE = read_spec(model_path("line"))


def study_of(**parts: Any) -> Study:
    given = {"spec": LINE, "scenario": "three-trials", "engine": Engine.QUADRATURE, "seed": 5, "draws": 400}
    return Study(**(given | parts))


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return replicate_study(study_of(), 3)


def test_it_holds_parameters_estimands_and_classical_intervals(record: dict[str, Any]) -> None:
    parameters = ["alpha", "beta_line[pretreated]", "beta_line[mixed]", "tau_trial", "tau_cohort"]
    levels = ["all", "naive", "pretreated", "mixed"]
    pooled = [f"{level} {name}" for level in levels for name in ("these_cohorts", "typical", "mean", "next_cohort")]
    assert list(record["quantities"]) == parameters + pooled
    assert list(record["classical"]) == levels
    for value in record["quantities"].values():
        assert 0 <= value["rank"] <= KEPT
        assert value["low"] < value["mean"] < value["high"]
    # A truth with a rank at neither end lies between the draws.
    assert all(0 <= record["quantities"][name]["truth"] <= 1 for name in pooled)
    assert (record["engine"], record["fallback_reason"]) == ("quadrature", "")


def test_seed_and_number_decide_it(record: dict[str, Any]) -> None:
    assert replicate_study(study_of(), 3) == record
    for other in (replicate_study(study_of(), 4), replicate_study(study_of(seed=6), 3)):
        assert other["quantities"]["alpha"]["truth"] != record["quantities"]["alpha"]["truth"]


def test_the_registry_truth_is_the_rate_of_these_patients(case_of: Callable[[str], Any]) -> None:
    design = case_of("line").design
    true = from_prior(design, rng=np.random.default_rng(1), draws=1)
    groups = {ALL: next(groups_of(design))}
    found = dict(quantities_of(design, true, groups, seed=1))
    p = true["p"][0, 0]
    assert found["all these_cohorts"].item() == pytest.approx((design.n * p).sum() / design.n.sum())


def test_among_ties_the_place_is_drawn() -> None:
    rng, values = np.random.default_rng(1), np.zeros((CHAINS, 200))
    ranks = [_rank(0.0, values, rng) for _ in range(2000)]
    assert (min(ranks), max(ranks)) == (0, KEPT)
    assert np.mean(ranks) == pytest.approx(KEPT / 2, abs=2)  # three standard errors of 0.65
    assert _rank(1.0, values, rng) == KEPT
    assert _rank(-1.0, values, rng) == 0


def test_chains_with_too_few_effective_draws_are_made_longer(case_of: Callable[[str], Any]) -> None:
    asked = []

    def slow(design: Any, settings: SamplerSettings) -> Drawn:
        asked.append(settings.draws)
        found = by_quadrature(design, settings)
        # Each draw twenty times over: a chain that hardly moves.
        draws = {name: np.repeat(values, 20, axis=1)[:, : settings.draws] for name, values in found.draws.items()}
        return Drawn(draws, Engine.NUTS, "", chains=True, divergences=0)

    record = replicate_study(study_of(), 0, sampler=slow)
    assert asked == [200, 200 * LONGER]
    assert record["ess"] < 400 * LONGER / 8


def test_nuts_ranks_the_truth_in_the_posterior_of_the_same_table(spec_of: Callable[..., Any]) -> None:
    # Nothing but an intercept: its posterior is known, and compiled in a moment.
    study = study_of(spec=spec_of(), engine=Engine.NUTS, draws=2000)
    tables = []

    def kept(design: Any, settings: SamplerSettings) -> Drawn:
        tables.append(design)
        return by_nuts(design, settings)

    alpha = replicate_study(study, 3, sampler=kept)["quantities"]["alpha"]
    grid = np.linspace(-8, 8, 20_001)
    responders, n = tables[0].responders.sum(), tables[0].n.sum()
    density = (
        stats.norm.logpdf(grid, 0, 1.5) + responders * np.log(expit(grid)) + (n - responders) * np.log(expit(-grid))
    )
    weights = np.exp(density - density.max())
    mean = np.average(grid, weights=weights)
    sd = np.sqrt(np.average((grid - mean) ** 2, weights=weights))
    # Some 700 effective draws: a standard error of 0.04 SD of the mean, 0.07 SD of a limit.
    assert alpha["mean"] == pytest.approx(mean, abs=0.15 * sd)
    assert alpha["high"] - alpha["low"] == pytest.approx(2 * 1.96 * sd, rel=0.12)
    below = weights[grid < alpha["truth"]].sum() / weights.sum()
    assert alpha["rank"] / KEPT == pytest.approx(below, abs=4 * np.sqrt(below * (1 - below) / KEPT) + 0.01)


def test_where_quadrature_falls_back_nuts_samples(spec_of: Any, table_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replications, "by_nuts", lambda *_, fallback_reason: fallback_reason)
    settings = SamplerSettings(seed=1, chains=2, draws=200, tune=300)
    reason = by_quadrature(build_design(spec_of(), table_of()), settings)
    assert "neither heterogeneity nor exchangeable effects" in str(reason)


def test_a_sampler_that_stops_fails_that_replication_alone() -> None:
    def stops(*_: Any) -> Drawn:
        raise SamplingError("no start")

    assert replicate_study(study_of(), 7, sampler=stops) == {"replication": 7, "failed": "no start"}


def test_classical_intervals_are_those_of_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = []

    def kept(design: Any, settings: SamplerSettings) -> Drawn:
        tables.append(design)
        return by_quadrature(design, settings)

    record = replicate_study(study_of(), 1, sampler=kept)
    expected = pool(tables[0].responders, tables[0].n, method=PoolingMethod.GLMM_ML)
    found = record["classical"]["all"]["glmm-ml"]
    assert (found["estimate"], found["prediction_high"]) == (expected.estimate, expected.prediction_high)


@pytest.mark.parametrize(
    ("parts", "message"), [({"draws": 100}, "^draws: found 100"), ({"seed": -1}, "^seed: found -1")]
)
def test_settings_out_of_range_are_refused(parts: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        study_of(**parts)


def test_a_scenario_that_does_not_go_with_the_model_is_refused_before_anything_is_drawn() -> None:
    with pytest.raises(UsageError, match="beta-binomial"):
        check_study(study_of(spec=read_spec(model_path("beta-binomial")), scenario="tau-one"))
    check_study(study_of(spec=read_spec(model_path("beta-binomial"))))
