"""A trial's binomial likelihood with its random effects integrated out, by adaptive Gauss-Hermite quadrature.

The logits of a trial's arms are eta = base + A x, with x standard normal: `base` holds the contrasts, A x the
heterogeneity and, in the Bayesian model, the trial's own baseline. The integrand is log-concave in x, so that Newton's
method finds its mode from anywhere, and the nodes are placed by mode and curvature (Pinheiro and Bates 1995,
doi:10.1080/10618600.1995.10474663).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln, logsumexp

from alkbayes.randomised.network import CountTrial

type Array = NDArray[np.float64]

NODES = {1: 15, 2: 9, 3: 7}
"""Nodes in each dimension, by the number of dimensions; five in more."""
FINER = {1: 31, 2: 17, 3: 11}
"""Nodes of the check that these are enough."""
FEWEST = 5
NEWTON_STEPS = 100
LONGEST_STEP = 3.0
"""Largest change of a logit in one step: a start far from the mode would overshoot."""
CLOSE = 1e-6
LARGEST_LOGIT = 30.0
"""Beyond it log(1 + exp(eta)) is eta to double precision."""
BATCH = 400_000
"""Elements of an array of nodes, above which draws are taken in parts."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Trials of the same number of arms.

    Attributes
    ----------
    index
        Their positions among all trials, shape (trial,).
    responders, n
        Counts, shape (trial, arm).
    design
        See :func:`alkbayes.randomised.network.design_of`; shape (trial, arm, effect).
    """

    index: NDArray[np.intp]
    responders: Array
    n: Array
    design: Array

    @property
    def spread(self) -> Array:
        """Matrix of heterogeneity in units of tau, shape (arm, arm - 1).

        Its product with its own transpose is (I - J / arms) / 2: contrasts of two arms have variance 1, and two with
        an arm in common correlation 1/2 (Higgins and Whitehead 1996,
        doi:10.1002/(SICI)1097-0258(19961230)15:24<2733::AID-SIM562>3.0.CO;2-0). Arms deviate alike on both sides of
        the baseline, which for maximum likelihood is less biased than a fixed reference arm (Jackson et al. 2018,
        doi:10.1002/sim.7588).
        """
        arms = self.n.shape[1]
        basis = np.linalg.qr(np.column_stack([np.ones(arms), np.eye(arms)[:, 1:]]))[0]
        spread: Array = basis[:, 1:] / np.sqrt(2)
        return spread

    @property
    def start(self) -> Array:
        """Logit of each trial's patients taken together, shape (trial,), finite whatever the counts."""
        events, n = self.responders.sum(axis=1), self.n.sum(axis=1)
        logits: Array = np.log((events + 0.5) / (n - events + 0.5))
        return logits

    @property
    def constant(self) -> Array:
        """Log binomial coefficients, summed over arms, shape (trial,)."""
        x, n = self.responders, self.n
        coefficients: Array = (gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)).sum(axis=1)
        return coefficients


def batches_of(trials: Sequence[CountTrial], designs: Sequence[Array]) -> tuple[Batch, ...]:
    """Return trials in batches by their number of arms."""
    by_arms: dict[int, list[int]] = {}
    for at, trial in enumerate(trials):
        by_arms.setdefault(len(trial.treatments), []).append(at)
    return tuple(
        Batch(
            np.array(index),
            np.array([trials[at].responders for at in index]),
            np.array([trials[at].n for at in index]),
            np.array([designs[at] for at in index]),
        )
        for index in by_arms.values()
    )


@dataclass(frozen=True, slots=True)
class Moments:
    """Log integrals, and the derivatives of their sum with respect to `base` by Louis' identities.

    Attributes
    ----------
    log_integral
        Shape (draw, trial).
    score
        Posterior mean of the arms' scores, the gradient, shape (draw, trial, arm).
    curvature
        The Hessian, shape (draw, trial, arm, arm).
    """

    log_integral: Array
    score: Array
    curvature: Array


