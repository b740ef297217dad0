"""Searches: which records a query finds, downloaded once, and what changed since the last search.

The registry's page tokens cannot be kept, so a search first lists numbers and dates of all that it finds, which takes a
few requests, and then downloads the records that are not there yet or have another date. Interrupted, it goes on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from alkbayes.errors import RegistryError
from alkbayes.registry.declarations import Query
from alkbayes.registry.folder import QUERY_FILE, SEARCH_FILE, Folder, hash_of, replaced
from alkbayes.registry.json_reader import MOST_BYTES, root
from alkbayes.registry.received import Received
from alkbayes.registry.service import Service
from alkbayes.registry.study import nct_id_of
from alkbayes.text.names import listed
from alkbayes.text.wording import counted

SCHEMA = 1
LIST_FIELDS = "NCTId,LastUpdatePostDate"
LIST_SIZE = 1000
BATCH = 50
"""Records of one request: 10 MB at 200 KB each, which a slow line brings within the time limit."""

MOST_RECORDS = 20_000
MOST_TOTAL_BYTES = 8 * 2**30

type Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A source of a search: a strategy with its request, or a file; `numbers` in the order in which they came."""

    name: str
    request: str
    numbers: tuple[str, ...]
    total: int | None = None


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the account has of a record: the hash of its bytes, and the date of its last update."""

    sha256: str
    updated: str


@dataclass(frozen=True, slots=True)
class Search:
    """What a search did.

    Attributes
    ----------
    found
        What each strategy or file has.
    numbers
        All records, each once, in order.
    new, changed, gone
        Numbers against the folder before; `gone` are kept aside.
    first
        Whether nothing was searched before.
    notes
        What a reader must know, in sentences.
    """

    found: tuple[Found, ...]
    numbers: tuple[str, ...]
    new: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]
    first: bool
    notes: tuple[str, ...]

    @property
    def identified(self) -> int:
        """Records of all strategies, those that several find counted for each."""
        return sum(len(each.numbers) for each in self.found)

    @property
    def duplicates(self) -> int:
        """Records that an earlier strategy or file has too."""
        return self.identified - len(self.numbers)


def search_registry(
    folder: Folder, query: Query, text: bytes, service: Service, progress: Progress | None = None
) -> Search:
    """Search the registry, download what is not there yet, and write the account of it.

    Parameters
    ----------
    folder
        Where records go; may have those of an earlier search.
    query, text
        Query, and the file that it was read from, which is kept.
    service
        The registry.
    progress
        Callback with the number of records that are there, and of all.

    Raises
    ------
    RegistryError
        If the registry refuses or does not answer, finds too much, or the folder cannot be written. Records that came
        before that stay, and the next search goes on from there.
    """
    started, before = _now(), service.version()
    listings = [_listed(strategy.name, strategy.parameters, service) for strategy in query.strategy]
    dates = {number: date for _, those in listings for number, date in those.items()}
    if len(dates) > MOST_RECORDS:
        raise RegistryError(
            f"the query {query.name} finds {len(dates):,} records; allowed: {MOST_RECORDS:,} at most. Narrow it."
        )
    state = _before(folder)
    stored = _downloaded(folder, dates, state, service, progress)
    missing = sorted(set(dates) - set(stored))
    # The registry has them still: what came of them before stays.
    stored |= {number: state[number] for number in missing if number in state and folder.record(number).is_file()}
    after = service.version()
    notes = _disagreements(found for found, _ in listings)
    if before[1] != after[1]:
        notes += (f"The registry's data changed during the search, from {before[1]} to {after[1]}: search again.",)
    if missing:
        notes += (f"{counted(len(missing), 'record')} listed and not sent: {listed(missing)}. Search again.",)
    source = {
        "kind": "registry",
        "service": service.base,
        "api_version": after[0],
        "data_timestamp_before": before[1],
        "data_timestamp_after": after[1],
        "query": query.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    with replaced(folder.file(QUERY_FILE)) as place:
        place.write_bytes(text)
    return _closed(folder, [found for found, _ in listings], stored, state, source, started, notes)


def search_files(
    folder: Folder, sources: Iterable[tuple[str, Iterable[Received]]], progress: Progress | None = None
) -> Search:
    """Take records that were downloaded before, and write the account of it; parameters as above.

    `sources` are names of files, each with its studies in the shape of the registry's interface, version 2; all have
    NCT numbers.
    """
    started, state = _now(), _before(folder)
    found, stored = [], dict[str, _Stored]()
    for name, records in sources:
        numbers: dict[str, None] = {}
        for record in records:
            number = nct_id_of(record.study)
            if number not in stored:
                stored[number] = _store(folder, number, record)
            if len(stored) > MOST_RECORDS:
                raise RegistryError(f"{name}: more than {MOST_RECORDS:,} records. Take those of your search alone.")
            numbers[number] = None
            if progress is not None:
                progress(len(stored), len(stored))
        if not numbers:
            raise RegistryError(f"{name}: has no records. Leave it out.")
        found.append(Found(name, "", tuple(numbers)))
    source = {"kind": "files", "files": [each.name for each in found]}
    return _closed(folder, found, stored, state, source, started, ())


def read_search(folder: Folder) -> dict[str, Any]:
    """Return the account of the last search.

    Raises
    ------
    RegistryError
        If there is none, or it is not what a search writes.
    """
    document = folder.read_json(SEARCH_FILE)
    if document is None:
        raise RegistryError(f"{folder.path}: has no {SEARCH_FILE}. Search first: alkbayes registry search.")
    if document.get("schema") != SCHEMA or not _is_account(document):
        raise RegistryError(f"{folder.file(SEARCH_FILE)}: is not what a search writes. Search again.")
    return document


def _is_account(document: Mapping[str, Any]) -> bool:
    """Return whether a document has the counts that later steps read: numbers, and each source with its own."""
    sources, counts = document.get("sources"), [document.get(name) for name in ("identified", "duplicates", "unique")]
    if not isinstance(sources, list) or not isinstance(document.get("records"), list):
        return False
    counts += [each.get("records") if isinstance(each, dict) else None for each in sources]
    names = all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in sources)
    return names and all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts)


def _listed(name: str, parameters: Mapping[str, str], service: Service) -> tuple[Found, dict[str, str]]:
    """Return what a strategy finds: numbers, each with the date of its last update."""
    asked = {**parameters, "fields": LIST_FIELDS, "pageSize": str(LIST_SIZE)}
    dates, total = dict[str, str](), None
    for page in service.pages(asked):
        total, before = total if page.total is None else page.total, len(dates)
        for study in page.studies:
            if number := nct_id_of(study):
                dates[number] = _updated(study)
        if page.studies and before == len(dates) > 0:
            raise RegistryError(f"strategy {name}: the registry sends the same records again. Search again later.")
        if len(dates) > MOST_RECORDS:
            raise RegistryError(f"strategy {name}: finds more than {MOST_RECORDS:,} records. Narrow it.")
    request = "&".join(f"{key}={value}" for key, value in parameters.items())
    return Found(name, request, tuple(dates), total), dates


def _disagreements(found: Iterable[Found]) -> tuple[str, ...]:
    return tuple(
        f"Strategy {each.name}: the registry counts {each.total} and lists {len(each.numbers)}. Search again."
        for each in found
        if each.total is not None and each.total != len(each.numbers)
    )


def _downloaded(
    folder: Folder,
    dates: Mapping[str, str],
    state: Mapping[str, _Stored],
    service: Service,
    progress: Progress | None,
) -> dict[str, _Stored]:
    """Return each record, after downloading those that are not there as received or have another date."""
    found = {number: _as_of(folder, number, date, state.get(number)) for number, date in dates.items()}
    there = {number: each for number, each in found.items() if each is not None}
    wanted = [number for number in dates if number not in there]
    if progress is not None:
        progress(len(there), len(dates))
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        asked = {"filter.ids": ",".join(batch), "pageSize": str(BATCH)}
        for page in service.pages(asked):
            for record in page.records():
                number = nct_id_of(record.study)
                if number in dates:
                    there[number] = _store(folder, number, record)
        if service.received > MOST_TOTAL_BYTES:
            raise RegistryError(f"more than {MOST_TOTAL_BYTES:,} bytes were received. Narrow the query.")
        if progress is not None:
            progress(len(there), len(dates))
    return there


def _as_of(folder: Folder, number: str, date: str, last: _Stored | None) -> _Stored | None:
    """Return the record that is there with this date, as it was received; None if there is none."""
    if not folder.record(number).is_file() or not date:
        return None
    try:
        document, content = folder.read(number)
    except RegistryError:
        return None
    there = _Stored(hash_of(content), _updated(document))
    # Of the date of the last search and another hash, it was edited; of a later date, it came in an interrupted one.
    edited = last is not None and last.updated == date and last.sha256 != there.sha256
    return there if there.updated == date and not edited else None


def _store(folder: Folder, number: str, record: Received) -> _Stored:
    """Write a record as received."""
    content = record.content
    if len(content) > MOST_BYTES:
        raise RegistryError(f"{number}: found {len(content):,} bytes; allowed: {MOST_BYTES:,} at most.")
    with replaced(folder.record(number)) as place:
        place.write_bytes(content)
    return _Stored(hash_of(content), _updated(record.study))


def _updated(study: Any) -> str:
    return root(study).at("protocolSection", "statusModule", "lastUpdatePostDateStruct").text("date")


def _before(folder: Folder) -> dict[str, _Stored]:
    """Return the records of the last search that was finished."""
    document = folder.read_json(SEARCH_FILE)
    records = document.get("records") if document else None
    if not isinstance(records, list):
        return {}
    return {
        each["nct_id"]: _Stored(str(each.get("sha256", "")), str(each.get("updated", "")))
        for each in records
        if isinstance(each, dict) and isinstance(each.get("nct_id"), str)
    }


def _closed(
    folder: Folder,
    found: Sequence[Found],
    stored: Mapping[str, _Stored],
    state: Mapping[str, _Stored],
    source: Mapping[str, Any],
    started: str,
    notes: tuple[str, ...],
) -> Search:
    """Set records aside that are gone, and write the account of a search."""
    numbers = tuple(sorted(stored))
    search = Search(
        found=tuple(found),
        numbers=numbers,
        new=tuple(number for number in numbers if number not in state),
        changed=tuple(
            number for number in numbers if number in state and state[number].sha256 != stored[number].sha256
        ),
        gone=tuple(sorted(set(state) - set(stored))),
        first=not state,
        notes=notes,
    )
    folder.records.mkdir(parents=True, exist_ok=True)
    for number in set(folder.numbers()) - set(numbers):
        folder.gone.mkdir(exist_ok=True)
        folder.record(number).replace(folder.gone / f"{number}.json")
    earlier = folder.read_json(SEARCH_FILE) or {}
    history = earlier.get("history", []) if isinstance(earlier.get("history"), list) else []
    finished, sources = _now(), _sources(numbers, found)
    summary = {
        "finished": finished,
        "records": len(numbers),
        **{name: len(getattr(search, name)) for name in ("new", "changed", "gone")},
    }
    document = {
        "schema": SCHEMA,
        "source": dict(source),
        "started": started,
        "finished": finished,
        "identified": search.identified,
        "duplicates": search.duplicates,
        "unique": len(numbers),
        "sources": [
            {"name": each.name, "request": each.request, "records": len(each.numbers), "total": each.total}
            for each in found
        ],
        **{name: list(getattr(search, name)) for name in ("new", "changed", "gone")},
        "notes": list(notes),
        "history": [*history, summary],
        "records": [{"nct_id": number, **asdict(stored[number]), "sources": sources[number]} for number in numbers],
    }
    folder.write_json(SEARCH_FILE, document)
    return search


def _sources(numbers: Iterable[str], found: Iterable[Found]) -> dict[str, list[str]]:
    """Return the strategies or files that have each record."""
    sources: dict[str, list[str]] = {number: [] for number in numbers}
    for each in found:
        for number in each.numbers:
            if number in sources:
                sources[number].append(each.name)
    return sources


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
