"""Tables of randomised trials: a row for each arm, with counts, hazard ratios, or both.

A hazard ratio is that of its arm against another of the trial: the one without a ratio, or the one in `hr_vs`. Ratios
of one trial with a common reference share its patients. Their covariance is the variance of the reference arm's log
hazard, in `hr_se` of that arm, or follows from the ratios between all pairs.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

import pandas as pd

from alkbayes.errors import UsageError
from alkbayes.evidence.faults import Fault
from alkbayes.evidence.files import read_bytes, read_records
from alkbayes.evidence.naming import EXPECTED, absent_faults, named
from alkbayes.evidence.numbers import number_in
from alkbayes.evidence.records import Table
from alkbayes.evidence.rules import count_of, header_faults
from alkbayes.evidence.sources import STANDARD_INPUT, TableSource
from alkbayes.evidence.table import BUNDLED
from alkbayes.text.names import listed, near_miss, plain, quoted
from alkbayes.vocabulary import is_missing

type Row = Mapping[str, str]

CLASS = "treatment_class"
"""Column of the bundled table that its treatments are grouped by."""
TRIAL, ARM, VERSUS = "trial", "arm", "hr_vs"
COUNTS = ("responders", "n")
RATIOS = ("hr", "hr_low", "hr_high", "hr_level", "hr_se", "hr_n")
TREATMENTS = ("treatment", "agent", "arm", "treat", "trt", "intervention", "drug", "group", "t")
"""Names for the column of treatments, the likeliest first, as `text.names.plain` leaves them."""
BUNDLED_NAME = "the bundled table of randomised trials"
LEAST_PERCENT, LARGEST_PERCENT = 50.0, 100.0
CENTRAL = 0.25
"""Least distance of a ratio from either limit, as a share of its interval on the log scale."""
USUAL_PERCENT = 95.0
"""Probability of the interval of a hazard ratio in a row that does not say."""


@dataclass(frozen=True, slots=True)
class RandomisedTable:
    """A table of randomised arms that has passed every check.

    Attributes
    ----------
    frame
        A row for each arm, in the order of the file; a further ratio between two arms of a trial has a row of its own.
        Columns trial, of_treatment (the treatment, as the analysis names it), arm, responders and n (float, both NaN
        where there is no count), hr, hr_low, hr_high, hr_level (percent), hr_se (on the log scale) and hr_n (float, NaN
        where missing), hr_vs (empty: the arm without a ratio), of_line (of the file), and the file's other columns as
        text.
    by
        The column that names the treatments.
    source, sha256
        Path as the user gave it, or "bundled"; hash of the file's bytes.
    notes
        What a reader must know about how the file was read, in sentences.
    name, unit
        The file's name in messages, and how its places are counted.
    """

    frame: pd.DataFrame
    by: str
    source: str
    sha256: str
    notes: tuple[str, ...]
    name: str
    unit: str

    @property
    def bundled(self) -> bool:
        """Whether this is the table in the package."""
        return self.source == BUNDLED


def read_randomised(
    source: TableSource | None = None, *, by: str | None = None, exclude: Sequence[str] = ()
) -> RandomisedTable:
    """Read a table of randomised arms and check it whole.

    Parameters
    ----------
    source
        A file, as of :func:`alkbayes.evidence.table.read_evidence`; None for the bundled table. Columns as in
        `data/SCHEMA.md`.
    by
        Column that names the treatments; None for the classes of the bundled table, else `treatment`, `agent` or
        `arm`, the first that there is.
    exclude
        Trials to leave out.

    Raises
    ------
    EvidenceError
        If the file cannot be read as such a table or breaks a rule. The message lists every fault by its line.
    UsageError
        If a trial to leave out is not in the table.
    """
    columns: Mapping[str, str] = {} if source is None else source.columns
    if source is None or source.bundled:
        name, content = BUNDLED_NAME, files("alkbayes").joinpath("data", "randomised.csv").read_bytes()
    elif source.path is not None:
        name, content = str(source.path), read_bytes(source.path)
    else:
        name, content = STANDARD_INPUT, source.content or b""
    sheet = None if source is None else source.sheet
    table = read_records(content, name, sheet=sheet, expected=(*EXPECTED, *RATIOS, *TREATMENTS, *columns.values()))
    given = [each for each in COUNTS if _is_named(table, each, columns)] and list(COUNTS)
    table = named(table, (TRIAL, *given), columns, cohorts=False)
    bundled = name == BUNDLED_NAME
    chosen = by or _treatments_of(table, bundled=bundled)
    faults = [*table.faults, *header_faults(table), *absent_faults(table, (TRIAL, *given, chosen))]
    if not given and "hr" not in table.header.cells:
        found = f"neither counts nor hazard ratios, only {listed([*filter(None, table.header.cells)])}"
        faults.append(Fault(table.header.line, found, "columns responders and n, or hr with hr_low and hr_high"))
    if faults := faults or [*_row_faults(table, chosen)]:
        raise table.refusal(faults)
    frame = _frame(table, chosen)
    frame, left_out = _without(frame, exclude)
    origin = BUNDLED if bundled else f"./{name}" if name == BUNDLED else name
    return RandomisedTable(
        frame, chosen, origin, sha256(content).hexdigest(), (*table.notes, *left_out), name, table.unit
    )


def _is_named(table: Table, name: str, columns: Mapping[str, str]) -> bool:
    """Return whether a header may have this count, in any of its well-known names."""
    return name in columns or name in named(table, (name,), columns, cohorts=False).header.cells


def _treatments_of(table: Table, *, bundled: bool) -> str:
    """Return the column of treatments; `treatment`, which is then missed, if there is none."""
    if bundled:
        return CLASS
    names = {plain(name): name for name in reversed(table.header.cells) if name}
    return next((names[word] for word in TREATMENTS if word in names), TREATMENTS[0])


def _without(frame: pd.DataFrame, exclude: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of the other trials, with a note on those left out."""
    trials = list(dict.fromkeys(frame[TRIAL]))
    for name in exclude:
        if name not in trials:
            guess = near_miss(name, trials)
            advice = f"Did you mean {quoted(guess)}?" if guess else f"Its trials: {listed(trials)}."
            raise UsageError(f"found {quoted(name)}, which is not a trial of the table. {advice}", parameter="exclude")
    kept = frame[~frame[TRIAL].isin(list(exclude))].reset_index(drop=True)
    return kept, [f"Left out by name: {listed(list(dict.fromkeys(exclude)))}."] if exclude else []


