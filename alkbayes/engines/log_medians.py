"""The posterior of a model of log medians without chains.

Given the scales, log medians are jointly normal with every coefficient and deviation integrated out. A median that was
not reached adds the probability that its estimate lies beyond a bound, given the others: the estimates are drawn one
after the other from their truncated normals, and the product of the probabilities on the way is an unbiased estimate
of the joint one (the GHK simulator: Geweke 1991; Hajivassiliou, McFadden and Ruud 1996,
doi:10.1016/0304-4076(94)01716-6). With that product in the weights, draws of the scales and of these estimates together
are weighted exactly (importance sampling squared: Tran et al. 2013, arXiv:1309.3339). Given both, everything else is
drawn from its joint normal distribution, by conditioning a draw of the prior (Matheron's rule; Doucet 2010).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from alkbayes.design import Structure
from alkbayes.diagnostics import Thresholds, judge_weights
from alkbayes.draws import Draws
from alkbayes.engines.importance import Mixture, draw, effective, log_density, refit, resample, smooth, tempered
from alkbayes.engines.proposals import GOOD_K, GOOD_SHARE, LEAST_EFFECTIVE, SCALE_NU, best_of
from alkbayes.engines.target import MOST_SCALES
from alkbayes.errors import SamplingError
from alkbayes.medians import Medians
from alkbayes.priors import Normal, Prior

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]

PIECE = 200_000
"""Numbers of one array, parameter values times cohorts squared: what a processor keeps near."""
LEAST_PIECE = 32
"""Parameter values of one, however many cohorts there are."""
PILOT = 1000
"""Draws of a round that only looks for a proposal; the first is of the prior."""
PILOTS = (1, 1, 1)
"""Components of the proposals that are tried on so many, one after the other until the weights are good."""
MIXTURES = (1, 3, 5)
"""And on all draws."""
SURPLUS = 1.5
"""Weighted draws for each that is kept."""
LEAST_WEIGHTED = 2000


@dataclass(frozen=True, slots=True)
class MedianPosterior:
    """Draws from the posterior of a model of medians.

    Attributes
    ----------
    structure
        Of the model.
    draws
        Axes (draw, ...): scales, coefficients and deviations under their names, and `theta`, the log of each cohort's
        median, shape (draw, cohort).
    proposal
        Which of the weighted draws each is, shape (draw,): those of one number are duplicates of scales and estimates.
    pareto_k, ess, weighted
        Of the weights, and how many there were.
    failures
        What the convergence gate found, in words; empty if it was passed.
    """

    structure: Structure
    draws: Draws
    proposal: Index
    pareto_k: float
    ess: float
    weighted: int
    failures: tuple[str, ...]

    @property
    def converged(self) -> bool:
        """Whether the gate was passed."""
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


class LogMedians:
    """Log medians given scales, for many values of these at once.

    Attributes
    ----------
    structure, medians
        Effects and heterogeneity over the cohorts, and what is known of their medians.
    scales
        Names and priors of the standard deviations, in the order of psi.
    """

    def __init__(self, structure: Structure, medians: Medians) -> None:
        self.structure, self.medians = structure, medians
        scaled = [block for block in structure.effects if block.sd_prior is not None]
        self.scales: dict[str, Prior] = {f"sd_{block.slug}": block.sd_prior for block in scaled if block.sd_prior}
        self.scales |= {f"tau_{term.label}": term.sd_prior for term in structure.heterogeneity}
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
        # What is drawn comes after what is known, and the farthest bound first: what lies beyond it makes the others
        # likely, so that the weights vary less. With 16 to 43 bounds that is two to eight times the effective draws.
        self._order: Index = np.lexsort((-np.nan_to_num(medians.log_bound), ~medians.reached))
        index_of = {term.label: term.index[self._order] for term in structure.heterogeneity}
        self._same_unit = {label: np.nonzero(index[:, None] == index) for label, index in index_of.items()}

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
        """Return the log likelihood of scales, without bias of its exponential, and the log medians that go with it.

        Parameters
        ----------
        psi
            Shape (S, scale).
        rng
            Draws the estimates that lie beyond a bound.

        Returns
        -------
        log_likelihood
            Shape (S,); exact where every median was reached.
        y
            Log medians, shape (S, cohort): known ones, and draws of the others.
        """
        value, y = np.zeros(len(psi)), np.tile(self.medians.log_median, (len(psi), 1))
        for rows in self._pieces(len(psi)):
            factor, mean = self._moments(psi[rows])
            e = np.zeros(mean.shape)
            for place, cohort in enumerate(self._order):
                before = mean[:, place] + np.einsum("si,si->s", factor[:, place, :place], e[:, :place])
                sd = factor[:, place, place]
                if self.medians.reached[cohort]:
                    e[:, place] = (self.medians.log_median[cohort] - before) / sd
                    value[rows] -= e[:, place] ** 2 / 2 + np.log(sd) + np.log(2 * np.pi) / 2
                    continue
                log_beyond = log_ndtr((before - self.medians.log_bound[cohort]) / sd)
                value[rows] += log_beyond
                e[:, place] = -ndtri_exp(np.log(1 - rng.random(len(sd))) + log_beyond)
                y[rows, cohort] = before + sd * e[:, place]
        return value, y

    def draw(self, psi: Array, y: Array, rng: np.random.Generator) -> Draws:
        """Draw everything else given scales (S, scale) and log medians (S, cohort), axes (draw, ...)."""
        structure, count = self.structure, len(psi)
        b = self.draw_coefficients(rng, count)
        z = {term.label: rng.standard_normal((count, len(term.units))) for term in structure.heterogeneity}
        noise = self.medians.se * rng.standard_normal(y.shape)
        for rows in self._pieces(count):
            factor, _ = self._moments(psi[rows])
            lacking = y[rows] - self._theta(psi[rows], b[rows], {name: all_[rows] for name, all_ in z.items()})
            pull = np.empty_like(lacking)
            pull[:, self._order] = _solve(factor, (lacking - noise[rows])[:, self._order])
            b[rows] += self._sd**2 * self._factors(psi[rows]) * (pull @ self._matrix)
            for term in structure.heterogeneity:
                member = np.eye(len(term.units))[term.index]
                z[term.label][rows] += self._scale(psi[rows], f"tau_{term.label}")[:, None] * (pull @ member)
        deviations = {f"z_{label}": values for label, values in z.items()}
        return self.named(psi, b) | deviations | {"theta": self._theta(psi, b, z)}

    def named(self, psi: Array, b: Array) -> Draws:
        """Return scales (S, scale) and coefficients (S, coefficient) under their names."""
        drawn: Draws = {name: psi[:, column] for column, name in enumerate(self.scales)} | {"alpha": b[:, 0]}
        start = 1
        for block in self.structure.effects:
            drawn[block.free] = b[:, start : start + block.basis.shape[1]]
            start += block.basis.shape[1]
        return drawn

    def _theta(self, psi: Array, b: Array, z: Draws) -> Array:
        theta: Array = (b * self._factors(psi)) @ self._matrix.T
        for term in self.structure.heterogeneity:
            theta += self._scale(psi, f"tau_{term.label}")[:, None] * z[term.label][:, term.index]
        return theta

    def _moments(self, psi: Array) -> tuple[Array, Array]:
        """Return the Cholesky factor of the log medians' covariance and their mean, known ones first."""
        columns = self._matrix[self._order] * self._factors(psi)[:, None, :]
        scaled = columns * self._sd
        covariance = scaled @ scaled.transpose(0, 2, 1)
        for term in self.structure.heterogeneity:
            one, other = self._same_unit[term.label]
            covariance[:, one, other] += self._scale(psi, f"tau_{term.label}")[:, None] ** 2
        diagonal = np.arange(len(self._order))
        covariance[:, diagonal, diagonal] += self.medians.se[self._order] ** 2
        return np.linalg.cholesky(covariance), columns @ self._mean

    def _factors(self, psi: Array) -> Array:
        return np.hstack([psi, np.ones((len(psi), 1))])[:, self._scale_of]

    def _scale(self, psi: Array, name: str) -> Array:
        return psi[:, list(self.scales).index(name)]

    def _pieces(self, count: int) -> Iterator[slice]:
        step = max(LEAST_PIECE, PIECE // len(self._order) ** 2)
        return (slice(start, min(start + step, count)) for start in range(0, count, step))


def prior_medians(structure: Structure, medians: Medians, *, seed: int, draws: int) -> MedianPosterior:
    """Return draws of the prior in the form of a posterior's, without `theta`: what the priors say of medians."""
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
    medians
        What is known.
    seed
        Decides every draw.
    draws
        How many are kept.
    limits
        What the weights must meet; the default gate if None.

    Raises
    ------
    SamplingError
        If the model has too many standard deviations, or no proposal can be fitted.
    """
    target, rng = LogMedians(structure, medians), np.random.default_rng([seed, 0])
    count = max(int(SURPLUS * draws), LEAST_WEIGHTED)
    try:
        # What overflows gives a weight of zero or one that is not finite, and either shows in the diagnostics.
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
        failures=tuple(judge_weights(found.pareto_k, found.ess, chosen, limits or Thresholds())),
    )


def _weighted(target: LogMedians, rng: np.random.Generator, count: int) -> _Round:
    """Return the best of some rounds of `count` weighted draws."""
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
    """Return weighted draws of a mixture of scales, or of their prior."""
    psi = target.draw_prior(rng, count) if mixture is None else draw(rng, mixture, count)
    ratio, y = target.log_likelihood(psi, rng)
    if mixture is not None:
        ratio = ratio + target.log_prior(psi) - log_density(psi, mixture)
    if np.ptp(ratio) == 0:
        # Nothing is left to weigh: no scales, and no bounds.
        return _Round(psi, y, np.full(count, -np.log(count)), -np.inf, float(count))
    log_weights, pareto_k = smooth(ratio)
    return _Round(psi, y, log_weights, pareto_k, effective(log_weights))


def _solve(factor: Array, right: Array) -> Array:
    """Return x with factor factor' x = right, for lower factors (S, k, k) and shape (S, k)."""
    x = right.copy()
    size = x.shape[1]
    for place in range(size):
        x[:, place] -= np.einsum("si,si->s", factor[:, place, :place], x[:, :place])
        x[:, place] /= factor[:, place, place]
    for place in reversed(range(size)):
        x[:, place] -= np.einsum("si,si->s", factor[:, place + 1 :, place], x[:, place + 1 :])
        x[:, place] /= factor[:, place, place]
    return x
