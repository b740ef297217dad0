"""Comparison of models: ArviZ's own numbers on the integrated likelihood, exact refits, and mixtures of posteriors."""

from dataclasses import replace
from typing import Any

import arviz_stats as az
import numpy as np
import pytest
import xarray as xr

from alkbayes.criticism.comparison import (
    Comparison,
    check_comparable,
    compare_fits,
    compared,
    is_apart,
    stacked_numbers,
    verdict,
)
from alkbayes.criticism.integrated_likelihood import log_likelihood_given_others
from alkbayes.criticism.loo_trials import leave_one_trial_out
from alkbayes.errors import RunError, UsageError
from alkbayes.estimates.results import results_of
from alkbayes.inference.fit import fit_model, global_parameters
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import build_design
from alkbayes.model.summary import summarise

ROWS = """
a1 A naive first 60 45
a2 A pretreated second 40 12
b1 B naive second 80 66
c1 C pretreated first 50 16
c2 C naive first 30 24
d1 D pretreated second 90 25
e1 E naive first 100 79
f1 F pretreated first 110 30
"""
HALF_NORMAL = {"dist": "half_normal", "sd": 0.5}
LINE = {"column": "line", "kind": "fixed", "reference": "naive", "prior": {"dist": "normal", "mean": 0.0, "sd": 1.0}}
LEVELS = [{"column": column, "distribution": "normal", "sd_prior": HALF_NORMAL} for column in ("trial", "cohort_id")]
SETTINGS = SamplerSettings(seed=5, chains=2, draws=1000)


@pytest.fixture(scope="module")
def fits(spec_of: Any, table_of: Any) -> dict[str, Any]:
    specs = {
        "line": spec_of(name="line", effect=[LINE], heterogeneity=LEVELS),
        "overall": spec_of(name="overall", heterogeneity=LEVELS),
    }
    return {
        name: fit_model(spec, table_of(ROWS), engine=Engine.QUADRATURE, settings=SETTINGS)
        for name, spec in specs.items()
    }


@pytest.fixture(scope="module")
def alone(fits: dict[str, Any]) -> dict[str, Any]:
    return {name: leave_one_trial_out(fit, workers=1) for name, fit in fits.items()}


@pytest.fixture(scope="module")
def comparison(fits: dict[str, Any]) -> Comparison:
    return compare_fits(fits, workers=1)


