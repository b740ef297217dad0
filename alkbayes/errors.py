"""What can go wrong through no fault of the program, each with the exit code that scripts may rely on.

Anything else that is raised is a bug and keeps its traceback.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class AlkbayesError(Exception):
    """Root of the errors that a user can mend.

    The message says what is wrong, where, what was found, what is allowed and what to do.
    """

    exit_code: ClassVar[int] = 1


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