def _row_faults(table: Table, by: str) -> Iterator[Fault]:
    """Yield what is wrong with the rows, cell by cell, and then with the arms of each trial."""
    rows = [(record.line, dict(zip(table.header.cells, record.cells, strict=True))) for record in table.records]
    cells = [fault for line, row in rows for fault in _cell_faults(line, row, by)]
    yield from cells
    if not cells:
        trials: dict[str, list[tuple[int, Row]]] = {}
        for line, row in rows:
            trials.setdefault(row[TRIAL], []).append((line, row))
        for name, arms in trials.items():
            yield from _trial_faults(name, arms, by)


def _cell_faults(line: int, row: Row, by: str) -> Iterator[Fault]:
    for column in (TRIAL, by):
        if is_missing(row[column]):
            advice = "Every arm belongs to a trial." if column == TRIAL else "Every arm has a treatment."
            yield Fault(line, quoted(row[column]) if row[column] else "nothing", "any text", advice, column=column)
    yield from _count_faults(line, row)
    yield from _ratio_faults(line, row)


def _ratio_faults(line: int, row: Row) -> Iterator[Fault]:
    """Yield what is wrong with a row's hazard ratio, which may be missing."""
    numbers = {name: _number(row.get(name, "")) for name in RATIOS}
    for name, value in numbers.items():
        if not is_missing(row.get(name, "")) and not value > 0:
            yield Fault(line, quoted(row[name]), "a number above 0, or nothing", column=name)
            return
    if _given(row, "hr_level") and not LEAST_PERCENT <= numbers["hr_level"] < LARGEST_PERCENT:
        allowed = f"a percentage from {LEAST_PERCENT:g} to below {LARGEST_PERCENT:g}, such as 95"
        yield Fault(line, quoted(row["hr_level"]), allowed, column="hr_level")
    hr, low, high, se = (numbers[name] for name in ("hr", "hr_low", "hr_high", "hr_se"))
    if not _given(row, "hr"):
        if _given(row, "hr_low") or _given(row, "hr_high"):
            yield Fault(line, "limits without a hazard ratio", "all three, or nothing", column="hr")
    elif _given(row, "hr_low") and _given(row, "hr_high"):
        if not low < hr < high:
            yield Fault(line, f"{hr:g} ({low:g}-{high:g})", "a hazard ratio between its two limits", column="hr")
        elif not _is_central(*(row[name] for name in ("hr", "hr_low", "hr_high"))):
            allowed = f"a hazard ratio near the middle of its interval on the log scale, {math.sqrt(low * high):.2g}"
            advice = "Check the digits. If the source has it so, leave the limits empty and give hr_se."
            yield Fault(line, f"{hr:g} ({low:g}-{high:g})", allowed, advice, column="hr")
    elif math.isnan(se):
        advice = "Write the interval as the source prints it, with its probability in hr_level unless that is 95."
        yield Fault(line, "a hazard ratio without an interval", "hr_low and hr_high, or hr_se", advice, column="hr")


def _is_central(*cells: str) -> bool:
    """Return whether a ratio may stand in the middle half of its interval on the log scale, as its digits round it.

    An interval of Wald's is symmetric there, one by profile likelihood nearly so.
    """
    (_, down, up), (low, low_down, low_up), (high, high_down, high_up) = map(_rounded, cells)
    if low_down <= 0 or not low_up < high_down:
        return True
    quarter = CENTRAL * math.log(high / low)
    above, below = math.log(up / low_down), math.log(high_up / down)
    return above >= quarter and below >= quarter


