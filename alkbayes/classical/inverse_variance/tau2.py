"""Estimators of the variance between cohorts, tau2, and its Q-profile interval.

All take `yi` and `vi`, estimates and their sampling variances, shape (k,), and a design, shape (k, p), of full column
rank: a meta-regression, or with a column of ones a pooled mean.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import chdtri

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.heterogeneity import i2_h2, typical_variance
from alkbayes.classical.inverse_variance.least_squares import WeightedDesign

MAX_ITERATIONS = 200
STEP_TOLERANCE = 1e-12
"""Step at which an iteration stops, relative to tau2 plus the typical sampling variance."""


class Tau2Estimator(StrEnum):
    """Estimator of the variance between cohorts."""

    DL = "dl"
    PM = "pm"
    REML = "reml"
    ML = "ml"
    HE = "he"
    HS = "hs"
    SJ = "sj"


@dataclass(frozen=True, slots=True)
class Tau2:
    """Estimate of the between-cohort variance.

    Attributes
    ----------
    tau2
        Variance between cohorts, squared scale of `yi`, at least 0; the last iterate if `converged` is False.
    converged
        True if the estimator reached its tolerance, or has a closed form.
    """

    tau2: float
    converged: bool


@dataclass(frozen=True, slots=True)
class Tau2Interval:
    """Confidence interval of the between-cohort variance, with the corresponding ones of I2 and H2.

    Attributes
    ----------
    low, high
        Limits of tau2, squared scale of `yi`. Both None if the interval is empty: the cohorts differ by less than
        chance at tau2 = 0.
    i2_low, i2_high
        Limits of I2, proportions in [0, 1).
    h2_low, h2_high
        Limits of H2, at least 1.
    """

    low: float | None
    high: float | None
    i2_low: float | None
    i2_high: float | None
    h2_low: float | None
    h2_high: float | None


def estimate_tau2(
    yi: Floats, vi: Floats, design: Floats, estimator: Tau2Estimator, *, max_iterations: int = MAX_ITERATIONS
) -> Tau2:
    """Return an estimate of the residual variance between cohorts about a design, truncated at 0.

    `DL` DerSimonian & Laird, from Q; `HE` Hedges, from the unweighted variance; `HS` Hunter & Schmidt; `SJ` Sidik &
    Jonkman, starting from the unweighted variance, positive if cohorts differ at all; `PM` Paule & Mandel, which
    equates the generalised Q with its expectation, also the empirical Bayes estimate; `ML` and `REML` (restricted)
    maximum likelihood.

    Parameters
    ----------
    max_iterations
        Limit for `PM`, `ML` and `REML`; at the limit the last value is returned with `converged=False`.

    Raises
    ------
    ValueError
        If k <= p, which leaves no degrees of freedom for a variance.

    References
    ----------
    DerSimonian & Laird (1986), doi:10.1016/0197-2456(86)90046-2; Hedges & Olkin (1985); Hunter & Schmidt (1990); Sidik
    & Jonkman (2005), doi:10.1111/j.1467-9876.2005.00489.x; Paule & Mandel (1982), doi:10.6028/jres.087.022; Viechtbauer
    (2005), doi:10.3102/10769986030003261, compares them; for PM as empirical Bayes Viechtbauer et al. (2015),
    doi:10.1037/met0000023.
    """
    k, p = design.shape
    if k <= p:
        raise ValueError(f"{k} cohorts leave no degrees of freedom beside {p} coefficients to estimate tau2")
    match estimator:
        case Tau2Estimator.DL | Tau2Estimator.HS:
            fixed = WeightedDesign.of(design, 1 / vi)
            q = float((fixed.residuals(yi) ** 2).sum())
            moment = (q - (k - p)) / fixed.trace() if estimator is Tau2Estimator.DL else (q - k) / (1 / vi).sum()
            return Tau2(max(0.0, float(moment)), converged=True)
        case Tau2Estimator.HE:
            return Tau2(_hedges(yi, vi, design), converged=True)
        case Tau2Estimator.SJ:
            start = float(yi.var())
            residuals = WeightedDesign.of(design, 1 / (vi + start)).residuals(yi)
            return Tau2(start * float(residuals @ residuals) / (k - p), converged=True)
        case Tau2Estimator.PM:
            return _where_q_is(k - p, yi, vi, design, max_iterations)
        case Tau2Estimator.ML | Tau2Estimator.REML:
            restricted = estimator is Tau2Estimator.REML
            return _scoring(yi, vi, design, restricted=restricted, max_iterations=max_iterations)


def tau2_q_profile(yi: Floats, vi: Floats, design: Floats, *, prob: float) -> Tau2Interval:
    """Return the tau2 values compatible with the generalised Q (Viechtbauer 2007, doi:10.1002/sim.2514), p < k.

    Q(tau2), the weighted residual sum of squares about the design with weights 1 / (vi + tau2), is chi-squared with k -
    p degrees of freedom at the true tau2 and falls as tau2 grows; the limits are where it crosses the two quantiles at
    confidence level `prob`. The lower one is 0 if Q(0) is below the upper quantile. The interval does not depend on an
    estimator of tau2, so an estimate may lie outside.
    """
    k, p = design.shape
    tail = (1 - prob) / 2
    upper, lower = (float(chdtri(k - p, beyond)) for beyond in (tail, 1 - tail))
    q = float((WeightedDesign.of(design, 1 / vi).residuals(yi) ** 2).sum())
    if q < lower:
        return Tau2Interval(None, None, None, None, None, None)
    low, high = (_where_q_is(target, yi, vi, design, MAX_ITERATIONS).tau2 for target in (upper, lower))
    (i2_low, h2_low), (i2_high, h2_high) = i2_h2(low, vi, design), i2_h2(high, vi, design)
    return Tau2Interval(low, high, i2_low, i2_high, h2_low, h2_high)


def normal_log_likelihood(tau2: float, yi: Floats, vi: Floats, design: Floats, *, restricted: bool) -> float:
    """Return the (restricted) log-likelihood of tau2, maximised over coefficients, with all constants as in metafor."""
    weighted = WeightedDesign.of(design, 1 / (vi + tau2))
    k, p = design.shape
    residuals = weighted.residuals(yi)
    value = 0.5 * (np.log(weighted.weights).sum() - float(residuals @ residuals))
    if not restricted:
        return float(value - 0.5 * k * np.log(2 * np.pi))
    unweighted = WeightedDesign.of(design, np.ones(k))
    value += 0.5 * (unweighted.log_determinant() - weighted.log_determinant())
    return float(value - 0.5 * (k - p) * np.log(2 * np.pi))


def _hedges(yi: Floats, vi: Floats, design: Floats) -> float:
    """Return Hedges' estimate: the unweighted residual variance minus its expected sampling variance."""
    plain = WeightedDesign.of(design, np.ones_like(vi))
    residuals = plain.residuals(yi)
    excess = float(residuals @ residuals - vi @ (1 - plain.leverages()))
    k, p = design.shape
    return max(0.0, float(excess / (k - p)))


