"""The multilevel normal model: cohorts within groups, say arms within trials, with known sampling variances.

    y_i = x_i' beta + u_group(i) + v_i + e_i,   u ~ N(0, tau2_group), v ~ N(0, tau2_cohort), e_i ~ N(0, vi)

by restricted or full maximum likelihood, as metafor's `rma.mv(yi, vi, random = ~ 1 | group/cohort)`; see
Konstantopoulos (2011), doi:10.1002/jrsm.35, and Van den Noortgate et al. (2013), doi:10.3758/s13428-012-0261-6. The
likelihood and its derivatives are in :mod:`alkbayes.classical.maximum_likelihood.multilevel_likelihood`.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, chdtri

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.grouped import GroupedEstimates
from alkbayes.classical.inverse_variance.least_squares import WeightedDesign
from alkbayes.classical.inverse_variance.regression import quantile
from alkbayes.classical.maximum_likelihood.glmm_likelihood import Maximum, maximise
from alkbayes.classical.maximum_likelihood.multilevel_likelihood import NestedNormal

MAX_ITERATIONS = 100
"""Maximum Newton steps."""
INSEPARABLE = 1e-8
"""Two variances whose expected information is this close to singular are one; a variance with as little has none."""
FARTHEST = 1e4
"""Range of the search for a limit of a standard deviation, in multiples of its estimate or of the search unit."""
LIMIT_TOLERANCE = 1e-10
"""Tolerance of a limit of a standard deviation, in the search unit."""


@dataclass(frozen=True, slots=True)
class MultilevelFit:
    """A fitted multilevel normal model with p fixed effects, on the scale of its estimates.

    Attributes
    ----------
    beta
        Fixed effects, shape (p,).
    covariance
        Their covariance given the variances between groups and cohorts, shape (p, p).
    tau2_group, tau2_cohort
        Variance between groups, and between the cohorts of a group.
    log_likelihood
        Restricted log-likelihood, as in metafor (with half the logarithm of det X'X), or the full one.
    q, q_df, q_p
        Weighted sum of squared residuals of the model without heterogeneity, degrees of freedom k - p, p-value of
        chi-squared; metafor's QE.
    i2_group, i2_cohort
        Proportion of the variation between groups, and between the cohorts of a group: tau2 / (tau2_group + tau2_cohort
        + s2) with s2 = (k - p) / tr(P), the typical sampling variance, where P is the projection of the model without
        heterogeneity (Cheung 2014, doi:10.1037/a0032968, with s2 of Higgins & Thompson 2002, equation 9,
        doi:10.1002/sim.1186).
    converged
        True if the results may be used; all but q are NaN otherwise.
    message
        Reason why not, else empty.
    """

    beta: Floats
    covariance: Floats
    tau2_group: float
    tau2_cohort: float
    log_likelihood: float
    q: float
    q_df: int
    q_p: float
    i2_group: float
    i2_cohort: float
    converged: bool
    message: str

    def interval(self, at: npt.ArrayLike | None = None, *, prob: float, t: bool = False) -> tuple[float, float]:
        """Return the confidence limits of the mean at a row `at` of the design; by t with k - p df, or normal.

        `at` has shape (p,); None means a single mean.
        """
        mean, variance = self._mean(at)
        half = quantile(self.q_df if t else None, prob) * float(np.sqrt(variance))
        return mean - half, mean + half

    def prediction(self, at: npt.ArrayLike | None = None, *, prob: float, t: bool = False) -> tuple[float, float]:
        """Return the prediction limits for the true effect of a cohort of a new group, as metafor's `predict`."""
        mean, variance = self._mean(at)
        half = quantile(self.q_df if t else None, prob) * float(np.sqrt(variance + self.tau2_group + self.tau2_cohort))
        return mean - half, mean + half

    def _mean(self, at: npt.ArrayLike | None) -> tuple[float, float]:
        row = np.ones(1) if at is None else np.asarray(at, dtype=np.float64)
        if row.shape != self.beta.shape:
            raise ValueError(f"a row of the design has shape {self.beta.shape}, got {row.shape}")
        return float(row @ self.beta), float(row @ self.covariance @ row)


@dataclass(frozen=True, slots=True)
class VarianceIntervals:
    """Profile-likelihood intervals of the variances between groups and between cohorts, each shape (2,)."""

    tau2_group: Floats
    tau2_cohort: Floats


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A model scaled to deviations of about 1, and its maximum over (tau_group, tau_cohort) in that unit.

    `unit` is the typical sampling error or residual, whichever is larger; `message` is empty if the fit is usable.
    """

    model: NestedNormal
    unit: float
    at: Maximum
    message: str


def fit_multilevel(
    yi: npt.ArrayLike,
    vi: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    design: Floats | None = None,
    restricted: bool = True,
    max_iterations: int = MAX_ITERATIONS,
) -> MultilevelFit:
    """Fit the multilevel normal model by (restricted) maximum likelihood.

    Work and memory are linear in the number of cohorts. Either variance, or both, may be estimated at 0. If the data do
    not identify the two variances, or the search fails, the result has `converged=False` and a message.

    Parameters
    ----------
    yi, vi
        Estimates and their sampling variances, shape (k,), vi > 0.
    group
        Group of each cohort, shape (k,).
    design
        Fixed effects, shape (k, p), of full column rank; a column of ones if None.
    restricted
        True for restricted likelihood (REML).
    max_iterations
        Maximum Newton steps.

    Raises
    ------
    ValueError
        If the array shapes disagree, a variance is not positive, or the design lacks full column rank.
    """
    fitted = _maximum(_in_units(GroupedEstimates.of(yi, vi, group, design), restricted=restricted), max_iterations)
    model, unit = fitted.model, fitted.unit
    k, p = model.design.shape
    residuals = model.without_heterogeneity()
    q = residuals.q
    if fitted.message:
        nan, lost = float("nan"), np.full(p, np.nan)
        return MultilevelFit(
            lost, np.full((p, p), np.nan), nan, nan, nan, q, k - p, _upper(k - p, q), nan, nan, False, fitted.message
        )
    beta, covariance = model.fixed_effects(fitted.at.phi)
    tau2_group, tau2_cohort = (fitted.at.phi**2).tolist()
    total = tau2_group + tau2_cohort + (k - p) / residuals.trace
    return MultilevelFit(
        beta=unit * beta,
        covariance=unit**2 * covariance,
        tau2_group=unit**2 * tau2_group,
        tau2_cohort=unit**2 * tau2_cohort,
        log_likelihood=fitted.at.value + model.constant - (k - p if restricted else k) * float(np.log(unit)),
        q=q,
        q_df=k - p,
        q_p=_upper(k - p, q),
        i2_group=tau2_group / total,
        i2_cohort=tau2_cohort / total,
        converged=True,
        message="",
    )


def variance_intervals(
    yi: npt.ArrayLike,
    vi: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    prob: float,
    design: Floats | None = None,
    restricted: bool = True,
) -> VarianceIntervals:
    """Return profile-likelihood intervals of the two variances at confidence level `prob`.

    As metafor's `confint.rma.mv`: the limits are where the profile log-likelihood has fallen by half the `prob`
    quantile of chi-squared with one degree of freedom. If it does not fall so far, the lower limit is 0 or the upper
    one infinite; all are NaN if the fit cannot be used. Other arguments as for :func:`fit_multilevel`.
    """
    fitted = _maximum(_in_units(GroupedEstimates.of(yi, vi, group, design), restricted=restricted), MAX_ITERATIONS)
    if fitted.message:
        return VarianceIntervals(np.full(2, np.nan), np.full(2, np.nan))
    limits = [
        np.array([_limit(fitted, place, sign, float(chdtri(1, 1 - prob)) / 2) for sign in (-1, 1)]) for place in (0, 1)
    ]
    return VarianceIntervals(*(fitted.unit**2 * limit**2 for limit in limits))


def _in_units(data: GroupedEstimates, *, restricted: bool) -> tuple[NestedNormal, float]:
    """Return the model in units of the typical sampling error or residual, whichever is larger, and that unit."""
    k, p = data.design.shape
    residuals = WeightedDesign.of(data.design, 1 / data.vi).residuals(data.yi)
    excess = float(residuals @ residuals) / max(k - p, 1)
    unit = float(np.sqrt(max(1.0, excess) / (1 / data.vi).mean()))
    return NestedNormal.of(data.yi / unit, data.vi / unit**2, data.design, data.labels, restricted=restricted), unit


def _maximum(scaled: tuple[NestedNormal, float], max_iterations: int) -> _Fitted:
    """Return the maximum of the likelihood over the two standard deviations, possibly at the boundary."""
    model, unit = scaled
    k, p = model.design.shape
    nowhere = Maximum(np.zeros(2), np.nan, np.full((2, 2), np.nan), converged=False)
    if k == p:
        return _Fitted(model, unit, nowhere, "as many fixed effects as cohorts: nothing shows how cohorts differ")
    if fault := _unidentified(model):
        return _Fitted(model, unit, nowhere, fault)
    none = Maximum(np.zeros(2), model.value(np.zeros(2)), np.full((2, 2), np.nan), converged=True)
    best = none
    for free, start in (((0,), (1.0, 0.0)), ((1,), (0.0, 1.0)), ((0, 1), (0.7, 0.7))):
        found = _search(model, free, np.array(start), max_iterations)
        # A boundary stands unless an interior point is higher by more than rounding.
        if found.value > best.value + model.resolution:
            best = found
    if not (best.converged and np.isfinite(best.value)):
        return _Fitted(model, unit, best, "the search for the maximum did not converge")
    return _Fitted(model, unit, best, "")


def _search(model: NestedNormal, free: tuple[int, ...], start: Floats, max_iterations: int) -> Maximum:
    """Return the maximum over the free standard deviations, with the other fixed at its `start`."""
    chosen = list(free)
    at = maximise(model.along(start, chosen), start[chosen], max_iterations, model.resolution)
    phi = start.copy()
    phi[chosen] = at.phi
    return replace(at, phi=phi)


def _unidentified(model: NestedNormal) -> str:
    """Return why the expected information cannot separate the two variances; empty if it can."""
    information = model.expected_information(np.ones(2))
    group, cohort = np.diag(information)
    if group <= INSEPARABLE * cohort:
        return "nothing shows how groups differ: there is only one, or the fixed effects are of the groups"
    if cohort <= INSEPARABLE * group or information[0, 1] ** 2 >= (1 - INSEPARABLE) * group * cohort:
        return "nothing tells groups from cohorts: no group has two cohorts left"
    return ""


def _limit(fitted: _Fitted, place: int, sign: int, drop: float) -> float:
    """Return the lower (sign -1) or upper (1) limit of a standard deviation."""
    from scipy.optimize import brentq

    model, other = fitted.model, 1 - place
    best = np.abs(fitted.at.phi)
    target = fitted.at.value - drop

    def excess(value: float) -> float:
        start = np.empty(2)
        start[place], start[other] = value, max(float(best[other]), 0.1)
        profile = _search(model, (other,), start, MAX_ITERATIONS).value
        start[other] = 0.0
        return max(profile, model.value(start)) - target

    middle = float(best[place])
    if sign < 0:
        if middle == 0 or excess(0.0) >= 0:
            return 0.0
        return float(brentq(excess, 0.0, middle, xtol=LIMIT_TOLERANCE))
    far = max(2 * middle, 1.0)
    while excess(far) > 0:
        far *= 2
        if far > FARTHEST * max(1.0, middle):
            return float("inf")
    return float(brentq(excess, middle, far, xtol=LIMIT_TOLERANCE))


def _upper(df: int, q: float) -> float:
    """Return the p-value of Q; NaN without degrees of freedom."""
    return float(chdtrc(df, q)) if df else float("nan")
