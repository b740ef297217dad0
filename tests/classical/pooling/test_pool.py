"""Pooling by each method: what is and is not defined, the ends, one cohort, notes, properties."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm, t

from alkbayes.classical.inverse_variance import regression
from alkbayes.classical.inverse_variance.tau2 import Tau2, tau2_q_profile
from alkbayes.classical.maximum_likelihood.profile import profile_intervals
from alkbayes.classical.notes import NO_TAU2
from alkbayes.classical.pooling.methods import (
    ALL_METHODS,
    CLUSTER_ROBUST,
    CRUDE_INTERVALS,
    DEFAULT_METHODS,
    INVERSE_VARIANCE,
    PoolingMethod,
    scale_of,
)
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.pooling.result import PooledProportion
from alkbayes.classical.scales import Scale, discouraged, effects
from alkbayes.errors import EvidenceError

METHODS = [*CRUDE_INTERVALS, *INVERSE_VARIANCE, PoolingMethod.GLMM_ML]
"""Methods of cohorts by themselves; those with trials, and the beta-binomial, are in test_pooling_models.py."""
CRUDE = [method for method in METHODS if method.startswith("crude")]
RANDOM = [method for method in METHODS if not method.startswith(("crude", "common"))]
SCALES = {
    "raw": Scale.PROBABILITY,
    "arcsine": Scale.ARCSINE,
    "log": Scale.LOG,
    "freeman-tukey": Scale.FREEMAN_TUKEY,
} | {method.value: Scale.PROBABILITY for method in CRUDE}
"""By how a method's name ends; any other is on the logit scale."""
THERE = {
    Scale.PROBABILITY: np.asarray,
    Scale.LOGIT: logit,
    Scale.LOG: np.log,
    Scale.ARCSINE: lambda p: np.arcsin(np.sqrt(p)),
    Scale.FREEMAN_TUKEY: lambda p: np.arcsin(np.sqrt(p)),
}
"""Each scale without a thought to n, which is large where it is used."""
BY_T = [method for method in METHODS if method.endswith(("-t", "-hk", "-adhoc"))]
X, N = [16, 10, 4, 43, 10, 25], [17, 12, 8, 58, 10, 42]

COHORTS = st.lists(
    st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1, max_size=10
)


def numbers(result: PooledProportion) -> dict[str, float | None]:
    return {key: value for key, value in result.as_row().items() if key not in {"method", "scale", "note"}}


def check_sound(result: PooledProportion) -> None:
    """No NaN, proportions in [0, 1], limits in order, and a reason in the note where there is no estimate."""
    for name, value in numbers(result).items():
        assert value is None or math.isfinite(value), name
    if result.estimate is None:
        assert result.note
        assert result.low is result.high is result.prediction_low is None
        return
    if result.low is not None and result.high is not None:
        assert 0 <= result.low <= result.estimate <= result.high <= 1
        if result.prediction_low is not None and result.prediction_high is not None:
            assert 0 <= result.prediction_low <= result.low
            assert result.high <= result.prediction_high <= 1
    assert result.i2 is None or 0 <= result.i2 <= 1


def check_close(got: float | None, expected: float | None, name: str) -> None:
    """Both undefined, or the same to the digits that an iteration leaves."""
    assert (got is None) == (expected is None), name
    assert got is None or got == pytest.approx(expected, rel=1e-4, abs=1e-4), name


def test_the_fields_are_what_the_command_line_promises() -> None:
    assert " ".join(pool([3, 5], [9, 10], method=PoolingMethod.CRUDE_WALD).as_row()) == (
        "method scale k patients responders estimate low high prediction_low prediction_high tau2 i2 h2 q q_df q_p "
        "tau2_low tau2_high i2_low i2_high h2_low h2_high tau2_trial rho corrected note"
    )
    assert " ".join(DEFAULT_METHODS) == (
        "crude-wald crude-wilson crude-clopper-pearson common-logit "
        "dl-logit dl-logit-hk-adhoc reml-logit reml-logit-hk-adhoc glmm-ml"
    )


