import copy
import hashlib
import json
from typing import Any

import pytest

from alkbayes.errors import RegistryError
from alkbayes.registry import search as module
from alkbayes.registry.declarations import Query, bundled, read_query
from alkbayes.registry.folder import Folder
from alkbayes.registry.received import converted
from alkbayes.registry.search import read_search, search_files, search_registry
from alkbayes.registry.service import Service


@pytest.fixture
def folder(tmp_path: Any) -> Folder:
    return Folder(tmp_path / "reg")


@pytest.fixture(scope="module")
def query() -> Query:
    return read_query(bundled("query"))


def records_asked_for(registry: Any) -> list[str]:
    return [number for _, asked in registry.asked for number in asked.get("filter.ids", "").split(",") if number]


def test_a_search_keeps_every_record_as_received_and_its_account(
    registry: Any, service: Service, folder: Folder, query: Query
) -> None:
    found = search_registry(folder, query, b"the query's file", service)
    document = read_search(folder)
    assert len(found.numbers) == len(list(folder.records.iterdir())) == document["unique"]
    assert found.identified == document["identified"] == sum(each["records"] for each in document["sources"])
    assert found.duplicates == document["duplicates"] > 0, "both strategies find trials of ALK inhibitors"
    assert document["source"]["api_version"] == "2.0.5"
    assert document["source"]["data_timestamp_before"] == "2026-11-27T09:00:05"
    assert folder.file("query.toml").read_bytes() == b"the query's file"
    record = json.loads(folder.record("NCT02075840").read_bytes())
    assert record == registry.records["NCT02075840"], "unknown keys too"
    assert found.notes == ()


def test_a_record_has_the_very_bytes_that_the_page_had(
    registry: Any, service: Service, folder: Folder, query: Query
) -> None:
    study = (
        b'{ "protocolSection":{"identificationModule" : {"nctId": "NCT00000001", "briefTitle": "\\u2265 \xe2\x89\xa5"},'
        b'\n"statusModule":{"lastUpdatePostDateStruct":{"date":"2026-01-15"}}} ,"more": [1.50, 1e2, "]}", {"a":null}] }'
    )
    page = b'{"studies":[ ' + study + b' ],\n"totalCount":1}'
    nothing = (200, {}, b'{"studies": []}')
    registry.faults = [None, (200, {}, page), nothing, (200, {}, page)]
    search_registry(folder, query, b"", service)
    assert folder.record("NCT00000001").read_bytes() == study
    (record,) = read_search(folder)["records"]
    assert record["sha256"] == hashlib.sha256(study).hexdigest()


def test_an_interrupted_search_for_changes_goes_on_too(
    registry: Any, service: Service, folder: Folder, query: Query, monkeypatch: Any
) -> None:
    monkeypatch.setattr(module, "BATCH", 5)
    numbers = search_registry(folder, query, b"", service).numbers
    registry.records = copy.deepcopy(registry.records)
    for record in registry.records.values():
        status = record["protocolSection"].setdefault("statusModule", {})
        status["lastUpdatePostDateStruct"] = {"date": "2026-11-28"}
    registry.faults = [None] * 5 + [(503, {}, b"")] * 3
    with pytest.raises(RegistryError, match="what was downloaded is kept"):
        search_registry(folder, query, b"", service)
    registry.asked.clear()
    found = search_registry(folder, query, b"", service)
    assert len(records_asked_for(registry)) == len(numbers) - 10
    assert found.changed == numbers


def test_a_record_that_is_not_as_received_is_downloaded_again(
    registry: Any, service: Service, folder: Folder, query: Query
) -> None:
    search_registry(folder, query, b"", service)
    path = folder.record("NCT02075840")
    received = path.read_bytes()
    path.write_bytes(received.replace(b"ALEX", b"ALEY"))
    registry.asked.clear()
    found = search_registry(folder, query, b"", service)
    assert records_asked_for(registry) == ["NCT02075840"]
    assert path.read_bytes() == received
    assert found.changed == ()


def test_an_interrupted_search_goes_on(
    registry: Any, service: Service, folder: Folder, query: Query, monkeypatch: Any
) -> None:
    monkeypatch.setattr(module, "BATCH", 5)
    # Version, two listings, three batches: then the registry stays away.
    registry.faults = [None] * 6 + [(503, {}, b"")] * 3
    with pytest.raises(RegistryError, match="what was downloaded is kept"):
        search_registry(folder, query, b"", service)
    assert len(list(folder.records.iterdir())) == 15
    assert not folder.file("search.json").exists(), "no account of half a search"
    registry.asked.clear()
    found = search_registry(folder, query, b"", service)
    assert len(records_asked_for(registry)) == len(found.numbers) - 15


def test_a_later_search_says_what_is_new_changed_and_gone(
    registry: Any, service: Service, folder: Folder, query: Query
) -> None:
    search_registry(folder, query, b"", service)
    registry.records = copy.deepcopy(registry.records)
    gone = registry.records.pop("NCT02477826")
    status = registry.records["NCT02075840"]["protocolSection"]["statusModule"]
    status["lastUpdatePostDateStruct"]["date"] = "2026-11-28"
    new = copy.deepcopy(registry.records["NCT03596866"])
    new["protocolSection"]["identificationModule"]["nctId"] = "NCT09000001"
    registry.records["NCT09000001"] = new
    registry.asked.clear()
    found = search_registry(folder, query, b"", service)
    assert (found.new, found.changed, found.gone) == (("NCT09000001",), ("NCT02075840",), ("NCT02477826",))
    assert sorted(records_asked_for(registry)) == ["NCT02075840", "NCT09000001"], "nothing else is downloaded again"
    assert json.loads((folder.gone / "NCT02477826.json").read_bytes()) == gone
    assert not folder.record("NCT02477826").exists()
    history = read_search(folder)["history"]
    assert [each["records"] for each in history] == [found.identified - found.duplicates] * 2
    # It comes back.
    registry.records["NCT02477826"] = gone
    assert search_registry(folder, query, b"", service).new == ("NCT02477826",)


