"""All tables of a fit and the document: what they hold, whatever the draws are.

The draws are random positions, not a posterior, so that nothing has to be compiled: what is tested here are
names, counts, and that the tables and the document say the same.
"""

import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alkbayes.errors import ConvergenceWarning
from alkbayes.estimates.results import CLASSICAL_METHODS, Results, results_of
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.nuts.sampler import SAMPLE_STATS, Sampled
from alkbayes.inference.settings import SamplerSettings
from alkbayes.model.design import Design, parameters
from alkbayes.spec.schema import model_names, model_path, read_spec
from alkbayes.text.json import finite_or_none, records

SETTINGS = SamplerSettings(draws=150, tune=100, seed=3)
TABLES = ("pooled", "contrasts", "heterogeneity", "classical")


class Unsampled:
    """An engine that compiles nothing and draws what it likes."""

    def __init__(self, design: Design) -> None:
        self._size = sum(parameter.size for parameter in parameters(design))

    def sample(self, settings: SamplerSettings, *, progress: object) -> Sampled:
        assert progress is None
        shape = settings.chains, settings.draws
        rng = np.random.default_rng(settings.seed)
        stats: dict[str, Any] = {name: np.ones(shape) for name in SAMPLE_STATS.values()}
        stats |= {"diverging": np.zeros(shape, dtype=bool), "energy": rng.normal(size=shape)}
        positions = rng.normal(0, 0.3, (*shape, self._size))
        return Sampled(positions=positions, stats=stats, compile_seconds=0.1, sample_seconds=0.1)


@pytest.fixture(scope="module")
def unsampled() -> Callable[[str], Fit]:
    """Return a fit of a bundled model to the bundled table, its draws made up."""

    def make(model: str) -> Fit:
        spec = read_spec(model_path(model))
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            patch.setattr("alkbayes.inference.nuts.sampler.NutsEngine", Unsampled)
            # Draws that are made up do not pass the gate of every model.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return fit_model(spec, read_evidence(needed=spec.columns), settings=SETTINGS)

    return make


@pytest.fixture(scope="module")
def default_results(unsampled: Callable[[str], Fit]) -> Results:
    return results_of(unsampled("line-generation"))


def crude(results: Results, group: str, level: str) -> dict[str, Any]:
    (row,) = [
        row
        for row in results.document["classical"]
        if (row["group"], row["level"], row["method"]) == (group, level, "crude-wilson")
    ]
    return row


def test_crude_rows_of_the_bundled_table_are_the_plain_sums(default_results: Results) -> None:
    overall = crude(default_results, "all", "all")
    assert (overall["k"], overall["responders"], overall["patients"]) == (66, 3436, 5707)
    assert overall["estimate"] == pytest.approx(3436 / 5707, rel=1e-12)
    for level, percent in {"naive": "76.4", "pretreated": "49.9", "mixed": "64.6"}.items():
        assert f"{100 * crude(default_results, 'line', level)['estimate']:.1f}" == percent
    frame = read_evidence().frame
    for (line, generation), part in frame.groupby(["line", "regimen_class"]):
        row = crude(default_results, "line:generation", f"{line}:{generation}")
        assert row["estimate"] == pytest.approx(part["responders"].sum() / part["n"].sum(), rel=1e-12)


def test_pooled_and_classical_rows_are_of_the_same_groups_and_counts(default_results: Results) -> None:
    pooled = default_results.pooled[["group", "level", "k", "patients", "responders"]].drop_duplicates()
    classical = default_results.classical[["group", "level", "k", "patients", "responders"]].drop_duplicates()
    pd.testing.assert_frame_equal(pooled.reset_index(drop=True), classical.reset_index(drop=True), check_dtype=False)
    assert len(pooled) == 1 + 3 + 5 + 13
    assert len(default_results.pooled) == 4 * len(pooled)
    assert len(default_results.classical) == len(CLASSICAL_METHODS) * len(pooled)
    for group in ("line", "generation", "line:generation"):
        rows = pooled[pooled["group"] == group]
        assert (rows["k"].sum(), rows["patients"].sum(), rows["responders"].sum()) == (66, 5707, 3436)


