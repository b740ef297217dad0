"""Interactions and rates at values, against metafor, lme4 and weighted least squares written out here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import f, norm, t

from alkbayes.classical.moderators.curves import moderator_curves
from alkbayes.classical.moderators.design import moderators_of
from alkbayes.classical.moderators.regression import MetaRegression, regress
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.errors import EvidenceError, FigureError, UsageError
from alkbayes.evidence.table import Evidence, read_evidence

type Maker = Callable[..., Evidence]
type Reader = Callable[[str], dict[str, Any]]
STRANGERS = Path(__file__).parents[2] / "fixtures" / "strangers"
ROWS = [("a", 3, 9), ("b", 4, 8), ("c", 1, 8), ("d", 7, 11), ("e", 2, 9), ("f", 5, 6), ("g", 2, 7), ("h", 6, 9)]
SEX = list("mmffmmff")
SITE = list("xyxyxyxy")
AGE = ["50", "60", "55", "70", "65", "52", "58", "61"]


@pytest.fixture(scope="module")
def debruin() -> Evidence:
    return read_evidence(STRANGERS / "debruin_mods.csv")


# what R's formulas mean


@pytest.mark.parametrize(
    ("terms", "names"),
    [
        (["sex*site"], ["intercept", "m", "y", "m × y"]),
        (["sex", "site", "sex:site"], ["intercept", "m", "y", "m × y"]),
        (["sex:site", "site", "sex"], ["intercept", "y", "m", "m × y"]),
        # The number has a slope in each sex: R codes a factor in full where the rest of its term is not in the model.
        (["sex", "age:sex"], ["intercept", "m", "age × f", "age × m"]),
        (["age", "age:sex"], ["intercept", "age", "age × m"]),
        (["site", "sex:site"], ["intercept", "y", "m × x", "m × y"]),
    ],
)
def test_terms_are_coded_as_in_r(table: Maker, terms: list[str], names: list[str]) -> None:
    found = moderators_of(table(*ROWS, sex=SEX, site=SITE, age=AGE), terms)
    sex, site, age = np.array(SEX), np.array(SITE), np.array(AGE, dtype=float)
    columns = {
        "intercept": np.ones(8),
        "m": sex == "m",
        "f": sex == "f",
        "x": site == "x",
        "y": site == "y",
        "age": age,
    }
    expected = [np.prod([columns[part] for part in name.split(" × ")], axis=0) for name in names]
    assert found.design.shape == (8, len(names))
    np.testing.assert_array_equal(np.sort(found.design, axis=1), np.sort(np.array(expected).T, axis=1))
    for column, name in zip(expected, names, strict=True):
        assert any(np.array_equal(column, other) for other in found.design.T), name
    assert found.lost == ()


def test_an_interaction_alone_has_a_mean_for_each_cell(table: Maker) -> None:
    """R's model.matrix has one column too many, and its lm leaves out the last, as metafor's rma does."""
    found = moderators_of(table(*ROWS, sex=SEX, site=SITE), ["sex:site"])
    assert found.names == ("intercept", "sex: f × site: x", "sex: m × site: x", "sex: f × site: y")
    assert found.lost == ("sex: m × site: y",)


def test_coefficients_are_named_by_both_sides_and_the_chosen_references(table: Maker) -> None:
    evidence = table(*ROWS, sex=SEX, age=AGE)
    found = moderators_of(evidence, ["age*sex"], references={"sex": "m"})
    assert found.names[1:] == ("age (per unit)", "sex: f (against m)", "age (per unit) × sex: f (against m)")
    assert [term.name for term in found.terms] == ["age", "sex", "age:sex"]


def test_three_columns_cross_in_every_way(table: Maker) -> None:
    rows = [(f"c{place:02}", 3, 9) for place in range(10)]
    site, sex, drug = list("xxxxyyyyxy"), list("mmffmmffmf"), list("pqpqpqpqpq")
    found = moderators_of(table(*rows, sex=sex, site=site, drug=drug), ["sex*site*drug"])
    assert [term.name for term in found.terms] == [
        *("sex", "site", "drug", "sex:site", "sex:drug", "site:drug", "sex:site:drug"),
    ]
    assert np.linalg.matrix_rank(found.design) == 8


def test_a_column_may_have_a_colon_in_its_name(table: Maker) -> None:
    found = moderators_of(table(*ROWS, **{"a:b": SEX, "c*": SITE}), ["a:b", "c*"])
    assert [term.name for term in found.terms] == ["a:b", "c*"]


@pytest.mark.parametrize("term", ["sex:", "*sex", "sex**site", "sex:site:"])
def test_a_term_that_lacks_a_column_is_refused(table: Maker, term: str) -> None:
    with pytest.raises(UsageError, match="lacks a column; allowed: COLUMN, COLUMN:COLUMN"):
        moderators_of(table(*ROWS, sex=SEX, site=SITE), [term])


def test_an_interaction_that_its_columns_determine_is_refused(table: Maker) -> None:
    drug = ["p", "q", "r", "s"] * 2
    nested = [{"p": "1st", "q": "1st", "r": "2nd", "s": "2nd"}[name] for name in drug]
    with pytest.raises(EvidenceError, match="drug:kind follows from the terms before it"):
        moderators_of(table(*ROWS, drug=drug, kind=nested), ["drug", "drug:kind"])


# the numbers


def written_out(evidence: Evidence, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return REML coefficients, their Hartung-Knapp covariance, and tau2, from the counts."""
    y, n = evidence.frame["responders"].to_numpy(float), evidence.frame["n"].to_numpy(float)
    yi, vi = np.log(y / (n - y)), 1 / y + 1 / (n - y)

    def parts(tau2: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        w = 1 / (vi + tau2)
        bread = np.linalg.inv(x.T @ (w[:, None] * x))
        beta = bread @ x.T @ (w * yi)
        return w, bread, beta, yi - x @ beta

    def minus_restricted(log_tau2: float) -> float:
        w, bread, _, residuals = parts(float(np.exp(log_tau2)))
        return 0.5 * float(-np.log(w).sum() - np.linalg.slogdet(bread)[1] + w @ residuals**2)

    found = minimize_scalar(minus_restricted, bounds=(-8, 3), method="bounded", options={"xatol": 1e-10})
    tau2 = float(np.exp(found.x))
    w, bread, beta, residuals = parts(tau2)
    return beta, bread * float(w @ residuals**2) / (len(y) - x.shape[1]), tau2


def test_an_interaction_is_weighted_least_squares_at_the_reml_tau2(debruin: Evidence) -> None:
    scq = debruin.frame["scq"].astype(float).to_numpy()
    other = (debruin.frame["ethnicity"] == "other").to_numpy(float)
    x = np.column_stack([np.ones(13), scq, other, scq * other])
    beta, covariance, tau2 = written_out(debruin, x)
    at = {"scq": ["5", "40"], "ethnicity": ["caucasian", "other"]}
    result = regress(debruin, ["scq*ethnicity"], method=PoolingMethod.REML_LOGIT_HK, at=at)
    # The minimiser is good to about half the digits of its function.
    assert result.tau2 == pytest.approx(tau2, rel=1e-5)
    np.testing.assert_allclose([each.estimate for each in result.coefficients], beta, rtol=1e-5)
    np.testing.assert_allclose([each.se for each in result.coefficients], np.sqrt(np.diag(covariance)), rtol=1e-5)
    for place, term in enumerate(result.terms, start=1):
        statistic = beta[place] ** 2 / covariance[place, place]
        assert term.test.statistic == pytest.approx(statistic, rel=1e-5)
        assert (term.test.df1, term.test.df2) == (1, 9)
        assert term.test.p == pytest.approx(f.sf(statistic, 1, 9), rel=1e-5)
    rows = [[1, 5, 0, 0], [1, 5, 1, 5], [1, 40, 0, 0], [1, 40, 1, 40]]
    for row, found in zip(np.array(rows, dtype=float), result.predictions, strict=True):
        centre, se = row @ beta, np.sqrt(row @ covariance @ row)
        half, reach = t.ppf(0.975, 9) * se, t.ppf(0.975, 9) * np.sqrt(se**2 + tau2)
        assert (found.estimate, found.low, found.high) == pytest.approx(
            expit([centre, centre - half, centre + half]), rel=1e-5
        )
        assert (found.prediction_low, found.prediction_high) == pytest.approx(
            expit([centre - reach, centre + reach]), rel=1e-5
        )
        assert found.extrapolated == (row[1] == 40)
    assert "Extrapolation: scq is 4.8 to 22.67 in the cohorts with ethnicity caucasian, and not 40." in result.note
    assert "Extrapolation: scq is 3.67 to 27.8 in the cohorts with ethnicity other, and not 40." in result.note
    assert "Coefficients and tests of scq and ethnicity hold at 0, or the reference level" in result.note


@pytest.mark.parametrize(
    ("method", "call"),
    [
        (PoolingMethod.COMMON_LOGIT, "EE-z"),
        (PoolingMethod.DL_LOGIT, "DL-z"),
        (PoolingMethod.REML_LOGIT, "REML-z"),
        (PoolingMethod.REML_LOGIT_T, "REML-t"),
        (PoolingMethod.REML_LOGIT_HK, "REML-knha"),
    ],
)
def test_the_rate_where_all_moderators_are_zero_is_metafor_s_intercept(
    rma_reference: Reader, debruin: Evidence, method: PoolingMethod, call: str
) -> None:
    theirs = rma_reference("debruin2009")["regressions"]["ethnicity+scq"][call]
    at = {"scq": ["0", "10"], "ethnicity": ["caucasian"]}
    result = regress(debruin, ["ethnicity", "scq"], method=method, at=at)
    zero, ten = result.predictions
    assert (zero.estimate, zero.low, zero.high) == pytest.approx(
        expit([theirs["b"][0], theirs["ci_lb"][0], theirs["ci_ub"][0]]), rel=1e-6
    )
    assert ten.estimate == pytest.approx(expit(theirs["b"][0] + 10 * theirs["b"][2]), rel=1e-6)
    assert (zero.extrapolated, ten.extrapolated) == (True, False)
    if method is PoolingMethod.COMMON_LOGIT:
        assert zero.prediction_low is zero.prediction_high is None
    else:
        reach = (t.ppf(0.975, 10) if "t" in call or "knha" in call else norm.ppf(0.975)) * np.hypot(
            theirs["se"][0], np.sqrt(theirs["tau2"])
        )
        assert zero.prediction_low == pytest.approx(expit(theirs["b"][0] - reach), rel=1e-6)
    # A term of one coefficient is tested as metafor tests the coefficient.
    assert [term.test.p for term in result.terms] == pytest.approx(theirs["pval"][1:], rel=1e-6)


def test_other_moderators_keep_the_cohorts_mix(rma_reference: Reader, debruin: Evidence) -> None:
    b = rma_reference("debruin2009")["regressions"]["ethnicity+scq"]["REML-z"]["b"]
    n = debruin.frame["n"].to_numpy(float)
    share = n[debruin.frame["ethnicity"] == "other"].sum() / n.sum()
    method = PoolingMethod.REML_LOGIT
    result = regress(debruin, ["ethnicity", "scq"], method=method, at={"scq": ["20"]})
    assert result.predictions[0].estimate == pytest.approx(expit(b[0] + share * b[1] + 20 * b[2]), rel=1e-6)
    assert "Rates at values are for the cohorts' own mix of ethnicity, weighted by size." in result.note


def test_terms_of_the_binomial_model_are_tested_as_by_lme4(rma_reference: Reader, debruin: Evidence) -> None:
    both, scq = (rma_reference("debruin2009")["regressions"][name]["glmer"] for name in ("ethnicity+scq", "scq"))
    result = regress(debruin, ["ethnicity", "scq"], method=PoolingMethod.GLMM_ML)
    ethnicity, _ = result.terms
    # lme4 maximises to about 1e-5 of a log-likelihood.
    assert ethnicity.test.statistic == pytest.approx(both["LR"] - scq["LR"], abs=1e-4)
    assert (ethnicity.term, ethnicity.test.df1, ethnicity.test.df2) == ("ethnicity", 1, None)


def shifted(evidence: Evidence, by: float) -> Evidence:
    cells = [f"{float(cell) - by:.12g}" for cell in evidence.frame["scq"]]
    return Evidence(evidence.frame.assign(scq=cells), "", "", b"")


@pytest.mark.parametrize(
    "method", ["reml-logit-cr2", "common-logit-cr2", "multilevel-logit", "glmm-ml", "glmm-ml-trials", "reml-logit-hk"]
)
def test_the_rate_at_a_value_is_the_intercept_of_a_regression_on_distances_from_it(
    debruin: Evidence, method: str
) -> None:
    trials = [f"t{place // 2}" for place in range(13)]
    evidence = Evidence(debruin.frame.assign(trial=trials), "", "", b"")
    asked = PoolingMethod(method)
    found = regress(evidence, ["scq"], method=asked, at={"scq": ["12"]}).predictions[0]
    intercept = regress(shifted(evidence, 12.0), ["scq"], method=asked).coefficients[0]
    # Two maximisations of the same likelihood, each to about 1e-6 of a standard error.
    assert (found.estimate, found.low, found.high) == pytest.approx(
        expit([intercept.estimate, intercept.low, intercept.high]), rel=1e-5
    )
    assert (found.prediction_low is None) == (method == "common-logit-cr2")


@pytest.mark.parametrize("method", ["reml-logit-cr2", "multilevel-logit"])
def test_a_term_of_one_coefficient_is_tested_as_the_coefficient(debruin: Evidence, method: str) -> None:
    trials = [f"t{place // 2}" for place in range(13)]
    evidence = Evidence(debruin.frame.assign(trial=trials), "", "", b"")
    result = regress(evidence, ["scq*ethnicity"], method=PoolingMethod(method))
    assert [term.term for term in result.terms] == ["scq", "ethnicity", "scq:ethnicity"]
    np.testing.assert_allclose(
        [term.test.p for term in result.terms], [each.p for each in result.coefficients[1:]], rtol=1e-8
    )


# combinations that no cohort has


def test_each_cell_of_two_crossed_factors_has_its_own_mean_and_an_empty_one_none(table: Maker) -> None:
    sex, site = list("mmffmmff"), list("xyxyzzxy")  # no f at z
    evidence = table(*ROWS, sex=sex, site=site)
    at = {"sex": ["m", "f"], "site": ["x", "y", "z"]}
    result = regress(evidence, ["sex*site"], method=PoolingMethod.COMMON_LOGIT, at=at)
    y, n = (np.array([row[place] for row in ROWS], dtype=float) for place in (1, 2))
    logit, weight = np.log(y / (n - y)), y * (n - y) / n
    for found in result.predictions:
        inside = [a == found.at["sex"] and b == found.at["site"] for a, b in zip(sex, site, strict=True)]
        if not any(inside):
            assert found.estimate is found.low is found.prediction_low is None
            continue
        mean, se = np.average(logit[inside], weights=weight[inside]), 1 / np.sqrt(weight[inside].sum())
        reach = norm.ppf(0.975) * se
        assert (found.estimate, found.low, found.high) == pytest.approx(expit([mean, mean - reach, mean + reach]))
    assert "No rate where no cohort has a combination of levels" in result.note


def test_a_coefficient_that_no_cohort_shows_is_left_out_by_name(table: Maker) -> None:
    sex, drug = list("mmffmmff"), list("pqpqrrpq")  # no f on r
    result = regress(table(*ROWS, sex=sex, drug=drug), ["sex*drug"], method=PoolingMethod.COMMON_LOGIT)
    assert "Left out, as following from the others in these cohorts: sex: m (against f) × drug: r" in result.note
    assert len(result.coefficients) == 5
    assert result.terms[2].test.df1 == 1


# refusals, and curves


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ({"dose": ["1"]}, "dose: not regressed on"),
        ({"scq": ["much"]}, 'found "much"; allowed: a number'),
        ({"ethnicity": ["othre"]}, 'found "othre"; allowed: caucasian and other. Did you mean "other"'),
        ({"scq": []}, "scq has no value"),
    ],
)
def test_values_that_cannot_be_are_refused(debruin: Evidence, at: dict[str, list[str]], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        regress(debruin, ["scq", "ethnicity"], method=PoolingMethod.REML_LOGIT, at=at)
    assert said in str(caught.value)
    assert caught.value.parameter == "at"


def at_end(result: MetaRegression) -> tuple[float | None, ...]:
    found = result.predictions[0]
    return found.estimate, found.low, found.high, found.prediction_low, found.prediction_high


def test_a_curve_has_the_rates_at_its_values_and_ends_with_each_level_s_cohorts(debruin: Evidence) -> None:
    method = PoolingMethod.REML_LOGIT_HK_ADHOC
    (curve,) = moderator_curves(debruin, ["scq*ethnicity"], method=method)
    assert (curve.label, curve.by, curve.levels) == ("scq", "ethnicity", ("caucasian", "other"))
    ends = curve.curves.groupby("level")["value"].agg(["min", "max"])
    assert ends.loc["caucasian"].tolist() == [4.8, 22.67]
    assert ends.loc["other"].tolist() == [3.67, 27.8]
    last = curve.curves[curve.curves["level"] == "caucasian"].iloc[-1]
    at = {"scq": ["22.67"], "ethnicity": ["caucasian"]}
    expected = at_end(regress(debruin, ["scq*ethnicity"], method=method, at=at))
    assert last[["middle", "low", "high", "next_low", "next_high"]].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        (["scq*ethnicity"], "scq is 4.8 to 22.67 in the cohorts with ethnicity caucasian, and not 25 or 28."),
        (["scq", "ethnicity"], "scq is 3.67 to 27.8 in these cohorts, and not 28."),
    ],
)
def test_extrapolation_is_judged_within_the_level_that_a_number_interacts_with(
    debruin: Evidence, terms: list[str], said: str
) -> None:
    at = {"scq": ["20", "25", "28"], "ethnicity": ["caucasian", "other"]}
    result = regress(debruin, terms, method=PoolingMethod.REML_LOGIT, at=at)
    assert f"Extrapolation: {said}" in result.note
    beyond = [(row.at["scq"], row.at["ethnicity"]) for row in result.predictions if row.extrapolated]
    crossed = [("25", "caucasian")] * ("*" in terms[0])
    assert beyond == [*crossed, ("28", "caucasian"), ("28", "other")]


def test_a_factor_has_no_curve(debruin: Evidence) -> None:
    with pytest.raises(FigureError, match="each of these moderators is a factor"):
        moderator_curves(debruin, ["ethnicity"], method=PoolingMethod.REML_LOGIT)


def test_cohorts_without_a_value_are_named_and_leave_the_range() -> None:
    evidence = read_evidence(STRANGERS / "na_moderator.csv")
    at = {"year_na": ["1990"]}
    result = regress(evidence, ["year_na*region"], method=PoolingMethod.REML_LOGIT, at=at)
    assert "Holzemer et al. 2006" in result.left_out
    assert "Holzemer et al. 2006" in result.note
    assert result.predictions[0].extrapolated
