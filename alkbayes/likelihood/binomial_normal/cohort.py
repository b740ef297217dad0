"""One cohort's binomial likelihood with its standardised deviation z integrated out, over arrays of parameters.

The integral of Binomial(responders; n, expit(mu + tau z)) N(z; 0, 1) over z is done by adaptive quadrature: the nodes
stand around each integrand's own mode, in its own scale. Nodes that stand still miss the peak of a large cohort
altogether and give a wrong answer without a sign of it. All arrays of a call have one shape and are contiguous;
:mod:`alkbayes.likelihood.binomial_normal.marginal` cuts them so that they stay in the cache.

References
----------
Adaptive quadrature: Pinheiro & Bates (1995), doi:10.1080/10618600.1995.10474663. Derivatives as expectations: Louis
(1982), doi:10.1111/j.2517-6161.1982.tb01203.x. The damped Newton steps: Sun & Tran-Dinh (2019),
doi:10.1007/s10107-018-1282-4.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, roots_hermitenorm, xlogy

type Array = NDArray[np.float64]
"""An array of float64; its shape is said where it is used."""

MODE_TOLERANCE = 0.02
"""The search for a mode stops after a step shorter than this in units of the integrand's width; the next is its square.

Quadrature about a point so near the mode is as exact as about the mode itself."""
MAX_STEPS = 200
"""Newton steps; three are usual."""
AT_ONCE = 16_384
"""Numbers in each work array: so many stay in the cache."""
LARGEST_EXPONENT = 600.0


def newton_step(longest: Array) -> Array:
    """Return the share of a Newton step that cannot overshoot, given the largest change of a logit in it.

    log(1 + longest) / longest: for functions whose third derivative by the logit is at most the second, as here, each
    such step climbs, and near the mode the share tends to 1.
    """
    longest = longest + 1e-300
    share: Array = np.log1p(longest) / longest
    return share


@lru_cache(maxsize=32)
def hermite(nodes: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return nodes t and log(weight) + t^2 / 2 - log(2 pi) / 2 of the Gauss-Hermite rule for exp(-t^2 / 2)."""
    points, weights = roots_hermitenorm(nodes)
    logs = np.log(weights) + points**2 / 2 - np.log(2 * np.pi) / 2
    return tuple(points.tolist()), tuple(logs.tolist())


def saturated(responders: Array, n: Array) -> Array:
    """Return the largest log-likelihood of each cohort, without the binomial coefficient."""
    return np.asarray(xlogy(responders, responders / n) + xlogy(n - responders, 1 - responders / n), dtype=np.float64)


def relative_log_likelihood(responders: Array, n: Array, eta: Array) -> Array:
    """Return the binomial log-likelihood of logits `eta` relative to that of the observed rate (broadcast).

    Near the observed logit it comes from the distance to it: the difference of the two log-likelihoods would leave a
    cohort of millions with nine digits fewer.
    """
    with np.errstate(divide="ignore"):
        distance = eta - (np.log(responders) - np.log(n - responders))
    near = np.abs(distance) < 1
    distance = np.where(near, distance, 0.0)
    return np.where(
        near,
        responders * distance - n * np.log1p(responders / n * np.expm1(distance)),
        responders * log_expit(eta) + (n - responders) * log_expit(-eta) - saturated(responders, n),
    )


def rates(eta: Array) -> tuple[Array, Array]:
    """Return expit(eta) and expit(-eta), either to full relative precision."""
    odds = np.exp(-np.clip(eta, -LARGEST_EXPONENT, LARGEST_EXPONENT))
    p = 1 / (1 + odds)
    return p, odds * p


def rarer(responders: Array, n: Array, p: Array, q: Array) -> tuple[Array, Array, Array]:
    """Return sign, count and rate of whichever is rarer at p, response (sign 1) or none (sign -1).

    With a rate of at most 1/2, log(1 + rate (odds - 1)) never cancels.
    """
    often = p > 0.5
    return np.where(often, -1.0, 1.0), np.where(often, n - responders, responders), np.where(often, q, p)


def normal_start(responders: Array, n: Array, mu: Array, tau: Array) -> Array:
    """Return the mode of z in the normal approximation to the cohort's likelihood, with 1/2 added to both counts."""
    yes, no = responders + 0.5, n - responders + 0.5
    variance = 1 / yes + 1 / no
    start: Array = tau * (np.log(yes / no) - mu) / (variance + tau * tau)
    return start


def find_mode(
    responders: Array, n: Array, mu: Array, tau: Array, start: Array, *, tolerance: float = MODE_TOLERANCE
) -> Array:
    """Return where each integrand peaks in z, by damped Newton steps from `start` (all of one shape, contiguous).

    The steps go on only for those that have not arrived: whose last one was longer than `tolerance` widths.
    """
    mode = start.copy()
    flat: Array = mode.reshape(-1)
    left: NDArray[np.intp] = np.arange(flat.size)
    x, m, middle, spread, z = (each.reshape(-1) for each in (responders, n, mu, tau, flat))
    for _ in range(MAX_STEPS):
        p, q = rates(middle + spread * z)
        mp = m * p
        curvature = spread * spread * mp * q + 1
        step = (spread * (x - mp) - z) / curvature
        z = z + step * newton_step(np.abs(spread * step))
        far = step * step * curvature > tolerance**2
        if not far.all():
            flat[left[~far]] = z[~far]
            left = left[far]
            x, m, middle, spread, z = (each[far] for each in (x, m, middle, spread, z))
        if left.size == 0:
            break
    flat[left] = z
    return mode