@pytest.mark.parametrize("method", METHODS)
def test_counts_and_scale_are_said(method: PoolingMethod) -> None:
    result = pool(X, N, method=method)
    assert (result.method, result.k, result.patients, result.responders) == (method, 6, 147, 108)
    scale = next((scale for name, scale in SCALES.items() if method.endswith(name)), Scale.LOGIT)
    assert result.scale is scale
    check_sound(result)


@pytest.mark.parametrize("method", CRUDE)
def test_crude_says_in_words_what_it_leaves_out(method: PoolingMethod) -> None:
    result = pool(X, N, method=method)
    assert result.estimate == 108 / 147
    assert "leaves out the differences between cohorts" in result.note
    assert result.tau2 is result.q is result.i2 is result.prediction_low is None


def test_crude_wald_of_the_reviews_counts_is_the_reviews_interval() -> None:
    result = pool([3_733], [6_382], method=PoolingMethod.CRUDE_WALD)
    assert [f"{100 * value:.1f}" for value in (result.estimate, result.low, result.high)] == ["58.5", "57.3", "59.7"]


def test_common_effect_defines_no_tau2_and_no_prediction() -> None:
    result = pool(X, N, method=PoolingMethod.COMMON_LOGIT)
    assert result.tau2 is result.prediction_low is result.prediction_high is None
    assert result.q is not None
    assert "one rate for all cohorts" in result.note


@pytest.mark.parametrize("method", RANDOM)
def test_prediction_is_wider_where_cohorts_differ(method: PoolingMethod) -> None:
    result = pool(X, N, method=method)
    assert result.tau2 > 0
    assert result.prediction_low < result.low < result.high < result.prediction_high


@pytest.mark.parametrize(
    ("method", "quantile"),
    [
        (PoolingMethod.REML_LOGIT, norm.ppf(0.975)),
        (PoolingMethod.GLMM_ML, norm.ppf(0.975)),
        (PoolingMethod.REML_LOGIT_HK, t.ppf(0.975, 5)),
    ],
)
def test_prediction_has_the_quantile_of_the_confidence_interval(method: PoolingMethod, quantile: float) -> None:
    result = pool(X, N, method=method)
    se = (logit(result.high) - logit(result.low)) / 2 / quantile
    half = (logit(result.prediction_high) - logit(result.prediction_low)) / 2
    assert half == pytest.approx(quantile * math.sqrt(result.tau2 + se**2), rel=1e-10)


def test_the_glmm_has_no_q_and_no_i2() -> None:
    result = pool(X, N, method=PoolingMethod.GLMM_ML)
    assert result.q is result.q_df is result.q_p is result.i2 is result.h2 is None
    assert result.note == ""


@pytest.mark.parametrize("method", METHODS)
def test_one_cohort(method: PoolingMethod) -> None:
    result = pool([12], [40], method=method)
    check_sound(result)
    assert result.estimate == pytest.approx(0.3, rel=1e-12)
    assert result.tau2 is result.i2 is result.q is result.q_p is result.prediction_low is None
    assert "One cohort" in result.note
    if method in BY_T:
        assert result.low is result.high is None
        assert "at least two cohorts" in result.note
    else:
        assert result.low < 0.3 < result.high


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "counts", [([0], [7]), ([7], [7]), ([0, 0, 0], [7, 20, 9]), ([7, 20, 9], [7, 20, 9]), ([0, 5], [9, 5])]
)
def test_none_and_all(method: PoolingMethod, counts: tuple[list[int], list[int]]) -> None:
    result = pool(*counts, method=method)
    check_sound(result)
    if method is PoolingMethod.GLMM_ML:
        assert result.estimate is None
        assert "no result" in result.note.lower()
    else:
        assert result.estimate is not None


