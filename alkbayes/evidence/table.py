"""Reading, checking and hashing an evidence table, and its composition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.errors import EvidenceError
from alkbayes.evidence.csv import Table, decode, read_bytes, read_table
from alkbayes.evidence.faults import refusal
from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.evidence.rules import BASIC_COLUMNS, STRATA, header_faults, row_faults, states
from alkbayes.text.names import listed, quoted
from alkbayes.text.wording import counted
from alkbayes.vocabulary import GROUP_COLUMNS, group_row, in_order, is_missing, label_of

BUNDLED = "bundled"
"""`Evidence.source` of the table in the package."""

RECONSTRUCTION = (
    "The bundled table reconstructs that of the published review: close to it, but not identical "
    "(sources of every row: alkbayes/data/sources.csv)."
)
"""What a reader of any number made of the bundled table must know."""

COMPOSITION_COLUMNS = (*STRATA, "prior_alk_tki", "agent", "certainty", "assessor_basis")
"""Columns that `composition` counts by, in its order."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A table of cohorts that has passed every check.

    Attributes
    ----------
    frame
        One row a cohort that has the outcome, in the order of the file. `cohort_id` is text, `responders` and `n` are
        the outcome's counts, int64 with 0 <= responders <= n and n >= 1; every other column is text as it stands in the
        file but for surrounding blanks, empty where the value is missing (`vocabulary.MISSING`).
    source
        Where the table came from: the path as the user gave it, or "bundled".
    sha256
        Hash of the file's bytes.
    content
        The file's bytes, so that a run can keep an exact copy.
    outcome
        What `responders` and `n` of the frame count.
    notes
        What a reader must know of how these were chosen, in sentences; nothing where they are the usual ones.
    part_of
        The whole table, where this is some of its cohorts; `source`, `sha256` and `content` are the whole table's.
    """

    frame: pd.DataFrame
    source: str
    sha256: str
    content: bytes
    outcome: Outcome = ORR
    notes: tuple[str, ...] = ()
    part_of: "Evidence | None" = None

    def part(self, kept: NDArray[np.intp] | NDArray[np.bool_]) -> "Evidence":
        """Return the table of some cohorts, in the order of the whole one.

        Parameters
        ----------
        kept
            Their positions, ascending, or for each cohort whether it is kept.
        """
        frame = self.frame[kept] if kept.dtype == bool else self.frame.iloc[kept]
        return replace(self, frame=frame.reset_index(drop=True), part_of=self.part_of or self)

    def with_notes(self, *notes: str) -> "Evidence":
        """Return the same table with more notes; empty ones are dropped."""
        return replace(self, notes=(*self.notes, *filter(None, notes)))

    @property
    def cohorts(self) -> int:
        """Number of cohorts."""
        return len(self.frame)

    @property
    def trials(self) -> int | None:
        """Number of distinct trials, as `trial_labels` has them; None where the table names none."""
        labels = trial_labels(self.frame)
        return None if labels is None else len(set(labels))

    @property
    def patients(self) -> int:
        """Number of patients that the outcome counts, the sum of `n`."""
        return _total(self.frame["n"])

    @property
    def responders(self) -> int:
        """Number of responders."""
        return _total(self.frame["responders"])

    @property
    def orr(self) -> float:
        """Crude rate in [0, 1], the objective response rate unless the outcome is another: responders over patients."""
        return self.responders / self.patients

    @property
    def bundled(self) -> bool:
        """Whether this is the table in the package."""
        return self.source == BUNDLED


def trial_labels(frame: pd.DataFrame) -> tuple[str, ...] | None:
    """Return which trial each cohort is of; a cohort without a trial is a trial of its own.

    Parameters
    ----------
    frame
        Columns `cohort_id` and `trial`, which may be missing.

    Returns
    -------
    tuple of str or None
        A label for each cohort, "trial ALEX" or "cohort a": the two kinds never meet, whatever a cohort is called. None
        where the table names no trial.
    """
    if "trial" not in frame or (frame["trial"] == "").all():
        return None
    pairs = zip(frame["trial"], frame["cohort_id"], strict=True)
    return tuple(f"trial {trial}" if trial else f"cohort {cohort}" for trial, cohort in pairs)


def read_evidence(path: Path | None = None, *, columns: Sequence[str] = (), outcome: Outcome = ORR) -> Evidence:
    """Read an evidence table, check it whole, and hash it.

    Parameters
    ----------
    path
        A CSV file in UTF-8 with a header; None for the bundled table.
    columns
        Columns needed beside `cohort_id`, `responders` and `n`. They may not be empty in any row, and hold a value of
        `vocabulary.LEVELS` where that has the column.
    outcome
        What is counted. Of another than the usual one, cohorts with two empty cells or without such patients are left
        out, and need no `columns`.

    Returns
    -------
    Evidence
        The cohorts in the order of the file.

    Raises
    ------
    EvidenceError
        If the file cannot be read as such a table or breaks a rule. The message lists every fault by its line. Or if
        no cohort has the outcome.
    """
    if path is None:
        name, source = "the bundled table", BUNDLED
        content = files("alkbayes").joinpath("data", "cohorts.csv").read_bytes()
    else:
        name = str(path)
        source = name if name != BUNDLED else f"./{name}"  # a file that a user calls so is still the user's
        content = read_bytes(path)
    needed = tuple(dict.fromkeys((*BASIC_COLUMNS, *outcome.columns, *columns)))
    table = read_table(decode(content, name), name, expected=BASIC_COLUMNS)
    if faults := [*table.faults, *header_faults(table, needed), *row_faults(table, needed, outcome)]:
        raise refusal(name, faults)
    frame, notes = _of_outcome(_frame(table), outcome, name)
    return Evidence(frame, source, sha256(content).hexdigest(), content, outcome, (*notes, *_missing_notes(table)))


def lines_of(evidence: Evidence) -> dict[str, int]:
    """Return the line of the file on which each cohort stands."""
    table = read_table(decode(evidence.content, evidence.source), evidence.source, expected=BASIC_COLUMNS)
    place = table.header.cells.index("cohort_id")
    return {record.cells[place]: record.line for record in table.records}


def _missing_notes(table: Table) -> tuple[str, ...]:
    """Return a sentence that names the words that were read as missing values, and where; nothing if there are none."""
    columns = zip(*(record.cells for record in table.records), strict=True)
    found = []
    for name, cells in zip(table.header.cells, columns, strict=True):
        if words := [cell for cell in cells if cell and is_missing(cell)]:
            spelt = " or ".join(map(quoted, dict.fromkeys(words)))
            found.append(f"{name} ({spelt}, {counted(len(words), 'cell')})")
    return (f"Read as missing, like blank cells: {listed(found)}.",) if found else ()


def _of_outcome(frame: pd.DataFrame, outcome: Outcome, name: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the cohorts that have an outcome, with its counts, and what is to be said of the others."""
    if outcome.usual:
        return frame, ()
    responders, n = (frame[column].astype("str") for column in outcome.columns)
    pairs = zip(responders.tolist(), n.tolist(), strict=True)
    has = np.array([states(dict(zip(outcome.columns, pair, strict=True)), outcome) for pair in pairs], dtype=np.bool_)
    if not has.any():
        raise EvidenceError(
            f"{name}: no cohort has numbers in the columns {' and '.join(outcome.columns)}, which the model counts. "
            "Fill them in for the cohorts that report them, or take another model."
        )
    counts = {key: cells[has].astype(np.int64).to_numpy() for key, cells in (("responders", responders), ("n", n))}
    without = int((~has).sum())
    notes = [f"Outcome: {outcome.responders} of {outcome.n}: {outcome.patients}"]
    if without:
        verb, theirs = ("does", "it has") if without == 1 else ("do", "they have")
        notes.append(
            f"{without} of {len(frame)} cohorts {verb} not report them and {'is' if without == 1 else 'are'} left out; "
            f"{theirs} {_total(frame.loc[~has, 'n']):,} of the {_total(frame['n']):,} patients of the table"
        )
    return frame[has].reset_index(drop=True).assign(**counts), tuple(f"{note}." for note in notes)


