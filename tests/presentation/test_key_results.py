"""Key results: at most six lines, made of the numbers that the tables show."""

import copy
import json
from typing import Any

import pytest

from alkbayes.estimates.results import results_of
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.presentation.fit import contrast_rows, pooled_rows
from alkbayes.presentation.key_results import MOST_LEVELS, key_results

SETTINGS = SamplerSettings(draws=500, seed=4)


@pytest.fixture(scope="module")
def document(case_of: Any) -> dict[str, Any]:
    case = case_of("line-generation")
    return results_of(fit_model(case.spec, case.evidence, engine=Engine.QUADRATURE, settings=SETTINGS)).document


@pytest.fixture
def changed(document: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(document)


def test_there_are_at_most_six_lines_and_the_verdict_is_the_last(changed: dict[str, Any]) -> None:
    changed["unnamed"] = [{"column": "site"}]
    labels = [label for label, _ in key_results(changed)]
    assert labels[0] == "Pooled objective response rate"
    assert labels[1:] == ["By line", "Largest contrast", "Heterogeneity", "Not in the model", "Verdict"]


def test_numbers_are_those_of_the_tables(document: dict[str, Any]) -> None:
    told = dict(key_results(document))
    rows = {name.strip(" *"): cells for name, *cells in pooled_rows(document).rows if cells}
    middle, interval = rows["overall"][-2].split("\n")
    assert told["Pooled objective response rate"].startswith(
        f"{middle} % on average (95 % credible interval {interval})"
    )
    assert f"{rows['overall'][-1]} % in a new cohort" in told["Pooled objective response rate"]
    for level in ("naive", "pretreated"):
        middle, interval = rows[level][-2].split("\n")
        assert f"{level} {middle} ({interval}), new cohort {rows[level][-1]}" in told["By line"].lower()


def test_the_largest_contrast_is_the_largest_of_all_effects(document: dict[str, Any]) -> None:
    cells = [row for table in contrast_rows(document) for row in table.rows]
    name, odds, points, _ = max(cells, key=lambda row: abs(float(row[2].split()[0].replace("−", "-"))))
    told = dict(key_results(document))["Largest contrast"]
    assert f"{name.rstrip(' *')}: {points.replace(' (', ' points (')}, odds ratio {odds};" in told


def test_a_contrast_of_predictions_alone_is_not_the_largest(changed: dict[str, Any]) -> None:
    largest = max(
        (row for row in changed["contrasts"] if row["scale"] == "risk_difference"), key=lambda row: abs(row["median"])
    )
    for row in changed["contrasts"]:
        if row["contrast"] == largest["contrast"]:
            row["predicted"] = 1.0
    assert largest["contrast"] not in dict(key_results(changed))["Largest contrast"]


def test_of_many_levels_the_ends_are_told(changed: dict[str, Any]) -> None:
    (template,) = [row for row in changed["pooled"] if (row["level"], row["estimand"]) == ("naive", "mean")]
    (following,) = [row for row in changed["pooled"] if (row["level"], row["estimand"]) == ("naive", "next_cohort")]
    for number in range(MOST_LEVELS):
        for row in (template, following):
            changed["pooled"].append(row | {"level": f"x{number}", "median": 0.01 * (number + 1)})
    told = dict(key_results(changed))["By line"]
    assert told.startswith("x0 1")
    assert "x1" not in told
    assert "lowest and highest level" in told


@pytest.mark.parametrize("why", ["diagnostics", "cross_check"])
def test_numbers_that_must_not_be_used_are_left_out(changed: dict[str, Any], why: str) -> None:
    if why == "diagnostics":
        changed["diagnostics"] |= {"converged": False, "failures": ["R-hat of tau is odd"]}
    else:
        changed["cross_check"] = {"faults": ["R-hat of tau is odd"]}
    ((label, told),) = key_results(changed)
    assert label == "Verdict"
    assert told.endswith("no number may be used: R-hat of tau is odd.")
    assert "%" not in json.dumps(told)


def test_a_model_without_heterogeneity_has_no_line_of_it(case_of: Any) -> None:
    case = case_of("no-heterogeneity")
    found = results_of(fit_model(case.spec, case.evidence, engine=Engine.QUADRATURE, settings=SETTINGS))
    labels = [label for label, _ in key_results(found.document)]
    assert labels == ["Pooled objective response rate", "By line", "Largest contrast", "Verdict"]
