"""The binomial-normal model by maximum likelihood: logit p_i = x_i' beta + tau z_i, z_i standard normal.

Two layers. `marginal` is the kernel: each cohort's log-likelihood with z integrated out, and its derivatives, for any
shape of arguments that broadcast. `fit_glmm` is the optimiser on top. The integral is by adaptive Gauss-Hermite
quadrature: the nodes stand around each cohort's own mode, in its own scale. Nodes that stand still miss the peak of a
large cohort altogether and give a wrong answer without a sign of it.

Formulas: Stijnen, Hamza & Ozdemir (2010), doi:10.1002/sim.4040; adaptive quadrature: Pinheiro & Bates (1995),
doi:10.1080/10618600.1995.10474663.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, expit, gammaln, log_expit, roots_hermitenorm, xlogy

from alkbayes.classical.counts import Floats, checked_counts, logits

NODES = 41
"""Quadrature nodes to begin with; enough unless many cohorts stand at 0/n or n/n and tau is beyond 2 or so."""
MAX_NODES = 330
"""The nodes double until twice as many change nothing, up to here; from about 350 the outer weights underflow."""
QUADRATURE_TOLERANCE = 1e-6
"""By how much the log-likelihood of a fit may change with twice the nodes."""
MAX_ITERATIONS = 50
"""Newton steps."""
HALVINGS = 12
"""How often a Newton step that does not climb is halved before the search gives up."""
LONGEST_STEP = 5.0
"""On the logit scale: a longer step, out of a flat stretch, is cut to this."""
DECREMENT_TOLERANCE = 1e-12
"""Newton stops when a further step would add less than this to the log-likelihood (half the squared step in SEs)."""
FLAT = 25.0
"""A logit beyond what any count of people can show (one in 7e10): an estimate out there is on its way to infinity."""


@dataclass(frozen=True, slots=True)
class Marginal:
    """Log-likelihood with the random effect integrated out, and its derivatives, of each cohort.

    Attributes
    ----------
    value
        Log-likelihood without the binomial coefficient, relative to the cohort's own saturated fit: at most 0.
    d_mu, d_tau
        First derivatives by the mean logit and by tau.
    d_mu_mu, d_mu_tau, d_tau_tau
        Second derivatives.
    """

    value: Floats
    d_mu: Floats
    d_tau: Floats
    d_mu_mu: Floats
    d_mu_tau: Floats
    d_tau_tau: Floats


@dataclass(frozen=True, slots=True)
class GlmmFit:
    """A fitted binomial-normal model with p fixed effects.

    Attributes
    ----------
    beta
        Fixed effects, shape (p,), logit scale.
    covariance
        Their covariance from the inverse observed information of (beta, tau), shape (p, p); of beta alone where tau is
        at its boundary 0 or not estimated; NaN where not `converged`.
    tau
        Between-cohort standard deviation, logit scale; None where k = p cohorts leave it undefined.
    log_likelihood
        At the maximum, binomial coefficients included.
    lr, lr_df, lr_p
        Likelihood-ratio test that the fixed effects explain all differences (tau = 0), against a rate for each cohort;
        chi-squared with `lr_df` = k - rank(design). None where there are no degrees of freedom.
    converged
        Whether the numbers may be used.
    message
        Why not; empty where `converged`.
    """

    beta: Floats
    covariance: Floats
    tau: float | None
    log_likelihood: float
    lr: float | None
    lr_df: int
    lr_p: float | None
    converged: bool
    message: str


@dataclass(frozen=True, slots=True)
class _Maximum:
    """Where `_maximise` ended: parameters, value and second derivatives there, and whether it is a maximum."""

    phi: Floats
    value: float
    hessian: Floats
    converged: bool


def marginal(responders: Floats, n: Floats, mu: Floats, tau: Floats | float, *, nodes: int = NODES) -> Marginal:
    """Integrate the random effect out of each cohort's binomial likelihood.

    Derivatives are those of the integral, each an expectation over the same nodes (Louis 1982,
    doi:10.1111/j.2517-6161.1982.tb01203.x), so that they cost next to nothing.

    Parameters
    ----------
    responders, n
        Checked counts, shape (k,).
    mu
        Mean logit of each cohort, shape (..., k): leading axes are as many parameter values at once.
    tau
        Between-cohort SD on the logit scale, broadcast against `mu`. The likelihood is even in it.
    nodes
        Quadrature nodes for each cohort.

    Returns
    -------
    Marginal
        Arrays of the broadcast shape (..., k).
    """
    mu, tau = np.broadcast_arrays(np.asarray(mu, dtype=np.float64), np.asarray(tau, dtype=np.float64))
    mode, scale = _mode(responders, n, mu, tau)
    points, log_weights = _hermite(nodes)
    z = mode[..., None] + scale[..., None] * points
    eta = mu[..., None] + tau[..., None] * z
    x, m = responders[:, None], n[:, None]
    logs = _log_likelihood(x, m, eta) - z * z / 2 + log_weights
    top = logs.max(axis=-1, keepdims=True)
    weights = np.exp(logs - top)
    total = weights.sum(axis=-1, keepdims=True)
    weights /= total

    p = expit(eta)
    residual, information = x - m * p, m * p * (1 - p)

    def mean(values: Floats) -> Floats:
        return np.asarray((weights * values).sum(axis=-1), dtype=np.float64)

    d_mu, d_tau = mean(residual), mean(residual * z)
    # Spread about the mean first, then square: the direct difference of squares cancels for large cohorts.
    from_mu, from_tau = residual - d_mu[..., None], residual * z - d_tau[..., None]
    return Marginal(
        value=np.log(scale) + (top + np.log(total))[..., 0],
        d_mu=d_mu,
        d_tau=d_tau,
        d_mu_mu=mean(from_mu**2 - information),
        d_mu_tau=mean(from_mu * from_tau - information * z),
        d_tau_tau=mean(from_tau**2 - information * z * z),
    )


def fit_glmm(
    responders: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    design: Floats | None = None,
    nodes: int = NODES,
    max_iterations: int = MAX_ITERATIONS,
) -> GlmmFit:
    """Fit the binomial-normal model by maximum likelihood.

    Needs no continuity correction. A maximum at infinity (every cohort at 0/n, say, or a covariate that separates them)
    and any other failure give `converged=False` and a message; nothing is raised.

    Parameters
    ----------
    responders, n
        Counts, shape (k,).
    design
        Fixed effects, shape (k, p), of full column rank; a column of ones when None.
    nodes
        Quadrature nodes for each cohort.
    max_iterations
        Newton steps to make at most.

    Raises
    ------
    EvidenceError
        If the counts are not counts (see `checked_counts`).
    ValueError
        If `design` does not have k rows and full column rank, or `nodes` is not in 1 to 165.
    """
    if not 1 <= nodes <= MAX_NODES // 2:
        raise ValueError(f"nodes must lie in 1 to {MAX_NODES // 2}, got {nodes}")
    x, m = checked_counts(responders, n)
    matrix = np.ones((x.size, 1)) if design is None else np.asarray(design, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != x.size or np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        raise ValueError(f"design must have {x.size} rows and full column rank, got shape {matrix.shape}")
    df = x.size - matrix.shape[1]
    common = _fit_common(x, m, matrix, max_iterations)
    at, tau, message = common, None, _fault(common, matrix)
    if not message and df > 0:
        at, tau, message = _fit_tau(x, m, matrix, common, nodes, max_iterations)
    width = matrix.shape[1]
    coefficients = gammaln(m + 1) - gammaln(x + 1) - gammaln(m - x + 1) + _saturated(x, m)
    lr = max(0.0, -2 * common.value) if df > 0 else None
    return GlmmFit(
        beta=at.phi[:width],
        covariance=np.full((width, width), np.nan) if message else np.linalg.inv(-at.hessian)[:width, :width],
        tau=tau,
        log_likelihood=at.value + float(coefficients.sum()),
        lr=lr,
        lr_df=df,
        lr_p=None if lr is None else float(chdtrc(df, lr)),
        converged=not message,
        message=message,
    )


def _fit_common(x: Floats, m: Floats, matrix: Floats, max_iterations: int) -> _Maximum:
    """Return the maximum at tau = 0: a logistic regression, begun at weighted least squares of the observed logits."""
    width = matrix.shape[1]
    observed = logits(x, m)
    root = 1 / np.sqrt(observed.vi)
    start = np.linalg.lstsq(matrix * root[:, None], observed.yi * root, rcond=None)[0]

    def function(beta: Floats) -> tuple[float, Floats, Floats]:
        value, gradient, hessian = _likelihood(x, m, matrix, np.append(beta, 0.0), 1)
        return value, gradient[:width], hessian[:width, :width]

    return _maximise(function, np.asarray(start, dtype=np.float64), max_iterations, _resolution(m))


def _fit_tau(
    x: Floats, m: Floats, matrix: Floats, common: _Maximum, nodes: int, max_iterations: int
) -> tuple[_Maximum, float, str]:
    """Return the maximum over beta and tau, that tau, and why the numbers cannot be used (empty if they can)."""
    resolution = _resolution(m)
    observed = logits(x, m)
    noise = float(observed.vi.mean())
    excess = float((observed.yi - matrix @ common.phi).var()) - noise
    phi = np.append(common.phi, np.sqrt(max(0.01 * noise, excess)))
    for count in _doubled(nodes):
        full = _maximise(partial(_likelihood, x, m, matrix, nodes=count), phi, max_iterations, resolution)
        phi, message = full.phi, _fault(full, matrix)
        if full.converged and common.value >= full.value - resolution:
            return common, 0.0, ""
        if not message:
            again, _, _ = _likelihood(x, m, matrix, phi, 2 * count)
            if abs(again - full.value) < QUADRATURE_TOLERANCE + resolution:
                break
            message = f"with {count} quadrature nodes the integral is still not exact enough"
        elif np.abs(phi).max() >= FLAT:
            break
    return full, abs(float(phi[-1])), message


def _resolution(m: Floats) -> float:
    """Return what rounding may do to the log-likelihood: nothing to speak of, short of millions of patients."""
    return 1e-9 + 1e-15 * float(m.sum())


def _log_likelihood(x: Floats, m: Floats, eta: Floats) -> Floats:
    """Return the binomial log-likelihood of logits `eta` relative to that of the observed rate.

    Near the observed logit it comes from the distance to it: the difference of the two log-likelihoods would leave a
    cohort of millions with nine digits fewer.
    """
    with np.errstate(divide="ignore"):
        distance = eta - (np.log(x) - np.log(m - x))
    near = np.abs(distance) < 1
    distance = np.where(near, distance, 0.0)
    return np.where(
        near,
        x * distance - m * np.log1p(x / m * np.expm1(distance)),
        x * log_expit(eta) + (m - x) * log_expit(-eta) - _saturated(x, m),
    )


def _saturated(x: Floats, m: Floats) -> Floats:
    """Return each cohort's largest log-likelihood, without the binomial coefficient."""
    return np.asarray(xlogy(x, x / m) + xlogy(m - x, 1 - x / m), dtype=np.float64)


