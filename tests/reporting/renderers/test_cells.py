"""Cells of readers' tables as numbers, each form that they have."""

import pytest

from alkbayes.presentation.tables import ReaderTable
from alkbayes.reporting.renderers.cells import Number, columns_of, number


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("60.2", 60.2, "0.0"),
        ("5,707", 5707, "#,##0"),
        ("−0.05", -0.05, "0.00"),
        ("+9.5", 9.5, "+0.0;-0.0;0.0"),
        ("16.7*", 16.7, '0.0"*"'),
        ("80 %", 80, '0" %"'),
        ("× 3.78", 3.78, '"× "0.00'),
        ("±7", 7, '"±"0'),
    ],
)
def test_a_number_keeps_its_form(text: str, value: float, shown: str) -> None:
    assert number(text) == Number(value, shown)


@pytest.mark.parametrize(
    "text", ["", "–", "< 1 %", "t(64) = −0.66", "1,23", "12,3456", "1" * 16, "1e5", "nan", "12 of 66"]
)
def test_what_is_no_number_is_text(text: str) -> None:
    assert number(text) is None


def columns(heading: str, *cells: str, unit: str = "") -> dict[str, list[object]]:
    rows = tuple(("name", cell) for cell in cells)
    table = ReaderTable("t", ("", heading), rows, units={1: unit} if unit else {})
    return {
        column.heading: [cell.value if isinstance(cell, Number) else cell for cell in column.cells]
        for column in columns_of(table)[1:]
    }


@pytest.mark.parametrize(
    ("heading", "cell", "found"),
    [
        ("rate", "60.2\n58.9–61.5", {"rate, %": 60.2, "rate, lower, %": 58.9, "rate, upper, %": 61.5}),
        ("rate", "0.77 (−0.05 to 1.59)", {"rate, %": 0.77, "rate, lower, %": -0.05, "rate, upper, %": 1.59}),
        ("next\ncohort", "26–88", {"next cohort, lower, %": 26, "next cohort, upper, %": 88}),
        ("SD", "0.30 (0.011–0.99)*", {"SD, %": 0.3, "SD, lower, %": 0.011, "SD, upper, %": 0.99}),
        ("95 %", "−37 to +37", {"95 %, lower, %": -37, "95 %, upper, %": 37}),
    ],
)
def test_an_interval_has_columns_for_its_limits(heading: str, cell: str, found: dict[str, float]) -> None:
    assert columns(heading, cell, unit="%") == {name: [value] for name, value in found.items()}


def test_two_counts_have_a_column_each() -> None:
    assert columns("events/\npatients", "20/275") == {"events": [20], "patients": [275]}
    assert columns("patients\nresponders", "1,612\n1,231") == {"patients": [1612], "responders": [1231]}
    assert columns("error", "0.003, 0.005") == {"error, 1": [0.003], "error, 2": [0.005]}
    assert columns("any", "8/66\n659/5,707") == {"any, 1": [8], "any, 2": [66], "any, 3": [659], "any, 4": [5707]}


def test_a_unit_stands_at_the_end_of_every_heading() -> None:
    assert list(columns("difference of\nmeans, points", "+6 (−2 to +14)")) == [
        "difference of means, points",
        "difference of means, lower, points",
        "difference of means, upper, points",
    ]


def test_a_cell_that_is_missing_is_blank_and_one_of_another_form_is_text() -> None:
    found = columns("rate", "60.2\n58.9–61.5", "46.3\n–", "–", "", "60.2\n58.9–61.5", "not reached", "7")
    assert list(found.values()) == [
        [60.2, 46.3, None, None, 60.2, "not reached", 7],
        [58.9, None, None, None, 58.9, None, None],
        [61.5, None, None, None, 61.5, None, None],
    ]


def test_names_and_words_stay_as_they_are() -> None:
    table = ReaderTable("t", ("", "word", "k"), (("2020", "1", "1"), ("group",), (" 12–13", "5/6", "2")), words=(1,))
    assert [column.cells for column in columns_of(table)[:2]] == [("2020", "group", "12–13"), ("1", None, "5/6")]
