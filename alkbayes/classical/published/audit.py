"""Audit of a published headline: which interval for one proportion, on which counts, gives its printed numbers.

A pooled response rate is often printed with an interval and a number of patients. If an interval for one proportion on
summed counts gives the same digits, it treats all patients as one sample and ignores differences between cohorts. The
comparison is exact up to rounding, and assumes nothing about the cohorts.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from itertools import product
from math import ceil, floor, inf, sqrt
from typing import Any

from scipy.special import logit, ndtri

from alkbayes.classical.proportions import IntervalMethod, proportion_interval
from alkbayes.classical.published.printed import Printed, read_percent
from alkbayes.classical.scales import Scale, back_transform
from alkbayes.errors import UsageError

NOT_REPRODUCED = "not reproduced"
REPRODUCED = "reproduced"
LEAVES_OUT = (
    "An interval of one proportion takes all patients for one sample. It leaves out that cohorts differ in their true "
    "response rate, and so is too narrow for any statement beyond these patients."
)
MOST_PATIENTS = 10**9
SLACK = 1e-10
"""Tolerance of a computed limit at the edge of the rounding range of a printed one: its largest rounding error."""


@dataclass(frozen=True, slots=True)
class Headline:
    """A printed rate (`estimate`) of `n` patients with the limits of its interval, of probability `prob` in (0, 1)."""

    estimate: Printed
    low: Printed
    high: Printed
    n: int
    prob: float

    @property
    def beyond(self) -> bool:
        """True if a limit lies below 0 or above 100 %."""
        return self.low.value < 0 or self.high.value > 1

    @property
    def symmetric(self) -> bool:
        """True if both limits may be equally far from the rate, given their rounding."""
        apart = self.low.value + self.high.value - 2 * self.estimate.value
        units = (number.most - number.least for number in (self.low, self.high, self.estimate, self.estimate))
        return abs(apart) <= sum(units) / 2


@dataclass(frozen=True, slots=True)
class Range:
    """A number derived from printed ones: its value as they stand, and its extremes given their rounding."""

    value: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class MethodAudit:
    """Comparison of an interval for one proportion with the printed numbers.

    Attributes
    ----------
    method
        Interval method.
    first, last
        Smallest and largest number of responders that give all three printed numbers, as do all counts between; None if
        no count does.
    low, high
        Its limits on the count nearest to the printed rate, proportions.
    """

    method: IntervalMethod
    first: int | None
    last: int | None
    low: float
    high: float

    @property
    def counts(self) -> int:
        """Number of counts of responders that give all three printed numbers."""
        return 0 if self.first is None or self.last is None else self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Width:
    """Information in the width of the printed interval.

    Attributes
    ----------
    se_ratio
        Standard error implied by the width, over that of a binomial proportion with as many patients.
    effective_patients
        Sample size whose binomial interval has that width, n / se_ratio**2; `most` may be infinite.
    tau
        Standard deviation between cohorts implied by a random-effects interval of this width, logit scale; None without
        a number of cohorts, or with a limit outside 0 to 100 %. 0 if the interval is no wider than a binomial one.
    """

    se_ratio: Range
    effective_patients: Range
    tau: Range | None


@dataclass(frozen=True, slots=True)
class Split:
    """Two parts of the patients, whose rates combine to the headline.

    Attributes
    ----------
    first, second
        Printed rates of the two parts.
    share
        Implied proportion of patients in the first part, in [0, 1].
    """

    first: Printed
    second: Printed
    share: Range


@dataclass(frozen=True, slots=True)
class Audit:
    """Audit of a headline.

    Attributes
    ----------
    cohorts
        Number of cohorts, if given.
    counts
        Every count of responders whose rate rounds to the printed one; may be empty.
    nearest
        Count whose rate is nearest to the printed one.
    methods
        Each interval for one proportion.
    width
        None if a rate or limit of 0 or 100 % gives no information on a standard error.
    split
        None if no split was given.
    """

    headline: Headline
    cohorts: int | None
    counts: range
    nearest: int
    methods: tuple[MethodAudit, ...]
    width: Width | None
    split: Split | None

    @property
    def reproduced_by(self) -> tuple[IntervalMethod, ...]:
        """Methods that give the printed numbers on some count of responders."""
        return tuple(method.method for method in self.methods if method.counts)

    @property
    def verdict(self) -> str:
        """`REPRODUCED` or `NOT_REPRODUCED`."""
        return REPRODUCED if self.reproduced_by else NOT_REPRODUCED

    @property
    def method_rows(self) -> list[dict[str, Any]]:
        """Results of each method, limits as proportions in [0, 1]."""
        names = ("method", "counts", "first", "last", "low", "high")
        return [{name: getattr(method, name) for name in names} for method in self.methods]

    def to_dict(self, comparison: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return everything as JSON values, rates as proportions in [0, 1].

        `comparison` is the interval for cohorts as different as known ones, or None.
        """
        headline = self.headline
        printed = {name: getattr(headline, name) for name in ("estimate", "low", "high")}
        return {
            "verdict": self.verdict,
            "reproduced_by": list(self.reproduced_by),
            "printed": {name: number.text for name, number in printed.items()},
            **{name: float(number.value) for name, number in printed.items()},
            "n": headline.n,
            "level": headline.prob,
            "cohorts": self.cohorts,
            "rounding_to_estimate": {
                "counts": len(self.counts),
                "first": self.counts[0] if self.counts else None,
                "last": self.counts[-1] if self.counts else None,
            },
            "nearest": self.nearest,
            "methods": self.method_rows,
            "width": self.width and asdict(self.width),
            "comparison": comparison,
            "split": self.split
            and {
                "first": float(self.split.first.value),
                "second": float(self.split.second.value),
                "share": asdict(self.split.share),
            },
            "leaves_out": LEAVES_OUT if self.reproduced_by else None,
        }


