"""The binomial-normal model by maximum likelihood.

    logit p_i = x_i' beta + tau z_i                           one level
    logit p_i = x_i' beta + tau_group v_group(i) + tau z_i    cohorts within groups, say arms within trials

with z and v standard normal (Stijnen, Hamza & Ozdemir 2010, doi:10.1002/sim.4040).
:mod:`alkbayes.likelihood.binomial_normal.marginal` integrates the random effects out; this module finds the maximum,
its standard errors and its tests; :mod:`alkbayes.classical.maximum_likelihood.profile` has the intervals.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray
from scipy.special import chdtrc

from alkbayes.classical.counts import Floats, checked_counts
from alkbayes.classical.inverse_variance.regression import has_full_rank
from alkbayes.classical.maximum_likelihood.glmm_likelihood import BinomialNormal, Maximum, maximise
from alkbayes.classical.scales import Scale, effects
from alkbayes.likelihood.binomial_normal.marginal import Nodes

NODES = 41
"""Initial quadrature nodes; enough unless many cohorts are at 0/n or n/n and tau is above about 2."""
MAX_NODES = 330
"""The nodes double until doubling changes nothing, up to here; from about 350 the outer weights underflow."""
QUADRATURE_TOLERANCE = 1e-6
"""Largest change of a fit's log-likelihood on doubling the nodes."""
MAX_ITERATIONS = 50
"""Maximum Newton steps."""
PATIENCE = 12
"""Newton steps before the nodes are increased; six are usual."""
NESTED_NODES, NESTED_MOST = 15, 3600
"""Maximum nodes for each of two nested integrals initially, and for both together finally."""
SMALLEST_START = 0.05
"""Smallest start for a tau: at 0 the likelihood is even and has no slope."""
FLAT = 25.0
"""A logit beyond what any count of people can show (one in 7e10): such an estimate is diverging to infinity."""


class Level(StrEnum):
    """A level of heterogeneity."""

    COHORT = "cohort"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """A likelihood-ratio test.

    Attributes
    ----------
    statistic
        Twice the difference of the log-likelihoods, at least 0.
    df
        Difference in the number of parameters.
    p
        p-value.
    """

    statistic: float
    df: int
    p: float


@dataclass(frozen=True, slots=True)
class GlmmFit:
    """A fitted binomial-normal model with p fixed effects.

    Attributes
    ----------
    beta
        Fixed effects, shape (p,), logit scale.
    covariance
        Their covariance from the inverse observed information of (beta, tau), shape (p, p); of beta alone if tau is at
        its boundary 0 or not estimated; NaN unless `converged`.
    tau
        Between-cohort standard deviation, logit scale; None if undefined (k = p) or not found.
    log_likelihood
        At the maximum, binomial coefficients included.
    lr, lr_df, lr_p
        Likelihood-ratio test that the fixed effects explain all differences (tau = 0), against a rate for each cohort;
        chi-squared with `lr_df` = k - rank(design). None without degrees of freedom.
    converged
        True if the results may be used.
    message
        Reason why not, else empty.
    tau_group
        Between-group standard deviation, logit scale; None without groups.
    heterogeneity
        For each level, the test of a tau of 0 with the other level kept; empty unless `converged`. As 0 is a boundary,
        the statistic under the hypothesis is 0 with probability 1/2, else chi-squared with one degree of freedom: p is
        half that of chi-squared (Self & Liang 1987, doi:10.1080/01621459.1987.10478472). With two levels this is exact
        in large samples only if the other tau is not 0.
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
    tau_group: float | None = None
    heterogeneity: Mapping[Level, LikelihoodRatio] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model at its maximum.

    Attributes
    ----------
    model
        Data and fixed effects.
    at
        The maximum; its `phi` is complete, its Hessian only over the `free` parameters.
    free
        Parameters neither at their boundary nor undefined, shape of phi, bool.
    nodes
        Nodes with which the integrals are accurate enough.
    message
        Reason why the results cannot be used, else empty.
    common
        Log-likelihood at tau = 0, relative to the saturated model.
    heterogeneity
        As in :class:`GlmmFit`.
    """

    model: BinomialNormal
    at: Maximum
    free: NDArray[np.bool_]
    nodes: Nodes
    message: str
    common: float
    heterogeneity: Mapping[Level, LikelihoodRatio]


