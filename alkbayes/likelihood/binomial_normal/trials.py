"""Cohorts within groups: the integrand of each group's deviation v, with its cohorts' deviations w integrated out.

Internal arrays are (cohort, S) and (group, S), with the cohorts of a group adjacent: sums over a group then add rows.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alkbayes.likelihood.binomial_normal.cohort import (
    LARGEST_EXPONENT,
    MAX_STEPS,
    MODE_TOLERANCE,
    Array,
    find_mode,
    integrate,
    newton_step,
    rarer,
    rates,
    relative_log_likelihood,
)

CENTRING_NODES = 5
"""Inner nodes for the step from joint to outer mode; they affect only the centre of the quadrature."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Whole groups of cohorts at a set of parameter values.

    Attributes
    ----------
    responders, n, eta
        Shape (cohort, S), contiguous; `eta` is the linear predictor.
    tau_group, tau_cohort
        Shape (S,); `tau_cohort` (cohort, S) if it differs between cohorts.
    starts
        First cohort of each group, shape (group,).
    index
        Group of each cohort, shape (cohort,), ascending.
    """

    responders: Array
    n: Array
    eta: Array
    tau_group: Array
    tau_cohort: Array
    starts: NDArray[np.intp]
    index: NDArray[np.intp]

    def sum(self, values: Array) -> Array:
        """Return sums over the cohorts of each group, shape (group, S)."""
        return np.add.reduceat(values, self.starts, axis=0)

    def columns(self, chosen: NDArray[np.intp]) -> "Groups":
        """Return the same groups at selected parameter values."""
        return Groups(
            self.responders[:, chosen],
            self.n[:, chosen],
            self.eta[:, chosen],
            self.tau_group[chosen],
            self.tau_cohort[..., chosen],
            self.starts,
            self.index,
        )


@dataclass(frozen=True, slots=True)
class Outer:
    """Integrand of each group's deviation, ready to be evaluated around its mode.

    Attributes
    ----------
    groups
        Groups integrated over.
    mode, width
        Mode and width of the integrand in v, shape (group, S).
    reference
        Binomial log-likelihood at `logit`, relative to the observed rates and summed by group, shape (group, S).
    logit
        Reference logits, shape (cohort, S).
    sign, counted, rate
        The rarer outcome there (:func:`alkbayes.likelihood.binomial_normal.cohort.rarer`), shape (cohort, S).
    v, w
        Deviations there: the joint mode.
    slope
        Derivative of the mode of w by the linear predictor, shape (cohort, S).
    """

    groups: Groups
    mode: Array
    width: Array
    reference: Array
    logit: Array
    sign: Array
    counted: Array
    rate: Array
    v: Array
    w: Array
    slope: Array

    def pairs(self, group: NDArray[np.intp], column: NDArray[np.intp]) -> "Outer":
        """Return the integrands of pairs of group and parameter value, as separate groups in one column.

        Their taus have one row per group or cohort, where others have one number per column.
        """
        groups = self.groups
        ends = np.append(groups.starts[1:], groups.index.size)
        sizes = (ends - groups.starts)[group]
        starts = np.cumsum(sizes) - sizes
        index = np.repeat(np.arange(group.size), sizes)
        cohort = np.arange(index.size) + np.repeat(groups.starts[group] - starts, sizes)
        place = column[index]

        def by_group(values: Array) -> Array:
            picked: Array = values[group, column][:, None]
            return picked

        def by_cohort(values: Array) -> Array:
            picked: Array = values[cohort, place][:, None]
            return picked

        return Outer(
            groups=Groups(
                responders=by_cohort(groups.responders),
                n=by_cohort(groups.n),
                eta=by_cohort(groups.eta),
                tau_group=groups.tau_group[column][:, None],
                tau_cohort=by_cohort(np.broadcast_to(groups.tau_cohort, groups.eta.shape)),
                starts=starts,
                index=index,
            ),
            mode=by_group(self.mode),
            width=by_group(self.width),
            reference=by_group(self.reference),
            logit=by_cohort(self.logit),
            sign=by_cohort(self.sign),
            counted=by_cohort(self.counted),
            rate=by_cohort(self.rate),
            v=by_group(self.v),
            w=by_cohort(self.w),
            slope=by_cohort(self.slope),
        )

    def cohorts(self, v: Array, *, nodes: int, order: int) -> tuple[Array, ...]:
        """Return each cohort's integral over w given v, minus its reference, and its derivatives, each (cohort, S)."""
        groups = self.groups
        mu = groups.eta + (groups.tau_group * v)[groups.index]
        if nodes == 1 and not groups.tau_cohort.any():
            tau, mode = np.zeros_like(mu), np.zeros_like(mu)
        else:
            tau = np.broadcast_to(groups.tau_cohort, mu.shape).copy()
            start = self.w + self.slope * (groups.tau_group * (v - self.v))[groups.index]
            mode = find_mode(groups.responders, groups.n, mu, tau, start)
        value, *derivatives = integrate(groups.responders, groups.n, mu, tau, mode, nodes=nodes, order=order)
        distance = self.sign * (mu + tau * mode - self.logit)
        value += self.counted * distance
        np.minimum(distance, LARGEST_EXPONENT, out=distance)
        value -= groups.n * np.log1p(self.rate * np.expm1(distance))
        return value, *derivatives

    def log_density(self, cohorts: Array, v: Array) -> Array:
        """Return the log integrand at v from the values of `cohorts`, without the constant of its prior."""
        return self.groups.sum(cohorts) - v * v / 2


