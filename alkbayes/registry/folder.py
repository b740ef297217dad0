"""The folder of a review's records: what lies where, and how files are replaced.

A folder has `records/NCT….json`, `search.json`, and what the later steps add, such as `screening.csv`. Each file is
written beside its place and renamed, so that an interrupted step leaves the earlier file.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from alkbayes.errors import RegistryError
from alkbayes.registry.json_reader import MOST_BYTES, decoded
from alkbayes.registry.study import NCT_ID, nct_id_of
from alkbayes.text.names import quoted

SEARCH_FILE = "search.json"
QUERY_FILE = "query.toml"
PROTOCOL_FILE = "protocol.toml"
SCREENING_FILE = "screening.csv"
CANDIDATES_FILE = "candidates.csv"
COHORTS_FILE = "cohorts.csv"
SOURCES_FILE = "sources.csv"
EXTRACTION_FILE = "extraction.json"
UNDECIDED_FILE = "undecided.csv"
EVENTS_FILE = "adverse_events.csv"
COUNTS_FILE = "flow.json"
PRISMA_FILE = "prisma.csv"


@dataclass(frozen=True, slots=True)
class Folder:
    """A review's folder."""

    path: Path

    @property
    def records(self) -> Path:
        """Where the records of the last search lie."""
        return self.path / "records"

    @property
    def gone(self) -> Path:
        """Where records lie that an earlier search found and the last one did not."""
        return self.path / "gone"

    def file(self, name: str) -> Path:
        """Return the path of one of its files."""
        return self.path / name

    def record(self, nct_id: str) -> Path:
        """Return the path of a record.

        Raises
        ------
        ValueError
            If the number is none: it becomes a file name, and comes from outside.
        """
        if not NCT_ID.fullmatch(nct_id):
            raise ValueError(f"no NCT number: {nct_id!r}")
        return self.records / f"{nct_id}.json"

    def numbers(self) -> tuple[str, ...]:
        """Return the numbers of its records, in order.

        Raises
        ------
        RegistryError
            If this is no folder with records.
        """
        if not self.records.is_dir():
            fault = "there is no such folder" if not self.path.is_dir() else "has no folder records"
            raise RegistryError(f"{self.path}: {fault}. Search first: alkbayes registry search.")
        return tuple(sorted(file.stem for file in self.records.glob("NCT*.json") if NCT_ID.fullmatch(file.stem)))

    def read(self, nct_id: str) -> tuple[dict[str, Any], bytes]:
        """Return a record, decoded and as it is in the file.

        Raises
        ------
        RegistryError
            If it cannot be read, is too large, or is another study's.
        """
        path = self.record(nct_id)
        content = content_of(path)
        document = decoded(content, str(path))
        found = nct_id_of(document)
        if not isinstance(document, dict) or found != nct_id:
            what = f"the record of {quoted(found)}" if found else "no record of a study"
            raise RegistryError(f"{path}: is {what}. Remove it, and search again.")
        return document, content

    @contextmanager
    def for_parts(self) -> Iterator[Path]:
        """Provide a folder in it for parts of files, which disappears at the end.

        Raises
        ------
        RegistryError
            If nothing can be written there.
        """
        try:
            with tempfile.TemporaryDirectory(prefix=".parts-", dir=self.path) as name:
                yield Path(name)
        except OSError as error:
            raise RegistryError(f"{self.path}: cannot be written: {error.strerror or error}.") from error

    def write_json(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a JSON file, over an earlier one."""
        text = json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
        with replaced(self.file(name)) as place:
            place.write_text(text, encoding="utf-8")

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return the content of a JSON file of its own; None if there is none."""
        path = self.file(name)
        if not path.exists():
            return None
        document = decoded(content_of(path), str(path))
        if not isinstance(document, dict):
            raise RegistryError(f"{path}: is not what a search writes. Remove it, and search again.")
        return document


def content_of(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the bytes of a file of at most `most` bytes.

    Raises
    ------
    RegistryError
        If there is no such file, or it is larger, or cannot be read.
    """
    try:
        if (size := path.stat().st_size) > most:
            raise RegistryError(f"{path}: found {size:,} bytes; allowed: {most:,} at most.")
        return path.read_bytes()
    except OSError as error:
        raise RegistryError(f"{path}: cannot be read: {error.strerror or error}.") from error


def hash_of(content: bytes) -> str:
    """Return the SHA-256 of a record in hexadecimal."""
    return sha256(content).hexdigest()


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Provide a path beside `path`, which takes its place at the end, or disappears on failure.

    Raises
    ------
    RegistryError
        If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        os.close(handle)
        place = Path(name)
        try:
            yield place
            place.chmod(0o644)
            place.replace(path)
        finally:
            place.unlink(missing_ok=True)
    except OSError as error:
        raise RegistryError(f"{path}: cannot be written: {error.strerror or error}.") from error
