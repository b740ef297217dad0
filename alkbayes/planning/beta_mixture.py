"""Mixtures of beta distributions: what a planned trial's prior is written as.

A mixture stays one when responders are counted: each component is updated by conjugacy, and its weight by how well it
predicted them (Bernardo and Smith 1994, Bayesian Theory, section 5.2.3, doi:10.1002/9780470316870).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import betainc, betaincc, betaincinv, betaln, gammaln, logsumexp, xlog1py, xlogy

type Array = NDArray[np.float64]

ROUNDING = 1e-9
"""How far weights may sum from one."""
WEIGHT_DIGITS = 3
SHAPE_DIGITS = 4
"""Of the prior as text: decimals of a weight, significant digits of a shape. The moments move by less than 0.001."""
BULK = 0.99
"""Of each component: its central part in which a mode is looked for, as RBesT does."""


@dataclass(frozen=True, slots=True)
class BetaMixture:
    """A mixture of beta distributions of a response rate.

    Attributes
    ----------
    weights
        Of the components, shape (component,), summing to one.
    a, b
        Shapes of the components, above zero, shape (component,): prior responders and prior non-responders.

    Raises
    ------
    ValueError
        If shapes or weights are none.
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
        """Its mean, a proportion."""
        return float(self.weights @ (self.a / (self.a + self.b)))

    @property
    def sd(self) -> float:
        """Its standard deviation."""
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
        """Return the probability of a rate below each of these, any shape."""
        return betainc(self.a, self.b, np.asarray(rates, dtype=np.float64)[..., None]) @ self.weights

    def above(self, rates: ArrayLike) -> Array:
        """Return the probability of a rate above each of these, any shape, accurate where it is small."""
        return betaincc(self.a, self.b, np.asarray(rates, dtype=np.float64)[..., None]) @ self.weights

    def quantile(self, prob: float) -> float:
        """Return the rate that a proportion `prob`, strictly between 0 and 1, of the distribution lies below."""
        ends = betaincinv(self.a, self.b, prob)[self.weights > 0]
        low, high = float(ends.min()), float(ends.max())
        if high - low < np.finfo(np.float64).eps:
            return low
        # The mixture's quantile lies between those of its components, up to rounding at either end.
        return float(brentq(lambda rate: float(self.below(rate)) - prob, max(low * 0.999, 0.0), min(high * 1.001, 1.0)))

    def modes(self) -> list[float]:
        """Return the distinct local modes found about the components, the highest first.

        As in RBesT each component's central 99 % is searched.
        """
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
            # What lies at the edge of a component's part is a slope, and no mode of its own.
            at_edge = top in (0, len(grid) - 1)
            if not at_edge and all(abs(best - other) > 1e-4 for other in found):
                found.append(float(best))
        return sorted(found, key=lambda rate: -float(self.log_density(rate)))

    def posterior(self, responders: int, n: int) -> "BetaMixture":
        """Return the mixture given the responders of `n` patients."""
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
        """Return the predictive probabilities of 0, 1 … `n` responders of `n` patients, shape (n + 1,).

        A mixture of beta-binomial distributions.
        """
        responders = np.arange(n + 1)
        log_choose = gammaln(n + 1) - gammaln(responders + 1) - gammaln(n - responders + 1)
        return np.exp(log_choose + logsumexp(self._log_predicted(responders, n), axis=1))

    def robust(self, weight: float) -> "BetaMixture":
        """Return the mixture with a share of `weight` given to the uniform distribution Beta(1, 1).

        The component by which Schmidli et al. 2014, doi:10.1111/biom.12242, guard against a conflict of prior and data,
        and RBesT's default. A weight of zero changes nothing.
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
        """Return the mixture to be copied, such as "0.700·Beta(19, 133) + 0.300·Beta(8, 40)"."""
        if len(self.weights) == 1:
            return f"Beta({_shape(self.a[0])}, {_shape(self.b[0])})"
        rounded = np.round(self.weights, WEIGHT_DIGITS)
        # The weights that are printed sum to one.
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
        """Return the log of weight times predictive probability but for n over responders, (responders, component)."""
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        updated = betaln(self.a + responders[:, None], self.b + (n - responders)[:, None])
        return np.asarray(log_weights + updated - betaln(self.a, self.b))


VAGUE = BetaMixture(np.ones(1), np.ones(1), np.ones(1))
"""The uniform distribution."""


def _shape(value: float) -> str:
    return f"{value:.{SHAPE_DIGITS}g}" if value < 10**SHAPE_DIGITS else f"{value:.0f}"
