"""Averages over the heterogeneity by quadrature, without Monte Carlo noise.

Everything here is a mixture of normals with a common mean, so that the average is one too. The logistic distribution is
that of `2 K Z`, with K of Kolmogorov's distribution and Z standard normal (Andrews and Mallows 1974,
doi:10.1111/j.2517-6161.1974.tb00989.x; Stefanski 1991, doi:10.1016/0167-7152(91)90181-P); a Student t is a normal over
the root of a gamma variable. So

    E[expit(mu + deviation)] = E[Phi(mu / sqrt(4 K^2 + sum_g tau_g^2 s_g))],

with `s` 1 for a normal level. The outer average is over smooth densities of log K and log s, where the trapezoid rule
converges geometrically, and the error does not grow with tau as it does with Gauss-Hermite nodes.
"""

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr
from scipy.stats import kstwobign, loggamma

from alkbayes.predictive import Heterogeneity
from alkbayes.priors import Normal, StudentT

type Array = NDArray[np.float64]

LOGISTIC_NODES = 16
"""For the logistic function: error below 1e-9 in a rate for every mu and every tau of normal heterogeneity."""

LOGISTIC_RANGE = (0.17, 3.0)
"""Of K; the probability outside is below 1e-7, and the nodes' weights sum to one."""

VARIANCE_NODES = 28
"""For the variance of a Student t: error below 1e-5 in a rate from 2 degrees of freedom, below 1e-4 from 1, for every
tau (a test holds both against adaptive integration)."""


def expected_rate(logits: Array, heterogeneity: Heterogeneity) -> Array:
    """Return the mean response rate over trials and cohorts, E[expit(mu + deviation)].

    Parameters
    ----------
    logits
        mu of each profile, shape (draw, profile).
    heterogeneity
        What the deviation is drawn from, of the same draws. A beta-binomial cohort's rate has mean expit(theta), so its
        rho changes nothing here.

    Returns
    -------
    ndarray
        Proportions in [0, 1], shape (draw, profile).
    """
    if not heterogeneity.taus:
        return expit(logits)
    scales = np.geomspace(*LOGISTIC_RANGE, LOGISTIC_NODES)
    shares = _normalised(kstwobign.pdf(scales) * scales)
    rates = np.zeros_like(logits)
    for factors in itertools.product(*(_variance_factors(prior) for prior in heterogeneity.priors)):
        variance = np.zeros(len(logits))
        weight = 1.0
        for (factor, share), tau in zip(factors, heterogeneity.taus, strict=True):
            variance = variance + factor * tau**2
            weight *= share
        for scale, share in zip(scales.tolist(), shares.tolist(), strict=True):
            rates += weight * share * ndtr(logits / np.sqrt(4 * scale**2 + variance)[:, None])
    return np.clip(rates, 0.0, 1.0)


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
