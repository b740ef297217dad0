"""Other counts of the same cohorts: at another data cut-off, by another assessor, or in another source.

A cohort is counted once. A row of such a table may take the place of a cohort's own count and is never added to it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pandas as pd

from alkbayes.errors import UsageError
from alkbayes.evidence.faults import Fault
from alkbayes.evidence.files import read_bytes, read_records
from alkbayes.evidence.naming import COHORT, RESPONDERS, N, fixed_name_faults
from alkbayes.evidence.records import Table
from alkbayes.evidence.rules import count_of, header_faults
from alkbayes.evidence.table import Evidence
from alkbayes.text.names import near_miss, quoted
from alkbayes.vocabulary import is_missing

CUT, LATER, ASSESSOR = "cut", "later", "assessor"
CUTS = ("earlier", "same", LATER)
"""The data cut-off of a row against that of the cohort's own: `same` is another assessor or source."""
NEEDED = (COHORT, CUT, RESPONDERS, N)
BUNDLED_CUTS = "the bundled table of other data cuts"


def with_cuts(evidence: Evidence, path: Path | None = None) -> Evidence:
    """Return a table of cohorts with other counts of them.

    Parameters
    ----------
    evidence
        The cohorts.
    path
        A table of cuts, a file as of :func:`alkbayes.evidence.table.read_evidence` with the columns `NEEDED`, and those
        of the cohorts that a row says otherwise; None for the bundled one beside the bundled cohorts, and none beside
        others.

    Raises
    ------
    UsageError
        If a file is given and the cohorts are counted for another outcome.
    EvidenceError
        If the file cannot be read as such a table, names a cohort that the other has not, or has two later counts of
        one cohort by one assessor.
    """
    if not evidence.outcome.usual and path is not None:
        found = f"a table of {RESPONDERS} and {N}, and the run counts {' of '.join(evidence.outcome.columns)}"
        raise UsageError(f"found {found}; allowed: none for such a run.", parameter="cuts")
    if path is None and not (evidence.bundled and evidence.outcome.usual):
        return evidence
    if path is None:
        name, content = BUNDLED_CUTS, files("alkbayes").joinpath("data", "cuts.csv").read_bytes()
    else:
        name, content = str(path), read_bytes(path)
    table = read_records(content, name, expected=NEEDED)
    known = (evidence.part_of or evidence).frame[COHORT].tolist()
    if faults := [*table.faults, *header_faults(table), *fixed_name_faults(table, NEEDED), *_row_faults(table, known)]:
        raise table.refusal(faults)
    columns = {name: pd.Series(table.column(name), dtype="str") for name in table.header.cells if name}
    counts = {name: columns[name].map(count_of).astype("int64") for name in (RESPONDERS, N)}
    return replace(evidence, cuts=pd.DataFrame(columns | counts))


def at_later_cuts(evidence: Evidence) -> Evidence:
    """Return the table with the later count of each cohort that has one, in place of its own.

    Of two later counts that of the cohort's own assessor is taken, else the first. What the row of cuts leaves empty
    stays.
    """
    cuts = evidence.cuts
    if cuts is None:
        return evidence
    frame = evidence.frame.copy()
    for place, cohort in enumerate(frame[COHORT].tolist()):
        rows = cuts[(cuts[COHORT] == cohort) & (cuts[CUT] == LATER)]
        if rows.empty:
            continue
        if ASSESSOR in rows and ASSESSOR in frame:
            own = rows[rows[ASSESSOR] == frame.loc[place, ASSESSOR]]
            rows = rows if own.empty else own
        said = {name: value for name, value in rows.iloc[0].items() if name in frame and value != ""}
        for name, value in said.items():
            frame.loc[place, str(name)] = value
    return replace(evidence, frame=frame)


def _row_faults(table: Table, known: list[str]) -> Iterator[Fault]:
    """Yield what is wrong with the rows, cell by cell, and later counts of one cohort that exclude each other."""
    names = table.header.cells
    places = {name: place for place, name in enumerate(names) if names.count(name) == 1}
    later: dict[tuple[str, str], int] = {}
    for record in table.records:
        row = {name: record.cells[place] for name, place in places.items()}
        cohort, cut = row.get(COHORT, ""), row.get(CUT, "")
        if COHORT in row and cohort not in known:
            guess = near_miss(cohort, known)
            advice = f"Did you mean {quoted(guess)}?" if guess else "Other counts are of cohorts that are there."
            found = quoted(cohort) if cohort else "nothing"
            yield Fault(record.line, found, "a cohort of the evidence table", advice, column=COHORT)
        if CUT in row and cut not in CUTS:
            found = quoted(cut) if cut else "nothing"
            yield Fault(record.line, found, ", ".join(CUTS), cohort=cohort, column=CUT)
        yield from _count_faults(record.line, row)
        if cut == LATER:
            key = (cohort, row.get(ASSESSOR, ""))
            if key in later:
                found = f"a later count again, which {table.unit} {later[key]} has"
                allowed = "one later count of a cohort for an assessor"
                advice = "Keep the last one, or call the other `same` or `earlier`."
                yield Fault(record.line, found, allowed, advice, cohort=cohort, column=CUT)
            later.setdefault(key, record.line)


def _count_faults(line: int, row: Mapping[str, str]) -> Iterator[Fault]:
    """Yield what is wrong with a row's two counts."""
    counts = {name: count_of(row[name]) for name in (RESPONDERS, N) if name in row}
    cohort = row.get(COHORT, "")
    for name, count in counts.items():
        if count is None or (name == N and count == 0):
            found = "nothing" if is_missing(row[name]) else quoted(row[name])
            allowed = f"a whole number of {int(name == N)} or more"
            yield Fault(line, found, allowed, "Leave out a count that is not known.", cohort=cohort, column=name)
            return
    responders, n = counts.get(RESPONDERS), counts.get(N)
    if responders is not None and n is not None and responders > n:
        found = f"{responders} among {n}"
        advice = "Check both counts, and that their columns are not swapped."
        yield Fault(line, found, f"a whole number from 0 to {n}", advice, cohort=cohort, column=RESPONDERS)
