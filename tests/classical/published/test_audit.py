"""How headlines were made: the review's own, ones that were made up in each way, and ones that no method gives."""

import math
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import binomtest, norm

from alkbayes.classical.proportions import IntervalMethod, proportion_interval
from alkbayes.classical.published.audit import (
    NOT_REPRODUCED,
    REPRODUCED,
    Audit,
    audit_headline,
    random_effects_interval,
)
from alkbayes.errors import UsageError

REVIEW = ("58.5", "57.3", "59.7")
PATIENTS = 6_382


def review(**options: object) -> Audit:
    return audit_headline(*REVIEW, n=PATIENTS, **options)


def rounded(proportion: float, decimals: int = 1) -> str:
    return f"{100 * proportion:.{decimals}f}"


def by_trying_all(audit: Audit, method: IntervalMethod) -> list[int]:
    """Every count whose three numbers round to the printed ones, by looking at each."""
    headline = audit.headline
    counts = np.arange(headline.n + 1)
    low, high = proportion_interval(counts, np.full(counts.size, headline.n), method=method, prob=headline.prob)
    good = np.ones(counts.size, dtype=np.bool_)
    for values, printed in ((counts / headline.n, headline.estimate), (low, headline.low), (high, headline.high)):
        good &= (values >= float(printed.least) - 1e-10) & (values <= float(printed.most) + 1e-10)
    return counts[good].tolist()


def test_the_reviews_headline_is_a_binomial_interval_of_its_summed_counts() -> None:
    audit = review()
    assert audit.verdict == REPRODUCED
    assert audit.reproduced_by == tuple(IntervalMethod)
    assert list(audit.counts) == [3731, 3732, 3733, 3734, 3735, 3736]
    assert audit.nearest == 3733
    found = {method.method: (method.first, method.last) for method in audit.methods}
    assert found[IntervalMethod.WALD] == (3731, 3736)
    assert found[IntervalMethod.WILSON] == (3732, 3736)
    assert found[IntervalMethod.CLOPPER_PEARSON] == (3732, 3735)


@pytest.mark.parametrize(
    ("method", "theirs"),
    [
        (IntervalMethod.WILSON, "wilson"),
        (IntervalMethod.WILSON_CC, "wilsoncc"),
        (IntervalMethod.CLOPPER_PEARSON, "exact"),
    ],
)
def test_the_reviews_counts_by_scipy(method: IntervalMethod, theirs: str) -> None:
    found = next(m for m in review().methods if m.method is method)
    good = []
    for count in range(3725, 3743):
        limits = binomtest(count, PATIENTS).proportion_ci(0.95, theirs)
        if (rounded(count / PATIENTS), rounded(limits.low), rounded(limits.high)) == REVIEW:
            good.append(count)
    assert good == list(range(found.first, found.last + 1))
    assert found.counts == len(good)


def test_the_reviews_split_gives_the_share_of_naive_patients() -> None:
    split = review(split=["71.8", "48.4"]).split
    assert split is not None
    assert split.share.value == pytest.approx(10.1 / 23.4, rel=1e-12)
    assert split.share.least == pytest.approx(10.0 / 23.4, rel=1e-12)
    assert split.share.most == pytest.approx(10.2 / 23.4, rel=1e-12)
    turned = review(split=["48.4", "71.8"]).split
    assert turned is not None
    assert turned.share.value == pytest.approx(13.3 / 23.4, rel=1e-12)
    assert (turned.share.least, turned.share.most) == pytest.approx((1 - 10.2 / 23.4, 1 - 10.0 / 23.4), rel=1e-12)


def test_the_reviews_interval_holds_no_heterogeneity() -> None:
    width = review(cohorts=66).width
    assert width is not None
    # (59.7 - 57.3) / 2 / 1.96 points against sqrt(0.585 * 0.415 / 6382).
    assert width.se_ratio.value == pytest.approx(0.012 / 1.959964 / np.sqrt(0.585 * 0.415 / PATIENTS), rel=1e-6)
    assert width.se_ratio.least < 1 < width.se_ratio.most
    assert width.effective_patients.least < PATIENTS < width.effective_patients.most
    assert width.tau is not None
    assert (width.tau.value, width.tau.least) == (0, 0)
    assert 0 < width.tau.most < 0.06


