"""p-values of cohorts left out under simulation; test_leave_one_cohort_out.py holds their values on a small table."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit

from alkbayes.criticism.loo_cohorts import leave_one_cohort_out
from alkbayes.criticism.outliers import outlier_table
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings

TRIALS, SIZE, N = 40, 3, 80
ERROR = 0.001
"""Probability that the test fails on p-values that are uniform."""


@pytest.fixture(scope="module")
def p_values(spec_of: Any, table_of: Any) -> Any:
    """p-values of all cohorts of a table simulated with some SDs, under a model of trials and cohorts."""

    def make(*, tau_trial: float, tau_cohort: float, levels: tuple[str, ...]) -> pd.Series:
        rng = np.random.default_rng(6)
        theta = 0.4 + np.repeat(rng.normal(0, tau_trial, TRIALS), SIZE) + rng.normal(0, tau_cohort, TRIALS * SIZE)
        rows = [f"c{i} T{i // SIZE} naive first {N} {y}" for i, y in enumerate(rng.binomial(N, expit(theta)))]
        half_normal = {"dist": "half_normal", "sd": 0.5}
        spec = spec_of(
            heterogeneity=[{"column": column, "distribution": "normal", "sd_prior": half_normal} for column in levels]
        )
        settings = SamplerSettings(seed=2, chains=2, draws=500)
        fit = fit_model(spec, table_of("\n".join(rows)), engine=Engine.QUADRATURE, settings=settings)
        return outlier_table(fit, leave_one_cohort_out(fit))["p"]

    return make


@pytest.mark.slow
def test_p_values_are_uniform_where_the_model_is_true(p_values: Any) -> None:
    found = p_values(tau_trial=0.5, tau_cohort=0.4, levels=("trial", "cohort_id"))
    assert stats.kstest(found, "uniform").pvalue > ERROR


@pytest.mark.slow
def test_they_are_not_where_the_model_leaves_out_that_cohorts_differ(p_values: Any) -> None:
    found = p_values(tau_trial=0.5, tau_cohort=0.4, levels=("trial",))
    assert stats.kstest(found, "uniform").pvalue < ERROR / 100
    assert (found < 0.05).mean() > 0.1
