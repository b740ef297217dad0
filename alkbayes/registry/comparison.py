"""The registry's figures beside those of a table, cohort by cohort: a difference is shown, and nothing overwritten.

A table takes the primary analysis, the registry shows the last one; so a difference is rarely an error, and its kind is
the result: another cut, another reader, other participants.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

from alkbayes.evidence.table import read_evidence
from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction.candidates import Candidate, Status, candidates_of
from alkbayes.registry.extraction.cohorts import Key, cohort_key, people_of
from alkbayes.registry.extraction.kinds import Kind
from alkbayes.registry.extraction.units import in_months, number_of
from alkbayes.registry.flow import TRIAL
from alkbayes.registry.folder import Folder
from alkbayes.registry.screening.decisions import read_screening
from alkbayes.registry.screening.rules import Decision
from alkbayes.registry.study import Study, study_of
from alkbayes.text.names import plain

ORR, PFS = "orr", "pfs_median"
NO_RECORD = "no record in the folder"
KINDS = {ORR: frozenset({Kind.ORR, Kind.BEST_RESPONSE}), PFS: frozenset({Kind.PFS_MEDIAN})}


class Verdict(StrEnum):
    """How a figure of the table and one of the registry differ."""

    SAME = "same"
    OTHER_CUT = "other cut"
    OTHER_ASSESSOR = "other assessor"
    OTHER_N = "other n"
    ONLY_THERE = "only there"
    """In the registry, not in the table."""
    ONLY_HERE = "only here"
    CONTRADICTION = "contradiction"


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of the table beside one of the registry; either may be missing."""

    nct_id: str
    trial: str
    cohort_id: str
    group_title: str
    measure: str
    verdict: Verdict
    table_value: str
    registry_value: str
    table_n: str
    registry_n: str
    table_assessor: str
    registry_assessor: str
    why: str
    pointer: str

    def as_row(self) -> dict[str, Any]:
        """Return the row as it is written."""
        return asdict(self) | {"verdict": str(self.verdict)}


COLUMNS = tuple(field.name for field in fields(Difference))
"""Columns of the comparison as it is written."""


type Row = Mapping[str, str]


def compare_folder(folder: Folder, protocol: Protocol, table: Path | None = None) -> tuple[Difference, ...]:
    """Compare the registry's figures with a table, by default the bundled one.

    Returns
    -------
    tuple of Difference
        By trial, in the order of the table; then groups of included studies that the table does not have.

    Raises
    ------
    RegistryError
        If a record cannot be read.
    EvidenceError
        If the table cannot be read.
    """
    frame = read_evidence(table).frame.astype(str)
    rows: dict[str, list[Row]] = {}
    for row in frame.to_dict(orient="records"):
        number = str(row.get(TRIAL, "")).strip().upper()
        rows.setdefault(number, []).append({str(key): str(value) for key, value in row.items()})
    there = set(folder.numbers())
    screening = read_screening(folder)
    included = there if screening is None else set(screening.numbers(Decision.INCLUDE))
    found: list[Difference] = []
    for number in [*rows, *sorted(included - set(rows))]:
        of_table = rows.get(number, [])
        if number not in there:
            found += (_only_here(row, number, NO_RECORD) for row in of_table)
            continue
        document, _ = folder.read(number)
        study = study_of(document)
        found += compare_trial(candidates_of(document, study, protocol), of_table, study)
    return tuple(found)


def compare_trial(candidates: Sequence[Candidate], rows: Sequence[Row], study: Study) -> Iterator[Difference]:
    """Yield the differences of a trial: response first, then median PFS."""
    for measure in (ORR, PFS):
        usable = [each for each in candidates if each.kind in KINDS[measure] and _may_be_a_cohort(each)]
        wanted = [row for row in rows if measure == ORR or row.get("pfs_status") == "reached"]
        pairs = _paired(wanted, usable, measure)
        for row in wanted:
            each = pairs.get(row["cohort_id"])
            if each is None:
                yield _only_here(row, study.nct_id, _why_alone(study, usable), measure)
            else:
                yield _difference(row, each, measure)
        used = {_group(each, usable) for each in pairs.values()}
        yield from _only_there([each for each in usable if _group(each, usable) not in used], study, measure)


def _may_be_a_cohort(each: Candidate) -> bool:
    """Return whether a row is a figure of a whole group; one that several counts fit is, one of a subgroup is not."""
    return (
        bool(each.agent) and not each.shared and each.status is not Status.REFUSED and number_of(each.value) is not None
    )


def _why_alone(study: Study, usable: Sequence[Candidate]) -> str:
    if not study.has_results:
        return "no results posted"
    if not study.results_here:
        return "results posted, but not in the copy of the record"
    return "the registry's groups are others" if usable else "no such outcome under the agent"


def _paired(rows: Sequence[Row], usable: Sequence[Candidate], measure: str) -> dict[str, Candidate]:
    """Return the candidate of each row, by agent, then by participants and figure; one group for one row."""
    pairs: dict[str, Candidate] = {}
    scored = [
        (_score(row, each, measure), -place, row, each)
        for row in rows
        for place, each in enumerate(usable)
        if plain(row.get("agent", "")) == plain(each.agent)
    ]
    scored.sort(key=lambda item: item[:2], reverse=True)
    taken: set[Key] = set()
    for score, _, row, each in scored:
        name, key = row["cohort_id"], _group(each, usable)
        if name in pairs or key in taken:
            continue
        groups = {_group(other, usable) for other in usable if other.agent == each.agent}
        alone = len(groups) == 1 and sum(plain(other.get("agent", "")) == plain(each.agent) for other in rows) == 1
        if score[0] or score[1] or alone:
            pairs[name] = each
            taken.add(key)
    return pairs


