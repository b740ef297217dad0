"""Meta-regression from tables, against metafor and lme4 from the same columns; notes, failures, refusals."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chi2, norm, t

from alkbayes.classical.maximum_likelihood.glmm import fit_glmm
from alkbayes.classical.moderators import regression as ours
from alkbayes.classical.moderators.regression import regress
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.scales import Scale
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.table import Evidence, read_evidence

STRANGERS = Path(__file__).parents[2] / "fixtures" / "strangers"

type Maker = Callable[..., Evidence]
type Reader = Callable[[str], dict[str, Any]]
CALLS = {
    PoolingMethod.COMMON_LOGIT: "EE-z",
    PoolingMethod.DL_LOGIT: "DL-z",
    PoolingMethod.REML_LOGIT: "REML-z",
    PoolingMethod.REML_LOGIT_HK: "REML-knha",
    PoolingMethod.PM_LOGIT: "PM-z",
}
REGRESSIONS = [
    ("debruin2009", "ethnicity+scq"),
    ("nielweise2007", "arm+year"),
    ("cohorts", "line+regimen_class"),
    ("cohorts", "line+pfs_median"),
]


def evidence_of(data: dict[str, Any], table: Maker) -> Evidence:
    rows = [(f"c{i:02}", x, n) for i, (x, n) in enumerate(zip(data["xi"], data["ni"], strict=True))]
    return table(*rows, **data["columns"])


@pytest.mark.parametrize("method", list(CALLS))
@pytest.mark.parametrize(("dataset", "moderators"), REGRESSIONS)
def test_columns_give_what_metafor_gives(
    rma_reference: Reader, table: Maker, dataset: str, moderators: str, method: PoolingMethod
) -> None:
    data = rma_reference(dataset)["regressions"][moderators]
    result = regress(evidence_of(data, table), moderators.split("+"), method=method)
    expected = data[CALLS[method]]
    for ours_name, theirs in (("estimate", "b"), ("se", "se"), ("low", "ci_lb"), ("high", "ci_ub"), ("p", "pval")):
        got = [getattr(coefficient, ours_name) for coefficient in result.coefficients]
        np.testing.assert_allclose(got, expected[theirs], rtol=1e-6, atol=1e-9, err_msg=theirs)
    assert result.omnibus.statistic == pytest.approx(expected["QM"], rel=1e-6)
    assert [result.omnibus.df1, result.omnibus.df2] == expected["QMdf"]
    assert result.q_e_p == pytest.approx(expected["QEp"], rel=1e-6)
    if method is PoolingMethod.COMMON_LOGIT:
        assert result.tau2 is result.tau2_low is result.r2 is None
    else:
        assert (result.tau2, result.r2) == pytest.approx((expected["tau2"], expected["R2"]), rel=1e-6)
        limits = data["REML-z"]
        assert (result.tau2_low, result.tau2_high) == pytest.approx((limits["tau2_lb"], limits["tau2_ub"]), rel=1e-6)


def test_another_reference_is_the_same_model_seen_from_there(rma_reference: Reader) -> None:
    """Of two levels the other one as reference: metafor's coefficient with its sign turned, of the same size."""
    b = rma_reference("debruin2009")["regressions"]["ethnicity+scq"]["REML-z"]
    evidence = read_evidence(STRANGERS / "debruin_mods.csv")
    references = {"ethnicity": "other"}
    result = regress(evidence, ["ethnicity", "scq"], method=PoolingMethod.REML_LOGIT, references=references)
    assert [coefficient.name for coefficient in result.coefficients][1] == "ethnicity: caucasian (against other)"
    intercept, ethnicity, scq = b["b"]
    estimates = [coefficient.estimate for coefficient in result.coefficients]
    np.testing.assert_allclose(estimates, [intercept + ethnicity, -ethnicity, scq], rtol=1e-6)
    np.testing.assert_allclose([coefficient.se for coefficient in result.coefficients][1:], b["se"][1:], rtol=1e-6)
    assert result.tau2 == pytest.approx(b["tau2"], rel=1e-6)


