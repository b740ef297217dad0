"""Meta-regression of response rates on columns of an evidence table, by normal and binomial models."""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtr

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.heterogeneity import cochran_q
from alkbayes.classical.inverse_variance.regression import (
    Omnibus,
    RegressionFit,
    fit_regression,
    omnibus,
    quantile,
)
from alkbayes.classical.inverse_variance.tau2 import Tau2Interval, tau2_q_profile
from alkbayes.classical.maximum_likelihood.glmm import GlmmFit, LikelihoodRatio, fit_glmm, likelihood_ratio
from alkbayes.classical.maximum_likelihood.separation import separated
from alkbayes.classical.moderators.clustering import CLUSTERED, clustering_note, fit_clustered, required_trials
from alkbayes.classical.moderators.design import INTERCEPT, NO_REFERENCES, Moderators, moderators_of
from alkbayes.classical.moderators.predictions import (
    NO_VALUES,
    Point,
    PredictedRate,
    by_covariance,
    by_intercept,
    point_notes,
    points_of,
    predicted_rates,
)
from alkbayes.classical.notes import (
    NO_TAU2,
    correction_note,
    left_out_note,
    separation_note,
    standard_error_note,
    tau2_parts_note,
)
from alkbayes.classical.pooling.methods import (
    BINOMIAL_NORMAL,
    CLUSTER_ROBUST,
    INVERSE_VARIANCE,
    PoolingMethod,
    scale_of,
)
from alkbayes.classical.pooling.models import binomial_levels
from alkbayes.classical.scales import Scale, discouraged, effects
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.naming import no_such_column
from alkbayes.evidence.table import trial_labels
from alkbayes.text.names import listed
from alkbayes.text.notes import Instead, text_of
from alkbayes.text.wording import p_equals, ratio_figure
from alkbayes.vocabulary import INTERVAL_PROB

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence

TRIAL = "trial"
"""Column of the second level of heterogeneity for methods with cohorts within trials."""
NOT_RANDOMISED = "Cohorts are not randomised between values of a moderator: a coefficient is no causal effect."


LARGEST_EXPONENT = 700.0
"""Above this, the exponential overflows."""


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One coefficient of a meta-regression, on the scale of its method.

    Attributes
    ----------
    name
        "intercept", "line: mixed (against naive)" or "pfs_median (per unit)".
    estimate, se
        Estimate with its standard error; None, as the rest, if the fit did not converge.
    low, high
        Limits of its confidence interval.
    p
        Two-sided p-value. None, as standard error and limits, if the method has no standard error.
    """

    name: str
    estimate: float | None
    se: float | None
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True, slots=True)
class TermTest:
    """Joint test of the coefficients of a term, with the other terms in the model.

    Attributes
    ----------
    term
        Labels of its columns: "line", or "line:age" for an interaction.
    test
        As the test of all moderators; None without one.
    """

    term: str
    test: Omnibus | None


@dataclass(frozen=True, slots=True)
class MetaRegression:
    """A meta-regression. Values that a method does not define, or could not find, are None.

    Attributes
    ----------
    method, scale
        Method, and scale of its coefficients.
    moderators
        Columns of the table.
    group
        Column of the second level of heterogeneity, or of the clusters of a robust covariance, if there is one.
    k, left_out
        Number of cohorts with a value in each moderator, and `cohort_id` of the others.
    coefficients
        Coefficients, the intercept first.
    omnibus
        Joint test of all coefficients except the intercept: Q_M by chi-squared or F, and for `glmm-ml*` the
        likelihood-ratio statistic by chi-squared.
    terms
        The same test of each term, the others in the model: for `glmm-ml*` against the model without it.
    predictions
        Rates at the values asked for.
    tau2, tau2_low, tau2_high
        Residual variance between cohorts, squared scale, with its Q-profile interval; with a second level the sum
        of that between groups and that between the cohorts of a group.
    tau2_group
        Residual variance between groups, squared logit scale, a part of `tau2`.
    i2, h2
        Measures of residual heterogeneity.
    q_e, q_e_df, q_e_p
        Test that the moderators explain all differences: Cochran's Q, and for `glmm-ml*` the likelihood-ratio statistic
        against a rate for each cohort.
    r2
        Share of the variance between cohorts (and groups) explained by the moderators, in [0, 1].
    converged
        True if the results may be used.
    note
        Sentences of warning to the reader.
    prob
        Probability of all intervals.
    """

    method: PoolingMethod
    scale: Scale
    moderators: tuple[str, ...]
    group: str | None
    k: int
    left_out: tuple[str, ...]
    coefficients: tuple[Coefficient, ...]
    omnibus: Omnibus | None
    terms: tuple[TermTest, ...]
    predictions: tuple[PredictedRate, ...]
    tau2: float | None
    tau2_low: float | None
    tau2_high: float | None
    tau2_group: float | None
    i2: float | None
    h2: float | None
    q_e: float | None
    q_e_df: int
    q_e_p: float | None
    r2: float | None
    converged: bool
    note: str
    prob: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; coefficients on the logit scale also as odds ratios."""
        numbers = asdict(self)
        return (
            {"interval_prob": numbers.pop("prob")} | numbers | {"coefficients": list(map(self._row, self.coefficients))}
        )

    def _row(self, coefficient: Coefficient) -> dict[str, Any]:
        """Return a coefficient with its odds ratio, except for an intercept."""
        ratio = self.scale is Scale.LOGIT and coefficient.name != INTERCEPT
        logs = (coefficient.estimate, coefficient.low, coefficient.high) if ratio else (None,) * 3
        ratios = zip(("odds_ratio", "odds_ratio_low", "odds_ratio_high"), map(_exponential, logs), strict=True)
        return asdict(coefficient) | dict(ratios)


