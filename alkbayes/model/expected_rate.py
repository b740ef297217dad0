"""Averages over the heterogeneity by quadrature, without Monte Carlo noise.

Both symmetric links are a mixture of normals with a common mean, so that the average is one too. The logistic
distribution is that of `2 K Z`, with K of Kolmogorov's distribution and Z standard normal (Andrews and Mallows 1974,
doi:10.1111/j.2517-6161.1974.tb00989.x; Stefanski 1991, doi:10.1016/0167-7152(91)90181-P); a Student t is a normal over
the root of a gamma variable. So, for the logit,

    E[expit(mu + deviation)] = E[Phi(mu / sqrt(4 K^2 + sum_g tau_g^2 s_g))],

with `s` 1 for a normal level; for the probit 1 takes the place of 4 K^2 (Zeger, Liang and Albert 1988,
doi:10.2307/2531734). The outer average is over smooth densities of log K and log s, where the trapezoid rule
converges geometrically, and the error does not grow with tau as it does with Gauss-Hermite nodes.

The complementary log-log is the distribution function of a Gumbel variable, and no such mixture. Of the two densities
in E[1 - exp(-exp(mu + sd z))] = P(Gumbel < mu + sd z) the trapezoid rule then goes over the narrower: that of `z` up to
an sd of 1, else the Gumbel's. Either is smooth on the scale of its nodes, so that the error does not grow with sd.
"""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import gumbel_l, kstwobign, loggamma, norm

from alkbayes.likelihood.links import Link, inverse
from alkbayes.model.predictive import Heterogeneity
from alkbayes.spec.priors import Normal, StudentT

type Array = NDArray[np.float64]

LOGISTIC_NODES = 16
"""For the logistic function: error below 1e-9 in a rate for every mu and every tau of normal heterogeneity."""

LOGISTIC_RANGE = (0.17, 3.0)
"""Of K; the probability outside is below 1e-7, and the nodes' weights sum to one."""

VARIANCE_NODES = 28
"""For the variance of a Student t: error below 1e-5 in a rate from 2 degrees of freedom, below 1e-4 from 1, for every
tau (a test holds both against adaptive integration)."""


GUMBEL_STEP = 0.4
"""Of the trapezoid rule for the complementary log-log; with its ranges the error is below 1e-9 in a rate."""
NORMAL_RANGE = (-6.6, 6.6)
GUMBEL_RANGE = (-23.0, 3.4)


def expected_rate(predictors: Array, heterogeneity: Heterogeneity) -> Array:
    """Return the mean response rate over trials and cohorts, E[inverse link of (mu + deviation)].

    Parameters
    ----------
    predictors
        mu of each profile, shape (draw, profile).
    heterogeneity
        What the deviation is drawn from, of the same draws. A beta-binomial cohort's rate has the inverse of the link
        at theta for its mean, so its rho changes nothing here.

    Returns
    -------
    ndarray
        Proportions in [0, 1], shape (draw, profile).
    """
    if not heterogeneity.taus:
        return inverse(heterogeneity.link, predictors)
    rates = np.zeros_like(predictors)
    for factors in itertools.product(*(_variance_factors(prior) for prior in heterogeneity.priors)):
        variance = np.zeros(len(predictors))
        weight = 1.0
        for (factor, share), tau in zip(factors, heterogeneity.taus, strict=True):
            variance = variance + factor * tau**2
            weight *= share
        if heterogeneity.link is Link.CLOGLOG:
            rates += weight * _cloglog_average(predictors, np.sqrt(variance))
            continue
        for own, share in _link_variances(heterogeneity.link):
            rates += weight * share * ndtr(predictors / np.sqrt(own + variance)[:, None])
    return np.clip(rates, 0.0, 1.0)


def _link_variances(link: Link) -> list[tuple[float, float]]:
    """Return variances of the normals that a symmetric link's distribution is a mixture of, and their weights."""
    if link is Link.PROBIT:
        return [(1.0, 1.0)]
    scales = np.geomspace(*LOGISTIC_RANGE, LOGISTIC_NODES)
    shares = _normalised(kstwobign.pdf(scales) * scales)
    return [(4 * scale**2, share) for scale, share in zip(scales.tolist(), shares.tolist(), strict=True)]


def _cloglog_average(mu: Array, sd: Array) -> Array:
    """Return E[1 - exp(-exp(mu + sd z))] over standard normal z, shape (draw, profile); `sd` of shape (draw,)."""
    rates = np.zeros_like(mu)
    narrow = sd <= 1
    for node, share in _trapezoid(norm, NORMAL_RANGE):
        rates[narrow] += share * inverse(Link.CLOGLOG, mu[narrow] + sd[narrow, None] * node)
    for node, share in _trapezoid(gumbel_l, GUMBEL_RANGE):
        rates[~narrow] += share * ndtr((mu[~narrow] - node) / sd[~narrow, None])
    return rates


def _trapezoid(distribution: Any, ends: tuple[float, float]) -> list[tuple[float, float]]:
    """Return nodes over the range of a distribution, and their weights."""
    nodes = np.arange(*ends, GUMBEL_STEP)
    return list(zip(nodes.tolist(), _normalised(distribution.pdf(nodes)).tolist(), strict=True))


def _variance_factors(prior: Normal | StudentT) -> list[tuple[float, float]]:
    """Return factors of the variance and their weights: 1 for the normal, nodes of 1 / gamma for the Student t."""
    if isinstance(prior, Normal):
        return [(1.0, 1.0)]
    half = prior.nu / 2
    log_gamma = loggamma(half)
    nodes = np.linspace(log_gamma.ppf(1e-5), log_gamma.isf(1e-10), VARIANCE_NODES)
    weights = _normalised(log_gamma.pdf(nodes))
    return list(zip((half * np.exp(-nodes)).tolist(), weights.tolist(), strict=True))


def _normalised(weights: Array) -> Array:
    return weights / weights.sum()