def test_the_correction_is_noted_with_the_cohorts_names() -> None:
    result = pool([0, 5, 9], [9, 10, 9], method=PoolingMethod.REML_LOGIT, cohorts=["a-1", "b-2", "c-3"])
    assert "1/2 was added to events and non-events of cohorts a-1, c-3" in result.note
    assert "b-2" not in result.note
    assert "of cohort 1," in pool([0, 5], [9, 10], method=PoolingMethod.DL_LOGIT).note
    assert "1/2" not in pool([0, 5], [9, 10], method=PoolingMethod.GLMM_ML).note
    assert "9, 10 and 3 more," in pool([0] * 13, [9] * 13, method=PoolingMethod.COMMON_LOGIT).note


def test_names_must_be_as_many_as_the_cohorts() -> None:
    with pytest.raises(ValueError, match="each of the 2 cohorts, got 1"):
        pool([1, 2], [3, 4], method=PoolingMethod.DL_LOGIT, cohorts=["a"])


def test_bad_counts_are_refused() -> None:
    with pytest.raises(EvidenceError, match="5/4"):
        pool([5], [4], method=PoolingMethod.GLMM_ML)


def test_a_hartung_knapp_interval_that_is_too_narrow_is_noted() -> None:
    x, n = [50, 51, 50, 49], [100, 100, 100, 100]
    plain, adjusted = (pool(x, n, method=m) for m in (PoolingMethod.DL_LOGIT, PoolingMethod.DL_LOGIT_HK))
    assert adjusted.high - adjusted.low < plain.high - plain.low
    assert "narrower here than the plain one" in adjusted.note
    assert "narrower here" not in plain.note
    assert "dl-logit-hk-adhoc holds the Hartung-Knapp factor at 1 or above" in adjusted.note


@pytest.mark.parametrize("counts", [([0, 0], [10, 10]), ([5, 10], [20, 40]), ([3, 3, 3], [7, 7, 7])])
@pytest.mark.parametrize("method", [PoolingMethod.REML_LOGIT_HK, PoolingMethod.DL_LOGIT_HK, *CLUSTER_ROBUST])
def test_rates_that_agree_leave_no_interval_of_rounding_size(
    counts: tuple[list[int], list[int]], method: PoolingMethod
) -> None:
    result = pool(*counts, method=method, trials=["T1", "T2", "T3"][: len(counts[0])])
    assert result.estimate is not None
    assert result.low is result.high is result.prediction_low is None
    assert "prediction interval" not in result.note
    assert "no interval and no test" in result.note or "an interval without width: none is given" in result.note


def test_two_cohorts_without_a_responder_are_not_sure_of_it() -> None:
    """0/10 twice: logits of 0.5/10.5, one standard error sqrt((2 + 1/10.5) / 2), t of one degree of freedom."""
    half = t.ppf(0.975, 1) * math.sqrt((2 + 1 / 10.5) / 2)
    for method in (PoolingMethod.DL_LOGIT_HK_ADHOC, PoolingMethod.REML_LOGIT_HK_ADHOC):
        result = pool([0, 0], [10, 10], method=method)
        assert logit(result.estimate) == pytest.approx(logit(0.5 / 11), rel=1e-12)
        assert result.low == pytest.approx(expit(logit(0.5 / 11) - half), rel=1e-9)
        assert result.high > 0.9999
        assert "one or two degrees of freedom, 12.7 or 4.3 standard errors either side" in result.note
        # 1 - 0.025**(1/20) is the exact upper limit of 0/20; the binomial model has no result here.
        assert pytest.approx(0.168, abs=5e-4) == 1 - 0.025 ** (1 / 20)
        assert result.note.endswith(
            "See the exact one of the summed counts, crude-clopper-pearson: 0.0 (0.0–16.8). Summed counts ignore "
            "heterogeneity, which few cohorts cannot rule out."
        )


