"""Sentences of tables that were made so that each must be said, and its opposite."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alkbayes.analyses.intracranial import MAIN
from alkbayes.analyses.intracranial_conclusions import (
    carried,
    conclusions,
    joint_conclusions,
    points,
    probability_text,
    settled,
)
from alkbayes.analyses.joint import Correlation, correlation_of
from alkbayes.sensitivity_analysis.power_scaling import Diagnosis
from alkbayes.vocabulary import group_row

CONTRAST = "third vs first"


def rows_of(
    alternative: str, median: float, p: float, *, of_prior: bool = True, error: float = 0.001
) -> list[dict[str, Any]]:
    common = {"alternative": alternative, "of_prior": of_prior, "cohorts": 6, "contrast": CONTRAST}
    common |= {"first": "third", "second": "first"}
    numbers = {"sd": 0.1, "prob_better": p, "mcse_prob": error, "mcse_median": 0.002}
    difference = {"scale": "risk_difference", "median": median, "low": median - 0.2, "high": median + 0.2}
    ratio = {"scale": "odds_ratio", "median": 2.0, "low": 0.5, "high": 8.0}
    return [common | numbers | ratio, common | numbers | difference]


def scaling(*flagged: Any) -> SimpleNamespace:
    number = SimpleNamespace(table="contrast", group="generation", level=CONTRAST)
    quiet = SimpleNamespace(number=number, prior=0.021, responsible=(), diagnosis=Diagnosis.NONE)
    return SimpleNamespace(sensitivities=(quiet, *flagged), threshold=0.05)


def said(*rows: list[dict[str, Any]], **more: Any) -> list[str]:
    analysis = SimpleNamespace(
        contrasts=pd.DataFrame([row for pair in rows for row in pair]),
        scaling=more.get("scaling", scaling()),
        left_out=more.get("left_out", {}),
        carried_by=("Carried.",),
        interval_prob=0.95,
    )
    return conclusions(analysis)


def test_a_direction_that_every_prior_settles() -> None:
    answer, contrast, *_ = said(rows_of(MAIN, 0.3, 0.99), rows_of("wide", 0.31, 0.995), rows_of("narrow", 0.27, 0.98))
    assert answer == (
        "Do later generations do better in the brain? Probability that a generation does better: third than first "
        "0.990. Settled (above 0.975 either way) under the model's own priors: third vs first; under every prior "
        "tried: third vs first."
    )
    assert contrast == (
        "third vs first: difference of means +30 points (+10 to +50), odds ratio 2.00 (0.50–8.00), probability that "
        "third is better 0.990; 0.980 to 0.995 by 2 other priors. The prior does not matter: its direction is settled "
        "with every one, and none moves the difference by more than half an SD."
    )


def test_a_direction_that_is_settled_the_other_way_is_settled() -> None:
    # Nothing is presumed: later generations may do worse.
    answer, contrast, *_ = said(rows_of(MAIN, -0.3, 0.004), rows_of("wide", -0.3, 0.003))
    assert (
        "third than first 0.004. Settled (above 0.975 either way) under the model's own priors: third vs first"
        in answer
    )
    assert "−30 points (−50 to −10)" in contrast
    assert "does not matter: its direction is settled with every one" in contrast


def test_a_prior_that_unsettles_matters() -> None:
    answer, contrast, *_ = said(rows_of(MAIN, 0.2, 0.98), rows_of("narrow", 0.18, 0.96), rows_of("wide", 0.21, 0.99))
    assert answer.endswith("under the model's own priors: third vs first; under every prior tried: none.")
    assert contrast.endswith('The prior matters: its direction is no longer settled with "narrow".')


def test_a_prior_that_settles_matters_too() -> None:
    _, contrast, *_ = said(rows_of(MAIN, 0.1, 0.9), rows_of("wide", 0.12, 0.98))
    assert contrast.endswith('The prior matters: its direction is settled with "wide".')


def test_a_prior_that_moves_or_turns_matters() -> None:
    _, contrast, *_ = said(rows_of(MAIN, 0.1, 0.98), rows_of("a", 0.04, 0.8), rows_of("b", -0.02, 0.4))
    assert contrast.endswith(
        'The prior matters: the difference changes sign with "b"; its direction is no longer settled with "a" and "b"; '
        '2 of 2 priors move the difference by more than half an SD, most "b", by −12 points (1.2 SD).'
    )
    # A sign that is not settled cannot change.
    _, contrast, *_ = said(rows_of(MAIN, 0.1, 0.9), rows_of("b", -0.02, 0.4))
    assert "changes sign" not in contrast


def test_no_direction_and_no_prior_that_matters() -> None:
    _, contrast, *_ = said(rows_of(MAIN, 0.1, 0.8), rows_of("a", 0.09, 0.79))
    assert "The prior does not matter: its direction is not settled with every one" in contrast


def test_a_shift_within_monte_carlo_error_is_none() -> None:
    noisy = rows_of("a", 0.17, 0.8)
    noisy[1]["mcse_median"] = 0.1
    assert "does not matter" in said(rows_of(MAIN, 0.1, 0.8), noisy)[1]


def test_a_probability_too_near_to_the_limit_is_said_to_be() -> None:
    assert said(rows_of(MAIN, 0.2, 0.976, error=0.002), rows_of("a", 0.2, 0.98))[0].endswith(
        "Within Monte Carlo error of that limit: third vs first."
    )


def test_alternatives_of_fewer_cohorts_decide_nothing_about_priors() -> None:
    answer, contrast, fewer, *_ = said(
        rows_of(MAIN, 0.3, 0.99), rows_of("wide", 0.3, 0.99), rows_of("irc", 0.05, 0.6, of_prior=False)
    )
    assert "under every prior tried: third vs first" in answer
    assert "The prior does not matter" in contrast
    assert fewer == "third vs first, irc: +5 points (−15 to +25), probability 0.600, from 6 cohorts."


def test_what_power_scaling_flags_what_was_not_fitted_and_what_carries_it() -> None:
    both = rows_of(MAIN, 0.3, 0.99), rows_of("wide", 0.3, 0.99)
    assert said(*both)[-2:] == [
        "Power-scaling, which changes the priors a little, flags none (sensitivity at most 0.02, threshold 0.05).",
        "Carried.",
    ]
    number = SimpleNamespace(table="contrast", group="generation", level=CONTRAST)
    flagged = SimpleNamespace(number=number, prior=0.3, responsible=("sd_generation",), diagnosis=Diagnosis.STRONG)
    *_, scaled, failed, carried_by = said(*both, scaling=scaling(flagged), left_out={"narrow": "it failed"})
    assert scaled == (
        "Power-scaling, which changes the priors a little, flags third vs first: strong prior or weak likelihood, by "
        "the prior of sd_generation (threshold 0.05)."
    )
    assert (failed, carried_by) == ('Not fitted, "narrow": it failed.', "Carried.")


def test_no_other_prior_and_nothing_to_compare() -> None:
    assert said(rows_of(MAIN, 0.3, 0.99))[1].endswith("is better 0.990. No other prior could be fitted.")
    nothing = SimpleNamespace(contrasts=pd.DataFrame(columns=["scale"]))
    assert conclusions(nothing) == [
        "The cohorts with intracranial counts are of one generation: there is nothing to compare."
    ]


def test_figures() -> None:
    assert [probability_text(p) for p in (0.0, 0.0004, 0.5, 0.9996, 1.0)] == [
        *("below 0.001", "below 0.001", "0.500", "above 0.999", "above 0.999")
    ]
    assert [points(value) for value in (0.123, -0.123, 0.001, -0.001)] == ["+12", "−12", "0", "0"]
    assert [settled(p) for p in (0.02, 0.03, 0.97, 0.98)] == [True, False, False, True]


# both responses in one model


def correlation(**changes: float) -> Correlation:
    draws = np.random.default_rng(1).uniform(-1, 1, (4, 1000))
    return replace(correlation_of(draws), **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prob_positive": 0.99, "sd_ratio": 0.3}, "carry it: 20 cohorts with both counts settle that intracranial"),
        ({"prob_positive": 0.99, "sd_ratio": 0.3}, "deviations go with systemic ones"),
        ({"prob_positive": 0.01, "sd_ratio": 0.3}, "deviations go against systemic ones"),
        ({"prob_positive": 0.99, "sd_ratio": 0.7}, "that have both counts, 70 % of the prior's SD is left."),
        ({"prob_positive": 0.6, "sd_ratio": 0.4}, "cannot carry it: with 20 cohorts that have both counts, its sign "),
        ({"prob_positive": 0.6, "sd_ratio": 0.4}, "its sign is not settled. Take the intracranial model alone."),
        ({"prob_positive": 0.6, "sd_ratio": 0.99}, "is not settled and 99 % of the prior's SD is left. Take"),
    ],
)
def test_whether_the_data_carry_a_correlation(changes: dict[str, float], words: str) -> None:
    assert words in carried(correlation(**changes), cohorts=20)


def test_what_the_joint_model_changes_and_leaves_out() -> None:
    rate = group_row({}) | {"measure": "mean", "prob_better": np.nan, "separate_prob_better": np.nan}
    contrast = rate | {"group": "generation", "level": CONTRAST, "measure": "risk_difference", "prob_better": 0.9}
    contrast |= {"first": "third", "second": "first", "separate_prob_better": 0.99}
    contrast |= {"median": 0.2, "low": -0.1, "high": 0.4}
    beside = pd.DataFrame(
        [rate | {"shift_in_sds": -0.7, "width_ratio": 0.9}, contrast | {"shift_in_sds": 0.2, "width_ratio": 1.1}]
    )
    gap = pd.DataFrame(
        [
            {"group": group, "level": level, "systemic": 0.7, "intracranial": 0.5}
            | {"difference": -0.2, "low": -0.3, "high": -0.1, "prob_higher": 0.001}
            for group, level in (("all", "all"), ("generation", "first"), ("line", "naive"))
        ]
    )
    joint = SimpleNamespace(
        first=SimpleNamespace(n=np.array([100.0, 50.0, 64.0])),
        second=SimpleNamespace(n=np.array([25.0, 16.0]), cohorts=("a", "c")),
        cohort_of=np.array([0, 2]),
    )
    draws = SimpleNamespace(rho=np.linspace(-1, 1, 4001).reshape(1, -1))
    found = SimpleNamespace(correlation=correlation(median=-0.2), joint=joint, draws=draws, interval_prob=0.95)
    first, leaning, _, consequences, better, all_, generation, overlap = joint_conclusions(found, beside, gap)
    assert first.startswith("Correlation of the deviations: uniform on −1 to 1 before (SD 0.58); after, −0.20 (")
    # The distribution function of LKJ(2) is (2 + 3 rho - rho^3) / 4, which is 0.975 at 0.81.
    assert leaning == "With a prior that leans to 0, LKJ(2), 0.00 (−0.81 to 0.81), probability 0.500."
    assert consequences == (
        "Against the intracranial model alone, 1 of 2 intracranial numbers move by more than half an SD, most overall, "
        "mean, by −0.70 SD; intervals are 0.90 to 1.10 times as wide, 1.00 in the middle."
    )
    assert better == (
        "third vs first in the joint model: difference of means +20 points (−10 to +40), probability that third is "
        "better 0.900, 0.990 in the intracranial model alone."
    )
    assert all_.startswith("Brain against body, all: 50 % against 70 %, −20 points (−30 to −10); probability that ")
    assert generation.startswith("Brain against body, first: ")
    assert overlap.startswith("The 41 patients with brain lesions are among the 164 of the systemic counts ")
    # sqrt(25/100) and sqrt(16/64), both one half.
    assert "with 0.50 times the correlation within patients" in overlap
