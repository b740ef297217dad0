"""`alkbayes audit`: what goes to stdout and stderr, and with which exit code."""

import csv
import io
import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner, Result

from alkbayes.classical.proportions import IntervalMethod
from alkbayes.classical.published.audit import LEAVES_OUT
from alkbayes.cli import Group
from alkbayes.cli.classical.audit import command
from alkbayes.presentation.audit import NARROWER, WIDER

app = typer.Typer(cls=Group)
app.callback()(lambda: None)
app.command("audit")(command)

BEYOND_ALL = ("--estimate", "97.8", "--low", "93.5", "--high", "102.2", "--n", "200")
REVIEW = ("--estimate", "58.5", "--low", "57.3", "--high", "59.7", "--n", "6382")
MORE = ("--cohorts", "66", "--split", "71.8", "--split", "48.4")
WIDE = ("--estimate", "58.5", "--low", "50.0", "--high", "67.0", "--n", "6382")


def run(*arguments: str, columns: int = 100) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(app, ["audit", *arguments])


def text_of(*arguments: str) -> str:
    """What is printed, with the lines of a paragraph joined."""
    result = run(*arguments)
    assert result.exit_code == 0
    assert result.stderr == ""
    return " ".join(result.stdout.split())


def test_the_review_at_a_glance() -> None:
    lines = [line.rstrip() for line in run(*REVIEW, *MORE).stdout.splitlines()]
    assert lines[:2] == [
        "Printed: 58.5 % (57.3–59.7), 95 % interval, 6,382 patients, 66 cohorts",
        (
            "Verdict: reproduced by a plain binomial interval of the summed counts (7 of 7 methods). It shows no "
            "differences between cohorts."
        ),
    ]
    assert "3,731–3,736 responders of 6,382 round to 58.5 %. Of these give all three numbers:" in lines
    assert " wald              3,731–3,736        6        57.284–59.702" in lines
    assert " clopper-pearson   3,732–3,735        4        57.272–59.705" in lines
    text = " ".join(" ".join(lines).split())
    assert "0.99 (0.95–1.03 by rounding) times the binomial standard error, as of one sample of 6,476 patients." in text
    assert "None needed. Read as a random-effects interval over 66 cohorts of equal size: tau 0.00 (0.00–0.05" in text
    assert LEAVES_OUT in text
    assert "53.7–63.2 % if these cohorts differed as those of the bundled evidence do (tau 0.78)." in text
    assert "71.8 and 48.4 % make 58.5 % if the first are 43.2 % (42.7–43.6 by rounding) of the patients" in text
    assert "about 2,755." in text


def test_not_reproduced() -> None:
    text = text_of(*WIDE)
    assert "Verdict: not reproduced. No binomial interval on any number of responders among 6,382 patients" in text
    assert "wald none 0 57.284–59.702" in text
    assert "as of one sample of 129 patients." in text
    assert "Heterogeneity: Some; the number of cohorts would say how much." in text
    assert f"Origin: {WIDER}" in text
    assert LEAVES_OUT not in text
    assert "Some. Read as a random-effects interval over 66 cohorts of equal size: tau 1.4" in text_of(*WIDE, *MORE)


def test_a_narrower_interval_is_no_random_effects_interval() -> None:
    text = text_of("--estimate", "58.5", "--low", "58.4", "--high", "58.6", "--n", "6382", "--cohorts", "66")
    assert "Verdict: not reproduced. No binomial interval" in text
    assert (
        "Heterogeneity: None. Read as a random-effects interval over 66 cohorts of equal size: tau 0.00 (0.00–0.00"
        in text
    )
    assert f"Origin: {NARROWER}" in text


def test_a_rate_that_no_count_gives_has_no_table() -> None:
    text = text_of("--estimate", "58.5", "--low", "26", "--high", "85", "--n", "10")
    assert "Verdict: not reproduced. No number of responders among 10 patients is 58.5 %." in text
    assert "wald" not in text


def test_no_responders() -> None:
    text = text_of("--estimate", "0", "--low", "0", "--high", "17", "--n", "20", "--cohorts", "3")
    assert "(1 of 7 methods)" in text
    assert "0 responders of 20 round to 0 %." in text
    assert "Width: A rate or a limit of 0 or 100 % says nothing of a standard error. Left out" in text
    assert "bundled" not in text


@pytest.mark.parametrize("columns", [60, 80, 100])
@pytest.mark.parametrize(
    "arguments",
    [(*REVIEW, *MORE), ("--estimate", "58.500", "--low", "58.497", "--high", "58.503", "--n", "1000000000")],
)
def test_no_figure_is_left_out_on_a_narrow_terminal(columns: int, arguments: tuple[str, ...]) -> None:
    lines = [line.rstrip() for line in run(*arguments, columns=columns).stdout.splitlines()]
    # Running text, which a terminal has wrapped, ends with a full stop, and the title of the table with a colon.
    assert max(len(line) for line in lines if not line.endswith((".", ":"))) <= max(columns, 80)
    assert "…" not in "".join(lines)
    assert sum("clopper-pearson " in line for line in lines) == 1


