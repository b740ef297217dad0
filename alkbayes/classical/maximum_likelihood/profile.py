"""Profile-likelihood intervals of the binomial-normal model: fixed effects and standard deviations."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri

from alkbayes.classical.counts import Floats
from alkbayes.classical.maximum_likelihood.glmm import FLAT, MAX_ITERATIONS, Fitted, build, maximum_likelihood
from alkbayes.classical.maximum_likelihood.glmm_likelihood import maximise

PROFILE_TOLERANCE = 1e-7
"""Tolerance of a limit, logit scale."""
NEWTON_STEPS = 20
NEWTON_TOLERANCE = 1e-9
"""Tolerance of a limit and of the other parameters there, logit scale."""
LONGEST_STEP = 2.0
"""Maximum step, logit scale."""


@dataclass(frozen=True, slots=True)
class ProfileIntervals:
    """Confidence intervals by profile likelihood, logit scale.

    Attributes
    ----------
    beta
        Lower and upper limits of the fixed effects, shape (p, 2).
    tau
        Limits of the between-cohort SD, shape (2,).
    tau_group
        Limits of the between-group SD, shape (2,); None without groups.
    """

    beta: Floats
    tau: Floats
    tau_group: Floats | None


def profile_intervals(
    responders: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    prob: float,
    design: Floats | None = None,
    group: npt.ArrayLike | None = None,
) -> ProfileIntervals:
    """Return profile-likelihood intervals at confidence level `prob`.

    The limits are where the profile log-likelihood has fallen by half the `prob` quantile of chi-squared with one
    degree of freedom. If it does not fall so far, the lower limit of a standard deviation is 0 and any other limit
    infinite (the search ends at a logit of 25). All are NaN if the maximum cannot be used or tau is undefined. Other
    arguments as for :func:`alkbayes.classical.maximum_likelihood.glmm.fit_glmm`.
    """
    fitted = maximum_likelihood(build(responders, n, design, group))
    limits = np.full((fitted.model.size, 2), np.nan)
    if fitted.heterogeneity:
        profile = _Profile(fitted, prob)
        limits = np.array([[profile.limit(place, sign) for sign in (-1, 1)] for place in range(fitted.model.size)])
    width = fitted.model.width
    return ProfileIntervals(
        beta=limits[:width],
        tau=limits[width],
        tau_group=None if fitted.model.group is None else limits[width + 1],
    )


def tau_interval(fitted: Fitted, *, prob: float) -> tuple[float, float] | None:
    """Return the limits of tau from :func:`profile_intervals`, for a model with one level, by the fastest method only.

    None if Newton's method does not find them, as in tables where they are nearly infinite, and if there is no maximum
    or tau is undefined. `prob` is the confidence level, in (0, 1).
    """
    if not fitted.heterogeneity or fitted.message:
        return None
    profile, place = _Profile(fitted, prob), fitted.model.width
    low = 0.0 if profile.reaches_zero(place) else profile.newton(place, -1)
    high = profile.newton(place, 1)
    return None if low is None or high is None else (low, high)


class _Profile:
    """The profile likelihood of each parameter about a maximum."""

    def __init__(self, fitted: Fitted, prob: float) -> None:
        self._model, self._nodes = fitted.model, fitted.nodes
        self._best = fitted.at.phi.copy()
        self._best[fitted.model.width :] = np.abs(self._best[fitted.model.width :])
        self._target = fitted.at.value - float(chdtri(1, 1 - prob)) / 2
        self._se = np.full(fitted.model.size, 0.3)
        self._se[fitted.free] = np.sqrt(np.diag(np.linalg.inv(-fitted.at.hessian)))
        self._wide = float(np.sqrt(chdtri(1, 1 - prob)))
        self._everything_free = bool(fitted.free.all())

    def limit(self, place: int, sign: int) -> float:
        """Return the lower (sign -1) or upper (1) limit of a parameter."""
        best, spread = float(self._best[place]), place >= self._model.width
        warm = self._best
        if spread and sign < 0 and self.reaches_zero(place):
            return 0.0
        quick = self.newton(place, sign)
        if quick is not None:
            return quick
        near, step = best, sign * self._wide * float(self._se[place])
        while True:
            far = max(near + step, 0.0) if spread else near + step
            excess, at = self._excess(far, place, warm)
            if excess < 0:
                break
            if abs(far) > FLAT:
                return float(sign * np.inf)
            near, warm, step = far, at, step * 1.5
        from scipy.optimize import brentq  # takes a tenth of a second; only where Newton's method fails

        return float(brentq(lambda value: self._excess(value, place, warm)[0], near, far, xtol=PROFILE_TOLERANCE))

    def reaches_zero(self, place: int) -> bool:
        """Return True if a standard deviation of 0 would not be rejected."""
        return self._best[place] == 0 or self._excess(0.0, place, self._best)[0] >= 0

    def newton(self, place: int, sign: int) -> float | None:
        """Return a limit by Newton's method on the likelihood and its slope in the others; None if that fails.

        Venzon & Moolgavkar (1988), doi:10.2307/2347496.
        """
        model = self._model
        if model.group is not None and not self._everything_free:
            return None
        others = np.arange(model.size) != place
        function = model.restricted(self._best, np.ones(model.size, dtype=np.bool_), self._nodes)
        _, _, hessian = function(self._best)
        reach = sign * self._wide * float(self._se[place])
        phi = self._best.copy()
        phi[place] += reach
        if others.any():
            phi[others] -= reach * np.linalg.solve(hessian[np.ix_(others, others)], hessian[others, place])
        for _ in range(NEWTON_STEPS):
            value, gradient, hessian = function(phi)
            slopes = np.vstack([gradient, hessian[others]])
            left = np.append(value - self._target, gradient[others])
            try:
                step = -np.linalg.solve(slopes, left)
            except np.linalg.LinAlgError:
                return None
            longest = float(np.abs(step).max())
            # A step may be exactly 0.
            phi = phi + step * LONGEST_STEP / max(longest, LONGEST_STEP)
            beyond = sign * (phi[place] - self._best[place])
            if not (beyond > 0 and (np.abs(phi) < FLAT).all() and (phi[model.width :] > 0).all()):
                return None
            if longest < NEWTON_TOLERANCE:
                rounded = np.linalg.eigvalsh(hessian[np.ix_(others, others)]) if others.any() else np.array([-1.0])
                return float(phi[place]) if (rounded < 0).all() else None
        return None

    def _excess(self, value: float, place: int, start: Floats) -> tuple[float, Floats]:
        """Return the excess of the profile at a value over the target, and the parameters there."""
        model = self._model
        phi = start.copy()
        phi[place] = value
        free = np.ones(model.size, dtype=np.bool_)
        free[place] = False
        # A tau that starts at 0 stays there, since the likelihood is even in it: start beside it.
        taus = np.arange(model.size) >= model.width
        phi[taus & free & (np.abs(phi) < 1e-3)] = 0.05
        found = maximise(model.restricted(phi, free, self._nodes), phi[free], MAX_ITERATIONS, model.resolution)
        phi[free] = found.phi
        return found.value - self._target, phi
