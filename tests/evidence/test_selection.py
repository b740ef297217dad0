"""Cohorts chosen by a condition or by name."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from alkbayes.cli import app
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.selection import selected
from alkbayes.evidence.sources import Selection
from alkbayes.evidence.table import read_evidence

FRAME = pd.DataFrame(
    {
        "cohort_id": list("abcdef"),
        "responders": [1, 2, 3, 4, 5, 6],
        "n": [10, 20, 30, 40, 50, 60],
        "line": ["naive", "naive", "pretreated", "", "mixed", "pretreated"],
        "year": ["2010", "2015", "", "2018.5", "NA", "2020"],
        "HER2 status": ["3+", "2+", "3+", "", "2+", "3+"],
    }
)


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ('line == "naive"', "ab"),
        ('line != "naive"', "cef"),
        ("year >= 2015", "bdf"),
        ("2010 < year <= 2018.5", "bd"),
        ("2015 == year", "b"),
        ("n > -1", "abcdef"),
        ('line in ["naive", "mixed"]', "abe"),
        ('line not in ("naive", "mixed")', "cf"),
        ('line == "naive" or year > 2019', "abf"),
        ('line == "naive" and year > 2012 or n == 60', "bf"),
        ('`HER2 status` == "3+" and `line` == "pretreated"', "cf"),
        # Of d and e, whose year or line is missing, neither a condition nor its negation is known.
        ("not year >= 2015", "a"),
        ('not (line == "naive" or n < 25)', "cef"),
        ('not (line == "naive" and year < 2012)', "bcdef"),
        ('year == "2015"', "b"),
        # A table whose line is "Naive" is read with "naive".
        ('line == "Naive"', "ab"),
        ('line != "Naive"', "cef"),
        ('line not in ("NAIVE", "mixed")', "cf"),
    ],
)
def test_cohorts_that_satisfy_a_condition(where: str, kept: str) -> None:
    mask, _ = selected(FRAME, Selection(where))
    assert "".join(FRAME["cohort_id"][mask]) == kept


def test_what_was_chosen_is_told() -> None:
    mask, notes = selected(FRAME, Selection("year >= 2015", ("f",), "interim report."))
    assert "".join(FRAME["cohort_id"][mask]) == "bd"
    assert notes == (
        "Selected by year >= 2015: 3 of 6 cohorts; 2 left out for lack of a value: c and e.",
        "Left out by name: f.",
        "Reason for the selection: interim report.",
    )


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (
            "year = 2015",
            'found "year = 2015", which is not a condition; allowed: comparisons of columns, as in region ==',
        ),
        ("year >", "which is not a condition"),
        ("(" * 300 + "year" + ")" * 300, "which is not a condition"),
        ("line == naive", '"naive" is neither a number nor text in quotation marks'),
        ("lines == 'naive'", '"lines" is not a column of the table, perhaps line; allowed: its columns, cohort_id'),
        ("line > 2", 'which compares line with a number, while it holds "naive", "pretreated" and "mixed"'),
        ("year", '"year" is not a comparison'),
        ("line == year", '"year" is neither a number nor text'),
        ("1 < 2", "which does not compare a column with a value"),
        ("line is None", "which does not compare a column with a value"),
        ("line == True", '"True" is neither a number nor text'),
        ("line in 'naive'", "where `in` needs a column and a list"),
        ("line in []", "where `in` needs a column and a list"),
        ("__import__('os').system('true') == 0", "which does not compare a column with a value"),
        ("line == 'second'", "selects none of the 6 cohorts of the table"),
    ],
)
def test_a_condition_that_cannot_be_read_is_refused(where: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        selected(FRAME, Selection(where))
    assert said in str(caught.value)
    assert caught.value.parameter == "where"


def test_a_name_that_is_not_a_cohort_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r'found "g", which is not a cohort of the table. Its cohorts: a, b, c, d, e and f'
    ):
        selected(FRAME, Selection(exclude=("a", "g")))


def test_the_rest_of_the_table_is_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,responders,n,line\na,1,9,naive\nb,10,9,mixed\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match='cohort "b"'):
        read_evidence(path, selection=Selection("line == 'naive'"))


def test_a_run_keeps_the_whole_table_and_the_selection(tmp_path: Path) -> None:
    chosen = ["--where", 'line == "naive" and n >= 100', "--exclude", "alex-alectinib", "--reason", "large cohorts"]
    run = tmp_path / "run"

    def invoke(*arguments: Any) -> Any:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    fitted = invoke("fit", "overall", *chosen, "--engine", "quadrature", "--draws", 200, "--out", run, "--json")
    assert fitted.exit_code == 0, fitted.stderr
    document = json.loads(fitted.stdout)
    evidence = read_evidence(selection=Selection(chosen[1], (chosen[3],), chosen[5]))
    assert evidence.part_of is not None
    assert (evidence.cohorts, evidence.part_of.cohorts) == (document["evidence"]["cohorts"], 66)
    assert {
        name: document["evidence"][name] for name in ("where", "exclude", "reason")
    } == evidence.selection.as_record()
    assert document["evidence"]["sha256"] == read_evidence().sha256
    (cohorts,) = {row["k"] for row in document["pooled"]}
    assert cohorts == evidence.cohorts
    pooled = json.loads(invoke("pool", *chosen, "--by", "line", "--method", "crude-wald", "--json").stdout)["pooled"]
    assert pooled[0]["patients"] == evidence.patients == int(evidence.frame["n"].sum())
    # The commands of the run see the same cohorts, and the report has the command that chooses them again.
    again = json.loads(invoke("outliers", run, "--json").stdout)["outliers"]
    assert len(again["cohorts"]) == evidence.cohorts
    assert invoke("report", run, "--out", tmp_path / "report.md").exit_code == 0
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "--where 'line == \"naive\" and n >= 100' --exclude alex-alectinib --reason 'large cohorts'" in text


def test_options_that_go_together() -> None:
    alone = CliRunner().invoke(app, ["pool", "--reason", "x"])
    assert (alone.exit_code, alone.stderr) == (
        2,
        "error: --reason: needs a selection. Give --where or --exclude too.\n",
    )
    blank = CliRunner().invoke(app, ["pool", "--where", " "])
    assert (blank.exit_code, blank.stdout) == (2, "")
    assert blank.stderr.startswith("error: --where: found nothing; allowed: a condition such as region ==")
