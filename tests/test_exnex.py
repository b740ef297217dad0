"""EXNEX: posteriors against exact integration and published ones, and what every step makes of units on their own."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, gammaln, log_expit, logit, ndtr

from alkbayes.criticism.confounding import Reason, unexamined_columns, unnamed_columns
from alkbayes.criticism.diagnosis import diagnosis_of
from alkbayes.criticism.integrated_likelihood import log_likelihood_given_others
from alkbayes.criticism.loo_cohorts import leave_one_cohort_out
from alkbayes.criticism.outliers import rates_given_others
from alkbayes.criticism.predictive import posterior_checks
from alkbayes.errors import EngineWarning, SamplingError, SpecError, UsageError
from alkbayes.estimates.cross_check import fit_both
from alkbayes.estimates.exceedance import exceedance_table
from alkbayes.estimates.monte_carlo import mean_error_of
from alkbayes.estimates.rates import cohort_table, heterogeneity_table, pooled_draws, posterior_of, unit_draws
from alkbayes.estimates.results import results_of
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference import fit as fits
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.importance.engine import Fallback
from alkbayes.inference.importance.target import Target
from alkbayes.inference.nuts.pymc_model import build_model
from alkbayes.inference.settings import Engine
from alkbayes.model.design import build_design
from alkbayes.model.draws import from_prior
from alkbayes.model.predictive import heterogeneity_of, new_cohorts
from alkbayes.model.prior_implications import heterogeneity_priors, prior_implications
from alkbayes.model.restriction import restricted
from alkbayes.presentation.diagnosis import fewest_rows, parameter_rows
from alkbayes.presentation.exchangeability import exchangeability_tables
from alkbayes.presentation.key_results import key_results
from alkbayes.reporting.sections.model import equation_of, prior_rows
from alkbayes.sensitivity_analysis.alternatives import ALTERNATIVES, BY_NAME, AlternativeAnalysis, apply
from alkbayes.sensitivity_analysis.edits import Inapplicable

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "how-to" / "baskets.md"
STANDARD_ERRORS = 4
"""Most by which a number may be off in its own Monte Carlo standard errors; the seeds are fixed."""
ALPHA = {"mean": -1.4, "sd": 2.0}
OWN = {"mean": -1.4, "sd": 2.5}
LIMIT = 0.15
EXNEX: dict[str, Any] = {
    "column": "cohort_id",
    "distribution": "exnex",
    "exchangeable": 0.5,
    "nex_prior": {"dist": "normal", **OWN},
    "sd_prior": {"dist": "half_normal", "sd": 1.0},
}
WIDE = {"prior": {"dist": "normal", **ALPHA}}

type SpecOf = Callable[..., Any]


def table(folder: Path, rows: list[tuple[Any, ...]], *columns: str) -> Evidence:
    names = ("cohort_id", "responders", "n", *columns)
    lines = [",".join(names), *(",".join(map(str, row)) for row in rows)]
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_evidence(path)


@pytest.fixture(scope="module")
def vemurafenib(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """VE-BASKET (Hyman et al. 2015, doi:10.1056/NEJMoa1502309), evaluable patients and responders."""
    rows = [("NSCLC", 8, 19), ("CRC", 0, 10), ("CRC cetuximab", 1, 26), ("bile duct", 1, 8), ("ECD or LCH", 6, 14)]
    return table(tmp_path_factory.mktemp("ve"), [*rows, ("ATC", 2, 7)])


@dataclass(frozen=True)
class Exact:
    """Exact posterior of each unit: mean and SD of its rate, P(rate > LIMIT) and P(exchangeable); log p(y | others)."""

    mean: np.ndarray
    sd: np.ndarray
    above: np.ndarray
    exchangeable: np.ndarray
    elpd: np.ndarray
    alpha: float
    tau: float


def exact_of(y: np.ndarray, n: np.ndarray, p: np.ndarray, alpha: dict, own: dict, scale: float = 1.0) -> Exact:
    """Sum over a grid of alpha, tau and the standardised deviation: the trapezoid rule, which needs no adaptation."""
    alphas = np.linspace(alpha["mean"] - 6 * alpha["sd"], alpha["mean"] + 6 * alpha["sd"], 161)
    taus = np.linspace(1e-4, 5.5 * scale, 81)
    z = np.linspace(-8.0, 8.0, 321)
    step = z[1] - z[0]
    phi = stats.norm.pdf(z) * step
    prior = stats.norm.pdf(alphas, alpha["mean"], alpha["sd"])[:, None] * stats.halfnorm.pdf(taus, scale=scale)
    prior[:, [0, -1]] /= 2

    def moments(middle: np.ndarray, sd: float, y: int, n: int) -> np.ndarray:
        """Integrals of 1, the rate, its square, and its being above the limit, with the likelihood; shape (4, ...)."""
        theta = middle[..., None] + sd * z
        rate = expit(theta)
        likelihood = np.exp(y * log_expit(theta) + (n - y) * log_expit(-theta)) * phi
        # The share of a point's cell that is above.
        above = np.clip((theta - logit(LIMIT)) / (sd * step) + 0.5, 0.0, 1.0)
        return np.array([(likelihood * of).sum(axis=-1) for of in (1.0, rate, rate**2, above)])

    together = np.empty((len(y), 4, len(alphas), len(taus)))
    for unit in range(len(y)):
        for place, tau in enumerate(taus.tolist()):
            together[unit, :, :, place] = moments(alphas, tau, y[unit], n[unit])
    alone = np.array([moments(np.array(own["mean"]), own["sd"], y[unit], n[unit]) for unit in range(len(y))])
    share = p[:, None, None]
    mixed = share * together[:, 0] + (1 - share) * alone[:, 0, None, None]
    weight = prior * mixed.prod(axis=0)
    found, elpd = [], np.empty(len(y))
    for unit in range(len(y)):
        coefficient = gammaln(n[unit] + 1) - gammaln(y[unit] + 1) - gammaln(n[unit] - y[unit] + 1)
        elpd[unit] = np.log(weight.sum() / (weight / mixed[unit]).sum()) + coefficient
        others = weight / mixed[unit] / weight.sum()
        ex = p[unit] * (others * together[unit]).sum(axis=(1, 2))
        nex = (1 - p[unit]) * others.sum() * alone[unit]
        found.append([*(ex + nex)[1:], ex[0]])
    first, second, above, exchangeable = np.array(found).T
    weight /= weight.sum()
    return Exact(
        first,
        np.sqrt(second - first**2),
        above,
        exchangeable,
        elpd,
        float(weight.sum(axis=1) @ alphas),
        float(weight.sum(axis=0) @ taus),
    )


@pytest.fixture(scope="module")
def fit(spec_of: SpecOf, vemurafenib: Evidence) -> Fit:
    found = fit_model(spec_of(intercept=WIDE, heterogeneity=[EXNEX]), vemurafenib, engine=Engine.QUADRATURE)
    assert found.diagnostics.converged
    return found


@pytest.fixture(scope="module")
def exact(vemurafenib: Evidence) -> Exact:
    y, n = (vemurafenib.frame[name].to_numpy() for name in ("responders", "n"))
    return exact_of(y, n, np.full(len(y), 0.5), ALPHA, OWN)


def assert_draws_are(fit: Fit, exact: Exact) -> None:
    error, draws = mean_error_of(fit), fit.draws
    rates, indicators = (draws[name].reshape(-1, len(exact.mean)) for name in ("p", "exchangeable_cohort"))
    for unit in range(len(exact.mean)):
        for values, expected in (
            (rates[:, unit], exact.mean[unit]),
            (rates[:, unit] ** 2, exact.sd[unit] ** 2 + exact.mean[unit] ** 2),
            ((rates[:, unit] > LIMIT).astype(float), exact.above[unit]),
            (indicators[:, unit], exact.exchangeable[unit]),
        ):
            assert abs(values.mean() - expected) < STANDARD_ERRORS * error(values)
    # Importance weighting adds to the error of duplicates: the weighted draws are worth some 4,000 of 6,000.
    for name, expected in (("alpha", exact.alpha), ("tau_cohort", exact.tau)):
        values = draws[name].ravel()
        assert abs(values.mean() - expected) < 1.3 * STANDARD_ERRORS * error(values)


def test_draws_are_those_of_exact_integration(fit: Fit, exact: Exact) -> None:
    assert_draws_are(fit, exact)
    # What the model is for: a small basket at odds with the others is less likely exchangeable.
    assert exact.exchangeable[1] < 0.4 < exact.exchangeable[5]


def test_units_may_differ_in_their_prior_probability(spec_of: SpecOf, vemurafenib: Evidence) -> None:
    term = EXNEX | {"exchangeable": 0.6, "exchangeable_of": {"CRC": 0.1, "ATC": 0.95}}
    found = fit_model(spec_of(intercept=WIDE, heterogeneity=[term]), vemurafenib, engine=Engine.QUADRATURE)
    y, n = (vemurafenib.frame[name].to_numpy() for name in ("responders", "n"))
    p = np.array([0.6, 0.1, 0.6, 0.6, 0.6, 0.95])
    assert_draws_are(found, exact_of(y, n, p, ALPHA, OWN))
    rows = results_of(found).document["exchangeability"]
    assert [row["prior"] for row in rows] == p.tolist()


def test_a_published_analysis_is_reproduced(spec_of: SpecOf, tmp_path: Path) -> None:
    """Neuenschwander et al. 2016 on imatinib in sarcomas, as R's bhmbasket reproduces it."""
    theirs = json.loads((HERE / "reference" / "bhmbasket_chugh2009.json").read_text(encoding="utf-8"))
    rows = [(f"s{k}", y, n) for k, (y, n) in enumerate(zip(theirs["responders"], theirs["n"], strict=True))]
    priors = {
        name: {"dist": "normal", "mean": theirs[name]["mean"], "sd": theirs[name]["precision"] ** -0.5}
        for name in ("intercept", "own")
    }
    spec = spec_of(intercept={"prior": priors["intercept"]}, heterogeneity=[EXNEX | {"nex_prior": priors["own"]}])
    ours = cohort_table(posterior_of(fit_model(spec, table(tmp_path, rows), engine=Engine.QUADRATURE)))
    # Both are simulations. Theirs has 50,000 correlated draws, ours 4,000; the SDs are some 0.06, which makes errors of
    # means of 0.001, and of the ends of intervals, far in a tail, of several times that.
    for column, tolerance in (("mean", 0.005), ("sd", 0.005), ("median", 0.005), ("low", 0.012), ("high", 0.03)):
        assert ours[column].to_numpy() == pytest.approx(theirs[column], abs=tolerance), column


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_the_integrated_likelihood_of_groups_with_effects_is_that_of_a_fine_grid(
    spec_of: SpecOf, tmp_path: Path, link: str
) -> None:
    """Two to three cohorts of a unit share an intercept; the effect of a column holds for units on their own too."""
    rows = [("a", 3, 20, "x", "low"), ("b", 9, 18, "x", "high"), ("c", 0, 12, "y", "low")]
    rows += [("d", 7, 9, "z", "high"), ("e", 4, 11, "z", "low"), ("f", 5, 10, "z", "high")]
    evidence = table(tmp_path, rows, "basket", "dose")
    effect = {"column": "dose", "kind": "fixed", "reference": "low"}
    effect |= {"prior": {"dist": "normal", "mean": 0.0, "sd": 1.0}}
    spec = spec_of(
        likelihood={"family": "binomial", "link": link},
        intercept=WIDE,
        effect=[effect],
        heterogeneity=[EXNEX | {"column": "basket", "exchangeable_of": {"z": 0.8}}],
    )
    design = build_design(spec, evidence)
    target, inverse = Target(design), expit if link == "logit" else ndtr
    psi, b = np.array([[0.01], [0.7], [2.5]]), np.array([[-1.0, 0.4], [0.5, -1.2], [-2.0, 2.0]])
    log_prior = target.log_scale_prior(psi) + stats.norm.logpdf(b, [ALPHA["mean"], 0], [ALPHA["sd"], 1]).sum(axis=1)
    found = target.log_density(psi, b) - log_prior
    chances, fine = np.empty((3, 3)), np.linspace(-9.0, 9.0, 3001)
    for place, ((tau,), (alpha, beta)) in enumerate(zip(psi, b, strict=True)):
        total = 0.0
        for unit, name in enumerate(("x", "y", "z")):
            members = [(y, n, beta * (dose == "high")) for _, y, n, of, dose in rows if of == name]

            def integral(middle: float, sd: float, members: list = members) -> float:
                rates = [stats.binom.pmf(y, n, inverse(middle + shift + sd * fine)) for y, n, shift in members]
                return float(np.prod(rates, axis=0) @ stats.norm.pdf(fine) * (fine[1] - fine[0]))

            p = 0.8 if name == "z" else 0.5
            ex, nex = p * integral(alpha, tau), (1 - p) * integral(OWN["mean"], OWN["sd"])
            chances[place, unit] = ex / (ex + nex)
            total += np.log(ex + nex)
        # The engine's nodes err by less than 1e-6 on usual cohorts; a prior of SD 2.5 is as wide as they are made for.
        assert found[place] == pytest.approx(total, abs=2e-4)
    # Indicators are Bernoulli with these probabilities, within four standard errors.
    for place in range(3):
        many = np.full(4_000, place)
        drawn = target.draw_deviations(psi[many], b[many], np.random.default_rng(3))["exchangeable_basket"]
        error = np.sqrt(chances[place] * (1 - chances[place]) / len(many))
        assert (np.abs(drawn.mean(axis=0) - chances[place]) < STANDARD_ERRORS * error + 1e-4).all()


