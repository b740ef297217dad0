"""A model with a number, from the file to the report."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from typer.testing import Result

from alkbayes.runs.document import RateAtRow
from alkbayes.runs.run import read_fit

type Command = Callable[..., Result]

MODEL = """
schema = 1
name = "by-age"
question = "Does the rate change with age, and differently by line?"
[likelihood]
family = "binomial"
link = "logit"
[intercept]
prior = { dist = "normal", mean = 0.0, sd = 1.5 }
why = "a test"
[[effect]]
column = "line"
kind = "fixed"
reference = "naive"
prior = { dist = "normal", mean = 0.0, sd = 1.0 }
why = "a test"
[[effect]]
column = "age"
kind = "numeric"
centre = 60
scale = 10
step = "per 10 years"
missing = "leave_out"
prior = { dist = "normal", mean = 0.0, sd = 0.5 }
why = "nobody knows"
[[effect]]
column = ["age", "line"]
kind = "interaction"
prior = { dist = "normal", mean = 0.0, sd = 0.25 }
why = "a test"
[[heterogeneity]]
column = "cohort_id"
distribution = "normal"
by = "line"
sd_prior = { dist = "half_normal", sd = 0.5 }
spread_prior = { dist = "half_normal", sd = 0.25 }
why = "a test"
"""
TABLE = """\
cohort_id,trial,line,age,responders,n
a,A,naive,52,31,44
b,B,naive,58.5,52,65
c,C,naive,61,20,24
d,D,naive,66,28,45
e,E,pretreated,55,12,30
f,F,pretreated,63,33,70
g,G,pretreated,NA,9,33
h,H,pretreated,70,8,40
"""


@pytest.fixture(scope="module")
def run(alkbayes: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("covariates")
    (home / "by-age.toml").write_text(MODEL, encoding="utf-8")
    (home / "table.csv").write_text(TABLE, encoding="utf-8")
    folder = home / "run"
    result = alkbayes(
        "fit",
        home / "by-age.toml",
        "--data",
        home / "table.csv",
        "--engine",
        "quadrature",
        "--draws",
        "250",
        "--out",
        folder,
    )
    assert result.exit_code == 0, result.output
    assert "1 of 8 cohorts is left out, without age: g." in result.output
    return folder


def test_the_run_has_the_slopes_and_the_cohorts_that_were_fitted(run: Path) -> None:
    document: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert document["evidence"]["cohorts"] == 7
    found = {(row["column"], row["contrast"], row["over"]) for row in document["contrasts"]}
    assert found == {
        ("line", "pretreated vs naive", ""),
        ("age", "70 vs 60 (per 10 years)", "the patients of all cohorts"),
        ("age:line", "70:naive vs 60:naive (per 10 years)", "the patients with line naive"),
        ("age:line", "70:pretreated vs 60:pretreated (per 10 years)", "the patients with line pretreated"),
        ("age:line", "pretreated vs naive (difference of slopes, per 10 years)", "the patients of all cohorts"),
    }
    assert {row["group"] for row in document["pooled"]} == {"all", "line"}
    assert "age" in (run / "cohorts.csv").read_text(encoding="utf-8").splitlines()[0]
    assert read_fit(run).design.cohorts == ("a", "b", "c", "d", "e", "f", "h")


def test_summary_report_and_figures_say_what_a_number_is(alkbayes: Command, run: Path, tmp_path: Path) -> None:
    plain = alkbayes("summary", run, "--plain")
    assert plain.exit_code == 0, plain.output
    report = alkbayes("report", run, "--out", tmp_path / "report.md")
    assert report.exit_code == 0, report.output
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "slope of age, per 10 years: zero at 60, one step is 10" in text
    assert r"\beta_{\text{age}} \frac{x_{\text{age[i]}} - 60}{10}" in text
    assert "age 70 vs 52 (the range of the table)" in text
    assert "Pooled rates are averaged over the patients' values of age, each cohort's its own." in text
    assert "SD of the logs of the taus between cohorts over the levels of line" in text
    assert r"\log \tau_{\text{cohort, line}} \sim \log \tau_{\text{cohort}} + " in text
    assert "between cohorts with line pretreated, SD on the logit scale" in text
    for kind in ("contrasts", "forest", "heterogeneity", "shrinkage"):
        drawn = alkbayes("plot", run, kind, "--out", tmp_path / f"{kind}.svg")
        assert drawn.exit_code == 0, drawn.output
    assert "70 vs 60 (per 10 years)" in (tmp_path / "contrasts.svg").read_text(encoding="utf-8")


def test_a_planned_cohort_of_a_given_age(alkbayes: Command, run: Path) -> None:
    result = alkbayes("predict", run, "--n", "40", "--at", "age=65", "--line", "naive", "--json")
    assert result.exit_code == 0, result.output
    refused = alkbayes("predict", run, "--n", "40", "--at", "age=old")
    assert refused.exit_code == 2
    assert "age: found 'old'; allowed: a number; those of the table are from 52 to 70." in refused.output


def test_a_missing_number_stops_the_fit_unless_the_model_leaves_it_out(alkbayes: Command, run: Path) -> None:
    home = run.parent
    strict = home / "strict.toml"
    strict.write_text(MODEL.replace('missing = "leave_out"\n', ""), encoding="utf-8")
    result = alkbayes("fit", strict, "--data", home / "table.csv", "--out", home / "none")
    assert result.exit_code == 3
    assert 'line 8, cohort "g", column age: found nothing; allowed: a number.' in result.stderr
    assert not (home / "none").exists()


# rates at values


def test_summary_prints_rates_at_values(alkbayes: Command, run: Path) -> None:
    text = " ".join(alkbayes("summary", run, "--at", "age=55,90,line=naive").stdout.split())
    assert "Objective response rate at values of moderators, %" in text
    assert "90 * naive" in text
    assert "*: extrapolation beyond the values of the cohorts" in text
    assert "Each rate is an average" not in text, "both columns of the model are set"
    text = " ".join(alkbayes("summary", run, "--at", "age=55").stdout.split())
    assert "Each rate is an average over the patients of all cohorts, with their own line." in text


def test_a_number_is_judged_by_the_cohorts_of_the_level_that_it_interacts_with(alkbayes: Command, run: Path) -> None:
    """The table has 52 to 66 among naive cohorts and 55 to 70 among the others."""
    at = ("--at", "age=52,66,70,line=naive", "--at", "line=pretreated")
    rows = json.loads(alkbayes("summary", run, *at, "--json").stdout)["rates_at"]
    found = {(row["at"]["line"], row["at"]["age"]): row["extrapolated"] for row in rows}
    assert found == {
        ("naive", "52"): False,
        ("naive", "66"): False,
        ("naive", "70"): True,
        ("pretreated", "52"): True,
        ("pretreated", "66"): False,
        ("pretreated", "70"): False,
    }


def test_rates_at_values_in_csv_and_json_are_the_same(alkbayes: Command, run: Path) -> None:
    at = ("--at", "age=55, 60", "--at", "line=naive")
    rows = list(csv.DictReader(io.StringIO(alkbayes("summary", run, *at, "--csv").stdout)))
    document = json.loads(alkbayes("summary", run, *at, "--json").stdout)
    assert [(row["at_age"], row["at_line"], row["estimand"]) for row in rows] == [
        (age, "naive", estimand) for age in ("55", "60") for estimand in ("typical", "mean", "next_cohort")
    ]
    for row, record in zip(rows, document["rates_at"], strict=True):
        assert record["at"] == {"age": row["at_age"], "line": "naive"}
        assert float(row["median"]) == pytest.approx(record["median"], rel=1e-12)
        assert record["low"] < record["median"] < record["high"]
    TypeAdapter(list[RateAtRow]).validate_python(document["rates_at"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--at", "55"), "error: --at: found '55'; allowed: COLUMN=VALUE, as in age=50,60"),
        (("--at", "age="), "error: --at: found 'age='; allowed: COLUMN=VALUE"),
        (("--at", "dose=1"), "error: --at: the model has no effect of dose; allowed: line and age."),
        (
            ("--at", "line=niave"),
            'error: --at: line: found "niave"; allowed: naive and pretreated. Did you mean "naive"',
        ),
        (("--csv",), "error: --csv prints the rates of --at, and there is none."),
        (("--plain", "--at", "age=55"), "error: --plain excludes --json, --csv, --latex and --at"),
    ],
)
def test_values_that_cannot_be_are_usage_errors(
    alkbayes: Command, run: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = alkbayes("summary", run, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())


def test_a_bubble_plot_of_a_run_and_in_its_report(alkbayes: Command, run: Path, tmp_path: Path) -> None:
    for moderator in ((), ("--moderator", "age")):
        figure = tmp_path / f"bubble{len(moderator)}.svg"
        result = alkbayes("plot", run, "bubble", *moderator, "--out", figure)
        assert result.exit_code == 0, result.output
        text = figure.read_text(encoding="utf-8")
        assert "Response rate by age and line" in text
        assert "1 of 8 cohorts is left out, without age: g." in text
    assert (tmp_path / "bubble0.svg").read_bytes() == (tmp_path / "bubble2.svg").read_bytes()
    other = alkbayes("plot", run, "bubble", "--moderator", "dose", "--out", tmp_path / "no.svg")
    assert (other.exit_code, (tmp_path / "no.svg").exists()) == (2, False)
    assert 'its model has no numeric effect of "dose", only of age.' in " ".join(other.stderr.split())
    assert alkbayes("plot", run, "cells", "--moderator", "age").exit_code == 2
    alkbayes("report", run, "--out", tmp_path / "report.md", "--format", "md")
    assert "### Rates by age" in (tmp_path / "report.md").read_text(encoding="utf-8")
