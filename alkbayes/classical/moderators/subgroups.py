"""Response rates pooled in each level of a column, and the test for differences between levels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.regression import Omnibus, Test, fit_regression, quantile
from alkbayes.classical.maximum_likelihood.glmm import fit_glmm, likelihood_ratio
from alkbayes.classical.moderators.clustering import CLUSTERED, clustering_note, fit_clustered, required_trials
from alkbayes.classical.notes import NO_TAU2, left_out_note
from alkbayes.classical.pooling.methods import BINOMIAL_NORMAL, INVERSE_VARIANCE, PoolingMethod, scale_of
from alkbayes.classical.pooling.models import binomial_instead, binomial_levels
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.scales import Scale, back_transform, discouraged, effects
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.naming import no_such_column
from alkbayes.evidence.table import trial_labels
from alkbayes.text.names import listed
from alkbayes.text.notes import Instead, Note, notes_of, text_of
from alkbayes.text.wording import p_equals
from alkbayes.vocabulary import INTERVAL_PROB

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence

NOT_RANDOMISED = "Cohorts are not randomised between subgroups: a difference is no causal effect."
FEW = 5
FEW_NOTE = (
    f"A level of fewer than {FEW} cohorts hardly shows how they differ, and one cohort not at all: with a tau2 of its "
    "own its standard error, and the test between levels, may be too sure. A shared tau2 is safer there."
)
NOT_CONVERGED_NOTE = "The fit with one tau2 for all levels did not converge: no result."
NO_RESULT = "No result with one tau2 for all levels: {}."


@dataclass(frozen=True, slots=True)
class Subgroup:
    """The pooled rate of one level. Values that a method does not define, or could not find, are None.

    Attributes
    ----------
    level
        Value of the column.
    k, patients, responders
        Number of cohorts, and their summed counts.
    mean, se
        Pooled mean and its standard error, scale of the method.
    estimate, low, high
        Pooled response rate with the limits of its confidence interval, proportions in [0, 1].
    tau2
        Variance between its cohorts, squared scale, or the shared one. For methods with trials the sum of that between
        trials and that between the cohorts of a trial.
    tau2_trial
        Variance between trials, a part of `tau2`; None for methods that ignore trials.
    df
        Degrees of freedom of the t quantile of its interval; None for the normal one.
    caution
        Warning about its cluster-robust standard error, if there is one.
    """

    level: str
    k: int
    patients: int
    responders: int
    mean: float | None
    se: float | None
    estimate: float | None
    low: float | None
    high: float | None
    tau2: float | None
    tau2_trial: float | None = None
    df: float | None = None
    caution: Note | None = None


@dataclass(frozen=True, slots=True)
class Subgroups:
    """A subgroup analysis.

    Attributes
    ----------
    column, method, scale
        Grouping column, pooling method and its scale.
    shared_tau2
        True if the levels share one variance between cohorts.
    levels
        In the order of `vocabulary.in_order`.
    between
        Test that all levels have one mean. With a tau2 for each level, Q_between of the pooled means by chi-squared.
        With a shared one, that of the regression on the levels: Q_M by chi-squared or F, and for `glmm-ml*` the
        likelihood-ratio statistic. None if a level has no standard error.
    left_out
        `cohort_id` of cohorts without a value in the column.
    notes
        Notes to the reader.
    fault
        Sentence on a failure of the shared model, else empty.
    """

    column: str
    method: PoolingMethod
    scale: Scale
    shared_tau2: bool
    levels: tuple[Subgroup, ...]
    between: Omnibus | None
    left_out: tuple[str, ...]
    notes: tuple[Note, ...]
    fault: str

    @property
    def note(self) -> str:
        """The notes as one text."""
        return text_of(self.notes)


@dataclass(frozen=True, slots=True)
class _Split:
    """Counts and levels of the cohorts with a level."""

    responders: Floats
    n: Floats
    labels: npt.NDArray[np.object_]
    levels: tuple[str, ...]
    trials: tuple[str, ...] | None

    @property
    def cells(self) -> Floats:
        """Indicator column of each level, shape (k, level)."""
        return np.column_stack([self.of(level) for level in self.levels]).astype(np.float64)

    def of(self, level: str) -> npt.NDArray[np.bool_]:
        """Return the mask of a level's cohorts, shape (k,)."""
        return np.asarray(self.labels == level, dtype=np.bool_)

    def blank(self, level: str) -> Subgroup:
        """Return a level with its counts only."""
        here = self.of(level)
        x, m = int(self.responders[here].sum()), int(self.n[here].sum())
        return Subgroup(level, int(here.sum()), m, x, None, None, None, None, None, None)


