"""Subgroup tables: each level with its own variance between cohorts and with a shared one, and prediction."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.regression import Prediction, Test, prediction_interval, quantile
from alkbayes.classical.moderators.clustering import CLUSTERED
from alkbayes.classical.moderators.subgroups import Subgroup, Subgroups, subgroups
from alkbayes.classical.notes import correction_note, standard_error_note
from alkbayes.classical.pooling.methods import BINOMIAL_NORMAL, INVERSE_VARIANCE, PoolingMethod, scale_of
from alkbayes.classical.pooling.models import binomial_instead
from alkbayes.classical.pooling.pool import NO_HTS_NOTE, NO_SPREAD_HTS_NOTE, SINGLE_NOTE, pool, single_test_note
from alkbayes.classical.pooling.result import CUT_NOTE, NO_SPREAD_NOTE
from alkbayes.classical.scales import Scale, back_transform, effects
from alkbayes.text.json import records
from alkbayes.text.notes import Note, notes_of, text_of
from alkbayes.vocabulary import INTERVAL_PROB

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence


class Heterogeneity(StrEnum):
    """Variance between cohorts for the levels."""

    SEPARATE = "separate"
    SHARED = "shared"
    NONE = "none"


LEVEL_COLUMNS = (
    "heterogeneity",
    "level",
    "k",
    "patients",
    "responders",
    "mean",
    "se",
    "estimate",
    "low",
    "high",
    "prediction_low",
    "prediction_high",
    "tau2",
    "tau2_trial",
    "note",
)
"""Columns of `SubgroupTable.levels`, in order."""
TEST_COLUMNS = ("heterogeneity", "test", "statistic", "df1", "df2", "p", "note")
"""Columns of `SubgroupTable.tests`, in order."""
LEVEL_NUMBERS = LEVEL_COLUMNS[LEVEL_COLUMNS.index("mean") : LEVEL_COLUMNS.index("note")]
TEST_NUMBERS = ("statistic", "df1", "df2", "p")


@dataclass(frozen=True, slots=True)
class SubgroupTable:
    """A subgroup analysis, with a variance between cohorts for each level and with a shared one.

    Attributes
    ----------
    column, method, scale
        Grouping column, pooling method and its scale.
    levels
        Columns `LEVEL_COLUMNS`, one row per level and kind of heterogeneity; methods without a variance between cohorts
        have only the kind "none", and those with cohorts within trials only "shared". `mean` and `se` are on the scale
        of the method, `tau2` and its part `tau2_trial` on its square; rates are proportions in [0, 1] with limits
        of the probability `prob`.
        The prediction interval is for a new cohort of the level: by the normal or t as in `pool`, with a shared tau2 by
        t with the degrees of freedom of the regression on the levels. Undefined values are NaN; `note` gives the reason
        for a missing result or interval, or the warnings of `pool` on such intervals: a tau2 of 0, a narrow
        Hartung-Knapp or cluster-robust interval or none, a t with few degrees of freedom, a truncated limit.
    tests
        Columns `TEST_COLUMNS`, one row per kind of heterogeneity: the test that all levels have one mean. `test` is
        "Q_between" (chi-squared with `df1`), "Q_M" (the same), "F" (with `df1` and `df2`) or "LR" (chi-squared). NaN
        without a test. `note` holds sentences of warning.
    left_out
        `cohort_id` of cohorts without a value in the column.
    level_notes, notes
        Notes on each row of `levels` and of `tests`.
    prob
        Probability of the confidence and prediction intervals.
    """

    column: str
    method: PoolingMethod
    scale: Scale
    levels: pd.DataFrame
    tests: pd.DataFrame
    left_out: tuple[str, ...]
    level_notes: tuple[tuple[Note, ...], ...]
    notes: tuple[tuple[Note, ...], ...]
    prob: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything except the notes as JSON values, rates as proportions in [0, 1]."""
        return {
            "column": self.column,
            "method": self.method,
            "scale": self.scale,
            "interval_prob": self.prob,
            "levels": records(self.levels),
            "tests": records(self.tests),
            "left_out": list(self.left_out),
        }


