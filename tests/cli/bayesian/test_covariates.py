"""A model with a number, from the file to the report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

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
