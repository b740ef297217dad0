"""Sampler's parametrisation: each deviation in units of its conditional distribution given the data.

Given the global parameters, the data determine the deviation of a large trial almost completely, of a small one hardly
at all. Centring suits the first, non-centring the second, and either leaves a funnel in the other. So each deviation is
sampled as `x` in `z = mean + sd x`, with the mean and SD of its conditional distribution given the global parameters,
under a normal approximation to the likelihood: `x` is then nearly standard normal throughout. This is a change of
variables with its Jacobian, so the posterior does not depend on the quality of the approximation (tested). It is
partial non-centring with weights from the data (Papaspiliopoulos, Roberts and Sköld 2007,
doi:10.1214/088342307000000014) that follow the current tau.

The intercept of a model without effects is treated likewise, given the SDs: where large cohorts agree, these may be
0.003 or 0.7, and the intercept's precision differs a hundredfold.

A standard deviation is sampled as `x` in `tau = -s log(1 - Phi(x))`, an exponential quantile at the normal score `x`,
which is nearly normal near zero, where a logarithm has a long tail that chains are slow to leave.

The formulas are plain arithmetic: the same functions serve PyTensor's symbols in
:mod:`alkbayes.inference.nuts.pymc_model` and draws, with axes (chain, draw, cohort), in :mod:`alkbayes.model.draws`.
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
    """Return the scale `s` of :func:`positive_from_score` for a prior: half the prior's own scale."""
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
    """Return each cohort's empirical predictor (observed rate on the link's scale) and its variance, shape (cohort,).

    Both counts get 1/2 added (Haldane 1956 and Anscombe 1956, doi:10.1093/biomet/43.3-4.461). The delta-method variance
    is p (1 - p) / (n + 1) over the square of dp / d eta; for the logit, 1 / responders + 1 / others.
    """
    responders, others = design.responders + 0.5, design.n - design.responders + 0.5
    if design.link is Link.LOGIT:
        return np.log(responders / others), 1 / responders + 1 / others
    patients = design.n + 1
    eta = link_function(design.link, responders / patients)
    return eta, responders * others / patients**3 / inverse_derivative(design.link, eta) ** 2


def counts_of(design: Design) -> dict[str, Array]:
    """Return every function of the counts in a design's density, each of shape (cohort,).

    They are separate from the structure, so that compiled code serves every table of the same structure.
    """
    predictor, variance = empirical_predictors(design)
    return {"n": design.n, "observed": design.responders, "predictor": predictor, "variance": variance}


def sampling_variance(n: Any, variance: Any, rho: Any) -> Any:
    """Return the variance of the empirical predictors, inflated for intraclass correlation `rho`."""
    return variance if rho is None else variance * (1 + (n - 1) * rho)


def group_moments(
    residual: Any, variance: Any, tau_group: Any, tau_cohort: Any, sum_by_group: Callable[[Any], Any]
) -> Any:
    """Return the conditional mean and precision of each group's standardised deviation.

    Parameters
    ----------
    residual
        Empirical predictor minus linear predictor, last axis cohort.
    variance
        Variance of the empirical predictors.
    tau_group, tau_cohort
        Heterogeneity on the scale of the link; `tau_cohort` is 0 if the model has no such level.
    sum_by_group
        Function that sums the last axis over the cohorts of each group.
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

    Parameters are those of :func:`group_moments`, with the empirical predictor `observed`, last axis cohort; without a
    group level `tau_group` is 0 and `sum_by_group` None. A Student t `prior` contributes its scale.
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

    Parameters are those of :func:`group_moments`; the residual excludes the deviation of the cohort's group.
    """
    precision = 1 + tau_cohort**2 / variance
    return tau_cohort * residual / variance / precision, precision
