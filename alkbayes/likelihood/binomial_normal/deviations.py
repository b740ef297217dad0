"""Draws of the standardised deviations of groups and cohorts given the global parameters.

Draws are exact, not from a normal approximation: first a group's v with its cohorts' deviations integrated out, then
each cohort's w given v. Both densities are log-concave (the first as the marginal of a log-concave joint density;
Prékopa 1973), so rejection needs few evaluations: see :mod:`alkbayes.likelihood.binomial_normal.log_concave`. The
density of v is known up to the quadrature error.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from alkbayes.likelihood.binomial_normal.cohort import LARGEST_EXPONENT, Array, find_mode, normal_start, rarer, rates
from alkbayes.likelihood.binomial_normal.log_concave import REACH, draw_log_concave
from alkbayes.likelihood.binomial_normal.marginal import NODES, Nodes, lay_out
from alkbayes.likelihood.binomial_normal.trials import Groups, outer_integrand

type Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Deviations:
    """Standardised deviations, one draw for each of S parameter values.

    Attributes
    ----------
    group
        Group deviations in ascending order of label, shape (S, G).
    cohort
        Cohort deviations, shape (S, k).
    """

    group: Array
    cohort: Array


def draw_deviations(
    responders: Array,
    n: Array,
    *,
    eta: Array,
    rng: np.random.Generator,
    group: NDArray[np.integer] | None = None,
    tau_group: npt.ArrayLike = 0.0,
    tau_cohort: npt.ArrayLike = 0.0,
    nodes: Nodes = NODES,
) -> Deviations:
    """Draw the deviations from their joint conditional distribution at each of S parameter values.

    Parameters
    ----------
    responders, n, eta, group, tau_group, tau_cohort, nodes
        As for :func:`alkbayes.likelihood.binomial_normal.marginal.log_marginal`. A deviation with tau = 0 keeps its
        prior.
    rng
        Random generator; the draws depend on how the work is cut, so on S and k.
    """
    problem = lay_out(responders, n, eta, group, tau_group, tau_cohort)
    groups_of = problem.labels
    z_group = np.empty((len(problem.eta), int(groups_of.max()) + 1))
    z_cohort = np.empty(problem.eta.shape)
    for cohorts, rows in problem.singles():
        x, m, mu, tau = problem.single_parts(cohorts, rows)
        z = _draw_cohorts(x, m, mu, tau, rng)
        # The data depend only on tau_group v + tau_cohort w, the z of both; orthogonal to it they keep their prior.
        still = tau == 0
        from_group = np.where(still, 0.0, problem.tau_group[rows] / np.where(still, 1.0, tau))
        from_cohort = np.where(still, 1.0, problem.cohort_sd(cohorts, rows) / np.where(still, 1.0, tau))
        across = rng.standard_normal(z.shape)
        z_group[rows, groups_of[cohorts]] = (from_group * z + from_cohort * across).T
        z_cohort[rows, cohorts] = (from_cohort * z - from_group * across).T
    for cohorts, rows, groups in problem.families():
        v = _draw_groups(groups, nodes.inner if groups.tau_cohort.any() else 1, rng)
        z_group[rows, groups_of[cohorts[groups.starts]]] = v.T
        mu = groups.eta + (groups.tau_group * v)[groups.index]
        tau = np.broadcast_to(groups.tau_cohort, mu.shape).copy()
        z_cohort[rows, cohorts] = _draw_cohorts(groups.responders, groups.n, mu, tau, rng).T
    return Deviations(z_group, z_cohort)


def _draw_cohorts(x: Array, m: Array, mu: Array, tau: Array, rng: np.random.Generator) -> Array:
    """Draw z of each integrand of :mod:`alkbayes.likelihood.binomial_normal.cohort` (all contiguous, of one shape)."""
    mode = find_mode(x, m, mu, tau, normal_start(x, m, mu, tau))
    p, q = rates(mu + tau * mode)
    sign, counted, rate = rarer(x, m, p, q)
    counted, n, rate, scale, centre = (each.ravel() for each in (counted, m, rate, sign * tau, mode))

    def log_density(away: Array, chosen: Index | None) -> Array:
        """Return the log density at a distance from the mode, relative to the mode."""
        parts = (counted, n, rate, scale, centre)
        y, size, share, per_z, middle = parts if chosen is None else (each[chosen] for each in parts)
        distance = np.minimum(per_z * away, LARGEST_EXPONENT)
        density: Array = y * distance - size * np.log1p(share * np.expm1(distance)) - away * (middle + away / 2)
        return density

    def slope(away: Array) -> Array:
        odds = rate * np.exp(np.minimum(scale * away, LARGEST_EXPONENT))
        at: Array = scale * (counted - n * odds / (1 - rate + odds)) - centre - away
        return at

    width = REACH / np.sqrt(scale * scale * n * rate * (1 - rate) + 1)
    places = (-width, np.zeros_like(width), width)
    tangents = tuple((away, log_density(away, None), slope(away)) for away in places)
    return mode + draw_log_concave(tangents, log_density, rng).reshape(mode.shape)


def _draw_groups(groups: Groups, inner: int, rng: np.random.Generator) -> Array:
    """Draw each group's v, with its cohorts' deviations integrated out, shape (group, S)."""
    outer = outer_integrand(groups, inner=inner)
    tangents = []
    for reach in (-REACH, 0.0, REACH):
        away = reach * outer.width
        cohorts, d_mu, _ = outer.cohorts(outer.mode + away, nodes=inner, order=1)
        slope = groups.tau_group * groups.sum(d_mu) - outer.mode - away
        tangents.append((away.ravel(), outer.log_density(cohorts, outer.mode + away).ravel(), slope.ravel()))

    def log_density(away: Array, chosen: Index | None) -> Array:
        """Return the log density at a distance from the mode."""
        at = outer if chosen is None else outer.pairs(*np.divmod(chosen, outer.mode.shape[1]))
        v = at.mode + away.reshape(at.mode.shape)
        (cohorts,) = at.cohorts(v, nodes=inner, order=0)
        density: Array = at.log_density(cohorts, v).ravel()
        return density

    return outer.mode + draw_log_concave(tuple(tangents), log_density, rng).reshape(outer.mode.shape)