def test_json_is_one_document() -> None:
    result = run(*REVIEW, *MORE, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert list(document) == ["audit"]
    audit = document["audit"]
    assert audit["verdict"] == "reproduced"
    assert audit["reproduced_by"] == [method["method"] for method in audit["methods"]] == list(IntervalMethod)
    assert audit["printed"] == {"estimate": "58.5", "low": "57.3", "high": "59.7"}
    assert (audit["estimate"], audit["low"], audit["high"]) == (0.585, 0.573, 0.597)
    assert (audit["n"], audit["level"], audit["cohorts"], audit["nearest"]) == (6382, 0.95, 66, 3733)
    assert audit["rounding_to_estimate"] == {"counts": 6, "first": 3731, "last": 3736}
    wald = audit["methods"][0]
    assert (wald["counts"], wald["first"], wald["last"]) == (6, 3731, 3736)
    assert wald["low"] == pytest.approx(0.57284, abs=1e-5)
    assert audit["split"]["share"]["value"] == pytest.approx(10.1 / 23.4)
    assert audit["width"]["tau"]["value"] == 0
    assert audit["comparison"]["evidence_cohorts"] == 66
    assert audit["comparison"]["low"] < 0.54 < 0.63 < audit["comparison"]["high"]
    assert audit["leaves_out"] == LEAVES_OUT


def test_json_of_what_no_method_gives() -> None:
    audit = json.loads(run(*WIDE, "--json").stdout)["audit"]
    assert (audit["verdict"], audit["reproduced_by"]) == ("not reproduced", [])
    assert audit["methods"][0]["first"] is None
    assert audit["comparison"] is audit["split"] is audit["leaves_out"] is audit["width"]["tau"] is None
    audit = json.loads(run("--estimate", "0", "--low", "0", "--high", "17", "--n", "20", "--json").stdout)["audit"]
    assert audit["width"] is None
    flat = ("--estimate", "58", "--low", "58", "--high", "58", "--n", "10000000", "--json")
    assert json.loads(run(*flat).stdout)["audit"]["width"]["effective_patients"]["most"] is None


def test_csv_is_the_table_of_methods() -> None:
    rows = list(csv.DictReader(io.StringIO(run(*REVIEW, "--csv").stdout)))
    assert [row["method"] for row in rows] == list(IntervalMethod)
    assert list(rows[0]) == ["method", "counts", "first", "last", "low", "high"]
    assert (rows[0]["counts"], rows[0]["first"], rows[0]["last"]) == ("6", "3731", "3736")
    rows = list(csv.DictReader(io.StringIO(run(*WIDE, "--csv").stdout)))
    assert {(row["counts"], row["first"], row["last"]) for row in rows} == {("0", "", "")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--estimate", "50", *REVIEW[2:]), "The estimate must lie between its limits"),
        (("--estimate", "0.585", "--low", "0.573", "--high", "0.597", "--n", "6382"), "looks like proportions"),
        ((*REVIEW[:6], "--n", "0"), "The number of patients must be a whole number"),
        ((*REVIEW, "--level", "0.95"), "The level is in percent"),
        ((*REVIEW, "--cohorts", "1"), "The number of cohorts must lie between 2"),
        ((*REVIEW, "--split", "71.8"), "A split has two parts; got 1: 71.8."),
        ((*REVIEW, "--split", "71.8", "--split", "60"), "hold the estimate 58.5 between them"),
        ((*REVIEW, "--json", "--csv"), "--json and --csv exclude each other"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr


@pytest.mark.parametrize("arguments", [REVIEW[:6], (*REVIEW[:6], "--n", "6,382"), (*REVIEW[:6], "--n", "1.5")])
def test_no_whole_number_of_patients_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--n" in result.stderr


def test_nothing_that_the_command_needs_is_imported_before_it_runs() -> None:
    heavy = ("alkbayes.classical", "numpy", "scipy", "pandas", "pymc")
    code = f"import sys, alkbayes.cli.classical.audit; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_limit_beyond_all_patients_is_told_from_where_it_comes() -> None:
    result = run(*BEYOND_ALL)
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    assert "possible only on the raw proportion scale" in said
    assert "pooled by inverse variance" in said
    narrow = run("--estimate", "5", "--low", "-1.0", "--high", "11.0", "--n", "20")
    assert "narrower than that of the summed counts" in " ".join(narrow.stdout.split())
    uneven = run("--estimate", "95", "--low", "85.4", "--high", "100.6", "--n", "20")
    assert "No usual interval has such limits" in " ".join(uneven.stdout.split())
    document = json.loads(run(*BEYOND_ALL, "--cohorts", "6", "--json").stdout)["audit"]
    assert (document["high"], document["width"]["tau"], document["comparison"]) == (1.022, None, None)
