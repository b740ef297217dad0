"""The rest of a review, where it was computed for the run: median PFS, intracranial response, sequences, resistance."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from alkbayes.plots.figures.intracranial import intracranial
from alkbayes.plots.figures.pfs import pfs_forest
from alkbayes.plots.figures.resistance import resistance
from alkbayes.plots.figures.sequence import sequence
from alkbayes.plots.page.style import Caption
from alkbayes.presentation.pfs import pfs_parts
from alkbayes.presentation.resistance import resistance_parts
from alkbayes.presentation.sequence import sequence_opening, sequence_parts
from alkbayes.presentation.tables import ReaderTable
from alkbayes.report.blocks import Bullets, Heading, Paragraph, Section, Table, blocks_of
from alkbayes.report.pictures import picture
from alkbayes.report.sections.planned_trial import planned_blocks
from alkbayes.report.sections.sensitivity import kept_blocks
from alkbayes.text.names import GROUP_TITLES, shown
from alkbayes.text.wording import (
    difference,
    probability,
    rate,
)
from alkbayes.vocabulary import ALL, NOT_RANDOMISED

if TYPE_CHECKING:
    from alkbayes.analyses.pfs import PfsRecord
    from alkbayes.analyses.resistance import ResistanceRecord
    from alkbayes.analyses.sequence import SequenceRecord
    from alkbayes.inference.fit import Fit
    from alkbayes.plots.source import RunTables
    from alkbayes.report.blocks import Block

type Row = Mapping[str, Any]

BAYES = ("typical", "mean")


def beyond_section(fit: "Fit", tables: "RunTables") -> Section:
    """Return what was found beyond the outcome of the run, of the analyses that were kept with it."""
    notes = Caption(tables.caption.notes[1:])
    parts: dict[str, Callable[[Any], Iterator[Block]]] = {
        "pfs": lambda found: _pfs(found, notes),
        "intracranial": lambda found: _intracranial(found, notes),
        "sequence": lambda found: _sequence(found, notes),
        "resistance": lambda found: _resistance(found, notes),
        "predict": lambda found: planned_blocks(fit, found, notes),
    }
    return Section("beyond", "Beyond this outcome", kept_blocks(tables.folder, parts))


def _failed(failures: Sequence[str]) -> "Iterator[Block]":
    if failures:
        yield Paragraph((f"NOT CONVERGED, not to be used: {'; '.join(failures)}.",), strong=True)


def _sentences(lines: Sequence[str]) -> Bullets:
    return Bullets(tuple((line,) for line in lines))


def _frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return records as a table; what is no number was null in JSON."""
    return pd.DataFrame(rows).infer_objects()


def _pfs(found: "PfsRecord", notes: Caption) -> "Iterator[Block]":
    yield Heading("Median progression-free survival")
    yield from blocks_of(pfs_parts(found))
    description = "One row for each cohort: its median with the printed interval, or an arrow where it was not reached."
    pooled, cohorts, weighted = map(_frame, (found["pooled"], found["cohorts"], found["weighted"]))
    title = "Median progression-free survival of every cohort"
    yield picture("pfs", title, description, pfs_forest(pooled, cohorts, weighted, notes))


def _intracranial(found: Row, notes: Caption) -> "Iterator[Block]":
    yield Heading("Intracranial response")
    yield from _failed(found["failures"])
    yield _sentences(found["notes"])
    sides = list(dict.fromkeys(row["side"] for row in found["rates"]))
    cells = _by(found["rates"], "group", "level", "side", "estimand")
    rows = tuple(
        (
            _level(group, level),
            *(
                "\n".join(rate(cells[group, level, side]["mean"])) if (group, level, side) in cells else "–"
                for side in sides
            ),
            *(_counts(cells.get((group, level, side))) for side in sides),
        )
        for group, level in dict.fromkeys((group, level) for group, level, _ in cells)
        if (group, level, sides[-1]) in cells
    )
    headings = ("", *(f"{side}, %" for side in sides), *(f"responders\n{side}" for side in sides))
    yield Table(
        ReaderTable("Mean response rate, systemic and intracranial, with credible intervals", headings, rows),
        ("Intracranial rates are of patients with measurable brain lesions alone.", NOT_RANDOMISED),
    )
    differences = [row for row in found["contrasts"] if row["scale"] == "risk_difference"]
    names = list(dict.fromkeys(row["contrast"] for row in differences))
    readings = _by(differences, "reading", "contrast")
    by_prior = tuple(
        (reading, *(_difference(found_.get(name)) for name in names)) for reading, found_ in readings.items()
    )
    if names:
        yield Table(
            ReaderTable("Generations in the brain, under each prior and reading", ("", *map(shown, names)), by_prior),
            ("Difference of mean rates in points, credible interval, and the probability that the first is higher.",),
        )
    yield _sentences(found["conclusions"])
    if found["joint"] is not None:
        yield Heading("Both responses in one model")
        yield _sentences(found["joint"]["conclusions"])
    description = "Systemic rates of all cohorts, of those with intracranial counts, and intracranial rates."
    yield picture(
        "intracranial", "Systemic and intracranial response", description, intracranial(_frame(found["rates"]), notes)
    )


def _counts(estimands: Mapping[str, Row] | None) -> str:
    row = None if estimands is None else estimands["mean"]
    return "–" if row is None else f"{row['responders']:,}/{row['patients']:,}\nk {row['k']}"


def _difference(row: Row | None) -> str:
    if row is None:
        return "–"
    middle, interval = difference(row)
    return f"{middle} ({interval})\nP {probability(row['prob_better'])}"


def _sequence(found: "SequenceRecord", notes: Caption) -> "Iterator[Block]":
    yield Heading("Sequences of ALK inhibitors")
    yield from blocks_of((*sequence_opening(found), *sequence_parts(found)))
    description = "One cell for each earlier ALK inhibitor and generation; cells without cohorts are hatched."
    title = "Response rate by earlier ALK inhibitor and generation"
    yield picture("sequence-matrix", title, description, sequence(_frame(found["matrix"]), notes))


def _resistance(found: "ResistanceRecord", notes: Caption) -> "Iterator[Block]":
    yield Heading("Resistance mutations")
    yield from blocks_of(resistance_parts(found))
    description = "One row for each count, and under those of a question what the model makes of them."
    rows, prevalence = _frame(found["rows"]), _frame(found["prevalence"])
    pages = resistance(rows, prevalence, heading=found["few"][0], caption=notes)
    yield picture("resistance", "ALK resistance mutations", description, pages)


def _level(group: str, level: str) -> str:
    return GROUP_TITLES[ALL] if group == ALL else f" {shown(level).replace(':', ' : ')}"


def _by(rows: Sequence[Row], *keys: str) -> dict[Any, dict[str, Row]]:
    """Return rows by all keys but the last, a tuple where these are several, and below that by the last."""
    found: dict[Any, dict[str, Row]] = {}
    *outer, inner = keys
    for row in rows:
        key = tuple(row[name] for name in outer) if len(outer) > 1 else row[outer[0]]
        found.setdefault(key, {})[row[inner]] = row
    return found
