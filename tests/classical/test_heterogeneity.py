"""Q, I2, H2 and tau2, by hand and against a direct search."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import chi2, multivariate_normal

from alkbayes.classical.heterogeneity import cochran_q, i2_h2, tau2_dersimonian_laird, tau2_reml, typical_variance

YI = np.array([0.2, 1.1, -0.4, 0.9, 2.0])
VI = np.array([0.10, 0.25, 0.05, 0.40, 0.20])


def test_q_by_hand() -> None:
    w = 1 / VI
    q = (w * (YI - (w * YI).sum() / w.sum()) ** 2).sum()
    result = cochran_q(YI, VI)
    assert result.q == pytest.approx(q, rel=1e-13)
    assert result.df == 4
    assert result.p == pytest.approx(chi2.sf(q, 4), rel=1e-12)


def test_dersimonian_laird_by_hand_and_i2_from_q() -> None:
    w = 1 / VI
    q = cochran_q(YI, VI).q
    estimate = tau2_dersimonian_laird(YI, VI)
    assert estimate.converged
    assert estimate.tau2 == pytest.approx((q - 4) / (w.sum() - (w**2).sum() / w.sum()), rel=1e-13)
    i2, h2 = i2_h2(estimate.tau2, VI)
    assert i2 == pytest.approx((q - 4) / q, rel=1e-12)
    assert h2 == pytest.approx(q / 4, rel=1e-12)


def test_equal_variances_are_typical() -> None:
    assert typical_variance(np.full(7, 0.3)) == pytest.approx(0.3, rel=1e-14)


def restricted(tau2: float, yi: np.ndarray, vi: np.ndarray) -> float:
    """Restricted log-likelihood from the joint density of k - 1 contrasts, no formula of ours in it."""
    contrasts = np.hstack([np.ones((yi.size - 1, 1)), -np.eye(yi.size - 1)])
    return float(multivariate_normal(cov=contrasts @ np.diag(vi + tau2) @ contrasts.T).logpdf(contrasts @ yi))


@pytest.mark.parametrize("scale", [1.0, 1e-7, 1e4])
def test_reml_is_where_a_direct_search_finds_the_maximum(scale: float) -> None:
    yi, vi = YI * np.sqrt(scale), VI * scale
    found = minimize_scalar(lambda t: -restricted(t * scale, yi, vi), bounds=(0, 10), options={"xatol": 1e-10})
    estimate = tau2_reml(yi, vi)
    assert estimate.converged
    assert estimate.tau2 == pytest.approx(found.x * scale, rel=1e-6)


def test_no_more_than_chance_gives_exactly_0() -> None:
    yi, vi = np.array([0.50, 0.52, 0.49]), np.array([0.1, 0.2, 0.3])
    for estimate in (tau2_dersimonian_laird(yi, vi), tau2_reml(yi, vi)):
        assert estimate.converged
        assert estimate.tau2 == 0
    assert i2_h2(0.0, vi) == (0, 1)


def test_reml_takes_the_higher_of_two_maxima() -> None:
    """Nearly all weight in two like cohorts, and a third far off: the likelihood has a maximum at 0 and one inside."""
    rng = np.random.default_rng(3)
    for _ in range(300):
        k = int(rng.integers(2, 6))
        yi, vi = rng.normal(size=k), 10.0 ** rng.uniform(-3, 1, size=k)
        estimate = tau2_reml(yi, vi)
        assert estimate.converged
        assert restricted(estimate.tau2, yi, vi) >= restricted(0.0, yi, vi) - 1e-9


def test_reml_says_so_when_it_runs_out_of_steps() -> None:
    assert not tau2_reml(YI, VI, max_iterations=2).converged
