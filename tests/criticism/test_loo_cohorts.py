"""Leave-one-cohort-out against refits on a dense grid of the parameters of a one-level model."""

from dataclasses import replace
from typing import Any

import arviz_stats as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import comb, log_expit, logsumexp, roots_hermitenorm

from alkbayes.criticism.integrated_likelihood import log_likelihood_given_others
from alkbayes.criticism.loo_cohorts import by_importance, leave_one_cohort_out, log_mean, with_exact
from alkbayes.criticism.outliers import mid_distribution, outlier_table, two_sided, verdict
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.outcomes import ORR
from alkbayes.inference.fit import fit_model, global_parameters
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import build_design

AS = [(23, 107), (12, 44), (19, 51), (9, 39), (39, 139), (6, 20), (9, 78), (10, 35)]
"""Responders and patients of eight control groups (ankylosing spondylitis; Neuenschwander et al. 2010)."""
EXTREME = [*AS[:7], (190, 200)]
SETTINGS = SamplerSettings(seed=4)


class Grid:
    """mu ~ N(0, 2) and tau ~ half-normal(1) on a grid, each cohort's likelihood summed over Gauss-Hermite nodes."""

    def __init__(self, counts: list[tuple[int, int]], *, fine: int = 120, nodes: int = 121) -> None:
        mu, tau = np.meshgrid(np.linspace(-3, 2, fine), (np.arange(fine) + 0.5) / fine * 3.5, indexing="ij")
        self.mu, self.tau = mu.ravel(), tau.ravel()
        self.log_prior = stats.norm.logpdf(self.mu, 0, 2) + stats.halfnorm.logpdf(self.tau)
        z, share = roots_hermitenorm(nodes)
        self.share = share / share.sum()
        theta = self.mu[:, None] + self.tau[:, None] * z
        self.log_p, self.log_q = log_expit(theta), log_expit(-theta)
        self.log_likelihood = np.array([np.log(self.mass(y, n)) for y, n in counts])

    def mass(self, y: int, n: int) -> np.ndarray:
        """Return the probability of y responders at each point."""
        return comb(n, y) * np.exp(y * self.log_p + (n - y) * self.log_q) @ self.share

    def without(self, cohort: int) -> np.ndarray:
        """Return the posterior without a cohort, a weight for each point."""
        log = self.log_prior + np.delete(self.log_likelihood, cohort, axis=0).sum(axis=0)
        return np.exp(log - logsumexp(log))

    def elpd(self, cohort: int) -> float:
        return float(np.log(self.without(cohort) @ np.exp(self.log_likelihood[cohort])))


@pytest.fixture(scope="module")
def one_level(spec_of: Any, table_of: Any) -> Any:
    """Fits of the one-level model to counts."""

    def make(counts: list[tuple[int, int]]) -> Any:
        spec = spec_of(
            intercept={"prior": {"dist": "normal", "mean": 0.0, "sd": 2.0}},
            heterogeneity=[
                {"column": "cohort_id", "distribution": "normal", "sd_prior": {"dist": "half_normal", "sd": 1.0}}
            ],
        )
        rows = [f"c{place} T{place} naive first {n} {y}" for place, (y, n) in enumerate(counts)]
        return fit_model(spec, table_of("\n".join(rows)), engine=Engine.QUADRATURE, settings=SETTINGS)

    return make


@pytest.fixture(scope="module")
def plain(one_level: Any) -> Any:
    return one_level(AS)


@pytest.fixture(scope="module")
def extreme(one_level: Any) -> Any:
    return one_level(EXTREME)


def test_elpd_is_that_of_refits_on_a_grid(plain: Any) -> None:
    found, grid = leave_one_cohort_out(plain), Grid(AS)
    expected = np.array([grid.elpd(cohort) for cohort in range(len(AS))])
    assert found.refitted == {}
    # Monte Carlo error of 4,000 draws whose weights are worth at least a quarter of them, on the scale of a logarithm.
    np.testing.assert_allclose(found.loo.elpd_i, expected, atol=0.04)
    assert float(found.loo.elpd) == pytest.approx(expected.sum(), abs=0.08)
    assert found.log_weights.shape == (4000, len(AS))
    np.testing.assert_allclose(np.exp(found.log_weights).sum(axis=0), 1.0, rtol=1e-9)


def test_a_cohort_that_weights_cannot_leave_out_is_refitted(extreme: Any) -> None:
    found, grid = leave_one_cohort_out(extreme), Grid(EXTREME)
    assert set(found.refitted) == {7}
    assert found.unreliable == []
    assert found.pareto_k[7] > found.loo.good_k
    assert float(found.loo.pareto_k[7]) == 0.0
    # A density far out in the tail of the predictive distribution: its mean over 4,000 draws has a larger error.
    assert float(found.loo.elpd_i[7]) == pytest.approx(grid.elpd(7), abs=0.25)
    assert float(found.loo.elpd) == pytest.approx(float(found.loo.elpd_i.sum()))
    table = outlier_table(extreme, found)
    assert table.loc[0, "cohort_id"] == "c7"
    assert table.loc[0, "refitted"]
    assert table.loc[0, "outlying"]


