"""Account of every record from the search to the table, as PRISMA 2020 asks (Page et al. 2021, doi:10.1136/bmj.n71).

A report is the posted results of a study. One without posted results is a report not retrieved: a state of its own,
which neither screening nor the table may hide. Each count is checked against the others before anything is written.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alkbayes.errors import RegistryError
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.registry.extraction.cohorts import NO_COHORT
from alkbayes.registry.folder import (
    COHORTS_FILE,
    COUNTS_FILE,
    PRISMA_FILE,
    SEARCH_FILE,
    UNDECIDED_FILE,
    Folder,
    content_of,
    replaced,
)
from alkbayes.registry.json_reader import decoded
from alkbayes.registry.screening.decisions import PERSON, Screening, read_screening
from alkbayes.registry.screening.rules import Decision
from alkbayes.registry.search import read_search
from alkbayes.registry.sheets import cell, read_sheet
from alkbayes.registry.study import study_of
from alkbayes.text.names import listed, shown
from alkbayes.text.wording import counted

SCHEMA = 1
NO_RESULTS = "No results posted"
NOT_HERE = "Results posted but not in the copy of the record"
UNCLEAR = "Screening not decided"
AMBIGUOUS = "Response that a person has to decide on"
LEFT_OUT = "No response of a group under an agent of the review"
REGISTER = "ClinicalTrials.gov"
MOST_LINES = 14
"""Lines of a box: a person may give as many reasons as there are records."""
TRIAL = "registry_id"


@dataclass(frozen=True, slots=True)
class Flow:
    """Counts of records, reports and studies.

    Attributes
    ----------
    sources
        Records by strategy or file of the search; one that several find counts for each.
    identified, duplicates, screened
        Records: identified = duplicates + screened.
    excluded
        Records excluded in screening, by reason; screened = excluded + sought.
    by_people
        How many of these a person decided; the rest by rules.
    sought, not_retrieved
        Reports, and why there is none; sought = not retrieved + assessed.
    assessed, reports_excluded
        Reports, and why one is not in the table; assessed = excluded + studies.
    studies, cohorts, participants
        In the table.
    searched, table
        Date of the search, and hash of the table's file.
    """

    sources: Mapping[str, int]
    identified: int
    duplicates: int
    screened: int
    excluded: Mapping[str, int]
    by_people: int
    sought: int
    not_retrieved: Mapping[str, int]
    assessed: int
    reports_excluded: Mapping[str, int]
    studies: int
    cohorts: int
    participants: int
    searched: str
    table: str

    def __post_init__(self) -> None:
        """Refuse counts that do not add up.

        Raises
        ------
        RegistryError
            With every identity that does not hold.
        """
        identities = {
            "identified = sum of the sources": (self.identified, sum(self.sources.values())),
            "identified = duplicates + screened": (self.identified, self.duplicates + self.screened),
            "screened = excluded + sought": (self.screened, sum(self.excluded.values()) + self.sought),
            "sought = not retrieved + assessed": (self.sought, sum(self.not_retrieved.values()) + self.assessed),
            "assessed = excluded + studies": (self.assessed, sum(self.reports_excluded.values()) + self.studies),
        }
        if wrong := [f"{name} ({left:,}, {right:,})" for name, (left, right) in identities.items() if left != right]:
            raise RegistryError(f"the counts of the flow do not add up: {'; '.join(wrong)}.")
        if not 0 <= self.by_people <= sum(self.excluded.values()):
            raise RegistryError(
                "the counts of the flow do not add up: people excluded more records than were excluded."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return {"schema": SCHEMA, **asdict(self)}


def flow_of(folder: Folder, table: Path | None = None) -> Flow:
    """Return the account of a folder's records down to a table: its own, or one that a person made of it.

    Raises
    ------
    RegistryError
        If a step is missing, a trial of the table is not among the records that were assessed, or counts do not add up.
    EvidenceError
        If the table cannot be read.
    """
    search, screening = read_search(folder), read_screening(folder)
    if screening is None:
        raise RegistryError(f"{folder.path}: was not screened. Screen first: alkbayes registry screen.")
    path = folder.file(COHORTS_FILE) if table is None else table
    if table is None and not path.exists():
        raise RegistryError(f"{folder.path}: has no {COHORTS_FILE}. Extract first: alkbayes registry extract.")
    evidence = _table(path)
    kept = screening.numbers(Decision.INCLUDE, Decision.UNCLEAR)
    states = {number: _results(folder, number) for number in kept}
    assessed = [number for number in kept if not states[number]]
    trials = _trials(evidence) if evidence is not None else ()
    if stray := sorted(set(trials) - set(assessed)):
        raise RegistryError(
            f"{path}: has {listed(stray)}; allowed: records of {folder.path} that screening kept and that have results "
            "posted. Include them in screening.csv, or take them out of the table."
        )
    excluded = [row for row in screening.here if row.decision is Decision.EXCLUDE]
    reasons = Counter(row.reason or "No reason given" for row in excluded)
    return Flow(
        sources={shown(str(each["name"])): int(each["records"]) for each in search["sources"]},
        identified=int(search["identified"]),
        duplicates=int(search["duplicates"]),
        screened=len(screening.here),
        excluded=_ordered(reasons),
        by_people=sum(row.decided_by == PERSON for row in excluded),
        sought=len(kept),
        not_retrieved=_ordered(Counter(state for state in states.values() if state)),
        assessed=len(assessed),
        reports_excluded=_ordered(Counter(_why_not(folder, screening, set(assessed) - set(trials)))),
        studies=len(trials),
        cohorts=0 if evidence is None else evidence.cohorts,
        participants=0 if evidence is None else evidence.patients,
        searched=str(search.get("finished", ""))[:10],
        table="" if evidence is None else evidence.sha256,
    )


def write_flow(folder: Folder, flow: Flow) -> tuple[Path, Path]:
    """Write the counts as JSON, and as CSV of the R package PRISMA2020, and return the files."""
    folder.write_json(COUNTS_FILE, flow.to_dict())
    with replaced(folder.file(PRISMA_FILE)) as place:
        place.write_text(prisma_csv(flow), encoding="utf-8")
    return folder.file(COUNTS_FILE), folder.file(PRISMA_FILE)


def read_flow(path: Path) -> Flow:
    """Return the counts in a file, checked.

    Raises
    ------
    RegistryError
        If it cannot be read, is not what `write_flow` writes, or does not add up.
    """
    document = decoded(content_of(path), str(path))
    names = [name for name in Flow.__slots__ if isinstance(document, dict) and name in document]
    if len(names) < len(Flow.__slots__) or document.get("schema") != SCHEMA:
        raise RegistryError(f"{path}: is no file of counts. Write one: alkbayes registry flow.")
    for name in names:
        value, kind = document[name], _kind(name)
        fits = isinstance(value, kind) and not isinstance(value, bool)
        if fits and kind is dict:
            fits = all(isinstance(each, int) and each >= 0 for each in value.values())
        if not fits or (kind is int and value < 0):
            raise RegistryError(f"{path}: {name} is no {'text' if kind is str else 'count'}. Write it again.")
    return Flow(**{name: document[name] for name in names})


def flow_beside(source: str) -> Path | None:
    """Return the file of counts beside a table that came of a review's folder; None if it did not."""
    folder = Path(source).parent
    there = Path(source).is_file() and (folder / SEARCH_FILE).is_file() and (folder / COUNTS_FILE).is_file()
    return folder / COUNTS_FILE if there else None


