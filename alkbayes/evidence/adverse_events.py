"""Long tables of adverse events: a row a count of a cohort, or of several together, and never a patient counted twice.

Measures are different questions and never mixed: events of any cause and related ones, of grade 3 or higher and serious
ones. Within a measure a cohort is counted once; a count of several cohorts together is a count of each of them.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pandas as pd

from alkbayes.alk.levels import LEVELS
from alkbayes.evidence.faults import Fault
from alkbayes.evidence.files import read_bytes, read_records
from alkbayes.evidence.naming import COHORT, N, fixed_name_faults
from alkbayes.evidence.records import Table
from alkbayes.evidence.rules import count_of, header_faults
from alkbayes.evidence.table import BUNDLED
from alkbayes.text.names import near_miss, quoted
from alkbayes.vocabulary import is_missing

MEASURE, EVENTS, COUNTED, MEMBERS = "measure", "events", "counted", "members"
NEEDED = (COHORT, MEASURE, EVENTS, N)
JOINT = "+"
"""Between the cohorts of a count of several together; a semicolon is read too."""

MEASURES: Mapping[str, str] = {
    "serious_ae": "serious adverse events",
    "grade3_ae": "adverse events of grade 3 or higher",
    "discontinuation_ae": "discontinuation for an adverse event",
    "fatal_ae": "fatal adverse events",
    "death_30d": "deaths of any cause during treatment or within 30 days",
    "death": "deaths, cause not said",
    "dose_interruption_ae": "dose interruption for an adverse event",
    "dose_reduction_ae": "dose reduction for an adverse event",
    "treatment_related_ae": "treatment-related adverse events",
    "treatment_related_serious_ae": "treatment-related serious adverse events",
    "treatment_related_grade3_ae": "treatment-related adverse events of grade 3 or higher",
    "treatment_related_discontinuation": "discontinuation for a treatment-related adverse event",
    "early_pulmonary_ae": "early-onset pulmonary adverse events",
}
"""What is counted, in the order in which it is shown; a table may have measures of its own, not spelt like these."""

POOLED: Mapping[str, str] = {
    "serious_ae": "serious-adverse-events",
    "grade3_ae": "grade3-adverse-events",
    "discontinuation_ae": "discontinuation",
}
"""Measures that are pooled, each with its bundled model."""


@dataclass(frozen=True, slots=True)
class AdverseEvents:
    """A long table of adverse events that has passed every check.

    Attributes
    ----------
    frame
        One row a count, in the order of the file. Columns cohort_id (several joined by "+"), members (a tuple of the
        cohorts), measure, events and n (int64, 0 <= events <= n, n >= 1), counted (bool; all where the file does not
        say), and whatever the file has beside, as text.
    source
        Where it came from: the path as the user gave it, or "bundled".
    sha256
        Hash of the file's bytes.
    content
        The file's bytes.
    """

    frame: pd.DataFrame
    source: str
    sha256: str
    content: bytes

    @property
    def bundled(self) -> bool:
        """Whether this is the table in the package."""
        return self.source == BUNDLED

    @property
    def used(self) -> pd.DataFrame:
        """The rows that are counted."""
        return self.frame[self.frame[COUNTED]].reset_index(drop=True)


def read_adverse_events(path: Path | None = None, cohorts: Collection[str] = ()) -> AdverseEvents:
    """Read a long table of adverse events and check it whole.

    Parameters
    ----------
    path
        A file as of :func:`alkbayes.evidence.table.read_evidence`, with the columns cohort_id, measure, events and n;
        None for the bundled table. Columns as in `data/SCHEMA.md`.
    cohorts
        Names of the cohorts beside it: a name with a "+" or ";" in it, such as "a+b", is one cohort if it is one of
        these.

    Raises
    ------
    EvidenceError
        If the file cannot be read as such a table or breaks a rule, among them: a cohort is counted twice for one
        measure. The message lists every fault by its line.
    """
    if path is None:
        name, source = "the bundled table of adverse events", BUNDLED
        content = files("alkbayes").joinpath("data", "adverse_events.csv").read_bytes()
    else:
        name = str(path)
        source = name if name != BUNDLED else f"./{name}"
        content = read_bytes(path)
    table = read_records(content, name, expected=NEEDED)
    if faults := [
        *table.faults,
        *header_faults(table),
        *fixed_name_faults(table, NEEDED),
        *_row_faults(table, cohorts),
    ]:
        raise table.refusal(faults)
    return AdverseEvents(_frame(table, cohorts), source, sha256(content).hexdigest(), content)


def measure_words(measure: str) -> str:
    """Return what a measure counts, in words."""
    return MEASURES.get(measure, measure.replace("_", " "))


def measures_in_order(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the measures of a table: known ones in their order, then its own in that of the table."""
    found = dict.fromkeys(frame[MEASURE])
    return (*(name for name in MEASURES if name in found), *(name for name in found if name not in MEASURES))


