"""Regression of estimates with known sampling variances, with or without a variance between cohorts.

A pooled mean is the regression on a column of ones. Tests, intervals and residual heterogeneity follow metafor's
`rma.uni`.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, fdtrc, ndtr, ndtri, stdtr, stdtrit

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.heterogeneity import cochran_q, i2_h2
from alkbayes.classical.inverse_variance.least_squares import WeightedDesign
from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator, estimate_tau2, normal_log_likelihood
from alkbayes.vocabulary import INTERVAL_PROB

ROUNDING = 1e-20
"""Mean squared residual, in units of the sampling variance, up to which it is rounding error."""


class Test(StrEnum):
    """Test and confidence interval of coefficients; the values are metafor's."""

    Z = "z"
    T = "t"
    KNAPP_HARTUNG = "knha"
    AD_HOC = "adhoc"


class Prediction(StrEnum):
    """Quantile of a prediction interval for one mean of k cohorts."""

    NORMAL = "normal"
    T_K_MINUS_1 = "t, k - 1 df"
    T_K_MINUS_2 = "t, k - 2 df"


@dataclass(frozen=True, slots=True)
class Omnibus:
    """Joint test that several coefficients are 0.

    Attributes
    ----------
    statistic
        Q_M, compared with chi-squared; with `df2`, Q_M over `df1`, compared with F.
    df1
        Number of coefficients tested.
    df2
        Denominator degrees of freedom, possibly fractional; None for chi-squared.
    p
        p-value.
    """

    statistic: float
    df1: int
    df2: float | None
    p: float


