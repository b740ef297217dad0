"""`alkbayes influence`: what goes to stdout and stderr, and with which exit code."""

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

from alkbayes.classical.influence.tables import INFLUENCE_COLUMNS
from alkbayes.cli import app

STRANGERS = Path(__file__).parents[2] / "fixtures" / "strangers"

type Command = Callable[..., Result]


@pytest.fixture
def odd_one(tmp_path: Path) -> Path:
    """Table of eight like cohorts of two trials and a ninth unlike them."""
    path = tmp_path / "odd.csv"
    rows = "".join(f"c{place},60,{30 + place},{'AB'[place % 2]}\n" for place in range(8))
    path.write_text(f"cohort_id,n,responders,trial\n{rows}odd,200,10,\n", encoding="utf-8")
    return path


def test_json_is_one_document_of_all_rows(alkbayes: Command) -> None:
    result = alkbayes("influence", "--method", "glmm-ml", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)["influence"]
    pooled = json.loads(alkbayes("pool", "--method", "glmm-ml", "--json").stdout)["pooled"][0]
    assert document["full"]["estimate"] == pooled["estimate"]
    assert len(document["left_out"]) == 66
    assert all(list(row) == list(INFLUENCE_COLUMNS) for row in document["left_out"])
    first = document["left_out"][0]
    assert first["change"] == pytest.approx(first["estimate"] - pooled["estimate"], rel=1e-9)
    assert first["influential"] is False
    assert first["hat"] is None


def test_csv_is_the_same_rows(alkbayes: Command) -> None:
    rows = list(csv.DictReader(io.StringIO(alkbayes("influence", "--csv").stdout)))
    assert list(rows[0]) == list(INFLUENCE_COLUMNS)
    records = json.loads(alkbayes("influence", "--json").stdout)["influence"]["left_out"]
    assert [row["left_out"] for row in rows] == [record["left_out"] for record in records]
    assert [float(row["baujat_y"]) for row in rows] == [record["baujat_y"] for record in records]


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize(
    "arguments", [(), ("--by-trial",), ("--method", "glmm-ml"), ("--method", "beta-binomial-ml", "--by-trial")]
)
def test_the_table_for_a_reader_fits(columns: int, arguments: tuple[str, ...]) -> None:
    result = CliRunner(env={"COLUMNS": str(columns), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}).invoke(
        app, ["influence", *arguments]
    )
    assert result.exit_code == 0
    assert max(len(line.rstrip()) for line in result.stdout.splitlines()) <= columns
    assert "…" not in result.stdout


def test_the_reader_sees_the_range_the_largest_changes_and_that_none_is_marked(alkbayes: Command) -> None:
    lines = [line.rstrip() for line in alkbayes("influence").stdout.splitlines()]
    assert "reconstructs" in lines[1]
    assert "Pooled from 66 cohorts: 60.3 % (55.2–65.2), tau2 0.563" in lines
    assert "Without one of 66 cohorts: 59.5–60.8 %, tau2 0.508–0.576" in lines
    row = "ALESIA, alectinib 91.2 88.6 59.5 54.6–64.3 0.508 −0.75 2.39 0.089"
    assert row in [" ".join(line.split()) for line in lines]
    assert "51 more change it by 0.37 points at most; --json and --csv have all, with all diagnostics." in lines
    assert "None is influential by metafor's rule of thumb." in lines


def test_whole_trials_are_left_out(alkbayes: Command) -> None:
    text = alkbayes("influence", "--by-trial").stdout
    assert "Without one of 44 trials:" in text
    assert "ASCEND-7 (5 cohorts)" in text
    assert "Cook" not in text


@pytest.mark.parametrize("method", ["reml-logit", "glmm-ml"])
def test_an_influential_cohort_is_marked(alkbayes: Command, odd_one: Path, method: str) -> None:
    lines = [line.rstrip() for line in alkbayes("influence", "--data", odd_one, "--method", method).stdout.splitlines()]
    assert [line.split()[0] for line in lines if line.endswith(" *")] == ["cohort", "odd"]
    assert "*:      influential by metafor's rule of thumb, which is no test" in lines


def test_every_method_runs(alkbayes: Command, odd_one: Path) -> None:
    from alkbayes.classical.pooling.methods import PoolingMethod

    for method in PoolingMethod:
        for by_trial in ([], ["--by-trial"]):
            result = alkbayes("influence", "--data", odd_one, "--method", method, "--json", *by_trial)
            assert result.exit_code == 0
            rows = json.loads(result.stdout)["influence"]["left_out"]
            assert len(rows) == (3 if by_trial else 9)
            assert all(row["estimate"] is not None or row["note"] for row in rows)


