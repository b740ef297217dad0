"""Posterior of a model of log medians without chains.

Given the scales, log medians are jointly normal with every coefficient and deviation integrated out. A median not
reached adds the probability that its estimate lies beyond a bound, given the others: the estimates are drawn one after
the other from their truncated normals, and the product of the probabilities along the way is an unbiased estimate of
the joint one (the GHK simulator: Geweke 1991; Hajivassiliou, McFadden and Ruud 1996, doi:10.1016/0304-4076(94)01716-6).
With that product in the weights, joint draws of the scales and of these estimates are weighted exactly (importance
sampling squared: Tran et al. 2013, arXiv:1309.3339). Given both, the coefficients, then the groups' deviations, then
the cohorts' are drawn from their normal distributions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from alkbayes.errors import SamplingError
from alkbayes.evidence.medians import Medians
from alkbayes.inference.convergence import Check, Thresholds, failures_of, weight_checks
from alkbayes.inference.importance.proposals import GOOD_K, GOOD_SHARE, LEAST_EFFECTIVE, SCALE_NU, best_of
from alkbayes.inference.importance.target import MOST_SCALES
from alkbayes.inference.importance.weights import (
    Mixture,
    draw,
    effective,
    log_density,
    refit,
    resample,
    smooth,
    tempered,
)
from alkbayes.model.design import HeterogeneityBlock, Structure
from alkbayes.model.draws import Draws
from alkbayes.spec.priors import Normal, Prior

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]

PIECE = 200_000
"""Maximum size of an array, to fit a processor's cache."""
LEAST_PIECE = 32
"""Minimum number of parameter values in it, however many the cohorts."""
PILOT = 1000
"""Draws of a round that only looks for a proposal; the first is from the prior."""
PILOTS = (1,) * 10
"""Components of the proposals tried in such rounds, in turn until the weights are good."""
MIXTURES = (1, 3, 5)
"""Components of the proposals tried with all draws."""
SURPLUS = 1.5
"""Weighted draws for each draw kept."""
LEAST_WEIGHTED = 2000


