"""The model beside every classical method."""

import numpy as np
import pytest

from alkbayes.classical.pooling.methods import ALL_METHODS
from alkbayes.classical.pooling.tables import pool_table
from alkbayes.evidence.table import read_evidence
from alkbayes.plots.figures.comparison import FAMILIES, comparison, family_of


@pytest.fixture(scope="module")
def classical():
    return pool_table(read_evidence(), by=(), methods=ALL_METHODS)


@pytest.fixture(scope="module")
def seen(run, classical, see):
    (page,) = comparison(run.results.pooled, classical)
    return see(page)


def test_every_method_is_there_with_its_numbers(seen, classical) -> None:
    for record in classical.to_dict(orient="records"):
        assert seen.words.count(record["method"]) == 1
        estimate, low, high = (100 * record[name] for name in ("estimate", "low", "high"))
        assert f"{estimate:.1f} ({low:.1f}–{high:.1f})" in seen.words
    points = sorted(seen.points("classical")[:, 0])
    assert points == pytest.approx(sorted(100 * classical["estimate"]))
    limits = sorted(tuple(segment[:, 0]) for segment in seen.one("classical-interval").get_segments())
    assert np.array(limits) == pytest.approx(100 * classical.sort_values(["low", "high"])[["low", "high"]].to_numpy())


def test_the_model_stands_above_with_its_estimands(seen, run) -> None:
    pooled = run.results.pooled
    of_all = pooled[pooled["group"] == "all"].set_index("estimand")
    found = seen.points("bayesian")[:, 0]
    assert found == pytest.approx(100 * of_all.loc[["these_cohorts", "typical", "mean"], "median"].to_numpy())
    (bar,) = seen.one("bayesian-prediction").get_paths()
    assert (bar.vertices[:, 0].min(), bar.vertices[:, 0].max()) == pytest.approx(
        tuple(100 * of_all.loc["next_cohort", ["low", "high"]])
    )


def test_it_says_which_interval_is_which(seen) -> None:
    text = " ".join(seen.words)
    assert "95 % credible interval" in text
    assert "95 % confidence interval" in text
    assert "95 % prediction interval" in text
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_a_method_without_a_result_says_so(run, classical, see) -> None:
    broken = classical.copy()
    broken.loc[broken["method"] == "glmm-ml", ["estimate", "low", "high", "prediction_low", "prediction_high"]] = np.nan
    seen = see(comparison(run.results.pooled, broken)[0])
    assert "no result" in seen.words
    assert len(seen.points("classical")) == len(ALL_METHODS) - 1


def test_every_method_has_a_family() -> None:
    assert {family_of(method) for method in ALL_METHODS} == set(FAMILIES)
