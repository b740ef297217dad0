"""The engine without chains: published posteriors, dense-grid oracles, edges, fallback."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from alkbayes.inference.convergence import Thresholds
from alkbayes.inference.importance import engine as quadrature
from alkbayes.inference.importance import proposals
from alkbayes.inference.importance.engine import LEAST_WEIGHTED, Fallback, Integrated, integrate
from alkbayes.inference.importance.proposals import approximate, weigh
from alkbayes.inference.importance.target import USUAL, Target
from alkbayes.inference.importance.weights import Component
from alkbayes.inference.settings import SamplerSettings
from alkbayes.likelihood.binomial_normal.marginal import Nodes, log_marginal
from alkbayes.model.densities import log_likelihood
from alkbayes.model.design import Design, build_design

AS = ((23, 107), (12, 44), (19, 51), (9, 39), (39, 139), (6, 20), (9, 78), (10, 35))
"""Historical controls of RBesT's data set AS."""
HALF_NORMAL_1 = {"dist": "half_normal", "sd": 1.0}
COHORTS_DIFFER = [{"column": "cohort_id", "distribution": "normal", "sd_prior": HALF_NORMAL_1}]
SMALL = SamplerSettings(seed=5, chains=4, draws=250)


@pytest.fixture(scope="module")
def one_level(spec_of: Any, table_of: Any) -> Callable[..., Design]:
    """Maker of mu ~ N(0, 2), tau ~ half-normal(1), one level, no covariates, over counts."""

    def make(counts: Any) -> Design:
        spec = spec_of(intercept={"prior": {"dist": "normal", "mean": 0.0, "sd": 2.0}}, heterogeneity=COHORTS_DIFFER)
        return build_design(
            spec, table_of("\n".join(f"c{i} T{i} naive first {n} {y}" for i, (y, n) in enumerate(counts)))
        )

    return make


class Weighted:
    """Self-normalised estimates from many weighted draws of (mu, tau)."""

    def __init__(self, design: Design, count: int) -> None:
        rng = np.random.default_rng(3)
        approximation, proposal = approximate(Target(design), rng)
        found = weigh(approximation, proposal, rng, count)
        self.mu, self.tau, self.weights = found.b[:, 0], found.psi[:, 0], np.exp(found.log_weights)
        self.pareto_k = found.pareto_k

    def moments(self, values: np.ndarray) -> tuple[float, float]:
        mean = float(self.weights @ values)
        return mean, float(np.sqrt(self.weights @ (values - mean) ** 2))

    def error(self, values: np.ndarray) -> float:
        """Return the Monte Carlo standard error of a mean."""
        return float(np.sqrt(self.weights**2 @ (values - self.weights @ values) ** 2))

    def quantiles(self, values: np.ndarray) -> list[float]:
        order = np.argsort(values)
        below = np.cumsum(self.weights[order])
        return [float(values[order][np.searchsorted(below, prob)]) for prob in (0.025, 0.5, 0.975)]


@pytest.mark.slow
def test_ankylosing_spondylitis(one_level: Any) -> None:
    """Exact values of the project's issue 3. The lower end of tau's interval is 0.044, which it prints as 0.04."""
    got = Weighted(one_level(AS), 800_000)
    assert got.pareto_k < 0.5
    assert got.error(got.mu) < 5e-4
    assert got.error(got.tau) < 5e-4
    assert got.moments(got.mu) == pytest.approx((-1.104, 0.189), abs=1e-3)
    assert got.moments(got.tau) == pytest.approx((0.380, 0.211), abs=1e-3)
    lower, middle, upper = got.quantiles(got.tau)
    assert lower == pytest.approx(0.044, abs=1e-3)
    # The upper one has a Monte Carlo error of 0.0015: the density there is low.
    assert middle == pytest.approx(0.353, abs=1.5e-3)
    assert upper == pytest.approx(0.875, abs=5e-3)
    assert got.quantiles(expit(got.mu)) == pytest.approx([0.185, 0.249, 0.328], abs=1e-3)
    following = expit(got.mu + got.tau * np.random.default_rng(2).standard_normal(got.mu.size))
    assert got.moments(following) == pytest.approx((0.258, 0.087), abs=1e-3)
    assert got.quantiles(following) == pytest.approx([0.111, 0.249, 0.471], abs=3e-3)