def integrate(
    responders: Array, n: Array, mu: Array, tau: Array, mode: Array, *, nodes: int, order: int
) -> tuple[Array, ...]:
    """Integrate z out, relative to the integrand's value at the mode, and differentiate.

    Parameters
    ----------
    responders, n, mu, tau, mode
        Of one shape, contiguous; `mode` as from `find_mode`, `mu` and `tau` on the logit scale.
    nodes
        Quadrature nodes.
    order
        Of the highest derivatives wanted: 0, 1 or 2.

    Returns
    -------
    tuple of ndarray
        The logarithm of the integral less the binomial log-likelihood at the mode; for order 1 also its derivatives by
        mu and tau (of the whole integral); for order 2 also those by mu mu, mu tau and tau tau.
    """
    p, q = rates(mu + tau * mode)
    information = n * p * q
    width = 1 / np.sqrt(tau * tau * information + 1)
    sign, counted, rate = rarer(responders, n, p, q)
    shift = sign * tau * width
    linear = counted * shift - mode * width
    signed = sign * information
    half_square = width * width / 2
    widest = float(np.abs(shift).max(initial=0.0))
    sums = [np.zeros_like(mu) for _ in range((1, 4, 10)[order])]
    # As many nodes at once as the cache holds, along a first axis: with few cohorts numpy's calls are what costs.
    axes = (-1, *(1 for _ in mu.shape))
    ts, log_weights = (np.reshape(values, axes) for values in hermite(nodes))
    at_once = min(nodes, max(1, AT_ONCE // max(mu.size, 1)))
    spaces = [np.empty((at_once, *mu.shape)) for _ in range(4)]
    for start in range(0, nodes, at_once):
        t, log_weight = ts[start : start + at_once], log_weights[start : start + at_once]
        odds, change, weight, spare = (space[: len(t)] for space in spaces)
        np.multiply(shift, t, out=odds)
        if widest * float(np.abs(t).max()) > LARGEST_EXPONENT:
            np.clip(odds, -LARGEST_EXPONENT, LARGEST_EXPONENT, out=odds)
        np.expm1(odds, out=odds)
        np.multiply(odds, rate, out=change)  # 1 + change: the denominator of the rate at this node over the mode's
        np.log1p(change, out=weight)
        weight *= n
        np.multiply(linear, t, out=spare)
        np.subtract(spare, weight, out=weight)
        np.multiply(half_square, t * t, out=spare)
        weight -= spare
        weight += log_weight
        np.exp(weight, out=weight)
        sums[0] += _over_nodes(weight)
        if order:
            # odds becomes n times the rise of the rate over the mode's; what is left of the score is that much less.
            change += 1
            odds /= change
            odds *= signed
            sums[1] += _over_nodes(weight * t)
            np.multiply(weight, odds, out=spare)
            sums[2] += _over_nodes(spare)
            spare *= t
            sums[3] += _over_nodes(spare)
        if order == 2:
            _add_second(sums, weight, odds, t, p=p, n=n, mode=mode, width=width, score=responders - n * p)
    value = np.log(width) - mode * mode / 2 + np.log(sums[0])
    if order == 0:
        return (value,)
    for index in range(1, len(sums)):
        sums[index] /= sums[0]
    score = responders - n * p
    d_mu = score - sums[2]
    d_tau = mode * d_mu + width * (score * sums[1] - sums[3])
    if order == 1:
        return value, d_mu, d_tau
    rise, moment = sums[2], d_tau - score * mode
    return (
        value,
        d_mu,
        d_tau,
        sums[4] - rise**2 - sums[7],
        -(sums[5] - rise * moment) - sums[8],
        sums[6] - moment**2 - sums[9],
    )


def _add_second(
    sums: list[Array],
    weight: Array,
    rise: Array,
    t: Array,
    *,
    p: Array,
    n: Array,
    mode: Array,
    width: Array,
    score: Array,
) -> None:
    """Add some nodes to the sums of squares of the scores about their values at the mode, and of the information.

    About the mode, not about zero: the direct difference of squares cancels for large cohorts.
    """
    z = mode + width * t
    moment = score * width * t - rise * z
    rate = p + rise / n
    information = n * rate * (1 - rate)
    for place, term in enumerate(
        (rise**2, rise * moment, moment**2, information, information * z, information * z * z)
    ):
        sums[4 + place] += _over_nodes(weight * term)


def _over_nodes(terms: Array) -> Array:
    """Return the sum along the first axis, of which there is often but one entry."""
    return terms[0] if len(terms) == 1 else terms.sum(axis=0)