def _doubled(nodes: int) -> list[int]:
    """Return the node counts to fit with, so that twice the last is still within `MAX_NODES`."""
    counts = [nodes]
    while 4 * counts[-1] <= MAX_NODES:
        counts.append(2 * counts[-1])
    return counts


def _maximise(
    function: Callable[[Floats], tuple[float, Floats, Floats]], start: Floats, max_iterations: int, resolution: float
) -> _Maximum:
    """Maximise by Newton's method with curvature made negative and steps halved until they climb.

    SciPy's optimisers stop on the size of the gradient, whose rounding error grows with the number of patients; the
    decrement used here is in units of log-likelihood, whatever the counts.
    """
    phi = start
    value, gradient, hessian = function(phi)
    for _ in range(max_iterations):
        curvature, axes = np.linalg.eigh(hessian)
        along = gradient @ axes
        size = np.maximum(np.abs(curvature), 1e-12 * np.abs(curvature).max() + 1e-300)
        decrement = float((along**2 / size).sum() / 2)
        step = axes @ (along / size)
        step *= min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), LONGEST_STEP))
        if decrement < DECREMENT_TOLERANCE:
            return _Maximum(phi, value, hessian, converged=bool((curvature < 0).all()))
        for _ in range(HALVINGS):
            proposed = function(phi + step)
            if proposed[0] >= value - resolution:
                break
            step = step / 2
        else:
            break
        phi = phi + step
        value, gradient, hessian = proposed
    return _Maximum(phi, value, hessian, converged=False)


