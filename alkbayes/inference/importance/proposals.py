"""Proposals of the global parameters, their exact weights, and how a proposal is bettered until the weights are good.

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
MANY = 2000
"""Cohorts from which on time is saved: by fewer draws of a trial round and, where log L does not mind, fewer nodes."""
TRIAL, LEAST_TRIAL = 1000, 300
"""Draws of a trial round, of a usual table and of one with many cohorts."""
TRIALS = (1, 1, 1, 3)
"""Components of proposals that are tried, one after the other until the weights are good, before all draws are made:
with thousands of cohorts the posterior is narrow, and the approximation beside it."""
LEAST_EFFECTIVE = 20.0
"""Draws that a proposal is refitted to, in effect: of fewer, a covariance tells nothing."""
TRIAL_FINENESS = Fineness(Nodes(outer=5, inner=5), Rule(points=9, drop=8.0, tolerance=0.1), tabulated=True)
"""Error of log L about 0.003 on the bundled evidence: enough to find a proposal, and three times as fast."""
FEWER_NODES, NEGLIGIBLE = USUAL._replace(nodes=Nodes(outer=7, inner=7)), 1e-5
"""Nodes that do where they change log L by no more than this, standard deviation over the posterior, at half the work.
What all draws have in common weighs nothing."""
MIXTURES = (1, 3, 5)
"""Components of the proposals that are refitted to exact weights, one after the other until the weights are good."""
LOG_COMPONENTS = (4, 6, 8)
"""Components of proposals of the scales' logarithms."""
WIDE_LOGS = ((-0.5, 0.8), (-3.0, 2.5))
"""Centre, from the logarithm of the prior's scale, and width of components for scales as large as the prior has them,
and for small ones."""
POOL, PROBES, MORE_PROBES = 1000, 500, 4000
"""Draws of either half of what a broad proposal is fitted to in the approximation, and those that are weighted: few at
first, and more where these say that the proposal is thin, which a single draw of theirs may."""
SURE = 3.0
"""Standard errors by which more draws must say so."""
LOG_NU = 20.0
"""Degrees of freedom there. Heavier tails reach scales so large that no number holds their precision."""
THIN = 10.0
"""A proposal is thin where the posterior's density is more than so many times its own."""
CHECKED = 50
"""Draws whose log L is computed once more, with fewer nodes or more."""
MODE_BOUNDS = (-4.0, 4.0)
"""Of a scale's logarithm, in units of its prior's scale: a scale may be best at zero, and the search stops before."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Mixtures of the scales, and of the coefficients in units of their approximate distribution given the scales.

    Attributes
    ----------
    scales
        Of the scales, folded; or of their logarithms.
    coefficients
        Of the coefficients.
    logarithmic
        Whether `scales` is of logarithms.
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

    Weights tell nothing of what their own draws have not met. The proposal of these is a mixture on the log scale, with
    two wide components, fitted to the approximation wherever a scale may be: a scale that cohorts hardly tell from zero
    has a density like its inverse's over two or three orders of magnitude, and no t with one width has tails for that.
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

    A share above `most` is looked at again with more draws, and then is what they leave of it less `SURE` standard
    errors.
    """
    seen = probe(approximation, proposal, rng)
    share = thin_share(seen, proposal)
    if share > most:
        seen = probe(approximation, proposal, rng, count=MORE_PROBES)
        share = thin_share(seen, proposal, errors=SURE)
    return seen, share


def thin_share(seen: Round, proposal: Proposal, *, errors: float = 0.0) -> float:
    """Return the share of the posterior, by the draws of `probe`, beyond `THIN` times a proposal's density.

    It is about what would be lost if no weight could be larger than that. So many standard `errors` of it are taken
    off, those of a ratio of weighted sums.
    """
    log_ratio = seen.log_weights + np.log(len(seen.lp))
    for one, sign in ((seen.proposal, 1.0), (proposal, -1.0)):
        log_ratio = log_ratio + sign * (one.log_density_of_scales(seen.psi) + log_density(seen.u, one.coefficients))
    beyond = -np.expm1(np.minimum(np.log(THIN) - log_ratio, 0.0))
    # What is not a number is beyond.
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
    """Return a proposal fitted to weighted logarithms of scales, with the wide components of the one before."""
    fitted = refit(logs, log_weights, components=components, nu=LOG_NU, folded=False, rng=rng)
    wide = before.scales[-len(WIDE_LOGS) :]
    parts = [(part, (1 - WIDE_SHARE * len(wide)) * part.weight) for part in fitted]
    parts += [(part, WIDE_SHARE) for part in wide]
    return replace(before, scales=tuple(replace(part, weight=weight) for part, weight in parts))


def enough(target: Target, found: Round, chosen: Index) -> Fineness:
    """Return how exactly deviations must be integrated out for log L at some draws."""
    with np.errstate(all="ignore"):
        full, fewer = (
            target.log_density(found.psi[chosen], found.b[chosen], fineness=fineness)
            for fineness in (USUAL, FEWER_NODES)
        )
    # Written so that a value that is not a number takes all nodes.
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
        """Shape of the weights' tail."""

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
