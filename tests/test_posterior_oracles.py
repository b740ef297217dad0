"""Posteriors against integrals that sample nothing.

The oracle integrates each cohort's deviation on a dense grid, then each trial's, and lays the rest out on a grid of the
global parameters. A sampled number may be off by four of its own Monte Carlo standard errors, from ArviZ; the seeds are
fixed.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import arviz_stats as az
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import cumulative_simpson, simpson
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import expit, log_expit, logit

from alkbayes.estimates.rates import cohort_table, contrast_table, heterogeneity_table, pooled_table, posterior_of
from alkbayes.inference.fit import Fit, fit_model

REFERENCE = Path(__file__).parent / "reference"
STANDARD_ERRORS = 4
PROBS = (0.025, 0.5, 0.975)
UNIT = np.linspace(-8.4, 8.4, 121)
UNIT_WEIGHTS = stats.norm.pdf(UNIT) * (UNIT[1] - UNIT[0])
LOGITS = np.linspace(-14.0, 14.0, 281)


@dataclass(frozen=True)
class Marginal:
    """A density on a grid."""

    grid: np.ndarray
    density: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "density", self.density / simpson(self.density, x=self.grid))

    @property
    def mean(self) -> float:
        return float(simpson(self.grid * self.density, x=self.grid))

    @property
    def sd(self) -> float:
        return float(np.sqrt(simpson((self.grid - self.mean) ** 2 * self.density, x=self.grid)))

    def quantile(self, prob: float) -> float:
        cumulated = CubicSpline(self.grid, cumulative_simpson(self.density, x=self.grid, initial=0.0))
        return float(brentq(lambda x: cumulated(x) - prob, self.grid[0], self.grid[-1]))


def cohort_likelihood(y: int, n: int, tau: float, rho: float | None = None) -> np.ndarray:
    """Probability of y given the logit that the cohort's deviation is about, at LOGITS."""
    if rho is not None:
        size = 1 / rho - 1
        return stats.betabinom.pmf(y, n, expit(LOGITS) * size, expit(-LOGITS) * size)
    theta = LOGITS[:, None] + tau * UNIT
    # The log first: at large tau, expit(theta) rounds to 1. The binomial coefficient is a constant.
    return np.exp(y * log_expit(theta) + (n - y) * log_expit(-theta)) @ UNIT_WEIGHTS


@dataclass(frozen=True)
class Oracle:
    """Weights of mu, tau of the trials, and tau of the cohorts (or rho), on a grid of the three."""

    mu: np.ndarray
    trial: np.ndarray
    inner: np.ndarray
    weight: np.ndarray

    def marginal(self, name: str) -> Marginal:
        weight = self.weight
        over_inner = simpson(weight, x=self.inner, axis=2) if len(self.inner) > 1 else weight[:, :, 0]
        if name == "mu":
            return Marginal(
                self.mu, simpson(over_inner, x=self.trial, axis=1) if len(self.trial) > 1 else over_inner[:, 0]
            )
        over_mu = simpson(weight, x=self.mu, axis=0)
        if name == "trial":
            return Marginal(
                self.trial, simpson(over_mu, x=self.inner, axis=1) if len(self.inner) > 1 else over_mu[:, 0]
            )
        return Marginal(self.inner, simpson(over_mu, x=self.trial, axis=0) if len(self.trial) > 1 else over_mu[0])

    def logit_of_next_cohort(self) -> Marginal:
        """Of a binomial model."""
        grid = np.linspace(-9, 9, 721)
        # Where both taus are near 0 the deviation is narrower than the grid of mu: distribution functions are mixed.
        sd = np.sqrt(self.trial[:, None] ** 2 + self.inner[None, :] ** 2)
        cell = self.weight * trapezoid(self.mu)[:, None, None] * trapezoid(self.trial)[:, None] * trapezoid(self.inner)
        below = np.zeros_like(grid)
        for mu, share in zip(self.mu.tolist(), cell / cell.sum(), strict=True):
            used = share > 1e-12
            if used.any():
                below += stats.norm.cdf((grid[:, None] - mu) / np.maximum(sd[used], 1e-3)) @ share[used]
        return Marginal(grid, np.maximum(CubicSpline(grid, below).derivative()(grid), 0.0))


