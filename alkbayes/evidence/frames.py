"""Pandas data frames and Parquet files as tables."""

import csv
import io
from typing import Any

import numpy as np
import pandas as pd

from alkbayes.errors import EvidenceError
from alkbayes.evidence.records import Record, Table, assembled

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


def table_of_frame(frame: pd.DataFrame, name: str) -> Table:
    """Return a data frame as a table; a named index becomes the first column."""
    if any(label is not None for label in frame.index.names):
        frame = frame.reset_index()
    if frame.shape[1] == 0:
        raise EvidenceError(f"{name} has no columns; allowed: one row for each cohort, with its two counts.")
    header = Record(0, tuple(str(column).strip() for column in frame.columns))
    columns = [list(map(_text, frame.iloc[:, place])) for place in range(frame.shape[1])]
    rows = zip(*columns, strict=True)
    records = [Record(at, cells) for at, cells in enumerate(rows, start=1) if any(cells)]
    return assembled([header, *records], name, unit="row")


def as_csv(table: Table) -> bytes:
    """Return a table as the bytes of a CSV file in UTF-8."""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerows(record.cells for record in (table.header, *table.records))
    return lines.getvalue().encode()


def _text(value: Any) -> str:
    """Return a cell as text: whole numbers without decimals, missing values as an empty string."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    if isinstance(value, float | np.floating) and value.is_integer():
        return str(int(value))
    return str(value).strip()
