"""Binomial likelihood of one cohort with its standardised deviation z integrated out, over arrays of parameters.

The integral of Binomial(responders; n, expit(mu + tau z)) N(z; 0, 1) over z uses adaptive quadrature: nodes are
centred and scaled at each integrand's mode. Fixed nodes miss the peak of a large cohort and give a wrong answer
without warning. All arrays of a call are contiguous and have one shape; the pieces that
:mod:`alkbayes.likelihood.binomial_normal.marginal` cuts stay in the cache.

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
"""Array of float64; docstrings give its shape."""

MODE_TOLERANCE = 0.02
"""Longest last step of a mode search, in units of the integrand's width; the next step would be its square.

Quadrature centred this near the mode is as accurate as at the mode itself."""
MAX_STEPS = 200
"""Newton steps; three are typical."""
AT_ONCE = 16_384
"""Numbers per work array, so that the arrays stay in the cache."""
LARGEST_EXPONENT = 600.0


def newton_step(longest: Array) -> Array:
    """Return the damping factor of a Newton step, given its largest change of a logit.

    The factor log(1 + longest) / longest makes every step climb for functions whose third derivative by the logit is at
    most the second, as here. It tends to 1 near the mode.
    """
    longest = longest + 1e-300
    share: Array = np.log1p(longest) / longest
    return share


@lru_cache(maxsize=32)
def hermite(nodes: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return Gauss-Hermite nodes t and log(weight) + t^2 / 2 - log(2 pi) / 2 for the weight exp(-t^2 / 2)."""
    points, weights = roots_hermitenorm(nodes)
    logs = np.log(weights) + points**2 / 2 - np.log(2 * np.pi) / 2
    return tuple(points.tolist()), tuple(logs.tolist())


def saturated(responders: Array, n: Array) -> Array:
    """Return each cohort's saturated log-likelihood, without the binomial coefficient."""
    return np.asarray(xlogy(responders, responders / n) + xlogy(n - responders, 1 - responders / n), dtype=np.float64)


def relative_log_likelihood(responders: Array, n: Array, eta: Array) -> Array:
    """Return the binomial log-likelihood at logits `eta` relative to the observed rate (broadcast).

    Near the observed logit it is computed from the distance: subtracting log-likelihoods would lose nine digits for a
    cohort of millions.
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
    """Return expit(eta) and expit(-eta), both to full relative precision."""
    odds = np.exp(-np.clip(eta, -LARGEST_EXPONENT, LARGEST_EXPONENT))
    p = 1 / (1 + odds)
    return p, odds * p


def rarer(responders: Array, n: Array, p: Array, q: Array) -> tuple[Array, Array, Array]:
    """Return sign, count and rate of the rarer outcome at p: response (sign 1) or non-response (sign -1).

    With a rate of at most 1/2, log(1 + rate (odds - 1)) never cancels.
    """
    often = p > 0.5
    return np.where(often, -1.0, 1.0), np.where(often, n - responders, responders), np.where(often, q, p)


def normal_start(responders: Array, n: Array, mu: Array, tau: Array) -> Array:
    """Return the mode of z under the normal approximation to the likelihood, with 1/2 added to both counts."""
    yes, no = responders + 0.5, n - responders + 0.5
    variance = 1 / yes + 1 / no
    start: Array = tau * (np.log(yes / no) - mu) / (variance + tau * tau)
    return start


def find_mode(
    responders: Array, n: Array, mu: Array, tau: Array, start: Array, *, tolerance: float = MODE_TOLERANCE
) -> Array:
    """Return the mode of each integrand in z, by damped Newton steps from `start` (all contiguous, of one shape).

    Only integrands whose last step exceeded `tolerance` widths take another.
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
    """Integrate z out, relative to the integrand's value at `mode`, and differentiate.

    Parameters
    ----------
    responders, n, mu, tau, mode
        Contiguous, of one shape; `mode` from `find_mode`, `mu` and `tau` on the logit scale.
    nodes
        Number of quadrature nodes.
    order
        Highest order of derivatives: 0, 1 or 2.

    Returns
    -------
    tuple of ndarray
        Log of the integral minus the binomial log-likelihood at the mode; for order 1 also the derivatives of the whole
        integral by mu and tau; for order 2 also those by mu mu, mu tau and tau tau.
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
    # As many nodes at once as the cache holds, along a first axis: with few cohorts numpy's call overhead dominates.
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
            # odds becomes n times the rise of the rate above the mode's; the score falls by that much.
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
    """Add nodes to the sums of squared scores and of the information.

    Squares are taken about the scores at the mode: about zero, they cancel for large cohorts.
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
    """Return the sum along the first axis, which often has only one entry."""
    return terms[0] if len(terms) == 1 else terms.sum(axis=0)
