"""Records that were downloaded before, in files of any shape the registry has given them in.

A study or many as JSON of version 2, an answer page, lines of JSON, XML of version 1, AACT's pipe-separated tables, and
zip archives and folders of these. The content tells which, whatever a file is called.
"""

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any

from alkbayes.errors import RegistryError
from alkbayes.registry.formats.aact import is_aact, studies_of_tables
from alkbayes.registry.formats.xml import study_of_xml
from alkbayes.registry.json_reader import decoded, root
from alkbayes.registry.received import Received, converted, items_of, value_of
from alkbayes.registry.study import nct_id_of
from alkbayes.text.names import quoted

MOST_FILE_BYTES = 2 * 2**30
MOST_RATIO = 200
"""Bytes that a byte of a zip archive may become: text shrinks to a tenth or so, a bomb to a thousandth."""

KNOWN = "JSON of ClinicalTrials.gov's version 2 (a study, a list, an answer page, lines), its XML, or AACT's tables"
ENDINGS = (".json", ".jsonl", ".ndjson", ".xml", ".zip")

type Records = Iterator[Received]


def sources_of(paths: list[Path]) -> Iterator[tuple[str, Records]]:
    """Yield each file's name and its records in the shape of version 2; a folder of AACT's tables is one.

    Raises
    ------
    RegistryError
        If a path does not exist, or a file has no studies; the message says where.
    """
    for path in paths:
        if path.is_dir():
            yield from _folder(path)
        elif path.is_file():
            yield path.name, _file(path)
        else:
            raise RegistryError(f"{path}: there is no such file or folder.")


def _folder(path: Path) -> Iterator[tuple[str, Records]]:
    if is_aact(names := {file.name for file in path.iterdir() if file.is_file()}):
        tables = studies_of_tables(lambda name: (path / name).open("rb") if name in names else None, str(path))
        yield path.name, map(converted, tables)
        return
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in ENDINGS)
    if not files:
        raise RegistryError(f"{path}: has no file with records; allowed: {KNOWN}.")
    whole = path.resolve()
    if outside := [file for file in files if not file.resolve().is_relative_to(whole)]:
        raise RegistryError(f"{outside[0]}: is a link out of {path}. Give the file that it leads to, or remove it.")
    # A folder of files with a record each is one source, not thousands.
    yield path.name, (record for file in files for record in _file(file))


def _file(path: Path) -> Records:
    if zipfile.is_zipfile(path):
        yield from _zip(path)
        return
    try:
        with path.open("rb") as file:
            yield from records_of(file, str(path), path.stat().st_size)
    except OSError as error:
        raise RegistryError(f"{path}: cannot be read: {error.strerror or error}.") from error


def records_of(file: IO[bytes], name: str, size: int) -> Records:
    """Yield the records in a file of `size` bytes; lines of JSON are read one by one, anything else as a whole.

    Raises
    ------
    RegistryError
        If it has none, or is too large.
    """
    if size > MOST_FILE_BYTES:
        raise RegistryError(f"{name}: found {size:,} bytes; allowed: {MOST_FILE_BYTES:,} at most.")
    first = file.readline(MOST_FILE_BYTES)
    start = first.removeprefix(b"\xef\xbb\xbf").strip()
    if start.startswith(b"{") and start.endswith(b"}"):
        yield from _lines(start, file, name)
        return
    content = first + file.read(MOST_FILE_BYTES)
    start = content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        yield _numbered(converted(study_of_xml(content, name)), name)
    elif start.startswith((b"{", b"[")):
        yield from _of_json(content, decoded(content, name, MOST_FILE_BYTES), name)
    else:
        raise RegistryError(f"{name}: found {quoted(start[:60].decode('utf-8', 'replace'))}; allowed: {KNOWN}.")


def _lines(first: bytes, rest: IO[bytes], name: str) -> Records:
    """Yield the records of lines of JSON; a file of one line is no list, and messages do not name the line."""
    lines = ((place, line) for place, line in enumerate(rest, 2) if line.strip())
    second = next(lines, None)
    if second is None:
        yield from _of_json(first, decoded(first, name, MOST_FILE_BYTES), name)
        return
    for place, line in chain([(1, first), second], lines):
        where = f"{name}, line {place}"
        yield from _of_json(line, decoded(line, where), where)


def _of_json(content: bytes, value: Any, name: str) -> Records:
    """Yield the studies of a decoded file: one, a list, or a page of them."""
    if isinstance(value, dict) and "FullStudiesResponse" in value:
        raise RegistryError(
            f"{name}: is JSON of version 1, which the registry gave up in 2024. Download the records again."
        )
    records: Iterable[Received]
    if isinstance(value, dict) and isinstance(items := value.get("studies"), list):
        records = items_of(content, items, "studies")
    elif isinstance(value, list):
        items, records = value, items_of(content, value)
    elif isinstance(value, dict) and isinstance(study := value.get("study"), dict):
        items, records = [study], [value_of(content, study, "study")]  # a version of the record's history
    else:
        items, records = [value], [value_of(content, value)]
    for place, record in enumerate(records):
        where = f"{name}, item {place}" if len(items) > 1 else name
        if not isinstance(record.study, dict) or "protocolSection" not in record.study:
            raise RegistryError(f"{where}: is no study: it has no protocolSection. Allowed: {KNOWN}.")
        yield _numbered(record, where)


def _numbered(record: Received, name: str) -> Received:
    """Return a record, which has an NCT number."""
    if not nct_id_of(record.study):
        found = root(record.study).at("protocolSection", "identificationModule").text("nctId")
        raise RegistryError(f"{name}: found the number {quoted(found)}; allowed: NCT and 8 digits. Leave it out.")
    return record


def _zip(path: Path) -> Records:
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        size = path.stat().st_size
        if sum(entry.file_size for entry in entries) > max(MOST_RATIO * size, 2**20):
            raise RegistryError(f"{path}: becomes more than {MOST_RATIO} times its size when unpacked; not unpacked.")
        names = {Path(entry.filename).name: entry for entry in entries}
        if is_aact(set(names)):
            tables = studies_of_tables(lambda name: archive.open(names[name]) if name in names else None, str(path))
            yield from map(converted, tables)
            return
        found = [entry for entry in entries if entry.filename.lower().endswith(ENDINGS[:-1])]
        if not found:
            raise RegistryError(f"{path}: has no file with records; allowed: {KNOWN}.")
        for entry in sorted(found, key=lambda each: each.filename):
            try:
                with archive.open(entry) as file:
                    yield from records_of(file, f"{path}: {entry.filename}", entry.file_size)
            except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError) as error:
                raise RegistryError(f"{path}: {quoted(entry.filename)} cannot be unpacked: {error}.") from error
