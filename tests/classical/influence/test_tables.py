"""Leave-one-out tables: every method against pooling of the other rows, metafor's and lme4's refits, and failures."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chi2

from alkbayes.classical.influence.tables import DIAGNOSTICS, INFLUENCE_COLUMNS, influence_table
from alkbayes.classical.maximum_likelihood.glmm import fit_glmm
from alkbayes.classical.pooling.methods import INVERSE_VARIANCE, PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.errors import EvidenceError
from alkbayes.evidence.table import Evidence, trial_labels

type Maker = Callable[..., Evidence]
type Reader = Callable[[str], dict[str, Any]]

ROWS = (("a", 12, 30), ("b", 31, 44), ("c", 52, 65), ("d", 9, 33), ("e", 18, 40), ("f", 28, 37), ("g", 15, 15))
TRIALS = ["A", "A", "B", "B", "", "F", "G"]
BINOMIAL = (PoolingMethod.GLMM_ML, PoolingMethod.GLMM_ML_TRIALS)
ITERATED = 1e-6
"""Of the same search from another start: its likelihood is flat to about 1e-12."""


@pytest.fixture
def small(table: Maker) -> Evidence:
    return table(*ROWS, trial=TRIALS)


def without(evidence: Evidence, kept: Any, method: PoolingMethod):
    part = evidence.frame[kept]
    trials = trial_labels(part)
    return pool(part["responders"], part["n"], method=method, cohorts=tuple(part["cohort_id"]), trials=trials)


@pytest.mark.parametrize("method", PoolingMethod)
def test_each_row_is_what_the_method_gives_for_the_other_cohorts(small: Evidence, method: PoolingMethod) -> None:
    found = influence_table(small, method=method)
    trials = trial_labels(small.frame)
    assert found.full == pool(
        small.frame["responders"],
        small.frame["n"],
        method=method,
        cohorts=tuple(small.frame["cohort_id"]),
        trials=trials,
    )
    assert list(found.rows.columns) == list(INFLUENCE_COLUMNS)
    assert sorted(found.rows["left_out"]) == list("abcdefg")
    for _, row in found.rows.iterrows():
        expected = without(small, small.frame["cohort_id"] != row["left_out"], method)
        for name in ("estimate", "low", "high", "tau2"):
            value = getattr(expected, name)
            assert row[name] == pytest.approx(math.nan if value is None else value, rel=ITERATED, nan_ok=True), name
        if expected.estimate is not None:
            assert row["change"] == pytest.approx(expected.estimate - found.full.estimate, abs=1e-7)


@pytest.mark.parametrize("method", [PoolingMethod.REML_LOGIT_HK, *BINOMIAL, PoolingMethod.MULTILEVEL_LOGIT])
def test_each_trial_is_left_out_whole(small: Evidence, method: PoolingMethod) -> None:
    rows = influence_table(small, method=method, by_trial=True).rows.set_index("left_out")
    # Cohort e has no trial and stands for one of its own.
    assert rows["cohorts"].to_dict() == {"A": 2, "B": 2, "F": 1, "G": 1, "e": 1}
    assert set(rows["unit"]) == {"trial"}
    assert rows.loc["A", ["responders", "patients"]].tolist() == [43, 74]
    assert rows.loc["A", "observed"] == pytest.approx(43 / 74, rel=1e-12)
    expected = without(small, small.frame["trial"] != "A", method)
    assert rows.loc["A", "estimate"] == pytest.approx(expected.estimate, rel=ITERATED)
    assert rows[list(DIAGNOSTICS)].isna().all(axis=None)
    assert rows["influential"].isna().all()


def test_the_largest_change_comes_first(bundled: Evidence) -> None:
    rows = influence_table(bundled, method=PoolingMethod.REML_LOGIT_HK).rows
    assert len(rows) == 66
    assert rows["change"].abs().is_monotonic_decreasing
    assert rows["left_out"].iloc[0] == "alesia-alectinib"


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("debruin2009_ee", PoolingMethod.COMMON_LOGIT),
        ("nielweise2007_dl", PoolingMethod.DL_LOGIT),
        ("pritz1997_reml", PoolingMethod.REML_LOGIT),
        ("cohorts_reml_knha", PoolingMethod.REML_LOGIT_HK),
    ],
)
def test_inverse_variance_diagnostics_are_metafors_beside_their_cohorts(
    reference: Reader, table: Maker, name: str, method: PoolingMethod
) -> None:
    expected = reference("influence")["sets"]["influence"][name]
    counts = zip(expected["xi"], expected["ni"], strict=True)
    evidence = table(*((f"c{place:02}", x, n) for place, (x, n) in enumerate(counts)))
    rows = influence_table(evidence, method=method).rows.sort_values("left_out")
    theirs = {
        "rstudent": "rstudent",
        "dffits": "dffits",
        "cook": "cook",
        "covariance_ratio": "cov_r",
        "hat": "hat",
        "weight": "weight",
        "baujat_x": "baujat_x",
        "baujat_y": "baujat_y",
    }
    for ours, name in theirs.items():
        np.testing.assert_allclose(rows[ours], expected[name], rtol=1e-6, atol=1e-9, err_msg=ours)
    np.testing.assert_allclose(rows["dfbetas"], np.array(expected["dfbs"])[:, 0], rtol=1e-6, atol=1e-9)
    assert rows["influential"].tolist() == expected["influential"]
    refits = expected["leave1out"]
    np.testing.assert_allclose(rows["estimate"], expit(refits["b"]), rtol=1e-7)
    np.testing.assert_allclose(rows["low"], expit(refits["ci_lb"]), rtol=1e-7)
    if method is not PoolingMethod.COMMON_LOGIT:
        np.testing.assert_allclose(rows["tau2"], refits["tau2"], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("by_trial", "name"), [(False, "cohorts"), (True, "trials")])
def test_the_binomial_models_refits_are_lme4s(reference: Reader, bundled: Evidence, by_trial: bool, name: str) -> None:
    expected = reference("influence")["sets"]["glmm"][name]
    rows = influence_table(bundled, method=PoolingMethod.GLMM_ML, by_trial=by_trial).rows.set_index("left_out")
    rows = rows.loc[expected["each"]]
    # lme4's quadrature, 25 nodes, against ours.
    np.testing.assert_allclose(rows["estimate"], expit(expected["b"]), rtol=1e-6)
    np.testing.assert_allclose(rows["tau2"], expected["tau2"], rtol=1e-5)


def test_the_binomial_models_marks_are_the_parts_of_metafors_rule_that_it_has(table: Maker) -> None:
    evidence = table(*((f"c{place}", 30 + place, 60) for place in range(8)), ("odd", 1, 60))
    rows = influence_table(evidence, method=PoolingMethod.GLMM_ML).rows.set_index("left_out")
    beyond = (rows["cook"] > chi2.ppf(0.5, 1)) | (rows["dfbetas"].abs() > 1)
    assert rows["influential"].tolist() == beyond.tolist()
    assert rows.index[rows["influential"].astype(bool)].tolist() == ["odd"]
    assert rows[["dffits", "hat", "weight"]].isna().all(axis=None)


def test_shrunken_rates_lie_between_the_cohorts_own_and_the_pooled_one(bundled: Evidence) -> None:
    for method in (PoolingMethod.REML_LOGIT_HK, PoolingMethod.REML_ARCSINE, PoolingMethod.REML_FREEMAN_TUKEY):
        found = influence_table(bundled, method=method)
        rows = found.rows
        low, high = (
            np.minimum(rows["observed"], found.full.estimate),
            np.maximum(rows["observed"], found.full.estimate),
        )
        # 1/2 in each cell, and the Freeman-Tukey way back for each size of cohort, move a rate by a little.
        assert (rows["shrunken"] > low - 0.01).all()
        assert (rows["shrunken"] < high + 0.01).all()
        assert (rows["shrunken_low"] < rows["shrunken"]).all()
        assert (rows["shrunken"] < rows["shrunken_high"]).all()


def test_the_binomial_models_shrunken_rates_add_up_as_their_likelihood_says(bundled: Evidence) -> None:
    # The score for the mean is the sum of n (observed - conditional mean): 0 at the maximum.
    rows = influence_table(bundled, method=PoolingMethod.GLMM_ML).rows
    assert float((rows["patients"] * rows["shrunken"]).sum()) == pytest.approx(bundled.responders, rel=1e-5)
    assert rows[["shrunken_low", "shrunken_high"]].isna().all(axis=None)


@pytest.mark.parametrize("method", [PoolingMethod.CRUDE_WILSON, PoolingMethod.COMMON_LOGIT])
def test_without_heterogeneity_nothing_is_shrunken(bundled: Evidence, method: PoolingMethod) -> None:
    assert influence_table(bundled, method=method).rows["shrunken"].isna().all()


@pytest.mark.parametrize("method", PoolingMethod)
@pytest.mark.parametrize("rows", [(("a", 3, 20),), (("a", 3, 20), ("b", 0, 9))], ids=["one", "two"])
def test_one_and_two_cohorts_have_rows_and_no_error(
    table: Maker, method: PoolingMethod, rows: tuple[tuple[str, int, int], ...]
) -> None:
    found = influence_table(table(*rows), method=method).rows
    assert len(found) == len(rows)
    if len(rows) == 1:
        assert found["note"].tolist() == ["No fit: too few cohorts are left."]
        assert found["estimate"].isna().all()
    if method in INVERSE_VARIANCE and INVERSE_VARIANCE[method].estimator is not None:
        assert found["cook"].isna().all()


@pytest.mark.parametrize("responders", [0, 20])
@pytest.mark.parametrize("method", [*BINOMIAL, PoolingMethod.REML_LOGIT, PoolingMethod.BETA_BINOMIAL_ML])
def test_only_or_no_responders(table: Maker, responders: int, method: PoolingMethod) -> None:
    evidence = table(*((name, responders, 20) for name in "abcd"), trial=["A", "A", "B", "C"])
    rows = influence_table(evidence, method=method).rows
    if method is PoolingMethod.GLMM_ML:
        rate = "0" if responders == 0 else "1"
        note = f"Maximum likelihood gives a rate of exactly {rate}, which has no logit: no result."
        assert rows["note"].tolist() == [f"{note} See crude-clopper-pearson."] * 4
    if method is not PoolingMethod.REML_LOGIT:
        assert rows["estimate"].isna().all()
        assert rows["note"].str.len().gt(0).all()
    else:
        assert rows["estimate"].tolist() == pytest.approx([rows["estimate"].iloc[0]] * 4, rel=1e-12)


def test_a_refit_without_a_result_says_so_and_the_others_stand(small: Evidence) -> None:
    frame = small.frame.assign(trial=["A", "A", "C", "D", "E", "F", "G"])
    rows = influence_table(replace(small, frame=frame), method=PoolingMethod.GLMM_ML_TRIALS).rows
    assert rows["left_out"].iloc[-2:].tolist() == ["a", "b"]
    assert set(rows["note"].iloc[-2:]) == {"No fit: no two of the cohorts that are left are of one group."}
    assert rows["estimate"].iloc[:-2].notna().all()
    assert rows["change"].iloc[:-2].abs().is_monotonic_decreasing


def test_without_trials_a_model_of_trials_says_so_in_every_row(table: Maker) -> None:
    found = influence_table(table(*ROWS), method=PoolingMethod.GLMM_ML_TRIALS)
    assert found.full.estimate is None
    assert "does not say which cohorts are of one trial" in found.full.note
    assert found.rows["estimate"].isna().all()


def test_leaving_out_trials_needs_trials(table: Maker) -> None:
    with pytest.raises(EvidenceError, match="Leaving out trials needs a column trial"):
        influence_table(table(*ROWS), method=PoolingMethod.REML_LOGIT, by_trial=True)


def test_the_refits_of_all_63_cohorts_are_the_cold_ones(bundled: Evidence) -> None:
    rows = influence_table(bundled, method=PoolingMethod.GLMM_ML).rows.iloc[[0, 31, 62]]
    for _, row in rows.iterrows():
        part = bundled.frame[bundled.frame["cohort_id"] != row["left_out"]]
        cold = fit_glmm(part["responders"], part["n"])
        assert row["estimate"] == pytest.approx(float(expit(cold.beta[0])), rel=ITERATED)


CRBSI = (
    *((0, 116), (1, 44), (2, 208), (0, 130), (5, 151), (1, 98), (1, 174), (1, 74), (1, 97), (1, 113), (0, 66)),
    *((0, 70), (3, 188), (6, 187), (0, 118), (0, 252), (1, 345), (4, 64)),
)


@pytest.mark.parametrize(
    ("counts", "method", "cleared"),
    [
        # No event at all: the logits are those of the 1/2, whatever differs between them.
        ([(0, 20), (0, 15), (0, 30), (0, 12), (0, 8)], PoolingMethod.REML_LOGIT_HK, ["c02", "c04"]),
        # The raw scale takes 0.5/253 for sure; by the counts the cohort is like the others.
        (CRBSI, PoolingMethod.REML_RAW, ["c15"]),
        # 2/30, 18/30, 0/30, 2/30: the binomial model marks the empty cohort too.
        ([(2, 30), (18, 30), (0, 30), (2, 30)], PoolingMethod.COMMON_RAW, []),
    ],
)
def test_no_cohort_is_marked_for_the_half_that_was_added(
    table: Maker, counts: Any, method: PoolingMethod, cleared: list[str]
) -> None:
    evidence = table(*((f"c{place:02}", x, n) for place, (x, n) in enumerate(counts)))
    rows = influence_table(evidence, method=method).rows
    noted = rows[rows["note"].str.contains("1/2 added to its counts alone")]
    assert not noted["influential"].any()
    assert sorted(noted["left_out"]) == cleared
    assert rows["influential"].any() == (method is PoolingMethod.COMMON_RAW or method is PoolingMethod.REML_RAW)