def _where_q_is(target: float, yi: Floats, vi: Floats, design: Floats, max_iterations: int) -> Tau2:
    """Return the tau2 >= 0 at which the generalised Q falls to a positive target; 0 if it starts below.

    Q falls and is convex in tau2, so Newton's steps from 0 rise to the root and never pass it.
    """
    tolerance = STEP_TOLERANCE * typical_variance(vi, design)
    tau2 = 0.0
    for _ in range(max_iterations):
        weighted = WeightedDesign.of(design, 1 / (vi + tau2))
        residuals = weighted.residuals(yi)
        excess = float(residuals @ residuals) - target
        if excess <= 0:
            return Tau2(tau2, converged=True)
        step = excess / float(weighted.weights @ residuals**2)
        tau2 += step
        if step <= tolerance + STEP_TOLERANCE * tau2:
            return Tau2(tau2, converged=True)
    return Tau2(tau2, converged=False)


def _scoring(yi: Floats, vi: Floats, design: Floats, *, restricted: bool, max_iterations: int) -> Tau2:
    """Return the (restricted) maximum likelihood estimate by Fisher scoring.

    Like metafor from Hedges' estimate, with a check of tau2 = 0; but stricter: the stopping rule is relative (cohorts
    of millions do not stop at the start), a step that lowers the likelihood is halved, and a step below 0 goes to 0 and
    ends there if the score points outwards. Where few cohorts make the expected information a poor guide to the
    curvature, scoring takes hundreds of ever smaller steps, so that uphill steps are lengthened or shortened to where
    the secant of the last two vanishes.
    """

    def loglik(value: float) -> float:
        return normal_log_likelihood(value, yi, vi, design, restricted=restricted)

    tau2 = _hedges(yi, vi, design)
    value = loglik(tau2)
    tolerance = STEP_TOLERANCE * typical_variance(vi, design)
    before = scored_before = 0.0
    for iteration in range(max_iterations):
        weighted = WeightedDesign.of(design, 1 / (vi + tau2))
        residuals = weighted.residuals(yi)
        w = weighted.weights
        expected, information = (
            (weighted.trace(), weighted.trace_of_square()) if restricted else (float(w.sum()), float(w @ w))
        )
        scored = (float(w @ residuals**2) - expected) / information
        step = scored
        if iteration and (fall := (scored_before - scored) / (tau2 - before)) > 0:
            step = scored / fall
        before, scored_before = tau2, scored
        # A step of scoring is the measure of convergence: that of the secant is not, before it is near.
        step = max(step, -tau2) if abs(scored) > tolerance + STEP_TOLERANCE * tau2 else 0.0
        while abs(step) > tolerance + STEP_TOLERANCE * tau2:
            proposed = loglik(tau2 + step)
            # The last steps change the likelihood by less than its rounding.
            if proposed >= value - 1e-12 * (yi.size + abs(value)):
                break
            step /= 2
        else:
            return Tau2(tau2=0.0 if loglik(0.0) >= value else tau2, converged=True)
        tau2, value = tau2 + step, proposed
    return Tau2(tau2=tau2, converged=False)
