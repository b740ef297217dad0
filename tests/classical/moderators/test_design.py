"""Designs from columns: coding, order, names, what is left out, what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alkbayes.classical.moderators.design import moderators_of
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.table import Evidence, read_evidence

type Maker = Callable[..., Evidence]
STRANGERS = Path(__file__).parents[2] / "fixtures" / "strangers"
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


def test_a_generation_is_told_from_the_regimen_s_only_where_both_are_there(table: Maker) -> None:
    generation = ["1", "2", "1", "3", "2", "3"]
    names = moderators_of(table(*ROWS, generation=generation), ["generation"]).names
    assert names == ("intercept", "generation: 2 (against 1)", "generation: 3 (against 1)")
    evidence = table(*ROWS, generation=generation, regimen_class=["first", "second"] * 3)
    assert moderators_of(evidence, ["generation"]).names[1] == "agent_generation: 2 (against 1)"


def test_numbers_stand_as_they_are(table: Maker) -> None:
    evidence = table(*ROWS, pfs_median=["10.5", "3", "1e1", "-2", "7", "8"])
    found = moderators_of(evidence, ["pfs_median", "n"])
    assert found.names == ("intercept", "pfs_median (per unit)", "n (per unit)")
    assert found.design[:, 1].tolist() == [10.5, 3, 10, -2, 7, 8]
    assert found.design[:, 2].tolist() == [9, 8, 8, 11, 9, 6]


def test_a_number_that_the_vocabulary_has_as_a_level_is_a_level(table: Maker) -> None:
    found = moderators_of(table(*ROWS, phase=["1", "2", "1", "3", "2", "3"]), ["phase"])
    assert found.names == ("intercept", "phase: 2 (against 1)", "phase: 3 (against 1)")


def own(folder: Path, *cells: str) -> Evidence:
    path = folder / "own.csv"
    path.write_text(
        "cohort_id,responders,n,dose\n"
        + "".join(
            f'{cohort},{responders},{n},"{cell}"\n' for (cohort, responders, n), cell in zip(ROWS, cells, strict=True)
        ),
        encoding="utf-8",
    )
    return read_evidence(path)


@pytest.mark.parametrize(
    ("odd", "advice"),
    [
        ("x", "Write a number, or leave the cell empty if it is not known."),
        ("inf", "Write a number, or leave the cell empty if it is not known."),
        ("<2", "Write a number, or leave the cell empty if it is not known."),
        ("ca. 2005", "Write it as 2005."),
        ("~ -3", "Write it as -3."),
        ("30%", "Write it as 30, without the sign, in each row."),
        ("0,5", "Write it as 0.5."),
        ("1,234", "Write it without the comma if that parts thousands, with a point if it stands for decimals."),
        ("1.2.3", "Write a number, or leave the cell empty if it is not known."),
    ],
)
def test_cells_among_numbers_that_are_none_are_refused_or_levels_on_demand(
    tmp_path: Path, odd: str, advice: str
) -> None:
    evidence = own(tmp_path, "10", "NA", "2", odd, "10", odd)
    with pytest.raises(EvidenceError) as caught:
        moderators_of(evidence, ["dose"])
    path = tmp_path / "own.csv"
    assert str(caught.value).split("\n") == [
        f"{path} has 2 faults; nothing was computed.",
        f'  {path}, line 5, cohort "d", column dose: found "{odd}"; allowed: a number, or nothing. {advice}',
        f'  {path}, line 7, cohort "f", column dose: found "{odd}"; allowed: a number, or nothing. {advice}',
        "To treat dose as a factor, each value a level: levels=['dose']",
    ]
    found = moderators_of(evidence, ["dose"], levels=["dose"], references={"dose": "10"})
    assert set(found.names[1:]) == {f"dose: {level} (against 10)" for level in ("2", odd)}
    assert found.left_out == ("b",)


@pytest.mark.parametrize("column", ["pct", "dec_comma", "mixed"])
def test_numbers_written_in_another_way_are_no_levels(column: str) -> None:
    evidence = read_evidence(STRANGERS / "regress_bad.csv")
    with pytest.raises(EvidenceError, match=f"column {column}: found .*; allowed: a number"):
        moderators_of(evidence, [column])


def test_words_and_ranges_are_levels_unasked(tmp_path: Path) -> None:
    assert len(moderators_of(own(tmp_path, "<65", "≥65", "<65", "≥65", "<65", "all"), ["dose"]).names) == 3


def test_a_word_for_missing_makes_no_level_of_a_number() -> None:
    evidence = read_evidence(STRANGERS / "na_moderator.csv")
    found = moderators_of(evidence, ["year_na"])
    assert found.names == ("intercept", "year_na (per unit)")
    assert found.left_out == ("Holzemer et al. 2006",)
    assert found.design[:, 1].tolist() == [2005, 2003, 2003, 1999, 2002, 2003, 2005, 2005, 2000, 2005, 2006, 2006]
    region = moderators_of(evidence, ["region"])
    assert region.names == ("intercept", "region: Europe (against Asia)")
    assert len(region.left_out) == 4


def test_numbers_as_levels_stand_in_the_order_of_their_size(table: Maker) -> None:
    evidence = table(*ROWS, dose=["10", "9", "100", "9", "10", "100"])
    assert moderators_of(evidence, ["dose"], levels=["dose"]).names[1:] == (
        "dose: 10 (against 9)",
        "dose: 100 (against 9)",
    )


def test_the_reference_can_be_chosen(table: Maker) -> None:
    evidence = table(*ROWS, line=["mixed", "naive", "pretreated", "naive", "mixed", "pretreated"], dose=list("121212"))
    found = moderators_of(evidence, ["line", "dose"], levels=["dose"], references={"line": "mixed", "dose": "2"})
    assert found.names == (
        "intercept",
        "line: naive (against mixed)",
        "line: pretreated (against mixed)",
        "dose: 1 (against 2)",
    )
    np.testing.assert_array_equal(found.design[:, 3], [1, 0, 1, 0, 1, 0])


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        (
            {"references": {"line": "Mixed"}},
            EvidenceError,
            '"Mixed", only naive and mixed. Did you mean "mixed"?',
        ),
        ({"references": {"dose": "1"}}, UsageError, "dose is a column of numbers, which have no reference level."),
        ({"references": {"agent": "x"}}, UsageError, "agent cannot have levels here; regressed on: line and dose."),
        ({"levels": ["agent"]}, UsageError, "agent cannot have levels here; regressed on: line and dose."),
    ],
)
def test_levels_and_references_that_there_are_none_of(
    table: Maker, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    evidence = table(*ROWS, line=["mixed", "naive"] * 3, dose=list("122122"))
    with pytest.raises(error) as caught:
        moderators_of(evidence, ["line", "dose"], **options)
    assert said in str(caught.value)


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
        (["constant"], 'constant is "x" in all 6 cohorts with values in constant: it explains no differences'),
        (["two"], 'two is "4" in all 2 cohorts'),
        (["half", "two"], 'two is "4" in all 2 cohorts with values in half, two'),
        (["empty"], "No cohort of the evidence table has a value in empty."),
        (["empty", "half"], "No cohort of the evidence table has a value in each of empty, half."),
        (["one"], 'one is "0.0" in the one cohort with a value in one: it explains'),
        (["one", "half"], 'one is "0.0" in the one cohort with a value in one, half: it explains'),
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
