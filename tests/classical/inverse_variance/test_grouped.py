"""Arguments of the models for cohorts that are not independent: what is refused, and the groups."""

import math

import numpy as np
import pytest

from alkbayes.classical.inverse_variance.grouped import GroupedEstimates


@pytest.mark.parametrize(
    ("yi", "vi", "group", "design", "what"),
    [
        ([1.0, 2.0], [0.1], ["a", "b"], None, "one length"),
        ([], [], [], None, "at least 1"),
        ([[1.0]], [[0.1]], [["a"]], None, "two lists"),
        ([1.0, 2.0], [0.1, 0.0], ["a", "b"], None, "vi positive"),
        ([1.0, 2.0], [0.1, math.inf], ["a", "b"], None, "vi positive and finite"),
        ([1.0, math.nan], [0.1, 0.1], ["a", "b"], None, "yi must be finite"),
        ([1.0, 2.0], [0.1, 0.1], ["a"], None, "each of 2 cohorts needs a group"),
        ([1.0, 2.0], [0.1, 0.1], ["a", "b"], np.ones((3, 1)), "2 rows and full column rank"),
        ([1.0, 2.0], [0.1, 0.1], ["a", "b"], np.ones((2, 2)), "full column rank"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    yi: list[float], vi: list[float], group: list[str], design: np.ndarray | None, what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        GroupedEstimates.of(yi, vi, group, design)


def test_members_are_the_cohorts_of_each_group_in_the_order_of_their_labels() -> None:
    data = GroupedEstimates.of([1, 2, 3, 4], [1, 1, 1, 1], ["b", "a", "b", "c"], None)
    assert [each.tolist() for each in data.members()] == [[1], [0, 2], [3]]
    assert data.design.tolist() == [[1], [1], [1], [1]]
