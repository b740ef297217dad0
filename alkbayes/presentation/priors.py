"""Priors and their implications, for readers."""

from collections.abc import Iterable, Mapping
from typing import Any

from alkbayes.evidence.outcomes import Outcome
from alkbayes.presentation.tables import ReaderTable, columns_in
from alkbayes.spec.priors import (
    Beta,
    Exponential,
    HalfNormal,
    HalfStudentT,
    Indicators,
    Normal,
    Prior,
    RootSumOfSquares,
    StudentT,
)
from alkbayes.text.names import shown
from alkbayes.text.wording import percent, percent_interval, with_article

SHOWN = ("proportion", "risk_difference")
"""Scales that readers have an opinion on, in display order."""

TITLES = {
    "typical": "typical {o.short}",
    "next_cohort": "next cohort's {o.short}",
    "levels": "typical {o.short}, apart",
    "heterogeneity": "{o.short}, apart",
}


def reading(outcome: Outcome) -> tuple[str, str]:
    """Return how to read the tables of :func:`implication_rows`, in two sentences."""
    rate = with_article(outcome.short)
    return (
        f"Extreme: the share of the prior at {rate} below 1 or above 99 %, or at a difference beyond 50 points.",
        "One level, or pair of levels, stands for all that have the same prior.",
    )


def prior_text(prior: Prior) -> str:
    """Return a prior in publication notation, such as "half-normal(0.5)", on the model's scale."""
    match prior:
        case Normal():
            return f"normal({prior.mean:g}, {prior.sd:g})"
        case StudentT():
            return f"Student t({prior.nu:g}, {prior.mean:g}, {prior.sd:g})"
        case HalfNormal():
            return f"half-normal({prior.sd:g})"
        case HalfStudentT():
            return f"half-Cauchy({prior.sd:g})" if prior.nu == 1 else f"half-t({prior.nu:g}, {prior.sd:g})"
        case Exponential():
            return f"exponential(mean {prior.mean:g})"
        case Beta():
            return f"beta({prior.a:g}, {prior.b:g})"
        case RootSumOfSquares():
            return f"root of {prior_text(prior.first)}² + {prior_text(prior.second)}²"
        case Indicators():
            return f"Bernoulli({', '.join(f'{p:g}' for p in dict.fromkeys(prior.probabilities))})"


def implication_rows(implied: Iterable[Mapping[str, Any]], outcome: Outcome) -> list[ReaderTable]:
    """Return the prior implications as a table of rates and one of differences, in percent.

    `implied` are rows of :func:`alkbayes.model.prior_implications.prior_implications`.
    """
    rows = list(implied)
    found = []
    for scale in SHOWN:
        cells, title = [], ""
        for row in (row for row in rows if row["scale"] == scale):
            before, title = title, TITLES[row["quantity"]].format(o=outcome)
            cells.append(("" if title == before else title, shown(row["of"]), *_numbers(row)))
        if cells:
            headings, units = ("%", "of", "middle", "95 %", "extreme"), columns_in("%", 2, 3, 4)
            found.append(ReaderTable("", headings, tuple(cells), words=(1,), units=units))
    return found


def _numbers(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the median, the interval and the share outside the limits."""
    low, high = row["low"], row["high"]
    if row["scale"] == "proportion":
        middle, interval = percent(row["median"], 0), percent_interval(low, high, 0)
    else:
        middle, interval = f"±{percent(row['apart'], 0)}", f"{100 * low:+.0f} to {100 * high:+.0f}".replace("-", "−")
    return middle, interval, percent(row["outside"])
