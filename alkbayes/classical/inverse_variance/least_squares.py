"""Weighted least squares on a design, by an orthonormal basis of its columns.

The k x k matrix that metafor calls P, W - W X (X'WX)^-1 X'W, is needed only in traces and products; these come from the
basis, without any array of size k x k.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from alkbayes.classical.counts import Floats


@dataclass(frozen=True, slots=True)
class WeightedDesign:
    """A design under weights.

    Attributes
    ----------
    weights
        Positive weights W, shape (k,).
    basis
        Orthonormal columns that span sqrt(W) X, shape (k, p).
    triangle
        Upper triangle R with sqrt(W) X = basis @ R, shape (p, p).
    """

    weights: Floats
    basis: Floats
    triangle: Floats

    @classmethod
    def of(cls, design: Floats, weights: Floats) -> Self:
        """Return a design (shape (k, p), full column rank) under weights (shape (k,), positive)."""
        basis, triangle = np.linalg.qr(design * np.sqrt(weights)[:, None])
        return cls(weights, basis, triangle)

    def coefficients(self, yi: Floats) -> Floats:
        """Return the least-squares coefficients, shape (p,), of outcomes of shape (k,)."""
        return np.linalg.solve(self.triangle, self.basis.T @ (np.sqrt(self.weights) * yi))

    def covariance(self) -> Floats:
        """Return (X'WX)^-1, shape (p, p)."""
        inverse = np.linalg.inv(self.triangle)
        return inverse @ inverse.T

    def residuals(self, yi: Floats) -> Floats:
        """Return yi minus the fitted values, times sqrt(W), shape (k,)."""
        scaled = np.sqrt(self.weights) * yi
        return scaled - self.basis @ (self.basis.T @ scaled)

    def leverages(self) -> Floats:
        """Return the diagonal of the hat matrix, shape (k,), in [0, 1]; it sums to p."""
        return np.asarray((self.basis**2).sum(axis=1), dtype=np.float64)

    def trace(self) -> float:
        """Return the trace of P."""
        return float(self.weights @ (1 - self.leverages()))

    def trace_of_square(self) -> float:
        """Return the trace of P P."""
        squares = self.weights**2
        inner = self.basis.T @ (self.weights[:, None] * self.basis)
        return float(squares.sum() - 2 * (squares @ self.leverages()) + (inner**2).sum())

    def log_determinant(self) -> float:
        """Return the logarithm of the determinant of X'WX."""
        return float(2 * np.log(np.abs(np.diag(self.triangle))).sum())
