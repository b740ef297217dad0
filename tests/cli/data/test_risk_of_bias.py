"""`alkbayes risk-of-bias`: what it prints and keeps, and what of it the other commands show."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

type Command = Callable[..., Result]

TABLE = """\
cohort_id,trial,responders,n,rob_a,rob_overall
one,A,31,44,fine,fine
two,B,12,30,poor,poor
three,C,52,65,fine,fine
four,D,20,24,,fine
five,E,33,70,poor,
"""
TOOL = """\
schema = 1
name = "own"
title = "Our two questions"
question = "What we asked"
source = "our protocol"

[[domain]]
name = "a"
label = "Assessors blinded"

[[domain]]
name = "overall"
label = "Overall"

[[judgement]]
label = "fine"
low = true
symbol = "f"
shape = "circle"
colour = "#ffffff"

[[judgement]]
label = "poor"
symbol = "p"
shape = "square"
colour = "#444444"
"""


@pytest.fixture(scope="module")
def place(alkbayes: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a tool of one's own, and a run of the table."""
    folder = tmp_path_factory.mktemp("rob")
    (folder / "t.csv").write_text(TABLE, encoding="utf-8")
    (folder / "own.toml").write_text(TOOL, encoding="utf-8")
    arguments = ("--data", folder / "t.csv", "--engine", "quadrature", "--draws", "500", "--out", folder / "run")
    assert alkbayes("fit", "overall", *arguments).exit_code == 0
    return folder


@pytest.fixture
def run(place: Path, tmp_path: Path) -> Path:
    """A copy of the run."""
    return Path(shutil.copytree(place / "run", tmp_path / "run"))


