"""One pooled response rate from the counts of k cohorts, by each classical method."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from alkbayes.classical.counts import Floats, checked_counts
from alkbayes.classical.inverse_variance.regression import (
    Prediction,
    RegressionFit,
    Test,
    fit_regression,
    prediction_interval,
    quantile,
)
from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator, tau2_q_profile
from alkbayes.classical.notes import correction_note, standard_error_note
from alkbayes.classical.pooling.methods import (
    CLUSTER_ROBUST,
    CRUDE_INTERVALS,
    INVERSE_VARIANCE,
    InverseVariance,
    PoolingMethod,
    scale_of,
)
from alkbayes.classical.pooling.models import (
    binomial_instead,
    fill_beta_binomial,
    fill_cluster_robust,
    fill_glmm,
    fill_glmm_trials,
    fill_multilevel,
)
from alkbayes.classical.pooling.result import NO_SPREAD_NOTE, PooledProportion, with_interval
from alkbayes.classical.proportions import IntervalMethod, proportion_interval
from alkbayes.classical.scales import Effects, discouraged, effects
from alkbayes.text.notes import Note, NoteKind, notes_of
from alkbayes.vocabulary import INTERVAL_PROB

CRUDE_NOTE = "Summed counts: the interval takes them for one sample and leaves out the differences between cohorts."
COMMON_NOTE = "Takes one rate for all cohorts: the interval leaves out the differences between them."
SINGLE_NOTE = Note(
    NoteKind.PREDICTION, "One cohort cannot show how cohorts differ: no heterogeneity and no prediction interval."
)
SINGLE_TEST_NOTES = {
    Test.T: "The t interval needs at least two cohorts.",
    Test.KNAPP_HARTUNG: "The Hartung-Knapp interval needs at least two cohorts.",
    Test.AD_HOC: "The Hartung-Knapp interval needs at least two cohorts.",
}
NO_SPREAD_HTS_NOTE = Note(
    NoteKind.PREDICTION,
    "tau2 was estimated at 0, so the prediction interval leaves out differences between cohorts; few cohorts cannot "
    "show that there are none.",
)
EMPTY_PROFILE_NOTE = "Q is smaller than chance makes it at tau2 = 0: no intervals for tau2, I2 and H2."
HTS_NOTE = Note(
    NoteKind.PREDICTION,
    "The prediction interval has the quantile of t with k - 2 degrees of freedom (Higgins et al. 2009).",
)
NO_HTS_NOTE = Note(
    NoteKind.PREDICTION, "A prediction interval by t with k - 2 degrees of freedom needs at least three cohorts."
)
ESTIMATOR_NAMES = {Tau2Estimator.PM: "Paule-Mandel", Tau2Estimator.ML: "ML", Tau2Estimator.REML: "REML"}
"""Names in notes of the estimators that can fail to converge."""


def pool(
    responders: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    method: PoolingMethod,
    cohorts: Sequence[str] | None = None,
    trials: Sequence[str] | None = None,
    prob: float = INTERVAL_PROB,
) -> PooledProportion:
    """Pool the response rates of k cohorts.

    Parameters
    ----------
    responders, n
        Counts, shape (k,).
    method
        `crude-*`: the summed counts with an interval of one proportion. `common-*`: inverse-variance mean of the
        transformed rates. `dl-*`, `reml-*` and so on: the same with a variance between cohorts by that estimator (see
        `estimate_tau2`), z interval; with `-t` t with k - 1 degrees of freedom; with `-hk` also the Hartung-Knapp
        variance, far too small for cohorts that agree by chance; with `-hk-adhoc` that variance only if it is the
        larger one; with `-cr2` the cluster-robust variance and Satterthwaite's degrees of freedom, with trials as
        clusters. `multilevel-logit`: cohorts within trials by REML. `glmm-ml`, `glmm-ml-trials`: the binomial-normal
        model by maximum likelihood, of cohorts or of cohorts within trials. `beta-binomial-ml`: that model by maximum
        likelihood. On the scales that need it, cohorts with an empty cell get 1/2 in both (see `effects`); the note
        names them. A prediction interval is pooled mean -/+ quantile * sqrt(tau2 + se2), with the quantile of the
        confidence interval, in `reml-logit-hts` that of t with k - 2 degrees of freedom, and in `beta-binomial-ml` from
        the fitted beta distribution.
    cohorts
        Names of the cohorts for notes, length k; their positions from 1 if None.
    trials
        Trial of each cohort, length k; None if unknown, which the methods that need it report.
    prob
        Probability of confidence and prediction intervals, in (0, 1).

    Returns
    -------
    PooledProportion
        Always: a method without a result gives the reason in its note.

    Raises
    ------
    EvidenceError
        If the counts are invalid (see `checked_counts`).
    ValueError
        If `cohorts` or `trials` does not have one entry per cohort.

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
    if trials is not None and len(trials) != x.size:
        raise ValueError(f"trials must name that of each of the {x.size} cohorts, got {len(trials)} names")
    crude = CRUDE_INTERVALS.get(method)
    blank = PooledProportion(
        method=method,
        scale=scale_of(method),
        k=x.size,
        patients=int(m.sum()),
        responders=int(x.sum()),
        notes=notes_of(SINGLE_NOTE if x.size == 1 else ""),
    )
    if crude is not None:
        return _crude(blank, crude, prob=prob)
    match method:
        case PoolingMethod.GLMM_ML:
            return fill_glmm(blank, x, m, prob=prob)
        case PoolingMethod.GLMM_ML_TRIALS:
            return fill_glmm_trials(blank, x, m, trials, prob=prob)
        case PoolingMethod.BETA_BINOMIAL_ML:
            return fill_beta_binomial(blank, x, m, prob=prob)
    observed = effects(x, m, scale=blank.scale)
    blank = replace(blank, corrected=int(observed.corrected.sum()))
    if method is PoolingMethod.MULTILEVEL_LOGIT:
        return fill_multilevel(blank, observed, m, trials, names, prob=prob)
    if method in CLUSTER_ROBUST:
        return fill_cluster_robust(blank, CLUSTER_ROBUST[method], observed, x, m, trials, names, prob=prob)
    return _inverse_variance(blank, INVERSE_VARIANCE[method], observed, x, m, names, prob=prob)


