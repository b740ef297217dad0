"""Posterior of the global parameters with a normal approximation to each cohort's likelihood.

Given the scales, the coefficients are then exactly normal, and the density of the scales has a closed form. It serves
for proposals only; no reported estimate depends on it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit

from alkbayes.inference.importance.target import Target, score_of
from alkbayes.inference.importance.weights import Mixture, draw, log_density
from alkbayes.likelihood.links import Link, inverse, inverse_derivative, link_function
from alkbayes.model.design import Parameter
from alkbayes.model.parametrisation import empirical_predictors, sampling_variance
from alkbayes.spec.priors import Normal, StudentT

type Array = NDArray[np.float64]

REWORKS = 3
"""Newton steps of the approximation towards the posterior's centre."""
FARTHEST = 15.0
"""Largest logit at which a likelihood is linearised: it would be flat beyond."""
STUDENT_WIDTH = 1.5
"""SD of the normal approximation to a Student t prior, in units of its scale."""


@dataclass(frozen=True, slots=True)
class Conditional:
    """Normal approximation to the coefficients given the scales, for S values of these.

    Attributes
    ----------
    mean
        Shape (S, coefficient).
    factor
        Lower Cholesky factor of the precision, shape (S, coefficient, coefficient).
    log_evidence
        Log density of the scales in that approximation, including their prior, up to a constant, shape (S,).
    """

    mean: Array
    factor: Array
    log_evidence: Array

    def draw(self, rng: np.random.Generator, mixture: Mixture) -> tuple[Array, Array, Array]:
        """Draw coefficients from a mixture for u = factor' (b - mean), standard normal if the approximation holds.

        Returns
        -------
        b, u
            Shape (S, coefficient).
        log_density
            Log density of b, shape (S,).
        """
        # A mixture's draws come component by component, and those of the scales do too.
        u = rng.permutation(draw(rng, mixture, len(self.mean)))
        b = self.mean + np.linalg.solve(self.factor.transpose(0, 2, 1), u[:, :, None])[:, :, 0]
        log_determinant = np.log(np.diagonal(self.factor, axis1=1, axis2=2)).sum(axis=1)
        return b, u, log_density(u, mixture) + log_determinant