def test_judgements_are_printed_in_every_form(alkbayes: Command, place: Path) -> None:
    asked = ("risk-of-bias", "--data", place / "t.csv", "--tool", place / "own.toml")
    found = json.loads(alkbayes(*asked, "--json").stdout)["risk_of_bias"]
    assert (found["tool"]["name"], found["cohorts"], found["patients"]) == ("own", 5, 233)
    # Overall: one, three and four; two; five.
    overall = [(each["judgement"], each["cohorts"], each["patients"]) for each in found["domains"][1]["shares"]]
    assert overall == [("fine", 3, 133), ("poor", 1, 30), (None, 1, 70)]
    rows = list(csv.DictReader(io.StringIO(alkbayes(*asked, "--csv").stdout)))
    assert [(row["cohort_id"], row["a"], row["overall"]) for row in rows] == [
        ("one", "fine", "fine"),
        ("two", "poor", "poor"),
        ("three", "fine", "fine"),
        ("four", "", "fine"),
        ("five", "poor", ""),
    ]
    text = alkbayes(*asked).stdout
    assert "Tool: Our two questions, our protocol." in text
    assert "2 cohorts have domains that nobody judged, which is not low." in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "{place}/t.csv"), "--tool my-tool.toml"),
        (("--data", "{place}/t.csv", "--tool", "robin-i"), "--tool: found 'robin-i'; allowed: robins-i, "),
        (("--data", "{place}/t.csv", "--tool", "robins-i"), "found the column rob_a; allowed for ROBINS-I (robins-i)"),
        ((), "error: Nobody's judgements of the risk of bias are in the table: it has no column rob_overall"),
    ],
)
def test_what_cannot_be_read_is_refused(
    alkbayes: Command, place: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = alkbayes("risk-of-bias", *(each.format(place=place) for each in arguments))
    assert result.exit_code in (2, 3)
    assert result.stdout == ""
    assert message in result.stderr


def test_a_tool_that_does_not_fit_names_the_one_that_does_and_a_question_ends_as_one(
    alkbayes: Command, place: Path, tmp_path: Path
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("cohort_id,responders,n,rob_confounding\nA,1,9,low\nB,2,9,low\nC,3,9,low\n", encoding="utf-8")
    asked = ("risk-of-bias", "--data", table, "--tool", place / "own.toml")
    assert alkbayes(*asked).stderr.endswith("which tool it is, as in: --tool robins-i\n")
    (tmp_path / "asking.toml").write_text(TOOL.replace("Assessors blinded", "Assessors blinded?"), encoding="utf-8")
    text = alkbayes("risk-of-bias", "--data", place / "t.csv", "--tool", tmp_path / "asking.toml").stdout
    assert "D1: Assessors blinded?\n" in text


def test_the_tool_kept_with_a_run_is_that_of_its_figures_report_and_sheet(
    alkbayes: Command, place: Path, run: Path, tmp_path: Path
) -> None:
    before = alkbayes("plot", run, "risk-of-bias", "--out", tmp_path / "x.svg")
    assert before.exit_code == 3
    assert "Say to `alkbayes risk-of-bias` which tool it is, as in: --tool my-tool.toml" in before.stderr
    report = alkbayes("report", run, "--out", tmp_path / "before.md")
    assert report.exit_code == 0
    assert "Not shown: Judgements of the risk of bias: found" in (tmp_path / "before.md").read_text(encoding="utf-8")

    assert alkbayes("risk-of-bias", "--for", run, "--tool", place / "own.toml").exit_code == 0
    again = json.loads(alkbayes("risk-of-bias", "--for", run, "--json").stdout)["risk_of_bias"]
    assert again["tool"]["name"] == "own"
    for kind, more in (("risk-of-bias", ()), ("risk-of-bias-summary", ()), ("forest", ("--risk-of-bias",))):
        assert alkbayes("plot", run, kind, *more, "--out", tmp_path / f"{kind}.svg").exit_code == 0
        drawn = (tmp_path / f"{kind}.svg").read_text(encoding="utf-8")
        assert "f fine" in drawn
        assert "not judged" in drawn
    sheet = json.loads(alkbayes("certainty", run, "--json").stdout)["certainty"]
    (item,) = [each for each in sheet["items"] if each["item"] == "Risk of bias"]
    facts = {fact["name"]: fact["value"] or fact["words"] for fact in item["facts"]}
    assert facts["tool"] == "Our two questions, our protocol"
    assert (facts["overall fine: of cohorts"], facts["overall fine: of patients"]) == (3 / 5, 133 / 233)
    assert facts["overall not judged: of patients"] == 70 / 233
    alkbayes("report", run, "--out", tmp_path / "after.md")
    alkbayes("report", run, "--out", tmp_path / "after.html")
    for name in ("after.md", "after.html"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "Tool: Our two questions, our protocol." in text
        assert "Assessors blinded" in text
        assert "Certainty of the evidence" in text
        assert "Not shown" not in text


def test_cohorts_at_low_risk_are_an_alternative(
    alkbayes: Command, place: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from functools import partial

    from alkbayes.sensitivity_analysis import refit

    alkbayes("risk-of-bias", "--for", run, "--tool", place / "own.toml")
    monkeypatch.setattr(refit, "run_grid", partial(refit.run_grid, names=("low risk of bias",), workers=1))
    found = json.loads(alkbayes("sensitivity", run, "--json").stdout)["sensitivity"]["alternatives"]
    (low,) = [each for each in found if each["alternative"] == "low risk of bias"]
    assert (low["status"], low["cohorts"], low["patients"]) == ("fitted", 3, 133)


def test_a_forest_without_judgements_says_so(alkbayes: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("cohort_id,responders,n\na,1,2\nb,3,9\nc,4,8\n", encoding="utf-8")
    fit = ("--data", tmp_path / "t.csv", "--engine", "quadrature", "--draws", "500", "--out", tmp_path / "run")
    assert alkbayes("fit", "overall", *fit).exit_code == 0
    result = alkbayes("plot", tmp_path / "run", "forest", "--risk-of-bias")
    assert result.exit_code == 2
    assert "the table has no judgements of the risk of bias: no column rob_overall" in result.stderr
    other = alkbayes("plot", tmp_path / "run", "cells", "--risk-of-bias")
    assert "--risk-of-bias: is for the figure forest; cells does not have it." in other.stderr
