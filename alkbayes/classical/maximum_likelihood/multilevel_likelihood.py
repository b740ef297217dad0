"""(Restricted) likelihood of the multilevel normal model, with derivatives by the two standard deviations.

The covariance of a group's estimates is D + t 11' with D diagonal, so its inverse is known (Sherman & Morrison 1950,
doi:10.1214/aoms/1177729893) and nothing larger than k x p is built. Derivatives are those of the exact likelihood
(Harville 1977, doi:10.1080/01621459.1977.10480998), by the variances first and then by the standard deviations, in
which the likelihood is even: there is no positivity constraint.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alkbayes.classical.counts import Floats
from alkbayes.classical.maximum_likelihood.glmm_likelihood import Function


@dataclass(frozen=True, slots=True)
class Residuals:
    """Residuals of the model without heterogeneity: weighted sum of squares, and the trace of its projection P."""

    q: float
    trace: float


@dataclass(frozen=True, slots=True)
class NestedNormal:
    """Data and fixed effects, with cohorts sorted by group.

    Attributes
    ----------
    yi, vi
        Estimates and their sampling variances, shape (k,).
    design
        Fixed effects, shape (k, p).
    starts
        First cohort of each group, shape (group,).
    index
        Group of each cohort, shape (k,), ascending.
    restricted
        True for the restricted likelihood.
    """

    yi: Floats
    vi: Floats
    design: Floats
    starts: NDArray[np.intp]
    index: NDArray[np.intp]
    restricted: bool

    @classmethod
    def of(
        cls, yi: Floats, vi: Floats, design: Floats, labels: NDArray[np.intp], *, restricted: bool
    ) -> "NestedNormal":
        """Return the model of cohorts in any order with groups numbered from 0."""
        order = np.argsort(labels, kind="stable")
        index = labels[order]
        starts = np.flatnonzero(np.r_[True, np.diff(index) != 0])
        return cls(yi[order], vi[order], design[order], starts, index, restricted)

    @property
    def constant(self) -> float:
        """Constant omitted from the log-likelihoods of `value`, independent of all parameters."""
        k, p = self.design.shape
        if not self.restricted:
            return float(-k / 2 * np.log(2 * np.pi))
        return float(np.linalg.slogdet(self.design.T @ self.design)[1] - (k - p) * np.log(2 * np.pi)) / 2

    @property
    def resolution(self) -> float:
        """Rounding error of the log-likelihood."""
        return 1e-12 * self.yi.size

    def value(self, phi: Floats) -> float:
        """Return the log-likelihood, without its constant, at standard deviations (tau_group, tau_cohort)."""
        return self._at(phi).value

    def fixed_effects(self, phi: Floats) -> tuple[Floats, Floats]:
        """Return beta, shape (p,), and its covariance, shape (p, p)."""
        at = self._at(phi)
        return at.beta, at.covariance

    def without_heterogeneity(self) -> Residuals:
        """Return the residuals if all differences are sampling error."""
        at = self._at(np.zeros(2))
        trace = float((1 / self.vi).sum() - np.trace(at.covariance @ at.weighted.T @ at.weighted))
        return Residuals(float(at.residuals @ (self.yi - self.design @ at.beta)), trace)

    def along(self, phi: Floats, chosen: list[int]) -> Function:
        """Return the log-likelihood as a function of some standard deviations, with the others fixed at `phi`."""

        def function(values: Floats) -> tuple[float, Floats, Floats]:
            full = phi.copy()
            full[chosen] = values
            at = self._at(full)
            gradient, hessian = at.derivatives()
            by_tau = 4 * hessian * np.outer(full, full) + np.diag(2 * gradient)
            return at.value, (2 * full * gradient)[chosen], by_tau[np.ix_(chosen, chosen)]

        return function

    def expected_information(self, phi: Floats) -> Floats:
        """Return tr(P Vj P Vk) / 2 of the variances between groups and cohorts, REML's in either case, shape (2, 2)."""
        return self._at(phi).products() / 2

    def _at(self, phi: Floats) -> "_Point":
        """Return the components of the derivatives at (tau_group, tau_cohort)."""
        t = float(phi[0]) ** 2
        w = 1 / (self.vi + float(phi[1]) ** 2)
        total = self.over_groups(w)
        share = 1 / (1 + t * total)
        weighted = self.solve(self.design, w, t * share)
        information = self.design.T @ weighted
        covariance = np.linalg.inv(information)
        beta = covariance @ (weighted.T @ self.yi)
        distance = self.yi - self.design @ beta
        residuals = self.solve(distance[:, None], w, t * share)[:, 0]
        value = float(np.log(w).sum() + np.log(share).sum() - residuals @ distance) / 2
        if self.restricted:
            value -= float(np.linalg.slogdet(information)[1]) / 2
        return _Point(self, t, w, total, share, weighted, covariance, beta, residuals, value)

    def solve(self, columns: Floats, w: Floats, reduction: Floats) -> Floats:
        """Return V^-1 times some columns, shape (k, any)."""
        scaled = w[:, None] * columns
        return scaled - w[:, None] * (reduction[:, None] * self.over_groups(scaled))[self.index]

    def over_groups(self, values: Floats) -> Floats:
        """Return sums over the cohorts of each group."""
        return np.add.reduceat(values, self.starts, axis=0)