def trapezoid(grid: np.ndarray) -> np.ndarray:
    """Return the weights of the trapezoid rule; 1 for a grid of one point."""
    return np.convolve(np.diff(grid), [0.5, 0.5]) if len(grid) > 1 else np.ones(1)


def oracle(
    trials: Sequence[str],
    counts: Sequence[tuple[int, int]],
    *,
    mu: tuple[np.ndarray, Any],
    trial: tuple[np.ndarray, Any] | None = None,
    cohort: tuple[np.ndarray, Any] | None = None,
    rho: tuple[np.ndarray, Any] | None = None,
) -> Oracle:
    """Lay the posterior out on a grid; each of the four is a grid and a prior."""
    mus, mu_prior = mu
    taus, tau_prior = trial or (np.zeros(1), None)
    inner, inner_prior = cohort or rho or (np.zeros(1), None)
    log_weight = np.empty((len(mus), len(taus), len(inner)))
    for last, value in enumerate(inner.tolist()):
        logs = [
            CubicSpline(
                LOGITS,
                np.log(
                    np.maximum(
                        cohort_likelihood(y, n, value if cohort else 0.0, value if rho else None), np.finfo(float).tiny
                    )
                ),
            )
            for y, n in counts
        ]
        for middle, tau in enumerate(taus.tolist()):
            total = np.zeros(len(mus))
            for name in dict.fromkeys(trials):
                members = [number for number, other in enumerate(trials) if other == name]
                if tau == 0.0:
                    total += sum(logs[number](mus) for number in members)
                    continue
                at = np.clip(mus[:, None] + tau * UNIT, LOGITS[0], LOGITS[-1])
                total += np.log(np.exp(sum(logs[number](at) for number in members)) @ UNIT_WEIGHTS)
            log_weight[:, middle, last] = total
    log_weight += mu_prior.logpdf(mus)[:, None, None]
    if trial:
        log_weight += tau_prior.logpdf(taus)[None, :, None]
    if cohort or rho:
        log_weight += inner_prior.logpdf(inner)[None, None, :]
    return Oracle(mus, taus, inner, np.exp(log_weight - log_weight.max()))


def agrees(draws: np.ndarray, exact: Marginal) -> None:
    """Hold draws, shape (chain, draw), against an exact marginal: mean, SD and quantiles."""
    error = float(az.mcse(draws, method="mean"))
    assert draws.mean() == pytest.approx(exact.mean, abs=STANDARD_ERRORS * error)
    assert draws.std() == pytest.approx(exact.sd, abs=STANDARD_ERRORS * float(az.mcse(draws, method="sd")))
    for prob in PROBS:
        error = float(az.mcse(draws, method="quantile", prob=prob))
        assert np.quantile(draws, prob) == pytest.approx(exact.quantile(prob), abs=STANDARD_ERRORS * error), prob


def text(counts: Sequence[tuple[int, int]], trials: Sequence[str] | None = None) -> str:
    names = trials or [f"T{number}" for number in range(len(counts))]
    return "\n".join(
        f"c{k} {name} naive first {n} {y}" for k, (name, (y, n)) in enumerate(zip(names, counts, strict=True))
    )


def half_normal(sd: float) -> dict[str, Any]:
    return {"dist": "half_normal", "sd": sd}


def normal(sd: float) -> dict[str, Any]:
    return {"prior": {"dist": "normal", "mean": 0.0, "sd": sd}}


type Fitter = Callable[..., Fit]


@pytest.fixture(scope="module")
def fitter(spec_of: Any, table_of: Any) -> Fitter:
    def fit(table: str, *, tries: int = 1, **parts: Any) -> Fit:
        found = fit_model(spec_of(**parts), table_of(table))
        assert found.diagnostics.converged, found.diagnostics.failures
        assert found.provenance.tries <= tries
        return found

    return fit


# --- no heterogeneity: one integral ---


