"""Disagreements between classical methods, and the property that explains them.

Methods are compared in pairs that differ in one property, so that any difference in results is due to that property.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.vocabulary import GROUP_COLUMNS

POINTS = 0.01
"""Difference between estimates, a proportion, from which they disagree."""
WIDTH_RATIO = 1.25
"""Ratio of widths from which two confidence intervals disagree."""


class Property(StrEnum):
    """Property in which the methods of a pair differ."""

    HETEROGENEITY = "heterogeneity left out"
    MEDIAN = "median against mean"
    TRANSFORMATION = "transformation"
    ZERO_CELLS = "zero cells"
    APPROXIMATION = "normal approximation of the counts"
    CLUSTERING = "clustering"
    ESTIMATOR = "estimator of tau2"
    TEST = "kind of interval"


EXPLANATIONS: Mapping[Property, str] = {
    Property.HETEROGENEITY: "one takes one rate for all cohorts: large cohorts rule its estimate, and its interval "
    "leaves out the differences between cohorts",
    Property.MEDIAN: "one is the rate in the middle of a logit-normal distribution, the other the mean of a beta "
    "distribution, which lies nearer to 50 %",
    Property.TRANSFORMATION: "the scale decides how cohorts are weighted and what is averaged; the raw scale gives a "
    "mean, the others a middle",
    Property.ZERO_CELLS: "one adds 1/2 to both cells of cohorts with an empty one, which draws them towards 50 %; the "
    "other needs the counts alone",
    Property.APPROXIMATION: "one takes each observed logit for normal with a known variance; the other has the "
    "binomial likelihood",
    Property.CLUSTERING: "one takes cohorts of a trial for independent, the other does not",
    Property.ESTIMATOR: "the estimators of the variance between cohorts differ, and with it the weights",
    Property.TEST: "the estimate is the same; one interval allows for tau2 being an estimate",
}
"""Explanation of each property for the reader."""

_Method = PoolingMethod
PAIRS: tuple[tuple[Property, PoolingMethod, PoolingMethod], ...] = (
    # With tau = 0 the binomial-normal model is that of the summed counts.
    (Property.HETEROGENEITY, _Method.CRUDE_WILSON, _Method.GLMM_ML),
    (Property.HETEROGENEITY, _Method.COMMON_LOGIT, _Method.REML_LOGIT),
    (Property.HETEROGENEITY, _Method.COMMON_ARCSINE, _Method.REML_ARCSINE),
    (Property.HETEROGENEITY, _Method.COMMON_RAW, _Method.REML_RAW),
    (Property.MEDIAN, _Method.GLMM_ML, _Method.BETA_BINOMIAL_ML),
    (Property.TRANSFORMATION, _Method.REML_LOGIT, _Method.REML_RAW),
    (Property.TRANSFORMATION, _Method.REML_LOGIT, _Method.REML_ARCSINE),
    (Property.TRANSFORMATION, _Method.REML_LOGIT, _Method.REML_LOG),
    (Property.TRANSFORMATION, _Method.REML_LOGIT, _Method.REML_FREEMAN_TUKEY),
    (Property.APPROXIMATION, _Method.ML_LOGIT, _Method.GLMM_ML),
    (Property.CLUSTERING, _Method.COMMON_LOGIT, _Method.COMMON_LOGIT_CR2),
    (Property.CLUSTERING, _Method.REML_LOGIT, _Method.REML_LOGIT_CR2),
    (Property.CLUSTERING, _Method.REML_LOGIT, _Method.MULTILEVEL_LOGIT),
    (Property.CLUSTERING, _Method.GLMM_ML, _Method.GLMM_ML_TRIALS),
    (Property.ESTIMATOR, _Method.REML_LOGIT, _Method.DL_LOGIT),
    (Property.ESTIMATOR, _Method.REML_LOGIT, _Method.PM_LOGIT),
    (Property.ESTIMATOR, _Method.REML_LOGIT, _Method.ML_LOGIT),
    (Property.ESTIMATOR, _Method.REML_LOGIT, _Method.HE_LOGIT),
    (Property.ESTIMATOR, _Method.REML_LOGIT, _Method.HS_LOGIT),
    (Property.ESTIMATOR, _Method.REML_LOGIT, _Method.SJ_LOGIT),
    (Property.TEST, _Method.REML_LOGIT, _Method.REML_LOGIT_T),
    (Property.TEST, _Method.REML_LOGIT, _Method.REML_LOGIT_HK),
    (Property.TEST, _Method.REML_LOGIT, _Method.REML_LOGIT_HK_ADHOC),
    (Property.TEST, _Method.DL_LOGIT, _Method.DL_LOGIT_HK),
    (Property.TEST, _Method.DL_LOGIT, _Method.DL_LOGIT_HK_ADHOC),
)
"""Pairs of methods that differ in one property."""

ADDING = frozenset({Property.APPROXIMATION, Property.TRANSFORMATION})
"""Properties for which one method may add 1/2 to empty cells and the other not."""

DISAGREEMENT_COLUMNS = (*GROUP_COLUMNS, "property", "method", "other", "difference", "width_ratio", "explanation")


@dataclass(frozen=True, slots=True)
class _Answer:
    """An estimate and the width of its confidence interval, proportions; NaN if missing."""

    estimate: float
    width: float
    corrected: bool


def disagreements(pooled: pd.DataFrame) -> pd.DataFrame:
    """Find the pairs of methods in a pooled table that disagree.

    A pair disagrees if the estimates differ by `POINTS` or more, or if one confidence interval is at least
    `WIDTH_RATIO` times as wide as the other. Pairs with a missing result are skipped. `pooled` is a table from
    :func:`alkbayes.classical.pooling.tables.pool_table`.

    Returns
    -------
    DataFrame
        Columns `DISAGREEMENT_COLUMNS`, in the order of the groups and levels of `pooled` and of `PAIRS`. `difference`
        is the estimate of `other` minus that of `method`, a proportion; `width_ratio` the width of the interval of
        `other` over that of `method`, NaN if one has none.
    """
    rows = []
    for group, part in pooled.groupby(list(GROUP_COLUMNS), sort=False, dropna=False):
        columns = (part[name] for name in ("method", "estimate", "low", "high", "corrected"))
        answers = {
            method: _Answer(estimate, high - low, corrected > 0)
            for method, estimate, low, high, corrected in zip(*columns, strict=True)
        }
        for what, method, other in PAIRS:
            if method not in answers or other not in answers:
                continue
            one, two = answers[method], answers[other]
            difference = two.estimate - one.estimate
            ratio = two.width / one.width if one.width > 0 else float("nan")
            apart = abs(difference) >= POINTS
            if not apart and not ratio >= WIDTH_RATIO and not ratio <= 1 / WIDTH_RATIO:
                continue
            # In a pair differing in scale or likelihood, the deciding factor is the 1/2 added by one of them.
            added = what in ADDING and one.corrected != two.corrected
            why = Property.ZERO_CELLS if added else what
            rows.append((*group, why, method, other, difference, ratio, EXPLANATIONS[why]))
    return pd.DataFrame(rows, columns=list(DISAGREEMENT_COLUMNS)).astype(
        {"difference": "float64", "width_ratio": "float64"}
    )
