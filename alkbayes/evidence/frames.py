"""Pandas data frames and Parquet files as tables."""

import csv
import io
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from alkbayes.errors import EvidenceError
from alkbayes.evidence.naming import COHORT, WELL_KNOWN
from alkbayes.evidence.records import Record, Table, assembled
from alkbayes.text.names import plain, quoted

PARQUET = b"PAR1"
"""First bytes of a Parquet file."""


def read_parquet(content: bytes, name: str) -> Table:
    """Return the table in a Parquet file; `name` is the file's.

    Raises
    ------
    EvidenceError
        If it cannot be read.
    """
    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError, LookupError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise EvidenceError(f"{name} looks like Parquet but cannot be read ({reason}). Write it again.") from error
    return table_of_frame(frame, name)


def table_of_frame(frame: pd.DataFrame, name: str, *, named: Collection[str] = ()) -> Table:
    """Return a data frame as a table.

    A named index becomes the first column. One of texts without a name names the cohorts, if nothing else does; what is
    made of it, if it is more than row numbers, is said in a note. `named` are the columns that the caller has named.
    """
    notes: tuple[str, ...] = ()
    if any(label is not None for label in frame.index.names):
        frame = frame.reset_index()
    elif not pd.api.types.is_integer_dtype(frame.index):
        ignored = _why_ignored(frame, named)
        if ignored:
            notes = (f"The index of {name} is ignored: {ignored}.",)
        else:
            notes = (f"The index of {name} names the cohorts.",)
            frame = frame.rename_axis(COHORT).reset_index()
    if frame.shape[1] == 0:
        raise EvidenceError(f"{name} has no columns; allowed: one row for each cohort, with its two counts.")
    header = Record(0, tuple(str(column).strip() for column in frame.columns))
    columns = [list(map(_text, frame.iloc[:, place])) for place in range(frame.shape[1])]
    rows = zip(*columns, strict=True)
    records = [Record(at, cells) for at, cells in enumerate(rows, start=1) if any(cells)]
    return assembled([header, *records], name, unit="row", notes=notes)


def _why_ignored(frame: pd.DataFrame, named: Collection[str]) -> str:
    """Return why an index without a name cannot name the cohorts; empty if it can."""
    spellings = {plain(COHORT), *WELL_KNOWN[COHORT]}
    columns = [str(column).strip() for column in frame.columns if plain(str(column)) in spellings]
    if COHORT in named or columns:
        return f"the column {quoted(columns[0])} names the cohorts" if columns else "a column names the cohorts"
    if not all(isinstance(label, str) and label.strip() for label in frame.index):
        return "not each of its labels is a text"
    if len(set(frame.index)) < len(frame):
        return "some of its labels stand twice"
    return ""


def as_csv(table: Table) -> bytes:
    """Return a table as the bytes of a CSV file in UTF-8."""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerows(record.cells for record in (table.header, *table.records))
    return lines.getvalue().encode()


def _text(value: Any) -> str:
    """Return a cell as text: whole numbers without decimals, missing values as an empty string, line ends as in a file.

    Before Python 3.13, `csv` did not quote a carriage return, which then ends the row.
    """
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    if isinstance(value, float | np.floating) and value.is_integer():
        return str(int(value))
    return str(value).strip().replace("\r\n", "\n").replace("\r", "\n")