def test_counts_that_disagree_and_data_that_changes_are_told(
    registry: Any, service: Service, folder: Folder, query: Query
) -> None:
    listing = {"totalCount": 21, "studies": []}
    registry.faults = [None, (200, {}, json.dumps(listing).encode())]
    versions = iter(["2026-11-27", "2026-11-28"])
    answer = registry.answer

    def other_stamp(path: str, parameters: dict[str, str]) -> Any:
        if path.endswith("/version"):
            registry.stamp = next(versions)
        return answer(path, parameters)

    registry.answer = other_stamp
    found = search_registry(folder, query, b"", service)
    assert found.notes == (
        "Strategy condition: the registry counts 21 and lists 0. Search again.",
        "The registry's data changed during the search, from 2026-11-27 to 2026-11-28: search again.",
    )


def test_a_record_that_is_listed_and_not_sent_is_told(
    registry: Any, service: Service, folder: Folder, query: Query
) -> None:
    empty = (200, {}, b'{"studies": []}')
    registry.faults = [None, None, None, empty]
    found = search_registry(folder, query, b"", service)
    assert found.numbers == ()
    assert "listed and not sent" in found.notes[-1]


def test_of_a_record_that_is_listed_and_not_sent_the_earlier_copy_stays(
    registry: Any, service: Service, folder: Folder, query: Query
) -> None:
    numbers = search_registry(folder, query, b"", service).numbers
    registry.records = copy.deepcopy(registry.records)
    status = registry.records["NCT02075840"]["protocolSection"]["statusModule"]
    status["lastUpdatePostDateStruct"]["date"] = "2026-11-28"
    registry.faults = [None, None, None, (200, {}, b'{"studies": []}')]
    found = search_registry(folder, query, b"", service)
    assert (found.numbers, found.changed, found.gone) == (numbers, (), ())
    assert found.notes == ("1 record listed and not sent: NCT02075840. Search again.",)
    assert search_registry(folder, query, b"", service).changed == ("NCT02075840",)


def test_a_hostile_answer_names_no_file_outside(registry: Any, service: Service, folder: Folder, query: Query) -> None:
    study = {"protocolSection": {"identificationModule": {"nctId": "../../../etc/cron.d/x"}}}
    page = json.dumps({"studies": [study, 5, {"protocolSection": 3}]}).encode()
    registry.faults = [None, (200, {}, page), (200, {}, b'{"studies": []}')]
    found = search_registry(folder, query, b"", service)
    assert found.numbers == ()
    assert {path.name for path in folder.path.iterdir()} == {"records", "search.json", "query.toml"}


def test_too_many_records_are_refused(
    registry: Any, service: Service, folder: Folder, query: Query, monkeypatch: Any
) -> None:
    monkeypatch.setattr(module, "MOST_RECORDS", 10)
    with pytest.raises(RegistryError, match="Narrow"):
        search_registry(folder, query, b"", service)


def test_records_of_several_files_count_each_and_are_kept_once(folder: Folder, built: dict[str, Any]) -> None:
    records = list(map(converted, built.values()))
    found = search_files(folder, [("a", records[:20]), ("b", records[10:])])
    assert (found.identified, found.duplicates, len(found.numbers)) == (40, 10, 30)
    assert read_search(folder)["sources"] == [
        {"name": "a", "request": "", "records": 20, "total": None},
        {"name": "b", "request": "", "records": 20, "total": None},
    ]


def test_a_file_without_records_puts_none_aside(folder: Folder, built: dict[str, Any]) -> None:
    search_files(folder, [("a", map(converted, built.values()))])
    with pytest.raises(RegistryError, match="b: has no records"):
        search_files(folder, [("b", [])])
    assert len(folder.numbers()) == 30
    assert not folder.gone.exists()


def test_pages_that_repeat_themselves_end(registry: Any, service: Service, folder: Folder, query: Query) -> None:
    study = {"protocolSection": {"identificationModule": {"nctId": "NCT00000001"}}}
    pages = [json.dumps({"studies": [study], "nextPageToken": f"t{place}"}).encode() for place in range(9)]
    registry.faults = [None, *((200, {}, page) for page in pages)]
    with pytest.raises(RegistryError, match="sends the same records again"):
        search_registry(folder, query, b"", service)


def test_a_folder_that_no_search_wrote_is_told(folder: Folder) -> None:
    with pytest.raises(RegistryError, match=r"has no search\.json. Search first"):
        read_search(folder)
    folder.path.mkdir()
    counts = '"identified": 1, "duplicates": 0, "unique": 1, "records": []'
    for content in (
        "[]",
        '{"schema": 1}',
        f'{{"schema": 9, {counts}, "sources": []}}',
        f'{{"schema": 1, {counts}, "sources": [{{"name": "a"}}]}}',
        f'{{"schema": 1, {counts}, "sources": [5]}}',
        f'{{"schema": 1, {counts.replace("0", "-1")}, "sources": []}}',
    ):
        folder.file("search.json").write_text(content, encoding="utf-8")
        with pytest.raises(RegistryError, match="is not what a search writes"):
            read_search(folder)
