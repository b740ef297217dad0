"""The recorded calibration studies: of the code that is here, large enough, and with the verdicts that they say."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from alkbayes.alk.levels import DEFAULT_MODELS
from alkbayes.calibration.fingerprint import differing, fingerprint
from alkbayes.calibration.replications import Study
from alkbayes.calibration.scenarios import SCENARIOS
from alkbayes.calibration.uniformity import judge_ranks
from alkbayes.inference.settings import Engine
from alkbayes.spec.schema import model_path, read_spec

RECORDED = Path(__file__).parents[2] / "validation" / "sbc"
OLD = "line-generation"
"""Its studies have the names of the scenarios alone."""
LEAST = {
    (OLD, "bundled", "quadrature"): 1000,
    (OLD, "bundled", "nuts"): 200,
    (DEFAULT_MODELS[0], "bundled", "nuts"): 200,
    **{(OLD, name, "quadrature"): 400 for name in SCENARIOS if name != "bundled"},
}
"""Replications of each study: a model, a scenario, an engine."""
STUDIES = list(LEAST)
QUICK = [(OLD, "bundled", "quadrature"), (OLD, "bundled", "nuts")]
REMAKE = "the recorded calibration studies are not of this code: make calibrate"
MOST_FAILED = 0.01
FROM_PRIORS = [study for study in STUDIES if SCENARIOS[study[1]].truth is None]
LEAST_P = 0.05 / len(FROM_PRIORS)
"""Of a study, so that all of them together fail by chance with a probability of at most 5 %."""


@cache
def recorded(model: str, scenario: str, engine: str) -> tuple[dict[str, Any], dict[str, Any]]:
    folder = RECORDED / f"{'' if model == OLD else f'{model}-'}{scenario}-{engine}"
    assert folder.is_dir(), f"{folder.name} is not there; {REMAKE}"
    study = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    return study, json.loads((folder / "summary.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("model", "scenario", "engine"),
    # The others are of the same model or engine.
    [study if study in QUICK else pytest.param(*study, marks=pytest.mark.slow) for study in STUDIES],
)
def test_it_is_of_this_code(model: str, scenario: str, engine: str) -> None:
    study, _ = recorded(model, scenario, engine)
    of = Study(read_spec(model_path(study["model"])), scenario, Engine(engine), study["seed"], study["draws"])
    assert differing(study["fingerprint"], fingerprint(of), of.engine) == [], REMAKE


@pytest.mark.parametrize(("model", "scenario", "engine"), STUDIES)
def test_it_is_what_it_is_called_and_large_enough(model: str, scenario: str, engine: str) -> None:
    study, summary = recorded(model, scenario, engine)
    assert (study["model"], study["scenario"], study["engine"]) == (model, scenario, engine)
    assert summary["replications"] >= LEAST[model, scenario, engine]
    assert sum(summary["failed"].values()) <= MOST_FAILED * summary["replications"]
    assert {"started", "versions", "machine"} <= set(study)


@pytest.mark.parametrize(("model", "scenario", "engine"), FROM_PRIORS)
def test_its_ranks_are_uniform(model: str, scenario: str, engine: str) -> None:
    _, summary = recorded(model, scenario, engine)
    ranks = summary["ranks"]
    made = summary["replications"] - sum(summary["failed"].values())
    assert {len(values) for values in ranks["values"].values()} == {made}
    judged = {item.quantity: item for item in judge_ranks(ranks["values"], kept=ranks["kept"])}
    for said in ranks["quantities"]:
        assert judged[said["quantity"]].p == pytest.approx(said["p"], rel=1e-6)
        assert judged[said["quantity"]].adjusted == pytest.approx(said["adjusted"], rel=1e-6)
        assert judged[said["quantity"]].adjusted >= LEAST_P, said
    assert ranks["passed"] == all(item.adjusted >= 0.05 for item in judged.values())
    assert summary["short"] <= MOST_FAILED * made


@pytest.mark.parametrize(("model", "scenario", "engine"), FROM_PRIORS)
def test_its_posterior_intervals_cover_what_they_should(model: str, scenario: str, engine: str) -> None:
    _, summary = recorded(model, scenario, engine)
    posterior = [row for row in summary["coverage"] if row["method"] == "posterior"]
    assert len(posterior) == 16
    for row in posterior:
        # Four standard errors of a coverage of 95 %: one row in 16,000 by chance.
        assert abs(row["coverage"] - 0.95) < 4 * (0.95 * 0.05 / row["replications"]) ** 0.5, row
