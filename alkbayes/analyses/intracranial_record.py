"""JSON record of the intracranial analysis, printed by its command and kept beside a run."""

from typing import Any, TypedDict

from alkbayes.analyses.intracranial import IntracranialAnalysis
from alkbayes.analyses.intracranial_conclusions import joint_record_of, record_of
from alkbayes.analyses.joint import JointFit
from alkbayes.text.json import finite_or_none


class IntracranialRecord(TypedDict):
    """JSON record of an :class:`alkbayes.analyses.intracranial.IntracranialAnalysis`, with its tables as rows.

    Undefined numbers are None; `joint` is None without a joint fit.
    """

    interval_prob: float
    rates: list[dict[str, Any]]
    contrasts: list[dict[str, Any]]
    power_scaling: dict[str, Any]
    left_out: dict[str, str]
    conclusions: list[str]
    notes: list[str]
    caveat: str
    joint: dict[str, Any] | None
    failures: list[str]


def intracranial_record(found: IntracranialAnalysis, joint: JointFit | None = None) -> IntracranialRecord:
    """Return the analysis, and the joint fit if there is one, as JSON values."""
    together = None if joint is None else joint_record_of(joint, found.brain)
    record: IntracranialRecord = finite_or_none(
        {"interval_prob": found.brain.interval_prob}
        | record_of(found)
        | {"joint": together, "failures": list(found.failures)}
    )
    return record


def failures_of(record: IntracranialRecord) -> list[str]:
    """Return the convergence failures of the two separate fits and the joint one."""
    joint = record["joint"]
    return [*record["failures"], *([] if joint is None else joint["diagnostics"]["failures"])]
