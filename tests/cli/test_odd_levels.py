"""Levels that hold what names are joined by: " vs ", ":", "/", " : ". No command may read a level from a name."""

import csv
import io
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alkbayes.cli import app
from alkbayes.plots.kinds import KINDS
from alkbayes.runs.analyses import kept_analysis
from alkbayes.sensitivity_analysis import refit
from alkbayes.sensitivity_analysis.refit import run_grid

type Command = Callable[..., Result]

ARMS = ("a vs b", "n/a-like/2", "x:y")
SEEN = ("plain", "α : β")
TABLE = """cohort_id,trial,arm,seen,dose: mg/kg vs fixed,responders,n
c1,T1,a vs b,α : β,1:2,12,20
c2,T1,x:y,plain,3 vs 4,9,25
c3,T2,n/a-like/2,α : β,1:2,14,30
c4,T2,a vs b,plain,3 vs 4,17,28
c5,T3,x:y,α : β,1:2,8,24
c6,T3,n/a-like/2,plain,3 vs 4,20,31
c7,T4,a vs b,α : β,1:2,11,22
c8,T5,x:y,plain,3 vs 4,7,26
"""
MODEL = """schema = 1
name = "odd"
question = "Levels that hold what names are joined by"
likelihood = { family = "binomial", link = "logit" }
intercept = { prior = { dist = "normal", mean = 0.0, sd = 1.5 }, why = "wide" }

[[effect]]
column = "arm"
kind = "fixed"
reference = "a vs b"
prior = { dist = "normal", mean = 0.0, sd = 1.0 }
why = "wide"

[[effect]]
column = "seen"
kind = "exchangeable"
sd_prior = { dist = "half_normal", sd = 0.5 }
why = "wide"

[[effect]]
column = ["arm", "seen"]
kind = "exchangeable"
sd_prior = { dist = "half_normal", sd = 0.25 }
why = "narrow"

[[heterogeneity]]
column = "trial"
distribution = "normal"
sd_prior = { dist = "half_normal", sd = 0.5 }
why = "usual"
"""
PAIRS = [("n/a-like/2", "a vs b"), ("x:y", "a vs b"), ("x:y", "n/a-like/2")]
NOT_OF_THIS_RUN = {"sequence": "sequence", "bubble": "no numeric effect", "cumulative": "No cohort has a year"}
NOT_OF_THIS_RUN |= dict.fromkeys(("risk-of-bias", "risk-of-bias-summary"), "has no judgements of the risk of bias")
NOT_OF_THIS_RUN |= {"reporting-quality": "does not say how counts were assessed and reported"}
"""Figures that this model or table has nothing for, and what the refusal says."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("odd") / "table.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(table: Path) -> Path:
    """The fit that all tests of this module share, without chains."""
    return fitted(table, MODEL, "run")


def fitted(table: Path, text: str, name: str) -> Path:
    """Return the folder of a fit of a model file's text."""
    model, folder = table.with_name(f"{name}.toml"), table.with_name(name)
    model.write_text(text, encoding="utf-8")
    call = ["fit", str(model), "--data", str(table), "--engine", "quadrature", "--draws", "250", "--no-check"]
    result = CliRunner().invoke(app, [*call, "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def with_sensitivity(run: Path) -> Path:
    """The run with an analysis of few alternatives beside it."""
    with pytest.MonkeyPatch.context() as patch:
        few = ("differences normal 2", "tau half-normal 1")
        patch.setattr(refit, "run_grid", lambda fit, **_: run_grid(fit, names=few, workers=1))
        result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["sensitivity", str(run)])
    assert result.exit_code == 0, result.output
    for arm in ARMS:
        assert f"arm {arm} mean" in result.stdout
    assert "n/a-like/2 vs a vs b" in " ".join(result.stdout.split())
    return run


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_tables_have_levels_as_values(run: Path) -> None:
    contrasts = [row for row in rows_of(run / "contrasts.csv") if row["scale"] == "odds_ratio"]
    assert [(row["first"], row["second"]) for row in contrasts if row["column"] == "arm"] == PAIRS
    assert [(row["first"], row["second"]) for row in contrasts if row["column"] == "seen"] == [("α : β", "plain")]
    assert all(row["contrast"] == f"{row['first']} vs {row['second']}" for row in contrasts)
    for name in ("pooled", "classical"):
        rows = {(row["group"], row["level"]): row for row in rows_of(run / f"{name}.csv")}
        cells = {
            (row["first_level"], row["second_level"]): row["k"] for row in rows.values() if row["group"] == "arm:seen"
        }
        expected = {(arm, seen): TABLE.count(f",{arm},{seen},") for arm in ARMS for seen in SEEN}
        assert {cell: int(k) for cell, k in cells.items()} == expected
        # No two groups share a key, and ordinary levels have an ordinary one.
        assert ("arm:seen", "a vs b:plain") in rows
        assert len(rows) == 1 + len(ARMS) + len(SEEN) + len(expected)


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_a_summary_shows_levels_whole(run: Path, columns: str) -> None:
    result = CliRunner(env={"COLUMNS": columns}).invoke(app, ["summary", str(run)])
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.stdout.splitlines()]
    for name in (*ARMS, *SEEN):
        assert any(line.startswith(f"{name} ") for line in lines), name
    for arm in ARMS:
        for seen in SEEN:
            whole = any(line.startswith(f"{arm} : {seen} ") for line in lines)
            folded = any(
                one.startswith(f"{arm}: ") and two.startswith(f"{seen} ") for one, two in itertools.pairwise(lines)
            )
            assert whole != folded
    assert any(line.startswith("x:y vs a vs b ") for line in lines)
    said = " ".join(" ".join(lines).split())
    assert "interaction of arm and seen" in said