def test_a_wider_interval_is_none_of_these_and_says_how_much_wider() -> None:
    audit = audit_headline("58.5", "50.0", "67.0", n=PATIENTS)
    assert audit.verdict == NOT_REPRODUCED
    assert audit.reproduced_by == ()
    assert len(audit.counts) == 6
    assert {(m.first, m.last, m.counts) for m in audit.methods} == {(None, None, 0)}
    assert audit.width is not None
    assert audit.width.tau is None
    assert audit.width.se_ratio.value == pytest.approx(17 / 2.4 * review().width.se_ratio.value, rel=1e-9)
    assert audit.width.effective_patients.value == pytest.approx(129.08, abs=0.01)


@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("cohorts", [10, 66])
def test_the_tau_that_made_an_interval_is_found_again(tau: float, cohorts: int) -> None:
    n = 6_382
    half = 1.959963984540054 * np.sqrt((tau**2 + cohorts / (n * 0.585 * 0.415)) / cohorts)
    low, high = expit(logit(0.585) - half), expit(logit(0.585) + half)
    audit = audit_headline("58.50", rounded(low, 2), rounded(high, 2), n=n, cohorts=cohorts)
    assert audit.verdict == NOT_REPRODUCED
    assert audit.width is not None
    assert audit.width.tau is not None
    assert audit.width.tau.least <= tau <= audit.width.tau.most
    assert audit.width.tau.most - audit.width.tau.least < 0.02 + 0.01 / tau
    assert random_effects_interval(audit.headline, cohorts=cohorts, tau=tau) == pytest.approx((low, high), rel=1e-12)


def test_without_differences_the_random_effects_interval_is_that_of_one_sample() -> None:
    low, high = random_effects_interval(review().headline, cohorts=66, tau=0)
    assert (rounded(low), rounded(high)) == ("57.3", "59.7")


@given(
    method=st.sampled_from(IntervalMethod),
    counts=st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    decimals=st.integers(0, 3),
    level=st.sampled_from(["80", "95", "99.9"]),
)
def test_what_a_method_makes_it_is_found_to_make(
    method: IntervalMethod, counts: tuple[int, int], decimals: int, level: str
) -> None:
    x, n = counts
    low, high = proportion_interval(x, n, method=method, prob=float(level) / 100)
    # With a sign, since rates under 1 % are to be found too.
    printed = [f"{rounded(value, decimals)}%" for value in (x / n, low[0], high[0])]
    audit = audit_headline(*printed, n=n, level=level)
    found = next(m for m in audit.methods if m.method is method)
    assert method in audit.reproduced_by
    assert found.first is not None
    assert found.last is not None
    assert found.first <= x <= found.last
    assert list(range(found.first, found.last + 1)) == by_trying_all(audit, method)


@pytest.mark.parametrize("printed", [REVIEW, ("58", "57", "60"), ("58.50", "57.28", "59.70"), ("0.0", "0.0", "0.1")])
def test_bisection_finds_what_trying_all_counts_finds(printed: tuple[str, str, str]) -> None:
    audit = audit_headline(*(f"{text}%" for text in printed), n=PATIENTS)
    for found in audit.methods:
        tried = by_trying_all(audit, found.method)
        assert (found.first, found.last) == ((tried[0], tried[-1]) if tried else (None, None)), found.method
        assert found.counts == len(tried)


@pytest.mark.parametrize(("n", "text"), [(10**7, ("58.5", "58.5", "58.5")), (10**9, ("58.500", "58.497", "58.503"))])
def test_many_patients_take_no_longer(n: int, text: tuple[str, str, str]) -> None:
    start = time.process_time()
    audit = audit_headline(*text, n=n)
    assert time.process_time() - start < 5
    assert audit.reproduced_by == tuple(IntervalMethod)
    assert all(m.first < audit.nearest < m.last for m in audit.methods)


def test_a_rate_that_no_count_gives() -> None:
    audit = audit_headline("58.5", "26.0", "85.0", n=10)
    assert (len(audit.counts), audit.nearest, audit.verdict) == (0, 6, NOT_REPRODUCED)