def members_of(cell: str, cohorts: Collection[str] = ()) -> tuple[str, ...]:
    """Return the cohorts that a count is of; a name among `cohorts` is one, whatever signs it has."""
    if cell in cohorts:
        return (cell,)
    return tuple(part for part in (part.strip() for part in cell.replace(";", JOINT).split(JOINT)) if part)


def _row_faults(table: Table, cohorts: Collection[str]) -> Iterator[Fault]:
    """Yield what is wrong with the rows, cell by cell, and which cohorts would be counted twice."""
    names = table.header.cells
    places = {name: place for place, name in enumerate(names) if names.count(name) == 1}
    counted: dict[tuple[str, str], int] = {}
    for record in table.records:
        row = {name: record.cells[place] for name, place in places.items()}
        cohort, measure = row.get(COHORT, ""), row.get(MEASURE, "")
        for column in (name for name in (COHORT, MEASURE) if name in row and is_missing(row[name])):
            yield Fault(record.line, quoted(row[column]) if row[column] else "nothing", "any text", column=column)
        if measure not in MEASURES and (guess := near_miss(measure, MEASURES)):
            allowed = f"{', '.join(MEASURES)}, or a measure of your own"
            advice = f"Write `{guess}`; measures of your own are allowed but must not resemble these."
            yield Fault(record.line, quoted(measure), allowed, advice, cohort=cohort, column=MEASURE)
        yield from _count_faults(record.line, row)
        said = row.get(COUNTED, "yes")
        if said not in LEVELS[COUNTED]:
            found = quoted(said) if said else "nothing"
            yield Fault(record.line, found, ", ".join(LEVELS[COUNTED]), cohort=cohort, column=COUNTED)
        elif said == "yes":
            yield from _twice(record.line, table.unit, (cohort, measure, members_of(cohort, cohorts)), counted)


def _twice(
    line: int, unit: str, said: tuple[str, str, tuple[str, ...]], counted: dict[tuple[str, str], int]
) -> Iterator[Fault]:
    """Yield a fault where an earlier row counts one of these cohorts for the same measure.

    `said` is the cell of cohorts, the measure, and the cohorts.
    """
    cohort, measure, members = said
    for member in members:
        if (measure, member) in counted:
            advice = (
                'Write "no" into the column counted of one of the two: an interim and a final count, or one of several '
                "cohorts together and one of a single one, are the same patients."
            )
            found = f"{quoted(member)} again, which {unit} {counted[measure, member]} counts"
            yield Fault(line, found, "a cohort once for a measure", advice, cohort=cohort, column=COHORT)
            return
        counted[measure, member] = line


def _count_faults(line: int, row: Mapping[str, str]) -> Iterator[Fault]:
    """Yield what is wrong with a row's two counts."""
    counts = {name: count_of(row[name]) for name in (EVENTS, N) if name in row}
    cohort = row.get(COHORT, "")
    for name, count in counts.items():
        if count is None or (name == N and count == 0):
            found = "nothing" if is_missing(row[name]) else quoted(row[name])
            allowed = f"a whole number of {int(name == N)} or more"
            advice = "Write it in digits alone. Without a denominator, or with a rate alone, leave the row out."
            yield Fault(line, found, allowed, advice, cohort=cohort, column=name)
            return
    events, n = counts.get(EVENTS), counts.get(N)
    if events is not None and n is not None and events > n:
        advice = "Count patients with an event, not events; check that the columns are not swapped."
        yield Fault(line, f"{events} of {n}", f"a whole number from 0 to {n}", advice, cohort=cohort, column=EVENTS)


def _frame(table: Table, cohorts: Collection[str]) -> pd.DataFrame:
    """Return the records of a table without faults as `AdverseEvents.frame` has them."""
    frame = pd.DataFrame({name: pd.Series(table.column(name), dtype="str") for name in table.header.cells if name})
    if COUNTED not in frame:
        frame[COUNTED] = "yes"
    members = [members_of(cell, cohorts) for cell in frame[COHORT]]
    joined = [JOINT.join(several) for several in members]
    for name in frame:
        if name in (EVENTS, N):
            frame[name] = frame[name].map(count_of).astype("int64")
        elif name not in NEEDED:
            frame[name] = frame[name].where(~frame[name].map(is_missing), "")
    frame[COUNTED], frame[COHORT], frame[MEMBERS] = frame[COUNTED] == "yes", joined, members
    return frame
