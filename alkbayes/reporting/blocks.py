"""Blocks of a report, independent of its format: records of text, tables, figures and code."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from alkbayes.errors import AlkbayesError
from alkbayes.presentation.tables import Part, ReaderTable, Sentence, Title, columns_in

if TYPE_CHECKING:
    from alkbayes.plots.files import Page


@dataclass(frozen=True, slots=True)
class Link:
    """Linked text.

    `url` begins with https:// or http://, or is "#" and an anchor within the report.
    """

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Literal text: a command, a file name, a hash."""

    text: str


type Piece = str | Link | Verbatim
type Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; `strong` for warnings."""

    kind: ClassVar[str] = "paragraph"
    pieces: Pieces
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """List, numbered if its order matters."""

    kind: ClassVar[str] = "bullets"
    items: tuple[Pieces, ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with their values."""

    kind: ClassVar[str] = "facts"
    rows: tuple[tuple[str, Pieces], ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """Flow of exclusions: steps with falling counts, each with its text and the exclusions on the way to it."""

    kind: ClassVar[str] = "flow"
    steps: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Table with notes."""

    kind: ClassVar[str] = "table"
    table: ReaderTable
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """Figure.

    Attributes
    ----------
    name
        File name without extension.
    title
        Title.
    description
        Alternative text for readers who cannot see the figure.
    pages
        Its pages as drawn; a renderer makes SVG or PNG of them.
    """

    kind: ClassVar[str] = "picture"
    name: str
    title: str
    description: str
    pages: "tuple[Page, ...]"


@dataclass(frozen=True, slots=True)
class Equation:
    """Lines of a model's definition, in MathML and in LaTeX."""

    kind: ClassVar[str] = "equation"
    mathml: tuple[str, ...]
    latex: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Monospaced text: commands, or a file."""

    kind: ClassVar[str] = "listing"
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Fold:
    """Collapsible blocks, always printed."""

    kind: ClassVar[str] = "fold"
    title: str
    blocks: "tuple[Block, ...]"


@dataclass(frozen=True, slots=True)
class Mark:
    """One rate in a forest strip on one scale; positions are percent of the strip's width.

    Attributes
    ----------
    scale
        "percent" or "logit".
    observed, observed_low, observed_high
        Observed rate of a cohort and its exact interval; None for a summary.
    middle, low, high
        Posterior, or a summary's `typical` with its credible interval.
    mean, next_low, next_high
        For a summary only: `mean`, and the prediction interval of the next cohort.
    text, observed_text
        The posterior and observed numbers as text.
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
    """Row of the forest of cohorts.

    Attributes
    ----------
    rank
        "group" (a title), "summary" (of a group or of all), or "cohort".
    label
        Name of a cohort or group.
    number
        Cohort number, from 1 in table order; 0 otherwise.
    groups
        Cohort's values in the filter columns.
    counts
        Responders of patients.
    weight
        Percent of the weight of all cohorts.
    order
        Sort key of each column.
    marks
        One for each scale; empty for a group without a summary.
    details
        Further facts on a cohort.
    cohort
        Name of a cohort in the table; empty otherwise.
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
    cohort: str = ""


@dataclass(frozen=True, slots=True)
class Axis:
    """Scale of the strips: its name, and ticks as label and position in percent of the width."""

    scale: str
    title: str
    ticks: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Forest:
    """Forest of cohorts that can be sorted, filtered and expanded.

    `axes` and `reference`, the position of the overall mean, are by scale; `counts` are the names of the two counts;
    `filters` are columns with their values; `notes` explain how to read the forest;
    `level` is the probability of the intervals in percent, without the sign; `printed` draws the forest for paper, or
    says why it cannot be drawn; None where it is for a screen alone.
    """

    kind: ClassVar[str] = "forest"
    title: str
    rows: tuple[ForestRow, ...]
    axes: tuple[Axis, ...]
    counts: tuple[str, str]
    filters: tuple[tuple[str, tuple[str, ...]], ...]
    reference: tuple[tuple[str, float], ...]
    notes: tuple[str, ...]
    level: str
    printed: Callable[[], Picture | Paragraph] | None = None

    @property
    def cohorts(self) -> int:
        """Number of cohorts."""
        return sum(row.rank == "cohort" for row in self.rows)

    @property
    def table(self) -> ReaderTable:
        """The numbers of the forest, in percent; names of cohorts are indented below those of their groups."""
        names = [name for name, _ in self.filters]
        rows = []
        for row in self.rows:
            observed, given = (row.marks[0].observed_text, row.marks[0].text) if row.marks else ("", "")
            label = f"  {row.label}" if row.rank == "cohort" else row.label
            rows.append((label, *(row.groups or [""] * len(names)), row.counts, observed, given, row.weight))
        intervals = f"observed (exact {self.level} %)", f"given all cohorts ({self.level} % credible)"
        headings = ("cohort", *names, "/".join(self.counts), *intervals, "weight, %")
        words = tuple(range(1, 1 + len(names)))
        units = columns_in("%", len(words) + 2, len(words) + 3)
        return ReaderTable(f"{self.title}, %", headings, tuple(rows), words, self.notes[-1:], units=units)


@dataclass(frozen=True, slots=True)
class Heading:
    """Heading within a section."""

    kind: ClassVar[str] = "heading"
    text: str


type Block = Paragraph | Bullets | Facts | Flow | Table | Picture | Equation | Listing | Fold | Forest | Heading


@dataclass(frozen=True, slots=True)
class Section:
    """Titled part of a report; `anchor` is its name within the document."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Complete report.

    Attributes
    ----------
    title, subtitle
        Title lines.
    warning
        Reason not to use its numbers, or empty.
    remark
        That the analysis is exploratory, or empty.
    key_results
        Topic and sentence, six at most.
    opening
        Figure of the pooled rates, or why there is none.
    sections
        Sections in order.
    written
        Time of the run.
    """

    title: str
    subtitle: str
    warning: str
    remark: str
    key_results: tuple[tuple[str, str], ...]
    opening: Picture | Paragraph
    sections: tuple[Section, ...]
    written: str

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All figures in document order."""
        return tuple(_pictures([self.opening, *(block for section in self.sections for block in section.blocks)]))


def text(*pieces: Piece) -> Paragraph:
    """Return a paragraph of text pieces."""
    return Paragraph(pieces)


def blocks_of(parts: Iterable[Part]) -> Iterator[Block]:
    """Yield a result's parts as blocks; consecutive sentences become separate paragraphs."""
    for part in parts:
        match part:
            case Title(text=title):
                yield Heading(title)
            case Sentence(text=sentence, strong=strong):
                yield Paragraph((sentence,), strong)
            case ReaderTable():
                yield Table(part, part.notes)


def attempted(make: Callable[[], Iterable[Block]]) -> list[Block]:
    """Return the blocks of a part of a report, or why it cannot be made; a bug keeps its traceback."""
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
