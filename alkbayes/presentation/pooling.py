"""Classical pooling for readers: methods side by side, and their disagreements."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alkbayes.classical.pooling.disagreements import POINTS, WIDTH_RATIO
from alkbayes.evidence.declared import NOTHING, Declared
from alkbayes.presentation.tables import Part, ReaderTable, Sentence
from alkbayes.text.names import level_name
from alkbayes.text.wording import counted, level_text, percent, percent_interval, signed, variance
from alkbayes.vocabulary import ALL

type Row = Mapping[str, Any]
"""Row of `pool_table` or `disagreements`."""


def number_headings(prob: float) -> tuple[str, ...]:
    """Return the headings of :func:`numbers`, of intervals of a probability."""
    return "rate, %", f"{level_text(prob)} CI", "prediction", "tau²", "I², %"


def note_marks(rows: Sequence[Row]) -> dict[str, str]:
    """Return the mark of each note on some rows, such as "[1]"."""
    notes = dict.fromkeys(row["note"] for row in rows if row["note"])
    return {note: f"[{place}]" for place, note in enumerate(notes, 1)}


def pool_rows(
    rows: Sequence[Row], marks: Mapping[str, str], declared: Declared = NOTHING, *, prob: float
) -> ReaderTable:
    """Return each method's result for each group, with the mark of its note if notes are marked.

    `prob` is the probability of the intervals.
    """
    cells: list[tuple[str, ...]] = []
    titled = None
    for row in rows:
        if (row["group"], row["level"]) != titled:
            titled = row["group"], row["level"]
            counts = f"{row['responders']:,}/{row['patients']:,}"
            cells.append((f"{_name(row, declared)}: {counted(row['k'], 'cohort')}, {counts}",))
        cells.append((f" {row['method']}", *numbers(row), *([marks.get(row["note"], "")] if marks else [])))
    headings = ("method", *number_headings(prob), *(["note"] if marks else []))
    return ReaderTable("Pooled by classical methods", headings, tuple(cells))


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
