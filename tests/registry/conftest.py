"""Records of the registry: real figures in trimmed records, and built ones of ALK trials (tests/fixtures/registry)."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from alkbayes.registry.declarations import Protocol, bundled, read_protocol
from alkbayes.registry.extraction.candidates import Candidate, candidates_of
from alkbayes.registry.folder import Folder
from alkbayes.registry.received import converted
from alkbayes.registry.search import search_files
from alkbayes.registry.service import Service
from alkbayes.registry.study import study_of

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location("replay", HERE / "replay.py")
assert spec is not None
assert spec.loader is not None
replay = importlib.util.module_from_spec(spec)
spec.loader.exec_module(replay)
FIXTURES = Path(__file__).parents[1] / "fixtures" / "registry"


def read(name: str) -> dict[str, dict[str, Any]]:
    lines = (FIXTURES / name).read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return {record["protocolSection"]["identificationModule"]["nctId"]: record for record in records}


@pytest.fixture(scope="session")
def posted() -> dict[str, dict[str, Any]]:
    """Real records, of which the outcomes' figures are kept."""
    return read("posted.jsonl")


@pytest.fixture(scope="session")
def built() -> dict[str, dict[str, Any]]:
    """Records built around true figures."""
    return read("built.jsonl")


@pytest.fixture(scope="session")
def table() -> dict[str, dict[str, Any]]:
    """Records of the other trials of the bundled table, built for screening."""
    return read("table.jsonl")


@pytest.fixture(scope="session")
def protocol() -> Protocol:
    return read_protocol(bundled("protocol"))


@pytest.fixture(scope="session")
def candidates(protocol: Protocol) -> Callable[[dict[str, Any]], list[Candidate]]:
    """Return the candidates of a record."""
    return lambda record: list(candidates_of(record, study_of(record), protocol))


@pytest.fixture
def registry(built: dict[str, dict[str, Any]]) -> Iterator[Any]:
    """A registry of this machine with the built records."""
    with replay.serving(built) as server:
        yield server


class Clock:
    """Time that passes when someone sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def read(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(registry: Any, clock: Clock) -> Iterator[Service]:
    made = Service(base=registry.base, sleep=clock.sleep, clock=clock.read)
    yield made
    made.close()


@pytest.fixture
def reg(tmp_path: Path, built: dict[str, dict[str, Any]]) -> Folder:
    """A folder with the built records."""
    folder = Folder(tmp_path / "reg")
    search_files(folder, [("built.jsonl", map(converted, built.values()))])
    return folder


@pytest.fixture(scope="session")
def outcome() -> Callable[..., dict[str, Any]]:
    """Return a record with one outcome: a class with a value for each group of (id, title, n, value, low, high)."""

    def record(title: str, *groups: tuple[str, ...], **more: Any) -> dict[str, Any]:
        cells = [
            {"groupId": i, "value": v} | ({"lowerLimit": low, "upperLimit": high} if low or high else {})
            for i, _, _, v, low, high in groups
        ]
        measure: dict[str, Any] = {
            "type": "SECONDARY",
            "title": title,
            "reportingStatus": "POSTED",
            "paramType": "NUMBER",
            "dispersionType": "95% Confidence Interval",
            "unitOfMeasure": "percentage of participants",
            "groups": [{"id": i, "title": name} for i, name, *_ in groups],
            "denoms": [{"units": "Participants", "counts": [{"groupId": i, "value": n} for i, _, n, *_ in groups]}],
            "classes": [{"categories": [{"measurements": cells}]}],
        } | more
        return {
            "protocolSection": {
                "identificationModule": {"nctId": "NCT09999999", "briefTitle": "A built study"},
                "armsInterventionsModule": {
                    "armGroups": [{"label": "Lorlatinib", "interventionNames": ["Drug: Lorlatinib"]}]
                },
            },
            "hasResults": True,
            "resultsSection": {"outcomeMeasuresModule": {"outcomeMeasures": [measure]}},
        }

    return record