@pytest.mark.parametrize(("column", "levels"), [("year_na", []), ("year_na", ["year_na"]), ("region", [])])
def test_a_missing_moderator_leaves_the_cohort_out_and_the_others_are_weighted_least_squares(
    column: str, levels: list[str]
) -> None:
    """Against NumPy on the rows of the file whose cell is not NA: (X'WX)^-1 X'Wy with weights 1/x + 1/(n - x)."""
    path = STRANGERS / "na_moderator.csv"
    rows = [row for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()) if row[column] != "NA"]
    x, n = (np.array([float(row[name]) for row in rows]) for name in ("responders", "n"))
    if column == "year_na" and not levels:
        blocks = [[float(row[column]) for row in rows]]
    else:
        values = sorted({row[column] for row in rows})
        blocks = [[float(row[column] == value) for row in rows] for value in values[1:]]
    design = np.column_stack([np.ones(n.size), *blocks])
    weights = np.diag(1 / (1 / x + 1 / (n - x)))
    covariance = np.linalg.inv(design.T @ weights @ design)
    result = regress(read_evidence(path), [column], method=PoolingMethod.COMMON_LOGIT, levels=levels)
    # The inverse loses digits where the column is a year, whose square is 4e6 times the intercept's.
    expected = covariance @ design.T @ weights @ np.log(x / (n - x))
    np.testing.assert_allclose([c.estimate for c in result.coefficients], expected, rtol=1e-6)
    np.testing.assert_allclose([c.se for c in result.coefficients], np.sqrt(np.diag(covariance)), rtol=1e-6)
    assert result.k == len(rows) == 13 - len(result.left_out)
    assert f"{', '.join(result.left_out)}." in result.note


@pytest.mark.parametrize(("dataset", "moderators"), REGRESSIONS)
def test_the_binomial_model_from_columns_gives_what_lme4_gives(
    rma_reference: Reader, table: Maker, dataset: str, moderators: str
) -> None:
    data = rma_reference(dataset)["regressions"][moderators]
    expected = data["glmer"]
    result = regress(evidence_of(data, table), moderators.split("+"), method=PoolingMethod.GLMM_ML)
    # Standard errors of lme4 are from a Hessian by finite differences.
    np.testing.assert_allclose([c.estimate for c in result.coefficients], expected["b"], rtol=3e-5, atol=1e-6)
    np.testing.assert_allclose([c.se for c in result.coefficients], expected["se"], rtol=3e-5)
    assert result.tau2 == pytest.approx(expected["tau2"], rel=3e-5)
    assert result.omnibus.statistic == pytest.approx(expected["LR"], rel=1e-6)
    assert result.omnibus.p == pytest.approx(chi2.sf(expected["LR"], expected["df"]), rel=1e-5)
    first = result.coefficients[0]
    assert first.p == pytest.approx(2 * norm.sf(abs(first.estimate / first.se)), rel=1e-10)
    assert (first.high - first.low) / 2 == pytest.approx(norm.ppf(0.975) * first.se, rel=1e-10)
    alone = fit_glmm(data["xi"], data["ni"])
    assert result.r2 == pytest.approx(max(0, 1 - result.tau2 / alone.tau**2), rel=1e-12)


def test_the_bundled_lines_differ_with_trials_as_a_second_level(bundled: Evidence) -> None:
    result = regress(bundled, ["line"], method=PoolingMethod.GLMM_ML, group="trial")
    assert result.converged
    assert result.group == "trial"
    assert [c.name for c in result.coefficients][1:] == [
        "line: pretreated (against naive)",
        "line: mixed (against naive)",
    ]
    assert result.coefficients[1].high < 0
    assert result.omnibus.df1 == 2
    frame = bundled.frame
    lines = np.column_stack([np.ones(66), frame["line"] == "pretreated", frame["line"] == "mixed"]).astype(float)
    fit = fit_glmm(frame["responders"], frame["n"], design=lines, group=frame["trial"])
    assert [c.estimate for c in result.coefficients] == pytest.approx(fit.beta.tolist(), rel=1e-12)
    # As in `pool`: tau2 is the sum, and the note has both parts.
    assert result.tau2_group == pytest.approx(fit.tau_group**2, rel=1e-12)
    assert result.tau2 == pytest.approx(fit.tau**2 + fit.tau_group**2, rel=1e-12)
    assert f"tau2 is {fit.tau_group**2:.3f} between trials and {fit.tau**2:.3f} between the cohorts of a" in result.note
    assert regress(bundled, ["line"], method=PoolingMethod.GLMM_ML_TRIALS) == result
    assert (result.q_e, result.q_e_df, result.q_e_p) == (fit.lr, 63, fit.lr_p)


