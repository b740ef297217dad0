"""Scales: corrections, variances, and the one way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alkbayes.classical.scales import CORRECTED, Scale, back_transform, discouraged, effects

SCALES = list(Scale)
X, N = np.array([0, 5, 12, 7]), np.array([10, 20, 12, 9])


def test_half_is_added_to_both_cells_only_where_one_is_empty() -> None:
    result = effects(X, N, scale=Scale.LOGIT)
    assert result.corrected.tolist() == [True, False, True, False]
    np.testing.assert_allclose(result.yi, np.log([0.5 / 10.5, 5 / 15, 12.5 / 0.5, 7 / 2]), rtol=1e-14)
    np.testing.assert_allclose(
        result.vi, [1 / 0.5 + 1 / 10.5, 1 / 5 + 1 / 15, 1 / 12.5 + 1 / 0.5, 1 / 7 + 1 / 2], rtol=1e-14
    )


@pytest.mark.parametrize("scale", SCALES)
def test_scales_that_are_finite_at_the_ends_are_never_corrected(scale: Scale) -> None:
    result = effects(X, N, scale=scale)
    assert result.corrected.any() == (scale in CORRECTED)
    assert np.isfinite(result.yi).all()
    assert (result.vi > 0).all()


@pytest.mark.parametrize("scale", SCALES)
def test_the_variance_is_that_of_the_transformed_rate(scale: Scale) -> None:
    """Delta method by a finite difference: n = 4000, where no continuity correction matters."""
    n, rate, step = 4000.0, 0.3, 40.0
    up, down = (effects(n * rate + sign * step, n, scale=scale).yi[0] for sign in (1, -1))
    slope = (up - down) / (2 * step / n)
    expected = slope**2 * rate * (1 - rate) / n
    assert effects(n * rate, n, scale=scale).vi[0] == pytest.approx(expected, rel=2e-3)


def test_the_variance_of_a_log_does_not_cancel_where_nearly_all_respond() -> None:
    """1/x - 1/n, from exact fractions: (n - x) / (n x)."""
    vi = effects(9_999_999, 10_000_000, scale=Scale.LOG).vi[0]
    assert vi == pytest.approx(1 / (10_000_000 * 9_999_999), rel=1e-14)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("n", [1, 7, 250])
def test_back_is_the_inverse_of_there(scale: Scale, n: int) -> None:
    x = np.arange(n + 1)
    result = effects(x, np.full(n + 1, n), scale=scale)
    kept = ~result.corrected
    back = back_transform(result.yi, scale=scale, n=n)
    np.testing.assert_allclose(back[kept], x[kept] / n, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("scale", SCALES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    middle=st.floats(-6, 6),
    width=st.floats(1e-12, 10),
    n=st.lists(st.integers(1, 10_000), min_size=1, max_size=5),
)
def test_the_way_back_never_falls_and_stays_in_0_to_1(scale: Scale, middle: float, width: float, n: list[int]) -> None:
    y = middle + width * np.linspace(-1, 1, 201)
    p = back_transform(y, scale=scale, n=n)
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.diff(p) >= -1e-15).all()


@pytest.mark.parametrize("scale", SCALES)
def test_the_ends(scale: Scale) -> None:
    assert back_transform([-np.inf, np.inf], scale=scale, n=12).tolist() == [0, 1]
    assert np.isnan(back_transform(np.nan, scale=scale, n=12))


def test_miller_is_smooth_about_a_half() -> None:
    """His own formula is off by 1e-9 there, square root of a rounding error; a half is where y = pi/4 goes."""
    y = np.pi / 4 + np.array([-1e-9, -1e-12, 0, 1e-12, 1e-9])
    p = back_transform(y, scale=Scale.FREEMAN_TUKEY, n=50)
    np.testing.assert_allclose(p - 0.5, (y - np.pi / 4) * np.sqrt(1 + 2 / 50), atol=2e-16)


def test_the_harmonic_mean_is_taken_of_the_numbers_of_patients() -> None:
    n = [10, 20, 40]
    mean = 3 / (1 / 10 + 1 / 20 + 1 / 40)
    y = [0.3, 0.9, 1.3]
    assert back_transform(y, scale=Scale.FREEMAN_TUKEY, n=n).tolist() == pytest.approx(
        back_transform(y, scale=Scale.FREEMAN_TUKEY, n=mean).tolist(), rel=1e-14
    )
    with pytest.raises(ValueError, match="no inverse without the numbers of patients"):
        back_transform(y, scale=Scale.FREEMAN_TUKEY)


def test_freeman_tukey_alone_is_discouraged_with_its_references() -> None:
    assert [scale for scale in SCALES if discouraged(scale)] == [Scale.FREEMAN_TUKEY]
    said = discouraged(Scale.FREEMAN_TUKEY)
    assert "discouraged" in said
    assert "10.1002/jrsm.1348" in said
    assert "10.1002/jrsm.1591" in said
