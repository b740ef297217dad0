"""Results of tasks in several processes: in order, one thread each, and errors that come through."""

import math
import os

import pytest

from alkbayes.processes import FEW, THREADS, in_processes


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


def test_an_error_of_a_task_comes_through() -> None:
    with pytest.raises(ValueError, match="not defined for negative values"):
        in_processes(math.factorial, [*range(FEW), -1], workers=2)


def test_nothing_to_do_is_done() -> None:
    assert in_processes(math.factorial, []) == []
