"""Likelihood of the binomial-normal model with fixed effects, and its maximisation by Newton's method.

Parameters phi are the fixed effects beta, then tau (between cohorts), then, with groups, tau_group (between groups).
The likelihood is even in either tau, so there is no positivity constraint.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from alkbayes.classical.counts import Floats
from alkbayes.likelihood.binomial_normal.cohort import saturated
from alkbayes.likelihood.binomial_normal.marginal import Nodes, cohort_marginal, log_marginal, marginal

HALVINGS = 12
"""Maximum halvings of a Newton step that does not climb, before the search fails."""
LONGEST_STEP = 5.0
"""Maximum step on the logit scale; longer ones, out of a flat stretch, are cut."""
DECREMENT_TOLERANCE = 1e-12
"""Newton stops when a further step would add less than this to the log-likelihood (half the squared step in SEs)."""
DIFFERENCE = 1e-4
"""Step of the central differences of the gradient, logit scale."""

AT_ZERO = 3
"""Nodes at tau = 0, where the required moments of the integrand are polynomials of second degree."""

type Function = Callable[[Floats], tuple[float, Floats, Floats]]
"""Function from parameters to value, gradient and Hessian."""


@dataclass(frozen=True, slots=True)
class Maximum:
    """End point of `maximise`: parameters, value and second derivatives, and whether it is a maximum."""

    phi: Floats
    value: float
    hessian: Floats
    converged: bool


@dataclass(frozen=True, slots=True)
class BinomialNormal:
    """Data and fixed effects of a model.

    Attributes
    ----------
    responders, n
        Checked counts, shape (k,).
    design
        Fixed effects, shape (k, p).
    group
        Group of each cohort, shape (k,); None with one level.
    """

    responders: Floats
    n: Floats
    design: Floats
    group: NDArray[np.intp] | None

    @property
    def width(self) -> int:
        """Number of fixed effects."""
        return int(self.design.shape[1])

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.width + (1 if self.group is None else 2)

    @property
    def constant(self) -> float:
        """Log-likelihood of the saturated model, the reference for all values."""
        x, m = self.responders, self.n
        return float((gammaln(m + 1) - gammaln(x + 1) - gammaln(m - x + 1) + saturated(x, m)).sum())

    @property
    def resolution(self) -> float:
        """Rounding error of the log-likelihood: negligible short of millions of patients."""
        return 1e-9 + 1e-15 * float(self.n.sum())

    def value(self, phi: Floats, nodes: Nodes) -> float:
        """Return the log-likelihood relative to the saturated model."""
        taus = phi[self.width :]
        at = log_marginal(
            self.responders,
            self.n,
            eta=(self.design @ phi[: self.width])[None],
            group=self.group,
            tau_group=abs(float(taus[1])) if len(taus) > 1 else 0.0,
            tau_cohort=abs(float(taus[0])),
            nodes=nodes,
        )
        return float(at[0]) - self.constant

    def restricted(self, phi: Floats, free: NDArray[np.bool_], nodes: Nodes) -> Function:
        """Return the likelihood as a function of the free parameters, with the others fixed at `phi`."""

        def function(values: Floats) -> tuple[float, Floats, Floats]:
            full = phi.copy()
            full[free] = values
            # Without differences between groups, or without a parameter for them, there is one level.
            single = self.group is None or (full[-1] == 0 and not free[-1])
            if not single:
                return self._two_levels(full, free, nodes)
            value, gradient, hessian = self._one_level(full[: self.width + 1], nodes.outer)
            chosen = free[: len(gradient)]
            return value, gradient[chosen], hessian[np.ix_(chosen, chosen)]

        return function

    def _one_level(self, phi: Floats, nodes: int) -> tuple[float, Floats, Floats]:
        design = self.design
        tau = float(phi[-1])
        cohort = cohort_marginal(
            self.responders, self.n, mu=design @ phi[:-1], tau=tau, nodes=nodes if tau else AT_ZERO
        )
        mixed = design.T @ cohort.d_mu_tau
        hessian = np.block(
            [
                [design.T @ (cohort.d_mu_mu[:, None] * design), mixed[:, None]],
                [mixed[None, :], cohort.d_tau_tau.sum()[None, None]],
            ]
        )
        return float(cohort.value.sum()), np.append(design.T @ cohort.d_mu, cohort.d_tau.sum()), hessian

    def _two_levels(self, phi: Floats, free: NDArray[np.bool_], nodes: Nodes) -> tuple[float, Floats, Floats]:
        """Return value, gradient, and Hessian from differences of gradients, in one call of the kernel.

        Only free parameters vary: a tau fixed at 0 spares the kernel an integral.
        """
        shifts = DIFFERENCE * np.eye(self.size)[free]
        rows = np.vstack([phi, phi + shifts, phi - shifts])
        at = marginal(
            self.responders,
            self.n,
            eta=rows[:, : self.width] @ self.design.T,
            group=self.group,
            tau_group=rows[:, -1],
            tau_cohort=rows[:, -2],
            nodes=nodes,
        )
        gradients = np.column_stack([at.d_eta @ self.design, at.d_tau_cohort, at.d_tau_group])[:, free]
        up, down = np.split(gradients[1:], 2)
        hessian = (up - down) / (2 * DIFFERENCE)
        return float(at.value[0]) - self.constant, gradients[0], (hessian + hessian.T) / 2


def maximise(function: Function, start: Floats, max_iterations: int, resolution: float) -> Maximum:
    """Maximise by Newton's method, with curvature forced negative and steps halved until they climb.

    SciPy's optimisers stop on the size of the gradient, whose rounding error grows with the number of patients; the
    decrement used here is in units of log-likelihood, whatever the counts.
    """
    phi = start
    value, gradient, hessian = function(phi)
    for _ in range(max_iterations):
        curvature, axes = np.linalg.eigh(hessian)
        along = gradient @ axes
        size = np.maximum(np.abs(curvature), 1e-12 * np.abs(curvature).max() + 1e-300)
        decrement = float((along**2 / size).sum() / 2)
        step = axes @ (along / size)
        step *= min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), LONGEST_STEP))
        if decrement < DECREMENT_TOLERANCE:
            return Maximum(phi, value, hessian, converged=bool((curvature < 0).all()))
        for _ in range(HALVINGS):
            proposed = function(phi + step)
            if proposed[0] >= value - resolution:
                break
            step = step / 2
        else:
            break
        phi = phi + step
        value, gradient, hessian = proposed
    return Maximum(phi, value, hessian, converged=False)
