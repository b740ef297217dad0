"""What the draws of each number are worth, as a reader sees it."""

from collections.abc import Iterable, Mapping
from typing import Any

from alkbayes.presentation.tables import ReaderTable
from alkbayes.text.names import shown
from alkbayes.text.wording import percent, percent_interval, ratio, unsigned_zero


def quantity_rows(title: str, rows: Iterable[Mapping[str, Any]]) -> ReaderTable:
    """Return numbers with their Monte Carlo errors, and R-hat and effective sample sizes of their draws.

    Parameters
    ----------
    title
        What they are.
    rows
        Of `quantities` in :meth:`alkbayes.criticism.diagnosis.Diagnosis.as_record`. Draws without R-hat have no such
        column. Rates and differences are shown in percent, errors of the median and of the worse end of the interval.
    """
    listed = list(rows)
    chains = any(row["rhat"] is not None for row in listed)
    headings = ("", "median (95 %)", "error", *(["R-hat"] if chains else []), "bulk\nESS", "tail\nESS")
    return ReaderTable(title, headings, tuple(_cells(row, chains=chains) for row in listed))


def _cells(row: Mapping[str, Any], *, chains: bool) -> tuple[str, ...]:
    agreement = [] if not chains else ["–" if row["rhat"] is None else f"{row['rhat']:.3f}"]
    ess = ["–" if row[name] is None else f"{row[name]:,.0f}" for name in ("ess_bulk", "ess_tail")]
    return (shown(row["name"]), _value(row), _error(row), *agreement, *ess)


def _value(row: Mapping[str, Any]) -> str:
    if row["ratio"]:
        return ratio(row)
    digits = row["decimals"]
    if row["percent"] and row["low"] >= 0:
        return f"{percent(row['median'], digits)} ({percent_interval(row['low'], row['high'], digits)})"
    unit = 100 if row["percent"] else 1
    median, low, high = (unsigned_zero(unit * row[name], digits) for name in ("median", "low", "high"))
    return f"{median} ({low} to {high})"


def _error(row: Mapping[str, Any]) -> str:
    unit, digits = (100, 2) if row["percent"] else (1, 3)
    ends = [row["mcse_low"], row["mcse_high"]]
    if row["mcse_median"] is None or None in ends:
        return "–"
    return f"{unit * row['mcse_median']:.{digits}f}, {unit * max(ends):.{digits}f}"
