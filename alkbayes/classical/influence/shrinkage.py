"""Empirical-Bayes estimates of each cohort's rate, shrunk towards its expectation under the model.

The estimated fixed effects and variances are taken as known (except for the error of the mean in the normal model), so
precision is overstated with few cohorts.

Morris (1983), doi:10.1080/01621459.1983.10477920; Raudenbush & Bryk (1985), doi:10.3102/10769986010002075.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.regression import RegressionFit, quantile
from alkbayes.classical.maximum_likelihood.glmm import GlmmFit, build
from alkbayes.likelihood.binomial_normal.cohort import (
    LARGEST_EXPONENT,
    find_mode,
    hermite,
    normal_start,
    rarer,
    rates,
    relative_log_likelihood,
)
from alkbayes.likelihood.binomial_normal.marginal import lay_out
from alkbayes.likelihood.binomial_normal.trials import Groups, joint_mode, outer_integrand
from alkbayes.vocabulary import INTERVAL_PROB

NODES = 81
"""Quadrature nodes for a single cohort: more than the likelihood needs, since moments weight the tails."""
OUTER_NODES, INNER_NODES = 25, 21
"""Quadrature nodes for the two nested integrals of a group."""
MODE_TOLERANCE = 1e-6
"""The error of a mode is the square of this, in units of the integrand's width."""


@dataclass(frozen=True, slots=True)
class ShrunkenRates:
    """Cohorts' logits and rates given their counts and a fitted binomial-normal model; NaN without a fit.

    Attributes
    ----------
    theta_mean, theta_sd
        Conditional mean and standard deviation of each cohort's logit, shape (k,).
    theta_mode
        Logit at the joint mode of all random effects, as from lme4's `ranef`, shape (k,).
    p_mean, p_sd
        Conditional mean and standard deviation of each cohort's rate, proportions, shape (k,).
    """

    theta_mean: Floats
    theta_sd: Floats
    theta_mode: Floats
    p_mean: Floats
    p_sd: Floats


@dataclass(frozen=True, slots=True)
class ShrunkenEstimates:
    """Best linear unbiased predictions of the cohorts' true effects in a normal model; NaN without a fit.

    Attributes
    ----------
    mean
        Prediction, shape (k,), scale of the estimates.
    se
        Its standard error, including that of the fixed effects, shape (k,).
    low, high
        Limits by the quantile of the fit's own intervals, shape (k,).
    """

    mean: Floats
    se: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class _Moments:
    """Log integral over w, relative to the saturated likelihood, and conditional moments of logit and rate.

    One for each cohort and parameter value, all of one shape.
    """

    log: Floats
    theta: Floats
    theta_variance: Floats
    p: Floats
    p_variance: Floats


def shrunken_rates(
    responders: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    fit: GlmmFit,
    design: Floats | None = None,
    group: npt.ArrayLike | None = None,
) -> ShrunkenRates:
    """Return each cohort's logit and rate given its counts and, with groups, those of its group.

    By adaptive quadrature of the exact conditional density, not by a normal approximation. If tau is estimated at 0,
    every cohort has the rate of its fixed effects, with a standard deviation of 0.

    Parameters
    ----------
    responders, n, design, group
        Data of `fit`, as for :func:`alkbayes.classical.maximum_likelihood.glmm.fit_glmm`.

    Raises
    ------
    EvidenceError, ValueError
        As `fit_glmm`.
    """
    model = build(responders, n, design, group)
    if not fit.converged or fit.tau is None:
        return ShrunkenRates(*(np.full(model.n.size, np.nan) for _ in range(5)))
    eta = (model.design @ fit.beta)[None]
    tau_group = 0.0 if fit.tau_group is None else fit.tau_group
    problem = lay_out(model.responders, model.n, eta, model.group, tau_group, fit.tau)
    found = np.empty((5, model.n.size))
    for cohorts, rows in problem.singles():
        x, m, mu, tau = problem.single_parts(cohorts, rows)
        at = _moments(x, m, mu, tau, NODES)
        mode = find_mode(x, m, mu, tau, normal_start(x, m, mu, tau), tolerance=MODE_TOLERANCE)
        found[:, cohorts] = _columns(at, mu + tau * mode)
    for cohorts, _, groups in problem.families():
        v, w = joint_mode(groups, tolerance=MODE_TOLERANCE)
        mode = groups.eta + (groups.tau_group * v)[groups.index] + groups.tau_cohort * w
        found[:, cohorts] = _columns(_nested_moments(groups), mode)
    theta, theta_sd, mode, p, p_sd = found
    return ShrunkenRates(theta, theta_sd, mode, p, p_sd)


