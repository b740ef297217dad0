"""Tables of cohorts from Python: a path or a data frame, read and checked as the commands read it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from alkbayes.errors import UsageError
from alkbayes.evidence import table as tables
from alkbayes.evidence.cautions import table_cautions
from alkbayes.evidence.naming import COHORT, TRIAL
from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.evidence.sources import ALL_COHORTS, Selection
from alkbayes.library.arguments import several
from alkbayes.library.display import Displayed
from alkbayes.library.models import Model, read_model
from alkbayes.presentation.evidence import cohort_rows, group_rows, understood
from alkbayes.presentation.tables import Part, Sentence
from alkbayes.text.json import records
from alkbayes.text.wording import counted, percent

if TYPE_CHECKING:
    import pandas as pd

type Source = "pd.DataFrame | str | PathLike[str] | None"
"""A data frame; the path of a CSV file, a workbook or a Parquet file; None for the bundled table."""
type Data = "Source | Evidence"
"""A source, or a table already read."""


@dataclass(frozen=True, slots=True)
class Names:
    """The user's names for the columns that every table has; None for the usual ones."""

    cohort: str | None = None
    trial: str | None = None
    responders: str | None = None
    n: str | None = None

    def columns(self, outcome: Outcome) -> dict[str, str]:
        """Return the names given by the columns they stand for."""
        given = ((COHORT, self.cohort), (TRIAL, self.trial), (outcome.responders, self.responders), (outcome.n, self.n))
        return {column: name for column, name in given if name is not None}


@dataclass(frozen=True)
class Request:
    """How to read a table, so that it can be read again for another outcome or other columns."""

    data: "pd.DataFrame | Path | None"
    names: Names
    columns: Mapping[str, str]
    sheet: str | None
    selection: Selection

    def read(self, outcome: Outcome = ORR, needed: Sequence[str] = ()) -> tables.Evidence:
        """Return the checked table."""
        return tables.read_evidence(
            self.data,
            columns={**self.names.columns(outcome), **self.columns},
            sheet=self.sheet,
            needed=needed,
            outcome=outcome,
            selection=self.selection,
        )


@dataclass(frozen=True, repr=False, eq=False)
class Evidence(Displayed):
    """A checked table of cohorts.

    Attributes
    ----------
    table
        The record that the rest of the package takes.
    request
        How it was read.
    """

    table: tables.Evidence
    request: Request

    @property
    def frame(self) -> "pd.DataFrame":
        """One row for each cohort; `responders` and `n` are the outcome's counts, other columns are text."""
        return self.table.frame

    @cached_property
    def composition(self) -> "pd.DataFrame":
        """Cohorts, units and events by group, as `alkbayes evidence --csv` prints them."""
        return tables.composition(self.table)

    @property
    def notes(self) -> tuple[str, ...]:
        """How the table was read, and cautions about its cohorts."""
        return (*self.table.notes, *table_cautions(self.table))

    @property
    def subject(self) -> str:
        """Source, cohorts and trials."""
        trials = "" if self.table.trials is None else f" of {counted(self.table.trials, 'trial')}"
        return f"Evidence: {self.table.source}, {counted(self.table.cohorts, 'cohort')}{trials}"

    @property
    def verdict(self) -> str:
        """Counts and the crude rate."""
        table, outcome = self.table, self.table.outcome
        counts = f"{outcome.events_of(table.responders)} of {outcome.units_of(table.patients)}"
        return f"{counts}: crude {outcome.short} {percent(table.orr)} %, not a pooled estimate"

    @property
    def contents(self) -> str:
        """Names of tables."""
        return "Tables: frame, composition; notes"

    def _parts(self) -> Iterator[Part]:
        if not self.table.bundled:
            yield Sentence(understood(self.table))
        yield from map(Sentence, self.notes)
        groups = group_rows(records(self.composition), self.table.outcome)
        yield groups if groups.rows else cohort_rows(self.table)


def read_evidence(
    data: Source = None,
    outcome: "Model | Outcome | None" = None,
    *,
    cohort: str | None = None,
    trial: str | None = None,
    responders: str | None = None,
    n: str | None = None,
    columns: Mapping[str, str] | None = None,
    sheet: str | None = None,
    where: str = "",
    exclude: str | Iterable[str] = (),
    reason: str = "",
) -> Evidence:
    """Read a table of cohorts and check it whole.

    Parameters
    ----------
    data
        A data frame; the path of a CSV file (separated by commas, semicolons or tabs), a workbook or a Parquet file;
        None for the bundled table.
    outcome
        Model whose outcome is counted, or the outcome. Default: the objective response rate.
    cohort, trial, responders, n
        Your names for the columns of cohorts, trials and the two counts; well-known names need not be given.
    columns
        Your names for further columns, such as ``{"line": "treatment"}``.
    sheet
        Of a workbook. Default: the one that holds a table.
    where
        Condition on columns that selects cohorts, such as ``'region == "Asia"'``.
    exclude
        Name, or names, of cohorts to leave out.
    reason
        Reason for the selection, kept with every result.

    Raises
    ------
    EvidenceError
        If the table cannot be read or breaks a rule; the message lists every fault.
    UsageError
        If the selection does not fit the table.

    Examples
    --------
    >>> import pandas as pd, alkbayes as ab
    >>> table = pd.DataFrame({"study": ["a", "b", "c"], "event": [12, 30, 8], "total": [40, 52, 33]})
    >>> ab.read_evidence(table, cohort="study", responders="event", n="total")
    Evidence: the data frame, 3 cohorts
    50 responders of 125 patients: crude ORR 40.0 %, not a pooled estimate
    Tables: frame, composition; notes
    """
    counted_is = outcome_of(outcome)
    selection = Selection(where, several(exclude), reason)
    request = Request(_source(data), Names(cohort, trial, responders, n), columns or {}, sheet, selection)
    return Evidence(request.read(counted_is), request)


def outcome_of(outcome: "Model | Outcome | None") -> Outcome:
    """Return what is counted: an outcome, that of a model, or the objective response rate."""
    if outcome is None:
        return ORR
    return outcome if isinstance(outcome, Outcome) else read_model(outcome).outcome


def table_of(data: Data, names: Names, outcome: Outcome, needed: Sequence[str] = ()) -> tables.Evidence:
    """Return a table with the counts of an outcome and the columns needed.

    Raises
    ------
    UsageError
        If columns are named for a table that was read already.
    """
    if isinstance(data, Evidence):
        if names != Names():
            raise UsageError("the table was read already: name its columns where it is read.", parameter="data")
        if outcome == data.table.outcome and not needed:
            return data.table
        return data.request.read(outcome, needed)
    return Request(_source(data), names, {}, None, ALL_COHORTS).read(outcome, needed)


def _source(data: Source) -> "pd.DataFrame | Path | None":
    return Path(data) if isinstance(data, str | PathLike) else data