@pytest.mark.slow
def test_one_cohort_without_heterogeneity(fitter: Fitter) -> None:
    """A binomial count under a logistic-normal prior, by one-dimensional integration."""
    fit = fitter(text([(7, 11)]), intercept=normal(1.5))
    grid = np.linspace(-6, 8, 4001)
    exact = Marginal(grid, stats.binom.pmf(7, 11, expit(grid)) * stats.norm.pdf(grid, 0, 1.5))
    agrees(fit.draws["alpha"], exact)
    table = pooled_table(posterior_of(fit)).set_index("estimand")
    for estimand in ("these_cohorts", "typical", "mean", "next_cohort"):  # without heterogeneity they are one number
        assert table.loc[estimand, "median"] == pytest.approx(expit(np.median(fit.draws["alpha"])), abs=0.004)
        assert table.loc[estimand, "low"] == pytest.approx(expit(exact.quantile(0.025)), abs=0.02)


# --- one level: published data ---


@dataclass(frozen=True)
class Published:
    reference: dict[str, Any]
    oracle: Oracle
    fit: Fit


@pytest.fixture(scope="module", params=["rbest_as", pytest.param("pritz_bayes", marks=pytest.mark.slow)])
def published(request: pytest.FixtureRequest, fitter: Fitter) -> Published:
    reference = json.loads((REFERENCE / f"{request.param}.json").read_text(encoding="utf-8"), parse_float=Decimal)
    counts = list(zip(reference["data"]["responders"], reference["data"]["n"], strict=True))
    mu_sd, tau_sd = (float(reference["priors"][name]) for name in ("mu_normal_sd", "tau_half_normal_sd"))
    exact = oracle(
        [str(k) for k in range(len(counts))],
        counts,
        mu=(np.linspace(-4, 5, 181), stats.norm(0, mu_sd)),
        cohort=(np.linspace(0, 4, 81), stats.halfnorm(scale=tau_sd)),
    )
    fit = fitter(
        text(counts),
        intercept=normal(mu_sd),
        heterogeneity=[{"column": "cohort_id", "distribution": "normal", "sd_prior": half_normal(tau_sd)}],
    )
    return Published(reference, exact, fit)


def rounding(printed: Decimal) -> float:
    """Return half a unit of the last digit printed, and a little for the oracle."""
    return 0.55 * 10.0 ** printed.as_tuple().exponent


@pytest.mark.slow
def test_the_oracle_gives_the_published_digits(published: Published) -> None:
    values = published.reference["values"]
    mu, tau = (published.oracle.marginal(name) for name in ("mu", "inner"))
    following = published.oracle.logit_of_next_cohort()
    rate = expit(following.grid)
    mean = float(simpson(rate * following.density, x=following.grid))
    found = {
        "mu": {"mean": mu.mean, "sd": mu.sd},
        "tau": {"mean": tau.mean, "sd": tau.sd, "quantiles": tau.quantile},
        "typical": {"quantiles": lambda prob: expit(mu.quantile(prob))},
        "next_cohort": {
            "mean": mean,
            "sd": float(np.sqrt(simpson((rate - mean) ** 2 * following.density, x=following.grid))),
            "quantiles": lambda prob: expit(following.quantile(prob)),
        },
    }
    for name, exact in found.items():
        for moment in exact.keys() & {"mean", "sd"}:
            printed = values[name][moment]
            assert exact[moment] == pytest.approx(float(printed), abs=rounding(printed)), (name, moment)
        for prob, printed in values[name].get("quantiles", {}).items():
            value = exact["quantiles"](float(prob))
            assert value == pytest.approx(float(printed), abs=rounding(printed)), (name, prob)


def test_one_level_posterior_is_the_oracles(published: Published) -> None:
    draws = published.fit.draws
    agrees(draws["alpha"], published.oracle.marginal("mu"))
    agrees(draws["tau_cohort"], published.oracle.marginal("inner"))


