"""Numbers in the words of a reader."""

import math

import pytest

from alkbayes.text import wording

RATE = {"median": 0.61234, "low": 0.5651, "high": 0.65449}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Pooled rate", "Pooled rate."),
        ("Does it differ?", "Does it differ?"),
        ("Rates differ. ", "Rates differ."),
        ('He asked "why?"', 'He asked "why?"'),
        ("Rates (of all)", "Rates (of all)."),
        ("and so on …", "and so on …"),
    ],
)
def test_a_text_of_the_user_ends_once(text: str, said: str) -> None:
    assert wording.ended(text) == said


def test_rates_are_percent_with_the_decimals_that_their_errors_support() -> None:
    assert wording.rate(RATE) == ("61.2", "56.5–65.4")
    # An error of half a point leaves whole percents; of the median alone it leaves the limits their decimal.
    assert wording.rate(RATE | {"mcse_low": 0.005}) == ("61", "57–65")
    assert wording.limits(RATE | {"mcse_median": 0.005}) == "56.5–65.4"
    assert wording.limits(RATE | {"mcse_high": 0.005}) == "57–65"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_no_number_is_a_dash(value: float | None) -> None:
    assert wording.percent(value) == "–"
    assert wording.percent_interval(0.1, value) == "–"
    assert wording.percent_interval(value, 0.2) == "–"


def test_signs_are_true_minuses_and_zero_has_none() -> None:
    assert [wording.signed(value) for value in (-1.26, 0.04, -0.04, 2.0)] == ["−1.3", "0.0", "0.0", "+2.0"]
    found = wording.difference({"median": -0.2618, "low": -0.3393, "high": 0.0177})
    assert found == ("−26.2", "−33.9 to +1.8")


def test_ratios_are_rounded_on_the_log_scale_each_by_its_own_error() -> None:
    row = {"median": 0.2884, "low": 0.1895, "high": 0.4342}
    assert wording.ratio(row) == "0.29 (0.19–0.43)"
    assert wording.ratio(row | {"mcse_high": 0.05}) == "0.29 (0.19–0.4)"
    # The basket trial of vemurafenib: an error of a quarter in the upper limit takes nothing from the lower one.
    row = {"median": 1.79, "low": 0.351, "high": 10.93, "mcse_median": 0.025, "mcse_low": 0.009, "mcse_high": 0.25}
    assert wording.ratio(row) == "1.79 (0.35–10.9)"
    assert wording.ratio(row | {"mcse_high": 0.5}) == "1.79 (0.35–11)"


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.0004, None, "0.00040"),
        (0.004, 0.003, "0.004"),
        (9.996, None, "10.0"),
        (72.3, 6.0, "70"),
        (1234.5, None, "1,230"),
        (1234.5, 100.0, "1,200"),
        (5.2, 40.0, "5"),
        (3e-9, None, "3.0e-09"),
        (2.3e7, 1e7, "2e+07"),
    ],
)
def test_a_ratio_is_never_printed_as_zero(value: float, error: float | None, text: str) -> None:
    assert wording.ratio_figure(value, error) == text


def test_sds_and_months_are_rounded_as_their_errors_allow_and_sds_never_to_zero() -> None:
    row = {"median": 0.514, "low": 0.331, "high": 0.709, "prior_median": 0.6, "prior_low": 0.1, "prior_high": 1.9}
    assert wording.size_text(row) == "0.51 (0.33–0.71)"
    assert wording.size_text(row | {"mcse_high": 0.04}) == "0.51 (0.33–0.7)"
    assert wording.size_text(row | {"mcse_high": 0.04}, prefix="prior_") == "0.60 (0.10–1.90)"
    # Large, alike cohorts beside two tiny ones: the ends of tau differ by a factor of fifty.
    apart = {"median": 0.170, "low": 0.0258, "high": 1.308, "mcse_median": 0.004, "mcse_low": 0.001, "mcse_high": 0.03}
    assert wording.size_text(apart) == "0.17 (0.026–1.3)"
    assert wording.size_text(apart | {"low": 0.0004, "mcse_low": 0.0003}) == "0.17 (0.0004–1.3)"
    assert wording.size_text(apart | {"low": 0.0}) == "0.17 (0–1.3)"
    assert wording.months({"median": 10.26, "low": 8.1, "high": 13.04, "mcse_low": 0.4}) == ("10", "8–13")


