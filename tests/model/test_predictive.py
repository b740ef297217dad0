"""Replicated tables, the cohorts' own rates and the cohort to come, against known distributions."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from alkbayes.model.draws import from_prior
from alkbayes.model.expected_rate import expected_rate
from alkbayes.model.predictive import (
    NEXT_COHORTS_PER_DRAW,
    Heterogeneity,
    cohort_rates,
    heterogeneity_of,
    new_cohorts,
    replicate,
)
from alkbayes.spec.priors import Normal, StudentT

NORMAL = Normal(dist="normal", mean=0.0, sd=1.0)
STUDENT = StudentT(dist="student_t", nu=3.0, mean=0.0, sd=1.0)
DRAWS = 4000


def next_cohort(predictors: Any, weights: Any, heterogeneity: Heterogeneity, *, rng: np.random.Generator) -> Any:
    return new_cohorts(heterogeneity, len(predictors), rng=rng).rates(predictors, weights, rng=rng)


def constant(*taus: float, priors: Any = (NORMAL, NORMAL), rho: float | None = None) -> Heterogeneity:
    return Heterogeneity(
        tuple(np.full(DRAWS, tau) for tau in taus),
        tuple(priors[: len(taus)]),
        None if rho is None else np.full(DRAWS, rho),
    )


@pytest.mark.parametrize("priors", [(NORMAL, NORMAL), (STUDENT, NORMAL)])
def test_next_cohort_has_the_distribution_of_the_model(priors: Any) -> None:
    rng = np.random.default_rng(3)
    found = logit(next_cohort(np.full((DRAWS, 1), 0.4), np.ones(1), constant(0.8, 0.6, priors=priors), rng=rng))
    assert found.shape == (DRAWS, NEXT_COHORTS_PER_DRAW)
    other = np.random.default_rng(4)
    deviations = [
        other.standard_t(3.0, 200_000) if prior is STUDENT else other.normal(size=200_000) for prior in priors
    ]
    reference = 0.4 + 0.8 * deviations[0] + 0.6 * deviations[1]
    # One cohort of each draw: those of a draw are stratified, so not independent of each other.
    assert stats.ks_2samp(found[:, 0], reference).pvalue > 0.001


def test_next_cohorts_of_one_draw_cover_the_distribution() -> None:
    found = next_cohort(np.zeros((DRAWS, 1)), np.ones(1), constant(1.0), rng=np.random.default_rng(1))
    strata = np.floor(stats.norm.cdf(logit(found)) * NEXT_COHORTS_PER_DRAW).astype(int)
    np.testing.assert_array_equal(np.sort(strata, axis=1), np.tile(np.arange(NEXT_COHORTS_PER_DRAW), (DRAWS, 1)))
    # In random order: the strata of profile, trial and cohort must not go together.
    assert abs(strata[:, 0].mean() - (NEXT_COHORTS_PER_DRAW - 1) / 2) < 0.4


def test_profile_and_deviations_are_drawn_independently() -> None:
    logits = np.tile([-3.0, 3.0], (DRAWS, 1))
    found = logit(next_cohort(logits, np.array([0.5, 0.5]), constant(0.7, 0.7), rng=np.random.default_rng(1))).ravel()
    low, high = found[found < 0] + 3, found[found > 0] - 3
    assert low.mean() == pytest.approx(high.mean(), abs=0.03)
    assert low.std() == pytest.approx(np.sqrt(0.98), abs=0.02)


def test_profiles_come_with_their_weights() -> None:
    weights = np.array([0.2, 0.0, 0.5, 0.3])
    logits = np.tile([-2.0, 50.0, 0.0, 2.0], (DRAWS, 1))
    found = next_cohort(logits, weights, Heterogeneity((), (), None), rng=np.random.default_rng(1))
    share = [(np.isclose(found, expit(value))).mean() for value in (-2.0, 50.0, 0.0, 2.0)]
    np.testing.assert_allclose(share, weights, atol=0.005)


def test_weights_that_round_below_one_never_fall_off_the_end() -> None:
    weights = np.full(10, 0.1) * (1 - 1e-9)

    class Last(np.random.Generator):
        def uniform(self, *_: Any, size: Any) -> Any:
            return np.full(size, np.nextafter(1.0, 0.0))

    rng = Last(np.random.PCG64(1))
    found = next_cohort(np.tile(np.arange(10.0), (3, 1)), weights, Heterogeneity((), (), None), rng=rng)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("rho", [None, 0.1])
def test_mean_of_next_cohort_is_the_mean_by_quadrature(rho: float | None) -> None:
    rng = np.random.default_rng(9)
    logits = rng.normal(0.5, 0.3, (DRAWS, 1))
    heterogeneity = Heterogeneity(
        (rng.gamma(4, 0.2, DRAWS), rng.gamma(4, 0.1, DRAWS)),
        (STUDENT, NORMAL),
        None if rho is None else np.full(DRAWS, rho),
    )
    each = (
        next_cohort(logits, np.ones(1), heterogeneity, rng=rng).mean(axis=1)
        - expected_rate(logits, heterogeneity)[:, 0]
    )
    assert each.mean() == pytest.approx(0.0, abs=4 * each.std() / np.sqrt(DRAWS))
    assert each.std() / np.sqrt(DRAWS) < 1e-3


def test_a_beta_binomial_cohort_to_come_varies_about_its_mean() -> None:
    found = next_cohort(np.full((DRAWS, 1), logit(0.7)), np.ones(1), constant(rho=0.05), rng=np.random.default_rng(2))
    assert stats.kstest(found.ravel(), stats.beta(0.7 * 19, 0.3 * 19).cdf).pvalue > 0.001


@pytest.mark.parametrize("name", ["line-generation", "beta-binomial"])
def test_replicates_have_the_declared_mean_and_variance(name: str, case_of: Any) -> None:
    design = case_of(name).design
    count = 20_000
    draws = {"p": np.full((1, count, len(design.cohorts)), 0.3), "rho": np.full((1, count), 0.08)}
    found = replicate(design, draws, rng=np.random.default_rng(1))[0]
    assert found.dtype == np.int64
    assert (found >= 0).all()
    assert (found <= design.n).all()
    inflation = 1 + (design.n - 1) * 0.08 if design.rho_prior is not None else 1.0
    score = (found.mean(axis=0) - 0.3 * design.n) / np.sqrt(0.21 * design.n * inflation / count)
    assert abs(score).max() < 5
    np.testing.assert_allclose(found.var(axis=0), 0.21 * design.n * inflation, rtol=0.07)


def test_replicates_of_the_prior_reach_everywhere(case_of: Any) -> None:
    design = case_of("line-generation").design
    draws = from_prior(design, rng=np.random.default_rng(1), draws=500)
    found = replicate(design, draws, rng=np.random.default_rng(2))[0] / design.n
    assert found.min() < 0.05
    assert found.max() > 0.95


def test_own_rates_of_a_binomial_model_are_p(case_of: Any) -> None:
    design = case_of("line").design
    draws = from_prior(design, rng=np.random.default_rng(1), draws=3)
    assert cohort_rates(design, draws, rng=np.random.default_rng(1)) is draws["p"]


def test_own_rates_of_a_beta_binomial_model_know_their_responders(case_of: Any) -> None:
    design = case_of("beta-binomial-trials").design
    count = 4000
    draws = {"p": np.full((count, len(design.cohorts)), 0.4), "rho": np.full(count, 0.2)}
    found = cohort_rates(design, draws, rng=np.random.default_rng(1))
    for cohort in range(len(design.cohorts)):
        y, n = design.responders[cohort], design.n[cohort]
        # Beta(0.4 * 4, 0.6 * 4) updated by the cohort's own patients.
        assert stats.kstest(found[:, cohort], stats.beta(1.6 + y, 2.4 + n - y).cdf).pvalue > 1e-4


def test_heterogeneity_is_the_designs(case_of: Any) -> None:
    case = case_of("robust")
    draws = from_prior(case.design, rng=np.random.default_rng(1), draws=7)
    found = heterogeneity_of(case.design, draws)
    assert [prior.dist for prior in found.priors] == ["normal", "student_t"]
    np.testing.assert_array_equal(found.taus[1], draws["tau_cohort"][0])
    assert found.rho is None
