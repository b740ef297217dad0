"""Numbers of a model in a table: their cells, and cohorts without them.

A model file says of each number whether a cohort without it stops the analysis or is left out. Nothing is imputed.
"""

from typing import TYPE_CHECKING

from alkbayes.errors import EvidenceError
from alkbayes.evidence.faults import Fault
from alkbayes.evidence.naming import TRIAL
from alkbayes.evidence.numbers import NUMBER_OR_NOTHING, number_advice, number_in
from alkbayes.evidence.table import BUNDLED_NAME, Evidence, lines_of, table_of
from alkbayes.text.names import listed, near_miss, quoted
from alkbayes.vocabulary import label_of

if TYPE_CHECKING:
    from typing import Any

    import pandas as pd

    from alkbayes.spec.schema import Declaration, NumericEffect

REFUSED = (
    'Write the number, delete the row, or set missing = "leave_out" in the model file: it leaves such cohorts out and '
    "names them."
)


def stated_cohorts(spec: "Declaration[Any]", evidence: Evidence) -> Evidence:
    """Return the cohorts with every number of a model, and a note on those left out.

    Raises
    ------
    EvidenceError
        If the table lacks a column, or one that the model declares; if a cell holds no number, or is empty and not to
        be left out; if no cohort is left.
    """
    name = BUNDLED_NAME if evidence.bundled else evidence.source
    if missing := [column for column in spec.column_tables if column not in {TRIAL, *evidence.frame}]:
        guess = near_miss(missing[0], evidence.frame.columns)
        advice = f" Did you mean {quoted(guess)}?" if guess else ""
        raise EvidenceError(
            f"{name}: found no column {quoted(missing[0])}, which the model {spec.name} declares under [columns]; it "
            f"has {listed([*evidence.frame.columns])}.{advice}"
        )
    if not spec.numbers:
        return evidence
    if absent := [effect.column for effect in spec.numbers if effect.column not in evidence.frame]:
        has = listed([str(column) for column in evidence.frame.columns])
        raise EvidenceError(
            f"{name}: found no column {listed(absent)}, which the model {spec.name} takes as a number; it has {has}."
        )
    found = [(effect, *cell) for effect in spec.numbers for cell in _faulty(effect, evidence.frame)]
    if found:
        table = table_of(evidence)
        lines = lines_of(table)
        raise table.refusal(
            [
                Fault(
                    lines[cohort],
                    quoted(cell) if cell else "nothing",
                    "a number" if effect.missing == "refuse" else NUMBER_OR_NOTHING,
                    number_advice(cell) if cell else REFUSED,
                    cohort=cohort,
                    column=effect.column,
                )
                for effect, cohort, cell in found
            ],
        )
    columns = [effect.column for effect in spec.numbers]
    stated = (evidence.frame[columns] != "").all(axis=1).to_numpy(dtype=bool)
    if stated.all():
        return evidence
    if not stated.any():
        each = columns[0] if len(columns) == 1 else f"each of {listed(columns)}"
        raise EvidenceError(f"{name}: no cohort has a number in {each}, which the model {spec.name} needs.")
    return evidence.part(stated).with_notes(*(_left_out(spec, effect, evidence.frame) for effect in spec.numbers))


def _faulty(effect: "NumericEffect", frame: "pd.DataFrame") -> list[tuple[str, str]]:
    """Return cohort and cell wherever a column holds no number, except for empty cells that may be left out."""
    pairs = zip(frame["cohort_id"].tolist(), frame[effect.column].astype(str).tolist(), strict=True)
    allowed = {""} if effect.missing == "leave_out" else set()
    return [(cohort, cell) for cohort, cell in pairs if cell not in allowed and number_in(cell) is None]


def _left_out(spec: "Declaration[Any]", effect: "NumericEffect", frame: "pd.DataFrame") -> str:
    """Return a sentence that names the cohorts without a number; empty if all have it."""
    cohorts = frame["cohort_id"][frame[effect.column] == ""].tolist()
    if not cohorts:
        return ""
    label = spec.declared.heading(label_of(effect.column, frame.columns))
    verb = "is" if len(cohorts) == 1 else "are"
    return f"{len(cohorts)} of {len(frame)} cohorts {verb} left out, without {label}: {listed(cohorts)}."
