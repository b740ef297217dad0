"""The forest's rows: every cohort, at the positions of its numbers, on both scales."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from scipy.special import logit

from alkbayes.reporting.blocks import Forest, Link, Report


def forest_in(report: Report) -> Forest:
    (found,) = [block for section in report.sections for block in section.blocks if isinstance(block, Forest)]
    return found


def test_every_cohort_is_there_once_with_its_counts(report: Report, run: SimpleNamespace) -> None:
    rows = [row for row in forest_in(report).rows if row.rank == "cohort"]
    frame = run.fit.evidence.frame
    assert sorted(row.cohort for row in rows) == sorted(frame["cohort_id"])
    assert {row.cohort: row.label for row in rows} == dict(zip(frame["cohort_id"], frame["label"], strict=True))
    counts = {row.cohort: row.counts for row in rows}
    assert counts["alex-crizotinib"] == "109/151"
    assert [row.number for row in rows] == list(range(1, len(frame) + 1))


def test_positions_are_those_of_the_numbers(report: Report, run: SimpleNamespace) -> None:
    cohorts = run.results.cohorts.set_index("cohort_id")
    for row in forest_in(report).rows:
        if row.rank != "cohort":
            continue
        percent, logits = row.marks
        numbers = cohorts.loc[row.cohort]
        assert (percent.scale, logits.scale) == ("percent", "logit")
        assert percent.middle == pytest.approx(100 * numbers["median"], abs=1e-9)
        assert percent.low == pytest.approx(100 * numbers["low"], abs=1e-9)
        # The strip runs from -5 to 5 logits.
        assert logits.middle == pytest.approx(np.clip(50 + 10 * logit(numbers["median"]), 0, 100), abs=1e-9)
        exact = stats.binomtest(int(numbers["responders"]), int(numbers["n"])).proportion_ci(method="exact")
        assert percent.observed_low == pytest.approx(100 * exact.low, abs=1e-6)
        assert percent.observed_high == pytest.approx(100 * exact.high, abs=1e-6)
        assert 0 <= logits.observed_low <= logits.observed_high <= 100


def test_a_cohort_of_responders_alone_stands_at_the_edge_of_the_logits(report: Report) -> None:
    (row,) = [row for row in forest_in(report).rows if row.cohort == "brig101-crizotinib-naive"]
    percent, logits = row.marks
    assert row.counts == "8/8"
    assert (percent.observed, percent.observed_high) == (100, 100)
    assert (logits.observed, logits.observed_high) == (100, 100)
    assert logits.observed_text.startswith("∞ (0.5")
    assert logits.observed_text.endswith(" to ∞)")


def test_groups_have_their_three_intervals(report: Report, run: SimpleNamespace) -> None:
    rows = {row.label: row for row in forest_in(report).rows if row.rank.startswith("summary")}
    pooled = run.results.pooled.set_index(["group", "level", "estimand"])
    overall = rows["All cohorts"].marks[0]
    assert overall.middle == pytest.approx(100 * pooled.loc[("all", "all", "typical"), "median"])
    assert overall.mean == pytest.approx(100 * pooled.loc[("all", "all", "mean"), "median"])
    assert overall.next_low == pytest.approx(100 * pooled.loc[("all", "all", "next_cohort"), "low"])
    assert rows["Treatment-naive"].counts == "1,231/1,612"


def test_weights_are_shares(report: Report) -> None:
    weights = [float(row.weight) for row in forest_in(report).rows if row.rank == "cohort"]
    # Each is rounded to a tenth of a percent.
    assert sum(weights) == pytest.approx(100, abs=0.05 * len(weights))


def test_details_name_the_sources_by_number_and_link(report: Report) -> None:
    (row,) = [row for row in forest_in(report).rows if row.cohort == "alex-crizotinib"]
    details = dict(row.details)
    assert details["registry"] == (Link("NCT02075840", "https://clinicaltrials.gov/study/NCT02075840"),)
    assert details["agent"] == ("crizotinib",)
    assert details["cohort id"] == ("alex-crizotinib",), "as commands call it"
    numbers = [piece for piece in details["sources"] if isinstance(piece, Link) and piece.url.startswith("#source-")]
    assert len(numbers) == 3
    assert "given with" not in details, "an empty cell says nothing"