def audit_headline(
    estimate: str,
    low: str,
    high: str,
    *,
    n: int,
    level: str = "95",
    cohorts: int | None = None,
    split: Sequence[str] = (),
) -> Audit:
    """Find the intervals for one proportion, and the counts, that give the printed numbers, and interpret the width.

    Parameters
    ----------
    estimate, low, high
        Percentages as printed: the digits define the rounding, so "58" and "58.0" differ.
    n
        Patients, from 1 to `MOST_PATIENTS`.
    level
        Probability of the interval in percent, in (0, 100).
    cohorts
        Number of cohorts, from 2 to n. The width is then read as that of a random-effects interval over as many cohorts
        of equal size, whose pooled logit has the variance (tau2 + cohorts / (n p (1 - p))) / cohorts; with cohorts of
        unequal size the same width needs a smaller tau.
    split
        Printed percentages of two parts of the patients, or empty.

    Raises
    ------
    UsageError
        If a number is invalid, or they contradict each other; the message says which.

    Notes
    -----
    For each method both limits rise with the count of responders, as long as they are cut off at 0 and 100 %. The
    counts that give the printed limits are therefore consecutive, and found by bisection. The ratio of standard errors
    is one of widths on the probability scale: exactly 1 for a Wald interval, and tending to 1 for the other methods as
    counts grow. tau is on the logit scale, the usual one for random-effects intervals; a binomial interval for few
    patients with a rate near 0 or 100 % may give a positive tau.
    """
    headline = _headline(estimate, low, high, n, level)
    if cohorts is not None and not 2 <= cohorts <= n:
        raise UsageError(
            f"The number of cohorts must lie between 2 and the number of patients, {n:,}; got {cohorts:,}."
        )
    rate = headline.estimate
    counts = range(max(0, ceil(rate.least * n)), min(n, floor(rate.most * n)) + 1)
    nearest = round(rate.value * n)
    return Audit(
        headline=headline,
        cohorts=cohorts,
        counts=counts,
        nearest=nearest,
        methods=tuple(_audit_method(method, headline, counts, nearest) for method in IntervalMethod),
        width=_width(headline, cohorts),
        split=_split(rate, split) if split else None,
    )


