"""Links between a linear predictor and a response rate: logit, probit and complementary log-log.

    logit:    p = 1 / (1 + exp(-eta))     the log of the odds
    probit:   p = Phi(eta)                the normal score of the rate
    cloglog:  p = 1 - exp(-exp(eta))      the log of the cumulative hazard; not symmetric about 1/2

McCullagh and Nelder 1989, Generalized Linear Models, section 4.3.1, doi:10.1007/978-1-4899-3242-6.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_ndtr, logit, ndtr, ndtri

type Array = NDArray[np.float64]

LARGEST_LOG = 690.0
"""Bound on the log cumulative hazard of a cloglog model: the exponential of more, times the patients of a cohort,
overflows. The response rate is 1 from a linear predictor of 4 on."""
TINY_HAZARD = 1e-300


class Link(StrEnum):
    """The scale on which a model is linear."""

    LOGIT = "logit"
    PROBIT = "probit"
    CLOGLOG = "cloglog"


def inverse(link: Link, eta: Array) -> Array:
    """Return the response rate, a proportion in [0, 1], at the linear predictor `eta` (any shape)."""
    match link:
        case Link.LOGIT:
            return expit(eta)
        case Link.PROBIT:
            return ndtr(eta)
        case Link.CLOGLOG:
            return -np.expm1(-_hazard(eta))


def complement(link: Link, eta: Array) -> Array:
    """Return 1 minus the response rate at `eta` (any shape), to full relative precision for rates near 1."""
    match link:
        case Link.LOGIT:
            return expit(-eta)
        case Link.PROBIT:
            return ndtr(-eta)
        case Link.CLOGLOG:
            return np.exp(-_hazard(eta))


def log_rates(link: Link, eta: Array) -> tuple[Array, Array]:
    """Return log p and log(1 - p) at the linear predictor `eta` (any shape), accurate in both tails."""
    match link:
        case Link.LOGIT:
            tail = np.log1p(np.exp(-np.abs(eta)))
            return np.minimum(eta, 0.0) - tail, -np.maximum(eta, 0.0) - tail
        case Link.PROBIT:
            # One of the two suffices: from the smaller the larger follows without loss, at a tenth of the time.
            smaller = log_ndtr(-np.abs(eta))
            larger = np.log1p(-np.exp(smaller))
            return np.where(eta < 0, smaller, larger), np.where(eta < 0, larger, smaller)
        case Link.CLOGLOG:
            hazard = _hazard(eta)
            # For a small hazard, log p is eta plus a small correction, finite even at a hazard of 0.
            # Either branch gets a harmless hazard where it is not taken: at 0 both would be infinite.
            small = hazard < 1
            some = np.clip(hazard, TINY_HAZARD, 1.0)
            of_small = np.minimum(eta, 0.0) + np.log(-np.expm1(-some) / some)
            return np.where(small, of_small, np.log1p(-np.exp(-np.maximum(hazard, 1.0)))), -hazard


def odds_ratio(link: Link, one: Array, other: Array) -> Array:
    """Return the odds of response at the linear predictor `one` over those at `other` (of one shape)."""
    if link is Link.LOGIT:
        return np.exp(one - other)
    (log_p, log_q), (other_p, other_q) = log_rates(link, one), log_rates(link, other)
    return np.exp(np.clip(log_p - log_q - other_p + other_q, -LARGEST_LOG, LARGEST_LOG))


def link_function(link: Link, p: Array) -> Array:
    """Return the linear predictor of the response rate `p` (any shape), infinite for 0 and 1."""
    match link:
        case Link.LOGIT:
            return logit(p)
        case Link.PROBIT:
            return ndtri(p)
        case Link.CLOGLOG:
            with np.errstate(divide="ignore"):
                return np.log(-np.log1p(-p))


def inverse_derivative(link: Link, eta: Array) -> Array:
    """Return dp / d eta at the linear predictor `eta` (any shape)."""
    match link:
        case Link.LOGIT:
            return expit(eta) * expit(-eta)
        case Link.PROBIT:
            density: Array = np.exp(-(eta**2) / 2) / np.sqrt(2 * np.pi)
            return density
        case Link.CLOGLOG:
            hazard = _hazard(eta)
            return hazard * np.exp(-hazard)


def _hazard(eta: Array) -> Array:
    """Return the cumulative hazard -log(1 - p) of a cloglog model."""
    hazard: Array = np.exp(np.minimum(eta, LARGEST_LOG))
    return hazard
