"""Parameter draws in numpy: from the sampler's scale or from the prior, with derived quantities.

Draws map variable names to arrays with axes (chain, draw), followed by the variable's own.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from alkbayes.likelihood.links import inverse
from alkbayes.model.design import Design, EffectBlock, HeterogeneityBlock, Index, Structure, parameters
from alkbayes.model.parametrisation import (
    cohort_moments,
    empirical_predictors,
    group_moments,
    intercept_moments,
    positive_from_score,
    sampling_variance,
    score_scale,
)

type Array = NDArray[np.float64]
type Draws = dict[str, Array]


def from_unconstrained(design: Design, positions: Array) -> Draws:
    """Return the variables of :func:`complete` from the sampler's positions.

    `positions` has shape (chain, draw, parameter), in the order of :func:`alkbayes.model.design.parameters`.
    """
    raw: Draws = {}
    start = 0
    for parameter in parameters(design):
        piece = positions[..., start : start + parameter.size]
        raw[parameter.name] = piece[..., 0] if parameter.coords is None else piece
        start += parameter.size
        if parameter.support == "positive":
            raw[parameter.name] = positive_from_score(raw[parameter.name], score_scale(parameter.prior))
        elif parameter.support == "unit":
            raw[parameter.name] = expit(raw[parameter.name])
    return complete(design, _standardise(design, raw))


def from_prior(design: Design, *, rng: np.random.Generator, draws: int) -> Draws:
    """Return one chain of draws from the prior, as the variables of :func:`complete`."""
    free: Draws = {}
    # The intercept first, wherever the sampler has it, so that a seed's draws depend on the model alone.
    for parameter in sorted(parameters(design), key=lambda parameter: parameter.name != "alpha"):
        shape = (1, draws) if parameter.coords is None else (1, draws, parameter.size)
        free[parameter.name] = parameter.prior.draw(rng, shape)
    return complete(design, free)


def complete(design: Design, free: Mapping[str, Array]) -> Draws:
    """Return the free parameters plus the level effects, the cohorts' linear predictors `theta` and rates `p`."""
    draws = dict(free)
    for block in design.effects:
        if block.sd_prior is not None:
            draws[f"effect_{block.slug}"] = level_effects(block, draws)
    theta = linear_predictor(design, draws, {block.label: block.index for block in design.effects})
    for term in design.heterogeneity:
        if term.by is not None:
            draws[term.of_level] = level_taus(term, draws)
        theta = theta + unit_deviations(term, draws)[..., term.index]
    draws["theta"] = theta
    draws["p"] = inverse(design.link, theta)
    return draws


def level_effects(block: EffectBlock, draws: Mapping[str, Array]) -> Array:
    """Return level effects on the link's scale, last axis level; zero for the reference of a fixed effect."""
    if f"effect_{block.slug}" in draws:
        return draws[f"effect_{block.slug}"]
    effects = draws[block.free] @ block.basis.T
    return effects if block.sd_prior is None else draws[f"sd_{block.slug}"][..., None] * effects


def level_taus(term: HeterogeneityBlock, draws: Mapping[str, Array]) -> Array:
    """Return the tau of each level, last axis level; of a term whose units share one, this one."""
    tau = draws[f"tau_{term.slug}"][..., None]
    if term.by is None:
        return tau
    logs = draws[f"raw_tau_{term.slug}"] @ term.by.basis.T
    levels: Array = tau * np.exp(draws[f"spread_{term.slug}"][..., None] * logs)
    return levels


def unit_taus(term: HeterogeneityBlock, draws: Mapping[str, Array]) -> Array:
    """Return the tau of each unit, last axis unit, of length one if all share it."""
    taus = level_taus(term, draws)
    return taus if term.by is None else taus[..., term.by.of_unit]


def cohort_taus(term: HeterogeneityBlock, draws: Mapping[str, Array]) -> Array:
    """Return the tau of each cohort's unit, last axis cohort, of length one if all share it."""
    taus = unit_taus(term, draws)
    return taus if term.by is None else taus[..., term.index]


