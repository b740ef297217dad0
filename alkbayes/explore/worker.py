"""A process that computes: started once, ended to cancel what it does, and gone when the server is."""

import asyncio
import multiprocessing
import signal
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from alkbayes.explore.base import Base
    from alkbayes.explore.jobs import Answer, Job

READY = "ready"


class WorkerEndedError(Exception):
    """The process has ended: killed, out of memory, or by a bug whose traceback it has printed."""


class Worker(Protocol):
    """What the hub needs of a worker."""

    @property
    def alive(self) -> bool:
        """Whether its process is there: a spare may have been killed while nobody asked it anything."""

    async def ready(self) -> None:
        """Wait until it can take a job; raises `WorkerEndedError`."""

    async def ask(self, job: "Job") -> "Answer":
        """Return the answer to a job; raises `WorkerEndedError`."""

    def end(self) -> None:
        """End the process, whatever it does."""


class ProcessWorker:
    """A worker in a process of its own.

    Raises
    ------
    WorkerEndedError
        If no process can be started.
    """

    def __init__(self, base: "Base") -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=run, args=(theirs, base), daemon=True, name="alkbayes-explore")
        try:
            self._process.start()
        except OSError as error:
            raise WorkerEndedError from error
        # So that reading ends when the process does.
        theirs.close()

    @property
    def pid(self) -> int | None:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.is_alive()

    async def ready(self) -> None:
        """Wait until the engine is imported."""
        await self._received()

    async def ask(self, job: "Job") -> "Answer":
        """Return the answer to a job."""
        try:
            self._connection.send(job)
        except OSError as error:
            raise WorkerEndedError from error
        return await self._received()

    async def _received(self) -> "Answer":
        try:
            answer: Answer = await asyncio.to_thread(self._connection.recv)
        except (EOFError, OSError) as error:
            raise WorkerEndedError from error
        return answer

    def end(self) -> None:
        """Kill the process: it holds nothing that must be finished, as a run is written whole or not at all."""
        self._process.kill()
        self._process.join()


def run(connection: Connection, base: "Base") -> None:
    """Answer jobs until the other end is gone."""
    # Ctrl-C is for the server, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from alkbayes.explore.analyst import Analyst

    analyst = Analyst(base)
    try:
        connection.send(READY)
        while True:
            connection.send(analyst.answer(connection.recv()))
    except (EOFError, OSError):
        return
