"""Shifts and the table of alternatives, on made-up numbers whose shifts are known."""

import math
from dataclasses import replace

import pytest

from alkbayes.inference.settings import Engine
from alkbayes.sensitivity_analysis.table import Estimate, Grid, Outcome, Status, grid_records, grid_table

MEAN = ("pooled", "all", "all", "mean")
NEXT = ("pooled", "all", "all", "next_cohort")


def estimate(key: tuple[str, str, str, str], median: float, sd: float, error: float = 0.001) -> Estimate:
    return Estimate(
        key=key,
        name=f"{key[2]}, {key[3].replace('_', ' ')}",
        mean=median,
        median=median,
        sd=sd,
        low=median - 2 * sd,
        high=median + 2 * sd,
        errors=dict.fromkeys(("median", "low", "high"), error),
        prob_positive=None,
    )


def outcome(name: str, *estimates: Estimate, cohorts: int = 10) -> Outcome:
    numbers = {each.key: each for each in estimates}
    return Outcome(name, Status.FITTED, "", Engine.QUADRATURE, cohorts, 20 * cohorts, (), numbers)


MAIN = outcome("main", estimate(MEAN, 0.5, 0.04), estimate(NEXT, 0.5, 0.2))


def grid(*outcomes: Outcome, again: Outcome = MAIN) -> Grid:
    return Grid(MAIN, replace(again, name="main model again"), outcomes)


@pytest.mark.parametrize(
    ("median", "error", "beyond_noise", "moved"),
    [
        (0.519, 0.001, True, False),  # half an SD is 0.02
        (0.521, 0.001, True, True),
        (0.479, 0.001, True, True),
        (0.521, 0.02, False, False),  # the error of the difference is 0.02: within two of them
        (0.5015, 0.001, False, False),
    ],
)
def test_a_shift_moves_a_number_by_half_an_sd_and_not_by_noise(
    median: float, error: float, beyond_noise: bool, moved: bool
) -> None:
    other = outcome("high certainty", estimate(MEAN, median, 0.05, error))
    shift = grid(other).shift(other, MEAN)
    assert shift is not None
    assert shift.by["median"] == pytest.approx(median - 0.5)
    assert shift.errors["median"] == pytest.approx(math.hypot(0.001, error))
    assert shift.in_sds == pytest.approx((median - 0.5) / 0.04)
    assert (shift.beyond_noise, shift.moved) == (beyond_noise, moved)


def test_of_a_cohort_to_come_the_ends_are_judged() -> None:
    wider = replace(estimate(NEXT, 0.5, 0.2), low=0.1 - 0.11)
    shift = grid(outcome("x", wider)).shift(outcome("x", wider), NEXT)
    assert shift is not None
    assert (shift.largest, shift.moved) == ("low", True)
    assert shift.in_sds == pytest.approx(-0.55)
    assert shift.chance is None


def test_fewer_cohorts_shift_a_number_by_chance() -> None:
    fewer = outcome("x", estimate(MEAN, 0.55, 0.05), cohorts=6)
    shift = grid(fewer).shift(fewer, MEAN)
    assert shift is not None
    assert shift.chance == pytest.approx(0.03)  # 0.03² + 0.04² = 0.05²
    assert shift.moved
    assert not shift.beyond_chance
    more = outcome("x", estimate(MEAN, 0.57, 0.05), cohorts=6)
    assert grid(more).shift(more, MEAN).beyond_chance  # type: ignore[union-attr]
    # All cohorts: no chance is in the choice.
    assert grid(outcome("x")).shift(outcome("x", estimate(MEAN, 0.55, 0.05)), MEAN).chance is None  # type: ignore[union-attr]


def test_a_run_that_its_model_does_not_give_is_told() -> None:
    assert grid().not_reproduced == ()
    # Three numbers are judged; the limit for 0.1 % of false alarms is 3.6 errors of 0.0014.
    for by, expected in ((0.0045, []), (0.0055, ["all, mean"])):
        again = outcome("main model again", estimate(MEAN, 0.5 + by, 0.04), estimate(NEXT, 0.5, 0.2))
        assert [number.name for number, _ in grid(again=again).not_reproduced] == expected


def test_the_table_has_the_same_columns_if_nothing_else_could_be_fitted() -> None:
    failed = Outcome("high certainty", Status.FAILED, "no memory")
    again = Outcome("main model again", Status.FAILED, "no memory")
    table = grid_table(grid(failed, again=again))
    assert (
        table.columns.tolist() == grid_table(grid(outcome("high certainty", *MAIN.estimates.values()))).columns.tolist()
    )
    assert table["moved"].isna().all()


def test_the_table_has_a_row_for_each_number_and_one_for_an_alternative_without() -> None:
    found = grid(
        outcome("high certainty", estimate(MEAN, 0.53, 0.05), cohorts=7),
        Outcome("stated counts", Status.NOT_APPLICABLE, "the table has no column count_basis"),
    )
    table = grid_table(found)
    assert table["alternative"].tolist() == ["main"] * 2 + ["main model again"] * 2 + [
        "high certainty",
        "stated counts",
    ]
    row = table.iloc[4]
    assert row[["family", "cohorts", "number", "median"]].tolist() == ["evidence", 7, "all, mean", 0.53]
    assert row["shift"] == pytest.approx(0.03)
    assert bool(row["moved"])
    assert table["shift"].isna().tolist() == [True, True, False, False, False, True]
    assert table.iloc[5]["reason"] == "the table has no column count_basis"
    records = grid_records(found)
    assert [len(record["numbers"]) for record in records] == [2, 2, 1, 0]
    assert records[2]["why"] == "Do second-hand, interim or assumed figures matter?"
