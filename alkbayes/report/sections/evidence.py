"""Report section on evidence: cohorts included and excluded, their quality, and the sources of all numbers."""

import csv
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from alkbayes.evidence.cautions import table_cautions
from alkbayes.evidence.composition import patients_by_year
from alkbayes.evidence.table import RECONSTRUCTION, Evidence, composition
from alkbayes.plots.figures.evidence import composition_figure
from alkbayes.presentation.evidence import group_rows
from alkbayes.report.blocks import (
    Bullets,
    Facts,
    Flow,
    Fold,
    Heading,
    Paragraph,
    Pieces,
    Section,
    Table,
    Verbatim,
    text,
)
from alkbayes.report.pictures import picture
from alkbayes.report.sections.sources import Source
from alkbayes.text.json import records
from alkbayes.text.wording import counted, joined, percent
from alkbayes.vocabulary import in_order

if TYPE_CHECKING:
    from alkbayes.plots.page.style import Caption
    from alkbayes.report.blocks import Block

REVIEW = (
    "The review whose table it reconstructs reports 66 cohorts of 41 trials, 6,382 patients, and a pooled ORR of "
    "58.5 % (57.3–59.7), which is the interval of one proportion on summed counts."
)
QUALITIES: Mapping[tuple[str, str], str] = {
    ("certainty", "low"): "rest on second-hand, interim or assumed statements (low certainty)",
    ("assessor", "irc"): "had their responses read by independent review",
    ("assessor", "investigator"): "had their responses read by investigators",
    ("assessor_basis", "inferred"): "have that reader inferred from the trial's design",
    ("analysis_set", "evaluable"): "count evaluable patients alone in the denominator",
    ("count_basis", "derived"): "have their responders worked out from a printed rate",
    ("confirmed", "unknown"): "do not say whether responses had to be confirmed",
    ("confirmed", "no"): "count unconfirmed responses",
}
"""Quality columns, and the end of a sentence for each value."""


def evidence_section(
    evidence: Evidence, sources: Mapping[str, tuple[int, Source]], caption: "Caption", *, left_out: tuple[str, ...] = ()
) -> Section:
    """Return the evidence section.

    Parameters
    ----------
    evidence
        Table fitted to.
    sources
        Sources from :func:`alkbayes.report.sections.sources.cited`.
    caption
        Caption common to the run's figures.
    left_out
        Clauses on cohorts in the file that the model excluded, with reasons.
    """
    groups = composition(evidence)
    by_group = group_rows(records(groups))
    heading = _total(evidence)
    figure = composition_figure(groups, patients_by_year(evidence), heading=heading, caption=caption)
    blocks: list[Block] = [
        Facts(
            (
                ("table", (evidence.source,)),
                ("sha256 of the file", (Verbatim(evidence.sha256),)),
                ("content", (f"{heading}, {counted(evidence.responders, 'responder')}",)),
                ("crude ORR", (f"{percent(evidence.orr)} %: all responders over all patients, no pooled estimate",)),
            )
        )
    ]
    if evidence.bundled:
        blocks.append(text(f"{RECONSTRUCTION} {REVIEW}"))
    blocks += [
        Heading("Cohorts in and out"),
        Flow(tuple(_steps(evidence, left_out))),
        *([_not_included()] if evidence.bundled else []),
        *(Paragraph((note,), strong=True) for note in table_cautions(evidence)),
        Heading("Composition of the evidence"),
        *([Table(by_group)] if by_group.rows else []),
        picture(
            "evidence",
            "Composition of the evidence",
            f"Patients by year, treatment line and TKI generation: {heading}.",
            figure,
        ),
    ]
    if found := tuple(_qualities(evidence)):
        blocks += [Heading("Of what quality"), Bullets(found)]
    if sources:
        blocks += [
            Fold(
                f"{len(sources)} sources of the figures",
                (
                    text("Each cohort names its own in the forest of cohorts, first the one that its counts are from."),
                    Bullets(tuple(_source(source) for _, source in sources.values()), numbered=True),
                ),
            ),
        ]
    return Section("evidence", "Evidence", tuple(blocks))


def _total(evidence: Evidence) -> str:
    trials = "" if evidence.trials is None else f" of {counted(evidence.trials, 'trial')}"
    return f"{counted(evidence.cohorts, 'cohort')}{trials}, {counted(evidence.patients, 'patient')}"


def _steps(evidence: Evidence, left_out: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the boxes of the cohort flow chart, each with the exclusions on the way to it."""
    if left_out:
        yield "Cohorts of the file", ()
    yield f"In the analysis: {_total(evidence)}", left_out
    if "line" in evidence.frame:
        patients = evidence.frame.groupby("line")["n"]
        parts = [
            f"{line}: {counted(int(patients.size()[line]), 'cohort')}, {counted(int(patients.sum()[line]), 'patient')}"
            for line in in_order("line", set(evidence.frame["line"]) - {""})
        ]
        if parts:
            yield "; ".join(parts), ()


def _not_included() -> Bullets:
    """Return known evidence that is not in the bundled table, by reason."""
    by_reason: dict[str, list[str]] = {}
    content = files("alkbayes").joinpath("data", "not_included.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(content.splitlines()):
        by_reason.setdefault(row["why"], []).append(row["what"])
    return Bullets(tuple((f"Not in the table, {why}: {joined(names)}.",) for why, names in by_reason.items()))


def _qualities(evidence: Evidence) -> Iterator[Pieces]:
    frame = evidence.frame
    for (column, value), what in QUALITIES.items():
        if column in frame and (count := int((frame[column] == value).sum())):
            patients = int(frame.loc[frame[column] == value, "n"].sum())
            yield (f"{count} of {counted(evidence.cohorts, 'cohort')} ({counted(patients, 'patient')}) {what}.",)


def _source(source: Source) -> Pieces:
    return (source.piece, f" ({source.detail})") if source.detail else (source.piece,)
