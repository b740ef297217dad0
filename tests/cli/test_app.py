"""The command line as a whole: help, start-up, exit codes, and terminals that are not like ours."""

import json
import os
import pty
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from alkbayes.cli import Group, app
from alkbayes.errors import (
    AlkbayesError,
    ConvergenceError,
    EvidenceError,
    RunError,
    SamplingError,
    SpecError,
    UsageError,
)

PANELS = {
    "Data": {"evidence", "models", "risk-of-bias"},
    "Bayesian": {
        "fit",
        "summary",
        "diagnose",
        "predictive",
        "outliers",
        "compare",
        "sensitivity",
        "predict",
        "calibrate",
        "certainty",
    },
    "Classical": {"pool", "subgroups", "regress", "influence", "small-study", "audit"},
    "Analyses of the ALK review": {"pfs", "intracranial", "sequence", "resistance", "safety"},
    "Randomised trials": {"randomised"},
    "Output": {"plot", "report", "explore", "export", "script"},
}
COMMANDS = sorted(set().union(*PANELS.values()))
HEAVY = {"arviz", "arviz_stats", "matplotlib", "netCDF4", "numba", "numpy", "nutpie", "pandas"}
HEAVY |= {"pydantic", "pymc", "pytensor", "scipy", "xarray"}
MAIN = "from alkbayes.cli import main; main()"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *arguments],
        capture_output=True,
        env=os.environ | {"COLUMNS": "100"} | environment,
        check=False,
    )


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import alkbayes.cli", set()),
        (f"import sys; sys.argv = ['alkbayes', '--help']; {MAIN}", set()),
        # Typer itself reads a command's arguments with pydantic.
        (f"import sys; sys.argv = ['alkbayes', 'fit', '--help']; {MAIN}", {"pydantic"}),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str, allowed: set[str]) -> None:
    say = f"import atexit, sys; atexit.register(lambda: print(sorted({HEAVY - allowed} & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", f"{say}\n{code}"], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_lists_every_command_in_its_group(alkbayes) -> None:
    result = alkbayes("--help")
    assert result.exit_code == 0
    assert {command.name for command in app.registered_commands} == set(COMMANDS)
    panels = dict(re.findall(r"^╭─ (.+?) ─+╮\n(.*?)^╰", result.stdout, re.MULTILINE | re.DOTALL))
    del panels["Options"]
    found = {panel: set(re.findall(r"^│ ([a-z-]+) +[A-Z]", text, re.MULTILINE)) for panel, text in panels.items()}
    assert found == {**PANELS, "Data": {*PANELS["Data"], "registry"}}
    assert alkbayes("-h").stdout == result.stdout


def test_version_is_the_package_s(alkbayes) -> None:
    result = alkbayes("--version")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"alkbayes {version('alkbayes')}\n", "")


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "alkbayes", "--version"], capture_output=True, text=True, check=False, cwd="/"
    )
    assert (done.returncode, done.stdout) == (0, f"alkbayes {version('alkbayes')}\n")


def test_quiet_leaves_notes_out_and_keeps_warnings(alkbayes, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("cohort_id,n,responders\n=1,10,5\n", encoding="utf-8")
    asked = ("evidence", "--data", table, "--csv", "--plot")
    loud, quiet = alkbayes(*asked, tmp_path / "1.svg"), alkbayes("-q", *asked, tmp_path / "2.svg")
    assert (loud.exit_code, quiet.exit_code) == (0, 0)
    assert "Figure: " in loud.stderr
    assert "Figure: " not in quiet.stderr
    assert quiet.stdout == loud.stdout
    assert alkbayes("-q", "pool", "--data", tmp_path / "none.csv").stderr.startswith("error: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_of_it(alkbayes, command: str) -> None:
    result = alkbayes(command, "--help")
    assert result.exit_code == 0
    assert f"Example: alkbayes {command}" in result.stdout
    assert "--json" in result.stdout
    assert "[[" not in result.stdout


def test_nothing_asked_shows_the_help(alkbayes) -> None:
    result = alkbayes()
    assert result.exit_code == 2
    assert "Usage: alkbayes" in result.output


def test_an_unknown_command_is_a_usage_error(alkbayes) -> None:
    result = alkbayes("meta-analyse")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "meta-analyse" in result.stderr


def raising(error: BaseException) -> typer.Typer:
    """Return an app of our kind whose one command raises."""
    made = typer.Typer(cls=Group, pretty_exceptions_enable=False)
    made.callback()(lambda: None)

    @made.command("go")
    def _() -> None:
        raise error

    return made


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (UsageError, 2),
        (EvidenceError, 3),
        (SpecError, 4),
        (SamplingError, 5),
        (ConvergenceError, 6),
        (RunError, 7),
    ],
)
def test_each_kind_of_error_has_its_exit_code_and_one_message(kind: type[AlkbayesError], code: int) -> None:
    result = CliRunner().invoke(raising(kind("what is wrong. What to do.")), ["go"])
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "error: what is wrong. What to do.\n")


