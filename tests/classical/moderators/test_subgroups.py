"""Subgroups against metafor; shared and separate tau2, one-cohort levels, failures, refusals."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import binom, chi2, f, fisher_exact, t

from alkbayes.classical.maximum_likelihood.glmm import fit_glmm
from alkbayes.classical.moderators.regression import regress
from alkbayes.classical.moderators.subgroups import subgroups
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.table import Evidence

type Maker = Callable[..., Evidence]
type Reader = Callable[[str], dict[str, Any]]
ANALYSES = [
    ("debruin2009", "ethnicity"),
    ("nielweise2007", "arm"),
    ("cohorts", "line"),
    ("cohorts", "regimen_class"),
]
METHODS = {"z": PoolingMethod.REML_LOGIT, "knha": PoolingMethod.REML_LOGIT_HK}
ITERATED = 1e-6


def evidence_of(data: dict[str, Any], column: str, table: Maker) -> Evidence:
    rows = [(f"c{i:02}", x, n) for i, (x, n) in enumerate(zip(data["xi"], data["ni"], strict=True))]
    return table(*rows, **{column: data["values"]})


@pytest.mark.parametrize("test", list(METHODS))
@pytest.mark.parametrize(("dataset", "column"), ANALYSES)
def test_a_tau2_for_each_level_agrees_with_metafor(
    rma_reference: Reader, table: Maker, dataset: str, column: str, test: str
) -> None:
    data = rma_reference(dataset)["subgroups"][column]
    expected = data[test]["separate"]
    result = subgroups(evidence_of(data, column, table), column, method=METHODS[test], shared_tau2=False)
    assert [level.level for level in result.levels] == data["levels"]
    for name, theirs in (("mean", "b"), ("se", "se"), ("tau2", "tau2")):
        got = [getattr(level, name) for level in result.levels]
        np.testing.assert_allclose(got, expected[theirs], rtol=ITERATED, atol=1e-9, err_msg=name)
    assert (result.between.statistic, result.between.p) == pytest.approx((expected["QM"], expected["QMp"]), rel=1e-5)
    assert result.between.df1 == len(data["levels"]) - 1


@pytest.mark.parametrize("test", list(METHODS))
@pytest.mark.parametrize(("dataset", "column"), ANALYSES)
def test_a_shared_tau2_agrees_with_metafor(
    rma_reference: Reader, table: Maker, dataset: str, column: str, test: str
) -> None:
    data = rma_reference(dataset)["subgroups"][column]
    expected = data[test]["shared"]
    result = subgroups(evidence_of(data, column, table), column, method=METHODS[test], shared_tau2=True)
    for name, theirs in (("estimate", "b"), ("low", "ci_lb"), ("high", "ci_ub")):
        got = logit([getattr(level, name) for level in result.levels])
        np.testing.assert_allclose(got, expected[theirs], rtol=ITERATED, atol=1e-7, err_msg=name)
    tau2 = [level.tau2 for level in result.levels]
    assert tau2 == pytest.approx([expected["tau2"]] * len(tau2), rel=ITERATED)
    assert (result.between.statistic, result.between.p) == pytest.approx((expected["QM"], expected["QMp"]), rel=1e-5)


@pytest.mark.parametrize("method", [PoolingMethod.REML_LOGIT_HK, PoolingMethod.GLMM_ML, PoolingMethod.REML_ARCSINE])
def test_the_test_with_a_shared_tau2_is_that_of_the_regression(bundled: Evidence, method: PoolingMethod) -> None:
    result = subgroups(bundled, "line", method=method, shared_tau2=True)
    regression = regress(bundled, ["line"], method=method)
    assert result.between.statistic == pytest.approx(regression.omnibus.statistic, rel=1e-6)
    assert (result.between.df1, result.between.df2) == (regression.omnibus.df1, regression.omnibus.df2)
    assert result.levels[0].mean == pytest.approx(regression.coefficients[0].estimate, rel=1e-6)
    assert result.levels[0].tau2 == pytest.approx(regression.tau2, rel=1e-5)


@pytest.mark.parametrize("method", [PoolingMethod.SJ_LOGIT, PoolingMethod.REML_LOGIT_HK, PoolingMethod.GLMM_ML])
def test_levels_by_themselves_are_what_pool_gives(bundled: Evidence, method: PoolingMethod) -> None:
    for level in subgroups(bundled, "line", method=method, shared_tau2=False).levels:
        part = bundled.frame[bundled.frame["line"] == level.level]
        row = pool(part["responders"], part["n"], method=method)
        assert (level.k, level.patients, level.responders) == (row.k, row.patients, row.responders)
        assert (level.estimate, level.low, level.high, level.tau2) == (row.estimate, row.low, row.high, row.tau2)
        assert logit(level.estimate) == pytest.approx(level.mean, rel=1e-10)


def test_without_a_tau2_q_total_is_q_between_and_q_within(bundled: Evidence) -> None:
    method = PoolingMethod.COMMON_LOGIT
    separate, shared = (subgroups(bundled, "line", method=method, shared_tau2=s) for s in (False, True))
    parts = [part for _, part in bundled.frame.groupby("line")]
    within = sum(pool(part["responders"], part["n"], method=method).q for part in parts)
    total = pool(bundled.frame["responders"], bundled.frame["n"], method=method).q
    for result in (separate, shared):
        assert result.between.statistic == pytest.approx(total - within, rel=1e-9)
        assert "fewer than 5" not in result.note
    assert [level.low for level in separate.levels] == pytest.approx([level.low for level in shared.levels], rel=1e-10)
    assert {level.tau2 for level in shared.levels} == {None}


def test_the_likelihood_ratio_of_the_binomial_model(bundled: Evidence) -> None:
    result = subgroups(bundled, "line", method=PoolingMethod.GLMM_ML, shared_tau2=True)
    x, n = bundled.frame["responders"], bundled.frame["n"]
    cells = np.column_stack([bundled.frame["line"] == level.level for level in result.levels]).astype(float)
    statistic = 2 * (fit_glmm(x, n, design=cells).log_likelihood - fit_glmm(x, n).log_likelihood)
    assert result.between.statistic == pytest.approx(statistic, rel=1e-9)
    assert result.between.p == pytest.approx(chi2.sf(statistic, 2), rel=1e-9)


SAME_RATE = (("a", 5, 20), ("b", 10, 40), ("c", 8, 20), ("d", 16, 41))
"""A stranger's two arms, whose rates agree within an arm (25.0 and 25.0 %, 40.0 and 39.0 %) by chance."""