def _likelihood(responders: Floats, n: Floats, design: Floats, phi: Floats, nodes: int) -> tuple[float, Floats, Floats]:
    """Return log-likelihood (relative to the saturated model), gradient and Hessian by phi = (beta, tau)."""
    cohort = marginal(responders, n, design @ phi[:-1], float(phi[-1]), nodes=nodes)
    mixed = design.T @ cohort.d_mu_tau
    hessian = np.block(
        [
            [design.T @ (cohort.d_mu_mu[:, None] * design), mixed[:, None]],
            [mixed[None, :], cohort.d_tau_tau.sum()[None, None]],
        ]
    )
    return float(cohort.value.sum()), np.append(design.T @ cohort.d_mu, cohort.d_tau.sum()), hessian


def _fault(at: _Maximum, design: Floats) -> str:
    """Return why a maximum cannot be used, empty if it can."""
    width = design.shape[1]
    spread = np.abs(at.phi[width:])
    if np.abs(design @ at.phi[:width]).max() > FLAT or (spread > FLAT).any() or not np.isfinite(at.value):
        return "the likelihood has no maximum at finite values"
    return "" if at.converged else "the search for the maximum did not converge"


def _mode(responders: Floats, n: Floats, mu: Floats, tau: Floats) -> tuple[Floats, Floats]:
    """Return where each cohort's integrand peaks in z and its width there, shape (..., k).

    Newton's method on the falling function tau (x - n p) - z inside a bracket: the root lies between 0 and the nearer
    of its value at 0 and the z at which p is the observed rate.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = np.log(responders) - np.log(n - responders)
        far = np.fmin(np.abs(tau * (responders - n * expit(mu))), np.abs((observed - mu) / tau))
    towards = np.sign(tau * (responders - n * expit(mu)))
    low, high = np.where(towards < 0, -far, 0.0), np.where(towards > 0, far, 0.0)
    z, step = np.zeros_like(mu), high - low
    for _ in range(200):
        p = expit(mu + tau * z)
        slope = tau * tau * n * p * (1 - p) + 1
        value = tau * (responders - n * p) - z
        low, high = np.where(value > 0, z, low), np.where(value < 0, z, high)
        newton = z + value / slope
        # Where Newton leaves the bracket, or does not halve its step and so might swing for ever, bisect.
        trusted = (newton >= low) & (newton <= high) & (2 * np.abs(newton - z) <= np.abs(step))
        moved = np.where(trusted, newton, (low + high) / 2)
        step = moved - z
        done = np.abs(step) * np.sqrt(slope) < 1e-6
        z = moved
        if done.all():
            break
    p = expit(mu + tau * z)
    return z, 1 / np.sqrt(tau * tau * n * p * (1 - p) + 1)


@lru_cache(maxsize=8)
def _hermite(nodes: int) -> tuple[Floats, Floats]:
    """Return nodes t and log(weight) + t^2 / 2 - log(2 pi) / 2 of the Gauss-Hermite rule for exp(-t^2 / 2)."""
    points, weights = roots_hermitenorm(nodes)
    points.setflags(write=False)
    return points, np.log(weights) + points**2 / 2 - np.log(2 * np.pi) / 2