def regress(
    evidence: "Evidence",
    moderators: Sequence[str],
    *,
    method: PoolingMethod,
    group: str | None = None,
    levels: Collection[str] = (),
    references: Mapping[str, str] = NO_REFERENCES,
    at: Mapping[str, Sequence[str]] = NO_VALUES,
    prob: float = INTERVAL_PROB,
) -> MetaRegression:
    """Regress the response rates of a table's cohorts on some of its columns.

    Parameters
    ----------
    evidence
        The cohorts. Those without a value in one of the columns are left out, named and counted.
    moderators
        Columns and interactions ("a:b", "a*b"), as for :func:`alkbayes.classical.moderators.design.moderators_of`.
    method
        `glmm-ml`; an inverse-variance method, for its scale, estimator of tau2 and test; or one with cohorts within
        trials (`clustering.CLUSTERED`), of which `glmm-ml-trials` is `glmm-ml` with the group "trial".
    group
        For `glmm-ml`: a column, say "trial", for a second level of heterogeneity.
    levels, references
        As for `moderators_of`: columns with numbers as levels, and reference levels.
    at
        Values of moderators, by column, for whose combinations rates are predicted, over the other moderators as in
        :func:`alkbayes.classical.moderators.predictions.predicted_rates`.
    prob
        Probability of the intervals, in (0, 1).

    Raises
    ------
    EvidenceError
        If the columns are unsuitable (see `moderators_of`), or `group` is not a column with two cohorts in one of its
        values; for trials see `required_trials`.
    UsageError
        If the method cannot regress, or has no second level; or as `moderators_of` and `predicted_rates`.

    References
    ----------
    Thompson & Higgins (2002), doi:10.1002/sim.1187; Raudenbush (2009) for R2; Stijnen, Hamza & Ozdemir (2010),
    doi:10.1002/sim.4040.
    """
    able = (*INVERSE_VARIANCE, PoolingMethod.GLMM_ML, *CLUSTERED)
    if method not in able:
        raise UsageError(f"{method} cannot regress. Methods that can: {', '.join(able)}.")
    if method is PoolingMethod.GLMM_ML and group == TRIAL:
        method = PoolingMethod.GLMM_ML_TRIALS
    given = TRIAL if method is PoolingMethod.GLMM_ML_TRIALS else None
    if group not in {None, given} and method is not PoolingMethod.GLMM_ML:
        raise UsageError(f"{method} has one level of heterogeneity; only glmm-ml takes a group ({group}).")
    group = group or given
    found = moderators_of(evidence, moderators, levels=levels, references=references)
    points = points_of(found, at)
    part = evidence.frame.iloc[found.kept]
    responders, n = part["responders"].to_numpy(float), part["n"].to_numpy(float)
    trials = trial_labels(part)
    if method in BINOMIAL_NORMAL:
        labels = None if group is None else _groups(evidence, group, found)
        result = _binomial(found, responders, n, method, group, labels, points, prob=prob)
    elif method in CLUSTERED:
        return _clustered(found, responders, n, method, required_trials(method, trials), points, prob=prob)
    else:
        result = _normal(found, responders, n, method, points, prob=prob)
    return replace(result, note=text_of([clustering_note(method, trials) if group is None else "", result.note]))


