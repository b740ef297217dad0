"""Methods that need a model or the trials: each row holds what its model gives, and says what it could not find."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from alkbayes.classical.pooling.methods import CLUSTER_ROBUST, PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.pooling.result import PooledProportion
from alkbayes.evidence.table import Evidence, read_evidence, trial_labels

REFERENCE = Path(__file__).parents[2] / "reference"
WITH_TRIALS = (PoolingMethod.MULTILEVEL_LOGIT, PoolingMethod.GLMM_ML_TRIALS, *CLUSTER_ROBUST)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return read_evidence()


def pooled(evidence: Evidence, method: PoolingMethod) -> PooledProportion:
    frame = evidence.frame
    return pool(frame["responders"], frame["n"], method=method, trials=trial_labels(frame))


def limits(row: PooledProportion) -> tuple[float, float]:
    assert row.low is not None
    assert row.high is not None
    return row.low, row.high


def test_without_trials_the_methods_that_need_them_say_so() -> None:
    for method in WITH_TRIALS:
        row = pool([3, 8, 5], [10, 20, 9], method=method)
        assert "does not say which cohorts are of one trial" in row.note
        assert row.estimate is None
        assert row.low is None


@pytest.mark.parametrize(
    ("method", "other"),
    [(PoolingMethod.MULTILEVEL_LOGIT, "reml-logit"), (PoolingMethod.GLMM_ML_TRIALS, "glmm-ml")],
)
def test_one_cohort_a_trial_leaves_no_level_between_them(method: PoolingMethod, other: str) -> None:
    row = pool([3, 8, 5], [10, 20, 9], method=method, trials=("a", "b", "c"))
    assert row.note.endswith(f"every trial gives one cohort, so that trials and cohorts are the same: see {other}.")
    assert row.estimate is None


def test_trials_must_be_named_one_for_each_cohort() -> None:
    with pytest.raises(ValueError, match="trials must name that of each of the 3 cohorts, got 2 names"):
        pool([3, 8, 5], [10, 20, 9], method=PoolingMethod.GLMM_ML_TRIALS, trials=("a", "b"))


@pytest.mark.parametrize("method", list(PoolingMethod))
def test_every_method_answers_or_says_why_not(method: PoolingMethod) -> None:
    cases: list[tuple[list[int], list[int], list[str]]] = [
        ([3], [10], ["a"]),
        ([0], [10], ["a"]),
        ([3, 4], [10, 12], ["a", "a"]),
        ([3, 4], [10, 12], ["a", "b"]),
        ([0, 0, 0, 0], [10, 12, 5, 9], ["a", "a", "b", "b"]),
        ([10, 12, 5, 9], [10, 12, 5, 9], ["a", "a", "b", "b"]),
        ([0, 12, 0, 9], [10, 12, 5, 9], ["a", "a", "b", "b"]),
        ([5, 5, 5, 5], [10, 10, 10, 10], ["a", "a", "b", "b"]),
        ([6_000_000, 4, 2, 9], [10_000_000, 9, 5, 12], ["a", "a", "b", "b"]),
        ([3, 4, 9, 7], [10, 12, 11, 15], ["a", "a", "a", "a"]),
        ([1, 0, 1, 1], [1, 1, 1, 1], ["a", "a", "b", "b"]),
    ]
    for x, n, trials in cases:
        row = pool(x, n, method=method, trials=trials)
        if row.estimate is None:
            assert row.note, (x, n)
            assert row.low is row.high is row.prediction_low is row.prediction_high is None
            continue
        # At 0/n and n/n an interval of the summed counts begins or ends at its estimate; 1e-12 is rounding.
        assert 0 <= row.estimate <= 1
        for low, high in ((row.low, row.high), (row.prediction_low, row.prediction_high)):
            assert (low is None) == (high is None)
            if low is not None and high is not None:
                assert 0 <= low <= row.estimate + 1e-12, (x, n, row)
                assert row.estimate - 1e-12 <= high <= 1, (x, n, row)
        for value in (row.tau2, row.tau2_trial, row.rho, row.i2):
            assert value is None or (math.isfinite(value) and value >= 0)


def test_the_multilevel_mean_is_metafors(evidence: Evidence) -> None:
    theirs = json.loads((REFERENCE / "metafor_multilevel.json").read_text())["sets"]["cohorts_reml"]
    row = pooled(evidence, PoolingMethod.MULTILEVEL_LOGIT)
    # Both searches stop at a relative 1e-8 or so of the variances.
    assert row.estimate == pytest.approx(float(expit(theirs["b"][0])), rel=1e-6)
    assert row.tau2_trial == pytest.approx(theirs["sigma2"][0], rel=1e-5)
    assert row.tau2 == pytest.approx(sum(theirs["sigma2"]), rel=1e-5)
    half = 1.959963984540054 * theirs["vb"][0][0] ** 0.5
    assert limits(row) == pytest.approx(tuple(expit([theirs["b"][0] - half, theirs["b"][0] + half])), rel=1e-6)


def test_cluster_robust_rows_keep_the_mean_and_change_the_interval(evidence: Evidence) -> None:
    for robust, plain in (
        (PoolingMethod.COMMON_LOGIT_CR2, PoolingMethod.COMMON_LOGIT),
        (PoolingMethod.REML_LOGIT_CR2, PoolingMethod.REML_LOGIT),
    ):
        one, two = pooled(evidence, robust), pooled(evidence, plain)
        assert one.estimate == two.estimate
        assert (one.tau2, one.q, one.i2, one.corrected) == (two.tau2, two.q, two.i2, two.corrected)
        low, high = limits(one)
        # About the mean on the logit scale.
        assert logit(one.estimate) - logit(low) == pytest.approx(logit(high) - logit(one.estimate), rel=1e-9)
        assert (low, high) != limits(two)


def test_trials_that_do_not_differ_leave_no_cluster_robust_interval() -> None:
    row = pool([5, 5, 5, 5], [10] * 4, method=PoolingMethod.REML_LOGIT_CR2, trials=("a", "a", "b", "b"))
    assert row.estimate == pytest.approx(0.5)
    assert row.low is row.high is row.prediction_low is None
    assert "The clusters do not differ at all" in row.note


def test_two_levels_add_up(evidence: Evidence) -> None:
    for method in (PoolingMethod.MULTILEVEL_LOGIT, PoolingMethod.GLMM_ML_TRIALS):
        row = pooled(evidence, method)
        assert row.tau2 is not None
        assert row.tau2_trial is not None
        assert 0 < row.tau2_trial < row.tau2
        low, high = limits(row)
        assert row.prediction_low is not None
        assert row.prediction_high is not None
        # -/+ z * sqrt(tau2 + se2) on the logit scale, as everywhere.
        half, reach = (
            np.diff(logit([a, b]))[0] / 2 for a, b in ((low, high), (row.prediction_low, row.prediction_high))
        )
        assert reach**2 - half**2 == pytest.approx(1.959963984540054**2 * row.tau2, rel=1e-9)


def test_the_beta_binomial_row_is_a_mean_of_rates(evidence: Evidence) -> None:
    row = pooled(evidence, PoolingMethod.BETA_BINOMIAL_ML)
    assert row.scale == "probability"
    assert row.rho is not None
    assert 0 < row.rho < 1
    assert row.tau2 is None
    assert "mean of the cohorts' rates" in row.note


def test_corrected_cohorts_are_counted() -> None:
    row = pool([0, 4, 9], [10, 12, 9], method=PoolingMethod.REML_LOGIT)
    assert row.corrected == 2
    assert pool([0, 4, 9], [10, 12, 9], method=PoolingMethod.GLMM_ML).corrected is None
    assert pool([0, 4, 9], [10, 12, 9], method=PoolingMethod.REML_ARCSINE).corrected == 0


@pytest.mark.parametrize("method", WITH_TRIALS)
def test_one_trial_alone_shows_nothing_of_trials(method: PoolingMethod) -> None:
    row = pool([3, 8, 5], [10, 20, 9], method=method, trials=("a", "a", "a"))
    assert row.note.endswith("all cohorts are of one trial, so that nothing shows how trials differ.")
    assert row.estimate is None


def test_a_rho_of_0_gives_no_prediction() -> None:
    row = pool([5, 6, 5, 4], [10, 11, 9, 10], method=PoolingMethod.BETA_BINOMIAL_ML)
    assert row.rho == 0
    assert row.low is not None
    assert row.prediction_low is row.prediction_high is None
    assert "few cohorts cannot show" in row.note
