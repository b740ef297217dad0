"""Independent pieces of work in several processes, whose results do not depend on how many these are."""

import os
import signal
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from multiprocessing import get_context

from alkbayes.errors import AlkbayesWarning, WorkersLostError

FEW = 8
"""Tasks below this number are done in this process: to start others takes as long as a few of them."""

MOST_BROKEN = 3
"""Times that a worker may be killed before the work stops."""

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""Variables by which libraries of linear algebra learn how many threads to take."""

type Progress = Callable[[int, int], None]
"""Called with how many pieces of work are done, and of how many."""


def in_processes[Task, Result](
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Return the results of tasks in their order, computed by several processes.

    Parameters
    ----------
    work
        A function of a module, which other processes can import.
    tasks
        What it is called with.
    workers
        Number of processes; as many as processors if None. A few tasks are done in this one.
    progress
        Called when a task is done.

    Raises
    ------
    WorkersLostError
        If worker processes are killed again and again; it has the results of the tasks that were done.
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
                    f"a worker process was killed {broken} times, with {len(found)} of {len(tasks)} fits done; is "
                    "there enough memory? End other programs and repeat the command.",
                    found,
                ) from error
            # Most often killed for want of memory, of which fewer at a time take less.
            workers = max(workers // 2, 1)
    return [found[place] for place in range(len(tasks))]


def _finished[Task, Result](
    work: Callable[[Task], Result], tasks: Mapping[int, Task], workers: int
) -> Generator[tuple[int, Result]]:
    """Yield the place and the result of each task as it is done."""
    pool = new_pool(min(workers, len(tasks)))
    with one_thread_each():
        try:
            places = {pool.submit(_unwarned, work, task): place for place, task in tasks.items()}
            for future in as_completed(places):
                yield places[future], future.result()
        finally:
            # After an interrupt or an error, what has not begun never does.
            pool.shutdown(cancel_futures=True)


def _unwarned[Task, Result](work: Callable[[Task], Result], task: Task) -> Result:
    """Work without our warnings: of many fits each result says what became of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlkbayesWarning)
        return work(task)


def new_pool(workers: int) -> ProcessPoolExecutor:
    """Return an executor whose processes leave Ctrl-C to this one."""
    # Spawned and not forked: numerical libraries have threads, which a fork leaves in any state.
    return ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    )


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Have processes that start meanwhile do linear algebra in one thread.

    Their matrices are small, and as many threads as processors in each of as many processes only wait for each other: a
    quarter of the time.
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
