"""Influence of one cohort on the binomial-normal model: diagnostics for counts.

A count has no known sampling variance, so residuals are Pearson's: distance of the responders from their expectation,
in standard deviations of the binomial-normal distribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from alkbayes.classical.counts import Floats
from alkbayes.classical.influence.leave_one_out import LeftOut, glmm_leave_one_out
from alkbayes.classical.maximum_likelihood.glmm import GlmmFit, build, fit_glmm
from alkbayes.likelihood.binomial_normal.cohort import hermite

NODES = 81
"""Quadrature nodes for the moments of a rate: error below 1e-6 up to a standard deviation of 3 on the logit scale."""


@dataclass(frozen=True, slots=True)
class GlmmInfluence:
    """Influence diagnostics of each of k cohorts, with p fixed effects; NaN without a fit.

    "Deleted" refers to the fit without the cohort.

    Attributes
    ----------
    rstudent
        Externally standardised residual: responders minus their expectation under the deleted fit, over the standard
        deviation of a new cohort's count, including its taus and the error of its fixed effects, shape (k,).
    cook
        Cook's distance: squared change of the fixed effects, in units of the full fit's covariance, shape (k,).
    covariance_ratio
        Determinant of the deleted fixed effects' covariance over the full one, shape (k,).
    tau_deleted, tau_group_deleted
        Standard deviations of the fit without the cohort, logit scale, shape (k,); the second NaN with one level.
    dfbetas
        Change of each fixed effect in deleted standard errors, shape (k, p).
    baujat_x, baujat_y
        Analogues of Baujat's coordinates: squared Pearson residual in the full fit, and squared change of the cohort's
        fitted logit over its deleted variance, shape (k,).
    messages
        Reason for a missing fit, else empty, length k.
    """

    rstudent: Floats
    cook: Floats
    covariance_ratio: Floats
    tau_deleted: Floats
    tau_group_deleted: Floats
    dfbetas: Floats
    baujat_x: Floats
    baujat_y: Floats
    messages: tuple[str, ...]


def glmm_influence(
    responders: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    design: Floats | None = None,
    group: npt.ArrayLike | None = None,
    rows: Sequence[LeftOut[GlmmFit]] | None = None,
) -> GlmmInfluence:
    """Return the influence of each cohort.

    Parameters
    ----------
    responders, n, design, group
        As for :func:`alkbayes.classical.maximum_likelihood.glmm.fit_glmm`.
    rows
        Fits without each cohort in turn, from `glmm_leave_one_out`; made here if None.

    Raises
    ------
    EvidenceError, ValueError
        As `fit_glmm` on all cohorts; ValueError also if `rows` has not one entry per cohort.
    """
    model = build(responders, n, design, group)
    k, p = model.design.shape
    full = fit_glmm(responders, n, design=design, group=group)
    if rows is None:
        rows = glmm_leave_one_out(responders, n, range(k), design=design, group=group)
    if [row.cohorts.tolist() for row in rows] != [[place] for place in range(k)]:
        raise ValueError(f"rows must leave out each of {k} cohorts in turn, one at a time")
    numbers = np.full((6 + p, k), np.nan)
    pearson = np.full(k, np.nan)
    messages = []
    for place, row in enumerate(rows):
        at, count, patients = model.design[place], float(model.responders[place]), float(model.n[place])
        if full.converged and full.tau is not None:
            pearson[place] = _residual(count, patients, float(at @ full.beta), _variance(full))
        deleted = row.result
        if deleted is None or not deleted.converged or deleted.tau is None:
            messages.append(row.message or (deleted.message if deleted else "") or "no fit: tau is undefined")
            continue
        messages.append(full.message)
        change = full.beta - deleted.beta
        spread = float(at @ deleted.covariance @ at)
        numbers[:, place] = [
            _residual(count, patients, float(at @ deleted.beta), _variance(deleted) + spread),
            change @ np.linalg.solve(full.covariance, change),
            np.linalg.det(deleted.covariance) / np.linalg.det(full.covariance),
            deleted.tau,
            np.nan if deleted.tau_group is None else deleted.tau_group,
            (at @ change) ** 2 / spread,
            *(change / np.sqrt(np.diag(deleted.covariance))),
        ]
    if not full.converged:
        numbers[:] = np.nan
    rstudent, cook, ratio, tau, tau_group, baujat_y, *dfbetas = numbers
    return GlmmInfluence(
        rstudent=rstudent,
        cook=cook,
        covariance_ratio=ratio,
        tau_deleted=tau,
        tau_group_deleted=tau_group,
        dfbetas=np.array(dfbetas).T,
        baujat_x=pearson**2,
        baujat_y=baujat_y,
        messages=tuple(messages),
    )


def _variance(fit: GlmmFit) -> float:
    """Return the variance of a cohort's logit about its fixed effects, summed over levels."""
    return (fit.tau or 0.0) ** 2 + (fit.tau_group or 0.0) ** 2


def _residual(count: float, patients: float, mean: float, variance: float) -> float:
    """Return the Pearson residual of a count with a normal logit: Var = n E[p (1 - p)] + n^2 Var[p]."""
    points, logs = (np.array(each) for each in hermite(NODES))
    weights = np.exp(logs - points**2 / 2)
    p = expit(mean + np.sqrt(variance) * points)
    expected = float(weights @ p)
    within = float(weights @ (p * (1 - p)))
    between = float(weights @ (p - expected) ** 2)
    return float((count - patients * expected) / np.sqrt(patients * within + patients**2 * between))
