"""Leave-one-out by every model: against metafor and lme4, against plain refits, and where nothing is left."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from alkbayes.classical.influence.leave_one_out import LeftOut, glmm_leave_one_out, leave_one_out
from alkbayes.classical.inverse_variance.cluster_robust import cluster_robust
from alkbayes.classical.inverse_variance.regression import Test as Interval
from alkbayes.classical.inverse_variance.regression import fit_regression
from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator
from alkbayes.classical.maximum_likelihood.beta_binomial import BetaBinomialFit, fit_beta_binomial
from alkbayes.classical.maximum_likelihood.glmm import GlmmFit, fit_glmm
from alkbayes.classical.maximum_likelihood.multilevel import fit_multilevel
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.scales import Scale, effects
from alkbayes.evidence.table import Evidence

ITERATED = 1e-8
GLMER = 2e-6
"""What lme4's optimiser and its Hessian by differences leave undone, as in test_metafor_reference."""

type Reader = Callable[[str], dict[str, Any]]

SMALL = ("pritz1997", "debruin2009", "nielweise2007")
SETS = [f"{data}_{model}" for data in SMALL for model in ("ee", "dl", "reml", "reml_knha")]


@pytest.mark.parametrize("name", [*SETS, "cohorts_ee", "cohorts_reml_knha"])
def test_inverse_variance_models_agree_with_metafor(reference: Reader, name: str) -> None:
    recorded = reference("influence")["sets"]["influence"][name]
    observed = effects(recorded["xi"], recorded["ni"], scale=Scale.LOGIT)
    estimator = None if recorded["method"] == "EE" else Tau2Estimator(recorded["method"].lower())
    rows = leave_one_out(
        lambda kept: fit_regression(
            observed.yi[kept], observed.vi[kept], estimator=estimator, test=Interval(recorded["test"])
        ),
        range(observed.yi.size),
    )
    fits = [row.result for row in rows]
    expected = recorded["leave1out"]
    for theirs, ours in {
        "b": [fit.beta[0] for fit in fits if fit],
        "se": [fit.se[0] for fit in fits if fit],
        "ci_lb": [fit.low[0] for fit in fits if fit],
        "ci_ub": [fit.high[0] for fit in fits if fit],
        "Q": [fit.q_e for fit in fits if fit],
        "Qp": [fit.q_e_p for fit in fits if fit],
        "tau2": [fit.tau2 for fit in fits if fit],
        "I2": [fit.i2 for fit in fits if fit],
        "H2": [fit.h2 for fit in fits if fit],
    }.items():
        assert ours == pytest.approx(expected[theirs], rel=ITERATED, abs=1e-9), theirs


def test_without_a_trial_at_a_time_agrees_with_metafor(reference: Reader) -> None:
    recorded = reference("influence")["sets"]["trials_reml"]
    observed = effects(recorded["xi"], recorded["ni"], scale=Scale.LOGIT)
    rows = leave_one_out(
        lambda kept: fit_regression(observed.yi[kept], observed.vi[kept], estimator=Tau2Estimator.REML),
        recorded["units"],
    )
    assert [row.unit for row in rows] == recorded["each"]
    assert [row.result.beta[0] for row in rows if row.result] == pytest.approx(recorded["b"], rel=ITERATED)
    assert [row.result.se[0] for row in rows if row.result] == pytest.approx(recorded["se"], rel=ITERATED)
    assert [row.result.tau2 for row in rows if row.result] == pytest.approx(recorded["tau2"], rel=ITERATED)
    assert sorted(np.concatenate([row.cohorts for row in rows])) == list(range(66))


@pytest.mark.parametrize("name", ["pritz1997", "debruin2009", "nielweise2007", "cohorts", "trials"])
def test_the_glmm_agrees_with_lme4_at_25_nodes(reference: Reader, name: str) -> None:
    recorded = reference("influence")["sets"]["glmm"][name]
    rows = glmm_leave_one_out(recorded["xi"], recorded["ni"], recorded["units"])
    assert [row.unit for row in rows] == recorded["each"]
    fits = converged(rows)
    assert [fit.beta[0] for fit in fits] == pytest.approx(recorded["b"], abs=GLMER)
    assert [np.sqrt(fit.covariance[0, 0]) for fit in fits] == pytest.approx(recorded["se"], rel=GLMER)
    assert [fit.tau**2 for fit in fits if fit.tau is not None] == pytest.approx(recorded["tau2"], rel=2 * GLMER)


def converged(rows: tuple[LeftOut[GlmmFit], ...]) -> list[GlmmFit]:
    fits = [row.result for row in rows if row.result is not None]
    assert len(fits) == len(rows)
    assert all(fit.converged for fit in fits)
    return fits


@pytest.fixture(scope="module")
def nested(bundled: Evidence) -> tuple[tuple[LeftOut[GlmmFit], ...], float]:
    """Two levels without each cohort of the bundled table, and the seconds that took."""
    frame = bundled.frame
    fit_glmm(frame["responders"], frame["n"], group=frame["trial"])
    start = time.process_time()
    rows = glmm_leave_one_out(frame["responders"], frame["n"], frame["cohort_id"], group=frame["trial"])
    return rows, time.process_time() - start