@dataclass(frozen=True, slots=True)
class RegressionFit:
    """A regression of k estimates on p coefficients.

    If `converged` is False, tau2 could not be estimated: everything that depends on it is NaN or None.

    Attributes
    ----------
    beta
        Coefficients, shape (p,), scale of the estimates.
    covariance
        Covariance of `beta`, shape (p, p), including the Hartung-Knapp factor; NaN if that factor is rounding error.
    factor
        Hartung-Knapp factor of the covariance: the mean squared residual in units of vi + tau2, at least 1 for
        `AD_HOC`. 1 for the other tests; 0 if the residuals are rounding error.
    low, high
        Limits of the confidence intervals, shape (p,); NaN without a covariance.
    df
        Degrees of freedom of the t quantile, k - p; None for `Test.Z`.
    tau2
        Variance between cohorts, squared scale of the estimates; 0 in a common-effect model.
    converged
        True if tau2 was found.
    weights
        1 / (vi + tau2), shape (k,).
    fitted
        Fitted value of each cohort, shape (k,).
    q_e, q_e_df, q_e_p
        Cochran's Q about the design, its degrees of freedom k - p, and p-value; None if k = p.
    omnibus
        Joint test of all coefficients except that of a column of ones; None if there is no other, or their covariance
        is singular or missing.
    i2, h2
        Proportion of the residual variation between cohorts, in [0, 1], and H2: from tau2, or from Q in a common-effect
        model (where H2 = Q / df may be below 1). None if k = p.
    log_likelihood
        Log-likelihood for `ML` and the common-effect model, restricted one for `REML`; else None.
    r2
        Share of the tau2 of an intercept-only fit that the covariates explain, in [0, 1]. None without covariates or an
        intercept, in a common-effect model, and if that tau2 is 0.
    """

    beta: Floats
    covariance: Floats
    factor: float
    low: Floats
    high: Floats
    df: int | None
    tau2: float
    converged: bool
    weights: Floats
    fitted: Floats
    q_e: float | None
    q_e_df: int
    q_e_p: float | None
    omnibus: Omnibus | None
    i2: float | None
    h2: float | None
    log_likelihood: float | None
    r2: float | None

    @property
    def se(self) -> Floats:
        """Standard errors of the coefficients, shape (p,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def p_values(self) -> Floats:
        """Two-sided p-values of the coefficients, shape (p,), by t with `df` degrees of freedom or the normal."""
        se = self.se
        ratio = np.abs(np.divide(self.beta, se, out=np.full_like(se, np.nan), where=se > 0))
        tail = ndtr(-ratio) if self.df is None else stdtr(self.df, -ratio)
        return np.asarray(2 * tail, dtype=np.float64)


def fit_regression(
    yi: Floats,
    vi: Floats,
    *,
    design: Floats | None = None,
    estimator: Tau2Estimator | None,
    test: Test = Test.Z,
    prob: float = INTERVAL_PROB,
) -> RegressionFit:
    """Fit a regression by inverse-variance weights.

    Parameters
    ----------
    yi, vi
        Estimates and their sampling variances, shape (k,).
    design
        Shape (k, p), of full column rank; a column of ones if None.
    estimator
        Estimator of the variance between cohorts; None for the common-effect model.
    test
        `Z` normal, `T` t with k - p degrees of freedom; `KNAPP_HARTUNG` t, with the covariance times the weighted
        residual sum of squares over k - p; `AD_HOC` the same with a factor of at least 1.
    prob
        Confidence level, in (0, 1).

    Raises
    ------
    ValueError
        If the design does not have k rows and full column rank, or k <= p with a variance between cohorts or t.

    References
    ----------
    Viechtbauer (2010), doi:10.18637/jss.v036.i03; Knapp & Hartung (2003), doi:10.1002/sim.1482; Röver, Knapp & Friede
    (2015), doi:10.1186/s12874-015-0091-1, for the ad hoc correction; Raudenbush (2009) for R2.
    """
    matrix = np.ones((yi.size, 1)) if design is None else design
    if matrix.ndim != 2 or matrix.shape[0] != yi.size or not has_full_rank(matrix):
        raise ValueError(f"design must have {yi.size} rows and full column rank, got shape {matrix.shape}")
    k, p = matrix.shape
    if k <= p and (estimator is not None or test is not Test.Z):
        raise ValueError(f"{k} cohorts leave no degrees of freedom beside {p} coefficients")
    between, converged = 0.0, True
    if estimator is not None:
        estimate = estimate_tau2(yi, vi, matrix, estimator)
        between, converged = (estimate.tau2 if estimate.converged else np.nan), estimate.converged
    if not converged:
        return _unfound(yi, vi, matrix, test)
    weighted = WeightedDesign.of(matrix, 1 / (vi + between))
    beta, residuals = weighted.coefficients(yi), weighted.residuals(yi)
    factor = _factor(residuals, k - p, test)
    # Residuals of rounding size measure nothing: no standard error, and nothing derived from one.
    covariance = weighted.covariance() * (factor if factor > 0 else np.nan)
    df = None if test is Test.Z else k - p
    half = quantile(df, prob) * np.sqrt(np.diag(covariance))
    residual = cochran_q(yi, vi, matrix) if k > p else None
    i2, h2 = (None, None) if residual is None else i2_h2(between, vi, matrix)
    if residual is not None and estimator is None:
        i2, h2 = max(0.0, 1 - residual.df / residual.q) if residual.q > 0 else 0.0, residual.q / residual.df
    return RegressionFit(
        beta=beta,
        covariance=covariance,
        factor=factor,
        low=beta - half,
        high=beta + half,
        df=df,
        tau2=between,
        converged=True,
        weights=weighted.weights,
        fitted=matrix @ beta,
        q_e=residual.q if residual else None,
        q_e_df=k - p,
        q_e_p=residual.p if residual else None,
        omnibus=omnibus(beta, covariance, ~np.all(matrix == 1, axis=0), df2=df),
        i2=i2,
        h2=h2,
        log_likelihood=_log_likelihood(between, yi, vi, matrix, estimator),
        r2=_explained(between, yi, vi, matrix, estimator),
    )


def omnibus(beta: Floats, covariance: Floats, tested: npt.NDArray[np.bool_], *, df2: int | None) -> Omnibus | None:
    """Test that the coefficients `tested` are all 0; None if there are none or their covariance is singular.

    Parameters
    ----------
    beta, covariance
        Coefficients, shape (p,), and their covariance, shape (p, p).
    tested
        Mask, shape (p,), bool.
    df2
        Denominator degrees of freedom for F; None for chi-squared.
    """
    df1 = int(tested.sum())
    # In standard errors of each coefficient, so that the units of the moderators do not matter.
    se = np.sqrt(np.diag(covariance)[tested])
    if df1 == 0 or not (se > 0).all():
        return None
    inner, ratios = covariance[np.ix_(tested, tested)] / np.outer(se, se), beta[tested] / se
    if np.linalg.matrix_rank(inner) < df1:
        return None
    statistic = float(ratios @ np.linalg.solve(inner, ratios))
    if df2 is None:
        return Omnibus(statistic, df1, None, float(chdtrc(df1, statistic)))
    return Omnibus(statistic / df1, df1, df2, float(fdtrc(df1, df2, statistic / df1)))


def prediction_interval(
    centre: float, se: float, tau2: float, *, k: int, kind: Prediction, prob: float = INTERVAL_PROB
) -> tuple[float, float] | None:
    """Return the limits of a prediction interval for the mean of a new cohort, centre -/+ q sqrt(tau2 + se2).

    Parameters
    ----------
    centre, se
        Pooled mean of k cohorts with its standard error, on any scale.
    tau2
        Variance between cohorts, squared scale.
    kind
        Quantile q: `NORMAL`; `T_K_MINUS_2` (Higgins, Thompson & Spiegelhalter 2009,
        doi:10.1111/j.1467-985X.2008.00552.x; Riley, Higgins & Deeks 2011, doi:10.1136/bmj.d549); `T_K_MINUS_1`, used by
        metafor 3.8 with t and Hartung-Knapp tests, which matches a confidence interval by t.
    prob
        Probability, in (0, 1).

    Returns
    -------
    tuple of float, or None
        On the scale of `centre`; None if t has no degree of freedom left.
    """
    df = {Prediction.NORMAL: None, Prediction.T_K_MINUS_1: k - 1, Prediction.T_K_MINUS_2: k - 2}[kind]
    if df is not None and df < 1:
        return None
    half = quantile(df, prob) * float(np.hypot(np.sqrt(tau2), se))
    return centre - half, centre + half


def has_full_rank(design: Floats) -> bool:
    """Return True if no column of a design (shape (k, p)) is a combination of the others, whatever their units."""
    largest = np.abs(design).max(axis=0, initial=0.0)
    if not (np.isfinite(largest) & (largest > 0)).all():
        return False
    scaled = design / largest
    return bool(np.linalg.matrix_rank(scaled / np.linalg.norm(scaled, axis=0)) == design.shape[1])


def quantile(df: float | None, prob: float) -> float:
    """Return the distance of a limit from its estimate in standard errors: by t, or normal if df is None."""
    upper = (1 + prob) / 2
    return float(ndtri(upper) if df is None else stdtrit(df, upper))


def _factor(residuals: Floats, df: int, test: Test) -> float:
    """Return the Hartung-Knapp factor of the covariance, 0 if it is rounding error; 1 for the other tests."""
    if test in {Test.Z, Test.T}:
        return 1.0
    factor = float(residuals @ residuals) / df
    if test is Test.AD_HOC:
        return max(1.0, factor)
    return factor if factor > ROUNDING else 0.0


def _log_likelihood(
    tau2: float, yi: Floats, vi: Floats, design: Floats, estimator: Tau2Estimator | None
) -> float | None:
    """Return the log-likelihood maximised by the estimator; None for a moment estimator."""
    if estimator not in {None, Tau2Estimator.ML, Tau2Estimator.REML}:
        return None
    return normal_log_likelihood(tau2, yi, vi, design, restricted=estimator is Tau2Estimator.REML)


def _explained(tau2: float, yi: Floats, vi: Floats, design: Floats, estimator: Tau2Estimator | None) -> float | None:
    """Return R2: the share of the tau2 about one mean explained by the design."""
    ones = np.ones(yi.size)
    if estimator is None or design.shape[1] == 1 or has_full_rank(np.column_stack([design, ones])):
        return None
    alone = estimate_tau2(yi, vi, ones[:, None], estimator)
    return max(0.0, 1 - tau2 / alone.tau2) if alone.converged and alone.tau2 > 0 else None


def _unfound(yi: Floats, vi: Floats, design: Floats, test: Test) -> RegressionFit:
    """Return a fit without tau2, with only the values that do not depend on it."""
    k, p = design.shape
    residual = cochran_q(yi, vi, design)
    nothing = np.full(p, np.nan)
    return RegressionFit(
        beta=nothing,
        covariance=np.full((p, p), np.nan),
        factor=np.nan,
        low=nothing,
        high=nothing,
        df=None if test is Test.Z else k - p,
        tau2=np.nan,
        converged=False,
        weights=np.full(k, np.nan),
        fitted=np.full(k, np.nan),
        q_e=residual.q,
        q_e_df=residual.df,
        q_e_p=residual.p,
        omnibus=None,
        i2=None,
        h2=None,
        log_likelihood=None,
        r2=None,
    )