class Approximation:
    """A target with a normal approximation to the likelihood of each cohort's logit.

    Attributes
    ----------
    target
        The target.
    logit, variance
        Mean and variance of the approximations, shape (cohort,); by default from the empirical logits.
    """

    def __init__(self, target: Target, logit: Array | None = None, variance: Array | None = None) -> None:
        self.target = target
        empirical = empirical_predictors(target.design)
        self.logit = empirical[0] if logit is None else logit
        self.variance = empirical[1] if variance is None else variance
        cohorts, columns = target.matrix.shape
        self._products = (target.matrix[:, :, None] * target.matrix[:, None, :]).reshape(cohorts, columns**2)
        index = np.zeros(0, dtype=np.intp) if target.group_index is None else target.group_index
        # A cohort alone in its group has both deviations to itself; the others share the group's.
        sizes = np.bincount(index)
        shared = np.flatnonzero(sizes[index] > 1)
        self._alone = np.setdiff1d(np.arange(len(index)), shared)
        _, group = np.unique(index[shared], return_inverse=True)
        self._groups = int(group.max(initial=-1)) + 1
        self._member = csr_array((np.ones(len(shared)), (shared, group)), shape=(cohorts, self._groups))
        place = group[:, None] * columns + np.arange(columns)
        self._spread = csr_array(
            (target.matrix[shared].ravel(), (np.repeat(shared, columns), place.ravel())),
            shape=(cohorts, self._groups * columns),
        )
        priors = [_normal_prior(item) for item in target.coefficients]
        self._prior_mean, self._prior_precision = (np.concatenate(each) for each in zip(*priors, strict=True))

    def conditional(self, psi: Array) -> Conditional:
        """Return the normal approximation to the coefficients given scales, shape (S, scale)."""
        parts = [self._piece(psi[rows]) for rows in self.target.pieces(len(psi))]
        return Conditional(
            np.concatenate([part.mean for part in parts]),
            np.concatenate([part.factor for part in parts]),
            np.concatenate([part.log_evidence for part in parts]),
        )

    def reworked(self, psi: Array) -> "Approximation":
        """Return the approximation about the posterior's centre at scales `psi`, shape (scale,).

        Each step linearises the cohorts' likelihoods at the logits of the previous approximation.
        """
        at = self
        for _ in range(REWORKS):
            at = at._stepped(psi[None, :])
        return at

    def _stepped(self, one: Array) -> "Approximation":
        target, design = self.target, self.target.design
        eta = target.logits(one, self.conditional(one).mean)[0]
        tau_group, tau_cohort = (float(tau[0]) for tau in self._taus(one))
        residual, weight = self.logit - eta, 1 / (self._variance(one)[0] + tau_cohort**2)
        if design.group is not None:
            index, units = design.group.index, len(design.group.units)
            total = np.bincount(index, weights=weight, minlength=units)
            pull = np.bincount(index, weights=weight * residual, minlength=units)
            shift = (tau_group**2 * pull / (1 + tau_group**2 * total))[index]
            eta, residual = eta + shift, residual - shift
        farthest = link_function(design.link, expit(np.array([-FARTHEST, FARTHEST])))
        theta = np.clip(eta + tau_cohort**2 * weight * residual, *farthest)
        p = inverse(design.link, theta)
        # Derivative of the rate by theta, in units of the logit's p (1 - p).
        change = 1.0 if design.link is Link.LOGIT else inverse_derivative(design.link, theta) / (p * (1 - p))
        # Half a patient more of either kind keeps a cohort with 0/n or n/n from diverging.
        information = (design.n + 1) * p * (1 - p) * change
        logit = theta + (design.responders + 0.5 - (design.n + 1) * p) / information
        return Approximation(target, logit, 1 / (information * change))

    def _taus(self, psi: Array) -> tuple[Array, Array]:
        """Return the standard deviations of groups and cohorts, or of the normal approximations to Student t's."""
        design = self.target.design
        group, cohort = (
            tau if term is None else np.sqrt(score_of(term).variance) * tau
            for term, tau in zip((design.group, design.cohort), self.target.taus(psi), strict=True)
        )
        return group, cohort

    def _variance(self, psi: Array) -> Array:
        """Return the variances of the approximations, inflated for correlated patients, shape (S, cohort) or one."""
        if self.target.design.rho_prior is None:
            return self.variance[None, :]
        inflated: Array = sampling_variance(self.target.design.n, self.variance, self.target.rho(psi)[:, None])
        return inflated

    def _piece(self, psi: Array) -> Conditional:
        size, columns = len(psi), self.target.matrix.shape[1]
        tau_group, tau_cohort = self._taus(psi)
        variance = self._variance(psi) + tau_cohort[:, None] ** 2
        variance[:, self._alone] += tau_group[:, None] ** 2
        weight = 1 / variance
        gram = (weight @ self._products).reshape(size, columns, columns)
        cross = (weight * self.logit) @ self.target.matrix
        square = weight @ self.logit**2
        log_determinant = -np.log(weight).sum(axis=1)
        if self._groups:
            # Sherman and Morrison 1950, doi:10.1214/aoms/1177729893, group by group.
            total, pull = weight @ self._member, (weight * self.logit) @ self._member
            shrink = tau_group[:, None] ** 2 / (1 + tau_group[:, None] ** 2 * total)
            sums = (weight @ self._spread).reshape(size, self._groups, columns)
            scaled = np.sqrt(shrink)[:, :, None] * sums
            gram -= scaled.transpose(0, 2, 1) @ scaled
            cross -= ((shrink * pull)[:, None, :] @ sums)[:, 0]
            square -= (shrink * pull**2).sum(axis=1)
            log_determinant += np.log1p(tau_group[:, None] ** 2 * total).sum(axis=1)
        factors = self.target.factors(psi)
        precision = gram * factors[:, :, None] * factors[:, None, :] + np.diag(self._prior_precision)
        right = cross * factors + self._prior_precision * self._prior_mean
        factor = np.linalg.cholesky(precision)
        mean = np.linalg.solve(precision, right[:, :, None])[:, :, 0]
        log_evidence = ((right * mean).sum(axis=1) - square - log_determinant) / 2
        log_evidence -= np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        return Conditional(mean, factor, log_evidence + self.target.log_scale_prior(psi))


def _normal_prior(item: Parameter) -> tuple[Array, Array]:
    """Return the mean and precision of each entry's prior, or of its normal approximation."""
    match item.prior:
        case Normal(mean=mean, sd=sd):
            precision = 1 / sd**2
        case StudentT(mean=mean, sd=sd):
            precision = 1 / (STUDENT_WIDTH * sd) ** 2
        case _:
            raise TypeError(f"{item.prior!r} is no prior of a coefficient")
    return np.full(item.size, mean), np.full(item.size, precision)
