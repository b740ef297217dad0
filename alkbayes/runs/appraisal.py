"""Judgements of the risk of bias of a run's cohorts, by the tool that the run was given."""

from pathlib import Path

from alkbayes.appraisal.judgements import Appraisal, appraise
from alkbayes.appraisal.tools import parse_tool
from alkbayes.evidence.table import Evidence
from alkbayes.runs.analyses import kept_analysis

NAME = "risk-of-bias"


def appraisal_of(folder: Path | None, evidence: Evidence) -> Appraisal | None:
    """Return the judgements in a run's table, by the tool kept in its folder, else by the one that fits the columns.

    Parameters
    ----------
    folder
        Of the run; None if it has none.
    evidence
        Its table.

    Raises
    ------
    EvidenceError
        As :func:`alkbayes.appraisal.judgements.appraise`.
    RunError
        If what is kept cannot be read.
    """
    kept = None if folder is None else kept_analysis(folder, NAME)
    tool = None if kept is None else parse_tool(kept["risk_of_bias"]["tool"], source=f"{folder}/{NAME}.json")
    return appraise(evidence, tool)