def test_one_level_estimates_are_the_published(published: Published) -> None:
    values = published.reference["values"]
    draws = published.fit.draws
    table = pooled_table(posterior_of(published.fit)).set_index("estimand")
    names = {"low": "0.025", "median": "0.5", "high": "0.975"}
    for estimand in ("typical", "mean", "next_cohort"):
        for column, prob in names.items():
            if (value := values.get(estimand, {}).get("quantiles", {}).get(prob)) is None:
                continue
            # The error of the posterior draws; that of the predictions is much smaller, they are stratified.
            if estimand == "next_cohort":
                # A quantile in the tail of a normal has about three times the error of its mean.
                error = 3 * float(values[estimand]["sd"]) / np.sqrt(az.ess(draws["tau_cohort"], method="bulk"))
            else:
                error = float(az.mcse(expit(draws["alpha"]), method="quantile", prob=float(prob)))
            allowed = STANDARD_ERRORS * error + rounding(value)
            assert table.loc[estimand, column] == pytest.approx(float(value), abs=allowed), (estimand, prob)
    expected = float(values["next_cohort"]["mean"])
    error = float(values["next_cohort"]["sd"]) / np.sqrt(az.ess(draws["alpha"], method="bulk"))
    assert table.loc["next_cohort", "mean"] == pytest.approx(expected, abs=STANDARD_ERRORS * error)
    assert table.loc["mean", "mean"] == pytest.approx(expected, abs=STANDARD_ERRORS * error)


# --- two levels, and the beta-binomial ---

TRIALS = ["A", "A", "B", "B", "B", "C", "D", "E", "F", "F"]
COUNTS = [(21, 30), (9, 20), (3, 8), (30, 44), (1, 12), (18, 40), (9, 9), (0, 7), (25, 33), (10, 25)]


@pytest.mark.slow
def test_two_levels(fitter: Fitter) -> None:
    exact = oracle(
        TRIALS,
        COUNTS,
        mu=(np.linspace(-4.5, 4.5, 61), stats.norm(0, 1.5)),
        trial=(np.linspace(0, 4.0, 29), stats.halfnorm(scale=0.8)),
        cohort=(np.linspace(0, 3.6, 27), stats.halfnorm(scale=0.6)),
    )
    fit = fitter(
        text(COUNTS, TRIALS),
        intercept=normal(1.5),
        heterogeneity=[
            {"column": "trial", "distribution": "normal", "sd_prior": half_normal(0.8)},
            {"column": "cohort_id", "distribution": "normal", "sd_prior": half_normal(0.6)},
        ],
    )
    agrees(fit.draws["alpha"], exact.marginal("mu"))
    agrees(fit.draws["tau_trial"], exact.marginal("trial"))
    agrees(fit.draws["tau_cohort"], exact.marginal("inner"))
    following = exact.logit_of_next_cohort()
    table = pooled_table(posterior_of(fit)).set_index("estimand")
    error = 3 * following.sd / np.sqrt(az.ess(fit.draws["tau_trial"], method="bulk"))
    for column, prob in (("low", 0.025), ("median", 0.5), ("high", 0.975)):
        found = logit(table.loc["next_cohort", column])
        assert found == pytest.approx(following.quantile(prob), abs=STANDARD_ERRORS * error), column


@pytest.mark.slow
def test_beta_binomial(fitter: Fitter) -> None:
    exact = oracle(
        TRIALS,
        COUNTS,
        mu=(np.linspace(-4.5, 4.5, 61), stats.norm(0, 1.5)),
        trial=(np.linspace(0, 4.0, 29), stats.halfnorm(scale=0.8)),
        rho=(np.linspace(1e-4, 0.9, 45), stats.beta(1.0, 6.0)),
    )
    fit = fitter(
        text(COUNTS, TRIALS),
        likelihood={"family": "beta_binomial", "rho_prior": {"dist": "beta", "a": 1.0, "b": 6.0}},
        intercept=normal(1.5),
        heterogeneity=[{"column": "trial", "distribution": "normal", "sd_prior": half_normal(0.8)}],
    )
    agrees(fit.draws["alpha"], exact.marginal("mu"))
    agrees(fit.draws["tau_trial"], exact.marginal("trial"))
    agrees(fit.draws["rho"], exact.marginal("inner"))