def test_groups_of_cohorts_have_one_rate_each(spec_of: SpecOf, tmp_path: Path) -> None:
    """Two cohorts of a unit are one cohort of both, as far as the unit's rate goes."""
    split = table(tmp_path, [("a", 3, 9, "x"), ("b", 5, 10, "x"), ("c", 1, 26, "y"), ("d", 6, 14, "z")], "basket")
    found = fit_model(
        spec_of(intercept=WIDE, heterogeneity=[EXNEX | {"column": "basket"}]), split, engine=Engine.QUADRATURE
    )
    y, n = np.array([8, 1, 6]), np.array([19, 26, 14])
    exact = exact_of(y, n, np.full(3, 0.5), ALPHA, OWN)
    rows = results_of(found).document["exchangeability"]
    assert [(row["column"], row["unit"], row["k"], row["patients"]) for row in rows] == [
        ("basket", "x", 2, 19),
        ("basket", "y", 1, 26),
        ("basket", "z", 1, 14),
    ]
    for row, mean, chance in zip(rows, exact.mean, exact.exchangeable, strict=True):
        assert abs(row["mean"] - mean) < STANDARD_ERRORS * row["mcse"]
        assert abs(row["exchangeable"] - chance) < STANDARD_ERRORS * row["mcse_exchangeable"]


