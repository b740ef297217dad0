"""Run folders: written to a temporary folder and renamed as a whole, checked when read."""

import errno
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from alkbayes.errors import RunError, TakenError
from alkbayes.evidence.outcomes import ORR
from alkbayes.runs.places import beside

if TYPE_CHECKING:
    from alkbayes.estimates.results import Results
    from alkbayes.evidence.outcomes import Outcome
    from alkbayes.evidence.table import Evidence
    from alkbayes.inference.fit import Fit
    from alkbayes.runs.document import RunDocument

SCHEMA = 2
RUN_FILE = "run.json"
POSTERIOR_FILE = "posterior.nc"
MODEL_FILE = "model.toml"
INTERVAL_NOTE = (
    "Intervals of the run's tables are equal-tailed with probability interval_prob. ArviZ summarises these draws by "
    "its own rcParams stats.ci_prob (0.89 unless changed) and stats.ci_kind (eti)."
)
"""Attribute of the posterior's file, for readers who summarise its draws themselves."""
RUNS_FOLDER = Path("runs")
PARTS = (
    "model",
    "question",
    "outcome",
    "standard",
    "interval_prob",
    "engine",
    "evidence",
    "diagnostics",
    "pooled",
    "heterogeneity",
    "heterogeneity_unit",
    "contrasts",
    "classical",
    "exceedance",
    "notes",
    "note_kinds",
    "provenance",
    "command",
    "written",
    "files",
    "content_sha256",
)
"""Keys of `run.json` besides its schema."""


def free_run_folder(model: str, *, now: datetime) -> Path:
    """Return `runs/<model>-<timestamp>` below the current folder, with a number if that exists."""
    stem = f"{model}-{now:%Y%m%d-%H%M%S}"
    candidate, number = RUNS_FOLDER / stem, 1
    while candidate.exists() or candidate.is_symlink():
        number += 1
        candidate = RUNS_FOLDER / f"{stem}-{number}"
    return candidate


def check_place(folder: Path) -> None:
    """Check, before sampling, that a run can be written to `folder`.

    Raises
    ------
    TakenError
        If it exists.
    RunError
        If its parent is not writable.
    """
    if folder.exists() or folder.is_symlink():
        kind = "a folder" if folder.is_dir() else "a file"
        raise TakenError(f"{folder}: {kind} is there already; nothing is overwritten. Choose a path that is free.")
    above = folder.absolute().parent
    while not above.exists():
        above = above.parent
    try:
        # Created and removed: permissions do not tell all (a full or read-only disk, /proc).
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", suffix=".partial", dir=above):
            pass
    except OSError as error:
        raise RunError(
            f"{folder}: {above} cannot be written to ({error.strerror or error}). Choose a path in a folder of yours."
        ) from error


def write_run(folder: Path, fit: "Fit", results: "Results", *, model_file: bytes, command: str) -> "RunDocument":
    """Write a run's folder, whole or not at all.

    Parameters
    ----------
    folder
        New folder.
    fit, results
        Contents.
    model_file
        Bytes of the model file.
    command
        Command line that made the run.

    Returns
    -------
    dict
        `run.json`: the results' document, the command, the time, a hash of every other file, and one of all that.

    Raises
    ------
    TakenError
        If `folder` exists by now.
    RunError
        If it cannot be written.
    """
    import xarray as xr

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with beside(folder) as place:
            (place / MODEL_FILE).write_bytes(model_file)
            (place / fit.evidence.file).write_bytes(fit.evidence.content)
            for name in ("pooled", "contrasts", "cohorts", "heterogeneity", "classical"):
                getattr(results, name).to_csv(place / f"{name}.csv", index=False)
            tree = fit.tree.copy()
            tree["estimands"] = xr.DataTree(results.estimands)
            tree.attrs |= {"interval_prob": fit.interval_prob, "interval_kind": "eti", "interval_note": INTERVAL_NOTE}
            # In memory first: after a disk-full error HDF5 closes the file again at exit, and crashes the process.
            (place / POSTERIOR_FILE).write_bytes(tree.to_netcdf(engine="netcdf4"))
            files = {path.name: file_hash(path) for path in sorted(place.iterdir())}
            written = datetime.now().astimezone().isoformat(timespec="seconds")
            document = sealed(
                {"schema": SCHEMA} | results.document | {"command": command, "written": written, "files": files}
            )
            text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
            (place / RUN_FILE).write_text(text + "\n", encoding="utf-8")
            # Without this check an empty folder created since the last one would be replaced.
            check_place(folder)
            place.rename(folder)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise TakenError(
                f"{folder}: another run was written there in the meantime. Choose another path."
            ) from error
        raise RunError(f"{folder}: the run could not be written: {error.strerror or error}.") from error
    return cast("RunDocument", document)


def read_run(folder: Path) -> "RunDocument":
    """Return the document of a finished run, after checking its files.

    Raises
    ------
    RunError
        If this is not a finished run, or a file, `run.json` included, is missing or has changed.
    """
    if not folder.is_dir():
        fault = "is a file" if folder.exists() else "there is no such folder"
        raise RunError(f"{folder}: {fault}. Give the folder of a run, such as runs/line-generation-….")
    path = folder / RUN_FILE
    if not path.is_file():
        raise RunError(f"{folder}: has no {RUN_FILE}, so it is no finished run. Fit again: alkbayes fit.")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read: {error}. Fit again: alkbayes fit.") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        found = document.get("schema") if isinstance(document, dict) else None
        raise RunError(
            f"{path}: found schema {found!r}; allowed: {SCHEMA}. The run was written by another version of alkbayes. "
            f"Fit again with this one: {_command(document)}"
        )
    if missing := [name for name in PARTS if name not in document]:
        raise RunError(f"{path}: has no {', '.join(missing)}, so it is not what a run writes. Fit again: alkbayes fit.")
    if document != sealed(document):
        raise RunError(
            f"{path}: is not what the run wrote: a number or a word in it was changed since. Restore it, or fit again: "
            f"{document['command']}"
        )
    _check_files(folder, document)
    return cast("RunDocument", document)