def random_effects_interval(headline: Headline, *, cohorts: int, tau: float) -> tuple[float, float]:
    """Return the interval of the printed rate over cohorts of equal size that differ by `tau`.

    Parameters
    ----------
    headline
        Headline with a rate strictly between 0 and 100 %.
    tau
        Standard deviation between cohorts, logit scale.

    Returns
    -------
    tuple of float
        Lower and upper limit, proportions: logit -/+ z * sqrt((tau2 + cohorts / (n p (1 - p))) / cohorts), transformed.
    """
    p = float(headline.estimate.value)
    half = _z(headline) * sqrt(tau**2 / cohorts + 1 / (headline.n * p * (1 - p)))
    low, high = back_transform([logit(p) - half, logit(p) + half], scale=Scale.LOGIT)
    return float(low), float(high)


def _headline(estimate: str, low: str, high: str, n: int, level: str) -> Headline:
    """Return the printed headline, or refuse an impossible one."""
    if not 1 <= n <= MOST_PATIENTS:
        raise UsageError(f"The number of patients must be a whole number from 1 to {MOST_PATIENTS:,}; got {n:,}.")
    names = ("The estimate", "The lower limit", "The upper limit")
    of = zip((estimate, low, high), names, strict=True)
    printed = [read_percent(text, name, beyond=name != names[0]) for text, name in of]
    if all(abs(number.value) <= Fraction(1, 100) and not number.signed for number in printed):
        raise UsageError(
            f"{estimate} ({low} to {high}) looks like proportions; percentages are needed: 58.5, not 0.585. "
            "If these are percentages below 1, write them with a percent sign: 0.5%."
        )
    rate, lower, upper = printed
    if not lower.value <= rate.value <= upper.value:
        raise UsageError(
            f"The estimate must lie between its limits; got {rate.text} with limits {lower.text} and {upper.text}."
        )
    prob = read_percent(level, "The level").value
    if not Fraction(1, 100) <= prob < 1:
        raise UsageError(f"The level is in percent, from 1 to under 100, such as 95; got {level!r}.")
    return Headline(estimate=rate, low=lower, high=upper, n=n, prob=float(prob))


def _audit_method(method: IntervalMethod, headline: Headline, counts: range, nearest: int) -> MethodAudit:
    """Return the counts, among those that give the printed rate, whose limits round to the printed ones."""
    low, high = (partial(_limit, headline=headline, method=method, side=side) for side in (0, 1))
    if beyond := method is IntervalMethod.WALD and headline.beyond:
        counts = _beyond(counts, headline)
    for limit, printed in () if beyond else ((low, headline.low), (high, headline.high)):
        after = bisect_right(counts, float(printed.most) + SLACK, key=limit)
        counts = counts[bisect_left(counts, float(printed.least) - SLACK, key=limit) : after]
    return MethodAudit(
        method=method,
        first=counts[0] if counts else None,
        last=counts[-1] if counts else None,
        low=low(nearest),
        high=high(nearest),
    )


def _beyond(counts: range, headline: Headline) -> range:
    """Return the counts whose unclipped Wald interval gives printed limits with one outside 0 to 100 %.

    Near 0 and n its limits are not monotone in the count, so each count is tried. A limit can be outside only with
    fewer than z**2 responders or non-responders, so these are few.
    """
    few = ceil(_z(headline) ** 2)
    tried = (*range(counts.start, min(counts.stop, few)), *range(max(counts.start, headline.n - few), counts.stop))
    printed, found = (headline.low, headline.high), []
    for count in tried:
        limits = (_limit(count, headline=headline, method=IntervalMethod.WALD, side=side) for side in (0, 1))
        if all(n.least - SLACK <= limit <= n.most + SLACK for n, limit in zip(printed, limits, strict=True)):
            found.append(count)
    return range(min(found), max(found) + 1) if found else range(0)


