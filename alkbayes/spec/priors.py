"""Prior distributions as data: tagged records with density and draws in numpy and SciPy.

:mod:`alkbayes.inference.nuts.pymc_model` builds PyMC's version of each (tested to agree).
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import expit

type Array = NDArray[np.float64]

# Descriptions state the allowed values in the words of an error message.
Finite = Annotated[float, Field(allow_inf_nan=False, description="a finite number")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, description="a finite number above 0")]

Share = Annotated[float, Field(gt=0, lt=1, description="a probability between 0 and 1, neither of them")]


class Record(BaseModel):
    """Frozen part of a model file that rejects unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Normal(Record):
    """Normal distribution on the scale of the link."""

    dist: Literal["normal"]
    mean: Finite
    sd: Positive

    def log_density(self, x: Array) -> Array:
        """Return the log density at `x` (any shape)."""
        return -0.5 * ((x - self.mean) / self.sd) ** 2 - math.log(self.sd) - 0.5 * math.log(2 * math.pi)

    def draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Array:
        """Return independent draws of shape `size`."""
        return rng.normal(self.mean, self.sd, size)


class StudentT(Record):
    """Student t distribution on the scale of the link; `sd` is its scale."""

    dist: Literal["student_t"]
    nu: Positive
    mean: Finite
    sd: Positive

    def log_density(self, x: Array) -> Array:
        """Return the log density at `x` (any shape)."""
        return student_t_log_density((x - self.mean) / self.sd, self.nu) - math.log(self.sd)

    def draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Array:
        """Return independent draws of shape `size`."""
        return self.mean + self.sd * rng.standard_t(self.nu, size)


class HalfNormal(Record):
    """Normal distribution with mean 0 folded at 0; `sd` is that of the unfolded normal."""

    dist: Literal["half_normal"]
    sd: Positive

    def log_density(self, x: Array) -> Array:
        """Return the log density at positive `x` (any shape)."""
        return -0.5 * (x / self.sd) ** 2 - math.log(self.sd) + 0.5 * math.log(2 / math.pi)

    def draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Array:
        """Return independent draws of shape `size`."""
        return np.abs(rng.normal(0.0, self.sd, size))


class HalfStudentT(Record):
    """Student t distribution with mean 0 folded at 0; `nu = 1` is the half-Cauchy."""

    dist: Literal["half_student_t"]
    nu: Positive
    sd: Positive

    def log_density(self, x: Array) -> Array:
        """Return the log density at positive `x` (any shape)."""
        return student_t_log_density(x / self.sd, self.nu) - math.log(self.sd) + math.log(2)

    def draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Array:
        """Return independent draws of shape `size`."""
        return np.abs(self.sd * rng.standard_t(self.nu, size))


class Exponential(Record):
    """Exponential distribution with the given mean."""

    dist: Literal["exponential"]
    mean: Positive

    def log_density(self, x: Array) -> Array:
        """Return the log density at positive `x` (any shape)."""
        return -x / self.mean - math.log(self.mean)

    def draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Array:
        """Return independent draws of shape `size`."""
        return rng.exponential(self.mean, size)


class Beta(Record):
    """Beta distribution of a proportion in (0, 1)."""

    dist: Literal["beta"]
    a: Positive
    b: Positive

    def log_density(self, x: Array) -> Array:
        """Return the log density at `x` in (0, 1) (any shape)."""
        log_constant = math.lgamma(self.a + self.b) - math.lgamma(self.a) - math.lgamma(self.b)
        return (self.a - 1) * np.log(x) + (self.b - 1) * np.log1p(-x) + log_constant

    def draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Array:
        """Return independent draws of shape `size`."""
        return rng.beta(self.a, self.b, size)


def student_t_log_density(x: Array, nu: float) -> Array:
    """Return the log density of the standard Student t with `nu` degrees of freedom at `x` (any shape)."""
    log_constant = math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2) - 0.5 * math.log(nu * math.pi)
    return log_constant - (nu + 1) / 2 * np.log1p(x**2 / nu)


LocationPrior = Annotated[Normal | StudentT, Field(discriminator="dist")]
"""Prior of a linear predictor or of a difference between two."""

ScalePrior = Annotated[HalfNormal | HalfStudentT | Exponential, Field(discriminator="dist")]
"""Prior of a standard deviation on the scale of the link."""

ProportionPrior = Beta
"""Prior of a number between 0 and 1."""


@dataclass(frozen=True, slots=True)
class RootSumOfSquares:
    """Root of the sum of squares of two independent scales: the SD of the sum of two deviations.

    Not for model files. The density at x is the integral of x f(x cos a) g(x sin a) over the angle a from 0 to pi / 2,
    by the trapezoid rule in log tan a, where the integrand is smooth and decays exponentially at both ends.
    """

    first: "Prior"
    second: "Prior"

    def log_density(self, x: Array) -> Array:
        """Return the log density at positive `x` (any shape)."""
        cosine, sine, log_weight = (each.reshape(-1, *[1] * np.ndim(x)) for each in ANGLES)
        parts = self.first.log_density(x * cosine) + self.second.log_density(x * sine) + log_weight
        total = np.logaddexp.reduce(parts, axis=0)
        density: Array = total + np.log(x)
        return density

    def draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Array:
        """Return independent draws of shape `size`."""
        drawn: Array = np.hypot(self.first.draw(rng, size), self.second.draw(rng, size))
        return drawn


def _angles() -> tuple[Array, Array, Array]:
    log_tan = np.arange(-24.0, 24.1, 0.25)
    return np.sqrt(expit(-2 * log_tan)), np.sqrt(expit(2 * log_tan)), np.log(0.125 / np.cosh(log_tan))


ANGLES = _angles()
"""Cosines, sines and log weights of the trapezoid rule; the error of the log density is below 1e-6 up to some ten
thousand times the narrower scale."""


@dataclass(frozen=True, slots=True)
class Indicators:
    """Independent indicators, 0 or 1, with a probability of 1 for each entry. Not for model files."""

    probabilities: tuple[float, ...]

    def log_density(self, x: Array) -> Array:
        """Return the log probability of each entry of `x`, shape (..., entry)."""
        p = np.array(self.probabilities)
        return np.where(x > 0, np.log(p), np.log1p(-p))

    def draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Array:
        """Return independent draws of shape `size`, whose last axis is the entry."""
        return (rng.random(size) < np.array(self.probabilities)).astype(np.float64)


type Prior = Normal | StudentT | HalfNormal | HalfStudentT | Exponential | Beta | RootSumOfSquares | Indicators
