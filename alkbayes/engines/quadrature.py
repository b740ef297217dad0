"""The posterior without chains: deviations integrated out by quadrature, global parameters by importance sampling.

Given the global parameters, cohorts are independent within their trial and trials are independent, so the deviations
of trials and cohorts are integrated out in nested one-dimensional integrals (:mod:`alkbayes.marginal`). What is left
are a few scales and the coefficients. The scales are proposed from a mixture of folded Student t's, fitted to an
approximation in which each cohort's likelihood is normal; the coefficients given the scales from their conditional
distribution in that approximation, with heavier tails. The weights are exact, and Pareto-smoothed. Last, the deviations
are drawn given each draw of the rest, from their own conditional distributions.

Where the weights show that the proposal misses part of the posterior, it is fitted to the weighted draws and tried
again; where that does not help, the engine says so and brings nothing.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alkbayes.design import Design
from alkbayes.diagnostics import Thresholds
from alkbayes.draws import Draws, complete
from alkbayes.engines.approximation import Approximation
from alkbayes.engines.importance import Component, Mixture, draw, effective, log_density, refit, resample, smooth
from alkbayes.engines.target import USUAL, Fineness, Target, root_odds, unsupported
from alkbayes.lattice import Rule
from alkbayes.marginal import Nodes
from alkbayes.parametrisation import score_scale
from alkbayes.priors import Beta
from alkbayes.settings import SamplerSettings

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]

GOOD_K = 0.5
"""Pareto k above which the proposal is refitted (Vehtari et al. 2024, arXiv:1507.02646)."""
GOOD_SHARE = 0.3
"""Effective share of the weighted draws below which it is refitted too."""
SCALE_NU, COEFFICIENT_NU = 6.0, 20.0
"""Degrees of freedom of the proposals: heavier tails than the posterior's, not so heavy as to waste draws. Given the
scales the coefficients are nearly normal."""
REFITTED_NU = 8.0
"""Of the coefficients' proposal once it is fitted to weighted draws, which tell little of the tails."""
WIDE_SHARE, WIDE_NU, WIDE = 0.1, 4.0, 2.0
"""Share, degrees of freedom and width of a component of the coefficients' proposal that is there for what is not: where
every cohort of a level has no responders, its logit has the prior's tail on one side (Hesterberg 1995,
doi:10.1080/00401706.1995.10484303)."""
PILOTS, PILOT = 2, 1000
"""Rounds in the approximation, which cost next to nothing, and the draws of each."""
TRIAL = 1000
"""Draws of a trial round."""
TRIALS = (1, 1, 1, 3)
"""Components of proposals that are tried, one after the other until the weights are good, before all draws are made:
with thousands of cohorts the posterior is narrow, and the approximation beside it."""
TRIAL_FINENESS = Fineness(Nodes(outer=5, inner=5), Rule(points=9, drop=8.0, tolerance=0.1), tabulated=True)
"""Error of log L about 0.003 on the bundled evidence: enough to find a proposal, and three times as fast."""
SURPLUS = 1.5
"""Weighted draws for each draw that is kept: the more, the fewer of those kept are duplicates."""
LEAST_WEIGHTED = 2000
"""However few draws are wanted, this many are weighted: the weights' diagnostics need them."""
MIXTURES = (1, 3, 5)
"""Components of the proposals that are refitted to exact weights, one after the other until the weights are good."""
CHECKED = 50
CHECK_FINENESS = Fineness(Nodes(outer=31, inner=25), Rule(points=25, drop=25.0, tolerance=1e-5), tabulated=False)
"""Draws whose log L is computed once more, and how exactly."""
MOST_ERROR = 0.01
"""Of log L, standard deviation over the posterior: it moves no mean by more than a hundredth of a posterior SD."""
MODE_BOUNDS = (-4.0, 4.0)
"""Of a scale's logarithm, in units of its prior's scale: a scale may be best at zero, and the search stops before."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How the draws came about.

    Attributes
    ----------
    pareto_k, ess
        Tail shape and effective sample size of the weights.
    weighted
        Draws that were weighted.
    duplicates
        Of the draws that were kept, those that repeat the global parameters of another one.
    rounds
        Rounds of as many weighted draws, each of another proposal.
    components
        Of the scales' proposal that was used.
    quadrature_error
        Standard deviation over the posterior of the error of log L that the quadrature's finite nodes leave.
    """

    pareto_k: float
    ess: float
    weighted: int
    duplicates: int
    rounds: int
    components: int
    quadrature_error: float


@dataclass(frozen=True, slots=True)
class Integrated:
    """What the engine brought.

    Attributes
    ----------
    draws
        Equally weighted draws of every variable, axes (chain, draw, ...). They are independent but for duplicates, and
        the chains a split of them at random.
    stats
        Each of shape (chain, draw): `lp`, the log posterior density of the global parameters, up to a constant, with
        the deviations integrated out; `log_weight`, before resampling and relative to equal weights; `proposal`, which
        of the weighted draws it is: those of one number are duplicates.
    weights
        How they came about.
    seconds
        What it took.
    """

    draws: Draws
    stats: dict[str, NDArray[np.float64] | Index]
    weights: Weights
    seconds: float