@dataclass(frozen=True, slots=True)
class MedianPosterior:
    """Draws from the posterior of a model of medians.

    Attributes
    ----------
    draws
        Axes (draw, ...): scales, coefficients and deviations under their names, and `theta`, the log of each cohort's
        median, shape (draw, cohort).
    proposal
        Index of the weighted draw behind each, shape (draw,): equal for duplicates of scales and estimates.
    pareto_k, ess, weighted
        Tail shape, effective sample size and number of the weights.
    checks
        Checks of the convergence gate.
    """

    structure: Structure
    draws: Draws
    proposal: Index
    pareto_k: float
    ess: float
    weighted: int
    checks: tuple[Check, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """Failures, in words; empty if there are none."""
        return failures_of(self.checks)

    @property
    def converged(self) -> bool:
        """True if the gate was passed."""
        return not self.failures


@dataclass(frozen=True, slots=True)
class _Round:
    """Weighted draws of scales (S, scale) and of all log medians, those beyond a bound drawn, (S, cohort)."""

    psi: Array
    y: Array
    log_weights: Array
    pareto_k: float
    ess: float

    @property
    def good(self) -> bool:
        return self.pareto_k <= GOOD_K and self.ess >= GOOD_SHARE * len(self.psi)


@dataclass(frozen=True, slots=True)
class _Given:
    """Distribution of the coefficients given log medians, for S values of the scales.

    Attributes
    ----------
    mean, factor
        Mean, (S, coefficient), and lower Cholesky factor of the precision of the coefficients.
    log_density
        Log density of the log medians, with coefficients and deviations integrated out, (S,).
    weight, pull, slope
        For each group, sums over its cohorts of the weights, of these times the log medians, (S, group), and times the
        columns of the coefficients, (S, group, coefficient).
    shared
        Remaining variance of the group's deviation given the coefficients, (S, group).
    """

    mean: Array
    factor: Array
    log_density: Array
    weight: Array
    pull: Array
    slope: Array
    shared: Array


class LogMedians:
    """Log medians given scales, for many values of these at once.

    Attributes
    ----------
    structure, medians
        Effects and heterogeneity over the cohorts, and the data on their medians.
    scales
        Names and priors of the standard deviations, in the order of psi.
    """

    def __init__(self, structure: Structure, medians: Medians) -> None:
        self.structure, self.medians = structure, medians
        scaled = [block for block in structure.effects if block.sd_prior is not None]
        self.scales: dict[str, Prior] = {f"sd_{block.slug}": block.sd_prior for block in scaled if block.sd_prior}
        self.scales |= {f"tau_{term.slug}": term.sd_prior for term in structure.heterogeneity}
        if len(self.scales) > MOST_SCALES:
            raise SamplingError(f"the model has {len(self.scales)} standard deviations, more than {MOST_SCALES}")
        columns = [np.ones((len(structure.cohorts), 1)), *(block.basis[block.index] for block in structure.effects)]
        self._matrix: Array = np.hstack(columns)
        priors = (structure.intercept_prior, *(block.prior for block in structure.effects))
        normals = [(prior.mean, prior.sd) for prior in priors if isinstance(prior, Normal)]
        names, sizes = list(self.scales), [column.shape[1] for column in columns]
        self._mean, self._sd = np.repeat(np.array(normals), sizes, axis=0).T
        positions = [len(names)] + [
            len(names) if block.sd_prior is None else names.index(f"sd_{block.slug}") for block in structure.effects
        ]
        self._scale_of: Index = np.repeat(positions, sizes)
        self._known: Index = np.flatnonzero(medians.reached)
        # The farthest bound first: given it, the others are likely, so that the weights vary less. With 16
        # to 43 bounds that is two to eight times the effective draws.
        missed = np.flatnonzero(~medians.reached)
        self._missed: Index = missed[np.argsort(-medians.log_bound[missed], kind="stable")]
        everyone = np.zeros(len(structure.cohorts), dtype=np.intp)
        self._group: Index = everyone if structure.group is None else structure.group.index

    def log_prior(self, psi: Array) -> Array:
        """Return the log prior density of scales (S, scale), shape (S,)."""
        density = np.zeros(len(psi))
        for column, prior in enumerate(self.scales.values()):
            density += prior.log_density(psi[:, column])
        return density

    def draw_prior(self, rng: np.random.Generator, count: int) -> Array:
        """Return draws of the scales' prior, shape (count, scale)."""
        columns = [prior.draw(rng, (count,)) for prior in self.scales.values()]
        return np.stack(columns, axis=1) if columns else np.zeros((count, 0))

    def draw_coefficients(self, rng: np.random.Generator, count: int) -> Array:
        """Return draws of the coefficients' prior, shape (count, coefficient)."""
        b: Array = self._mean + self._sd * rng.standard_normal((count, len(self._mean)))
        return b

    def log_likelihood(self, psi: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return the log of an unbiased estimate of the likelihood of scales (S, scale), and the matching log medians.

        Returns
        -------
        log_likelihood
            Shape (S,); exact if every median was reached.
        y
            Log medians, shape (S, cohort): known ones, and draws of those beyond a bound.
        """
        value, y = np.zeros(len(psi)), np.tile(self.medians.log_median, (len(psi), 1))
        for rows in self._pieces(len(psi)):
            given = self._given(psi[rows], y[rows], self._known)
            value[rows] = given.log_density
            if not len(self._missed):
                continue
            mean, factor = self._beyond(psi[rows], given)
            e = np.zeros(mean.shape)
            for place, cohort in enumerate(self._missed):
                before = mean[:, place] + np.einsum("si,si->s", factor[:, place, :place], e[:, :place])
                sd = factor[:, place, place]
                log_beyond = log_ndtr((before - self.medians.log_bound[cohort]) / sd)
                value[rows] += log_beyond
                e[:, place] = -ndtri_exp(np.log(1 - rng.random(len(sd))) + log_beyond)
                y[rows, cohort] = before + sd * e[:, place]
        return value, y

    def draw(self, psi: Array, y: Array, rng: np.random.Generator) -> Draws:
        """Draw everything else given scales (S, scale) and log medians (S, cohort), axes (draw, ...)."""
        structure, everyone = self.structure, np.arange(y.shape[1])
        b = np.empty((len(psi), len(self._mean)))
        z = {f"z_{term.slug}": np.empty((len(psi), len(term.units))) for term in structure.heterogeneity}
        for rows in self._pieces(len(psi)):
            given = self._given(psi[rows], y[rows], everyone)
            noise = rng.standard_normal(given.mean.shape)
            b[rows] = given.mean + np.linalg.solve(given.factor.transpose(0, 2, 1), noise[:, :, None])[:, :, 0]
            left = y[rows] - (b[rows] * self._factors(psi[rows])) @ self._matrix.T
            if structure.group is not None:
                tau = self._tau(psi[rows], structure.group)[:, None]
                precision = 1 + tau**2 * given.weight
                pull = given.pull - np.einsum("sgp,sp->sg", given.slope, b[rows])
                deviation = tau * pull / precision + rng.standard_normal(pull.shape) / np.sqrt(precision)
                z[f"z_{structure.group.slug}"][rows] = deviation
                left -= tau * deviation[:, self._group]
            if structure.cohort is not None:
                tau = self._tau(psi[rows], structure.cohort)[:, None]
                variance = tau**2 + self.medians.se**2
                noise = self.medians.se * rng.standard_normal(left.shape)
                z[f"z_{structure.cohort.slug}"][rows] = (tau * left / variance) + noise / np.sqrt(variance)
        theta = (b * self._factors(psi)) @ self._matrix.T
        for term in structure.heterogeneity:
            theta += self._tau(psi, term)[:, None] * z[f"z_{term.slug}"][:, term.index]
        return self.named(psi, b) | z | {"theta": theta}

    def named(self, psi: Array, b: Array) -> Draws:
        """Return scales (S, scale) and coefficients (S, coefficient) under their names."""
        drawn: Draws = {name: psi[:, column] for column, name in enumerate(self.scales)} | {"alpha": b[:, 0]}
        start = 1
        for block in self.structure.effects:
            drawn[block.free] = b[:, start : start + block.basis.shape[1]]
            start += block.basis.shape[1]
        return drawn

    def _given(self, psi: Array, y: Array, cohorts: Index) -> "_Given":
        """Return the coefficients given some log medians, with deviations integrated out group by group.

        Sherman and Morrison 1950, doi:10.1214/aoms/1177729893.
        """
        order = cohorts[np.argsort(self._group[cohorts], kind="stable")]
        weight = 1 / (self._tau(psi, self.structure.cohort)[:, None] ** 2 + self.medians.se[order] ** 2)
        columns = self._matrix[order] * self._factors(psi)[:, None, :]
        weighted, own = weight[:, :, None] * columns, y[:, order]
        of_group = self._group[order]
        starts = np.flatnonzero(np.r_[True, np.diff(of_group) != 0][: len(order)])

        def by_group(values: Array) -> Array:
            sums = np.zeros((len(psi), int(self._group.max()) + 1, *values.shape[2:]))
            if len(order):
                sums[:, of_group[starts]] = np.add.reduceat(values, starts, axis=1)
            return sums

        total, pull, slope = by_group(weight), by_group(weight * own), by_group(weighted)
        tau2 = self._tau(psi, self.structure.group)[:, None] ** 2
        shared = tau2 / (1 + tau2 * total)
        prior = 1 / self._sd**2
        scaled = np.sqrt(shared)[:, :, None] * slope
        precision = weighted.transpose(0, 2, 1) @ columns - scaled.transpose(0, 2, 1) @ scaled + np.diag(prior)
        right = np.einsum("skp,sk->sp", weighted, own) - np.einsum("sgp,sg->sp", slope, shared * pull)
        right += prior * self._mean
        factor = np.linalg.cholesky(precision)
        half = np.linalg.solve(factor, right[:, :, None])
        mean = np.linalg.solve(factor.transpose(0, 2, 1), half)[:, :, 0]
        square = (weight * own**2).sum(axis=1) - (shared * pull**2).sum(axis=1) + (prior * self._mean**2).sum()
        log_determinant = np.log1p(tau2 * total).sum(axis=1) - np.log(weight).sum(axis=1) - np.log(prior).sum()
        log_determinant += 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        log_density = (half[:, :, 0] ** 2).sum(axis=1) - square - log_determinant - len(order) * np.log(2 * np.pi)
        return _Given(mean, factor, log_density / 2, total, pull, slope, shared)

    def _beyond(self, psi: Array, given: "_Given") -> tuple[Array, Array]:
        """Return the mean and the Cholesky factor of the estimates beyond a bound, given the known ones."""
        group, shared = self._group[self._missed], given.shared[:, self._group[self._missed]]
        columns = self._matrix[self._missed] * self._factors(psi)[:, None, :]
        columns -= shared[:, :, None] * given.slope[:, group]
        mean = np.einsum("scp,sp->sc", columns, given.mean) + shared * given.pull[:, group]
        half = np.linalg.solve(given.factor, columns.transpose(0, 2, 1))
        covariance = half.transpose(0, 2, 1) @ half + shared[:, :, None] * (group[:, None] == group)
        diagonal = np.arange(len(group))
        own = self._tau(psi, self.structure.cohort)[:, None] ** 2 + self.medians.se[self._missed] ** 2
        covariance[:, diagonal, diagonal] += own
        return mean, np.linalg.cholesky(covariance)

    def _factors(self, psi: Array) -> Array:
        return np.hstack([psi, np.ones((len(psi), 1))])[:, self._scale_of]

    def _tau(self, psi: Array, term: HeterogeneityBlock | None) -> Array:
        """Return the standard deviation of a level of heterogeneity, (S,); 0 if the model lacks it."""
        return np.zeros(len(psi)) if term is None else psi[:, list(self.scales).index(f"tau_{term.slug}")]

    def _pieces(self, count: int) -> Iterator[slice]:
        numbers = len(self._group) * self._matrix.shape[1] + len(self._missed) ** 2
        step = max(LEAST_PIECE, PIECE // numbers)
        return (slice(start, min(start + step, count)) for start in range(0, count, step))


def prior_medians(structure: Structure, medians: Medians, *, seed: int, draws: int) -> MedianPosterior:
    """Return prior draws in the form of a posterior, without `theta`."""
    target, rng = LogMedians(structure, medians), np.random.default_rng([seed, 3])
    psi, b = target.draw_prior(rng, draws), target.draw_coefficients(rng, draws)
    return MedianPosterior(structure, target.named(psi, b), np.arange(draws), 0.0, float(draws), draws, ())


def sample_medians(
    structure: Structure, medians: Medians, *, seed: int, draws: int, limits: Thresholds | None = None
) -> MedianPosterior:
    """Draw from the posterior of a model of medians.

    Parameters
    ----------
    structure
        Effects and heterogeneity over the cohorts of `medians`; coefficients have normal priors.
    seed
        Random seed for all draws.
    draws
        Number of draws kept.
    limits
        Requirements for the weights; the default gate if None.

    Raises
    ------
    SamplingError
        If the model has too many standard deviations, or no proposal can be fitted.
    """
    target, rng = LogMedians(structure, medians), np.random.default_rng([seed, 0])
    count = max(int(SURPLUS * draws), LEAST_WEIGHTED)
    try:
        # Overflow gives a weight that is zero or not finite, and either shows in the diagnostics.
        with np.errstate(all="ignore"):
            found = _weighted(target, rng, count)
    except np.linalg.LinAlgError as error:
        raise SamplingError(f"no proposal could be fitted to the posterior of the medians ({error})") from error
    chosen = rng.permutation(resample(np.exp(found.log_weights), draws, rng))
    return MedianPosterior(
        structure=structure,
        draws=target.draw(found.psi[chosen], found.y[chosen], rng),
        proposal=chosen,
        pareto_k=found.pareto_k,
        ess=found.ess,
        weighted=count,
        checks=weight_checks(found.pareto_k, found.ess, chosen, limits or Thresholds()),
    )


def _weighted(target: LogMedians, rng: np.random.Generator, count: int) -> _Round:
    """Return the best of several rounds of `count` weighted draws."""
    if not target.scales:
        return _weigh(target, None, rng, count)
    tried = [_weigh(target, None, rng, PILOT)]
    for components in PILOTS:
        tried.append(_weigh(target, _fitted(best_of(tried), components, rng), rng, PILOT))
        if tried[-1].good:
            break
    rounds: list[_Round] = []
    for components in MIXTURES:
        rounds.append(_weigh(target, _fitted(best_of([*tried, *rounds]), components, rng), rng, count))
        if rounds[-1].good:
            break
    return best_of(rounds)


def _fitted(found: _Round, components: int, rng: np.random.Generator) -> Mixture:
    log_weights = tempered(found.log_weights, least=LEAST_EFFECTIVE)
    return refit(found.psi, log_weights, components=components, nu=SCALE_NU, folded=True, rng=rng)


def _weigh(target: LogMedians, mixture: Mixture | None, rng: np.random.Generator, count: int) -> _Round:
    """Return weighted draws from a mixture for the scales, or from their prior."""
    psi = target.draw_prior(rng, count) if mixture is None else draw(rng, mixture, count)
    ratio, y = target.log_likelihood(psi, rng)
    if mixture is not None:
        ratio = ratio + target.log_prior(psi) - log_density(psi, mixture)
    if np.ptp(ratio) == 0:
        # Nothing is left to weight: no scales, and no bounds.
        return _Round(psi, y, np.full(count, -np.log(count)), -np.inf, float(count))
    log_weights, pareto_k = smooth(ratio)
    return _Round(psi, y, log_weights, pareto_k, effective(log_weights))
