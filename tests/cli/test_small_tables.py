"""Tables that are small, empty of events or oddly named, by every command, kind of figure and report.

Every call ends with exit code 0 or with a documented one and its message: never in a traceback. The fits of a table are
shared by all commands. `resistance` reads none of these tables; `calibrate` takes of them the shape alone.
"""

import functools
import html
import json
import re
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from typer.testing import Result

from alkbayes.plots.kinds import KINDS
from alkbayes.sensitivity_analysis import refit as sensitivity

type Command = Callable[..., Result]

pytestmark = pytest.mark.slow

FULL = (
    "cohort_id,trial,line,regimen_class,responders,n,prior_alk_tki,pfs_median,pfs_status,ic_responders,ic_n",
    "a,A,naive,first,7,20,none,9.1,reached,1,5",
    "b,B,pretreated,second,13,30,crizotinib,12.0,reached,3,9",
    "c,C,naive,third,18,22,none,20.0,reached,6,6",
)
WITHOUT_IC = tuple(",".join(row.split(",")[:-2]) for row in FULL)
"""`intracranial` fits several models, which it does for the table of one cohort alone."""
LONG = "patients of a subgroup with a name that goes on as names in registers do and ends where no column holds it " * 2


def counts(*rows: tuple[str, str, int, int]) -> str:
    """Return a table of name, trial, responders and patients, with lines and generations in turn."""
    levels = (("naive", "first"), ("pretreated", "second"), ("naive", "third"), ("mixed", "second"))
    lines = [f"{name},{trial},{','.join(levels[i % 4])},{r},{n}" for i, (name, trial, r, n) in enumerate(rows)]
    return "\n".join(("cohort_id,trial,line,regimen_class,responders,n", *lines, ""))


TABLES = {
    "one cohort": "\n".join((*FULL[:2], "")),
    "two cohorts": "\n".join((*WITHOUT_IC[:3], "")),
    "three cohorts": "\n".join((*WITHOUT_IC, "")),
    "one trial": counts(("a", "A", 7, 20), ("b", "A", 13, 30), ("c", "A", 18, 22), ("d", "A", 9, 31)),
    "no event": counts(("a", "A", 0, 20), ("b", "B", 0, 30), ("c", "C", 0, 12), ("d", "C", 0, 41)),
    "all responded": counts(("a", "A", 20, 20), ("b", "B", 30, 30), ("c", "C", 12, 12), ("d", "C", 41, 41)),
    "one percent": counts(("a", "A", 1, 100), ("b", "B", 3, 300), ("c", "C", 0, 80), ("d", "D", 2, 210)),
    "six without events": (
        "cohort_id,trial,line,regimen_class,responders,n,year\n"
        "a,A,naive,first,0,20,2012\nb,B,pretreated,second,0,30,2014\nc,C,naive,third,0,12,2019\n"
        "d,D,mixed,second,0,41,2015\ne,E,naive,second,0,9,2016\nf,F,pretreated,third,0,25,2021\n"
    ),
    "long names": counts(
        (f"1 {LONG}"[:120], f"A {LONG}"[:120], 7, 20),
        (f"2 {LONG}"[:120], f"B {LONG}"[:120], 13, 30),
        (f"3 {LONG}"[:120], f"B {LONG}"[:120], 18, 22),
    ),
    "counts alone": "cohort_id,trial,responders,n\na,A,7,20\nb,B,13,30\nc,C,18,22\n",
}
"""One cohort a trial: the second, the third, that of six, whose years a fit holds against its model, and the last."""
STANDARDS = {"two cohorts": "same", "three cohorts": "own", "one trial": "same", "six without events": "same"}
"""What levels are averaged over, where that is not left to the model."""

OF_A_TABLE = (
    ("evidence",),
    ("evidence", "--plot", "FILE"),
    ("pool",),
    ("pool", "--all", "--by", "trial"),
    *(
        (command, column, *method)
        for command in ("subgroups", "regress")
        for column in ("line", "trial")
        for method in ((), ("--method", "glmm-ml"))
    ),
    ("regress", "n"),
    ("influence",),
    ("influence", "--by-trial", "--method", "glmm-ml"),
    ("small-study",),
    ("pfs", "--draws", "1000", "--plot", "FILE"),
    ("intracranial", "--plot", "FILE"),
)
ALWAYS = {
    "evidence",
    "pool",
    "influence",
    "small-study",
    "fit",
    "summary",
    "diagnose",
    "predictive",
    "predict",
    "report",
}
"""Commands that have something to say of every table."""

ALONE = (
    *("forest", "contrasts", "baujat", "calibration", "bubble", "sequence"),
    *("leave-one-out", "cumulative", "classical"),
    *("risk-of-bias", "risk-of-bias-summary", "reporting-quality"),
)
"""Kinds of figures that a report has none of, or that a table may have nothing to show by."""

GENERATIONS = """\
cohort_id,trial,region,generation,responders,n
a,A,x,1,5,20
b,B,x,2,9,20
c,C,y,2,8,22
d,D,y,1,8,25
"""
"""Beside no `regimen_class`, whose label is "generation", this column is what it is called."""
_EFFECT = """
[[effect]]
kind = "exchangeable"
column = {column}
sd_prior = {{ dist = "half_normal", sd = 0.5 }}
why = "Small differences are likelier than large ones."
"""
OF_GENERATIONS = """\
schema = 1
name = "own"
question = "How often do tumours respond to each generation?"

[likelihood]
family = "binomial"
link = "logit"

[intercept]
prior = { dist = "normal", mean = 0.0, sd = 1.5 }
why = "Any rate is possible."
""" + "".join(_EFFECT.format(column=column) for column in ('"region"', '"generation"', '["region", "generation"]'))


