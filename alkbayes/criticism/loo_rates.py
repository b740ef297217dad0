"""The pooled rate of all cohorts without each cohort, or each trial, for a forest."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alkbayes.criticism.integrated_likelihood import check_covered, log_likelihood_given_others
from alkbayes.criticism.loo_cohorts import cohorts_to_leave_out
from alkbayes.criticism.loo_trials import Summary, trials_to_leave_out
from alkbayes.criticism.refits import Without, by_quadrature, refit, without
from alkbayes.estimates.monte_carlo import QUANTILES, MeanError, cluster_error, mean_error_of, statistics
from alkbayes.estimates.rates import Posterior, pooled_draws, posterior_of
from alkbayes.inference.fit import Fit
from alkbayes.inference.importance.engine import nearby
from alkbayes.inference.importance.weights import resample
from alkbayes.model.profiles import Group
from alkbayes.model.restriction import Trial
from alkbayes.parallel import Progress, in_processes
from alkbayes.vocabulary import Estimand

type Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PooledRate:
    """The mean rate of all cohorts that are left, averaged over their patients.

    Attributes
    ----------
    summary
        Its median, low and high, proportions in [0, 1], with their Monte Carlo standard errors mcse_median, mcse_low
        and mcse_high.
    failures
        Of the convergence gate of a refit; the rate is not to be used if there are any.
    """

    summary: Summary
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RateWithout:
    """The rate without a cohort or trial.

    Attributes
    ----------
    name
        What is left out.
    rate
        Rate of the others.
    refitted
        Whether the model was fitted to them anew, because the weights of the draws of all were not reliable.
    """

    name: str
    rate: PooledRate
    refitted: bool


@dataclass(frozen=True, slots=True)
class RatesWithout:
    """The rate of all cohorts, and without each unit in the order of the table."""

    whole: PooledRate
    rows: tuple[RateWithout, ...]


def rates_without(
    fit: Fit, *, by_trial: bool = False, workers: int | None = None, progress: Progress | None = None
) -> RatesWithout:
    """Return the pooled rate without each cohort, or each trial, in turn.

    The draws are weighted by the inverse of the integrated likelihood of what is left out, smoothed (Vehtari, Gelman
    and Gabry 2017, doi:10.1007/s11222-016-9696-4), as by :func:`alkbayes.criticism.loo_trials.leave_one_trial_out`.
    The mean depends on the global parameters alone, as the weights do, so no deviation is drawn anew. Where Pareto k
    is above 0.5, or few draws are effective, the model is refitted. `workers` and `progress` are for these refits.

    Raises
    ------
    EvidenceError
        If there is only one cohort, or the table names no trial to leave out, or only one.
    UsageError
        If the deviations of the model cannot be integrated out.
    SamplingError
        If the sampler does not finish a refit.
    """
    check_covered(fit.design, model=fit.spec.name)
    units = trials_to_leave_out(fit) if by_trial else _cohorts_of(fit)
    near = by_quadrature(fit)
    found: list[PooledRate | None] = [None] * len(units) if near is None else list(_weighted(near, units))
    tasks = [without(fit, unit.cohorts) for unit, one in zip(units, found, strict=True) if one is None]
    refits = iter(in_processes(_refitted, tasks, workers=workers, progress=progress))
    rows = tuple(
        RateWithout(unit.name, next(refits) if one is None else one, one is None)
        for unit, one in zip(units, found, strict=True)
    )
    return RatesWithout(_rate_of(fit), rows)


def _cohorts_of(fit: Fit) -> tuple[Trial, ...]:
    return tuple(itertools.starmap(Trial, zip(fit.design.cohorts, cohorts_to_leave_out(fit), strict=True)))


def _weighted(near: Fit, units: Sequence[Trial]) -> Iterator[PooledRate | None]:
    """Yield the rate without each unit from the draws of all; None where they are too few for it."""
    logs = log_likelihood_given_others(near.design, near.draws, [unit.cohorts for unit in units])
    proposal = near.tree["sample_stats"]["proposal"].to_numpy().ravel()
    kept = [np.ones(len(near.design.cohorts), dtype=np.bool_) for _ in units]
    for mask, unit in zip(kept, units, strict=True):
        mask[unit.cohorts] = False
    means = _mean_draws(posterior_of(near), kept)
    for place, draws in enumerate(means):
        weights = nearby(-logs[..., place].ravel(), proposal)
        if weights is None:
            yield None
            continue
        rng = np.random.default_rng([near.provenance.settings.seed, place])
        chosen = resample(np.exp(weights[0]), len(proposal), rng)
        yield PooledRate(_summary(draws[chosen], cluster_error(proposal[chosen]), near.interval_prob))


def _mean_draws(posterior: Posterior, kept: Sequence[NDArray[np.bool_]]) -> Iterator[Array]:
    """Yield the draws of the mean rate of some cohorts, shape (draw,)."""
    for row, draws in pooled_draws(posterior, [Group({}, mask) for mask in kept]):
        if row["estimand"] == Estimand.MEAN:
            yield draws


def _refitted(task: Without) -> PooledRate:
    return _rate_of(refit(task))


def _rate_of(fit: Fit) -> PooledRate:
    (draws,) = _mean_draws(posterior_of(fit), [np.ones(len(fit.design.cohorts), dtype=np.bool_)])
    return PooledRate(_summary(draws, mean_error_of(fit), fit.interval_prob), fit.diagnostics.failures)


def _summary(draws: Array, error: MeanError, prob: float) -> Summary:
    found = statistics(draws, error, prob=prob)
    values = {name: found[name][0] for name in QUANTILES}
    return values | {f"mcse_{name}": found[name][1] for name in values}
