"""Against metafor and lme4, at the digits that are reached; validation/metafor/README.md says why not more."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import logit

from alkbayes.classical.maximum_likelihood.glmm import fit_glmm
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.pooling.result import PooledProportion
from alkbayes.evidence.table import Evidence

CLOSED_FORM = 1e-10
ITERATED = 1e-8
GLMER_EXACT = 1e-6
RMA_GLMM = 5e-4
NEAR_ZERO = 1e-9
GLMER_FLAT = 5e-7
"""Of six cohorts the likelihood is so flat that lme4's deviance, exact to 1e-12, tells tau2 to a few 1e-7 only: at ours
and at lme4's own it differs by 8e-13."""

TOLERANCE = {
    PoolingMethod.COMMON_LOGIT: CLOSED_FORM,
    PoolingMethod.DL_LOGIT: CLOSED_FORM,
    PoolingMethod.DL_LOGIT_HK: CLOSED_FORM,
    PoolingMethod.REML_LOGIT: ITERATED,
    PoolingMethod.REML_LOGIT_HK: ITERATED,
    PoolingMethod.GLMM_ML: RMA_GLMM,
}
DATASETS = ["pritz1997", "debruin2009", "nielweise2007", "cohorts"]
COHORT_SETS = {"all", "line=naive", "line=pretreated", "line=mixed"} | {
    f"regimen_class={level}" for level in ("first", "second", "third", "combination", "experimental")
}

type Reader = Callable[[str], dict[str, Any]]


def as_metafor_names(result: PooledProportion) -> dict[str, float | None]:
    """Our names in metafor's, proportions as logits."""
    return {
        "b": logit(result.estimate),
        "ci_lb": logit(result.low),
        "ci_ub": logit(result.high),
        "pi_lb": None if result.prediction_low is None else logit(result.prediction_low),
        "pi_ub": None if result.prediction_high is None else logit(result.prediction_high),
        "tau2": result.tau2,
        "I2": result.i2,
        "H2": result.h2,
        "QE": result.q,
        "QEp": result.q_p,
    }


@pytest.mark.parametrize("method", list(TOLERANCE))
@pytest.mark.parametrize("dataset", DATASETS)
def test_pool_agrees_with_metafor(reference: Reader, dataset: str, method: PoolingMethod) -> None:
    for name, expected in reference(dataset)["sets"].items():
        got = as_metafor_names(pool(expected["xi"], expected["ni"], method=method))
        compared = {key for key in got if key in expected[method]}
        assert compared >= {"b", "ci_lb", "ci_ub"}, name
        for key in compared:
            value = pytest.approx(expected[method][key], rel=TOLERANCE[method], abs=NEAR_ZERO)
            assert got[key] == value, (name, key)


@pytest.mark.parametrize("dataset", DATASETS)
def test_fit_glmm_agrees_with_lme4_at_25_nodes(reference: Reader, dataset: str) -> None:
    for name, expected in reference(dataset)["sets"].items():
        fit = fit_glmm(expected["xi"], expected["ni"])
        assert fit.converged, name
        assert fit.tau is not None
        got = {"b": fit.beta[0], "se": np.sqrt(fit.covariance[0, 0]), "tau2": fit.tau**2}
        assert got == pytest.approx(expected["glmer-25"], rel=GLMER_EXACT, abs=GLMER_FLAT), name
        test = expected["glmm-ml"]
        assert fit.lr_df == test["QE_df"]
        assert fit.lr == pytest.approx(test["QE_LRT"], rel=CLOSED_FORM)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_reference_says_where_it_is_from(reference: Reader, dataset: str) -> None:
    source = reference(dataset)["source"]
    assert source["script"] == "validation/metafor/run_metafor.R"
    assert source["versions"]["metafor"] == "3.8.1"
    assert {"data", "calls", "scale"} <= set(source)


def test_the_reference_is_of_the_bundled_cohorts(reference: Reader, bundled: Evidence) -> None:
    sets = reference("cohorts")["sets"]
    assert set(sets) == COHORT_SETS
    frame = bundled.frame.sort_values("cohort_id")
    for name, expected in sets.items():
        column, _, level = name.partition("=")
        part = frame if name == "all" else frame[frame[column] == level]
        stale = f"{name}: the bundled table has changed; run Rscript validation/metafor/run_metafor.R"
        assert part["responders"].tolist() == expected["xi"], stale
        assert part["n"].tolist() == expected["ni"], stale
