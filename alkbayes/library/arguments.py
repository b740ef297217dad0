"""Arguments from Python: one where several may stand, and errors that name them as Python does."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import overload

from alkbayes.errors import UsageError


@overload
def several(given: str | Iterable[str]) -> tuple[str, ...]: ...
@overload
def several(given: int | Iterable[int]) -> tuple[int, ...]: ...
@overload
def several(given: float | Iterable[float]) -> tuple[float, ...]: ...
@overload
def several(given: str | float | Iterable[str | float]) -> tuple[str | float, ...]: ...
def several(given: object) -> tuple[object, ...]:
    """Return one or several as several; a text is one, and not its letters."""
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (given,)


@contextmanager
def spelt(**names: str) -> Iterator[None]:
    """Have an error in a parameter name it as the caller knows it."""
    try:
        yield
    except UsageError as error:
        if error.parameter not in names:
            raise
        raise UsageError(error.message, parameter=names[error.parameter]) from error
