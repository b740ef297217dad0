"""Sentences on cohorts, shared by several tables."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.regression import Test, quantile
from alkbayes.classical.pooling.methods import INVERSE_VARIANCE, PoolingMethod
from alkbayes.text.notes import Instead, Note, NoteKind
from alkbayes.text.wording import percent, percent_interval, sentence, variance

NAMED_COHORTS = 10
"""Cohorts named in a note; further ones are counted."""
FEW_DF = 3
"""With fewer degrees of freedom the 97.5 % quantile of t is above 3.2, and a t interval of little or no use."""
SAME_DF = 0.005
"""Degrees of freedom this close to a whole number are printed as that number."""
ROUGH_DF = 4
"""With fewer degrees of freedom Satterthwaite's approximation is poor (Tipton 2015, doi:10.1037/met0000011)."""
ROUGH_DF_NOTE = f"Fewer than {ROUGH_DF} degrees of freedom: the interval is rough."
NARROW_CR2 = "The cluster-robust interval is narrower here than the plain one, and may be far too sure."
SMALLER_CR2 = (
    "The cluster-robust standard error is smaller here than the model-based one: intervals and p-values that rest on "
    "it may be far too sure."
)
NO_TAU2 = "There, tau2 is estimated at 0, which ignores heterogeneity that few cohorts cannot rule out."
"""Caution on the result of the binomial model to use instead."""


def correction_note(corrected: npt.NDArray[np.bool_], names: Sequence[str]) -> str:
    """Say which cohorts had a continuity correction (`corrected`, shape (k,), bool); empty if none had."""
    touched = [name for name, flag in zip(names, corrected, strict=True) if flag]
    if not touched:
        return ""
    which = f"cohort {_listed(touched)}" if len(touched) == 1 else f"cohorts {_listed(touched)}"
    return f"1/2 was added to events and non-events of {which}, where one of them is 0."


def separation_note(separated: npt.NDArray[np.bool_], names: Sequence[str], *, corrected: bool) -> str:
    """Say which odds ratios the counts alone put at 0 or infinity; empty if none.

    Parameters
    ----------
    separated
        Mask of the coefficients, shape (p,), bool.
    names
        Their names, length p.
    corrected
        True if 1/2 was added to empty cells, which gives them an estimate.
    """
    found = [name for name, flag in zip(names, separated, strict=True) if flag]
    if not found:
        return ""
    named = f"Complete separation: the counts alone give no finite odds ratio for {_listed(found)}."
    through = (
        "The one printed exists only through the added 1/2 and is arbitrary in size, as are its interval and p-value."
    )
    return f"{named} {through}" if corrected else named


def left_out_note(columns: Sequence[str], left_out: Sequence[str], kept: int) -> str:
    """Say which cohorts lack a value in some columns, beside the `kept` complete ones; empty if none does."""
    if not left_out:
        return ""
    value = f"no {columns[0]}" if len(columns) == 1 else f"no value in one of {', '.join(columns)}"
    verbs = ("has", "is") if len(left_out) == 1 else ("have", "are")
    counted = f"{len(left_out)} of {kept + len(left_out)} cohorts {verbs[0]}"
    return f"{counted} {value} and {verbs[1]} left out: {_listed(left_out)}."


def standard_error_note(
    method: PoolingMethod, factor: float, df: int | None, instead: Callable[[], Instead], *, prob: float
) -> Note | None:
    """Say where standard errors are none, may be too small, or their t is of little use; None where all is well.

    Parameters
    ----------
    method
        An inverse-variance method.
    factor, df
        As in :class:`alkbayes.classical.inverse_variance.regression.RegressionFit`.
    instead
        Gives the result to use instead; called only where it is needed, as it takes a fit.
    prob
        Probability of the intervals.
    """
    if df is None or np.isnan(factor):
        return None
    times = quantile(df, prob)
    if INVERSE_VARIANCE[method].test is Test.KNAPP_HARTUNG and times * np.sqrt(factor) < quantile(None, prob):
        fault = (
            "The rates agree to the last digit, which leaves a Hartung-Knapp standard error of 0 but for rounding: "
            "no interval and no test."
            if factor == 0
            else "The Hartung-Knapp interval is narrower here than the plain one, and it and its tests may be far too "
            "sure."
        )
        held = f"{method}-adhoc holds the Hartung-Knapp factor at 1 or above."
        return Note(NoteKind.OTHER, f"{fault} {held}", instead())
    return Note(NoteKind.OTHER, _few_df(prob), instead()) if df < FEW_DF else None


def cluster_robust_note(
    se: Floats, model_se: Floats, df: Floats, instead: Callable[[], Instead], *, without: str, tested: bool, prob: float
) -> Note | None:
    """Say where cluster-robust standard errors are missing, may be too small, or their t is of little use.

    Parameters
    ----------
    se, model_se, df
        Cluster-robust and model-based standard errors, and degrees of freedom, of the effects, shape (p,).
    instead
        Gives the result to use instead; called only where it is needed, as it takes a fit.
    without
        As in :class:`alkbayes.classical.inverse_variance.cluster_robust.RobustFit`.
    tested
        True if p-values are shown, which are too sure already where an interval by t is not.
    prob
        Probability of the intervals.
    """
    known = np.isfinite(se)
    few = float(df[known].min(initial=np.inf))
    reach = np.array([quantile(float(each), prob) for each in df[known]])
    faults = []
    if few < FEW_DF:
        faults.append(
            _few_df(prob)
            if abs(few - round(few)) < SAME_DF
            else f"A t interval with {few:.2f} degrees of freedom, {quantile(few, prob):.1f} standard errors "
            "either side, is of little use."
        )
    if tested and (se < model_se)[known].any():
        faults.append(SMALLER_CR2)
    elif (reach * se[known] < quantile(None, prob) * model_se[known]).any():
        faults.append(NARROW_CR2)
    rough = ROUGH_DF_NOTE if FEW_DF <= few < ROUGH_DF else ""
    lacking = "" if known.all() else sentence(without)
    text = " ".join(filter(None, [lacking, rough, *faults]))
    return Note(NoteKind.OTHER, text, instead() if lacking or faults else None) if text else None


def _few_df(prob: float) -> str:
    """Say how far a t interval reaches with one or two degrees of freedom."""
    one, two = (quantile(df, prob) for df in (1, 2))
    return (
        f"A t interval with one or two degrees of freedom, {one:.1f} or {two:.1f} standard errors either side, is of "
        "little use."
    )


def rate_with_interval(estimate: float, low: float | None, high: float | None) -> str:
    """Return a rate with its interval in percent, such as "24.1 (15.2–36.0)"."""
    return f"{percent(estimate)} ({percent_interval(low, high)})"


def tau2_parts_note(tau2: float | None, part: float | None, group: str) -> str:
    """Say how a tau2 of two levels divides, with its `part` between groups such as "trial"; empty with one level."""
    if tau2 is None or part is None:
        return ""
    return f"tau2 is {variance(part)} between {group}s and {variance(tau2 - part)} between the cohorts of a {group}."


def _listed(names: Sequence[str]) -> str:
    """Return the first names, and the number of others."""
    more = len(names) - NAMED_COHORTS
    return ", ".join(names[:NAMED_COHORTS]) + (f" and {more} more" if more > 0 else "")