def unit_deviations(term: HeterogeneityBlock, draws: Mapping[str, Array]) -> Array:
    """Return each unit's deviation from the linear predictor, on the link's scale, last axis unit.

    A unit on its own deviates by the distance of its own intercept from alpha.
    """
    z = draws[f"z_{term.slug}"]
    deviations: Array = unit_taus(term, draws) * z
    if term.exnex is None:
        return deviations
    own = term.exnex.own.mean - draws["alpha"][..., None] + term.exnex.own.sd * z
    return np.where(draws[term.exchangeable] > 0, deviations, own)


def tau_draws(term: HeterogeneityBlock, draws: Mapping[str, Array]) -> dict[str, Array]:
    """Return tau, and if it differs by level the taus of the levels and the spread of their logs, by name."""
    found = {f"tau_{term.slug}": draws[f"tau_{term.slug}"]}
    if term.by is not None:
        taus = level_taus(term, draws)
        names = [f"tau_{term.slug}[{term.by.label} {level}]" for level in term.by.levels]
        found |= {name: taus[..., code] for code, name in enumerate(names)}
        found[f"spread_{term.slug}"] = draws[f"spread_{term.slug}"]
    return found


def linear_predictor(design: Structure, draws: Mapping[str, Array], levels: Mapping[str, Index]) -> Array:
    """Return the linear predictor at zero deviation, last axis profile.

    `draws` must have alpha and the effects; `levels` the level of each profile by effect label, shape (profile,).
    Without effects there is one profile for all cohorts.
    """
    size = len(next(iter(levels.values()))) if levels else len(design.cohorts)
    eta = np.repeat(draws["alpha"][..., None], size, axis=-1)
    for block in design.effects:
        eta += level_effects(block, draws)[..., levels[block.label]]
    return eta


def total_sd(design: Structure, draws: Mapping[str, Array]) -> Array:
    """Return the total heterogeneity SD on the scale of the link, axes (chain, draw).

    If it differs between levels, this is the root mean square over the cohorts.

    A Student t level contributes its scale, which is its tau everywhere.
    """
    total = np.zeros_like(draws["alpha"])
    for term in design.heterogeneity:
        total = total + (cohort_taus(term, draws) ** 2).mean(axis=-1)
    return np.sqrt(total)


def _standardise(design: Design, raw: Draws) -> Draws:
    """Replace the sampler's variables by the standardised deviations; the counterpart of `model.Conditioned`."""
    free = dict(raw)
    observed, variance = empirical_predictors(design)
    rho = free["rho"][..., None] if design.rho_prior is not None else None
    variance = sampling_variance(design.n, variance, rho)
    group, cohort = design.group, design.cohort
    tau_cohort = 0.0 if cohort is None else unit_taus(cohort, free)
    tau = 0.0 if group is None else unit_taus(group, free)
    groups = None if group is None else _Grouping(group)
    # The last axis of the group sums is the group, of length one for the taus: both broadcast.
    if not design.effects:
        by_group = None if groups is None else groups.sum
        mean, precision = intercept_moments(observed, variance, tau, tau_cohort, design.intercept_prior, by_group)
        free["alpha"] = mean + free["alpha"] / np.sqrt(precision)
    eta = linear_predictor(design, free, {block.label: block.index for block in design.effects})
    if group is not None and groups is not None:
        mean, precision = group_moments(observed - eta, variance, tau, tau_cohort, groups.sum)
        free[f"z_{group.slug}"] = mean + free[f"z_{group.slug}"] / np.sqrt(precision)
        eta = eta + cohort_taus(group, free) * free[f"z_{group.slug}"][..., group.index]
    if cohort is not None:
        mean, precision = cohort_moments(observed - eta, variance, tau_cohort)
        free[f"z_{cohort.slug}"] = mean + free[f"z_{cohort.slug}"] / np.sqrt(precision)
    return free


class _Grouping:
    """Sums over the cohorts of each group, along the last axis."""

    def __init__(self, group: HeterogeneityBlock) -> None:
        self._order = np.argsort(group.index, kind="stable")
        self._starts = np.searchsorted(group.index[self._order], np.arange(len(group.units)))

    def sum(self, values: Array) -> Array:
        """Return the sums, last axis group."""
        return np.add.reduceat(values[..., self._order], self._starts, axis=-1)
