"""Records that were downloaded before, in files of any shape the registry has given them in.

A study or many as JSON of version 2, an answer page, lines of JSON, XML of version 1, AACT's pipe-separated tables, and
zip archives and folders of these. The content tells which, whatever a file is called.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alkbayes.errors import RegistryError
from alkbayes.registry.folder import content_of
from alkbayes.registry.formats.aact import is_aact, studies_of_tables
from alkbayes.registry.formats.xml import study_of_xml
from alkbayes.registry.json_reader import decoded
from alkbayes.text.names import quoted

MOST_FILE_BYTES = 2 * 2**30
MOST_RATIO = 200
"""Bytes that a byte of a zip archive may become: text shrinks to a tenth or so, a bomb to a thousandth."""

KNOWN = "JSON of ClinicalTrials.gov's version 2 (a study, a list, an answer page, lines), its XML, or AACT's tables"
ENDINGS = (".json", ".jsonl", ".ndjson", ".xml", ".zip")

type Studies = Iterator[dict[str, Any]]


def sources_of(paths: list[Path]) -> Iterator[tuple[str, Studies]]:
    """Yield each file's name and its studies in the shape of version 2; a folder of AACT's tables is one.

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


def _folder(path: Path) -> Iterator[tuple[str, Studies]]:
    if is_aact(names := {file.name for file in path.iterdir() if file.is_file()}):
        yield path.name, studies_of_tables(lambda name: (path / name).open("rb") if name in names else None, str(path))
        return
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in ENDINGS)
    if not files:
        raise RegistryError(f"{path}: has no file with records; allowed: {KNOWN}.")
    # A folder of files with a record each is one source, not thousands.
    yield path.name, (study for file in files for study in _file(file))


def _file(path: Path) -> Studies:
    if zipfile.is_zipfile(path):
        yield from _zip(path)
    else:
        yield from studies_of(content_of(path, MOST_FILE_BYTES), str(path))


def studies_of(content: bytes, name: str) -> Studies:
    """Yield the studies in a file's content.

    Raises
    ------
    RegistryError
        If it has none.
    """
    start = content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        yield study_of_xml(content, name)
        return
    if not start.startswith((b"{", b"[")):
        raise RegistryError(f"{name}: found {quoted(start[:60].decode('utf-8', 'replace'))}; allowed: {KNOWN}.")
    lines = content.splitlines()
    if len(lines) > 1 and start.startswith(b"{") and lines[0].rstrip().endswith(b"}"):
        for place, line in enumerate(lines, 1):
            if line.strip():
                yield from _of_json(decoded(line, f"{name}, line {place}"), f"{name}, line {place}")
        return
    yield from _of_json(decoded(content, name, MOST_FILE_BYTES), name)


def _of_json(value: Any, name: str) -> Studies:
    """Yield the studies of a decoded file: one, a list, or a page of them."""
    if isinstance(value, dict) and "FullStudiesResponse" in value:
        raise RegistryError(
            f"{name}: is JSON of version 1, which the registry gave up in 2024. Download the records again."
        )
    if isinstance(value, dict) and isinstance(value.get("studies"), list):
        items = value["studies"]
    elif isinstance(value, dict) and isinstance(value.get("study"), dict):
        items = [value["study"]]  # a version of the record's history
    else:
        items = value if isinstance(value, list) else [value]
    for place, item in enumerate(items):
        if not isinstance(item, dict) or "protocolSection" not in item:
            where = f", item {place}" if len(items) > 1 else ""
            raise RegistryError(f"{name}{where}: is no study: it has no protocolSection. Allowed: {KNOWN}.")
        yield item


def _zip(path: Path) -> Studies:
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        size = path.stat().st_size
        if sum(entry.file_size for entry in entries) > max(MOST_RATIO * size, 2**20):
            raise RegistryError(f"{path}: becomes more than {MOST_RATIO} times its size when unpacked; not unpacked.")
        names = {Path(entry.filename).name: entry for entry in entries}
        if is_aact(set(names)):
            yield from studies_of_tables(lambda name: archive.open(names[name]) if name in names else None, str(path))
            return
        found = [entry for entry in entries if entry.filename.lower().endswith(ENDINGS[:-1])]
        if not found:
            raise RegistryError(f"{path}: has no file with records; allowed: {KNOWN}.")
        for entry in sorted(found, key=lambda each: each.filename):
            try:
                content = archive.read(entry)
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
                raise RegistryError(f"{path}: {quoted(entry.filename)} cannot be unpacked: {error}.") from error
            yield from studies_of(content, f"{path}: {entry.filename}")