def answered(result: Result, *arguments: str) -> Result:
    """Check that a command did what was asked, or said why not with the right code."""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        pytest.fail(f"{arguments}: {''.join(traceback.format_exception(result.exception))}")
    allowed = {0} if arguments[0] in ALWAYS else {0, 2, 3, 5, 6, 7}
    assert result.exit_code in allowed, (arguments, result.output)
    assert result.exit_code == 0 or "error: " in result.stderr, arguments
    # No number of a reader is spelt as a program spells it.
    assert not re.search(r"\bnp\.|\bnan\b|\binf\b|Traceback", result.output, re.IGNORECASE), (arguments, result.output)
    return result


@pytest.fixture(scope="module", autouse=True)
def _few(fewer_draws: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    with fewer_draws():
        yield


@pytest.fixture(scope="module", params=TABLES)
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "own.csv"
    path.write_text(TABLES[request.param], encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def runs(alkbayes: Command, table: Path) -> tuple[Path, Path]:
    """A run of the model that a table gets where none is named, and one of the plainest."""
    folders = table.parent / "run", table.parent / "other"
    name = next(name for name, text in TABLES.items() if text == table.read_text(encoding="utf-8"))
    standard = ("--standard", STANDARDS[name]) if name in STANDARDS else ()
    for asked, folder in zip((standard, ("overall", "--no-check")), folders, strict=True):
        arguments = ("fit", *asked, "--data", table, "--engine", "quadrature", "--draws", "250", "--out", folder)
        answered(alkbayes(*arguments), *map(str, arguments))
    header, *_ = TABLES[name].splitlines()
    fullest = "sequence" if "prior_alk_tki" in header else "line-generation" if "line" in header else "overall"
    assert json.loads((folders[0] / "run.json").read_text(encoding="utf-8"))["model"] == fullest
    return folders


def test_every_command_of_a_table_answers(alkbayes: Command, table: Path, tmp_path: Path) -> None:
    for number, arguments in enumerate(OF_A_TABLE):
        named = tuple(str(tmp_path / f"{number}.svg") if each == "FILE" else each for each in arguments)
        answered(alkbayes(*named, "--data", table), *named)


def test_every_command_of_a_run_answers(alkbayes: Command, runs: tuple[Path, Path], tmp_path: Path) -> None:
    run, other = map(str, runs)
    levels = json.loads((runs[0] / "run.json").read_text(encoding="utf-8"))["model"] != "overall"
    profile = ("--line", "naive", "--generation", "first") if levels else ()
    for arguments in (
        ("summary", run),
        ("summary", run, "--plain"),
        ("diagnose", run, "--plots", tmp_path / "diagnose"),
        ("predictive", run, "--plots", tmp_path / "predictive"),
        ("outliers", run),
        ("outliers", run, "--by-trial"),
        ("compare", run, other),
        ("predict", run, *profile, "--n", "40", "--null", "0.5"),
        ("pfs", "--for", run),
        ("sequence", "--for", run),
    ):
        answered(alkbayes(*arguments), *map(str, arguments))


def test_every_figure_and_the_report_answer(
    alkbayes: Command, runs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    few = functools.partial(sensitivity.run_grid, names=("tau half-normal 1", "probit link"), workers=1)
    monkeypatch.setattr(sensitivity, "run_grid", few)
    answered(alkbayes("sensitivity", run), "sensitivity")
    assert (run / "sensitivity.json").is_file()
    refused = {}
    for kind in ALONE:
        result = answered(alkbayes("plot", run, kind, "--format", "svg"), "plot", kind)
        if result.exit_code:
            # The figure's fault, or the table's: one cohort cannot be left out.
            assert result.exit_code in (2, 3), (kind, result.output)
            refused[kind] = result.stderr
    assert "forest" not in refused
    answered(alkbayes("report", run), "report")
    text = html.unescape((run / "report.html").read_text(encoding="utf-8"))
    for place in ("results", "fit", "classical", "sensitivity", "beyond", "limits"):
        assert f'id="{place}"' in text
    # A report draws the other kinds, of every table.
    for kind in set(KINDS) - set(ALONE):
        assert KINDS[kind].shows[1:] in text, kind
    if "baujat" in refused:
        assert "Baujat's plot leaves out one cohort at a time" in text


def test_a_column_of_a_strangers_table_keeps_its_name(alkbayes: Command, tmp_path: Path) -> None:
    table, model, run = tmp_path / "own.csv", tmp_path / "own.toml", tmp_path / "run"
    table.write_text(GENERATIONS, encoding="utf-8")
    model.write_text(OF_GENERATIONS, encoding="utf-8")
    fit = ("fit", model, "--data", table, "--engine", "quadrature", "--draws", "500", "--out", run)
    printed = [
        answered(alkbayes(*arguments), *map(str, arguments)).output
        for arguments in (
            fit,
            ("summary", run),
            ("diagnose", run),
            ("predict", run, "--generation", "1", "--n", "40"),
            ("plot", run, "forest", "--format", "svg"),
            ("report", run),
        )
    ]
    assert "region:generation" in printed[0]
    assert "Left open: region" in printed[3]
    written = [path.read_text(encoding="utf-8") for path in run.iterdir() if path.suffix not in {".nc", ".png"}]
    assert "sd_region_generation" in "".join(written)
    assert not [text for text in (*printed, *written) if "agent_generation" in text]
