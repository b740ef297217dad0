"""Results of tasks in several processes: in order, one thread each, and errors that come through."""

import math
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from alkbayes.errors import WorkersLostError
from alkbayes.parallel import FEW, MOST_BROKEN, THREADS, in_processes


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_tasks(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS[0], "7")
    monkeypatch.delenv(THREADS[1], raising=False)
    done: list[tuple[int, int]] = []
    tasks = [9, 3, 7, 1, 12, 5, 2, 8]
    found = in_processes(math.factorial, tasks, workers=workers, progress=lambda *counts: done.append(counts))
    assert found == [math.factorial(task) for task in tasks]
    assert done == [(count, 8) for count in range(1, 9)]
    assert os.environ[THREADS[0]] == "7"
    assert THREADS[1] not in os.environ


def test_other_processes_take_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(THREADS[0], raising=False)
    assert in_processes(os.getenv, [THREADS[0]] * FEW, workers=2) == ["1"] * FEW


def test_a_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import math\n"
        "from alkbayes.parallel import in_processes\n"
        "print('here')\n"
        f"print(in_processes(math.factorial, [3] * {FEW}, workers=2))\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == f"here\n{[6] * FEW}\n"
    assert done.stderr == ""


def test_an_error_of_a_task_comes_through() -> None:
    with pytest.raises(ValueError, match="not defined for negative values"):
        in_processes(math.factorial, [*range(FEW), -1], workers=2)


def kill_a_worker() -> None:
    for process in multiprocessing.active_children()[:1]:
        process.kill()


def test_work_goes_on_after_a_worker_was_killed() -> None:
    done: list[int] = []

    def progress(count: int, _: int) -> None:
        done.append(count)
        if count == 1:
            kill_a_worker()

    tasks = list(range(200, 200 + 2 * FEW))
    assert in_processes(math.factorial, tasks, workers=2, progress=progress) == [math.factorial(n) for n in tasks]
    # Each is told once, those that had to be done again included.
    assert done == list(range(1, len(tasks) + 1))


def test_workers_that_are_killed_again_and_again_end_it_with_what_was_done() -> None:
    # The last task kills the process that does it, whichever that is.
    tasks = [*([0] * FEW), signal.SIGKILL]
    with pytest.raises(
        WorkersLostError, match=f"killed {MOST_BROKEN} times, with [0-9]+ of {FEW + 1} tasks done"
    ) as caught:
        in_processes(signal.raise_signal, tasks, workers=2)
    assert caught.value.exit_code == 5
    assert set(caught.value.done) <= set(range(FEW))
    assert set(caught.value.done.values()) <= {None}


def test_nothing_to_do_is_done() -> None:
    assert in_processes(math.factorial, []) == []
