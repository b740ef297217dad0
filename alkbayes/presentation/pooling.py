"""Classical pooling for readers: methods side by side, and their disagreements."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alkbayes.classical.pooling.disagreements import POINTS, WIDTH_RATIO
from alkbayes.classical.pooling.tables import PooledGroup
from alkbayes.evidence.declared import NOTHING, Declared
from alkbayes.presentation.tables import Part, ReaderTable, Sentence, columns_in
from alkbayes.text.names import level_name
from alkbayes.text.notes import shared_notes
from alkbayes.text.wording import counted, level_text, percent, percent_interval, signed, variance
from alkbayes.vocabulary import ALL

type Row = Mapping[str, Any]
"""Row of `pool_table` or `disagreements`."""


def number_headings(prob: float) -> tuple[str, ...]:
    """Return the headings of :func:`numbers`, of intervals of a probability."""
    return "rate, %", f"{level_text(prob)} CI", "prediction", "tau²", "I², %"


@dataclass(frozen=True, slots=True)
class Footnotes:
    """Notes on the rows of a pooled table.

    Attributes
    ----------
    marks
        Mark of each row, such as "[1]", or empty.
    notes
        Note by mark. Rows whose notes differ in the result to use instead alone share one, which names their groups.
    """

    marks: tuple[str, ...]
    notes: Mapping[str, str]


def footnotes_of(groups: Sequence[PooledGroup], declared: Declared = NOTHING) -> Footnotes:
    """Return the notes on pooled groups, each once."""
    alike: dict[tuple[tuple[str, str], ...], list[PooledGroup]] = {}
    for group in groups:
        alike.setdefault(_subjects(group), []).append(group)
    marks = {subjects: f"[{place}]" for place, subjects in enumerate(filter(None, alike), 1)}
    notes = {}
    for subjects, mark in marks.items():
        shared = shared_notes((_stratum(each.place, declared), each.pooled.notes) for each in alike[subjects])
        notes[mark] = " ".join(note.worded() for note in shared)
    return Footnotes(tuple(marks.get(_subjects(group), "") for group in groups), notes)


def _subjects(group: PooledGroup) -> tuple[tuple[str, str], ...]:
    """Return the notes on a row without the results that they send a reader to."""
    return tuple((note.text, note.instead.source if note.instead else "") for note in group.pooled.notes)


def _stratum(row: Row, declared: Declared) -> str:
    """Return the name of a group among others, such as "drug x"."""
    return level_name(row) if row["group"] == ALL else f"{declared.name(row['group'])} {level_name(row)}"


def pool_rows(rows: Sequence[Row], marks: Sequence[str], declared: Declared = NOTHING, *, prob: float) -> ReaderTable:
    """Return each method's result for each group, with the mark of its note, if any has one.

    `marks` are those of :class:`Footnotes`, `prob` is the probability of the intervals.
    """
    cells: list[tuple[str, ...]] = []
    titled = None
    noted = any(marks)
    for row, mark in zip(rows, marks, strict=True):
        if (row["group"], row["level"]) != titled:
            titled = row["group"], row["level"]
            counts = f"{row['responders']:,}/{row['patients']:,}"
            cells.append((f"{_name(row, declared)}: {counted(row['k'], 'cohort')}, {counts}",))
        cells.append((f" {row['method']}", *numbers(row), *([mark] if noted else [])))
    headings = ("method", *number_headings(prob), *(["note"] if noted else []))
    return ReaderTable("Pooled by classical methods", headings, tuple(cells), units=columns_in("%", 2, 3))


def numbers(row: Row) -> tuple[str, ...]:
    """Return a method's estimate, intervals and heterogeneity."""
    return (
        percent(row["estimate"]),
        percent_interval(row["low"], row["high"]),
        percent_interval(row["prediction_low"], row["prediction_high"]),
        variance(row["tau2"]),
        percent(row["i2"], 0),
    )


def disagreement_parts(pairs: Sequence[Row], declared: Declared = NOTHING) -> Iterator[Part]:
    """Yield the pairs of methods that differ in one property and disagree, with reasons."""
    limits = f"estimates {100 * POINTS:g} point or more apart, or one interval {WIDTH_RATIO:g} times as wide"
    if not pairs:
        yield Sentence(f"No two methods that differ in one property disagree ({limits}).")
        return
    yield disagreement_rows(pairs, declared=declared, note=f"Disagree: {limits}.")
    explained = {row["property"]: row["explanation"] for row in pairs}
    yield from (Sentence(f"{name}: {why}.") for name, why in explained.items())


def disagreement_rows(pairs: Sequence[Row], *, note: str, declared: Declared = NOTHING) -> ReaderTable:
    """Return the disagreeing pairs: second estimate minus first, and ratio of interval widths."""
    several = len({(row["group"], row["level"]) for row in pairs}) > 1
    cells: list[tuple[str, ...]] = []
    titled = None
    for row in pairs:
        if several and (row["group"], row["level"]) != titled:
            titled = row["group"], row["level"]
            cells.append((_name(row, declared),))
        cells.append(pair(row))
    return ReaderTable(
        "Methods that differ in one property and disagree",
        ("property", "method", "other", "points", "width"),
        tuple(cells),
        words=(1, 2),
        notes=(
            note,
            "points: the other's estimate less the method's. width: of the other's interval, over the method's.",
        ),
    )


def pair(row: Row) -> tuple[str, ...]:
    """Return a pair of methods: second estimate minus first, and ratio of interval widths."""
    ratio = row["width_ratio"]
    difference = signed(100 * row["difference"])
    return row["property"], row["method"], row["other"], difference, "–" if ratio is None else f"× {ratio:.2f}"


def _name(row: Row, declared: Declared) -> str:
    level = level_name(row)
    return level if row["group"] == ALL else f"by {declared.name(row['group'])}, {level}"