def _crude(blank: PooledProportion, interval: IntervalMethod, *, prob: float) -> PooledProportion:
    """Fill in the proportion of the summed counts."""
    low, high = proportion_interval(blank.responders, blank.patients, method=interval, prob=prob)
    return replace(
        blank,
        estimate=blank.responders / blank.patients,
        low=float(low[0]),
        high=float(high[0]),
        notes=blank.notes or notes_of(CRUDE_NOTE),
    )


def _inverse_variance(
    blank: PooledProportion,
    method: InverseVariance,
    observed: Effects,
    x: Floats,
    n: Floats,
    names: Sequence[str],
    *,
    prob: float,
) -> PooledProportion:
    """Fill in an inverse-variance mean of the transformed rates."""
    yi, vi, k = observed.yi, observed.vi, blank.k
    corrected = correction_note(observed.corrected, names)
    if k == 1:
        filled = replace(blank, notes=notes_of(corrected, *blank.notes, single_test_note(method.test, x, n, prob=prob)))
        half = float(quantile(None, prob) * np.sqrt(vi[0])) if method.test is Test.Z else None
        return _with_discouraged(with_interval(filled, float(yi[0]), half, None, n))
    fit = fit_regression(yi, vi, estimator=method.estimator, test=method.test)
    filled = replace(blank, q=fit.q_e, q_df=fit.q_e_df, q_p=fit.q_e_p, i2=fit.i2, h2=fit.h2, notes=notes_of(corrected))
    centre, se = float(fit.beta[0]), float(fit.se[0])
    half = None if np.isnan(se) else quantile(fit.df, prob) * se
    if method.estimator is None or method.prediction is None:
        filled = replace(filled, notes=notes_of(corrected, COMMON_NOTE))
        return _with_discouraged(with_interval(filled, centre, half, None, n))
    if not fit.converged:
        failed = f"The {ESTIMATOR_NAMES[method.estimator]} estimate of tau2 did not converge: no result."
        return _with_discouraged(replace(filled, notes=notes_of(corrected, failed)))
    filled = _with_profile(replace(filled, tau2=fit.tau2), yi, vi, prob=prob)
    prediction = (
        None if half is None else prediction_interval(centre, se, fit.tau2, k=k, kind=method.prediction, prob=prob)
    )
    filled = with_interval(filled, centre, half, prediction, n)
    cautions = _cautions(filled, fit, x, n, predicted=prediction is not None, prob=prob)
    return _with_discouraged(replace(filled, notes=notes_of(*filled.notes, *cautions)))


def single_test_note(test: Test, x: Floats, n: Floats, *, prob: float) -> Note | None:
    """Say that one cohort has no interval by t; None if the test has one by z."""
    single = SINGLE_TEST_NOTES.get(test)
    return None if single is None else Note(NoteKind.OTHER, single, binomial_instead(x, n, prob=prob))


def _cautions(
    row: PooledProportion, fit: RegressionFit, x: Floats, n: Floats, *, predicted: bool, prob: float
) -> list[Note | None]:
    """Return what to say of the intervals of a random-effects mean."""
    method = INVERSE_VARIANCE[row.method]
    notes: list[Note | None] = []
    if method.prediction is Prediction.T_K_MINUS_2:
        notes.append(HTS_NOTE if row.k > 2 else NO_HTS_NOTE)
    if fit.tau2 == 0 and predicted:
        notes.append(NO_SPREAD_HTS_NOTE if method.prediction is Prediction.T_K_MINUS_2 else NO_SPREAD_NOTE)
    instead = partial(binomial_instead, x, n, prob=prob)
    return [*notes, standard_error_note(row.method, fit.factor, fit.df, instead, prob=prob)]


def _with_profile(filled: PooledProportion, yi: Floats, vi: Floats, *, prob: float) -> PooledProportion:
    """Fill in the Q-profile intervals of tau2, I2 and H2."""
    limits = tau2_q_profile(yi, vi, np.ones((yi.size, 1)), prob=prob)
    return replace(
        filled,
        tau2_low=limits.low,
        tau2_high=limits.high,
        i2_low=limits.i2_low,
        i2_high=limits.i2_high,
        h2_low=limits.h2_low,
        h2_high=limits.h2_high,
        notes=notes_of(*filled.notes, EMPTY_PROFILE_NOTE if limits.low is None else ""),
    )


def _with_discouraged(filled: PooledProportion) -> PooledProportion:
    """Add the warning of the scale, if there is one."""
    return replace(filled, notes=notes_of(*filled.notes, discouraged(filled.scale)))
