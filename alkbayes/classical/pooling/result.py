"""Result of every classical method: a pooled response rate, and how it is filled in."""

from dataclasses import dataclass, fields, replace
from typing import Any

from alkbayes.classical.counts import Floats
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.scales import Scale, back_transform
from alkbayes.text.notes import Note, NoteKind, notes_of, text_of

NO_SPREAD_NOTE = Note(
    NoteKind.PREDICTION,
    "tau2 was estimated at 0, so the prediction interval is no wider than the confidence interval; few cohorts cannot "
    "show that there are no differences.",
)
CUT_NOTE = Note(NoteKind.CUT_LIMIT, "A limit lay beyond a rate of 0 or 1 and was cut there.")


@dataclass(frozen=True, slots=True)
class PooledProportion:
    """A pooled response rate. Values that a method does not define, or could not find, are None.

    Limits are those of intervals of one probability, that given to the function that pooled.

    Attributes
    ----------
    method, scale
        Pooling method, and the scale of the pooling and of `tau2`.
    k, patients, responders
        Number of cohorts, and their summed counts.
    estimate
        Pooled response rate, a proportion in [0, 1]: the back-transformed pooled mean. On any scale except
        `probability` it is the rate of a cohort at the centre of the distribution, not the average over cohorts.
    low, high
        Limits of its confidence interval, proportions.
    prediction_low, prediction_high
        Limits of the prediction interval for the rate of a new cohort, proportions.
    tau2
        Variance between cohorts, squared `scale`; for methods with trials the sum of that between trials and that
        between the cohorts of a trial.
    i2, h2
        Proportion of the variation between cohorts, in [0, 1], and H2 >= 1; for `common-*` from Q (where H2 = Q / df
        may be below 1), else from `tau2`. None for `glmm-ml`, which has no known sampling variances.
    q, q_df, q_p
        Cochran's Q of the observed rates on `scale`, its degrees of freedom and p-value. None for `glmm-ml`: its
        likelihood-ratio test is another statistic, available from `fit_glmm`.
    tau2_low, tau2_high, i2_low, i2_high, h2_low, h2_high
        Limits of the Q-profile intervals. They follow from Q and not from `tau2`, which may lie outside. For
        `glmm-ml` those of tau2 by profile likelihood, if finite. None for `common-*`, which have no tau2, and for the
        other models.
    tau2_trial
        Variance between trials, a part of `tau2`. None for methods that ignore trials.
    rho
        Intraclass correlation of `beta-binomial-ml`, in [0, 1): rates vary between cohorts with the variance
        rho * mean * (1 - mean).
    corrected
        Number of cohorts with 1/2 added to both cells; None for methods that never do that.
    notes
        Notes to the reader.
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
    tau2_trial: float | None = None
    rho: float | None = None
    corrected: int | None = None
    notes: tuple[Note, ...] = ()

    @property
    def note(self) -> str:
        """The notes as one text; empty without notes."""
        return text_of(self.notes)

    def as_row(self) -> dict[str, Any]:
        """Return the fields as a row of a table, the notes as one text."""
        row = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "notes"}
        return row | {"note": self.note}


def with_interval(
    filled: PooledProportion, centre: float, half: float | None, prediction: tuple[float, float] | None, n: Floats
) -> PooledProportion:
    """Fill in back-transformed estimate and limits.

    Parameters
    ----------
    filled
        Row so far; its `scale` is that of the other arguments.
    centre, half
        Pooled mean, and half the width of its confidence interval, or None.
    prediction
        Prediction limits, or None.
    n
        Patients of each cohort, shape (k,), for the inverse of the Freeman-Tukey transform.
    """
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
        notes=notes_of(*filled.notes, CUT_NOTE if cut else ""),
    )
