"""Likelihood of each cohort at its linear predictor, for many cohorts and parameter values at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from alkbayes.likelihood.links import Link, complement, inverse, inverse_derivative, link_function, log_rates

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]
type OfTheta = Callable[[Array], Array]
"""Log-likelihoods without binomial coefficients, at linear predictors of shape (any, pair); same shape."""

STIRLING = 1e4
"""Threshold above which two terms of Stirling's series are exact to rounding: the next is 1 / (360 a^3)."""
SMALLEST = 1e-300
"""Lower bound for a beta distribution's parameters, which underflow far beyond any data."""


class Likelihood(Protocol):
    """Probability of each cohort's responders given the linear predictor of its rate or mean rate."""

    def at(self, cohort: Index, row: Index) -> OfTheta:
        """Return the log-likelihood as a function of theta for pairs of a cohort and a parameter value."""

    def stand_in(self, cohort: Index, row: Index) -> tuple[Array, Array]:
        """Return mean and variance of the normal approximation in theta for each pair, shape (pair,)."""

    @property
    def coefficients(self) -> float:
        """Sum of the logs of the binomial coefficients."""


@dataclass(frozen=True, slots=True)
class Binomial:
    """Binomial responders; counts of shape (cohort,)."""

    responders: Array
    n: Array
    link: Link = Link.LOGIT

    def at(self, cohort: Index, row: Index) -> OfTheta:  # noqa: ARG002
        """See :class:`Likelihood`."""
        x, m = self.responders[cohort], self.n[cohort]

        def of_logit(theta: Array) -> Array:
            # x log p + (m - x) log(1 - p) with one logarithm.
            value = np.exp(-np.abs(theta))
            np.log1p(value, out=value)
            value *= -m
            value += x * np.minimum(theta, 0.0)
            value -= (m - x) * np.maximum(theta, 0.0)
            return value

        def of_theta(theta: Array) -> Array:
            log_p, log_q = log_rates(self.link, theta)
            value: Array = x * log_p + (m - x) * log_q
            return value

        return of_logit if self.link is Link.LOGIT else of_theta

    def stand_in(self, cohort: Index, row: Index) -> tuple[Array, Array]:  # noqa: ARG002
        """See :class:`Likelihood`: the empirical predictor with 1/2 added to both counts; variance by delta method."""
        yes, both = self.responders[cohort] + 0.5, self.n[cohort] + 1.0
        p = yes / both
        theta = link_function(self.link, p)
        return theta, p * (1 - p) / both / inverse_derivative(self.link, theta) ** 2

    @property
    def coefficients(self) -> float:
        """See :class:`Likelihood`."""
        return float((gammaln(self.n + 1) - gammaln(self.responders + 1) - gammaln(self.n - self.responders + 1)).sum())


@dataclass(frozen=True, slots=True)
class BetaBinomial:
    """Beta-binomial responders: the rate varies around its mean with intraclass correlation rho.

    Attributes
    ----------
    counts
        Binomial likelihood of the same counts.
    rho
        Intraclass correlation at each parameter value, shape (S,).
    """

    counts: Binomial
    rho: Array

    def at(self, cohort: Index, row: Index) -> OfTheta:
        """See :class:`Likelihood`."""
        x, m = self.counts.responders[cohort], self.counts.n[cohort]
        size = 1 / self.rho[row] - 1
        link, whole = self.counts.link, log_rising(size, m)

        def log_likelihood(theta: Array) -> Array:
            a = np.maximum(inverse(link, theta) * size, SMALLEST)
            b = np.maximum(complement(link, theta) * size, SMALLEST)
            value: Array = log_rising(a, x) + log_rising(b, m - x) - whole
            return value

        return log_likelihood

    def stand_in(self, cohort: Index, row: Index) -> tuple[Array, Array]:
        """See :class:`Likelihood`: the binomial's, with the variance inflated for the correlation."""
        theta, variance = self.counts.stand_in(cohort, row)
        return theta, variance * (1 + (self.counts.n[cohort] - 1) * self.rho[row])

    @property
    def coefficients(self) -> float:
        """See :class:`Likelihood`."""
        return self.counts.coefficients


def log_rising(a: Array, count: Array) -> Array:
    """Return log(a (a + 1) ... (a + count - 1)), broadcast.

    A difference of log gammas would lose all its digits for large `a`.
    """
    a, count = np.broadcast_arrays(a, count)
    value: Array = gammaln(a + count) - gammaln(a)
    large = a > STIRLING
    if large.any():
        base, more = a[large], count[large]
        value[large] = (
            (base - 0.5) * np.log1p(more / base) + more * (np.log(base + more) - 1) - more / (12 * base * (base + more))
        )
    return value