def subgroup_table(
    evidence: "Evidence", column: str, *, method: PoolingMethod, prob: float = INTERVAL_PROB
) -> SubgroupTable:
    """Pool each level of a column with its own tau2 and a shared one, and test for differences.

    Arguments and errors as for :func:`alkbayes.classical.moderators.subgroups.subgroups`.
    """
    if method in INVERSE_VARIANCE and INVERSE_VARIANCE[method].estimator is None:
        analyses = {Heterogeneity.NONE: subgroups(evidence, column, method=method, shared_tau2=False, prob=prob)}
    elif method in CLUSTERED:
        kind = Heterogeneity.NONE if method is PoolingMethod.COMMON_LOGIT_CR2 else Heterogeneity.SHARED
        analyses = {kind: subgroups(evidence, column, method=method, shared_tau2=True, prob=prob)}
    else:
        analyses = {
            Heterogeneity.SEPARATE: subgroups(evidence, column, method=method, shared_tau2=False, prob=prob),
            Heterogeneity.SHARED: subgroups(evidence, column, method=method, shared_tau2=True, prob=prob),
        }
    levels, level_notes, tests, notes = [], [], [], []
    corrected = _corrections(evidence, column, method)
    for kind, analysis in analyses.items():
        total = sum(level.k for level in analysis.levels)
        for level in analysis.levels:
            part = evidence.frame[evidence.frame[column] == level.level]
            # A regression of k cohorts on p levels has the degrees of freedom of one mean of k - p + 1.
            k = total - len(analysis.levels) + 1 if kind is Heterogeneity.SHARED else level.k
            prediction = _prediction(level, method, analysis.scale, k, part["n"].to_numpy(dtype=float), prob=prob)
            cautions = _cautions(level, prediction, method, part, k, prob=prob)
            said = _why_not(part, method, analysis, prob=prob) if level.estimate is None else notes_of(*cautions)
            level_notes.append(said)
            levels.append(
                {
                    "heterogeneity": kind.value,
                    **asdict(level),
                    "prediction_low": prediction[0],
                    "prediction_high": prediction[1],
                    "note": text_of(said),
                }
            )
        notes.append(notes_of(*analysis.notes, corrected))
        tests.append(_test(kind, analysis) | {"note": text_of(notes[-1])})
    first = next(iter(analyses.values()))
    return SubgroupTable(
        column=column,
        method=method,
        scale=first.scale,
        levels=pd.DataFrame(levels, columns=list(LEVEL_COLUMNS)).astype(dict.fromkeys(LEVEL_NUMBERS, "float64")),
        tests=pd.DataFrame(tests, columns=list(TEST_COLUMNS)).astype(dict.fromkeys(TEST_NUMBERS, "float64")),
        left_out=first.left_out,
        level_notes=tuple(level_notes),
        notes=tuple(notes),
        prob=prob,
    )


def _prediction(
    level: Subgroup, method: PoolingMethod, scale: Scale, k: int, n: Floats, *, prob: float
) -> tuple[float, float] | tuple[None, None]:
    """Return the prediction limits of a level, proportions."""
    kind = INVERSE_VARIANCE[method].prediction if method in INVERSE_VARIANCE else Prediction.NORMAL
    if kind is None or level.mean is None or level.se is None or level.tau2 is None:
        return None, None
    if method in CLUSTERED:
        # The quantile of the confidence interval, as in `pool`.
        half = quantile(level.df, prob) * float(np.hypot(np.sqrt(level.tau2), level.se))
        limits: tuple[float, float] | None = (level.mean - half, level.mean + half)
    else:
        limits = prediction_interval(level.mean, level.se, level.tau2, k=k, kind=kind, prob=prob)
    if limits is None:
        return None, None
    low, high = back_transform(limits, scale=scale, n=n).tolist()
    return low, high


def _cautions(
    level: Subgroup,
    prediction: tuple[float, float] | tuple[None, None],
    method: PoolingMethod,
    part: pd.DataFrame,
    k: int,
    *,
    prob: float,
) -> list[Note | None]:
    """Return what `pool` would say of the intervals of a level with `k` - 1 degrees of freedom."""
    notes: list[Note | None] = []
    made_of = INVERSE_VARIANCE.get(method)
    random = made_of is None or made_of.prediction is not None
    if k == 1 and random:
        notes.append(SINGLE_NOTE)
    if level.tau2 == 0 and prediction[0] is not None:
        by_hts = made_of is not None and made_of.prediction is Prediction.T_K_MINUS_2
        notes.append(NO_SPREAD_HTS_NOTE if by_hts else NO_SPREAD_NOTE)
    if made_of is None:
        return [*notes, level.caution]
    if made_of.prediction is Prediction.T_K_MINUS_2 and 1 < k < 3:
        notes.append(NO_HTS_NOTE)
    x, m = (part[name].to_numpy(dtype=float) for name in ("responders", "n"))
    if k == 1:
        notes.append(single_test_note(made_of.test, x, m, prob=prob))
    elif made_of.test is not Test.Z and level.tau2 is not None:
        vi = effects(x, m, scale=made_of.scale).vi
        factor = 0.0 if level.se is None else level.se**2 * float((1 / (vi + level.tau2)).sum())
        notes.append(standard_error_note(method, factor, k - 1, lambda: binomial_instead(x, m, prob=prob), prob=prob))
    if made_of.scale is not Scale.LOGIT and {level.low, level.high, *prediction} & {0, 1}:
        notes.append(CUT_NOTE)
    return notes


def _why_not(part: pd.DataFrame, method: PoolingMethod, analysis: Subgroups, *, prob: float) -> tuple[Note, ...]:
    """Say why a level has no result."""
    if analysis.shared_tau2:
        return notes_of(analysis.fault)
    return pool(part["responders"], part["n"], method=method, cohorts=tuple(part["cohort_id"]), prob=prob).notes


def _corrections(evidence: "Evidence", column: str, method: PoolingMethod) -> str:
    """Say which cohorts got a continuity correction."""
    if method in BINOMIAL_NORMAL:
        return ""
    part = evidence.frame[evidence.frame[column] != ""]
    counts = (part[name].to_numpy(dtype=float) for name in ("responders", "n"))
    return correction_note(effects(*counts, scale=scale_of(method)).corrected, tuple(part["cohort_id"]))


def _test(kind: Heterogeneity, analysis: Subgroups) -> dict[str, object]:
    """Return the test between levels as a row, without its note."""
    between = analysis.between
    name = "Q_between"
    if kind is Heterogeneity.SHARED:
        name = "LR" if analysis.method in BINOMIAL_NORMAL else "Q_M"
    if between is not None and between.df2 is not None:
        name = "F"
    numbers = {"statistic": None, "df1": None, "df2": None, "p": None} if between is None else asdict(between)
    return {"heterogeneity": kind.value, "test": name, **numbers}