def log_integrals(
    batch: Batch, base: Array, loading: Array, *, start: Array | None = None, nodes: int | None = None
) -> Array:
    """Return the log of the integral of each trial's likelihood, shape (draw, trial).

    Parameters
    ----------
    base
        Logits at x = 0, shape (draw, trial, arm).
    loading
        The matrix A, shape (draw, arm, dimension), or with 1 for draw.
    start
        Where the search for the mode begins, shape (draw, trial, dimension); 0 if None.
    nodes
        In each dimension; those of :data:`NODES` if None.
    """
    draws, dimension = len(base), loading.shape[-1]
    points = (nodes or NODES.get(dimension, FEWEST)) ** dimension
    size = max(1, BATCH // (points * base.shape[1] * base.shape[2]))
    parts = []
    for first in range(0, draws, size):
        rows = slice(first, first + size)
        own = loading if len(loading) == 1 else loading[rows]
        logs, _ = _weighted_nodes(batch, base[rows], own, None if start is None else start[rows], nodes)
        parts.append(logsumexp(logs, axis=-1))
    return np.concatenate(parts) + batch.constant


def moments(
    batch: Batch, base: Array, loading: Array, *, start: Array | None = None, nodes: int | None = None
) -> Moments:
    """Return log integrals with their first and second derivatives; parameters as of :func:`log_integrals`."""
    logs, eta = _weighted_nodes(batch, base, loading, start, nodes)
    total = logsumexp(logs, axis=-1)
    weights = np.exp(logs - total[..., None])
    p = expit(eta)
    scores = batch.responders[:, :, None] - batch.n[:, :, None] * p
    mean = np.einsum("dtq,dtkq->dtk", weights, scores)
    inner = np.einsum("dtq,dtkq->dtk", weights, batch.n[:, :, None] * p * (1 - p))
    centred = scores - mean[..., None]
    curvature = np.einsum("dtq,dtkq,dtlq->dtkl", weights, centred, centred)
    curvature -= inner[..., None] * np.eye(inner.shape[-1])
    return Moments(total + batch.constant, mean, curvature)


def _weighted_nodes(
    batch: Batch, base: Array, loading: Array, start: Array | None, nodes: int | None
) -> tuple[Array, Array]:
    """Return the log weight of each node, shape (draw, trial, node), and its logits, (draw, trial, arm, node)."""
    dimension = loading.shape[-1]
    if dimension == 0:
        return _log_likelihood(batch, base[..., None]), base[..., None]
    # Random effects stand first in these arrays: loops over the two or three of them are faster than small matrices.
    load = np.moveaxis(loading[:, None], -1, 0)
    mode, factor = _modes(batch, base, load, start)
    z, log_weight = _product_rule(nodes or NODES.get(dimension, FEWEST), dimension)
    # x = mode + R^-1 z with precision R' R, so that the nodes follow the normal approximation.
    x = [each[..., None] for each in mode]
    for a in reversed(range(dimension)):
        rest = z[:, a] - sum(
            (factor[b, a][..., None] * (x[b] - mode[b][..., None]) for b in range(a + 1, dimension)), 0.0
        )
        x[a] = mode[a][..., None] + rest / factor[a, a][..., None]
    eta = base[..., None] + sum((load[a][..., None] * x[a][:, :, None] for a in range(dimension)), 0.0)
    log_jacobian = -np.sum([np.log(factor[a, a]) for a in range(dimension)], axis=0)
    prior = 0.5 * (z**2).sum(axis=1) - 0.5 * np.sum([each**2 for each in x], axis=0)
    return _log_likelihood(batch, eta) + prior + log_weight + log_jacobian[..., None], eta


def _log_likelihood(batch: Batch, eta: Array) -> Array:
    """Return the log likelihood at logits of shape (draw, trial, arm, node), without the binomial coefficients."""
    # log(1 + exp(eta)), which is eta itself beyond any logit that matters.
    softplus = np.log1p(np.exp(np.minimum(eta, LARGEST_LOGIT))) + np.maximum(eta - LARGEST_LOGIT, 0.0)
    likelihood = np.einsum("tk,dtkq->dtq", batch.responders, eta) - np.einsum("tk,dtkq->dtq", batch.n, softplus)
    return np.asarray(likelihood, dtype=np.float64)


type Factor = dict[tuple[int, int], Array]
"""Lower triangle of matrices by row and column, each entry of shape (draw, trial)."""


def _modes(batch: Batch, base: Array, load: Array, start: Array | None) -> tuple[Array, Factor]:
    """Return the mode of x, shape (dimension, draw, trial), and the Cholesky factor of the precision there."""
    dimension = len(load)
    x = np.zeros((dimension, *base.shape[:2])) if start is None else np.moveaxis(start, -1, 0).copy()
    for _ in range(NEWTON_STEPS):
        p = expit(base + np.einsum("adtk,adt->dtk", load, x))
        factor = _factor(load, batch.n * p * (1 - p))
        step = _solved(factor, (load * (batch.responders - batch.n * p)).sum(axis=-1) - x)
        change = np.abs(np.einsum("adtk,adt->dtk", load, step)).max(axis=-1)
        x += step * np.minimum(1.0, LONGEST_STEP / np.maximum(change, CLOSE))
        if change.max() < CLOSE:
            break
    # The factor may be that of a point a step away: nodes need not be placed exactly.
    return x, factor


def _factor(load: Array, inner: Array) -> Factor:
    """Return the Cholesky factor of A' diag(inner) A + I."""
    factor: Factor = {}
    for a in range(len(load)):
        for b in range(a + 1):
            entry = (load[a] * load[b] * inner).sum(axis=-1) + float(a == b)
            entry -= sum((factor[a, c] * factor[b, c] for c in range(b)), 0.0)
            factor[a, b] = np.sqrt(entry) if a == b else entry / factor[b, b]
    return factor


def _solved(factor: Factor, right: Array) -> Array:
    """Return the solution of a system with this Cholesky factor, shapes (dimension, draw, trial)."""
    x = right.copy()
    many = len(x)
    for a in range(many):
        x[a] = (x[a] - sum((factor[a, b] * x[b] for b in range(a)), 0.0)) / factor[a, a]
    for a in reversed(range(many)):
        x[a] = (x[a] - sum((factor[b, a] * x[b] for b in range(a + 1, many)), 0.0)) / factor[a, a]
    return x


@cache
def _product_rule(nodes: int, dimension: int) -> tuple[Array, Array]:
    """Return the nodes of a standard normal expectation, shape (node, dimension), and their log weights."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    logs = np.log(weights / weights.sum())
    grid = np.array(list(itertools.product(points, repeat=dimension)))
    log_weights = np.array([sum(each) for each in itertools.product(logs, repeat=dimension)])
    return grid, log_weights