def subgroups(
    evidence: "Evidence", column: str, *, method: PoolingMethod, shared_tau2: bool, prob: float = INTERVAL_PROB
) -> Subgroups:
    """Pool each level of a column and test for differences between levels.

    Parameters
    ----------
    evidence
        The cohorts. Those without a value in the column are left out, named and counted.
    column
        Grouping column, with at least two levels.
    method
        `glmm-ml`, an inverse-variance method, or one with cohorts within trials (`clustering.CLUSTERED`).
    shared_tau2
        True for one variance between cohorts shared by the levels, which suits levels of few cohorts. Irrelevant
        without a variance between cohorts (`common-*`). Required for methods with cohorts within trials: a trial with
        cohorts in several levels makes levels pooled separately dependent.
    prob
        Probability of the confidence intervals, in (0, 1).

    Raises
    ------
    EvidenceError
        If the table lacks the column, its cohorts have fewer than two levels, or with a shared tau2 no level has two;
        if the method has cohorts within trials and the table has none such (see `required_trials`).
    UsageError
        If the method is another one, whose summed counts allow no test, or has cohorts within trials and `shared_tau2`
        is False.

    References
    ----------
    Borenstein & Higgins (2013), doi:10.1007/s11121-013-0377-7; Viechtbauer (2010), doi:10.18637/jss.v036.i03.
    """
    able = (*INVERSE_VARIANCE, PoolingMethod.GLMM_ML, *CLUSTERED)
    if method not in able:
        raise UsageError(f"{method} cannot test subgroups. Methods that can: {', '.join(able)}.")
    if method in CLUSTERED and not shared_tau2:
        raise UsageError(f"{method} has one model for all levels, as a trial may have cohorts in several of them.")
    split, left_out = _split(evidence, column)
    fault = ""
    cautions: tuple[Note, ...] = ()
    if not shared_tau2:
        levels, between = _separate(split, method, prob=prob)
    elif split.n.size == len(split.levels):
        raise EvidenceError(f"Each {column} has one cohort: there is no variance between cohorts to share.")
    elif method in CLUSTERED:
        levels, between, fault, cautions = _shared_clustered(split, method, prob=prob)
    elif method is PoolingMethod.GLMM_ML:
        levels, between, fault = _shared_binomial(split, prob=prob)
    else:
        levels, between, fault = _shared_normal(split, method, prob=prob)
    scale = scale_of(method)
    common = method in INVERSE_VARIANCE and INVERSE_VARIANCE[method].estimator is None
    few = not (shared_tau2 or common) and any(level.k < FEW for level in levels)
    notes = notes_of(
        FEW_NOTE if few else "",
        "" if between is not None else _no_test(levels),
        *cautions,
        _separation(levels, method),
        clustering_note(method, split.trials),
        left_out_note([column], left_out, split.n.size),
        discouraged(scale),
        NOT_RANDOMISED,
    )
    return Subgroups(
        column=column,
        method=method,
        scale=scale,
        shared_tau2=shared_tau2,
        levels=levels,
        between=between,
        left_out=left_out,
        notes=notes,
        fault=fault,
    )


def _split(evidence: "Evidence", column: str) -> tuple[_Split, tuple[str, ...]]:
    """Return the cohorts by level, and the names of those without one."""
    frame = evidence.frame
    available = [name for name in frame.columns if name not in {"cohort_id", "responders", "n"}]
    if column not in available:
        raise no_such_column([column], available, "to group by")
    stated = (frame[column] != "").to_numpy(dtype=np.bool_)
    part = frame[stated]
    levels = evidence.outcome.declared.in_order(column, part[column])
    if len(levels) < 2:
        raise EvidenceError(
            f"Subgroups need a column with at least two values; {column} has {len(levels)}: {
                ', '.join(levels) or 'none'
            }."
        )
    split = _Split(
        responders=part["responders"].to_numpy(dtype=np.float64),
        n=part["n"].to_numpy(dtype=np.float64),
        labels=part[column].to_numpy(dtype=object),
        levels=tuple(str(level) for level in levels),
        trials=trial_labels(part),
    )
    return split, tuple(frame["cohort_id"][~stated])


