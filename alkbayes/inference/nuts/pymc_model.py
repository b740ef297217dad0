"""A design as a PyMC model with named dimensions, neither compiled nor sampled here."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.dist_math import binomln
from pymc.distributions.transforms import Transform

from alkbayes.likelihood.links import Link, inverse
from alkbayes.model.design import STANDARD_NORMAL, Design, HeterogeneityBlock
from alkbayes.model.parametrisation import (
    cohort_moments,
    counts_of,
    group_moments,
    intercept_moments,
    sampling_variance,
    score_scale,
)
from alkbayes.spec.priors import (
    ANGLES,
    Beta,
    Exponential,
    HalfNormal,
    HalfStudentT,
    Indicators,
    Normal,
    Prior,
    RootSumOfSquares,
    StudentT,
)

type PyMCModel = pm.Model
"""A model as PyMC has it, for packages that import no PyMC."""

FAR_OUT = -30.0
"""Normal score below which the tail is a series with an error below 1e-11; erfc is 0 from -38 on."""


class Conditioned(Transform):  # type: ignore[misc]
    """Transform to units of a variable's conditional distribution; mean and precision are its last two parameters.

    See :mod:`alkbayes.model.parametrisation`.
    """

    name = "conditioned"
    ndim_supp = 0

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Return the value on the sampler's scale."""
        mean, precision = inputs[-2:]
        return (value - mean) * pt.sqrt(precision)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Return the standardised deviation."""
        mean, precision = inputs[-2:]
        return mean + value / pt.sqrt(precision)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:  # noqa: ARG002
        """Return the log derivative of `backward`."""
        return -0.5 * pt.log(inputs[-1])


class NormalScore(Transform):  # type: ignore[misc]
    """Transform of a positive variable to the normal score of an exponential distribution.

    See :func:`alkbayes.model.parametrisation.positive_from_score`.
    """

    name = "score"
    ndim_supp = 0

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def forward(self, value: Any, *inputs: Any) -> Any:  # noqa: ARG002
        """Return the value on the sampler's scale."""
        return pt.sqrt(2.0) * pt.erfcinv(2 * pt.exp(-value / self.scale))

    def backward(self, value: Any, *inputs: Any) -> Any:  # noqa: ARG002
        """Return the positive variable."""
        return -self.scale * _log_upper_tail(value)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:  # noqa: ARG002
        """Return the log derivative of `backward`."""
        return math.log(self.scale) - 0.5 * value**2 - 0.5 * math.log(2 * math.pi) - _log_upper_tail(value)


def _log_upper_tail(x: Any) -> Any:
    return pt.log(0.5 * pt.erfc(x / math.sqrt(2)))


def build_model(design: Design) -> pm.Model:
    """Build the PyMC model of a design.

    Its free variables are those of :func:`alkbayes.model.design.parameters`, by name and in that order. Dimensions are
    `cohort`, the grouping column, each effect's levels and its contrasts. `theta` is the linear predictor of each
    cohort. Everything that depends on the counts is in the shared variables of
    :func:`alkbayes.model.parametrisation.counts_of`.

    Raises
    ------
    ValueError
        If units may be exchangeable or on their own: quadrature alone sums over both.
    """
    if design.exnex is not None:
        raise ValueError("units that may be on their own are not for chains")
    coords: dict[str, tuple[str, ...]] = {"cohort": design.cohorts}
    for block in design.effects:
        coords |= {block.slug: block.levels, f"{block.slug}_contrast": block.free_coords}
    for term in design.heterogeneity:
        if term.by is not None:
            coords |= {f"{term.of_level}_level": term.by.levels, f"tau_{term.slug}_contrast": term.by.free_coords}
    if design.group is not None:
        coords[design.group.slug] = design.group.units

    # The design is checked: with `check_bounds` the compiled density would check every value at every step again.
    with pm.Model(coords=coords, check_bounds=False) as model:
        counts = {
            name: pm.Data(name, values, dims="cohort", shape=values.shape) for name, values in counts_of(design).items()
        }
        eta = variable("alpha", design.intercept_prior) if design.effects else 0.0
        for block in design.effects:
            sd = 1.0 if block.sd_prior is None else variable(f"sd_{block.slug}", block.sd_prior)
            free = variable(block.free, block.prior, dims=f"{block.slug}_contrast")
            # Products and sums, not a matrix product: numba compiles it in seconds, BLAS's in half a minute.
            effect = pm.Deterministic(
                f"effect_{block.slug}", sd * (block.basis * free[None, :]).sum(axis=1), dims=block.slug
            )
            eta = eta + effect[block.index]
        rho = None if design.rho_prior is None else variable("rho", design.rho_prior)
        theta = pm.Deterministic("theta", _add_heterogeneity(design, counts, eta, rho), dims="cohort")
        if rho is None:
            _binomial(design.link, counts, theta)
        else:
            (p, q), size = _rates(design.link, theta), (1 - rho) / rho
            pm.BetaBinomial(
                "responders", alpha=p * size, beta=q * size, n=counts["n"], observed=counts["observed"], dims="cohort"
            )
    return model


