"""Small-study effects: whether small cohorts show other response rates than large ones.

Three regressions of the cohorts' logits on a function of their size. Size is what they regress on, and never the
standard error as in Egger's own test: that of a logit is made from the very response rate, so that the two are
correlated where nothing is amiss. The tests take cohorts for independent.

There is no LFK index here. Its cut-offs take no account of chance: in simulations its rate of false alarms ran from 0
to almost 30 %, depending on the number and size of studies and on the heterogeneity, and it found more than the usual
tests only where it gave more false alarms. Schwarzer, Rücker & Semaca (2024), doi:10.1002/jrsm.1714, conclude that it
should not be used.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from alkbayes.classical.counts import Floats, checked_counts
from alkbayes.classical.inverse_variance.regression import Test, fit_regression, has_full_rank
from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator
from alkbayes.classical.scales import Scale, effects

FEWEST_COHORTS = 10
"""Fewer cannot tell chance from asymmetry (Sterne et al. 2011, doi:10.1136/bmj.d4002)."""
NO_SCATTER = 1e-12
"""Weighted residual variance, 1 where sampling is all: below it there is nothing but the rounding of logits."""

CAUTION = (
    "Weak evidence either way: single arms have no null value on one side of which unpublished ones would be missing, "
    "and small and large cohorts differ in their patients too (Hunter et al. 2014, "
    "doi:10.1016/j.jclinepi.2014.03.003; Sterne et al. 2011, doi:10.1136/bmj.d4002)."
)
FEW_NOTE = f"Fewer than {FEWEST_COHORTS} cohorts cannot tell asymmetry from chance: no result."
ALL_CORRECTED_NOTE = "Every cohort has no or only responders, and its logit is one of its size alone: no result."
ONE_SIZE_NOTE = "All cohorts have the same number of patients: no result."
NO_SCATTER_NOTE = "The logits lie on the line to their last digit, which leaves nothing to test against: no result."
NOT_CONVERGED_NOTE = "The REML estimate of tau2 did not converge: no result."


class SmallStudyTest(StrEnum):
    """A test for small-study effects; the values are what the tables call it."""

    EGGER = "egger"
    EGGER_REML = "egger-reml"
    PETERS = "peters"


@dataclass(frozen=True, slots=True)
class SmallStudyEffect:
    """A test for small-study effects. Without a result its numbers are None, and the note says why.

    Attributes
    ----------
    test
        Which test.
    k
        Number of cohorts.
    slope, se
        Logit per unit of 1 / sqrt(n), for Peters' test of 1 / n, and its standard error. A slope above 0 says that
        response rates are higher the smaller the cohort.
    statistic
        slope / se.
    df
        Degrees of freedom of t; None where the statistic is compared with the normal.
    p
        Two-sided p-value that the slope is 0.
    note
        What a reader must know of it, in sentences; never empty.
    """

    test: SmallStudyTest
    k: int
    slope: float | None = None
    se: float | None = None
    statistic: float | None = None
    df: int | None = None
    p: float | None = None
    note: str = CAUTION


def small_study_effects(responders: npt.ArrayLike, n: npt.ArrayLike) -> tuple[SmallStudyEffect, ...]:
    """Test whether the logits of k cohorts depend on the size of the cohort.

    - `egger`: weighted linear regression on 1 / sqrt(n), weights 1 / variance of the logit, t with k - 2 degrees of
      freedom; differences between cohorts widen the standard error by one factor. metafor's
      `regtest(model="lm", predictor="sqrtninv")`.
    - `egger-reml`: the same regression with a variance between cohorts, by REML, z. metafor's
      `regtest(model="rma", predictor="sqrtninv")`. The one to prefer where cohorts differ: in simulations of two-arm
      trials a variance between them kept the size of such a test, and one factor for all did not (Schwarzer, Rücker &
      Semaca 2024).
    - `peters`: weighted linear regression on 1 / n, t with k - 2 degrees of freedom; its weights, responders times
      non-responders over n, are those of a logit. metafor's `regtest(model="lm", predictor="ninv")`.

    Parameters
    ----------
    responders, n
        Counts, shape (k,). Cohorts with an empty cell get 1/2 in both, for the logit and its variance; the note says
        how many.

    Returns
    -------
    tuple of SmallStudyEffect
        One for each of `SmallStudyTest`, in that order, whatever the counts; without a result under ten cohorts.

    Raises
    ------
    EvidenceError
        If the counts are not counts (see `checked_counts`).

    References
    ----------
    Egger et al. (1997), doi:10.1136/bmj.315.7109.629; Peters et al. (2006), doi:10.1001/jama.295.6.676.
    """
    x, m = checked_counts(responders, n)
    return tuple(_effect(test, x, m) for test in SmallStudyTest)


def _effect(test: SmallStudyTest, x: Floats, m: Floats) -> SmallStudyEffect:
    """Return one test of checked counts."""
    blank = SmallStudyEffect(test=test, k=x.size)
    if x.size < FEWEST_COHORTS:
        return replace(blank, note=f"{FEW_NOTE} {CAUTION}")
    design = np.column_stack([np.ones(x.size), 1 / m if test is SmallStudyTest.PETERS else 1 / np.sqrt(m)])
    if not has_full_rank(design):
        return replace(blank, note=f"{ONE_SIZE_NOTE} {CAUTION}")
    observed = effects(x, m, scale=Scale.LOGIT)
    if observed.corrected.all():
        return replace(blank, note=f"{ALL_CORRECTED_NOTE} {CAUTION}")
    if test is SmallStudyTest.EGGER_REML:
        fit = fit_regression(observed.yi, observed.vi, design=design, estimator=Tau2Estimator.REML)
    else:
        # Weights known up to a factor, as lm() has them: the factor of Hartung & Knapp without a variance between.
        fit = fit_regression(observed.yi, observed.vi, design=design, estimator=None, test=Test.KNAPP_HARTUNG)
        if fit.h2 is not None and fit.h2 < NO_SCATTER:
            return replace(blank, note=f"{NO_SCATTER_NOTE} {CAUTION}")
    if not fit.converged:
        return replace(blank, note=f"{NOT_CONVERGED_NOTE} {CAUTION}")
    slope, se = float(fit.beta[1]), float(fit.se[1])
    corrected = int(observed.corrected.sum())
    note = f"{_corrected_note(corrected, x.size)} {CAUTION}" if corrected else CAUTION
    return replace(blank, slope=slope, se=se, statistic=slope / se, df=fit.df, p=float(fit.p_values[1]), note=note)


def _corrected_note(corrected: int, k: int) -> str:
    """Say that some of k cohorts were corrected, and what that does to a regression on size."""
    have, their = ("has", "its logit depend") if corrected == 1 else ("have", "their logits depend")
    return f"{corrected} of {k} cohorts {have} no or only responders; the 1/2 added there makes {their} on size."
