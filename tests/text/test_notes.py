"""Notes are told apart by kind, and become text when they are printed."""

from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.text.notes import Instead, Note, NoteKind, notes_of, shared_notes, text_of


def test_sentences_are_notes_of_no_kind_and_empty_ones_none() -> None:
    cut = Note(NoteKind.CUT_LIMIT, "A limit was cut.")
    notes = notes_of("One cohort.", "", cut)
    assert notes == (Note(NoteKind.OTHER, "One cohort."), cut)
    assert text_of(notes) == "One cohort. A limit was cut."
    assert text_of(()) == ""


def test_a_row_has_its_notes_as_one_text_and_knows_what_they_are_about() -> None:
    alike = pool([5, 5, 5, 5], [10, 10, 10, 10], method=PoolingMethod.REML_LOGIT_HTS)
    kinds = [note.kind for note in alike.notes]
    assert kinds.count(NoteKind.PREDICTION) == 2
    assert alike.as_row()["note"] == alike.note == " ".join(note.text for note in alike.notes)
    assert "notes" not in alike.as_row()
    at_edge = pool([200, 199, 200], [200, 200, 200], method=PoolingMethod.REML_RAW)
    assert NoteKind.CUT_LIMIT in {note.kind for note in at_edge.notes}


def test_notes_that_rows_share_are_said_once_with_the_result_of_each() -> None:
    one, two = (
        Note(NoteKind.OTHER, "Too narrow.", Instead("glmm-ml", result))
        for result in ("32.1 (22.9–43.0)", "40.0 (3.1–90.4)")
    )
    zero, nameless = Note(NoteKind.OTHER, "tau2 is 0."), Note(NoteKind.OTHER, "Too narrow.", Instead("glmm-ml", ""))
    spread, narrow = shared_notes([("a", (zero, one)), ("b", (two,)), ("c", (zero, two))])
    assert (spread.worded(), tuple(spread.results), spread.names_rows) == ("tau2 is 0.", ("a", "c"), False)
    assert narrow.worded(str.upper) == (
        "Too narrow. See glmm-ml: 32.1 (22.9–43.0) in A, 40.0 (3.1–90.4) in B, 40.0 (3.1–90.4) in C."
    )
    # One result for all is given once, without names.
    assert shared_notes([("a", (one,)), ("b", (one,))])[0].worded() == one.said
    assert nameless.said == "Too narrow. See glmm-ml."


def test_a_caution_on_the_result_to_use_instead_is_said_once_with_its_rows() -> None:
    zero, other = (
        Note(NoteKind.OTHER, "Too narrow.", Instead("glmm-ml", result, caution))
        for result, caution in (("32.1 (22.9–43.0)", "There, tau2 is 0."), ("40.0 (3.1–90.4)", ""))
    )
    assert zero.said == "Too narrow. See glmm-ml: 32.1 (22.9–43.0). There, tau2 is 0."
    assert zero.as_record()["caution"] == "There, tau2 is 0."
    (some,) = shared_notes([("a", (zero,)), ("b", (other,))])
    assert some.worded(str.upper).endswith("40.0 (3.1–90.4) in B. There, tau2 is 0 (A).")
    (all_rows,) = shared_notes([("a", (zero,)), ("b", (zero,))])
    assert all_rows.worded() == zero.said
