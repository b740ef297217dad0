"""Analyses of a finished run, stored beside it so that figures and reports need not repeat them."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alkbayes.errors import RunError
from alkbayes.runs.places import beside
from alkbayes.runs.run import RUN_FILE, file_hash
from alkbayes.text.json import finite_or_none

SCHEMA = 1
COMMANDS = {
    "sensitivity": "alkbayes sensitivity {run}",
    "outliers": "alkbayes outliers {run}",
    "outliers-by-trial": "alkbayes outliers {run} --by-trial",
    "compare": "alkbayes compare {run} OTHER-RUN",
    "pfs": "alkbayes pfs --for {run}",
    "intracranial": "alkbayes intracranial --for {run}",
    "sequence": "alkbayes sequence --for {run}",
    "resistance": "alkbayes resistance --for {run}",
    "safety": "alkbayes safety --for {run}",
    "randomised": "alkbayes randomised --for {run}",
    "risk-of-bias": "alkbayes risk-of-bias --for {run}",
    "predict": "alkbayes predict {run} --n N",
}
"""Analyses that can be stored, with the command that stores each in a run's folder."""


def keep_analysis(folder: Path, name: str, document: Mapping[str, object]) -> Path:
    """Write an analysis beside its run, whole or not at all, replacing an older one.

    Parameters
    ----------
    folder
        Folder of the run.
    name
        Name of the analysis in :data:`COMMANDS`.
    document
        JSON output of its command. Non-finite numbers become null.

    Returns
    -------
    Path
        `folder`/`name`.json with keys `schema`, `analysis`, `run_sha256` (of its `run.json`) and `document`.

    Raises
    ------
    RunError
        If the folder is not writable.
    """
    path = _path(folder, name)
    try:
        kept = {"schema": SCHEMA, "analysis": name, "run_sha256": file_hash(folder / RUN_FILE), "document": document}
        text = json.dumps(finite_or_none(kept), indent=2, ensure_ascii=False, allow_nan=False)
        with beside(path) as place:
            (place / path.name).write_text(text + "\n", encoding="utf-8")
            (place / path.name).replace(path)
    except OSError as error:
        raise RunError(f"{path}: could not be kept: {error.strerror or error}.") from error
    return path


def kept_analysis(folder: Path, name: str) -> dict[str, Any] | None:
    """Return the document of a stored analysis as given to :func:`keep_analysis`, or None if there is none.

    Raises
    ------
    RunError
        If it was made from another run or by another version, or cannot be read.
    """
    if not is_kept(folder, name):
        return None
    path = _path(folder, name)
    again = f"Make it again: {command_for(name, folder)}"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        digest = file_hash(folder / RUN_FILE)
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read: {error}. {again}") from error
    if not isinstance(kept, dict) or (kept.get("schema"), kept.get("analysis")) != (SCHEMA, name):
        found = (kept.get("schema"), kept.get("analysis")) if isinstance(kept, dict) else None
        raise RunError(
            f"{path}: found schema and analysis {found!r}; allowed: {(SCHEMA, name)!r}. It is of another version, or "
            f"was put there by hand. {again}"
        )
    if kept.get("run_sha256") != digest:
        raise RunError(f"{path}: was made from another run than the {RUN_FILE} beside it. {again}")
    if not isinstance(document := kept.get("document"), dict):
        raise RunError(f"{path}: has no document, so it is not what alkbayes keeps. {again}")
    return document


def is_kept(folder: Path, name: str) -> bool:
    """Return whether a run has this analysis, usable or not."""
    return _path(folder, name).exists()


def command_for(name: str, folder: Path) -> str:
    """Return the command that makes and stores an analysis of a run."""
    return COMMANDS[name].format(run=shlex.quote(str(folder)))


def _path(folder: Path, name: str) -> Path:
    if name not in COMMANDS:
        raise ValueError(f"no analysis that is kept: {name!r}")
    return folder / f"{name}.json"
