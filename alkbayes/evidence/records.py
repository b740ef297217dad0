"""A table as read from a file: a header, and records that know their place in the file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from alkbayes.errors import EvidenceError
from alkbayes.evidence.faults import Fault, refusal
from alkbayes.text.names import quoted

LEAST_COLUMNS = 3
"""Number of cells in a row from which a single cell above it is taken for a title."""

ROWS = "an evidence table has a header and a row for each cohort."


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one record, stripped of surrounding blanks, and the line of the file on which it starts."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A header, the records that match it in length, and faults for those that do not.

    Attributes
    ----------
    name
        The file's name in messages, with the sheet where it is a workbook.
    header, records, faults
        What was read, and what could not be.
    unit
        How places are counted: "line" of a text file, "row" of a workbook or a data frame.
    notes
        What a reader must know about how the file was read, in sentences.
    sheet
        Of a workbook; None for any other file.
    columns
        Names of the header, each with the file's own name for the column, where the two differ or the user says so.
    own
        The header of the file, once the columns have other names.
    guessed
        Needed columns that the file lacks, each with the file's name of the one that may be meant. It has the needed
        name here, so that its cells can be checked; a table with guesses is never used.
    """

    name: str
    header: Record
    records: tuple[Record, ...]
    faults: tuple[Fault, ...]
    unit: str = "line"
    notes: tuple[str, ...] = ()
    sheet: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    guessed: Mapping[str, str] = field(default_factory=dict)

    def refusal(self, faults: Iterable[Fault]) -> EvidenceError:
        """Return an error that lists faults by the places and column names of the file."""
        return refusal(self.name, faults, unit=self.unit, columns=self.columns)

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        place = self.header.cells.index(name)
        return [record.cells[place] for record in self.records]


def assembled(
    items: Iterable[Record | Fault],
    name: str,
    *,
    unit: str = "line",
    notes: Sequence[str] = (),
    sheet: str | None = None,
    separator: str = "comma",
) -> Table:
    """Return a table whose header is the first record; titles above it are skipped.

    Raises
    ------
    EvidenceError
        If there is no header, or it cannot be read.
    """
    header, titles, rest = _header(list(items), name, unit)
    records = [item for item in rest if isinstance(item, Record)]
    if _numbers_rows(header, records):
        header, *records = (replace(record, cells=record.cells[1:]) for record in (header, *records))
        titles.append("Passed over: a first column without a name, which numbers the rows.")
    faults = [item for item in rest if isinstance(item, Fault)]
    faults += [_ragged(record, header, separator) for record in records if len(record.cells) != len(header.cells)]
    return Table(
        name=name,
        header=header,
        records=tuple(record for record in records if len(record.cells) == len(header.cells)),
        faults=tuple(faults),
        unit=unit,
        notes=(*notes, *titles),
        sheet=sheet,
    )


def _header(items: list[Record | Fault], name: str, unit: str) -> tuple[Record, list[str], list[Record | Fault]]:
    """Return the header, notes on titles above it, and the items below it."""
    titles: list[str] = []
    for place, item in enumerate(items):
        if isinstance(item, Fault):
            raise EvidenceError(item.text(name, unit=unit))
        below = items[place + 1] if place + 1 < len(items) else None
        alone = [cell for cell in item.cells if cell]
        if len(alone) > 1 or not isinstance(below, Record) or _filled(below) < LEAST_COLUMNS:
            return item, titles, items[place + 1 :]
        titles.append(f"Passed over as a title: {unit} {item.line}, {quoted(alone[0])}.")
    raise EvidenceError(f"{name} holds no column names; {ROWS}")


def _numbers_rows(header: Record, records: Sequence[Record]) -> bool:
    """Return whether the first column has no name and counts from 0 or 1, as R and pandas write row names."""
    if header.cells[0] or not records or len(header.cells) == 1:
        return False
    first = [record.cells[0] for record in records]
    return any(first == [str(number) for number in range(start, start + len(first))] for start in (0, 1))


def _filled(record: Record) -> int:
    return sum(map(bool, record.cells))


def _ragged(record: Record, header: Record, separator: str) -> Fault:
    """Return the fault of a record longer or shorter than the header."""
    many, needed = len(record.cells), len(header.cells)
    advice = f"Write a {separator} for each empty cell too."
    if many > needed:
        advice = f'Put quotation marks around a cell with a {separator} in it, as in "Japan, Korea"'
        advice += ", and write 1234 rather than 1,234 and 2.5 rather than 2,5." if separator == "comma" else "."
    cohort = record.cells[0] if header.cells[0] == "cohort_id" else ""
    fields = "1 field" if many == 1 else f"{many} fields"
    return Fault(record.line, fields, f"{needed}, as in the header", advice, cohort=cohort)