def shrunken_estimates(
    yi: Floats,
    vi: Floats,
    *,
    fit: RegressionFit,
    design: Floats | None = None,
    prob: float = INTERVAL_PROB,
) -> ShrunkenEstimates:
    """Return the best linear unbiased predictions of a random-effects model, as metafor's `blup`.

    With the share s = tau2 / (tau2 + vi): s yi + (1 - s) x' beta, variance s vi + (1 - s)^2 x' Cov(beta) x.

    Parameters
    ----------
    yi, vi, design
        Data of `fit`, as for :func:`alkbayes.classical.inverse_variance.regression.fit_regression`.
    prob
        Probability of the intervals, in (0, 1).
    """
    matrix = np.ones((yi.size, 1)) if design is None else design
    share = fit.tau2 / (fit.tau2 + vi)
    mean = share * yi + (1 - share) * fit.fitted
    spread = np.einsum("ij,jk,ik->i", matrix, fit.covariance, matrix)
    se = np.sqrt(share * vi + (1 - share) ** 2 * spread)
    half = quantile(fit.df, prob) * se
    return ShrunkenEstimates(mean, se, mean - half, mean + half)


def _moments(x: Floats, m: Floats, mu: Floats, tau: Floats, nodes: int) -> _Moments:
    """Integrate z out of each cohort, as :mod:`alkbayes.likelihood.binomial_normal.cohort` does (arrays of one shape).

    Moments are taken about the mode: directly, they would cancel for large cohorts.
    """
    mode = find_mode(x, m, mu, tau, normal_start(x, m, mu, tau))
    p, q = rates(mu + tau * mode)
    width = 1 / np.sqrt(tau * tau * m * p * q + 1)
    sign, counted, rate = rarer(x, m, p, q)
    sums = np.zeros((5, *mode.shape))
    for t, log_weight in zip(*hermite(nodes), strict=True):
        distance = sign * tau * width * t
        odds = np.expm1(np.minimum(distance, LARGEST_EXPONENT))
        prior = width * t * (mode + width * t / 2)
        weight = np.exp(counted * distance - m * np.log1p(rate * odds) - prior + log_weight)
        rise = sign * rate * (1 - rate) * odds / (1 + rate * odds)
        for place, term in enumerate((1.0, t, t * t, rise, rise * rise)):
            sums[place] += weight * term
    first, second, rise, square = sums[1:] / sums[0]
    log = np.log(width) - mode * mode / 2 + np.log(sums[0]) + relative_log_likelihood(x, m, mu + tau * mode)
    return _Moments(
        log=log,
        theta=mu + tau * (mode + width * first),
        theta_variance=(tau * width) ** 2 * (second - first**2),
        p=p + rise,
        p_variance=square - rise**2,
    )


def _nested_moments(groups: Groups) -> _Moments:
    """Return the moments of the cohorts of some groups, with the group's deviation integrated out as well."""
    inner = INNER_NODES if groups.tau_cohort.any() else 1
    outer = outer_integrand(groups, inner=inner)
    parts, logs = [], []
    for t, log_weight in zip(*hermite(OUTER_NODES), strict=True):
        v = outer.mode + outer.width * t
        mu = groups.eta + (groups.tau_group * v)[groups.index]
        tau = np.broadcast_to(groups.tau_cohort, mu.shape).copy()
        part = _moments(groups.responders, groups.n, mu, tau, inner)
        parts.append(part)
        logs.append(groups.sum(part.log) - v * v / 2 + log_weight)
    share = np.exp(logs - np.logaddexp.reduce(logs, axis=0))[:, groups.index]
    theta, theta_variance = _mixed(share, [each.theta for each in parts], [each.theta_variance for each in parts])
    p, p_variance = _mixed(share, [each.p for each in parts], [each.p_variance for each in parts])
    return _Moments(np.zeros_like(theta), theta, theta_variance, p, p_variance)


def _mixed(share: Floats, means: list[Floats], variances: list[Floats]) -> tuple[Floats, Floats]:
    """Return mean and variance of a mixture from shares, means and variances of shape (part, ...)."""
    mean = (share * means).sum(axis=0)
    variance = (share * (variances + (np.array(means) - mean) ** 2)).sum(axis=0)
    return np.asarray(mean), np.asarray(variance)


def _columns(at: _Moments, mode: Floats) -> Floats:
    """Return mean, SD and mode of the logit, mean and SD of the rate, shape (5, cohort), at one parameter value."""
    return np.stack([at.theta, np.sqrt(at.theta_variance), mode, at.p, np.sqrt(at.p_variance)])[:, :, 0]
