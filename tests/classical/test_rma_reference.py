"""Scales, estimators, tests and meta-regression against metafor; validation/metafor/README.md says what differs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from alkbayes.classical.inverse_variance import regression as ours
from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator, tau2_q_profile
from alkbayes.classical.maximum_likelihood.glmm import fit_glmm, likelihood_ratio
from alkbayes.classical.scales import Scale, back_transform, effects
from alkbayes.evidence.table import Evidence

DATASETS = ["pritz1997", "debruin2009", "nielweise2007", "crisafulli2020", "cohorts"]
REGRESSIONS = [
    ("debruin2009", "ethnicity+scq"),
    ("debruin2009", "scq"),
    ("nielweise2007", "arm+year"),
    ("crisafulli2020", "italy+pubyear"),
    ("cohorts", "line+regimen_class"),
    ("cohorts", "line+pfs_median"),
]
CALLS = [
    *(f"{estimator}-z" for estimator in ("EE", "DL", "PM", "REML", "ML", "HE", "HS", "SJ")),
    *(f"REML-{test}" for test in ("t", "knha", "adhoc")),
]

type Reader = Callable[[str], dict[str, Any]]

CLOSED_FORM = 1e-10
ITERATED = 1e-9
GLMER = 3e-5
"""lme4 takes standard errors from a Hessian by finite differences."""


def arguments(call: str) -> dict[str, Any]:
    """What metafor's method and test are called here."""
    method, _, test = call.partition("-")
    return {
        "estimator": None if method == "EE" else Tau2Estimator(method.lower()),
        "test": ours.Test(test or "z"),
    }


def tolerance(call: str) -> float:
    return ITERATED if call.startswith(("REML", "ML", "PM")) else CLOSED_FORM


def check(got: dict[str, Any], expected: dict[str, Any], rel: float, where: object) -> None:
    """Each number of ours against theirs, relative to it; what may be near 0 to the size of a standard error."""
    se = float(np.max(np.atleast_1d(expected["se"])))
    sizes = dict.fromkeys(("b", "ci_lb", "ci_ub", "pi_lb", "pi_ub"), se) | {"tau2": se**2, "I2": 1.0, "pval": 1e-290}
    for name, value in got.items():
        size = sizes.get(name, 0.0)
        np.testing.assert_allclose(value, expected[name], rtol=rel, atol=rel * size, err_msg=f"{where}: {name}")


def as_metafor_names(fit: ours.RegressionFit) -> dict[str, Any]:
    numbers = {
        "b": fit.beta,
        "se": fit.se,
        "ci_lb": fit.low,
        "ci_ub": fit.high,
        "pval": fit.p_values,
        "tau2": fit.tau2,
        "I2": fit.i2,
        "H2": fit.h2,
        "QE": fit.q_e,
        "QEp": fit.q_e_p,
    }
    return numbers if fit.log_likelihood is None else {**numbers, "ll": fit.log_likelihood}


