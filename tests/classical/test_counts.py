"""Counts and their logits."""

import numpy as np
import pytest

from alkbayes.classical.counts import checked_counts, logits
from alkbayes.errors import EvidenceError


def test_half_is_added_to_both_cells_only_where_one_is_empty() -> None:
    result = logits(*checked_counts([0, 5, 12], [10, 20, 12]))
    assert result.corrected.tolist() == [True, False, True]
    np.testing.assert_allclose(result.yi, np.log([0.5 / 10.5, 5 / 15, 12.5 / 0.5]), rtol=1e-14)
    np.testing.assert_allclose(result.vi, [1 / 0.5 + 1 / 10.5, 1 / 5 + 1 / 15, 1 / 12.5 + 1 / 0.5], rtol=1e-14)


def test_a_single_cohort_may_be_two_numbers() -> None:
    responders, n = checked_counts(3, 10)
    assert responders.shape == n.shape == (1,)


@pytest.mark.parametrize(
    ("responders", "n", "shown"),
    [
        ([3, 11], [10, 10], "11/10 (position 2)"),
        ([-1], [10], "-1/10"),
        ([0], [0], "0/0"),
        ([1.5], [10], "1.5/10"),
        ([np.nan], [10], "nan/10"),
        ([1], [np.inf], "1/inf"),
        ([1, 2], [10], "shapes (2,) and (1,)"),
        ([], [], "shapes (0,)"),
        ([[1]], [[2]], "shapes (1, 1)"),
    ],
)
def test_what_is_no_count_is_refused_and_shown(responders: list[float], n: list[float], shown: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        checked_counts(responders, n)
    assert shown in str(caught.value)
