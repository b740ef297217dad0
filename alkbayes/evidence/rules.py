"""What a table of cohorts must obey, and what to say where it does not."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from alkbayes.evidence.csv import Record, Table
from alkbayes.evidence.faults import Fault
from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.text.names import listed, near_miss, quoted, shown
from alkbayes.vocabulary import LEVELS, MISSING, is_missing

BASIC_COLUMNS = ("cohort_id", "responders", "n")
"""What every table has."""

STRATA = ("line", "regimen_class")
"""Columns that reports stratify on: a value outside the set is a fault even where no model needs the column."""

LARGEST_COUNT = 2**63 - 1
"""What an int64 holds."""

COLUMNS_SAID_OTHERWISE = {
    "cohort": "cohort_id",
    "id": "cohort_id",
    "events": "responders",
    "responses": "responders",
    "patients": "n",
    "total": "n",
    "treatmentline": "line",
    "study": "trial",
}
"""Other names for a column, as `evidence_faults.plain` leaves them."""

LEVELS_SAID_OTHERWISE: dict[str, dict[str, str]] = {
    "line": {
        "untreated": "naive",
        "previouslyuntreated": "naive",
        "treatmentnaive": "naive",
        "previouslytreated": "pretreated",
    },
    "regimen_class": {
        "1": "first",
        "1st": "first",
        "firstgeneration": "first",
        "2": "second",
        "2nd": "second",
        "secondgeneration": "second",
        "3": "third",
        "3rd": "third",
        "thirdgeneration": "third",
        "combo": "combination",
    },
}
"""Other words for a level, as `evidence_faults.plain` leaves them. Not "TKI-naive": that may follow chemotherapy."""

NOT_KNOWN = MISSING | {"none", "null", "unknown"}
"""How a table says that a number is not known. In other columns "none" and "unknown" are levels."""

KEEP_OUT = "If the number is not known, leave the cohort out."
KEEP_EMPTY = "If a cohort does not say, leave both cells empty."


def header_faults(table: Table, needed: Sequence[str]) -> Iterator[Fault]:
    """Yield what is wrong with the header: names that are missing, empty or there twice; and a table without rows."""
    line, names = table.header.line, table.header.cells
    if unnamed := [str(place) for place, name in enumerate(names, start=1) if not name]:
        columns = "column" if len(unnamed) == 1 else "columns"
        it = "it" if len(unnamed) == 1 else "them"
        found = f"no name for {columns} {listed(unnamed)} of {len(names)}"
        yield Fault(line, found, "a name for each column", f"Name {it}, or delete {it}.")
    named = tuple(dict.fromkeys(filter(None, names)))
    for name in named:
        places = [str(place) for place, other in enumerate(names, start=1) if other == name]
        if len(places) > 1:
            found = f"this name for columns {listed(places)}"
            yield Fault(line, found, "each name once", "Rename or delete all but one.", column=name)
    for column in needed:
        if column not in named:
            others = (name for name in named if name not in needed)
            guess = next((name for name in others if near_miss(name, [column], COLUMNS_SAID_OTHERWISE)), None)
            advice = f"Did you mean the column {quoted(guess)}? Then rename it to {column}." if guess else ""
            found = f"no such column, only {listed(named)}"
            yield Fault(line, found, f"a header with {listed(needed)}", advice, column=column)
    if not table.records and not table.faults:
        yield Fault(line, "a header and no rows below it", "one row or more, one for each cohort")


def row_faults(table: Table, needed: Sequence[str], outcome: Outcome = ORR) -> Iterator[Fault]:
    """Yield what is wrong with the rows, cell by cell and between rows, in the columns that the header has once."""
    names = table.header.cells
    places = {name: place for place, name in enumerate(names) if names.count(name) == 1}
    first_lines: dict[str, int] = {}
    for record in table.records:
        row = {name: record.cells[place] for name, place in places.items()}
        cohort = row.get("cohort_id", "")
        if "cohort_id" in row:
            yield from _id_faults(record, cohort, first_lines, outcome)
        yield from _count_faults(record.line, cohort, row, outcome if outcome.usual else ORR)
        yield from _outcome_faults(record.line, cohort, row, outcome)
        # A cohort that is left out needs no levels.
        required = needed if states(row, outcome) else BASIC_COLUMNS
        for column in (name for name in row if name not in {*BASIC_COLUMNS, *outcome.columns}):
            if fault := _level_fault(record.line, cohort, column, row[column], needed=column in required):
                yield fault


def states(row: Mapping[str, str], outcome: Outcome) -> bool:
    """Return whether a row has counts of an outcome: both cells filled, and patients to count."""
    given = all(not is_missing(row.get(name, "")) for name in outcome.columns)
    return outcome.usual or (given and count_of(row[outcome.n]) != 0)


def count_of(cell: str) -> int | None:
    """Return the count that a cell holds; None if it is not written in digits alone or does not fit into an int64."""
    if not re.fullmatch(r"[0-9]+", cell) or _too_large(cell):
        return None
    return int(cell)


def _too_large(digits: str) -> bool:
    """Return whether a number in digits exceeds the largest count (Python itself refuses to read very long ones)."""
    significant = digits.lstrip("0")
    return len(significant) > len(str(LARGEST_COUNT)) or int(significant or "0") > LARGEST_COUNT


def _id_faults(record: Record, cohort: str, first_lines: dict[str, int], outcome: Outcome) -> Iterator[Fault]:
    """Yield what is wrong with a cohort's id, and note the line where the id first stands."""
    if is_missing(cohort):
        found = _as_found(cohort)
        yield Fault(record.line, found, "any text that no other row has", column="cohort_id")
    elif cohort in first_lines:
        found = f"the id of line {first_lines[cohort]} again"
        advice = f"Delete one of the rows, or rename it if these are other {outcome.units}."
        yield Fault(record.line, found, "each id once", advice, cohort=cohort, column="cohort_id")
    else:
        first_lines[cohort] = record.line


