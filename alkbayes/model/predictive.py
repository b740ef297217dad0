"""What the model says about data not seen: replicated responders, and the response rate of a cohort to come."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from alkbayes.likelihood.links import Link, inverse
from alkbayes.model.design import Design
from alkbayes.spec.priors import Normal, StudentT

type Array = NDArray[np.float64]

NEXT_COHORTS_PER_DRAW = 16
"""New cohorts for each posterior draw. They are stratified, so that their noise is small beside that of the draws."""


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """What a new cohort of a new trial draws from, besides its mean linear predictor.

    Attributes
    ----------
    taus
        Of each level, axes (draw,).
    priors
        Distribution of each level's standardised deviation.
    rho
        Intraclass correlation of a beta-binomial model, axes (draw,), or None.
    link
        The scale of the taus and of the linear predictor.
    """

    taus: tuple[Array, ...]
    priors: tuple[Normal | StudentT, ...]
    rho: Array | None
    link: Link = Link.LOGIT


def heterogeneity_of(design: Design, draws: Mapping[str, Array]) -> Heterogeneity:
    """Return what a new cohort draws from, chains and draws in one axis."""
    return Heterogeneity(
        taus=tuple(draws[f"tau_{term.label}"].ravel() for term in design.heterogeneity),
        priors=tuple(term.unit_prior for term in design.heterogeneity),
        rho=None if design.rho_prior is None else draws["rho"].ravel(),
        link=design.link,
    )


def replicate(design: Design, draws: Mapping[str, Array], *, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return replicated responders of the same cohorts, axes (chain, draw, cohort)."""
    return rng.binomial(design.n.astype(np.int64), response_rates(design, draws, rng=rng))


def response_rates(design: Design, draws: Mapping[str, Array], *, rng: np.random.Generator) -> Array:
    """Return rates that replicated responders are drawn with, axes (..., cohort), by no cohort's own responders.

    Of a binomial model these are the draws of `p`; in a beta-binomial one they vary about `p`.
    """
    p = draws["p"]
    return p if design.rho_prior is None else _beta(p, draws["rho"][..., None], rng)


def cohort_rates(design: Design, draws: Mapping[str, Array], *, rng: np.random.Generator) -> Array:
    """Return the response rate of each cohort of the table, axes (..., cohort).

    Of a binomial model these are the draws of `p`. In a beta-binomial model `p` is the mean of the distribution that a
    cohort's own rate is drawn from; given p, rho and its responders, the rate is beta again.
    """
    p = draws["p"]
    if design.rho_prior is None:
        return p
    size = (1 / draws["rho"] - 1)[..., None]
    return rng.beta(p * size + design.responders, (1 - p) * size + design.n - design.responders)


@dataclass(frozen=True, slots=True)
class NewCohorts:
    """What makes new cohorts of new trials differ, whichever profiles they have.

    Each has its own trial: new cohorts that shared one deviation would tell nothing of how new cohorts differ. Within
    each posterior draw the profiles and the deviations of each level are stratified (a Latin hypercube; McKay, Beckman
    and Conover 1979, doi:10.2307/1268522).

    Attributes
    ----------
    heterogeneity
        Of the same draws.
    uniform
        What a new cohort's profile is chosen by, in (0, 1), shape (draw, NEXT_COHORTS_PER_DRAW).
    deviations
        From the profile's mean linear predictor, of each level, in the same shape.
    """

    heterogeneity: Heterogeneity
    uniform: Array
    deviations: tuple[Array, ...]

    def predictors(self, predictors: Array, weights: Array) -> Array:
        """Return the linear predictors of new cohorts, shape (draw, NEXT_COHORTS_PER_DRAW).

        Parameters
        ----------
        predictors
            Mean linear predictor of each profile, shape (draw, profile).
        weights
            Of the profiles, shape (profile,), summing to one.
        """
        # The last edge is 1 up to rounding; the largest uniform number must not fall behind it.
        profile = np.minimum(np.searchsorted(np.cumsum(weights), self.uniform), len(weights) - 1)
        theta = np.take_along_axis(predictors, profile, axis=1)
        for deviation in self.deviations:
            theta = theta + deviation
        return theta

    def rates(self, predictors: Array, weights: Array, *, rng: np.random.Generator) -> Array:
        """Return the response rates of new cohorts, of the shape and by the parameters of :meth:`predictors`.

        In a beta-binomial model they are drawn, with `rng`, about what the profile and the deviations give.
        """
        p = inverse(self.heterogeneity.link, self.predictors(predictors, weights))
        rho = self.heterogeneity.rho
        return p if rho is None else _beta(p, rho[:, None], rng)


def new_cohorts(heterogeneity: Heterogeneity, count: int, *, rng: np.random.Generator) -> NewCohorts:
    """Return new cohorts of each of `count` draws."""
    uniform, deviations = _stratified(rng, count), []
    for tau, prior in zip(heterogeneity.taus, heterogeneity.priors, strict=True):
        level = _stratified(rng, count)
        unit = stdtrit(prior.nu, level) if isinstance(prior, StudentT) else ndtri(level)
        deviations.append(tau[:, None] * unit)
    return NewCohorts(heterogeneity, uniform, tuple(deviations))


def _stratified(rng: np.random.Generator, count: int) -> Array:
    """Uniform numbers, shape (count, NEXT_COHORTS_PER_DRAW), one in each stratum of every row, in random order."""
    strata = rng.permuted(np.tile(np.arange(NEXT_COHORTS_PER_DRAW), (count, 1)), axis=1)
    return (strata + rng.uniform(size=strata.shape)) / NEXT_COHORTS_PER_DRAW


def _beta(mean: Array, rho: Array, rng: np.random.Generator) -> Array:
    size = 1 / rho - 1
    tiny = np.finfo(np.float64).tiny
    return rng.beta(np.maximum(mean * size, tiny), np.maximum((1 - mean) * size, tiny))
