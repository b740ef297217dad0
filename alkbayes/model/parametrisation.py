"""How the sampler sees the heterogeneity: each standardised deviation in units of what the data leave open about it.

Given the global parameters, the data of a trial say almost all about its deviation when the trial is large and almost
nothing when it is small. A centred parametrisation suits the first, a non-centred one the second, and either has a
funnel where the other has none. So each deviation `z` is sampled as `x` in `z = mean + sd x`, with the mean and
standard deviation of its conditional distribution given the global parameters, in the normal approximation to the
likelihood of its cohorts: `x` is then nearly a standard normal, whatever the global parameters are. That is a change
of variables with its Jacobian; the posterior does not depend on the quality of the approximation (a test holds the
two densities against each other).

The idea is that of partial non-centring with weights from the data (Papaspiliopoulos, Roberts and Sköld 2007,
doi:10.1214/088342307000000014), with weights that follow the current tau.

So is the intercept of a model without effects, given the standard deviations: where large cohorts are alike, these may
be 0.003 or 0.7, and the intercept is known a hundred times better with the one than with the other.

A standard deviation is sampled as `x` in `tau = -s log(1 - Phi(x))`, the value of an exponential distribution at the
normal score `x`: near zero, where a logarithm has a long tail that chains are slow to explore and to leave, `x` is
nearly normal.

The formulas use nothing but arithmetic, so the same functions serve PyTensor's symbols in
:mod:`alkbayes.inference.nuts.pymc_model` and the draws, with axes (chain, draw, cohort), in
:mod:`alkbayes.model.draws`.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from alkbayes.likelihood.links import Link, inverse_derivative, link_function
from alkbayes.model.design import Design
from alkbayes.spec.priors import Exponential, HalfNormal, HalfStudentT, Normal, Prior, RootSumOfSquares, StudentT

type Array = NDArray[np.float64]


def score_scale(prior: Prior) -> float:
    """Return the scale `s` of :func:`positive_from_score` for a parameter with this prior: half the prior's own."""
    match prior:
        case HalfNormal() | HalfStudentT():
            return prior.sd / 2
        case Exponential():
            return prior.mean / 2
        case RootSumOfSquares():
            return math.hypot(score_scale(prior.first), score_scale(prior.second))
        case _:
            raise TypeError(f"{prior!r} is no prior of a positive parameter")


def positive_from_score(x: Array, scale: float) -> Array:
    """Return `-scale log(1 - Phi(x))`, positive and increasing in `x` (any shape)."""
    return -scale * log_ndtr(-x)


def empirical_predictors(design: Design) -> tuple[Array, Array]:
    """Return each cohort's observed rate on the scale of the link and its variance, each of shape (cohort,).

    With 1/2 added to both counts (Haldane 1956 and Anscombe 1956, doi:10.1093/biomet/43.3-4.461). The variance is by
    the delta method, p (1 - p) / (n + 1) over the square of dp / d eta; for the logit that is 1 / responders +
    1 / others.
    """
    responders, others = design.responders + 0.5, design.n - design.responders + 0.5
    if design.link is Link.LOGIT:
        return np.log(responders / others), 1 / responders + 1 / others
    patients = design.n + 1
    eta = link_function(design.link, responders / patients)
    return eta, responders * others / patients**3 / inverse_derivative(design.link, eta) ** 2


def counts_of(design: Design) -> dict[str, Array]:
    """Return all that a design's density has of the counts, each of shape (cohort,).

    They are kept apart from the structure so that code compiled for one table serves every other of its structure.
    """
    predictor, variance = empirical_predictors(design)
    return {"n": design.n, "observed": design.responders, "predictor": predictor, "variance": variance}


def sampling_variance(n: Any, variance: Any, rho: Any) -> Any:
    """Return the variance of the empirical predictors, inflated where patients of a cohort are correlated by `rho`."""
    return variance if rho is None else variance * (1 + (n - 1) * rho)


def group_moments(
    residual: Any, variance: Any, tau_group: Any, tau_cohort: Any, sum_by_group: Callable[[Any], Any]
) -> Any:
    """Return the conditional mean and precision of each group's standardised deviation.

    Parameters
    ----------
    residual
        Empirical predictor less the linear predictor, last axis cohort.
    variance
        Of the empirical predictors.
    tau_group, tau_cohort
        Heterogeneity on the scale of the link; `tau_cohort` is 0 where the model has no such level.
    sum_by_group
        Sums the last axis, over the cohorts of each group.
    """
    weight = 1 / (variance + tau_cohort**2)
    precision = 1 + tau_group**2 * sum_by_group(weight)
    return tau_group * sum_by_group(weight * residual) / precision, precision


def intercept_moments(
    observed: Any,
    variance: Any,
    tau_group: Any,
    tau_cohort: Any,
    prior: Normal | StudentT,
    sum_by_group: Callable[[Any], Any] | None,
) -> Any:
    """Return the conditional mean and precision of the intercept of a model without effects.

    Parameters
    ----------
    observed
        Empirical predictor, last axis cohort.
    variance, tau_group, tau_cohort
        As in :func:`group_moments`; `tau_group` is 0 where the model has no such level.
    prior
        Of the intercept; a Student t counts with its scale.
    sum_by_group
        Sums the last axis, over the cohorts of each group; None where the model has no such level.
    """
    weight = 1 / (variance + tau_cohort**2)
    weighted = weight * observed
    if sum_by_group is not None:
        total = sum_by_group(weight)
        shrink = 1 / (1 + tau_group**2 * total)
        weight, weighted = shrink * total, shrink * sum_by_group(weighted)
    precision = prior.sd**-2 + weight.sum(axis=-1)
    return (prior.mean * prior.sd**-2 + weighted.sum(axis=-1)) / precision, precision


def cohort_moments(residual: Any, variance: Any, tau_cohort: Any) -> Any:
    """Return the conditional mean and precision of each cohort's standardised deviation.

    Parameters are those of :func:`group_moments`, the residual less the deviation of the cohort's group.
    """
    precision = 1 + tau_cohort**2 / variance
    return tau_cohort * residual / variance / precision, precision
