"""Tests for small-study effects: against metafor's `regtest` and `numpy`, and where there is no result."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alkbayes.classical.moderators.small_study import (
    ALL_CORRECTED_NOTE,
    CAUTION,
    FEW_NOTE,
    FEWEST_COHORTS,
    NO_SCATTER_NOTE,
    NOT_CONVERGED_NOTE,
    ONE_SIZE_NOTE,
    SmallStudyTest,
    small_study_effects,
)
from alkbayes.errors import EvidenceError
from alkbayes.evidence.table import Evidence

MADE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "reference" / "small_study.json").read_text(encoding="utf-8")
)
CLOSED_FORM = 1e-12
REML = 1e-8
TOLERANCE = {SmallStudyTest.EGGER: CLOSED_FORM, SmallStudyTest.EGGER_REML: REML, SmallStudyTest.PETERS: CLOSED_FORM}
SETS = [
    "pritz1997",
    "debruin2009",
    "nielweise2007-control",
    "nielweise2007-treated",
    "cohorts",
    "cohorts-naive",
    "cohorts-pretreated",
    "cohorts-mixed",
]


@pytest.mark.parametrize("name", SETS)
def test_agrees_with_metafor(name: str) -> None:
    made = MADE["sets"][name]
    for found in small_study_effects(made["xi"], made["ni"]):
        expected = made[found.test]
        got = {"slope": found.slope, "se": found.se, "statistic": found.statistic, "p": found.p}
        assert got == pytest.approx({key: expected[key] for key in got}, rel=TOLERANCE[found.test])
        assert found.df == expected.get("df")
        assert found.note.endswith(CAUTION)


def test_empty_cells_are_said() -> None:
    said = {name: small_study_effects(made["xi"], made["ni"])[0].note for name, made in MADE["sets"].items()}
    added = "the 1/2 added there makes"
    assert said["debruin2009"] == CAUTION
    assert said["pritz1997"] == (
        f"2 of 14 cohorts have no or only events; {added} their logits depend on size. {CAUTION}"
    )
    assert said["nielweise2007-control"] == (
        f"1 of 18 cohorts has no or only events; {added} its logit depend on size. {CAUTION}"
    )


def test_the_reference_is_of_the_bundled_cohorts(bundled: Evidence) -> None:
    assert list(MADE["sets"]) == SETS
    frame = bundled.frame.sort_values("cohort_id")
    for name in SETS[4:]:
        part = frame if name == "cohorts" else frame[frame["line"] == name.removeprefix("cohorts-")]
        stale = f"{name}: the bundled table has changed; run Rscript validation/metafor/run_small_study.R"
        assert part["responders"].tolist() == MADE["sets"][name]["xi"], stale
        assert part["n"].tolist() == MADE["sets"][name]["ni"], stale


def test_peters_is_what_his_paper_writes() -> None:
    """Weights of responders times non-responders over n; least squares by numpy, on counts without an empty cell."""
    made = MADE["sets"]["debruin2009"]
    x, n = np.array(made["xi"]), np.array(made["ni"])
    root = np.sqrt(x * (n - x) / n)
    design = np.column_stack([root, root / n])
    target = root * np.log(x / (n - x))
    beta, (squares,), _, _ = np.linalg.lstsq(design, target)
    se = np.sqrt(squares / (x.size - 2) * np.linalg.inv(design.T @ design)[1, 1])
    peters = small_study_effects(x, n)[-1]
    assert (peters.slope, peters.se) == pytest.approx((beta[1], se), rel=1e-9)


def test_a_slope_above_0_says_that_small_cohorts_respond_more() -> None:
    n = np.array([10, 12, 15, 20, 30, 40, 80, 150, 300, 600])
    falling = np.array([9, 10, 12, 15, 20, 26, 48, 84, 160, 300])
    for found, turned in zip(small_study_effects(falling, n), small_study_effects(n - falling, n), strict=True):
        assert found.slope is not None
        assert found.slope > 0
        assert found.p is not None
        assert found.p < 0.01
        assert turned.slope == pytest.approx(-found.slope, rel=1e-9)
        assert turned.p == pytest.approx(found.p, rel=1e-7)


@pytest.mark.slow
def test_size_under_no_asymmetry() -> None:
    """With tau 0.5 and no slope, REML's test at 5 % rejects in about 5 % of 400 tables; a binomial 99.9 % band."""
    rng = np.random.default_rng(20261122)
    n = np.array([20, 25, 30, 35, 40, 50, 60, 70, 80, 100, 120, 150, 180, 200, 250, 300, 350, 400, 450, 500])
    rejected = 0
    for _ in range(400):
        x = rng.binomial(n, 1 / (1 + np.exp(-rng.normal(0.4, 0.5, n.size))))
        p = small_study_effects(x, n)[1].p
        assert p is not None
        rejected += p < 0.05
    assert 8 <= rejected <= 40


