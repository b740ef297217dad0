"""Notes on a result: sentences that are told apart by their kind, and become text when they are printed."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class NoteKind(StrEnum):
    """What a note is about, as far as a reader of notes must know."""

    OTHER = "other"
    NOT_RANDOMISED = "not randomised"
    RECONSTRUCTION = "reconstruction"
    PREDICTION = "prediction interval"
    CUT_LIMIT = "cut limit"


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence, or a few, on a result.

    Attributes
    ----------
    kind
        What it is about: by this, and not by its text, it is left out or put first.
    text
        What is printed.
    """

    kind: NoteKind
    text: str


def notes_of(*said: Note | str) -> tuple[Note, ...]:
    """Return notes in their order; a sentence without a kind is of kind "other", an empty one is none."""
    notes = (note if isinstance(note, Note) else Note(NoteKind.OTHER, note) for note in said)
    return tuple(note for note in notes if note.text)


def text_of(notes: Iterable[Note]) -> str:
    """Return notes as one text."""
    return " ".join(note.text for note in notes)
