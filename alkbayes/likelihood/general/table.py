"""The integrals of cohorts' deviations from a table.

With its deviation integrated out, a cohort's likelihood is a smooth function of two numbers, the mean of theta and tau.
A posterior's draws ask for some ten million of its values, far more than a spline through a table of it needs. Quintic
splines on even grids have an error in the sixth power of the step over the distance of the function's nearest
singularity; that is what the steps go by.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter

from alkbayes.likelihood.cohorts import Likelihood
from alkbayes.likelihood.general.cohort import Level, integrated
from alkbayes.likelihood.general.lattice import Rule
from alkbayes.likelihood.general.scores import Score

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]

RULE = Rule(points=15, drop=16.0, tolerance=1e-3)
"""Of the integrals that are tabulated."""
ORDER: Final = 5
TAUS = (0.02, 3.0)
"""Between these taus the table is used; beyond, integrals are done one by one."""
REACH, REACH_SDS = 3.5, 2.5
"""Means on either side of what the cohort itself says: so far, and so many of its standard deviations more."""
TAU_STEP = 0.15
"""Of log tau, whose singularities are at i pi / 2."""
MEAN_STEP = 0.15
"""In units of the likelihood's standard deviation times the root of the degrees of freedom."""
LONGEST_STEP = 0.2
EDGE = 14
"""Points beyond either end: the spline's error at an edge falls by 0.43 with each."""
FLAT_EDGE = 4
"""Of the lower end of tau, where the likelihood no longer depends on it."""


class Table:
    """Splines of cohorts' log-likelihoods with their deviations integrated out.

    Parameters
    ----------
    likelihood
        One that is the same for all parameter values.
    score
        Of the deviations.
    cohorts
        Number of cohorts.
    """

    def __init__(self, likelihood: Likelihood, score: Score, cohorts: int) -> None:
        everyone = np.arange(cohorts)
        centre, variance = likelihood.stand_in(everyone, everyone)
        root = np.sqrt(variance) * (1.0 if score.normal else np.sqrt(score.nu))
        self._step = np.minimum(MEAN_STEP * root, LONGEST_STEP)
        half = np.ceil((REACH + REACH_SDS * np.sqrt(variance)) / self._step).astype(np.intp) + EDGE
        self._low = centre - half * self._step
        sizes = 2 * half + 1
        self._sizes, self._offset = sizes, np.cumsum(sizes) - sizes
        low, high = np.log(TAUS)
        columns = int(np.ceil((high - low) / TAU_STEP)) + 1 + FLAT_EDGE + EDGE
        self._log_low = low - FLAT_EDGE * TAU_STEP
        level = Level(np.exp(self._log_low + TAU_STEP * np.arange(columns)), score)
        images = []
        for cohort in everyone:
            mu = self._low[cohort] + self._step[cohort] * np.arange(sizes[cohort])
            value = integrated(
                likelihood,
                level,
                np.repeat(mu, columns),
                np.full(mu.size * columns, cohort),
                np.tile(np.arange(columns), mu.size),
                RULE,
            )
            images.append(spline_filter(value.reshape(mu.size, columns), order=ORDER, mode="mirror"))
        self._images: Array = np.concatenate(images)

    def integrated(
        self, likelihood: Likelihood, level: Level, mu: Array, cohort: Index, row: Index, rule: Rule
    ) -> Array:
        """Return what :func:`alkbayes.likelihood.general.cohort.integrated` does."""
        tau = level.tau[row]
        place = (mu - self._low[cohort]) / self._step[cohort]
        inside = (place >= EDGE) & (place <= self._sizes[cohort] - 1 - EDGE) & (tau >= TAUS[0]) & (tau <= TAUS[1])
        column = (np.log(np.maximum(tau, TAUS[0])) - self._log_low) / TAU_STEP
        place = np.clip(place, EDGE, self._sizes[cohort] - 1 - EDGE) + self._offset[cohort]
        value: Array = map_coordinates(self._images, np.stack([place, column]), order=ORDER, prefilter=False)
        if not inside.all():
            out = ~inside
            value[out] = integrated(likelihood, level, mu[out], cohort[out], row[out], rule)
        return value