@pytest.mark.parametrize("k", [1, 2, FEWEST_COHORTS - 1])
def test_under_ten_cohorts_there_is_no_result(k: int) -> None:
    found = small_study_effects(np.arange(1, k + 1), np.arange(11, k + 11))
    assert [effect.test for effect in found] == list(SmallStudyTest)
    for effect in found:
        assert (effect.k, effect.slope, effect.se, effect.statistic, effect.df, effect.p) == (k, *[None] * 5)
        assert effect.note == f"{FEW_NOTE} {CAUTION}"
    assert small_study_effects(np.arange(1, 11), np.arange(11, 21))[0].p is not None


def test_cohorts_of_one_size_give_no_result() -> None:
    for effect in small_study_effects(np.arange(12), np.full(12, 30)):
        assert effect.p is None
        assert effect.note == f"{ONE_SIZE_NOTE} {CAUTION}"


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_logits_without_scatter_leave_least_squares_nothing_to_test_against(share: float) -> None:
    n = np.arange(1, 13) * 10
    egger, reml, peters = small_study_effects(np.round(share * n), n)
    for effect in (egger, peters):
        assert effect.p is None
        assert effect.note == f"{NO_SCATTER_NOTE} {CAUTION}"
    # Its standard error is made of sampling variances alone.
    assert reml.slope == pytest.approx(0, abs=1e-12)
    assert reml.p == pytest.approx(1, abs=1e-12)


def test_a_search_that_does_not_converge_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import alkbayes.classical.inverse_variance.regression as regression
    from alkbayes.classical.inverse_variance.tau2 import Tau2

    monkeypatch.setattr(regression, "estimate_tau2", lambda *_: Tau2(tau2=1.0, converged=False))
    made = MADE["sets"]["pritz1997"]
    egger, reml, peters = small_study_effects(made["xi"], made["ni"])
    assert (reml.p, reml.note) == (None, f"{NOT_CONVERGED_NOTE} {CAUTION}")
    assert egger.p is not None
    assert peters.p is not None


@pytest.mark.parametrize("rate", [0, 1])
def test_no_or_only_responders_in_every_cohort_give_no_result(rate: int) -> None:
    """The logit would be that of 1/2 in n + 1: a slope on size, made by the correction alone."""
    n = np.arange(10, 40, 2)
    for effect in small_study_effects(rate * n, n):
        assert effect.p is None
        assert effect.note == f"{ALL_CORRECTED_NOTE} {CAUTION}"


def test_millions_of_patients() -> None:
    n = np.arange(1, 13) * 1_000_000
    x = (n * (0.5 + 0.01 * (-1.0) ** np.arange(12))).round()
    for effect in small_study_effects(x, n):
        assert effect.se is not None
        assert effect.se > 0
        assert effect.p is not None
        assert 0.05 < effect.p <= 1


def test_what_is_no_count_is_refused() -> None:
    with pytest.raises(EvidenceError, match="whole numbers"):
        small_study_effects([3, 5], [2, 8])
