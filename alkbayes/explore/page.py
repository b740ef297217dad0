"""The page and its parts as HTML, from records; no arithmetic here or in the templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment

from alkbayes.explore.comparison import HeadlineRow
from alkbayes.explore.forest import CohortForest
from alkbayes.presentation.tables import ReaderTable
from alkbayes.reporting.renderers.html import TEMPLATES as REPORT_TEMPLATES
from alkbayes.reporting.renderers.html import environment_with
from alkbayes.text.names import shown

if TYPE_CHECKING:
    from alkbayes.explore.setting import Setting

TEMPLATES = "explore/templates"


class State(StrEnum):
    """What the numbers on the page are."""

    PENDING = "pending"
    PREVIEW = "preview"
    QUICK = "quick"
    SETTLED = "settled"
    FAILED = "failed"
    UNRELIABLE = "unreliable"
    REFUSED = "refused"
    FEW = "few"
    NONE = "none"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a list, or a box."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class PriorControl:
    """The slider of a prior: its key, what it is of, the steps, the prior now, at each step, and what it implies."""

    key: str
    name: str
    steps: int
    text: str
    texts: tuple[str, ...]
    implied: str


@dataclass(frozen=True, slots=True)
class ModelControls:
    """What can be changed of a model, each with nothing where it does not apply."""

    name: str
    priors: tuple[PriorControl, ...]
    links: tuple[Choice, ...]
    tails: tuple[Choice, ...]
    interaction: tuple[Choice, ...]
    interaction_name: str
    references: tuple[tuple[str, str, tuple[Choice, ...]], ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """A column to choose by: its name, heading, levels with their number of cohorts, and cohorts without a value."""

    column: str
    heading: str
    levels: tuple[tuple[str, int, bool], ...]
    unstated: int


@dataclass(frozen=True, slots=True)
class Results:
    """What is shown of a setting.

    Attributes
    ----------
    state
        What the numbers are.
    status
        The sentence announced.
    message, advice
        What is wrong and what to do, where something is.
    rows
        Pooled rates.
    with_base
        Whether the base stands beside them.
    moved, verdict
        Sentences.
    tables
        Heterogeneity and classical pooling.
    forest
        The cohorts.
    settles
        Whether a settled answer is to be asked for.
    automatic
        Whether a change is computed without being asked for.
    by_nuts
        Whether NUTS is offered.
    notes
        Sentences below the numbers.
    """

    state: State
    status: str
    forest: CohortForest
    message: str = ""
    advice: str = ""
    rows: tuple[HeadlineRow, ...] = ()
    title: str = ""
    with_base: bool = False
    moved: str = ""
    verdict: str = ""
    tables: tuple[ReaderTable, ...] = ()
    settles: bool = False
    automatic: bool = True
    by_nuts: bool = False
    notes: tuple[str, ...] = ()

    @property
    def struck(self) -> bool:
        """Whether the numbers may not be used."""
        return self.state in {State.FAILED, State.UNRELIABLE}


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run that was kept: its number in the address, its folder, and whether it is exploratory."""

    number: int
    folder: str
    exploratory: bool


@dataclass(frozen=True, slots=True)
class Leaving:
    """What can be taken away.

    Attributes
    ----------
    command
        The command that repeats the setting.
    model_file
        Name of the file that has to be saved first; empty if none has.
    query
        Of the setting, for the file's address.
    unexplained
        Exclusions without a reason, which has to be given first.
    is_base
        Whether the setting is the base.
    run
        Folder of the run that the base is; empty if it is none.
    kept
        Runs kept in this session.
    fault
        Why the last attempt to keep failed.
    """

    command: str
    model_file: str
    query: str
    unexplained: tuple[str, ...]
    is_base: bool
    run: str
    kept: tuple[KeptRun, ...]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """How the setting differs from the base, with the exclusions that need a reason, and the count of looks.

    `of_base` says how the base itself was come upon, if it is an exploratory run.
    """

    setting: "Setting"
    words: tuple[str, ...]
    is_base: bool
    number: int | None
    tried: int
    earlier: int
    log: str
    left_out: int
    of: int
    of_base: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page."""

    title: str
    subtitle: str
    tab: str
    models: tuple[tuple[str, tuple[Choice, ...]], ...]
    filters: tuple[Filter, ...]
    controls: ModelControls
    results: Results
    changes: Changes
    leaving: Leaving
    setting: "Setting"
    base: "Setting"
    engines: tuple[Choice, ...]
    restart: str
    notes: tuple[str, ...] = field(default_factory=tuple)


def page_html(page: Page) -> str:
    """Return the whole page."""
    return _environment().get_template("page.html.j2").render(page=page)


def parts_html(
    *,
    results: Results | None = None,
    controls: ModelControls | None = None,
    changes: Changes | None = None,
    leaving: Leaving | None = None,
    headline_only: bool = False,
) -> str:
    """Return parts of the page, each an element whose id says what it replaces."""
    parts: Mapping[str, Any] = {
        "results": results,
        "controls": controls,
        "changes": changes,
        "leaving": leaving,
        "headline_only": headline_only,
    }
    return _environment().get_template("parts.html.j2").render(**parts)


def refusal_html(title: str, message: str) -> str:
    """Return a page that says why there is none."""
    return _environment().get_template("refusal.html.j2").render(title=title, message=message)


def asset(name: str) -> bytes:
    """Return a style sheet or the script."""
    folder = REPORT_TEMPLATES if name == "report.css" else TEMPLATES
    return files("alkbayes").joinpath(folder, name).read_bytes()


@cache
def _environment() -> Environment:
    environment = environment_with(TEMPLATES)
    environment.filters |= {"shown": shown, "joined": _joined}
    return environment


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names)