@dataclass(frozen=True, slots=True)
class _Point:
    """The likelihood at one pair of variances.

    Attributes
    ----------
    t
        Variance between groups.
    w
        1 / (vi + variance between cohorts), shape (k,).
    total, share
        Sum S of w over each group, and 1 / (1 + t S), shape (group,).
    weighted, covariance
        V^-1 X, shape (k, p), and (X' V^-1 X)^-1, shape (p, p).
    beta, residuals
        Generalised least squares, shape (p,), and P y = V^-1 (y - X beta), shape (k,).
    value
        Log-likelihood without its constant.
    """

    model: NestedNormal
    t: float
    w: Floats
    total: Floats
    share: Floats
    weighted: Floats
    covariance: Floats
    beta: Floats
    residuals: Floats
    value: float

    def derivatives(self) -> tuple[Floats, Floats]:
        """Return first and second derivatives by the variances between groups and cohorts, shapes (2,) and (2, 2)."""
        r, s = self.residuals, self.model.over_groups(self.residuals)
        traces, products = (
            (self.traces(), self.products()) if self.model.restricted else (self._full_traces(), self._full_products())
        )
        gradient = (np.array([s @ s, r @ r]) - traces) / 2
        # V_j P y for both variances, then V^-1 of each.
        pushed = np.column_stack([s[self.model.index], r])
        solved = self.model.solve(pushed, self.w, self.t * self.share)
        onto = self.weighted.T @ pushed
        return gradient, products / 2 - (pushed.T @ solved - onto.T @ self.covariance @ onto)

    def traces(self) -> Floats:
        """Return tr(P V_j)."""
        m = self.model.over_groups(self.weighted)
        lost = [float(np.trace(self.covariance @ (each.T @ each))) for each in (m, self.weighted)]
        return self._full_traces() - np.array(lost, dtype=np.float64)

    def products(self) -> Floats:
        """Return tr(P V_j P V_k), shape (2, 2)."""
        u, m = self.weighted, self.model.over_groups(self.weighted)
        solved = self.model.solve(u, self.w, self.t * self.share)
        mixed = m.T @ self.model.over_groups(solved)
        cross = ((m.T @ ((self.total * self.share)[:, None] * m), mixed), (mixed.T, u.T @ solved))
        squares = (m.T @ m, u.T @ u)
        c = self.covariance
        change = [
            [-2 * np.trace(c @ cross[j][k]) + np.trace(c @ squares[j] @ c @ squares[k]) for k in (0, 1)] for j in (0, 1)
        ]
        return self._full_products() + np.array(change)

    def _full_traces(self) -> Floats:
        """Return tr(V^-1 V_j)."""
        second = self.model.over_groups(self.w**2)
        return np.array([self.total @ self.share, self.w.sum() - self.t * float(self.share @ second)])

    def _full_products(self) -> Floats:
        """Return tr(V^-1 V_j V^-1 V_k), shape (2, 2)."""
        second, third = self.model.over_groups(self.w**2), self.model.over_groups(self.w**3)
        reduction = self.t * self.share
        groups = float(((self.total * self.share) ** 2).sum())
        mixed = float(self.share**2 @ second)
        cohorts = float((self.w**2).sum() - 2 * reduction @ third + reduction**2 @ second**2)
        return np.array([[groups, mixed], [mixed, cohorts]])