@pytest.mark.parametrize("scale", list(Scale))
@pytest.mark.parametrize("dataset", DATASETS)
def test_effects_agree_with_escalc(rma_reference: Reader, dataset: str, scale: Scale) -> None:
    for name, expected in rma_reference(dataset)["scales"].items():
        got = effects(expected["xi"], expected["ni"], scale=scale)
        np.testing.assert_allclose(got.yi, expected[scale]["yi"], rtol=1e-13, atol=1e-14, err_msg=name)
        np.testing.assert_allclose(got.vi, expected[scale]["vi"], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("scale", list(Scale))
@pytest.mark.parametrize("dataset", DATASETS)
def test_pooled_means_agree_with_rma(rma_reference: Reader, dataset: str, scale: Scale) -> None:
    for name, sets in rma_reference(dataset)["scales"].items():
        expected = sets[scale]
        observed = effects(sets["xi"], sets["ni"], scale=scale)
        for call in ("EE", *(e.name for e in Tau2Estimator), "REML-t", "REML-knha", "REML-adhoc"):
            fit = ours.fit_regression(observed.yi, observed.vi, **arguments(call))
            got = as_metafor_names(fit)
            if call != "EE":
                kind = ours.Prediction.T_K_MINUS_1 if fit.df else ours.Prediction.NORMAL
                limits = ours.prediction_interval(fit.beta[0], fit.se[0], fit.tau2, k=observed.yi.size, kind=kind)
                got |= dict(zip(("pi_lb", "pi_ub"), limits, strict=True))
            check(got, expected[call], tolerance(call), (name, call))


@pytest.mark.parametrize("scale", list(Scale))
@pytest.mark.parametrize("dataset", DATASETS)
def test_paule_mandel_is_empirical_bayes(rma_reference: Reader, dataset: str, scale: Scale) -> None:
    for name, sets in rma_reference(dataset)["scales"].items():
        observed = effects(sets["xi"], sets["ni"], scale=scale)
        fit = ours.fit_regression(observed.yi, observed.vi, estimator=Tau2Estimator.PM)
        check(as_metafor_names(fit), sets[scale]["EB"], ITERATED, name)


@pytest.mark.parametrize("scale", list(Scale))
@pytest.mark.parametrize("dataset", DATASETS)
def test_profiles_predictions_and_proportions_agree(rma_reference: Reader, dataset: str, scale: Scale) -> None:
    for name, sets in rma_reference(dataset)["scales"].items():
        expected = sets[scale]
        observed = effects(sets["xi"], sets["ni"], scale=scale)
        ones = np.ones((observed.yi.size, 1))
        limits, theirs = tau2_q_profile(observed.yi, observed.vi, ones, prob=0.95), expected["profile"]
        got = {
            "tau2_lb": limits.low,
            "tau2_ub": limits.high,
            "I2_lb": 100 * limits.i2_low,
            "I2_ub": 100 * limits.i2_high,
            "H2_lb": limits.h2_low,
            "H2_ub": limits.h2_high,
        }
        assert got == pytest.approx(theirs, rel=1e-7), name
        reml = expected["REML"]
        hts = ours.prediction_interval(
            reml["b"], reml["se"], reml["tau2"], k=observed.yi.size, kind=ours.Prediction.T_K_MINUS_2
        )
        assert hts == pytest.approx((expected["riley"]["pi_lb"], expected["riley"]["pi_ub"]), rel=CLOSED_FORM)
        back = back_transform([reml[key] for key in expected["back"]], scale=scale, n=sets["ni"])
        # metafor's inverse of the double arcsine takes a root of a difference and loses digits near its ends.
        assert back.tolist() == pytest.approx(list(expected["back"].values()), rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("dataset", "moderators"), REGRESSIONS)
def test_meta_regression_agrees_with_rma(rma_reference: Reader, dataset: str, moderators: str, call: str) -> None:
    data = rma_reference(dataset)["regressions"][moderators]
    observed = effects(data["xi"], data["ni"], scale=Scale.LOGIT)
    design, expected = np.array(data["X"]), data[call]
    fit = ours.fit_regression(observed.yi, observed.vi, design=design, **arguments(call))
    check(as_metafor_names(fit), expected, tolerance(call), call)
    assert fit.omnibus is not None
    # metafor holds (m, NA) or (m, k - p).
    assert [fit.omnibus.df1, fit.omnibus.df2] == expected["QMdf"]
    assert (fit.omnibus.statistic, fit.omnibus.p) == pytest.approx(
        (expected["QM"], expected["QMp"]), rel=10 * tolerance(call)
    )
    if fit.r2 is None:
        # metafor's R2 of a common-effect model is another thing, and it says 0 where there is no tau2 to explain.
        assert call == "EE-z" or expected["R2"] == 0
    else:
        assert fit.r2 == pytest.approx(expected["R2"], rel=10 * tolerance(call), abs=10 * tolerance(call))
    if "tau2_lb" in expected:
        limits = tau2_q_profile(observed.yi, observed.vi, design, prob=0.95)
        assert (limits.low, limits.high) == pytest.approx((expected["tau2_lb"], expected["tau2_ub"]), rel=1e-7)


@pytest.mark.parametrize(("dataset", "moderators"), REGRESSIONS)
def test_the_glmm_with_moderators_agrees_with_lme4(rma_reference: Reader, dataset: str, moderators: str) -> None:
    data = rma_reference(dataset)["regressions"][moderators]
    expected = data["glmer"]
    larger = fit_glmm(data["xi"], data["ni"], design=np.array(data["X"]))
    assert larger.tau is not None
    test = likelihood_ratio(fit_glmm(data["xi"], data["ni"]), larger)
    got = {"b": larger.beta, "se": np.sqrt(np.diag(larger.covariance)), "tau2": larger.tau**2, "LR": test.statistic}
    assert test.df == expected["df"]
    check(got, expected, GLMER, moderators)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_reference_says_where_it_is_from(rma_reference: Reader, dataset: str) -> None:
    source = rma_reference(dataset)["source"]
    assert source["script"] == "validation/metafor/run_regression.R"
    assert source["versions"]["metafor"] == "3.8.1"
    assert {"data", "calls", "scale"} <= set(source)


def test_the_reference_is_of_the_bundled_cohorts(rma_reference: Reader, bundled: Evidence) -> None:
    frame = bundled.frame.sort_values("cohort_id")
    expected = rma_reference("cohorts")["scales"]["all"]
    stale = "the bundled table has changed; run Rscript validation/metafor/run_regression.R"
    assert frame["responders"].tolist() == expected["xi"], stale
    assert frame["n"].tolist() == expected["ni"], stale
    columns = rma_reference("cohorts")["regressions"]["line+regimen_class"]["columns"]
    assert {name: frame[name].tolist() for name in columns} == columns, stale
