"""The latest job of each tab is computed, and nothing that nobody waits for."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from alkbayes.explore.hub import Hub, Lost, Superseded
from alkbayes.explore.worker import WorkerEndedError


class Slow:
    """A worker that answers a job with itself, when it is let."""

    def __init__(self, *, starts: bool = True) -> None:
        self.starts, self.asked, self.ended = starts, [], False
        self._warm, self._answer, self._end = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._warm.set()

    @property
    def alive(self) -> bool:
        return not self.ended

    def cold(self) -> "Slow":
        self._warm.clear()
        return self

    def warm(self) -> None:
        self._warm.set()

    def answer(self) -> None:
        self._answer.set()

    async def ready(self) -> None:
        await self._warm.wait()
        if not self.starts:
            raise WorkerEndedError

    async def ask(self, job: Any) -> Any:
        self.asked.append(job)
        waits = [asyncio.create_task(event.wait()) for event in (self._answer, self._end)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self.ended:
            raise WorkerEndedError
        self._answer.clear()
        return f"answer to {job}"

    def end(self) -> None:
        self.ended = True
        self._end.set()


def with_hub(check: Callable[[Hub, list[Slow]], Coroutine[Any, Any, None]], make: Callable[[int], Slow]) -> None:
    started: list[Slow] = []

    def start() -> Slow:
        started.append(make(len(started)))
        return started[-1]

    async def whole() -> None:
        hub = Hub(start)
        hub.open()
        try:
            await asyncio.wait_for(check(hub, started), 20)
        finally:
            await hub.close()
        assert all(worker.ended for worker in hub.workers)

    asyncio.run(whole())


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_later_job_of_the_tab_ends_the_worker_and_takes_the_warm_spare() -> None:
    async def check(hub: Hub, started: list[Slow]) -> None:
        first = asyncio.create_task(hub.ask("tab", "one"))
        await settle()
        assert len(started) == 2, "a spare is warmed as soon as there is a worker"
        second = asyncio.create_task(hub.ask("tab", "two"))
        assert await first == Superseded()
        await settle()
        assert started[0].ended
        assert started[1].asked == ["two"]
        started[1].answer()
        assert await second == "answer to two"
        assert hub.restarts == 0
        assert len(started) == 3

    with_hub(check, lambda _: Slow())


def test_without_a_warm_spare_the_worker_is_let_finish_for_the_latest_alone() -> None:
    async def check(hub: Hub, started: list[Slow]) -> None:
        jobs = []
        for name in ("one", "two", "three"):
            jobs.append(asyncio.create_task(hub.ask("tab", name)))
            await settle()
        assert not started[0].ended
        started[0].answer()
        await settle()
        assert started[0].asked == ["one", "three"], "the second was never begun"
        started[0].answer()
        assert await asyncio.gather(*jobs) == [Superseded(), Superseded(), "answer to three"]

    with_hub(check, lambda number: Slow() if number == 0 else Slow().cold())


def test_the_spare_takes_over_when_it_is_warm() -> None:
    async def check(hub: Hub, started: list[Slow]) -> None:
        first = asyncio.create_task(hub.ask("tab", "one"))
        await settle()
        second = asyncio.create_task(hub.ask("tab", "two"))
        await settle()
        assert not started[0].ended
        started[1].warm()
        await settle()
        assert started[0].ended
        started[1].answer()
        assert [await first, await second] == [Superseded(), "answer to two"]

    with_hub(check, lambda number: Slow() if number != 1 else Slow().cold())


def test_another_tab_waits_its_turn_and_cancels_nothing() -> None:
    async def check(hub: Hub, started: list[Slow]) -> None:
        one, other = (asyncio.create_task(hub.ask(tab, tab)) for tab in ("one", "other"))
        await settle()
        assert not started[0].ended
        started[0].answer()
        assert await one == "answer to one"
        await settle()
        started[0].answer()
        assert await other == "answer to other"
        assert hub.idle

    with_hub(check, lambda _: Slow())


def test_a_job_that_lasts_is_not_cancelled() -> None:
    async def check(hub: Hub, started: list[Slow]) -> None:
        kept = asyncio.create_task(hub.ask("tab", "keep", lasts=True))
        await settle()
        fitted = asyncio.create_task(hub.ask("tab", "fit"))
        await settle()
        assert not started[0].ended
        started[0].answer()
        assert await kept == "answer to keep"
        await settle()
        started[0].answer()
        assert await fitted == "answer to fit"

    with_hub(check, lambda _: Slow())


def test_a_worker_that_is_killed_loses_its_job_and_another_one_goes_on() -> None:
    async def check(hub: Hub, started: list[Slow]) -> None:
        lost = asyncio.create_task(hub.ask("tab", "one"))
        await settle()
        started[0].end()
        assert await lost == Lost(again=True)
        assert hub.restarts == 1
        again = asyncio.create_task(hub.ask("tab", "two"))
        await settle()
        started[1].answer()
        assert await again == "answer to two"

    with_hub(check, lambda _: Slow())


def test_a_spare_that_was_killed_is_not_asked() -> None:
    async def check(hub: Hub, started: list[Slow]) -> None:
        lost = asyncio.create_task(hub.ask("tab", "one"))
        await settle()
        for worker in started:
            worker.end()
        assert await lost == Lost(again=True)
        again = asyncio.create_task(hub.ask("tab", "two"))
        await settle()
        assert started[1].asked == []
        started[2].answer()
        assert await again == "answer to two"
        # The one that computes, killed while it has nothing to do.
        started[2].end()
        once_more = asyncio.create_task(hub.ask("tab", "three"))
        await settle()
        started[3].answer()
        assert await once_more == "answer to three"

    with_hub(check, lambda _: Slow())


def test_workers_that_never_start_are_given_up() -> None:
    async def check(hub: Hub, started: list[Slow]) -> None:
        assert await hub.ask("tab", "one") == Lost(again=False)
        assert len(started) == 3
        assert await hub.ask("tab", "two") == Lost(again=False)

    with_hub(check, lambda _: Slow(starts=False))


def test_closing_tells_those_who_wait() -> None:
    async def whole() -> None:
        hub = Hub(Slow)
        hub.open()
        waiting = asyncio.create_task(hub.ask("tab", "one"))
        await settle()
        await hub.close()
        assert await waiting == Lost(again=False)

    asyncio.run(whole())