def outer_integrand(groups: Groups, *, inner: int) -> Outer:
    """Find the modes of the groups' integrands.

    The normal approximation gives the joint mode of v and all w of a group; one Newton step follows, with w integrated
    out by `CENTRING_NODES` (or `inner`, if fewer) nodes.
    """
    v, w = joint_mode(groups)
    tau_group, tau_cohort = groups.tau_group, groups.tau_cohort
    logit = groups.eta + (tau_group * v)[groups.index] + tau_cohort * w
    p, q = rates(logit)
    information = groups.n * p * q
    sign, counted, rate = rarer(groups.responders, groups.n, p, q)
    curvature = tau_cohort**2 * information + 1
    width = 1 / np.sqrt(tau_group**2 * groups.sum(information / curvature) + 1)
    at = Outer(
        groups=groups,
        mode=v,
        width=width,
        reference=groups.sum(relative_log_likelihood(groups.responders, groups.n, logit)),
        logit=logit,
        sign=sign,
        counted=counted,
        rate=rate,
        v=v,
        w=w,
        slope=-tau_cohort * information / curvature,
    )
    if inner == 1:
        return at
    _, d_mu, _, d_mu_mu, _, _ = at.cohorts(v, nodes=min(inner, CENTRING_NODES), order=2)
    curvature = np.maximum(1 - tau_group**2 * groups.sum(d_mu_mu), 1.0)
    step = (tau_group * groups.sum(d_mu) - v) / curvature
    return replace(at, mode=v + step * newton_step(np.abs(tau_group * step)), width=1 / np.sqrt(curvature))


def _joint_start(groups: Groups) -> tuple[Array, Array]:
    """Return the joint mode under the normal approximation to the cohorts' likelihoods."""
    yes, no = groups.responders + 0.5, groups.n - groups.responders + 0.5
    variance, residual = 1 / yes + 1 / no, np.log(yes / no) - groups.eta
    weight = 1 / (variance + groups.tau_cohort**2)
    tau = groups.tau_group
    v = tau * groups.sum(weight * residual) / (1 + tau**2 * groups.sum(weight))
    return v, groups.tau_cohort * weight * (residual - (tau * v)[groups.index])


def joint_mode(groups: Groups, *, tolerance: float = MODE_TOLERANCE) -> tuple[Array, Array]:
    """Return the joint mode of the deviations, v of shape (group, S) and w of shape (cohort, S).

    Damped Newton steps use the Schur complement for v, as the w share nothing else. They continue for parameter values
    at which a group has not converged.
    """
    v, w = _joint_start(groups)
    left = np.arange(v.shape[1])
    at, here_v, here_w = groups, v, w
    for _ in range(MAX_STEPS):
        tau_group, tau_cohort = at.tau_group, at.tau_cohort
        p, q = rates(at.eta + (tau_group * here_v)[at.index] + tau_cohort * here_w)
        score = at.responders - at.n * p
        information = at.n * p * q
        slope_w = tau_cohort * score - here_w
        curvature = tau_cohort**2 * information + 1
        outer = tau_group**2 * at.sum(information / curvature) + 1
        slope_v = tau_group * at.sum(score - tau_cohort * information * slope_w / curvature) - here_v
        step_v = slope_v / outer
        shift = (tau_group * step_v)[at.index]
        step_w = (slope_w - tau_cohort * information * shift) / curvature
        longest = np.maximum.reduceat(np.abs(shift + tau_cohort * step_w), at.starts, axis=0)
        share = newton_step(longest)
        here_v = here_v + share * step_v
        here_w = here_w + share[at.index] * step_w
        decrement = step_v**2 * outer + at.sum(slope_w**2 / curvature)
        far = (decrement > tolerance**2).any(axis=0)
        if not far.all():
            v[:, left[~far]], w[:, left[~far]] = here_v[:, ~far], here_w[:, ~far]
            left, chosen = left[far], np.flatnonzero(far)
            at, here_v, here_w = at.columns(chosen), here_v[:, chosen], here_w[:, chosen]
        if left.size == 0:
            break
    v[:, left], w[:, left] = here_v, here_w
    return v, w
