"""Heterogeneity that differs by level: the exact posterior on a grid, and what estimates make of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import arviz_stats as az
import numpy as np
import pytest
from scipy import stats
from scipy.interpolate import RectBivariateSpline
from scipy.special import expit, log_expit

from alkbayes.errors import EvidenceError
from alkbayes.estimates.rates import cohort_table, contrast_table, heterogeneity_table, pooled_table, posterior_of
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine
from alkbayes.model.design import build_design
from alkbayes.model.draws import from_prior
from alkbayes.model.prior_implications import heterogeneity_priors, prior_implications
from alkbayes.vocabulary import Standard

HERE = Path(__file__).parent
SPREAD = {"spread_prior": {"dist": "half_normal", "sd": 0.5}}
COHORT = {"column": "cohort_id", "distribution": "normal", "sd_prior": {"dist": "half_normal", "sd": 1.0}}
WIDE = {"prior": {"dist": "normal", "mean": 0.0, "sd": 1.5}}
LEVELS = ("continuing", "starting")
STANDARD_ERRORS = 4

type SpecOf = Callable[..., Any]


@pytest.fixture(scope="module")
def debruin() -> Evidence:
    return read_evidence(HERE / "fixtures" / "strangers" / "debruin_mods.csv")


def legendre(low: float, high: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return low + (high - low) * (nodes + 1) / 2, weights * (high - low) / 2


@pytest.fixture(scope="module")
def exact(debruin: Evidence) -> dict[str, tuple[float, float]]:
    """Posterior means and SDs, on a grid of intercept, tau, spread and the one standardised log ratio."""
    unit = np.linspace(-8.0, 8.0, 161)
    share = stats.norm.pdf(unit) * (unit[1] - unit[0])
    alphas, taus = np.linspace(-3.0, 3.0, 121), np.geomspace(1e-3, 12.0, 121)
    log_level = []
    for level in LEVELS:
        total = np.zeros((len(alphas), len(taus)))
        for y, n in debruin.frame.loc[debruin.frame["patients"] == level, ["responders", "n"]].to_numpy():
            for place, tau in enumerate(taus):
                theta = alphas[:, None] + tau * unit
                log_p = (
                    y * log_expit(theta) + (n - y) * log_expit(-theta) + stats.binom.logpmf(y, n, 0.5) + n * np.log(2)
                )
                total[:, place] += np.log(np.exp(log_p) @ share)
        log_level.append(RectBivariateSpline(alphas, np.log(taus), total))
    alpha, alpha_weight = legendre(-2.2, 2.2, 50)
    tau, tau_weight = legendre(0.03, 3.2, 60)
    spread, spread_weight = legendre(0.0, 2.4, 40)
    raw, raw_weight = legendre(-4.5, 4.5, 40)
    log_tau = np.log(tau)[:, None, None] + np.zeros((1, len(spread), len(raw)))
    half = spread[:, None] * raw / np.sqrt(2)
    of_level = {"continuing": log_tau + half, "starting": log_tau - half}
    prior = (stats.halfnorm.pdf(tau) * tau_weight)[:, None, None]
    prior = prior * (stats.halfnorm.pdf(spread, scale=0.5) * spread_weight)[:, None]
    prior = prior * stats.norm.pdf(raw) * raw_weight
    low, high = np.log(taus[0]), np.log(taus[-1])
    weight = np.empty((len(alpha), *prior.shape))
    for place, value in enumerate(alpha):
        log_l = sum(
            log_level[code](np.array([value]), np.linspace(low, high, 4000))[0][
                np.clip(
                    ((np.clip(of_level[level], low, high) - low) / (high - low) * 3999).round().astype(int), 0, 3999
                )
            ]
            for code, level in enumerate(LEVELS)
        )
        weight[place] = np.exp(log_l + 40) * prior * stats.norm.pdf(value, 0, 1.5) * alpha_weight[place]
    assert weight.sum() > 0
    weight /= weight.sum()
    over_alpha = weight.sum(axis=0)
    variables = {
        "tau_cohort": np.exp(log_tau),
        "spread_cohort": np.broadcast_to(spread[:, None], prior.shape),
        **{level: np.exp(values) for level, values in of_level.items()},
        "log ratio": of_level["continuing"] - of_level["starting"],
    }
    found = {}
    for name, values in variables.items():
        mean = float((over_alpha * values).sum())
        found[name] = mean, float(np.sqrt((over_alpha * (values - mean) ** 2).sum()))
    by_alpha = weight.sum(axis=(1, 2, 3))
    mean = float(by_alpha @ alpha)
    return found | {"alpha": (mean, float(np.sqrt(by_alpha @ (alpha - mean) ** 2)))}


@pytest.fixture(scope="module", params=[Engine.QUADRATURE, pytest.param(Engine.NUTS, marks=pytest.mark.slow)])
def fit(request: pytest.FixtureRequest, spec_of: SpecOf, debruin: Evidence) -> Fit:
    spec = spec_of(intercept=WIDE, heterogeneity=[COHORT | SPREAD | {"by": "patients"}])
    found = fit_model(spec, debruin, engine=request.param)
    assert found.provenance.engine == request.param
    assert found.diagnostics.converged
    return found


def test_draws_are_those_of_the_exact_posterior(fit: Fit, exact: dict[str, tuple[float, float]]) -> None:
    draws = dict(fit.draws)
    taus = draws["tau_cohort_by_patients"]
    of_level = {level: taus[..., code] for code, level in enumerate(LEVELS)}
    of_level["log ratio"] = np.log(taus[..., 0] / taus[..., 1])
    for name, (mean, sd) in exact.items():
        values = of_level[name] if name in of_level else draws[name]
        assert values.mean() == pytest.approx(mean, abs=STANDARD_ERRORS * float(az.mcse(values, method="mean"))), name
        assert values.std() == pytest.approx(sd, abs=STANDARD_ERRORS * float(az.mcse(values, method="sd"))), name


def test_the_tree_names_the_levels(fit: Fit) -> None:
    taus = fit.tree["posterior"]["tau_cohort_by_patients"]
    assert taus.dims[2:] == ("tau_cohort_by_patients_level",)
    assert tuple(taus["tau_cohort_by_patients_level"].values) == LEVELS
    table = heterogeneity_table(posterior_of(fit)).set_index("parameter")
    assert list(table.index) == [
        *("tau_cohort", "tau_cohort[patients continuing]", "tau_cohort[patients starting]", "spread_cohort", "i2")
    ]
    assert table.loc["tau_cohort[patients starting]", "median"] == pytest.approx(float(np.median(taus[..., 1])))
    assert list(heterogeneity_priors(fit.design, draws=10)) == [*table.index[:1], "spread_cohort", *table.index[1:3]]


# estimates at known values


def test_every_estimate_takes_the_tau_of_its_own_level(
    spec_of: SpecOf, table_of: Callable[..., Evidence], posterior_from: Any
) -> None:
    line = {
        "column": "line",
        "kind": "fixed",
        "reference": "naive",
        "prior": {"dist": "normal", "mean": 0.0, "sd": 1.0},
    }
    rows = "a A naive first 10 6\nb B naive first 30 10\nc C pretreated first 60 20\nd D pretreated first 20 3"
    spec = spec_of(effect=[line], heterogeneity=[COHORT | SPREAD | {"by": "line"}])
    design = build_design(spec, table_of(rows))
    tau = {"naive": 0.5 * np.exp(0.8 * 1.5 / np.sqrt(2)), "pretreated": 0.5 * np.exp(-0.8 * 1.5 / np.sqrt(2))}
    draws = 2000
    free = {
        "alpha": np.full((1, draws), 0.4),
        "beta_line": np.full((1, draws, 1), -0.9),
        "tau_cohort": np.full((1, draws), 0.5),
        "spread_cohort": np.full((1, draws), 0.8),
        "raw_tau_cohort": np.full((1, draws, 1), 1.5),
        "z_cohort": np.zeros((1, draws, 4)),
    }
    posterior = posterior_from(design, free)
    unit = np.linspace(-9, 9, 3001)
    share = stats.norm.pdf(unit) * (unit[1] - unit[0])
    rate = {level: float(expit(mu + tau[level] * unit) @ share) for level, mu in (("naive", 0.4), ("pretreated", -0.5))}
    pooled = pooled_table(posterior).set_index(["level", "estimand"])
    for level, mu in (("naive", 0.4), ("pretreated", -0.5)):
        assert pooled.loc[(level, "mean"), "mean"] == pytest.approx(rate[level], abs=1e-7)
        assert pooled.loc[(level, "next_cohort"), "high"] == pytest.approx(expit(mu + 1.96 * tau[level]), abs=0.01)
        assert pooled.loc[(level, "next_cohort"), "low"] == pytest.approx(expit(mu - 1.96 * tau[level]), abs=0.01)
    assert pooled.loc[("all", "mean"), "mean"] == pytest.approx((40 * rate["naive"] + 80 * rate["pretreated"]) / 120)
    contrasts = contrast_table(posterior).set_index("scale")
    assert contrasts.loc["risk_difference", "mean"] == pytest.approx(rate["pretreated"] - rate["naive"], abs=1e-7)
    cohorts = cohort_table(posterior).set_index("cohort_id")
    for cohort, level, y, n in (("a", "naive", 6, 10), ("d", "pretreated", 3, 20)):
        variance = 1 / (y + 0.5) + 1 / (n - y + 0.5)
        assert cohorts.loc[cohort, "shrinkage"] == pytest.approx(variance / (variance + tau[level] ** 2))


def test_a_column_that_only_tells_taus_apart_makes_no_contrast_a_prediction(
    spec_of: SpecOf, table_of: Callable[..., Evidence], posterior_from: Any
) -> None:
    line = {"column": "line", "kind": "fixed", "reference": "naive"} | WIDE
    rows = "a A naive first 10 6\nb B naive first 30 10\nc C pretreated second 60 20\nd D pretreated second 20 3"
    design = build_design(
        spec_of(effect=[line], heterogeneity=[COHORT | SPREAD | {"by": "regimen_class"}]), table_of(rows)
    )
    assert design.level_columns == ("line",)
    draws = from_prior(design, rng=np.random.default_rng(1), draws=50)
    posterior = posterior_from(design, draws, standard=Standard.SAME)
    assert set(contrast_table(posterior)["predicted"]) == {0.0}
    means = pooled_table(posterior).set_index(["level", "estimand"])
    assert means.loc[("naive", "mean"), "over"] == "the patients of all cohorts"
    assert means.loc[("naive", "mean"), "weights"] == "second 66.7 %; first 33.3 %"
    assert set(pooled_table(posterior)["group"]) == {"all", "line"}


# where table and model do not fit, and what priors imply


def test_one_level_has_nothing_to_differ_by(spec_of: SpecOf, table_of: Callable[..., Evidence]) -> None:
    spec = spec_of(heterogeneity=[COHORT | SPREAD | {"by": "line"}])
    design = build_design(spec, table_of("a A naive first 10 6\nb B naive first 30 10"))
    assert design.cohort is not None
    assert design.cohort.by is None
    assert design.profiles == {}
    assert design.notes == ("line: every cohort is 'naive', so that the heterogeneity between cohorts has one tau.",)


def test_a_level_with_one_unit_is_said(spec_of: SpecOf, table_of: Callable[..., Evidence]) -> None:
    spec = spec_of(heterogeneity=[COHORT | SPREAD | {"by": "line"}])
    rows = "a A naive first 10 6\nb B naive first 30 10\nc C mixed first 5 1"
    (note,) = build_design(spec, table_of(rows)).notes
    assert note == "tau_cohort by line: mixed has one cohort: its tau rests on the other levels and on the priors."


def test_a_trial_of_two_levels_has_no_tau_of_its_own(spec_of: SpecOf, table_of: Callable[..., Evidence]) -> None:
    trial = COHORT | SPREAD | {"column": "trial", "by": "line"}
    with pytest.raises(EvidenceError) as caught:
        build_design(spec_of(heterogeneity=[trial]), table_of("a A naive first 10 6\nb A mixed first 30 10"))
    assert str(caught.value).startswith('trial "A": found cohorts with line naive and mixed; allowed: one level, as')


def test_prior_implications_have_the_ratio_of_two_levels_taus(
    spec_of: SpecOf, table_of: Callable[..., Evidence]
) -> None:
    spec = spec_of(heterogeneity=[COHORT | SPREAD | {"by": "line"}])
    implied = prior_implications(spec, table_of(), draws=60_000).set_index("of")
    ratio = implied.loc["tau_cohort, line pretreated over naive"]
    assert ratio["scale"] == "sd_ratio"
    assert ratio["median"] == pytest.approx(1.0, abs=0.02)
    # The log ratio is the spread times a normal with variance 2: by integration, its 97.5 % quantile.
    spread, weight = legendre(1e-4, 3.0, 200)
    weight = weight * stats.halfnorm.pdf(spread, scale=0.5)
    grid = np.linspace(0.0, 4.0, 4001)
    below = stats.norm.cdf(grid[:, None] / (np.sqrt(2) * spread)) @ weight / weight.sum()
    assert np.log(ratio["high"]) == pytest.approx(np.interp(0.975, below, grid), rel=0.03)
    assert "another cohort" in implied.index