def _normal(
    found: Moderators,
    responders: Floats,
    n: Floats,
    method: PoolingMethod,
    points: Sequence[Point],
    *,
    prob: float,
) -> MetaRegression:
    """Fit an inverse-variance method."""
    made_of = INVERSE_VARIANCE[method]
    observed = effects(responders, n, scale=made_of.scale)
    yi, vi = observed.yi, observed.vi
    fit = fit_regression(yi, vi, design=found.design, estimator=made_of.estimator, test=made_of.test, prob=prob)
    random = made_of.estimator is not None and fit.converged
    limits = tau2_q_profile(yi, vi, found.design, prob=prob) if random else Tau2Interval(*[None] * 6)
    note = text_of(
        [
            "" if fit.converged else "The estimate of tau2 did not converge: no result.",
            standard_error_note(
                method, fit.factor, fit.df, lambda: _binomial_instead(found, responders, n, prob=prob), prob=prob
            ),
            correction_note(observed.corrected, found.cohorts),
            _separation(found, responders, n, method),
            *_design_notes(found, points),
            left_out_note(found.columns, found.left_out, yi.size),
            discouraged(made_of.scale),
            NOT_RANDOMISED,
        ]
    )
    return MetaRegression(
        method=method,
        scale=made_of.scale,
        moderators=found.columns,
        group=None,
        k=yi.size,
        left_out=found.left_out,
        coefficients=_coefficients(found, fit),
        omnibus=fit.omnibus,
        terms=_tests(found, [omnibus(fit.beta, fit.covariance, mask, df2=fit.df) for mask in _masks(found)]),
        predictions=predicted_rates(
            points,
            by_covariance(fit.beta, fit.covariance, fit.df),
            tau2=fit.tau2 if random else None,
            scale=made_of.scale,
            n=n,
            prob=prob,
        ),
        tau2=fit.tau2 if random else None,
        tau2_low=limits.low,
        tau2_high=limits.high,
        tau2_group=None,
        i2=fit.i2,
        h2=fit.h2,
        q_e=fit.q_e,
        q_e_df=fit.q_e_df,
        q_e_p=fit.q_e_p,
        r2=fit.r2,
        converged=fit.converged,
        note=note,
        prob=prob,
    )


def _binomial_instead(
    found: Moderators, responders: Floats, n: Floats, trials: Sequence[str] | None = None, *, prob: float
) -> Instead:
    """Return the odds ratios of the binomial model with their test, or name another method if it has no result.

    `trials` is the trial of each cohort for a method that allows for it, else None.
    """
    method, group = binomial_levels(trials)
    fit = fit_glmm(responders, n, design=found.design, group=group)
    if not fit.converged and group is not None:
        return _binomial_instead(found, responders, n, prob=prob)
    if not fit.converged:
        return Instead(f"{PoolingMethod.REML_LOGIT}, by z, as the binomial model, glmm-ml, has no result", "")
    half = quantile(None, prob) * np.sqrt(np.diag(fit.covariance))
    said = [
        f"{name} {ratio_figure(middle)} ({ratio_figure(low)}–{ratio_figure(high)})"
        for name, middle, low, high in zip(
            found.names[1:], *np.exp([fit.beta, fit.beta - half, fit.beta + half])[:, 1:], strict=True
        )
    ]
    alone = fit_glmm(responders, n, group=group)
    if alone.converged:
        said.append(f"likelihood ratio {p_equals(likelihood_ratio(alone, fit).p)}")
    caution = NO_TAU2 if fit.tau is not None and _variance(fit) == 0 else ""
    return Instead(f"the odds ratios of the binomial model, {method}", ", ".join(said), caution)


def _separation(found: Moderators, responders: Floats, n: Floats, method: PoolingMethod) -> str:
    """Say which odds ratios the counts alone put at 0 or infinity."""
    if scale_of(method) is not Scale.LOGIT:
        return ""
    infinite = separated(responders, n, found.design)[1:]
    return separation_note(infinite, found.names[1:], corrected=method not in BINOMIAL_NORMAL)


def _coefficients(found: Moderators, fit: RegressionFit) -> tuple[Coefficient, ...]:
    """Return the coefficients of a normal model."""
    columns = (fit.beta, fit.se, fit.low, fit.high, fit.p_values)
    rows = np.column_stack(columns).tolist()
    return tuple(
        Coefficient(name, *(None if np.isnan(value) else value for value in row))
        for name, row in zip(found.names, rows, strict=True)
    )


