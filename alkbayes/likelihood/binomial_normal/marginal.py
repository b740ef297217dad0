"""Marginal likelihood of the global parameters, with the random effects of trials and cohorts integrated out.

For each value phi = (eta, tau_group, tau_cohort),

    L(phi) = prod_groups int N(v) prod_{cohorts i} [ int Binomial(y_i; n_i, expit(theta_i)) N(w) dw ] dv

with theta_i = eta_i + tau_group v + tau_cohort w and N the standard normal density. Both levels use adaptive
quadrature: see :mod:`alkbayes.likelihood.binomial_normal.cohort` and :mod:`alkbayes.likelihood.binomial_normal.trials`.
A group of one cohort needs a single integral with tau^2 = tau_group^2 + tau_cohort^2, exactly. The work, linear in
parameter values and in cohorts, is cut into pieces that stay in the processor's cache.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray
from scipy.special import gammaln

from alkbayes.likelihood.binomial_normal.cohort import (
    Array,
    find_mode,
    hermite,
    integrate,
    normal_start,
    relative_log_likelihood,
    saturated,
)
from alkbayes.likelihood.binomial_normal.trials import Groups, outer_integrand

PIECE = 16_384
"""Cohorts times parameter values per piece."""
ACROSS = 128
"""Minimum parameter values per piece, where there are so many and no group is too large."""


class Nodes(NamedTuple):
    """Quadrature nodes: `outer` for a group or a stand-alone cohort, `inner` for cohorts within a group."""

    outer: int
    inner: int


NODES = Nodes(outer=13, inner=11)
"""Error of log L below 1e-6 on the bundled evidence wherever the posterior has mass (tested)."""


@dataclass(frozen=True, slots=True)
class CohortMarginal:
    """Log-likelihood of each cohort with the random effect integrated out, and its derivatives.

    Attributes
    ----------
    value
        Log-likelihood without the binomial coefficient, relative to the cohort's saturated fit: at most 0.
    d_mu, d_tau
        First derivatives by the mean logit and by tau.
    d_mu_mu, d_mu_tau, d_tau_tau
        Second derivatives.
    """

    value: Array
    d_mu: Array
    d_tau: Array
    d_mu_mu: Array
    d_mu_tau: Array
    d_tau_tau: Array


@dataclass(frozen=True, slots=True)
class Marginal:
    """Marginal log-likelihood and its gradient at S parameter values.

    Attributes
    ----------
    value
        log L, binomial coefficients included, shape (S,).
    d_eta
        Derivatives by each cohort's linear predictor, shape (S, k).
    d_tau_group, d_tau_cohort
        Derivatives by the two SDs, shape (S,).
    """

    value: Array
    d_eta: Array
    d_tau_group: Array
    d_tau_cohort: Array


@dataclass(frozen=True, slots=True)
class Problem:
    """Data and parameter values of one call, checked and in float64.

    Attributes
    ----------
    responders, n
        Shape (k,).
    eta
        Linear predictor on the logit scale, shape (S, k).
    tau_group, tau_cohort
        Shape (S,); `tau_cohort` (S, k) if it differs between cohorts.
    alone
        Cohorts with a single integral (or none), shape (a,).
    grouped
        All other cohorts, ordered by group, shape (k - a,).
    labels
        Group of each cohort, numbered from 0, shape (k,).
    """

    responders: Array
    n: Array
    eta: Array
    tau_group: Array
    tau_cohort: Array
    alone: NDArray[np.intp]
    grouped: NDArray[np.intp]
    labels: NDArray[np.intp]

    def singles(self) -> Iterator[tuple[NDArray[np.intp], slice]]:
        """Yield pieces of stand-alone cohorts: their positions and a slice of parameter values."""
        across = max(1, min(len(self.eta), max(ACROSS, PIECE // max(1, self.alone.size))))
        step = max(1, PIECE // across)
        for start in range(0, self.alone.size, step):
            yield from ((self.alone[start : start + step], rows) for rows in _slices(len(self.eta), across))

    def families(self) -> Iterator[tuple[NDArray[np.intp], slice, Groups]]:
        """Yield pieces of whole groups: positions of cohorts, a slice of parameter values, and the groups at these."""
        if self.grouped.size == 0:
            return
        starts = np.flatnonzero(np.r_[True, np.diff(self.labels[self.grouped]) != 0])
        ends = np.r_[starts[1:], self.grouped.size]
        most = max(1, PIECE // min(len(self.eta), ACROSS))
        first = 0
        while first < starts.size:
            last = max(first + 1, int(np.searchsorted(ends, starts[first] + most, side="right")))
            inside = slice(int(starts[first]), int(ends[last - 1]))
            cohorts, own = self.grouped[inside], starts[first:last] - starts[first]
            index = np.repeat(np.arange(own.size), ends[first:last] - starts[first:last])
            for rows in _slices(len(self.eta), max(1, PIECE // cohorts.size)):
                eta = np.ascontiguousarray(self.eta[rows, cohorts].T)
                yield (
                    cohorts,
                    rows,
                    Groups(
                        responders=_across(self.responders[cohorts], eta),
                        n=_across(self.n[cohorts], eta),
                        eta=eta,
                        tau_group=self.tau_group[rows],
                        tau_cohort=self.cohort_sd(cohorts, rows),
                        starts=own,
                        index=index,
                    ),
                )
            first = last

    def single_parts(self, cohorts: NDArray[np.intp], rows: slice) -> tuple[Array, Array, Array, Array]:
        """Return responders, n, mu and tau of a piece of stand-alone cohorts, each (cohort, S)."""
        mu = np.ascontiguousarray(self.eta[rows, cohorts].T)
        tau = np.hypot(self.tau_group[rows], self.cohort_sd(cohorts, rows))
        return _across(self.responders[cohorts], mu), _across(self.n[cohorts], mu), mu, _along(tau, mu)

    def cohort_sd(self, cohorts: NDArray[np.intp], rows: slice) -> Array:
        """Return the SDs of cohorts' deviations, shape (S,), or (cohort, S) if they differ."""
        return self.tau_cohort[rows] if self.tau_cohort.ndim == 1 else self.tau_cohort[rows, cohorts].T