def test_what_stands_in_for_a_useless_interval_is_a_result_of_its_method() -> None:
    for counts in (([10, 16], [40, 41]), ([5, 116], [119, 170])):
        useless = pool(*counts, method=PoolingMethod.REML_LOGIT_HK_ADHOC)
        other = pool(*counts, method=PoolingMethod.GLMM_ML)
        said = f"glmm-ml: {100 * other.estimate:.1f} ({100 * other.low:.1f}–{100 * other.high:.1f})."
        assert f"See that of the binomial model, {said}" in useless.note
        (instead,) = [note.instead for note in useless.notes if note.instead]
        assert (instead.caution == NO_TAU2) == (other.tau2 == 0) == useless.note.endswith(NO_TAU2)
    # One cohort: an odds of 3/7, and a standard error of sqrt(1/12 + 1/28), as the binomial likelihood has it.
    half = 1.959964 * math.sqrt(1 / 12 + 1 / 28)
    low, high = (100 * expit(logit(0.3) + side * half) for side in (-1, 1))
    single = pool([12], [40], method=PoolingMethod.REML_LOGIT_HK_ADHOC)
    assert single.note.endswith(f"two cohorts. See that of the binomial model, glmm-ml: 30.0 ({low:.1f}–{high:.1f}).")


def test_a_cluster_robust_interval_that_is_too_narrow_is_noted() -> None:
    sharp, plain = (
        pool([8, 16], [20, 41], method=method, trials=["T3", "T4"])
        for method in (PoolingMethod.REML_LOGIT_CR2, PoolingMethod.REML_LOGIT)
    )
    assert sharp.high - sharp.low < plain.high - plain.low
    assert "cluster-robust interval is narrower here than the plain one" in sharp.note


def test_the_maximum_of_two_cohorts_without_excess_variance_is_the_crude_rate_and_said_to_be() -> None:
    """10/40 and 16/41 differ by less than chance: the binomial likelihood is that of 26/81, 32.1 %, tau2 0."""
    se = math.sqrt(1 / 26 + 1 / 55)
    low, high = (100 * expit(logit(26 / 81) + sign * norm.ppf(0.975) * se) for sign in (-1, 1))
    note = pool([10, 16], [40, 41], method=PoolingMethod.REML_LOGIT_HK_ADHOC).note
    assert note.endswith(f"glmm-ml: {100 * 26 / 81:.1f} ({low:.1f}–{high:.1f}). {NO_TAU2}")
    assert NO_TAU2 not in pool([5, 116], [119, 170], method=PoolingMethod.REML_LOGIT_HK_ADHOC).note


def test_cohorts_of_one_trial_are_told_of_the_binomial_model_that_allows_for_it() -> None:
    x, n, trials = [8, 16, 9], [20, 41, 30], ["T3", "T3", "T4"]
    robust = pool(x, n, method=PoolingMethod.REML_LOGIT_CR2, trials=trials)
    nested = pool(x, n, method=PoolingMethod.GLMM_ML_TRIALS, trials=trials)
    said = f"{100 * nested.estimate:.1f} ({100 * nested.low:.1f}–{100 * nested.high:.1f})"
    assert f"See that of the binomial model, glmm-ml-trials: {said}." in robust.note


@pytest.mark.parametrize("method", [method for method in RANDOM if method is not PoolingMethod.SJ_LOGIT])
def test_a_tau2_of_0_is_noted(method: PoolingMethod) -> None:
    result = pool([50, 51, 50, 49], [100, 100, 100, 100], method=method)
    assert result.tau2 == 0
    assert "tau2 was estimated at 0" in result.note
    same = (result.prediction_low, result.prediction_high) == (result.low, result.high)
    assert same == ("no wider than the confidence interval" in result.note)
    assert same == (method is not PoolingMethod.REML_LOGIT_HTS)


def test_an_empty_q_profile_is_noted_and_the_rest_of_the_row_stands() -> None:
    result = pool([50, 51, 50, 49], [100, 100, 100, 100], method=PoolingMethod.REML_LOGIT)
    assert result.tau2_low is result.tau2_high is result.i2_low is result.h2_high is None
    assert "smaller than chance" in result.note
    assert result.estimate == pytest.approx(0.5)
    assert "smaller than chance" not in pool(X, N, method=PoolingMethod.REML_LOGIT).note