def _rounded(cell: str) -> tuple[float, float, float]:
    """Return a printed number, and the least and the largest that round to it."""
    value, half = _number(cell), 0.5 * 10.0 ** -len(cell.strip().partition(".")[2])
    return value, value - half, value + half


def _count_faults(line: int, row: Row) -> Iterator[Fault]:
    """Yield what is wrong with a row's counts, which both may be missing."""
    given = [name for name in COUNTS if _given(row, name)]
    if not given:
        return
    if len(given) == 1:
        (missing,) = set(COUNTS) - set(given)
        yield Fault(line, "nothing", f"a whole number, as {given[0]} has one, or nothing in either", column=missing)
        return
    counts = {name: count_of(row[name]) for name in COUNTS}
    for name, least in zip(COUNTS, (0, 1), strict=True):
        if (count := counts[name]) is None or count < least:
            yield Fault(line, quoted(row[name]), f"a whole number of {least} or more", column=name)
            return
    responders, n = counts["responders"], counts["n"]
    if responders is not None and n is not None and responders > n:
        advice = "Check both counts, and that their columns are not swapped."
        yield Fault(line, f"{responders} of {n}", f"a whole number from 0 to {n}", advice, column=COUNTS[0])


def _trial_faults(name: str, rows: Sequence[tuple[int, Row]], by: str) -> Iterator[Fault]:
    """Yield what is wrong with the arms of a trial: too few, one twice, or ratios without a common reference."""
    own: dict[str, int] = {}
    pairs: dict[tuple[str, str], int] = {}
    for line, row in rows:
        arm, versus = _arm_of(row, by), row.get(VERSUS, "")
        pair = (arm, "" if is_missing(versus) else versus)
        if pair in pairs:
            found = f"the arm {quoted(arm)} of the trial {quoted(name)} again, as in line {pairs[pair]}"
            advice = "Give the arms names of their own in a column arm; a further ratio names its reference in hr_vs."
            yield Fault(line, found, "each arm once", advice, column=ARM if ARM in row else by)
        pairs[pair] = line
        own.setdefault(arm, line)
    if len(own) == 1:
        found = f"one arm of the trial {quoted(name)}"
        advice = "Add the others, or leave the row out. Check how the trial is spelt in each row."
        yield Fault(rows[0][0], found, "two arms or more", advice, column=TRIAL)
        return
    for line, row in rows:
        versus = row.get(VERSUS, "")
        if not is_missing(versus) and (versus not in own or versus == _arm_of(row, by)):
            allowed = f"another arm of the trial: {listed([arm for arm in own if arm != _arm_of(row, by)])}"
            yield Fault(line, quoted(versus), allowed, column=VERSUS)
    ratios = [(_arm_of(row, by), row.get(VERSUS, "")) for _, row in rows if _given(row, "hr")]
    references = [arm for arm in own if arm not in {arm for arm, _ in ratios}]
    if ratios and len(references) != 1:
        found = f"{len(references)} arms without a hazard ratio in the trial {quoted(name)}"
        advice = "It is the reference of the others, each of which has a ratio against it."
        yield Fault(rows[0][0], found, "one", advice, column="hr")
    elif ratios:
        against = {arm for arm, versus in ratios if is_missing(versus) or versus == references[0]}
        if missing := [arm for arm in own if arm not in {*against, *references}]:
            found = f"no ratio of {listed(missing)} against {quoted(references[0])} in the trial {quoted(name)}"
            yield Fault(rows[0][0], found, "a ratio of each arm against the one without", column="hr")


def _arm_of(row: Row, by: str) -> str:
    """Return what an arm is called within its trial: by its name, or by its treatment if it has none."""
    return row[by] if is_missing(row.get(ARM, "")) else row[ARM]


def _given(row: Row, name: str) -> bool:
    return not is_missing(row.get(name, ""))


def _number(cell: str) -> float:
    """Return the number in a cell; NaN if there is none."""
    value = number_in(cell)
    return math.nan if value is None else value


def _frame(table: Table, by: str) -> pd.DataFrame:
    """Return the records of a table without faults as `RandomisedTable.frame` has them."""
    rows = [dict(zip(table.header.cells, record.cells, strict=True)) for record in table.records]
    frame = pd.DataFrame(rows, dtype="str")
    numbers = {name: [_number(row.get(name, "")) for row in rows] for name in (*COUNTS, *RATIOS)}
    frame = frame.assign(**numbers, of_treatment=frame[by], of_line=[record.line for record in table.records])
    frame[ARM] = [_arm_of(row, by) for row in rows]
    frame[VERSUS] = ["" if is_missing(row.get(VERSUS, "")) else row[VERSUS] for row in rows]
    frame["hr_level"] = frame["hr_level"].fillna(USUAL_PERCENT)
    return frame
