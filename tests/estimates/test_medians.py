"""Pooled medians from draws that are made up, so that what they must be is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alkbayes.estimates.medians import (
    median_cohorts,
    median_contrasts,
    median_heterogeneity,
    pooled_medians,
    typical_medians,
)
from alkbayes.evidence.medians import Medians, Source
from alkbayes.inference.importance.medians import MedianPosterior
from alkbayes.model.design import build_structure
from alkbayes.spec.medians import read_median_spec
from alkbayes.spec.schema import model_path

DRAWS = 4000
FRAME = pd.DataFrame(
    {
        "cohort_id": ["a", "b", "c", "d"],
        "trial": ["A", "A", "C", "D"],
        "line": ["naive", "pretreated", "naive", "pretreated"],
        "regimen_class": ["first", "first", "second", "second"],
    }
)
PATIENTS = np.array([100.0, 50.0, 25.0, 25.0])
NONE = np.full(4, np.nan)
MEDIANS = Medians(
    frame=FRAME,
    patients=PATIENTS,
    low=np.array([8.0, np.nan, np.nan, np.nan]),
    high=np.array([15.0, np.nan, np.nan, np.nan]),
    log_median=np.log([11.0, 6.0, np.nan, 9.0]),
    log_bound=np.array([np.nan, np.nan, np.log(20.0), np.nan]),
    se=np.full(4, 0.2),
    source=(Source.BOTH, Source.PATIENTS, Source.PATIENTS, Source.LOW),
    skew=NONE,
    se_constant=1.5,
)
ALPHA, BETA, SD, TAU_TRIAL, TAU_COHORT = 2.5, -0.6, 0.4, 0.3, 0.4


@pytest.fixture(scope="module")
def posterior() -> MedianPosterior:
    """Every draw the same, but for theta."""
    structure = build_structure(read_median_spec(model_path("pfs")), FRAME, PATIENTS)
    draws = {
        "alpha": np.full(DRAWS, ALPHA),
        "beta_line": np.full((DRAWS, 1), BETA),
        "sd_generation": np.full(DRAWS, SD),
        "raw_generation": np.full((DRAWS, 1), 1.0),
        "tau_trial": np.full(DRAWS, TAU_TRIAL),
        "tau_cohort": np.full(DRAWS, TAU_COHORT),
        "theta": np.random.default_rng(1).normal(2.0, 0.1, (DRAWS, 4)),
    }
    return MedianPosterior(structure, draws, np.arange(DRAWS), 0.1, float(DRAWS), DRAWS, ())


FIRST = ALPHA + SD / np.sqrt(2)
SECOND = ALPHA - SD / np.sqrt(2)


def row(table: pd.DataFrame, level: str, estimand: str) -> pd.Series:
    (found,) = table[(table["level"] == level) & (table["estimand"] == estimand)].to_dict("records")
    return pd.Series(found)


def test_typical_mean_and_next_cohort_of_a_cell(posterior: MedianPosterior) -> None:
    table = pooled_medians(posterior, MEDIANS, seed=1)
    cell, mu = "pretreated:second", SECOND + BETA
    assert row(table, cell, "typical")["median"] == pytest.approx(np.exp(mu))
    assert row(table, cell, "mean")["median"] == pytest.approx(np.exp(mu + (TAU_TRIAL**2 + TAU_COHORT**2) / 2))
    following = row(table, cell, "next_cohort")
    low, high = np.exp(stats.norm(mu, 0.5).ppf([0.025, 0.975]))
    # 64,000 stratified draws: the ends of the interval to 1 %.
    assert (following["low"], following["high"]) == (pytest.approx(low, rel=0.02), pytest.approx(high, rel=0.02))
    assert following["group"] == "line:generation"


def test_a_group_is_averaged_over_its_patients(posterior: MedianPosterior) -> None:
    table = pooled_medians(posterior, MEDIANS, seed=1)
    naive = row(table, "naive", "typical")
    assert naive["median"] == pytest.approx(np.exp(0.8 * FIRST + 0.2 * SECOND))
    mean = (0.8 * np.exp(FIRST) + 0.2 * np.exp(SECOND)) * np.exp(0.125)
    assert row(table, "naive", "mean")["median"] == pytest.approx(mean)
    assert (naive["k"], naive["not_reached"], naive["patients"]) == (2, 1, 125)
    assert naive["weights"] == "first 80.0 %; second 20.0 %"
    own = np.exp(posterior.draws["theta"])[:, [0, 2]] @ [0.8, 0.2]
    assert row(table, "naive", "these_cohorts")["median"] == pytest.approx(np.median(own))
    typical = typical_medians(posterior)
    assert typical["level"].tolist() == ["all", "naive", "pretreated"]
    assert typical["median"].tolist() == pytest.approx(
        [row(table, level, "typical")["median"] for level in ("all", "naive", "pretreated")]
    )


def test_contrasts(posterior: MedianPosterior) -> None:
    table = median_contrasts(posterior).set_index(["contrast", "scale"])
    assert table.loc[("pretreated vs naive", "median_ratio"), "median"] == pytest.approx(np.exp(BETA))
    assert table.loc[("pretreated vs naive", "median_ratio"), "prob_longer"] == 0.0
    assert table.loc[("second vs first", "median_ratio"), "median"] == pytest.approx(np.exp(-SD * np.sqrt(2)))
    shares = np.array([125.0, 75.0]) / 200
    months = ((np.exp(SECOND) - np.exp(FIRST)) * np.array([1.0, np.exp(BETA)]) * np.exp(0.125)) @ shares
    assert table.loc[("second vs first", "months"), "median"] == pytest.approx(months)


def test_heterogeneity(posterior: MedianPosterior) -> None:
    table = median_heterogeneity(posterior, MEDIANS).set_index("parameter")["median"]
    assert list(table.index) == ["tau_trial", "tau_cohort", "tau_total", "sd_generation", "explained", "i2"]
    assert table["tau_total"] == pytest.approx(0.5)
    predictors = np.array([FIRST, FIRST + BETA, SECOND, SECOND + BETA])
    assert table["explained"] == pytest.approx(predictors.var() / (predictors.var() + 0.25))
    # Of equal standard errors the typical sampling variance is theirs.
    assert table["i2"] == pytest.approx(0.25 / (0.25 + 0.04))


def test_cohorts(posterior: MedianPosterior) -> None:
    table = median_cohorts(posterior, MEDIANS).set_index("cohort_id")
    assert table["observed"].tolist()[:2] == pytest.approx([11.0, 6.0])
    assert np.isnan(table.loc["c", "observed"])
    assert table.loc["c", "bound"] == pytest.approx(20.0)
    assert table["trial"].tolist() == ["A", "A", "C", "D"]
    assert table["se_source"].tolist() == ["both limits", "patients", "patients", "lower limit"]
    assert table["expected"].tolist() == pytest.approx(np.exp([FIRST, FIRST + BETA, SECOND, SECOND + BETA]))
    assert table["median"].tolist() == pytest.approx(np.median(np.exp(posterior.draws["theta"]), axis=0).tolist())


def test_duplicates_count_in_the_errors(posterior: MedianPosterior) -> None:
    # Two copies of each draw know a mean as half as many independent ones do.
    doubled = MedianPosterior(
        posterior.structure,
        {name: np.repeat(values, 2, axis=0) for name, values in posterior.draws.items()},
        np.repeat(posterior.proposal, 2),
        0.1,
        float(DRAWS),
        DRAWS,
        (),
    )
    one, two = (
        row(pooled_medians(each, MEDIANS, seed=1), "all", "these_cohorts")["mcse"] for each in (posterior, doubled)
    )
    assert two == pytest.approx(one, rel=1e-6)