def _outcome_faults(line: int, cohort: str, row: Mapping[str, str], outcome: Outcome) -> Iterator[Fault]:
    """Yield what is wrong with a row's counts of an outcome that not every cohort has."""
    own = [name for name in outcome.columns if name in row and name not in BASIC_COLUMNS]
    given = [name for name in own if not is_missing(row[name])]
    if not given or (count_of(row.get(outcome.n, "")) == 0 and row.get(outcome.responders) in {"", "0"}):
        return
    if missing := [name for name in own if is_missing(row[name])]:
        allowed = f"a whole number, as {given[0]} has one, or nothing in either"
        found = _as_found(row[missing[0]])
        yield Fault(line, found, allowed, KEEP_EMPTY, cohort=cohort, column=missing[0])
        return
    faults = _count_faults(line, cohort, row, outcome)
    yield from (fault for fault in faults if fault.column not in BASIC_COLUMNS)


def _count_faults(line: int, cohort: str, row: Mapping[str, str], outcome: Outcome) -> Iterator[Fault]:
    """Yield what is wrong with a row's two counts, each by itself and against each other."""
    name_r, name_n = outcome.columns
    unknown = KEEP_OUT if outcome.usual else KEEP_EMPTY
    n = count_of(row[name_n]) if name_n in row else None
    responders = count_of(row[name_r]) if name_r in row else None
    if name_r in row and responders is None:
        found, advice = _not_a_count(row[name_r], unknown, outcome)
        yield Fault(line, found, f"a whole number from 0 to {name_n}", advice, cohort=cohort, column=name_r)
    if name_n in row and n is None:
        found, advice = _not_a_count(row[name_n], unknown, outcome)
        yield Fault(line, found, "a whole number of 1 or more", advice, cohort=cohort, column=name_n)
    if n == 0 and outcome.usual:
        advice = f"Leave out a cohort without {outcome.units}."
        yield Fault(line, quoted(row[name_n]), "a whole number of 1 or more", advice, cohort=cohort, column=name_n)
    elif n is not None and responders is not None and responders > n:
        found = f"{responders} {outcome.events} among {n} {outcome.units}"
        advice = "Check both counts, and that their columns are not swapped."
        yield Fault(line, found, f"a whole number from 0 to {n}", advice, cohort=cohort, column=name_r)


def _as_found(cell: str) -> str:
    """Return a cell without a value as a message shows it."""
    return quoted(cell) if cell else "nothing"


def _not_a_count(cell: str, unknown: str, outcome: Outcome) -> tuple[str, str]:
    """Return what was found in a cell that holds no count, and what to do; `unknown` where no number is known."""
    if cell.casefold() in NOT_KNOWN:
        return _as_found(cell), unknown
    if re.fullmatch(r"[0-9]+", cell):
        return quoted(cell), f"The largest count that can be held is {LARGEST_COUNT}."
    if re.match(r"[-−–]\s*[0-9]", cell):
        advice = "A count cannot be negative."
    elif cell.endswith("%"):
        advice = f"Give the number of {outcome.units}, not the rate."
    elif re.fullmatch(r"[0-9]{1,3}([,'’_\s][0-9]{3})+", cell):
        advice = f"Write it in digits alone: {re.sub('[^0-9]', '', cell)}."
    elif re.fullmatch(r"[0-9]{1,3}(\.[0-9]{3})+", cell):
        advice = "Write it in digits alone; the point may stand for a decimal or for thousands."
    elif whole := re.fullmatch(r"([0-9]+)\.0*", cell):
        advice = f"Write it without decimals: {shown(whole[1])}."
    elif re.fullmatch(r"[0-9]+(\.[0-9]+)?[eE]\+?[0-9]{1,2}", cell):
        value = Decimal(cell)
        whole_value = value <= LARGEST_COUNT and value == int(value)
        advice = f"Write it in digits alone{f': {int(value)}' if whole_value else ''}."
    elif re.fullmatch(r"[0-9]*[.,][0-9]+", cell):
        advice = "A count has no decimals. If the source gives only a rate, work the count out from it."
    else:
        advice = "Write it in digits alone."
    return quoted(cell), advice


def _level_fault(line: int, cohort: str, column: str, value: str, *, needed: bool) -> Fault | None:
    """Return what is wrong with a cell that is neither id nor count, if anything."""
    levels = LEVELS.get(column, ()) if needed or column in STRATA else ()
    if is_missing(value):
        if not needed:
            return None
        allowed = ", ".join(levels) or "any text"
        word = f"{quoted(value)} says that it is missing. " if value else ""
        own = " A cohort that is a trial of its own may have its cohort_id there." if column == "trial" else ""
        advice = f"{word}The model needs it for each cohort.{own}"
        return Fault(line, _as_found(value), allowed, advice, cohort=cohort, column=column)
    if not levels or value in levels:
        return None
    guess = near_miss(value, levels, LEVELS_SAID_OTHERWISE.get(column))
    advice = f"Did you mean {quoted(guess)}?" if guess else ""
    return Fault(line, quoted(value), ", ".join(levels), advice, cohort=cohort, column=column)
