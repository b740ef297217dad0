"""Sentences about cohorts: number, names, plural."""

import numpy as np

from alkbayes.classical.notes import correction_note, left_out_note
from alkbayes.text.notes import text_of

NAMES = [f"c{i}" for i in range(1, 14)]


def test_corrected_cohorts_are_named_up_to_ten() -> None:
    assert correction_note(np.zeros(13, dtype=bool), NAMES) == ""
    one = correction_note(np.arange(13) == 4, NAMES)
    assert one == "1/2 was added to events and non-events of cohort c5, where one of them is 0."
    assert "of cohorts c1, c2, " in correction_note(np.ones(13, dtype=bool), NAMES)
    assert "c10 and 3 more, where" in correction_note(np.ones(13, dtype=bool), NAMES)


def test_cohorts_left_out_are_counted_and_named() -> None:
    assert left_out_note(["line"], [], 7) == ""
    assert left_out_note(["line"], ["c1"], 7) == "1 of 8 cohorts has no line and is left out: c1."
    assert left_out_note(["line", "phase"], ["c1", "c2"], 7) == (
        "2 of 9 cohorts have no value in one of line, phase and are left out: c1, c2."
    )
    assert left_out_note(["line"], NAMES, 1).endswith("c10 and 3 more.")


def test_empty_sentences_leave_no_blank() -> None:
    assert text_of(["", "A.", None, "B."]) == "A. B."
    assert text_of(["", ""]) == ""
