"""Published-size posteriors by plain integration of the marginal likelihood over a dense grid of (mu, tau).

mu ~ N(0, 2), tau ~ half-normal(1), one level, no covariates. The expected values are those of the project's issue 3,
exact to the digits shown.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, roots_hermitenorm

from alkbayes.likelihood.binomial_normal.marginal import log_marginal

AS = [23, 12, 19, 9, 39, 6, 9, 10], [107, 44, 51, 39, 139, 20, 78, 35]
PRITZ = json.loads((Path(__file__).parent / "reference" / "metafor_pritz1997.json").read_text())["sets"]["all"]


class Posterior:
    """Weights of a grid of (mu, tau) and moments of what follows from it."""

    def __init__(self, responders: np.ndarray, n: np.ndarray, top: float) -> None:
        mu, tau = (each.ravel() for each in np.meshgrid(np.linspace(-5, 6, 441), (np.arange(400) + 0.5) / 400 * top))
        eta = np.repeat(mu[:, None], len(n), axis=1)
        log = log_marginal(responders, n, eta=eta, tau_cohort=tau) - mu**2 / 8 - tau**2 / 2
        weight = np.exp(log - log.max())
        self.mu, self.tau, self.weight = mu, tau, weight / weight.sum()

    def moments(self, values: np.ndarray) -> tuple[float, float]:
        mean = float(self.weight @ values)
        return mean, float(np.sqrt(self.weight @ (values - mean) ** 2))

    def quantiles(self, values: np.ndarray) -> list[float]:
        """2.5 %, 50 % and 97.5 % of a variable that takes many values on the grid."""
        distinct, place = np.unique(values, return_inverse=True)
        cdf = np.cumsum(np.bincount(place, weights=self.weight))
        edges = np.append((distinct[1:] + distinct[:-1]) / 2, distinct[-1])
        return [float(np.interp(prob, cdf, edges)) for prob in (0.025, 0.5, 0.975)]

    def population_mean(self) -> np.ndarray:
        z, share = roots_hermitenorm(41)
        return expit(self.mu[:, None] + self.tau[:, None] * z) @ (share / share.sum())

    def next_cohort(self) -> tuple[float, float, list[float]]:
        """Mean, SD and quantiles of the rate in a new cohort."""
        z = np.linspace(-6, 6, 121)
        share = np.exp(-z * z / 2)
        share /= share.sum()
        kept = self.weight > 1e-9
        rates = expit(self.mu[kept, None] + self.tau[kept, None] * z)
        weight = self.weight[kept, None] * share
        mean = float((weight * rates).sum())
        density, edges = np.histogram(rates, bins=4000, range=(0, 1), weights=weight)
        cdf = np.append(0, np.cumsum(density))
        return (
            mean,
            float(np.sqrt((weight * (rates - mean) ** 2).sum())),
            [float(np.interp(prob, cdf, edges)) for prob in (0.025, 0.5, 0.975)],
        )


@pytest.mark.slow
def test_ankylosing_spondylitis() -> None:
    """Historical controls of RBesT's AS data."""
    got = Posterior(*(np.array(each, dtype=np.float64) for each in AS), top=2.5)
    assert got.moments(got.mu) == pytest.approx((-1.104, 0.189), abs=1e-3)
    assert got.moments(got.tau) == pytest.approx((0.380, 0.211), abs=1e-3)
    lower, middle, upper = got.quantiles(got.tau)
    assert lower == pytest.approx(0.04, abs=5e-3)
    assert [middle, upper] == pytest.approx([0.353, 0.875], abs=1e-3)
    assert [expit(q) for q in got.quantiles(got.mu)] == pytest.approx([0.185, 0.249, 0.328], abs=1e-3)
    mean, sd, quantiles = got.next_cohort()
    assert (mean, sd) == pytest.approx((0.258, 0.087), abs=1e-3)
    assert quantiles == pytest.approx([0.111, 0.249, 0.471], abs=1e-3)


@pytest.mark.slow
def test_pritz() -> None:
    got = Posterior(*(np.array(PRITZ[name], dtype=np.float64) for name in ("xi", "ni")), top=4.0)
    assert got.moments(got.mu) == pytest.approx((1.375, 0.313), abs=1e-3)
    assert got.moments(got.tau) == pytest.approx((0.875, 0.301), abs=1e-3)
    assert [expit(q) for q in got.quantiles(got.mu)] == pytest.approx([0.691, 0.795, 0.885], abs=1e-3)
    assert got.quantiles(got.population_mean()) == pytest.approx([0.660, 0.766, 0.845], abs=1e-3)
    mean, sd, _ = got.next_cohort()
    assert (mean, sd) == pytest.approx((0.763, 0.154), abs=1e-3)
