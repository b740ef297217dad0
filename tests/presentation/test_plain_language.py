"""The paragraph says what the numbers say, whichever way they point."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from alkbayes.estimates.results import results_of
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.presentation.plain_language import summary
from alkbayes.spec.schema import model_path, read_spec

type Document = dict[str, Any]


@pytest.fixture(scope="module")
def fitted() -> Document:
    spec = read_spec(model_path("line-generation"))
    settings = SamplerSettings(seed=11, chains=4, draws=250)
    evidence = read_evidence(needed=spec.columns)
    return results_of(fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=settings)).document


@pytest.fixture
def changed(fitted: Document) -> Callable[..., Document]:
    """Return a copy of the fit's document in which rows of a table have other numbers."""

    def change(table: str, numbers: dict[str, Any], **where: str) -> Document:
        document = copy.deepcopy(fitted)
        rows = [row for row in document[table] if all(row[name] == value for name, value in where.items())]
        assert rows
        for row in rows:
            row.update(numbers)
        return document

    return change


def contrast(low: float, median: float, high: float, probability: float) -> dict[str, Any]:
    return {"low": low, "median": median, "high": high, "prob_better": probability, "mcse_median": 0.0} | {
        "mcse_low": 0.0,
        "mcse_high": 0.0,
    }


def test_each_interval_has_its_own_word_and_its_own_numbers(fitted: Document) -> None:
    said = summary(fitted)
    rows = {row["estimand"]: row for row in fitted["pooled"] if row["group"] == "all"}
    low, high = map(float, re.search(r"credible interval ([\d.]+)–([\d.]+) %", said).groups())
    assert (low, high) == pytest.approx((100 * rows["mean"]["low"], 100 * rows["mean"]["high"]), abs=0.51)
    low, high = map(float, re.search(r"between ([\d.]+) and ([\d.]+) % \(95 % prediction interval\)", said).groups())
    new = rows["next_cohort"]
    assert (low, high) == pytest.approx((100 * new["low"], 100 * new["high"]), abs=0.51)
    # Wilson's interval of 3,436 of 5,707, as the README prints it.
    assert "Adding up all patients gives 60.2 % (95 % confidence interval 58.9–61.5 %)" in said
    times = float(re.search(r"a range ([\d.]+) times as wide", said).group(1))
    assert times == pytest.approx((new["high"] - new["low"]) / (rows["mean"]["high"] - rows["mean"]["low"]), abs=0.051)


def test_the_word_for_a_difference_follows_its_sign(changed: Callable[..., Document]) -> None:
    where = {"contrast": "pretreated vs naive", "scale": "risk_difference"}
    down = summary(changed("contrasts", contrast(-0.3, -0.2, -0.1, 0.0), **where))
    up = summary(changed("contrasts", contrast(0.1, 0.2, 0.3, 1.0), **where))
    assert "20.0 points (10.0–30.0) lower in pretreated cohorts than in treatment-naive cohorts" in down
    assert "20.0 points (10.0–30.0) higher in pretreated cohorts than in treatment-naive cohorts" in up
    open_ = summary(changed("contrasts", contrast(-0.1, 0.01, 0.1, 0.5), **where))
    assert "in pretreated cohorts than in treatment-naive cohorts" not in open_
    assert "of the 3 differences between treatment lines" in open_


def test_an_end_that_is_zero_as_printed_has_no_sign_to_take_off(changed: Callable[..., Document]) -> None:
    where = {"contrast": "pretreated vs naive", "scale": "risk_difference"}
    said = summary(changed("contrasts", contrast(0.0002, 0.2, 0.3, 0.98), **where))
    assert "20.0 points (0.0–30.0) higher in pretreated cohorts than in treatment-naive cohorts" in said


def test_the_levels_of_a_difference_are_not_read_from_its_name(changed: Callable[..., Document]) -> None:
    numbers = contrast(0.1, 0.2, 0.3, 1.0) | {"first": "a vs b", "second": "c to d"}
    said = summary(changed("contrasts", numbers, contrast="pretreated vs naive"))
    assert "20.0 points (10.0–30.0) higher in line a vs b than in line c to d" in said


