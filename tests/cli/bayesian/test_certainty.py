"""`alkbayes certainty`: its numbers are those of the other commands, and its judgements are nobody's."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

type Command = Callable[..., Result]

METHOD = "reml-logit-hk-adhoc"
SERIOUS = ["not serious", "serious", "very serious"]


@pytest.fixture(scope="module")
def folder(alkbayes: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the bundled table, which nobody judged."""
    folder = tmp_path_factory.mktemp("certainty") / "run"
    done = alkbayes("fit", "line", "--engine", "quadrature", "--draws", "500", "--out", folder)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def sheet(alkbayes: Command, folder: Path) -> dict[str, Any]:
    return json.loads(alkbayes("certainty", folder, "--json").stdout)["certainty"]


def facts(sheet: dict[str, Any], item: str) -> dict[str, dict[str, Any]]:
    (found,) = [each for each in sheet["items"] if each["item"] == item]
    return {fact["name"]: fact for fact in found["facts"]}


def test_items_are_those_of_grade_and_their_judgements_are_empty(sheet: dict[str, Any]) -> None:
    # GRADE handbook (Schünemann et al. 2013), chapter 5: five reasons to rate down, three to rate up.
    assert [(each["item"], each["allowed"]) for each in sheet["items"]] == [
        ("Studies", []),
        ("Risk of bias", [*SERIOUS, "extremely serious"]),
        ("Inconsistency", SERIOUS),
        ("Indirectness", SERIOUS),
        ("Imprecision", SERIOUS),
        ("Publication bias", ["undetected", "strongly suspected"]),
        ("Large effect, dose-response gradient, plausible confounding", ["no", "would raise the certainty"]),
        ("Certainty of the evidence", ["high", "moderate", "low", "very low"]),
    ]
    assert {(each["judgement"], each["reasons"]) for each in sheet["items"]} == {(None, None)}


def test_classical_numbers_are_those_of_pool(alkbayes: Command, sheet: dict[str, Any]) -> None:
    printed = json.loads(alkbayes("pool", "--method", METHOD, "--json").stdout)["pooled"]
    (pooled,) = [row for row in printed if row["group"] == "all"]
    inconsistency, imprecision = facts(sheet, "Inconsistency"), facts(sheet, "Imprecision")

    def numbers(fact: dict[str, Any]) -> tuple[Any, ...]:
        return fact["value"], fact["low"], fact["high"]

    assert numbers(imprecision[METHOD]) == (pooled["estimate"], pooled["low"], pooled["high"])
    prediction = (None, pooled["prediction_low"], pooled["prediction_high"])
    assert numbers(inconsistency[f"prediction interval, {METHOD}"]) == prediction
    assert numbers(inconsistency[f"tau², {METHOD}"]) == (pooled["tau2"], pooled["tau2_low"], pooled["tau2_high"])
    assert numbers(inconsistency[f"I², {METHOD}"]) == (pooled["i2"], pooled["i2_low"], pooled["i2_high"])
    q = [inconsistency[name]["value"] for name in ("Cochran's Q", "its degrees of freedom", "its p-value")]
    assert q == [pooled["q"], pooled["q_df"], pooled["q_p"]]
    studies = facts(sheet, "Studies")
    assert [studies[name]["value"] for name in ("cohorts", "patients", "responders")] == [
        pooled["k"],
        pooled["patients"],
        pooled["responders"],
    ]


def test_the_posterior_s_numbers_are_those_of_the_run(alkbayes: Command, folder: Path, sheet: dict[str, Any]) -> None:
    document = json.loads(alkbayes("summary", folder, "--json").stdout)
    rows = {row["estimand"]: row for row in document["pooled"] if row["group"] == "all"}
    (tau,) = [row for row in document["heterogeneity"] if row["parameter"] == "tau_total"]
    found = {name: fact for item in ("Inconsistency", "Imprecision") for name, fact in facts(sheet, item).items()}
    for name, row in (
        ("mean over cohorts, posterior", rows["mean"]),
        ("typical cohort, posterior", rows["typical"]),
        ("tau, posterior", tau),
    ):
        assert [found[name][key] for key in ("value", "low", "high")] == [row[key] for key in ("median", "low", "high")]
    following = found["prediction interval, posterior"]
    assert (following["low"], following["high"]) == (rows["next_cohort"]["low"], rows["next_cohort"]["high"])
    directness = facts(sheet, "Indirectness")
    shares = {row["level"]: row["patients"] / 5707 for row in document["pooled"] if row["group"] == "line"}
    assert {name: directness[f"line {name}: of patients"]["value"] for name in shares} == shares


def test_small_study_tests_are_those_of_small_study(alkbayes: Command, sheet: dict[str, Any]) -> None:
    found = facts(sheet, "Publication bias")
    tests = json.loads(alkbayes("small-study", "--json").stdout)["small_study"]
    assert len(tests) == 3
    for row in tests:
        assert found[f"{row['test']}, slope"]["value"] == row["slope"]
        assert found[f"{row['test']}, p-value"]["value"] == row["p"]


def test_nobody_s_judgements_are_said_to_be_nobody_s(sheet: dict[str, Any]) -> None:
    assert facts(sheet, "Risk of bias")["judgements"]["words"] == "nobody's judgements are in the table"


def test_every_form_has_empty_places_for_judgements(alkbayes: Command, folder: Path, sheet: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(alkbayes("certainty", folder, "--csv").stdout)))
    assert len(rows) == sum(max(1, len(item["facts"])) for item in sheet["items"])
    assert {(row["judgement"], row["reasons"]) for row in rows} == {("", "")}
    text = alkbayes("certainty", folder).stdout
    assert text.count("________") == 7
    assert "Certainty of the evidence: objective response rate, 95 % intervals" in text


def test_intervals_have_the_level_asked_for(alkbayes: Command, folder: Path, sheet: dict[str, Any]) -> None:
    other = json.loads(alkbayes("certainty", folder, "--level", "80", "--json").stdout)["certainty"]
    assert other["interval_prob"] == 0.8
    for name in (METHOD, "mean over cohorts, posterior"):
        wide, narrow = (facts(each, "Imprecision")[name] for each in (sheet, other))
        assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]


def test_a_run_that_did_not_converge_is_marked(alkbayes: Command, failed_run) -> None:
    result = alkbayes("certainty", failed_run.folder)
    assert result.exit_code == 6
    assert "NOT CONVERGED: DO NOT USE THESE NUMBERS" in result.stdout
    assert "the sheet has numbers of a run that is marked as NOT CONVERGED" in result.stderr
