"""Published datasets against the digits that metafor 3.8-1 prints for them, read off its output by a person.

The golden files hold more digits, but they are made by a script; these lines would catch a script that is wrong.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import logit

from alkbayes.classical.inverse_variance.regression import fit_regression
from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator
from alkbayes.classical.maximum_likelihood.glmm import fit_glmm
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.scales import Scale, effects

# Pritz (1997), 14 case series, as in Zhou, Brizendine & Pritz (1999).
PRITZ = "16/17 10/12 4/8 43/58 10/10 25/42 13/14 12/12 22/41 4/5 5/6 18/23 58/68 6/10"
# De Bruin et al. (2009), doi:10.1037/a0015989.
BRUIN = "11/29 24/33 179/326 82/240 60/110 11/29 99/244 9/17 88/215 17/26 26/138 23/55 40/54"
# Niel-Weise et al. (2007), doi:10.1007/s00134-007-0897-3, control arms; the case of Stijnen, Hamza & Ozdemir (2010).
NIELWEISE = "3/117 3/35 9/195 7/136 6/157 4/139 3/177 2/39 19/103 2/122 7/64 1/58 5/175 11/180 0/105 1/262 3/362 1/69"


def counts(text: str) -> tuple[list[int], list[int]]:
    pairs = [cohort.split("/") for cohort in text.split()]
    return [int(x) for x, _ in pairs], [int(n) for _, n in pairs]


@dataclass(frozen=True)
class Printed:
    data: str
    method: PoolingMethod
    logit_scale: tuple[float, ...] = ()
    tau2: float | None = None
    i2: float | None = None
    q: float | None = None
    proportion: tuple[float, ...] = ()
    prediction: tuple[float, ...] = ()


@pytest.mark.parametrize(
    "printed",
    [
        Printed(
            PRITZ,
            PoolingMethod.REML_LOGIT,
            logit_scale=(1.1389, 0.6656, 1.6122),
            tau2=0.3646,
            i2=0.5656,
            q=29.7854,
            proportion=(0.7575, 0.6605, 0.8337),
            prediction=(0.4661, 0.9179),
        ),
        Printed(PRITZ, PoolingMethod.DL_LOGIT_HK, logit_scale=(1.1380, 0.6102, 1.6657), tau2=0.3616, q=29.7854),
        Printed(
            PRITZ,
            PoolingMethod.GLMM_ML,
            logit_scale=(1.3766, 0.8114, 1.9418),
            tau2=0.5893,
            proportion=(0.7984, 0.6924, 0.8746),
            prediction=(0.4426, 0.9518),
        ),
        Printed(BRUIN, PoolingMethod.GLMM_ML, logit_scale=(-0.1118,), tau2=0.3787),
        Printed(NIELWEISE, PoolingMethod.REML_LOGIT, logit_scale=(-3.3018,), tau2=0.6629),
        Printed(NIELWEISE, PoolingMethod.GLMM_ML, logit_scale=(-3.4964,), proportion=(0.0294, 0.0180, 0.0478)),
    ],
    ids=lambda printed: f"{printed.method}-{printed.data[:5]}",
)
def test_printed_values(printed: Printed) -> None:
    result = pool(*counts(printed.data), method=printed.method)
    interval = [result.estimate, result.low, result.high]
    for value, expected in zip(logit(interval), printed.logit_scale, strict=False):
        assert value == pytest.approx(expected, abs=6e-5)
    for value, expected in zip(interval, printed.proportion, strict=False):
        assert value == pytest.approx(expected, abs=6e-5)
    for value, expected in zip([result.prediction_low, result.prediction_high], printed.prediction, strict=False):
        assert value == pytest.approx(expected, abs=6e-5)
    for value, expected in ((result.tau2, printed.tau2), (result.i2, printed.i2), (result.q, printed.q)):
        assert expected is None or value == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(
    ("data", "se", "tau2"), [(PRITZ, 0.2884, 0.5893), (BRUIN, 0.1880, 0.3787), (NIELWEISE, 0.2570, 0.8124)]
)
def test_printed_standard_errors_of_the_glmm(data: str, se: float, tau2: float) -> None:
    """Nielweise: rma.glmm's 7 nodes print 0.8124; 25 and more give 0.8122."""
    fit = fit_glmm(*counts(data))
    assert np.sqrt(fit.covariance[0, 0]) == pytest.approx(se, abs=6e-5)
    assert fit.tau**2 == pytest.approx(tau2, rel=3e-4)


def test_a_printed_standard_error_of_the_logit_mean() -> None:
    """Nielweise, control arms, REML: -3.3018 (0.2378), tau2 0.6629."""
    observed = effects(*counts(NIELWEISE), scale=Scale.LOGIT)
    fit = fit_regression(observed.yi, observed.vi, estimator=Tau2Estimator.REML)
    assert [f"{value:.4f}" for value in (fit.beta[0], fit.se[0], fit.tau2)] == ["-3.3018", "0.2378", "0.6629"]


def test_adaptive_nodes_are_needed() -> None:
    """41 nodes that stand still give a rate of 0.4777 (SE 0.096) for these data; the answer is 0.4721 (0.188)."""
    result = pool(*counts(BRUIN), method=PoolingMethod.GLMM_ML)
    assert round(result.estimate, 4) == 0.4721