def test_another_outcome_has_its_own_name(fitted: Document) -> None:
    outcome = {
        "responders": "ic_responders",
        "n": "ic_n",
        "label": "intracranial ORR",
        "patients": "patients with lesions",
    }
    said = summary(fitted | {"outcome": outcome})
    assert "3,436 of 5,707 patients with lesions responded." in said
    assert "the intracranial ORR is" in said


def test_nothing_settled_is_said_to_be_so(changed: Callable[..., Document]) -> None:
    said = summary(changed("contrasts", contrast(-0.1, 0.0, 0.1, 0.5), scale="risk_difference"))
    assert "None of the 3 differences between treatment lines" in said
    assert "None of the 10 differences between TKI generations" in said
    assert not re.search(r"points \([^)]*\) (lower|higher)", said)


def test_of_many_settled_differences_the_largest_are_spelt_out(changed: Callable[..., Document]) -> None:
    said = summary(changed("contrasts", contrast(0.1, 0.2, 0.3, 1.0), scale="risk_difference", column="generation"))
    assert len(re.findall(r"20\.0 points", said)) == 4
    assert "6 further differences are also settled." in said
    assert "differences between TKI generations are not settled" not in said


def test_cohorts_are_never_called_alike(changed: Callable[..., Document], fitted: Document) -> None:
    (mean,) = [row for row in fitted["pooled"] if (row["group"], row["estimand"]) == ("all", "mean")]
    limits = {"low": mean["low"] - 0.001, "high": mean["high"] + 0.001}
    said = summary(changed("pooled", limits, group="all", estimand="next_cohort"))
    assert "The response rate of a new cohort of a new trial may lie between" in said
    assert "Single cohorts differ by more" not in said
    assert "alike" not in said


def test_a_narrower_mean_is_not_called_wider(changed: Callable[..., Document]) -> None:
    said = summary(changed("classical", {"low": 0.3, "high": 0.9}, group="all", method="crude-wilson"))
    assert "(95 % confidence interval 30.0–90.0 %), which ignores the differences between cohorts." in said


@pytest.mark.parametrize("part", ["diagnostics", "cross_check"])
def test_numbers_that_may_not_be_used_are_left_out(fitted: Document, part: str) -> None:
    if part == "diagnostics":
        spoilt = {"diagnostics": fitted["diagnostics"] | {"converged": False, "failures": ["Pareto k 0.9"]}}
    else:
        spoilt = {"cross_check": {"faults": ["a difference of 9.1"]}}
    said = summary(fitted | spoilt)
    assert "used" in said
    assert " %" not in said
    assert "3,436" not in said


def test_the_caution_is_always_there_and_the_reconstruction_where_it_is_so(fitted: Document) -> None:
    assert "not randomised" in summary(fitted)
    assert "reconstructs" in summary(fitted)
    own = summary(fitted | {"evidence": fitted["evidence"] | {"source": "own.csv"}})
    assert "not randomised" in own
    assert "reconstructs" not in own


def test_a_model_without_effects_has_no_levels(fitted: Document) -> None:
    alone = fitted | {"contrasts": [], "pooled": [row for row in fitted["pooled"] if row["group"] == "all"]}
    said = summary(alone)
    assert "By " not in said
    assert "randomised" not in said
    assert "Cohorts are single arms" in said
    assert "Averaged over trials and cohorts, the objective response rate is" in said


def test_levels_of_a_column_of_ones_own_are_named_by_it(fitted: Document) -> None:
    document = copy.deepcopy(fitted)
    for row in document["pooled"]:
        row.update({"group": "region"} if row["group"] == "generation" else {})
    assert "% in region first" in summary(document)
    rows = [row for row in document["pooled"] if row["group"] == "region"]
    document["pooled"] += [row | {"level": f"{row['level']} {number}"} for row in rows for number in range(2)]
    assert "The average rates of 15 levels of region are in the table." in summary(document)


def test_columns_that_the_model_leaves_out_are_told(fitted: Document) -> None:
    assert "does not use" not in summary(fitted)
    row = {"column": "prior_alk_tki", "uneven": [], "numeric": False, "gain": 24.0, "se": 5.0}
    one = summary(fitted | {"unnamed": [row]})
    assert "The table's column prior_alk_tki tells response rates apart, and this model does not use it" in one
    assert "may be due to them" in summary(fitted | {"unnamed": [row, row | {"column": "phase"}]})
