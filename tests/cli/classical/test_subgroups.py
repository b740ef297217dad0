"""`alkbayes subgroups`: what goes to stdout and stderr, and with which exit code."""

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy.special import expit, logit
from scipy.stats import norm
from typer.testing import CliRunner, Result

from alkbayes.classical.moderators.subgroup_tables import LEVEL_COLUMNS
from alkbayes.classical.moderators.subgroups import subgroups
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.cli import app
from alkbayes.evidence.table import read_evidence

type Command = Callable[..., Result]


def test_json_is_one_document_of_levels_and_tests(alkbayes: Command) -> None:
    result = alkbayes("subgroups", "line", "--method", "glmm-ml", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)["subgroups"]
    assert list(document) == ["column", "method", "scale", "interval_prob", "levels", "tests", "left_out"]
    assert len(document["levels"]) == 6
    expected = subgroups(read_evidence(), "line", method=PoolingMethod.GLMM_ML, shared_tau2=True)
    shared = [row for row in document["levels"] if row["heterogeneity"] == "shared"]
    assert [row["estimate"] for row in shared] == pytest.approx([level.estimate for level in expected.levels])
    test = document["tests"][1]
    assert (test["test"], test["df1"], test["df2"]) == ("LR", 2, None)
    assert test["statistic"] == pytest.approx(expected.between.statistic)


def test_csv_is_the_same_levels(alkbayes: Command) -> None:
    rows = list(csv.DictReader(io.StringIO(alkbayes("subgroups", "line", "--csv").stdout)))
    assert list(rows[0]) == list(LEVEL_COLUMNS)
    levels = json.loads(alkbayes("subgroups", "line", "--json").stdout)["subgroups"]["levels"]
    assert [float(row["prediction_low"]) for row in rows] == [row["prediction_low"] for row in levels]


@pytest.mark.parametrize("columns", [80, 100])
def test_the_table_for_a_reader_fits(columns: int) -> None:
    result = CliRunner(env={"COLUMNS": str(columns), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}).invoke(
        app, ["subgroups", "agent", "--method", "glmm-ml"]
    )
    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert max(map(len, lines)) <= columns
    assert "…" not in result.stdout
    assert "reconstructs" in result.stdout
    assert any("neladalkib" in line and "78/253" in line for line in lines)


def test_the_reader_is_told_the_tests_and_what_they_are_not(alkbayes: Command) -> None:
    lines = [line.rstrip() for line in alkbayes("subgroups", "line").stdout.splitlines()]
    assert "Subgroups by line, reml-logit-hk-adhoc" in lines
    naive = "  naive             17   1,231/1,612    77.1   70.3–82.7    49.9–91.9   0.302"
    assert naive in lines
    assert "Between levels, each with its own tau2: Q_between = 40.39, df 2, p < 0.001" in lines
    assert "Between levels, one tau2 for all: F = 21.50, df 2 and 63, p < 0.001" in lines
    assert " ".join(lines).count("a difference is no causal effect.") == 1


def test_levels_without_a_result_say_why(tmp_path: Path, alkbayes: Command) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,n,responders,site\na,9,0,x\nb,8,0,x\nc,12,4,[b]\nd,11,5,[b]\n", encoding="utf-8")
    result = alkbayes("subgroups", "site", "--data", path, "--method", "glmm-ml")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert "reconstructs" not in text
    assert "x: Each group with its own tau2: maximum likelihood gives a rate of exactly 0" in text
    assert "[b], x: One tau2 for all groups: maximum likelihood gives a rate of exactly 0 in x" in text
    assert "Between levels, one tau2 for all: no test" in text


def test_cohorts_within_trials_are_one_model_for_all_levels(alkbayes: Command) -> None:
    lines = [line.rstrip() for line in alkbayes("subgroups", "line", "--method", "glmm-ml-trials").stdout.splitlines()]
    expected = subgroups(read_evidence(), "line", method=PoolingMethod.GLMM_ML_TRIALS, shared_tau2=True)
    assert f"Of tau2, {expected.levels[0].tau2_trial:.3f} is between trials." in lines
    between = f"likelihood ratio = {expected.between.statistic:.2f}, df 2, p < 0.001"
    assert f"Between levels, one tau2 for all: {between}" in lines
    assert not any("each with its own tau2" in line or "independent" in line for line in lines)
    robust = alkbayes("subgroups", "line", "--method", "reml-logit-cr2").stdout
    assert "one tau2 for all: F = 23.27, df 2 and 16.1, p < 0.001" in robust


