"""Predictive draws: replicated responders, and the response rate of a future cohort."""

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
"""New cohorts per posterior draw, stratified so that their noise is small compared with that of the draws."""


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Distribution of a new cohort in a new trial around its mean linear predictor.

    Attributes
    ----------
    taus
        Tau of each level, axes (draw,).
    priors
        Distribution of each level's standardised deviation.
    rho
        Intraclass correlation of a beta-binomial model, axes (draw,), or None.
    link
        Scale of the taus and of the linear predictor.
    """

    taus: tuple[Array, ...]
    priors: tuple[Normal | StudentT, ...]
    rho: Array | None
    link: Link = Link.LOGIT


def heterogeneity_of(design: Design, draws: Mapping[str, Array]) -> Heterogeneity:
    """Return the distribution of new cohorts, with chains and draws in one axis."""
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
    """Return the rates of replicated responders, axes (..., cohort), without use of the cohorts' own responders.

    A binomial model's are the draws of `p`; a beta-binomial's vary around `p`.
    """
    p = draws["p"]
    return p if design.rho_prior is None else _beta(p, draws["rho"][..., None], rng)


def cohort_rates(design: Design, draws: Mapping[str, Array], *, rng: np.random.Generator) -> Array:
    """Return the response rate of each cohort of the table, axes (..., cohort).

    A binomial model's are the draws of `p`. In a beta-binomial model `p` is the mean of the distribution of the
    cohort's rate; given p, rho and its responders, the rate is again beta.
    """
    p = draws["p"]
    if design.rho_prior is None:
        return p
    size = (1 / draws["rho"] - 1)[..., None]
    return rng.beta(p * size + design.responders, (1 - p) * size + design.n - design.responders)


@dataclass(frozen=True, slots=True)
class NewCohorts:
    """Deviations of new cohorts in new trials, whatever their profiles.

    Each has a trial of its own: a shared deviation would hide how new cohorts differ. Within each posterior draw,
    profiles and deviations of each level are stratified (Latin hypercube; McKay, Beckman and Conover 1979,
    doi:10.2307/1268522).

    Attributes
    ----------
    heterogeneity
        Heterogeneity in the same draws.
    uniform
        Uniform numbers that select a new cohort's profile, shape (draw, NEXT_COHORTS_PER_DRAW).
    deviations
        Deviations from the profile's mean linear predictor by level, same shape.
    """

    heterogeneity: Heterogeneity
    uniform: Array
    deviations: tuple[Array, ...]

    def predictors(self, predictors: Array, weights: Array) -> Array:
        """Return the linear predictors of new cohorts, shape (draw, NEXT_COHORTS_PER_DRAW).

        `predictors` has the mean linear predictor of each profile, shape (draw, profile); `weights`, shape (profile,),
        sum to one.
        """
        # The last edge is 1 up to rounding; the largest uniform number must not exceed it.
        profile = np.minimum(np.searchsorted(np.cumsum(weights), self.uniform), len(weights) - 1)
        theta = np.take_along_axis(predictors, profile, axis=1)
        for deviation in self.deviations:
            theta = theta + deviation
        return theta

    def rates(self, predictors: Array, weights: Array, *, rng: np.random.Generator) -> Array:
        """Return the response rates of new cohorts; shape and parameters are those of :meth:`predictors`.

        In a beta-binomial model they are drawn around the cohort's mean rate with `rng`.
        """
        p = inverse(self.heterogeneity.link, self.predictors(predictors, weights))
        rho = self.heterogeneity.rho
        return p if rho is None else _beta(p, rho[:, None], rng)


def new_cohorts(heterogeneity: Heterogeneity, count: int, *, rng: np.random.Generator) -> NewCohorts:
    """Return the new cohorts of `count` draws."""
    uniform, deviations = _stratified(rng, count), []
    for tau, prior in zip(heterogeneity.taus, heterogeneity.priors, strict=True):
        level = _stratified(rng, count)
        unit = stdtrit(prior.nu, level) if isinstance(prior, StudentT) else ndtri(level)
        deviations.append(tau[:, None] * unit)
    return NewCohorts(heterogeneity, uniform, tuple(deviations))


def _stratified(rng: np.random.Generator, count: int) -> Array:
    """Return uniform numbers, (count, NEXT_COHORTS_PER_DRAW), one per stratum of each row in random order."""
    strata = rng.permuted(np.tile(np.arange(NEXT_COHORTS_PER_DRAW), (count, 1)), axis=1)
    return (strata + rng.uniform(size=strata.shape)) / NEXT_COHORTS_PER_DRAW


def _beta(mean: Array, rho: Array, rng: np.random.Generator) -> Array:
    size = 1 / rho - 1
    tiny = np.finfo(np.float64).tiny
    return rng.beta(np.maximum(mean * size, tiny), np.maximum((1 - mean) * size, tiny))