def _limit(count: int, *, headline: Headline, method: IntervalMethod, side: int) -> float:
    """Return the lower (side 0) or upper (1) limit of the interval on a count of responders."""
    if method is IntervalMethod.WALD and headline.beyond:  # not cut off at 0 and 100 %
        p = count / headline.n
        return p + (2 * side - 1) * _z(headline) * sqrt(p * (1 - p) / headline.n)
    return float(proportion_interval(count, headline.n, method=method, prob=headline.prob)[side][0])


def _width(headline: Headline, cohorts: int | None) -> Width | None:
    """Return the information in the width of the printed interval, if any."""
    rate, low, high = headline.estimate, headline.low, headline.high
    if low.value == 0 or high.value == 1 or not 0 < rate.least < rate.most < 1:
        return None
    half = Fraction(1, 2)
    # The smallest and largest p (1 - p) among the rates that round to the printed one.
    rates = (rate.least, rate.most, min(max(rate.least, half), rate.most))

    def over_rounding(reading: Callable[[Fraction, Fraction, Fraction], float]) -> Range:
        return Range(
            value=reading(low.value, high.value, rate.value),
            least=min(reading(low.most, max(low.most, high.least), p) for p in rates),
            most=max(reading(low.least, high.most, p) for p in rates),
        )

    ratio = over_rounding(partial(_se_ratio, headline=headline))
    patients = [headline.n / number**2 if number else inf for number in (ratio.value, ratio.most, ratio.least)]
    return Width(
        se_ratio=ratio,
        effective_patients=Range(*patients),
        # Outside 0 to 100 % there are no logits.
        tau=None
        if cohorts is None or headline.beyond
        else over_rounding(partial(_tau, headline=headline, cohorts=cohorts)),
    )


def _se_ratio(low: Fraction, high: Fraction, p: Fraction, *, headline: Headline) -> float:
    """Return the standard error of an interval over that of a proportion p, probability scale."""
    return float(high - low) / (2 * _z(headline)) / sqrt(p * (1 - p) / headline.n)


def _tau(low: Fraction, high: Fraction, p: Fraction, *, headline: Headline, cohorts: int) -> float:
    """Return the tau of a random-effects interval over cohorts of equal size, logit scale."""
    se = float(logit(float(high)) - logit(float(low))) / (2 * _z(headline))
    return sqrt(max(0.0, cohorts * (se**2 - 1 / float(headline.n * p * (1 - p)))))


def _split(rate: Printed, texts: Sequence[str]) -> Split:
    """Return the implied share of the patients in the first of two parts."""
    if len(texts) != 2:
        raise UsageError(f"A split has two parts; got {len(texts)}: {', '.join(texts)}.")
    first, second = (read_percent(text, f"The rate of part {place}") for place, text in enumerate(texts, 1))
    bottom, top = sorted((first, second), key=lambda part: part.value)
    if bottom.value == top.value or not bottom.value <= rate.value <= top.value:
        raise UsageError(
            f"The rates of the two parts must differ and hold the estimate {rate.text} between them; "
            f"got {first.text} and {second.text}."
        )
    if bottom.most >= top.least:
        raise UsageError(
            f"The rates of the two parts, {first.text} and {second.text}, may be equal before rounding: they say "
            "nothing of the shares."
        )
    # Monotone in each rate: the extremes are at the corners.
    corners = product(*((number.least, number.most) for number in (rate, first, second)))
    shares = [_share(*corner) for corner in corners]
    return Split(
        first=first,
        second=second,
        share=Range(value=_share(rate.value, first.value, second.value), least=min(shares), most=max(shares)),
    )


def _share(whole: Fraction, first: Fraction, second: Fraction) -> float:
    """Return the weight of the first rate in a mean of two, from 0 to 1."""
    return float(min(max((whole - second) / (first - second), Fraction(0)), Fraction(1)))


def _z(headline: Headline) -> float:
    """Return the normal quantile of the interval."""
    return float(ndtri((1 + headline.prob) / 2))