@dataclass(frozen=True, slots=True)
class HandOver:
    """The engine is not for this posterior.

    Attributes
    ----------
    reason
        A sentence's end: "the quadrature engine does not cover ...".
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """Mixtures of the scales, and of the coefficients in units of their approximate distribution given the scales."""

    scales: Mixture
    coefficients: Mixture


@dataclass(frozen=True, slots=True)
class Round:
    """Weighted draws of scales (S, scale) and coefficients (S, coefficient).

    Attributes
    ----------
    proposal
        What they were drawn from.
    psi, b, u
        Scales, coefficients, and these in the units of :class:`Proposal`.
    lp, log_weights
        Log posterior density and weights that sum to one, shape (S,).
    pareto_k, ess
        Of the weights.
    """

    proposal: Proposal
    psi: Array
    b: Array
    u: Array
    lp: Array
    log_weights: Array
    pareto_k: float
    ess: float

    @property
    def good(self) -> bool:
        """Whether no better proposal is sought."""
        return self.pareto_k <= GOOD_K and self.ess >= GOOD_SHARE * len(self.lp)


def integrate(design: Design, settings: SamplerSettings, *, limits: Thresholds | None = None) -> Integrated | HandOver:
    """Draw from the posterior of a design.

    Parameters
    ----------
    design
        Any; one that is not covered is handed over.
    settings
        Seed, chains and draws; tuning and target acceptance mean nothing here.
    limits
        What the weights must meet; the default gate if None.

    Returns
    -------
    Integrated or HandOver
        The latter where the design is not covered or no proposal has weights that can be relied on.
    """
    started = time.perf_counter()
    limits = limits or Thresholds()
    if why := unsupported(design):
        return HandOver(f"the model has {why}, which the quadrature engine does not cover")
    rng = np.random.default_rng(settings.seed)
    target = Target(design)
    wanted = settings.chains * settings.draws
    count = max(int(SURPLUS * wanted), LEAST_WEIGHTED)
    try:
        # What overflows gives a weight of zero or one that is not finite, and either shows in the diagnostics.
        with np.errstate(all="ignore"):
            approximation, proposal = approximate(target, rng)
            rounds = sample(approximation, proposal, rng, count=count)
    except np.linalg.LinAlgError as error:
        return HandOver(f"no proposal could be fitted to the posterior ({error})")
    best = best_of(rounds)
    # Written so that a value that is not a number is handed over.
    if not best.pareto_k <= limits.pareto_k_max:
        return HandOver(
            f"after {len(rounds)} proposals Pareto k is {best.pareto_k:.2f}, above {limits.pareto_k_max}: the "
            "importance weights are not to be relied on"
        )
    if not best.ess > limits.ess_min:
        return HandOver(
            f"the importance ESS is {best.ess:.0f} of {count:,} weighted draws, not above {limits.ess_min:.0f}"
        )
    chosen = rng.permutation(resample(np.exp(best.log_weights), wanted, rng))
    inexact = quadrature_error(target, best, chosen[:CHECKED])
    if not inexact <= MOST_ERROR:
        return HandOver(
            f"the integrals over the deviations are off by {inexact:.2g} in log L, more than {MOST_ERROR}: the cohorts "
            "are too extreme for the quadrature's nodes"
        )
    psi, b = best.psi[chosen], best.b[chosen]
    try:
        free = target.named(psi, b) | target.draw_deviations(psi, b, rng)
    except ArithmeticError as failure:
        return HandOver(f"deviations could not be drawn exactly ({failure})")
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
            quadrature_error=inexact,
        ),
        seconds=time.perf_counter() - started,
    )


def quadrature_error(target: Target, found: Round, chosen: Index) -> float:
    """Return the standard deviation of the error of log L at some draws; what all have in common weighs nothing."""
    with np.errstate(all="ignore"):
        finer = target.log_density(found.psi[chosen], found.b[chosen], fineness=CHECK_FINENESS)
    return float(np.std(finer - found.lp[chosen]))


def approximate(target: Target, rng: np.random.Generator) -> tuple[Approximation, Proposal]:
    """Return the normal approximation about the posterior's middle, and a proposal fitted to it."""
    unit = _units(target)
    approximation = Approximation(target)
    approximation = approximation.reworked(_mode(approximation, unit / 2))
    mixture: Mixture = (_at_mode(approximation, _mode(approximation, unit / 2)),)
    for _ in range(PILOTS):
        psi = draw(rng, mixture, PILOT)
        log_weights, _ = smooth(approximation.conditional(psi).log_evidence - log_density(psi, mixture))
        mixture = refit(psi, log_weights, components=1, nu=SCALE_NU, folded=True, rng=rng)
    d = target.matrix.shape[1]
    standard = Component(1.0, np.zeros(d), np.eye(d), COEFFICIENT_NU, folded=False)
    return approximation.reworked(np.exp(log_weights) @ psi), Proposal(mixture, widened((standard,)))