@pytest.mark.parametrize(
    ("printed", "n"),
    [(("0.0", "0.0", "16.8"), 20), (("100.0", "83.2", "100.0"), 20), (("5", "0", "25"), 20), (("95", "75", "100"), 20)],
)
def test_none_all_and_limits_at_the_ends(printed: tuple[str, str, str], n: int) -> None:
    audit = audit_headline(*printed, n=n, cohorts=2)
    assert IntervalMethod.CLOPPER_PEARSON in audit.reproduced_by
    assert audit.width is None


def test_an_interval_without_width() -> None:
    width = audit_headline("58", "58", "58", n=10**7, cohorts=66).width
    assert width is not None
    assert (width.se_ratio.value, width.se_ratio.least) == (0, 0)
    assert width.se_ratio.most > 1
    assert width.effective_patients.most == np.inf


def test_one_patient() -> None:
    audit = audit_headline("0", "0", "97.5", n=1)
    assert audit.reproduced_by == (IntervalMethod.CLOPPER_PEARSON,)


def test_extremes_by_rounding_are_the_extremes() -> None:
    """Against a fine grid over all that rounds to the printed numbers."""
    audit = audit_headline("58", "48", "67", n=400, cohorts=20, split=["70", "40"])
    assert audit.width is not None
    assert audit.width.tau is not None
    assert audit.split is not None
    grid = np.linspace(-0.005, 0.005, 21)
    p, low, high = np.meshgrid(0.58 + grid, 0.48 + grid, 0.67 + grid)
    ratio = (high - low) / (2 * 1.959963984540054) / np.sqrt(p * (1 - p) / 400)
    variance = ((logit(high) - logit(low)) / (2 * 1.959963984540054)) ** 2
    tau = np.sqrt(np.maximum(0, 20 * (variance - 1 / (400 * p * (1 - p)))))
    share = (p - (low - 0.08)) / ((high + 0.03) - (low - 0.08))
    for found, values in ((audit.width.se_ratio, ratio), (audit.width.tau, tau), (audit.split.share, share)):
        assert (found.least, found.most) == pytest.approx((values.min(), values.max()), rel=1e-9)
        assert found.value == pytest.approx(values[10, 10, 10], rel=1e-9)


def test_a_binomial_interval_has_a_ratio_of_1_by_wald_and_near_it_by_the_others() -> None:
    for method in IntervalMethod:
        low, high = proportion_interval(600_000, 10**6, method=method)
        width = audit_headline("60.0000", rounded(low[0], 6), rounded(high[0], 6), n=10**6).width
        assert width is not None
        assert width.se_ratio.value == pytest.approx(1, abs=2e-5 if method is IntervalMethod.WALD else 2e-3)


def test_a_rate_of_a_half_before_rounding_has_the_greatest_binomial_variance() -> None:
    width = audit_headline("50", "40", "60", n=100).width
    assert width is not None
    assert width.se_ratio.least == pytest.approx(0.19 / (2 * 1.959963984540054) / np.sqrt(0.25 / 100), rel=1e-9)


@pytest.mark.parametrize(
    ("count", "n", "level"), [(19, 20, "95"), (1, 20, "95"), (2, 20, "95"), (48, 50, "99"), (998, 1000, "95")]
)
def test_a_wald_interval_beyond_all_or_none_is_found(count: int, n: int, level: str) -> None:
    p = count / n
    half = float(norm.ppf(0.5 + float(level) / 200)) * math.sqrt(p * (1 - p) / n)
    audit = audit_headline(f"{100 * p:.1f}", f"{100 * (p - half):.1f}", f"{100 * (p + half):.1f}", n=n, level=level)
    assert audit.headline.beyond
    assert audit.headline.symmetric
    assert audit.reproduced_by == (IntervalMethod.WALD,)
    assert audit.methods[0].first == audit.methods[0].last == count
    assert audit.width is not None
    assert audit.width.se_ratio.least <= 1 <= audit.width.se_ratio.most


