"""Classical pooling methods, each defined by its components."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from alkbayes.classical.inverse_variance.regression import Prediction, Test
from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator
from alkbayes.classical.proportions import IntervalMethod
from alkbayes.classical.scales import Scale
from alkbayes.errors import UsageError
from alkbayes.text.names import quoted


class PoolingMethod(StrEnum):
    """A classical pooling method; the values are its names on the command line and in tables."""

    CRUDE_WALD = "crude-wald"
    CRUDE_WILSON = "crude-wilson"
    CRUDE_CLOPPER_PEARSON = "crude-clopper-pearson"
    CRUDE_WILSON_CC = "crude-wilson-cc"
    CRUDE_AGRESTI_COULL = "crude-agresti-coull"
    CRUDE_JEFFREYS = "crude-jeffreys"
    CRUDE_MID_P = "crude-mid-p"
    COMMON_LOGIT = "common-logit"
    COMMON_LOGIT_CR2 = "common-logit-cr2"
    COMMON_RAW = "common-raw"
    COMMON_ARCSINE = "common-arcsine"
    COMMON_FREEMAN_TUKEY = "common-freeman-tukey"
    DL_LOGIT = "dl-logit"
    DL_LOGIT_HK = "dl-logit-hk"
    DL_LOGIT_HK_ADHOC = "dl-logit-hk-adhoc"
    PM_LOGIT = "pm-logit"
    ML_LOGIT = "ml-logit"
    HE_LOGIT = "he-logit"
    HS_LOGIT = "hs-logit"
    SJ_LOGIT = "sj-logit"
    REML_LOGIT = "reml-logit"
    REML_LOGIT_HTS = "reml-logit-hts"
    REML_LOGIT_T = "reml-logit-t"
    REML_LOGIT_HK = "reml-logit-hk"
    REML_LOGIT_HK_ADHOC = "reml-logit-hk-adhoc"
    REML_LOGIT_CR2 = "reml-logit-cr2"
    MULTILEVEL_LOGIT = "multilevel-logit"
    REML_RAW = "reml-raw"
    REML_ARCSINE = "reml-arcsine"
    REML_LOG = "reml-log"
    REML_FREEMAN_TUKEY = "reml-freeman-tukey"
    GLMM_ML = "glmm-ml"
    GLMM_ML_TRIALS = "glmm-ml-trials"
    BETA_BINOMIAL_ML = "beta-binomial-ml"


@dataclass(frozen=True, slots=True)
class InverseVariance:
    """A method that averages transformed observed rates by their inverse variances.

    Attributes
    ----------
    scale
        Scale of the averaging.
    estimator
        Estimator of the variance between cohorts; None for a common-effect method.
    test
        Test behind the confidence interval.
    prediction
        Quantile of the prediction interval; None without a variance between cohorts.
    """

    scale: Scale
    estimator: Tau2Estimator | None
    test: Test
    prediction: Prediction | None


CRUDE_INTERVALS: Mapping[PoolingMethod, IntervalMethod] = {
    PoolingMethod.CRUDE_WALD: IntervalMethod.WALD,
    PoolingMethod.CRUDE_WILSON: IntervalMethod.WILSON,
    PoolingMethod.CRUDE_CLOPPER_PEARSON: IntervalMethod.CLOPPER_PEARSON,
    PoolingMethod.CRUDE_WILSON_CC: IntervalMethod.WILSON_CC,
    PoolingMethod.CRUDE_AGRESTI_COULL: IntervalMethod.AGRESTI_COULL,
    PoolingMethod.CRUDE_JEFFREYS: IntervalMethod.JEFFREYS,
    PoolingMethod.CRUDE_MID_P: IntervalMethod.MID_P,
}
"""Methods that treat the summed counts as one sample, and their intervals."""


def _common(scale: Scale) -> InverseVariance:
    """Return the common-effect method on a scale."""
    return InverseVariance(scale, None, Test.Z, None)


def _random(estimator: Tau2Estimator, scale: Scale = Scale.LOGIT, test: Test = Test.Z) -> InverseVariance:
    """Return a random-effects method with metafor's prediction interval, by the quantile of the confidence limits."""
    return InverseVariance(scale, estimator, test, Prediction.NORMAL if test is Test.Z else Prediction.T_K_MINUS_1)


