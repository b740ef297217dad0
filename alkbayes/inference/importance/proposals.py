"""Proposals for the global parameters, their exact weights, and refitting until the weights are good.

The scales are proposed from a mixture of folded Student t's, fitted to an approximation in which each cohort's
likelihood is normal; the coefficients given the scales from their conditional distribution in that approximation, with
heavier tails.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alkbayes.inference.convergence import Thresholds
from alkbayes.inference.importance.approximation import Approximation
from alkbayes.inference.importance.target import USUAL, Fineness, Target, root_odds
from alkbayes.inference.importance.weights import (
    Component,
    Mixture,
    draw,
    effective,
    log_density,
    refit,
    resample,
    smooth,
    tempered,
)
from alkbayes.likelihood.binomial_normal.marginal import Nodes
from alkbayes.likelihood.general.lattice import Rule
from alkbayes.model.parametrisation import score_scale
from alkbayes.spec.priors import Beta

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]

GOOD_K = 0.5
"""Pareto k above which the proposal is refitted (Vehtari et al. 2024, arXiv:1507.02646)."""
GOOD_SHARE = 0.3
"""Effective share of the weighted draws below which it is refitted too."""
SCALE_NU, COEFFICIENT_NU = 6.0, 20.0
"""Degrees of freedom of the proposals: tails heavier than the posterior's, but not so heavy as to waste draws. Given
the scales the coefficients are nearly normal."""
REFITTED_NU = 8.0
"""Degrees of freedom of the coefficients' proposal once fitted to weighted draws, which say little of the tails."""
WIDE_SHARE, WIDE_NU, WIDE = 0.1, 4.0, 2.0
"""Share, degrees of freedom and width of a defensive component of the coefficients' proposal (Hesterberg 1995,
doi:10.1080/00401706.1995.10484303): the logit of a level whose cohorts have no responders has the prior's tail on one
side."""
PILOTS, PILOT = 2, 1000
"""Rounds in the approximation, at almost no cost, and the draws of each."""
MANY = 2000
"""Cohorts from which time is saved by fewer draws in a trial round and, if log L permits, fewer nodes."""
TRIAL, LEAST_TRIAL = 1000, 300
"""Draws of a trial round, for a usual table and for one with many cohorts."""
TRIALS = (1, 1, 1, 3)
"""Components of the proposals tried, in turn until the weights are good, before all draws are made: with thousands of
cohorts the narrow posterior lies away from the approximation."""
LEAST_EFFECTIVE = 20.0
"""Minimum effective draws for refitting a proposal: fewer determine no covariance."""
TRIAL_FINENESS = Fineness(Nodes(outer=5, inner=5), Rule(points=9, drop=8.0, tolerance=0.1), tabulated=True)
"""Error of log L about 0.003 on the bundled evidence: enough to find a proposal, and three times as fast."""
FEWER_NODES, NEGLIGIBLE = USUAL._replace(nodes=Nodes(outer=7, inner=7)), 1e-5
"""Fewer nodes, at half the work, if they change log L by at most this standard deviation over the posterior; a common
error does not matter."""
MIXTURES = (1, 3, 5)
"""Components of the proposals refitted to exact weights, in turn until the weights are good."""
LOG_COMPONENTS = (4, 6, 8)
"""Components of proposals for the log scales."""
WIDE_LOGS = ((-0.5, 0.8), (-3.0, 2.5))
"""Centre (relative to the log of the prior's scale) and width of components for scales as large as in the prior, and
for small ones."""
POOL, PROBES, MORE_PROBES = 1000, 500, 4000
"""Draws of each half of the sample to which a broad proposal is fitted in the approximation, and draws weighted: few at
first, and more if these suggest a thin proposal, which a single one of them may."""
SURE = 3.0
"""Standard errors by which more draws must confirm it."""
LOG_NU = 20.0
"""Degrees of freedom on the log scale. Heavier tails reach scales whose precision overflows."""
THIN = 10.0
"""A proposal is thin where the posterior density exceeds its own by more than this factor."""
CHECKED = 50
"""Draws whose log L is recomputed with fewer or more nodes."""
MODE_BOUNDS = (-4.0, 4.0)
"""Bounds of a log scale, in units of its prior's scale: the mode may be at zero, and the search stops before."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Mixtures for the scales, and for the coefficients in units of their approximate distribution given the scales.

    Attributes
    ----------
    scales
        Mixture for the scales, folded, or for their logarithms if `logarithmic`.
    coefficients
        Mixture for the coefficients.
    """

    scales: Mixture
    coefficients: Mixture
    logarithmic: bool = False

    def draw_scales(self, rng: np.random.Generator, count: int) -> Array:
        """Return `count` draws of the scales, shape (count, scale)."""
        drawn = draw(rng, self.scales, count)
        return np.exp(drawn) if self.logarithmic else drawn

    def log_density_of_scales(self, psi: Array) -> Array:
        """Return the log density of scales, shape (S, scale)."""
        if not self.logarithmic:
            return log_density(psi, self.scales)
        logs = np.log(psi)
        density: Array = log_density(logs, self.scales) - logs.sum(axis=1)
        return density


