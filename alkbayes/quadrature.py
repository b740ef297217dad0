"""Averages over the heterogeneity by Gaussian quadrature, without Monte Carlo noise."""

import itertools
import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, roots_genlaguerre, roots_hermitenorm

from alkbayes.predictive import Heterogeneity
from alkbayes.priors import Normal, StudentT

type Array = NDArray[np.float64]

NORMAL_NODES = 41
"""Error below 1e-7 in a rate for tau up to 2, and below 1e-4 up to 5 (a test holds it against adaptive integration)."""

MIXTURE_NODES = 24
"""For the variance of a Student t, a scale mixture of normals; error below 1e-4 in a rate for 3 degrees of freedom."""


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
    nodes, weights = roots_hermitenorm(NORMAL_NODES)
    weights = weights / math.sqrt(2 * math.pi)
    rates = np.zeros_like(logits)
    # A sum of normals is normal; each Student t among them is a normal whose variance has a distribution of its own.
    for scales in itertools.product(*(_variance_factors(prior) for prior in heterogeneity.priors)):
        variance = np.zeros(len(logits))
        share = 1.0
        for (factor, weight), tau in zip(scales, heterogeneity.taus, strict=True):
            variance = variance + factor * tau**2
            share *= weight
        sd = np.sqrt(variance)[:, None]
        for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
            rates += share * weight * expit(logits + sd * node)
    return rates


def _variance_factors(prior: Normal | StudentT) -> list[tuple[float, float]]:
    """Return factors of the variance and their weights: 1 for the normal, nodes of 1 / gamma for the Student t."""
    if isinstance(prior, Normal):
        return [(1.0, 1.0)]
    half = prior.nu / 2
    nodes, weights = roots_genlaguerre(MIXTURE_NODES, half - 1)
    return [
        (half / node, weight / math.gamma(half)) for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True)
    ]
