"""Every setting tried, a line each in a file beside the runs: a guard against trying until something pleases."""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from alkbayes.errors import RunError
from alkbayes.runs.run import RUNS_FOLDER

LOG_FILE = RUNS_FOLDER / "exploration.jsonl"
"""Below the current folder, where runs are kept too."""


class ExplorationLog:
    """Settings tried on a table, in this session and in earlier ones.

    Parameters
    ----------
    path
        The file; it need not exist.
    table
        Hash of the table: settings of others are not counted.

    Raises
    ------
    RunError
        If the file cannot be read, or its folder cannot be written to.
    """

    def __init__(self, path: Path, table: str) -> None:
        self.path, self.table = path, table
        try:
            lines = path.read_bytes().splitlines() if path.exists() else []
            there = next(place for place in (path, *path.absolute().parents) if place.exists())
            if not os.access(there, os.W_OK) or (there != path and not there.is_dir()):
                raise PermissionError(None, f"{there} is not a folder to write to")
        except OSError as error:
            raise RunError(
                f"{path}: every setting tried is written here, and it cannot be: {error.strerror or error}. Start in a "
                "folder of yours."
            ) from error
        self._tried = dict.fromkeys(key for line in lines if (key := _key_of(line, table)))
        self.earlier = len(self._tried)

    @property
    def tried(self) -> int:
        """Number of different settings tried, the base not among them."""
        return len(self._tried)

    def number(self, key: str) -> int | None:
        """Return which of the settings tried this is, from 1; None if it was not tried."""
        return next((place for place, known in enumerate(self._tried, 1) if known == key), None)

    def note(self, key: str, record: Mapping[str, Any]) -> None:
        """Write a line for a setting unless it was tried before.

        Raises
        ------
        RunError
            If it cannot be written.
        """
        if key in self._tried:
            return
        written = datetime.now().astimezone().isoformat(timespec="seconds")
        line = {"time": written, "table_sha256": self.table, "key": key, **record}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        except OSError as error:
            raise RunError(f"{self.path}: a setting tried could not be written: {error.strerror or error}.") from error
        self._tried[key] = None


def _key_of(line: bytes, table: str) -> str | None:
    """Return the setting of a line, None for one of another table or one that this program did not write."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    key = found.get("key") if isinstance(found, dict) and found.get("table_sha256") == table else None
    return key if isinstance(key, str) else None