def _clustered(
    found: Moderators,
    responders: Floats,
    n: Floats,
    method: PoolingMethod,
    trials: Sequence[str],
    points: Sequence[Point],
    *,
    prob: float,
) -> MetaRegression:
    """Fit an inverse-variance method with cohorts within trials."""
    fit = fit_clustered(responders, n, trials, design=found.design, method=method, tested=_masks(found))
    alone = fit_clustered(responders, n, trials, design=np.ones((n.size, 1)), method=method)
    linear = by_covariance(fit.beta, fit.covariance, None)
    if method in CLUSTER_ROBUST and not fit.message:
        # Each value has degrees of freedom of its own: those of the intercept of the design about it.
        linear = by_intercept(
            found.design, lambda design: fit_clustered(responders, n, trials, design=design, method=method)
        )
    observed = effects(responders, n, scale=scale_of(method))
    residual = cochran_q(observed.yi, observed.vi, found.design)
    rows = []
    for name, beta, variance, df in zip(found.names, fit.beta, np.diag(fit.covariance), fit.df, strict=True):
        if not variance > 0:
            rows.append(Coefficient(name, None if np.isnan(beta) else float(beta), None, None, None, None))
            continue
        se = float(np.sqrt(variance))
        half = quantile(df, prob) * se
        p = float(2 * stdtr(df, -abs(beta / se)))
        rows.append(Coefficient(name, float(beta), se, float(beta - half), float(beta + half), p))
    explained = None if fit.tau2 is None or not alone.tau2 else max(0.0, 1 - fit.tau2 / alone.tau2)
    note = text_of(
        [
            f"No result: {fit.message}." if fit.message else "",
            fit.caution,
            fit.note(
                lambda: _binomial_instead(found, responders, n, trials, prob=prob),
                effects_of=slice(None),
                tested=True,
                prob=prob,
            ),
            tau2_parts_note(fit.tau2, fit.tau2_trial, TRIAL),
            correction_note(observed.corrected, found.cohorts),
            _separation(found, responders, n, method),
            *_design_notes(found, points),
            left_out_note(found.columns, found.left_out, n.size),
            NOT_RANDOMISED,
        ]
    )
    return MetaRegression(
        method=method,
        scale=scale_of(method),
        moderators=found.columns,
        group=TRIAL,
        k=n.size,
        left_out=found.left_out,
        coefficients=tuple(rows),
        omnibus=fit.omnibus,
        terms=_tests(found, fit.tests),
        predictions=predicted_rates(points, linear, tau2=fit.tau2, scale=scale_of(method), n=n, prob=prob),
        tau2=fit.tau2,
        tau2_low=None,
        tau2_high=None,
        tau2_group=fit.tau2_trial,
        i2=None,
        h2=None,
        q_e=residual.q,
        q_e_df=residual.df,
        q_e_p=residual.p,
        r2=explained,
        converged=not fit.message,
        note=note,
        prob=prob,
    )


def _binomial(
    found: Moderators,
    responders: Floats,
    n: Floats,
    method: PoolingMethod,
    group: str | None,
    labels: Sequence[str] | None,
    points: Sequence[Point],
    *,
    prob: float,
) -> MetaRegression:
    """Fit the binomial-normal model with and without the moderators."""
    fit = fit_glmm(responders, n, design=found.design, group=labels)
    alone = fit_glmm(responders, n, group=labels)
    both = fit.converged and alone.converged
    test = likelihood_ratio(alone, fit) if both else None
    before, after = (_variance(model) for model in (alone, fit))
    total = after if fit.converged and fit.tau is not None else None
    part = None if total is None or fit.tau_group is None else fit.tau_group**2
    untested = fit.converged and not alone.converged
    note = text_of(
        [
            "" if fit.converged else f"No result: {fit.message}.",
            _separation(found, responders, n, method),
            f"No test of the moderators and no R2: without them {alone.message}." if untested else "",
            *_design_notes(found, points),
            left_out_note(found.columns, found.left_out, n.size),
            tau2_parts_note(total, part, group or ""),
            NOT_RANDOMISED,
        ]
    )
    half = quantile(None, prob)
    rows = []
    for place, name in enumerate(found.names):
        if not fit.converged:
            rows.append(Coefficient(name, None, None, None, None, None))
            continue
        beta, se = float(fit.beta[place]), float(np.sqrt(fit.covariance[place, place]))
        p = float(2 * ndtr(-abs(beta / se)))
        rows.append(Coefficient(name, beta, se, beta - half * se, beta + half * se, p))
    return MetaRegression(
        method=method,
        scale=scale_of(method),
        moderators=found.columns,
        group=group,
        k=n.size,
        left_out=found.left_out,
        coefficients=tuple(rows),
        omnibus=_ratio(test),
        terms=_tests(found, [_ratio(each) for each in _likelihood_ratios(found, responders, n, labels, fit, test)]),
        predictions=predicted_rates(
            points, by_covariance(fit.beta, fit.covariance, None), tau2=total, scale=scale_of(method), n=n, prob=prob
        ),
        tau2=total,
        tau2_low=None,
        tau2_high=None,
        tau2_group=part,
        i2=None,
        h2=None,
        q_e=fit.lr if fit.converged else None,
        q_e_df=fit.lr_df,
        q_e_p=fit.lr_p if fit.converged else None,
        r2=max(0.0, 1 - after / before) if both and before > 0 else None,
        converged=fit.converged,
        note=note,
        prob=prob,
    )