@pytest.mark.parametrize("method", [PoolingMethod.REML_LOGIT_HK_ADHOC, PoolingMethod.DL_LOGIT_HK_ADHOC])
def test_levels_that_agree_within_are_no_proof_that_they_differ(table: Maker, method: PoolingMethod) -> None:
    """15/60 against 24/61: Fisher's p is 0.12, that of the unmodified Hartung-Knapp factor was below 0.001."""
    evidence = table(*SAME_RATE, arm=["x", "x", "y", "y"])
    x, n = np.array([row[1] for row in SAME_RATE]), np.array([row[2] for row in SAME_RATE])
    # tau2 is 0 and the factor 1, so that it is weighted least squares with known variances, and t or F.
    y, weights = np.log(x / (n - x)), x * (n - x) / n
    means, variances = [], []
    for part in (slice(0, 2), slice(2, 4)):
        means.append(float(weights[part] @ y[part] / weights[part].sum()))
        variances.append(float(1 / weights[part].sum()))
    statistic = (means[1] - means[0]) ** 2 / sum(variances)
    separate, shared = (subgroups(evidence, "arm", method=method, shared_tau2=kind) for kind in (False, True))
    for found, df in ((separate, 1), (shared, 2)):
        for level, mean, variance in zip(found.levels, means, variances, strict=True):
            half = t.ppf(0.975, df) * math.sqrt(variance)
            assert (level.low, level.high) == pytest.approx((expit(mean - half), expit(mean + half)), rel=1e-9)
    assert separate.between.statistic == pytest.approx(statistic, rel=1e-9)
    assert separate.between.p == pytest.approx(chi2.sf(statistic, 1), rel=1e-9)
    assert (shared.between.statistic, shared.between.df2) == pytest.approx((statistic, 2), rel=1e-9)
    assert shared.between.p == pytest.approx(f.sf(statistic, 1, 2), rel=1e-9)
    assert fisher_exact([[15, 45], [24, 37]]).pvalue == pytest.approx(0.12, abs=0.005)
    assert min(separate.between.p, shared.between.p) > 0.05


def test_the_binomial_model_of_levels_that_agree_within(table: Maker) -> None:
    """With tau at 0 the likelihood-ratio test is that of 15/60 against 24/61, p = 0.090."""
    evidence = table(*SAME_RATE, arm=["x", "x", "y", "y"])
    between = subgroups(evidence, "arm", method=PoolingMethod.GLMM_ML, shared_tau2=True).between
    expected = 2 * sum(binom.logpmf(x, n, x / n) - binom.logpmf(x, n, 39 / 121) for x, n in ((15, 60), (24, 61)))
    assert between.statistic == pytest.approx(expected, rel=1e-4)
    assert between.p == pytest.approx(0.090, abs=5e-4)