@pytest.mark.slow
def test_sixty_three_fits_of_two_levels_take_less_than_ten_seconds(
    nested: tuple[tuple[LeftOut[GlmmFit], ...], float],
) -> None:
    rows, taken = nested
    assert len(converged(rows)) == 66
    assert taken < 10


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 17, 40])
def test_two_levels_begun_at_the_fit_of_all_end_where_a_cold_start_does(
    bundled: Evidence, nested: tuple[tuple[LeftOut[GlmmFit], ...], float], place: int
) -> None:
    frame = bundled.frame.drop(index=bundled.frame.index[place])
    cold = fit_glmm(frame["responders"], frame["n"], group=frame["trial"])
    warm = nested[0][place].result
    assert warm is not None
    assert warm.log_likelihood == pytest.approx(cold.log_likelihood, abs=1e-8)
    assert warm.beta == pytest.approx(cold.beta, abs=1e-6)
    assert [warm.tau, warm.tau_group] == pytest.approx([cold.tau, cold.tau_group], abs=2e-6)


def test_two_levels_without_a_trial_at_a_time() -> None:
    x, n = np.array([8, 12, 2, 9, 22, 30, 14]), np.array([10, 20, 9, 21, 30, 36, 31])
    trial = np.array(["a", "a", "b", "b", "c", "d", "e"])
    rows = glmm_leave_one_out(x, n, trial, group=trial)
    for row in rows:
        kept = trial != row.unit
        cold = fit_glmm(x[kept], n[kept], group=trial[kept])
        assert row.result is not None
        assert row.result.log_likelihood == pytest.approx(cold.log_likelihood, abs=1e-8)


def test_where_no_trial_has_two_cohorts_left_there_is_no_second_level() -> None:
    rows = glmm_leave_one_out([8, 12, 2, 9], [10, 20, 9, 21], ["a", "a", "b", "c"], group=["a", "a", "b", "c"])
    assert [row.message for row in rows] == ["no fit: no two of the cohorts that are left are of one group", "", ""]
    assert rows[0].result is None
    assert rows[0].cohorts.tolist() == [0, 1]


def test_a_fit_that_does_not_converge_says_so_and_the_others_stand() -> None:
    rows = glmm_leave_one_out([0, 0, 0, 5], [9, 12, 8, 20], "abcd")
    assert [row.result.converged for row in rows if row.result] == [True, True, True, False]
    assert rows[3].result is not None
    assert rows[3].result.message == "the likelihood has no maximum at finite values"


def test_every_method_of_pool_plugs_in() -> None:
    x, n = np.array([11, 24, 179, 82]), np.array([29, 33, 326, 240])
    for method in PoolingMethod:
        rows = leave_one_out(lambda kept, method=method: pool(x[kept], n[kept], method=method), ["a", "b", "c", "d"])
        assert [row.result for row in rows] == [pool(np.delete(x, i), np.delete(n, i), method=method) for i in range(4)]


def test_the_models_of_dependent_cohorts_plug_in(bundled: Evidence) -> None:
    frame = bundled.frame
    observed = effects(frame["responders"], frame["n"], scale=Scale.LOGIT)
    yi, vi, trial = observed.yi, observed.vi, frame["trial"].to_numpy()
    multilevel = leave_one_out(lambda kept: fit_multilevel(yi[kept], vi[kept], trial[kept]), trial)
    robust = leave_one_out(lambda kept: cluster_robust(yi[kept], vi[kept], trial[kept], tau2=0.5), trial)
    first = trial != trial[0]
    assert len(multilevel) == len(robust) == 44
    assert all(row.result is not None and row.result.converged for row in multilevel)
    assert multilevel[0].result is not None
    assert multilevel[0].result.beta == fit_multilevel(yi[first], vi[first], trial[first]).beta
    assert all(row.result is not None and row.result.clusters == 43 for row in robust)


def test_the_beta_binomial_plugs_in_and_owns_up() -> None:
    x, n = np.array([0, 0, 3]), np.array([9, 8, 12])
    rows: tuple[LeftOut[BetaBinomialFit], ...] = leave_one_out(lambda kept: fit_beta_binomial(x[kept], n[kept]), "abc")
    assert [row.result.converged for row in rows if row.result] == [True, True, False]


def test_units_stand_in_the_order_of_their_first_cohort() -> None:
    rows = leave_one_out(lambda kept: int(kept.sum()), ["b", "a", "b", "c"])
    assert [(row.unit, row.cohorts.tolist(), row.result) for row in rows] == [
        ("b", [0, 2], 2),
        ("a", [1], 3),
        ("c", [3], 3),
    ]


def test_one_unit_leaves_nothing() -> None:
    (row,) = leave_one_out(lambda kept: int(kept.sum()), ["a", "a"])
    assert row.result is None
    assert row.message == "no fit: too few cohorts are left"


def test_a_fixed_effect_that_rests_on_a_unit_is_said() -> None:
    design = np.array([[1.0, 0], [1, 0], [1, 1], [1, 1], [1, 0]])
    rows = glmm_leave_one_out([3, 4, 5, 6, 7], [9] * 5, ["a", "b", "c", "c", "d"], design=design)
    assert [row.message for row in rows] == ["", "", "no fit: a fixed effect rests on what is left out", ""]
    assert rows[0].result is not None
    assert rows[0].result.beta.shape == (2,)
