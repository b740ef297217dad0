"""What the worker is asked for, and what it answers: records that can be sent to another process."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alkbayes.explore.setting import Setting

if TYPE_CHECKING:
    from alkbayes.model.prior_implications import Implied


@dataclass(frozen=True, slots=True)
class FitJob:
    """Fit a setting; `quick` for a first answer from few draws, whose gate is not complete."""

    setting: Setting
    quick: bool


@dataclass(frozen=True, slots=True)
class PreviewJob:
    """Pooled rates without one cohort, from the fit with it."""

    before: Setting
    after: Setting
    cohort: str


@dataclass(frozen=True, slots=True)
class KeepJob:
    """Write the run of a setting below the current folder.

    `tried` is the number of settings tried, and `changes` says how this one differs from the base; None and nothing
    for the base itself.
    """

    setting: Setting
    tried: int | None
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportJob:
    """The report of a run as HTML."""

    folder: Path


type Job = FitJob | PreviewJob | KeepJob | ReportJob


@dataclass(frozen=True, slots=True)
class Fitted:
    """The tables of a setting.

    Attributes
    ----------
    setting, quick
        As asked for.
    document
        As `alkbayes fit --json` prints it, but for the run and the columns left out of the model.
    cohorts
        Rows of the table of cohorts.
    implied
        What each prior implies; see :func:`alkbayes.model.prior_implications.implied_rates`.
    seconds
        Time taken.
    """

    setting: Setting
    quick: bool
    document: Mapping[str, Any]
    cohorts: tuple[Mapping[str, Any], ...]
    implied: "Mapping[tuple[str, ...], Implied]"
    seconds: float


@dataclass(frozen=True, slots=True)
class Unreliable:
    """A posterior that quadrature cannot give; `by_nuts` says whether NUTS can."""

    reason: str
    by_nuts: bool
    implied: "Mapping[tuple[str, ...], Implied]"


@dataclass(frozen=True, slots=True)
class Previewed:
    """Rows of the table of pooled rates without one cohort."""

    pooled: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class NoPreview:
    """There is none: weights are unreliable, a level is left empty, or the fit before is not at hand."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Folder of the run that was written."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Made:
    """A file."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """What a user can mend, in words."""

    message: str


type Answer = Fitted | Unreliable | Previewed | NoPreview | Kept | Made | Refused
