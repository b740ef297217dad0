"""Numbers and interactions against other people's fits, and against integrals that sample nothing.

The reference is lme4's for metadat's `dat.debruin2009`; the exact posterior is laid out on a grid of intercept, slope
and tau, with each cohort's deviation integrated on another grid. Neither knows the package's designs.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import arviz_stats as az
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import cumulative_simpson, simpson
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq, minimize
from scipy.special import expit, log_expit

from alkbayes.errors import FigureError, UsageError
from alkbayes.estimates.moderators import rate_curves, rates_at
from alkbayes.estimates.rates import contrast_table, pooled_table, posterior_of
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.importance.target import Target
from alkbayes.inference.settings import Engine
from alkbayes.model.design import build_design
from alkbayes.vocabulary import Standard

HERE = Path(__file__).parent
REFERENCE = json.loads((HERE / "reference" / "rma_debruin2009.json").read_text(encoding="utf-8"))["regressions"]
CENTRE, SCALE = 15.0, 10.0
SCQ = {"column": "scq", "kind": "numeric", "centre": CENTRE, "scale": SCALE, "step": "per 10 points"}
NORMAL = {"prior": {"dist": "normal", "mean": 0.0, "sd": 0.5}}
WIDE = {"prior": {"dist": "normal", "mean": 0.0, "sd": 1.5}}
COHORT = {"column": "cohort_id", "distribution": "normal", "sd_prior": {"dist": "half_normal", "sd": 1.0}}
STANDARD_ERRORS = 4

type SpecOf = Callable[..., Any]


@pytest.fixture(scope="module")
def debruin() -> Evidence:
    return read_evidence(HERE / "fixtures" / "strangers" / "debruin_mods.csv")


# maximum likelihood


@pytest.mark.parametrize("columns", ["scq", "ethnicity+scq"])
def test_the_integrated_likelihood_has_its_maximum_where_lme4_has_it(
    spec_of: SpecOf, debruin: Evidence, columns: str
) -> None:
    reference = REFERENCE[columns]
    effects: list[dict[str, Any]] = [SCQ | NORMAL]
    if columns != "scq":
        effects = [{"column": "ethnicity", "kind": "fixed", "reference": "caucasian"} | NORMAL, *effects]
    target = Target(build_design(spec_of(effect=effects, heterogeneity=[COHORT]), debruin))

    def minus_log_likelihood(x: np.ndarray) -> float:
        psi, b = np.exp(x[None, :1]), x[None, 1:]
        prior = float(target.log_scale_prior(psi)[0])
        prior += sum(
            float(item.prior.log_density(value)) for item, value in zip(target.coefficients, b[0], strict=True)
        )
        return prior - float(target.log_density(psi, b)[0])

    found = minimize(
        minus_log_likelihood,
        np.zeros(1 + len(target.coefficients)),
        method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000},
    ).x
    slope = found[-1] / SCALE
    expected = reference["glmer"]
    # lme4's own optimum is good to about 1e-5.
    np.testing.assert_allclose(slope, expected["b"][-1], atol=2e-5)
    np.testing.assert_allclose(found[1] - slope * CENTRE, expected["b"][0], atol=2e-4)
    np.testing.assert_allclose(np.exp(2 * found[0]), expected["tau2"], atol=2e-4)
    if columns != "scq":
        np.testing.assert_allclose(found[2], expected["b"][1], atol=2e-4)


# the exact posterior on a grid


class Exact:
    """Posterior weights on a grid of intercept, slope and tau: normal(0, 1.5), normal(0, 0.5), half-normal(1)."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.alpha, self.beta, self.tau = np.linspace(-2, 2, 81), np.linspace(-1.6, 2.0, 73), np.linspace(0.02, 2.6, 87)
        self.steps = (frame["scq"].astype(float).to_numpy() - CENTRE) / SCALE
        unit = np.linspace(-8.0, 8.0, 161)
        weight = stats.norm.pdf(unit) * (unit[1] - unit[0])
        logits = np.linspace(-8.0, 8.0, 401)
        log_weight = np.empty((len(self.alpha), len(self.beta), len(self.tau)))
        eta = self.alpha[:, None, None] + self.beta[:, None] * self.steps
        for place, tau in enumerate(self.tau):
            theta = logits[:, None] + tau * unit
            total = np.zeros(eta.shape[:2])
            for cohort, (y, n) in enumerate(frame[["responders", "n"]].to_numpy()):
                # About the observed rate's own log likelihood, so that nothing underflows where it matters.
                top = stats.binom.logpmf(y, n, y / n)
                value = np.exp(
                    stats.binom.logpmf(y, n, 0.5)
                    + n * np.log(2)
                    + y * log_expit(theta)
                    + (n - y) * log_expit(-theta)
                    - top
                )
                total += CubicSpline(logits, np.log(np.maximum(value @ weight, 1e-300)))(eta[:, :, cohort])
            log_weight[:, :, place] = total
        log_weight += (
            stats.norm.logpdf(self.alpha, 0, 1.5)[:, None, None] + stats.norm.logpdf(self.beta, 0, 0.5)[:, None]
        )
        log_weight += stats.halfnorm.logpdf(self.tau)
        self.weight = np.exp(log_weight - log_weight.max())

    def marginal(self, axis: int) -> tuple[np.ndarray, np.ndarray]:
        grids = [self.alpha, self.beta, self.tau]
        density = self.weight
        for other in (2, 1, 0):
            if other != axis:
                density = simpson(density, x=grids[other], axis=other)
        return grids[axis], density / simpson(density, x=grids[axis])

    def mean_rate(self, steps: float) -> float:
        """Posterior mean of the mean rate over cohorts of a value of the number, in steps from the centre."""
        unit = np.linspace(-8.0, 8.0, 81)
        total = np.zeros(self.weight.shape)
        for z, share in zip(unit, stats.norm.pdf(unit) * (unit[1] - unit[0]), strict=True):
            total += share * expit(self.alpha[:, None, None] + self.beta[:, None] * steps + self.tau * z)
        over = total * self.weight
        return float(
            simpson(simpson(simpson(over, x=self.tau), x=self.beta), x=self.alpha)
            / simpson(simpson(simpson(self.weight, x=self.tau), x=self.beta), x=self.alpha)
        )


