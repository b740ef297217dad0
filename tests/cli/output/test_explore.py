"""`alkbayes explore` as a process: it says where it is, refuses what does not fit, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest

MAIN = "from alkbayes.cli import main; main()"
PATIENCE = 120.0
"""Seconds that a busy machine is given."""


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[SimpleNamespace]:
    """Start the command in a folder; what is still there at the end is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "explore", "--no-browser", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        address = process.stdout.readline().strip()
        yield SimpleNamespace(process=process, address=address, whole=psutil.Process(process.pid))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.05)


def test_a_run_excludes_a_table_and_a_model(alkbayes, tmp_path: Path) -> None:
    for more in (["--data", tmp_path / "t.csv"], ["--model", "line"]):
        result = alkbayes("explore", tmp_path, "--no-browser", *more)
        assert result.exit_code == 2
        assert "a run brings its own table and model" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["no-such-run"], 7, "there is no such folder"),
        (["--data", "no-such.csv"], 3, "no-such.csv"),
        (["--model", "no-such-model"], 4, "no-such-model"),
        (["--data", "t.csv", "--model", "line"], 3, "line"),
        (["--port", "70000"], 2, "70000"),
    ],
)
def test_bad_input_is_refused_before_anything_is_served(
    alkbayes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("cohort_id,n,responders\na,10,5\nb,10,6\nc,12,3\n", encoding="utf-8")
    result = alkbayes("explore", "--no-browser", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert not Path("runs").exists()


def test_without_the_extra_it_is_named(alkbayes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in {"starlette", "uvicorn"} else name)
    result = alkbayes("explore", "--no-browser")
    assert result.exit_code == 2
    assert "starlette and uvicorn" in result.stderr
    assert "pip install 'alkbayes[explore]'" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="permissions and signals of POSIX")
def test_a_folder_that_cannot_be_written_to_is_refused(
    alkbayes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").write_text("", encoding="utf-8")
    result = alkbayes("explore", "--no-browser")
    assert result.exit_code == 7
    assert "every setting tried is written here" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_it_ends_with_its_workers(tmp_path: Path, how: signal.Signals) -> None:
    with started(tmp_path, "--model", "overall") as page:
        assert urlsplit(page.address).hostname == "127.0.0.1"
        until(lambda: len(workers(page.whole)) == 2)
        children = page.whole.children(recursive=True)
        page.process.send_signal(how)
        page.process.wait(PATIENCE)
        until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
        if how is signal.SIGINT:
            assert page.process.returncode == 0
            assert "The page has ended." in page.process.stderr.read()


@pytest.mark.slow
def test_it_listens_to_this_machine_alone(tmp_path: Path) -> None:
    with started(tmp_path, "--model", "overall") as page:
        listening = [each for each in page.whole.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
        assert [each.laddr.ip for each in listening] == ["127.0.0.1"]
        parts = urlsplit(page.address)
        assert httpx2.get(f"http://{parts.netloc}/").status_code == 403
        with httpx2.Client(follow_redirects=True) as client:
            shown = client.get(page.address)
            assert shown.status_code == 200
            assert "token" not in str(shown.url)


def workers(process: psutil.Process) -> list[psutil.Process]:
    """Return the processes that compute."""
    return [child for child in process.children() if any("spawn_main" in word for word in child.cmdline())]