@dataclass(frozen=True, slots=True)
class Round:
    """Weighted draws of scales (S, scale) and coefficients (S, coefficient).

    Attributes
    ----------
    proposal
        Their proposal.
    psi, b, u
        Scales, coefficients, and these in the units of :class:`Proposal`.
    lp, log_weights
        Log posterior density, and normalised log weights, shape (S,).
    pareto_k, ess
        Tail shape and effective sample size of the weights.
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
        """True if no better proposal is sought."""
        return self.pareto_k <= GOOD_K and self.ess >= GOOD_SHARE * len(self.lp)


def approximate(target: Target, rng: np.random.Generator) -> tuple[Approximation, Proposal]:
    """Return the normal approximation about the posterior's centre, and a proposal fitted to it."""
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
    target = approximation.target
    many = len(target.design.cohorts) >= MANY
    trial = LEAST_TRIAL if many else TRIAL
    tried = [weigh(approximation, proposal, rng, trial, fineness=TRIAL_FINENESS)]
    for components in TRIALS:
        if best_of(tried).good:
            break
        tried.append(weigh(approximation, _refitted(tried, components, rng), rng, trial, fineness=TRIAL_FINENESS))
    best = best_of(tried)
    fineness = USUAL
    if many and best.good:  # else its draws may be few, and alike
        fineness = enough(target, best, resample(np.exp(best.log_weights), CHECKED, rng))
    rounds = [weigh(approximation, best.proposal, rng, count, fineness=fineness)]
    for components in MIXTURES:
        if best_of(rounds).good:
            break
        rounds.append(weigh(approximation, _refitted(rounds, components, rng), rng, count, fineness=fineness))
    return rounds


def probe(approximation: Approximation, proposal: Proposal, rng: np.random.Generator, *, count: int = PROBES) -> Round:
    """Return weighted draws of the scales over all their orders of magnitude.

    Weights say nothing about regions without draws. The proposal here is a mixture on the log scale, with two wide
    components, fitted to the approximation over all possible scales: a scale barely distinguishable from zero has a
    density like its inverse's over two or three orders of magnitude, for which no t of one width has the tails.
    """
    unit = np.log(_units(approximation.target))
    wide = tuple(
        Component(1 / len(WIDE_LOGS), unit + shift, width * np.eye(len(unit)), LOG_NU, folded=False)
        for shift, width in WIDE_LOGS
    )
    everywhere = replace(proposal, scales=wide, logarithmic=True)
    psi = np.concatenate([each.draw_scales(rng, POOL) for each in (proposal, everywhere)])
    pooled = np.logaddexp(*(each.log_density_of_scales(psi) for each in (proposal, everywhere)))
    log_weights, _ = smooth(approximation.conditional(psi).log_evidence - pooled)
    broad = _broad(np.log(psi), log_weights, everywhere, LOG_COMPONENTS[0], rng)
    return weigh(approximation, broad, rng, count, fineness=TRIAL_FINENESS)


def look_for_thin(
    approximation: Approximation, proposal: Proposal, rng: np.random.Generator, *, most: float
) -> tuple[Round, float]:
    """Return draws of `probe`, and the share of the posterior that a proposal covers thinly.

    A share above `most` is checked with more draws, and is then their estimate minus `SURE` standard errors.
    """
    seen = probe(approximation, proposal, rng)
    share = thin_share(seen, proposal)
    if share > most:
        seen = probe(approximation, proposal, rng, count=MORE_PROBES)
        share = thin_share(seen, proposal, errors=SURE)
    return seen, share


