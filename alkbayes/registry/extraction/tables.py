"""All records of a folder as its tables: candidates, cohorts, sources, adverse events, and what a person decides."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alkbayes.errors import RegistryError
from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction import candidates, cohorts, events
from alkbayes.registry.extraction.candidates import Candidate, candidates_of
from alkbayes.registry.extraction.cohorts import Cohorts, Undecided, cohorts_of, numbered
from alkbayes.registry.extraction.events import EventCount, event_cells_of, event_totals_of
from alkbayes.registry.folder import (
    CANDIDATES_FILE,
    COHORTS_FILE,
    EVENTS_FILE,
    EXTRACTION_FILE,
    SOURCES_FILE,
    UNDECIDED_FILE,
    Folder,
    content_of,
    hash_of,
)
from alkbayes.registry.screening.decisions import read_screening
from alkbayes.registry.screening.rules import Decision
from alkbayes.registry.sheets import write_cells, write_sheet
from alkbayes.registry.study import Study, study_of

type Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was extracted from the records of a folder.

    Attributes
    ----------
    studies
        Numbers of the records that were read, in order.
    screened
        Whether they are those that screening included or left unclear, rather than all.
    with_results, without_copy
        How many have results, and how many of these have none in this copy of the record.
    candidates
        Rows of candidates.
    cohorts, sources
        Rows of the table of cohorts and of its sources.
    undecided
        What a person must decide.
    """

    studies: tuple[str, ...]
    screened: bool
    with_results: int
    without_copy: int
    candidates: tuple[Candidate, ...]
    cohorts: tuple[dict[str, Any], ...]
    sources: tuple[dict[str, Any], ...]
    undecided: tuple[Undecided, ...]


@dataclass(slots=True)
class _Collected:
    candidates: list[Candidate]
    cohorts: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    undecided: list[Undecided]
    with_results: int = 0
    without_copy: int = 0


def extract_folder(folder: Folder, protocol: Protocol, progress: Progress | None = None) -> Extraction:
    """Extract the records that screening kept, all if there was none, and write the tables.

    Raises
    ------
    RegistryError
        If a record or the screening cannot be read, or a table cannot be written; the earlier tables then stay.
    """
    numbers, unclear, screened = _numbers(folder)
    _check_unedited(folder)
    found = _Collected([], [], [], [])
    rows = _events(folder, numbers, unclear, protocol, found, progress)
    # Single events of thousands of records do not fit into memory: they are written as they come.
    write_cells(folder.file(EVENTS_FILE), events.COLUMNS, rows)
    unique = numbered(found.cohorts)
    for name, columns, those in (
        (CANDIDATES_FILE, candidates.COLUMNS, (each.as_row() for each in found.candidates)),
        (COHORTS_FILE, cohorts.COLUMNS, unique),
        (SOURCES_FILE, cohorts.SOURCE_COLUMNS, found.sources),
        (UNDECIDED_FILE, cohorts.UNDECIDED_COLUMNS, (each.as_row() for each in found.undecided)),
    ):
        write_sheet(folder.file(name), columns, ([row[column] for column in columns] for row in those))
    made = {COHORTS_FILE: hash_of(content_of(folder.file(COHORTS_FILE)))}
    folder.write_json(EXTRACTION_FILE, {"schema": 1, "sha256": made})
    return Extraction(
        studies=numbers,
        screened=screened,
        with_results=found.with_results,
        without_copy=found.without_copy,
        candidates=tuple(found.candidates),
        cohorts=tuple(unique),
        sources=tuple(found.sources),
        undecided=tuple(found.undecided),
    )


def event_totals(folder: Folder, numbers: tuple[str, ...]) -> Iterator[EventCount]:
    """Yield the totals of adverse events of records: serious events and deaths, by group."""
    for number in numbers:
        document, _ = folder.read(number)
        yield from event_totals_of(document, number)


def _numbers(folder: Folder) -> tuple[tuple[str, ...], frozenset[str], bool]:
    """Return the records to read, those of them on which screening is unclear, and whether there was a screening."""
    screening = read_screening(folder)
    if screening is None:
        return folder.numbers(), frozenset(), False
    unclear = frozenset(screening.numbers(Decision.UNCLEAR))
    return screening.numbers(Decision.INCLUDE, Decision.UNCLEAR), unclear, True


def _check_unedited(folder: Folder) -> None:
    """Check that no work of a person on the table of cohorts would be overwritten."""
    path = folder.file(COHORTS_FILE)
    written = (folder.read_json(EXTRACTION_FILE) or {}).get("sha256", {}).get(COHORTS_FILE)
    if path.exists() and hash_of(content_of(path)) != written:
        raise RegistryError(
            f"{path}: was edited since it was extracted, and would be overwritten. Keep it under another name, such as "
            f"{path.with_name('table.csv')}, and extract again."
        )


def _events(
    folder: Folder,
    numbers: tuple[str, ...],
    unclear: frozenset[str],
    protocol: Protocol,
    found: _Collected,
    progress: Progress | None,
) -> Iterator[tuple[str | int | None, ...]]:
    """Yield the adverse events of each record while collecting its other rows: a record is decoded once."""
    for place, number in enumerate(numbers, 1):
        document, _ = folder.read(number)
        study = study_of(document)
        _collect(document, study, protocol, found, unclear=number in unclear)
        yield from event_cells_of(document, number)
        if progress is not None:
            progress(place, len(numbers))


def _collect(
    document: Mapping[str, Any], study: Study, protocol: Protocol, found: _Collected, *, unclear: bool
) -> None:
    """Add the rows of a record; one on which screening is unclear gives candidates, and no cohorts yet."""
    rows = candidates_of(document, study, protocol)
    found.candidates += rows
    if unclear:
        found.undecided.append(Undecided(study.nct_id, "screening", "screening is unclear: include or exclude it"))
    made = Cohorts((), None, ()) if unclear else cohorts_of(rows, study, protocol)
    found.cohorts += made.rows
    found.undecided += made.undecided
    found.with_results += study.has_results
    found.without_copy += study.has_results and not study.results_here
    if made.source is not None:
        found.sources.append(made.source)
