"""Coverage of a few made-up intervals, by hand."""

from typing import Any

import pytest

from alkbayes.calibration.coverage import coverage_of

CLASSICAL = ("crude-wilson", "reml-logit-hk", "glmm-ml")


def record(truth: float, low: float, high: float, crude: tuple[float | None, float | None, float | None]) -> Any:
    value = {"truth": truth, "mean": (low + high) / 2, "low": low, "high": high}
    estimate, bottom, top = crude
    row = {"estimate": estimate, "low": bottom, "high": top, "prediction_low": 0.0, "prediction_high": top}
    names = ("these_cohorts", "typical", "mean", "next_cohort")
    return {
        "quantities": {f"all {name}": value for name in names},
        "classical": {"all": dict.fromkeys(CLASSICAL, row)},
    }


RECORDS = [
    record(0.5, 0.4, 0.7, (0.5, 0.45, 0.55)),
    record(0.6, 0.3, 0.5, (0.5, 0.45, 0.55)),
    record(0.5, 0.5, 0.6, (0.6, 0.55, 0.65)),
    record(0.2, 0.1, 0.3, (None, None, None)),
]


def test_by_hand() -> None:
    rows = {(row.estimand, row.method): row for row in coverage_of(RECORDS)}
    posterior = rows["these_cohorts", "posterior"]
    assert (posterior.replications, posterior.without, posterior.coverage) == (4, 0, 0.75)
    assert posterior.se == pytest.approx((0.75 * 0.25 / 4) ** 0.5)
    assert posterior.width == pytest.approx((0.3 + 0.2 + 0.1 + 0.2) / 4)
    assert posterior.bias == pytest.approx((0.05 - 0.2 + 0.05 + 0.0) / 4)
    assert posterior.verdict == ""  # four replications leave much open
    crude = rows["these_cohorts", "crude-wilson"]
    assert (crude.replications, crude.without, crude.coverage) == (3, 1, pytest.approx(1 / 3))
    assert crude.bias == pytest.approx((0.0 - 0.1 + 0.1) / 3)
    assert crude.verdict == "below"
    prediction = rows["next_cohort", "glmm-ml"]
    assert prediction.coverage == pytest.approx(2 / 3)
    assert prediction.bias is None


def test_each_method_is_held_against_what_it_aims_at() -> None:
    found = [(row.estimand, row.method) for row in coverage_of(RECORDS)]
    assert found == [
        ("these_cohorts", "posterior"),
        ("these_cohorts", "crude-wilson"),
        ("typical", "posterior"),
        ("typical", "reml-logit-hk"),
        ("typical", "glmm-ml"),
        ("mean", "posterior"),
        ("mean", "crude-wilson"),
        ("next_cohort", "posterior"),
        ("next_cohort", "reml-logit-hk"),
        ("next_cohort", "glmm-ml"),
    ]


def test_a_coverage_of_one_does_not_claim_to_be_certain() -> None:
    rows = coverage_of([record(0.5, 0.4, 0.6, (0.5, 0.4, 0.6))] * 100)
    assert (rows[0].coverage, rows[0].se, rows[0].high, rows[0].verdict) == (1.0, 0.0, 1.0, "above")
    assert rows[0].low == pytest.approx(100 / (100 + 1.959964**2))  # Wilson's limit of 100 of 100


def test_a_method_without_any_answer_has_no_coverage() -> None:
    rows = coverage_of([record(0.5, 0.4, 0.6, (None, None, None))] * 3)
    assert (rows[1].replications, rows[1].without, rows[1].coverage, rows[1].verdict) == (0, 3, None, "")
    assert coverage_of([]) == []