def thin_share(seen: Round, proposal: Proposal, *, errors: float = 0.0) -> float:
    """Return the share of the posterior, by the draws of `probe`, beyond `THIN` times a proposal's density.

    This is roughly the loss if no weight could exceed `THIN`. `errors` standard errors (of a ratio of weighted sums)
    are subtracted.
    """
    log_ratio = seen.log_weights + np.log(len(seen.lp))
    for one, sign in ((seen.proposal, 1.0), (proposal, -1.0)):
        log_ratio = log_ratio + sign * (one.log_density_of_scales(seen.psi) + log_density(seen.u, one.coefficients))
    beyond = -np.expm1(np.minimum(np.log(THIN) - log_ratio, 0.0))
    # NaN counts as beyond.
    weights, beyond = np.exp(seen.log_weights), np.nan_to_num(beyond, nan=1.0)
    share = float(weights @ beyond)
    return max(share - errors * float(np.sqrt((weights * (beyond - share)) @ (weights * (beyond - share)))), 0.0)


def sample_broadly(
    approximation: Approximation, seen: Round, rng: np.random.Generator, *, count: int
) -> Iterator[Round]:
    """Yield rounds of weighted draws: from the proposal of `probe`, then from ones fitted to the best round before."""
    rounds = [weigh(approximation, seen.proposal, rng, count)]
    yield rounds[0]
    for components in LOG_COMPONENTS:
        best = best_of(rounds)
        log_weights = tempered(best.log_weights, least=LEAST_EFFECTIVE)
        broad = _broad(np.log(best.psi), log_weights, best.proposal, components, rng)
        coefficients = refit(best.u, log_weights, components=MIXTURES[0], nu=REFITTED_NU, folded=False, rng=rng)
        rounds.append(weigh(approximation, replace(broad, coefficients=widened(coefficients)), rng, count))
        yield rounds[-1]


def _broad(logs: Array, log_weights: Array, before: Proposal, components: int, rng: np.random.Generator) -> Proposal:
    """Return a proposal fitted to weighted log scales, with the wide components of the previous one."""
    fitted = refit(logs, log_weights, components=components, nu=LOG_NU, folded=False, rng=rng)
    wide = before.scales[-len(WIDE_LOGS) :]
    parts = [(part, (1 - WIDE_SHARE * len(wide)) * part.weight) for part in fitted]
    parts += [(part, WIDE_SHARE) for part in wide]
    return replace(before, scales=tuple(replace(part, weight=weight) for part, weight in parts))


def enough(target: Target, found: Round, chosen: Index) -> Fineness:
    """Return the integration accuracy needed for log L at some draws."""
    with np.errstate(all="ignore"):
        full, fewer = (
            target.log_density(found.psi[chosen], found.b[chosen], fineness=fineness)
            for fineness in (USUAL, FEWER_NODES)
        )
    # Written so that NaN takes all nodes.
    return FEWER_NODES if np.std(fewer - full) <= NEGLIGIBLE else USUAL


def _refitted(rounds: Sequence[Round], components: int, rng: np.random.Generator) -> Proposal:
    best = best_of(rounds)
    log_weights = tempered(best.log_weights, least=LEAST_EFFECTIVE)
    scales = refit(best.psi, log_weights, components=components, nu=SCALE_NU, folded=True, rng=rng)
    coefficients = refit(best.u, log_weights, components=components, nu=REFITTED_NU, folded=False, rng=rng)
    return Proposal(scales, widened(coefficients))


class Weighted(Protocol):
    """Draws with weights."""

    @property
    def pareto_k(self) -> float:
        """Tail shape of the weights."""

    @property
    def ess(self) -> float:
        """Effective sample size of the weights."""


def best_of[W: Weighted](rounds: Sequence[W]) -> W:
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
    psi = proposal.draw_scales(rng, count)
    b, u, log_proposal = approximation.conditional(psi).draw(rng, proposal.coefficients)
    lp = approximation.target.log_density(psi, b, fineness=fineness)
    log_weights, pareto_k = smooth(lp - log_proposal - proposal.log_density_of_scales(psi))
    return Round(proposal, psi, b, u, lp, log_weights, pareto_k, effective(log_weights))


def _units(target: Target) -> Array:
    """Return the prior's scale for each scale, shape (scale,)."""
    return np.array(
        [
            float(root_odds(np.array(item.prior.a / (item.prior.a + item.prior.b))))
            if isinstance(item.prior, Beta)
            else 2 * score_scale(item.prior)
            for item in target.scales
        ]
    )


def _mode(approximation: Approximation, start: Array) -> Array:
    """Return the scales near the mode of the approximation; the pilot rounds correct any error."""
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