@pytest.mark.parametrize("method", [PoolingMethod.REML_LOGIT_HK, PoolingMethod.GLMM_ML])
def test_a_known_slope_is_found(table: Maker, method: PoolingMethod) -> None:
    """300 cohorts of 200: the standard error of the slope is about 0.3 / sqrt(300) = 0.02."""
    rng = np.random.default_rng(4)
    dose = rng.normal(size=300).round(3)
    responders = rng.binomial(200, expit(-0.2 + 0.6 * dose + 0.3 * rng.normal(size=300)))
    rows = [(f"c{i}", int(x), 200) for i, x in enumerate(responders)]
    result = regress(table(*rows, dose=[str(value) for value in dose]), ["dose"], method=method)
    assert result.coefficients[1].name == "dose (per unit)"
    assert result.coefficients[1].estimate == pytest.approx(0.6, abs=0.08)
    assert result.tau2 == pytest.approx(0.09, abs=0.03)
    assert result.r2 == pytest.approx(0.36 / 0.45, abs=0.07)


def test_cohorts_left_out_and_corrected_are_named_and_nothing_is_causal(table: Maker) -> None:
    evidence = table(
        ("a", 0, 9), ("b", 4, 8), ("c", 3, 8), ("d", 7, 11), ("e", 2, 9), line=["naive", "mixed", "mixed", "", "naive"]
    )
    result = regress(evidence, ["line"], method=PoolingMethod.REML_LOGIT)
    assert (result.k, result.left_out) == (4, ("d",))
    assert "1 of 5 cohorts has no line and is left out: d." in result.note
    assert "events and non-events of cohort a," in result.note
    assert result.note.endswith(ours.NOT_RANDOMISED)
    binomial = regress(evidence, ["line"], method=PoolingMethod.GLMM_ML)
    assert "1/2" not in binomial.note
    assert "left out: d." in binomial.note


@pytest.mark.parametrize("scale", ["raw", "arcsine", "log", "freeman-tukey"])
def test_it_regresses_on_the_scale_of_the_method(bundled: Evidence, scale: str) -> None:
    method = PoolingMethod(f"reml-{scale}")
    result = regress(bundled, ["line"], method=method)
    assert result.scale is (Scale.PROBABILITY if scale == "raw" else Scale(scale))
    assert result.coefficients[1].high < 0
    assert ("discouraged" in result.note) == (scale == "freeman-tukey")


def test_separation_is_owned_up_to(table: Maker) -> None:
    evidence = table(("a", 0, 9), ("b", 0, 8), ("c", 5, 8), ("d", 7, 11), line=["naive", "naive", "mixed", "mixed"])
    result = regress(evidence, ["line"], method=PoolingMethod.GLMM_ML)
    assert not result.converged
    assert "No result: the likelihood has no maximum at finite values." in result.note
    assert {c.estimate for c in result.coefficients} == {c.p for c in result.coefficients} == {None}
    assert result.omnibus is result.tau2 is result.r2 is result.q_e is None
    assert regress(evidence, ["line"], method=PoolingMethod.REML_LOGIT).converged