def _rates(link: Link, theta: Any) -> tuple[Any, Any]:
    """Return the response rate and 1 minus it; neither is ever 0, since both shape a beta distribution."""
    match link:
        case Link.LOGIT:
            # 1 - p would be 0 from a logit of 37 on.
            return pm.math.sigmoid(theta), pm.math.sigmoid(-theta)
        case Link.PROBIT:
            score = pt.clip(theta, -37.0, 37.0) / math.sqrt(2)
            return 0.5 * pt.erfc(-score), 0.5 * pt.erfc(score)
        case Link.CLOGLOG:
            hazard = pt.exp(pt.clip(theta, -700.0, 6.5))
            return -pt.expm1(-hazard), pt.exp(-hazard)


def _binomial(link: Link, counts: Mapping[str, Any], theta: Any) -> None:
    """Add the responders, binomial given the linear predictor."""
    given = {"observed": counts["observed"], "dims": "cohort"}
    if link is Link.LOGIT:
        pm.Binomial("responders", n=counts["n"], logit_p=theta, **given)
        return

    # PyMC's own density takes a rate, and log(1 - rate) is infinite if the rate rounds to 1 in double precision.
    def logp(value: Any, theta: Any, n: Any) -> Any:
        log_p, log_q = _log_rates(link, theta)
        return binomln(n, value) + value * log_p + (n - value) * log_q

    def random(theta: Any, n: Any, rng: np.random.Generator, size: Any) -> Any:
        return rng.binomial(n.astype(np.int64), inverse(link, theta), size=size)

    pm.CustomDist("responders", theta, counts["n"], logp=logp, random=random, signature="(),()->()", **given)


def _log_rates(link: Link, theta: Any) -> tuple[Any, Any]:
    """Return log p and log(1 - p) of the probit and the complementary log-log, accurate in both tails."""
    if link is Link.PROBIT:
        return _log_lower_tail(theta), _log_lower_tail(-theta)
    hazard = pt.exp(pt.clip(theta, -700.0, 300.0))
    return pt.log(-pt.expm1(-hazard)), -hazard


def _log_lower_tail(x: Any) -> Any:
    """Return log Phi(x), in the far tail by its asymptotic series (Abramowitz and Stegun 1964, 26.2.12)."""
    # Each branch gets values of its own side only: even a branch not taken needs a finite gradient.
    near, far = pt.maximum(x, FAR_OUT), pt.minimum(x, FAR_OUT)
    u = 1 / far**2
    series = pt.log1p(u * (-1 + u * (3 + u * (-15 + 105 * u))))
    tail = -0.5 * far**2 - pt.log(-far) - 0.5 * math.log(2 * math.pi) + series
    return pt.switch(x > FAR_OUT, _log_upper_tail(-near), tail)


def _add_heterogeneity(design: Design, counts: Mapping[str, Any], eta: Any, rho: Any) -> Any:
    group, cohort = design.group, design.cohort
    taus = {term.label: _unit_taus(term) for term in design.heterogeneity}
    observed, variance = counts["predictor"], sampling_variance(counts["n"], counts["variance"], rho)
    tau, tau_cohort = (0.0 if term is None else taus[term.label] for term in (group, cohort))
    sums = None if group is None else _sums_of(group)
    if not design.effects:
        moments = intercept_moments(observed, variance, tau, tau_cohort, design.intercept_prior, sums)
        eta = _conditioned("alpha", design.intercept_prior, moments)
    if group is not None and sums is not None:
        moments = group_moments(observed - eta, variance, tau, tau_cohort, sums)
        of_cohort = tau if group.by is None else pt.as_tensor(tau)[group.index]
        z = _conditioned(f"z_{group.slug}", group.unit_prior, moments, dims=group.slug)
        eta = eta + of_cohort * z[group.index]
    if cohort is not None:
        moments = cohort_moments(observed - eta, variance, tau_cohort)
        eta = eta + tau_cohort * _conditioned(f"z_{cohort.slug}", cohort.unit_prior, moments, dims=cohort.slug)
    return eta + pt.zeros(len(design.cohorts))