def fit_glmm(
    responders: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    design: Floats | None = None,
    group: npt.ArrayLike | None = None,
    nodes: int = NODES,
    max_iterations: int = MAX_ITERATIONS,
    start: GlmmFit | None = None,
) -> GlmmFit:
    """Fit the binomial-normal model by maximum likelihood.

    Needs no continuity correction. A maximum at infinity (every cohort at 0/n, or a covariate that separates them) or
    any other failure gives `converged=False` and a message, not an error.

    Parameters
    ----------
    responders, n
        Counts, shape (k,).
    design
        Fixed effects, shape (k, p), of full column rank; a column of ones if None.
    group
        Group of each cohort, shape (k,), for a second level of heterogeneity between groups; None for one level.
    nodes
        Quadrature nodes for each cohort; with groups, maximum for each integral.
    max_iterations
        Maximum Newton steps.
    start
        Fit of the same model to nearly the same counts, such as one cohort more, as a starting point that only saves
        time. Ignored if it did not converge.

    Raises
    ------
    EvidenceError
        If the counts are invalid (see `checked_counts`).
    ValueError
        If `design` does not have k rows and full column rank, `nodes` is not in 1 to 165, or `group` does not have k
        entries of which at least two agree.
    """
    if design is None:
        model = build(responders, n, None, group)
        return as_fit(maximum_likelihood(model, nodes=nodes, max_iterations=max_iterations, start=start))
    model = build(responders, n, design, group)
    # Searched in an orthogonal basis, in which neither the units of a covariate nor its distance from 0 matter.
    basis, units = _orthogonal(model.design)
    near = None if start is None else replace(start, beta=units @ start.beta)
    model = replace(model, design=basis)
    found = as_fit(maximum_likelihood(model, nodes=nodes, max_iterations=max_iterations, start=near))
    back = np.linalg.inv(units)
    return replace(found, beta=back @ found.beta, covariance=back @ found.covariance @ back.T)


def _orthogonal(design: Floats) -> tuple[Floats, Floats]:
    """Return a basis of the columns, orthogonal with mean square 1, and the matrix from it to the design."""
    largest = np.abs(design).max(axis=0)
    columns, upper = np.linalg.qr(design / largest)
    root = np.sqrt(len(design))
    return columns * root, upper * largest / root


def as_fit(fitted: Fitted) -> GlmmFit:
    """Return the reported results of a model at its maximum."""
    model, at, message = fitted.model, fitted.at, fitted.message
    width = model.width
    df = model.n.size - width
    lr = max(0.0, -2 * fitted.common) if df > 0 else None
    taus = np.abs(at.phi[width:])
    return GlmmFit(
        beta=at.phi[:width],
        covariance=np.full((width, width), np.nan) if message else np.linalg.inv(-at.hessian)[:width, :width],
        tau=float(taus[0]) if fitted.heterogeneity else None,
        log_likelihood=at.value + model.constant,
        lr=lr,
        lr_df=df,
        lr_p=None if lr is None else float(chdtrc(df, lr)),
        converged=not message,
        message=message,
        tau_group=None if model.group is None or message else float(taus[1]),
        heterogeneity=fitted.heterogeneity,
    )


def likelihood_ratio(smaller: GlmmFit, larger: GlmmFit) -> LikelihoodRatio:
    """Test the additional covariates of the larger of two nested models, otherwise the same, by chi-squared.

    Both must have the same cohorts and levels. The degrees of freedom are the number of additional covariates.

    Raises
    ------
    ValueError
        If `larger` is not the larger one, the levels differ, or one of the two has not converged.
    """
    df = larger.beta.size - smaller.beta.size
    if df < 1 or (smaller.tau_group is None) != (larger.tau_group is None):
        raise ValueError("likelihood_ratio needs a model and a larger one with the same levels of heterogeneity")
    if not (smaller.converged and larger.converged):
        raise ValueError("likelihood_ratio needs two fits that converged")
    statistic = max(0.0, 2 * (larger.log_likelihood - smaller.log_likelihood))
    return LikelihoodRatio(statistic, df, float(chdtrc(df, statistic)))


