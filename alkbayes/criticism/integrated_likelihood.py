"""Likelihood of cohorts and trials given the others, with the deviations integrated out.

With a random effect for each observation, p(y_i | theta_i) is nearly uninformative on predictive accuracy, and
importance weights based on it are useless (Merkle, Furr and Rabe-Hesketh 2019, doi:10.1007/s11336-019-09679-0). With
phi the global parameters and L the likelihood with the deviations integrated out, the density of some cohorts A given
phi and all other cohorts is

    p(y_A | phi, y_-A) = L_T(phi) / L_{T without A}(phi),

T the cohorts of the groups that A touches, since groups are independent given phi. Left-out weights are its inverse, a
function of phi alone, of about ten dimensions.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from alkbayes.errors import UsageError
from alkbayes.inference.importance.target import Target, positions, unsupported
from alkbayes.model.design import Design, Index
from alkbayes.model.restriction import restricted

type Array = NDArray[np.float64]


def check_covered(design: Design, *, model: str) -> None:
    """Refuse a model whose deviations cannot be integrated out.

    Raises
    ------
    UsageError
        If the target of the quadrature engine does not cover the design.
    """
    if why := unsupported(design):
        raise UsageError(
            f"model {model!r} has {why}: the deviations of its trials and cohorts cannot be integrated out, and "
            "without that leaving out cohorts by importance weights is not to be trusted. Use a model that "
            "the quadrature engine covers."
        )


def log_likelihood_given_others(design: Design, draws: Mapping[str, Array], left_out: Sequence[Index]) -> Array:
    """Return log p(y_A | phi, y_-A) for some sets of cohorts A.

    Parameters
    ----------
    design
        A design covered by the target.
    draws
        Global parameters, axes (chain, draw, ...), from a posterior with or without A.
    left_out
        Positions of the cohorts of each A.

    Returns
    -------
    ndarray
        Logarithms, binomial coefficients included, shape (chain, draw, A).
    """
    integrated = _Integrated(design, draws)
    values = np.empty((*draws["alpha"].shape, len(left_out)))
    for place, cohorts in enumerate(left_out):
        touched = with_neighbours(design, cohorts)
        values[..., place] = integrated(touched) - integrated(np.setdiff1d(touched, cohorts))
    return values


def with_neighbours(design: Design, cohorts: Index) -> Index:
    """Return all cohorts that share a group with some of `cohorts`, including these, in ascending order."""
    if design.group is None:
        return np.sort(cohorts)
    return np.flatnonzero(np.isin(design.group.index, design.group.index[cohorts]))


class _Integrated:
    """log L of sets of cohorts for all draws, each computed once."""

    def __init__(self, design: Design, draws: Mapping[str, Array]) -> None:
        self._design = design
        self._shape = draws["alpha"].shape
        target = Target(design)
        self._psi, self._b = positions(target, draws)
        # As in the target: no cohort's restriction changes it.
        log_prior = target.log_scale_prior(self._psi)
        start = 0
        for item in target.coefficients:
            log_prior = log_prior + item.prior.log_density(self._b[:, start : start + item.size]).sum(axis=1)
            start += item.size
        self._log_prior = log_prior.reshape(self._shape)
        self._known: dict[tuple[int, ...], Array] = {}

    def __call__(self, cohorts: Index) -> Array:
        key = tuple(cohorts.tolist())
        if not key:
            return np.zeros(self._shape)
        if key not in self._known:
            density = Target(restricted(self._design, cohorts)).log_density(self._psi, self._b)
            self._known[key] = density.reshape(self._shape) - self._log_prior
        return self._known[key]
