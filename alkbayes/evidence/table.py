"""Reading, checking and hashing an evidence table, and its composition."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.alk.levels import STRATA
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.files import file_name, read_bytes, read_records
from alkbayes.evidence.frames import as_csv, table_of_frame
from alkbayes.evidence.naming import COHORT, EXPECTED, TRIAL, absent_faults, named
from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.evidence.records import Table
from alkbayes.evidence.rules import WHOLE, count_of, header_faults, row_faults, states
from alkbayes.evidence.selection import selected
from alkbayes.evidence.sources import ALL_COHORTS, STANDARD_INPUT, Selection, TableSource
from alkbayes.text.names import listed, quoted
from alkbayes.text.wording import counted
from alkbayes.vocabulary import GROUP_COLUMNS, group_row, is_missing, label_of

BUNDLED = "bundled"
"""`Evidence.source` of the table in the package."""
BUNDLED_NAME = "the bundled table"
FRAME = "the data frame"
"""`Evidence.source` of a data frame."""

COMPOSITION_COLUMNS = (*STRATA, "prior_alk_tki", "agent", "certainty", "assessor_basis")
"""Columns that `composition` counts by, in its order."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A table of cohorts that has passed every check.

    Attributes
    ----------
    frame
        One row for each cohort that has the outcome, in the order of the file. `cohort_id` is text; `responders` and
        `n` are the outcome's counts, int64 with 0 <= responders <= n and n >= 1; every other column is text as the file
        has it, without surrounding blanks, and empty where the value is missing (`vocabulary.MISSING`).
    source
        Where the table came from: the path as the user gave it, "bundled", "standard input" or "the data frame".
    sha256
        Hash of the file's bytes.
    content
        The file's bytes, so that a run can keep an exact copy; a data frame's are those of a CSV file.
    outcome
        What `responders` and `n` of the frame count.
    notes
        What a reader must know about how the table was read, in sentences; empty where there is nothing to say.
    part_of
        The whole table, where this is some of its cohorts; `source`, `sha256` and `content` are the whole table's.
    sheet
        The sheet of a workbook; None for any other file.
    columns
        Columns of the frame, each with the file's own name for it, where the two differ or the user says so.
    selection
        Which of its cohorts the user chose, with the reason.
    cuts
        Other counts of these cohorts, as text but for `responders` and `n`, which may take the place of their own
        (:mod:`alkbayes.evidence.cuts`); None where no table of them is at hand.
    low_risk
        Names of the cohorts that people judged at low risk of bias overall (:mod:`alkbayes.appraisal.judgements`); None
        where nobody's overall judgements are at hand.
    """

    frame: pd.DataFrame
    source: str
    sha256: str
    content: bytes
    outcome: Outcome = ORR
    notes: tuple[str, ...] = ()
    part_of: "Evidence | None" = None
    sheet: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    selection: Selection = ALL_COHORTS
    cuts: pd.DataFrame | None = None
    low_risk: frozenset[str] | None = None

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

    def as_record(self) -> dict[str, Any]:
        """Return where the table comes from, what was chosen of it, and its size, as values that JSON can hold."""
        return {
            "source": self.source,
            "cohorts": self.cohorts,
            "trials": self.trials,
            "patients": self.patients,
            "responders": self.responders,
            "sha256": self.sha256,
            "sheet": self.sheet,
            "columns": dict(self.columns),
            **self.selection.as_record(),
        }

    @property
    def file(self) -> str:
        """Name for a copy of the file, such as "evidence.csv", by its actual format."""
        return file_name("evidence", self.content)


def trial_labels(frame: pd.DataFrame) -> tuple[str, ...] | None:
    """Return a label for the trial of each cohort; a cohort without a trial is a trial of its own.

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


