"""Who computes what: the latest job of each tab, one at a time, cancelled by ending the worker, with a warm spare."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alkbayes.explore.worker import Worker, WorkerEndedError

if TYPE_CHECKING:
    from alkbayes.explore.jobs import Answer, Job

MOST_FALSE_STARTS = 3
"""Workers in a row that may end before they are ready."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A later job of the same tab has replaced this one."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker ended while it computed this, and `again` says whether another one takes its place."""

    again: bool


type Reply = "Answer | Superseded | Lost"


@dataclass(eq=False, slots=True)
class _Waiting:
    """A job, and who waits for its answer; one that `lasts` is not cancelled by later ones of its tab."""

    tab: str
    job: "Job"
    lasts: bool
    reply: "asyncio.Future[Reply]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def tell(self, reply: Reply) -> None:
        if not self.reply.done():
            self.reply.set_result(reply)

    @property
    def stale(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.reply.done()


class Hub:
    """Workers and the jobs that wait for them.

    Parameters
    ----------
    start
        Starts a worker.
    """

    def __init__(self, start: Callable[[], Worker]) -> None:
        self._start = start
        self._active: Worker | None = None
        self._spare: Worker | None = None
        self._spare_is_warm = False
        self._warming: asyncio.Task[None] | None = None
        self._queue: list[_Waiting] = []
        self._running: _Waiting | None = None
        self._more = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def workers(self) -> tuple[Worker, ...]:
        """The one that computes, and the spare."""
        return tuple(worker for worker in (self._active, self._spare) if worker is not None)

    def open(self) -> None:
        """Start to work."""
        self._loop = asyncio.create_task(self._work())

    async def close(self) -> None:
        """End all workers, and tell all who wait."""
        for task in (self._loop, self._warming):
            if task is not None:
                task.cancel()
        for worker in self.workers:
            worker.end()
        for task in (self._loop, self._warming):
            if task is not None:
                with suppress(asyncio.CancelledError):
                    await task
        for waiting in (*self._queue, *filter(None, [self._running])):
            waiting.tell(Lost(again=False))

    async def ask(self, tab: str, job: "Job", *, lasts: bool = False) -> Reply:
        """Return the answer to a job; an earlier one of the same tab is cancelled unless it lasts."""
        waiting = _Waiting(tab, job, lasts)
        for other in [*self._queue, *filter(None, [self._running])]:
            if other.tab == tab and not other.lasts:
                other.tell(Superseded())
        self._queue = [other for other in self._queue if not other.stale]
        self._queue.append(waiting)
        self._more.set()
        self._cancel_stale()
        return await waiting.reply

    @property
    def idle(self) -> bool:
        """Whether nothing is computed or waits."""
        return self._running is None and not self._queue

    def _cancel_stale(self) -> None:
        """End the worker if nobody waits for its answer and the spare can go on at once; else it is let finish."""
        unwanted = self._running is not None and self._running.stale and bool(self._queue)
        can_go_on = self._spare is not None and self._spare_is_warm and self._spare.alive
        if unwanted and can_go_on and self._active is not None:
            self._active.end()

    async def _work(self) -> None:
        false_starts = 0
        while True:
            await self._more.wait()
            try:
                worker = await self._warm_worker()
            except WorkerEndedError:
                self._active = None
                false_starts += 1
                if false_starts >= MOST_FALSE_STARTS:
                    false_starts = 0
                    self._give_up()
                continue
            false_starts = 0
            if not self._queue:
                self._more.clear()
                continue
            self._running = self._queue.pop(0)
            try:
                self._running.tell(await worker.ask(self._running.job))
            except WorkerEndedError:
                self._active = None
                self.restarts += not self._running.stale
                self._running.tell(Lost(again=True))
            self._running = None

    def _give_up(self) -> None:
        for waiting in self._queue:
            waiting.tell(Lost(again=False))
        self._queue = []
        self._more.clear()

    async def _warm_worker(self) -> Worker:
        """Return the worker that computes: the same as before, the spare, or a new one."""
        if self._active is not None and not self._active.alive:
            self._active = None
        if self._active is None:
            if self._spare is not None:
                await (self._warming or asyncio.sleep(0))
            spare, warm = self._spare, self._spare_is_warm
            self._spare, self._spare_is_warm = None, False
            if spare is not None and warm and spare.alive:
                self._active = spare
            else:
                self._active = self._start()
                await self._active.ready()
            self._warming = asyncio.create_task(self._warm_spare())
        return self._active

    async def _warm_spare(self) -> None:
        if self._spare is not None:
            return
        try:
            self._spare = self._start()
            await self._spare.ready()
        except WorkerEndedError:
            self._spare = None
        else:
            self._spare_is_warm = True
            self._cancel_stale()
