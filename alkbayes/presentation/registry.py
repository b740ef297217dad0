"""Results of the steps from a registry to a table, for a reader."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from alkbayes.presentation.tables import Part, ReaderTable, Sentence, Title
from alkbayes.registry.comparison import NO_RECORD, Verdict
from alkbayes.registry.extraction.candidates import Status
from alkbayes.registry.extraction.kinds import Kind
from alkbayes.registry.flow import boxes_of
from alkbayes.registry.screening.rules import Decision
from alkbayes.text.names import listed, shown
from alkbayes.text.wording import counted

if TYPE_CHECKING:
    from alkbayes.registry.comparison import Difference
    from alkbayes.registry.extraction.tables import Extraction
    from alkbayes.registry.flow import Flow
    from alkbayes.registry.screening.decisions import Screening
    from alkbayes.registry.search import Search

MOST_ROWS = 40
"""Rows of a table in a terminal."""
ORDER = (
    Verdict.CONTRADICTION,
    Verdict.OTHER_N,
    Verdict.OTHER_ASSESSOR,
    Verdict.OTHER_CUT,
    Verdict.ONLY_THERE,
    Verdict.SAME,
    Verdict.ONLY_HERE,
)
"""Verdicts by what a reader must look at first."""


def search_parts(search: "Search") -> Iterator[Part]:
    """Yield what a search found, and what is new against the last one."""
    rows = tuple((shown(each.name), f"{len(each.numbers):,}") for each in search.found)
    if any(each.total is not None for each in search.found):
        totals = ("–" if each.total is None else f"{each.total:,}" for each in search.found)
        headings = ("strategy", "records", "registry's count")
        yield ReaderTable(
            "Records found", headings, tuple((*row, total) for row, total in zip(rows, totals, strict=True))
        )
    else:
        yield ReaderTable("Records found", ("file", "records"), rows)
    duplicates = f" after removal of {counted(search.duplicates, 'duplicate')}" if search.duplicates else ""
    yield Sentence(f"{counted(len(search.numbers), 'record')}{duplicates}.")
    if not search.first:
        changes = ((search.new, "new"), (search.changed, "changed"), (search.gone, "gone"))
        said = "; ".join(f"{len(numbers):,} {what}{_named(numbers)}" for numbers, what in changes)
        yield Sentence(f"Since the last search: {said}.")
    for note in search.notes:
        yield Sentence(note, strong=True)


def _named(numbers: Sequence[str]) -> str:
    return f" ({listed(numbers)})" if numbers else ""


def screening_parts(screening: "Screening", protocol: str) -> Iterator[Part]:
    """Yield the decisions by reason, and where people overrule the protocol's rules."""
    here = screening.here
    count = Counter((row.decision, row.reason or "no reason given") for row in here)
    order = list(Decision)
    rows = tuple(
        (reason, str(decision), f"{number:,}")
        for (decision, reason), number in sorted(count.items(), key=lambda item: (order.index(item[0][0]), -item[1]))
    )
    yield ReaderTable(
        f"Decisions by the protocol {shown(protocol)}", ("reason", "decision", "records"), rows, words=(1,)
    )
    people = sum(row.decided_by == "person" for row in here)
    if people:
        overruled = f"; {len(screening.overruled):,} otherwise than the rules" if screening.overruled else ""
        yield Sentence(f"{counted(people, 'record')} decided by a person{overruled}.")
    if unclear := screening.numbers(Decision.UNCLEAR):
        yield Sentence(f"To decide: {listed(unclear)}.")
    if screening.gone:
        yield Sentence(f"Decided by a person, and no longer among the records: {listed(screening.gone)}.")


def extraction_parts(extraction: "Extraction") -> Iterator[Part]:
    """Yield what was extracted, by kind, and what a person must decide."""
    of = "that screening kept" if extraction.screened else "of the folder, which was not screened"
    yield Sentence(
        f"{counted(len(extraction.studies), 'record')} {of}, {extraction.with_results:,} with results"
        f"{f' ({extraction.without_copy:,} of them without these in the copy)' if extraction.without_copy else ''}."
    )
    count = extraction.figures
    rows = tuple(
        (str(kind), *(f"{count[kind, status]:,}" for status in Status))
        for kind in Kind
        if any(count[kind, status] for status in Status)
    )
    if rows:
        yield ReaderTable("Candidates", ("kind", *map(str, Status)), rows)
    participants = sum(int(row["n"]) for row in extraction.cohorts)
    trials = len({row["registry_id"] for row in extraction.cohorts})
    total = f"{counted(len(extraction.cohorts), 'cohort')} of {counted(trials, 'trial')}"
    yield Sentence(f"{total}, {counted(participants, 'participant')}.")
    if extraction.undecided:
        yield Title(f"To decide by a person ({len(extraction.undecided):,})")
        reasons = Counter(f"{each.what}: {each.why}" for each in extraction.undecided)
        for reason, number in reasons.most_common(MOST_ROWS):
            yield Sentence(f"{number:,} × {shown(reason) if len(reason) > 200 else reason}.")


def flow_parts(flow: "Flow") -> Iterator[Part]:
    """Yield the boxes of the flow, each with what goes no further."""
    rows = []
    for stage, box, beside in boxes_of(flow):
        rows.append((stage, box.heading, f"{box.count:,}"))
        rows += [("", f"  {line}", "") for line in box.lines]
        if beside is not None:
            rows.append(("", beside.heading, f"{beside.count:,}"))
            rows += [("", f"  {line}", "") for line in beside.lines]
    yield ReaderTable("Flow of records and studies", ("stage", "", "n"), tuple(rows), words=(1,))


def difference_parts(differences: Sequence["Difference"]) -> Iterator[Part]:
    """Yield figures of a table beside those of the registry, those that differ first; without a record, a count."""
    absent = [each for each in differences if each.why == NO_RECORD]
    here = sorted((each for each in differences if each not in absent), key=lambda each: ORDER.index(each.verdict))
    rows = tuple(
        (
            shown(each.trial or each.nct_id),
            shown(each.cohort_id or each.group_title),
            each.measure,
            str(each.verdict),
            each.table_value or "–",
            each.registry_value or "–",
            each.why,
        )
        for each in here
    )
    count = Counter(each.verdict for each in here)
    said = ", ".join(f"{number:,} {verdict}" for verdict, number in count.most_common())
    headings = ("trial", "cohort or group", "figure", "verdict", "table", "registry", "why")
    if rows:
        yield ReaderTable("Table and registry", headings, rows[:MOST_ROWS], words=(1, 2, 3, 4, 5, 6))
        if len(rows) > MOST_ROWS:
            yield Sentence(f"{len(rows) - MOST_ROWS:,} more rows are not shown.")
        yield Sentence(f"{said}.")
    if absent:
        yield Sentence(f"{counted(len(absent), 'cohort')} of the table without a record in the folder.")
