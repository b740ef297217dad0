"""Intervals of one proportion, against SciPy's own, R's, printed ones, and at the ends."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from alkbayes.classical.proportions import IntervalMethod, proportion_interval

SCIPY = {
    IntervalMethod.WILSON: "wilson",
    IntervalMethod.WILSON_CC: "wilsoncc",
    IntervalMethod.CLOPPER_PEARSON: "exact",
}
METHODS = list(IntervalMethod)
NO_WALD = [method for method in METHODS if method is not IntervalMethod.WALD]
R_MADE = json.loads((Path(__file__).parents[1] / "reference" / "intervals.json").read_text(encoding="utf-8"))
# Upper limits are made from 1 down, to about 2e-16: of a limit of 3e-7 that leaves nine digits.
DIGITS = 1e-9
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


@pytest.mark.parametrize("method", METHODS)
def test_agrees_with_r(method: IntervalMethod) -> None:
    assert len(R_MADE["sets"]) == 36
    for made in R_MADE["sets"]:
        low, high = proportion_interval(made["x"], made["n"], method=method, prob=made["level"])
        expected = np.clip(made[method], 0, 1)
        assert [low[0], high[0]] == pytest.approx(expected, rel=DIGITS, abs=1e-15), made


def test_newcombes_arms_as_he_prints_them() -> None:
    """Newcombe (1998), table I, method 3, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E."""
    low, high = proportion_interval([81, 15, 0, 1], [263, 148, 20, 29], method=IntervalMethod.WILSON)
    assert np.round(low, 4).tolist() == [0.2553, 0.0624, 0, 0.0061]
    assert np.round(high, 4).tolist() == [0.3662, 0.1605, 0.1611, 0.1718]


def test_mid_p_as_another_package_documents_it() -> None:
    """Example of `ci_p_mid_p` in R's stests, which has these digits in its manual."""
    low, high = proportion_interval([5, 10, 15], [20, 30, 40], method=IntervalMethod.MID_P)
    assert low == pytest.approx([0.09786008, 0.1833232, 0.2361295], abs=5e-8)
    assert high == pytest.approx([0.47022380, 0.5141852, 0.5313959], abs=5e-8)


@pytest.mark.parametrize("prob", [0.5, 0.95, 0.999])
def test_mid_p_of_none_and_all_has_a_closed_form(prob: float) -> None:
    n = np.array([1, 20, 10**7])
    low, high = proportion_interval(n, n, method=IntervalMethod.MID_P, prob=prob)
    assert low == pytest.approx((1 - prob) ** (1 / n), rel=1e-14)
    _, high = proportion_interval(0 * n, n, method=IntervalMethod.MID_P, prob=prob)
    assert high == pytest.approx(-np.expm1(np.log1p(-prob) / n), rel=DIGITS)


@given(counts=COUNTS, prob=st.sampled_from([0.5, 0.95, 0.999]))
def test_the_orders_that_are_known(counts: tuple[int, int], prob: float) -> None:
    """Agresti-Coull and the corrected Wilson hold the plain Wilson, Clopper-Pearson holds Jeffreys and mid-P."""
    made = {method: np.ravel(proportion_interval(*counts, method=method, prob=prob)) for method in METHODS}
    for wide, narrow in [
        (IntervalMethod.AGRESTI_COULL, IntervalMethod.WILSON),
        (IntervalMethod.WILSON_CC, IntervalMethod.WILSON),
        (IntervalMethod.CLOPPER_PEARSON, IntervalMethod.JEFFREYS),
        (IntervalMethod.CLOPPER_PEARSON, IntervalMethod.MID_P),
    ]:
        assert made[wide][0] <= made[narrow][0] + 1e-14, (wide, narrow)
        assert made[wide][1] >= made[narrow][1] - 1e-14, (wide, narrow)


def test_agresti_coull_and_jeffreys_by_hand() -> None:
    z2 = 1.959963984540054**2
    middle, patients = (3 + z2 / 2) / (25 + z2), 25 + z2
    half = (z2 * middle * (1 - middle) / patients) ** 0.5
    low, high = proportion_interval(3, 25, method=IntervalMethod.AGRESTI_COULL)
    assert (low[0], high[0]) == pytest.approx((middle - half, middle + half), rel=1e-14)
    low, high = proportion_interval(3, 25, method=IntervalMethod.JEFFREYS)
    assert beta(3.5, 22.5).cdf([low[0], high[0]]) == pytest.approx([0.025, 0.975], rel=1e-12)


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


@pytest.mark.parametrize("method", NO_WALD)
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


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("prob", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 7, 200])
def test_limits_rise_with_the_responders(method: IntervalMethod, prob: float, n: int) -> None:
    low, high = proportion_interval(np.arange(n + 1), np.full(n + 1, n), method=method, prob=prob)
    # A clipped limit stands still at 0 or 1, and no other.
    assert (np.diff(low)[low[1:] > 0] > 0).all()
    assert (np.diff(high)[high[:-1] < 1] > 0).all()


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
