"""All records of a folder as its tables: candidates, cohorts, sources, adverse events, and what a person decides."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from alkbayes.errors import RegistryError
from alkbayes.registry.batches import Numbers, Progress, in_batches
from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction import candidates, cohorts, events
from alkbayes.registry.extraction.candidates import Candidate, Status, candidates_of
from alkbayes.registry.extraction.cohorts import Undecided, cohorts_of, numbered
from alkbayes.registry.extraction.events import event_rows_of
from alkbayes.registry.extraction.kinds import Kind
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
    replaced,
)
from alkbayes.registry.screening.decisions import read_screening
from alkbayes.registry.screening.rules import Decision
from alkbayes.registry.sheets import cell, join_parts, part_of_sheet, write_sheet
from alkbayes.registry.study import study_of

OF_PEOPLE = (COHORTS_FILE, SOURCES_FILE, UNDECIDED_FILE)
"""Tables that people go on with, and that an extraction therefore overwrites only as it left them."""

type Figures = Counter[tuple[Kind, Status]]


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was extracted from the records of a folder; the candidates are in the file alone, as there may be millions.

    Attributes
    ----------
    studies
        Numbers of the records that were read, in order.
    screened
        Whether they are those that screening included or left unclear, rather than all.
    with_results, without_copy
        How many have results, and how many of these have none in this copy of the record.
    figures
        Number of candidates by kind and status.
    cohorts, sources
        Rows of the table of cohorts and of its sources.
    undecided
        What a person must decide.
    """

    studies: tuple[str, ...]
    screened: bool
    with_results: int
    without_copy: int
    figures: Figures
    cohorts: tuple[dict[str, Any], ...]
    sources: tuple[dict[str, Any], ...]
    undecided: tuple[Undecided, ...]


@dataclass(slots=True)
class _Found:
    """What a batch of records has, beside the rows that it wrote into parts of two files."""

    figures: Figures = field(default_factory=Counter)
    cohorts: list[dict[str, Any]] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    undecided: list[Undecided] = field(default_factory=list)
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
    # Figures and single events of thousands of records do not fit into memory: each batch writes its own.
    with folder.for_parts() as parts:
        batches = in_batches(partial(_extracted, folder, protocol, unclear, parts), numbers, progress)
        for file, columns in ((CANDIDATES_FILE, candidates.COLUMNS), (EVENTS_FILE, events.COLUMNS)):
            join_parts(folder.file(file), columns, sorted(parts.glob(f"*-{file}")))
    rows = tuple(numbered(row for batch in batches for row in batch.cohorts))
    sources = tuple(row for batch in batches for row in batch.sources)
    undecided = tuple(each for batch in batches for each in batch.undecided)
    _write_tables(
        folder,
        {
            COHORTS_FILE: (cohorts.COLUMNS, [row.values() for row in rows]),
            SOURCES_FILE: (cohorts.SOURCE_COLUMNS, [row.values() for row in sources]),
            UNDECIDED_FILE: (cohorts.UNDECIDED_COLUMNS, [each.as_row().values() for each in undecided]),
        },
    )
    return Extraction(
        studies=numbers,
        screened=screened,
        with_results=sum(batch.with_results for batch in batches),
        without_copy=sum(batch.without_copy for batch in batches),
        figures=sum((batch.figures for batch in batches), Counter()),
        cohorts=rows,
        sources=sources,
        undecided=undecided,
    )


def rows_of(folder: Folder, number: str, protocol: Protocol) -> tuple[tuple[Candidate, ...], list[dict[str, Any]]]:
    """Return the candidates of a record, and its adverse events by column."""
    document, _ = folder.read(number)
    found = event_rows_of(document, number, str)
    return (
        candidates_of(document, study_of(document), protocol),
        [dict(zip(events.COLUMNS, row, strict=True)) for row in found],
    )


def _numbers(folder: Folder) -> tuple[tuple[str, ...], frozenset[str], bool]:
    """Return the records to read, those of them on which screening is unclear, and whether there was a screening."""
    screening = read_screening(folder)
    if screening is None:
        return folder.numbers(), frozenset(), False
    unclear = frozenset(screening.numbers(Decision.UNCLEAR))
    return screening.numbers(Decision.INCLUDE, Decision.UNCLEAR), unclear, True


def _check_unedited(folder: Folder) -> None:
    """Check that no work of a person on a table would be overwritten."""
    written = (folder.read_json(EXTRACTION_FILE) or {}).get("sha256")
    for name in OF_PEOPLE:
        path, hashes = folder.file(name), written.get(name) if isinstance(written, dict) else None
        if path.exists() and hash_of(content_of(path)) not in (hashes if isinstance(hashes, list) else []):
            own = path.with_name({COHORTS_FILE: "table.csv"}.get(name, f"my-{name}"))
            raise RegistryError(
                f"{path}: was edited since it was extracted, and would be overwritten. Keep it under another name, "
                f"such as {own}, and extract again."
            )


def _write_tables(folder: Folder, tables: Mapping[str, tuple[Sequence[str], Iterable[Iterable[object]]]]) -> None:
    """Write the tables that people edit, their hashes first: a run that was interrupted in between is no edit."""
    with ExitStack() as stack:
        hashes = {}
        for name, (columns, rows) in tables.items():
            path = folder.file(name)
            place = stack.enter_context(replaced(path))
            write_sheet(place, columns, rows)
            files = (place, path) if path.exists() else (place,)
            hashes[name] = list(dict.fromkeys(hash_of(content_of(each)) for each in files))
        folder.write_json(EXTRACTION_FILE, {"schema": 1, "sha256": hashes})


def _extracted(folder: Folder, protocol: Protocol, unclear: frozenset[str], parts: Path, numbers: Numbers) -> _Found:
    """Return what a batch of records has, with its candidates and adverse events written as parts of their files.

    A record on which screening is unclear gives candidates, and no cohorts yet.
    """
    found = _Found()
    with (
        part_of_sheet(parts / f"{numbers[0]}-{CANDIDATES_FILE}") as write_candidates,
        part_of_sheet(parts / f"{numbers[0]}-{EVENTS_FILE}") as write_events,
    ):
        for number in numbers:
            document, _ = folder.read(number)
            study = study_of(document)
            rows = candidates_of(document, study, protocol)
            write_candidates(map(cell, each.as_row().values()) for each in rows)
            write_events(event_rows_of(document, number))
            found.figures.update((each.kind, each.status) for each in rows)
            found.with_results += study.has_results
            found.without_copy += study.has_results and not study.results_here
            if number in unclear:
                found.undecided.append(Undecided(number, "screening", "not decided: include or exclude it"))
                continue
            made = cohorts_of(rows, study, protocol)
            found.cohorts += made.rows
            found.undecided += made.undecided
            if made.source is not None:
                found.sources.append(made.source)
    return found
