"""Mixtures of beta distributions, the form of a planned trial's prior.

They are conjugate to responder counts: each component is updated, and its weight changes with how well it predicted the
count (Bernardo and Smith 1994, Bayesian Theory, section 5.2.3, doi:10.1002/9780470316870).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import betainc, betaincc, betaincinv, betaln, gammaln, logsumexp, xlog1py, xlogy

type Array = NDArray[np.float64]

ROUNDING = 1e-9
"""Allowed difference between the sum of the weights and one."""
WEIGHT_DIGITS = 3
SHAPE_DIGITS = 4
"""Decimals of a printed weight and significant digits of a printed shape; they move the moments by less than 0.001."""
BULK = 0.99
"""Central part of each component that is searched for a mode, as in RBesT."""


@dataclass(frozen=True, slots=True)
class BetaMixture:
    """Mixture of beta distributions for a response rate.

    Attributes
    ----------
    weights
        Component weights, shape (component,), summing to one.
    a, b
        Positive component shapes, shape (component,): prior responders and prior non-responders.

    Raises
    ------
    ValueError
        If shapes or weights are invalid.
    """

    weights: Array
    a: Array
    b: Array

    def __post_init__(self) -> None:
        """Check weights and shapes."""
        if not self.weights.shape == self.a.shape == self.b.shape or self.weights.ndim != 1:
            raise ValueError("weights, a and b need one number for each component")
        if not ((self.weights >= 0).all() and abs(self.weights.sum() - 1) < ROUNDING):
            raise ValueError(f"weights must be at least zero and sum to one: found {self.weights.tolist()}")
        if not (np.isfinite([self.a, self.b]).all() and (self.a > 0).all() and (self.b > 0).all()):
            raise ValueError(f"shapes must be finite and above zero: found {self.a.tolist()}, {self.b.tolist()}")

    @property
    def mean(self) -> float:
        """Mean, a proportion."""
        return float(self.weights @ (self.a / (self.a + self.b)))

    @property
    def sd(self) -> float:
        """Standard deviation."""
        size = self.a + self.b
        means = self.a / size
        within = means * (1 - means) / (size + 1)
        return float(np.sqrt(self.weights @ (within + (means - self.mean) ** 2)))

    def log_density(self, rates: ArrayLike) -> Array:
        """Return the log density at proportions of any shape."""
        return logsumexp(self._log_parts(np.asarray(rates, dtype=np.float64)), axis=-1)

    def density(self, rates: ArrayLike) -> Array:
        """Return the density at proportions of any shape."""
        return np.exp(self.log_density(rates))

    def below(self, rates: ArrayLike) -> Array:
        """Return the probability of a rate below `rates`, any shape."""
        return betainc(self.a, self.b, np.asarray(rates, dtype=np.float64)[..., None]) @ self.weights

    def above(self, rates: ArrayLike) -> Array:
        """Return the probability of a rate above `rates`, any shape, accurate for small probabilities."""
        return betaincc(self.a, self.b, np.asarray(rates, dtype=np.float64)[..., None]) @ self.weights

    def quantile(self, prob: float) -> float:
        """Return the quantile at probability `prob`, strictly between 0 and 1."""
        ends = betaincinv(self.a, self.b, prob)[self.weights > 0]
        low, high = float(ends.min()), float(ends.max())
        if high - low < np.finfo(np.float64).eps:
            return low
        # The mixture's quantile lies between its components', up to rounding at either end.
        return float(brentq(lambda rate: float(self.below(rate)) - prob, max(low * 0.999, 0.0), min(high * 1.001, 1.0)))

    def modes(self) -> list[float]:
        """Return the distinct local modes, highest first, searching each component's central 99 % as RBesT does."""
        tails = (1 - BULK) / 2
        lows, highs = betaincinv(self.a, self.b, tails), betaincinv(self.a, self.b, 1 - tails)
        found: list[float] = []
        for low, high in zip(lows[self.weights > 0].tolist(), highs[self.weights > 0].tolist(), strict=True):
            grid = np.linspace(low, high, 200)
            top = int(self.log_density(grid).argmax())
            best = minimize_scalar(
                lambda rate: -float(self.log_density(rate)),
                bounds=(grid[max(top - 1, 0)], grid[min(top + 1, len(grid) - 1)]),
                method="bounded",
                options={"xatol": 1e-10},
            ).x
            # A maximum at the edge of the searched range is a slope, not a mode.
            at_edge = top in (0, len(grid) - 1)
            if not at_edge and all(abs(best - other) > 1e-4 for other in found):
                found.append(float(best))
        return sorted(found, key=lambda rate: -float(self.log_density(rate)))

    def posterior(self, responders: int, n: int) -> "BetaMixture":
        """Return the posterior mixture given the responders among `n` patients."""
        log_weights = self._log_predicted(np.array([responders]), n)[0]
        weights = np.exp(log_weights - logsumexp(log_weights))
        return BetaMixture(weights / weights.sum(), self.a + responders, self.b + n - responders)

    def posterior_above(self, rate: float, n: int) -> Array:
        """Return the posterior probability of a rate above `rate` given 0, 1 … `n` responders, shape (n + 1,)."""
        responders = np.arange(n + 1)
        log_weights = self._log_predicted(responders, n)
        weights = np.exp(log_weights - logsumexp(log_weights, axis=1, keepdims=True))
        parts = betaincc(self.a + responders[:, None], self.b + (n - responders)[:, None], rate)
        return np.asarray((weights * parts).sum(axis=1))

    def responders(self, n: int) -> Array:
        """Return the beta-binomial mixture probabilities of 0, 1 … `n` responders of `n` patients, shape (n + 1,)."""
        responders = np.arange(n + 1)
        log_choose = gammaln(n + 1) - gammaln(responders + 1) - gammaln(n - responders + 1)
        return np.exp(log_choose + logsumexp(self._log_predicted(responders, n), axis=1))

    def robust(self, weight: float) -> "BetaMixture":
        """Return the mixture with a share of `weight` for the uniform distribution Beta(1, 1).

        The robust component guards against prior-data conflict (Schmidli et al. 2014, doi:10.1111/biom.12242; RBesT's
        default). A weight of zero changes nothing.
        """
        if not 0 <= weight <= 1:
            raise ValueError(f"the weight of the vague component must lie in [0, 1]: found {weight}")
        if weight == 0:
            return self
        if weight == 1:
            return VAGUE
        return BetaMixture(
            np.append((1 - weight) * self.weights, weight), np.append(self.a, 1.0), np.append(self.b, 1.0)
        )

    def as_text(self) -> str:
        """Return the mixture as text to copy, such as "0.700·Beta(19, 133) + 0.300·Beta(8, 40)"."""
        if len(self.weights) == 1:
            return f"Beta({_shape(self.a[0])}, {_shape(self.b[0])})"
        rounded = np.round(self.weights, WEIGHT_DIGITS)
        # The printed weights sum to one.
        rounded[rounded.argmax()] += 1 - rounded.sum()
        return " + ".join(
            f"{weight:.{WEIGHT_DIGITS}f}·Beta({_shape(a)}, {_shape(b)})"
            for weight, a, b in zip(rounded.tolist(), self.a.tolist(), self.b.tolist(), strict=True)
        )

    def _log_parts(self, rates: Array) -> Array:
        """Return the log of each component's weighted density, last axis component."""
        x = rates[..., None]
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        return log_weights + xlogy(self.a - 1, x) + xlog1py(self.b - 1, -x) - betaln(self.a, self.b)

    def _log_predicted(self, responders: NDArray[np.int64], n: int) -> Array:
        """Return log(weight times predictive probability) without n over responders, (responders, component)."""
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        updated = betaln(self.a + responders[:, None], self.b + (n - responders)[:, None])
        return np.asarray(log_weights + updated - betaln(self.a, self.b))


VAGUE = BetaMixture(np.ones(1), np.ones(1), np.ones(1))
"""Uniform distribution."""


def _shape(value: float) -> str:
    return f"{value:.{SHAPE_DIGITS}g}" if value < 10**SHAPE_DIGITS else f"{value:.0f}"
