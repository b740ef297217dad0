"""Standardised deviations, normal or Student t, as functions of a score without heavy tails.

With z = sqrt(nu) sinh(u / sqrt(nu)), a standard Student t deviation z has the density c cosh(u / sqrt(nu))^-nu in u:
smooth, log-concave, near normal in the middle and exponential in the tails for every nu. As nu grows it becomes normal,
with z = u.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

type Array = NDArray[np.float64]

REWEIGHTED = 3
"""Reweighting steps towards the mode of a Student t deviation given a normal likelihood."""


@dataclass(frozen=True, slots=True)
class Score:
    """The score of a standardised deviation.

    Attributes
    ----------
    nu
        Degrees of freedom of the Student t; infinite for a normal.
    """

    nu: float = np.inf

    @property
    def normal(self) -> bool:
        """Whether the deviation is normal, and so equal to its score."""
        return math.isinf(self.nu)

    @property
    def variance(self) -> float:
        """Inverse Fisher information for location: the variance of the equally informative normal deviation."""
        return 1.0 if self.normal else (self.nu + 3) / (self.nu + 1)

    def at(self, u: Array) -> tuple[Array, Array]:
        """Return the deviation at score `u` and the log density of the score (any shape)."""
        if self.normal:
            return u, -u * u / 2 - np.log(2 * np.pi) / 2
        root = np.sqrt(self.nu)
        grown = np.exp(u / root)
        shrunk = 1 / grown
        constant = gammaln((self.nu + 1) / 2) - gammaln(self.nu / 2) - np.log(self.nu * np.pi) / 2
        return root / 2 * (grown - shrunk), constant - self.nu * np.log((grown + shrunk) / 2)

    def of(self, z: Array) -> Array:
        """Return the score of a deviation."""
        if self.normal:
            return z
        root = np.sqrt(self.nu)
        score: Array = root * np.arcsinh(z / root)
        return score

    def slope(self, z: Array) -> Array:
        """Return the derivative dz/du of the deviation by its score, at deviation `z`."""
        return np.ones_like(z) if self.normal else np.sqrt(1 + z * z / self.nu)

    def middle(self, centre: Array, precision: Array) -> Array:
        """Return an approximate mode of the deviation, given a normal likelihood with this mean and precision."""
        weight = np.ones_like(centre)
        z = precision * centre / (precision + weight)
        if not self.normal:
            for _ in range(REWEIGHTED):
                weight = (self.nu + 1) / (self.nu + z * z)
                z = precision * centre / (precision + weight)
        return z

    def reach(self, drop: float) -> float:
        """Return the score at which the log density is `drop` below its maximum."""
        if self.normal:
            return float(np.sqrt(2 * drop))
        return float(np.sqrt(self.nu) * np.arccosh(np.exp(drop / self.nu)))

    @property
    def step(self) -> float:
        """Longest step of a lattice: an error of about 1e-8, from the singularity of cosh^-nu at i sqrt(nu) pi / 2."""
        return float(min(np.pi**2 * np.sqrt(self.nu) / np.log(1e8), 1.1))
