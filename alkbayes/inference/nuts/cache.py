"""Native code cached on disk between runs, under a key of everything it was compiled from.

Compiling a density takes longer than sampling it, and most of that is PyMC and PyTensor building its graph. The key is
made from the inputs of the graph instead: the design's structure and priors, the source that turns them into a density,
and the versions of all packages involved. A second fit of the same model to a table of the same structure then needs
neither package.
"""

import contextlib
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from pickle import PickleError
from tokenize import TokenError
from typing import Any

import numba
import numpy as np
from numba.core.errors import NumbaError
from platformdirs import user_cache_path
from pydantic import BaseModel

KEPT = 50
"""Maximum number of folders, about 0.7 MB each; the oldest is deleted first."""
VANISHED = (OSError, RuntimeError, TokenError)
"""Errors of numba if the file of the source is gone."""
PACKAGES = ("alkbayes", "llvmlite", "numba", "numpy", "pymc", "pytensor", "scipy")


def key_of(*contents: object) -> str:
    """Return a cache key for code made from `contents`, the same in every process.

    Besides the versions of packages, Python and machine it depends on `contents`: arrays, texts, bytes, numbers, and
    containers and dataclasses of these.

    Raises
    ------
    TypeError
        If they contain anything else.
    """
    digest = sha256(_environment().encode())
    for piece in _pieces(contents):
        # With its length, so that no two lists of pieces concatenate to the same bytes.
        digest.update(f"{len(piece)}:".encode() + piece)
    return digest.hexdigest()


class Shelf:
    """The cache folder of one key, which need not exist."""

    def __init__(self, key: str) -> None:
        self.folder = user_cache_path("alkbayes", appauthor=False) / "native" / key

    def load(self, sources: Mapping[str, tuple[str, Any]]) -> tuple[Any, ...] | None:
        """Return the native functions kept by :meth:`compile`, or None if they cannot be loaded.

        `sources` gives the Python source and the numba signature of each function by name.
        """
        if not all(self._path(name).exists() for name in sources):
            return None
        try:
            # Without the names that a source refers to numba can load it, but not compile it.
            found = tuple(self._native(name, *source, {}) for name, source in sources.items())
        except (NumbaError, EOFError, PickleError, ValueError, LookupError, AttributeError, ImportError, *VANISHED):
            # Damaged or incompatible: it must not block the code compiled now.
            shutil.rmtree(self.folder, ignore_errors=True)
            return None
        with contextlib.suppress(OSError):
            os.utime(self.folder)
        return found

    def compile(self, sources: Mapping[str, tuple[str, Any]], names: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the native functions, compiled with `names` in scope and kept if the disk permits."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, (source, _) in sources.items():
                if not self._path(name).exists():
                    partial = self.folder / f".{name}.{os.getpid()}"
                    partial.write_text(source, encoding="utf-8")
                    partial.replace(self._path(name))
            self._make_room()
        try:
            return tuple(self._native(name, *source, names) for name, source in sources.items())
        except VANISHED:
            # Another process, making room, deleted the folder meanwhile.
            return tuple(self._native(name, *source, names, keep=False) for name, source in sources.items())

    def _native(self, name: str, source: str, signature: Any, names: Mapping[str, Any], *, keep: bool = True) -> Any:
        path = self._path(name)
        # numba finds the module by its name when it loads the code, and the code by the file of its source.
        known = {"__name__": __name__, "carray": numba.carray, "isfinite": np.isfinite, **names}
        exec(compile(source, str(path), "exec"), known)  # noqa: S102  ours: one of two constants
        return numba.cfunc(signature, cache=keep and path.exists())(known[name])

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.py"

    def _make_room(self) -> None:
        oldest_first = sorted(self.folder.parent.iterdir(), key=lambda folder: folder.stat().st_mtime)
        for folder in oldest_first[:-KEPT]:
            shutil.rmtree(folder, ignore_errors=True)


@cache
def _environment() -> str:
    versions = [f"{package} {version(package)}" for package in PACKAGES]
    return " ".join([*versions, platform.python_version(), platform.platform()])


def _pieces(content: object) -> list[bytes]:
    """Return the type and value of a content as bytes, part by part."""
    kind = type(content).__qualname__.encode()
    match content:
        case None | bool() | int() | float() | str() | bytes():
            return [kind, repr(content).encode()]
        case np.ndarray():
            return [kind, str((content.dtype.str, content.shape)).encode(), np.ascontiguousarray(content).tobytes()]
        case tuple() | list() | BaseModel():
            # Iterating over a pydantic model gives pairs of name and value.
            parts: list[object] = list(content)
        case Mapping():
            parts = [part for item in content.items() for part in item]
        case _ if is_dataclass(content):
            parts = [part for field in fields(content) for part in (field.name, getattr(content, field.name))]
        case _:
            raise TypeError(f"cannot name code made from a {type(content)!r}")
    return [kind, str(len(parts)).encode(), *(piece for part in parts for piece in _pieces(part))]
