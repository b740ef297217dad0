"""Notes on a result, distinguished by kind and formatted when printed."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class NoteKind(StrEnum):
    """Subject of a note, as far as code depends on it."""

    OTHER = "other"
    NOT_RANDOMISED = "not randomised"
    RECONSTRUCTION = "reconstruction"
    PREDICTION = "prediction interval"
    CUT_LIMIT = "cut limit"


@dataclass(frozen=True, slots=True)
class Note:
    """One or more sentences on a result.

    `kind`, not `text`, decides whether a note is omitted or put first.
    """

    kind: NoteKind
    text: str


def notes_of(*said: Note | str) -> tuple[Note, ...]:
    """Return notes in order; sentences without a kind get the kind "other", empty ones are dropped."""
    notes = (note if isinstance(note, Note) else Note(NoteKind.OTHER, note) for note in said)
    return tuple(note for note in notes if note.text)


def text_of(notes: Iterable[Note]) -> str:
    """Return notes as one text."""
    return " ".join(note.text for note in notes)
