"""How far cohorts differ: Cochran's Q, I2, H2, and estimators of the between-cohort variance tau2.

Everything works on estimates `yi` with known sampling variances `vi`, one mean for all; with w = 1 / (vi + tau2), the
projection that metafor calls P has closed forms here, so that nothing of size k x k is ever built.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from alkbayes.classical.counts import Floats

MAX_ITERATIONS = 200
STEP_TOLERANCE = 1e-12
"""Relative to tau2 plus the typical sampling variance: Fisher scoring stops when a step is smaller."""


@dataclass(frozen=True, slots=True)
class CochranQ:
    """Cochran's test that all cohorts share one mean.

    Attributes
    ----------
    q
        Weighted sum of squared distances from the common mean.
    df
        Degrees of freedom, k - 1.
    p
        Upper tail of chi-squared with `df` degrees of freedom, in [0, 1].
    """

    q: float
    df: int
    p: float


@dataclass(frozen=True, slots=True)
class Tau2:
    """An estimate of the between-cohort variance.

    Attributes
    ----------
    tau2
        Variance between cohorts, squared scale of `yi`; the last iterate where `converged` is False.
    converged
        Whether the estimator reached its tolerance; True for a closed form.
    """

    tau2: float
    converged: bool


def weighted_mean(yi: Floats, weights: Floats) -> float:
    """Return the mean of `yi` (shape (k,)) under `weights` (shape (k,), positive), on the scale of `yi`."""
    return float(weights @ yi / weights.sum())


def cochran_q(yi: Floats, vi: Floats) -> CochranQ:
    """Return Cochran's Q of k >= 2 cohorts.

    Parameters
    ----------
    yi, vi
        Estimates and their sampling variances, shape (k,).

    References
    ----------
    Cochran (1954), doi:10.2307/3001666.
    """
    w = 1 / vi
    q = float(w @ (yi - weighted_mean(yi, w)) ** 2)
    df = yi.size - 1
    return CochranQ(q=q, df=df, p=float(chdtrc(df, q)))


def typical_variance(vi: Floats) -> float:
    """Return the "typical" sampling variance s2 of Higgins & Thompson, from `vi` of shape (k,), k >= 2.

    References
    ----------
    Higgins & Thompson (2002), equation 9, doi:10.1002/sim.1186.
    """
    w = 1 / vi
    return float((vi.size - 1) / _trace(w))


def i2_h2(tau2: float, vi: Floats) -> tuple[float, float]:
    """Return I2 = tau2 / (tau2 + s2), a proportion in [0, 1), and H2 = 1 + tau2 / s2, as metafor defines them.

    With the DerSimonian-Laird tau2 this is the familiar (Q - df) / Q; with another estimator it follows that estimator.

    References
    ----------
    Higgins & Thompson (2002), doi:10.1002/sim.1186; s2 is `typical_variance`.
    """
    s2 = typical_variance(vi)
    return tau2 / (tau2 + s2), 1 + tau2 / s2


def tau2_dersimonian_laird(yi: Floats, vi: Floats) -> Tau2:
    """Return the moment estimate of tau2, truncated at 0, of k >= 2 cohorts.

    Parameters
    ----------
    yi, vi
        Estimates and their sampling variances, shape (k,).

    References
    ----------
    DerSimonian & Laird (1986), doi:10.1016/0197-2456(86)90046-2.
    """
    test = cochran_q(yi, vi)
    return Tau2(tau2=max(0.0, (test.q - test.df) / _trace(1 / vi)), converged=True)


def tau2_reml(yi: Floats, vi: Floats, *, max_iterations: int = MAX_ITERATIONS) -> Tau2:
    """Return the restricted maximum likelihood estimate of tau2 >= 0, of k >= 2 cohorts, by Fisher scoring.

    As metafor does it, from the same start (Hedges' estimate) and with the same last look at tau2 = 0; three things are
    stricter. The stopping rule is relative, so that cohorts of millions are not stopped at their start; a step that
    lowers the restricted likelihood is halved; a step below 0 goes to 0 and ends there if the score points outwards,
    where metafor halves the step and stops a little above.

    Parameters
    ----------
    yi, vi
        Estimates and their sampling variances, shape (k,).
    max_iterations
        After so many the last value is returned with `converged=False`.

    References
    ----------
    Viechtbauer (2005), doi:10.3102/10769986030003261.
    """
    k = yi.size
    tau2 = max(0.0, float(yi.var(ddof=1) - vi.mean()))
    value = _restricted_loglik(tau2, yi, vi)
    tolerance = STEP_TOLERANCE * typical_variance(vi)
    for _ in range(max_iterations):
        w = 1 / (vi + tau2)
        total, squares = w.sum(), w @ w
        residual = w * (yi - weighted_mean(yi, w))
        trace_pp = squares - 2 * (w**3).sum() / total + (squares / total) ** 2
        step = max(float((residual @ residual - _trace(w)) / trace_pp), -tau2)
        while abs(step) > tolerance + STEP_TOLERANCE * tau2:
            proposed = _restricted_loglik(tau2 + step, yi, vi)
            # The last steps change the likelihood by less than its rounding.
            if proposed >= value - 1e-12 * (k + abs(value)):
                break
            step /= 2
        else:
            at_zero = _restricted_loglik(0.0, yi, vi)
            return Tau2(tau2=0.0 if at_zero >= value else tau2, converged=True)
        tau2, value = tau2 + step, proposed
    return Tau2(tau2=tau2, converged=False)


def _trace(w: Floats) -> float:
    """Return the trace of P, the projection off the weighted mean."""
    return float(w.sum() - w @ w / w.sum())


def _restricted_loglik(tau2: float, yi: Floats, vi: Floats) -> float:
    """Return the restricted log-likelihood of tau2 up to a constant."""
    w = 1 / (vi + tau2)
    residuals = yi - weighted_mean(yi, w)
    return float(0.5 * (np.log(w).sum() - np.log(w.sum()) - w @ residuals**2))
