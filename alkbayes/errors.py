"""What can go wrong through no fault of the program, errors each with the exit code that scripts may rely on.

Anything else that is raised is a bug and keeps its traceback.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class AlkbayesError(Exception):
    """Root of the errors that a user can mend.

    The message says what is wrong, where, what was found, what is allowed and what to do.

    Attributes
    ----------
    message
        What is wrong.
    parameter
        The parameter that it is about, where it is one's value alone; it stands before the message.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, parameter: str | None = None) -> None:
        super().__init__(message if parameter is None else f"{parameter}: {message}")
        self.message, self.parameter = message, parameter


class AlkbayesWarning(UserWarning):
    """Root of the warnings; the command line shows them on stderr."""


class EngineWarning(AlkbayesWarning):
    """Another engine makes the draws than was asked for, or a slower one is needed."""


class ConvergenceWarning(AlkbayesWarning):
    """A posterior failed its convergence gate and is sampled once more."""


class UsageError(AlkbayesError):
    """The command line asks for something that does not exist or does not go together."""

    exit_code = 2


class FigureError(UsageError):
    """A run has nothing that this kind of figure could show; the message is the reason, as a sentence."""


class EvidenceError(AlkbayesError):
    """The evidence table breaks its rules; the message lists every fault."""

    exit_code = 3


class SpecError(AlkbayesError):
    """A model file is not a valid model."""

    exit_code = 4


class SamplingError(AlkbayesError):
    """The sampler could not run to its end."""

    exit_code = 5


class WorkersLostError(SamplingError):
    """Worker processes were killed again and again.

    Attributes
    ----------
    done
        Results of the tasks that were finished, by the task's place.
    """

    def __init__(self, message: str, done: Mapping[int, Any]) -> None:
        super().__init__(message)
        self.done = done


class ConvergenceError(AlkbayesError):
    """The posterior failed its convergence gate; what was computed is still written, and marked."""

    exit_code = 6


class RunError(AlkbayesError):
    """A run folder is in the way, incomplete, damaged or does not belong to its contents."""

    exit_code = 7


class TakenError(RunError):
    """Something is already where a run was to be written."""