def log_marginal(
    responders: Array,
    n: Array,
    *,
    eta: Array,
    group: NDArray[np.integer] | None = None,
    tau_group: npt.ArrayLike = 0.0,
    tau_cohort: npt.ArrayLike = 0.0,
    nodes: Nodes = NODES,
) -> Array:
    """Return the marginal log-likelihood at each of S parameter values.

    Parameters
    ----------
    responders, n
        Counts, shape (k,), 0 <= responders <= n, n >= 1.
    eta
        Linear predictor of each cohort on the logit scale, shape (S, k).
    group
        Group of each cohort, any integers, shape (k,); None puts each cohort in its own.
    tau_group, tau_cohort
        SDs on the logit scale, shape (S,) or a scalar; 0 for an absent level. `tau_cohort` may differ between cohorts:
        (S, k).
    nodes
        Numbers of quadrature nodes.

    Returns
    -------
    ndarray
        log L, binomial coefficients included, shape (S,).
    """
    problem = lay_out(responders, n, eta, group, tau_group, tau_cohort)
    value = np.full(len(problem.eta), _coefficients(problem))
    for cohorts, rows in problem.singles():
        value[rows] += single_marginal(problem, cohorts, rows, nodes.outer, 0)[0].sum(axis=0)
    for _, rows, groups in problem.families():
        value[rows] += _family_value(groups, nodes)
    return value


def marginal(
    responders: Array,
    n: Array,
    *,
    eta: Array,
    group: NDArray[np.integer] | None = None,
    tau_group: npt.ArrayLike = 0.0,
    tau_cohort: npt.ArrayLike = 0.0,
    nodes: Nodes = NODES,
) -> Marginal:
    """Return the marginal log-likelihood and its gradient at each of S parameter values.

    Parameters are those of :func:`log_marginal`, with one `tau_cohort` for all cohorts. The gradient is an expectation
    over the same nodes (Louis 1982, doi:10.1111/j.2517-6161.1982.tb01203.x) and costs about half as much again as the
    value.
    """
    problem = lay_out(responders, n, eta, group, tau_group, tau_cohort)
    size = len(problem.eta)
    at = Marginal(np.full(size, _coefficients(problem)), np.empty(problem.eta.shape), np.zeros(size), np.zeros(size))
    for cohorts, rows in problem.singles():
        value, d_mu, d_tau = single_marginal(problem, cohorts, rows, nodes.outer, 1)
        at.value[rows] += value.sum(axis=0)
        at.d_eta[rows, cohorts] = d_mu.T
        along = d_tau.sum(axis=0)
        total = np.hypot(problem.tau_group[rows], problem.tau_cohort[rows])
        total[total == 0] = 1.0  # there the derivative is 0
        at.d_tau_group[rows] += along * problem.tau_group[rows] / total
        at.d_tau_cohort[rows] += along * problem.tau_cohort[rows] / total
    for cohorts, rows, groups in problem.families():
        value, d_eta, d_tau_group, d_tau_cohort = _family_gradient(groups, nodes)
        at.value[rows] += value
        at.d_eta[rows, cohorts] = d_eta.T
        at.d_tau_group[rows] += d_tau_group
        at.d_tau_cohort[rows] += d_tau_cohort
    return at


def cohort_marginal(responders: Array, n: Array, *, mu: Array, tau: npt.ArrayLike, nodes: int) -> CohortMarginal:
    """Integrate one normal random effect out of each cohort's binomial likelihood, with second derivatives.

    Counts have shape (k,); `mu`, the cohorts' mean logits, shape (..., k); `tau`, the between-cohort SD on the logit
    scale, is broadcast against `mu`, as are the results. The likelihood is even in tau.
    """
    x, m, mu, tau = (np.array(each, dtype=np.float64) for each in np.broadcast_arrays(responders, n, mu, tau))
    return CohortMarginal(*_one_level(x, m, mu, tau, nodes, 2))