@pytest.fixture(scope="module")
def exact(debruin: Evidence) -> Exact:
    return Exact(debruin.frame)


@pytest.fixture(scope="module", params=[Engine.QUADRATURE, pytest.param(Engine.NUTS, marks=pytest.mark.slow)])
def fit(request: pytest.FixtureRequest, spec_of: SpecOf, debruin: Evidence) -> Fit:
    spec = spec_of(intercept=WIDE, effect=[SCQ | NORMAL], heterogeneity=[COHORT])
    found = fit_model(spec, debruin, engine=request.param)
    assert found.provenance.engine == request.param
    assert found.diagnostics.converged
    return found


@pytest.mark.parametrize(("name", "axis"), [("alpha", 0), ("beta_scq", 1), ("tau_cohort", 2)])
def test_draws_are_those_of_the_exact_posterior(fit: Fit, exact: Exact, name: str, axis: int) -> None:
    draws = fit.draws[name]
    draws = draws[..., 0] if draws.ndim == 3 else draws
    grid, density = exact.marginal(axis)
    mean = float(simpson(grid * density, x=grid))
    sd = float(np.sqrt(simpson((grid - mean) ** 2 * density, x=grid)))
    assert draws.mean() == pytest.approx(mean, abs=STANDARD_ERRORS * float(az.mcse(draws, method="mean")))
    assert draws.std() == pytest.approx(sd, abs=STANDARD_ERRORS * float(az.mcse(draws, method="sd")))
    below = CubicSpline(grid, cumulative_simpson(density, x=grid, initial=0.0))
    for prob in (0.025, 0.5, 0.975):
        quantile = float(brentq(lambda x, prob=prob: below(x) - prob, grid[0], grid[-1]))
        error = float(az.mcse(draws, method="quantile", prob=prob))
        assert np.quantile(draws, prob) == pytest.approx(quantile, abs=STANDARD_ERRORS * error)