def _likelihood_ratios(
    found: Moderators,
    responders: Floats,
    n: Floats,
    labels: Sequence[str] | None,
    fit: GlmmFit,
    test: LikelihoodRatio | None,
) -> list[LikelihoodRatio | None]:
    """Return the likelihood-ratio test of each term against the model without it; `test` is that of all terms."""
    if len(found.terms) == 1:
        return [test]
    if not fit.converged:
        return [None] * len(found.terms)
    without = [fit_glmm(responders, n, design=found.design[:, ~mask], group=labels) for mask in _masks(found)]
    return [likelihood_ratio(each, fit) if each.converged else None for each in without]


def _ratio(test: LikelihoodRatio | None) -> Omnibus | None:
    return None if test is None else Omnibus(test.statistic, test.df, None, test.p)


def _masks(found: Moderators) -> list[npt.NDArray[np.bool_]]:
    """Return which coefficients are of each term, shape (p,)."""
    return [np.isin(np.arange(len(found.names)), term.places) for term in found.terms]


def _tests(found: Moderators, tests: Sequence[Omnibus | None]) -> tuple[TermTest, ...]:
    """Return the tests of the terms; a fit without a result has none."""
    return tuple(
        TermTest(term.name, test)
        for term, test in itertools.zip_longest(found.terms, tests or [None] * len(found.terms))
    )


def _design_notes(found: Moderators, points: Sequence[Point]) -> tuple[str, ...]:
    """Say which coefficients of interactions are missing, what those of their columns mean, and of predictions."""
    within = [
        term.name
        for term in found.terms
        if any({part.column for part in term.parts} < {part.column for part in other.parts} for other in found.terms)
    ]
    lost = f"Left out, as following from the others in these cohorts: {listed(found.lost)}." if found.lost else ""
    marginal = (
        f"Coefficients and tests of {listed(within)} hold at 0, or the reference level, of what each interacts with."
        if within
        else ""
    )
    return lost, marginal, *point_notes(found, points)


def _variance(fit: GlmmFit) -> float:
    """Return the variance between cohorts and groups together, squared logit scale."""
    return (fit.tau or 0.0) ** 2 + (fit.tau_group or 0.0) ** 2


def _groups(evidence: "Evidence", group: str, found: Moderators) -> Sequence[str]:
    """Return the group of each cohort in the design; a cohort without a trial is its own group."""
    frame = evidence.frame
    if group == TRIAL:
        return required_trials(PoolingMethod.GLMM_ML_TRIALS, trial_labels(frame.iloc[found.kept]))
    if group not in frame.columns:
        raise no_such_column([group], frame.columns.tolist(), "to group by")
    labels = [str(label) for label in frame[group].iloc[found.kept]]
    if "" in labels:
        raise EvidenceError(f"{labels.count('')} of the {len(labels)} cohorts of the meta-regression have no {group}.")
    if len(set(labels)) == len(labels):
        raise EvidenceError(
            f"No two of the {len(labels)} cohorts have the same {group}: there is one level of heterogeneity."
        )
    return labels


def _exponential(value: float | None) -> float | None:
    """Return the exponential; None for None, and on overflow."""
    return None if value is None or value > LARGEST_EXPONENT else math.exp(value)