def single_marginal(
    problem: Problem, cohorts: NDArray[np.intp], rows: slice, nodes: int, order: int
) -> tuple[Array, ...]:
    """Return log-likelihoods of stand-alone cohorts, relative to their saturated fits, each (cohort, S)."""
    x, m, mu, tau = problem.single_parts(cohorts, rows)
    return _one_level(x, m, mu, tau, nodes if tau.any() else 1, order)


def lay_out(
    responders: Array,
    n: Array,
    eta: Array,
    group: NDArray[np.integer] | None,
    tau_group: npt.ArrayLike,
    tau_cohort: npt.ArrayLike,
) -> Problem:
    """Return the arguments of `log_marginal` in canonical form, with the cohorts that need a single integral."""
    eta = np.asarray(eta, dtype=np.float64)
    if eta.ndim != 2 or eta.shape[1] != len(responders):
        raise ValueError(f"eta must have shape (S, {len(responders)}), got {eta.shape}")
    group_sd, cohort_sd = (
        np.broadcast_to(np.asarray(tau, dtype=np.float64), eta.shape if np.ndim(tau) == 2 else eta.shape[:1])
        for tau in (tau_group, tau_cohort)
    )
    labels = np.arange(eta.shape[1]) if group is None else np.unique(group, return_inverse=True)[1]
    lonely = np.bincount(labels)[labels] == 1
    if not group_sd.any():
        lonely[:] = True
    grouped = np.flatnonzero(~lonely)
    grouped = grouped[np.argsort(labels[grouped], kind="stable")]
    return Problem(
        responders=np.asarray(responders, dtype=np.float64),
        n=np.asarray(n, dtype=np.float64),
        eta=eta,
        tau_group=group_sd,
        tau_cohort=cohort_sd,
        alone=np.flatnonzero(lonely),
        grouped=grouped,
        labels=labels,
    )


def _one_level(x: Array, m: Array, mu: Array, tau: Array, nodes: int, order: int) -> tuple[Array, ...]:
    with np.errstate(over="ignore", under="ignore"):
        mode = find_mode(x, m, mu, tau, normal_start(x, m, mu, tau))
        value, *derivatives = integrate(x, m, mu, tau, mode, nodes=nodes, order=order)
    value += relative_log_likelihood(x, m, mu + tau * mode)
    return value, *derivatives


def _family_value(groups: Groups, nodes: Nodes) -> Array:
    """Return the summed log-likelihoods of groups relative to the saturated fits, shape (S,)."""
    inner = nodes.inner if groups.tau_cohort.any() else 1
    outer = outer_integrand(groups, inner=inner)
    logs = []
    for t, log_weight in zip(*hermite(nodes.outer), strict=True):
        v = outer.mode + outer.width * t
        (cohorts,) = outer.cohorts(v, nodes=inner, order=0)
        logs.append(outer.log_density(cohorts, v) + log_weight)
    value: Array = (np.logaddexp.reduce(logs, axis=0) + np.log(outer.width) + outer.reference).sum(axis=0)
    return value


def _family_gradient(groups: Groups, nodes: Nodes) -> tuple[Array, Array, Array, Array]:
    """Return `_family_value` and its derivatives by eta, (cohort, S), and by both taus, (S,)."""
    inner = nodes.inner if groups.tau_cohort.any() else 1
    outer = outer_integrand(groups, inner=inner)
    logs, nodes_v, scores, slopes = [], [], [], []
    for t, log_weight in zip(*hermite(nodes.outer), strict=True):
        v = outer.mode + outer.width * t
        cohorts, d_mu, d_tau = outer.cohorts(v, nodes=inner, order=1)
        logs.append(outer.log_density(cohorts, v) + log_weight)
        nodes_v.append(v)
        scores.append(d_mu)
        slopes.append(groups.sum(d_tau))
    top = np.logaddexp.reduce(logs, axis=0)
    d_eta, d_tau_group, d_tau_cohort = (np.zeros_like(each) for each in (groups.eta, top, top))
    for log, v, d_mu, d_tau in zip(logs, nodes_v, scores, slopes, strict=True):
        share = np.exp(log - top)
        weighted = share[groups.index] * d_mu
        d_eta += weighted
        d_tau_group += v * groups.sum(weighted)
        d_tau_cohort += share * d_tau
    value = (top + np.log(outer.width) + outer.reference).sum(axis=0)
    return value, d_eta, d_tau_group.sum(axis=0), d_tau_cohort.sum(axis=0)


def _coefficients(problem: Problem) -> float:
    """Return the log-likelihood of the saturated model."""
    x, m = problem.responders, problem.n
    return float((gammaln(m + 1) - gammaln(x + 1) - gammaln(m - x + 1) + saturated(x, m)).sum())


def _slices(size: int, step: int) -> Iterator[slice]:
    return (slice(start, start + step) for start in range(0, size, step))


def _across(values: Array, like: Array) -> Array:
    """Repeat one number per cohort across parameter values."""
    return np.repeat(values, like.shape[1]).reshape(like.shape)


def _along(values: Array, like: Array) -> Array:
    """Repeat one number per parameter value along cohorts."""
    return np.broadcast_to(values, like.shape).copy()