def test_estimates_are_those_of_the_exact_posterior(fit: Fit, exact: Exact, debruin: Evidence) -> None:
    posterior = posterior_of(fit)
    contrasts = contrast_table(posterior).set_index("scale")
    assert set(contrasts["contrast"]) == {"25 vs 15 (per 10 points)"}
    assert set(contrasts["over"]) == {"the patients of all cohorts"}
    grid, density = exact.marginal(1)
    assert contrasts.loc["odds_ratio", "mean"] == pytest.approx(
        float(simpson(np.exp(grid) * density, x=grid)), abs=0.03
    )
    assert contrasts.loc["odds_ratio", "prob_better"] == pytest.approx(
        float(simpson(np.where(grid >= 0, density, 0), x=grid)), abs=0.04
    )
    apart = exact.mean_rate(1.0) - exact.mean_rate(0.0)
    assert contrasts.loc["risk_difference", "mean"] == pytest.approx(apart, abs=0.004)
    share = debruin.frame["n"].to_numpy() / debruin.frame["n"].sum()
    mean = float(share @ [exact.mean_rate(step) for step in exact.steps])
    pooled = pooled_table(posterior).set_index("estimand")
    assert pooled.loc["mean", "mean"] == pytest.approx(mean, abs=0.004)
    assert set(pooled["group"]) == {"all"}
    assert set(pooled["weights"]) == {""}


# what a step and a centre are does not matter


def test_the_unit_of_a_number_changes_nothing_but_the_unit(spec_of: SpecOf, debruin: Evidence) -> None:
    in_tenths = debruin.frame.assign(scq=[f"{10 * float(cell):.10g}" for cell in debruin.frame["scq"]])
    other = SCQ | {"centre": 10 * CENTRE, "scale": 10 * SCALE}
    designs = [
        build_design(spec_of(effect=[effect | NORMAL], heterogeneity=[COHORT]), table)
        for effect, table in ((SCQ, debruin), (other, Evidence(in_tenths, "", "", b"")))
    ]
    one, two = (design.effects[0].basis[design.effects[0].index] for design in designs)
    np.testing.assert_allclose(one, two, atol=1e-12)


