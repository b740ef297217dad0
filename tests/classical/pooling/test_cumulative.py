"""Cumulative pooling, against sums that can be done by hand, and the order in which cohorts are added."""

import pandas as pd
import pytest

from alkbayes.classical.pooling.cumulative import cumulative
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.evidence.table import read_evidence

TABLE = pd.DataFrame(
    {
        "cohort_id": ["a", "b", "c", "d", "e"],
        "responders": [3, 10, 5, 8, 1],
        "n": [10, 20, 10, 40, 20],
    }
)
CRUDE = next(method for method in PoolingMethod if method.startswith("crude"))


def test_each_step_has_the_sums_so_far_and_equal_values_are_one_step() -> None:
    steps = cumulative(read_evidence(TABLE), ["10", "9", "", "9", "100"], method=CRUDE)
    assert [step.value for step in steps] == ["9", "10", "100", ""], "numbers as numbers, the unknown last"
    assert [step.added for step in steps] == [(1, 3), (0,), (4,), (2,)]
    assert [(step.pooled.k, step.pooled.responders, step.pooled.patients) for step in steps] == [
        (2, 18, 60),
        (3, 21, 70),
        (4, 22, 90),
        (5, 27, 100),
    ]
    assert [step.pooled.estimate for step in steps] == pytest.approx([18 / 60, 21 / 70, 22 / 90, 27 / 100])


def test_texts_are_in_the_order_of_texts_whatever_that_of_the_rows() -> None:
    values = ["2018-05", "2017", "2018", "2017-02", "2017"]
    steps = cumulative(read_evidence(TABLE), values, method=CRUDE)
    assert [step.value for step in steps] == ["2017", "2017-02", "2018", "2018-05"]


@pytest.mark.parametrize("name", ["reml-logit-hk-adhoc", "glmm-ml"])
def test_the_last_step_pools_the_whole_table(name: str) -> None:
    method = PoolingMethod(name)
    steps = cumulative(read_evidence(TABLE), list("abcde"), method=method)
    whole = pool(TABLE["responders"], TABLE["n"], method=method)
    assert steps[-1].pooled.estimate == pytest.approx(whole.estimate)
    assert (steps[-1].pooled.low, steps[-1].pooled.high) == pytest.approx((whole.low, whole.high))
