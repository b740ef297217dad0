"""Rules for the columns of median progression-free survival (PFS).

They are checked only when medians are analysed: a fault in them should not stop an analysis of response rates.
"""

import re
from collections.abc import Iterator, Mapping

from alkbayes.alk.levels import PfsStatus
from alkbayes.evidence.faults import Fault
from alkbayes.evidence.records import Table
from alkbayes.evidence.rules import count_of
from alkbayes.text.names import near_miss, plain, quoted

MEDIAN, LOW, HIGH, BEYOND = "pfs_median", "pfs_ci_low", "pfs_ci_high", "pfs_beyond"
PATIENTS, STATUS = "pfs_n", "pfs_status"
MONTHS = (MEDIAN, LOW, HIGH, BEYOND)
LONGEST = 600.0
"""Longest plausible median in months; anything longer is in days or a typing error."""
ALLOWED = f"months, a number above 0 and at most {LONGEST:.0f}, or nothing"
NOT_REACHED = {"nr", "ne", "notreached", "notestimable", "na", "inf", "infinity"}
"""How a paper prints that a median or a limit was not reached, as `text.names.plain` leaves it."""
STATUS_SAID_OTHERWISE = {"nr": "not_reached", "ne": "not_reached", "notestimable": "not_reached"} | dict.fromkeys(
    ("na", "unknown", "missing"), "not_reported"
)


def months_of(cell: str) -> float | None:
    """Return the number of months in a cell; None unless it is a plain decimal above 0 of plausible size."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?|\.[0-9]+", cell):
        return None
    months = float(cell)
    return months if 0 < months <= LONGEST else None


def status_of(row: Mapping[str, str]) -> str:
    """Return the status of the median, inferred from the median itself if the status is blank."""
    return row.get(STATUS) or (PfsStatus.REACHED if row.get(MEDIAN) else PfsStatus.NOT_REPORTED)


def pfs_faults(table: Table) -> Iterator[Fault]:
    """Yield faults in the columns of median PFS, within cells and between the cells of a row."""
    names = table.header.cells
    places = {name: place for place, name in enumerate(names) if names.count(name) == 1}
    for record in table.records:
        row = {name: record.cells[place] for name, place in places.items()}
        faults = [*_cell_faults(record.line, row)]
        # What is no number cannot be held against another.
        yield from faults or _row_faults(record.line, row)


def _cell_faults(line: int, row: Mapping[str, str]) -> Iterator[Fault]:
    cohort = row.get("cohort_id", "")
    for column in MONTHS:
        if (cell := row.get(column, "")) and months_of(cell) is None:
            yield Fault(line, quoted(cell), ALLOWED, _advice(column, cell), cohort=cohort, column=column)
    if (cell := row.get(PATIENTS, "")) and not count_of(cell):
        allowed = "a whole number of 1 or more, or nothing"
        advice = "Where it is empty, n stands for it."
        yield Fault(line, quoted(cell), allowed, advice, cohort=cohort, column=PATIENTS)
    if (cell := row.get(STATUS, "")) and cell not in set(PfsStatus):
        guess = near_miss(cell, PfsStatus, STATUS_SAID_OTHERWISE)
        advice = f"Did you mean {quoted(guess)}?" if guess else ""
        yield Fault(line, quoted(cell), ", ".join(PfsStatus), advice, cohort=cohort, column=STATUS)


def _advice(column: str, cell: str) -> str:
    """Return advice on a cell that does not hold a number of months."""
    if plain(cell) in NOT_REACHED:
        if column == MEDIAN:
            return f"Leave it empty, and write {PfsStatus.NOT_REACHED} in the column {STATUS}."
        return "Leave a limit that was not reached or is not known empty."
    if re.fullmatch(r"[0-9]+,[0-9]+", cell):
        return f"Write it with a point: {cell.replace(',', '.')}."
    if re.match(r"[>≥]\s*[0-9]", cell):
        return f"Write what the median lies beyond into {BEYOND}, and {PfsStatus.NOT_REACHED} into {STATUS}."
    if re.match(r"[0-9.]+\s*[([]", cell):
        return f"The interval has columns of its own: {LOW} and {HIGH}."
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", cell) and float(cell) > LONGEST:
        return "Write months, not days or weeks."
    return "Write a plain decimal number, as in 10.9, or leave it empty if it is not known."


def _row_faults(line: int, row: Mapping[str, str]) -> Iterator[Fault]:
    """Yield contradictions within a row whose cells are valid by themselves."""
    cohort, status = row.get("cohort_id", ""), status_of(row)
    median, low, high, beyond = (months_of(row.get(column, "")) for column in MONTHS)

    def fault(column: str, found: str, allowed: str, advice: str = "") -> Fault:
        return Fault(line, found, allowed, advice, cohort=cohort, column=column)

    if status == PfsStatus.REACHED and median is None:
        advice = f"Give the median, or write {PfsStatus.NOT_REACHED} or {PfsStatus.NOT_REPORTED}."
        yield fault(STATUS, f"{status}, without a median", f"{status} beside a {MEDIAN}", advice)
    if status != PfsStatus.REACHED and median is not None:
        found = f"{status}, beside a median of {row[MEDIAN]} months"
        yield fault(STATUS, found, f"{PfsStatus.REACHED} beside a {MEDIAN}", "Delete the median, or mend the status.")
    if status != PfsStatus.NOT_REACHED and beyond is not None:
        found = f"{row[BEYOND]}, of a median that is not marked as not reached"
        advice = f"Write {PfsStatus.NOT_REACHED} into {STATUS}, or delete it."
        yield fault(BEYOND, found, f"months beside the status {PfsStatus.NOT_REACHED}", advice)
    if status == PfsStatus.NOT_REPORTED and low is not None:
        advice = f"If the median was not reached, write {PfsStatus.NOT_REACHED} into {STATUS}."
        yield fault(LOW, f"{row[LOW]}, a lower limit without a median", f"a limit beside a {MEDIAN}", advice)
    if median is None and high is not None:
        advice = "The estimate lies within its interval: give the median, or delete the limit."
        yield fault(HIGH, f"{row[HIGH]}, an upper limit without a median", f"a limit beside a {MEDIAN}", advice)
    advice = "Check the three numbers, and that their columns are not swapped."
    if median is not None and low is not None and low > median:
        yield fault(LOW, f"{row[LOW]}, above the median of {row[MEDIAN]}", f"at most {row[MEDIAN]}", advice)
    if median is not None and high is not None and high < median:
        yield fault(HIGH, f"{row[HIGH]}, below the median of {row[MEDIAN]}", f"at least {row[MEDIAN]}", advice)
    if low is not None and low == high:
        found = f"{row[HIGH]}, the same as the lower limit"
        yield fault(HIGH, found, "an upper limit above the lower one", "An interval has a width: leave both empty.")
