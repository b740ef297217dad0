"""Patients that the rows of a fit are averaged over, and the effect of standardisation, for readers."""

from collections.abc import Iterator

from alkbayes.presentation.fit import (
    PARTLY_PREDICTED,
    WHOLLY_PREDICTED,
    Document,
    contrasts_by_column,
    declared_in,
    is_partly_predicted,
    outcome_of,
    patients_of,
    weight_lines,
)
from alkbayes.runs.document import PooledRow
from alkbayes.text.names import is_pair, listed, shown
from alkbayes.text.wording import joined, percent
from alkbayes.vocabulary import ALL, Estimand, Standard

APART = 0.03
"""Difference between means beyond which a row's own-patient mean is given."""

UNEVEN = 0.1
"""Cramér's V, or correlation ratio, from which a column is called unevenly distributed over another."""

OWN_ROWS = "Each row is averaged over its own {o.units}"
SAME_PATIENTS = (
    "Within a block, typical, mean and next cohort are over the {o.units} named in its heading, so that levels can be "
    "compared; crude and inverse-variance rates are over each level's own {o.units}."
)
OWN_PATIENTS = (
    "Each level is over its own {o.units}, {o.who} differ in the other columns, so rows cannot be compared; each "
    "contrast is over the {o.units} of both its levels."
)
NOT_ALL = (
    "The levels of {columns} cannot be compared by their rows: no combination of the other columns occurs with all of "
    "them, and their contrasts are predictions."
)
NOT_COMPARED = "each level over its own {o.units}, as no combination of the other columns occurs with all of them"

UNEXAMINED = {
    "levels": "{count} levels in {cohorts} cohorts",
    "missing": "{count} of {cohorts} cohorts without it",
    "size": "{cohorts} cohorts",
    "exnex": "the model has EXNEX",
}
"""Reasons why a column was not examined, by :class:`alkbayes.criticism.confounding.Reason`."""


def standard_lines(document: Document) -> list[str]:
    """Return sentences on how levels can be compared, and on the rows that this changes.

    There are none if no row mixes combinations of levels.
    """
    rows, outcome = list(_standardised(document)), outcome_of(document)
    heading = declared_in(document).heading
    if not rows:
        return [OWN_PATIENTS.format(o=outcome)] if any(row["weights"] for row in _single(document)) else []
    same = [SAME_PATIENTS.format(o=outcome)]
    if alone := dict.fromkeys(row["group"] for row in _single(document) if row["weights"] and not row["over"]):
        same.append(NOT_ALL.format(columns=joined([heading(column) for column in alone])))
    apart: dict[str, list[str]] = {}
    for row in rows:
        if abs(row["median"] - row["own_median"]) >= APART:
            said = f"{shown(row['level'])} {percent(row['own_median'], 0)}"
            apart.setdefault(row["group"], []).append(f"{said} (here {percent(row['median'], 0)})")
    if not apart:
        return same
    listed = "; ".join(f"{heading(column)} {', '.join(levels)}" for column, levels in apart.items())
    own = f"Over their own {outcome.units}, {outcome.who} differ in the other columns"
    return [*same, f"{own}, the means are {listed}."]


def unnamed_lines(document: Document) -> list[str]:
    """Return a sentence on columns outside the model that would improve it, and one on those not examined, if any."""
    found, heading = [], declared_in(document).heading
    for row in document.get("unnamed") or []:
        measure = "correlation ratio" if row["numeric"] else "Cramér's V"
        uneven = [
            f"{heading(each['factor'])} ({'' if place else f'{measure} '}{each['measure']:.2f})"
            for place, each in enumerate(each for each in row["uneven"] if each["measure"] >= UNEVEN)
        ]
        over = f", uneven over {joined(uneven)}" if uneven else ""
        found.append(f"{shown(row['column'])} +{row['gain']:.0f} (SE {row['se']:.0f}){over}")
    lines = []
    if found:
        lines.append(
            "Not in the model, with the gain in log predictive density of left-out cohorts from adding each alone: "
            f"{'; '.join(found)}."
        )
    passed_over = [
        f"{shown(row['column'])} ({UNEXAMINED[row['reason']].format(**row)})"
        for row in document.get("unexamined") or []
    ]
    if passed_over:
        lines.append(f"Not in the model and not examined: {listed(passed_over)}.")
    return lines


def averaging(document: Document) -> tuple[str, list[str]]:
    """Return the heading and lines of averaging weights; no lines if no row mixes combinations of levels."""
    outcome = outcome_of(document)
    if document.get("standard") != Standard.SAME:
        return OWN_ROWS.format(o=outcome), weight_lines(document)
    lines = []
    seen, heading = set(), declared_in(document).heading
    for row in _single(document):
        if row["group"] in seen:
            continue
        seen.add(row["group"])
        if row["over"]:
            lines.append(f"{heading(row['group'])}: {row['over']} ({row['weights']})")
        elif row["weights"]:
            lines.append(f"{heading(row['group'])}: {NOT_COMPARED.format(o=outcome)}")
    return f"The levels of a column are averaged over these {outcome.units}", lines


def contrast_patients(document: Document) -> list[str]:
    """Return a sentence on the patients of contrasts; none if they are those of the two levels."""
    columns = list(contrasts_by_column(document))
    heading = declared_in(document).heading
    over = [f"{heading(column)}, {over}" for column in columns if (over := patients_of(column, document["pooled"]))]
    units = outcome_of(document).units
    return [f"Contrasts are over these {units}: {'; '.join(over)}."] if over else []


def prediction_lines(document: Document) -> list[str]:
    """Return lines on the mark of predicted rows and the share predicted in each; none without such rows."""
    marked: dict[str, list[str]] = {}
    heading = declared_in(document).heading
    for row in _standardised(document):
        if is_partly_predicted(row):
            marked.setdefault(row["group"], []).append(f"{shown(row['level'])} {percent(row['predicted'], 0)} %")
    if not marked:
        return []
    listed = "; ".join(f"{heading(column)} {', '.join(levels)}" for column, levels in marked.items())
    units = outcome_of(document).units
    meant = (
        f"{PARTLY_PREDICTED} predicted by the model for {units} with a combination of levels that no cohort has "
        f"({WHOLLY_PREDICTED} for all of them): {listed}"
    )
    return [meant]


def _single(document: Document) -> Iterator[PooledRow]:
    """Yield the means for levels of single columns."""
    for row in document["pooled"]:
        if row["estimand"] == Estimand.MEAN and row["group"] != ALL and not is_pair(row):
            yield row


def _standardised(document: Document) -> Iterator[PooledRow]:
    """Yield the means averaged over the same patients as the other levels."""
    yield from (row for row in _single(document) if row.get("over"))
