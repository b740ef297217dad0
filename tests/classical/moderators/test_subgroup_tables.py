"""Subgroup tables: both kinds of tau2, prediction against metafor, tests, notes."""

import math
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm, t

from alkbayes.classical.maximum_likelihood.glmm import GlmmFit, fit_glmm
from alkbayes.classical.moderators.regression import regress
from alkbayes.classical.moderators.subgroup_tables import LEVEL_COLUMNS, TEST_COLUMNS, subgroup_table
from alkbayes.classical.moderators.subgroups import subgroups
from alkbayes.classical.notes import standard_error_note
from alkbayes.classical.pooling.methods import INVERSE_VARIANCE, PoolingMethod
from alkbayes.classical.pooling.models import binomial_instead
from alkbayes.classical.pooling.pool import NO_SPREAD_HTS_NOTE, pool
from alkbayes.classical.pooling.result import CUT_NOTE, NO_SPREAD_NOTE
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.table import Evidence
from alkbayes.text.notes import text_of

type Maker = Callable[..., Evidence]

PREDICTION = {
    "separate": [[0.499133785309, 0.919001365869], [0.242699807708, 0.746427088616], [0.465220495184, 0.778243501329]],
    "shared": [[0.539118620424, 0.905930323332], [0.257536074700, 0.731022028917], [0.372556034170, 0.832140416466]],
}
"""metafor 3.8 on the bundled cohorts: predict(rma(yi, vi, test="knha")) in each line, and predict() of
rma(yi, vi, mods = ~ 0 + line, test="knha") at each line; REML to a threshold of 1e-12, transformed back."""


def test_prediction_intervals_are_metafors(bundled: Evidence) -> None:
    levels = subgroup_table(bundled, "line", method=PoolingMethod.REML_LOGIT_HK).levels
    assert list(levels.columns) == list(LEVEL_COLUMNS)
    for kind, expected in PREDICTION.items():
        part = levels[levels["heterogeneity"] == kind]
        assert part["level"].tolist() == ["naive", "pretreated", "mixed"]
        np.testing.assert_allclose(part[["prediction_low", "prediction_high"]], expected, rtol=1e-8)


@pytest.mark.parametrize("method", [PoolingMethod.REML_LOGIT_HTS, PoolingMethod.GLMM_ML, PoolingMethod.REML_ARCSINE])
def test_levels_with_their_own_tau2_predict_as_pool_does(bundled: Evidence, method: PoolingMethod) -> None:
    levels = subgroup_table(bundled, "regimen_class", method=method).levels
    separate = levels[levels["heterogeneity"] == "separate"]
    for _, row in separate.iterrows():
        part = bundled.frame[bundled.frame["regimen_class"] == row["level"]]
        expected = pool(part["responders"], part["n"], method=method)
        for name in ("estimate", "low", "high", "prediction_low", "prediction_high", "tau2"):
            value = getattr(expected, name)
            assert row[name] == pytest.approx(math.nan if value is None else value, rel=1e-9, nan_ok=True), name
        assert (row["k"], row["patients"], row["responders"]) == (expected.k, expected.patients, expected.responders)


@pytest.mark.parametrize(
    ("method", "quantile"),
    [
        (PoolingMethod.GLMM_ML, norm.ppf(0.975)),
        (PoolingMethod.REML_LOGIT_T, t.ppf(0.975, 66 - 5)),
        (PoolingMethod.REML_LOGIT_HTS, t.ppf(0.975, 66 - 5 - 1)),
    ],
)
def test_a_shared_tau2_predicts_by_the_degrees_of_freedom_of_the_regression(
    bundled: Evidence, method: PoolingMethod, quantile: float
) -> None:
    levels = subgroup_table(bundled, "regimen_class", method=method).levels
    shared = levels[levels["heterogeneity"] == "shared"]
    half = quantile * np.sqrt(shared["tau2"] + shared["se"] ** 2)
    np.testing.assert_allclose(shared["prediction_low"], expit(logit(shared["estimate"]) - half), rtol=1e-9)
    np.testing.assert_allclose(shared["prediction_high"], expit(logit(shared["estimate"]) + half), rtol=1e-9)


