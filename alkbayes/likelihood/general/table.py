"""Integrals over cohorts' deviations, interpolated from a table.

With its deviation integrated out, a cohort's likelihood is a smooth function of the mean of theta and tau. A posterior
needs some ten million values of it, far more than a table for a spline does. The error of quintic splines on even grids
goes with the sixth power of the step over the distance to the nearest singularity, which sets the steps.
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
"""Precision of the tabulated integrals."""
ORDER: Final = 5
TAUS = (0.02, 3.0)
"""Range of tau covered by the table; outside it, integrals are computed one by one."""
REACH, REACH_SDS = 3.5, 2.5
"""Range of means on either side of the cohort's own estimate: a constant plus a multiple of its SD."""
TAU_STEP = 0.15
"""Step in log tau, whose singularities are at i pi / 2."""
MEAN_STEP = 0.15
"""Step in units of the likelihood's SD times the root of the degrees of freedom."""
LONGEST_STEP = 0.2
EDGE = 14
"""Points beyond either end; the spline's error at an edge falls by a factor of 0.43 with each."""
FLAT_EDGE = 4
"""Points below the lower end of tau, where the likelihood no longer depends on it."""


class Table:
    """Splines of the log-likelihoods of `cohorts` cohorts with their deviations integrated out.

    The cohort likelihood must be the same for all parameter values.
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
        """See :func:`alkbayes.likelihood.general.cohort.integrated`."""
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