def test_levels_are_standardised_over_the_same_patients_with_their_numbers(
    spec_of: SpecOf, debruin: Evidence, posterior_from: Any
) -> None:
    """The g-formula by hand, at one draw: both levels over all patients, each with their own number."""
    ethnicity = {"column": "ethnicity", "kind": "fixed", "reference": "other"} | NORMAL
    crossed = {"kind": "interaction", "column": ["scq", "ethnicity"]} | NORMAL
    design = build_design(spec_of(effect=[ethnicity, SCQ | NORMAL, crossed]), debruin)
    free = {"alpha": [[-0.3]], "beta_ethnicity": [[[0.6]]], "beta_scq": [[[0.4]]], "beta_scq_ethnicity": [[[-0.7]]]}
    posterior = posterior_from(design, free, standard=Standard.SAME)
    frame = debruin.frame
    step, share = (frame["scq"].astype(float).to_numpy() - 15) / 10, frame["n"].to_numpy() / frame["n"].sum()
    rate = {"other": expit(-0.3 + 0.4 * step), "caucasian": expit(0.3 - 0.3 * step)}
    table = pooled_table(posterior)
    means = table[table["estimand"] == "mean"].set_index("level")
    for level, rates in rate.items():
        assert means.loc[level, "mean"] == pytest.approx(float(share @ rates), abs=1e-9)
        assert means.loc[level, "over"] == "the patients of all cohorts"
        assert means.loc[level, "predicted"] == 0.0
        own = (frame["ethnicity"] == level).to_numpy()
        assert means.loc[level, "own_mean"] == pytest.approx(
            float(share[own] @ rates[own] / share[own].sum()), abs=1e-9
        )
    contrasts = contrast_table(posterior).set_index(["contrast", "scale"])["mean"]
    assert contrasts["caucasian vs other", "risk_difference"] == pytest.approx(
        float(share @ (rate["caucasian"] - rate["other"])), abs=1e-9
    )
    # The slope is 0.4 in one level and 0.4 - 0.7 in the other, and averaged over all patients in between.
    assert contrasts["25:other vs 15:other (per 10 points)", "odds_ratio"] == pytest.approx(np.exp(0.4))
    assert contrasts["25:caucasian vs 15:caucasian (per 10 points)", "odds_ratio"] == pytest.approx(np.exp(-0.3))
    caucasian = float(share[(frame["ethnicity"] == "caucasian").to_numpy()].sum())
    assert contrasts["25 vs 15 (per 10 points)", "odds_ratio"] == pytest.approx(np.exp(0.4 - 0.7 * caucasian))
    apart = {level: expit(a + b) - expit(a) for level, a, b in (("other", -0.3, 0.4), ("caucasian", 0.3, -0.3))}
    assert contrasts["25 vs 15 (per 10 points)", "risk_difference"] == pytest.approx(
        caucasian * apart["caucasian"] + (1 - caucasian) * apart["other"], abs=1e-9
    )


# rates at values of a number


def test_rates_at_values_are_those_of_the_exact_posterior(fit: Fit, exact: Exact) -> None:
    table = rates_at(posterior_of(fit), {"scq": ["5", "15", "40"]})
    assert set(table["over"]) == {"the patients of all cohorts"}
    total = exact.weight.sum()
    for value, rows in table.groupby(table["at"].map(lambda at: at["scq"])):
        step = (float(value) - CENTRE) / SCALE
        found = rows.set_index("estimand")
        # 4,000 draws of rates with an SD of 0.06 to 0.13: four standard errors of a mean, of quantiles about double.
        assert found.loc["mean", "mean"] == pytest.approx(exact.mean_rate(step), abs=0.008)
        assert found.loc["next_cohort", "mean"] == pytest.approx(exact.mean_rate(step), abs=0.008)
        middle = exact.alpha[:, None] + exact.beta * step
        on_line = exact.weight.sum(axis=2) / total
        for name, prob in (("low", 0.025), ("median", 0.5), ("high", 0.975)):
            rate = found.loc["typical", name]
            # Summed over cells of the grid, whose steps are a tenth of the posterior SDs.
            assert on_line[expit(middle) <= rate].sum() == pytest.approx(prob, abs=0.025 if name == "median" else 0.008)
            following = found.loc["next_cohort", name]
            deviation = (np.log(following / (1 - following)) - middle)[:, :, None] / exact.tau
            below = float((stats.norm.cdf(deviation) * exact.weight).sum() / total)
            assert below == pytest.approx(prob, abs=0.025 if name == "median" else 0.008)
        assert found["extrapolated"].tolist() == [value == "40"] * 3


