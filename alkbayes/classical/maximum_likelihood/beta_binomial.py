"""The beta-binomial model by maximum likelihood.

Each cohort's rate comes from a beta distribution with mean mu and intraclass correlation rho, variance mu (1 - mu) rho.
Unlike the pooled logit of a normal model, mu is the mean of the rates themselves. With theta = rho / (1 - rho), the
likelihood of a cohort is

    prod_{j < x} (mu + j theta) prod_{j < n - x} (1 - mu + j theta) / prod_{j < n} (1 + j theta),

which is the binomial's at theta = 0 and has all its derivatives as plain sums.

Griffiths (1973), doi:10.2307/2529131; Kuss (2015), doi:10.1002/sim.6383.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, chdtrc, expit, gammaln, ndtri

from alkbayes.classical.counts import Floats, checked_counts
from alkbayes.classical.maximum_likelihood.glmm import LikelihoodRatio
from alkbayes.classical.maximum_likelihood.glmm_likelihood import Maximum, maximise
from alkbayes.likelihood.binomial_normal.cohort import saturated

MAX_ITERATIONS = 100
"""Maximum Newton steps."""
ROUNDING = 2e-14
"""Rounding error of the log-likelihood per patient: the three products are sums of much larger logarithms."""
LARGEST_THETA = 1e8
"""Beyond this theta, rho is taken to converge to 1."""
EXACT_TERMS = 4096
"""Terms of a product added one by one; beyond, the Euler-Maclaurin formula is exact to 1e-13."""
PANEL_NODES = 12
"""Gauss-Legendre nodes on each doubling of j: the nearest singularity is far enough for an error of 1e-18."""


@dataclass(frozen=True, slots=True)
class BetaBinomialFit:
    """A fitted beta-binomial model. Values that could not be found are NaN.

    Attributes
    ----------
    mean
        Population mean mu of the cohorts' rates, a proportion in (0, 1).
    logit_se
        Standard error of logit(mu) from the inverse observed information; from that of mu alone at rho = 0.
    rho
        Intraclass correlation, in [0, 1); also NaN if undefined: a single cohort, or none of two patients.
    rho_se
        Its standard error; NaN at rho = 0.
    log_likelihood
        At the maximum, binomial coefficients included.
    heterogeneity
        Likelihood-ratio test of rho = 0. As 0 is a boundary, p is half that of chi-squared with one degree of freedom
        (Self & Liang 1987, doi:10.1080/01621459.1987.10478472). None if rho is undefined or not found.
    converged
        True if the results may be used.
    message
        Reason why not, else empty.
    """

    mean: float
    logit_se: float
    rho: float
    rho_se: float
    log_likelihood: float
    heterogeneity: LikelihoodRatio | None
    converged: bool
    message: str

    def interval(self, prob: float) -> tuple[float, float]:
        """Return the confidence limits of mu, proportions, from the normal approximation on its logit."""
        centre, half = np.log(self.mean / (1 - self.mean)), float(ndtri((1 + prob) / 2)) * self.logit_se
        return float(expit(centre - half)), float(expit(centre + half))

    def prediction(self, prob: float) -> tuple[float, float]:
        """Return the prediction limits for a new cohort's true rate, proportions.

        Quantiles of the fitted beta distribution, without the uncertainty of mu and rho. At rho = 0 both are mu.
        """
        if not self.rho > 0:
            centre = self.mean if self.rho == 0 else float("nan")
            return centre, centre
        size = (1 - self.rho) / self.rho
        tails = np.array([(1 - prob) / 2, (1 + prob) / 2])
        low, high = betaincinv(self.mean * size, (1 - self.mean) * size, tails).tolist()
        return low, high


@dataclass(frozen=True, slots=True)
class _Terms:
    """Points j and weights that give sums over the factors of all cohorts, each shape (any,)."""

    points: Floats
    weights: Floats

    def sums(self, base: float, theta: float) -> tuple[float, Floats, Floats]:
        """Return sum log(base + j theta), and its first and second derivatives by (base, theta)."""
        inverse = 1 / (base + self.points * theta)
        first, second = self.weights * inverse, self.weights * inverse**2
        j = self.points
        mixed = -float(second @ j)
        return (
            float(self.weights @ np.log(base + j * theta)),
            np.array([first.sum(), first @ j]),
            np.array([[-second.sum(), mixed], [mixed, -(second @ j**2)]]),
        )


def fit_beta_binomial(
    responders: npt.ArrayLike, n: npt.ArrayLike, *, max_iterations: int = MAX_ITERATIONS
) -> BetaBinomialFit:
    """Fit the beta-binomial model by maximum likelihood.

    Cohorts at 0/n and n/n need no special treatment. If all are at 0/n or n/n the maximum is at a mean of 0 or 1, or at
    rho = 1: there is then no result but a message, not an error.

    Parameters
    ----------
    responders, n
        Counts, shape (k,).
    max_iterations
        Maximum Newton steps.

    Raises
    ------
    EvidenceError
        If the counts are invalid (see `checked_counts`).
    """
    x, m = checked_counts(responders, n)
    mean, patients = float(x.sum() / m.sum()), float(m.sum())
    constant = float((gammaln(m + 1) - gammaln(x + 1) - gammaln(m - x + 1)).sum())
    if mean in {0.0, 1.0}:
        return _lost(f"maximum likelihood gives a rate of exactly {mean:g}, which has no logit")
    common = float(x.sum() * np.log(mean) + (m - x).sum() * np.log1p(-mean))
    binomial = BetaBinomialFit(
        mean, float(1 / np.sqrt(patients * mean * (1 - mean))), np.nan, np.nan, common + constant, None, True, ""
    )
    if x.size == 1 or m.max() == 1:
        return binomial
    if ((x == 0) | (x == m)).all():
        return _lost("the likelihood has no maximum at rho below 1: every cohort is at 0/n or n/n")
    resolution = 1e-9 + ROUNDING * patients
    at = _search(x, m, max_iterations, resolution)
    theta = float(at.phi[1]) ** 2
    reference = float(saturated(x, m).sum())
    rise = at.value - (common - reference)
    if at.converged and rise <= resolution:
        return _with_rho(binomial, 0.0, np.nan, LikelihoodRatio(0.0, 1, 1.0))
    if not at.converged or not theta < LARGEST_THETA:
        return _lost("the search for the maximum did not converge")
    covariance = np.linalg.inv(-at.hessian)
    # rho = theta / (1 + theta) and theta = phi^2, so that d rho / d phi = 2 phi / (1 + theta)^2.
    rho_se = float(np.sqrt(covariance[1, 1])) * 2 * abs(float(at.phi[1])) / (1 + theta) ** 2
    statistic = 2 * rise
    return BetaBinomialFit(
        mean=float(expit(at.phi[0])),
        logit_se=float(np.sqrt(covariance[0, 0])),
        rho=theta / (1 + theta),
        rho_se=rho_se,
        log_likelihood=at.value + reference + constant,
        heterogeneity=LikelihoodRatio(statistic, 1, float(chdtrc(1, statistic)) / 2),
        converged=True,
        message="",
    )


def _search(x: Floats, m: Floats, max_iterations: int, resolution: float) -> Maximum:
    """Return the maximum over (logit mu, phi), theta = phi^2, of the log-likelihood relative to the saturated model."""
    yes, no, all_ = _terms(x), _terms(m - x), _terms(m)
    reference = float(saturated(x, m).sum())

    def function(parameters: Floats) -> tuple[float, Floats, Floats]:
        mu, rest, phi = float(expit(parameters[0])), float(expit(-parameters[0])), float(parameters[1])
        theta = phi * phi
        value_yes, first_yes, second_yes = yes.sums(mu, theta)
        value_no, first_no, second_no = no.sums(rest, theta)
        value_all, first_all, second_all = all_.sums(1.0, theta)
        turned = np.array([-1.0, 1.0])  # the base of the second product falls as mu rises
        gradient = first_yes + turned * first_no - np.array([0.0, first_all[1]])
        hessian = second_yes + np.outer(turned, turned) * second_no
        hessian[1, 1] -= second_all[1, 1]
        slope = np.array([mu * rest, 2 * phi])
        curved = np.diag(gradient * np.array([mu * rest * (rest - mu), 2.0]))
        return value_yes + value_no - value_all - reference, slope * gradient, np.outer(slope, slope) * hessian + curved

    mean = float(x.sum() / m.sum())
    excess = float(((x - m * mean) ** 2).sum() / (mean * (1 - mean)) - m.sum())
    rho = min(max(excess / float((m * (m - 1)).sum()), 1e-3 / float(m.max())), 0.9)
    start = np.array([np.log(mean / (1 - mean)), np.sqrt(rho / (1 - rho))])
    return maximise(function, start, max_iterations, resolution)


def _terms(counts: Floats) -> _Terms:
    """Return the factors j = 0 ... count - 1 of all cohorts together.

    Euler-Maclaurin about midpoints: the sum over j is the integral extended by half a unit at both ends, minus a 24th
    of the rise of the derivative, here a difference of two terms.
    """
    short = np.minimum(counts, EXACT_TERMS).astype(np.intp)
    above = short.size - np.cumsum(np.bincount(short, minlength=2))
    points, weights = [np.arange(above.size, dtype=np.float64)], [above.astype(np.float64)]
    ends = counts[counts > EXACT_TERMS]
    nodes, node_weights = np.polynomial.legendre.leggauss(PANEL_NODES)
    left = np.full(ends.size, EXACT_TERMS - 0.5)
    while ends.size and (left < ends - 0.5).any():
        half = (np.minimum(2 * left, ends - 0.5) - left) / 2
        points.append((left + half + nodes[:, None] * half).ravel())
        weights.append((node_weights[:, None] * half).ravel())
        left = left + 2 * half
    for end, sign in ((ends, -1.0), (np.full(ends.size, float(EXACT_TERMS)), 1.0)):
        points += [end, end - 1]
        weights += [np.full(ends.size, sign / 24), np.full(ends.size, -sign / 24)]
    joined = np.concatenate(weights)
    return _Terms(np.concatenate(points)[joined != 0], joined[joined != 0])


def _with_rho(fit: BetaBinomialFit, rho: float, se: float, test: LikelihoodRatio) -> BetaBinomialFit:
    """Return a fit with its intraclass correlation."""
    return BetaBinomialFit(fit.mean, fit.logit_se, rho, se, fit.log_likelihood, test, fit.converged, fit.message)


def _lost(message: str) -> BetaBinomialFit:
    """Return a fit without a result, and the reason."""
    nan = float("nan")
    return BetaBinomialFit(nan, nan, nan, nan, nan, None, False, message)