@pytest.mark.parametrize("method", RANDOM)
def test_q_profile_limits_are_those_of_the_scale(method: PoolingMethod) -> None:
    result = pool(X, N, method=method)
    limits = [result.tau2_low, result.tau2_high, result.i2_low, result.i2_high, result.h2_low, result.h2_high]
    if method is PoolingMethod.GLMM_ML:
        profile = profile_intervals(X, N, prob=0.95).tau ** 2
        assert limits[:2] == pytest.approx(profile.tolist(), rel=1e-6)
        assert limits[2:] == [None] * 4
        return
    observed = effects(X, N, scale=result.scale)
    expected = tau2_q_profile(observed.yi, observed.vi, np.ones((6, 1)), prob=0.95)
    assert limits == [getattr(expected, name) for name in ("low", "high", "i2_low", "i2_high", "h2_low", "h2_high")]
    assert 0 <= result.i2_low <= result.i2_high < 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("counts", [(X, N), ([3], [10]), ([0, 0], [4, 9])])
def test_freeman_tukey_is_flagged_in_every_row_and_no_other_is(
    method: PoolingMethod, counts: tuple[list[int], list[int]]
) -> None:
    assert ("discouraged" in pool(*counts, method=method).note) == method.endswith("freeman-tukey")


def test_a_discouraged_scale_is_never_a_default() -> None:
    assert not [method for method in DEFAULT_METHODS if discouraged(scale_of(method))]
    assert set(DEFAULT_METHODS) < set(ALL_METHODS) == set(PoolingMethod)


def test_limits_beyond_a_rate_of_0_are_cut_and_the_note_says_so() -> None:
    """One in 20 twice: 0.05 -/+ 1.96 sqrt(0.05 0.95 / 40) = 0.05 -/+ 0.0675."""
    result = pool([1, 1], [20, 20], method=PoolingMethod.COMMON_RAW)
    assert (result.low, result.high) == pytest.approx((0, 0.05 + norm.ppf(0.975) * math.sqrt(0.05 * 0.95 / 40)))
    assert "was cut there" in result.note
    assert "was cut there" not in pool([100, 110], [200, 200], method=PoolingMethod.REML_RAW).note


def test_a_prediction_interval_with_k_minus_2_degrees_of_freedom() -> None:
    plain, hts = (pool(X, N, method=m) for m in (PoolingMethod.REML_LOGIT, PoolingMethod.REML_LOGIT_HTS))
    assert (hts.low, hts.high, hts.tau2) == (plain.low, plain.high, plain.tau2)
    ratio = (logit(hts.prediction_high) - logit(hts.estimate)) / (logit(plain.prediction_high) - logit(plain.estimate))
    assert ratio == pytest.approx(t.ppf(0.975, 4) / norm.ppf(0.975), rel=1e-10)
    assert "k - 2" in hts.note
    two = pool([4, 16], [20, 20], method=PoolingMethod.REML_LOGIT_HTS)
    assert two.low is not None
    assert two.prediction_low is None
    assert "at least three cohorts" in two.note


def test_the_ad_hoc_variance_is_never_smaller_than_the_plain_one() -> None:
    alike = [50, 51, 50, 49], [100] * 4
    plain, adjusted = (pool(*alike, method=m) for m in (PoolingMethod.REML_LOGIT_T, PoolingMethod.REML_LOGIT_HK_ADHOC))
    assert (adjusted.low, adjusted.high) == pytest.approx((plain.low, plain.high), rel=1e-12)
    assert "narrower here" not in adjusted.note
    # The factor is over 1 for these three, as Q about the REML mean is not bound to k - 1.
    far = [16, 10, 4], [17, 12, 8]
    factors = [
        logit(pool(*far, method=m).high) - logit(pool(*far, method=m).low)
        for m in (PoolingMethod.REML_LOGIT_HK, PoolingMethod.REML_LOGIT_HK_ADHOC)
    ]
    assert factors[0] <= factors[1] * (1 + 1e-12)


