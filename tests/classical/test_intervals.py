"""Intervals of one proportion, against SciPy's own and at the ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from alkbayes.classical import IntervalMethod, proportion_interval

SCIPY = {IntervalMethod.WILSON: "wilson", IntervalMethod.CLOPPER_PEARSON: "exact"}
METHODS = list(IntervalMethod)
COUNTS = st.integers(1, 10_000_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize("method", list(SCIPY))
@pytest.mark.parametrize("prob", [0.5, 0.95, 0.999])
@pytest.mark.parametrize(
    ("x", "n"), [(0, 1), (1, 1), (0, 30), (30, 30), (1, 30), (29, 30), (15, 30), (1, 10**7), (5_850_000, 10**7)]
)
def test_agrees_with_scipy(method: IntervalMethod, prob: float, x: int, n: int) -> None:
    low, high = proportion_interval(x, n, method=method, prob=prob)
    expected = binomtest(x, n).proportion_ci(prob, SCIPY[method])
    assert low[0] == pytest.approx(expected.low, rel=1e-9, abs=1e-15)
    assert high[0] == pytest.approx(expected.high, rel=1e-9)


def test_wald_by_hand() -> None:
    low, high = proportion_interval(60, 100, method=IntervalMethod.WALD)
    half = 1.959963984540054 * (0.6 * 0.4 / 100) ** 0.5
    assert (low[0], high[0]) == pytest.approx((0.6 - half, 0.6 + half), rel=1e-14)


def test_the_reviews_interval_is_the_wald_interval_of_its_summed_counts() -> None:
    """58.5 % (57.3-59.7) of 6,382 patients, as the review prints it."""
    for responders in (3_731, 3_733, 3_736):
        low, high = proportion_interval(responders, 6_382, method=IntervalMethod.WALD)
        assert round(100 * responders / 6_382, 1) == 58.5
        assert [round(100 * low[0], 1), round(100 * high[0], 1)] == [57.3, 59.7]


def test_wald_is_clipped_and_has_no_width_at_the_ends() -> None:
    low, high = proportion_interval([0, 1, 9, 10], [10] * 4, method=IntervalMethod.WALD)
    assert low.tolist()[:2] == [0, 0]
    assert high.tolist()[2:] == [1, 1]
    assert high[0] == 0
    assert low[3] == 1


@pytest.mark.parametrize("method", [IntervalMethod.WILSON, IntervalMethod.CLOPPER_PEARSON])
@pytest.mark.parametrize("n", [1, 40, 10**7])
def test_ends_are_exact_at_none_and_all(method: IntervalMethod, n: int) -> None:
    low, high = proportion_interval([0, n], [n, n], method=method)
    assert low[0] == 0
    assert high[1] == 1
    assert 0 < high[0] < 1
    assert 0 < low[1] < 1


@pytest.mark.parametrize("method", METHODS)
@given(counts=COUNTS)
def test_symmetric_and_holding_the_rate(method: IntervalMethod, counts: tuple[int, int]) -> None:
    x, n = counts
    low, high = proportion_interval([x, n - x], [n, n], method=method)
    assert 0 <= low[0] <= x / n <= high[0] <= 1
    assert low[0] == pytest.approx(1 - high[1], abs=1e-12)
    assert high[0] == pytest.approx(1 - low[1], abs=1e-12)


@pytest.mark.parametrize("method", [IntervalMethod.WILSON, IntervalMethod.CLOPPER_PEARSON])
@pytest.mark.parametrize("n", [1, 7, 200])
def test_limits_rise_with_the_responders(method: IntervalMethod, n: int) -> None:
    low, high = proportion_interval(np.arange(n + 1), np.full(n + 1, n), method=method)
    assert (np.diff(low) > 0).all()
    assert (np.diff(high) > 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_wider_with_the_probability_and_narrower_with_the_patients(method: IntervalMethod) -> None:
    widths = [np.subtract(*reversed(proportion_interval(6, 10, method=method, prob=p)))[0] for p in (0.5, 0.8, 0.95)]
    assert widths == sorted(widths)
    low, high = proportion_interval([6, 600, 6_000_000], [10, 1000, 10_000_000], method=method)
    assert (np.diff(high - low) < 0).all()
    assert high[2] - low[2] < 1e-3


@pytest.mark.parametrize("prob", [0, 1, 95, -0.1])
def test_a_probability_outside_0_to_1_is_refused(prob: float) -> None:
    with pytest.raises(ValueError, match=r"\(0, 1\)"):
        proportion_interval(1, 2, method=IntervalMethod.WILSON, prob=prob)
