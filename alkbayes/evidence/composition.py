"""Data cut-offs and publication years of the cohorts in a table."""

import csv
import io
import re
from collections.abc import Iterator
from importlib.resources import files

import pandas as pd

from alkbayes.evidence.table import Evidence

CUTOFF, PUBLICATION, UNKNOWN = "cut-off", "publication", "unknown"
YEAR = re.compile(r"(?:19|20)\d\d")


def patients_by_year(evidence: Evidence) -> pd.DataFrame:
    """Count cohorts and patients by year.

    Parameters
    ----------
    evidence
        A table. The year of a cohort is that of its data cut-off (column `cutoff`, `YYYY` or `YYYY-MM`); where that is
        not known, for the bundled table that in which the first of its sources with a year was published.

    Returns
    -------
    pandas.DataFrame
        Columns `year` (an int; missing where it is not known), `basis` ("cut-off", "publication" or "unknown"),
        `cohorts` and `patients`, sorted by year, the unknown last.
    """
    rows = pd.DataFrame(_dated(evidence), columns=["year", "basis", "patients"]).astype({"year": "Int64"})
    counts = rows.groupby(["year", "basis"], dropna=False, sort=True)["patients"].agg(cohorts="size", patients="sum")
    return counts.reset_index().sort_values(["year", "basis"], na_position="last", ignore_index=True)


def years_of(evidence: Evidence) -> list[str]:
    """Return the year of each cohort as of :func:`patients_by_year`; empty where it is not known."""
    return ["" if year is None else str(year) for year, _, _ in _dated(evidence)]


def _dated(evidence: Evidence) -> Iterator[tuple[int | None, str, int]]:
    """Yield the year of each cohort, the basis for it, and the number of patients."""
    published = _published() if evidence.bundled else {}
    for row in evidence.frame.to_dict(orient="records"):
        cutoff = YEAR.match(str(row.get("cutoff", "")))
        years = [published[source] for source in str(row.get("source_id", "")).split(";") if source in published]
        if cutoff:
            yield int(cutoff.group()), CUTOFF, row["n"]
        elif years:
            yield years[0], PUBLICATION, row["n"]
        else:
            yield None, UNKNOWN, row["n"]


def _published() -> dict[str, int]:
    """Return the publication year of each source of the bundled table, where known."""
    text = files("alkbayes").joinpath("data", "sources.csv").read_text(encoding="utf-8")
    records = csv.DictReader(io.StringIO(text))
    return {record["source_id"]: int(record["year"]) for record in records if YEAR.fullmatch(record["year"])}
