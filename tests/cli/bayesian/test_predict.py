"""`alkbayes predict`: what goes to stdout and stderr, which figure, and with which exit code."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alkbayes.cli import app

type Command = Callable[..., Result]

AT = ("--line", "naive", "--generation", "second", "--n", "40")
DESIGN = (*AT, "--null", "0.6")


@pytest.fixture(scope="module")
def document(alkbayes: Command, json_run) -> dict:
    result = alkbayes("predict", json_run.folder, *DESIGN, "--n", "25", "--above", "0.75", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_json_is_one_document(document: dict, json_run) -> None:
    assert (document["run"], document["model"], document["warning"]) == (str(json_run.folder), "line-generation", "")
    assert document["cohort"] == {
        "levels": {"line": "naive", "generation": "second"},
        "averaged": [],
        "weights": "",
        "cohorts": 2,
        "patients": 89,
        "seen": True,
    }
    (pooled,) = [
        row
        for row in json_run.document["pooled"]
        if row["level"] == "naive:second" and row["estimand"] == "next_cohort"
    ]
    for name in ("mean", "median", "sd", "low", "high", "mcse_low"):
        assert document["rate"][name] == pooled[name]
    assert [row["n"] for row in document["planned"]] == [40, 25]
    assert [(row["above"], row["n"]) for row in document["exceeding"]] == [(0.75, None), (0.75, 40), (0.75, 25)]
    assert {(row["prior"], row["n"]) for row in document["designs"]} == {
        (name, n) for name in ("robust MAP", "MAP", "vague") for n in (40, 25)
    }
    assert all(row["threshold"] == 0.975 for row in document["designs"])
    assert document["robust_weight"] == 0.2


def test_csv_is_the_distribution(alkbayes: Command, json_run, document: dict) -> None:
    result = alkbayes("predict", json_run.folder, *DESIGN, "--n", "25", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 41 + 26
    assert list(rows[0]) == ["n", "responders", "observed", "probability", "at_least", "posterior", "success"]
    for row, record in zip(rows, document["distribution"], strict=True):
        assert float(row["probability"]) == record["probability"]
        assert row["success"] == str(record["success"])


def test_a_level_is_given_by_any_of_its_options(alkbayes: Command, json_run, document: dict) -> None:
    for at in (
        ("--at", "line=naive", "--at", "regimen_class=second"),
        ("--line", "naive", "--at", "generation=second"),
    ):
        result = alkbayes("predict", json_run.folder, *at, "--n", "40", "--json")
        assert json.loads(result.stdout)["rate"] == document["rate"]


@pytest.mark.parametrize(("columns", "sizes"), [(80, ("1", "40", "60", "100", "1000", "2000")), (100, ("40",))])
def test_what_a_reader_sees_fits(json_run, columns: int, sizes: tuple[str, ...]) -> None:
    arguments = [argument for n in sizes for argument in ("--n", n)]
    result = CliRunner(env={"COLUMNS": str(columns), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}).invoke(
        app, ["predict", str(json_run.folder), "--line", "naive", "--null", "0.6", *arguments]
    )
    assert result.exit_code == 0
    # The first line has the run's path and those of the priors are to be copied: neither is broken.
    lines = [line.rstrip() for line in result.stdout.splitlines()[1:] if "Beta(" not in line]
    assert max(map(len, lines)) <= columns
    assert "…" not in "\n".join(lines)
    assert "-0" not in "\n".join(lines)


def test_the_reader_is_told_what_is_what(alkbayes: Command, json_run, document: dict) -> None:
    result = alkbayes("predict", json_run.folder, *DESIGN)
    assert (result.exit_code, result.stderr) == (0, "")
    text = " ".join(result.stdout.split())
    for part in (
        "Planned: a new cohort of a new trial, line naive, generation second. The table has 2 cohorts of 89 patients",
        "95 % prediction interval of the observed response rate",
        "limit: interval of the true rate.",
        "of the true rate under the prior",
        "success if P(ORR > 60 % | responders) > 0.975",
        "were not randomised",
        f"From {document['steady']['n']} patients on, doubling narrows the interval by less than 5 %.",
        f"robust MAP: {document['priors'][0]['text']}",
    ):
        assert part in text
    row = next(row for row in document["designs"] if row["prior"] == "robust MAP" and row["n"] == 40)
    # Of what few draws predict no decimal is left; error and power follow exactly from the responders needed.
    figures = (f"{100 * row['type_i_error']:.1f}", f"{100 * row['assurance']:.0f}", f"{100 * row['orr_80']:.1f}")
    assert re.search(rf"robust MAP +40 +{row['critical']} +{' +'.join(map(re.escape, figures))} ", result.stdout)


def test_a_limit_in_percent_is_the_proportion(alkbayes: Command, json_run) -> None:
    given = ("--above", "75", "--above", "0.75", "--json")
    rows = json.loads(alkbayes("predict", json_run.folder, "--n", "40", *given).stdout)["exceeding"]
    assert {row["above"] for row in rows} == {0.75}
    assert len(rows) == len({row["n"] for row in rows})


def test_without_a_null_no_design_is_shown(alkbayes: Command, json_run) -> None:
    result = alkbayes("predict", json_run.folder, "--n", "40")
    assert result.exit_code == 0
    assert "Single-arm design" not in result.stdout
    assert "Probability of a response rate above" not in result.stdout
    assert "Left open: line, TKI generation; averaged over the patients of these cohorts:" in result.stdout


def test_a_combination_that_no_cohort_has_is_marked(alkbayes: Command, tmp_path: Path, own_table: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text(own_table.read_text(encoding="utf-8") + "g,G,pretreated,third,8,20\n", encoding="utf-8")
    folder = tmp_path / "run"
    assert alkbayes("fit", "--data", table, "--engine", "quadrature", "--draws", "250", "--out", folder).exit_code == 0
    result = alkbayes("predict", folder, "--line", "naive", "--generation", "third", "--n", "30")
    assert result.exit_code == 0
    assert "NO COHORT OF THE TABLE IS LIKE IT" in " ".join(result.stdout.split())
    assert "No cohort of the table is line naive, generation third:" in result.stdout


def test_the_figure_is_written_and_not_overwritten(alkbayes: Command, json_run, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "plan.svg"
    result = alkbayes("predict", json_run.folder, *DESIGN, "--plot", path, "--json")
    assert (result.exit_code, result.stderr) == (0, f"Figure: {path}\n")
    assert json.loads(result.stdout)["cohort"]["seen"]
    assert "Model line-generation" in path.read_text(encoding="utf-8")
    again = alkbayes("predict", json_run.folder, *DESIGN, "--plot", path)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "is there already" in again.stderr


def test_a_run_that_did_not_converge_is_marked(alkbayes: Command, failed_run, tmp_path: Path) -> None:
    result = alkbayes("predict", failed_run.folder, *DESIGN, "--plot", tmp_path / "plan.svg")
    assert result.exit_code == 6
    assert "NOT CONVERGED, not to be used: " in result.stdout
    assert "Do not use what it predicts" in result.stderr
    assert "NOT CONVERGED" in (tmp_path / "plan.svg").read_text(encoding="utf-8")
    found = alkbayes("predict", failed_run.folder, *AT, "--json")
    assert found.exit_code == 6
    assert json.loads(found.stdout)["warning"].startswith("NOT CONVERGED")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--n", "0"), "--n: found 0; allowed: 1 to 2,000"),
        (("--n", "-3"), "--n: found -3"),
        (("--n", "2001"), "--n: found 2001"),
        (tuple(f"--n={n}" for n in range(1, 8)), "--n: found 7 sizes; at most 6"),
        (("--n", "40", "--null", "0"), "--null: found 0; allowed: a proportion above 0 and below 1"),
        (("--n", "40", "--null", "1"), "--null: found 1; allowed: a proportion above 0 and below 1."),
        (("--n", "40", "--null", "60"), "--null: found 60; allowed: a proportion above 0 and below 1; 60 % is 0.6."),
        (("--n", "40", "--null", "nan"), "--null: found nan"),
        (("--n", "40", "--null", "0.6", "--threshold", "1"), "--threshold: found 1"),
        (("--n", "40", "--threshold", "0.9"), "Give --null too"),
        (("--n", "40", "--robust", "-0.1"), "--robust-weight: found -0.1; allowed: a proportion from 0 to 1"),
        (("--n", "40", "--robust", "1.5"), "--robust-weight: found 1.5"),
        (("--n", "40", "--above", "100"), "--above: found 100; allowed: a percentage above 1"),
        (("--n", "40", "--above", "inf"), "--above: found inf"),
        (("--n", "40", "--line", "fourth"), "line: found 'fourth'; this run's model has: naive, pretreated."),
        (
            ("--n", "40", "--at", "agent=x"),
            "has no effect of agent; fit a model that has one, e.g. `alkbayes fit agent`, or omit `--at agent=x`.",
        ),
        (("--n", "40", "--at", "agent"), "--at: found 'agent'; give COLUMN=LEVEL"),
        (("--n", "40", "--at", "=x"), "--at: found '=x'"),
        (("--n", "40", "--line", "naive", "--at", "line=naive"), "'line': its level is given twice"),
        (("--n", "40", "--plot", "plan.txt"), "must end in"),
        (("--n", "40", "--json", "--csv"), "exclude each other"),
        ((), "--n"),
        (("--n", "many"), "--n"),
    ],
)
def test_bad_requests_are_usage_errors(alkbayes: Command, json_run, arguments: tuple[str, ...], said: str) -> None:
    result = alkbayes("predict", json_run.folder, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_run_without_the_column_names_a_model_that_has_it(alkbayes: Command, own_table: Path, tmp_path: Path) -> None:
    quick = ("--engine", "quadrature", "--draws", "300", "--no-check", "--out", tmp_path / "run")
    assert alkbayes("fit", "overall", "--data", own_table, *quick).exit_code == 0
    result = alkbayes("predict", tmp_path / "run", "--n", "40", "--line", "naive")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: this run's model (overall) has no effect of line; fit a model that has one, e.g. `alkbayes fit line`, "
        "or omit `--line`.\n"
    )


def test_what_is_no_run_is_said(alkbayes: Command, tmp_path: Path) -> None:
    assert alkbayes("predict", tmp_path / "nowhere", "--n", "40").exit_code == 7


@pytest.mark.parametrize("weight", ["0", "1"])
def test_the_ends_of_the_robust_weight(alkbayes: Command, json_run, weight: str) -> None:
    found = json.loads(alkbayes("predict", json_run.folder, *DESIGN, "--robust", weight, "--json").stdout)
    assert {prior["prior"] for prior in found["priors"]} == {"MAP", "vague"}