def test_standard_errors_of_rounding_size_test_nothing(table: Maker) -> None:
    rows = ((f"s{place}", count, 30) for place, count in enumerate((0, 0, 0, 30, 30, 30), 1))
    evidence = table(*rows, arm=["a"] * 3 + ["b"] * 3)
    for kind in (False, True):
        unmodified = subgroups(evidence, "arm", method=PoolingMethod.REML_LOGIT_HK, shared_tau2=kind)
        assert unmodified.between is None
        assert {(level.se, level.low, level.high) for level in unmodified.levels} == {(None, None, None)}
        assert "No test between levels: a, b have no standard error." in unmodified.note
        held = subgroups(evidence, "arm", method=PoolingMethod.REML_LOGIT_HK_ADHOC, shared_tau2=kind)
        assert held.between.statistic == pytest.approx((2 * math.log(61)) ** 2 / (2 * (2 + 1 / 30.5) / 3), rel=1e-9)


ROWS = [("a", 3, 9), ("b", 4, 8), ("c", 1, 8), ("d", 7, 11), ("e", 2, 9)]


def test_a_level_of_one_cohort(table: Maker) -> None:
    evidence = table(*ROWS, line=["naive", "naive", "mixed", "naive", "naive"])
    by_z = subgroups(evidence, "line", method=PoolingMethod.REML_LOGIT, shared_tau2=False)
    assert by_z.levels[1].k == 1
    assert by_z.levels[1].se == pytest.approx(np.sqrt(1 + 1 / 7), rel=1e-12)
    assert by_z.between is not None
    assert "fewer than 5 cohorts" in by_z.note
    by_t = subgroups(evidence, "line", method=PoolingMethod.REML_LOGIT_HK, shared_tau2=False)
    assert by_t.levels[1].low is by_t.levels[1].se is by_t.between is None
    assert "No test between levels" in by_t.note
    shared = subgroups(evidence, "line", method=PoolingMethod.REML_LOGIT_HK, shared_tau2=True)
    assert shared.levels[1].low is not None
    assert shared.between is not None
    assert "fewer than" not in shared.note


@pytest.mark.parametrize("shared_tau2", [True, False])
def test_a_level_at_infinity_leaves_the_binomial_model_without_a_test(table: Maker, shared_tau2: bool) -> None:
    evidence = table(("a", 3, 9), ("b", 4, 8), ("c", 0, 8), ("d", 0, 11), line=["naive", "naive", "mixed", "mixed"])
    result = subgroups(evidence, "line", method=PoolingMethod.GLMM_ML, shared_tau2=shared_tau2)
    assert result.between is None
    assert "No test between levels" in result.note
    assert result.levels[1].estimate is None
    assert result.levels[1].k == 2


def test_cohorts_without_a_level_are_left_out_and_named(table: Maker) -> None:
    evidence = table(*ROWS, line=["naive", "", "mixed", "naive", "mixed"])
    result = subgroups(evidence, "line", method=PoolingMethod.DL_LOGIT, shared_tau2=True)
    assert sum(level.k for level in result.levels) == 4
    assert result.left_out == ("b",)
    assert "1 of 5 cohorts has no line and is left out: b." in result.note
    assert "no causal effect" in result.note


def test_freeman_tukey_is_flagged_and_goes_back_by_the_patients_of_each_level(bundled: Evidence) -> None:
    result = subgroups(bundled, "line", method=PoolingMethod.REML_FREEMAN_TUKEY, shared_tau2=False)
    assert "discouraged" in result.note
    part = bundled.frame[bundled.frame["line"] == "naive"]
    alone = pool(part["responders"], part["n"], method=PoolingMethod.REML_FREEMAN_TUKEY)
    assert result.levels[0].estimate == alone.estimate


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("site", "no column site to group by. Its columns: one, none, own"),
        ("n", "no column n to group by"),
        ("one", "at least two values; one has 1: x."),
        ("none", "at least two values; none has 0: none."),
        ("own", "Each own has one cohort"),
    ],
)
def test_columns_that_make_no_subgroups_are_refused(table: Maker, column: str, said: str) -> None:
    evidence = table(*ROWS, one=["x"] * 5, none=[""] * 5, own=list("vwxyz"))
    with pytest.raises(EvidenceError) as caught:
        subgroups(evidence, column, method=PoolingMethod.REML_LOGIT, shared_tau2=True)
    assert said in str(caught.value)


def test_crude_methods_have_no_test(bundled: Evidence) -> None:
    with pytest.raises(UsageError, match="crude-wilson cannot test subgroups"):
        subgroups(bundled, "line", method=PoolingMethod.CRUDE_WILSON, shared_tau2=True)
