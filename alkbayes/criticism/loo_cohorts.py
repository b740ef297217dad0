"""Leave-one-cohort-out on the integrated likelihood: importance weights, and exact refits if these fail.

Vehtari, Gelman and Gabry 2017, doi:10.1007/s11222-016-9696-4, with the likelihood of
:mod:`alkbayes.criticism.integrated_likelihood`: a cohort is left out, the others of its trial are not.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import arviz_stats as az
import numpy as np
import xarray as xr
from arviz_stats.utils import ELPDDataLOO
from numpy.typing import NDArray
from scipy.special import logsumexp

from alkbayes.criticism.integrated_likelihood import check_covered, log_likelihood_given_others
from alkbayes.criticism.refits import refit, without
from alkbayes.errors import EvidenceError
from alkbayes.inference.datatree import OUTCOME
from alkbayes.inference.fit import Fit, global_parameters
from alkbayes.parallel import Progress, in_processes

type Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CohortsLeftOut:
    """Results of leaving out each cohort in turn.

    Attributes
    ----------
    loo
        ArviZ's result with its pointwise values; exact for cohorts in `refitted`, with a k of 0.
    pareto_k
        Pareto k of each cohort's weights, refitted or not, shape (cohort,).
    log_weights
        Log weights of the fit's draws without each cohort, normalised, shape (draw, cohort).
    refitted
        Posterior without each cohort whose weights are unreliable, by position.
    """

    loo: ELPDDataLOO
    pareto_k: Array
    log_weights: Array
    refitted: Mapping[int, Fit]

    @property
    def unreliable(self) -> list[int]:
        """Positions of cohorts with a k above the threshold and no converged refit."""
        bad = np.flatnonzero(~(self.loo.pareto_k.to_numpy() <= self.loo.good_k))
        return [int(cohort) for cohort in bad]


def leave_one_cohort_out(fit: Fit, *, workers: int | None = None, progress: Progress | None = None) -> CohortsLeftOut:
    """Leave out each cohort in turn.

    Parameters
    ----------
    fit
        From any engine, of a model covered by the quadrature engine's target.
    workers, progress
        For the refits of cohorts whose Pareto k is above ArviZ's threshold.

    Raises
    ------
    EvidenceError
        If there is only one cohort.
    UsageError
        If the model is not covered.
    SamplingError
        If the sampler does not finish a refit.
    """
    cohorts = cohorts_to_leave_out(fit)
    check_covered(fit.design, model=fit.spec.name)
    pointwise = log_likelihood_given_others(fit.design, fit.draws, cohorts)
    found = by_importance(fit, pointwise)
    pareto_k = found.pareto_k.to_numpy().copy()
    # Written so that a NaN k is refitted.
    bad = np.flatnonzero(~(pareto_k <= found.good_k))
    made = in_processes(refit, [without(fit, cohorts[cohort]) for cohort in bad], workers=workers, progress=progress)
    refitted = {
        int(cohort): posterior for cohort, posterior in zip(bad, made, strict=True) if posterior.diagnostics.converged
    }
    if refitted:
        exact = {
            cohort: log_mean(log_likelihood_given_others(fit.design, posterior.draws, [cohorts[cohort]]))
            for cohort, posterior in refitted.items()
        }
        found = with_exact(found, exact, lppd=logsumexp(pointwise, axis=(0, 1)) - np.log(pointwise[..., 0].size))
    log_weights = found.log_weights.transpose("chain", "draw", "cohort").to_numpy()
    return CohortsLeftOut(found, pareto_k, log_weights.reshape(-1, len(cohorts)), refitted)


def cohorts_to_leave_out(fit: Fit) -> list[NDArray[np.intp]]:
    """Return the place of each cohort that is left out in turn.

    Raises
    ------
    EvidenceError
        If there is only one cohort.
    """
    if len(fit.design.cohorts) < 2:
        raise EvidenceError(f"The table has one cohort, {fit.design.cohorts[0]}: without it, nothing is left to fit.")
    return [np.array([cohort], dtype=np.intp) for cohort in range(len(fit.design.cohorts))]


def by_importance(fit: Fit, pointwise: Array) -> ELPDDataLOO:
    """Return ArviZ's leave-one-out by Pareto-smoothed weights from values of shape (chain, draw, cohort)."""
    values = xr.DataArray(pointwise, dims=("chain", "draw", "cohort"), coords={"cohort": list(fit.design.cohorts)})
    tree = xr.DataTree.from_dict(
        {
            # The weights depend on these alone, and ArviZ takes their relative efficiency from them.
            "posterior": global_parameters(fit.tree["posterior"].to_dataset()),
            "log_likelihood": xr.Dataset({OUTCOME: values}),
        }
    )
    with warnings.catch_warnings():
        # On unreliable weights: these cohorts are named, and refitted.
        warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto", category=UserWarning)
        return az.loo(tree, pointwise=True, var_name=OUTCOME)


def with_exact(found: ELPDDataLOO, exact: Mapping[int, float], *, lppd: Array) -> ELPDDataLOO:
    """Return the result with exact values for some cohorts, as ArviZ's `reloo`.

    Parameters
    ----------
    found
        Result by importance weights.
    exact
        Log predictive density without the cohort, by position.
    lppd
        Log predictive density of each cohort with it, shape (cohort,).
    """
    elpd_i, pareto_k = found.elpd_i.copy(), found.pareto_k.copy()
    for cohort, value in exact.items():
        elpd_i[cohort], pareto_k[cohort] = value, 0.0
    elpd, se, p, _ = elpd_i.azstats.loo_summary(xr.zeros_like(elpd_i) + lppd - elpd_i)
    return replace(
        found,
        elpd=elpd,
        se=se,
        p=p,
        elpd_i=elpd_i,
        pareto_k=pareto_k,
        warning=bool((pareto_k > found.good_k).any()),
    )


def log_mean(logs: Array) -> float:
    """Return the log of the mean of exp(`logs`), of any shape."""
    return float(logsumexp(logs) - np.log(logs.size))
