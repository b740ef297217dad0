"""Folder of a study: the study itself, and one line per replication, added as it finishes.

The same command continues an interrupted study: finished lines are kept, a truncated last line is dropped. The folder
of another study, or of other code, is refused.
"""

import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from alkbayes.calibration.fingerprint import differing, fingerprint
from alkbayes.calibration.replications import Study
from alkbayes.errors import RunError
from alkbayes.evidence.sources import columns_text
from alkbayes.inference.settings import versions
from alkbayes.text.json import finite_or_none
from alkbayes.text.names import quoted

SCHEMA = 1
STUDY_FILE = "study.json"
RECORDS_FILE = "replications.jsonl"
SUMMARY_FILE = "summary.json"
IDENTITY = ("schema", "model", "model_sha256", "scenario", "engine", "seed", "draws")
"""Entries of the study file that must agree for replications to belong together. Their number is not among them: each
replication has its own random stream, so more can be added."""
TABLE_IDENTITY = ("sha256", "sheet", "columns", "where", "exclude")
"""Entries of a study's table that must agree too. The file may be moved, and the reason for a selection reworded."""
HASH_SHOWN = 12
"""Digits of a hash in a message."""


def described(study: Study, *, now: datetime) -> dict[str, Any]:
    """Return the contents of the study file, except for the fingerprint, made only when needed."""
    return {
        "schema": SCHEMA,
        "model": study.spec.name,
        "model_sha256": study.spec.content_sha256,
        "scenario": study.scenario,
        "table": None if study.table is None else study.table.as_record(),
        "engine": str(study.engine),
        "seed": study.seed,
        "draws": study.draws,
        "started": now.isoformat(timespec="seconds"),
        "versions": versions(),
        "machine": f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    }


class StudyFolder:
    """A folder that belongs to one study.

    Parameters
    ----------
    folder
        Path, which need not exist.
    study
        The study replicated.
    now
        Start time recorded for a new study.

    Attributes
    ----------
    described
        Contents of the study file; for a continued study with its original start time and versions.
    records
        Finished replications by number.

    Raises
    ------
    RunError
        If the folder holds anything else, another study or one of other code, or is not writable.
    """

    def __init__(self, folder: Path, study: Study, *, now: datetime) -> None:
        self.folder = folder
        self.records: dict[int, dict[str, Any]] = {}
        self.described = wanted = described(study, now=now)
        try:
            if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
                folder.mkdir(parents=True, exist_ok=True)
                wanted["fingerprint"] = fingerprint(study)
                self._write(STUDY_FILE, _compact_lists(json.dumps(wanted, indent=2)) + "\n")
            else:
                self.described = self._check(study, wanted)
                self._read()
        except OSError as error:
            raise RunError(
                f"{folder}: cannot be read or written ({error.strerror or error}). Choose a folder of yours."
            ) from error

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Append finished replications and flush them to disk; RunError if that fails."""
        try:
            with (self.folder / RECORDS_FILE).open("a", encoding="utf-8") as file:
                for given in records:
                    record = finite_or_none(dict(given))
                    file.write(json.dumps(record, separators=(",", ":"), allow_nan=False) + "\n")
                    self.records[int(record["replication"])] = record
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RunError(
                f"{self.folder}: a replication could not be written: {error.strerror or error}. Those before it are "
                "kept; the same command goes on with the rest."
            ) from error

    def write_summary(self, document: Mapping[str, Any]) -> None:
        """Write the results beside the replications; RunError if that fails."""
        text = json.dumps(finite_or_none(dict(document)), indent=1, allow_nan=False)
        try:
            self._write(SUMMARY_FILE, _compact_lists(text) + "\n")
        except OSError as error:
            raise RunError(f"{self.folder}: the summary could not be written: {error.strerror or error}.") from error

    def _check(self, study: Study, wanted: Mapping[str, Any]) -> dict[str, Any]:
        path = self.folder / STUDY_FILE
        if not path.is_file():
            kind = "a folder with other files" if self.folder.is_dir() else "a file"
            raise RunError(f"{self.folder}: is {kind}, no study's folder. Choose a path that is free.")
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunError(f"{path}: cannot be read: {error}. Choose a path that is free.") from error
        if not isinstance(found, dict):
            raise RunError(f"{path}: is no study's file. Choose a path that is free.")
        differences = [*_differing(found, wanted, IDENTITY), *_table_differing(found.get("table"), wanted["table"])]
        if not differences and (changed := differing(found.get("fingerprint"), fingerprint(study), study.engine)):
            differences = [f"this code draws otherwise than that of its replications ({', '.join(changed[:3])}, ...)"]
        if differences:
            raise RunError(
                f"{self.folder}: holds another study: {'; '.join(differences)}. Replications of the two do not go "
                "together. Choose a path that is free, or ask for the study that is there."
            )
        return found

    def _read(self) -> None:
        path = self.folder / RECORDS_FILE
        if not path.is_file():
            return
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            # The line being written when the study was killed.
            with path.open("r+b") as file:
                file.truncate(len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                record = json.loads(line)
                self.records[int(record["replication"])] = record
            except (ValueError, KeyError, TypeError) as error:
                raise RunError(
                    f"{path}, line {number}: is no replication. Remove the line, and the same command makes it anew."
                ) from error

    def _write(self, name: str, text: str) -> None:
        partial = self.folder / f".{name}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.folder / name)


def _differing(found: Mapping[str, Any], wanted: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    """Yield the entries that differ, in words."""
    for name in names:
        there, here = (
            sorted(value) if isinstance(value, list) else value for value in (found.get(name), wanted.get(name))
        )
        if there != here:
            yield f"{name} is {_told(there)} there and {_told(here)} here"


def _table_differing(found: Any, wanted: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield in words what differs of the studies' own tables, if they have any."""
    there = found if isinstance(found, Mapping) else None
    if there is None or wanted is None or there.get("sha256") != wanted["sha256"]:
        if (there, wanted) != (None, None):
            yield f"the table is {_table(there)} there and {_table(wanted)} here"
        return
    yield from _differing(there, wanted, TABLE_IDENTITY)


def _told(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(repr, value)) or "none"
    if isinstance(value, Mapping):
        return quoted(columns_text(value)) if value else "none"
    return "none" if value in (None, "") else repr(value)


def _table(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return "that of a scenario"
    return f"{record.get('source')} (SHA-256 {str(record.get('sha256'))[:HASH_SHOWN]}…)"


def _compact_lists(text: str) -> str:
    """Return indented JSON with each list of numbers on one line."""
    import re

    return re.sub(r"\[[-+.\de,\s]+\]", lambda found: re.sub(r"\s+", "", found[0]), text)