def test_plain_sentences_name_the_levels(alkbayes: Command, run: Path) -> None:
    said = alkbayes("summary", run, "--plain")
    assert said.exit_code == 0, said.output
    text = " ".join(said.stdout.split())
    assert "lower in arm x:y than in arm a vs b" in text
    assert "% in arm n/a-like/2 (" in text
    assert "% in seen α : β (" in text


@pytest.mark.slow
def test_every_figure_is_drawn_with_whole_levels(alkbayes: Command, with_sensitivity: Path, tmp_path: Path) -> None:
    for kind in KINDS:
        result = alkbayes("plot", with_sensitivity, kind, "--out", tmp_path / f"{kind}.svg")
        if kind in NOT_OF_THIS_RUN:
            assert result.exit_code == 2, (kind, result.output)
            assert NOT_OF_THIS_RUN[kind] in result.output
        else:
            assert result.exit_code == 0, (kind, result.output)
    cells = (tmp_path / "cells.svg").read_text(encoding="utf-8")
    # The levels of the one column, under each those of the other, and those once alone.
    assert [cells.count(f">{name}</text>") for name in ("arm: a vs b", "arm: x:y", "arm: n/a-like/2")] == [1, 1, 1]
    assert [cells.count(f">{name}</text>") for name in SEEN] == [len(ARMS) + 1] * 2
    contrasts = (tmp_path / "contrasts.svg").read_text(encoding="utf-8")
    assert all(f">{first} vs {second}</text>" in contrasts for first, second in PAIRS)
    forest = (tmp_path / "forest.svg").read_text(encoding="utf-8")
    assert all(f">{arm}</text>" in forest for arm in ARMS)


@pytest.mark.slow
def test_a_report_has_the_levels(alkbayes: Command, with_sensitivity: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.md"
    result = alkbayes("report", with_sensitivity, "--format", "md", "--out", page)
    assert result.exit_code == 0, result.output
    text = page.read_text(encoding="utf-8")
    assert all(f"| {arm} : {seen} |" in text.replace("&nbsp;", "") for arm in ARMS for seen in SEEN)
    assert all(f"| {first} vs {second} |" in text for first, second in PAIRS)


def test_sensitivity_keeps_the_levels_of_a_contrast(alkbayes: Command, with_sensitivity: Path) -> None:
    for alternative in kept_analysis(with_sensitivity, "sensitivity")["sensitivity"]["alternatives"]:
        contrasts = [row for row in alternative["numbers"] if row["table"] == "contrast"]
        assert [(row["first"], row["second"]) for row in contrasts] == PAIRS


def test_classical_commands_group_by_them(alkbayes: Command, table: Path) -> None:
    dose = "dose: mg/kg vs fixed"
    result = alkbayes(
        "pool", "--data", table, "--by", "arm", "--by", "arm:seen", "--by", dose, "--by", f"arm:{dose}",
        "--method", "crude-wilson", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    pooled = json.loads(result.stdout)["pooled"]
    columns = [(row["first_column"], row["second_column"]) for row in pooled]
    assert list(dict.fromkeys(columns)) == [(None, None), ("arm", None), ("arm", "seen"), (dose, None), ("arm", dose)]
    counts = {(row["first_level"], row["second_level"]): row["responders"] for row in pooled}
    assert (counts["x:y", "plain"], counts["x:y", "α : β"], counts["3 vs 4", None]) == (16, 8, 53)
    shown = alkbayes("pool", "--data", table, "--by", "arm:seen", "--method", "crude-wilson")
    assert shown.exit_code == 0, shown.output
    assert "by arm:seen, x:y : plain: 2 cohorts, 16/" in shown.stdout
    for column in ("arm", dose):
        levels = alkbayes("subgroups", "--data", table, column)
        assert levels.exit_code == 0, levels.output
    assert all(level in levels.stdout for level in ("1:2", "3 vs 4"))


@pytest.mark.slow
def test_runs_are_compared(alkbayes: Command, table: Path, run: Path) -> None:
    one_effect = MODEL[: MODEL.index('[[effect]]\ncolumn = "seen"')] + MODEL[MODEL.index("[[heterogeneity]]") :]
    other = fitted(table, one_effect, "other")
    result = alkbayes("compare", run, other, "--json")
    assert result.exit_code == 0, result.output
    names = {row["number"] for row in json.loads(result.stdout)["comparison"]["stacked"]}
    assert {f"arm {arm}, mean" for arm in ARMS} <= names
    assert {f"arm {first} vs {second}, risk difference" for first, second in PAIRS} <= names