def test_a_pooled_interval_on_the_raw_scale_goes_beyond_all_patients() -> None:
    """97.8 % (93.5-102.2) of 200 patients: half of 8.7 points over 1.96 is 2.22, of a binomial rate 1.037 points."""
    audit = audit_headline("97.8", "93.5", "102.2", n=200, cohorts=6)
    assert audit.verdict == NOT_REPRODUCED
    assert audit.headline.symmetric
    assert audit.width is not None
    assert audit.width.se_ratio.value == pytest.approx(0.087 / 2 / 1.959964 / math.sqrt(0.978 * 0.022 / 200), rel=1e-6)
    assert audit.width.tau is None
    assert not audit_headline("97.8", "93.5", "100.6", n=200).headline.symmetric


def test_another_level() -> None:
    low, high = proportion_interval(3733, PATIENTS, method=IntervalMethod.WILSON, prob=0.9)
    printed = (REVIEW[0], rounded(low[0]), rounded(high[0]))
    assert IntervalMethod.WILSON in audit_headline(*printed, n=PATIENTS, level="90").reproduced_by
    assert audit_headline(*printed, n=PATIENTS).verdict == NOT_REPRODUCED


@pytest.mark.parametrize(
    ("printed", "options", "message"),
    [
        (("58.5", "59.0", "59.7"), {}, "The estimate must lie between its limits; got 58.5 with limits 59.0 and 59.7."),
        (("58.5", "57.3", "58.4"), {}, "The estimate must lie between its limits"),
        (("58.5", "57,3", "59.7"), {}, "The lower limit must be a percentage as printed"),
        (("58.5", "57.3", "597"), {}, "The upper limit must lie between -100 and 200 percent; got '597'."),
        (("100.1", "57.3", "100.2"), {}, "The estimate must lie between 0 and 100 percent; got '100.1'."),
        (("-1", "-3", "4"), {}, "The estimate must be a percentage as printed"),
        (("0.585", "0.573", "0.597"), {}, r"0.585 \(0.573 to 0.597\) looks like proportions; percentages are needed"),
        (("1", "0.9", "1.0"), {}, "write them with a percent sign"),
        (REVIEW, {"n": 0}, "from 1 to 1,000,000,000; got 0"),
        (REVIEW, {"n": -5}, "got -5"),
        (REVIEW, {"n": 10**9 + 1}, "got 1,000,000,001"),
        (REVIEW, {"level": "0"}, "The level is in percent, from 1 to under 100, such as 95; got '0'."),
        (REVIEW, {"level": "0.95"}, "The level is in percent"),
        (REVIEW, {"level": "100"}, "The level is in percent"),
        (REVIEW, {"level": "nan"}, "The level must be a percentage"),
        (REVIEW, {"cohorts": 1}, "between 2 and the number of patients, 6,382; got 1"),
        (REVIEW, {"cohorts": 6383}, "got 6,383"),
        (REVIEW, {"split": ["71.8"]}, "A split has two parts; got 1: 71.8."),
        (REVIEW, {"split": ["71.8", "48.4", "60"]}, "got 3"),
        (REVIEW, {"split": ["71.8", "58.6"]}, "hold the estimate 58.5 between them; got 71.8 and 58.6"),
        (REVIEW, {"split": ["40.1", "48.4"]}, "hold the estimate"),
        (REVIEW, {"split": ["58.5", "58.5"]}, "must differ"),
        (REVIEW, {"split": ["58.5", "58.4"]}, "may be equal before rounding"),
        (REVIEW, {"split": ["71.8", "x"]}, "The rate of part 2 must be a percentage"),
    ],
)
def test_what_contradicts_itself_is_refused(
    printed: tuple[str, str, str], options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        audit_headline(*printed, **({"n": PATIENTS} | options))


def test_a_percent_sign_says_that_small_numbers_are_percentages() -> None:
    audit = audit_headline("0.5%", "0.4%", "0.7%", n=PATIENTS)
    assert audit.headline.estimate.value == Fraction(5, 1000)
    assert audit.verdict == REPRODUCED


def test_a_split_whose_part_is_the_whole() -> None:
    split = review(split=["58.5", "48.4"]).split
    assert split is not None
    assert (split.share.value, split.share.most) == (1, 1)
    assert split.share.least < 1
