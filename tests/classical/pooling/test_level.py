"""Intervals of another probability than 95 %, against SciPy's quantiles."""

from collections.abc import Callable

import pytest
from scipy.special import logit
from scipy.stats import binomtest, norm, t

from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.pooling.result import PooledProportion

RESPONDERS, N = [30, 18, 44, 20, 33, 25], [50, 45, 55, 41, 60, 48]


def pooled(method: PoolingMethod, prob: float) -> PooledProportion:
    return pool(RESPONDERS, N, method=method, prob=prob)


@pytest.mark.parametrize("prob", [0.5, 0.9, 0.99])
def test_exact_limits_are_scipys(prob: float) -> None:
    found = pooled(PoolingMethod.CRUDE_CLOPPER_PEARSON, prob)
    exact = binomtest(sum(RESPONDERS), sum(N)).proportion_ci(prob, method="exact")
    # SciPy finds its limits by root finding, to 1e-12 or so.
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-9)


@pytest.mark.parametrize("prob", [0.5, 0.9, 0.99])
@pytest.mark.parametrize(
    ("method", "reach"),
    [
        (PoolingMethod.REML_LOGIT, norm.ppf),
        (PoolingMethod.REML_LOGIT_HK, lambda p: t.ppf(p, len(N) - 1)),
        (PoolingMethod.GLMM_ML, norm.ppf),
    ],
)
def test_intervals_widen_by_the_quantiles(method: PoolingMethod, reach: Callable[[float], float], prob: float) -> None:
    at, usual = pooled(method, prob), pooled(method, 0.95)
    times = reach((1 + prob) / 2) / reach(0.975)
    for low, high in (("low", "high"), ("prediction_low", "prediction_high")):
        width, whole = (logit(getattr(each, high)) - logit(getattr(each, low)) for each in (at, usual))
        # Both are the same numbers times a quantile.
        assert width == pytest.approx(times * whole, rel=1e-9)
    assert (at.estimate, at.tau2, at.q_p) == (usual.estimate, usual.tau2, usual.q_p)
