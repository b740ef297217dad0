"""Where methods disagree: only pairs of one property, only beyond the stated limits, and the property at work."""

import math
from pathlib import Path

import pandas as pd
import pytest

from alkbayes.classical.pooling.disagreements import (
    DISAGREEMENT_COLUMNS,
    EXPLANATIONS,
    PAIRS,
    POINTS,
    WIDTH_RATIO,
    Property,
    disagreements,
)
from alkbayes.classical.pooling.methods import ALL_METHODS, INVERSE_VARIANCE, PoolingMethod
from alkbayes.classical.pooling.tables import pool_table
from alkbayes.evidence.table import read_evidence
from alkbayes.vocabulary import GROUP_COLUMNS, group_row


def table(*answers: tuple[PoolingMethod, float, float, float], corrected: float = 0.0) -> pd.DataFrame:
    names = ("method", "estimate", "low", "high")
    return pd.DataFrame(
        [group_row({}) | dict(zip(names, answer, strict=True)) | {"corrected": corrected} for answer in answers],
        columns=[*GROUP_COLUMNS, *names, "corrected"],
    )


def found(tmp_path: Path, rows: str) -> pd.DataFrame:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,trial,n,responders\n" + rows, encoding="utf-8")
    return disagreements(pool_table(read_evidence(path), methods=ALL_METHODS))


def test_small_differences_are_none() -> None:
    reml, dl = PoolingMethod.REML_LOGIT, PoolingMethod.DL_LOGIT
    assert disagreements(table((reml, 0.6, 0.5, 0.7), (dl, 0.6 + 0.99 * POINTS, 0.48, 0.72))).empty
    by_estimate = disagreements(table((reml, 0.6, 0.5, 0.7), (dl, 0.6 - 1.01 * POINTS, 0.5, 0.7)))
    assert by_estimate[["property", "method", "other"]].to_numpy().tolist() == [[Property.ESTIMATOR, reml, dl]]
    assert by_estimate["difference"].item() == pytest.approx(-1.01 * POINTS)
    wider = disagreements(table((reml, 0.6, 0.5, 0.7), (dl, 0.6, 0.47, 0.73)))
    assert wider["width_ratio"].item() == pytest.approx(1.3)
    narrower = disagreements(table((reml, 0.6, 0.5, 0.7), (dl, 0.6, 0.53, 0.67)))
    assert narrower["width_ratio"].item() == pytest.approx(0.7)
    assert WIDTH_RATIO == 1.25


def test_a_method_without_a_result_is_passed_over() -> None:
    nan = float("nan")
    reml, dl = PoolingMethod.REML_LOGIT, PoolingMethod.DL_LOGIT
    assert disagreements(table((reml, 0.6, 0.5, 0.7), (dl, nan, nan, nan))).empty
    only_estimates = disagreements(table((reml, 0.6, nan, nan), (dl, 0.7, 0.6, 0.8)))
    assert math.isnan(only_estimates["width_ratio"].item())


def test_no_pair_no_row() -> None:
    empty = disagreements(table((PoolingMethod.REML_LOGIT, 0.6, 0.5, 0.7)))
    assert empty.empty
    assert tuple(empty.columns) == DISAGREEMENT_COLUMNS


def test_a_pair_differs_in_what_it_says() -> None:
    for what, method, other in PAIRS:
        if method not in INVERSE_VARIANCE or other not in INVERSE_VARIANCE:
            continue
        one, two = INVERSE_VARIANCE[method], INVERSE_VARIANCE[other]
        same = {
            "scale": one.scale is two.scale,
            "heterogeneity": (one.estimator is None) == (two.estimator is None),
            "estimator": one.estimator is two.estimator,
            "test": one.test is two.test,
        }
        expected = {
            Property.HETEROGENEITY: {"scale", "test"},
            Property.TRANSFORMATION: {"heterogeneity", "estimator", "test"},
            Property.ESTIMATOR: {"scale", "heterogeneity", "test"},
            Property.TEST: {"scale", "heterogeneity", "estimator"},
        }[what]
        assert {name for name, alike in same.items() if alike} == expected, (method, other)


def test_every_property_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Property)
    assert {what for what, _, _ in PAIRS} == set(Property) - {Property.ZERO_CELLS}


def test_cohorts_that_agree_have_nothing_to_explain(tmp_path: Path) -> None:
    rows = "".join(f"c{i},t{i // 2},4000,{1600 + 4 * (i % 3)}\n" for i in range(12))
    assert set(found(tmp_path, rows)["property"]) <= {Property.CLUSTERING, Property.TEST}


def test_cohorts_that_differ_show_what_the_crude_interval_leaves_out(tmp_path: Path) -> None:
    rows = "".join(f"c{i},t{i},400,{40 + 45 * (i % 7)}\n" for i in range(14))
    seen = found(tmp_path, rows).set_index(["method", "other"])
    row = seen.loc[("crude-wilson", "glmm-ml")]
    assert row["property"] == Property.HETEROGENEITY
    assert row["width_ratio"] > 3


def test_zero_cells_are_named_where_there_are_some(tmp_path: Path) -> None:
    rare = "".join(f"c{i},t{i},{10 + i % 3},{i % 2}\n" for i in range(12))
    seen = found(tmp_path, rare).set_index(["method", "other"])
    row = seen.loc[("ml-logit", "glmm-ml")]
    assert row["property"] == Property.ZERO_CELLS
    assert row["difference"] < -POINTS  # 1/2 in six of twelve cohorts without a response lifts the rate
    few = "".join(f"c{i},t{i},{6 + i % 3},{1 + i % 5}\n" for i in range(12))
    assert Property.ZERO_CELLS not in set(found(tmp_path, few)["property"])


def test_cohorts_of_a_trial_that_are_alike_show_as_clustering(tmp_path: Path) -> None:
    rows = "".join(f"c{i},t{i // 5},200,{30 + 40 * (i // 5) + i % 3}\n" for i in range(20))
    seen = found(tmp_path, rows).set_index(["method", "other"])
    row = seen.loc[("glmm-ml", "glmm-ml-trials")]
    assert row["property"] == Property.CLUSTERING
    assert row["width_ratio"] > WIDTH_RATIO


def test_the_half_that_one_scale_adds_is_not_blamed_on_the_scale(tmp_path: Path) -> None:
    seen = found(tmp_path, "a,t,10,0\n").set_index(["method", "other"])
    assert seen.loc[("reml-logit", "reml-arcsine"), "property"] == Property.ZERO_CELLS
