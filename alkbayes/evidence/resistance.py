"""Tables of resistance mutations: reading them, and never counting the same samples twice for one question.

A question is one set of mutations in one assay (tissue or plasma). Rows that share samples or patients have one
`sample_set`; rows that may share some have one `may_overlap`. Of either only one row may be counted for a question.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pandas as pd

from alkbayes.alk.levels import LEVELS
from alkbayes.evidence.faults import Fault
from alkbayes.evidence.files import read_bytes, read_records
from alkbayes.evidence.naming import fixed_name_faults
from alkbayes.evidence.records import Table
from alkbayes.evidence.rules import count_of, header_faults
from alkbayes.evidence.table import BUNDLED
from alkbayes.text.names import near_miss, plain, quoted
from alkbayes.vocabulary import is_missing

QUESTION = ("mutation_set", "assay")
COUNTS = ("n_with", "n_biopsies")
NEEDED = ("mutation_set", "after_agent", "after_generation", "assay", "n_biopsies", "n_with", "sample_set")
OPTIONAL = {"may_overlap": "", "counted": "yes", "source_id": "", "note": ""}
"""Columns that a table may lack, and what stands in each row then."""
SHARED = ("sample_set", "may_overlap")
"""Columns in which rows of one name have samples in common, or may have."""


@dataclass(frozen=True, slots=True)
class ResistanceTable:
    """A table of resistance mutations that has passed every check.

    Attributes
    ----------
    frame
        One row a count, in the order of the file. Columns mutation_set, after_agent, after_generation, assay,
        n_biopsies and n_with (int64, 0 <= n_with <= n_biopsies, n_biopsies >= 1), sample_set, may_overlap, counted
        (bool), source_id, note, and whatever the file has beside, as text.
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


def read_resistance(path: Path | None = None) -> ResistanceTable:
    """Read a table of resistance mutations and check it whole.

    Parameters
    ----------
    path
        A file as of :func:`alkbayes.evidence.table.read_evidence`; None for the bundled table. Columns as in
        `data/SCHEMA.md`.

    Raises
    ------
    EvidenceError
        If the file cannot be read as such a table or breaks a rule, among them: two rows are counted for one question
        that have, or may have, samples in common. The message lists every fault by its line.
    """
    if path is None:
        name, source = "the bundled table of resistance mutations", BUNDLED
        content = files("alkbayes").joinpath("data", "resistance.csv").read_bytes()
    else:
        name = str(path)
        source = name if name != BUNDLED else f"./{name}"
        content = read_bytes(path)
    table = read_records(content, name, expected=NEEDED)
    if faults := [*table.faults, *header_faults(table), *fixed_name_faults(table, NEEDED), *_row_faults(table)]:
        raise table.refusal(faults)
    return ResistanceTable(_frame(table), source, sha256(content).hexdigest(), content)


def read_responses() -> pd.DataFrame:
    """Return the bundled table of response by mutation status, as text; see `data/SCHEMA.md`."""
    with files("alkbayes").joinpath("data", "orr_by_mutation.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def _row_faults(table: Table) -> Iterator[Fault]:
    """Yield what is wrong with the rows, cell by cell, and which samples would be counted twice."""
    names = table.header.cells
    places = {name: place for place, name in enumerate(names) if names.count(name) == 1}
    counted: dict[tuple[str, str, str, str], int] = {}
    for record in table.records:
        row = {name: record.cells[place] for name, place in places.items()}
        yield from _count_faults(record.line, row)
        for column in (name for name in (*NEEDED, "counted") if name in row and name not in COUNTS):
            if fault := _cell_fault(record.line, column, row[column]):
                yield fault
        if row.get("counted", "yes") != "no":
            yield from _shared(record.line, row, counted)
    if (
        "counted" in places
        and table.records
        and all(record.cells[places["counted"]] == "no" for record in table.records)
    ):
        advice = "Write it in one row of each set of samples at least."
        yield Fault(table.header.line, "no in every row", "yes in a row or more", advice, column="counted")


def _shared(line: int, row: Mapping[str, str], counted: dict[tuple[str, str, str, str], int]) -> Iterator[Fault]:
    """Yield a fault where an earlier row counts these samples, or may count some of them, for the same question."""
    for column in SHARED:
        if is_missing(row.get(column, "")):
            continue
        mutation, assay, name = (_word(row.get(each, "")) for each in (*QUESTION, column))
        key = (column, mutation, assay, name)
        if key in counted:
            shares = "the samples" if column == "sample_set" else "what may be the samples"
            question = f"{quoted(row.get('mutation_set', ''))} in {row.get('assay', '')}"
            yield Fault(
                line,
                f"{shares} of {quoted(row[column])} again, which line {counted[key]} counts for {question}",
                "the same samples once for a question, a set of mutations in one assay",
                'Write "no" into the column counted of one of the two; if they are other patients, give them another '
                "name.",
                column=column,
            )
            return
        counted[key] = line


def _word(text: str) -> str:
    """Return a name however it is spelt: "any ALK mutation" and "Any ALK-mutation" are one question."""
    return plain(text) or text


def _count_faults(line: int, row: Mapping[str, str]) -> Iterator[Fault]:
    """Yield what is wrong with a row's two counts."""
    counts = {name: count_of(row[name]) for name in COUNTS if name in row}
    for name, least in zip(COUNTS, (0, 1), strict=True):
        if name in row and (counts[name] is None or (counts[name] or 0) < least):
            found = quoted(row[name]) if row[name] else "nothing"
            advice = "Write it in digits alone. If the source prints a rate only, leave the row out."
            yield Fault(line, found, f"a whole number of {least} or more", advice, column=name)
            return
    with_mutation, samples = (counts.get(name) for name in COUNTS)
    if with_mutation is not None and samples is not None and with_mutation > samples:
        found = f"{with_mutation} with a mutation among {samples} samples"
        advice = "Check both counts, and that their columns are not swapped."
        yield Fault(line, found, f"a whole number from 0 to {samples}", advice, column=COUNTS[0])


def _cell_fault(line: int, column: str, value: str) -> Fault | None:
    """Return what is wrong with a cell that is no count, if anything."""
    levels = LEVELS.get(column, ())
    missing = is_missing(value)
    if not missing and (not levels or value in levels):
        return None
    allowed = ", ".join(levels) or "any text"
    if missing:
        advice = "Rows that share samples or patients have one name, every other row its own."
        found = quoted(value) if value else "nothing"
        return Fault(line, found, allowed, advice if column == "sample_set" else "", column=column)
    guess = near_miss(value, levels)
    return Fault(line, quoted(value), allowed, f"Did you mean {quoted(guess)}?" if guess else "", column=column)


def _frame(table: Table) -> pd.DataFrame:
    """Return the records of a table without faults as `ResistanceTable.frame` has them."""
    columns = zip(*(record.cells for record in table.records), strict=True)
    frame = pd.DataFrame(
        {
            name: pd.Series(list(cells), dtype="str")
            for name, cells in zip(table.header.cells, columns, strict=True)
            if name
        }
    )
    for name, value in OPTIONAL.items():
        if name not in frame:
            frame[name] = value
    first: dict[str, str] = {}
    frame["mutation_set"] = [first.setdefault(_word(text), text) for text in frame["mutation_set"]]
    return frame.astype(dict.fromkeys(COUNTS, "int64")).assign(counted=frame["counted"] == "yes")