def composition(evidence: Evidence) -> pd.DataFrame:
    """Count cohorts, patients and responders by line, TKI generation, agent and so on, and by line and generation.

    Parameters
    ----------
    evidence
        A table; columns that it lacks, or has without any value, are left out.

    Returns
    -------
    pandas.DataFrame
        Columns `alkbayes.vocabulary.GROUP_COLUMNS` (a level is empty for the cohorts that have none), `cohorts`,
        `patients`, `responders` and `orr` (crude, in [0, 1]).
    """
    frame = evidence.frame
    there = [column for column in COMPOSITION_COLUMNS if column in frame and any(frame[column])]
    rows = [
        _counts({label_of(column, frame.columns): level}, frame[frame[column] == level])
        for column in there
        for level in _levels(frame, column)
    ]
    if set(STRATA) <= set(there):
        line, generation = STRATA
        for first in _levels(frame, line):
            of_line = frame[frame[line] == first]
            rows += [
                _counts({label_of(line): first, label_of(generation): second}, of_line[of_line[generation] == second])
                for second in _levels(of_line, generation)
            ]
    return pd.DataFrame(rows, columns=[*GROUP_COLUMNS, "cohorts", "patients", "responders", "orr"])


def _total(counts: "pd.Series[int]") -> int:
    """Return the sum of `counts` as a Python integer, which does not overflow."""
    return sum(counts.tolist())


def _levels(frame: pd.DataFrame, column: str) -> tuple[str, ...]:
    """Return the values of `column` in the order in which they are shown, the empty one last."""
    values = set(frame[column])
    return in_order(column, values - {""}) + (("",) if "" in values else ())


def _counts(levels: Mapping[str, str], frame: pd.DataFrame) -> dict[str, object]:
    """Return a row of `composition` for the cohorts in `frame`, of which there is at least one."""
    patients, responders = _total(frame["n"]), _total(frame["responders"])
    orr = responders / patients
    return {
        **group_row(levels),
        "cohorts": len(frame),
        "patients": patients,
        "responders": responders,
        "orr": orr,
    }


def _frame(table: Table) -> pd.DataFrame:
    """Return the records of a table without faults as `Evidence.frame` has them."""
    columns = zip(*(record.cells for record in table.records), strict=True)
    return pd.DataFrame(
        {
            name: np.array([int(cell) for cell in cells], dtype=np.int64)
            if name in {"responders", "n"}
            else pd.Series(["" if is_missing(cell) else cell for cell in cells], dtype="str")
            for name, cells in zip(table.header.cells, columns, strict=True)
        }
    )