def build(
    responders: npt.ArrayLike, n: npt.ArrayLike, design: Floats | None, group: npt.ArrayLike | None
) -> BinomialNormal:
    """Return the model from checked arguments of `fit_glmm`."""
    x, m = checked_counts(responders, n)
    matrix = np.ones((x.size, 1)) if design is None else np.asarray(design, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != x.size or not has_full_rank(matrix):
        raise ValueError(f"design must have {x.size} rows and full column rank, got shape {matrix.shape}")
    if group is None:
        return BinomialNormal(x, m, matrix, None)
    labels = np.unique(np.asarray(group), return_inverse=True)[1]
    if labels.shape != x.shape or labels.max() + 1 == x.size:
        raise ValueError(f"group must have {x.size} entries, at least two of them alike; else there is one level only")
    return BinomialNormal(x, m, matrix, labels)


def maximum_likelihood(
    model: BinomialNormal,
    *,
    nodes: int = NODES,
    max_iterations: int = MAX_ITERATIONS,
    start: GlmmFit | None = None,
) -> Fitted:
    """Return the maximum of the likelihood; arguments as for `fit_glmm`."""
    if not 1 <= nodes <= MAX_NODES // 2:
        raise ValueError(f"nodes must lie in 1 to {MAX_NODES // 2}, got {nodes}")
    common = _fit_common(model, max_iterations)
    message = _fault(common, model)
    if message or model.n.size == model.width:
        return Fitted(model, _padded(common, model), _mask(model, ()), Nodes(nodes, nodes), message, common.value, {})
    single = replace(model, group=None)
    near = None if start is None or not start.converged or start.tau is None else start
    begin = _tau_start(model, common) if near is None else np.append(near.beta, np.hypot(*_taus(near)))
    at, used, message = _fit_from(single, _mask(single, (0,)), begin, nodes, max_iterations)
    ratio = _boundary_test(at.value - common.value, model)
    if at.converged and ratio.statistic == 0:
        at, message = _padded(common, single), ""
    one = Fitted(
        single, at, _mask(single, (0,) if at.phi[-1] else ()), used, message, common.value, {Level.COHORT: ratio}
    )
    if model.group is None or message:
        return replace(one, heterogeneity={} if message else one.heterogeneity)
    taus = np.full(2, max(abs(float(one.at.phi[-1])), 0.1) / 2**0.5) if near is None else _taus(near)
    return _fit_groups(model, one, taus, nodes, max_iterations)


def _taus(fit: GlmmFit) -> Floats:
    """Return the taus of a converged fit, (between cohorts, between groups), as a start, moved off 0."""
    return np.maximum([fit.tau or 0.0, fit.tau_group or 0.0], SMALLEST_START)


def _fit_groups(model: BinomialNormal, one: Fitted, taus: Floats, nodes: int, max_iterations: int) -> Fitted:
    """Return the maximum over both taus, starting at `taus` and the fixed effects of the one-level fit."""
    phi = one.at.phi
    count = min(nodes, NESTED_NODES)
    without = _mask(model, (1,))
    only, _, _ = _fit_from(model, without, np.append(phi[:-1], [0.0, np.hypot(*taus)]), count, max_iterations)
    start = np.append(phi[:-1], taus)
    full, used, message = _fit_from(model, _mask(model, (0, 1)), start, count, max_iterations)
    cohort, group = (_boundary_test(full.value - less.value, model) for less in (only, one.at))
    tests = {Level.COHORT: cohort, Level.GROUP: group}
    if group.statistic == 0 and one.at.value >= only.value - model.resolution:
        return replace(
            one, model=model, at=_padded(one.at, model), free=np.append(one.free, False), heterogeneity=tests
        )
    if cohort.statistic == 0 and only.converged:
        return Fitted(model, only, without, used, "", one.common, tests)
    return Fitted(model, full, _mask(model, (0, 1)), used, message, one.common, {} if message else tests)


def _fit_common(model: BinomialNormal, max_iterations: int) -> Maximum:
    """Return the maximum at tau = 0: a logistic regression, started at weighted least squares of the logits."""
    observed = effects(model.responders, model.n, scale=Scale.LOGIT)
    root = 1 / np.sqrt(observed.vi)
    start = np.linalg.lstsq(model.design * root[:, None], observed.yi * root, rcond=None)[0]
    single = replace(model, group=None)
    function = single.restricted(np.zeros(single.size), _mask(single, ()), Nodes(1, 1))
    return maximise(function, np.asarray(start, dtype=np.float64), max_iterations, model.resolution)


def _tau_start(model: BinomialNormal, common: Maximum) -> Floats:
    """Return beta of `common`, and tau from the excess variance of the logits over their noise."""
    observed = effects(model.responders, model.n, scale=Scale.LOGIT)
    noise = float(observed.vi.mean())
    excess = float((observed.yi - model.design @ common.phi).var()) - noise
    return np.append(common.phi, np.sqrt(max(0.01 * noise, excess)))


def _fit_from(
    model: BinomialNormal, free: NDArray[np.bool_], start: Floats, nodes: int, max_iterations: int
) -> tuple[Maximum, Nodes, str]:
    """Return the maximum over the free parameters, the nodes used, and why it is unusable (empty if it is not)."""
    phi, outer, inner = start, nodes, nodes
    while True:
        used = Nodes(outer, inner)
        # A long search points to too few nodes: better to restart soon with more.
        steps = max_iterations if 4 * max(outer, inner) > MAX_NODES else min(max_iterations, PATIENCE)
        found = maximise(model.restricted(phi, free, used), phi[free], steps, model.resolution)
        phi = phi.copy()
        phi[free] = found.phi
        full = replace(found, phi=phi)
        message = _fault(full, model)
        if message and np.abs(phi).max() >= FLAT:
            return full, used, message
        coarse = (True, True) if message else _coarse(model, phi, full.value, used)
        if not any(coarse):
            return full, used, ""
        message = message or f"with {max(outer, inner)} quadrature nodes the integral is still not exact enough"
        outer, inner = (2 * count if few else count for count, few in zip((outer, inner), coarse, strict=True))
        if 2 * max(outer, inner) > MAX_NODES or (model.group is not None and outer * inner > NESTED_MOST):
            return full, used, message


def _coarse(model: BinomialNormal, phi: Floats, value: float, used: Nodes) -> tuple[bool, bool]:
    """Return whether doubling the outer, and the inner, nodes would change the likelihood.

    Checked separately: the cost is the product of both, and a large tau needs many nodes on its own level only.
    """
    tolerance = QUADRATURE_TOLERANCE + model.resolution
    finer = (Nodes(2 * used.outer, used.inner), Nodes(used.outer, 2 * used.inner))
    outer, inner = (abs(model.value(phi, nodes) - value) >= tolerance for nodes in finer)
    return outer, inner


def _boundary_test(rise: float, model: BinomialNormal) -> LikelihoodRatio:
    """Return the test of one tau at its boundary 0 from the increase in log-likelihood."""
    statistic = 2 * rise if rise > model.resolution else 0.0
    return LikelihoodRatio(statistic, 1, float(chdtrc(1, statistic)) / 2 if statistic else 1.0)


def _mask(model: BinomialNormal, taus: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which parameters are free: the fixed effects and some of the taus."""
    free = np.zeros(model.size, dtype=np.bool_)
    free[: model.width] = True
    free[[model.width + place for place in taus]] = True
    return free


def _padded(at: Maximum, model: BinomialNormal) -> Maximum:
    """Return a maximum with 0 for the missing taus."""
    return replace(at, phi=np.append(at.phi, np.zeros(model.size - at.phi.size)))


def _fault(at: Maximum, model: BinomialNormal) -> str:
    """Return why a maximum cannot be used; empty if it can."""
    spread = np.abs(at.phi[model.width :])
    if np.abs(model.design @ at.phi[: model.width]).max() > FLAT or (spread > FLAT).any() or not np.isfinite(at.value):
        return "the likelihood has no maximum at finite values"
    return "" if at.converged else "the search for the maximum did not converge"
