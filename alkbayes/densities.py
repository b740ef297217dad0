"""Log likelihood and log prior of draws, from the design's arrays alone."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, expit, gammaln, log_expit

from alkbayes.design import Design, parameters

type Array = NDArray[np.float64]


def log_likelihood(design: Design, draws: Mapping[str, Array]) -> Array:
    """Return the log probability of each cohort's responders given its logit, axes (chain, draw, cohort).

    Binomial, or beta-binomial with mean expit(theta) and intraclass correlation rho.
    """
    responders, n, theta = design.responders, design.n, draws["theta"]
    log_coefficient = gammaln(n + 1) - gammaln(responders + 1) - gammaln(n - responders + 1)
    if design.rho_prior is None:
        return log_coefficient + responders * log_expit(theta) + (n - responders) * log_expit(-theta)
    size = (1 / draws["rho"] - 1)[..., None]
    a, b = expit(theta) * size, expit(-theta) * size
    density: Array = log_coefficient + betaln(responders + a, n - responders + b) - betaln(a, b)
    return density


def log_prior(design: Design, draws: Mapping[str, Array]) -> dict[str, Array]:
    """Return the log prior density of each free parameter, of the shape of its draws.

    The standardised deviations of trials and cohorts are left out: they are part of the model, not of its priors.
    """
    deviations = {f"z_{term.label}" for term in design.heterogeneity}
    return {
        parameter.name: parameter.prior.log_density(draws[parameter.name])
        for parameter in parameters(design)
        if parameter.name not in deviations
    }
