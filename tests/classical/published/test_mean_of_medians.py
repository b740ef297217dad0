"""The patient-weighted mean of medians, against arithmetic and SciPy's bootstrap."""

import math

import numpy as np
import pytest
from scipy import stats

from alkbayes.classical.published.mean_of_medians import weighted_mean

MEDIANS = np.array([10.0, 20.0, 7.5, 12.0, 9.0, 25.0, 8.0, 11.0, 30.0, 6.0, 14.0, 9.5])
PATIENTS = np.array([100.0, 50.0, 80.0, 20.0, 150.0, 60.0, 40.0, 90.0, 30.0, 70.0, 110.0, 45.0])
ALONE = [f"T{at}" for at in range(12)]


def of(medians: np.ndarray, patients: np.ndarray, trials: list[str], *, seed: int = 1, resamples: int = 10_000):
    return weighted_mean(medians, patients, trials, rng=np.random.default_rng(seed), resamples=resamples)


def test_the_estimate_is_the_weighted_mean() -> None:
    found = of(MEDIANS, PATIENTS, ALONE)
    assert found.estimate == pytest.approx(np.average(MEDIANS, weights=PATIENTS))
    assert (found.k, found.trials, found.patients, found.note) == (12, 12, 845, "")


def test_the_interval_is_scipy_s_percentile_bootstrap() -> None:
    found = of(MEDIANS, PATIENTS, ALONE, resamples=100_000)
    theirs = stats.bootstrap(
        (MEDIANS * PATIENTS, PATIENTS),
        lambda months, patients, axis: months.sum(axis=axis) / patients.sum(axis=axis),
        paired=True,
        n_resamples=100_000,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(2),
    ).confidence_interval
    # Of 100,000 resamples the ends have a Monte Carlo error of about 0.01 months each.
    assert found.low == pytest.approx(theirs.low, abs=0.06)
    assert found.high == pytest.approx(theirs.high, abs=0.06)


def test_cohorts_of_a_trial_stay_together() -> None:
    trials = ["A", "A", "A", "A", "B", "B", "B", "B", "C", "C", "C", "C"]
    found = of(MEDIANS, PATIENTS, trials)
    sums = [(MEDIANS[start : start + 4] * PATIENTS[start : start + 4]).sum() for start in (0, 4, 8)]
    sizes = [PATIENTS[start : start + 4].sum() for start in (0, 4, 8)]
    # With three trials a resample is one of ten; the extreme ones have 1/27 of the probability each, more than 2.5 %.
    means = [month / size for month, size in zip(sums, sizes, strict=True)]
    assert (found.low, found.high) == pytest.approx((min(means), max(means)))
    assert found.note == "3 trials: a bootstrap interval of so few is too narrow"


def test_one_trial_has_no_interval_and_none_has_nothing() -> None:
    found = of(MEDIANS[:2], PATIENTS[:2], ["A", "A"])
    assert (found.estimate, math.isnan(found.low), math.isnan(found.high)) == (pytest.approx(40 / 3), True, True)
    assert found.note == "one trial: there is nothing to resample"
    nothing = of(MEDIANS[:0], PATIENTS[:0], [])
    assert (nothing.k, nothing.note, math.isnan(nothing.estimate)) == (0, "no median", True)


def test_the_seed_decides() -> None:
    assert of(MEDIANS, PATIENTS, ALONE) == of(MEDIANS, PATIENTS, ALONE)
    assert of(MEDIANS, PATIENTS, ALONE).low != of(MEDIANS, PATIENTS, ALONE, seed=2).low
