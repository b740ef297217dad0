"""Leave-one-out by every method over an evidence table, with the method's diagnostics and shrunken rates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import chdtr

from alkbayes.classical.counts import Floats, checked_counts
from alkbayes.classical.influence.diagnostics import influence
from alkbayes.classical.influence.glmm import glmm_influence
from alkbayes.classical.influence.leave_one_out import LeftOut, glmm_leave_one_out, leave_one_out
from alkbayes.classical.influence.shrinkage import shrunken_estimates, shrunken_rates
from alkbayes.classical.inverse_variance.regression import fit_regression, quantile
from alkbayes.classical.maximum_likelihood.glmm import GlmmFit, fit_glmm
from alkbayes.classical.moderators.clustering import clustering_note
from alkbayes.classical.pooling.methods import INVERSE_VARIANCE, InverseVariance, PoolingMethod, scale_of
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.pooling.result import PooledProportion, with_interval
from alkbayes.classical.scales import back_transform, effects
from alkbayes.errors import EvidenceError
from alkbayes.evidence.table import trial_labels, trial_names
from alkbayes.text.json import records
from alkbayes.text.notes import Note, notes_of, text_of
from alkbayes.text.wording import sentence
from alkbayes.vocabulary import INTERVAL_PROB

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence

ADDED_NOTE = "Influential by the 1/2 added to its counts alone: not marked, as glmm-ml, which adds nothing, does not."
"""Note on a cohort that is influential only through its corrected empty cell."""
LEAVE_OUT_COLUMNS = (
    "unit",
    "left_out",
    "cohorts",
    "patients",
    "responders",
    "observed",
    "estimate",
    "low",
    "high",
    "tau2",
    "change",
)
DIAGNOSTICS = (
    "rstudent",
    "cook",
    "dffits",
    "dfbetas",
    "covariance_ratio",
    "hat",
    "weight",
    "baujat_x",
    "baujat_y",
    "shrunken",
    "shrunken_low",
    "shrunken_high",
)
INFLUENCE_COLUMNS = (*LEAVE_OUT_COLUMNS, *DIAGNOSTICS, "influential", "note")
"""Columns of `InfluenceTable.rows`, in order."""
NUMBERS = ("estimate", "low", "high", "tau2", "change", *DIAGNOSTICS)
"""Columns that may be missing, as NaN."""


@dataclass(frozen=True, slots=True)
class InfluenceTable:
    """Effect of leaving out each cohort, or each trial.

    Attributes
    ----------
    full
        All cohorts pooled.
    rows
        Columns `INFLUENCE_COLUMNS`, one row per cohort or trial, the largest change first, those without a result last.

        - `unit` is "cohort" or "trial", `left_out` its name, `cohorts` its number of cohorts, `patients` and
          `responders` their summed counts and `observed` their crude rate.
        - `estimate`, `low`, `high` and `tau2` are those of the other cohorts, as in `PooledProportion`; `change` is the
          estimate minus that of all cohorts, a difference of proportions.
        - `rstudent` to `baujat_y` come from :mod:`alkbayes.classical.influence.diagnostics` for inverse-variance
          methods and from :mod:`alkbayes.classical.influence.glmm` for `glmm-ml*`, which have no `dffits`, `hat` and
          `weight`; NaN for other methods, and for trials.
        - `shrunken` is the cohort's rate given all cohorts: for inverse-variance methods with a variance between
          cohorts the best linear unbiased prediction, back-transformed with its limits; for `glmm-ml*` the
          conditional mean of the rate, without limits, as they would treat mean and tau as known. NaN for other
          methods, and for trials.
        - `influential` is metafor's rule of thumb, for `glmm-ml*` only on Cook's distance and DFBETAS; None without
          diagnostics. A cohort with 1/2 added to its empty cell is not flagged, but noted, if `glmm-ml`, which adds
          nothing, does not flag it.
        - `note` gives the reason for a missing result, or notes specific to this row's pooling.
    row_notes
        Notes on each row, of which `rows` has the text.
    note
        Sentence on cohorts of one trial treated as independent; empty if they are not.
    added
        Cohorts influential only through the 1/2 added to their counts, also noted in `rows`.
    prob
        Probability of all intervals.
    """

    full: PooledProportion
    rows: pd.DataFrame
    row_notes: tuple[tuple[Note, ...], ...]
    note: str
    added: tuple[str, ...]
    prob: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values, rates as proportions in [0, 1]."""
        return {
            "interval_prob": self.prob,
            "full": self.full.as_row(),
            "left_out": records(self.rows),
            "note": self.note,
        }


