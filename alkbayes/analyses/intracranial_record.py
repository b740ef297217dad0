"""The analysis of intracranial response as JSON holds it: what its command prints and keeps beside a run."""

from typing import Any, TypedDict

from alkbayes.analyses.intracranial import IntracranialAnalysis
from alkbayes.analyses.intracranial_conclusions import joint_record_of, record_of
from alkbayes.analyses.joint import JointFit
from alkbayes.text.json import finite_or_none


class IntracranialRecord(TypedDict):
    """Systemic and intracranial response side by side; a number that there is none of is None.

    `joint` is None where both responses were not fitted together. Rows are those of the tables of
    :class:`alkbayes.analyses.intracranial.IntracranialAnalysis`.
    """

    rates: list[dict[str, Any]]
    contrasts: list[dict[str, Any]]
    power_scaling: dict[str, Any]
    left_out: dict[str, str]
    conclusions: list[str]
    notes: list[str]
    joint: dict[str, Any] | None
    failures: list[str]


def intracranial_record(found: IntracranialAnalysis, joint: JointFit | None = None) -> IntracranialRecord:
    """Return an analysis, with a joint fit where there is one, as values that JSON can hold."""
    together = None if joint is None else joint_record_of(joint, found.brain)
    record: IntracranialRecord = finite_or_none(
        record_of(found) | {"joint": together, "failures": list(found.failures)}
    )
    return record


def failures_of(record: IntracranialRecord) -> list[str]:
    """Return what the two fits failed of the convergence gate, and the joint one."""
    joint = record["joint"]
    return [*record["failures"], *([] if joint is None else joint["diagnostics"]["failures"])]