def test_every_error_of_ours_has_a_code_of_its_own() -> None:
    codes = [kind.exit_code for kind in AlkbayesError.__subclasses__()]
    assert sorted(codes) == [2, 3, 4, 5, 6, 7, 8]


def test_ctrl_c_is_one_line_and_exit_code_130() -> None:
    result = CliRunner().invoke(raising(KeyboardInterrupt()), ["go"])
    assert result.exit_code == 130
    assert (result.stdout, result.stderr) == ("", "interrupted: what was not finished is not kept\n")


def test_a_bug_keeps_its_traceback() -> None:
    bug = ZeroDivisionError("a bug")
    result = CliRunner().invoke(raising(bug), ["go"])
    assert result.exception is bug
    code = f"import alkbayes.evidence.table as e; e.read_evidence = None; {MAIN}"
    done = subprocess.run([sys.executable, "-c", code, "evidence"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "TypeError: 'NoneType' object is not callable" in done.stderr


@pytest.mark.parametrize("arguments", [("evidence",), ("evidence", "--json"), ("evidence", "--csv")])
def test_a_reader_that_stops_reading_is_no_crash(arguments: tuple[str, ...]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.Popen([sys.executable, "-c", MAIN, *arguments], stdout=write_end, stderr=subprocess.PIPE)
    os.close(write_end)
    _, stderr = process.communicate()
    assert stderr == b""
    assert process.returncode == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_output_survives_the_encoding_of_stdout(text_run, encoding: str) -> None:
    done = run("summary", str(text_run.folder), PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding)
    if encoding == "utf-8":
        assert "R-hat ≤ 1.0" in text
        assert re.search(r"overall .* \d\d\.\d–\d\d\.\d", text)
    else:
        assert "R-hat <= 1.0" in text
        assert re.search(r"overall .* \d\d\.\d-\d\d\.\d", text)
        assert "?" not in text


def test_json_is_the_same_in_every_encoding(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,n,responders,site\na,40,30,Köln – 1\n", encoding="utf-8")
    found = [
        run("pool", "--data", str(path), "--by", "site", "--json", PYTHONIOENCODING=encoding)
        for encoding in ("ascii", "utf-8")
    ]
    assert found[0].stdout == found[1].stdout
    assert "Köln – 1" in {record["level"] for record in json.loads(found[0].stdout)["pooled"]}


def test_an_error_about_a_name_that_no_encoding_has_is_still_shown(tmp_path: Path) -> None:
    done = run("evidence", "--data", os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv"))
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr
    assert b"/?.csv" in done.stderr


def in_terminal(*arguments: str, columns: int, **environment: str) -> str:
    """Return what a command prints on a terminal of so many columns."""
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments],
        stdout=other_end,
        stderr=subprocess.STDOUT,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns)} | environment,
    )
    os.close(other_end)
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    assert process.wait() == 0
    os.close(terminal)
    return shown.decode()


def test_progress_is_for_a_terminal_and_not_for_the_cell_of_a_notebook() -> None:
    table = ("evidence",)
    assert "reading …" in in_terminal(*table, columns=80, NO_COLOR="1")
    assert "reading …" not in in_terminal(*table, columns=80, NO_COLOR="1", JPY_PARENT_PID="1")


STYLED = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("command", ["summary", "pool"])
@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_figure_is_left_out_on_a_narrow_terminal(text_run, command: str, columns: int) -> None:
    # Rich takes what is no terminal for one.
    there = {"COLUMNS": str(columns), "TTY_COMPATIBLE": "1", "TERM": "xterm-256color"}
    arguments = [command, *([str(text_run.folder)] if command == "summary" else [])]
    text = CliRunner(env=there).invoke(app, arguments).stdout
    assert STYLED.search(text)
    plain = STYLED.sub("", text)
    assert "…" not in plain
    tables = [line.rstrip() for line in plain.splitlines() if re.search(r"\d–\d+\.\d", line)]
    assert len(tables) > 15
    assert max(map(len, tables)) <= max(columns, 80)
    for word in ("pretreated", "naive", "second", "60.2" if command == "pool" else "59.2"):
        assert word in plain


def test_no_color_is_obeyed(text_run) -> None:
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    assert not colour.search(in_terminal("summary", str(text_run.folder), columns=100, NO_COLOR="1"))
    assert "\x1b" not in run("summary", str(text_run.folder)).stdout.decode()
