"""Replications on all cores of this machine, or on an existing Dask cluster."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from alkbayes.calibration.fingerprint import Fingerprint, differing, fingerprint
from alkbayes.calibration.folder import StudyFolder
from alkbayes.calibration.replications import Study, replicate_study
from alkbayes.errors import RunError, SamplingError, UsageError
from alkbayes.parallel import MOST_BROKEN, new_pool, one_thread_each

type Told = Callable[[int], None]

CONNECT_SECONDS = 5
WAITING = 4
"""Replications queued for each worker, so that none is idle and little is lost."""


def run_study(
    study: Study,
    folder: StudyFolder,
    *,
    replications: int,
    workers: int,
    scheduler: str | None = None,
    told: Told | None = None,
) -> list[dict[str, Any]]:
    """Make the replications missing from a folder, and return all.

    Parameters
    ----------
    replications
        Total number, including those in the folder.
    workers
        Processes on this machine; ignored with a scheduler.
    scheduler
        Address of a Dask scheduler, such as tcp://host:8786.
    told
        Called with the number of finished replications whenever it grows.

    Returns
    -------
    list
        Records of replications 0, 1, ..., `replications` - 1, in that order.

    Raises
    ------
    UsageError
        If the scheduler cannot be reached, has no workers, or Dask is not installed.
    SamplingError
        If workers die repeatedly.
    RunError
        If a worker has other code than this process, or the disk fails.
    """
    broken = 0
    while left := [number for number in range(replications) if number not in folder.records]:
        try:
            with _local(min(workers, len(left))) if scheduler is None else _cluster(scheduler) as (executor, size):
                for record in _finished(executor, study, left, at_once=WAITING * size):
                    folder.add([record])
                    if told is not None:
                        told(sum(number < replications for number in folder.records))
        except BrokenProcessPool as error:
            broken += 1
            if broken == MOST_BROKEN:
                raise SamplingError(
                    f"{folder.folder}: a worker process died {broken} times; is there enough memory? Finished "
                    "replications are kept; the same command with fewer workers goes on."
                ) from error
    return [folder.records[number] for number in range(replications)]


def check_scheduler(address: str) -> None:
    """Check in advance that a Dask scheduler can be reached and has workers.

    Raises
    ------
    UsageError
        If not, or if Dask is not installed.
    """
    with _cluster(address):
        pass


def replicate_here(study: Study, wanted: Fingerprint, number: int) -> dict[str, Any]:
    """Make one replication in a worker.

    Raises
    ------
    RunError
        If the worker's code samples differently from that of the requesting process.
    """
    if differing(wanted, fingerprint(study), study.engine):
        raise RunError("a worker has another version of alkbayes. Install the same on every machine of the cluster.")
    return replicate_study(study, number)


def _finished(executor: Executor, study: Study, numbers: Iterable[int], *, at_once: int) -> Iterator[dict[str, Any]]:
    """Yield records as they finish, with `at_once` replications in progress at a time."""
    wanted, remaining = fingerprint(study), iter(numbers)
    pending: set[Future[dict[str, Any]]] = set()
    while True:
        while len(pending) < at_once and (number := next(remaining, None)) is not None:
            pending.add(executor.submit(replicate_here, study, wanted, number))
        if not pending:
            return
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        faults = []
        for future in done:
            if (fault := future.exception()) is None:
                yield future.result()
            else:
                faults.append(fault)
        if faults:
            # Raised last, so that replications finished meanwhile are kept.
            raise faults[0]


@contextmanager
def _local(workers: int) -> Iterator[tuple[Executor, int]]:
    """Start processes that leave Ctrl-C to this one, and end them on exit, even if busy."""
    others = set(multiprocessing.active_children())
    executor = new_pool(workers)
    try:
        with one_thread_each():
            yield executor, workers
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """Connect to a Dask cluster, which continues without us."""
    try:
        from distributed import Client
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        raise UsageError(
            "it needs Dask, which is not installed. Install alkbayes with its extra: alkbayes[cluster].",
            parameter="scheduler",
        ) from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {address} ({error}). Give the address that it printed when it "
            "was started, such as tcp://host:8786.",
            parameter="scheduler",
        ) from error
    try:
        size = sum(client.nthreads().values())
        if size == 0:
            raise UsageError(f"{address} has no workers. Start some: dask worker {address}.", parameter="scheduler")
        executor = client.get_executor(pure=False)
        try:
            yield executor, size
        except (CancelledError, KilledWorker) as error:
            raise SamplingError(
                f"the Dask cluster at {address} went away or lost its workers ({error or type(error).__name__}). "
                "Finished replications are kept; the same command goes on."
            ) from error
        finally:
            # Cancels what has not started; Dask's own has no argument for that.
            executor.shutdown(wait=False)
    finally:
        client.close()
