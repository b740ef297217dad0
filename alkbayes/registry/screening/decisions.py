"""Decisions on all records of a folder, in a file that people edit and no later run overwrites."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from alkbayes.errors import RegistryError
from alkbayes.registry.batches import Numbers, in_batches
from alkbayes.registry.declarations import Protocol
from alkbayes.registry.folder import SCREENING_FILE, Folder
from alkbayes.registry.screening.rules import Decision, Screened, screen
from alkbayes.registry.sheets import cell, read_sheet, write_sheet
from alkbayes.registry.study import NCT_ID, Study, study_of
from alkbayes.text.names import listed, quoted

COLUMNS = ("nct_id", "decision", "rule", "reason", "evidence", "pointer", "decided_by", "note", "title")
RULE, PERSON = "rule", "person"
MADE_FILE = "screening.json"
"""What the rules decided in the last run: a row that differs from it was edited by a person, whoever it names."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the file: a decision, who made it, and a person's note; `title` is there for readers.

    `more` has the cells of columns that a person added.
    """

    nct_id: str
    decision: Decision
    rule: str
    reason: str
    evidence: str
    pointer: str
    decided_by: str
    note: str
    title: str
    more: tuple[tuple[str, str], ...] = ()

    def as_cells(self) -> dict[str, str]:
        """Return the row as it is written."""
        return {name: str(getattr(self, name)) for name in COLUMNS} | dict(self.more)


@dataclass(frozen=True, slots=True)
class Screening:
    """Decisions on the records of a folder.

    Attributes
    ----------
    rows
        One for each record, by number, and then rows of people for records that are no longer there.
    overruled
        Numbers of records on which a person decides otherwise than the rules.
    gone
        Numbers with a person's decision and without a record.
    """

    rows: tuple[Row, ...]
    overruled: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def here(self) -> tuple[Row, ...]:
        """Rows of the records that are there."""
        return tuple(row for row in self.rows if row.nct_id not in self.gone)

    def numbers(self, *decisions: Decision) -> tuple[str, ...]:
        """Return the numbers of the records with one of the decisions."""
        return tuple(row.nct_id for row in self.here if row.decision in decisions)


def screen_folder(folder: Folder, protocol: Protocol) -> Screening:
    """Screen every record, keep what people decided, and write the file.

    Raises
    ------
    RegistryError
        If a record or the file cannot be read. The file stays as it was.
    """
    batches = in_batches(partial(_judged_all, folder, protocol), folder.numbers())
    return keep_people(folder, [row for batch in batches for row in batch])


def keep_people(folder: Folder, found: Iterable[Row]) -> Screening:
    """Write the file with the rows of the rules, except where a person has decided; columns of a person's stay."""
    path, last = folder.file(SCREENING_FILE), _made(folder)
    earlier = _read(path) if path.exists() else {}
    rows, overruled, made = [], [], {}
    for row in found:
        made[row.nct_id] = _kept(row)
        before = earlier.pop(row.nct_id, None)
        # A run that was interrupted may have written the file, and not yet what the rules decided.
        person = None if before is None else _of_person(before, last.get(row.nct_id), made[row.nct_id])
        if person is not None and person.decision != row.decision:
            overruled.append(row.nct_id)
        rows.append(person or (row if before is None else replace(row, more=before.more)))
    gone = [person for row in earlier.values() if (person := _of_person(row, last.get(row.nct_id))) is not None]
    rows += gone
    more = dict.fromkeys(name for row in rows for name, _ in row.more)
    cells = (row.as_cells() for row in rows)
    write_sheet(path, (*COLUMNS, *more), ([each.get(name, "") for name in (*COLUMNS, *more)] for each in cells))
    folder.write_json(MADE_FILE, {"schema": 1, "rows": made})
    return Screening(tuple(rows), tuple(overruled), tuple(row.nct_id for row in gone))


