"""What a report is made of, before it is HTML or Markdown: plain records of text, tables, figures and code."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from alkbayes.errors import AlkbayesError
from alkbayes.presentation.tables import Part, ReaderTable, Sentence, Title


@dataclass(frozen=True, slots=True)
class Link:
    """A piece of text that leads somewhere.

    Attributes
    ----------
    text
        What is read.
    url
        An address that begins with https:// or http://, or "#" and the name of a place in the report.
    """

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A piece of text that is typed as it stands: a command, a file's name, a hash."""

    text: str


type Piece = str | Link | Verbatim
type Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; `strong` for what must not be overlooked."""

    kind: ClassVar[str] = "paragraph"
    pieces: Pieces
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list, numbered where its order matters."""

    kind: ClassVar[str] = "bullets"
    items: tuple[Pieces, ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with what they are."""

    kind: ClassVar[str] = "facts"
    rows: tuple[tuple[str, Pieces], ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """Steps in which a count becomes smaller: each with what it says, and what left on the way to it."""

    kind: ClassVar[str] = "flow"
    steps: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its notes."""

    kind: ClassVar[str] = "table"
    table: ReaderTable
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure.

    Attributes
    ----------
    name
        Of its file, without an ending.
    title
        What it is of.
    description
        What is to be seen, for who cannot see it.
    pages
        Each page as an SVG document, with its width in pixels of a screen.
    """

    kind: ClassVar[str] = "picture"
    name: str
    title: str
    description: str
    pages: tuple[tuple[bytes, int], ...]


@dataclass(frozen=True, slots=True)
class Equation:
    """Lines of a model's definition, in MathML and in LaTeX."""

    kind: ClassVar[str] = "equation"
    mathml: tuple[str, ...]
    latex: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Text in a fixed pitch: commands, or a file."""

    kind: ClassVar[str] = "listing"
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that are opened on demand, and printed in any case."""

    kind: ClassVar[str] = "fold"
    title: str
    blocks: "tuple[Block, ...]"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a strip of the forest shows of one rate, on one scale; positions are percent of the strip's width.

    Attributes
    ----------
    scale
        "percent" or "logit".
    observed, observed_low, observed_high
        Of a cohort, the observed rate and its exact interval; None for a summary.
    middle, low, high
        Of the posterior, or of the summary's `typical` with its credible interval.
    mean, next_low, next_high
        Of a summary alone: `mean`, and the prediction interval of the next cohort.
    text, observed_text
        The same numbers in words: of the posterior and of what was observed.
    """

    scale: str
    observed: float | None
    observed_low: float | None
    observed_high: float | None
    middle: float
    low: float
    high: float
    mean: float | None
    next_low: float | None
    next_high: float | None
    text: str
    observed_text: str


@dataclass(frozen=True, slots=True)
class ForestRow:
    """A row of the forest of cohorts.

    Attributes
    ----------
    rank
        "group" (a title), "summary" (of a group or of all), or "cohort".
    label
        A cohort's name, or what a group is called.
    number
        Of a cohort, from 1 in the order of the table; 0 otherwise.
    groups
        Of a cohort, the values of the columns that it can be filtered by.
    counts
        Responders of patients.
    weight
        In percent of all cohorts.
    order
        What each column is sorted by.
    marks
        One for each scale; empty for a group without a summary.
    details
        Of a cohort, what else is known of it.
    """

    rank: str
    label: str
    number: int
    groups: tuple[str, ...]
    counts: str
    weight: str
    order: tuple[str, ...]
    marks: tuple[Mark, ...]
    details: tuple[tuple[str, Pieces], ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """Of the strips: a scale's name, and its ticks as label and position in percent of the width."""

    scale: str
    title: str
    ticks: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Forest:
    """Every cohort as a row that can be sorted, filtered and asked for its details.

    Attributes
    ----------
    title
        What it is of.
    rows
        In the order of the forest plot.
    axes
        One for each scale.
    filters
        The columns that cohorts are filtered by, each with its values.
    reference
        Position of the overall mean on each scale.
    notes
        How to read it.
    """

    kind: ClassVar[str] = "forest"
    title: str
    rows: tuple[ForestRow, ...]
    axes: tuple[Axis, ...]
    filters: tuple[tuple[str, tuple[str, ...]], ...]
    reference: tuple[tuple[str, float], ...]
    notes: tuple[str, ...]

    @property
    def cohorts(self) -> int:
        """Number of cohorts."""
        return sum(row.rank == "cohort" for row in self.rows)


@dataclass(frozen=True, slots=True)
class Heading:
    """A title within a section."""

    kind: ClassVar[str] = "heading"
    text: str


type Block = Paragraph | Bullets | Facts | Flow | Table | Picture | Equation | Listing | Fold | Forest | Heading


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report under a title; `anchor` is its name within the document."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A whole document.

    Attributes
    ----------
    title, subtitle
        What it is about.
    warning
        Why its numbers are not to be used; empty where they may be.
    key_results
        What each is of, and the sentence; at most six.
    opening
        The figure of the pooled rates, or why there is none.
    sections
        In their order.
    written
        When the run was written, as the run says.
    """

    title: str
    subtitle: str
    warning: str
    key_results: tuple[tuple[str, str], ...]
    opening: Picture | Paragraph
    sections: tuple[Section, ...]
    written: str

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every figure, in the order of the document."""
        return tuple(_pictures([self.opening, *(block for section in self.sections for block in section.blocks)]))


def text(*pieces: Piece) -> Paragraph:
    """Return a paragraph of these pieces."""
    return Paragraph(pieces)


def blocks_of(parts: Iterable[Part]) -> Iterator[Block]:
    """Yield what a reader sees of a result as blocks; sentences after one another are paragraphs of their own."""
    for part in parts:
        match part:
            case Title(text=title):
                yield Heading(title)
            case Sentence(text=sentence, strong=strong):
                yield Paragraph((sentence,), strong)
            case ReaderTable():
                yield Table(part, part.notes)


def attempted(make: Callable[[], Iterable[Block]]) -> list[Block]:
    """Return the blocks of a part of a report, or the reason why it cannot be made; a bug keeps its traceback."""
    try:
        return list(make())
    except AlkbayesError as error:
        return [Paragraph((f"Not shown: {error}",), strong=True)]


def _pictures(blocks: Sequence[Block]) -> list[Picture]:
    found: list[Picture] = []
    for block in blocks:
        if isinstance(block, Picture):
            found.append(block)
        elif isinstance(block, Fold):
            found += _pictures(block.blocks)
    return found
