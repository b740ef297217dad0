"""Counts behind printed rates, against figures of trials that were printed with both."""

import pytest
from scipy.stats import binomtest

from alkbayes.registry.extraction.counts import counts_of
from alkbayes.registry.extraction.units import NO_INTERVAL, Interval, Unit


def interval(low: str, high: str, level: str = "95") -> Interval:
    return Interval(low, high, level)


@pytest.mark.parametrize(
    ("value", "n", "limits", "fits"),
    [
        # ALEX: 108 and 109 of 151 round to 72 %, and to 64-79 too (FDA notice 2017): both stay (trap 3).
        ("72", 151, NO_INTERVAL, (108, 109)),
        ("72", 151, interval("64", "79"), (108, 109)),
        # CheckMate 017: 27 of 135 and 12 of 137, exact intervals.
        ("20.0", 135, interval("13.6", "27.7"), (27,)),
        ("8.8", 137, interval("4.6", "14.8"), (12,)),
        # PROFILE 1005: 155 of 259.
        ("59.8", 259, interval("53.6", "65.9"), (155,)),
        # ASCEND-1: 60 of 83; the digits leave 60 alone, 72 % of 163 would leave two.
        ("72", 83, interval("61", "82"), (60,)),
        ("46", 163, interval("38", "54"), (75,)),
        ("0", 6, NO_INTERVAL, (0,)),
        ("0.0", 3, NO_INTERVAL, (0,)),
        ("100", 8, NO_INTERVAL, (8,)),
        ("50", 3, NO_INTERVAL, ()),
        ("101", 8, NO_INTERVAL, ()),
    ],
)
def test_every_count_that_rounds_to_the_printed_rate_and_interval_is_kept(
    value: str, n: int, limits: Interval, fits: tuple[int, ...]
) -> None:
    assert counts_of(value, Unit.PERCENT, n, limits).fits == fits


def test_an_interval_tells_counts_apart_where_it_can() -> None:
    """71.5-72.5 % of 400 are 286 to 290; scipy's exact interval of 288/400 is 67.3-76.3."""
    assert counts_of("72", Unit.PERCENT, 400, NO_INTERVAL).fits == (286, 287, 288, 289, 290)
    assert counts_of("72", Unit.PERCENT, 400, interval("67.3", "76.3")).fits == (288,)


def test_an_interval_of_another_method_leaves_the_count_that_it_is_of() -> None:
    """Limits by SciPy; to a whole percent, the exact interval of a neighbouring count is often the printed one too."""
    several = 0
    for n in (97, 163, 284, 361):
        for count in range(1, n, 5):
            for method in ("exact", "wilson", "wilsoncc"):
                limits = binomtest(count, n).proportion_ci(0.95, method)
                made = counts_of(
                    f"{100 * count / n:.0f}",
                    Unit.PERCENT,
                    n,
                    interval(f"{100 * limits.low:.0f}", f"{100 * limits.high:.0f}"),
                )
                assert count in made.fits
                assert made.reproduced
                several += len(made.fits) > 1
    assert several > 0


def test_methods_that_fit_other_counts_are_named() -> None:
    """217/316 is 69 % (Wald: 64-74), and the exact interval of 218 and 219 is 64-74 too."""
    made = counts_of("69", Unit.PERCENT, 316, interval("64", "74"))
    assert made.fits == (217, 218, 219)
    assert made.why == "the interval is that by clopper-pearson or wald"


def test_an_interval_of_another_level_is_read_at_its_level() -> None:
    """scipy.stats.binomtest(30, 71).proportion_ci(0.9, "exact") is 0.3230-0.5271."""
    made = counts_of("42.3", Unit.PERCENT, 71, interval("32.3", "52.7", "90"))
    assert (made.only, made.why) == (30, "the interval is that by clopper-pearson")


def test_an_interval_of_another_denominator_is_a_doubt() -> None:
    """13.6-27.7 is of 27/135; with 20.0 % of 20 it is another denominator's."""
    made = counts_of("20.0", Unit.PERCENT, 20, interval("13.6", "27.7"))
    assert made.doubt
    assert made.only is None
    assert "points from that of 20" in made.why


def test_proportions_and_counts() -> None:
    assert counts_of("0.65", Unit.PROPORTION, 52, interval("0.49", "0.78")).fits == (34,)
    assert counts_of("86", Unit.COUNT, 135, NO_INTERVAL).fits == (86,)
    assert not counts_of("86", Unit.COUNT, 135, NO_INTERVAL).derived
    assert counts_of("136", Unit.COUNT, 135, NO_INTERVAL).fits == ()
    assert counts_of("1.5", Unit.COUNT, 135, NO_INTERVAL).fits == ()


@pytest.mark.parametrize("value", ["NA", "<0.1", "", "1e3", "٣"])
def test_what_is_no_number_has_no_count(value: str) -> None:
    assert counts_of(value, Unit.PERCENT, 100, NO_INTERVAL).fits == ()


@pytest.mark.parametrize("n", [None, 0])
def test_without_a_denominator_nothing_follows(n: int | None) -> None:
    assert counts_of("50", Unit.PERCENT, n, NO_INTERVAL).fits == ()


def test_a_rate_over_time_has_no_count() -> None:
    assert counts_of("38.4", Unit.PROBABILITY, 135, NO_INTERVAL).fits == ()