def read_screening(folder: Folder) -> Screening | None:
    """Return the decisions in a folder; None if it was not screened.

    Raises
    ------
    RegistryError
        If the file is not what it should be; the message names the line.
    """
    path = folder.file(SCREENING_FILE)
    if not path.exists():
        return None
    last = _made(folder)
    rows = {number: _of_person(row, last.get(number)) or row for number, row in _read(path).items()}
    numbers = set(folder.numbers())
    if missing := sorted(numbers - set(rows)):
        raise RegistryError(f"{path}: has no row for {listed(missing)}. Screen again: alkbayes registry screen.")
    return Screening(tuple(rows.values()), gone=tuple(sorted(set(rows) - numbers)))


def _judged_all(folder: Folder, protocol: Protocol, numbers: Numbers) -> list[Row]:
    """Return the rows of the rules for a batch of records."""
    return [_judged(study_of(folder.read(number)[0]), protocol) for number in numbers]


def _judged(study: Study, protocol: Protocol) -> Row:
    """Return the row of the rules for a study."""
    made: Screened = screen(study, protocol)
    children = made.decision is not Decision.EXCLUDE and any(age.text == "CHILD" for age in study.ages)
    faults = f"{len(study.faults)} values of a wrong type passed over: {study.faults[0]}" if study.faults else ""
    notes = ["children may take part too"] if children else []
    return Row(
        nct_id=study.nct_id,
        decision=made.decision,
        rule=made.rule,
        reason=made.reason,
        evidence=" | ".join(each.text for each in made.evidence),
        pointer=" | ".join(each.pointer for each in made.evidence),
        decided_by=RULE,
        note="; ".join(filter(None, [*notes, faults])),
        title=study.brief_title.text[:200],
    )


def _made(folder: Folder) -> dict[str, Any]:
    """Return what the rules decided in the last run, by number."""
    rows = (folder.read_json(MADE_FILE) or {}).get("rows")
    return rows if isinstance(rows, dict) else {}


def _kept(row: Row) -> dict[str, str]:
    """Return what of a row of the rules tells whether a person has edited it: all but the title and who decided."""
    return {name: cell(getattr(row, name)) for name in COLUMNS[1:] if name not in {"decided_by", "title"}}


def _of_person(row: Row, *made: Any) -> Row | None:
    """Return a row that a person has decided, since it says so or differs from what the rules `made`; None for theirs.

    Who changes a decision and leaves the rules' reason has given none: "Meets every rule" excludes nothing.
    """
    found, of_rules = _kept(row), [each for each in made if isinstance(each, dict) and each]
    # What an earlier version of the program did not write down tells nothing.
    if row.decided_by == RULE and any(each.items() <= found.items() for each in of_rules):
        return None
    left = any(each.get("decision") != found["decision"] and each.get("reason") == found["reason"] for each in of_rules)
    return replace(row, decided_by=PERSON, reason="" if left else row.reason)


def _read(path: Path) -> dict[str, Row]:
    """Return the rows of the file by number."""
    rows: dict[str, Row] = {}
    for line, cells in read_sheet(path, COLUMNS[:2]):
        number, decision = cells["nct_id"].upper(), cells["decision"].lower()
        if not NCT_ID.fullmatch(number):
            raise RegistryError(
                f"{path}, line {line}, column nct_id: found {quoted(number)}; allowed: NCT and 8 digits."
            )
        if number in rows:
            raise RegistryError(f"{path}, line {line}: {number} has two rows. Delete one.")
        if decision not in set(Decision):
            raise RegistryError(
                f"{path}, line {line}, column decision: found {quoted(cells['decision'])}; allowed: "
                f"{', '.join(Decision)}."
            )
        decided = cells.get("decided_by", PERSON).lower()
        if decided not in {RULE, PERSON}:
            decided = PERSON
        rule, reason, evidence, pointer, note, title = (
            cells.get(name, "") for name in ("rule", "reason", "evidence", "pointer", "note", "title")
        )
        more = tuple((name, text) for name, text in cells.items() if name and name not in COLUMNS)
        rows[number] = Row(number, Decision(decision), rule, reason, evidence, pointer, decided, note, title, more)
    return rows
