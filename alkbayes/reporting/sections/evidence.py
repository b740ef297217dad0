"""Report section on evidence: cohorts included and excluded, their quality, and the sources of all numbers."""

import csv
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from alkbayes.alk.review import RECONSTRUCTION, REVIEW
from alkbayes.alk.words import COUNTED_BY
from alkbayes.appraisal.judgements import reporting_quality
from alkbayes.evidence.cautions import table_cautions
from alkbayes.evidence.composition import patients_by_year
from alkbayes.evidence.table import Evidence, cohort_labels, composition
from alkbayes.plots.figures.appraisal import traffic_lights
from alkbayes.plots.figures.evidence import composition_figure
from alkbayes.plots.figures.prisma import described, prisma
from alkbayes.plots.kinds import KINDS
from alkbayes.presentation.appraisal import REPORTED, share_rows
from alkbayes.presentation.evidence import group_rows
from alkbayes.reporting.blocks import (
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
from alkbayes.reporting.pictures import picture
from alkbayes.reporting.sections.results import DESCRIPTIONS
from alkbayes.reporting.sections.sources import KEYS, Source, keys_of
from alkbayes.text.json import records
from alkbayes.text.wording import capitalised, counted, joined, percent
from alkbayes.vocabulary import label_of

if TYPE_CHECKING:
    from alkbayes.plots.page.style import Caption
    from alkbayes.registry.flow import Flow as RecordFlow
    from alkbayes.reporting.blocks import Block


def evidence_section(
    evidence: Evidence,
    sources: Mapping[str, tuple[int, Source]],
    caption: "Caption",
    *,
    left_out: tuple[str, ...] = (),
    flow: "RecordFlow | None" = None,
) -> Section:
    """Return the evidence section.

    Parameters
    ----------
    evidence
        Table fitted to.
    sources
        Sources from :func:`alkbayes.reporting.sections.sources.cited`.
    caption
        Caption common to the run's figures.
    left_out
        Clauses on cohorts in the file that the model excluded, with reasons.
    flow
        Records from the search to the table, if it came of one.
    """
    groups = composition(evidence)
    heading, outcome = _total(evidence), evidence.outcome
    figure = composition_figure(groups, patients_by_year(evidence), heading=heading, caption=caption)
    over = f"all {outcome.events} over all {outcome.units}"
    blocks: list[Block] = [
        Facts(
            (
                ("table", (evidence.source,)),
                ("sha256 of the file", (Verbatim(evidence.sha256),)),
                ("content", (f"{heading}, {outcome.events_of(evidence.responders)}",)),
                (f"crude {outcome.short}", (f"{percent(evidence.orr)} %: {over}, no pooled estimate",)),
            )
        )
    ]
    if evidence.bundled:
        blocks.append(text(f"{RECONSTRUCTION} {REVIEW}"))
    if flow is not None:
        blocks += [
            Heading("From the search to the table"),
            picture("flow", "Flow of records and studies", described(flow), prisma(flow)),
        ]
    blocks += [
        Heading("Cohorts in and out"),
        Flow(tuple(_steps(evidence, left_out))),
        *([_not_included()] if evidence.bundled else []),
        *(Paragraph((note,), strong=True) for note in table_cautions(evidence)),
    ]
    if (by_group := group_rows(records(groups), outcome)).rows:
        blocks += [Heading("Composition of the evidence"), Table(by_group)]
    counted_by = f"{capitalised(outcome.units)} by {joined(['year', *_counted_by(evidence)])}: {heading}."
    blocks.append(picture("evidence", "Composition of the evidence", counted_by, figure))
    if (reported := reporting_quality(evidence)) is not None:
        shares, labels = share_rows(reported, outcome), list(cohort_labels(evidence.frame).values())
        shows = capitalised(KINDS["reporting-quality"].shows)
        figure = traffic_lights(reported, labels, caption)
        blocks += [
            Heading("Reporting quality"),
            text(REPORTED),
            Table(shares),
            Fold(shows, (picture("reporting-quality", shows, DESCRIPTIONS["reporting-quality"], figure),)),
        ]
    if sources:
        of_cohorts = {key for cell in evidence.frame.get(KEYS, ()) for key in keys_of(cell)}
        further = " The last ones are of the other tables shown: adverse events, samples, randomised trials."
        blocks += [
            Fold(
                f"{len(sources)} sources of the figures",
                (
                    text(
                        "Each cohort names its own in the forest of cohorts, first the one that its counts are from."
                        f"{further if sources.keys() - of_cohorts else ''}"
                    ),
                    Bullets(tuple(_source(source) for _, source in sources.values()), numbered=True),
                ),
            ),
        ]
    return Section("evidence", "Evidence", tuple(blocks))


def _total(evidence: Evidence) -> str:
    trials = "" if evidence.trials is None else f" of {counted(evidence.trials, 'trial')}"
    return f"{counted(evidence.cohorts, 'cohort')}{trials}, {evidence.outcome.units_of(evidence.patients)}"


def _counted_by(evidence: Evidence) -> list[str]:
    """Return the columns by which the figure counts, as a sentence has them."""
    label = evidence.outcome.declared.label
    there = [label(label_of(column)) or title for column, title in COUNTED_BY.items() if column in evidence.frame]
    return [f"{title[:1].lower()}{title[1:]}" if title[1:2].islower() else title for title in there]


def _steps(evidence: Evidence, left_out: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the boxes of the cohort flow chart, each with the exclusions on the way to it."""
    if left_out:
        whole = evidence.part_of or evidence
        yield f"With the outcome: {_total(whole)}", ()
    yield f"In the analysis: {_total(evidence)}", left_out
    units_of = evidence.outcome.units_of
    if "line" in evidence.frame:
        patients = evidence.frame.groupby("line")["n"]
        parts = [
            f"{line}: {counted(int(patients.size()[line]), 'cohort')}, {units_of(int(patients.sum()[line]))}"
            for line in evidence.outcome.declared.in_order("line", set(evidence.frame["line"]) - {""})
        ]
        if parts:
            yield "; ".join(parts), ()


def _not_included() -> Bullets:
    """Return known evidence that is not in the bundled table, by reason, and cohorts that are left out of it."""
    by_reason: dict[str, list[str]] = {}
    content = files("alkbayes").joinpath("data", "not_included.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(content.splitlines()):
        by_reason.setdefault(row["why"], []).append(row["what"])
    sentences = [f"Not in the table, {why}: {joined(names)}." for why, names in by_reason.items()]
    left_out = files("alkbayes").joinpath("data", "left_out.csv").read_text(encoding="utf-8")
    sentences += [
        f"Left out of the table: {row['cohort_id']}, {row['responders']} of {row['n']} ({row['reason']})."
        for row in csv.DictReader(left_out.splitlines())
    ]
    return Bullets(tuple((sentence,) for sentence in sentences))


def _source(source: Source) -> Pieces:
    return (source.piece, f" ({source.detail})") if source.detail else (source.piece,)