def test_probabilities_of_draws_are_never_0_or_1() -> None:
    assert [wording.probability(value) for value in (0.0, 0.0099, 0.5, 0.991, 1.0)] == [
        "< 1 %",
        "< 1 %",
        "50 %",
        "> 99 %",
        "> 99 %",
    ]


def test_counts_and_lists() -> None:
    assert (wording.counted(1, "trial"), wording.counted(1234, "trial")) == ("1 trial", "1,234 trials")
    assert [wording.joined(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_a_small_variance_is_not_printed_as_none() -> None:
    """Three decimals, or the two digits of a smaller one: 0.0004 is not 0.000."""
    shown = [wording.variance(value) for value in (None, 0.0, 0.5871, 18.2461, 0.0074, 0.0004, 0.00000123, 1e-9)]
    assert shown == ["–", "0.000", "0.587", "18.246", "0.0074", "0.00040", "0.0000012", "< 0.000001"]


def test_what_is_printed_together_of_a_planned_trial_has_the_decimals_of_its_largest_error() -> None:
    errors = {"mcse": 0.001, "mcse_median": 0.001, "mcse_low": 0.002, "mcse_high": 0.0025}
    assert wording.planned_decimals(errors) == 1
    assert wording.planned_decimals(errors | {"mcse_low": 0.004}) == 0
    assert [wording.shared_decimals(found) for found in ([0.002], [0.002, 0.004], [None])] == [1, 0, 1]


@pytest.mark.parametrize(
    ("p", "alone", "as_equation", "of_draws"),
    [
        (None, "–", "p = –", None),
        (0.0, "< 0.001", "p < 0.001", "< 0.001"),
        (0.000999, "< 0.001", "p < 0.001", "< 0.001"),
        (0.001, "0.001", "p = 0.001", "0.001"),
        (0.0456, "0.046", "p = 0.046", "0.046"),
        (1.0, "1.000", "p = 1.000", "> 0.999"),
    ],
)
def test_small_probabilities_are_printed_as_smaller(
    p: float | None, alone: str, as_equation: str, of_draws: str | None
) -> None:
    assert wording.p_value(p) == alone
    assert wording.p_equals(p) == as_equation
    if p is not None:
        assert wording.share_of_draws(p) == of_draws


def test_points_have_a_sign_and_a_true_minus() -> None:
    assert [wording.points(value) for value in (None, 0.031, -0.126, 0.0004)] == ["–", "+3", "−13", "0"]
    assert wording.points(-0.0315, 2) == "−3.15"


def test_a_noun_has_the_article_of_its_first_sound() -> None:
    nouns = ("responder", "infection", "event", "ORR", "SAE rate", "CR rate", "response rate")
    assert [wording.with_article(noun).split()[0] for noun in nouns] == ["a", "an", "an", "an", "an", "a", "a"]


@pytest.mark.parametrize(
    ("value", "se", "printed"),
    [
        (0.00375, 0.40, "0.00"),
        (-0.00375, 0.40, "0.00"),
        (0.40, 0.40, "0.40"),
        (0.665748, 0.019434, "0.666"),
        (1.2345, 3.4, "1.23"),
        (-0.00012, 0.000038, "−0.000120"),
        (1234.5, 0.2, "1,234.50"),
        (4.32e-9, 1.2e-9, "4.3e−09"),
        (-4.3e-11, 1.2e-9, "0"),
        (1.2e-9, 1.2e-9, "1.2e−09"),
        (7.64e8, 1.2e7, "7.64e+08"),
        (None, 0.4, "–"),
        (-1.0986, None, "−1.10"),
    ],
)
def test_an_estimate_has_the_decimals_of_its_standard_error(
    value: float | None, se: float | None, printed: str
) -> None:
    assert wording.beside_error(value, se) == printed
