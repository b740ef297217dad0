"""Independent tasks in several processes or threads, with results that do not depend on their number."""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from contextvars import copy_context
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType

from alkbayes.errors import AlkbayesWarning, WorkersLostError

FEW = 8
"""Number of tasks below which they run in this process: starting others takes as long as a few tasks."""

MOST_BROKEN = 3
"""Number of times workers may be killed before the work stops."""

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""Environment variables for the number of threads in linear algebra libraries."""

type Progress = Callable[[int, int], None]
"""Callback with the number of tasks done, and of all tasks."""


def in_processes[Task, Result](
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Return the results of tasks in order, computed in several processes.

    Parameters
    ----------
    work
        Module-level function, which other processes can import.
    tasks
        Arguments of its calls.
    workers
        Number of processes; one per processor if None. A few tasks run in this process.
    progress
        Callback after each task.

    Raises
    ------
    WorkersLostError
        If worker processes are killed repeatedly; it carries the results of finished tasks.
    """
    workers = min(workers or os.cpu_count() or 1, len(tasks))
    found: dict[int, Result] = {}
    if workers < 2 or len(tasks) < FEW:
        for place, task in enumerate(tasks):
            found[place] = _unwarned(work, task)
            if progress is not None:
                progress(len(found), len(tasks))
        return [found[place] for place in range(len(tasks))]
    broken = 0
    while left := {place: task for place, task in enumerate(tasks) if place not in found}:
        try:
            with closing(_finished(work, left, workers)) as finished:
                for place, result in finished:
                    found[place] = result
                    if progress is not None:
                        progress(len(found), len(tasks))
        except BrokenProcessPool as error:
            broken += 1
            if broken == MOST_BROKEN:
                raise WorkersLostError(
                    f"a worker process was killed {broken} times, with {len(found)} of {len(tasks)} tasks done; is "
                    "there enough memory? End other programs and repeat the command.",
                    found,
                ) from error
            # The usual cause is lack of memory, of which fewer processes need less.
            workers = max(workers // 2, 1)
    return [found[place] for place in range(len(tasks))]


def in_threads[Task, Result](work: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
    """Return the results of tasks in order, computed in several threads, one per processor.

    For work that spends its time in NumPy. In a worker process the tasks are done one by one.
    """
    threads = 1 if parent_process() is not None else min(os.cpu_count() or 1, len(tasks))
    if threads < 2:
        return [work(task) for task in tasks]
    pool = ThreadPoolExecutor(threads)
    try:
        # Each in this context, which says what NumPy does about overflow.
        return [each.result() for each in [pool.submit(copy_context().run, work, task) for task in tasks]]
    finally:
        # After an interrupt or an error, pending tasks never start.
        pool.shutdown(cancel_futures=True)


def _finished[Task, Result](
    work: Callable[[Task], Result], tasks: Mapping[int, Task], workers: int
) -> Generator[tuple[int, Result]]:
    """Yield the position and result of each task when done."""
    pool = new_pool(min(workers, len(tasks)))
    with one_thread_each():
        try:
            places = {pool.submit(_unwarned, work, task): place for place, task in tasks.items()}
            for future in as_completed(places):
                yield places[future], future.result()
        finally:
            # After an interrupt or an error, pending tasks never start.
            pool.shutdown(cancel_futures=True)


def _unwarned[Task, Result](work: Callable[[Task], Result], task: Task) -> Result:
    """Run a task without our warnings: each of many results has its own status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlkbayesWarning)
        return work(task)


class _Worker(SpawnProcess):
    """A process that does not import the script of the user.

    Tasks are of this package and need nothing of it. Started as usual, each process would run a script that has no
    `if __name__ == "__main__"` from its first line, and break off where that starts processes of its own.
    """

    def start(self) -> None:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = main


class _Workers(SpawnContext):
    Process = _Worker


def new_pool(workers: int) -> ProcessPoolExecutor:
    """Return an executor whose processes leave Ctrl-C to this one."""
    # Spawned, not forked: forking leaves the threads of numerical libraries in an undefined state.
    return ProcessPoolExecutor(
        workers, mp_context=_Workers(), initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    )


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Limit processes started in this context to one linear algebra thread.

    Their matrices are small, and a thread per processor in each process only adds waiting: this takes a quarter of the
    time.
    """
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
