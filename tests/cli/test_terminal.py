"""What a terminal gets: no line longer than it, nothing of others' text that it would obey, and that work is done."""

import csv
import io
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from alkbayes.calibration import workers as study_workers
from alkbayes.calibration.folder import StudyFolder
from alkbayes.calibration.replications import replicate_study
from alkbayes.cli import COMMANDS, app
from alkbayes.explore import server as explore_server
from alkbayes.sensitivity_analysis import refit as sensitivity
from alkbayes.sensitivity_analysis.refit import run_grid

NAMES = ("a\x1b[31mred", "b\x07bell", "c\nline", '=HYPERLINK("x")', "[bold]e[/bold]", f"f{'x' * 90}", "\u202eg", "肺癌")
ROWS = (
    ("A\x1b[31m", "naive", "first", 31, 44, "north"),
    ("A\x1b[31m", "pretreated", "first", 12, 30, "north"),
    ("B\n", "naive", "second", 52, 65, "so\x1b[32muth"),
    ("C", "naive", "second", 20, 24, "so\x1b[32muth"),
    ("C", "pretreated", "second", 33, 70, "north"),
    ("C", "pretreated", "second", 9, 33, "north"),
    ("D", "pretreated", "first", 18, 40, "so\x1b[32muth"),
    ("D", "naive", "first", 28, 37, "north"),
)
HEADER = ("cohort_id", "trial", "line", "regimen_class", "responders", "n", "site")
STYLE = re.compile(r"\x1b\[[0-9;]*m")
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
"""Control characters but for the end of a line."""

ON_TABLES = {
    "pool": ("--data", "t.csv", "--by", "site"),
    "subgroups": ("site", "--data", "t.csv"),
    "regress": ("site", "line", "--data", "t.csv"),
    "influence": ("--data", "t.csv"),
    "small-study": ("--data", "t.csv"),
    "audit": ("--estimate", "58.5", "--low", "57.3", "--high", "59.7", "--n", "6382", "--cohorts", "49"),
    "evidence": ("--data", "t.csv", "--plot", "t.svg"),
    "models": (),
    "risk-of-bias": ("--data", "judged.csv"),
    "fit": ("line", "--data", "t.csv", "--engine", "quadrature", "--draws", "500", "--out", "again"),
    "calibrate": ("line", "--scenario", "three-trials", "--replications", "2", "--draws", "400", "--out", "study"),
    "certainty": ("line",),
    "summary": ("line",),
    "diagnose": ("line",),
    "predictive": ("line",),
    "outliers": ("line",),
    "compare": ("line", "overall"),
    "sensitivity": ("line",),
    "sequence": ("--after", "crizotinib"),
    "resistance": (),
    "randomised": (),
    "safety": ("--data", "t.csv", "--adverse-events", "events.csv", "--by", "site"),
    "intracranial": ("--data", "brain.csv"),
    "pfs": ("--draws", "1000"),
    "plot": ("line", "predictive"),
    "predict": ("line", "--n", "40", "--null", "0.5"),
    "report": ("line", "--out", "report.html"),
    "explore": ("line", "--no-browser"),
    "export": ("line", "archive.zip"),
    "script": ("line", "--for", "metafor"),
}
"""Of every command, arguments that have it print a table."""
MORE = (
    ("pool", "--data", "t.csv", "--all"),
    ("influence", "--data", "t.csv", "--by-trial"),
    ("predictive", "line", "--prior"),
    ("outliers", "line", "--by-trial"),
)


