"""Counts, checked."""

import numpy as np
import pytest

from alkbayes.classical.counts import checked_counts
from alkbayes.errors import EvidenceError


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
