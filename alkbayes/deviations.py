"""Draws of the standardised deviations of groups and cohorts given the global parameters.

Each comes from its own conditional density by inversion of the distribution function on a grid around its mode, not
from a normal approximation: first a group's v with its cohorts' deviations integrated out, then each cohort's w given
v. Between grid points the density is linear. The grid reaches to where the density has fallen by e^-22, which follows
from the curvature at the mode: the third derivative of the log density is at most tau times the second.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from alkbayes.integrand import LARGEST_EXPONENT, Array, find_mode, normal_start, rarer, rates
from alkbayes.marginal import NODES, Nodes, lay_out
from alkbayes.nested import Groups, outer_integrand

GRID = 129
"""Points of a cohort's grid. The linear density between them widens the draws' SD by one part in a thousand."""
COARSE = 21
"""Points at which a group's density and slope are integrated; cubics join their logarithms."""
FINE = 6
"""Pieces into which the cubics are cut for the inversion."""
DROP = 22.0
"""Fall of the log density from mode to edge of the grid."""


@dataclass(frozen=True, slots=True)
class Deviations:
    """Standardised deviations, one draw for each of S parameter values.

    Attributes
    ----------
    group
        Of each group in ascending order of its label, shape (S, G).
    cohort
        Of each cohort, shape (S, k).
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
    """Draw the deviations from their joint conditional distribution given each of S parameter values.

    Parameters
    ----------
    responders, n, eta, group, tau_group, tau_cohort, nodes
        As for :func:`alkbayes.marginal.log_marginal`. A deviation whose tau is 0 comes from its prior.
    rng
        The numbers of a draw depend on how the work is cut, so on S and k.
    """
    problem = lay_out(responders, n, eta, group, tau_group, tau_cohort)
    groups_of = problem.labels
    z_group = np.empty((len(problem.eta), int(groups_of.max()) + 1))
    z_cohort = np.empty(problem.eta.shape)
    for cohorts, rows in problem.singles():
        x, m, mu, tau = problem.single_parts(cohorts, rows)
        z = _draw_cohorts(x, m, mu, tau, rng)
        # Only tau_group v + tau_cohort w, this z of the two together, meets the data; across it they are a priori.
        still = tau == 0
        from_group = np.where(still, 0.0, problem.tau_group[rows] / np.where(still, 1.0, tau))
        from_cohort = np.where(still, 1.0, problem.tau_cohort[rows] / np.where(still, 1.0, tau))
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


def _reach(width: Array, tau: Array) -> Array:
    """Return how far from the mode the log density has fallen by `DROP`, at the latest.

    With y = tau z and a = tau width, the fall is at least (exp(-y) + y - 1) / a^2 >= y^2 / (2 + y) / a^2, and at least
    z^2 / 2, the prior's own.
    """
    widths = np.sqrt(2 * DROP) + DROP * np.abs(tau) * width
    reach: Array = np.minimum(np.sqrt(2 * DROP), widths * width)
    return reach


def _draw_cohorts(x: Array, m: Array, mu: Array, tau: Array, rng: np.random.Generator) -> Array:
    """Draw z of each integrand of :mod:`alkbayes.integrand` (all of one shape, contiguous)."""
    mode = find_mode(x, m, mu, tau, normal_start(x, m, mu, tau))
    p, q = rates(mu + tau * mode)
    reach = _reach(1 / np.sqrt(tau * tau * m * p * q + 1), tau)
    sign, counted, rate = rarer(x, m, p, q)
    shift = sign * tau * reach
    density = np.empty((GRID, *mode.shape))
    even = np.linspace(-1, 1, GRID)
    for place, t in enumerate(even.tolist()):
        distance = np.minimum(shift * t, LARGEST_EXPONENT)
        log = counted * distance - m * np.log1p(rate * np.expm1(distance)) - reach * t * (mode + reach * t / 2)
        np.exp(log, out=density[place])
    return mode + reach * _invert(density, rng)


def _draw_groups(groups: Groups, inner: int, rng: np.random.Generator) -> Array:
    """Draw each group's v with its cohorts' deviations integrated out, shape (group, S)."""
    outer = outer_integrand(groups, inner=inner)
    reach = _reach(outer.width, groups.tau_group)
    logs, slopes = [], []
    for t in np.linspace(-1, 1, COARSE).tolist():
        v = outer.mode + reach * t
        cohorts, d_mu, _ = outer.cohorts(v, nodes=inner, order=1)
        logs.append(outer.log_density(cohorts, v))
        slopes.append((groups.tau_group * groups.sum(d_mu) - v) * reach * (2 / (COARSE - 1)))
    top = np.max(logs, axis=0)
    density = [np.exp(logs[0] - top)]
    for place in range(COARSE - 1):
        rise = logs[place + 1] - logs[place]
        first, last = slopes[place], slopes[place + 1]
        for s in (np.arange(1, FINE + 1) / FINE).tolist():
            bend = (1 - s) * (first - rise) + s * (rise - last)
            density.append(np.exp(logs[place] + s * rise + s * (1 - s) * bend - top))
    return outer.mode + reach * _invert(np.array(density), rng)


def _invert(density: Array, rng: np.random.Generator) -> Array:
    """Draw from densities that are linear between evenly spaced points on [-1, 1], shape (point, ...) -> (...)."""
    points = len(density)
    flat = density.reshape(points, -1)
    below = np.zeros_like(flat)
    np.cumsum((flat[1:] + flat[:-1]) / 2, axis=0, out=below[1:])
    target = rng.random(flat.shape[1]) * below[-1]
    cell = np.minimum((below <= target).sum(axis=0) - 1, points - 2)
    column = np.arange(flat.shape[1])
    first, rest = flat[cell, column], target - below[cell, column]
    rise = flat[cell + 1, column] - first
    within = 2 * rest / (first + np.sqrt(np.maximum(first**2 + 2 * rise * rest, 0)) + 1e-300)
    drawn: Array = ((cell + np.minimum(within, 1.0)) * (2 / (points - 1)) - 1).reshape(density.shape[1:])
    return drawn