@pytest.fixture(scope="module")
def place(brain_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a hostile table and two runs of it, and a table with intracranial counts."""
    place = tmp_path_factory.mktemp("terminal")
    shutil.copy(brain_table, place / "brain.csv")
    with (place / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *((name, *row) for name, row in zip(NAMES, ROWS, strict=True))])
    with (place / "judged.csv").open("w", newline="", encoding="utf-8") as file:
        header = ("cohort_id", "responders", "n", "rob_sampling", "rob_response_rate", "rob_overall")
        judged = [(name, *row[3:5], "yes", "", "low") for name, row in zip(NAMES, ROWS, strict=True)]
        csv.writer(file).writerows([header, *judged])
    with (place / "events.csv").open("w", newline="", encoding="utf-8") as file:
        counts = [(name, "serious_ae", n // 5, n) for name, (*_, n, _) in zip(NAMES, ROWS, strict=True)]
        csv.writer(file).writerows([("cohort_id", "measure", "events", "n"), *counts])
    for model in ("line", "overall"):
        arguments = ["fit", model, "--engine", "quadrature", "--draws", "500", "--json"]
        done = CliRunner().invoke(app, [*arguments, "--data", str(place / "t.csv"), "--out", str(place / model)])
        assert done.exit_code == 0, done.output
    return place


def replicated_here(study: Any, folder: StudyFolder, *, replications: int, **_: Any) -> list[dict[str, Any]]:
    """Make replications in this process."""
    return [replicate_study(study, number) for number in range(replications)]


def opened_and_ended(_explorer: Any, *, listening: socket.socket, opened: Callable[[], None], **_: Any) -> None:
    """Serve no page."""
    opened()
    listening.close()


@pytest.fixture
def terminal(
    place: Path, fewer_draws: Callable[[], AbstractContextManager[None]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Result]]:
    """Run a command as on a terminal of 80 columns, in a folder in which paths are short."""
    monkeypatch.chdir(place)
    monkeypatch.setattr(study_workers, "run_study", replicated_here)
    monkeypatch.setattr(sensitivity, "run_grid", partial(run_grid, names=("differences normal 0.5",), workers=1))
    monkeypatch.setattr(explore_server, "serve", opened_and_ended)

    def invoke(*arguments: str, **environment: str) -> Result:
        # Rich takes what is no terminal for one.
        there = {"COLUMNS": "80", "TTY_COMPATIBLE": "1", "TERM": "xterm-256color"} | environment
        return CliRunner(env=there).invoke(app, arguments)

    with fewer_draws():
        yield invoke


def test_every_command_is_looked_at() -> None:
    assert set(ON_TABLES) == set(COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(name, *more) for name, more in ON_TABLES.items()] + list(MORE), ids=" ".join)
def test_nothing_is_wider_than_the_terminal_and_nothing_obeyed(
    terminal: Callable[..., Result], arguments: tuple[str, ...]
) -> None:
    result = terminal(*arguments, NO_COLOR="1")
    assert result.exit_code in (0, 6), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.stdout
    # Without colours there is no escape sequence at all, so that one that is there is somebody's text.
    assert OBEYED.findall(result.stdout) == []
    assert OBEYED.findall(result.stderr.replace("\r", "")) == []
    # A program is printed as it is to be run, on lines of its own.
    for line in [] if arguments[0] == "script" else result.stdout.splitlines():
        assert cell_len(line.rstrip()) <= 80, line


@pytest.mark.parametrize(
    "arguments", [("predictive", "line"), ("outliers", "line"), ("influence", "--data", "t.csv")], ids=" ".join
)
def test_a_name_is_shown_as_it_is_written(terminal: Callable[..., Result], arguments: tuple[str, ...]) -> None:
    result = terminal(*arguments)
    shown = "".join(STYLE.sub("", result.stdout).split())
    for name in (r"a\x1b[31mred", r"b\x07bell", r"c\nline", '=HYPERLINK("x")', "[bold]e[/bold]", r"\u202eg", "肺癌"):
        assert name in shown, name
    assert "\x1b[31m" not in result.stdout
    assert "\x1b[1m" in result.stdout


def test_a_wider_terminal_has_wider_tables(terminal: Callable[..., Result]) -> None:
    narrow, wide = (
        max(
            cell_len(line.rstrip())
            for line in terminal("summary", "line", COLUMNS=columns, NO_COLOR="1").stdout.splitlines()
        )
        for columns in ("80", "140")
    )
    assert narrow <= 80 < wide <= 140


def test_words_are_whole_and_further_lines_hang(terminal: Callable[..., Result]) -> None:
    lines = terminal("summary", "line", NO_COLOR="1").stdout.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("crude: "))
    assert lines[start].endswith("(Wilson interval): ignores")
    assert lines[start + 1] == " " * 18 + "heterogeneity between cohorts"


@pytest.mark.parametrize("arguments", [("evidence",), ("influence",), ("pool",)])
def test_a_pipe_gets_no_escape_sequence_and_csv_every_name_to_the_letter(
    place: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(place)
    result = CliRunner(env={"TERM": "xterm-256color"}).invoke(app, [*arguments, "--data", "t.csv"])
    assert OBEYED.findall(result.stdout) == []
    assert result.stderr == ""


def test_csv_has_formulas_to_the_letter_and_a_warning(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    result = CliRunner().invoke(app, ["influence", "--data", "t.csv", "--csv"])
    assert {row["left_out"] for row in csv.DictReader(io.StringIO(result.stdout, newline=""))} == set(NAMES)
    assert result.stderr == (
        "warning: a spreadsheet would take '=HYPERLINK(\"x\")' for a formula. Import the columns as text there.\n"
    )
    assert CliRunner().invoke(app, ["evidence", "--csv"]).stderr == ""


MAIN = "from alkbayes.cli import main; main()"


def two_terminals(place: Path, *arguments: str, **environment: str) -> tuple[str, str]:
    """Return what a command prints on stdout and on stderr, each a terminal of its own."""
    ends = [pty.openpty(), pty.openpty()]
    found = ["", ""]

    def read(which: int) -> None:
        seen = b""
        try:
            while piece := os.read(ends[which][0], 65536):
                seen += piece
        except OSError:  # how Linux says that the other end is closed
            pass
        found[which] = seen.decode()

    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments],
        stdout=ends[0][1],
        stderr=ends[1][1],
        cwd=place,
        env={name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        | {"TERM": "xterm-256color", "COLUMNS": "80"}
        | environment,
    )
    for _, end in ends:
        os.close(end)
    readers = [threading.Thread(target=read, args=(which,)) for which in (0, 1)]
    for reader in readers:
        reader.start()
    assert process.wait() == 0
    for reader in readers:
        reader.join()
    for terminal, _ in ends:
        os.close(terminal)
    return found[0], found[1]


def test_work_is_shown_on_stderr_and_gone_at_its_end(place: Path) -> None:
    stdout, stderr = two_terminals(place, "pool", "--data", "t.csv", "--json")
    assert stdout.startswith("{")
    assert "\x1b" not in stdout
    assert "pooling" in stderr
    assert stderr.rstrip().endswith(("\x1b[2K", "\x1b[?25h"))
    _, plain = two_terminals(place, "pool", "--data", "t.csv", "--json", NO_COLOR="1")
    assert re.match(r"\rpooling …", plain)
    assert "\x1b" not in plain
    assert plain.endswith(" \r")


def test_a_csv_on_a_terminal_has_no_escape_sequence_either(place: Path) -> None:
    stdout, _ = two_terminals(place, "influence", "--data", "t.csv", "--csv")
    assert r"a\x1b[31mred" in stdout
    assert "\x1b" not in stdout


@pytest.mark.parametrize("arguments", [("--help",), ("fit", "--help"), ("fit", "--draws", "x")])
def test_help_and_usage_errors_have_no_escape_sequence_without_colours(place: Path, arguments: tuple[str, ...]) -> None:
    code = f"import sys; sys.argv = {['alkbayes', *arguments]!r}; {MAIN}"
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=end, stderr=end, env=os.environ | {"TERM": "xterm", "NO_COLOR": "1"}
    )
    os.close(end)
    seen = b""
    try:
        while piece := os.read(terminal, 65536):
            seen += piece
    except OSError:
        pass
    process.wait()
    os.close(terminal)
    assert b"Usage: alkbayes" in seen
    assert b"\x1b" not in seen
