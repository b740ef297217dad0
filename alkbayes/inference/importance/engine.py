"""Posterior without chains: deviations integrated out by quadrature, global parameters by importance sampling.

Given the global parameters, cohorts are independent within their trial and trials are independent, so the deviations of
trials and cohorts are integrated out in nested one-dimensional integrals
(:mod:`alkbayes.likelihood.binomial_normal.marginal`). The remaining global parameters are proposed as in
:mod:`alkbayes.inference.importance.proposals`. The weights are exact, and Pareto-smoothed. Finally, the deviations are
drawn given each draw of the rest, from their own conditional distributions.

If the weights show that the proposal misses part of the posterior, it is refitted to the weighted draws. Weights say
nothing about a region without draws. So draws of another proposal, over all orders of magnitude of the scales, are
weighted too, and give the share of the posterior that the first one covers too thinly. If that is too large, the other
proposal replaces it; if that does not help, the engine reports it and returns no draws.
"""

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alkbayes.inference.convergence import Thresholds
from alkbayes.inference.importance.proposals import (
    CHECKED,
    GOOD_K,
    GOOD_SHARE,
    THIN,
    Array,
    Index,
    Round,
    approximate,
    best_of,
    look_for_thin,
    sample,
    sample_broadly,
)
from alkbayes.inference.importance.target import Fineness, Target, unsupported
from alkbayes.inference.importance.weights import resample, smooth
from alkbayes.inference.settings import SamplerSettings
from alkbayes.likelihood.binomial_normal.marginal import Nodes
from alkbayes.likelihood.general.lattice import Rule
from alkbayes.model.design import Design
from alkbayes.model.draws import Draws, complete

SURPLUS = 1.5
"""Weighted draws per draw kept; a larger surplus means fewer duplicates."""
LEAST_WEIGHTED = 2000
"""Minimum number of weighted draws, for the weights' diagnostics."""
CHECK_FINENESS = Fineness(Nodes(outer=31, inner=25), Rule(points=25, drop=25.0, tolerance=1e-5), tabulated=False)
"""Accuracy of the second computation of log L, for some draws."""
PROBING = 1
"""Stream of the draws that look for regions missed by the proposal; separate, so that they change no other draw."""
MOST_ERROR = 0.01
"""Largest standard deviation of the error of log L over the posterior: shifts no mean by more than a hundredth of a
posterior SD."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Importance weights behind the draws.

    Attributes
    ----------
    pareto_k, ess
        Tail shape and effective sample size of the weights.
    weighted
        Number of weighted draws.
    duplicates
        Number of kept draws that repeat the global parameters of another one.
    rounds
        Number of rounds of as many weighted draws, each from another proposal.
    components
        Number of components of the scales' final proposal.
    thin_share
        Share of the posterior beyond ten times that proposal's density, minus three standard errors if it took more
        draws.
    quadrature_error
        Standard deviation over the posterior of the quadrature error of log L.
    """

    pareto_k: float
    ess: float
    weighted: int
    duplicates: int
    rounds: int
    components: int
    thin_share: float
    quadrature_error: float


@dataclass(frozen=True, slots=True)
class Integrated:
    """Draws from the engine.

    Attributes
    ----------
    draws
        Equally weighted draws of every variable, axes (chain, draw, ...), independent except for duplicates; chains are
        a random split.
    stats
        Each of shape (chain, draw): `lp`, the log posterior density of the global parameters, up to a constant, with
        the deviations integrated out; `log_weight`, before resampling and relative to equal weights; `proposal`, the
        index of the weighted draw, equal for duplicates.
    seconds
        Time taken.
    """

    draws: Draws
    stats: dict[str, NDArray[np.float64] | Index]
    weights: Weights
    seconds: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """Draws of the global parameters, to be weighted for a posterior nearby.

    Attributes
    ----------
    psi, b
        Scales (S, scale) and coefficients (S, coefficient).
    lp
        Log posterior density, up to a constant, shape (S,).
    proposal
        Index of the draw before resampling, equal for duplicates, shape (S,).
    weights
        Their own importance weights.
    """

    psi: Array
    b: Array
    lp: Array
    proposal: Index
    weights: Weights


@dataclass(frozen=True, slots=True)
class Fallback:
    """Fallback to NUTS for a posterior unsuited to the engine.

    Attributes
    ----------
    reason
        End of a sentence: "the quadrature engine does not cover ...".
    """

    reason: str


