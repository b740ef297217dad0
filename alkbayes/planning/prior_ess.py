"""Effective sample size of a prior for a response rate, by three definitions with RBesT's conventions.

- moment: a + b of the beta distribution with the mixture's mean and SD. Conservative for mixtures.
- Morita: the prior's information at its mode minus that of a vague prior, in units of one patient's (Morita, Thall and
  Müller 2008, doi:10.1111/j.1541-0420.2007.00888.x), without their search over integers (Neuenschwander et al. 2020,
  equation 9), with the vague prior Beta(mode / 100, (1 - mode) / 100). Liberal for mixtures.
- ELIR: the expected local-information ratio, the prior mean of prior information over one patient's Fisher information
  (Neuenschwander, Weber, Schmidli and O'Hagan 2020, doi:10.1111/biom.13252). The only predictively consistent one:
  after n patients it is on average n larger.

With prior density p, information i_p = -(log p)'' and one patient's i_F = 1 / (x (1 - x)), ELIR is E[i_p / i_F]. Since
i_p = (p' / p)² - p'' / p, integration by parts leaves

    ELIR = integral of x (1 - x) p'² / p  +  2 - p(0) - p(1),

with a non-negative integrand: large numbers of both signs do not cancel, as they do in E[i_p / i_F].
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import betaln, log_expit, softmax

from alkbayes.planning.beta_mixture import BetaMixture

type Array = NDArray[np.float64]

FLATTENING = 100.0
"""Factor by which Morita's vague prior is flatter than one patient's; RBesT's `s`."""
LOGIT_RANGE = 40.0
"""Limit on the logit scale beyond which the tails are integrated separately."""


@dataclass(frozen=True, slots=True)
class EffectiveSampleSizes:
    """Effective sample sizes of a prior, in patients.

    Attributes
    ----------
    elir, moment, morita
        Size by each definition. ELIR is None for a shape below one, since its integral diverges, and may be negative
        for a shape of exactly one, as the density then need not vanish at 0 or 1. Morita's is None if the density has
        no mode between 0 and 1.
    modes
        Number of modes. Morita's is at the highest.
    """

    elir: float | None
    moment: float
    morita: float | None
    modes: int


def effective_sample_sizes(mixture: BetaMixture) -> EffectiveSampleSizes:
    """Return the effective sample sizes of a prior by each definition."""
    modes = mixture.modes()
    return EffectiveSampleSizes(elir(mixture), moment(mixture), morita(mixture), len(modes))


def moment(mixture: BetaMixture) -> float:
    """Return the sum of the shapes of the beta distribution with the mixture's mean and SD."""
    return mixture.mean * (1 - mixture.mean) / mixture.sd**2 - 1


def morita(mixture: BetaMixture) -> float | None:
    """Return Morita's effective sample size at the highest mode; None without a mode between 0 and 1."""
    modes = mixture.modes()
    if not modes:
        return None
    mode = modes[0]
    vague = _information(np.array(mode), mode / FLATTENING, (1 - mode) / FLATTENING)
    # One patient's expected information, over the prior probability of a response.
    patient = mixture.mean / mode**2 + (1 - mixture.mean) / (1 - mode) ** 2
    return float((_mixture_information(mixture, mode) - vague) / patient)


def elir(mixture: BetaMixture) -> float | None:
    """Return the expected local-information ratio; None if a component's shape is below one."""
    mixture = _positive(mixture)
    if min(mixture.a.min(), mixture.b.min()) < 1:
        return None
    log_constant = np.log(mixture.weights) - betaln(mixture.a, mixture.b)

    def integrand(logit: float) -> float:
        # x (1 - x) p' / p, times itself and p; the change to logits adds one more x (1 - x).
        log_rate, log_other = float(log_expit(logit)), float(log_expit(-logit))
        parts = log_constant + (mixture.a - 1) * log_rate + (mixture.b - 1) * log_other
        slope = (mixture.a - 1) * math.exp(log_other) - (mixture.b - 1) * math.exp(log_rate)
        score = float(softmax(parts) @ slope)
        return float(np.exp(parts).sum()) * score**2

    # Break points by component location and width, so that the integration misses none.
    size = mixture.a + mixture.b
    centre, width = np.log(mixture.a / mixture.b), np.sqrt(size / (mixture.a * mixture.b))
    marks = np.concatenate([centre + step * width for step in (-6, -2, 0, 2, 6)])
    marks = np.unique(marks[abs(marks) < LOGIT_RANGE])
    middle = quad(integrand, -LOGIT_RANGE, LOGIT_RANGE, points=marks, limit=1000, epsrel=1e-10, epsabs=1e-12)[0]
    tails = quad(integrand, LOGIT_RANGE, np.inf)[0] + quad(integrand, -np.inf, -LOGIT_RANGE)[0]
    # The density of Beta(1, b) at 0 is b, that of Beta(a, 1) at 1 is a.
    at_ends = mixture.weights @ (np.where(mixture.a == 1, mixture.b, 0) + np.where(mixture.b == 1, mixture.a, 0))
    return float(middle + tails + 2 - at_ends)


def _positive(mixture: BetaMixture) -> BetaMixture:
    """Return a mixture without its components of weight zero."""
    kept = mixture.weights > 0
    return BetaMixture(mixture.weights[kept], mixture.a[kept], mixture.b[kept])


def _mixture_information(mixture: BetaMixture, rate: float) -> float:
    """Return -(log p)'' of a mixture at a rate."""
    mixture = _positive(mixture)
    share = softmax(
        np.log(mixture.weights)
        - betaln(mixture.a, mixture.b)
        + (mixture.a - 1) * math.log(rate)
        + (mixture.b - 1) * math.log1p(-rate)
    )
    slope = (mixture.a - 1) / rate - (mixture.b - 1) / (1 - rate)
    curvature = slope**2 - _information(np.array(rate), mixture.a, mixture.b)
    return float((share @ slope) ** 2 - share @ curvature)


def _information(rate: Array, a: float | Array, b: float | Array) -> Array:
    """Return -(log p)'' of beta densities at a rate."""
    return (a - 1) / rate**2 + (b - 1) / (1 - rate) ** 2