def check_agrees(flow: Flow, evidence: Evidence, name: str) -> None:
    """Check that counts are those of a table.

    Raises
    ------
    RegistryError
        If they count other studies, cohorts or participants.
    """
    whole = evidence.part_of or evidence
    found = {
        "studies": len(_trials(whole)),
        "cohorts": whole.cohorts,
        "participants": whole.patients,
    }
    if wrong := [
        f"{getattr(flow, what):,} {what} (table: {count:,})"
        for what, count in found.items()
        if getattr(flow, what) != count
    ]:
        raise RegistryError(
            f"{name}: the flow of records ends with {', '.join(wrong)}. Count again with this table: "
            "alkbayes registry flow."
        )


def _kind(name: str) -> type:
    if name in {"sources", "excluded", "not_retrieved", "reports_excluded"}:
        return dict
    return str if name in {"searched", "table"} else int


def _table(path: Path) -> Evidence | None:
    """Return the table; None for one without rows, which a review may have."""
    text = content_of(path)
    if len([line for line in text.splitlines() if line.strip()]) <= 1:
        return None
    return read_evidence(path, needed=(TRIAL,))


def _trials(evidence: Evidence) -> tuple[str, ...]:
    """Return the numbers of a table's trials, each once; a cohort without one is a study of its own."""
    frame = evidence.frame
    if TRIAL not in frame:
        return tuple(frame["cohort_id"])
    pairs = zip(frame[TRIAL], frame["cohort_id"], strict=True)
    return tuple(dict.fromkeys(number.strip().upper() or cohort for number, cohort in pairs))