def cohort_labels(frame: pd.DataFrame) -> dict[str, str]:
    """Return what each cohort is called in figures and in tables for readers, by its name.

    That is its `label`, else its trial, arm and year (of `year`, else of `cutoff`) if it has trial and arm; its own
    name where it has neither, or another cohort is called the same.

    Parameters
    ----------
    frame
        Columns `cohort_id`, and any of `label`, `trial`, `arm`, `year` and `cutoff`.
    """
    found = {str(row[COHORT]): _called(row) for row in frame.to_dict("records")}
    counts = Counter(found.values())
    return {name: label if label and counts[label] == 1 else name for name, label in found.items()}


def labelled(table: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return results of cohorts with each cohort of a table, as of :func:`cohort_labels`, called as in a figure."""
    labels = cohort_labels(frame)
    return table.assign(**{COHORT: [labels.get(name, name) for name in table[COHORT].astype(str)]})


def _called(row: Mapping[Hashable, Any]) -> str:
    """Return the label of a cohort, or one made of its trial, arm and year; empty if it has neither."""
    label, trial, arm, year = (str(row.get(name, "")).strip() for name in ("label", TRIAL, "arm", "year"))
    if label or not (trial and arm):
        return label
    year = year or str(row.get("cutoff", ""))[:4]
    return f"{trial}, {arm}{f' ({year})' if year else ''}"


def trial_names(frame: pd.DataFrame) -> list[str]:
    """Return the trial's name for each cohort; a cohort without a trial is one of its own, by its own name.

    Parameters
    ----------
    frame
        Columns `cohort_id` and `trial`, which may be missing.
    """
    cohorts = frame[COHORT].tolist()
    trials = frame[TRIAL].tolist() if TRIAL in frame else [""] * len(cohorts)
    taken = set(trials)
    alone = [f"{cohort} (no trial)" if cohort in taken else cohort for cohort in cohorts]
    return [trial or own for trial, own in zip(trials, alone, strict=True)]


def read_evidence(
    table: Path | str | pd.DataFrame | TableSource | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    sheet: str | None = None,
    needed: Sequence[str] = (),
    outcome: Outcome = ORR,
    selection: Selection = ALL_COHORTS,
) -> Evidence:
    """Read an evidence table, check it whole, and hash it.

    Parameters
    ----------
    table
        A CSV file (separated by commas, semicolons or tabs; UTF-8 or Windows-1252), a workbook (.xlsx, .xlsb, .xls,
        .ods) or a Parquet file, by its content, whatever it is called; a data frame; None for the bundled table.
    columns
        Names of columns, each with the table's own name for it, as in ``{"responders": "event"}``. Well-known names
        need not be given.
    sheet
        Of a workbook. Default: the one that holds a table.
    needed
        Columns needed beside `cohort_id` and the outcome's own two. They may not be empty in any row, but for `trial`:
        a cohort without one is a trial of its own.
    outcome
        What is counted. Of another than the usual one, cohorts with two empty cells or without such patients are left
        out, and need no other columns.
    selection
        Which cohorts to use; the others are checked too.

    Returns
    -------
    Evidence
        The cohorts in the order of the table.

    Raises
    ------
    EvidenceError
        If the file cannot be read as such a table or breaks a rule. The message lists every fault by its line. Or if
        no cohort has the outcome.
    UsageError
        If the selection does not fit the table.
    """
    if table is not None and not isinstance(table, Path | str | pd.DataFrame | TableSource):
        raise UsageError(
            f"found {type(table).__name__}; allowed: a data frame, the path of a table; none for the bundled one.",
            parameter="data",
        )
    if isinstance(table, TableSource):
        path, content = table.path, table.content
        columns, sheet = columns or table.columns, sheet or table.sheet
        selection = selection or table.selection
    else:
        path, content = (Path(table) if isinstance(table, str | Path) else None), None
    if isinstance(table, pd.DataFrame):
        if sheet is not None:
            raise EvidenceError(f"{FRAME} has no sheets, so that {quoted(sheet)} cannot be read from it.")
        records, name = table_of_frame(table, FRAME, named=columns or {}), FRAME
        content = as_csv(records)
    else:
        if content is not None:
            name = STANDARD_INPUT
        elif path is not None:
            name, content = str(path), read_bytes(path)
        else:
            name, content = BUNDLED_NAME, files("alkbayes").joinpath("data", "cohorts.csv").read_bytes()
        records = read_records(
            content, name, sheet=sheet, expected=(*EXPECTED, *outcome.columns, *(columns or {}).values())
        )
    source = {BUNDLED_NAME: BUNDLED, BUNDLED: f"./{BUNDLED}"}.get(name, name)
    return chosen(_checked(records, source, content, columns or {}, needed, outcome), selection)


def chosen(evidence: Evidence, selection: Selection) -> Evidence:
    """Return some cohorts of a whole table, as :func:`read_evidence` does; the table itself if none are chosen.

    Raises
    ------
    UsageError
        If the selection does not fit the table.
    """
    if not selection:
        return evidence
    kept, notes = selected(evidence.frame, selection)
    return replace(evidence.part(kept), notes=(*evidence.notes, *notes), selection=selection)


def _checked(
    records: Table,
    source: str,
    content: bytes,
    columns: Mapping[str, str],
    needed: Sequence[str],
    outcome: Outcome,
) -> Evidence:
    """Check a table of records and return it as evidence."""
    wanted = tuple(dict.fromkeys((COHORT, *outcome.columns, *(name for name in needed if name != TRIAL))))
    declared = outcome.declared
    own_levels = [name for name in declared.columns if declared.levels(name)]
    table = named(records, (*wanted, *declared.columns), columns, own_levels=own_levels)
    absent = absent_faults(table, wanted, of_model=needed)
    if faults := [*table.faults, *header_faults(table), *absent, *row_faults(table, wanted, outcome)]:
        raise table.refusal(faults)
    frame, notes = _of_outcome(_frame(table, outcome), outcome, table.name)
    return Evidence(
        frame=frame,
        source=source,
        sha256=sha256(content).hexdigest(),
        content=content,
        outcome=outcome,
        notes=(*table.notes, *notes, *_decimal_notes(table, outcome), *_missing_notes(table), *_trial_notes(frame)),
        sheet=table.sheet,
        columns=table.columns,
    )


def table_of(evidence: Evidence, needed: Sequence[str] = ()) -> Table:
    """Return the records behind a checked table, with their places in the file.

    Parameters
    ----------
    evidence
        As it was read.
    needed
        Columns needed beside `cohort_id` and the outcome's own two, which may be missing.
    """
    name = BUNDLED_NAME if evidence.bundled else evidence.source
    records = read_records(
        evidence.content, name, sheet=evidence.sheet, expected=(*EXPECTED, *evidence.columns.values())
    )
    declared = evidence.outcome.declared
    own_levels = [name for name in declared.columns if declared.levels(name)]
    wanted = (COHORT, *evidence.outcome.columns, *needed, *declared.columns)
    return named(records, wanted, evidence.columns, own_levels=own_levels)


def lines_of(table: Table) -> dict[str, int]:
    """Return the line or row of each cohort in the file."""
    return dict(zip(table.column(COHORT), (record.line for record in table.records), strict=True))


def _trial_notes(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return a sentence on cohorts that count as trials of their own, if any."""
    without = frame[COHORT] if TRIAL not in frame else frame.loc[frame[TRIAL] == "", COHORT]
    if without.empty:
        return ()
    if len(without) == len(frame):
        return ("The table names no trials: each cohort counts as a trial of its own.",) if len(frame) > 1 else ()
    verb = "names no trial and counts as one" if len(without) == 1 else "name no trial and count each as one"
    advice = "Where one belongs to a trial of the table, write the trial's name in its row too."
    return (f"{counted(len(without), 'cohort')} {verb} of its own: {listed(without.tolist())}. {advice}",)


def _decimal_notes(table: Table, outcome: Outcome) -> tuple[str, ...]:
    """Return a sentence on counts written with decimals, such as 12.0, if any."""
    found = [
        f"{name} ({counted(len(cells), 'cell')}, the first {quoted(cells[0])})"
        for name in outcome.columns
        if (cells := [cell for cell in table.column(name) if WHOLE.fullmatch(cell) and not cell.isdigit()])
    ]
    return (f"Read as whole numbers: {listed(found)}.",) if found else ()


def _missing_notes(table: Table) -> tuple[str, ...]:
    """Return a sentence on the words that were read as missing values, if any."""
    columns = zip(*(record.cells for record in table.records), strict=True)
    found = []
    for name, cells in zip(table.header.cells, columns, strict=True):
        if words := [cell for cell in cells if cell and is_missing(cell)]:
            spelt = " or ".join(map(quoted, dict.fromkeys(words)))
            found.append(f"{name} ({spelt}, {counted(len(words), 'cell')})")
    return (f"Read as missing, like blank cells: {listed(found)}.",) if found else ()


def _of_outcome(frame: pd.DataFrame, outcome: Outcome, name: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the cohorts that report an outcome, with its counts, and notes on the others."""
    if outcome.usual:
        return frame, ()
    responders, n = (frame[column] for column in outcome.columns)
    pairs = zip(responders.tolist(), n.tolist(), strict=True)
    has = np.array([states(dict(zip(outcome.columns, pair, strict=True)), outcome) for pair in pairs], dtype=np.bool_)
    if not has.any():
        raise EvidenceError(
            f"{name}: no cohort has numbers in the columns {' and '.join(outcome.columns)}, which the model counts. "
            "Fill them in for the cohorts that report them, or take another model."
        )
    counts = {key: _counts_in(cells[has]) for key, cells in (("responders", responders), ("n", n))}
    without = int((~has).sum())
    exactly = "" if outcome.patients == outcome.n else f": {outcome.patients}"
    notes = [f"Outcome: {outcome.responders} of {outcome.n}{exactly}"]
    if without:
        verb, theirs = ("does", "it has") if without == 1 else ("do", "they have")
        left_out = (
            f"{without} of {len(frame)} cohorts {verb} not report them and {'is' if without == 1 else 'are'} left out"
        )
        every = [count_of(cell) for cell in frame["n"].tolist()] if "n" in frame else [None]
        patients = [count for count in every if count is not None]
        if len(patients) == len(frame):
            lost = sum(count for count, kept in zip(patients, has, strict=True) if not kept)
            left_out += f"; {theirs} {lost:,} of the {sum(patients):,} {outcome.units} of the table"
        notes.append(left_out)
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
        for level in _levels(evidence, frame, column)
    ]
    if set(STRATA) <= set(there):
        line, generation = STRATA
        for first in _levels(evidence, frame, line):
            of_line = frame[frame[line] == first]
            rows += [
                _counts({label_of(line): first, label_of(generation): second}, of_line[of_line[generation] == second])
                for second in _levels(evidence, of_line, generation)
            ]
    return pd.DataFrame(rows, columns=[*GROUP_COLUMNS, "cohorts", "patients", "responders", "orr"])


def _total(counts: "pd.Series[int]") -> int:
    """Return the sum of `counts` as a Python integer, which does not overflow."""
    return sum(counts.tolist())


def _levels(evidence: Evidence, frame: pd.DataFrame, column: str) -> tuple[str, ...]:
    """Return the values of `column` in some rows in the order in which they are shown, the empty one last."""
    values = set(frame[column])
    return evidence.outcome.declared.in_order(column, values - {""}) + (("",) if "" in values else ())


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


def _frame(table: Table, outcome: Outcome) -> pd.DataFrame:
    """Return the records as a data frame; only the usual counts are converted to numbers."""
    columns = {name: pd.Series(table.column(name), dtype="str") for name in table.header.cells if name}
    counts = {name: _counts_in(columns[name]) for name in outcome.columns if outcome.usual}
    blank = {name: cells.where(~cells.map(is_missing), "") for name, cells in columns.items() if name not in counts}
    return pd.DataFrame({name: counts[name] if name in counts else blank[name] for name in columns})


def _counts_in(cells: "pd.Series[str]") -> NDArray[np.int64]:
    """Convert cells that are known to hold counts."""
    return np.array([count_of(cell) for cell in cells.tolist()], dtype=np.int64)
