"""Where a study is run changes nothing of it: processes, a Dask cluster, interrupted and gone on with."""

import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alkbayes.calibration import workers as study_workers
from alkbayes.calibration.folder import SUMMARY_FILE, StudyFolder
from alkbayes.calibration.replications import Study, replicate_study
from alkbayes.calibration.summary import summarise_study
from alkbayes.calibration.workers import check_scheduler, replicate_here, run_study
from alkbayes.errors import RunError, SamplingError, UsageError
from alkbayes.inference.settings import Engine
from alkbayes.spec.schema import model_path, read_spec

STUDY = Study(read_spec(model_path("overall")), "three-trials", Engine.QUADRATURE, seed=3, draws=400)
COUNT = 6


def opened(folder: Path) -> StudyFolder:
    return StudyFolder(folder, STUDY, now=datetime.now(UTC))


def summary_of(folder: StudyFolder, records: list[dict[str, Any]]) -> bytes:
    folder.write_summary(summarise_study(STUDY, records))
    return (folder.folder / SUMMARY_FILE).read_bytes()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The summary of replications made one after the other in this process."""
    folder = opened(tmp_path_factory.mktemp("expected"))
    folder.add(replicate_study(STUDY, number) for number in range(COUNT))
    return summary_of(folder, [folder.records[number] for number in range(COUNT)])


@pytest.mark.slow
def test_two_processes_give_the_same_and_from_wherever_they_go_on(tmp_path: Path, expected: bytes) -> None:
    folder = opened(tmp_path / "s")
    folder.add([replicate_study(STUDY, 4)])
    told: list[int] = []
    records = run_study(STUDY, opened(tmp_path / "s"), replications=COUNT, workers=2, told=told.append)
    assert told == [2, 3, 4, 5, 6]
    assert summary_of(folder, records) == expected
    assert summary_of(folder, list(opened(tmp_path / "s").records.values())) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Dask about ports, sockets and its own event loop
def test_a_dask_cluster_gives_the_same(tmp_path: Path, expected: bytes) -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        check_scheduler(cluster.scheduler_address)
        folder = opened(tmp_path / "s")
        records = run_study(STUDY, folder, replications=COUNT, workers=1, scheduler=cluster.scheduler_address)
        assert summary_of(folder, records) == expected


def test_nothing_is_made_again_and_more_can_be_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = in_this_process(monkeypatch)
    run_study(STUDY, opened(tmp_path), replications=2, workers=1)
    run_study(STUDY, opened(tmp_path), replications=2, workers=1)
    assert made == [0, 1]
    assert [each["replication"] for each in run_study(STUDY, opened(tmp_path), replications=4, workers=1)] == [
        0,
        1,
        2,
        3,
    ]
    assert made == [0, 1, 2, 3]


class Here(Executor):
    """Makes each replication when it is handed out."""

    def __init__(self, made: list[int], fault: Callable[[int], BaseException | None]) -> None:
        self._made, self._fault = made, fault

    def submit(self, *call: Any) -> Future[Any]:  # type: ignore[override]
        number = call[-1]
        self._made.append(number)
        future: Future[Any] = Future()
        if (fault := self._fault(number)) is None:
            future.set_result({"replication": number})
        else:
            future.set_exception(fault)
        return future


def in_this_process(
    monkeypatch: pytest.MonkeyPatch, fault: Callable[[int], BaseException | None] = lambda _: None
) -> list[int]:
    made: list[int] = []

    @contextmanager
    def local(workers: int) -> Iterator[tuple[Executor, int]]:
        yield Here(made, fault), workers

    monkeypatch.setattr(study_workers, "_local", local)
    return made


def test_a_dead_worker_loses_nothing_but_what_it_was_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    died: list[int] = []

    def dies_once(number: int) -> BaseException | None:
        if number == 2 and not died:
            died.append(number)
            return BrokenProcessPool("killed")
        return None

    made = in_this_process(monkeypatch, dies_once)
    records = run_study(STUDY, opened(tmp_path), replications=4, workers=1)
    assert [record["replication"] for record in records] == [0, 1, 2, 3]
    assert made == [0, 1, 2, 3, 2]


def test_workers_that_die_again_and_again_end_it_with_what_is_finished_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_this_process(monkeypatch, lambda number: BrokenProcessPool("killed") if number == 1 else None)
    with pytest.raises(SamplingError, match="died 3 times"):
        run_study(STUDY, opened(tmp_path), replications=3, workers=1)
    assert sorted(opened(tmp_path).records) == [0, 2]


def test_a_bug_keeps_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_this_process(monkeypatch, lambda number: ZeroDivisionError() if number == 0 else None)
    with pytest.raises(ZeroDivisionError):
        run_study(STUDY, opened(tmp_path), replications=3, workers=1)
    assert sorted(opened(tmp_path).records) == [1, 2]


def test_a_worker_with_other_code_is_refused() -> None:
    with pytest.raises(RunError, match="another version of alkbayes"):
        replicate_here(STUDY, "other", 0)


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_is_not_there_is_told_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert study_workers.CONNECT_SECONDS <= 5
    monkeypatch.setattr(study_workers, "CONNECT_SECONDS", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UsageError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1") as caught:
            check_scheduler(address)
    assert caught.value.exit_code == 2


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"alkbayes\[cluster\]"):
        check_scheduler("tcp://127.0.0.1:1")


def test_the_workers_environment_is_ours_again_afterwards() -> None:
    before = dict(os.environ)
    with study_workers._local(1) as (executor, size):
        assert size == 1
        assert executor.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
    assert dict(os.environ) == before
