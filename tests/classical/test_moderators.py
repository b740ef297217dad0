"""Designs from columns: coding, order, names, what is left out, what is refused."""

from collections.abc import Callable

import numpy as np
import pytest

from alkbayes.classical.moderators import moderators_of
from alkbayes.errors import EvidenceError
from alkbayes.evidence import Evidence

type Maker = Callable[..., Evidence]
ROWS = [("a", 3, 9), ("b", 4, 8), ("c", 1, 8), ("d", 7, 11), ("e", 2, 9), ("f", 5, 6)]


def test_levels_are_coded_against_the_first_in_the_order_of_the_vocabulary(table: Maker) -> None:
    lines = ["mixed", "naive", "pretreated", "naive", "mixed", "pretreated"]
    found = moderators_of(table(*ROWS, line=lines), ["line"])
    assert found.names == ("intercept", "line: pretreated (against naive)", "line: mixed (against naive)")
    np.testing.assert_array_equal(found.design[:, 0], 1)
    np.testing.assert_array_equal(found.design[:, 1], [line == "pretreated" for line in lines])
    np.testing.assert_array_equal(found.design[:, 2], [line == "mixed" for line in lines])
    assert found.left_out == ()


def test_a_column_outside_the_vocabulary_is_sorted_and_called_by_its_label(table: Maker) -> None:
    evidence = table(*ROWS, regimen_class=["first", "second"] * 3, region=["z", "a", "z", "a", "a", "z"])
    assert moderators_of(evidence, ["region", "regimen_class"]).names == (
        "intercept",
        "region: z (against a)",
        "generation: second (against first)",
    )


def test_numbers_stand_as_they_are(table: Maker) -> None:
    evidence = table(*ROWS, pfs_median=["10.5", "3", "1e1", "-2", "7", "8"])
    found = moderators_of(evidence, ["pfs_median", "n"])
    assert found.names == ("intercept", "pfs_median (per unit)", "n (per unit)")
    assert found.design[:, 1].tolist() == [10.5, 3, 10, -2, 7, 8]
    assert found.design[:, 2].tolist() == [9, 8, 8, 11, 9, 6]


def test_a_number_that_the_vocabulary_has_as_a_level_is_a_level(table: Maker) -> None:
    found = moderators_of(table(*ROWS, phase=["1", "2", "1", "3", "2", "3"]), ["phase"])
    assert found.names == ("intercept", "phase: 2 (against 1)", "phase: 3 (against 1)")


@pytest.mark.parametrize("odd", ["x", "nan", "inf"])
def test_one_value_that_is_no_finite_number_makes_levels_of_all(table: Maker, odd: str) -> None:
    found = moderators_of(table(*ROWS, dose=["1", "1", "2", "2", odd, odd]), ["dose"])
    assert found.names == ("intercept", "dose: 2 (against 1)", f"dose: {odd} (against 1)")


def test_cohorts_without_a_value_are_left_out_and_named(table: Maker) -> None:
    evidence = table(*ROWS, line=["naive", "", "naive", "mixed", "mixed", "naive"], age=["1", "2", "3", "", "5", "6"])
    found = moderators_of(evidence, ["line", "age"])
    assert found.kept.tolist() == [0, 2, 4, 5]
    assert found.cohorts == ("a", "c", "e", "f")
    assert found.left_out == ("b", "d")
    assert found.design.shape == (4, 3)


def test_a_moderator_named_twice_counts_once(table: Maker) -> None:
    assert len(moderators_of(table(*ROWS, region=["x", "y"] * 3), ["region", "region"]).names) == 2


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ([], "needs a moderator. Columns of the table: n, constant, half, other, empty, own, two, one, far."),
        (["age", "half"], "no column age to regress on. Its columns: n, constant"),
        (["responders"], "no column responders to regress on"),
        (["cohort_id"], "no column cohort_id to regress on"),
        (["constant"], "constant is 'x' in all 6 cohorts with values in constant: it explains no differences"),
        (["two"], "two is '4' in all 2 cohorts"),
        (["half", "two"], "two is '4' in all 2 cohorts with values in half, two"),
        (["empty"], "No cohort of the evidence table has a value in empty."),
        (["empty", "half"], "No cohort of the evidence table has a value in each of empty, half."),
        (["one"], "one is '0.0' in the one cohort with a value in one: it explains"),
        (["one", "half"], "one is '0.0' in the one cohort with a value in one, half: it explains"),
        (["own", "half"], "own, half take 7 coefficients, and there are 6 cohorts with values in each of own, half;"),
        (["far"], "far varies so little for its size in these 6 cohorts that its coefficient cannot be told"),
        (["own"], "own takes 6 coefficients, and there are 6 cohorts"),
        (["half", "other"], "half, other determine each other in these 6 cohorts"),
    ],
)
def test_what_cannot_be_regressed_on_is_refused(table: Maker, columns: list[str], said: str) -> None:
    evidence = table(
        *ROWS,
        constant=["x"] * 6,
        half=["a", "b"] * 3,
        other=["q", "p"] * 3,
        empty=[""] * 6,
        own=list("uvwxyz"),
        two=["4", "4", "", "", "", ""],
        one=["0.0", "", "", "", "", ""],
        far=["1e16", "10000000000000002", "1e16", "1e16", "1e16", "1e16"],
    )
    with pytest.raises(EvidenceError) as caught:
        moderators_of(evidence, columns)
    assert said in str(caught.value)


def test_which_coefficient_follows_from_the_others_is_said(table: Maker) -> None:
    evidence = table(*ROWS, half=["a", "b"] * 3, other=["q", "p"] * 3)
    with pytest.raises(EvidenceError, match=r"other: q \(against p\) follows from those before it"):
        moderators_of(evidence, ["half", "other"])
