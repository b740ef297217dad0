"""A design of some of its cohorts, and which cohorts are of one trial."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alkbayes.evidence.table import read_evidence, trial_names
from alkbayes.model.densities import log_prior
from alkbayes.model.design import build_design, parameters
from alkbayes.model.draws import from_prior
from alkbayes.model.restriction import restricted, trials_of, vanished_levels
from alkbayes.spec.schema import model_path, read_spec

KEPT = np.array([1, 3, 6, 8], dtype=np.intp)


@pytest.mark.parametrize("name", ["line-generation", "interaction", "beta-binomial-trials", "cohort-only", "sequence"])
def test_it_is_the_design_of_these_cohorts_with_all_levels(name: str, case_of: Any) -> None:
    design = case_of(name).design
    part = restricted(design, KEPT)
    assert part.cohorts == tuple(design.cohorts[cohort] for cohort in KEPT)
    np.testing.assert_array_equal(part.responders / part.n, (design.responders / design.n)[KEPT])
    for block, whole in zip(part.effects, design.effects, strict=True):
        assert block.levels == whole.levels
        assert [block.levels[code] for code in block.index] == [whole.levels[code] for code in whole.index[KEPT]]
    for term, whole in zip(part.heterogeneity, design.heterogeneity, strict=True):
        assert [term.units[code] for code in term.index] == [whole.units[code] for code in whole.index[KEPT]]
        assert set(term.index) == set(range(len(term.units)))
    for column, levels in part.profiles.items():
        np.testing.assert_array_equal(levels, design.profiles[column][KEPT])


def test_the_global_parameters_and_their_priors_are_those_of_all_cohorts(case_of: Any) -> None:
    design = case_of("line-generation").design
    part = restricted(design, KEPT)
    draws = from_prior(design, rng=np.random.default_rng(1), draws=5)
    ours, whole = log_prior(part, draws), log_prior(design, draws)
    assert set(ours) == set(whole)
    for name, values in ours.items():
        np.testing.assert_array_equal(values, whole[name])
    assert [item.name for item in parameters(part)] == [item.name for item in parameters(design)]


def test_it_is_what_the_rest_of_the_table_gives_where_no_level_vanishes(spec_of: Any, table_of: Any) -> None:
    half_normal = {"dist": "half_normal", "sd": 0.5}
    spec = spec_of(
        effect=[{"column": "regimen_class", "kind": "exchangeable", "sd_prior": half_normal}],
        heterogeneity=[
            {"column": column, "distribution": "normal", "sd_prior": half_normal} for column in ("trial", "cohort_id")
        ],
    )
    whole = table_of()
    rows = [row for place, row in enumerate(whole.frame.index) if place not in (0, 5)]
    frame = whole.frame.loc[rows].reset_index(drop=True)
    ours = restricted(build_design(spec, whole), np.array(rows, dtype=np.intp))
    theirs = build_design(spec, type(whole)(frame=frame, source="made up", sha256="", content=b""))
    assert ours.cohorts == theirs.cohorts
    for one, other in zip((*ours.effects, *ours.heterogeneity), (*theirs.effects, *theirs.heterogeneity), strict=True):
        np.testing.assert_array_equal(one.index, other.index)
    assert [term.units for term in ours.heterogeneity] == [term.units for term in theirs.heterogeneity]


def test_levels_that_lose_all_their_cohorts_are_named(case_of: Any) -> None:
    design = case_of("line-generation").design
    experimental = np.flatnonzero(design.profiles["regimen_class"] == "experimental")
    kept = np.setdiff1d(np.arange(len(design.cohorts)), experimental)
    assert vanished_levels(design, kept) == ("generation experimental",)
    assert vanished_levels(design, kept[1:]) == ("generation experimental",)
    assert vanished_levels(design, np.arange(len(design.cohorts))) == ()


def test_a_cohort_without_a_trial_stands_for_one_of_its_own(table_of: Any) -> None:
    rows = ["a A naive first 10 5", "b . naive first 10 5", "A . naive first 10 5", "c A naive first 10 5"]
    evidence = table_of("\n".join(rows))
    evidence.frame["trial"] = evidence.frame["trial"].replace(".", "")
    found = trials_of(evidence)
    assert found is not None
    assert [(trial.name, trial.cohorts.tolist()) for trial in found] == [
        ("A", [0, 3]),
        ("b", [1]),
        ("A (no trial)", [2]),
    ]
    evidence.frame["trial"] = ""
    assert trials_of(evidence) is None


def test_a_cohort_without_a_trial_keeps_its_name_unless_a_trial_has_it(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,trial,responders,n\nA,,1,9\nb,A,2,8\nc,A,3,7\nd,,4,9\n", encoding="utf-8")
    evidence = read_evidence(path)
    assert trial_names(evidence.frame) == ["A (no trial)", "A", "A", "d"]
    trials = trials_of(evidence)
    assert trials is not None
    assert {trial.name: trial.cohorts.tolist() for trial in trials} == {"A (no trial)": [0], "A": [1, 2], "d": [3]}
    group = build_design(read_spec(model_path("overall")), evidence).group
    assert group is not None
    assert (group.units, group.index.tolist()) == (("A", "A (no trial)", "d"), [1, 0, 0, 2])
