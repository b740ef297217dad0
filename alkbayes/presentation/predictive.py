"""The test statistics of predictive checks as a reader sees them."""

from collections.abc import Sequence

from alkbayes.criticism.predictive import Statistic
from alkbayes.presentation.tables import ReaderTable
from alkbayes.text.wording import percent, share_of_draws, unsigned_zero

IN_PERCENT = ("smallest ORR", "largest ORR", "naive less pretreated")
COUNTS = ("cohorts outside 90 %",)
READING = "p: share of replicated tables with a larger value, ties by half; *: in the outer 5 %."


def statistic_rows(statistics: Sequence[Statistic]) -> ReaderTable:
    """Return each statistic as observed and as replicated, new cohorts before the same ones again."""
    several = len({each.kind for each in statistics}) > 1
    rows = []
    for name in dict.fromkeys(each.name for each in statistics):
        for place, each in enumerate(reversed([each for each in statistics if each.name == name])):
            replicated = f"{_value(name, each.median)} ({_value(name, each.low)} to {_value(name, each.high)})"
            rows.append(
                (
                    "" if place else name,
                    _value(name, each.observed),
                    *([str(each.kind)] if several else []),
                    replicated,
                    f"{share_of_draws(each.p)}{'*' if each.unusual else ' '}",
                )
            )
    headings = ("", "observed", *(["of"] if several else []), "replicated, 95 %", "p")
    return ReaderTable("Test statistics of the whole table", headings, tuple(rows))


def meanings(statistics: Sequence[Statistic]) -> tuple[str, ...]:
    """Return what each statistic is, a sentence each."""
    return tuple(f"{name}: {meaning}." for name, meaning in {each.name: each.meaning for each in statistics}.items())


def _value(name: str, value: float) -> str:
    if name in IN_PERCENT:
        return percent(value).replace("-", "−")
    return f"{value:.0f}" if name in COUNTS else unsigned_zero(value)
