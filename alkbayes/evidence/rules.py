"""Rules for tables of cohorts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from alkbayes.alk.levels import LEVELS, LEVELS_SAID_OTHERWISE, STRATA
from alkbayes.evidence.faults import Fault
from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.evidence.records import Record, Table
from alkbayes.text.names import listed, near_miss, quoted
from alkbayes.vocabulary import FORMULA_ERRORS, MISSING, is_missing

BASIC_COLUMNS = ("cohort_id", "responders", "n")
"""A cohort's name and counts: columns of every table, once it is read."""

LARGEST_COUNT = 2**63 - 1
"""What an int64 holds."""


WHOLE = re.compile(r"([0-9]+)(?:\.00?)?")
"""How a count may be written."""

NOT_KNOWN = MISSING | {"none", "null", "unknown"}
"""Words for an unknown number. In other columns "none" and "unknown" are levels."""

NO_COUNTS = {
    r"[-−–]\s*[0-9](.|\s)*": "A count cannot be negative.",
    r"(.|\s)*%": "Give the number of {units}, not the rate.",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*": (
        "That is a date, which spreadsheets make of entries such as 3/10: type the count into a cell for numbers."
    ),
    r"[0-9]{1,3}([,'’_\s][0-9]{3})+": "Write it in digits alone: {digits}.",
    r"[0-9]{1,3}(\.[0-9]{3})+": "Write it in digits alone; the point may stand for a decimal or for thousands.",
    r"[0-9]*[.,][0-9]+": "A count has no decimals. If the source gives only a rate, work the count out from it.",
    r"(.|\s)*": "Write it in digits alone.",
}
"""Advice on cells that are not counts, by the first pattern that matches."""

FORMULA = "A formula in this cell has no result: correct it, or write the value."
KEEP_OUT = "If the number is not known, leave the cohort out."
KEEP_EMPTY = "If a cohort does not say, leave both cells empty."


def header_faults(table: Table) -> Iterator[Fault]:
    """Yield faults of the header (names empty or repeated) and of a table without rows."""
    line, names = table.header.line, table.header.cells
    filled = [any(cells) for cells in zip(*(record.cells for record in table.records), strict=True)] or [True] * len(
        names
    )
    # Spreadsheets write columns without any name or cell.
    if unnamed := [str(place) for place, name in enumerate(names, start=1) if not name and filled[place - 1]]:
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
    if not table.records and not table.faults:
        yield Fault(line, "a header and no rows below it", "one row or more, one for each cohort")


def row_faults(table: Table, needed: Sequence[str], outcome: Outcome = ORR) -> Iterator[Fault]:
    """Yield faults of the rows, within cells and between rows, in columns that occur once."""
    names = table.header.cells
    places = {name: place for place, name in enumerate(names) if names.count(name) == 1}
    first_lines: dict[str, int] = {}
    closed = {name: levels for name, levels in LEVELS.items() if name in places and _uses(table, places[name], levels)}
    declared = {name: levels for name in places if (levels := outcome.declared.levels(name))}
    for record in table.records:
        row = {name: record.cells[place] for name, place in places.items()}
        cohort = row.get("cohort_id", "")
        if "cohort_id" in row:
            yield from _id_faults(record, table.unit, cohort, first_lines, outcome)
        yield from (_count_faults if outcome.usual else _outcome_faults)(record.line, cohort, row, outcome)
        # A cohort that is left out needs no levels.
        required = needed if states(row, outcome) else ()
        for column in (name for name in row if name not in {"cohort_id", *outcome.columns}):
            levels = closed.get(column, ()) if column in {*needed, *STRATA} else ()
            fault = (
                _declared_fault(record.line, cohort, column, row[column], declared[column], needed=column in required)
                if column in declared
                else _level_fault(record.line, cohort, column, row[column], levels, needed=column in required)
            )
            if fault:
                yield fault


def _uses(table: Table, place: int, levels: Sequence[str]) -> bool:
    """Return whether a column uses the field's own levels, or is blank."""
    found = {record.cells[place] for record in table.records if not is_missing(record.cells[place])}
    return not found or not found.isdisjoint(levels)


def states(row: Mapping[str, str], outcome: Outcome) -> bool:
    """Return whether a row has counts of an outcome: both cells filled, and patients to count."""
    given = all(not is_missing(row.get(name, "")) for name in outcome.columns)
    return outcome.usual or (given and count_of(row[outcome.n]) != 0)


def count_of(cell: str) -> int | None:
    """Return the count in a cell; None unless it is a whole number in digits that fits into an int64.

    12.0 and 12.00 are accepted: pandas writes so in a column with missing values. 12.000 may be thousands.
    """
    digits = WHOLE.fullmatch(cell)
    return None if digits is None or _too_large(digits[1]) else int(digits[1])