def grid_oracle(counts: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mu, tau and their posterior weights on a dense grid.

    The likelihood is the kernel's, which tests/likelihood/binomial_normal/test_marginal.py holds against dense
    integration.
    """
    mu, tau = np.linspace(-12, 12, 241), (np.arange(200) + 0.5) * 0.035
    y, n = np.array(counts, dtype=float).T
    phi = np.array(np.meshgrid(mu, tau, indexing="ij")).reshape(2, -1)
    log = log_marginal(y, n, eta=np.repeat(phi[0][:, None], len(n), axis=1), tau_cohort=phi[1])
    log += stats.norm.logpdf(phi[0], 0, 2) + stats.halfnorm.logpdf(phi[1])
    weight = np.exp(log - log.max()).reshape(len(mu), len(tau))
    return mu, tau, weight / weight.sum()


EDGES = {
    "none of all": ((0, 12), (0, 40), (0, 3), (0, 25)),
    "all of all": ((12, 12), (40, 40), (3, 3)),
    "one cohort": ((7, 20),),
    "one cohort, none": ((0, 1),),
    "none and all": ((0, 30), (30, 30), (0, 25), (25, 25), (4, 9)),
    "far apart": ((1, 400), (399, 400), (200, 400)),
}


@pytest.mark.parametrize("name", EDGES)
def test_edges_against_a_dense_grid(name: str, one_level: Any) -> None:
    counts = EDGES[name]
    found = integrate(one_level(counts), SamplerSettings(seed=3))
    assert isinstance(found, Integrated), found
    mu, tau, weight = grid_oracle(counts)
    draws = {"alpha": found.draws["alpha"].ravel(), "tau_cohort": found.draws["tau_cohort"].ravel()}
    size = 4000 - 2 * found.weights.duplicates
    for values, grid, share in (
        (draws["alpha"], mu, weight.sum(axis=1)),
        (draws["tau_cohort"], tau, weight.sum(axis=0)),
    ):
        mean = float(share @ grid)
        sd = float(np.sqrt(share @ (grid - mean) ** 2))
        assert values.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(size) + 0.002)
        assert values.std() == pytest.approx(sd, rel=0.08)
        step = grid[1] - grid[0]
        cdf = np.append(0, np.cumsum(share))
        edges = np.append(grid - step / 2, grid[-1] + step / 2)
        for prob in (0.025, 0.25, 0.75, 0.975):
            below = (values < np.interp(prob, cdf, edges)).mean()
            assert below == pytest.approx(prob, abs=4 * np.sqrt(prob * (1 - prob) / size) + 0.002)


def test_a_cohort_of_ten_million_is_known(one_level: Any) -> None:
    found = integrate(one_level([(6_000_000, 10_000_000), (3, 9), (5, 9)]), SMALL)
    assert isinstance(found, Integrated), found
    theta = found.draws["theta"][..., 0].ravel()
    assert theta.mean() == pytest.approx(np.log(1.5), abs=1e-4)
    assert theta.std() == pytest.approx(1 / np.sqrt(1e7 * 0.24), rel=0.1)


MODELS = ("no-heterogeneity", "group-only", "cohort-only", "half-student-t", "exponential", "student-t-locations")
OTHERS = ("beta-binomial-alone", "beta-binomial-trials", "interaction", "line-generation")
SLOW = ("student-t-group", "cloglog")


@pytest.mark.parametrize("name", [*MODELS, *OTHERS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_scores_have_mean_zero(name: str, case_of: Any) -> None:
    """Stein's identity: a posterior's score by any real parameter has mean zero, here by everything that is linear."""
    case = case_of(name)
    design = case.design
    found = integrate(design, SamplerSettings(seed=2))
    assert isinstance(found, Integrated), found
    draws = {key: values.reshape(4000, *values.shape[2:]) for key, values in found.draws.items()}
    up, down = (log_likelihood(design, draws | {"theta": draws["theta"] + step})[None] for step in (1e-5, -1e-5))
    residual = ((up - down) / 2e-5)[0]
    _, cluster = np.unique(found.stats["proposal"].ravel(), return_inverse=True)

    def check(score: np.ndarray) -> None:
        sums = np.array([np.bincount(cluster, weights=column) for column in score.T])
        error = np.sqrt((sums**2).sum(axis=1)) / 4000
        assert (np.abs(score.mean(axis=0)) < 4.5 * error).all()

    for term in design.heterogeneity:
        units = np.eye(len(term.units))[term.index]
        z, prior = draws[f"z_{term.label}"], term.unit_prior
        pull = z if prior.dist == "normal" else (prior.nu + 1) * z / (prior.nu + z**2)
        check(draws[f"tau_{term.label}"][:, None] * (residual @ units) - pull)
    prior = design.intercept_prior
    if prior.dist == "normal":
        check((residual.sum(axis=1) - (draws["alpha"] - prior.mean) / prior.sd**2)[:, None])
    for block in design.effects:
        pull = residual @ block.basis[block.index]
        if block.sd_prior is not None:
            check(draws[f"sd_{block.slug}"][:, None] * pull - draws[f"raw_{block.slug}"])
        elif block.prior.dist == "normal":
            check(pull - (draws[f"beta_{block.slug}"] - block.prior.mean) / block.prior.sd**2)


def test_trials_of_one_cohort_and_one_trial_alone(spec_of: Any, table_of: Any) -> None:
    differ = [
        {"column": column, "distribution": "normal", "sd_prior": HALF_NORMAL_1} for column in ("trial", "cohort_id")
    ]
    spec = spec_of(heterogeneity=differ)
    three = "a A naive first 20 9\nb A naive first 9 3\nc A naive first 30 30"
    # One cohort has one deviation; its parts are not separable.
    for rows, deviation in (("a A naive first 20 9", "z_total"), (three, "z_trial")):
        design = build_design(spec, table_of(rows))
        found = integrate(design, SMALL)
        assert isinstance(found, Integrated), found
        assert found.draws[deviation].shape == (4, 250, 1)
        assert found.weights.pareto_k < 0.7


def test_the_seed_decides_every_draw(case_of: Any) -> None:
    design = case_of("interaction").design
    one, again, other = (integrate(design, replace(SMALL, seed=seed)) for seed in (1, 1, 2))
    for name, values in one.draws.items():
        np.testing.assert_array_equal(values, again.draws[name])
        assert (values != other.draws[name]).all()
    for name, values in one.stats.items():
        np.testing.assert_array_equal(values, again.stats[name])


def test_what_it_returns(case_of: Any) -> None:
    case = case_of("line-generation")
    found = integrate(case.design, SMALL)
    assert {name: values.shape for name, values in found.stats.items()} == dict.fromkeys(
        ("lp", "log_weight", "proposal"), (4, 250)
    )
    assert found.draws["theta"].shape == (4, 250, 66)
    weights = found.weights
    assert weights.weighted == LEAST_WEIGHTED
    assert weights.rounds == weights.components == 1
    assert weights.duplicates == 1000 - len(np.unique(found.stats["proposal"]))
    # A proposal is repeated as often as its weight says, up to one.
    proposal, count = np.unique(found.stats["proposal"], return_counts=True)
    weight = dict(zip(found.stats["proposal"].ravel(), np.exp(found.stats["log_weight"]).ravel(), strict=True))
    expected = np.array([weight[each] for each in proposal]) * 1000 / weights.weighted
    assert (np.abs(count - expected) < 1).all()
    target = Target(case.design)
    psi = np.stack([found.draws[item.name].ravel() for item in target.scales], axis=1)
    b = np.concatenate([found.draws[item.name].reshape(1000, -1) for item in target.coefficients], axis=1)
    np.testing.assert_allclose(target.log_density(psi, b), found.stats["lp"].ravel(), atol=1e-6)


def test_chains_are_a_random_split(case_of: Any) -> None:
    found = integrate(case_of("cohort-only").design, SMALL)
    assert np.abs(np.diff(np.sort(found.stats["proposal"][0]))).max() > 1
    assert stats.spearmanr(found.stats["proposal"].ravel(), np.arange(1000)).pvalue > 1e-3


def narrow(target: Target, rng: np.random.Generator) -> Any:
    """Return a proposal that misses most of the posterior."""
    approximation, proposal = approximate(target, rng)
    d = len(target.scales)
    beside = Component(1.0, np.full(d, 0.9), 0.01 * np.eye(d), 6.0, folded=True)
    return approximation, replace(proposal, scales=(beside,))


@pytest.fixture(scope="module")
def good(case_of: Any) -> Integrated:
    found = integrate(case_of("overall").design, SamplerSettings(seed=4))
    assert isinstance(found, Integrated)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("trials", [proposals.TRIALS, ()])
def test_a_proposal_that_misses_the_posterior_is_refitted(
    trials: tuple[int, ...], good: Integrated, case_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the trial rounds; and where there are none, after the first round with all draws."""
    design = case_of("overall").design
    monkeypatch.setattr(quadrature, "approximate", beside_it)
    monkeypatch.setattr(proposals, "TRIALS", trials)
    found = integrate(design, SamplerSettings(seed=4))
    assert isinstance(found, Integrated), found
    assert (found.weights.rounds == 1) == bool(trials)
    assert found.weights.pareto_k < 0.5
    for name in ("alpha", "tau_trial", "tau_cohort"):
        one, other = found.draws[name].ravel(), good.draws[name].ravel()
        assert one.mean() == pytest.approx(other.mean(), abs=4 * other.std() * np.sqrt(2 / 2000))


def beside_it(target: Target, rng: np.random.Generator) -> Any:
    """Return a proposal beside the posterior, whose tails reach it."""
    approximation, proposal = approximate(target, rng)
    d = len(target.scales)
    beside = Component(1.0, np.full(d, 1.2), 0.15 * np.eye(d), 6.0, folded=True)
    return approximation, replace(proposal, scales=(beside,))


def missing_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine start from a proposal that misses most of the posterior, and never refit it."""
    monkeypatch.setattr(quadrature, "approximate", narrow)
    monkeypatch.setattr(proposals, "MIXTURES", ())
    monkeypatch.setattr(proposals, "TRIALS", ())


@pytest.mark.slow
def test_a_proposal_that_misses_most_is_replaced_by_a_broad_one(
    good: Integrated, case_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = case_of("overall").design
    missing_most(monkeypatch)
    found = integrate(design, SamplerSettings(seed=4))
    assert isinstance(found, Integrated), found
    assert found.weights.rounds == 2
    assert found.weights.thin_share <= Thresholds().thin_max
    for name in ("alpha", "tau_trial", "tau_cohort"):
        one, other = found.draws[name].ravel(), good.draws[name].ravel()
        # Four errors of a difference of means of 4,000 draws, which are worth half as many.
        assert one.mean() == pytest.approx(other.mean(), abs=4 * other.std() * np.sqrt(2 / 2000))


def test_weights_that_stay_bad_fall_back(case_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    missing_most(monkeypatch)

    def no_better(approximation: Any, _: Any, rng: np.random.Generator, *, count: int) -> Any:
        return [weigh(*narrow(approximation.target, rng), rng, count)]

    monkeypatch.setattr(quadrature, "sample_broadly", no_better)
    found = integrate(case_of("cohort-only").design, SMALL)
    assert isinstance(found, Fallback)
    assert found.reason.startswith("after 2 proposals Pareto k is ")
    assert "above 0.7" in found.reason


def test_what_is_covered_too_thinly_falls_back(case_of: Any) -> None:
    found = integrate(case_of("cohort-only").design, SMALL, limits=Thresholds(thin_max=-1.0))
    assert isinstance(found, Fallback)
    assert "of the posterior, more than -100 %, is beyond 10 times the proposal's density" in found.reason


def test_too_few_effective_draws_fall_back(case_of: Any) -> None:
    found = integrate(case_of("cohort-only").design, SMALL, limits=Thresholds(ess_min=1e9))
    assert isinstance(found, Fallback)
    assert "the importance ESS is" in found.reason
    assert "of 2,000 weighted draws" in found.reason


def test_what_cannot_be_factorised_falls_back(case_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise np.linalg.LinAlgError("Matrix is not positive definite")

    monkeypatch.setattr(quadrature, "approximate", broken)
    found = integrate(case_of("overall").design, SMALL)
    assert found == Fallback("no proposal could be fitted to the posterior (Matrix is not positive definite)")


def test_a_model_that_is_not_covered_falls_back_by_name(case_of: Any) -> None:
    design = replace(case_of("group-only").design, group=None)
    found = integrate(design, SMALL)
    assert found == Fallback(
        "the model has neither heterogeneity nor exchangeable effects, which the quadrature engine does not cover"
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_seeds_differ_in_their_noise_alone(seed: int, case_of: Any) -> None:
    found = integrate(case_of("interaction").design, SamplerSettings(seed=seed))
    assert isinstance(found, Integrated), found
    assert found.weights.pareto_k < 0.7
    assert found.weights.ess > 1000


def test_integrals_that_are_not_exact_enough_fall_back(case_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    design = case_of("interaction").design
    settings = SamplerSettings(seed=1, chains=2, draws=300)
    exact = integrate(design, settings)
    assert isinstance(exact, Integrated)
    assert exact.weights.quadrature_error < 1e-5
    monkeypatch.setattr(quadrature, "MOST_ERROR", exact.weights.quadrature_error / 2)
    found = integrate(design, settings)
    assert isinstance(found, Fallback)
    assert "the integrals over the deviations are off by" in found.reason


def test_few_nodes_show_as_a_quadrature_error(case_of: Any) -> None:
    target = Target(case_of("interaction").design)
    rng = np.random.default_rng(3)
    approximation, proposal = approximate(target, rng)
    coarse = weigh(approximation, proposal, rng, 200, fineness=USUAL._replace(nodes=Nodes(outer=2, inner=2)))
    fine = weigh(approximation, proposal, rng, 200)
    chosen = np.arange(50)
    assert quadrature.quadrature_error(target, coarse, chosen) > 0.01
    assert quadrature.quadrature_error(target, fine, chosen) < 1e-3


def test_fewer_nodes_are_taken_where_log_l_does_not_mind(case_of: Any) -> None:
    """It does not where the deviations are small, and does where they are wide."""
    target = Target(case_of("overall").design)
    rng = np.random.default_rng(3)
    found = weigh(*approximate(target, rng), rng, 200)
    chosen = np.argsort(-found.log_weights)[:50]
    assert proposals.enough(target, replace(found, psi=found.psi / 20), chosen) == proposals.FEWER_NODES
    assert proposals.enough(target, replace(found, psi=20 * found.psi), chosen) == USUAL
    assert proposals.enough(target, replace(found, psi=np.nan * found.psi), chosen) == USUAL


def test_what_saves_time_with_many_cohorts_changes_no_result(case_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    design, settings = case_of("interaction").design, SamplerSettings(seed=4)
    usual = integrate(design, settings)
    monkeypatch.setattr(proposals, "MANY", 1)
    monkeypatch.setattr(proposals, "NEGLIGIBLE", 1.0)
    frugal = integrate(design, settings)
    assert isinstance(usual, Integrated)
    assert isinstance(frugal, Integrated)
    # The trial draws differ in number, so that all draws do: means agree to four Monte Carlo errors.
    for name in ("alpha", "tau_trial", "tau_cohort"):
        one, other = usual.draws[name].ravel(), frugal.draws[name].ravel()
        assert not np.array_equal(one, other)
        assert one.mean() == pytest.approx(other.mean(), abs=4 * one.std() * np.sqrt(2 / 2000))


def test_deviations_that_cannot_be_drawn_fall_back(case_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ArithmeticError("not log-concave")

    monkeypatch.setattr(Target, "draw_deviations", fail)
    found = integrate(case_of("interaction").design, SamplerSettings(seed=1, chains=2, draws=300))
    assert isinstance(found, Fallback)
    assert found.reason == "deviations could not be drawn exactly (not log-concave)"


def test_a_round_that_passes_the_gate_is_kept_before_a_larger_one_that_does_not(case_of: Any) -> None:
    target = Target(case_of("interaction").design)
    rng = np.random.default_rng(3)
    found = weigh(*approximate(target, rng), rng, 100)
    usable, bad = replace(found, pareto_k=0.65, ess=1000.0), replace(found, pareto_k=0.75, ess=1200.0)
    assert proposals.best_of([bad, usable]) is usable
    assert proposals.best_of([bad]) is bad
    good = replace(found, pareto_k=0.4, ess=500.0)
    assert proposals.best_of([bad, usable, good]) is good
