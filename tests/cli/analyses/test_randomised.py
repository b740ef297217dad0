"""`alkbayes randomised`: what it prints, in which form, and with which exit code."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alkbayes.cli import app
from alkbayes.randomised import analysis

type Command = Callable[..., Result]
OWN = """\
study,treat,event,total
Blau 1999,Salbe,3,40
Blau 1999,Placebo,9,41
Rot 2001,Salbe,5,60
Rot 2001,Tablette,4,58
Grün 2004,Tablette,2,33
Grün 2004,Placebo,8,35
"""
OF_THE_REVIEW = ("ALK", "TKI", "generation", "respon", "rogression", "chemotherapy", "single arms", "cohort")


@pytest.fixture(scope="module", autouse=True)
def _asked_once(once: Callable[..., None]) -> None:
    once(analysis, "randomised_of", lambda table, **options: (table.sha256, table.by, repr(options)))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_json_and_csv_are_the_same_contrasts(alkbayes: Command) -> None:
    result = alkbayes("randomised", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert [outcome["measure"] for outcome in found["outcomes"]] == ["odds_ratio", "hazard_ratio"]
    assert found["priors"] == {"tau": "half-normal(0.5)", "effect_sd": 10, "baseline_sd": 10}
    assert len(found["trials"]) == 26
    rows = list(csv.DictReader(io.StringIO(alkbayes("randomised", "--csv").stdout)))
    contrasts = [row for outcome in found["outcomes"] for row in outcome["contrasts"]]
    assert [float(row["combined_median"]) for row in rows] == [row["combined_median"] for row in contrasts]
    assert [row["direct_median"] == "" for row in rows] == [row["direct_median"] is None for row in contrasts]


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_no_table_is_wider_than_the_terminal(columns: int) -> None:
    result = CliRunner(env={"COLUMNS": str(columns), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}).invoke(
        app, ["randomised"]
    )
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= columns
    assert "…" not in result.stdout
    said = " ".join(result.stdout.split())
    assert "Direct and indirect evidence disagree: first vs chemotherapy" in said
    # PROFILE 1014 and 1029 were of naive patients, PROFILE 1007 of pretreated ones.
    assert (
        "Trials by line: first vs chemotherapy 2 naive and 1 pretreated; second vs chemotherapy 1 naive and 2" in said
    )


def test_a_table_of_ones_own_is_told_in_its_own_words(alkbayes: Command, own: Path) -> None:
    result = alkbayes("randomised", "--data", own)
    assert result.exit_code == 0
    assert "Columns of the file: study is read as trial, event is read as responders" in result.stdout
    assert "Tablette vs Placebo" in result.stdout
    assert "Consistency: direct over indirect odds ratio" in result.stdout
    said = result.stdout.replace("study is read as trial, event is read as responders and total is read as n", "")
    assert not [word for word in OF_THE_REVIEW if word in said]


def test_reference_prior_level_and_common_effects(alkbayes: Command, own: Path) -> None:
    found = json.loads(
        alkbayes("randomised", "--data", own, "--reference", "Tablette", "--level", "80", "--json").stdout
    )
    assert found["outcomes"][0]["reference"] == "Tablette"
    assert found["interval_prob"] == 0.8
    wide = json.loads(alkbayes("randomised", "--data", own, "--tau-prior", "uniform(2)", "--json").stdout)
    assert wide["priors"]["tau"] == "uniform(2)"
    common = alkbayes("randomised", "--data", own, "--common")
    assert "Effects are common to all trials." in common.stdout
    assert "another" not in common.stdout


def test_bad_requests_have_their_exit_codes(alkbayes: Command, own: Path, tmp_path: Path) -> None:
    apart = tmp_path / "apart.csv"
    apart.write_text("trial,treatment,responders,n\nA,a,1,9\nA,b,2,9\nB,c,1,9\nB,d,2,9\n", encoding="utf-8")
    for arguments, code, words in (
        (("--json", "--csv"), 2, "exclude each other"),
        (("--plot", tmp_path / "figure.txt"), 2, "must end in"),
        (("--data", tmp_path / "nowhere.csv"), 3, "there is no such file"),
        (("--data", apart), 3, "(1) a and b; (2) c and d"),
        (("--data", own, "--by", "drug"), 3, "column drug: found no such column"),
        (("--tau-prior", "cauchy(1)"), 2, "--tau-prior: found 'cauchy(1)'; allowed: half-normal(0.5) or uniform(5)"),
        (("--exclude", "ALEXX"), 2, '--exclude: found "ALEXX", which is not a trial of the table. Did you mean "ALEX"'),
        (("--reference", "fourth"), 2, '--reference: found "fourth", which no trial has.'),
        (("--columns", "trial=study"), 2, "--columns: is about a table of your own"),
    ):
        result = alkbayes("randomised", *arguments)
        assert (result.exit_code, result.stdout) == (code, ""), arguments
        assert words in result.stderr, arguments


def test_what_did_not_converge_is_marked(alkbayes: Command, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = analysis.randomised_of

    def failing(*arguments: object, **options: object) -> analysis.Randomised:
        found = made(*arguments, **options)
        return replace(found, outcomes=tuple(replace(each, failures=("Pareto k 0.90",)) for each in found.outcomes))

    monkeypatch.setattr(analysis, "randomised_of", failing)
    result = alkbayes("randomised", "--data", own)
    assert result.exit_code == 6
    assert "NOT CONVERGED: DO NOT USE THESE NUMBERS: odds ratio: Pareto k 0.90." in result.stdout
    assert "did not converge" in result.stderr


def test_figures_are_files(alkbayes: Command, own: Path, tmp_path: Path) -> None:
    result = alkbayes("randomised", "--data", own, "--plot", tmp_path / "figure.svg", "--json")
    assert result.exit_code == 0
    first, second = sorted(tmp_path.glob("figure*.svg"))
    assert "Network of randomised trials" in first.read_text(encoding="utf-8")
    assert "Odds ratios of every pair of treatments" in second.read_text(encoding="utf-8")
