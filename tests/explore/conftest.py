"""A small table, and workers that compute here or not at all."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from alkbayes.evidence.sources import TableSource
from alkbayes.explore.analyst import Analyst
from alkbayes.explore.base import Base, base_of_table, whole_table
from alkbayes.explore.explorer import Explorer
from alkbayes.explore.hub import Hub
from alkbayes.explore.jobs import Answer, Fitted, Job
from alkbayes.explore.log import LOG_FILE, ExplorationLog
from alkbayes.explore.server import Session, app_of, cookie_name
from alkbayes.explore.worker import Worker, WorkerEndedError

ROWS = """\
cohort_id,trial,line,phase,region,n,responders
a1,A,naive,1,Asia,40,28
a2,A,naive,1,Asia,35,20
b1,B,naive,3,Europe,120,95
c1,C,naive,3,Europe,80,60
d1,D,pretreated,2,Asia,60,25
d2,D,pretreated,2,,44,22
e1,E,pretreated,2,Europe,90,41
f1,F,pretreated,1,Asia,25,14
g1,G,mixed,3,Europe,70,40
"""
PORT = 8123
TOKEN = "the-token-of-this-test"  # noqa: S105 - of no session


class WorkerHere:
    """A worker that computes in this process; one that is ended gives no answer."""

    def __init__(self, base: Base) -> None:
        self._analyst = Analyst(base)
        self._ended = False

    @property
    def alive(self) -> bool:
        return not self._ended

    async def ready(self) -> None:
        return

    async def ask(self, job: Job) -> Answer:
        answer = await asyncio.to_thread(self._analyst.answer, job)
        if self._ended:
            raise WorkerEndedError
        return answer

    def end(self) -> None:
        self._ended = True


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


@pytest.fixture
def base(table: Path) -> Base:
    return base_of_table(TableSource(table), "line")


@dataclass
class Page:
    """The page of a base, asked as its script asks."""

    client: TestClient
    explorer: Explorer
    port: int = PORT
    token: str = TOKEN

    @property
    def origin(self) -> dict[str, str]:
        return {"origin": f"http://127.0.0.1:{self.port}"}

    def post(self, path: str, setting: str = "", before: str = "", tab: str = "tab") -> Response:
        data = {"tab": tab, "setting": setting, "before": before}
        return self.client.post(path, data=data, headers=self.origin)

    def fit(self, setting: str = "", *, settled: bool = True) -> str:
        answer = self.post("/fit?draws=settled" if settled else "/fit", setting)
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AbstractContextManager[Page]]:
    """Open the page of a base in a folder of its own, with the cookie of who has the token."""
    monkeypatch.chdir(tmp_path)

    @contextmanager
    def page_of(base: Base, worker: Callable[[], Worker] | None = None, begun: Fitted | None = None) -> Iterator[Page]:
        log = ExplorationLog(LOG_FILE, whole_table(base, base.spec).sha256)
        explorer = Explorer(base, log, Hub(worker or (lambda: WorkerHere(base))), begun)
        app = app_of(explorer, port=PORT, token=TOKEN, session=Session())
        cookies = {cookie_name(PORT): TOKEN}
        address = f"http://127.0.0.1:{PORT}"
        with TestClient(app, base_url=address, cookies=cookies, follow_redirects=False) as client:
            yield Page(client, explorer)

    return page_of


@pytest.fixture(scope="session")
def rows() -> str:
    """The small table as CSV."""
    return ROWS
