"""Errors that a user can fix, with stable exit codes for scripts.

Any other exception is a bug and keeps its traceback.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter that mends an error, with a value where one is known."""

    parameter: str
    value: str | tuple[str, ...] | Mapping[str, str] | None = None

    def __str__(self) -> str:
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return self.parameter if value is None else f"{self.parameter}={value!r}"


class AlkbayesError(Exception):
    """Root of the errors that a user can fix.

    The message says what is wrong, where, what was found, what is allowed and what to do. `parameter`, which precedes
    it, is set for errors in a single parameter's value; `remedy`, which ends it, where a parameter mends the error.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, parameter: str | None = None, remedy: Setting | None = None) -> None:
        whole = message if remedy is None else f"{message} {remedy}"
        super().__init__(whole if parameter is None else f"{parameter}: {whole}")
        self.message, self.parameter, self.remedy = message, parameter, remedy


class AlkbayesWarning(UserWarning):
    """Root of the warnings that the command line shows on stderr."""


class EngineWarning(AlkbayesWarning):
    """Draws come from an engine other than the one requested, or a slower one is needed."""


class ConvergenceWarning(AlkbayesWarning):
    """A posterior failed its convergence gate and is sampled again."""


class UsageError(AlkbayesError):
    """Command line that names something nonexistent or is inconsistent."""

    exit_code = 2


class FigureError(UsageError):
    """Run without the data for this kind of figure; the message gives the reason as a sentence."""


class EvidenceError(AlkbayesError):
    """Evidence table that breaks its rules; the message lists every fault."""

    exit_code = 3


class SpecError(AlkbayesError):
    """Invalid model file."""

    exit_code = 4


class SamplingError(AlkbayesError):
    """Sampler failure."""

    exit_code = 5


class WorkersLostError(SamplingError):
    """Worker processes killed repeatedly; `done` has the results of finished tasks by position."""

    def __init__(self, message: str, done: Mapping[int, Any]) -> None:
        super().__init__(message)
        self.done = done


class ConvergenceError(AlkbayesError):
    """Posterior that failed its convergence gate; results are still written, and marked."""

    exit_code = 6


class RunError(AlkbayesError):
    """Run folder that is in the way, incomplete, damaged or inconsistent."""

    exit_code = 7


class TakenError(RunError):
    """Path of a new run that already exists."""


class RegistryError(AlkbayesError):
    """Registry record, query, protocol or folder that cannot be used, or a registry that does not answer."""

    exit_code = 8