def _unit_taus(term: HeterogeneityBlock) -> Any:
    """Add the tau of a term, or the taus of its levels; return that of each unit, or the one that all share."""
    tau = variable(f"tau_{term.slug}", term.sd_prior)
    if term.by is None:
        return tau
    spread = variable(f"spread_{term.slug}", term.by.spread_prior)
    raw = variable(f"raw_tau_{term.slug}", STANDARD_NORMAL, dims=f"tau_{term.slug}_contrast")
    logs = spread * (term.by.basis * raw[None, :]).sum(axis=1)
    taus = pm.Deterministic(term.of_level, tau * pt.exp(logs), dims=f"{term.of_level}_level")
    return taus[term.by.of_unit]


def _sums_of(group: HeterogeneityBlock) -> Callable[[Any], Any]:
    index, zeros = group.index, pt.zeros(len(group.units))
    return lambda values: pt.inc_subtensor(zeros[index], values)


def _conditioned(name: str, prior: Normal | StudentT, moments: Any, *, dims: str | None = None) -> Any:
    """Add a free variable with a prior, sampled in units of its conditional mean and precision."""

    def logp(value: Any, mean: Any, precision: Any) -> Any:  # noqa: ARG001
        if isinstance(prior, StudentT):
            return pm.logp(pm.StudentT.dist(nu=prior.nu, mu=prior.mean, sigma=prior.sd), value)
        return pm.logp(pm.Normal.dist(prior.mean, prior.sd), value)

    def random(mean: Any, precision: Any, rng: np.random.Generator, size: Any) -> Any:  # noqa: ARG001
        return prior.draw(rng, np.shape(mean) if size is None else size)

    return pm.CustomDist(
        name,
        *moments,
        logp=logp,
        random=random,
        signature="(),()->()",
        transform=Conditioned(),
        default_transform=None,
        dims=dims,
    )


def variable(name: str, prior: Prior, *, dims: str | None = None) -> Any:
    """Add a free variable with a prior to the current model."""
    match prior:
        case Normal():
            return pm.Normal(name, prior.mean, prior.sd, dims=dims)
        case StudentT():
            return pm.StudentT(name, nu=prior.nu, mu=prior.mean, sigma=prior.sd, dims=dims)
        case Beta():
            return pm.Beta(name, prior.a, prior.b, dims=dims)
        case Indicators():
            raise TypeError("no chain samples indicators")
    # PyMC applies a transform on top of the default one, unless that is switched off.
    scale = {"transform": NormalScore(score_scale(prior)), "default_transform": None, "dims": dims}
    match prior:
        case HalfNormal():
            return pm.HalfNormal(name, prior.sd, **scale)
        case HalfStudentT():
            return pm.HalfStudentT(name, nu=prior.nu, sigma=prior.sd, **scale)
        case Exponential():
            return pm.Exponential(name, scale=prior.mean, **scale)
        case RootSumOfSquares():
            return _root_sum_of_squares(name, prior, scale)


def _root_sum_of_squares(name: str, prior: RootSumOfSquares, options: Mapping[str, Any]) -> Any:
    """Return a scale with the density of :class:`alkbayes.spec.priors.RootSumOfSquares`."""
    cosines, sines, log_weights = ANGLES

    def logp(value: Any) -> Any:
        parts = pm.logp(_scale(prior.first), value * cosines) + pm.logp(_scale(prior.second), value * sines)
        return pt.logsumexp(parts + log_weights) + pt.log(value)

    def random(rng: np.random.Generator, size: Any) -> Any:
        return prior.draw(rng, () if size is None else size)

    def middle(variable: Any, size: Any) -> Any:  # noqa: ARG001
        return pt.as_tensor(score_scale(prior))

    return pm.CustomDist(name, logp=logp, random=random, support_point=middle, signature="->()", **options)


def _scale(prior: Prior) -> Any:
    """Return the distribution of a scale, outside of any model."""
    match prior:
        case HalfNormal():
            return pm.HalfNormal.dist(prior.sd)
        case HalfStudentT():
            return pm.HalfStudentT.dist(nu=prior.nu, sigma=prior.sd)
        case Exponential():
            return pm.Exponential.dist(scale=prior.mean)
        case _:
            raise TypeError(f"{prior!r} is no prior of a scale")