def _separate(split: _Split, method: PoolingMethod, *, prob: float) -> tuple[tuple[Subgroup, ...], Omnibus | None]:
    """Pool each level separately; compare the pooled means by their standard errors."""
    levels = tuple(_alone(split, level, method, prob=prob) for level in split.levels)
    means = np.array([np.nan if level.mean is None else level.mean for level in levels])
    variances = np.array([np.nan if level.se is None else level.se**2 for level in levels])
    if not (np.isfinite(means) & (variances > 0)).all():
        return levels, None
    weights = 1 / variances
    q = float(weights @ (means - weights @ means / weights.sum()) ** 2)
    return levels, Omnibus(q, len(levels) - 1, None, float(chdtrc(len(levels) - 1, q)))


def _alone(split: _Split, level: str, method: PoolingMethod, *, prob: float) -> Subgroup:
    """Return a level pooled separately, as by `pool`."""
    here, blank = split.of(level), split.blank(level)
    x, m = split.responders[here], split.n[here]
    row = pool(x, m, method=method, prob=prob)
    filled = replace(blank, estimate=row.estimate, low=row.low, high=row.high, tau2=row.tau2)
    if row.estimate is None:
        return filled
    if method is PoolingMethod.GLMM_ML:
        fit = fit_glmm(x, m)
        return replace(filled, mean=float(fit.beta[0]), se=float(np.sqrt(fit.covariance[0, 0])))
    made_of = INVERSE_VARIANCE[method]
    observed = effects(x, m, scale=made_of.scale)
    if blank.k == 1:
        se = float(np.sqrt(observed.vi[0])) if made_of.test is Test.Z else None
        return replace(filled, mean=float(observed.yi[0]), se=se)
    mean = fit_regression(observed.yi, observed.vi, estimator=made_of.estimator, test=made_of.test)
    return replace(filled, mean=float(mean.beta[0]), se=_number(mean.se[0]), df=mean.df)


def _shared_normal(
    split: _Split, method: PoolingMethod, *, prob: float
) -> tuple[tuple[Subgroup, ...], Omnibus | None, str]:
    """Regress on the levels: their means, and the test of their differences, with one tau2."""
    made_of = INVERSE_VARIANCE[method]
    observed = effects(split.responders, split.n, scale=made_of.scale)
    cells = split.cells
    against_first = np.column_stack([np.ones(split.n.size), cells[:, 1:]])
    means, differences = (
        fit_regression(observed.yi, observed.vi, design=design, estimator=made_of.estimator, test=made_of.test)
        for design in (cells, against_first)
    )
    tau2 = None if made_of.estimator is None else means.tau2
    levels = tuple(split.blank(level) for level in split.levels)
    if means.converged:
        levels = tuple(
            _filled(level, split, method, float(beta), float(se), means.df, tau2, prob=prob)
            for level, beta, se in zip(levels, means.beta, means.se, strict=True)
        )
    return levels, differences.omnibus, "" if means.converged else NOT_CONVERGED_NOTE


def _shared_binomial(split: _Split, *, prob: float) -> tuple[tuple[Subgroup, ...], Omnibus | None, str]:
    """Fit the binomial-normal model with a mean for each level and one tau; test it against one mean for all."""
    means, one = fit_glmm(split.responders, split.n, design=split.cells), fit_glmm(split.responders, split.n)
    levels = tuple(split.blank(level) for level in split.levels)
    if means.converged:
        tau2 = None if means.tau is None else means.tau**2
        se = np.sqrt(np.diag(means.covariance))
        levels = tuple(
            _filled(
                level, split, PoolingMethod.GLMM_ML, float(means.beta[place]), float(se[place]), None, tau2, prob=prob
            )
            for place, level in enumerate(levels)
        )
    fault = "" if means.converged else _binomial_fault(levels, means.message)
    if not (means.converged and one.converged):
        return levels, None, fault
    test = likelihood_ratio(one, means)
    return levels, Omnibus(test.statistic, test.df, None, test.p), fault


