"""Sentences on cohorts, shared by several tables."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from alkbayes.classical.inverse_variance.regression import Test, quantile
from alkbayes.classical.pooling.methods import INVERSE_VARIANCE, PoolingMethod
from alkbayes.text.wording import counted, percent, percent_interval, variance
from alkbayes.vocabulary import INTERVAL_PROB

NAMED_COHORTS = 10
"""Cohorts named in a note; further ones are counted."""
FEW_DF = 2
"""With at most this many degrees of freedom the 97.5 % quantile of t is 4.3 or 12.7, and its interval hardly useful."""


def correction_note(corrected: npt.NDArray[np.bool_], names: Sequence[str]) -> str:
    """Say which cohorts had a continuity correction (`corrected`, shape (k,), bool); empty if none had."""
    touched = [name for name, flag in zip(names, corrected, strict=True) if flag]
    if not touched:
        return ""
    which = f"cohort {_listed(touched)}" if len(touched) == 1 else f"cohorts {_listed(touched)}"
    return f"1/2 was added to responders and non-responders of {which}, where one of them is 0."


def left_out_note(columns: Sequence[str], left_out: Sequence[str], kept: int) -> str:
    """Say which cohorts lack a value in some columns, beside the `kept` complete ones; empty if none does."""
    if not left_out:
        return ""
    value = f"no {columns[0]}" if len(columns) == 1 else f"no value in one of {', '.join(columns)}"
    verbs = ("has", "is") if len(left_out) == 1 else ("have", "are")
    counted = f"{len(left_out)} of {kept + len(left_out)} cohorts {verbs[0]}"
    return f"{counted} {value} and {verbs[1]} left out: {_listed(left_out)}."


def standard_error_note(method: PoolingMethod, factor: float, df: int | None, instead: Callable[[], str]) -> str:
    """Say if standard errors are missing, may be too small, or their t is of little use; else empty.

    Parameters
    ----------
    method
        An inverse-variance method.
    factor, df
        As in :class:`alkbayes.classical.inverse_variance.regression.RegressionFit`.
    instead
        Names an alternative with a result for these cohorts; called only if needed, as it takes a fit.
    """
    if df is None or np.isnan(factor):
        return ""
    times = quantile(df, INTERVAL_PROB)
    if INVERSE_VARIANCE[method].test is Test.KNAPP_HARTUNG and times * np.sqrt(factor) < quantile(None, INTERVAL_PROB):
        held = f"{method}-adhoc holds the Hartung-Knapp factor at 1 or above. See {instead()}."
        if factor == 0:
            return (
                "The rates agree to the last digit, which leaves a Hartung-Knapp standard error of 0 but for rounding: "
                f"no interval and no test. {held}"
            )
        return (
            "The Hartung-Knapp interval is narrower here than the plain one, and it and its tests may be far too sure. "
            f"{held}"
        )
    if df > FEW_DF:
        return ""
    freedom = counted(df, "degree") + " of freedom"
    return (
        f"By t with {freedom} the interval reaches {times:.1f} standard errors to either side. "
        f"An interval by t with one or two degrees of freedom is of little use: see {instead()}."
    )


def with_its_interval(method: str, estimate: float, low: float | None, high: float | None) -> str:
    """Return a method with its rate and interval in percent, such as "glmm-ml: 24.1 (15.2–36.0)"."""
    return f"{method}: {percent(estimate)} ({percent_interval(low, high)})"


def tau2_parts_note(tau2: float | None, part: float | None, group: str) -> str:
    """Say how a tau2 of two levels divides, with its `part` between groups such as "trial"; empty with one level."""
    if tau2 is None or part is None:
        return ""
    return f"tau2 is {variance(part)} between {group}s and {variance(tau2 - part)} between the cohorts of a {group}."


def sentences(*notes: str) -> str:
    """Join the non-empty notes."""
    return " ".join(note for note in notes if note)


def _listed(names: Sequence[str]) -> str:
    """Return the first names, and the number of others."""
    more = len(names) - NAMED_COHORTS
    return ", ".join(names[:NAMED_COHORTS]) + (f" and {more} more" if more > 0 else "")
