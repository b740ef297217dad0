"""Influence of one cohort on an inverse-variance mean or regression: diagnostics from refits without it, as in metafor.

Diagnostics: Viechtbauer & Cheung (2010), doi:10.1002/jrsm.11; plot: Baujat et al. (2002), doi:10.1002/sim.1221.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtr

from alkbayes.classical.counts import Floats
from alkbayes.classical.influence.leave_one_out import leave_one_out
from alkbayes.classical.inverse_variance.least_squares import WeightedDesign
from alkbayes.classical.inverse_variance.regression import RegressionFit, Test, fit_regression
from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator


@dataclass(frozen=True, slots=True)
class Influence:
    """Influence diagnostics of each of k cohorts, in a regression on p coefficients; NaN without a refit.

    "Deleted" refers to the fit without the cohort, with tau2 re-estimated; its variances include the Hartung-Knapp
    factor if the test has one.

    Attributes
    ----------
    rstudent
        Externally standardised residual: distance from the deleted prediction over its standard deviation, that of the
        prediction included, shape (k,).
    dffits
        Change of the cohort's fitted value, in deleted standard errors, shape (k,).
    cook
        Cook's distance: squared change of all coefficients, in units of the full fit's covariance, shape (k,).
    covariance_ratio
        Determinant of the deleted coefficients' covariance over the full one, shape (k,); below 1 if the cohort makes
        the fit less precise.
    tau2_deleted, q_deleted
        tau2 and residual Q of the fit without the cohort, shape (k,).
    hat, weight
        Leverage and share of all weights, both in [0, 1], of the full fit, shape (k,).
    dfbetas
        Change of each coefficient in deleted standard errors, shape (k, p).
    influential
        True if metafor would flag the cohort: |dffits| > 3 sqrt(p / (k - p)), cook above the median of chi-squared with
        p degrees of freedom, hat > 3 p / k, or some |dfbetas| > 1; shape (k,), bool. A rule of thumb, not a test.
    baujat_x, baujat_y
        Baujat's coordinates: squared Pearson residual in the full fit (the cohort's contribution to Q in a
        common-effect model), and squared change of its fitted value over its deleted variance, shape (k,).
    messages
        Reason for a missing refit, else empty, length k.
    """

    rstudent: Floats
    dffits: Floats
    cook: Floats
    covariance_ratio: Floats
    tau2_deleted: Floats
    q_deleted: Floats
    hat: Floats
    weight: Floats
    dfbetas: Floats
    influential: NDArray[np.bool_]
    baujat_x: Floats
    baujat_y: Floats
    messages: tuple[str, ...]


def influence(
    yi: Floats,
    vi: Floats,
    *,
    estimator: Tau2Estimator | None,
    design: Floats | None = None,
    test: Test = Test.Z,
) -> Influence:
    """Return the influence of each cohort, from one refit per cohort.

    Arguments and ValueError as for :func:`alkbayes.classical.inverse_variance.regression.fit_regression`.
    """
    matrix = np.ones((yi.size, 1)) if design is None else design
    k, p = matrix.shape
    full = fit_regression(yi, vi, design=matrix, estimator=estimator, test=test)
    hat = WeightedDesign.of(matrix, full.weights).leverages() if full.converged else np.full(k, np.nan)
    numbers = np.full((7 + p, k), np.nan)
    messages = [""] * k
    needed = p if estimator is None and test is Test.Z else p + 1
    for place, left in enumerate(
        leave_one_out(
            lambda kept: fit_regression(yi[kept], vi[kept], design=matrix[kept], estimator=estimator, test=test),
            range(k),
            design=matrix,
            least=needed,
        )
    ):
        if left.result is None or not (left.result.converged and full.converged):
            messages[place] = left.message or "the estimate of tau2 did not converge"
            continue
        diagnostics = _diagnostics(yi, vi, matrix, full, left.result, place, hat[place])
        if diagnostics is None:
            messages[place] = "the cohorts do not differ, which leaves nothing to measure influence by"
        else:
            numbers[:, place] = diagnostics
    rstudent, dffits, cook, ratio, tau2, q, baujat_y, *dfbetas = numbers
    with np.errstate(invalid="ignore"):
        marked = (np.abs(dffits) > 3 * np.sqrt(p / (k - p))) if k > p else np.zeros(k, dtype=np.bool_)
        marked |= (chdtr(p, cook) > 0.5) | (hat > 3 * p / k) | (np.abs(dfbetas) > 1).any(axis=0)
    return Influence(
        rstudent=rstudent,
        dffits=dffits,
        cook=cook,
        covariance_ratio=ratio,
        tau2_deleted=tau2,
        q_deleted=q,
        hat=hat,
        weight=full.weights / full.weights.sum(),
        dfbetas=np.array(dfbetas).T,
        influential=marked,
        baujat_x=full.weights * (yi - full.fitted) ** 2,
        baujat_y=baujat_y,
        messages=tuple(messages),
    )


def _diagnostics(
    yi: Floats, vi: Floats, design: Floats, full: RegressionFit, deleted: RegressionFit, place: int, hat: float
) -> list[float] | None:
    """Return rstudent, dffits, cook, covariance ratio, tau2, Q, Baujat's y and the dfbetas of one cohort.

    None if the Hartung-Knapp factor, a divisor here, is 0.
    """
    row, kept = design[place], np.arange(yi.size) != place
    factor, factor_deleted = full.factor, deleted.factor
    if min(factor, factor_deleted) == 0:
        return None
    here = WeightedDesign.of(design, full.weights).covariance()
    there = WeightedDesign.of(design[kept], deleted.weights).covariance()
    spread = row @ deleted.covariance @ row
    total = vi[place] + deleted.tau2
    change = full.beta - deleted.beta
    moved = row @ change
    all_cohorts = np.diag(WeightedDesign.of(design, 1 / (vi + deleted.tau2)).covariance())
    determinants = np.linalg.det(there) / np.linalg.det(here)
    return [
        float((yi[place] - row @ deleted.beta) / np.sqrt(factor_deleted * total + spread)),
        float(moved / np.sqrt(factor_deleted * hat * total)),
        float(change @ np.linalg.solve(here, change)) / factor,
        float(determinants) * (factor_deleted / factor) ** full.beta.size,
        deleted.tau2,
        np.nan if deleted.q_e is None else deleted.q_e,
        float(moved**2 / spread),
        *(change / np.sqrt(factor_deleted * all_cohorts)).tolist(),
    ]
