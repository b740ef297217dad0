"""Coefficients of a meta-regression, for readers."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from alkbayes.evidence.outcomes import Outcome
from alkbayes.presentation.tables import ReaderTable, columns_in
from alkbayes.text.digits import error_decimals
from alkbayes.text.names import shown
from alkbayes.text.wording import (
    OTHER_DECIMALS,
    beside_error,
    capitalised,
    figure,
    level_text,
    p_value,
    percent,
    percent_interval,
    ratio_figure,
)

CI = "CI"
"""Key of the interval among headings, shown with its probability."""
MOST_DECIMALS = 8
"""Maximum decimals of an odds ratio."""


def coefficient_rows(rows: Sequence[Mapping[str, Any]], *, prob: float, without: Collection[str] = ()) -> ReaderTable:
    """Return the coefficients, leaving out odds ratios if there are none, and the columns `without`.

    `prob` is the probability of the intervals. "SE", "odds ratio" and `CI` may be left out; name, estimate and p are
    always shown.
    """
    cells = [_cells(row) for row in rows]
    headings = [
        heading
        for heading in cells[0]
        if heading not in without and (heading != "odds ratio" or any(row[heading] for row in cells))
    ]
    return ReaderTable(
        "",
        ("coefficient", *(f"{level_text(prob)} CI" if heading == CI else heading for heading in headings)),
        tuple(
            (row["name"].replace("\n", "\\n"), *(texts[heading] for heading in headings))
            for row, texts in zip(rows, cells, strict=True)
        ),
    )


def rate_rows(predictions: Sequence[Mapping[str, Any]], outcome: Outcome, *, prob: float) -> ReaderTable:
    """Return the rates at values of moderators, in percent; an asterisk marks an extrapolation."""
    columns = [*predictions[0]["at"]]
    rows = [
        (
            f"{shown(first)}{' *' if row['extrapolated'] else ''}",
            *map(shown, others),
            percent(row["estimate"]),
            percent_interval(row["low"], row["high"]),
            percent_interval(row["prediction_low"], row["prediction_high"]),
        )
        for row in predictions
        for first, *others in [row["at"].values()]
    ]
    first, *others = map(shown, columns)
    return ReaderTable(
        f"{capitalised(outcome.label)} at values of moderators, %",
        (first, *others, "rate", f"{level_text(prob)} CI", "next cohort"),
        tuple(rows),
        words=tuple(range(1, len(columns))),
        units=columns_in("%", *range(len(columns), len(columns) + 3)),
    )


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    """Return a coefficient's cells by heading, with decimals according to its standard error."""
    se = row["se"]
    estimate, error, low, high = (beside_error(row[name], se) for name in ("estimate", "se", "low", "high"))
    ratio = ""
    if row["odds_ratio"] is not None:
        middle, *ends = (row[name] for name in ("odds_ratio", "odds_ratio_low", "odds_ratio_high"))
        limits = "–" if None in ends else "–".join(_ratio(end, se) for end in ends)
        ratio = f"{_ratio(middle, se)} ({limits})"
    return {
        "estimate": estimate,
        "SE": error,
        CI: "–" if row["low"] is None or row["high"] is None else f"{low} to {high}",
        "p": p_value(row["p"]),
        "odds ratio": ratio,
    }


def _ratio(value: float, se: float | None) -> str:
    """Return an odds ratio, rounded on the log scale, with more decimals for a precise logarithm."""
    if not se or error_decimals(se) <= OTHER_DECIMALS:
        return ratio_figure(value)
    digits = error_decimals(value * se)
    return ratio_figure(value) if digits > MOST_DECIMALS else figure(value, max(0, digits))
