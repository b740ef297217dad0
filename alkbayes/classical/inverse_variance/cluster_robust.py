"""Cluster-robust covariance of an inverse-variance mean or regression, for dependent cohorts.

The weights 1 / (vi + tau2) treat cohorts as independent. The estimate keeps them; its covariance comes from the
residuals, summed within each cluster (such as a trial), and is valid in large samples whatever the dependence within
clusters. `CR2` removes its small-sample bias under correct weights; its t quantile has Satterthwaite's degrees of
freedom.

References
----------
Bell & McCaffrey (2002), "Bias reduction in standard errors for linear regression with multi-stage samples"; Tipton
(2015), doi:10.1037/met0000011; Tipton & Pustejovsky (2015), doi:10.3102/1076998615606099, for the test of several
effects; Pustejovsky & Tipton (2018), doi:10.1080/07350015.2016.1247004.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray
from scipy.special import fdtrc, stdtr, stdtrit

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.grouped import GroupedEstimates
from alkbayes.classical.inverse_variance.regression import ROUNDING, Omnibus, omnibus
from alkbayes.text.wording import counted

LARGEST_CLUSTER = 1000
"""CR2 takes the root of a matrix the size of the largest cluster: one second at this size."""
SINGULAR = 1e-10
"""An eigenvalue below this fraction of the largest possible one is 0."""
NULL = 1e-6
"""A null direction of unit length does not involve an effect whose entry is smaller."""


class Correction(StrEnum):
    """Correction of the covariance for the number of clusters m."""

    CR0 = "cr0"
    CR1 = "cr1"
    CR2 = "cr2"


@dataclass(frozen=True, slots=True)
class RobustFit:
    """Fixed effects with a cluster-robust covariance, on the scale of the estimates.

    Attributes
    ----------
    beta
        Fixed effects of the inverse-variance model, shape (p,).
    covariance
        Their cluster-robust covariance, shape (p, p); NaN for effects without one, see `without`.
    df
        Degrees of freedom of each effect's t, shape (p,): Satterthwaite's with CR2, else m - p. The approximation is
        poor below 4 (Tipton 2015).
    clusters
        Number of clusters m.
    correction
        Correction applied, which may be weaker than requested: `caution` then gives the reason.
    without
        Reason why some effects have no covariance, or empty.
    caution
        Warning about the whole result, or empty.
    omnibus
        Joint test of all effects except that of a column of ones: with CR2 the approximate Hotelling test, as
        clubSandwich's `Wald_test(test = "HTZ")`, equal to the t test for one effect; else F with m - p degrees of
        freedom. None if there is no other effect, one of them has no covariance, or the clusters are too few.
    tests
        The same for some of the effects, as asked for.
    """

    beta: Floats
    covariance: Floats
    df: Floats
    clusters: int
    correction: Correction
    without: str
    caution: str
    omnibus: Omnibus | None = None
    tests: tuple[Omnibus | None, ...] = ()

    @property
    def se(self) -> Floats:
        """Robust standard errors, shape (p,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def p_values(self) -> Floats:
        """Two-sided p-values for effects of 0, shape (p,)."""
        return np.asarray(2 * stdtr(self.df, -np.abs(self.beta / self.se)), dtype=np.float64)

    def intervals(self, prob: float) -> Floats:
        """Return lower and upper confidence limits, shape (p, 2)."""
        half = stdtrit(self.df, (1 + prob) / 2) * self.se
        return np.column_stack([self.beta - half, self.beta + half])


def cluster_robust(
    yi: npt.ArrayLike,
    vi: npt.ArrayLike,
    cluster: npt.ArrayLike,
    *,
    tau2: float = 0.0,
    design: Floats | None = None,
    correction: Correction = Correction.CR2,
    tested: Sequence[NDArray[np.bool_]] = (),
) -> RobustFit:
    """Return an inverse-variance mean or regression with a cluster-robust covariance.

    The working model is that of the weights, independent cohorts with variances vi + tau2, as in clubSandwich's
    `vcovCR(rma.uni(...), cluster, type)`; CR1 has metafor's factor m / (m - p). CR1 replaces CR2 if that is not
    feasible (a cluster of more than `LARGEST_CLUSTER` cohorts). There is no result unless m > p, and none for an effect
    that rests on a single cluster, whose residuals are 0 whatever the truth, or whose clusters differ only by rounding;
    clubSandwich and metafor return a value for these, which is too small.

    Parameters
    ----------
    yi, vi
        Estimates and their sampling variances, shape (k,), vi > 0.
    cluster
        Cluster of each cohort, shape (k,).
    tau2
        Variance between cohorts in the weights, squared scale of `yi`; 0 for the common-effect model.
    design
        Fixed effects, shape (k, p), of full column rank; a column of ones if None.
    tested
        Masks of effects to test together, each of shape (p,), bool.

    Raises
    ------
    ValueError
        If the array shapes disagree, a variance is not positive, or the design lacks full column rank.
    """
    if not tau2 >= 0:
        raise ValueError(f"tau2 must be at least 0, got {tau2!r}")
    data = GroupedEstimates.of(yi, vi, cluster, design)
    y, v, matrix = data.yi, data.vi + tau2, data.design
    w = 1 / v
    bread = np.linalg.inv(matrix.T @ (w[:, None] * matrix))
    beta = bread @ (matrix.T @ (w * y))
    p, m = beta.size, int(data.labels.max()) + 1
    if m <= p or m < 2:
        lost = np.full(p, np.nan)
        least = max(2, p + 1)
        why = f"cluster-robust intervals of {counted(p, 'fixed effect')} need at least {least} clusters, found {m}"
        return RobustFit(beta, np.full((p, p), np.nan), lost, m, correction, why, "", tests=(None,) * len(tested))
    residuals = y - matrix @ beta
    members = data.members()
    without, caution = [], []
    largest = max(each.size for each in members)
    if correction is Correction.CR2 and largest > LARGEST_CLUSTER:
        correction = Correction.CR1
        caution.append(f"CR1 in place of CR2: a cluster of {largest} cohorts is too large for it")
    parts = None
    if correction is Correction.CR2:
        covariance, parts = _bias_reduced(matrix, v, bread, residuals, members)
        df = np.array([parts.degrees_of_freedom(row[None]) for row in np.eye(p)])
    else:
        scores = np.array([matrix[each].T @ (w * residuals)[each] for each in members])
        factor = m / (m - p) if correction is Correction.CR1 else 1.0
        covariance, df = factor * bread @ scores.T @ scores @ bread, np.full(p, float(m - p))
    alone = _rest_on_one_cluster(matrix, w, members)
    if alone.any():
        covariance[alone], covariance[:, alone], df[alone] = np.nan, np.nan, np.nan
        without.append("no interval for a fixed effect that rests on one cluster alone")
    # Scores of rounding size carry no information on differences between clusters.
    flat = np.diag(covariance) <= ROUNDING * np.diag(bread)
    if flat.any():
        covariance[flat], covariance[:, flat], df[flat] = np.nan, np.nan, np.nan
        without.append("the clusters do not differ at all, which leaves an interval without width: none is given")
    others = ~np.all(matrix == 1, axis=0)
    test = _omnibus(beta, covariance, others, parts, m - p)
    if test is None and others.any() and np.isfinite(covariance[others]).all():
        caution.append("too few clusters to test all effects together")
    tests = tuple(_omnibus(beta, covariance, some, parts, m - p) for some in tested)
    return RobustFit(beta, covariance, df, m, correction, "; ".join(without), "; ".join(caution), test, tests)


def _omnibus(
    beta: Floats, covariance: Floats, tested: NDArray[np.bool_], parts: "_Parts | None", df2: int
) -> Omnibus | None:
    """Test that the effects `tested` are all 0: approximate Hotelling test, or F with `df2` without `parts`."""
    plain = omnibus(beta, covariance, tested, df2=df2)
    if plain is None or parts is None:
        return plain
    q = plain.df1
    eta = parts.degrees_of_freedom(np.eye(beta.size)[tested])
    df = eta - q + 1
    # With less left, the covariance may as well be singular: no test.
    if not df > 0:
        return None
    statistic = plain.statistic * df / eta
    return Omnibus(statistic, q, df, float(fdtrc(q, df, statistic)))


@dataclass(frozen=True, slots=True)
class _Parts:
    """Contributions of the m clusters to the CR2 covariance, which determine its own variance.

    A cluster adds u u' with u = a' e, a of shape (cohorts, p). With V the working covariance, Cov(u_j, u_l) is a_j' V
    a_j for j = l (`own`, shape (m, p, p)), less (X' a_j)' bread (X' a_l) (`shared` is X' a_j, shape (m, p, p); `bread`,
    shape (p, p), the covariance of the effects under the working model).
    """

    own: Floats
    shared: Floats
    bread: Floats

    def degrees_of_freedom(self, contrast: Floats) -> float:
        """Return the degrees of freedom eta of the Wishart approximation for `contrast` (shape (q, p)) times beta.

        With D the covariance of that contrast in units of its expectation, eta = q (q + 1) over the sum of the
        variances of D's entries, which is that of tr(C)^2 + tr(C C) over all pairs of clusters, C = Cov(u_j, u_l);
        Satterthwaite's for q = 1. Linear in the clusters: no m x m array.
        """
        own = contrast @ self.own @ contrast.T
        shared = self.shared @ contrast.T
        crossed = np.einsum("jas,ab,jbt->jst", shared, self.bread, shared)
        values, vectors = np.linalg.eigh((own - crossed).sum(axis=0))
        root = vectors / np.sqrt(values)
        own, crossed, shared = root.T @ own @ root, root.T @ crossed @ root, shared @ root
        products = np.einsum("jas,jct->asct", shared, shared)
        pushed = np.einsum("ab,btcs->atcs", self.bread, products)
        all_pairs = np.einsum("asct,ctas->", pushed, pushed) + np.einsum("asct,csat->", pushed, pushed)
        with_itself = _squares(own - crossed) - _squares(crossed)
        q = len(contrast)
        return q * (q + 1) / float(all_pairs + with_itself)


def _squares(blocks: Floats) -> float:
    """Return the sum of tr(C)^2 + tr(C C) over some matrices, shape (m, q, q)."""
    traces = np.einsum("jss->j", blocks)
    return float(traces @ traces + np.einsum("jst,jts->", blocks, blocks))


def _bias_reduced(
    design: Floats, v: Floats, bread: Floats, residuals: Floats, members: list[NDArray[np.intp]]
) -> tuple[Floats, _Parts]:
    """Return the CR2 covariance, shape (p, p), and the parts for its degrees of freedom.

    With V the diagonal working covariance, a cluster's adjustment is A = V^(1/2) G^(-1/2) V^(1/2) with G = V^2 -
    V^(1/2) X bread X' V^(1/2), and its score X' V^-1 A e.
    """
    p = len(bread)
    meat = np.zeros((p, p))
    own = np.empty((len(members), p, p))
    shared = np.empty((len(members), p, p))
    for place, each in enumerate(members):
        x, variances = design[each], v[each]
        root = np.sqrt(variances)[:, None]
        # G is this matrix, whose eigenvalues are in [0, 1] whatever the variances, with V on either side.
        unexplained = np.eye(each.size) - (x / root) @ bread @ (x / root).T
        adjusted = root * (_inverse_root(unexplained, variances) @ (x / root))
        score = adjusted.T @ residuals[each]
        meat += np.outer(score, score)
        effects = adjusted @ bread
        own[place] = effects.T @ (variances[:, None] * effects)
        shared[place] = x.T @ effects
    return bread @ meat @ bread, _Parts(own, shared, bread)


def _inverse_root(inner: Floats, scales: Floats) -> Floats:
    """Return the symmetric (pseudo-)inverse square root of D inner D, D diagonal.

    It has as many null directions as `inner`: beside a cohort of millions a true eigenvalue of the product looks like
    rounding. The root comes from singular values, which keep twice the digits of eigenvalues.
    """
    values, vectors = np.linalg.eigh(inner)
    factor = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T * scales
    _, singular, axes = np.linalg.svd(factor)
    kept = np.arange(len(scales)) < np.count_nonzero(values > SINGULAR)
    powers = np.where(kept, 1 / np.where(kept, singular, 1.0), 0.0)
    return np.asarray((axes.T * powers) @ axes, dtype=np.float64)


def _rest_on_one_cluster(design: Floats, w: Floats, members: list[NDArray[np.intp]]) -> NDArray[np.bool_]:
    """Return which fixed effects are not identified without some one cluster, shape (p,)."""
    information = design.T @ (w[:, None] * design)
    scale = np.sqrt(np.diag(information))
    without = np.array([information - design[each].T @ (w[each, None] * design[each]) for each in members])
    values, vectors = np.linalg.eigh(without / np.outer(scale, scale))
    # In effects, not in their scaled form, a null direction is vector / scale: 0 at the same places.
    return np.asarray(((values < SINGULAR)[:, None, :] & (np.abs(vectors) > NULL)).any(axis=(0, 2)))
