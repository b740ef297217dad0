"""Coefficients of a meta-regression, for readers."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from alkbayes.presentation.tables import ReaderTable
from alkbayes.text.wording import figure, p_value, ratio_figure

LEAST_PLAIN, LARGEST_PLAIN = 1e-4, 1e5
"""Range of numbers printed without an exponent."""
MOST_DECIMALS = 8


def coefficient_rows(rows: Sequence[Mapping[str, Any]], *, without: Collection[str] = ()) -> ReaderTable:
    """Return the coefficients, leaving out odds ratios if there are none, and the columns `without`.

    "SE", "odds ratio" and "95 % CI" may be left out; name, estimate and p are always shown.
    """
    cells = [_cells(row) for row in rows]
    headings = [
        heading
        for heading in cells[0]
        if heading not in without and (heading != "odds ratio" or any(row[heading] for row in cells))
    ]
    return ReaderTable(
        "",
        ("coefficient", *headings),
        tuple(
            (row["name"].replace("\n", "\\n"), *(shown[heading] for heading in headings))
            for row, shown in zip(rows, cells, strict=True)
        ),
    )


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    """Return a coefficient's cells by heading, with decimals according to its standard error."""
    digits = _decimals(row["se"])
    ratio = ""
    if row["odds_ratio"] is not None:
        low, high = row["odds_ratio_low"], row["odds_ratio_high"]
        limits = "–" if low is None or high is None else f"{_ratio(low, digits)}–{_ratio(high, digits)}"
        ratio = f"{_ratio(row['odds_ratio'], digits)} ({limits})"
    return {
        "estimate": _figure(row["estimate"], digits),
        "SE": _figure(row["se"], digits),
        "95 % CI": _interval(row["low"], row["high"], digits, " to "),
        "p": p_value(row["p"]),
        "odds ratio": ratio,
    }


def _ratio(value: float, digits: int) -> str:
    """Return an odds ratio, rounded on the log scale, with more decimals for a precise logarithm."""
    return ratio_figure(value) if digits <= 2 else _figure(value, digits)


def _interval(low: float | None, high: float | None, digits: int, joint: str) -> str:
    """Return an interval; a dash if missing."""
    return "–" if low is None or high is None else f"{_figure(low, digits)}{joint}{_figure(high, digits)}"


def _figure(value: float | None, digits: int) -> str:
    """Return a number as text, with three digits and an exponent if these decimals do not suit it."""
    text = figure(value, digits)
    if not value or (LEAST_PLAIN <= abs(value) <= LARGEST_PLAIN and text.strip("−0.")):
        return text
    return f"{value:.3g}".replace("-", "−")


def _decimals(se: float | None) -> int:
    """Return the number of decimals that show two digits of a standard error, at least two."""
    return 2 if se is None or se <= 0 else min(max(2, 1 - math.floor(math.log10(se))), MOST_DECIMALS)
