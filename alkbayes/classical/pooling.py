"""One pooled response rate from the counts of k cohorts, by each classical method."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtri, stdtrit

from alkbayes.classical.counts import Floats, checked_counts, logits
from alkbayes.classical.glmm import fit_glmm
from alkbayes.classical.heterogeneity import (
    cochran_q,
    i2_h2,
    tau2_dersimonian_laird,
    tau2_reml,
    weighted_mean,
)
from alkbayes.classical.intervals import IntervalMethod, proportion_interval
from alkbayes.vocabulary import INTERVAL_PROB

CRUDE_NOTE = (
    "Summed counts: the interval takes all patients for one sample and leaves out the differences between cohorts."
)
COMMON_NOTE = "Takes one response rate for all cohorts: the interval leaves out the differences between them."
SINGLE_NOTE = "One cohort: nothing shows how cohorts differ, so no heterogeneity and no prediction interval."
SINGLE_HK_NOTE = "The Hartung-Knapp interval needs at least two cohorts."
NARROW_HK_NOTE = "The Hartung-Knapp interval is narrower here than the plain one, and may be too narrow."
NO_SPREAD_NOTE = (
    "tau2 was estimated at 0, so the prediction interval is no wider than the confidence interval; few cohorts cannot "
    "show that there are no differences."
)
REML_NOTE = "The REML estimate of tau2 did not converge: no result."
NAMED_COHORTS = 10
"""A note names so many cohorts and counts the rest."""


class PoolingMethod(StrEnum):
    """A classical way to pool response rates; the values are what the command line and the tables call it."""

    CRUDE_WALD = "crude-wald"
    CRUDE_WILSON = "crude-wilson"
    CRUDE_CLOPPER_PEARSON = "crude-clopper-pearson"
    COMMON_LOGIT = "common-logit"
    DL_LOGIT = "dl-logit"
    DL_LOGIT_HK = "dl-logit-hk"
    REML_LOGIT = "reml-logit"
    REML_LOGIT_HK = "reml-logit-hk"
    GLMM_ML = "glmm-ml"


CRUDE_INTERVALS = {
    PoolingMethod.CRUDE_WALD: IntervalMethod.WALD,
    PoolingMethod.CRUDE_WILSON: IntervalMethod.WILSON,
    PoolingMethod.CRUDE_CLOPPER_PEARSON: IntervalMethod.CLOPPER_PEARSON,
}
KNAPP_HARTUNG = frozenset({PoolingMethod.DL_LOGIT_HK, PoolingMethod.REML_LOGIT_HK})
REML = frozenset({PoolingMethod.REML_LOGIT, PoolingMethod.REML_LOGIT_HK})
UPPER = (1 + INTERVAL_PROB) / 2
Z = float(ndtri(UPPER))


class Scale(StrEnum):
    """The scale on which a method averages; estimates are given as proportions whatever it is."""

    PROBABILITY = "probability"
    LOGIT = "logit"


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
        Pooled response rate, a proportion in [0, 1]. On the logit scale it is that of a cohort in the middle of the
        distribution, not the average over cohorts.
    low, high
        Limits of its 95 % confidence interval, proportions.
    prediction_low, prediction_high
        Limits of the 95 % prediction interval for the rate of a further cohort, proportions.
    tau2
        Variance between cohorts, squared logit scale.
    i2, h2
        Share of the variation that is between cohorts, a proportion in [0, 1], and H2 >= 1; for `common-logit` from Q
        (where H2 = Q / df may be under 1), else from `tau2`. None for `glmm-ml`, whose sampling variances are not known
        numbers.
    q, q_df, q_p
        Cochran's Q of the observed logits, its degrees of freedom and p-value. None for `glmm-ml`: its likelihood-ratio
        test is another statistic, to be had from `fit_glmm`.
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
        `crude-*`: the summed counts with an interval of one proportion. `common-logit`: inverse-variance mean of the
        logits. `dl-logit`, `reml-logit`: the same with a variance between cohorts, by moments or by restricted
        likelihood, z interval; with `-hk` the variance of Hartung & Knapp and t with k - 1 degrees of freedom.
        `glmm-ml`: the binomial-normal model by maximum likelihood. The logits of the inverse-variance methods get 1/2
        in both cells of those cohorts where one is empty; the note names them. A prediction interval is pooled logit
        -/+ quantile * sqrt(tau2 + se2), with the quantile of the confidence interval.
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
    Knapp & Hartung (2003), doi:10.1002/sim.1482; Stijnen, Hamza & Ozdemir (2010), doi:10.1002/sim.4040; prediction:
    Riley, Higgins & Deeks (2011), doi:10.1136/bmj.d549, with the quantiles of metafor 3.8.
    """
    x, m = checked_counts(responders, n)
    names = [str(i + 1) for i in range(x.size)] if cohorts is None else [str(name) for name in cohorts]
    if len(names) != x.size:
        raise ValueError(f"cohorts must name each of the {x.size} cohorts, got {len(names)} names")
    crude = CRUDE_INTERVALS.get(method)
    blank = PooledProportion(
        method=method,
        scale=Scale.LOGIT if crude is None else Scale.PROBABILITY,
        k=x.size,
        patients=int(m.sum()),
        responders=int(x.sum()),
        note=SINGLE_NOTE if x.size == 1 else "",
    )
    if crude is not None:
        return _crude(blank, crude)
    if method is PoolingMethod.GLMM_ML:
        return _glmm(blank, x, m)
    return _inverse_variance(blank, x, m, names)


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


