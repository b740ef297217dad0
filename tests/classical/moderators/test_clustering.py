"""Cohorts within trials in subgroups, regression and influence: metafor, clubSandwich, glmer, exact integration."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import betaln, expit, logit, logsumexp
from scipy.stats import chi2, multivariate_normal

from alkbayes.classical.influence.tables import influence_table
from alkbayes.classical.moderators.clustering import CLUSTERED, clustering_note, fit_clustered, methods_note
from alkbayes.classical.moderators.regression import regress
from alkbayes.classical.moderators.subgroup_tables import subgroup_table
from alkbayes.classical.moderators.subgroups import subgroups
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.scales import Scale, effects
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.table import Evidence, read_evidence, trial_labels

type Maker = Callable[..., Evidence]
type Reader = Callable[[str], dict[str, Any]]

META48 = Path(__file__).parents[2] / "fixtures" / "strangers" / "meta48.csv"
NELDER_MEAD = 2e-6
"""What the optimiser of the recorded fits leaves undone in the variances, as in test_multilevel."""
SEARCHED = 1e-4
"""What a search with a gradient by differences leaves undone in its arguments."""
LINES = ["naive", "pretreated", "mixed"]

ROWS = (
    ("a1", 25, 30), ("a2", 37, 44), ("b1", 31, 65), ("b2", 9, 33), ("c1", 24, 40), ("c2", 20, 37),
    ("d1", 9, 50), ("d2", 16, 41), ("e1", 9, 28), ("f1", 25, 35), ("g1", 7, 36), ("g2", 12, 22),
)  # fmt: skip
TRIALS = list("AABBCCDDEFGG")
DOSE = ["low", "high", "high", "low", "low", "high", "high", "low", "high", "low", "high", "low"]


@pytest.fixture
def small(table: Maker) -> Evidence:
    return table(*ROWS, trial=TRIALS, dose=DOSE)


def nodes(number: int) -> tuple[np.ndarray, np.ndarray]:
    points, weights = np.polynomial.hermite_e.hermegauss(number)
    return points, np.log(weights / weights.sum())


def nested_likelihood(
    x: np.ndarray, n: np.ndarray, trials: Sequence[str], design: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray]:
    """Return beta, log-likelihood and (tau_trial, tau_cohort) at the maximum, by plain Gauss-Hermite and BFGS.

    Nothing of it is the package's. 60 nodes for the trials and 100 for the cohorts: with 60 for these the
    log-likelihood of one mean for meta48 is off by 6e-5, with 100 by 1e-7 (scipy's quad).
    """
    (outer, outer_logs), (inner, inner_logs) = map(nodes, (60, 100))
    labels = np.unique(np.asarray(trials), return_inverse=True)[1]
    constant = -np.log(n + 1) - betaln(x + 1, n - x + 1)

    def log_likelihood(phi: np.ndarray) -> float:
        mean = design @ phi[:-2]
        theta = mean[:, None, None] + phi[-2] * outer[:, None] + phi[-1] * inner
        terms = constant[:, None, None] + x[:, None, None] * theta - n[:, None, None] * np.logaddexp(0, theta)
        cohort = logsumexp(terms + inner_logs, axis=2)
        trial = np.zeros((labels.max() + 1, outer.size))
        np.add.at(trial, labels, cohort)
        return float(logsumexp(trial + outer_logs, axis=1).sum())

    begin = np.append(np.linalg.lstsq(design, logit((x + 0.5) / (n + 1)), rcond=None)[0], [0.3, 0.3])
    found = minimize(lambda phi: -log_likelihood(phi), begin, method="BFGS", options={"gtol": 1e-6})
    return found.x[:-2], -found.fun, np.abs(found.x[-2:])


def arrays(evidence: Evidence) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    trials = trial_labels(evidence.frame)
    assert trials is not None
    return evidence.frame["responders"].to_numpy(float), evidence.frame["n"].to_numpy(float), trials


def test_subgroups_by_the_multilevel_model_are_metafors(reference: Reader, bundled: Evidence) -> None:
    expected = reference("multilevel")["sets"]["cohorts_line"]
    b, vb = np.array(expected["b"]), np.array(expected["vb"])
    means = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1]])
    result = subgroups(bundled, "line", method=PoolingMethod.MULTILEVEL_LOGIT, shared_tau2=True)
    assert [level.level for level in result.levels] == LINES
    assert [level.mean for level in result.levels] == pytest.approx(means @ b, rel=NELDER_MEAD)
    se = np.sqrt(np.diag(means @ vb @ means.T))
    assert [level.se for level in result.levels] == pytest.approx(se, rel=NELDER_MEAD)
    assert logit(result.levels[0].low) == pytest.approx(np.ravel(expected["z"]["ci_lb"])[0], rel=NELDER_MEAD)
    assert result.levels[1].tau2 == pytest.approx(sum(expected["sigma2"]), rel=NELDER_MEAD)
    assert result.levels[1].tau2_trial == pytest.approx(expected["sigma2"][0], rel=NELDER_MEAD)
    # QM as rma.mv defines it.
    q_m = b[1:] @ np.linalg.solve(vb[1:, 1:], b[1:])
    assert (result.between.statistic, result.between.df1) == (pytest.approx(q_m, rel=1e-5), 2)
    assert result.between.p == pytest.approx(chi2.sf(q_m, 2), rel=1e-3)
    levels = subgroup_table(bundled, "line", method=PoolingMethod.MULTILEVEL_LOGIT).levels
    first = levels.iloc[0]
    recorded = expected["z"]["pi_lb"], expected["z"]["pi_ub"]
    assert logit([first["prediction_low"], first["prediction_high"]]) == pytest.approx(recorded, rel=NELDER_MEAD)


def test_a_regression_by_the_multilevel_model_is_metafors(reference: Reader, bundled: Evidence) -> None:
    expected = reference("multilevel")["sets"]["cohorts_line"]
    result = regress(bundled, ["line"], method=PoolingMethod.MULTILEVEL_LOGIT)
    assert [c.estimate for c in result.coefficients] == pytest.approx(expected["b"], rel=NELDER_MEAD)
    assert [c.low for c in result.coefficients] == pytest.approx(expected["z"]["ci_lb"], rel=NELDER_MEAD)
    assert result.tau2_group == pytest.approx(expected["sigma2"][0], rel=NELDER_MEAD)
    assert result.tau2 == pytest.approx(sum(expected["sigma2"]), rel=NELDER_MEAD)
    assert (result.q_e, result.q_e_p) == pytest.approx((expected["QE"], expected["QEp"]), rel=1e-10)
    before = sum(reference("multilevel")["sets"]["cohorts_reml"]["sigma2"])
    assert result.r2 == pytest.approx(1 - sum(expected["sigma2"]) / before, rel=1e-5)
    assert result.group == "trial"


def test_a_cluster_robust_regression_is_clubsandwichs(reference: Reader, bundled: Evidence) -> None:
    recorded = reference("cluster_robust")["sets"]["cohorts_line"]
    expected = recorded["CR2"]
    result = regress(bundled, ["line"], method=PoolingMethod.REML_LOGIT_CR2)
    # The recorded tau2 is metafor's, to a threshold of 1e-12.
    assert [c.estimate for c in result.coefficients] == pytest.approx(recorded["b"], rel=1e-7)
    for ours, theirs in (("se", "se"), ("p", "p"), ("low", "ci_lb"), ("high", "ci_ub")):
        assert [getattr(c, ours) for c in result.coefficients] == pytest.approx(expected[theirs], rel=1e-6), ours
    levels = subgroups(bundled, "line", method=PoolingMethod.REML_LOGIT_CR2, shared_tau2=True).levels
    assert levels[0].df == pytest.approx(expected["df"][0], rel=1e-6)
    assert logit([levels[0].low, levels[0].high]) == pytest.approx((expected["ci_lb"][0], expected["ci_ub"][0]))
    assert levels[1].mean == pytest.approx(sum(recorded["b"][:2]), rel=1e-7)


def test_glmer_is_reproduced_on_three_kinds_of_event_in_five_studies() -> None:
    """glmer(cbind(x, n - x) ~ AE + (1 | trial), binomial): -3.29, 1.01, 1.91, variance 0.066, to the digits printed.

    It has no differences between the cohorts of a trial, and here the nested model estimates them at 0: one fit.
    """
    evidence = read_evidence(META48)
    result = regress(evidence, ["AE"], method=PoolingMethod.GLMM_ML_TRIALS)
    assert [f"{c.estimate:.2f}" for c in result.coefficients] == ["-3.29", "1.01", "1.91"]
    assert (f"{result.tau2:.3f}", f"{result.tau2_group:.3f}") == ("0.066", "0.066")
    levels = subgroups(evidence, "AE", method=PoolingMethod.GLMM_ML_TRIALS, shared_tau2=True)
    assert [level.level for level in levels.levels] == ["deadly", "major", "minor"]
    assert [level.mean - levels.levels[0].mean for level in levels.levels[1:]] == pytest.approx(
        [c.estimate for c in result.coefficients[1:]], rel=1e-6
    )
    assert f"{levels.levels[0].mean:.2f}" == "-3.29"
    assert {level.tau2 for level in levels.levels} == {levels.levels[0].tau2_trial}
    x, n, trials = arrays(evidence)
    design = np.column_stack([np.ones(15), evidence.frame["AE"] == "major", evidence.frame["AE"] == "minor"])
    beta, top, taus = nested_likelihood(x, n, trials, design.astype(float))
    _, bottom, _ = nested_likelihood(x, n, trials, np.ones((15, 1)))
    assert [c.estimate for c in result.coefficients] == pytest.approx(beta, rel=SEARCHED)
    assert result.tau2_group == pytest.approx(taus[0] ** 2, rel=1e-3)
    assert levels.between.statistic == pytest.approx(2 * (top - bottom), abs=1e-5)
    assert levels.between.p == pytest.approx(chi2.sf(2 * (top - bottom), 2), rel=1e-4)


def test_the_binomial_model_of_subgroups_is_the_maximum_of_an_independent_likelihood(small: Evidence) -> None:
    result = subgroups(small, "dose", method=PoolingMethod.GLMM_ML_TRIALS, shared_tau2=True)
    x, n, trials = arrays(small)
    cells = np.column_stack([small.frame["dose"] == level.level for level in result.levels]).astype(float)
    beta, top, taus = nested_likelihood(x, n, trials, cells)
    _, bottom, _ = nested_likelihood(x, n, trials, np.ones((12, 1)))
    assert taus.min() > 0.1
    assert [level.mean for level in result.levels] == pytest.approx(beta, rel=SEARCHED)
    assert result.levels[0].tau2_trial == pytest.approx(taus[0] ** 2, rel=1e-3)
    assert result.levels[0].tau2 == pytest.approx((taus**2).sum(), rel=1e-3)
    assert result.between.statistic == pytest.approx(2 * (top - bottom), abs=1e-5)
    assert result.between.p == pytest.approx(chi2.sf(2 * (top - bottom), 1), rel=1e-4)
    assert (result.note, result.fault) == (result.note.strip(), "")
    assert "independent" not in result.note


def test_leaving_out_with_the_nested_binomial_model_maximises_the_likelihood_of_the_rest(small: Evidence) -> None:
    for by_trial, left_out, kept in (
        (False, "c1", small.frame["cohort_id"] != "c1"),
        (True, "B", small.frame["trial"] != "B"),
    ):
        rows = influence_table(small, method=PoolingMethod.GLMM_ML_TRIALS, by_trial=by_trial).rows
        row = rows.set_index("left_out").loc[left_out]
        part = small.frame[kept]
        x, n = part["responders"].to_numpy(float), part["n"].to_numpy(float)
        beta, _, taus = nested_likelihood(x, n, tuple(part["trial"]), np.ones((len(part), 1)))
        assert logit(row["estimate"]) == pytest.approx(beta[0], abs=SEARCHED)
        assert row["tau2"] == pytest.approx((taus**2).sum(), rel=2e-3)


def test_leaving_out_with_the_multilevel_model_maximises_the_restricted_likelihood_of_the_rest(small: Evidence) -> None:
    for by_trial, left_out, kept in (
        (False, "g2", small.frame["cohort_id"] != "g2"),
        (True, "C", small.frame["trial"] != "C"),
    ):
        rows = influence_table(small, method=PoolingMethod.MULTILEVEL_LOGIT, by_trial=by_trial).rows
        row = rows.set_index("left_out").loc[left_out]
        part = small.frame[kept]
        trial = part["trial"].to_numpy()
        observed = effects(part["responders"], part["n"], scale=Scale.LOGIT)
        ones = np.ones(len(part))

        def covariance(tau: np.ndarray, trial: np.ndarray = trial, vi: np.ndarray = observed.vi) -> np.ndarray:
            return np.diag(vi + tau[1] ** 2) + tau[0] ** 2 * (trial[:, None] == trial)

        def minus(tau: np.ndarray, yi: np.ndarray = observed.yi, ones: np.ndarray = ones, at=covariance) -> float:
            v = at(tau)
            w = np.linalg.solve(v, ones)
            return -multivariate_normal(ones * (w @ yi) / w.sum(), v).logpdf(yi) + np.log(w.sum()) / 2

        taus = minimize(minus, [0.5, 0.5], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).x
        w = np.linalg.solve(covariance(taus), ones)
        half = 1.959963985 / np.sqrt(w.sum())
        centre = w @ observed.yi / w.sum()
        assert logit([row["estimate"], row["low"], row["high"]]) == pytest.approx(
            (centre, centre - half, centre + half), rel=SEARCHED
        )
        assert row["tau2"] == pytest.approx((taus**2).sum(), rel=SEARCHED)


@pytest.mark.parametrize("by_trial", [False, True])
@pytest.mark.parametrize("method", CLUSTERED)
def test_each_refit_by_a_clustered_method_is_pool_of_the_rest(
    small: Evidence, method: PoolingMethod, by_trial: bool
) -> None:
    rows = influence_table(small, method=method, by_trial=by_trial).rows
    for _, row in rows.iterrows():
        part = small.frame[small.frame["trial" if by_trial else "cohort_id"] != row["left_out"]]
        expected = pool(part["responders"], part["n"], method=method, trials=trial_labels(part))
        assert expected.estimate is not None
        # The binomial search begins at the fit of all; its likelihood is flat to about 1e-12.
        assert (row["estimate"], row["low"], row["high"]) == pytest.approx(
            (expected.estimate, expected.low, expected.high), rel=1e-6
        )


def test_without_moderators_it_is_what_pool_gives(bundled: Evidence) -> None:
    x, n, trials = arrays(bundled)
    for method in CLUSTERED:
        fit = fit_clustered(x, n, trials, design=np.ones((66, 1)), method=method)
        expected = pool(x, n, method=method, trials=trials)
        assert float(expit(fit.beta[0])) == pytest.approx(expected.estimate, rel=1e-9)
        assert (fit.tau2, fit.tau2_trial) == (pytest.approx(expected.tau2), pytest.approx(expected.tau2_trial))


NOTE = "66 cohorts come from 44 trials; {} takes them as independent. glmm-ml-trials does not."


@pytest.mark.parametrize("method", [PoolingMethod.REML_LOGIT_HK, PoolingMethod.GLMM_ML, PoolingMethod.COMMON_RAW])
def test_a_method_that_ignores_trials_says_so_with_counts(bundled: Evidence, method: PoolingMethod) -> None:
    expected = NOTE.format(method)
    assert expected in regress(bundled, ["line"], method=method).note
    assert all(expected in note for note in subgroup_table(bundled, "line", method=method).tests["note"])
    assert influence_table(bundled, method=method).note == expected


@pytest.mark.parametrize("method", CLUSTERED)
def test_a_method_that_allows_for_trials_does_not(small: Evidence, method: PoolingMethod) -> None:
    assert "independent" not in regress(small, ["dose"], method=method).note
    assert not subgroup_table(small, "dose", method=method).tests["note"].str.contains("independent").any()
    assert influence_table(small, method=method, by_trial=True).note == ""


def test_the_counts_are_of_the_cohorts_that_are_in(table: Maker) -> None:
    evidence = table(*ROWS, trial=TRIALS, dose=[*DOSE[:-2], "", ""])
    note = regress(evidence, ["dose"], method=PoolingMethod.GLMM_ML).note
    assert note.startswith("10 cohorts come from 6 trials; glmm-ml takes them as independent.")
    alone = table(*ROWS[::2], trial=TRIALS[::2], dose=DOSE[::2])
    assert "independent" not in regress(alone, ["dose"], method=PoolingMethod.GLMM_ML).note


def test_several_methods_have_one_line() -> None:
    hk, glmm, nested = PoolingMethod.REML_LOGIT_HK, PoolingMethod.GLMM_ML, PoolingMethod.GLMM_ML_TRIALS
    trials = ["A", "A", "B"]
    alone = "3 cohorts come from 2 trials; glmm-ml takes them as independent. glmm-ml-trials does not."
    assert methods_note([glmm], trials) == clustering_note(glmm, trials) == alone
    none = "3 cohorts come from 2 trials; none of these methods allows for that, as glmm-ml-trials does."
    assert methods_note([hk, glmm], trials) == none
    one = "3 cohorts come from 2 trials; of these methods only glmm-ml-trials allows for that."
    assert methods_note([hk, nested], trials) == one
    assert methods_note([hk, glmm], None) == methods_note([hk, glmm], ["A", "B", "C"]) == ""
    assert methods_note([nested, PoolingMethod.MULTILEVEL_LOGIT], trials) == ""
    assert clustering_note(hk, ["A", "A"]).startswith("2 cohorts come from one trial;")


@pytest.mark.parametrize(
    ("trials", "method", "said"),
    [
        (None, "glmm-ml-trials", "glmm-ml-trials needs a column trial"),
        (["A"] * 12, "reml-logit-cr2", "All 12 cohorts are of one trial, and reml-logit-cr2 needs two at least."),
        (list("ABCDEFGHIJKL"), "glmm-ml-trials", r"trial of its own, .* Use the method glmm-ml\."),
        (list("ABCDEFGHIJKL"), "multilevel-logit", r"Use the method reml-logit\."),
    ],
)
def test_trials_that_show_no_clusters_are_refused(
    table: Maker, trials: list[str] | None, method: str, said: str
) -> None:
    evidence = table(*ROWS, dose=DOSE, **({} if trials is None else {"trial": trials}))
    with pytest.raises(EvidenceError, match=said):
        subgroups(evidence, "dose", method=PoolingMethod(method), shared_tau2=True)
    with pytest.raises(EvidenceError, match=said):
        regress(evidence, ["dose"], method=PoolingMethod(method))


def test_levels_that_are_trials_show_nothing_between_trials(table: Maker) -> None:
    evidence = table(*ROWS, trial=TRIALS, own=TRIALS)
    for method in (PoolingMethod.GLMM_ML_TRIALS, PoolingMethod.MULTILEVEL_LOGIT):
        result = subgroups(evidence, "own", method=method, shared_tau2=True)
        assert "nothing shows how" in result.fault
        assert {level.estimate for level in result.levels} == {None}
        assert not regress(evidence, ["own"], method=method).converged or method is PoolingMethod.GLMM_ML_TRIALS


def test_a_level_of_one_trial_has_no_robust_interval(table: Maker) -> None:
    evidence = table(*ROWS, trial=TRIALS, part=["x"] * 2 + ["y"] * 10)
    result = subgroups(evidence, "part", method=PoolingMethod.REML_LOGIT_CR2, shared_tau2=True)
    first, second = result.levels
    assert first.estimate is not None
    assert first.low is first.se is first.df is result.between is None
    assert second.low is not None
    assert "rests on one cluster alone" in result.note
    assert "No test between levels" in result.note


def test_a_cohort_without_a_trial_is_one_of_its_own(table: Maker) -> None:
    trials = ["" if trial in "EF" else trial for trial in TRIALS]
    named, nameless = (table(*ROWS, trial=each, dose=DOSE) for each in (TRIALS, trials))
    for method in CLUSTERED:
        fits = [regress(evidence, ["dose"], method=method) for evidence in (named, nameless)]
        for ours, theirs in zip(*(fit.coefficients for fit in fits), strict=True):
            assert (ours.estimate, ours.low, ours.p) == pytest.approx((theirs.estimate, theirs.low, theirs.p), rel=1e-9)


def test_levels_are_not_pooled_one_by_one_where_trials_span_them(bundled: Evidence) -> None:
    with pytest.raises(UsageError, match="one model for all levels, as a trial may have cohorts in several"):
        subgroups(bundled, "line", method=PoolingMethod.GLMM_ML_TRIALS, shared_tau2=False)
    found = subgroup_table(bundled, "line", method=PoolingMethod.GLMM_ML_TRIALS)
    assert found.tests[["heterogeneity", "test"]].values.tolist() == [["shared", "LR"]]
    robust = subgroup_table(bundled, "line", method=PoolingMethod.COMMON_LOGIT_CR2)
    assert robust.tests[["heterogeneity", "test"]].values.tolist() == [["none", "F"]]