def _shared_clustered(
    split: _Split, method: PoolingMethod, *, prob: float
) -> tuple[tuple[Subgroup, ...], Omnibus | None, str, tuple[Note, ...]]:
    """Fit one model of cohorts within trials with a mean for each level; also return warnings."""
    trials = required_trials(method, split.trials)
    against_first = np.column_stack([np.ones(split.n.size), split.cells[:, 1:]])
    means, differences = (
        fit_clustered(split.responders, split.n, trials, design=design, method=method)
        for design in (split.cells, against_first)
    )
    levels = tuple(split.blank(level) for level in split.levels)
    if means.message:
        counts = method in BINOMIAL_NORMAL
        fault = _binomial_fault(levels, means.message) if counts else NO_RESULT.format(means.message)
        return levels, None, fault, ()
    filled = []
    for place, (level, mean, variance, df) in enumerate(
        zip(levels, means.beta, np.diag(means.covariance), means.df, strict=True)
    ):
        se = float(np.sqrt(variance)) if variance > 0 else None
        t_df = None if np.isinf(df) else float(df)
        row = _filled(level, split, method, float(mean), se, t_df, means.tau2, prob=prob)
        here = split.of(level.level)
        doubt = means.note(
            partial(
                binomial_instead, split.responders[here], split.n[here], np.asarray(trials)[here].tolist(), prob=prob
            ),
            effects_of=slice(place, place + 1),
            tested=False,
            prob=prob,
        )
        filled.append(replace(row, tau2_trial=means.tau2_trial, caution=doubt))
    doubt = differences.note(partial(_binomial_test, split, trials), effects_of=slice(1, None), tested=True, prob=prob)
    return tuple(filled), differences.omnibus, "", notes_of(means.caution, doubt)


def _binomial_test(split: _Split, trials: Sequence[str]) -> Instead:
    """Return the likelihood-ratio test of the binomial model between levels, or name its method without one."""
    method, group = binomial_levels(trials)
    one, means = (fit_glmm(split.responders, split.n, design=design, group=group) for design in (None, split.cells))
    source = f"the likelihood-ratio test of the binomial model, {method}"
    if not (one.converged and means.converged):
        return Instead(source, "")
    caution = NO_TAU2 if means.tau == 0 and not means.tau_group else ""
    return Instead(source, p_equals(likelihood_ratio(one, means).p), caution)


def _binomial_fault(levels: tuple[Subgroup, ...], message: str) -> str:
    """Say why the binomial-normal model of all levels failed: mostly a level at a rate of 0 or 1."""
    for level in levels:
        if level.responders in {0, level.patients}:
            rate = "0" if level.responders == 0 else "1"
            return (
                f"Maximum likelihood gives a rate of exactly {rate} in {level.level}, which has no logit: no result "
                "with one tau2 for all levels."
            )
    return NO_RESULT.format(message)


def _filled(
    blank: Subgroup,
    split: _Split,
    method: PoolingMethod,
    mean: float,
    se: float | None,
    df: float | None,
    tau2: float | None,
    *,
    prob: float,
) -> Subgroup:
    """Return a level with its back-transformed mean and limits; without limits if it has no standard error."""
    se = _number(se)
    half = None if se is None else quantile(df, prob) * se
    values = [mean] if half is None else [mean, mean - half, mean + half]
    limits: list[float | None] = back_transform(
        values, scale=scale_of(method), n=split.n[split.of(blank.level)]
    ).tolist()
    estimate, low, high = limits + [None] * (3 - len(limits))
    return replace(
        blank,
        mean=mean,
        se=se,
        estimate=estimate,
        low=low,
        high=high,
        tau2=tau2,
        df=None if se is None else df,
    )


def _number(value: float | None) -> float | None:
    """Return a float; None for None and NaN."""
    return None if value is None or np.isnan(value) else float(value)


def _separation(levels: tuple[Subgroup, ...], method: PoolingMethod) -> str:
    """Say which levels have a logit only through the continuity correction."""
    if method in BINOMIAL_NORMAL or scale_of(method) is not Scale.LOGIT:
        return ""
    found = [level.level for level in levels if level.responders in {0, level.patients}]
    if not found:
        return ""
    return (
        f"Complete separation: none or all respond in {listed(found)}, whose logit exists only through the added 1/2. "
        "Its size is arbitrary, and so is the test between levels."
    )


def _no_test(levels: tuple[Subgroup, ...]) -> str:
    """Say that there is no test between levels, and which of them lack a standard error."""
    without = [level.level for level in levels if level.se is None]
    why = f": {', '.join(without)} {'has' if len(without) == 1 else 'have'} no standard error" if without else ""
    return f"No test between levels{why}."
