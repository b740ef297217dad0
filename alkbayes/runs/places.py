"""Output paths, free before anything is computed, and filled whole or not at all."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from alkbayes.errors import Setting, UsageError


def format_of(path: Path | None, asked: str | None, formats: Mapping[str, Sequence[str]], what: str) -> str:
    """Return the requested format of a file, else that of its extension, else the first.

    Parameters
    ----------
    path, asked
        File and format requested by the user, if any.
    formats
        Extensions by format, without the dot.
    what
        Kind of file for messages, such as "a figure".

    Raises
    ------
    UsageError
        If there is no such format, or the extension disagrees.
    """
    if asked is not None and asked not in formats:
        raise UsageError(f"found {asked!r}; allowed: {', '.join(formats)}.", parameter="format")
    if path is None:
        return asked or next(iter(formats))
    ending = path.suffix.lower().removeprefix(".")
    found = next((name for name, endings in formats.items() if ending in endings), None)
    if found is None:
        allowed = ", ".join(f".{each}" for endings in formats.values() for each in endings)
        raise UsageError(f"{path}: the name of {what}'s file must end in {allowed}.")
    if asked not in {None, found}:
        raise UsageError(f"{path} ends in {path.suffix}, and the format asked for is {asked}. Give one of them.")
    return found


def check_free(paths: Sequence[Path], parameter: str | None = None) -> None:
    """Check that none of the paths exists.

    Parameters
    ----------
    paths
        Files and folders to be written.
    parameter
        The one that chooses them, if any.

    Raises
    ------
    UsageError
        If one does.
    """
    if taken := [path for path in paths if path.exists() or path.is_symlink()]:
        fault = f"{taken[0]}: is there already; nothing is overwritten. Remove it, or choose"
        if parameter is None:
            raise UsageError(f"{fault} a name that is free.")
        raise UsageError(f"{fault} another name with", remedy=Setting(parameter))


@contextmanager
def new_files(path: Path, targets: Sequence[Path]) -> Iterator[list[Path]]:
    """Provide temporary paths for files and folders, which are renamed at the end, the last first.

    `path`, named by the user, gets its folder if missing; `targets` are in that folder and must not exist.

    Yields
    ------
    list of Path
        Temporary path for each target.

    Raises
    ------
    UsageError
        If a target exists, or cannot be written.
    """
    check_free(targets)
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        with beside(path.absolute()) as place:
            parts = [place / target.name for target in targets]
            yield parts
            check_free(targets)
            for part, target in reversed([*zip(parts, targets, strict=True)]):
                part.replace(target)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}.") from error


def check_plots_place(folder: Path) -> None:
    """Check, before anything is computed, that a folder of plots can be created.

    Raises
    ------
    UsageError
        If it exists, or its parent does not.
    """
    if folder.exists() or folder.is_symlink():
        kind = "a folder" if folder.is_dir() else "a file"
        raise UsageError(
            f"{folder}: {kind} is there already; nothing is overwritten. Choose a path that is free.", parameter="plots"
        )
    if not folder.absolute().parent.is_dir():
        raise UsageError(
            f"{folder}: there is no folder {folder.absolute().parent}. Make it, or choose another path.",
            parameter="plots",
        )


@contextmanager
def new_plots_folder(folder: Path) -> Iterator[Path]:
    """Provide a temporary folder that becomes `folder` at the end, or disappears on failure.

    Raises
    ------
    UsageError
        As :func:`check_plots_place`, and if it cannot be written.
    """
    check_plots_place(folder)
    try:
        with beside(folder) as place:
            yield place
            check_plots_place(folder)
            place.rename(folder)
    except OSError as error:
        raise UsageError(f"{folder}: could not be written: {error.strerror or error}.", parameter="plots") from error


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Create a temporary folder next to `path`, removed at the end unless it was renamed."""
    place = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    place.chmod(0o755)
    try:
        yield place
    finally:
        if place.exists():
            shutil.rmtree(place, ignore_errors=True)
