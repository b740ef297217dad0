"""Where a table comes from: file, sheet, and column mapping."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alkbayes.errors import UsageError
from alkbayes.text.names import quoted

STANDARD_INPUT = "standard input"
"""Name of a table that was piped in."""

EXAMPLE = "cohort_id=studlab,responders=event,n=n"
CONDITION = 'region == "Asia" and year >= 2015'
"""Examples of a column mapping and of a condition."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which cohorts of a table to use.

    Attributes
    ----------
    where
        Condition on columns, such as 'region == "Asia" and year >= 2015'; empty for all cohorts. A comparison with a
        missing value neither holds nor fails, nor does its negation.
    exclude
        Names of cohorts to leave out.
    reason
        Reason for the selection, as the user states it.
    """

    where: str = ""
    exclude: tuple[str, ...] = ()
    reason: str = ""

    def __bool__(self) -> bool:
        return bool(self.where or self.exclude)

    def as_record(self) -> dict[str, str | list[str]]:
        """Return the selection as values that JSON can hold."""
        return {"where": self.where, "exclude": list(self.exclude), "reason": self.reason}


ALL_COHORTS = Selection()


@dataclass(frozen=True, slots=True)
class TableSource:
    """Where a table is, how to read it, and which of its cohorts to use.

    Attributes
    ----------
    path
        The file; None where it was piped in, and for the bundled table.
    columns
        Mapping from names used here to the column names of the file.
    sheet
        Of a workbook.
    content
        Bytes that were piped in; None where there is a file.
    selection
        Which cohorts to use.
    """

    path: Path | None
    columns: Mapping[str, str] = field(default_factory=dict)
    sheet: str | None = None
    content: bytes | None = None
    selection: Selection = ALL_COHORTS

    @property
    def bundled(self) -> bool:
        """Whether this is the bundled table."""
        return self.path is None and self.content is None


def parse_columns(text: str) -> dict[str, str]:
    """Parse a column mapping such as "cohort_id=studlab,responders=event,n=n".

    Quote a pair that contains a comma, as in CSV.

    Raises
    ------
    UsageError
        If it is no such list, or one name stands in it twice.
    """
    try:
        pairs = next(csv.reader(io.StringIO(text), strict=True, skipinitialspace=True), [])
    except csv.Error as error:
        raise UsageError(
            f"found {quoted(text)}, whose quotation marks do not pair up; allowed: {EXAMPLE}.", parameter="columns"
        ) from error
    columns: dict[str, str] = {}
    for pair in pairs:
        name, sign, own = (part.strip() for part in pair.partition("="))
        if not (name and sign and own):
            raise UsageError(
                f"found {quoted(pair)}; allowed: pairs of a name and the column of the file, as in {EXAMPLE}. "
                "A pair with a comma in it stands in double quotes: '\"age=Age, mean\",n=n'.",
                parameter="columns",
            )
        if name in columns:
            raise UsageError(f"two columns claim the name {name}: {columns[name]} and {own}.", parameter="columns")
        if own in columns.values():
            raise UsageError(f"the column {own} of the file is given two names.", parameter="columns")
        columns[name] = own
    if not columns:
        raise UsageError(f"found nothing; allowed: {EXAMPLE}.", parameter="columns")
    return columns


def columns_text(columns: Mapping[str, str]) -> str:
    """Return a column mapping as text that :func:`parse_columns` reads."""
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="").writerow(f"{name}={own}" for name, own in columns.items())
    return line.getvalue()
