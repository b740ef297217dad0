"""One pooled response rate from the counts of k cohorts, by each classical method."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from alkbayes.classical.counts import Floats, checked_counts
from alkbayes.classical.glmm import fit_glmm
from alkbayes.classical.intervals import IntervalMethod, proportion_interval
from alkbayes.classical.notes import correction_note, sentences
from alkbayes.classical.pooling_methods import CRUDE_INTERVALS, TWO_STEP, PoolingMethod, TwoStep, scale_of
from alkbayes.classical.regression import Prediction, RegressionFit, Test, fit_regression, prediction_interval, quantile
from alkbayes.classical.scales import Effects, Scale, back_transform, discouraged, effects
from alkbayes.classical.tau2 import Tau2Estimator, tau2_q_profile
from alkbayes.vocabulary import INTERVAL_PROB

CRUDE_NOTE = (
    "Summed counts: the interval takes all patients for one sample and leaves out the differences between cohorts."
)
COMMON_NOTE = "Takes one response rate for all cohorts: the interval leaves out the differences between them."
SINGLE_NOTE = "One cohort: nothing shows how cohorts differ, so no heterogeneity and no prediction interval."
SINGLE_TEST_NOTES = {
    Test.T: "The t interval needs at least two cohorts.",
    Test.KNAPP_HARTUNG: "The Hartung-Knapp interval needs at least two cohorts.",
    Test.AD_HOC: "The Hartung-Knapp interval needs at least two cohorts.",
}
NARROW_HK_NOTE = "The Hartung-Knapp interval is narrower here than the plain one, and may be too narrow."
NO_SPREAD_NOTE = (
    "tau2 was estimated at 0, so the prediction interval is no wider than the confidence interval; few cohorts cannot "
    "show that there are no differences."
)
NO_SPREAD_HTS_NOTE = (
    "tau2 was estimated at 0, so the prediction interval leaves out differences between cohorts; few cohorts cannot "
    "show that there are none."
)
EMPTY_PROFILE_NOTE = (
    "These cohorts differ by less than chance makes cohorts differ at tau2 = 0: no intervals of tau2, I2 and H2."
)
HTS_NOTE = "The prediction interval has the quantile of t with k - 2 degrees of freedom (Higgins et al. 2009)."
NO_HTS_NOTE = "A prediction interval by t with k - 2 degrees of freedom needs at least three cohorts."
CUT_NOTE = "A limit lay beyond a rate of 0 or 1 and was cut there."
ESTIMATOR_NAMES = {Tau2Estimator.PM: "Paule-Mandel", Tau2Estimator.ML: "ML", Tau2Estimator.REML: "REML"}
"""What a note calls the estimators that can fail to converge."""
Z = quantile(None, INTERVAL_PROB)


@dataclass(frozen=True, slots=True)
class PooledProportion:
    """A pooled response rate. What a method does not define, or could not find, is None.

    Attributes
    ----------
    method
        How it was pooled.
    scale
        Scale of the pooling and of `tau2`.
    k, patients, responders
        Number of cohorts, and their summed counts.
    estimate
        Pooled response rate, a proportion in [0, 1]: the pooled mean, transformed back. On any scale but `probability`
        it is that of a cohort in the middle of the distribution, not the average over cohorts.
    low, high
        Limits of its 95 % confidence interval, proportions.
    prediction_low, prediction_high
        Limits of the 95 % prediction interval for the rate of a further cohort, proportions.
    tau2
        Variance between cohorts, squared `scale`.
    i2, h2
        Share of the variation that is between cohorts, a proportion in [0, 1], and H2 >= 1; for `common-*` from Q
        (where H2 = Q / df may be under 1), else from `tau2`. None for `glmm-ml`, whose sampling variances are not known
        numbers.
    q, q_df, q_p
        Cochran's Q of the observed rates on `scale`, its degrees of freedom and p-value. None for `glmm-ml`: its
        likelihood-ratio test is another statistic, to be had from `fit_glmm`.
    tau2_low, tau2_high, i2_low, i2_high, h2_low, h2_high
        Limits of the 95 % Q-profile intervals. They follow from Q and not from `tau2`, which may lie outside. None for
        `common-*`, which have no tau2, and `glmm-ml`, whose profile-likelihood interval is in
        :mod:`alkbayes.classical.profile`.
    note
        What a reader must know of this row, in sentences; empty if nothing.
    """

    method: PoolingMethod
    scale: Scale
    k: int
    patients: int
    responders: int
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    prediction_low: float | None = None
    prediction_high: float | None = None
    tau2: float | None = None
    i2: float | None = None
    h2: float | None = None
    q: float | None = None
    q_df: int | None = None
    q_p: float | None = None
    tau2_low: float | None = None
    tau2_high: float | None = None
    i2_low: float | None = None
    i2_high: float | None = None
    h2_low: float | None = None
    h2_high: float | None = None
    note: str = ""


def pool(
    responders: npt.ArrayLike, n: npt.ArrayLike, *, method: PoolingMethod, cohorts: Sequence[str] | None = None
) -> PooledProportion:
    """Pool the response rates of k cohorts.

    Parameters
    ----------
    responders, n
        Counts, shape (k,).
    method
        `crude-*`: the summed counts with an interval of one proportion. `common-*`: inverse-variance mean of the
        transformed rates. `dl-*`, `reml-*` and so on: the same with a variance between cohorts by that estimator (see
        `estimate_tau2`), z interval; with `-t` t with k - 1 degrees of freedom, with `-hk` that and the variance of
        Hartung & Knapp, with `-hk-adhoc` that variance where it is the larger one. `glmm-ml`: the binomial-normal model
        by maximum likelihood. On the scales that need it, cohorts with an empty cell get 1/2 in both (see `effects`);
        the note names them. A prediction interval is pooled mean -/+ quantile * sqrt(tau2 + se2), with the quantile of
        the confidence interval, and in `reml-logit-hts` with that of t with k - 2 degrees of freedom.
    cohorts
        Names of the cohorts for notes, length k; their positions from 1 when None.

    Returns
    -------
    PooledProportion
        Always: a method that finds no answer says why in its note.

    Raises
    ------
    EvidenceError
        If the counts are not counts (see `checked_counts`).
    ValueError
        If `cohorts` does not name each cohort.

    References
    ----------
    DerSimonian & Laird (1986), doi:10.1016/0197-2456(86)90046-2; Viechtbauer (2005), doi:10.3102/10769986030003261;
    Knapp & Hartung (2003), doi:10.1002/sim.1482; Röver, Knapp & Friede (2015), doi:10.1186/s12874-015-0091-1; Stijnen,
    Hamza & Ozdemir (2010), doi:10.1002/sim.4040; prediction: Riley, Higgins & Deeks (2011), doi:10.1136/bmj.d549, with
    the quantiles of metafor 3.8.
    """
    x, m = checked_counts(responders, n)
    names = [str(i + 1) for i in range(x.size)] if cohorts is None else [str(name) for name in cohorts]
    if len(names) != x.size:
        raise ValueError(f"cohorts must name each of the {x.size} cohorts, got {len(names)} names")
    crude = CRUDE_INTERVALS.get(method)
    blank = PooledProportion(
        method=method,
        scale=scale_of(method),
        k=x.size,
        patients=int(m.sum()),
        responders=int(x.sum()),
        note=SINGLE_NOTE if x.size == 1 else "",
    )
    if crude is not None:
        return _crude(blank, crude)
    if method is PoolingMethod.GLMM_ML:
        return _glmm(blank, x, m)
    return _two_step(blank, TWO_STEP[method], effects(x, m, scale=blank.scale), m, names)


def _crude(blank: PooledProportion, interval: IntervalMethod) -> PooledProportion:
    """Fill in the proportion of the summed counts."""
    low, high = proportion_interval(blank.responders, blank.patients, method=interval, prob=INTERVAL_PROB)
    return replace(
        blank,
        estimate=blank.responders / blank.patients,
        low=float(low[0]),
        high=float(high[0]),
        note=blank.note or CRUDE_NOTE,
    )


def _two_step(
    blank: PooledProportion, method: TwoStep, observed: Effects, n: Floats, names: Sequence[str]
) -> PooledProportion:
    """Fill in an inverse-variance mean of the transformed rates."""
    yi, vi, k = observed.yi, observed.vi, blank.k
    corrected = correction_note(observed.corrected, names)
    if k == 1:
        filled = replace(blank, note=sentences(corrected, blank.note, SINGLE_TEST_NOTES.get(method.test, "")))
        half = float(Z * np.sqrt(vi[0])) if method.test is Test.Z else None
        return _with_discouraged(_with_interval(filled, float(yi[0]), half, None, n))
    fit = fit_regression(yi, vi, estimator=method.estimator, test=method.test)
    filled = replace(blank, q=fit.q_e, q_df=fit.q_e_df, q_p=fit.q_e_p, i2=fit.i2, h2=fit.h2, note=corrected)
    centre, se = float(fit.beta[0]), float(fit.se[0])
    half = quantile(fit.df, INTERVAL_PROB) * se
    if method.estimator is None or method.prediction is None:
        filled = replace(filled, note=sentences(corrected, COMMON_NOTE))
        return _with_discouraged(_with_interval(filled, centre, half, None, n))
    if not fit.converged:
        note = f"The {ESTIMATOR_NAMES[method.estimator]} estimate of tau2 did not converge: no result."
        return _with_discouraged(replace(filled, note=sentences(corrected, note)))
    filled = _with_profile(replace(filled, tau2=fit.tau2), yi, vi)
    prediction = prediction_interval(centre, se, fit.tau2, k=k, kind=method.prediction)
    filled = _with_interval(filled, centre, half, prediction, n)
    return _with_discouraged(replace(filled, note=sentences(filled.note, *_cautions(method, fit, k))))


def _cautions(method: TwoStep, fit: RegressionFit, k: int) -> list[str]:
    """Return what to say of the intervals of a random-effects mean."""
    notes = []
    if method.prediction is Prediction.T_K_MINUS_2:
        notes.append(HTS_NOTE if k > 2 else NO_HTS_NOTE)
    if fit.tau2 == 0:
        notes.append(NO_SPREAD_HTS_NOTE if method.prediction is Prediction.T_K_MINUS_2 else NO_SPREAD_NOTE)
    plain = Z / np.sqrt(fit.weights.sum())
    if method.test is Test.KNAPP_HARTUNG and fit.high[0] - fit.beta[0] < plain:
        notes.append(NARROW_HK_NOTE)
    return notes


def _with_profile(filled: PooledProportion, yi: Floats, vi: Floats) -> PooledProportion:
    """Fill in the Q-profile intervals of tau2, I2 and H2."""
    limits = tau2_q_profile(yi, vi, np.ones((yi.size, 1)), prob=INTERVAL_PROB)
    return replace(
        filled,
        tau2_low=limits.low,
        tau2_high=limits.high,
        i2_low=limits.i2_low,
        i2_high=limits.i2_high,
        h2_low=limits.h2_low,
        h2_high=limits.h2_high,
        note=sentences(filled.note, EMPTY_PROFILE_NOTE if limits.low is None else ""),
    )


def _glmm(blank: PooledProportion, x: Floats, m: Floats) -> PooledProportion:
    """Fill in the binomial-normal model."""
    fit = fit_glmm(x, m)
    if blank.responders in {0, blank.patients}:
        rate = "0" if blank.responders == 0 else "1"
        note = f"Maximum likelihood gives a rate of exactly {rate}, which has no logit: no result."
        return replace(blank, note=sentences(blank.note, note))
    if not fit.converged:
        return replace(blank, note=sentences(blank.note, f"No result: {fit.message}."))
    tau2 = None if fit.tau is None else fit.tau**2
    note = sentences(blank.note, NO_SPREAD_NOTE if tau2 == 0 else "")
    centre, se = float(fit.beta[0]), float(np.sqrt(fit.covariance[0, 0]))
    prediction = None if tau2 is None else prediction_interval(centre, se, tau2, k=blank.k, kind=Prediction.NORMAL)
    half = Z * se
    return _with_interval(replace(blank, tau2=tau2, note=note), centre, half, prediction, m)


def _with_interval(
    filled: PooledProportion, centre: float, half: float | None, prediction: tuple[float, float] | None, n: Floats
) -> PooledProportion:
    """Fill in estimate and limits, back-transformed, from a mean, half its interval, and prediction limits."""
    values = [centre]
    if half is not None:
        values += [centre - half, centre + half, *(prediction or ())]
    limits: list[float | None] = back_transform(values, scale=filled.scale, n=n).tolist()
    estimate = limits.pop(0)
    low, high, prediction_low, prediction_high = limits + [None] * (4 - len(limits))
    cut = filled.scale is not Scale.LOGIT and any(limit in {0, 1} for limit in limits)
    return replace(
        filled,
        estimate=estimate,
        low=low,
        high=high,
        prediction_low=prediction_low,
        prediction_high=prediction_high,
        note=sentences(filled.note, CUT_NOTE if cut else ""),
    )


def _with_discouraged(filled: PooledProportion) -> PooledProportion:
    """Add the warning of the scale, if there is one."""
    return replace(filled, note=sentences(filled.note, discouraged(filled.scale)))