def influence_table(
    evidence: "Evidence", *, method: PoolingMethod, by_trial: bool = False, prob: float = INTERVAL_PROB
) -> InfluenceTable:
    """Pool without each cohort, or each trial, in turn.

    Parameters
    ----------
    by_trial
        True to leave out whole trials. A cohort without a trial counts as one.
    prob
        Probability of the intervals, in (0, 1).

    Raises
    ------
    EvidenceError
        If trials are to be left out and the table names none.
    """
    frame, trials = evidence.frame, trial_labels(evidence.frame)
    if by_trial and trials is None:
        raise EvidenceError(
            "The evidence table does not say which cohorts are of one trial. Leaving out trials needs a column trial."
        )
    x, m = checked_counts(frame["responders"], frame["n"])
    names = tuple(frame["cohort_id"])
    full = pool(x, m, method=method, cohorts=names, trials=trials, prob=prob)
    units = trials if by_trial and trials is not None else names
    group = _second_level(method, trials)
    binomial = method is PoolingMethod.GLMM_ML or group is not None
    cohort_rows: dict[str, Floats | NDArray[np.object_]] = {}
    if binomial:
        fits = glmm_leave_one_out(x, m, units, group=group)
        without = [_filled(row, method, x, m, prob=prob) for row in fits]
        if not by_trial and x.size > 1:
            cohort_rows = _binomial(x, m, group, fits)
    else:
        without = list(_pooled(x, m, method, names, trials, units, prob=prob))
        if method in INVERSE_VARIANCE and not by_trial and x.size > 1:
            cohort_rows = _normal(INVERSE_VARIANCE[method], x, m, prob=prob)
    table = pd.DataFrame([_row(row, full, x, m) for row in without])
    said = [_row_notes(row, full) for row in without]
    table["unit"] = "trial" if by_trial else "cohort"
    if by_trial:
        of_cohort = trial_names(frame)
        table["left_out"] = [of_cohort[int(row.cohorts[0])] for row in without]
    for column in DIAGNOSTICS:
        table[column] = cohort_rows.get(column, np.nan)
    table["influential"] = cohort_rows.get("influential", None)
    added = np.asarray(cohort_rows.get("added", np.zeros(len(table))), dtype=np.bool_)
    said = [notes_of(*notes, ADDED_NOTE if mark else "") for notes, mark in zip(said, added, strict=True)]
    table["note"] = [text_of(notes) for notes in said]
    table = table.astype(dict.fromkeys(NUMBERS, "float64"))
    table = table.sort_values("change", key=np.abs, ascending=False, kind="stable", na_position="last")
    rows = table[list(INFLUENCE_COLUMNS)].reset_index(drop=True)
    row_notes = tuple(said[place] for place in table.index)
    marked = tuple(table.loc[np.flatnonzero(added), "left_out"].sort_index())
    return InfluenceTable(full, rows, row_notes, clustering_note(method, trials), marked, prob)


def _second_level(method: PoolingMethod, trials: Sequence[str] | None) -> Sequence[str] | None:
    """Return the trials if the method has a level between them and some trial has several cohorts."""
    if method is not PoolingMethod.GLMM_ML_TRIALS or trials is None or len(set(trials)) == len(trials):
        return None
    return trials


def _pooled(
    x: Floats,
    m: Floats,
    method: PoolingMethod,
    names: Sequence[str],
    trials: Sequence[str] | None,
    units: Sequence[str],
    *,
    prob: float,
) -> tuple[LeftOut[PooledProportion], ...]:
    """Pool without each unit by any method."""

    def pooled(kept: NDArray[np.bool_]) -> PooledProportion:
        places = np.flatnonzero(kept).tolist()
        of_trials = None if trials is None else [trials[place] for place in places]
        return pool(
            x[kept],
            m[kept],
            method=method,
            cohorts=[names[place] for place in places],
            trials=of_trials,
            prob=prob,
        )

    return leave_one_out(pooled, units)


