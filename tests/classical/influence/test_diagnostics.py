"""Influence diagnostics against metafor's, and where a refit is not to be had."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from alkbayes.classical.influence.diagnostics import Influence, influence
from alkbayes.classical.inverse_variance.regression import Test as Interval
from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator
from alkbayes.classical.scales import Scale, effects

CLOSED_FORM = 1e-9
ITERATED = 1e-8
"""metafor's tau2 at a threshold of 1e-12; Cook's distances and Baujat's are squares of small differences."""
NEAR_ZERO = 1e-9

SMALL = ("pritz1997", "debruin2009", "nielweise2007")
SETS = [f"{data}_{model}" for data in SMALL for model in ("ee", "dl", "reml", "reml_knha")]
SETS += ["cohorts_ee", "cohorts_reml_knha", "cohorts_line_knha"]

type Reader = Callable[[str], dict[str, Any]]


def computed(expected: dict[str, Any]) -> Influence:
    observed = effects(expected["xi"], expected["ni"], scale=Scale.LOGIT)
    columns = expected["X"]
    return influence(
        observed.yi,
        observed.vi,
        design=np.column_stack([np.ones(observed.yi.size), columns]) if columns else None,
        estimator=None if expected["method"] == "EE" else Tau2Estimator(expected["method"].lower()),
        test=Interval(expected["test"]),
    )


@pytest.mark.parametrize("name", SETS)
def test_it_agrees_with_metafor(reference: Reader, name: str) -> None:
    expected = reference("influence")["sets"]["influence"][name]
    got = computed(expected)
    rel = ITERATED if expected["method"] == "REML" else CLOSED_FORM
    for ours, theirs in (
        (got.rstudent, "rstudent"),
        (got.dffits, "dffits"),
        (got.cook, "cook"),
        (got.covariance_ratio, "cov_r"),
        (got.tau2_deleted, "tau2_del"),
        (got.q_deleted, "QE_del"),
        (got.hat, "hat"),
        (got.weight, "weight"),
        (got.dfbetas, "dfbs"),
        (got.baujat_x, "baujat_x"),
        (got.baujat_y, "baujat_y"),
    ):
        assert ours == pytest.approx(np.array(expected[theirs]), rel=rel, abs=NEAR_ZERO), theirs
    assert got.influential.tolist() == expected["influential"]
    assert set(got.messages) == {""}


def test_some_cohorts_are_marked(reference: Reader) -> None:
    sets = reference("influence")["sets"]["influence"]
    assert any(any(each["influential"]) for each in sets.values())


def test_baujat_adds_up_to_q(reference: Reader) -> None:
    expected = reference("influence")["sets"]["influence"]["debruin2009_ee"]
    observed = effects(expected["xi"], expected["ni"], scale=Scale.LOGIT)
    centre = (observed.yi / observed.vi).sum() / (1 / observed.vi).sum()
    q = ((observed.yi - centre) ** 2 / observed.vi).sum()
    assert computed(expected).baujat_x.sum() == pytest.approx(q, rel=1e-12)


def test_an_effect_that_rests_on_one_cohort_is_said() -> None:
    yi, vi = np.array([0.1, 0.5, 0.3, 0.9]), np.full(4, 0.1)
    design = np.array([[1.0, 0], [1, 0], [1, 0], [1, 1]])
    got = influence(yi, vi, design=design, estimator=Tau2Estimator.DL)
    assert got.messages == ("", "", "", "no fit: a fixed effect rests on what is left out")
    assert np.isnan([got.rstudent[3], got.cook[3], *got.dfbetas[3]]).all()
    assert got.hat[3] == pytest.approx(1)
    assert np.isfinite(got.rstudent[:3]).all()


def test_two_cohorts_leave_no_variance_to_estimate_without_one() -> None:
    got = influence(np.array([0.1, 0.9]), np.array([0.1, 0.2]), estimator=Tau2Estimator.REML)
    assert got.messages == ("no fit: too few cohorts are left",) * 2
    assert np.isnan(got.rstudent).all()
    assert not got.influential.any()


def test_two_cohorts_of_one_rate_for_all_are_each_held_against_the_other() -> None:
    yi, vi = np.array([0.1, 0.9]), np.array([0.1, 0.2])
    got = influence(yi, vi, estimator=None)
    assert np.abs(got.rstudent) == pytest.approx([0.8 / np.sqrt(0.3)] * 2)


def test_one_cohort_has_no_influence_on_others() -> None:
    got = influence(np.array([0.1]), np.array([0.1]), estimator=None)
    assert got.messages == ("no fit: too few cohorts are left",)
    assert got.weight[0] == 1


def test_an_outlier_shows() -> None:
    yi = np.r_[np.linspace(-0.2, 0.2, 12), 4.0]
    got = influence(yi, np.full(13, 0.05), estimator=Tau2Estimator.REML, test=Interval.KNAPP_HARTUNG)
    assert got.influential.tolist() == [False] * 12 + [True]
    assert got.rstudent[12] > 10
    assert got.tau2_deleted[12] == 0


def test_cohorts_that_do_not_differ_have_no_influence() -> None:
    got = influence(np.full(5, 0.25), np.full(5, 0.5), estimator=Tau2Estimator.REML)
    assert not got.influential.any()
    assert np.r_[got.rstudent, got.cook, got.baujat_y] == pytest.approx(np.zeros(15), abs=1e-12)


def test_nor_a_scale_to_measure_it_by_with_the_hartung_knapp_factor() -> None:
    yi, vi = np.full(5, 0.25), np.full(5, 0.5)
    got = influence(yi, vi, estimator=Tau2Estimator.REML, test=Interval.KNAPP_HARTUNG)
    assert not got.influential.any()
    assert np.isnan(np.r_[got.rstudent, got.cook, got.baujat_y]).all()
    assert set(got.messages) == {"the cohorts do not differ, which leaves nothing to measure influence by"}
