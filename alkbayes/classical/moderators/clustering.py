"""Regression of response rates with cohorts within trials, by each method that allows for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.cluster_robust import cluster_robust
from alkbayes.classical.inverse_variance.regression import Omnibus, fit_regression, omnibus
from alkbayes.classical.maximum_likelihood.glmm import fit_glmm, likelihood_ratio
from alkbayes.classical.maximum_likelihood.multilevel import fit_multilevel
from alkbayes.classical.notes import cluster_robust_note
from alkbayes.classical.pooling.methods import CLUSTER_ROBUST, PoolingMethod, scale_of
from alkbayes.classical.scales import effects
from alkbayes.errors import EvidenceError
from alkbayes.text.notes import Instead, Note
from alkbayes.text.wording import sentence

CLUSTERED = (*CLUSTER_ROBUST, PoolingMethod.MULTILEVEL_LOGIT, PoolingMethod.GLMM_ML_TRIALS)
"""Methods that allow for dependence between cohorts of a trial."""
WITHOUT_TRIALS = {
    PoolingMethod.GLMM_ML_TRIALS: PoolingMethod.GLMM_ML,
    PoolingMethod.MULTILEVEL_LOGIT: PoolingMethod.REML_LOGIT,
}
"""Equivalent of a method with two levels of heterogeneity if every trial has one cohort."""


@dataclass(frozen=True, slots=True)
class ClusteredFit:
    """A regression of cohorts within trials on p coefficients, logit scale.

    Attributes
    ----------
    beta
        Coefficients, shape (p,); NaN without a result.
    covariance
        Their covariance, shape (p, p); NaN for a coefficient without a standard error.
    df
        Degrees of freedom of each coefficient's t, shape (p,); infinite for the normal.
    tau2, tau2_trial
        Variance between cohorts, summed over levels, and its part between trials; None for a method without one.
    model_se
        Standard errors of the coefficients by the model, shape (p,): smaller or larger than those of a cluster-robust
        `covariance`, else the same.
    omnibus
        Joint test of all coefficients except that of a column of ones: likelihood ratio, Q_M, or F by the robust
        covariance. None if unavailable.
    message
        Reason for a missing result, else empty.
    caution
        A sentence of warning about the whole result, or empty.
    without
        Reason why some coefficients have no standard error, or empty.
    tests
        The same joint test of some of the coefficients, as asked for of a method of inverse variances.
    """

    beta: Floats
    covariance: Floats
    df: Floats
    tau2: float | None
    tau2_trial: float | None
    model_se: Floats
    omnibus: Omnibus | None
    message: str
    caution: str
    without: str = ""
    tests: tuple[Omnibus | None, ...] = ()

    @property
    def se(self) -> Floats:
        """Standard errors, shape (p,); NaN for a coefficient without one."""
        return np.sqrt(np.diag(self.covariance))

    def note(self, instead: Callable[[], Instead], *, effects_of: slice, tested: bool, prob: float) -> Note | None:
        """Return the warning about some of the coefficients, as `cluster_robust_note`."""
        each = effects_of
        return cluster_robust_note(
            self.se[each],
            self.model_se[each],
            self.df[each],
            instead,
            without=self.without,
            tested=tested,
            prob=prob,
        )


def clustering_note(method: PoolingMethod, trials: Sequence[str] | None) -> str:
    """Say that cohorts share trials and the method ignores it; empty if not. `trials` is None if unknown."""
    shared = shared_trials(trials)
    if not shared or method in CLUSTERED:
        return ""
    return f"{shared}; {method} takes them as independent. {PoolingMethod.GLMM_ML_TRIALS} does not."


def methods_note(methods: Sequence[PoolingMethod], trials: Sequence[str] | None) -> str:
    """Say the same of several methods; empty if all allow for it, or no two cohorts share a trial."""
    allowing = [method for method in dict.fromkeys(methods) if method in CLUSTERED]
    shared = shared_trials(trials)
    if len(set(methods)) == 1:
        return clustering_note(methods[0], trials)
    if not shared or len(allowing) == len(set(methods)):
        return ""
    if not allowing:
        return f"{shared}; none of these methods allows for that, as {PoolingMethod.GLMM_ML_TRIALS} does."
    return f"{shared}; of these methods only {', '.join(allowing)} allow{'s' * (len(allowing) == 1)} for that."


def shared_trials(trials: Sequence[str] | None) -> str:
    """Say how many cohorts come from how many trials; empty if no two share one, or that is unknown."""
    if trials is None or len(set(trials)) == len(trials):
        return ""
    number = len(set(trials))
    return f"{len(trials):,} cohorts come from {f'{number:,} trials' if number > 1 else 'one trial'}"


def required_trials(method: PoolingMethod, trials: Sequence[str] | None) -> Sequence[str]:
    """Return the trials of the cohorts, checked as sufficient for the method.

    Raises
    ------
    EvidenceError
        If the table names no trials, only one, or none with two cohorts and the method needs two levels of
        heterogeneity.
    """
    if trials is None:
        raise EvidenceError(f"{method} needs a column trial, which says which cohorts are of one trial.")
    if len(set(trials)) == 1:
        raise EvidenceError(f"All {len(trials):,} cohorts are of one trial, and {method} needs two at least.")
    if method in WITHOUT_TRIALS and not shared_trials(trials):
        raise EvidenceError(
            f"Each of the {len(trials):,} cohorts is of a trial of its own, so that trials and cohorts are the same. "
            f"Use the method {WITHOUT_TRIALS[method]}."
        )
    return trials


def fit_clustered(
    responders: Floats,
    n: Floats,
    trials: Sequence[str],
    *,
    design: Floats,
    method: PoolingMethod,
    tested: Sequence[npt.NDArray[np.bool_]] = (),
) -> ClusteredFit:
    """Regress response rates on a design, cohorts within trials.

    Parameters
    ----------
    responders, n
        Counts, shape (k,).
    trials
        Trial of each cohort, length k, from `required_trials`.
    design
        Fixed effects, shape (k, p), of full column rank, whose columns span a constant.
    method
        One of `CLUSTERED`. `glmm-ml-trials`: binomial, with differences between trials and between cohorts of a trial,
        by maximum likelihood. `multilevel-logit`: the same for observed logits with known variances, by REML, normal
        intervals. `common-logit-cr2`, `reml-logit-cr2`: inverse-variance weights and a cluster-robust covariance.
    tested
        Masks of coefficients to test together by an inverse-variance method, each of shape (p,), bool.
    """
    if method is PoolingMethod.GLMM_ML_TRIALS:
        return _binomial(responders, n, trials, design)
    observed = effects(responders, n, scale=scale_of(method))
    if method is PoolingMethod.MULTILEVEL_LOGIT:
        return _multilevel(observed.yi, observed.vi, trials, design, tested)
    return _robust(observed.yi, observed.vi, trials, design, method, tested)


def _binomial(x: Floats, m: Floats, trials: Sequence[str], design: Floats) -> ClusteredFit:
    each, p = np.unique(trials), design.shape[1]
    if each.size <= p and np.linalg.matrix_rank(np.column_stack([design, np.asarray(trials)[:, None] == each])) == p:
        # REML itself reports this; ML would put tau_trial at 0, as if trials did not differ.
        return _nothing(p, "nothing shows how trials differ: the fixed effects are of the trials")
    fit, without = fit_glmm(x, m, design=design, group=trials), fit_glmm(x, m, group=trials)
    if not fit.converged or fit.tau is None or fit.tau_group is None:
        return _nothing(p, fit.message)
    test = likelihood_ratio(without, fit) if without.converged and p > 1 else None
    return ClusteredFit(
        beta=fit.beta,
        covariance=fit.covariance,
        df=np.full(fit.beta.size, np.inf),
        tau2=fit.tau**2 + fit.tau_group**2,
        tau2_trial=fit.tau_group**2,
        model_se=np.sqrt(np.diag(fit.covariance)),
        omnibus=None if test is None else Omnibus(test.statistic, test.df, None, test.p),
        message="",
        caution="" if without.converged else f"No likelihood-ratio test: with one mean for all {without.message}.",
    )


def _multilevel(
    yi: Floats, vi: Floats, trials: Sequence[str], design: Floats, tested: Sequence[npt.NDArray[np.bool_]]
) -> ClusteredFit:
    fit = fit_multilevel(yi, vi, trials, design=design)
    if not fit.converged:
        return _nothing(design.shape[1], fit.message)
    return ClusteredFit(
        beta=fit.beta,
        covariance=fit.covariance,
        df=np.full(fit.beta.size, np.inf),
        tau2=fit.tau2_group + fit.tau2_cohort,
        tau2_trial=fit.tau2_group,
        model_se=np.sqrt(np.diag(fit.covariance)),
        omnibus=omnibus(fit.beta, fit.covariance, ~np.all(design == 1, axis=0), df2=None),
        message="",
        caution="",
        tests=tuple(omnibus(fit.beta, fit.covariance, some, df2=None) for some in tested),
    )


def _robust(
    yi: Floats,
    vi: Floats,
    trials: Sequence[str],
    design: Floats,
    method: PoolingMethod,
    tested: Sequence[npt.NDArray[np.bool_]],
) -> ClusteredFit:
    estimator = CLUSTER_ROBUST[method]
    weighted = fit_regression(yi, vi, design=design, estimator=estimator)
    if not weighted.converged:
        return _nothing(design.shape[1], "the estimate of tau2 did not converge")
    fit = cluster_robust(yi, vi, trials, tau2=weighted.tau2, design=design, tested=tested)
    return ClusteredFit(
        beta=fit.beta,
        covariance=fit.covariance,
        df=fit.df,
        tau2=None if estimator is None else weighted.tau2,
        tau2_trial=None,
        model_se=weighted.se,
        omnibus=fit.omnibus,
        message="",
        caution=sentence(fit.caution),
        without=fit.without,
        tests=fit.tests,
    )


def _nothing(p: int, message: str) -> ClusteredFit:
    """Return a fit without a result."""
    nan = np.full(p, np.nan)
    return ClusteredFit(nan, np.full((p, p), np.nan), nan, None, None, nan, None, message, "")