def test_a_method_that_ignores_trials_says_so_with_counts(alkbayes: Command) -> None:
    note = "66 cohorts come from 44 trials; reml-logit-hk-adhoc takes them as independent. glmm-ml-trials does not."
    assert " ".join(alkbayes("subgroups", "line").stdout.split()).count(note) == 1
    tests = json.loads(alkbayes("subgroups", "line", "--json").stdout)["subgroups"]["tests"]
    assert all(note in test["note"] for test in tests)


def test_bad_requests_have_their_exit_codes(alkbayes: Command) -> None:
    for arguments, code, message in (
        (("smoking",), 3, "no column smoking to group by"),
        (("line", "--method", "best"), 2, '--method: found "best"; allowed: crude-wald,'),
        (("line", "--method", "crude-wald"), 2, "crude-wald cannot test subgroups"),
        (("line", "--json", "--csv"), 2, "exclude each other"),
    ):
        result = alkbayes("subgroups", *arguments)
        assert (result.exit_code, result.stdout) == (code, "")
        assert message in result.stderr


def test_a_note_on_the_levels_says_of_which_heterogeneity_it_is(alkbayes: Command, tmp_path: Path) -> None:
    data = Path(__file__).parents[1].parent / "fixtures" / "strangers" / "same_rate.csv"
    said = " ".join(alkbayes("subgroups", "arm", "--data", str(data)).stdout.split())
    # What both kinds have in common is said once.
    assert said.count("x, y: tau2 was estimated at 0") == said.count("tau2 was estimated at 0") == 1
    assert said.count("one or two degrees of freedom") == 1
    # 15 of 60 in x, 24 of 61 in y: logit(r/n) -/+ 1.96 sqrt(1/r + 1/(n - r)), as tau is 0 by maximum likelihood.
    assert said.count("See that of the binomial model") == 1
    assert "See that of the binomial model, glmm-ml: 25.0 (15.7–37.4) in x, 39.3 (28.0–52.0) in y." in said
    # What the binomial model says of both kinds is the same, and has no mark.
    binomial = " ".join(alkbayes("subgroups", "arm", "--data", str(data), "--method", "glmm-ml").stdout.split())
    assert "x, y: tau2 was estimated at 0" in binomial
    assert "tau2: x" not in binomial
    # Two cohorts a level leave 1 degree of freedom, and one tau2 for three levels 3.
    three = tmp_path / "three.csv"
    rows = "".join(f"{arm}{place},20,{3 + place},{arm}\n" for arm in "xyz" for place in (1, 6))
    three.write_text(f"cohort_id,n,responders,arm\n{rows}", encoding="utf-8")
    said = " ".join(alkbayes("subgroups", "arm", "--data", str(three)).stdout.split())
    assert "Each group with its own tau2: a t interval with one or two degrees of freedom" in said
    assert "One tau2 for all groups: a t" not in said


@pytest.mark.parametrize("column", ["her2", "tumour"])
def test_a_level_of_one_cohort_says_why_it_has_no_interval(alkbayes: Command, column: str) -> None:
    data = Path(__file__).parents[2] / "fixtures" / "strangers" / "tdxd.csv"
    result = alkbayes("subgroups", column, "--data", str(data))
    text = " ".join(result.stdout.split())
    rows = json.loads(alkbayes("subgroups", column, "--data", str(data), "--json").stdout)["subgroups"]["levels"]
    single = [row for row in rows if row["low"] is None]
    assert single
    for row in single:
        x, n = row["responders"], row["patients"]
        half = norm.ppf(0.975) * math.sqrt(1 / x + 1 / (n - x))
        low, high = (100 * expit(logit(x / n) + sign * half) for sign in (-1, 1))
        right = f"See that of the binomial model, glmm-ml: {100 * x / n:.1f} ({low:.1f}–{high:.1f})."
        assert f"The Hartung-Knapp interval needs at least two cohorts. {right}" in row["note"]
        assert f"{100 * x / n:.1f} ({low:.1f}–{high:.1f})" in text
    assert "one cohort cannot show how cohorts differ" in text
    # By z one cohort has an interval, but none to predict by.
    by_z = " ".join(alkbayes("subgroups", column, "--data", str(data), "--method", "glmm-ml").stdout.split())
    assert "one cohort cannot show how cohorts differ: no heterogeneity and no prediction interval." in by_z
    assert "needs at least two cohorts" not in by_z
