"""Pooling by a model: binomial likelihoods, and trials with several cohorts.

Each function fills in a blank row of one method, with intervals of the probability `prob`; a model without a result
gives the reason in its note.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.cluster_robust import cluster_robust
from alkbayes.classical.inverse_variance.regression import Prediction, fit_regression, prediction_interval, quantile
from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator
from alkbayes.classical.maximum_likelihood.beta_binomial import fit_beta_binomial
from alkbayes.classical.maximum_likelihood.glmm import GlmmFit, as_fit, build, fit_glmm, maximum_likelihood
from alkbayes.classical.maximum_likelihood.multilevel import fit_multilevel
from alkbayes.classical.maximum_likelihood.profile import tau_interval
from alkbayes.classical.notes import NO_TAU2, cluster_robust_note, correction_note, rate_with_interval, tau2_parts_note
from alkbayes.classical.pooling.methods import PoolingMethod, scale_of
from alkbayes.classical.pooling.result import NO_SPREAD_NOTE, PooledProportion, with_interval
from alkbayes.classical.proportions import IntervalMethod, proportion_interval
from alkbayes.classical.scales import Effects
from alkbayes.text.notes import Instead, Note, NoteKind, notes_of
from alkbayes.text.wording import sentence

NO_TRIALS_NOTE = "No result: the table does not say which cohorts are of one trial."
ONE_TRIAL_NOTE = "No result: all cohorts are of one trial, so that nothing shows how trials differ."
ONE_EACH_NOTE = "No result: every trial gives one cohort, so that trials and cohorts are the same: see {other}."
MEAN_NOTE = "The estimate is the mean of the cohorts' rates, where the logit methods give the rate in their middle."
BETA_PREDICTION_NOTE = Note(NoteKind.PREDICTION, "The prediction interval takes mean and rho for known.")
NO_RHO_NOTE = "rho was estimated at 0, which few cohorts cannot show: no prediction interval."
SUMMED = "Summed counts ignore heterogeneity, which few cohorts cannot rule out."
"""Caution on the result of the summed counts to use instead."""
CLUSTERED_COMMON_NOTE = (
    "The interval allows for differences between trials; the mean is weighted as if there were none."
)


def fill_glmm(blank: PooledProportion, x: Floats, m: Floats, *, prob: float) -> PooledProportion:
    """Fill in the binomial-normal model with one level of heterogeneity, by maximum likelihood."""
    fitted = maximum_likelihood(build(x, m, None, None))
    fit = as_fit(fitted)
    blank = replace(blank, tau2=None if fit.tau is None else fit.tau**2)
    filled = _filled_glmm(blank, fit, m, prob=prob)
    limits = None if filled.tau2 is None else tau_interval(fitted, prob=prob)
    return filled if limits is None else replace(filled, tau2_low=limits[0] ** 2, tau2_high=limits[1] ** 2)


def binomial_levels(trials: Sequence[str] | None) -> tuple[PoolingMethod, Sequence[str] | None]:
    """Return the binomial model that allows for cohorts of one trial where there are any, and its groups."""
    if trials is not None and 1 < len(set(trials)) < len(trials):
        return PoolingMethod.GLMM_ML_TRIALS, trials
    return PoolingMethod.GLMM_ML, None


def binomial_instead(x: Floats, m: Floats, trials: Sequence[str] | None = None, *, prob: float) -> Instead:
    """Return the result of the counts themselves: of the binomial model, or where it has none of their sum.

    `trials` is the trial of each cohort for a method that allows for it, else None.
    """
    method, group = binomial_levels(trials)
    fit = fit_glmm(x, m, group=group)
    tau2 = None if fit.tau is None else fit.tau**2 + (fit.tau_group or 0.0) ** 2
    blank = PooledProportion(
        method=method, scale=scale_of(method), k=x.size, patients=int(m.sum()), responders=int(x.sum()), tau2=tau2
    )
    found = _filled_glmm(blank, fit, m, prob=prob)
    if found.estimate is not None:
        interval = rate_with_interval(found.estimate, found.low, found.high)
        return Instead(f"that of the binomial model, {method}", interval, NO_TAU2 if tau2 == 0 else "")
    (low,), (high,) = proportion_interval(
        blank.responders, blank.patients, method=IntervalMethod.CLOPPER_PEARSON, prob=prob
    )
    return Instead(
        f"the exact one of the summed counts, {PoolingMethod.CRUDE_CLOPPER_PEARSON}",
        rate_with_interval(blank.responders / blank.patients, float(low), float(high)),
        SUMMED if x.size > 1 else "",
    )


def fill_glmm_trials(
    blank: PooledProportion, x: Floats, m: Floats, trials: Sequence[str] | None, *, prob: float
) -> PooledProportion:
    """Fill in the binomial-normal model with cohorts within trials, by maximum likelihood."""
    if without := _without_trials(trials, other="glmm-ml"):
        return replace(blank, notes=notes_of(*blank.notes, without))
    fit = fit_glmm(x, m, group=trials)
    if fit.tau is not None and fit.tau_group is not None:
        blank = replace(blank, tau2=fit.tau**2 + fit.tau_group**2, tau2_trial=fit.tau_group**2)
    filled = _filled_glmm(blank, fit, m, prob=prob)
    return replace(filled, notes=notes_of(*filled.notes, tau2_parts_note(filled.tau2, filled.tau2_trial, "trial")))


def fill_beta_binomial(blank: PooledProportion, x: Floats, m: Floats, *, prob: float) -> PooledProportion:
    """Fill in the beta-binomial model, by maximum likelihood."""
    fit = fit_beta_binomial(x, m)
    if not fit.converged:
        return replace(blank, notes=notes_of(*blank.notes, f"No result: {fit.message}."))
    low, high = fit.interval(prob)
    filled = replace(blank, estimate=fit.mean, low=low, high=high, notes=notes_of(*blank.notes, MEAN_NOTE))
    if np.isnan(fit.rho):
        return filled
    if fit.rho == 0:
        return replace(filled, rho=0.0, notes=notes_of(*filled.notes, NO_RHO_NOTE))
    prediction = fit.prediction(prob)
    return replace(
        filled,
        rho=fit.rho,
        prediction_low=prediction[0],
        prediction_high=prediction[1],
        notes=notes_of(*filled.notes, BETA_PREDICTION_NOTE),
    )


def fill_multilevel(
    blank: PooledProportion,
    observed: Effects,
    n: Floats,
    trials: Sequence[str] | None,
    names: Sequence[str],
    *,
    prob: float,
) -> PooledProportion:
    """Fill in the multilevel normal model of the transformed rates, cohorts within trials, by REML."""
    notes = notes_of(correction_note(observed.corrected, names), *blank.notes)
    without = _without_trials(trials, other="reml-logit")
    if trials is None or without:
        return replace(blank, notes=notes_of(*notes, without))
    fit = fit_multilevel(observed.yi, observed.vi, trials)
    filled = replace(blank, q=fit.q, q_df=fit.q_df, q_p=fit.q_p, notes=notes)
    if not fit.converged:
        return replace(filled, notes=notes_of(*notes, f"No result: {fit.message}."))
    tau2 = fit.tau2_group + fit.tau2_cohort
    filled = replace(
        filled,
        tau2=tau2,
        tau2_trial=fit.tau2_group,
        i2=fit.i2_group + fit.i2_cohort,
        notes=notes_of(*notes, tau2_parts_note(tau2, fit.tau2_group, "trial"), NO_SPREAD_NOTE if tau2 == 0 else ""),
    )
    centre = float(fit.beta[0])
    return with_interval(filled, centre, fit.interval(prob=prob)[1] - centre, fit.prediction(prob=prob), n)


def fill_cluster_robust(
    blank: PooledProportion,
    estimator: Tau2Estimator | None,
    observed: Effects,
    x: Floats,
    n: Floats,
    trials: Sequence[str] | None,
    names: Sequence[str],
    *,
    prob: float,
) -> PooledProportion:
    """Fill in an inverse-variance mean whose interval allows for dependence within trials (CR2)."""
    notes = notes_of(correction_note(observed.corrected, names), *blank.notes)
    if trials is None or len(set(trials)) == 1:
        return replace(blank, notes=notes_of(*notes, NO_TRIALS_NOTE if trials is None else ONE_TRIAL_NOTE))
    fit = fit_regression(observed.yi, observed.vi, estimator=estimator)
    filled = replace(blank, q=fit.q_e, q_df=fit.q_e_df, q_p=fit.q_e_p, i2=fit.i2, h2=fit.h2, notes=notes)
    if not fit.converged:
        return replace(filled, notes=notes_of(*notes, "The REML estimate of tau2 did not converge: no result."))
    robust = cluster_robust(observed.yi, observed.vi, trials, tau2=fit.tau2)
    common = CLUSTERED_COMMON_NOTE if estimator is None else ""
    doubt = cluster_robust_note(
        robust.se,
        fit.se,
        robust.df,
        lambda: binomial_instead(x, n, trials, prob=prob),
        without=robust.without,
        tested=False,
        prob=prob,
    )
    filled = replace(
        filled,
        tau2=None if estimator is None else fit.tau2,
        notes=notes_of(*notes, common, sentence(robust.caution), doubt),
    )
    centre, se = float(fit.beta[0]), float(robust.se[0])
    if np.isnan(se):
        return with_interval(filled, centre, None, None, n)
    half = float(robust.intervals(prob)[0, 1]) - centre
    no_spread = NO_SPREAD_NOTE if estimator is not None and fit.tau2 == 0 else ""
    filled = replace(filled, notes=notes_of(*filled.notes, no_spread))
    if estimator is None:
        return with_interval(filled, centre, half, None, n)
    # The quantile of the confidence interval, as everywhere else.
    reach = half / se * float(np.sqrt(fit.tau2 + se**2))
    return with_interval(filled, centre, half, (centre - reach, centre + reach), n)


def _filled_glmm(blank: PooledProportion, fit: GlmmFit, m: Floats, *, prob: float) -> PooledProportion:
    if blank.responders in {0, blank.patients}:
        rate = "0" if blank.responders == 0 else "1"
        note = (
            f"Maximum likelihood gives a rate of exactly {rate}, which has no logit: no result. See "
            "crude-clopper-pearson."
        )
        return replace(blank, tau2=None, tau2_trial=None, notes=notes_of(*blank.notes, note))
    if not fit.converged:
        return replace(blank, tau2=None, tau2_trial=None, notes=notes_of(*blank.notes, f"No result: {fit.message}."))
    notes = notes_of(*blank.notes, NO_SPREAD_NOTE if blank.tau2 == 0 else "")
    centre, se = float(fit.beta[0]), float(np.sqrt(fit.covariance[0, 0]))
    kind = Prediction.NORMAL
    prediction = (
        None if blank.tau2 is None else prediction_interval(centre, se, blank.tau2, k=blank.k, kind=kind, prob=prob)
    )
    return with_interval(replace(blank, notes=notes), centre, quantile(None, prob) * se, prediction, m)


def _without_trials(trials: Sequence[str] | None, *, other: str) -> str:
    """Say why there is no level between trials; empty if there is one."""
    if trials is None:
        return NO_TRIALS_NOTE
    if len(set(trials)) == 1:
        return ONE_TRIAL_NOTE
    return ONE_EACH_NOTE.format(other=other) if len(set(trials)) == len(trials) else ""