def _group(each: Candidate, usable: Sequence[Candidate]) -> Key:
    """Return what stands for the group of a figure among others."""
    people = people_of(each, {cohort_key(other): None for other in usable})
    return people[0] if len(people) == 1 else cohort_key(each)


def _score(row: Row, each: Candidate, measure: str) -> tuple[bool, bool, bool, int]:
    same_n = row.get("n" if measure == ORR else "pfs_n", "") == str(each.n) or row.get("n") == str(each.n)
    assessor = bool(each.assessor) and row.get("assessor") == each.assessor
    words = {plain(word) for word in row.get("arm", "").split()}.intersection(map(plain, each.group_title.split()))
    return _same_figure(row, each, measure), same_n, assessor, len(words)


def _same_figure(row: Row, each: Candidate, measure: str) -> bool:
    if measure == PFS:
        value = number_of(each.value)
        months = None if value is None else in_months(value, each.unit)
        printed = number_of(row.get("pfs_median", ""))
        return months is not None and printed is not None and abs(months - printed) <= _half(row["pfs_median"])
    return _rate_agrees(row, each)


def _half(text: str) -> Fraction:
    """Return half a unit of the last printed digit."""
    return Fraction(1, 2 * 10 ** len(text.partition(".")[2]))


def _rate_agrees(row: Row, each: Candidate) -> bool:
    """Return whether both rates are one, to the digits of the less exact."""
    rate = Fraction(int(row["responders"]), int(row["n"])) * 100
    if not each.responders_fits or not each.n:
        return False
    digits = row.get("orr_reported", "")
    slack = _half(digits) if number_of(digits) is not None else Fraction(1, 2)
    return any(abs(Fraction(count, each.n) * 100 - rate) <= slack for count in each.responders_fits)


def _difference(row: Row, each: Candidate, measure: str) -> Difference:
    verdict, why = (_judged_response if measure == ORR else _judged_median)(row, each)
    table = f"{row['responders']}/{row['n']}" if measure == ORR else f"{row.get('pfs_median')} months"
    n = row["n"] if measure == ORR else row.get("pfs_n") or row["n"]
    return Difference(
        nct_id=each.nct_id,
        trial=row.get("trial", ""),
        cohort_id=row["cohort_id"],
        group_title=each.group_title,
        measure=measure,
        verdict=verdict,
        table_value=table,
        registry_value=_shown(each, measure),
        table_n=n,
        registry_n="" if each.n is None else str(each.n),
        table_assessor=row.get("assessor", ""),
        registry_assessor=each.assessor,
        why=why,
        pointer=each.pointer,
    )


def _shown(each: Candidate, measure: str) -> str:
    if measure == PFS:
        return f"{each.value} {each.unit}"
    fits = "" if each.responders is not None else f" ({' or '.join(map(str, each.responders_fits))})"
    counted = f"{each.responders}/{each.n}" if each.responders is not None else f"{each.value} {each.unit}{fits}"
    return counted if each.responders is None or not each.derived else f"{counted} ({each.value} %)"


def _judged_response(row: Row, each: Candidate) -> tuple[Verdict, str]:
    """Judge a response by participants, count, reader and cut."""
    n, responders = int(row["n"]), int(row["responders"])
    if each.n == n and responders in each.responders_fits:
        several = "" if each.responders is not None else f"; {len(each.responders_fits)} counts fit there"
        return Verdict.SAME, f"same count{several}"
    readers = _readers(row, each)
    if each.n != n and (_rate_agrees(row, each) or responders in each.responders_fits):
        return Verdict.OTHER_N, f"{each.n} there, {n} here, with the same rate or count"
    if readers:
        return Verdict.OTHER_ASSESSOR, readers
    if each.n == n and row.get("cutoff") and row["cutoff"] in each.title:
        return Verdict.CONTRADICTION, "same participants, reader and cut, another count"
    if each.n == n and each.responders_fits and each.assessor and max(each.responders_fits) < responders:
        return Verdict.CONTRADICTION, "fewer responders of as many participants by the same reader"
    people = "same number of participants" if each.n == n else f"{each.n} participants there, {n} here"
    return Verdict.OTHER_CUT, f"{people}, another count"


def _judged_median(row: Row, each: Candidate) -> tuple[Verdict, str]:
    if _same_figure(row, each, PFS):
        return Verdict.SAME, "same median"
    if readers := _readers(row, each):
        return Verdict.OTHER_ASSESSOR, readers
    return Verdict.OTHER_CUT, "another median"


def _readers(row: Row, each: Candidate) -> str:
    table = row.get("assessor", "")
    return f"{each.assessor} there, {table} here" if table and each.assessor and table != each.assessor else ""


def _only_here(row: Row, number: str, why: str, measure: str = ORR) -> Difference:
    table = f"{row['responders']}/{row['n']}" if measure == ORR else f"{row.get('pfs_median')} months"
    return Difference(
        number,
        row.get("trial", ""),
        row["cohort_id"],
        "",
        measure,
        Verdict.ONLY_HERE,
        table,
        "",
        row["n"],
        "",
        row.get("assessor", ""),
        "",
        why,
        "",
    )


def _only_there(rest: Iterable[Candidate], study: Study, measure: str) -> Iterator[Difference]:
    for each in rest:
        yield Difference(
            nct_id=study.nct_id,
            trial=study.name,
            cohort_id="",
            group_title=each.group_title,
            measure=measure,
            verdict=Verdict.ONLY_THERE,
            table_value="",
            registry_value=_shown(each, measure),
            table_n="",
            registry_n="" if each.n is None else str(each.n),
            table_assessor="",
            registry_assessor=each.assessor,
            why=each.agent,
            pointer=each.pointer,
        )
