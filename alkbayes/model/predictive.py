"""Predictive draws: replicated responders, and the response rate of a future cohort."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from alkbayes.likelihood.links import Link, inverse
from alkbayes.model.design import Design, Exnex, HeterogeneityBlock, level_codes
from alkbayes.model.draws import level_taus
from alkbayes.spec.priors import Normal, StudentT

type Array = NDArray[np.float64]

NEXT_COHORTS_PER_DRAW = 16
"""New cohorts per posterior draw, stratified so that their noise is small compared with that of the draws."""


@dataclass(frozen=True, slots=True)
class OnTheirOwn:
    """New units that are on their own with a probability.

    Attributes
    ----------
    exnex
        The prior of such a unit's intercept, and the probability that a new unit is exchangeable instead.
    alpha
        Intercept of exchangeable units, shape (draw,).
    """

    exnex: Exnex
    alpha: Array


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Distribution of a new cohort in a new trial around its mean linear predictor.

    Attributes
    ----------
    taus
        Tau of each level of heterogeneity, axes (draw,), or (draw, profile) if it differs between profiles.
    priors
        Distribution of each level's standardised deviation.
    rho
        Intraclass correlation of a beta-binomial model, axes (draw,), or None.
    link
        Scale of the taus and of the linear predictor.
    own
        New units on their own, or None if all are exchangeable. Expected rates are those of exchangeable units.
    """

    taus: tuple[Array, ...]
    priors: tuple[Normal | StudentT, ...]
    rho: Array | None
    link: Link = Link.LOGIT
    own: OnTheirOwn | None = None

    def over(self, profiles: NDArray[np.intp] | NDArray[np.bool_]) -> "Heterogeneity":
        """Return the distribution for some of the profiles."""
        return replace(self, taus=tuple(tau if tau.ndim == 1 else tau[:, profiles] for tau in self.taus))


def heterogeneity_of(
    design: Design, draws: Mapping[str, Array], profiles: Mapping[str, NDArray[np.str_]] | None = None
) -> Heterogeneity:
    """Return the distribution of new cohorts, with chains and draws in one axis.

    `profiles` has the level of each profile by column, by default of each cohort of the table; it matters only for
    heterogeneity that differs by level.
    """
    by_column = design.profiles if profiles is None else profiles
    exnex = None if design.exnex is None else design.exnex.exnex
    return Heterogeneity(
        taus=tuple(_tau_of(term, draws, by_column) for term in design.heterogeneity),
        priors=tuple(term.unit_prior for term in design.heterogeneity),
        rho=None if design.rho_prior is None else draws["rho"].ravel(),
        link=design.link,
        own=None if exnex is None else OnTheirOwn(exnex, draws["alpha"].ravel()),
    )


def _tau_of(term: HeterogeneityBlock, draws: Mapping[str, Array], profiles: Mapping[str, NDArray[np.str_]]) -> Array:
    if term.by is None:
        return draws[f"tau_{term.slug}"].ravel()
    taus = level_taus(term, draws)
    return taus.reshape(-1, taus.shape[-1])[:, level_codes(term.by.levels, (term.by.column,), profiles)]


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
        Standardised deviations from the profile's mean linear predictor by level of heterogeneity, same shape.
    exchangeable
        Whether each is of an exchangeable unit, same shape; None if all are.
    """

    heterogeneity: Heterogeneity
    uniform: Array
    deviations: tuple[Array, ...]
    exchangeable: NDArray[np.bool_] | None = None

    def over(self, heterogeneity: Heterogeneity) -> "NewCohorts":
        """Return the same new cohorts for other profiles, whose heterogeneity this is."""
        return replace(self, heterogeneity=heterogeneity)

    def predictors(self, predictors: Array, weights: Array) -> Array:
        """Return the linear predictors of new cohorts, shape (draw, NEXT_COHORTS_PER_DRAW).

        `predictors` has the mean linear predictor of each profile, shape (draw, profile), and `heterogeneity` their
        taus; `weights`, shape (profile,), sum to one.
        """
        # The last edge is 1 up to rounding; the largest uniform number must not exceed it.
        profile = np.minimum(np.searchsorted(np.cumsum(weights), self.uniform), len(weights) - 1)
        theta = np.take_along_axis(predictors, profile, axis=1)
        for tau, deviation in zip(self.heterogeneity.taus, self.deviations, strict=True):
            at = tau[:, None] if tau.ndim == 1 else np.take_along_axis(tau, profile, axis=1)
            deviations = at * deviation
            own = self.heterogeneity.own
            if own is not None and self.exchangeable is not None:
                alone = own.exnex.own.mean - own.alpha[:, None] + own.exnex.own.sd * deviation
                deviations = np.where(self.exchangeable, deviations, alone)
            theta = theta + deviations
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
    for prior in heterogeneity.priors:
        level = _stratified(rng, count)
        deviations.append(stdtrit(prior.nu, level) if isinstance(prior, StudentT) else ndtri(level))
    own = heterogeneity.own
    exchangeable = None if own is None else _stratified(rng, count) < own.exnex.of_new
    return NewCohorts(heterogeneity, uniform, tuple(deviations), exchangeable)


def _stratified(rng: np.random.Generator, count: int) -> Array:
    """Return uniform numbers, (count, NEXT_COHORTS_PER_DRAW), one per stratum of each row in random order."""
    strata = rng.permuted(np.tile(np.arange(NEXT_COHORTS_PER_DRAW), (count, 1)), axis=1)
    return (strata + rng.uniform(size=strata.shape)) / NEXT_COHORTS_PER_DRAW


def _beta(mean: Array, rho: Array, rng: np.random.Generator) -> Array:
    size = 1 / rho - 1
    tiny = np.finfo(np.float64).tiny
    return rng.beta(np.maximum(mean * size, tiny), np.maximum((1 - mean) * size, tiny))