def test_the_evidence_is_named_by_its_sums_and_its_hash(default_results: Results) -> None:
    evidence = read_evidence()
    assert default_results.document["evidence"] == {
        "source": "bundled",
        "cohorts": 66,
        "trials": 44,
        "patients": 5707,
        "responders": 3436,
        "sha256": evidence.sha256,
        "file": "evidence.csv",
        "sheet": None,
        "columns": {},
        "where": "",
        "exclude": [],
        "reason": "",
    }
    notes = " ".join(default_results.document["notes"])
    assert "not randomised" in notes
    assert "reconstructs that of the published review" in notes


@pytest.mark.slow
@pytest.mark.parametrize("model", model_names())
def test_every_model_gives_every_table_and_a_document_that_json_holds(
    unsampled: Callable[[str], Fit], model: str
) -> None:
    fit = unsampled(model)
    results = results_of(fit)
    document = results.document
    assert document == json.loads(json.dumps(document, allow_nan=False))
    assert (document["model"], document["question"]) == (fit.spec.name, fit.spec.question)
    for name in TABLES:
        rows = [{key: value for key, value in row.items() if key != "notes"} for row in document[name]]
        assert rows == records(getattr(results, name))
    assert len(results.cohorts) == 66
    assert set(results.pooled["estimand"]) == {"these_cohorts", "typical", "mean", "next_cohort"}
    rates = results.pooled[["mean", "median", "low", "high"]].to_numpy()
    assert rates.min() >= 0
    assert rates.max() <= 1
    groups = set(results.pooled["group"])
    assert groups == set(results.classical["group"])
    single = {block.label for block in fit.design.effects if len(block.columns) == 1}
    assert {group for group in groups if ":" not in group} == {"all"} | single
    assert set(results.contrasts["column"]) == single
    assert ("not randomised" in " ".join(document["notes"])) == bool(single)


def test_missing_numbers_are_null_and_numpy_is_gone() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, np.nan], "c": ["x", None], "d": [True, False]})
    found = records(frame)
    assert found == [{"a": 1, "b": 0.5, "c": "x", "d": True}, {"a": 2, "b": None, "c": None, "d": False}]
    assert [type(value) for value in found[0].values()] == [int, float, str, bool]
    nested = finite_or_none({1: (np.float64(2.5), np.inf, [-np.inf, np.int64(3)]), "b": {"c": np.bool_(True)}})
    assert nested == {"1": [2.5, None, [None, 3]], "b": {"c": True}}
    assert json.dumps(nested, allow_nan=False) == '{"1": [2.5, null, [null, 3]], "b": {"c": true}}'


def test_the_draws_of_pooled_rates_are_kept_in_a_group_that_arviz_summarises(unsampled: Callable[[str], Fit]) -> None:
    fit = unsampled("line")
    results = results_of(fit)
    estimands = results.estimands
    assert set(estimands) == {"these_cohorts", "typical", "mean", "next_cohort"}
    assert estimands["group"].to_numpy().tolist() == ["all", "line naive", "line pretreated", "line mixed"]
    assert estimands["mean"].dims == ("chain", "draw", "group")
    assert estimands.sizes["draw"] == fit.tree["posterior"].sizes["draw"]
    rows = results.pooled.set_index(["level", "estimand"])
    for level in ("all", "naive", "mixed"):
        place = level if level == "all" else f"line {level}"
        for name in ("typical", "mean", "these_cohorts"):
            draws = estimands[name].sel(group=place).to_numpy()
            assert draws.mean() == pytest.approx(rows.loc[(level, name), "mean"], rel=1e-12)
            assert np.quantile(draws, 0.025) == pytest.approx(rows.loc[(level, name), "low"], rel=1e-12)
    # Typical rates are functions of the parameters, draw by draw.
    alpha = fit.tree["posterior"]["alpha"].to_numpy()
    np.testing.assert_allclose(estimands["typical"].sel(group="line naive"), 1 / (1 + np.exp(-alpha)), rtol=1e-12)