def test_a_tau2_that_is_not_found_gives_no_result(bundled: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    from alkbayes.classical.inverse_variance import regression
    from alkbayes.classical.inverse_variance.tau2 import Tau2

    monkeypatch.setattr(regression, "estimate_tau2", lambda *_: Tau2(tau2=0.5, converged=False))
    result = regress(bundled, ["line"], method=PoolingMethod.REML_LOGIT)
    assert not result.converged
    assert "did not converge" in result.note
    assert {c.estimate for c in result.coefficients} == {c.low for c in result.coefficients} == {None}
    assert result.tau2 is result.tau2_low is result.omnibus is None


def test_methods_that_cannot_are_refused(bundled: Evidence) -> None:
    with pytest.raises(UsageError, match=r"crude-wald cannot regress\. .*glmm-ml, .*glmm-ml-trials\."):
        regress(bundled, ["line"], method=PoolingMethod.CRUDE_WALD)
    with pytest.raises(UsageError, match="reml-logit has one level of heterogeneity; only glmm-ml"):
        regress(bundled, ["line"], method=PoolingMethod.REML_LOGIT, group="trial")


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("site", "no column site to group by"),
        ("own", "No two of the 5 cohorts have the same own"),
        ("part", "1 of the 5"),
    ],
)
def test_a_group_that_is_none_is_refused(table: Maker, group: str, said: str) -> None:
    rows = [("a", 3, 9), ("b", 4, 8), ("c", 1, 8), ("d", 7, 11), ("e", 2, 9)]
    evidence = table(
        *rows, line=["naive", "mixed", "mixed", "naive", "naive"], own=list("vwxyz"), part=[*list("uuvv"), ""]
    )
    with pytest.raises(EvidenceError, match=said):
        regress(evidence, ["line"], method=PoolingMethod.GLMM_ML, group=group)


def test_arms_that_agree_within_are_no_proof_of_a_difference(table: Maker) -> None:
    """15/60 against 24/61 in two cohorts each: by weighted least squares with known variances 1.95 (0.35-10.7)."""
    x, n = np.array([5, 10, 8, 16]), np.array([20, 40, 20, 41])
    evidence = table(*zip("abcd", x.tolist(), n.tolist(), strict=True), arm=["x", "x", "y", "y"])
    y, weights = np.log(x / (n - x)), x * (n - x) / n
    means = [np.average(y[part], weights=weights[part]) for part in (slice(2), slice(2, 4))]
    se = np.sqrt(1 / weights[:2].sum() + 1 / weights[2:].sum())
    found = regress(evidence, ["arm"], method=PoolingMethod.REML_LOGIT_HK_ADHOC)
    slope = found.coefficients[1]
    difference, half = means[1] - means[0], t.ppf(0.975, 2) * se
    assert (slope.estimate, slope.se) == pytest.approx((difference, se), rel=1e-9)
    assert (slope.low, slope.high) == pytest.approx((difference - half, difference + half), rel=1e-9)
    assert np.exp([slope.estimate, slope.low, slope.high]) == pytest.approx([1.95, 0.35, 10.74], abs=0.005)
    assert slope.p == pytest.approx(2 * t.sf(difference / se, 2), rel=1e-9)
    assert "one or two degrees of freedom, 12.7 or 4.3 standard errors either side" in found.note
    sharp = regress(evidence, ["arm"], method=PoolingMethod.REML_LOGIT_HK)
    assert sharp.coefficients[1].p < 0.001
    assert "reml-logit-hk-adhoc holds the Hartung-Knapp factor at 1 or above" in sharp.note


def test_coefficients_without_a_standard_error_have_no_test(table: Maker) -> None:
    rows = ((f"s{place}", count, 30) for place, count in enumerate((0, 0, 0, 30, 30, 30), 1))
    found = regress(table(*rows, arm=["a"] * 3 + ["b"] * 3), ["arm"], method=PoolingMethod.REML_LOGIT_HK)
    assert found.omnibus is None
    for coefficient in found.coefficients:
        assert coefficient.estimate is not None
        assert coefficient.se is coefficient.low is coefficient.high is coefficient.p is None
    assert "no interval and no test. reml-logit-hk-adhoc holds" in found.note
