"""Priors in the words of a paper."""

import pytest

from alkbayes.evidence.outcomes import ORR
from alkbayes.presentation.priors import implication_rows, prior_text
from alkbayes.spec.priors import Beta, Exponential, HalfNormal, HalfStudentT, Normal, Prior, StudentT


@pytest.mark.parametrize(
    ("prior", "text"),
    [
        (Normal(dist="normal", mean=0.0, sd=1.5), "normal(0, 1.5)"),
        (StudentT(dist="student_t", nu=3.0, mean=-0.5, sd=2.5), "Student t(3, -0.5, 2.5)"),
        (HalfNormal(dist="half_normal", sd=0.5), "half-normal(0.5)"),
        (HalfStudentT(dist="half_student_t", nu=4.0, sd=0.5), "half-t(4, 0.5)"),
        (HalfStudentT(dist="half_student_t", nu=1.0, sd=0.5), "half-Cauchy(0.5)"),
        (Exponential(dist="exponential", mean=0.4), "exponential(mean 0.4)"),
        (Beta(dist="beta", a=1.0, b=15.0), "beta(1, 15)"),
    ],
)
def test_each_prior_has_its_name_and_numbers(prior: Prior, text: str) -> None:
    assert prior_text(prior) == text


def test_rates_and_differences_stand_apart_and_a_title_stands_once() -> None:
    row = {"quantity": "typical", "of": "line naive", "scale": "proportion", "median": 0.5, "low": 0.05, "high": 0.95}
    row |= {"apart": None, "outside": 0.002}
    apart = row | {"quantity": "levels", "of": "b vs a", "scale": "risk_difference", "low": -0.36, "high": 0.36}
    apart |= {"apart": 0.104}
    rates, differences = implication_rows([row, row | {"of": "line mixed"}, apart, row | {"scale": "odds_ratio"}], ORR)
    assert rates.rows == (
        ("typical ORR", "line naive", "50", "5–95", "0.2"),
        ("", "line mixed", "50", "5–95", "0.2"),
    )
    assert differences.rows == (("typical ORR, apart", "b vs a", "±10", "−36 to +36", "0.2"),)
