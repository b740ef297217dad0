"""Which coefficients the counts alone put at infinity: by the likelihood itself, far out, and by the search for it."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_expit

from alkbayes.classical.counts import Floats
from alkbayes.classical.maximum_likelihood.glmm import fit_glmm
from alkbayes.classical.maximum_likelihood.separation import separated

NO_MAXIMUM = "the likelihood has no maximum at finite values"


def profile(x: Floats, n: Floats, design: Floats, place: int, value: float) -> float:
    """Return the logistic log-likelihood with one coefficient fixed, maximised over the others by scipy."""

    def loss(others: Floats) -> float:
        eta = design @ np.insert(others, place, value)
        return -float(x @ log_expit(eta) + (n - x) @ log_expit(-eta))

    return -float(minimize(loss, np.zeros(design.shape[1] - 1), method="BFGS").fun)


def test_two_arms_without_and_with_responders_alone() -> None:
    design = np.column_stack([np.ones(6), np.repeat([0.0, 1.0], 3)])
    n = np.full(6, 30.0)
    assert separated(np.array([0.0, 0, 0, 30, 30, 30]), n, design).tolist() == [True, True]
    # An arm without responders has no finite odds ratio, the other a finite intercept.
    assert separated(np.array([9.0, 4, 0, 0, 0, 0]), n, design).tolist() == [False, True]
    assert separated(np.array([9.0, 0, 0, 30, 30, 1]), n, design).tolist() == [False, False]


def test_coefficients_run_off_together_where_the_reference_has_no_responder() -> None:
    """Nobody responds in the reference: intercept and both levels run off, and the covariate is known."""
    levels = np.array([0, 1, 2, 0, 1, 2])
    design = np.column_stack([np.ones(6), levels == 1, levels == 2, [1.0, 2, 3, 4, 6, 8]])
    x, n = np.array([0.0, 3, 4, 0, 6, 5]), np.full(6, 20.0)
    rises = [
        max(profile(x, n, design, place, 24.0 * sign) - profile(x, n, design, place, 12.0 * sign) for sign in (-1, 1))
        for place in range(4)
    ]
    assert (np.array(rises) > -1e-6).tolist() == [True, True, True, False]
    assert separated(x, n, design).tolist() == [True, True, True, False]


@pytest.mark.parametrize("seed", range(40))
def test_the_search_for_the_maximum_agrees(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(4, 9))
    n = rng.integers(1, 12, k).astype(float)
    x = rng.binomial(n.astype(int), rng.choice([0.02, 0.5, 0.98], k)).astype(float)
    design = np.column_stack([np.ones(k), np.arange(k) % 2, 1000 * rng.normal(size=k).round(1)])
    fit = fit_glmm(x, n, design=design)
    assert separated(x, n, design).any() == (fit.message == NO_MAXIMUM)
