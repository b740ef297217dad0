"""Counts of people behind a printed value: all that fit, never a guess among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from alkbayes.classical.proportions import IntervalMethod, proportion_interval
from alkbayes.classical.published.audit import audit_headline
from alkbayes.errors import UsageError
from alkbayes.registry.extraction.units import Interval, Unit, number_of

LARGEST_N = 1_000_000
FAR = 2.5
"""Percentage points between a printed limit and the exact one beyond which the interval is of another denominator.

Methods for one proportion differ by less in the tables of the field; a limit for another n of the same trial by more.
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts that fit a printed value.

    Attributes
    ----------
    fits
        Every count that fits value and digits, narrowed by the interval where that tells counts apart, ascending.
    derived
        Whether they are worked out from a rate rather than printed.
    why
        What a reader must know, as a clause; may be empty.
    doubt
        Whether the interval contradicts every count.
    """

    fits: tuple[int, ...]
    derived: bool
    why: str = ""
    doubt: bool = False

    @property
    def only(self) -> int | None:
        """The count, if there is one alone."""
        return self.fits[0] if len(self.fits) == 1 and not self.doubt else None


NONE_FITS = Counts((), derived=False)


def counts_of(value: str, unit: Unit, n: int | None, interval: Interval) -> Counts:
    """Return the counts that fit a printed value.

    Parameters
    ----------
    value
        As printed: the digits say how it was rounded.
    unit
        `Unit.COUNT`, `Unit.PERCENT` or `Unit.PROPORTION`; of others no count follows.
    n
        Denominator, None if not known.
    interval
        The printed one, in the unit of the value.
    """
    number = number_of(value)
    if number is None or n is None or not 1 <= n <= LARGEST_N:
        return NONE_FITS
    if unit is Unit.COUNT:
        whole = number.denominator == 1 and 0 <= number <= n
        return Counts((int(number),), derived=False) if whole else NONE_FITS
    if unit not in {Unit.PERCENT, Unit.PROPORTION}:
        return NONE_FITS
    scale = 100 if unit is Unit.PERCENT else 1
    printed = value.strip().removesuffix("%").strip()
    half = Fraction(1, 2 * 10 ** len(printed.partition(".")[2]))
    first, last = ceil((number - half) / scale * n), floor((number + half) / scale * n)
    fits = tuple(range(max(0, first), min(n, last) + 1)) if 0 <= number <= scale else ()
    return _narrowed(fits, printed, n, interval, scale) if fits else Counts((), derived=True)


def _narrowed(fits: Sequence[int], printed: str, n: int, interval: Interval, scale: int) -> Counts:
    """Return the counts whose interval, by some method for one proportion, is the printed one."""
    low, high = number_of(interval.low), number_of(interval.high)
    if low is None or high is None:
        return Counts(tuple(fits), derived=True)
    prob = float(Fraction(interval.level or "95")) / 100
    if reproduced := _reproduced(fits, printed, n, interval, scale):
        return reproduced
    exact = (proportion_interval(count, n, method=IntervalMethod.CLOPPER_PEARSON, prob=prob) for count in fits)
    apart = min(
        max(abs(100 * float(lower) - 100 * float(low) / scale), abs(100 * float(upper) - 100 * float(high) / scale))
        for lower, upper in exact
    )
    if apart > FAR:
        return Counts(
            tuple(fits), derived=True, why=f"the printed interval is {apart:.1f} points from that of {n}", doubt=True
        )
    return Counts(tuple(fits), derived=True, why="no method for one proportion gives the printed interval")


def _reproduced(fits: Sequence[int], printed: str, n: int, interval: Interval, scale: int) -> Counts | None:
    """Return the counts that reproduce the printed interval: the exact method first, then any other."""
    texts = (printed, interval.low, interval.high)
    if scale == 1:
        texts = tuple(_as_percent(text) for text in texts)  # type: ignore[assignment]
    try:
        audit = audit_headline(*texts, n=n, level=interval.level or "95")
    except UsageError:
        return None
    methods = {method.method: method for method in audit.methods if method.counts}
    first = [methods.pop(IntervalMethod.CLOPPER_PEARSON, None)]
    for group in (first, list(methods.values())):
        found = [method for method in group if method is not None]
        kept = {count for each in found for count in fits if (each.first or 0) <= count <= (each.last or 0)}
        if kept:
            names = ", ".join(str(each.method) for each in found)
            return Counts(tuple(sorted(kept)), derived=True, why=f"interval reproduced by {names}")
    return None


def _as_percent(text: str) -> str:
    """Return a printed proportion as a percentage with as many digits: 0.65 is 65, 0.869 is 86.9."""
    decimals = len(text.partition(".")[2])
    value = number_of(text)
    return text if value is None else f"{float(100 * value):.{max(0, decimals - 2)}f}"