def _inverse_variance(blank: PooledProportion, x: Floats, m: Floats, names: Sequence[str]) -> PooledProportion:
    """Fill in an inverse-variance mean of the logits."""
    observed = logits(x, m)
    yi, vi = observed.yi, observed.vi
    method, df = blank.method, blank.k - 1
    knapp = method in KNAPP_HARTUNG
    corrected = _correction_note(observed.corrected, names)
    if df == 0:
        if knapp:
            note = _sentences(corrected, blank.note, SINGLE_HK_NOTE)
            return replace(blank, estimate=float(expit(yi[0])), note=note)
        return _with_interval(replace(blank, note=_sentences(corrected, blank.note)), yi[0], np.sqrt(vi[0]), Z)

    test = cochran_q(yi, vi)
    blank = replace(blank, q=test.q, q_df=test.df, q_p=test.p, note=corrected)
    if method is PoolingMethod.COMMON_LOGIT:
        blank = replace(
            blank,
            i2=max(0.0, 1 - test.df / test.q) if test.q > 0 else 0.0,
            h2=test.q / test.df,
            note=_sentences(corrected, COMMON_NOTE),
        )
        return _with_interval(blank, weighted_mean(yi, 1 / vi), np.sqrt(1 / (1 / vi).sum()), Z)

    between = (tau2_reml if method in REML else tau2_dersimonian_laird)(yi, vi)
    if not between.converged:
        return replace(blank, note=_sentences(corrected, REML_NOTE))
    i2, h2 = i2_h2(between.tau2, vi)
    blank = replace(
        blank, tau2=between.tau2, i2=i2, h2=h2, note=_sentences(corrected, "" if between.tau2 else NO_SPREAD_NOTE)
    )
    w = 1 / (vi + between.tau2)
    centre, se = weighted_mean(yi, w), np.sqrt(1 / w.sum())
    if not knapp:
        return _with_interval(blank, centre, se, Z)
    factor = float(w @ (yi - centre) ** 2 / df)
    quantile = float(stdtrit(df, UPPER))
    narrow = NARROW_HK_NOTE if quantile * np.sqrt(factor) < Z else ""
    return _with_interval(replace(blank, note=_sentences(blank.note, narrow)), centre, se * np.sqrt(factor), quantile)


def _glmm(blank: PooledProportion, x: Floats, m: Floats) -> PooledProportion:
    """Fill in the binomial-normal model."""
    fit = fit_glmm(x, m)
    if blank.responders in {0, blank.patients}:
        rate = "0" if blank.responders == 0 else "1"
        note = f"Maximum likelihood gives a rate of exactly {rate}, which has no logit: no result."
        return replace(blank, note=_sentences(blank.note, note))
    if not fit.converged:
        return replace(blank, note=_sentences(blank.note, f"No result: {fit.message}."))
    tau2 = None if fit.tau is None else fit.tau**2
    note = _sentences(blank.note, NO_SPREAD_NOTE if tau2 == 0 else "")
    return _with_interval(replace(blank, tau2=tau2, note=note), fit.beta[0], np.sqrt(fit.covariance[0, 0]), Z)


def _with_interval(blank: PooledProportion, centre: float, se: float, quantile: float) -> PooledProportion:
    """Fill in estimate, confidence and (given a `tau2`) prediction limits from a logit with its standard error."""
    low, high = expit(centre - quantile * se), expit(centre + quantile * se)
    filled = replace(blank, estimate=float(expit(centre)), low=float(low), high=float(high))
    if blank.tau2 is None:
        return filled
    half = quantile * np.sqrt(blank.tau2 + se**2)
    return replace(filled, prediction_low=float(expit(centre - half)), prediction_high=float(expit(centre + half)))


def _correction_note(corrected: npt.NDArray[np.bool_], names: Sequence[str]) -> str:
    """Say which cohorts got a continuity correction; empty if none did."""
    touched = [name for name, flag in zip(names, corrected, strict=True) if flag]
    if not touched:
        return ""
    more = len(touched) - NAMED_COHORTS
    listed = ", ".join(touched[:NAMED_COHORTS]) + (f" and {more} more" if more > 0 else "")
    which = f"cohort {listed}" if len(touched) == 1 else f"cohorts {listed}"
    return f"1/2 was added to responders and non-responders of {which}, where one of them is 0."


def _sentences(*notes: str) -> str:
    """Join the notes that are not empty."""
    return " ".join(note for note in notes if note)
