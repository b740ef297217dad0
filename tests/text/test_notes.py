"""Notes are told apart by kind, and become text when they are printed."""

from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.text.notes import Note, NoteKind, notes_of, text_of


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