@pytest.mark.parametrize(
    ("method", "names"),
    [
        (PoolingMethod.REML_LOGIT, ["Q_between", "Q_M"]),
        (PoolingMethod.REML_LOGIT_HK, ["Q_between", "F"]),
        (PoolingMethod.GLMM_ML, ["Q_between", "LR"]),
        (PoolingMethod.COMMON_LOGIT, ["Q_between"]),
    ],
)
def test_the_tests_are_named_and_those_of_the_analyses(
    bundled: Evidence, method: PoolingMethod, names: list[str]
) -> None:
    tests = subgroup_table(bundled, "line", method=method).tests
    assert list(tests.columns) == list(TEST_COLUMNS)
    assert tests["test"].tolist() == names
    for place, shared in enumerate([False, True][: len(names)]):
        between = subgroups(bundled, "line", method=method, shared_tau2=shared).between
        assert between is not None
        row = tests.iloc[place]
        assert (row["statistic"], row["df1"], row["p"]) == (between.statistic, between.df1, between.p)
    if len(names) == 2:
        omnibus = regress(bundled, ["line"], method=method).omnibus
        assert omnibus is not None
        assert tests["statistic"].iloc[1] == pytest.approx(omnibus.statistic, rel=1e-6)


def test_without_a_variance_between_cohorts_there_is_one_analysis_and_no_prediction(bundled: Evidence) -> None:
    table = subgroup_table(bundled, "line", method=PoolingMethod.COMMON_LOGIT)
    assert set(table.levels["heterogeneity"]) == {"none"}
    assert table.levels[["prediction_low", "tau2"]].isna().all(axis=None)


def test_corrected_and_left_out_cohorts_are_named(table: Maker) -> None:
    evidence = table(("a", 5, 10), ("b", 10, 10), ("c", 4, 12), ("d", 3, 9), ("e", 9, 9), line=["x", "x", "y", "y", ""])
    found = subgroup_table(evidence, "line", method=PoolingMethod.REML_LOGIT)
    assert found.left_out == ("e",)
    for note in found.tests["note"]:
        assert "1 of 5 cohorts has no line and is left out: e." in note
        assert "of cohort b, where" in note
    binomial = subgroup_table(evidence, "line", method=PoolingMethod.GLMM_ML)
    assert not binomial.tests["note"].str.contains("1/2 was added").any()


def test_levels_without_a_result_say_why(table: Maker) -> None:
    evidence = table(("a", 0, 10), ("b", 0, 20), ("c", 4, 12), ("d", 3, 9), line=["x", "x", "y", "y"])
    found = subgroup_table(evidence, "line", method=PoolingMethod.GLMM_ML)
    levels = found.levels.set_index(["heterogeneity", "level"])
    assert "a rate of exactly 0, which has no logit" in levels.loc[("separate", "x"), "note"]
    assert levels.loc[("separate", "y"), "estimate"] == pytest.approx(1 / 3, rel=1e-6)
    assert "tau2 was estimated at 0" in levels.loc[("separate", "y"), "note"]
    for level in ("x", "y"):
        assert levels.loc[("shared", level), "note"] == (
            "Maximum likelihood gives a rate of exactly 0 in x, which has no logit: no result with one tau2 for all "
            "levels."
        )
    assert found.tests["statistic"].isna().all()


def test_levels_whose_fit_fails_otherwise_have_its_message(table: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: Any, **options: Any) -> GlmmFit:
        return replace(fit_glmm(*arguments, **options), converged=False, message="the search went astray")

    # By its name, as the package has a function that is called like the module.
    monkeypatch.setattr(import_module("alkbayes.classical.moderators.subgroups"), "fit_glmm", failing)
    evidence = table(("a", 5, 10), ("b", 8, 20), ("c", 4, 12), ("d", 3, 9), line=["x", "x", "y", "y"])
    found = subgroups(evidence, "line", method=PoolingMethod.GLMM_ML, shared_tau2=True)
    assert found.fault == "No result with one tau2 for all levels: the search went astray."
    assert {level.estimate for level in found.levels} == {None}