# --- tables that say little, or too much ---

DEFAULT: dict[str, Any] = {
    "effect": [
        {"column": "line", "kind": "fixed", "reference": "naive"} | normal(1.0),
        {"column": "regimen_class", "kind": "exchangeable", "sd_prior": half_normal(0.5)},
    ],
    "heterogeneity": [
        {"column": "trial", "distribution": "normal", "sd_prior": half_normal(0.5)},
        {"column": "cohort_id", "distribution": "normal", "sd_prior": half_normal(0.5)},
    ],
}


def tables_are_finite(fit: Fit) -> Any:
    posterior = posterior_of(fit)
    pooled = pooled_table(posterior)
    assert np.isfinite(pooled[["mean", "median", "sd", "low", "high"]].to_numpy()).all()
    for table in (contrast_table(posterior), heterogeneity_table(posterior), cohort_table(posterior)):
        assert np.isfinite(table.select_dtypes("number").to_numpy()).all()
    return pooled


@pytest.mark.slow
def test_a_nasty_table(fitter: Fitter) -> None:
    """0 of n, n of n, one patient, ten million patients, a level with one cohort: finite, and the gate is passed."""
    # Five of six seeds have a divergence or two at the first try.
    fit = fitter(
        """
        a A naive first 10000000 7500000
        b A pretreated first 40 0
        c B naive second 25 25
        d C mixed third 1 0
        e D pretreated second 60 21
        f D naive second 1 1
        """,
        tries=2,
        **DEFAULT,
    )
    pooled = tables_are_finite(fit)
    cohorts = cohort_table(posterior_of(fit)).set_index("cohort_id")
    assert cohorts.loc["a", "mean"] == pytest.approx(0.75, abs=1e-4)
    assert cohorts.loc["a", "sd"] == pytest.approx(np.sqrt(0.75 * 0.25 / 1e7), rel=0.2)
    assert cohorts.loc["a", "shrinkage"] < 1e-4
    assert 0 < cohorts.loc["b", "low"] < cohorts.loc["b", "high"] < 0.25
    assert 0.75 < cohorts.loc["c", "low"] < cohorts.loc["c", "high"] < 1
    # One patient: hardly anything is known.
    assert cohorts.loc["d", "high"] - cohorts.loc["d", "low"] > 0.4
    assert cohorts.loc["d", "shrinkage"] == cohorts["shrinkage"].max() > 0.5
    mixed = pooled.query("group == 'line' and level == 'mixed' and estimand == 'next_cohort'").iloc[0]
    assert mixed["high"] - mixed["low"] > 0.6
    # Ten million patients are one cohort: they fix `these_cohorts` and leave the next cohort open.
    everyone = pooled.query("group == 'all'").set_index("estimand")
    assert everyone.loc["these_cohorts", "high"] - everyone.loc["these_cohorts", "low"] < 0.001
    assert everyone.loc["next_cohort", "high"] - everyone.loc["next_cohort", "low"] > 0.4


@pytest.mark.slow
def test_one_cohort_only(fitter: Fitter) -> None:
    fit = fitter("a A naive first 50 40", **DEFAULT)
    assert len(fit.design.notes) == 3
    pooled = tables_are_finite(fit).set_index("estimand")
    # How far cohorts differ is the prior's to say: the root of the sum of squares of two half-normals is a Rayleigh's.
    assert np.median(fit.draws["tau_total"]) == pytest.approx(stats.rayleigh(scale=0.5).median(), abs=0.06)
    width = pooled["high"] - pooled["low"]
    assert width["these_cohorts"] < width["typical"] < width["next_cohort"]
    assert width["next_cohort"] > 0.5


@pytest.mark.slow
def test_one_trial_only(fitter: Fitter) -> None:
    fit = fitter("a A naive first 50 40\nb A pretreated first 40 12\nc A pretreated second 30 20", **DEFAULT)
    pooled = tables_are_finite(fit)
    assert np.median(fit.draws["tau_trial"]) == pytest.approx(stats.halfnorm(scale=0.5).median(), abs=0.06)
    assert (pooled["k"] <= 3).all()
