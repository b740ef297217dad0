"""Simulation-based calibration of posteriors known exactly passes; of wrong ones it does not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from alkbayes.calibration import replications
from alkbayes.calibration.replications import CHAINS, Drawn, Sampler, Study, replicate_study
from alkbayes.calibration.summary import summarise_study
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import Design
from alkbayes.model.draws import complete

TABLES = 200
DRAWS = 400
GRID = np.linspace(-9, 9, 6001)


def exact(*, prior_sd: float = 1.5, shift: float = 0.0, scale: float = 1.0, counted: float = 1.0) -> Sampler:
    """Return a sampler of a model with nothing but an intercept, by inversion of its distribution on a grid.

    The arguments make it wrong: another prior, a posterior moved or scaled by that many SDs, patients counted twice.
    """

    def sample(design: Design, settings: SamplerSettings) -> Drawn:
        responders, n = counted * design.responders.sum(), counted * design.n.sum()
        density = stats.norm.logpdf(GRID, 0, prior_sd) + responders * np.log(expit(GRID))
        density += (n - responders) * np.log(expit(-GRID))
        weights = np.exp(density - density.max())
        shape = (CHAINS, settings.draws)
        uniform = np.random.default_rng(settings.seed).uniform(size=shape)
        alpha = np.interp(uniform, np.cumsum(weights) / weights.sum(), GRID)
        mean, sd = alpha.mean(), alpha.std()
        alpha = mean + shift * sd + scale * (alpha - mean)
        return Drawn(complete(design, {"alpha": alpha}), Engine.QUADRATURE, "", chains=False, divergences=0)

    return sample


@pytest.fixture
def study_of(spec_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[Sampler], dict[str, Any]]:
    """Run a study of the intercept alone with 8 patients in each of 63 cohorts."""
    monkeypatch.setattr(replications, "CLASSICAL", ())
    spec = spec_of()

    def run(sampler: Sampler) -> dict[str, Any]:
        study = Study(spec, "eight-patients", Engine.QUADRATURE, seed=11, draws=DRAWS)
        records = [replicate_study(study, number, sampler=sampler) for number in range(TABLES)]
        for record in records:
            record["classical"] = {}
        return summarise_study(study, records)

    return run


def test_an_exact_posterior_is_calibrated(study_of: Callable[[Sampler], dict[str, Any]]) -> None:
    summary = study_of(exact())
    assert summary["ranks"]["passed"]
    assert all(item["inside"] for item in summary["ranks"]["quantities"])
    assert [item["quantity"] for item in summary["ranks"]["quantities"]] == [
        "alpha",
        "all these_cohorts",
        "all typical",
        "all mean",
        "all next_cohort",
    ]
    assert (summary["engines"], summary["short"], summary["failed"]) == ({"quadrature": TABLES}, 0, {})


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        ({"scale": 0.6}, "too narrow"),
        ({"scale": 1.7}, "too wide"),
        ({"shift": 0.5}, "too high"),
        ({"counted": 2.0}, "too narrow"),
        ({"prior_sd": 0.1}, ""),
    ],
)
def test_a_wrong_one_is_not(
    study_of: Callable[[Sampler], dict[str, Any]], wrong: dict[str, float], verdict: str
) -> None:
    ranks = study_of(exact(**wrong))["ranks"]
    assert not ranks["passed"]
    (alpha,) = [item for item in ranks["quantities"] if item["quantity"] == "alpha"]
    assert alpha["adjusted"] < 0.001
    assert verdict in alpha["verdict"]


def test_the_order_of_the_replications_changes_nothing(spec_of: Callable[..., Any]) -> None:
    study = Study(spec_of(), "three-trials", Engine.QUADRATURE, seed=1, draws=DRAWS)
    records = [replicate_study(study, number, sampler=exact()) for number in range(4)]
    assert summarise_study(study, records[::-1]) == summarise_study(study, records)


def test_what_failed_is_counted_and_counts_nowhere(spec_of: Callable[..., Any]) -> None:
    study = Study(spec_of(), "three-trials", Engine.QUADRATURE, seed=1, draws=DRAWS)
    records = [replicate_study(study, 0, sampler=exact()), {"replication": 1, "failed": "no start"}]
    summary = summarise_study(study, records)
    assert (summary["replications"], summary["failed"]) == (2, {"no start": 1})
    assert len(summary["ranks"]["values"]["alpha"]) == 1
    assert summarise_study(study, records[1:])["ranks"] is None


def test_a_fixed_truth_has_coverage_and_no_ranks(spec_of: Callable[..., Any]) -> None:
    study = replace(Study(spec_of(), "orr-95", Engine.QUADRATURE, seed=1, draws=DRAWS))
    summary = summarise_study(study, [replicate_study(study, number, sampler=exact()) for number in range(3)])
    assert summary["ranks"] is None
    assert {row["level"] for row in summary["coverage"]} == {"all"}
