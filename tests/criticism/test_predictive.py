"""Predictive checks: brute force, uniform PIT values under the model, and models that are wrong."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from alkbayes.criticism.predictive import (
    Kind,
    posterior_checks,
    prior_checks,
    replicates,
    tail_probabilities,
    uniformity,
)
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import build_design
from alkbayes.model.draws import complete, from_prior
from alkbayes.spec.schema import model_path, read_spec

SETTINGS = SamplerSettings(seed=5, chains=2, draws=1000)
LIKE = "\n".join(f"c{place} t{place} naive first 60 {45 + place % 5}" for place in range(14))


def quadrature(spec: Any, evidence: Any) -> Fit:
    return fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=SETTINGS)


@pytest.fixture(scope="module")
def bundled() -> Callable[[str], Fit]:
    def make(model: str) -> Fit:
        spec = read_spec(model_path(model))
        return quadrature(spec, read_evidence(needed=spec.columns))

    return make


@pytest.fixture(scope="module")
def default(bundled: Callable[[str], Fit]) -> Fit:
    return bundled("line-generation")


def test_tail_probabilities_are_those_of_scipy_draw_by_draw(case_of: Callable[..., Any]) -> None:
    design = case_of("group-only").design
    rates = np.random.default_rng(1).uniform(size=(7, len(design.n)))
    fewer, equal = tail_probabilities(design, rates)
    for place, (y, n) in enumerate(zip(design.responders, design.n, strict=True)):
        counts = [stats.binom(int(n), rate) for rate in rates[:, place]]
        assert fewer[place] == pytest.approx(np.mean([each.cdf(y - 1) for each in counts]), abs=1e-12)
        assert equal[place] == pytest.approx(np.mean([each.pmf(y) for each in counts]), abs=1e-12)
    none = design.responders == 0
    assert none.any()
    assert (fewer[none] == 0).all()


@pytest.fixture(scope="module")
def many(spec_of: Callable[..., Any], table_of: Callable[..., Any]) -> Any:
    """A design of 600 cohorts in 300 trials, small ones among them, and the truth that their counts are drawn with."""
    half_normal = {"dist": "half_normal", "sd": 0.5}
    spec = spec_of(
        heterogeneity=[
            {"column": column, "distribution": "normal", "sd_prior": half_normal} for column in ("trial", "cohort_id")
        ]
    )
    sizes = np.random.default_rng(2).integers(1, 60, size=600)
    rows = "\n".join(f"c{place} t{place // 2} naive first {n} 0" for place, n in enumerate(sizes))
    design = build_design(spec, table_of(rows))
    truth = {"alpha": np.full(400, 0.4), "tau_trial": np.full(400, 0.6), "tau_cohort": np.full(400, 0.5)}
    blank = {f"z_{term.label}": np.zeros((400, len(term.units))) for term in design.heterogeneity}
    return design, complete(design, truth | blank)


def test_new_cohorts_have_the_models_spread_and_share_their_trial(many: Any) -> None:
    design, draws = many
    rates = replicates(design, draws, kind=Kind.NEW, rng=np.random.default_rng(3)).rates
    theta = np.log(rates / (1 - rates))
    # 240,000 logits with at most 300 x 400 independent parts: standard errors of about 0.002 and 0.003.
    assert theta.mean() == pytest.approx(0.4, abs=0.01)
    assert theta.var() == pytest.approx(0.6**2 + 0.5**2, abs=0.012)
    within = np.mean((theta[:, ::2] - 0.4) * (theta[:, 1::2] - 0.4))
    assert within == pytest.approx(0.6**2, abs=0.012)
    apart = np.mean((theta[:, :-2:2] - 0.4) * (theta[:, 2::2] - 0.4))
    assert apart == pytest.approx(0.0, abs=0.01)
    same = replicates(design, draws, kind=Kind.SAME, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(same.rates, draws["p"])


def test_pit_values_are_uniform_where_data_are_drawn_from_the_model(many: Any) -> None:
    """Kolmogorov's and ArviZ's tests, each at 1 %: two false alarms in a hundred seeds. The seeds are fixed."""
    design, draws = many
    rng = np.random.default_rng(4)
    rates = replicates(design, draws, kind=Kind.NEW, rng=rng).rates
    observed = replicates(design, draws, kind=Kind.NEW, rng=rng).responders[0]
    # One cohort of each trial: those of one trial depend on each other, which Kolmogorov's test does not allow for.
    held = replace(design, responders=observed.astype(float))
    fewer, equal = tail_probabilities(held, rates)
    pit = (fewer + rng.uniform(size=len(fewer)) * equal)[::2]
    assert stats.kstest(pit, "uniform").pvalue > 0.01
    assert uniformity(pit) > 0.01
    # Data of twice the heterogeneity have too many cohorts in the tails.
    doubled = complete(design, {name: (2 if name.startswith("tau") else 1) * draws[name] for name in draws})
    wild = replicates(design, doubled, kind=Kind.NEW, rng=rng).responders[0]
    fewer, equal = tail_probabilities(replace(design, responders=wild.astype(float)), rates)
    assert uniformity((fewer + rng.uniform(size=len(fewer)) * equal)[::2]) < 1e-4


def test_few_pit_values_are_not_tested() -> None:
    assert uniformity(np.linspace(0.1, 0.9, 7)) is None
    assert uniformity(np.array([0.0, 1.0, *np.linspace(0.1, 0.9, 7)])) is not None


def test_the_statistics_of_the_bundled_table_are_the_plain_ones(default: Fit) -> None:
    found = {(each.name, each.kind): each for each in posterior_checks(default).statistics}
    frame = default.evidence.frame
    y, n = frame["responders"], frame["n"]
    logits = np.log((y + 0.5) / (n - y + 0.5))
    sums = frame.groupby("line")[["responders", "n"]].sum()
    crude = sums["responders"] / sums["n"]
    for kind in Kind:
        assert found["SD of the logits", kind].observed == pytest.approx(logits.std(), rel=1e-12)
        assert found["smallest ORR", kind].observed == pytest.approx((y / n).min(), rel=1e-12)
        assert found["largest ORR", kind].observed == pytest.approx((y / n).max(), rel=1e-12)
        difference = found["naive less pretreated", kind].observed
        assert difference == pytest.approx(crude["naive"] - crude["pretreated"], rel=1e-12)


def test_p_values_intervals_and_counts_outside_are_those_of_a_plain_loop(case_of: Callable[..., Any]) -> None:
    case = case_of("group-only")
    fit = quadrature(case.spec, case.evidence)
    found = posterior_checks(fit)
    # The first of the replicated tables: the stream of random numbers is the run's.
    rng = np.random.default_rng([SETTINGS.seed, 2])
    draws = {name: values.reshape(-1, *values.shape[2:]) for name, values in fit.draws.items()}
    tables = replicates(fit.design, draws, kind=Kind.SAME, rng=rng).responders
    n, y = fit.design.n, fit.design.responders
    low, high = [], []
    for cohort in tables.T:
        ordered = np.sort(cohort)
        # The smallest count with at least that share of the draws at or below it.
        low.append(next(count for count in ordered if (ordered <= count).mean() >= 0.05))
        high.append(next(count for count in ordered if (ordered <= count).mean() >= 0.95))
    np.testing.assert_allclose(found.cohorts["same_low90"], np.array(low) / n)
    np.testing.assert_allclose(found.cohorts["same_high90"], np.array(high) / n)
    by_name = {each.name: each for each in found.statistics if each.kind == Kind.SAME}

    def p(of: Callable[[np.ndarray], float]) -> float:
        values = [of(table) for table in tables]
        return float(np.mean([1.0 if value > of(y) else 0.5 if value == of(y) else 0.0 for value in values]))

    assert by_name["smallest ORR"].p == pytest.approx(p(lambda table: min(table / n)))
    assert by_name["largest ORR"].p == pytest.approx(p(lambda table: max(table / n)))
    outside = by_name["cohorts outside 90 %"]
    assert outside.p == pytest.approx(p(lambda table: sum((table < low) | (table > high))))
    assert outside.observed == sum((y < low) | (y > high))


def test_the_default_model_expects_the_bundled_table(default: Fit) -> None:
    found = posterior_checks(default)
    assert found.conclusion.startswith("What was observed is what the model expects")
    assert found.uniform["new"] is not None
    assert found.uniform["new"] > 0.05
    # Rates that were shrunk towards their own counts: nearer to the middle than uniform.
    assert (found.cohorts["same_pit"] - 0.5).abs().mean() < (found.cohorts["new_pit"] - 0.5).abs().mean() < 0.3
    record = json.loads(json.dumps(found.as_record(), allow_nan=False))
    assert len(record["cohorts"]) == 66
    assert {each["kind"] for each in record["statistics"]} == {"same", "new"}


def test_a_model_without_the_line_does_not_expect_the_lines_difference(bundled: Callable[[str], Fit]) -> None:
    found = posterior_checks(bundled("overall"))
    (difference,) = [each for each in found.statistics if (each.name, each.kind) == ("naive less pretreated", "new")]
    assert difference.p < 0.01
    assert "naive less pretreated (new cohorts)" in found.conclusion


def test_a_cohort_with_responders_and_others_swapped_is_the_most_extreme(
    spec_of: Callable[..., Any], table_of: Callable[..., Any]
) -> None:
    half_normal = {"dist": "half_normal", "sd": 0.5}
    spec = spec_of(heterogeneity=[{"column": "trial", "distribution": "normal", "sd_prior": half_normal}])
    found = posterior_checks(quadrature(spec, table_of(LIKE + "\nswapped x naive first 80 16")))
    right = posterior_checks(quadrature(spec, table_of(LIKE + "\nswapped x naive first 80 64")))
    for checks, low in ((found, True), (right, False)):
        extreme = np.minimum(checks.cohorts["new_pit"], 1 - checks.cohorts["new_pit"])
        swapped = checks.cohorts["cohort_id"] == "swapped"
        assert (extreme[swapped].iloc[0] < 0.02) == low
        assert (checks.cohorts.loc[extreme.idxmin(), "cohort_id"] == "swapped") or not low


def test_priors_that_rule_the_data_out_are_said_to(spec_of: Callable[..., Any], table_of: Callable[..., Any]) -> None:
    half_normal = {"dist": "half_normal", "sd": 0.3}
    for mean, inside in ((1.0, True), (-4.0, False)):
        spec = spec_of(
            intercept={"prior": {"dist": "normal", "mean": mean, "sd": 0.5}},
            heterogeneity=[{"column": "trial", "distribution": "normal", "sd_prior": half_normal}],
        )
        found = prior_checks(quadrature(spec, table_of(LIKE)))
        (cell,) = found.cells.to_dict(orient="records")
        assert (cell["cell"], cell["k"], cell["patients"]) == ("naive:first", 14, 840)
        assert cell["inside"] is inside
        assert ("the rate of naive:first" in found.conclusion) is not inside
        assert (cell["below"] > 0.9) is not inside


def test_cells_are_those_of_line_and_generation_with_the_priors_own_rates(default: Fit) -> None:
    cells = prior_checks(default).cells
    assert len(cells) == 13
    assert (cells["k"].sum(), cells["patients"].sum(), cells["responders"].sum()) == (66, 5707, 3436)
    assert cells["cell"].tolist()[0] == "naive:first"
    prior = from_prior(default.design, rng=np.random.default_rng(9), draws=20_000)
    members = (default.evidence.frame["line"] == "naive") & (default.evidence.frame["regimen_class"] == "first")
    n = default.design.n[members]
    rate = prior["p"][0][:, members] @ n / n.sum()
    # 4,000 draws on one side know the ends to about 0.01, and binomial chance adds little to 636 patients.
    first = cells.iloc[0]
    assert [first["low"], first["median"], first["high"]] == pytest.approx(
        np.quantile(rate, [0.025, 0.5, 0.975]), abs=0.03
    )
    assert first["below"] == pytest.approx((rate < 0.05).mean(), abs=0.01)
    assert first["above"] == pytest.approx((rate > 0.95).mean(), abs=0.01)
