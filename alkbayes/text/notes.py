"""Notes on a result: values that are told apart by their kind, and become text when they are printed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum


class NoteKind(StrEnum):
    """Subject of a note, as far as code depends on it."""

    OTHER = "other"
    NOT_RANDOMISED = "not randomised"
    WITHIN_TRIALS = "within trials"
    RECONSTRUCTION = "reconstruction"
    PREDICTION = "prediction interval"
    CUT_LIMIT = "cut limit"


@dataclass(frozen=True, slots=True)
class Instead:
    """A result that stands in for one of little or no use.

    Attributes
    ----------
    source
        The method, as a sentence names it.
    result
        Its rate, or ratios, with interval, as printed; may be empty.
    caution
        A sentence on a limit of this result itself, or empty.
    """

    source: str
    result: str
    caution: str = ""

    @property
    def said(self) -> str:
        """The sentences that send a reader there."""
        return _sentences(see(self.source, self.result), self.caution)


@dataclass(frozen=True, slots=True)
class Note:
    """One or more sentences on a result.

    Attributes
    ----------
    kind
        Its subject: by this, and not by its text, a note is left out or put first.
    text
        The sentences.
    instead
        The result to use instead, where there is one.
    """

    kind: NoteKind
    text: str
    instead: Instead | None = None

    @property
    def said(self) -> str:
        """The sentences as printed, with the result to use instead."""
        return self.text if self.instead is None else _sentences(self.text, self.instead.said)

    def as_record(self) -> dict[str, str]:
        """Return the note as values that JSON can hold."""
        instead = self.instead or Instead("", "")
        return {"kind": str(self.kind), "text": self.text, **asdict(instead)}


@dataclass(frozen=True, slots=True)
class SharedNote[Row]:
    """A note that several rows of a table share, each with its own result to use instead.

    Attributes
    ----------
    text
        The sentences.
    source
        The method to use instead; empty if there is none.
    results
        The result to use instead by row, empty strings where there is none.
    cautions
        The caution on that result by row, or an empty string.
    """

    text: str
    source: str
    results: Mapping[Row, str]
    cautions: Mapping[Row, str]

    @property
    def names_rows(self) -> bool:
        """Whether the wording names the rows, as their results differ."""
        return len(set(self.results.values())) > 1

    def worded(self, name: Callable[[Row], str] = str, where: str = "in") -> str:
        """Return the note with the result of each row, such as "See glmm-ml: 24.1 (15.2–36.0) in x, 30.2 (…) in y."."""
        if not self.source:
            return self.text
        named = {name(row): result for row, result in self.results.items()}
        told = (
            [f"{result} {where} {row}" for row, result in named.items()] if self.names_rows else [*named.values()][:1]
        )
        return _sentences(self.text, see(self.source, ", ".join(told)), *self._cautions(named_rows=name))

    def _cautions(self, named_rows: Callable[[Row], str]) -> Iterator[str]:
        """Yield each caution once, with its rows if it is not about all of them."""
        for caution in dict.fromkeys(filter(None, self.cautions.values())):
            rows = dict.fromkeys(named_rows(row) for row, each in self.cautions.items() if each == caution)
            about_all = len(set(self.cautions.values())) == 1
            yield caution if about_all else f"{caution.removesuffix('.')} ({', '.join(rows)})."


def notes_of(*said: Note | str | None) -> tuple[Note, ...]:
    """Return notes in their order, without what is empty or None; a sentence without a kind is of kind "other"."""
    return tuple(note if isinstance(note, Note) else Note(NoteKind.OTHER, note) for note in said if note)


def text_of(said: Iterable[Note | str | None]) -> str:
    """Return notes as one text."""
    return " ".join(note.said for note in notes_of(*said))


def see(source: str, result: str) -> str:
    """Return the sentence that sends a reader to the result of another method."""
    return f"See {source}: {result}." if result else f"See {source}."


def shared_notes[Row](notes: Iterable[tuple[Row, Iterable[Note]]]) -> list[SharedNote[Row]]:
    """Return the distinct notes of the rows of a table, in order of first appearance, each with its rows."""
    found: dict[tuple[str, str], dict[Row, Instead]] = {}
    for row, said in notes:
        for note in said:
            instead = note.instead or Instead("", "")
            found.setdefault((note.text, instead.source), {})[row] = instead
    return [
        SharedNote(
            text,
            source,
            {row: each.result for row, each in rows.items()},
            {row: each.caution for row, each in rows.items()},
        )
        for (text, source), rows in found.items()
    ]


def _sentences(*said: str) -> str:
    return " ".join(filter(None, said))