def test_freeman_tukey_pools_what_five_cohorts_do_not_show() -> None:
    """The printed example: 0.6886 (0.5734-0.7943), common effect, metafor 3.8-1."""
    result = pool([0, 4, 9, 16, 20], [10, 10, 15, 20, 20], method=PoolingMethod.COMMON_FREEMAN_TUKEY)
    printed = [f"{value:.4f}" for value in (result.estimate, result.low, result.high)]
    assert printed == ["0.6886", "0.5734", "0.7943"]


def test_a_reml_that_does_not_converge_leaves_its_own_row_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regression, "estimate_tau2", lambda *_: Tau2(tau2=0.5, converged=False))
    failed = pool(X, N, method=PoolingMethod.REML_LOGIT)
    check_sound(failed)
    assert failed.estimate is failed.tau2 is None
    assert "did not converge" in failed.note
    assert pool(X, N, method=PoolingMethod.COMMON_LOGIT).estimate is not None


@pytest.mark.parametrize("method", METHODS)
def test_cohorts_of_ten_million(method: PoolingMethod) -> None:
    result = pool([6_000_000, 5_500_000, 0, 10_000_000], [10_000_000] * 4, method=method)
    check_sound(result)
    inside = pool([6_000_000, 5_500_000, 6_400_000], [10_000_000] * 3, method=method)
    check_sound(inside)
    assert inside.estimate == pytest.approx(0.597, abs=0.01)


@pytest.mark.parametrize("method", [method for method in METHODS if not method.endswith(("-hk", "-tukey"))])
def test_equal_rates_pool_to_that_rate_with_less_and_less_doubt(method: PoolingMethod) -> None:
    widths = []
    for n in (10, 1_000, 100_000, 10_000_000):
        result = pool([0.6 * n, 1.2 * n, 1.8 * n], [n, 2 * n, 3 * n], method=method)
        assert result.estimate == pytest.approx(0.6, abs=1e-9)
        widths.append(result.high - result.low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 1e-3


@pytest.mark.parametrize("method", RANDOM)
def test_patients_without_end_leave_the_differences(method: PoolingMethod) -> None:
    """With n to infinity tau2 is the variance of the known values: over k - 1, or over k for maximum likelihood.

    DL and HS go on weighing by the sampling variances, which differ on most scales however small they are.
    """
    rates = expit([-0.8, 0.3, 0.5, 1.4])
    n = np.full(4, 10_000_000)
    result = pool(np.round(n * rates), n, method=method)
    theta = THERE[result.scale](rates)
    divisor = 4 if method in {PoolingMethod.GLMM_ML, PoolingMethod.ML_LOGIT, PoolingMethod.HS_LOGIT} else 3
    expected = ((theta - theta.mean()) ** 2).sum() / divisor
    assert result.tau2 == pytest.approx(expected, rel=2e-1 if method.startswith(("dl", "hs")) else 1e-5)
    assert THERE[result.scale](result.estimate) == pytest.approx(theta.mean(), abs=1e-5)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(cohorts=COHORTS, seed=st.integers(0, 2**32 - 1))
def test_order_does_not_matter_and_non_responders_mirror(
    method: PoolingMethod, cohorts: list[tuple[int, int]], seed: int
) -> None:
    x, n = np.array(cohorts, dtype=np.int64).T
    order = np.random.default_rng(seed).permutation(len(x))
    result = pool(x, n, method=method)
    shuffled, turned = pool(x[order], n[order], method=method), pool(n - x, n, method=method)
    check_sound(result)
    for name, value in numbers(result).items():
        check_close(numbers(shuffled)[name], value, name)
    if result.scale is Scale.LOG:  # the one scale that sees responders and non-responders with different eyes
        return
    for name, mirrored in (
        ("low", "high"),
        ("high", "low"),
        ("prediction_low", "prediction_high"),
        ("prediction_high", "prediction_low"),
        ("estimate", "estimate"),
    ):
        value = getattr(turned, mirrored)
        check_close(None if value is None else 1 - value, getattr(result, name), name)
    check_close(turned.tau2, result.tau2, "tau2")
