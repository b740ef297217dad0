"""The groups of a fit as an ArviZ DataTree with named coordinates."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from alkbayes.model.densities import log_likelihood, log_prior
from alkbayes.model.design import Design, parameters
from alkbayes.model.draws import Draws, from_prior
from alkbayes.model.predictive import replicate
from alkbayes.vocabulary import slug_of

PRIOR_DRAWS = 1000
OUTCOME = "responders"
LONG_NAME = "long_name"
"""Attribute of a variable: its name for a reader (CF conventions)."""


def build_tree(
    design: Design, draws: Draws, stats: Mapping[str, NDArray[Any]], *, seed: int, attributes: Mapping[str, str]
) -> xr.DataTree:
    """Return all groups of a fit.

    Parameters
    ----------
    draws
        Posterior draws, the variables of :func:`alkbayes.model.draws.complete`.
    stats
        Statistics of the engine, under ArviZ's names if it has them, each of shape (chain, draw).
    seed
        Random seed for the draws of the prior and of both predictive distributions.
    attributes
        Attributes of the root and of the posterior.

    Returns
    -------
    xarray.DataTree
        Groups posterior, sample_stats, prior, prior_predictive, posterior_predictive, log_likelihood, log_prior,
        observed_data and constant_data.
    """
    prior_rng, prior_predictive_rng, predictive_rng = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)
    )
    prior = from_prior(design, rng=prior_rng, draws=PRIOR_DRAWS)
    groups = {
        "posterior": _dataset(design, draws),
        "sample_stats": _dataset(design, stats),
        "prior": _dataset(design, prior),
        "prior_predictive": _dataset(design, {OUTCOME: replicate(design, prior, rng=prior_predictive_rng)}),
        "posterior_predictive": _dataset(design, {OUTCOME: replicate(design, draws, rng=predictive_rng)}),
        "log_likelihood": _dataset(design, {OUTCOME: log_likelihood(design, draws)}),
        "log_prior": _dataset(design, log_prior(design, draws)),
        "observed_data": xr.Dataset(
            {OUTCOME: ("cohort", design.responders.astype(np.int64))}, coords={"cohort": list(design.cohorts)}
        ),
        "constant_data": _constant_data(design),
    }
    tree = xr.DataTree.from_dict(groups)
    tree.attrs |= dict(attributes)
    tree["posterior"].attrs |= dict(attributes)
    return tree


def dimensions(design: Design) -> dict[str, tuple[str, ...]]:
    """Return the dimensions of each variable after chain and draw."""
    dims: dict[str, tuple[str, ...]] = {
        parameter.name: () if parameter.dim is None else (parameter.dim,) for parameter in parameters(design)
    }
    dims |= {f"effect_{block.slug}": (block.slug,) for block in design.effects}
    dims |= {term.of_level: (f"{term.of_level}_level",) for term in design.heterogeneity if term.by is not None}
    return dims | {"theta": ("cohort",), "p": ("cohort",), OUTCOME: ("cohort",)}


def _coordinates(design: Design) -> dict[str, list[str]]:
    coords = {"cohort": list(design.cohorts)}
    for block in design.effects:
        coords |= {block.slug: list(block.levels), f"{block.slug}_contrast": list(block.free_coords)}
    for term in design.heterogeneity:
        if term.by is not None:
            coords[f"{term.of_level}_level"] = list(term.by.levels)
            coords[f"tau_{term.slug}_contrast"] = list(term.by.free_coords)
    if design.group is not None:
        coords[design.group.slug] = list(design.group.units)
    return coords


def _dataset(design: Design, variables: Mapping[str, NDArray[Any]]) -> xr.Dataset:
    dims, coords = dimensions(design), _coordinates(design)
    arrays: dict[str, tuple[tuple[str, ...], NDArray[Any], dict[str, str]]] = {
        name: (("chain", "draw", *dims.get(name, ())), values, _attributes(design, name))
        for name, values in variables.items()
    }
    used = {dim for axes, _, _ in arrays.values() for dim in axes}
    chains, draws = next(iter(variables.values())).shape[:2]
    index = {"chain": np.arange(chains), "draw": np.arange(draws)}
    return xr.Dataset(arrays, coords=index | {dim: values for dim, values in coords.items() if dim in used})


def _attributes(design: Design, variable: str) -> dict[str, str]:
    """Return the name of a variable in words, as netCDF's conventions have it, where it differs."""
    words = design.in_words(variable)
    return {} if words == variable else {LONG_NAME: words}


def long_name(variable: xr.DataArray) -> str:
    """Return the name of a variable for a reader."""
    return str(variable.attrs.get(LONG_NAME, variable.name))


def _constant_data(design: Design) -> xr.Dataset:
    variables: dict[str, tuple[str, NDArray[Any]]] = {"n": ("cohort", design.n.astype(np.int64))}
    for column, values in design.covariates.items():
        variables[slug_of(column)] = ("cohort", values)
    if design.group is not None:
        variables[f"{slug_of(design.group.unit)}_of_cohort"] = (
            "cohort",
            np.array(design.group.units)[design.group.index],
        )
    return xr.Dataset(variables, coords={"cohort": list(design.cohorts)})