def test_a_row_without_a_result_says_so_and_the_others_stand(alkbayes: Command, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    rows = "a,30,12,A\nb,44,31,A\nc,65,52,\nd,33,9,D\n"
    path.write_text(f"cohort_id,n,responders,trial\n{rows}", encoding="utf-8")
    lines = alkbayes("influence", "--data", path, "--method", "glmm-ml-trials").stdout.splitlines()
    assert "Without any one of a, b: No fit: no two of the cohorts that are left are of one group." in [
        line.rstrip() for line in lines
    ]
    assert any(line.startswith(" c ") for line in lines)


def test_one_cohort_and_no_responders_are_told_and_no_error(alkbayes: Command, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,n,responders\nonly,20,3\n", encoding="utf-8")
    text = alkbayes("influence", "--data", path).stdout
    assert "Pooled from 1 cohort: 15.0 % (–)" in text
    assert "Without only: No fit: too few cohorts are left." in text
    path.write_text("cohort_id,n,responders\na,20,0\nb,10,0\n", encoding="utf-8")
    text = alkbayes("influence", "--data", path, "--method", "glmm-ml").stdout
    assert "Pooled from 2 cohorts: no result" in text
    assert "Without any one of a, b: " in text
    said = "Maximum likelihood gives a rate of exactly 0, which has no logit: no result."
    assert " ".join(text.split()).count(said) == 2


@pytest.mark.parametrize(("lone", "others", "rate"), [(1, 0, "0"), (49, 50, "1")])
def test_none_is_called_harmless_without_which_there_is_no_result(
    alkbayes: Command, tmp_path: Path, lone: int, others: int, rate: str
) -> None:
    path = tmp_path / "lone.csv"
    rows = "".join(f"c{place},50,{others}\n" for place in range(7))
    path.write_text(f"cohort_id,n,responders\n{rows}lone,50,{lone}\n", encoding="utf-8")
    text = " ".join(alkbayes("influence", "--data", path, "--method", "glmm-ml").stdout.split())
    why = f"Without lone: Maximum likelihood gives a rate of exactly {rate}, which has no logit: no result."
    assert text.index(why) < text.index("Without one of 7 cohorts: ")
    assert text.endswith("None of the 7 that could be refitted is influential by metafor's rule of thumb.")


@pytest.mark.parametrize("method", ["reml-logit", "reml-logit-hts", "glmm-ml", "beta-binomial-ml"])
def test_nothing_is_said_of_prediction_intervals_which_are_not_shown(
    alkbayes: Command, tmp_path: Path, method: str
) -> None:
    path = tmp_path / "alike.csv"
    path.write_text("cohort_id,n,responders\na,20,5\nb,20,5\nc,20,6\nd,30,0\n", encoding="utf-8")
    text = alkbayes("influence", "--data", path, "--method", method).stdout
    assert "prediction" not in text
    if method.startswith("reml"):
        assert "1/2 was added to events and non-events of cohort d" in text


def test_a_cut_limit_is_told_where_it_is_shown(alkbayes: Command, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    told = "A limit lay beyond a rate of 0 or 1"
    # The second's confidence interval stays within, its prediction interval does not.
    for rows, cut in (("a,20,1\nb,20,1\n", True), ("a,50,1\nb,50,20\nc,50,9\nd,50,14\n", False)):
        path.write_text(f"cohort_id,n,responders\n{rows}", encoding="utf-8")
        pooled = alkbayes("pool", "--data", path, "--method", "reml-raw").stdout
        assert told in pooled
        influence = " ".join(alkbayes("influence", "--data", path, "--method", "reml-raw").stdout.split())
        assert (told in influence) is cut


def test_a_method_that_ignores_trials_says_so_with_counts(alkbayes: Command) -> None:
    note = "66 cohorts come from 44 trials; reml-logit-hk-adhoc takes them as independent. glmm-ml-trials does not."
    assert " ".join(alkbayes("influence").stdout.split()).count(note) == 1
    assert json.loads(alkbayes("influence", "--json").stdout)["influence"]["note"] == note
    clustered = json.loads(alkbayes("influence", "--by-trial", "--method", "multilevel-logit", "--json").stdout)
    assert clustered["influence"]["note"] == ""


def test_bad_requests_have_their_exit_codes(alkbayes: Command, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,n,responders\na,20,3\nb,20,4\n", encoding="utf-8")
    for arguments, code, message in (
        (("--data", path, "--by-trial"), 3, "Leaving out trials needs a column trial"),
        (("--method", "best"), 2, '--method: found "best"; allowed: '),
        (("--json", "--csv"), 2, "exclude each other"),
    ):
        result = alkbayes("influence", *arguments)
        assert (result.exit_code, result.stdout) == (code, "")
        assert message in result.stderr


def test_a_rate_of_one_cohort_says_why_it_has_no_interval(alkbayes: Command) -> None:
    """10/40 and 16/41: logit(r/n) -/+ 1.96 sqrt(1/r + 1/(n - r)) in percent, the binomial likelihood of one cohort."""
    intervals = {}
    for name, (x, n) in {"b": (10, 40), "a": (16, 41)}.items():
        half = norm.ppf(0.975) * math.sqrt(1 / x + 1 / (n - x))
        low, high = (100 * expit(logit(x / n) + sign * half) for sign in (-1, 1))
        intervals[name] = f"{100 * x / n:.1f} ({low:.1f}–{high:.1f})"
    text = " ".join(alkbayes("influence", "--data", str(STRANGERS / "two.csv")).stdout.split())
    assert (
        "The Hartung-Knapp interval needs at least two cohorts. See that of the binomial model, glmm-ml: "
        f"{intervals['b']} without b, {intervals['a']} without a."
    ) in text
    assert "needs at least two cohorts" not in alkbayes("influence").stdout
    # One result for all is said once.
    zero = " ".join(alkbayes("influence", "--data", str(STRANGERS / "zero_two.csv")).stdout.split())
    exact = 100 * (1 - 0.025 ** (1 / 10))
    assert (
        "Without any one of a, b: The Hartung-Knapp interval needs at least two cohorts. See the exact one of the "
        f"summed counts, crude-clopper-pearson: 0.0 (0.0–{exact:.1f})."
    ) in zero


def test_an_interval_of_three_cohorts_is_said_to_be_of_little_use(alkbayes: Command) -> None:
    text = " ".join(alkbayes("influence", "--data", str(STRANGERS / "same_rate.csv")).stdout.split())
    assert "A t interval with one or two degrees of freedom" in text
    for name in ("T1, x", "T2, x", "T3, y", "T4, y"):
        assert f") without {name}" in text