@pytest.mark.parametrize("method", [*INVERSE_VARIANCE, PoolingMethod.GLMM_ML])
def test_levels_have_the_cautions_of_pool(table: Maker, method: PoolingMethod) -> None:
    rows = (("a", 5, 20), ("b", 5, 20), ("c", 5, 21), ("d", 1, 10), ("e", 2, 12), ("f", 9, 10), ("g", 1, 9))
    evidence = table(*rows, line=["alike", "alike", "alike", "apart", "apart", "apart", "apart"])
    levels = subgroup_table(evidence, "line", method=method).levels
    for _, row in levels[levels["heterogeneity"] != "shared"].iterrows():
        part = evidence.frame[evidence.frame["line"] == row["level"]]
        said = pool(part["responders"], part["n"], method=method).note
        x, m = (part[name].to_numpy(dtype=float) for name in ("responders", "n"))
        narrow, few = (
            text_of([standard_error_note(method, *fit, lambda x=x, m=m: binomial_instead(x, m, prob=0.95), prob=0.95)])
            if method in INVERSE_VARIANCE
            else "-"
            for fit in ((0.01, 9), (9, 2))
        )
        cautions = (NO_SPREAD_NOTE.text, NO_SPREAD_HTS_NOTE.text, narrow, few, CUT_NOTE.text)
        assert row["note"] == " ".join(note for note in cautions if note and note in said)


def test_cautions_are_where_they_belong(table: Maker) -> None:
    alike = (("a", 5, 20), ("b", 5, 20), ("c", 5, 21), ("g", 5, 20), ("d", 5, 20), ("e", 6, 21), ("f", 5, 20))
    evidence = table(*alike, line=["x", "x", "x", "x", "y", "y", "y"])

    def notes(method: PoolingMethod, kind: str) -> str:
        levels = subgroup_table(evidence, "line", method=method).levels
        return levels.loc[levels["heterogeneity"] == kind, "note"].iloc[0]

    for kind in ("separate", "shared"):
        assert notes(PoolingMethod.REML_LOGIT_HTS, kind) == NO_SPREAD_HTS_NOTE.text
        unmodified = notes(PoolingMethod.REML_LOGIT_HK, kind)
        assert unmodified.startswith(
            f"{NO_SPREAD_NOTE.text} The Hartung-Knapp interval is narrower here than the plain one"
        )
        assert "reml-logit-hk-adhoc holds the Hartung-Knapp factor at 1 or above" in unmodified
        assert notes(PoolingMethod.REML_LOGIT_HK_ADHOC, kind) == NO_SPREAD_NOTE.text
    few = table(("a", 1, 20), ("b", 1, 20), ("c", 5, 10), ("d", 5, 11), line=["x", "x", "y", "y"])
    levels = subgroup_table(few, "line", method=PoolingMethod.COMMON_RAW).levels
    assert levels["note"].tolist() == [CUT_NOTE.text, ""]


def test_one_or_two_degrees_of_freedom_are_said_with_what_to_use(table: Maker) -> None:
    evidence = table(("a", 5, 20), ("b", 10, 40), ("c", 8, 20), ("d", 16, 41), ("e", 9, 20), line=["x", "x", *"yyy"])
    found = subgroup_table(evidence, "line", method=PoolingMethod.REML_LOGIT_HK_ADHOC).levels
    notes = found.set_index(["heterogeneity", "level"])["note"]
    for level in ("x", "y"):
        assert "one or two degrees of freedom, 12.7 or 4.3 standard errors either side" in notes["separate", level]
    # 33 of 81 in y, whose tau is 0 by maximum likelihood: a logit interval of the sum.
    assert "See that of the binomial model, glmm-ml: 40.7 (30.6–51.7)." in notes["separate", "y"]
    assert "degrees of freedom" not in notes["shared", "x"]


def test_one_cohort_has_no_prediction_of_its_own(table: Maker) -> None:
    evidence = table(("a", 5, 10), ("b", 8, 20), ("c", 4, 12), line=["x", "x", "y"])
    levels = subgroup_table(evidence, "line", method=PoolingMethod.REML_LOGIT).levels.set_index(
        ["heterogeneity", "level"]
    )
    assert math.isnan(levels.loc[("separate", "y"), "prediction_low"])
    assert levels.loc[("shared", "y"), "prediction_low"] < levels.loc[("shared", "y"), "estimate"]


def test_what_cannot_be_grouped_is_refused(bundled: Evidence) -> None:
    with pytest.raises(EvidenceError, match="no column smoking"):
        subgroup_table(bundled, "smoking", method=PoolingMethod.REML_LOGIT)
    with pytest.raises(UsageError, match="crude-wilson cannot test subgroups"):
        subgroup_table(bundled, "line", method=PoolingMethod.CRUDE_WILSON)
