"""Scenarios: each is a table that every bundled model can be laid over."""

import pytest

from alkbayes.calibration.scenarios import SCENARIOS, evidence_of, scenario_named
from alkbayes.errors import UsageError
from alkbayes.model.design import build_design
from alkbayes.spec.schema import model_names, model_path, read_spec

SIZES = {
    "three-trials": (11, 3),
    "three-trials-fixed": (11, 3),
    "five-to-a-million": (6, 3),
    "unbalanced-lines": (20, 15),
    "unbalanced-lines-fixed": (20, 15),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_has_the_cohorts_it_says(name: str) -> None:
    evidence = evidence_of(name, read_spec(model_path("line-generation")))
    cohorts, trials = SIZES.get(name, (63, 42))
    assert (evidence.cohorts, evidence.trials) == (cohorts, trials)
    assert set(evidence.frame["line"]) == {"naive", "pretreated", "mixed"}
    assert (set(evidence.frame["n"]) == {8}) == name.startswith("eight-patients")


def test_each_cohort_may_have_its_own_number_of_patients() -> None:
    frame = evidence_of("five-to-a-million", read_spec(model_path("line"))).frame
    assert frame["n"].tolist() == [1_000_000, 20_000, 5, 300_000, 50, 10]
    assert not frame["responders"].any()
    assert frame["trial"].duplicated().any()


def test_unbalanced_lines_are() -> None:
    frame = evidence_of("unbalanced-lines", read_spec(model_path("line"))).frame
    assert frame["line"].value_counts().to_dict() == {"naive": 17, "pretreated": 2, "mixed": 1}


@pytest.mark.parametrize("model", [name for name in model_names() if read_spec(model_path(name)).outcome.usual])
def test_every_bundled_model_has_a_design_of_the_smallest(model: str) -> None:
    spec = read_spec(model_path(model))
    assert len(build_design(spec, evidence_of("three-trials", spec)).cohorts) == 11


def test_an_unknown_one_is_refused_with_all_names() -> None:
    with pytest.raises(UsageError, match=r"scenario: found 'best'; allowed: bundled, three-trials, "):
        scenario_named("best")
