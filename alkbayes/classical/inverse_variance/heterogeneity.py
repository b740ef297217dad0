"""Heterogeneity beyond chance and beyond a design: Cochran's Q, I2 and H2.

All work on estimates `yi` with known sampling variances `vi`, shape (k,), and a design of shape (k, p) with full column
rank, a column of ones if None. :mod:`alkbayes.classical.inverse_variance.tau2` estimates the variance between cohorts.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.least_squares import WeightedDesign


@dataclass(frozen=True, slots=True)
class CochranQ:
    """Cochran's test that the cohorts share one mean, or that a design explains all their differences.

    Attributes
    ----------
    q
        Weighted sum of squared distances from the common mean, or from the fitted values.
    df
        Degrees of freedom, k - p; p = 1 for a common mean.
    p
        Upper tail of chi-squared with `df` degrees of freedom, in [0, 1].
    """

    q: float
    df: int
    p: float


def cochran_q(yi: Floats, vi: Floats, design: Floats | None = None) -> CochranQ:
    """Return Cochran's Q of k cohorts about a design with p columns, k > p (Cochran 1954, doi:10.2307/3001666)."""
    matrix = _or_ones(design, yi.size)
    q = float((WeightedDesign.of(matrix, 1 / vi).residuals(yi) ** 2).sum())
    df = yi.size - matrix.shape[1]
    return CochranQ(q=q, df=df, p=float(chdtrc(df, q)))


def typical_variance(vi: Floats, design: Floats | None = None) -> float:
    """Return the "typical" sampling variance s2, as metafor extends it to a design with p < k columns.

    Higgins & Thompson (2002), equation 9, doi:10.1002/sim.1186.
    """
    matrix = _or_ones(design, vi.size)
    k, p = matrix.shape
    return float((k - p) / WeightedDesign.of(matrix, 1 / vi).trace())


def i2_h2(tau2: float, vi: Floats, design: Floats | None = None) -> tuple[float, float]:
    """Return I2 = tau2 / (tau2 + s2), a proportion in [0, 1), and H2 = 1 + tau2 / s2, as metafor defines them.

    s2 is `typical_variance`. With the DerSimonian-Laird tau2, I2 is the familiar (Q - df) / Q (Higgins & Thompson 2002,
    doi:10.1002/sim.1186).
    """
    s2 = typical_variance(vi, design)
    return tau2 / (tau2 + s2), 1 + tau2 / s2


def _or_ones(design: Floats | None, k: int) -> Floats:
    """Return the design, or a column of ones."""
    return np.ones((k, 1)) if design is None else design
