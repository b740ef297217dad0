"""Small-study effects: differences in response rate between small and large cohorts.

Three regressions of the cohorts' logits on a function of cohort size, not on the standard error as in Egger's original
test: the standard error of a logit depends on the response rate, so the two correlate even without bias. The tests
treat cohorts as independent.

The LFK index is deliberately omitted. Its cut-offs ignore chance: in simulations its false positive rate ran from 0 to
almost 30 %, depending on the number and size of studies and on the heterogeneity, and it detected more than the usual
tests only when it gave more false alarms. Schwarzer, Rücker & Semaca (2024), doi:10.1002/jrsm.1714, advise against it.
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
"""Weighted residual variance, 1 under sampling error alone, below which there is only the rounding of logits."""

CAUTION = (
    "Weak evidence either way: single arms have no null value on one side of which unpublished ones would be missing, "
    "and small and large cohorts differ in other ways too (Hunter et al. 2014, "
    "doi:10.1016/j.jclinepi.2014.03.003; Sterne et al. 2011, doi:10.1136/bmj.d4002)."
)
FEW_NOTE = f"Fewer than {FEWEST_COHORTS} cohorts cannot tell asymmetry from chance: no result."
ALL_CORRECTED_NOTE = "Every cohort has no or only events, and its logit is one of its size alone: no result."
ONE_SIZE_NOTE = "All cohorts have the same size: no result."
NO_SCATTER_NOTE = "The logits lie on the line to their last digit, which leaves nothing to test against: no result."
NOT_CONVERGED_NOTE = "The REML estimate of tau2 did not converge: no result."


class SmallStudyTest(StrEnum):
    """A test for small-study effects; the values are its names in tables."""

    EGGER = "egger"
    EGGER_REML = "egger-reml"
    PETERS = "peters"


@dataclass(frozen=True, slots=True)
class SmallStudyEffect:
    """A test for small-study effects. Without a result its numbers are None, and the note gives the reason.

    Attributes
    ----------
    test, k
        The test, and the number of cohorts.
    slope, se
        Logit per unit of 1 / sqrt(n), or of 1 / n for Peters' test, and its standard error. A positive slope means
        higher response rates in smaller cohorts.
    statistic
        slope / se.
    df
        Degrees of freedom of t; None for a normal statistic.
    p
        Two-sided p-value for a slope of 0.
    note
        Sentences of warning to the reader; never empty.
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
    """Test for an association between the logits of k cohorts and cohort size.

    - `egger`: weighted linear regression on 1 / sqrt(n), weights 1 / variance of the logit, t with k - 2 degrees of
      freedom; differences between cohorts inflate the standard error by one factor. metafor's
      `regtest(model="lm", predictor="sqrtninv")`; Egger et al. (1997), doi:10.1136/bmj.315.7109.629.
    - `egger-reml`: the same regression with a variance between cohorts, by REML, z. metafor's
      `regtest(model="rma", predictor="sqrtninv")`. Preferable if cohorts differ: in simulations of heterogeneous
      two-arm trials a variance component kept the size of such a test, and one factor for all did not (Schwarzer,
      Rücker & Semaca 2024).
    - `peters`: weighted linear regression on 1 / n, t with k - 2 degrees of freedom; its weights, responders times
      non-responders over n, are those of a logit. metafor's `regtest(model="lm", predictor="ninv")`; Peters et al.
      (2006), doi:10.1001/jama.295.6.676.

    Parameters
    ----------
    responders, n
        Counts, shape (k,). Cohorts with an empty cell get 1/2 in both, for the logit and its variance; the note says
        how many.

    Returns
    -------
    tuple of SmallStudyEffect
        One for each `SmallStudyTest`, in that order, whatever the counts; without a result below ten cohorts.

    Raises
    ------
    EvidenceError
        If the counts are invalid (see `checked_counts`).
    """
    x, m = checked_counts(responders, n)
    return tuple(_effect(test, x, m) for test in SmallStudyTest)


def _effect(test: SmallStudyTest, x: Floats, m: Floats) -> SmallStudyEffect:
    """Return one test from checked counts."""
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
        # Weights known up to a factor, as in lm(): the Hartung-Knapp factor without a variance between cohorts.
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
    """Say that some of k cohorts were corrected, and the effect on a regression on size."""
    have, their = ("has", "its logit depend") if corrected == 1 else ("have", "their logits depend")
    return f"{corrected} of {k} cohorts {have} no or only events; the 1/2 added there makes {their} on size."
