"""Faults of an evidence table, one line each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from alkbayes.errors import EvidenceError, Setting
from alkbayes.text.names import quoted, shown
from alkbayes.text.wording import counted

MOST_SHOWN = 20
"""Number of faults spelt out in a message; the rest are counted."""
NAME_COLUMNS = "Name columns as in:"
"""Last words of a message that the remedy completes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A single fault of a table.

    Attributes
    ----------
    line
        Line of the file, or row of the sheet, on which the record starts, counted from 1.
    found, allowed
        What was found and what is allowed, to follow "found" and "allowed:".
    advice
        What to do, in whole sentences; may be empty.
    cohort, column
        The cell; empty if the fault is not in a single cell.
    meant
        The file's own name of the column that may be meant by `column`, where that is not found.
    """

    line: int
    found: str
    allowed: str
    advice: str = ""
    cohort: str = ""
    column: str = ""
    meant: str = ""

    def text(self, name: str, *, unit: str = "line", columns: Mapping[str, str] | None = None) -> str:
        """Return the fault as one line.

        Parameters
        ----------
        name
            The file's.
        unit
            How its places are counted, "line" or "row".
        columns
            The file's own names for columns, where they differ.
        """
        place = [name, f"{unit} {self.line}"]
        if self.cohort:
            place.append(f"cohort {quoted(self.cohort)}")
        if self.column:
            own = self.column if self.meant else (columns or {}).get(self.column, self.column)
            same = own == self.column
            place.append(f"column {shown(own)}" if same else f"column {shown(own)} ({self.column})")
        return f"{', '.join(place)}: found {self.found}; allowed: {self.allowed}. {self.advice}".rstrip()


def refusal(
    name: str, faults: Iterable[Fault], *, unit: str = "line", columns: Mapping[str, str] | None = None
) -> EvidenceError:
    """Return the error that lists `faults` by line, the first twenty in full; parameters as of :meth:`Fault.text`."""
    in_order = sorted(faults, key=lambda fault: fault.line)
    many = len(in_order)
    lines = [f"{name} has {counted(many, 'fault')}; nothing was computed."]
    lines += [f"  {fault.text(name, unit=unit, columns=columns)}" for fault in in_order[:MOST_SHOWN]]
    if many > MOST_SHOWN:
        rest = many - MOST_SHOWN
        lines.append(f"  … and {counted(rest, 'more fault')}.")
    meant = {fault.column: fault.meant for fault in in_order if fault.meant}
    if not meant:
        return EvidenceError("\n".join(lines))
    return EvidenceError("\n".join((*lines, NAME_COLUMNS)), remedy=Setting("columns", meant))