def _results(folder: Folder, number: str) -> str:
    """Return why a record has no results; empty if it has."""
    document, _ = folder.read(number)
    study = study_of(document)
    if study.results_here:
        return ""
    return NOT_HERE if study.has_results else NO_RESULTS


def _why_not(folder: Folder, screening: Screening, missing: Iterable[str]) -> list[str]:
    """Return the reason for each assessed report that is not in the table."""
    path = folder.file(UNDECIDED_FILE)
    rows = [cells for _, cells in read_sheet(path, ("nct_id", "what"))] if path.exists() else []
    doubtful = {cells["nct_id"] for cells in rows if cells["what"] != NO_COHORT}
    unclear = set(screening.numbers(Decision.UNCLEAR))
    return [
        UNCLEAR if number in unclear else AMBIGUOUS if number in doubtful else LEFT_OUT for number in sorted(missing)
    ]


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts by size, then by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def prisma_csv(flow: Flow) -> str:
    """Return the counts as the R package PRISMA2020 reads them (`PRISMA_data`): its columns, keys, nodes and boxes."""
    counts: dict[str, str] = {
        "register_results": str(flow.identified),
        "register_specific_results": _reasons({REGISTER: flow.identified}),
        "duplicates": str(flow.duplicates),
        "records_screened": str(flow.screened),
        "records_excluded": str(sum(flow.excluded.values())),
        "dbr_sought_reports": str(flow.sought),
        "dbr_notretrieved_reports": str(sum(flow.not_retrieved.values())),
        "dbr_assessed": str(flow.assessed),
        "dbr_excluded": _reasons(flow.reports_excluded),
        "new_studies": str(flow.studies),
        "new_reports": str(flow.studies),
        "total_studies": str(flow.studies),
        "total_reports": str(flow.studies),
        "total_studies_ma": str(flow.studies),
        "total_reports_ma": str(flow.studies),
    }
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("data", "node", "box", "description", "boxtext", "tooltips", "url", "n"))
    for data, node, box, description, boxtext in PRISMA:
        url = f"{data}.html" if node != NA and data != NA else NA
        writer.writerow((data, node, box, description, boxtext, description, url, cell(counts.get(data, NA))))
    return file.getvalue()


def _reasons(counts: Mapping[str, int]) -> str:
    """Return counts as "reason, 3; another, 2", without the separators in names."""
    if not counts:
        return NA
    return "; ".join(f"{name.replace(',', ' ').replace(';', ' ')}, {count}" for name, count in counts.items())