def test_only_quadrature_fits_it(
    spec_of: SpecOf, vemurafenib: Evidence, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.warns(EngineWarning, match="is fitted by quadrature: chains hardly move"):
        asked = fit_model(fit.spec, vemurafenib, engine=Engine.NUTS)
    assert (asked.provenance.engine, asked.provenance.engine_asked) == (Engine.QUADRATURE, Engine.NUTS)
    assert asked.provenance.fallback_reason == fits.NO_CHAINS
    assert (asked.draws["p"] == fit.draws["p"]).all()
    with pytest.raises(UsageError, match="fitted by quadrature alone"):
        fit_both(fit.spec, vemurafenib, keep=Engine.NUTS)
    with pytest.raises(ValueError, match="not for chains"):
        build_model(fit.design)
    monkeypatch.setattr(fits, "integrate", lambda *_, **__: Fallback("after 3 proposals Pareto k is 0.9"))
    with pytest.raises(SamplingError, match=r"after 3 proposals Pareto k is 0\.9\. NUTS cannot replace it"):
        fit_model(fit.spec, vemurafenib, engine=Engine.QUADRATURE)


def test_rates_of_each_unit_exceed_a_limit_with_their_own_probability(fit: Fit, exact: Exact) -> None:
    rows = exceedance_table(fit, [LIMIT])
    own = rows[rows["estimand"] == "these_cohorts"]
    assert own["group"].tolist() == ["cohort"] * 6
    assert own["level"].tolist() == list(fit.design.cohorts)
    assert (np.abs(own["probability"] - exact.above) < STANDARD_ERRORS * own["mcse"]).all()
    assert set(rows["estimand"]) == {"typical", "mean", "next_cohort", "these_cohorts"}


def test_the_next_unit_is_exchangeable_or_on_its_own(fit: Fit) -> None:
    """Its distribution is the mixture of both, here by integration of each draw's."""
    draws = {(row["estimand"]): values for row, values in pooled_draws(posterior_of(fit)) if row["group"] == "all"}
    alpha, tau = fit.draws["alpha"].ravel(), fit.draws["tau_cohort"].ravel()
    for limit in (0.05, 0.3, 0.7):
        exchangeable = ndtr((alpha - logit(limit)) / tau)
        alone = ndtr((OWN["mean"] - logit(limit)) / OWN["sd"])
        above = (draws["next_cohort"] > limit).mean(axis=1)
        assert above.mean() == pytest.approx((exchangeable.mean() + alone) / 2, abs=0.005)  # 64,000 stratified draws
    # The mean is that of exchangeable units, as in a model without others.
    z, share = np.polynomial.hermite_e.hermegauss(60)
    mean = expit(alpha[:, None] + tau[:, None] * z) @ (share / share.sum())
    assert draws["mean"] == pytest.approx(mean, abs=1e-6)  # the documented error of the engine's own rule is 1e-9
    assert draws["typical"] == pytest.approx(expit(alpha))


def test_a_new_unit_has_the_usual_probability_and_a_known_one_its_own(spec_of: SpecOf, vemurafenib: Evidence) -> None:
    term = EXNEX | {"exchangeable": 0.999999, "exchangeable_of": {"CRC": 1e-6}}
    term |= {"nex_prior": {"dist": "normal", "mean": 9.0, "sd": 0.1}}
    design = build_design(spec_of(intercept=WIDE, heterogeneity=[term]), vemurafenib)
    draws = from_prior(design, rng=np.random.default_rng(1), draws=500)
    # On its own a unit would respond in all but one in 8,000 patients.
    assert (draws["p"][..., 1] > 0.99).all()
    assert (np.delete(draws["p"], 1, axis=-1) < 0.99).mean() > 0.95
    new = new_cohorts(heterogeneity_of(design, draws), 500, rng=np.random.default_rng(1))
    assert new.exchangeable is not None
    assert new.exchangeable.all()
    # Left out, a unit of the table is predicted with its own probability.
    left = rates_given_others(design, draws, 1, rng=np.random.default_rng(1))
    assert (left > 0.99).all()


def test_prior_implications_are_of_a_new_unit(fit: Fit) -> None:
    table = prior_implications(fit.spec, fit.evidence).set_index(["quantity", "scale"])
    row = table.loc[("next_cohort", "proportion")]
    taus = stats.halfnorm.ppf((np.arange(400) + 0.5) / 400)
    grid = np.linspace(-12, 12, 4001)
    both = np.mean([ndtr((grid - ALPHA["mean"]) / np.hypot(ALPHA["sd"], tau)) for tau in taus], axis=0)
    cumulated = (both + ndtr((grid - OWN["mean"]) / OWN["sd"])) / 2
    for name, prob in (("low", 0.025), ("median", 0.5), ("high", 0.975)):
        # A million draws: an error of 0.0002 in probability, less in a rate.
        assert row[name] == pytest.approx(expit(np.interp(prob, cumulated, grid)), abs=0.003)
    assert set(heterogeneity_priors(fit.design, draws=10)) == {"tau_cohort"}


def test_leaving_out_a_cohort_is_exact(fit: Fit, exact: Exact) -> None:
    """p(y_i | y_-i) is a ratio of two evidences, each by exact summation."""
    # Importance weights of 4,000 draws, without large ones: an error of about 0.01 in a log density.
    assert leave_one_cohort_out(fit).loo.elpd_i.to_numpy() == pytest.approx(exact.elpd, abs=0.05)
    one = log_likelihood_given_others(fit.design, fit.draws, [np.array([0])])
    assert one.shape == (*fit.draws["alpha"].shape, 1)
    assert restricted(fit.design, np.array([1, 3])).exnex.exnex.probabilities == (0.5, 0.5)


def test_replicated_units_keep_or_draw_anew_what_they_are(fit: Fit) -> None:
    checks = posterior_checks(fit)
    # New units may be anything; the same ones are near their counts.
    width = {kind: (checks.cohorts[f"{kind}_high"] - checks.cohorts[f"{kind}_low"]).mean() for kind in ("new", "same")}
    assert width["same"] < 0.7 * width["new"]


def test_tables_show_what_a_unit_is(fit: Fit, exact: Exact) -> None:
    results = results_of(fit)
    assert results.cohorts["exchangeable"].to_numpy() == pytest.approx(exact.exchangeable, abs=0.04)  # 4,000 draws
    assert "shrinkage" not in results.cohorts
    assert heterogeneity_table(posterior_of(fit))["parameter"].tolist() == ["tau_cohort"]
    document = results.document | {"exceedance": exceedance_table(fit, [LIMIT]).to_dict(orient="records")}
    (shown,) = exchangeability_tables(document)
    assert shown.headings[-1] == "P(above\n15 %)"
    assert [row[0] for row in shown.rows] == list(fit.design.cohorts)
    assert shown.rows[0][-1] == "> 99 %"
    assert "Exchangeable" in dict(key_results(document))
    without = results.document | {"exchangeability": []}
    assert exchangeability_tables(without) == []


def test_a_diagnosis_shows_an_indicator_as_a_probability_with_its_error(fit: Fit) -> None:
    found = diagnosis_of(fit)
    rows = found.quantities.set_index("name")
    posterior, mean_error = posterior_of(fit), mean_error_of(fit)
    for unit, _, _, exchangeable in unit_draws(posterior):
        row = rows.loc[f"exchangeable_cohort[{unit}]"]
        assert row["indicator"]
        assert row["mean"] == exchangeable.mean()
        assert row["mcse"] == pytest.approx(mean_error(exchangeable), rel=1e-9)
        assert row[["median", "low", "high", "mcse_median", "mcse_low", "mcse_high", "ess_tail"]].isna().all()
    printed = parameter_rows(found)
    shown = {cells[0]: cells[1:3] for cells in printed.rows if cells[0].startswith("exchangeable_cohort")}
    row = rows.loc["exchangeable_cohort[NSCLC]"]
    assert shown["exchangeable_cohort[NSCLC]"] == (f"P {row['mean']:.2f}", f"{row['mcse']:.3f}")
    assert len(shown) == 6
    assert any(note.startswith("P: posterior probability") for note in printed.notes)
    assert fewest_rows(found, 3).rows


def test_a_report_states_the_mixture(fit: Fit) -> None:
    rows = {row[0]: row[1] for row in prior_rows(fit.spec, fit.design)}
    assert rows["exchangeable_cohort"] == "Bernoulli(0.5)"
    assert rows["own_cohort"] == "normal(-1.4, 2.5)"
    assert r"(1 - \pi_{\text{cohort}}) \operatorname{Normal}(-1.4 - \alpha, 2.5^2)" in " ".join(
        equation_of(fit.design).latex
    )


def test_a_search_for_columns_says_that_it_is_not_for_this_model(spec_of: SpecOf, tmp_path: Path) -> None:
    rows = [(f"c{k}", 3 + k % 5, 20, "ab"[k % 2]) for k in range(12)]
    found = fit_model(
        spec_of(intercept=WIDE, heterogeneity=[EXNEX]), table(tmp_path, rows, "arm"), engine=Engine.QUADRATURE
    )
    assert unnamed_columns(found) == ()
    assert [(each.column, each.reason) for each in unexamined_columns(found)] == [("arm", Reason.EXNEX)]


def test_sensitivity_asks_about_exchangeability_where_it_is_assumed(spec_of: SpecOf, fit: Fit) -> None:
    asked = [each.name for each in ALTERNATIVES if each.of_exnex]
    assert len(asked) == 6
    assert all(BY_NAME[name].concerns(fit.spec, fit.evidence) for name in asked)
    assert not any(BY_NAME[name].concerns(spec_of(), fit.evidence) for name in asked)

    def changed(name: str) -> Any:
        found = apply(BY_NAME[name], fit.spec, fit.evidence)
        assert isinstance(found, AlternativeAnalysis)
        return found.spec.heterogeneity[0]

    assert changed("exchangeable 0.25").exchangeable == 0.25
    assert changed("own prior half as wide").nex_prior.sd == 1.25
    assert changed("own prior twice as wide").nex_prior.sd == 5.0
    assert changed("all exchangeable").distribution == "normal"
    assert changed("tau half-normal 0.5").distribution == "exnex"
    # The same prior of a rate near one half, on a scale with another slope there.
    probit = changed("probit link").nex_prior
    assert expit(OWN["mean"]) == pytest.approx(ndtr(probit.mean))
    assert probit.sd == pytest.approx(2.5 * 0.25 * np.sqrt(2 * np.pi))
    for name in ("exchangeable 0.5", "Student t cohorts", "normal deviations", "beta-binomial", "tau half-normal 1"):
        assert isinstance(apply(BY_NAME[name], fit.spec, fit.evidence), Inapplicable)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"exchangeable": 1.0},
            r"heterogeneity\[0\]\.exchangeable .*found 1\.0; allowed: a probability between 0 and 1",
        ),
        ({"exchangeable_of": {"x": 0}}, r"exchangeable_of .*allowed"),
        ({"nex_prior": {"dist": "student_t", "nu": 4.0, "mean": 0.0, "sd": 1.0}}, r"nex_prior\.dist .*\"normal\""),
        ({"by": "line"}, r"heterogeneity\[0\]\.by .*unknown key"),
    ],
)
def test_a_model_file_is_checked(spec_of: SpecOf, parts: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        spec_of(heterogeneity=[EXNEX | parts])


def test_a_unit_on_its_own_stands_beside_no_other_heterogeneity(spec_of: SpecOf) -> None:
    trial = {"column": "trial", "distribution": "normal", "sd_prior": {"dist": "half_normal", "sd": 0.5}}
    with pytest.raises(SpecError, match='found "exnex" beside other heterogeneity'):
        spec_of(heterogeneity=[trial, EXNEX])
    beta = {"family": "beta_binomial", "link": "logit", "rho_prior": {"dist": "beta", "a": 1.0, "b": 4.0}, "why": "x"}
    with pytest.raises(SpecError, match='found "exnex" beside the family "beta_binomial"'):
        spec_of(likelihood=beta, heterogeneity=[EXNEX])


def test_a_probability_is_for_a_unit_of_the_table(spec_of: SpecOf, vemurafenib: Evidence) -> None:
    spec = spec_of(intercept=WIDE, heterogeneity=[EXNEX | {"exchangeable_of": {"NSCLS": 0.9}}])
    with pytest.raises(SpecError, match=r'found "NSCLS", which is no cohort_id of the table; .*Did you mean "NSCLC"\?'):
        build_design(spec, vemurafenib)


def test_a_design_of_one_unit_rests_on_its_priors(spec_of: SpecOf, tmp_path: Path) -> None:
    found = fit_model(
        spec_of(intercept=WIDE, heterogeneity=[EXNEX]), table(tmp_path, [("a", 4, 10)]), engine=Engine.QUADRATURE
    )
    exact = exact_of(np.array([4]), np.array([10]), np.array([0.5]), ALPHA, OWN)
    assert_draws_are(found, exact)
    assert replace(found.design, cohort=None).exnex is None


@pytest.mark.slow
def test_ranks_of_simulated_units_are_uniform(spec_of: SpecOf, vemurafenib: Evidence) -> None:
    """Simulation-based calibration (Talts et al. 2018, arXiv:1804.06788) of rates and of what a unit is."""
    from alkbayes.calibration.simulation import simulate
    from alkbayes.inference.importance.engine import Integrated, integrate
    from alkbayes.inference.settings import SamplerSettings

    empty = build_design(spec_of(intercept=WIDE, heterogeneity=[EXNEX]), vemurafenib)
    ranks: dict[str, list[float]] = {}
    hits, rng = [], np.random.default_rng(11)
    for number in range(120):
        truth, design = simulate(empty, None, rng=rng)
        found = integrate(design, SamplerSettings(seed=number, chains=2, draws=300))
        assert isinstance(found, Integrated), found
        for name in ("alpha", "tau_cohort"):
            ranks.setdefault(name, []).append((found.draws[name] < truth[name]).mean())
        for unit in (0, 3):
            ranks.setdefault(f"p{unit}", []).append((found.draws["p"][..., unit] < truth["p"][..., unit]).mean())
        chances = found.draws["exchangeable_cohort"].mean(axis=(0, 1))
        hits += list(zip(chances, truth["exchangeable_cohort"][0, 0], strict=True))
    # Five tests at fixed seeds: a level of 0.001 each makes a false alarm of one in 200 on a change of seed.
    for name, shares in ranks.items():
        assert stats.kstest(shares, "uniform").pvalue > 0.001, name
    chances, truths = np.array(hits).T
    off = (truths - chances).sum() / np.sqrt((chances * (1 - chances)).sum())
    assert abs(off) < stats.norm.isf(0.0005)
