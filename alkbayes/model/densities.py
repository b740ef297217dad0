"""Log likelihood and log prior of draws, from the design's arrays alone."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln

from alkbayes.likelihood.links import complement, inverse, log_rates
from alkbayes.model.design import Design, parameters

type Array = NDArray[np.float64]


def log_likelihood(design: Design, draws: Mapping[str, Array]) -> Array:
    """Return the log probability of each cohort's responders given its linear predictor, axes (chain, draw, cohort).

    The distribution is binomial, or beta-binomial with mean p and intraclass correlation rho.
    """
    responders, n, theta = design.responders, design.n, draws["theta"]
    log_coefficient = gammaln(n + 1) - gammaln(responders + 1) - gammaln(n - responders + 1)
    if design.rho_prior is None:
        log_p, log_q = log_rates(design.link, theta)
        return log_coefficient + responders * log_p + (n - responders) * log_q
    size = (1 / draws["rho"] - 1)[..., None]
    # A rate of 0 or 1 in double precision is out of range: both parameters of a beta distribution are positive.
    tiny = np.finfo(np.float64).tiny
    a, b = np.maximum(inverse(design.link, theta), tiny) * size, np.maximum(complement(design.link, theta), tiny) * size
    density: Array = log_coefficient + betaln(responders + a, n - responders + b) - betaln(a, b)
    return density


def log_prior(design: Design, draws: Mapping[str, Array]) -> dict[str, Array]:
    """Return the log prior density of each free parameter, shaped as its draws.

    The standardised deviations of trials and cohorts, and which units are exchangeable, are excluded: they are part of
    the model, not of its priors.
    """
    deviations = {name for term in design.heterogeneity for name in (f"z_{term.slug}", term.exchangeable)}
    return {
        parameter.name: parameter.prior.log_density(draws[parameter.name])
        for parameter in parameters(design)
        if parameter.name not in deviations
    }