NA = "NA"
PRISMA = (
    (NA, "node4", "prevstud", "Grey title box; Previous studies", "Previous studies"),
    ("previous_studies", "node5", "box1", *["Studies included in previous version of review"] * 2),
    ("previous_reports", NA, "box1", *["Reports of studies included in previous version of review"] * 2),
    (
        *(NA, "node6", "newstud", "Yellow title box; Identification of new studies via databases and registers"),
        "Identification of new studies via databases and registers",
    ),
    ("database_results", "node7", "box2", "Records identified from: Databases", "Databases"),
    ("database_specific_results", NA, "box2", "Records identified from: specific databases", "Specific Databases"),
    ("register_results", NA, "box2", "Records identified from: Registers", "Registers"),
    ("register_specific_results", NA, "box2", "Records identified from: specific registers", "Specific Registers"),
    (
        *(NA, "node16", "othstud", "Grey title box; Identification of new studies via other methods"),
        "Identification of new studies via other methods",
    ),
    ("website_results", "node17", "box11", "Records identified from: Websites", "Websites"),
    ("organisation_results", NA, "box11", "Records identified from: Organisations", "Organisations"),
    ("citations_results", NA, "box11", "Records identified from: Citation searching", "Citation searching"),
    ("duplicates", "node8", "box3", "Duplicate records", "Duplicate records"),
    ("excluded_automatic", NA, "box3", *["Records marked as ineligible by automation tools"] * 2),
    ("excluded_other", NA, "box3", *["Records removed for other reasons"] * 2),
    ("records_screened", "node9", "box4", "Records screened (databases and registers)", "Records screened"),
    ("records_excluded", "node10", "box5", "Records excluded (databases and registers)", "Records excluded"),
    (
        *("dbr_sought_reports", "node11", "box6", "Reports sought for retrieval (databases and registers)"),
        "Reports sought for retrieval",
    ),
    (
        *("dbr_notretrieved_reports", "node12", "box7", "Reports not retrieved (databases and registers)"),
        "Reports not retrieved",
    ),
    ("other_sought_reports", "node18", "box12", "Reports sought for retrieval (other)", "Reports sought for retrieval"),
    ("other_notretrieved_reports", "node19", "box13", "Reports not retrieved (other)", "Reports not retrieved"),
    (
        *("dbr_assessed", "node13", "box8", "Reports assessed for eligibility (databases and registers)"),
        "Reports assessed for eligibility",
    ),
    ("dbr_excluded", "node14", "box9", "Reports excluded (databases and registers)", "Reports excluded"),
    (
        "other_assessed",
        "node20",
        "box14",
        "Reports assessed for eligibility (other)",
        "Reports assessed for eligibility",
    ),
    ("other_excluded", "node21", "box15", "Reports excluded (other)", "Reports excluded"),
    ("new_studies", "node15", "box10", *["New studies included in review"] * 2),
    ("new_reports", NA, "box10", *["Reports of new included studies"] * 2),
    ("total_studies", "node22", "box16", *["Total studies included in review"] * 2),
    ("total_reports", NA, "box16", *["Reports of total included studies"] * 2),
    ("identification", "node1", "identification", "Blue identification box", "Identification"),
    ("screening", "node2", "screening", "Blue screening box", "Screening"),
    ("included", "node3", "included", "Blue included box", "Included"),
    ("total_studies_ma", "node23", "box17", *["Total studies included in meta-analysis"] * 2),
    ("total_reports_ma", NA, "box17", *["Reports of total included studies in meta-analysis"] * 2),
)
"""Rows of the package's file: key, node, box, description and text; the counts are ours."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the diagram: a heading with its count, and lines below."""

    heading: str
    count: int
    lines: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Heading with the count, as PRISMA prints it."""
        return f"{self.heading} (n = {self.count:,})"


def boxes_of(flow: Flow) -> tuple[tuple[str, Box, Box | None], ...]:
    """Return the rows of the diagram: stage, box, and the box beside it of what goes no further."""
    excluded, reports = sum(flow.excluded.values()), sum(flow.reports_excluded.values())
    missing = sum(flow.not_retrieved.values())
    rules = excluded - flow.by_people
    sources = _lines(flow.sources)
    by = (f"by rules (n = {rules:,}), by a person (n = {flow.by_people:,})",) if excluded else ()
    included = (f"{counted(flow.cohorts, 'cohort')}, {counted(flow.participants, 'participant')}",)
    return (
        (
            "Identification",
            Box(f"Records identified from {REGISTER}", flow.identified, sources),
            Box("Duplicate records removed before screening", flow.duplicates),
        ),
        (
            "Screening",
            Box("Records screened", flow.screened),
            Box("Records excluded", excluded, (*by, *_lines(flow.excluded))),
        ),
        (
            "Screening",
            Box("Reports sought for retrieval", flow.sought),
            Box("Reports not retrieved", missing, _lines(flow.not_retrieved)),
        ),
        (
            "Screening",
            Box("Reports assessed for eligibility", flow.assessed),
            Box("Reports excluded", reports, _lines(flow.reports_excluded)),
        ),
        ("Included", Box("Studies included", flow.studies, included), None),
    )


def _lines(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return counts as lines; of very many, those after the first together."""
    lines = [f"{name} (n = {count:,})" for name, count in counts.items()]
    if len(lines) <= MOST_LINES:
        return tuple(lines)
    rest = list(counts.values())[MOST_LINES - 1 :]
    return (*lines[: MOST_LINES - 1], f"{len(rest):,} others (n = {sum(rest):,})")