def test_by_cohort_it_is_arvizs_comparison_of_the_integrated_likelihood(
    fits: dict[str, Any], comparison: Comparison
) -> None:
    trees = {}
    for name, fit in fits.items():
        cohorts = [np.array([cohort]) for cohort in range(len(fit.design.cohorts))]
        values = log_likelihood_given_others(fit.design, fit.draws, cohorts)
        trees[name] = xr.DataTree.from_dict(
            {
                "posterior": global_parameters(fit.tree["posterior"].to_dataset()),
                "log_likelihood": xr.Dataset({"y": (("chain", "draw", "cohort"), values)}),
            }
        )
    theirs = az.compare(trees, round_to="none")
    ours = comparison.elpd[comparison.elpd["left_out"] == "cohort"].set_index("run")
    assert list(ours.index) == list(theirs.index)
    for name, column in {"elpd": "elpd", "se": "se", "p": "p", "difference": "elpd_diff", "weight": "weight"}.items():
        np.testing.assert_allclose(ours[name], theirs[column].astype(float), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours["difference_se"], theirs["dse"].astype(float), rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_by_trial_it_is_the_exact_leave_one_out_of_each(alone: dict[str, Any], comparison: Comparison) -> None:
    ours = comparison.elpd[comparison.elpd["left_out"] == "trial"].set_index("run")
    values = {}
    for name, left_out in alone.items():
        values[name] = left_out.elpd.elpd_i.to_numpy()
        assert ours.loc[name, "elpd"] == pytest.approx(values[name].sum())
        assert ours.loc[name, "mcse"] == pytest.approx(np.sqrt((left_out.trials["elpd_mcse"] ** 2).sum()))
        pointwise = comparison.pointwise[
            (comparison.pointwise["left_out"] == "trial") & (comparison.pointwise["run"] == name)
        ]
        np.testing.assert_allclose(pointwise["elpd"], values[name])
        assert list(pointwise["unit"]) == list("ABCDEF")
    # The standard error of a sum of six differences, as Vehtari et al. 2017 have it.
    apart = values["overall"] - values["line"]
    assert ours.loc["overall", "difference"] == pytest.approx(apart.sum())
    assert ours.loc["overall", "difference_se"] == pytest.approx(np.sqrt(6 * apart.var()))


def test_the_model_that_knows_the_line_wins_where_lines_differ(comparison: Comparison) -> None:
    assert set(comparison.elpd.groupby("left_out")["run"].first()) == {"line"}
    assert comparison.weights_by == "trial"
    assert any("there are 6 trials: with fewer than 100" in caution for caution in comparison.cautions)
    # By the differences that this table has, whichever side of the limits they are.
    row = comparison.elpd[comparison.elpd["left_out"] == "trial"].iloc[1]
    apart = is_apart(row["difference"], row["difference_se"])
    assert any("By trial, overall and line are not told apart" in caution for caution in comparison.cautions) != apart
    assert ("better than overall" in verdict(comparison)[0]) == apart


def test_what_is_apart_is_beyond_two_errors_and_not_small() -> None:
    assert is_apart(-10.0, 4.0)
    assert not is_apart(-10.0, 6.0)
    assert not is_apart(-3.9, 0.1)


def test_stacked_numbers_are_those_of_a_mixture(fits: dict[str, Any]) -> None:
    weights = {"line": 0.25, "overall": 0.75}
    table = stacked_numbers(fits, weights).set_index(["number", "run"])
    # The models share what is about all cohorts; levels of the line are not in both.
    assert set(table.index.get_level_values("number")) == {"overall, mean", "overall, next cohort", "tau_total"}
    for name, fit in fits.items():
        # As `fit` prints them, with their errors.
        pooled = results_of(fit).pooled.set_index(["group", "estimand"]).loc[("all", "mean")]
        row = table.loc[("overall, mean", name)]
        for column in ("median", "low", "high", "mcse_median", "mcse_low", "mcse_high"):
            assert row[column] == pytest.approx(pooled[column])
    rng = np.random.default_rng(1)
    for number in ("overall, mean", "tau_total"):
        parts = table.loc[number]
        mean = sum(share * parts.loc[name, "mean"] for name, share in weights.items())
        assert parts.loc["(stacked)", "mean"] == pytest.approx(mean)
        within = sum(share * parts.loc[name, "sd"] ** 2 for name, share in weights.items())
        between = sum(share * (parts.loc[name, "mean"] - mean) ** 2 for name, share in weights.items())
        assert parts.loc["(stacked)", "sd"] == pytest.approx(np.sqrt(within + between))
    drawn = [
        rng.choice(
            np.hypot(*(fits[name].draws[f"tau_{level}"].ravel() for level in ("trial", "cohort"))), int(share * 400_000)
        )
        for name, share in weights.items()
    ]
    low, median, high = np.quantile(np.concatenate(drawn), [0.025, 0.5, 0.975])
    # Of 400,000 resampled draws.
    found = table.loc[("tau_total", "(stacked)"), ["low", "median", "high"]].astype(float)
    np.testing.assert_allclose(found, [low, median, high], atol=0.01)


def test_equal_weights_give_what_numpy_gives() -> None:
    values = np.random.default_rng(2).normal(size=4001)
    found = summarise(values, np.ones(values.size))
    assert found["mean"] == pytest.approx(values.mean())
    assert found["sd"] == pytest.approx(values.std())
    np.testing.assert_array_equal(
        [found["low"], found["median"], found["high"]],
        np.quantile(values, [0.025, 0.5, 0.975], method="inverted_cdf"),
    )


def test_two_fits_of_one_model_are_alike(alone: dict[str, Any]) -> None:
    elpds = dict.fromkeys(("a", "b"), alone["line"].elpd)
    table = compared(elpds)
    assert list(table["difference"]) == [0.0, 0.0]
    assert table["weight"].sum() == pytest.approx(1.0)


def test_only_fits_of_the_same_evidence_are_compared(fits: dict[str, Any], spec_of: Any) -> None:
    line, overall = fits.values()
    other = replace(overall, evidence=replace(overall.evidence, sha256="f" * 64))
    with pytest.raises(RunError, match="overall is of other evidence than line"):
        check_comparable({"line": line, "overall": other})
    counts = replace(overall, design=replace(overall.design, responders=overall.design.responders - 1))
    with pytest.raises(RunError, match="same cohorts and counts"):
        check_comparable({"line": line, "overall": counts})
    check_comparable(fits)


def test_a_model_that_is_not_covered_is_named(fits: dict[str, Any], spec_of: Any, table_of: Any) -> None:
    spec = spec_of(name="plain")
    plain = replace(fits["overall"], spec=spec, design=build_design(spec, table_of(ROWS)))
    with pytest.raises(UsageError, match="'plain' has neither heterogeneity"):
        check_comparable({"line": fits["line"], "plain": plain})


def test_without_trials_weights_are_by_cohort(fits: dict[str, Any], table_of: Any) -> None:
    table = table_of(ROWS)
    table.frame["trial"] = ""
    found = compare_fits({name: replace(fit, evidence=table) for name, fit in fits.items()})
    assert found.weights_by == "cohort"
    assert set(found.elpd["left_out"]) == {"cohort"}
    assert found.elpd["mcse"].isna().all()
    assert found.cautions[0] == (
        "Trials are not left out in turn: the table does not say which cohorts are of one trial."
    )
    table.frame["trial"] = "A"
    found = compare_fits({name: replace(fit, evidence=table) for name, fit in fits.items()})
    assert found.cautions[0] == "Trials are not left out in turn: all cohorts are of one trial, A."