def widened(mixture: Mixture) -> Mixture:
    """Return a mixture of coefficients with a wide component about its first."""
    narrow = tuple(replace(part, weight=(1 - WIDE_SHARE) * part.weight) for part in mixture)
    return (*narrow, replace(mixture[0], weight=WIDE_SHARE, factor=WIDE * mixture[0].factor, nu=WIDE_NU))


def sample(approximation: Approximation, proposal: Proposal, rng: np.random.Generator, *, count: int) -> list[Round]:
    """Return rounds of weighted draws, each proposal refitted to the best round before, until the weights are good."""
    tried = [weigh(approximation, proposal, rng, TRIAL, fineness=TRIAL_FINENESS)]
    for components in TRIALS:
        if best_of(tried).good:
            break
        tried.append(weigh(approximation, _refitted(tried, components, rng), rng, TRIAL, fineness=TRIAL_FINENESS))
    rounds = [weigh(approximation, best_of(tried).proposal, rng, count)]
    for components in MIXTURES:
        if best_of(rounds).good:
            break
        rounds.append(weigh(approximation, _refitted(rounds, components, rng), rng, count))
    return rounds


def _refitted(rounds: Sequence[Round], components: int, rng: np.random.Generator) -> Proposal:
    best = best_of(rounds)
    scales = refit(best.psi, best.log_weights, components=components, nu=SCALE_NU, folded=True, rng=rng)
    coefficients = refit(best.u, best.log_weights, components=components, nu=REFITTED_NU, folded=False, rng=rng)
    return Proposal(scales, widened(coefficients))


def best_of(rounds: Sequence[Round]) -> Round:
    """Return the round with the most effective draws among those with good weights, else usable ones, else all."""
    for limit in (GOOD_K, Thresholds().pareto_k_max):
        if passed := [each for each in rounds if each.pareto_k <= limit]:
            return max(passed, key=lambda each: each.ess)
    return max(rounds, key=lambda each: each.ess)


def weigh(
    approximation: Approximation,
    proposal: Proposal,
    rng: np.random.Generator,
    count: int,
    *,
    fineness: Fineness = USUAL,
) -> Round:
    """Return draws of a proposal with their weights, exact up to the integrals' `fineness`."""
    psi = draw(rng, proposal.scales, count)
    b, u, log_proposal = approximation.conditional(psi).draw(rng, proposal.coefficients)
    lp = approximation.target.log_density(psi, b, fineness=fineness)
    log_weights, pareto_k = smooth(lp - log_proposal - log_density(psi, proposal.scales))
    return Round(proposal, psi, b, u, lp, log_weights, pareto_k, effective(log_weights))


def _units(target: Target) -> Array:
    """Return the scale of each scale's prior, shape (scale,)."""
    return np.array(
        [
            float(root_odds(np.array(item.prior.a / (item.prior.a + item.prior.b))))
            if isinstance(item.prior, Beta)
            else 2 * score_scale(item.prior)
            for item in target.scales
        ]
    )


def _mode(approximation: Approximation, start: Array) -> Array:
    """Return the scales with the highest density in the approximation, or near it: the pilots mend what it lacks."""
    from scipy.optimize import minimize

    unit = _units(approximation.target)

    def loss(log_psi: Array) -> float:
        return -float(approximation.conditional((np.exp(log_psi) * unit)[None, :]).log_evidence[0])

    found = minimize(
        loss,
        np.log(start / unit),
        method="Nelder-Mead",
        bounds=[MODE_BOUNDS] * len(unit),
        options={"xatol": 0.03, "fatol": 0.03},
    )
    mode: Array = np.exp(found.x) * unit
    return mode


def _at_mode(approximation: Approximation, mode: Array) -> Component:
    """Return a folded t with the mode and curvature of the approximation, which is even in each scale."""
    unit = _units(approximation.target)
    d = len(mode)
    steps = np.diag(np.minimum(0.15 * unit, 0.25 * mode + 0.02 * unit))
    hessian = np.zeros((d, d))
    for i in range(d):
        for j in range(d):
            corners = [mode + one * steps[i] + two * steps[j] for one in (1, -1) for two in (1, -1)]
            value = approximation.conditional(np.abs(np.array(corners))).log_evidence
            hessian[i, j] = (value[0] - value[1] - value[2] + value[3]) / (4 * steps[i, i] * steps[j, j])
    # In units of the priors' scales, where the curvature of a posterior is at least about one.
    values, vectors = np.linalg.eigh(-(hessian + hessian.T) / 2 * np.outer(unit, unit))
    covariance = (vectors / np.maximum(values, 1.0)) @ vectors.T * np.outer(unit, unit)
    return Component(1.0, mode, np.linalg.cholesky(covariance), SCALE_NU, folded=True)