def integrate(
    design: Design, settings: SamplerSettings, *, limits: Thresholds | None = None, probed: bool = True
) -> Integrated | Fallback:
    """Draw from the posterior of a design.

    Parameters
    ----------
    probed
        Whether to look for regions that the proposal covers too thinly, which takes half of the time of a small fit.
        Without it the gate is not complete: for numbers that a full fit replaces at once.

    Returns
    -------
    Integrated or Fallback
        The latter if the design is not covered or no proposal has reliable weights.
    """
    started = time.perf_counter()
    limits = limits or Thresholds()
    if why := unsupported(design):
        return Fallback(f"the model has {why}, which the quadrature engine does not cover")
    rng, probing = np.random.default_rng(settings.seed), np.random.default_rng((settings.seed, PROBING))
    target = Target(design)
    wanted = settings.chains * settings.draws
    count = max(int(SURPLUS * wanted), LEAST_WEIGHTED)
    try:
        # Overflow gives a weight that is zero or not finite, and either shows in the diagnostics.
        with np.errstate(all="ignore"):
            approximation, proposal = approximate(target, rng)
            rounds = sample(approximation, proposal, rng, count=count)
            best = best_of(rounds)
            seen, thin = (
                look_for_thin(approximation, best.proposal, probing, most=limits.thin_max) if probed else (None, 0.0)
            )
            if seen is not None and fault(best, thin, limits):
                for best in sample_broadly(approximation, seen, probing, count=count):
                    rounds.append(best)
                    _, thin = look_for_thin(approximation, best.proposal, probing, most=limits.thin_max)
                    if not fault(best, thin, limits):
                        break
    except np.linalg.LinAlgError as error:
        return Fallback(f"no proposal could be fitted to the posterior ({error})")
    if why := fault(best, thin, limits):
        return Fallback(f"after {len(rounds)} proposals {why}")
    chosen = rng.permutation(resample(np.exp(best.log_weights), wanted, rng))
    inexact = quadrature_error(target, best, chosen[:CHECKED])
    if not inexact <= MOST_ERROR:
        return Fallback(
            f"the integrals over the deviations are off by {inexact:.2g} in log L, more than {MOST_ERROR}: the cohorts "
            "are too extreme for the quadrature's nodes"
        )
    psi, b = best.psi[chosen], best.b[chosen]
    try:
        free = target.named(psi, b) | target.draw_deviations(psi, b, rng)
    except ArithmeticError as failure:
        return Fallback(f"deviations could not be drawn exactly ({failure})")
    shape = (settings.chains, settings.draws)
    log_weight = best.log_weights[chosen] + np.log(count)
    return Integrated(
        draws=complete(design, {name: values.reshape(*shape, *values.shape[1:]) for name, values in free.items()}),
        stats={
            "lp": best.lp[chosen].reshape(shape),
            "log_weight": log_weight.reshape(shape),
            "proposal": chosen.reshape(shape),
        },
        weights=Weights(
            pareto_k=best.pareto_k,
            ess=best.ess,
            weighted=count,
            duplicates=wanted - len(np.unique(chosen)),
            rounds=len(rounds),
            components=len(best.proposal.scales),
            thin_share=thin,
            quadrature_error=inexact,
        ),
        seconds=time.perf_counter() - started,
    )


def nearby(log_ratios: Array, proposal: Index) -> tuple[Array, float, float] | None:
    """Return normalised log weights for a posterior near one drawn before, their Pareto k and their effective size.

    None if the draws are too few for it: a proposal with such weights would be refitted.

    Parameters
    ----------
    log_ratios
        Log density over that of the draws, up to a constant, shape (S,).
    proposal
        Index of the draw before resampling, equal for duplicates, shape (S,).
    """
    log_weights, pareto_k = smooth(log_ratios)
    together = np.bincount(np.unique(proposal, return_inverse=True)[1], weights=np.exp(log_weights))
    ess = float(1 / (together**2).sum())
    least = max(GOOD_SHARE * len(proposal), Thresholds().ess_min)
    # Written so that NaN is a fault.
    return (log_weights, pareto_k, ess) if pareto_k <= GOOD_K and ess > least else None


def reweighted(design: Design, settings: SamplerSettings, before: Drawn, log_ratios: Array) -> Integrated | None:
    """Return draws of a posterior near one drawn before, of the same parameters; None if its draws are too few.

    Parameters
    ----------
    design
        Of the posterior wanted.
    before
        Draws of the other one.
    log_ratios
        Log density wanted over that drawn, up to a constant, shape (S,).
    """
    started = time.perf_counter()
    found = nearby(log_ratios, before.proposal)
    if found is None:
        return None
    log_weights, pareto_k, ess = found
    rng, wanted = np.random.default_rng(settings.seed), settings.chains * settings.draws
    chosen = rng.permutation(resample(np.exp(log_weights), wanted, rng))
    target, psi, b, shape = Target(design), before.psi[chosen], before.b[chosen], (settings.chains, settings.draws)
    with np.errstate(all="ignore"):
        free = target.named(psi, b) | target.draw_deviations(psi, b, rng)
    return Integrated(
        draws=complete(design, {name: values.reshape(*shape, *values.shape[1:]) for name, values in free.items()}),
        stats={
            "lp": (before.lp + log_ratios)[chosen].reshape(shape),
            "log_weight": (log_weights[chosen] + np.log(len(log_weights))).reshape(shape),
            "proposal": before.proposal[chosen].reshape(shape),
        },
        weights=replace(
            before.weights,
            pareto_k=pareto_k,
            ess=ess,
            weighted=len(log_weights),
            duplicates=wanted - len(np.unique(before.proposal[chosen])),
        ),
        seconds=time.perf_counter() - started,
    )


def fault(found: Round, thin: float, limits: Thresholds) -> str:
    """Return why weighted draws are unreliable; empty if they are not."""
    # Written so that NaN is a fault.
    if not found.pareto_k <= limits.pareto_k_max:
        return (
            f"Pareto k is {found.pareto_k:.2f}, above {limits.pareto_k_max}: the importance weights are not to be "
            "relied on"
        )
    if not found.ess > limits.ess_min:
        return (
            f"the importance ESS is {found.ess:.0f} of {len(found.lp):,} weighted draws, not above {limits.ess_min:.0f}"
        )
    if not thin <= limits.thin_max:
        return (
            f"{100 * thin:.1f} % of the posterior, more than {100 * limits.thin_max:g} %, is beyond {THIN:g} times the "
            "proposal's density: too few of the weighted draws lie there to tell what it is worth"
        )
    return ""


def quadrature_error(target: Target, found: Round, chosen: Index) -> float:
    """Return the standard deviation of the error of log L at some draws; a common error does not matter."""
    with np.errstate(all="ignore"):
        finer = target.log_density(found.psi[chosen], found.b[chosen], fineness=CHECK_FINENESS)
    return float(np.std(finer - found.lp[chosen]))
