"""Expected rates over the heterogeneity by quadrature, without Monte Carlo noise.

Both symmetric links are mixtures of normals with a common mean, and so is the average. The logistic distribution is
that of `2 K Z`, with K of Kolmogorov's distribution and Z standard normal (Andrews and Mallows 1974,
doi:10.1111/j.2517-6161.1974.tb00989.x; Stefanski 1991, doi:10.1016/0167-7152(91)90181-P); a Student t is a normal
divided by the root of a gamma variable. So, for the logit,

    E[expit(mu + deviation)] = E[Phi(mu / sqrt(4 K^2 + sum_g tau_g^2 s_g))],

with `s` = 1 for a normal level; for the probit 1 replaces 4 K^2 (Zeger, Liang and Albert 1988, doi:10.2307/2531734).
The outer average is over smooth densities of log K and log s, where the trapezoid rule converges geometrically; unlike
Gauss-Hermite nodes its error does not grow with tau.

The complementary log-log is the distribution function of a Gumbel variable, not such a mixture. The trapezoid rule for
E[1 - exp(-exp(mu + sd z))] = P(Gumbel < mu + sd z) is over the narrower density, that of `z` for sd up to 1, else the
Gumbel's, so the error does not grow with sd either.
"""

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainccinv, gammaincinv, ndtr

from alkbayes.likelihood.links import Link, inverse
from alkbayes.model.predictive import Heterogeneity
from alkbayes.spec.priors import Normal, StudentT

type Array = NDArray[np.float64]

LOGISTIC_NODES = 16
"""Nodes for the logistic function: error below 1e-9 in a rate for every mu and every tau of normal heterogeneity."""

LOGISTIC_RANGE = (0.17, 3.0)
"""Range of K; the probability outside is below 1e-7, and the nodes' weights sum to one."""

VARIANCE_NODES = 28
"""Nodes for the variance of a Student t: error in a rate below 1e-5 for 2 or more degrees of freedom, below 1e-4 for 1
or more, for every tau (tested against adaptive integration)."""


GUMBEL_STEP = 0.4
"""Trapezoid step for the complementary log-log; with its ranges the error in a rate is below 1e-9."""
NORMAL_RANGE = (-6.6, 6.6)
GUMBEL_RANGE = (-23.0, 3.4)


def expected_rate(predictors: Array, heterogeneity: Heterogeneity) -> Array:
    """Return the mean response rate over trials and cohorts, E[inverse link(mu + deviation)].

    Parameters
    ----------
    predictors
        mu of each profile, shape (draw, profile).
    heterogeneity
        Distribution of the deviations, for the same draws. A beta-binomial rho does not matter: it leaves the mean rate
        unchanged.

    Returns
    -------
    ndarray
        Proportions in [0, 1], shape (draw, profile).
    """
    if not heterogeneity.taus:
        return inverse(heterogeneity.link, predictors)
    rates = np.zeros_like(predictors)
    for factors in itertools.product(*(_variance_factors(prior) for prior in heterogeneity.priors)):
        variance = np.zeros((len(predictors), 1))
        weight = 1.0
        for (factor, share), tau in zip(factors, heterogeneity.taus, strict=True):
            variance = variance + factor * (tau[:, None] if tau.ndim == 1 else tau) ** 2
            weight *= share
        if heterogeneity.link is Link.CLOGLOG:
            rates += weight * _cloglog_average(predictors, np.broadcast_to(np.sqrt(variance), predictors.shape))
            continue
        for own, share in _link_variances(heterogeneity.link):
            rates += weight * share * ndtr(predictors / np.sqrt(own + variance))
    return np.clip(rates, 0.0, 1.0)


def _link_variances(link: Link) -> list[tuple[float, float]]:
    """Return the variances and weights of the normal mixture behind a symmetric link."""
    if link is Link.PROBIT:
        return [(1.0, 1.0)]
    scales = np.geomspace(*LOGISTIC_RANGE, LOGISTIC_NODES)
    # The density of K, up to a constant, by the series of its distribution function.
    k = np.arange(1, 41)[:, None]
    density = ((-1) ** (k + 1) * k**2 * np.exp(-2 * (k * scales) ** 2)).sum(axis=0) * scales
    shares = _normalised(density * scales)
    return [(4 * scale**2, share) for scale, share in zip(scales.tolist(), shares.tolist(), strict=True)]


def _cloglog_average(mu: Array, sd: Array) -> Array:
    """Return E[1 - exp(-exp(mu + sd z))] over standard normal z, shape (draw, profile), that of `mu` and `sd`."""
    rates = np.zeros_like(mu)
    narrow = sd <= 1
    for node, share in _trapezoid(lambda z: -(z**2) / 2, NORMAL_RANGE):
        rates[narrow] += share * inverse(Link.CLOGLOG, mu[narrow] + sd[narrow] * node)
    for node, share in _trapezoid(lambda z: z - np.exp(z), GUMBEL_RANGE):
        rates[~narrow] += share * ndtr((mu[~narrow] - node) / sd[~narrow])
    return rates


def _trapezoid(log_density: Callable[[Array], Array], ends: tuple[float, float]) -> list[tuple[float, float]]:
    """Return quadrature nodes over a distribution's range, and their weights."""
    nodes = np.arange(*ends, GUMBEL_STEP)
    return list(zip(nodes.tolist(), _normalised(np.exp(log_density(nodes))).tolist(), strict=True))


def _variance_factors(prior: Normal | StudentT) -> list[tuple[float, float]]:
    """Return variance factors and their weights: 1 for the normal, nodes of 1 / gamma for the Student t."""
    if isinstance(prior, Normal):
        return [(1.0, 1.0)]
    half = prior.nu / 2
    # Of the log of a gamma variable of shape `half`.
    nodes = np.linspace(np.log(gammaincinv(half, 1e-5)), np.log(gammainccinv(half, 1e-10)), VARIANCE_NODES)
    log_density = half * nodes - np.exp(nodes)
    weights = _normalised(np.exp(log_density - log_density.max()))
    return list(zip((half * np.exp(-nodes)).tolist(), weights.tolist(), strict=True))


def _normalised(weights: Array) -> Array:
    return weights / weights.sum()