def test_the_predictive_distribution_is_that_on_a_grid(plain: Any) -> None:
    table = outlier_table(plain, leave_one_cohort_out(plain)).set_index("cohort_id")
    grid = Grid(AS, fine=60, nodes=31)
    for cohort, (y, n) in enumerate(AS):
        weights = grid.without(cohort)
        mass = np.array([weights @ grid.mass(k, n) for k in range(n + 1)])
        cdf, mid = np.cumsum(mass), mass[:y].sum() + mass[y] / 2
        row = table.loc[f"c{cohort}"]
        # Four to five Monte Carlo errors of 4,000 weighted draws.
        assert row["p"] == pytest.approx(2 * min(mid, 1 - mid), abs=5 * row["p_mcse"] + 1e-3)
        assert row["p_mcse"] < 0.02
        for name, prob in (("low", 0.025), ("median", 0.5), ("high", 0.975)):
            # Where the grid's distribution function reaches a probability that is a little less, and a little more.
            low, high = np.searchsorted(cdf, [prob - 0.012, prob + 0.012]) / n
            assert low <= row[name] <= high
        assert row["observed"] == y / n


def test_exact_values_stand_in_the_place_of_weighted_ones(plain: Any) -> None:
    pointwise = log_likelihood_given_others(plain.design, plain.draws, [np.array([i]) for i in range(len(AS))])
    found = by_importance(plain, pointwise)
    posterior = global_parameters(plain.tree["posterior"].to_dataset())
    values = xr.DataArray(pointwise, dims=("chain", "draw", "cohort"))
    tree = xr.DataTree.from_dict({"posterior": posterior, "log_likelihood": xr.Dataset({"y": values})})
    theirs = az.loo(tree, pointwise=True)
    assert (found.elpd, found.se, found.p) == (theirs.elpd, theirs.se, theirs.p)
    lppd = np.array([log_mean(pointwise[..., cohort]) for cohort in range(len(AS))])
    # With ArviZ's own values for exact ones, nothing changes.
    same = with_exact(found, {2: float(theirs.elpd_i[2])}, lppd=lppd)
    assert (same.elpd, same.se, same.p) == pytest.approx((theirs.elpd, theirs.se, theirs.p), rel=1e-9)
    changed = with_exact(found, {2: float(theirs.elpd_i[2]) - 3.0}, lppd=lppd)
    assert changed.elpd == pytest.approx(theirs.elpd - 3.0)
    assert changed.p == pytest.approx(theirs.p + 3.0)


@pytest.mark.slow
def test_a_fit_by_chains_gives_the_same(spec_of: Any, table_of: Any, plain: Any) -> None:
    fit = fit_model(plain.spec, plain.evidence, settings=SamplerSettings(seed=4, draws=1000))
    found = leave_one_cohort_out(fit)
    grid = Grid(AS)
    np.testing.assert_allclose(found.loo.elpd_i, [grid.elpd(cohort) for cohort in range(len(AS))], atol=0.08)


def test_mid_distributions_are_scipys() -> None:
    rates = np.random.default_rng(1).beta(2, 3, (50, 4))
    for y, n in ((0, 12), (12, 12), (7, 30), (150, 300), (2990, 3000)):
        expected = (stats.binom.cdf(y - 1, n, rates) + stats.binom.cdf(y, n, rates)).mean(axis=1) / 2
        np.testing.assert_allclose(mid_distribution(y, n, rates), expected, atol=1e-4)
    assert two_sided(0.5) == 1.0
    assert [two_sided(0.01), two_sided(0.99)] == pytest.approx([0.02, 0.02])


def test_the_verdict_names_who_does_not_fit_and_nobody_else(plain: Any, extreme: Any) -> None:
    (alone,) = verdict(outlier_table(plain, leave_one_cohort_out(plain)), model="m", outcome=ORR)
    assert alone.startswith("No cohort is at odds with m")
    assert "0.4 are expected by chance" in alone
    first, told, advice = verdict(outlier_table(extreme, leave_one_cohort_out(extreme)), model="m", outcome=ORR)
    assert first.startswith("1 of 8 cohorts does not fit m (false discovery rate 5 %)")
    assert told.startswith("c7: 190 of 200 responded, 95.0 %; the others predict ")
    assert "swapped" not in told, "10 of 200 would not fit either"
    assert advice.startswith("Look at the counts in their sources first")


def test_two_cohorts_are_enough_and_one_is_not(one_level: Any) -> None:
    found = leave_one_cohort_out(one_level(AS[:2]))
    grid = Grid(AS[:2])
    np.testing.assert_allclose(found.loo.elpd_i, [grid.elpd(cohort) for cohort in range(2)], atol=0.1)
    with pytest.raises(EvidenceError, match="nothing is left to fit"):
        leave_one_cohort_out(one_level(AS[:1]))


def test_a_model_that_is_not_covered_is_refused(spec_of: Any, table_of: Any, plain: Any) -> None:
    with pytest.raises(UsageError, match="neither heterogeneity nor exchangeable effects"):
        leave_one_cohort_out(replace(plain, evidence=table_of(), design=build_design(spec_of(), table_of())))
