"""Counts of people behind a printed value: all that fit, never a guess among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from alkbayes.classical.proportions import IntervalMethod, proportion_interval
from alkbayes.classical.published.audit import SLACK
from alkbayes.registry.extraction.units import Interval, Unit, number_of

LARGEST_N = 1_000_000
METHODS = (
    IntervalMethod.CLOPPER_PEARSON,
    *(method for method in IntervalMethod if method not in {IntervalMethod.CLOPPER_PEARSON, IntervalMethod.MID_P}),
    IntervalMethod.MID_P,
)
"""The exact method first, which trials use; the one that takes longest last."""
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
    reproduced
        Whether the printed interval is that of a count, by some method.
    """

    fits: tuple[int, ...]
    derived: bool
    why: str = ""
    doubt: bool = False
    reproduced: bool = False

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
    return _narrowed(fits, n, interval, scale) if fits else Counts((), derived=True)


def _narrowed(fits: Sequence[int], n: int, interval: Interval, scale: int) -> Counts:
    """Return the counts whose interval is the printed one by any method for one proportion.

    Limits of two methods for neighbouring counts may round to the same digits, and records rarely name the method: the
    exact method alone would leave one count in a tenth of such cases, and the wrong one.
    """
    limits = [_Limit.of(text, scale) for text in (interval.low, interval.high)]
    low, high = limits
    if low is None or high is None:
        return Counts(tuple(fits), derived=True)
    prob = float(Fraction(interval.level or "95")) / 100
    kept, methods = set[int](), list[str]()
    for method in METHODS:
        lower, upper = proportion_interval(list(fits), [n] * len(fits), method=method, prob=prob)
        if method is IntervalMethod.CLOPPER_PEARSON:
            apart = min(max(low.apart(lower[k]), high.apart(upper[k])) for k in range(len(fits)))
            if apart > FAR:
                why = f"the printed interval is {apart:.1f} points from that of {n}"
                return Counts(tuple(fits), derived=True, why=why, doubt=True)
        found = {count for k, count in enumerate(fits) if low.is_from(lower[k]) and high.is_from(upper[k])}
        if found - kept:
            methods.append(str(method))
        kept |= found
        if len(kept) == len(fits):
            break
    if not kept:
        return Counts(tuple(fits), derived=True, why="no count gives the printed interval")
    why = f"the interval is that by {' or '.join(methods)}"
    return Counts(tuple(sorted(kept)), derived=True, why=why, reproduced=True)


@dataclass(frozen=True, slots=True)
class _Limit:
    """A printed limit as a proportion, with half a unit of its last digit."""

    value: float
    half: float

    @classmethod
    def of(cls, text: str, scale: int) -> "_Limit | None":
        """Return a limit as printed; None if it is no number."""
        number = number_of(text)
        half = 0.5 / 10 ** len(text.strip().removesuffix("%").partition(".")[2])
        return None if number is None else cls(float(number) / scale, half / scale)

    def is_from(self, computed: float) -> bool:
        """Return whether a computed limit rounds to this one; ties count for both."""
        return abs(computed - self.value) <= self.half + SLACK

    def apart(self, computed: float) -> float:
        """Return the distance in percentage points."""
        return 100 * abs(computed - self.value)