def _too_large(digits: str) -> bool:
    """Return whether a number in digits exceeds the largest count (Python itself refuses to read very long ones)."""
    significant = digits.lstrip("0")
    return len(significant) > len(str(LARGEST_COUNT)) or int(significant or "0") > LARGEST_COUNT


def _id_faults(
    record: Record, unit: str, cohort: str, first_lines: dict[str, int], outcome: Outcome
) -> Iterator[Fault]:
    """Yield faults of a cohort's id, and record its first occurrence."""
    if is_missing(cohort):
        found = _as_found(cohort)
        yield Fault(record.line, found, "any text that no other row has", column="cohort_id")
    elif cohort in first_lines:
        found = f"the id of {unit} {first_lines[cohort]} again"
        advice = f"Delete one of the rows, or rename it if these are other {outcome.units}."
        yield Fault(record.line, found, "each id once", advice, cohort=cohort, column="cohort_id")
    else:
        first_lines[cohort] = record.line


def _outcome_faults(line: int, cohort: str, row: Mapping[str, str], outcome: Outcome) -> Iterator[Fault]:
    """Yield faults of a row's counts for an outcome that some cohorts may lack."""
    own = [name for name in outcome.columns if name in row and name not in ORR.columns]
    given = [name for name in own if not is_missing(row[name])]
    if not given or (count_of(row.get(outcome.n, "")) == 0 and row.get(outcome.responders) in {"", "0"}):
        return
    if missing := [name for name in own if is_missing(row[name])]:
        allowed = f"a whole number, as {given[0]} has one, or nothing in either"
        found = _as_found(row[missing[0]])
        yield Fault(line, found, allowed, KEEP_EMPTY, cohort=cohort, column=missing[0])
        return
    yield from _count_faults(line, cohort, row, outcome)


def _count_faults(line: int, cohort: str, row: Mapping[str, str], outcome: Outcome) -> Iterator[Fault]:
    """Yield faults of a row's two counts, singly and together."""
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
    """Return a missing value as shown in messages."""
    return quoted(cell) if cell else "nothing"


def _not_a_count(cell: str, unknown: str, outcome: Outcome) -> tuple[str, str]:
    """Describe a cell that is not a count, and return advice: `unknown` if it is a missing value."""
    if cell.casefold() in NOT_KNOWN:
        return _as_found(cell), FORMULA if cell.casefold() in FORMULA_ERRORS else unknown
    if WHOLE.fullmatch(cell):
        return quoted(cell), f"The largest count that can be held is {LARGEST_COUNT}."
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?[eE]\+?[0-9]{1,2}", cell):
        value = Decimal(cell)
        whole_value = value <= LARGEST_COUNT and value == int(value)
        return quoted(cell), f"Write it in digits alone{f': {int(value)}' if whole_value else ''}."
    advice = next(advice for pattern, advice in NO_COUNTS.items() if re.fullmatch(pattern, cell))
    return quoted(cell), advice.format(digits=re.sub("[^0-9]", "", cell), units=outcome.units)


def _declared_fault(
    line: int, cohort: str, column: str, value: str, levels: Sequence[str], *, needed: bool
) -> Fault | None:
    """Return the fault of a cell in a column whose levels the model file gives; none if it is empty and may be."""
    if value in levels or (is_missing(value) and not needed):
        return None
    guess = near_miss(value, levels)
    advice = f"Write `{guess}`." if guess else f"These are the levels that the model gives for {column}."
    if is_missing(value):
        advice = "The model needs it for each cohort."
    return Fault(line, _as_found(value), ", ".join(levels), advice, cohort=cohort, column=column)


def _level_fault(
    line: int, cohort: str, column: str, value: str, levels: Sequence[str], *, needed: bool
) -> Fault | None:
    """Return the fault of a cell that is neither id nor count, if any.

    Parameters
    ----------
    line, cohort, column, value
        Of the cell.
    levels
        The field's own levels, if the column uses them: near misses are faults.
    needed
        Whether the model needs a value.
    """
    allowed = ", ".join(levels) or "any text"
    if is_missing(value):
        if not needed:
            return None
        word = f"{quoted(value)} says that it is missing. " if value else ""
        return Fault(
            line,
            _as_found(value),
            f"{allowed} or a level of your own" if levels else allowed,
            f"{word}The model needs it for each cohort.",
            cohort=cohort,
            column=column,
        )
    guess = None if value in levels else near_miss(value, levels, LEVELS_SAID_OTHERWISE.get(column))
    if guess is None:
        return None
    advice = f"Write `{guess}`; levels of your own are allowed but must not resemble these."
    return Fault(line, quoted(value), allowed, advice, cohort=cohort, column=column)
