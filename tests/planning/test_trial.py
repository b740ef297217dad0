"""What is said of a planned trial against the draws it is made of, SciPy, and the run's own tables."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alkbayes.estimates.monte_carlo import error_columns_of
from alkbayes.estimates.rates import pooled_table, posterior_of
from alkbayes.evidence.outcomes import ORR
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.planning.beta_mixture import VAGUE
from alkbayes.planning.cohort import PlannedCohort, planned_cohort
from alkbayes.planning.single_arm import SingleArmDesign
from alkbayes.planning.trial import NOT_RANDOMISED_TRIALS, ORRS, SHOWN_SIZES, STEADY_SHARE, Prediction, predict
from alkbayes.spec.schema import model_path, read_spec
from alkbayes.text.json import finite_or_none

SIZES = (25, 40)


def fitted(model: str, evidence: Evidence | None = None, draws: int = 250) -> Fit:
    spec = read_spec(model_path(model))
    settings = SamplerSettings(seed=3, chains=4, draws=draws)
    table = read_evidence(needed=spec.columns) if evidence is None else evidence
    return fit_model(spec, table, engine=Engine.QUADRATURE, settings=settings)


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fitted("line-generation")


@pytest.fixture(scope="module")
def cohort(fit: Fit) -> PlannedCohort:
    return planned_cohort(fit, {"line": "naive", "generation": "third"})


@pytest.fixture(scope="module")
def found(fit: Fit, cohort: PlannedCohort) -> Prediction:
    return predict(fit, cohort, sizes=SIZES, above=[0.7, 0.5], robust_weight=0.2, null=0.6, threshold=0.975)


def test_the_true_rate_is_the_runs_next_cohort(fit: Fit, found: Prediction) -> None:
    table = pooled_table(posterior_of(fit), error_columns_of(fit))
    (row,) = table[(table["level"] == "naive:third") & (table["estimand"] == "next_cohort")].to_dict(orient="records")
    assert found.rate == {name: row[name] for name in found.rate}
    assert {"mean", "median", "sd", "low", "high", "mcse", "mcse_low"} <= set(found.rate)


def test_responders_are_a_binomial_at_each_draw(found: Prediction, cohort: PlannedCohort) -> None:
    for row in found.planned:
        n = row["n"]
        every = np.asarray(stats.binom.pmf(np.arange(n + 1), n, cohort.rates.ravel()[:, None])).mean(axis=0)
        np.testing.assert_allclose(found.responders[n], every, atol=1e-4)
        assert row["mean"] == pytest.approx(n * cohort.rates.mean(), abs=1e-6 * n)
        assert every[: row["responders_low"]].sum() <= 0.025 + 1e-4
        assert every[row["responders_high"] + 1 :].sum() <= 0.025 + 1e-4
        assert (row["low"], row["high"]) == (row["responders_low"] / n, row["responders_high"] / n)
        # More spread than that of the true rate alone.
        assert row["low"] < found.rate["low"] < found.rate["high"] < row["high"]


def test_true_and_observed_rates_exceed_a_limit(found: Prediction, cohort: PlannedCohort) -> None:
    rows = {(row["above"], row["rate"], row["n"]): row for row in found.exceeding}
    assert len(rows) == 2 * (1 + len(SIZES))
    assert rows[0.7, "true", None]["probability"] == pytest.approx((cohort.rates > 0.7).mean())
    # 0.7 of 40 patients are 28, which are not more than 70 %; 17.5 of 25 are passed by 18.
    for n, least in ((40, 29), (25, 18)):
        expected = stats.binom.sf(least - 1, n, cohort.rates).mean()
        assert rows[0.7, "observed", n]["probability"] == pytest.approx(expected, rel=1e-9)
        assert expected == pytest.approx(found.responders[n][least:].sum(), abs=1e-4)
    assert rows[0.5, "observed", 25]["probability"] == pytest.approx(stats.binom.sf(12, 25, cohort.rates).mean())


def test_monte_carlo_errors_are_those_of_the_draws(found: Prediction, cohort: PlannedCohort) -> None:
    rows = {(row["above"], row["rate"], row["n"]): row for row in found.exceeding}
    for n, shares in (
        (None, (cohort.rates > 0.7).mean(axis=1)),
        (40, stats.binom.sf(28, 40, cohort.rates).mean(axis=1)),
    ):
        # Few of the draws are duplicates: their error is nearly that of independent ones.
        expected = shares.std() / np.sqrt(len(shares))
        assert rows[0.7, "true" if n is None else "observed", n]["mcse"] == pytest.approx(expected, rel=0.1)


def test_intervals_go_to_the_limit_of_the_true_rate(found: Prediction) -> None:
    sizes = [row["n"] for row in found.intervals]
    assert sizes == sorted({*SHOWN_SIZES, *SIZES})
    last = found.intervals[-1]
    assert (last["low"], last["high"]) == pytest.approx((found.rate["low"], found.rate["high"]), abs=0.01)
    assert found.steady is not None
    for row in found.intervals:
        assert (row["narrowing"] < STEADY_SHARE) == (row["n"] >= found.steady)


def test_the_prior_stands_for_the_draws() -> None:
    # Of 1,000 draws AIC takes one component or two, as chance will; of 10,000 always two.
    fit = fitted("line-generation", draws=2500)
    cohort = planned_cohort(fit, {"line": "naive", "generation": "third"})
    found = predict(fit, cohort, sizes=SIZES, above=[0.7, 0.5], robust_weight=0.2, null=0.6, threshold=0.975)
    names = [prior.name for prior in found.priors]
    assert names == ["robust MAP", "MAP", "vague"]
    robust, prior, vague = (each.as_record() for each in found.priors)
    # Strata, and a fit by likelihood instead of moments, move these by less.
    assert prior["mean"] == pytest.approx(found.rate["mean"], abs=0.002)
    assert prior["sd"] == pytest.approx(found.rate["sd"], abs=0.003)
    assert (prior["low"], prior["high"]) == pytest.approx((found.rate["low"], found.rate["high"]), abs=0.015)
    assert robust["components"][-1] == {"weight": pytest.approx(0.2), "a": 1.0, "b": 1.0}
    assert robust["mean"] == pytest.approx(0.8 * prior["mean"] + 0.1)
    assert robust["text"].endswith(" + 0.200·Beta(1, 1)")
    assert vague["text"] == "Beta(1, 1)"
    assert robust["ess_elir"] < prior["ess_elir"]


def test_designs_are_those_of_the_priors(found: Prediction, cohort: PlannedCohort) -> None:
    rows = found.characteristics
    assert [(row["prior"], row["n"]) for row in rows] == [(p.name, n) for p in found.priors for n in SIZES]
    for row, (_, design) in zip(rows, found.designs, strict=True):
        assert (row["null"], row["threshold"]) == (0.6, 0.975)
        assert row["type_i_error"] == pytest.approx(stats.binom.sf(row["critical"] - 1, row["n"], 0.6))
        expected = stats.binom.sf(row["critical"] - 1, row["n"], cohort.rates).mean()
        assert row["assurance"] == pytest.approx(expected, abs=2e-4)
        assert float(design.success(row["orr_80"])) == pytest.approx(0.8)
        assert float(design.success(row["orr_90"])) == pytest.approx(0.9)
    curve = found.curves[(found.curves["prior"] == "vague") & (found.curves["n"] == 40)]
    np.testing.assert_array_equal(curve["orr"], ORRS)
    np.testing.assert_allclose(curve["success"], SingleArmDesign(VAGUE, 40, 0.6, 0.975).success(ORRS))


def test_the_distribution_says_what_each_count_would_mean(found: Prediction) -> None:
    table = found.distribution
    assert len(table) == sum(n + 1 for n in SIZES)
    part = table[table["n"] == 40].set_index("responders")
    assert part["at_least"].iloc[0] == pytest.approx(1.0)
    assert part.loc[30, "at_least"] == pytest.approx(found.responders[40][30:].sum())
    critical = found.characteristics[1]["critical"]
    assert part.index[part["success"]].min() == critical
    robust = found.priors[0].mixture
    assert part.loc[20, "posterior"] == pytest.approx(float(robust.posterior(20, 40).above(0.6)))


def test_the_record_is_json(found: Prediction) -> None:
    document = json.loads(json.dumps(finite_or_none(found.as_record()), allow_nan=False))
    assert document["cohort"]["levels"] == {"line": "naive", "generation": "third"}
    assert document["exceeding"][1]["n"] == 25
    assert isinstance(document["exceeding"][1]["n"], int)
    assert document["priors"][2]["ess_morita"] is None
    assert document["notes"] == [NOT_RANDOMISED_TRIALS.format(o=ORR)]
    pd.testing.assert_frame_equal(
        pd.DataFrame(document["distribution"]), found.distribution.reset_index(drop=True), check_dtype=False
    )


@pytest.mark.parametrize(("weight", "names"), [(0.0, ["MAP", "vague"]), (1.0, ["vague", "MAP"])])
def test_a_robust_prior_that_is_another_is_no_third(
    fit: Fit, cohort: PlannedCohort, weight: float, names: list[str]
) -> None:
    found = predict(fit, cohort, sizes=[10], robust_weight=weight, null=0.5, threshold=0.9)
    assert [prior.name for prior in found.priors] == names
    assert found.exceeding == ()
    first = found.characteristics[0]
    assert first["prior"] == names[0]
    assert found.distribution.query("success")["responders"].min() == first["critical"]


def test_without_a_null_there_is_no_design(fit: Fit, cohort: PlannedCohort) -> None:
    found = predict(fit, cohort, sizes=[10], robust_weight=0.2, threshold=0.975)
    assert (found.designs, found.characteristics) == ((), [])
    record = found.as_record()
    assert (record["designs"], record["curves"]) == ([], [])
    assert "posterior" not in found.distribution


def test_what_no_cohort_has_is_said(fit: Fit) -> None:
    found = predict(
        fit,
        planned_cohort(fit, {"line": "naive", "generation": "experimental"}),
        sizes=[30],
        robust_weight=0.2,
        threshold=0.975,
    )
    assert found.notes[0].startswith("No cohort of the table is line naive, generation experimental: ")
    assert found.as_record()["cohort"]["seen"] is False


def test_a_mixture_that_does_not_follow_is_said(fit: Fit, cohort: PlannedCohort) -> None:
    # A fifth of the draws at one rate, far from the others: no density follows a point.
    rates = cohort.rates.copy()
    rates[::5] = 0.2
    found = predict(fit, replace(cohort, rates=rates), sizes=[30], robust_weight=0.2, threshold=0.975)
    assert not found.fitted.follows
    assert any("does not follow the draws" in note for note in found.notes)


def test_a_prior_of_several_modes_is_said(fit: Fit, cohort: PlannedCohort) -> None:
    # A third of the draws around 0.2, far from the others, as wide as a density follows.
    rates = cohort.rates.copy()
    rates[::3] = np.random.default_rng(1).beta(60, 240, size=rates[::3].shape)
    found = predict(fit, replace(cohort, rates=rates), sizes=[30], robust_weight=0.2, threshold=0.975)
    assert any("several modes" in note for note in found.notes)
    assert not any(
        "several modes" in note for note in predict(fit, cohort, sizes=[30], robust_weight=0.2, threshold=0.975).notes
    )


@pytest.mark.slow
@pytest.mark.parametrize("model", ["beta-binomial", "cloglog"])
def test_other_models_predict_too(model: str, table_of: Any) -> None:
    fit = fitted(model, evidence=table_of())
    found = predict(
        fit, planned_cohort(fit, {"line": "pretreated"}), sizes=[30], above=[0.5], robust_weight=0.2, threshold=0.975
    )
    table = pooled_table(posterior_of(fit))
    (row,) = table[(table["level"] == "pretreated") & (table["estimand"] == "next_cohort")].to_dict(orient="records")
    assert (found.rate["low"], found.rate["high"]) == (row["low"], row["high"])
    assert found.fitted.follows
    assert found.cohort.averaged == ("generation",)