AT_LEVEL = ("interval_prob", "pooled", "heterogeneity", "contrasts", "classical", "exchangeability")
"""Parts of `run.json` that depend on the probability of the intervals."""


def read_run_at(folder: Path, prob: float | None) -> "tuple[RunDocument, Results | None]":
    """Return the document of a finished run with intervals of another probability, made anew from its draws.

    Parameters
    ----------
    prob
        Probability of the intervals; None for that of the run.

    Returns
    -------
    RunDocument
        The run's own, but for the parts `AT_LEVEL`.
    Results or None
        What these parts come from; None if they are the run's.

    Raises
    ------
    RunError
        As :func:`read_fit`.
    """
    document = read_run(folder)
    if prob is None or prob == document["interval_prob"]:
        return document, None
    from alkbayes.estimates.results import results_of

    results = results_of(read_fit(folder, document, prob=prob))
    return at_level(document, results), results


def at_level(document: "RunDocument", results: "Results") -> "RunDocument":
    """Return a run's document with the parts `AT_LEVEL` from results of another probability of the intervals."""
    return cast("RunDocument", {**document, **{name: results.document[name] for name in AT_LEVEL}})


def _command(document: object) -> str:
    """Return the command that made a run, in any version's format."""
    command = document.get("command") if isinstance(document, dict) else None
    return command if isinstance(command, str) else "alkbayes fit"


def _check_files(folder: Path, document: Mapping[str, Any]) -> None:
    for name, expected in document["files"].items():
        file = folder / name
        if not file.is_file():
            raise RunError(f"{folder}: {name} is missing, so the run is incomplete. Fit again: {document['command']}")
        try:
            digest = file_hash(file)
        except OSError as error:
            raise RunError(f"{file}: cannot be read: {error.strerror or error}.") from error
        if digest != expected:
            raise RunError(
                f"{folder}: {name} is not what the run wrote, so its numbers need not belong to it. Fit again: "
                f"{document['command']}"
            )


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a run with the SHA-256 of its content, replacing any, to reveal later changes."""
    content = {name: value for name, value in document.items() if name != "content_sha256"}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return content | {"content_sha256": sha256(text.encode()).hexdigest()}


def run_evidence(
    folder: Path, document: "RunDocument", *, needed: Sequence[str] = (), outcome: "Outcome" = ORR
) -> "Evidence":
    """Return the table that a run was fitted to, under its original name, not that of the run's copy.

    Parameters
    ----------
    folder, document
        Of the run, as :func:`read_run` returned it.
    needed, outcome
        As of :func:`alkbayes.evidence.table.read_evidence`.

    Raises
    ------
    EvidenceError
        If the table lacks these columns or this outcome.
    """
    from alkbayes.evidence.sources import Selection
    from alkbayes.evidence.table import read_evidence

    record = document["evidence"]
    evidence = read_evidence(
        folder / record["file"],
        columns=record["columns"],
        sheet=record["sheet"],
        needed=needed,
        outcome=outcome,
        selection=Selection(record["where"], tuple(record["exclude"]), record["reason"]),
    )
    return replace(evidence, source=record["source"])


def read_fit(folder: Path, document: "RunDocument | None" = None, *, prob: float | None = None) -> "Fit":
    """Return the original fit of a finished run, after checking its files.

    Parameters
    ----------
    document
        Of the run, as :func:`read_run` returned it, which has checked the files; None to do so here.
    prob
        Probability of the intervals made from it; that of the run if None.

    Raises
    ------
    RunError
        As :func:`read_run`, and if this version cannot read the model file or the table.
    """
    import xarray as xr

    from alkbayes.errors import EvidenceError, SpecError
    from alkbayes.inference.convergence import Diagnostics
    from alkbayes.inference.fit import Fit, Provenance
    from alkbayes.model.covariates import stated_cohorts
    from alkbayes.model.design import build_design, parameters
    from alkbayes.spec.schema import read_spec
    from alkbayes.vocabulary import Standard

    document = document or read_run(folder)
    try:
        spec = read_spec(folder / MODEL_FILE)
        evidence = run_evidence(folder, document, needed=spec.needed, outcome=spec.outcome)
        evidence = stated_cohorts(spec, evidence)
    except (SpecError, EvidenceError) as error:
        raise RunError(
            f"{folder}: this version of alkbayes cannot read what the run was made of: {error} Fit again: "
            f"{document['command']}"
        ) from error
    with xr.open_datatree(folder / POSTERIOR_FILE, engine="netcdf4") as stored:
        tree = stored.load()
    design = build_design(spec, evidence)
    if missing := [item.name for item in parameters(design) if item.name not in tree["posterior"]]:
        raise RunError(
            f"{folder}: this version of alkbayes fits {', '.join(missing)} to such a table, which the run has not. "
            f"Fit again: {document['command']}"
        )
    return Fit(
        spec=spec,
        evidence=evidence,
        design=design,
        tree=tree,
        diagnostics=Diagnostics.from_record(document["diagnostics"]),
        provenance=Provenance.from_record(document["provenance"]),
        standard=Standard(document["standard"]),
        interval_prob=document["interval_prob"] if prob is None else prob,
    )


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return sha256(path.read_bytes()).hexdigest()