def _filled(
    row: LeftOut[GlmmFit], method: PoolingMethod, x: Floats, m: Floats, *, prob: float
) -> LeftOut[PooledProportion]:
    """Return the pooled rate from a fit of the binomial-normal model without a unit."""
    fit = row.result
    if fit is None:
        return LeftOut(row.unit, row.cohorts, None, row.message)
    kept = np.delete(np.arange(x.size), row.cohorts)
    counts = (kept.size, int(m[kept].sum()), int(x[kept].sum()))
    if counts[-1] in {0, counts[-2]}:
        # As `pool` reports for a rate of exactly 0 or 1, which has no fit.
        at_edge = pool(x[kept], m[kept], method=PoolingMethod.GLMM_ML, prob=prob)
        return LeftOut(row.unit, row.cohorts, replace(at_edge, method=method), "")
    blank = PooledProportion(method, scale_of(method), *counts)
    if not fit.converged:
        return LeftOut(row.unit, row.cohorts, replace(blank, notes=notes_of(f"No result: {fit.message}.")), "")
    tau2 = None if fit.tau is None else fit.tau**2 + (fit.tau_group or 0.0) ** 2
    half = quantile(None, prob) * float(np.sqrt(fit.covariance[0, 0]))
    filled = with_interval(replace(blank, tau2=tau2), float(fit.beta[0]), half, None, m[kept])
    return LeftOut(row.unit, row.cohorts, filled, "")


def _row(row: LeftOut[PooledProportion], full: PooledProportion, x: Floats, m: Floats) -> dict[str, object]:
    """Return the columns common to all methods."""
    patients, responders = int(m[row.cohorts].sum()), int(x[row.cohorts].sum())
    pooled = row.result
    change = None
    if pooled is not None and pooled.estimate is not None and full.estimate is not None:
        change = pooled.estimate - full.estimate
    return {
        "left_out": row.unit,
        "cohorts": row.cohorts.size,
        "patients": patients,
        "responders": responders,
        "observed": responders / patients,
        "estimate": pooled and pooled.estimate,
        "low": pooled and pooled.low,
        "high": pooled and pooled.high,
        "tau2": pooled and pooled.tau2,
        "change": change,
    }


def _row_notes(row: LeftOut[PooledProportion], full: PooledProportion) -> tuple[Note, ...]:
    """Return the notes on a row: those on all cohorts only if they give the reason for a missing result."""
    if row.result is None:
        return notes_of(sentence(row.message))
    return () if row.result.notes == full.notes and row.result.estimate is not None else row.result.notes


def _normal(method: InverseVariance, x: Floats, m: Floats, *, prob: float) -> dict[str, Floats | NDArray[np.object_]]:
    """Return diagnostics and shrunken rates of an inverse-variance method, each of shape (k,)."""
    observed = effects(x, m, scale=method.scale)
    yi, vi = observed.yi, observed.vi
    found = influence(yi, vi, estimator=method.estimator, test=method.test)
    shown = {name: getattr(found, name) for name in DIAGNOSTICS if hasattr(found, name)}
    added = found.influential & observed.corrected
    if added.any() and 0 < x.sum() < m.sum():
        counts_alone = _binomial(x, m, None, glmm_leave_one_out(x, m, range(x.size)))["influential"]
        added &= ~counts_alone.astype(np.bool_)
    marked = (found.influential & ~added).astype(object)
    shown |= {"dfbetas": found.dfbetas[:, 0], "influential": marked, "added": added.astype(object)}
    if method.estimator is None:
        return shown
    fit = fit_regression(yi, vi, estimator=method.estimator, test=method.test)
    blup = shrunken_estimates(yi, vi, fit=fit, prob=prob)
    # One at a time: the Freeman-Tukey back-transformation needs the cohort's own number of patients.
    limits = np.column_stack([blup.mean, blup.low, blup.high])
    rates = [
        back_transform(row, scale=method.scale, n=patients) for row, patients in zip(limits, m[:, None], strict=True)
    ]
    shrunken, low, high = np.array(rates).T
    return shown | {"shrunken": shrunken, "shrunken_low": low, "shrunken_high": high}


def _binomial(
    x: Floats, m: Floats, group: Sequence[str] | None, fits: Sequence[LeftOut[GlmmFit]]
) -> dict[str, Floats | NDArray[np.object_]]:
    """Return diagnostics and shrunken rates of the binomial-normal model, each of shape (k,)."""
    found = glmm_influence(x, m, group=group, rows=fits)
    with np.errstate(invalid="ignore"):
        marked = (chdtr(1, found.cook) > 0.5) | (np.abs(found.dfbetas[:, 0]) > 1)
    shrunken = shrunken_rates(x, m, fit=fit_glmm(x, m, group=group), group=group)
    shown = {name: getattr(found, name) for name in DIAGNOSTICS if hasattr(found, name)}
    return shown | {
        "dfbetas": found.dfbetas[:, 0],
        "influential": marked.astype(object),
        "shrunken": shrunken.p_mean,
    }