def test_rates_at_values_and_levels_by_hand(spec_of: SpecOf, debruin: Evidence, posterior_from: Any) -> None:
    """At one draw: over the level's own patients, and by standardisation over all."""
    ethnicity = {"column": "ethnicity", "kind": "fixed", "reference": "other"} | NORMAL
    patients = {"column": "patients", "kind": "fixed", "reference": "starting"} | NORMAL
    design = build_design(spec_of(effect=[ethnicity, patients, SCQ | NORMAL]), debruin)
    others = [level for level in design.effects[1].levels if level != "starting"]
    free = {
        "alpha": [[-0.3]],
        "beta_ethnicity": [[[0.6]]],
        "beta_patients": [[[0.5 + place for place in range(len(others))]]],
        "beta_scq": [[[0.4]]],
    }
    frame = debruin.frame
    n, own = frame["n"].to_numpy(float), (frame["ethnicity"] == "caucasian").to_numpy()
    of = {"starting": 0.0} | {level: 0.5 + place for place, level in enumerate(others)}
    effect = frame["patients"].map(of).to_numpy(float)
    rate = expit(0.3 + effect + 0.4 * (25 - CENTRE) / SCALE)
    at = {"scq": ["25"], "ethnicity": ["caucasian"]}
    for standard, kept, over in (
        (Standard.OWN, own, "the patients with ethnicity caucasian"),
        (Standard.SAME, np.ones_like(own), "the patients of all cohorts"),
    ):
        table = rates_at(posterior_from(design, free, standard=standard), at).set_index("estimand")
        # Without heterogeneity a rate is that of its profile, and exact but for rounding.
        assert table.loc["mean", "mean"] == pytest.approx(np.average(rate[kept], weights=n[kept]), abs=1e-9)
        assert table.loc["mean", "over"] == over
        assert table.loc["mean", "averaged"] == "patients"


def test_a_combination_without_cohorts_is_predicted(spec_of: SpecOf, debruin: Evidence, posterior_from: Any) -> None:
    effects = [
        {"column": column, "kind": "fixed", "reference": level} | NORMAL
        for column, level in (("ethnicity", "other"), ("patients", "starting"))
    ]
    frame = debruin.frame
    part = debruin.part(~((frame["ethnicity"] == "caucasian") & (frame["patients"] == "starting")).to_numpy())
    free = {
        "alpha": [[-0.3]],
        "beta_ethnicity": [[[0.6]]],
        "beta_patients": [[[0.5]]],
        "beta_scq": [[[0.4]]],
    }
    posterior = posterior_from(build_design(spec_of(effect=[*effects, SCQ | NORMAL]), part), free)
    at = {"ethnicity": ["caucasian"], "patients": ["continuing", "starting"], "scq": ["25"]}
    table = rates_at(posterior, at)
    found = table[table["estimand"] == "mean"]
    # All three columns are set, so that every patient has the same rate.
    assert found["mean"].tolist() == pytest.approx(expit([-0.3 + 0.6 + 0.5 + 0.4, -0.3 + 0.6 + 0.4]), abs=1e-9)
    assert found["predicted"].tolist() == [0.0, 1.0]
    assert found["over"].tolist() == [
        "the patients with ethnicity caucasian and patients continuing",
        "the patients of all cohorts",
    ]


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ({"year": ["2000"]}, "the model has no effect of year; allowed: scq"),
        ({"scq": ["many"]}, 'scq: found "many"; allowed: a number'),
    ],
)
def test_values_that_a_model_cannot_have_are_refused(fit: Fit, at: dict[str, list[str]], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        rates_at(posterior_of(fit), at)
    assert caught.value.parameter == "at"


def test_a_curve_is_made_of_the_rates_at_its_values(fit: Fit) -> None:
    posterior = posterior_of(fit)
    (curve,) = rate_curves(posterior)
    assert (curve.label, curve.by, curve.levels, curve.averaged) == ("scq", "", ("",), "")
    assert (curve.curves["value"].min(), curve.curves["value"].max()) == (3.67, 27.8)
    last = curve.curves.iloc[-1]
    found = rates_at(posterior, {"scq": ["27.8"]}).set_index("estimand")
    assert last[["middle", "low", "high"]].tolist() == found.loc["mean", ["median", "low", "high"]].tolist()
    assert last[["next_low", "next_high"]].tolist() == found.loc["next_cohort", ["low", "high"]].tolist()
    with pytest.raises(FigureError, match='no numeric effect of "dose", only of scq'):
        rate_curves(posterior, "dose")