INVERSE_VARIANCE: Mapping[PoolingMethod, InverseVariance] = {
    PoolingMethod.COMMON_LOGIT: _common(Scale.LOGIT),
    PoolingMethod.COMMON_RAW: _common(Scale.PROBABILITY),
    PoolingMethod.COMMON_ARCSINE: _common(Scale.ARCSINE),
    PoolingMethod.COMMON_FREEMAN_TUKEY: _common(Scale.FREEMAN_TUKEY),
    PoolingMethod.DL_LOGIT: _random(Tau2Estimator.DL),
    PoolingMethod.DL_LOGIT_HK: _random(Tau2Estimator.DL, test=Test.KNAPP_HARTUNG),
    PoolingMethod.DL_LOGIT_HK_ADHOC: _random(Tau2Estimator.DL, test=Test.AD_HOC),
    PoolingMethod.PM_LOGIT: _random(Tau2Estimator.PM),
    PoolingMethod.ML_LOGIT: _random(Tau2Estimator.ML),
    PoolingMethod.HE_LOGIT: _random(Tau2Estimator.HE),
    PoolingMethod.HS_LOGIT: _random(Tau2Estimator.HS),
    PoolingMethod.SJ_LOGIT: _random(Tau2Estimator.SJ),
    PoolingMethod.REML_LOGIT: _random(Tau2Estimator.REML),
    PoolingMethod.REML_LOGIT_HTS: InverseVariance(Scale.LOGIT, Tau2Estimator.REML, Test.Z, Prediction.T_K_MINUS_2),
    PoolingMethod.REML_LOGIT_T: _random(Tau2Estimator.REML, test=Test.T),
    PoolingMethod.REML_LOGIT_HK: _random(Tau2Estimator.REML, test=Test.KNAPP_HARTUNG),
    PoolingMethod.REML_LOGIT_HK_ADHOC: _random(Tau2Estimator.REML, test=Test.AD_HOC),
    PoolingMethod.REML_RAW: _random(Tau2Estimator.REML, Scale.PROBABILITY),
    PoolingMethod.REML_ARCSINE: _random(Tau2Estimator.REML, Scale.ARCSINE),
    PoolingMethod.REML_LOG: _random(Tau2Estimator.REML, Scale.LOG),
    PoolingMethod.REML_FREEMAN_TUKEY: _random(Tau2Estimator.REML, Scale.FREEMAN_TUKEY),
}
"""Inverse-variance methods, and their components."""

CLUSTER_ROBUST: Mapping[PoolingMethod, Tau2Estimator | None] = {
    PoolingMethod.COMMON_LOGIT_CR2: None,
    PoolingMethod.REML_LOGIT_CR2: Tau2Estimator.REML,
}
"""Inverse-variance methods with trials as clusters, and their estimators as in `InverseVariance`."""

BINOMIAL_NORMAL = frozenset({PoolingMethod.GLMM_ML, PoolingMethod.GLMM_ML_TRIALS})
"""Methods of the binomial likelihood with normal heterogeneity: no correction of counts, likelihood-ratio tests."""

ALL_METHODS = tuple(PoolingMethod)
"""All methods, in display order."""

DEFAULT_METHODS = (
    PoolingMethod.CRUDE_WALD,
    PoolingMethod.CRUDE_WILSON,
    PoolingMethod.CRUDE_CLOPPER_PEARSON,
    PoolingMethod.COMMON_LOGIT,
    PoolingMethod.DL_LOGIT,
    PoolingMethod.DL_LOGIT_HK_ADHOC,
    PoolingMethod.REML_LOGIT,
    PoolingMethod.REML_LOGIT_HK_ADHOC,
    PoolingMethod.GLMM_ML,
)
"""Default methods; never one on a discouraged scale, and never the unmodified Hartung-Knapp variance, with which two
cohorts that agree by chance look like proof."""


def scale_of(method: PoolingMethod) -> Scale:
    """Return the scale on which a method pools."""
    if method in CRUDE_INTERVALS or method is PoolingMethod.BETA_BINOMIAL_ML:
        return Scale.PROBABILITY
    return INVERSE_VARIANCE[method].scale if method in INVERSE_VARIANCE else Scale.LOGIT


def method_named(name: str) -> PoolingMethod:
    """Return the pooling method of that name.

    Raises
    ------
    UsageError
        If there is no such method.
    """
    if name not in set(PoolingMethod):
        raise UsageError(f"found {quoted(name)}; allowed: {', '.join(PoolingMethod)}.", parameter="method")
    return PoolingMethod(name)
