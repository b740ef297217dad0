"""The envelope against brute force and ArviZ's simulation, and its verdicts on ranks that are and are not uniform."""

import itertools

import numpy as np
import pytest
from arviz_stats.ecdf_utils import get_pointwise_confidence_band, simulate_confidence_bands

from alkbayes.calibration.uniformity import LEAST_TAIL, envelope, holm, judge_ranks, p_uniform


def smallest_tail(ranks: tuple[int, ...], kept: int) -> float:
    """Return the smallest binomial tail of the counts below each fraction, from the definition."""
    from math import comb

    n, tails = len(ranks), []
    for j in range(1, kept + 1):
        count, z = sum(rank < j for rank in ranks), j / (kept + 1)
        chances = [comb(n, k) * z**k * (1 - z) ** (n - k) for k in range(n + 1)]
        tails += [sum(chances[: count + 1]), sum(chances[count:])]
    return min(tails)


def test_p_values_against_all_tables_there_are() -> None:
    kept, count = 3, 5
    everything = list(itertools.product(range(kept + 1), repeat=count))
    tails = np.array([smallest_tail(ranks, kept) for ranks in everything])
    for place in range(0, len(everything), 37):
        expected = (tails <= tails[place] * (1 + 1e-9)).mean()
        assert p_uniform(np.array(everything[place]), kept=kept) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("count", [200, 1000])
def test_the_envelope_is_arvizs(count: int) -> None:
    points, low, high = envelope(count, kept=99, prob=0.95)
    pointwise = simulate_confidence_bands(count, 1, points, 0.95, 4000, np.random.default_rng(1))
    theirs = get_pointwise_confidence_band(pointwise, count, points)
    # 4,000 simulations leave the pointwise probability open by some 0.0005: a count at some fractions.
    np.testing.assert_allclose(low, theirs[0], atol=1.01 / count)
    np.testing.assert_allclose(high, theirs[1], atol=1.01 / count)


def test_uniform_ranks_leave_their_envelope_as_often_as_they_should() -> None:
    rng = np.random.default_rng(4)
    p_values = np.array([p_uniform(rng.integers(0, 20, 60), kept=19) for _ in range(1500)])
    # Of discrete ranks at most 5 %, and not much less; the standard error is 0.6 %.
    assert 0.03 < (p_values < 0.05).mean() < 0.065
    assert p_values.mean() == pytest.approx(0.5, abs=0.03)


def test_each_fault_is_told_for_what_it_is() -> None:
    rng = np.random.default_rng(5)

    def ranked(values: np.ndarray) -> list[int]:
        return np.clip(np.floor(values * 100), 0, 99).astype(int).tolist()

    judged = judge_ranks(
        {
            "right": ranked(rng.uniform(size=500)),
            "narrow": ranked(rng.beta(0.6, 0.6, 500)),
            "wide": ranked(rng.beta(1.7, 1.7, 500)),
            "low": ranked(rng.beta(1.5, 1.0, 500)),
            "high and narrow": ranked(rng.beta(0.5, 0.8, 500)),
            "constant": [0] * 500,
        },
        kept=99,
    )
    found = {item.quantity: item for item in judged}
    assert found["right"].inside
    assert found["right"].adjusted == found["right"].p  # Holm: the largest stays as it is
    assert found["right"].verdict == ""
    assert [item.adjusted < 0.001 for item in judged] == [False, True, True, True, True, True]
    assert found["narrow"].verdict == "posterior too narrow"
    assert found["wide"].verdict == "posterior too wide"
    assert found["low"].verdict == "posterior too low"
    assert found["high and narrow"].verdict == "posterior too high and too narrow"
    assert (found["constant"].difference, found["constant"].at) == (0.99, 0.01)


def test_a_bounded_p_value_is_small_too() -> None:
    ranks = np.minimum(np.random.default_rng(6).integers(0, 100, 400), 70)
    assert p_uniform(ranks, kept=99) < 2 * 99 * LEAST_TAIL


def test_holm_by_hand() -> None:
    # In order 6 x 0.001, 5 x 0.012, 4 x 0.025, 3 x 0.03 (which may not be less than the one before), 2 x 0.2, 0.9.
    found = holm([0.2, 0.001, 0.03, 0.025, 0.9, 0.012])
    np.testing.assert_allclose(found, [0.4, 0.006, 0.1, 0.1, 0.9, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
