"""What the replications of a study say: whether its ranks are uniform, and what its intervals cover."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from alkbayes.calibration.coverage import coverage_of
from alkbayes.calibration.replications import KEPT, Study
from alkbayes.calibration.uniformity import ALPHA, Uniformity, judge_ranks


def summarise_study(study: Study, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a study's results as plain values for JSON, the same in whatever order its replications were made.

    Returns
    -------
    dict
        `replications`: finished ones; `engines`: how many posteriors each engine drew; `fallback_reason`: how many for
        which reason; `diverged`: with divergences that a second try did not mend; `short`: with fewer effective draws
        than are ranked; `failed`: how many for which reason; `ranks`: `kept`, `alpha`, `passed` and, of each quantity,
        how uniform its ranks are, and the ranks; None where the parameters are fixed; `coverage`: of each interval.
    """
    ordered = sorted(records, key=lambda record: int(record["replication"]))
    whole = [record for record in ordered if "failed" not in record]
    return {
        "replications": len(ordered),
        "engines": _counted(str(record["engine"]) for record in whole),
        "fallback_reason": _counted(record["fallback_reason"] for record in whole if record["fallback_reason"]),
        "diverged": sum(record["divergences"] > 0 for record in whole),
        "short": sum(record["ess"] < KEPT for record in whole),
        "failed": _counted(record["failed"] for record in ordered if "failed" in record),
        "ranks": None if study.fixed or not whole else _ranks(whole),
        "coverage": [asdict(row) | {"verdict": row.verdict} for row in coverage_of(whole)],
    }


def calibrated(judged: Sequence[Uniformity]) -> bool:
    """Return the verdict on all quantities together, which uniform ranks fail with a probability of at most ALPHA."""
    return all(item.adjusted >= ALPHA for item in judged)


def _ranks(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    ranks = {name: [int(record["quantities"][name]["rank"]) for record in records] for name in records[0]["quantities"]}
    judged = judge_ranks(ranks, kept=KEPT)
    return {
        "kept": KEPT,
        "alpha": ALPHA,
        "passed": calibrated(judged),
        "quantities": [asdict(item) for item in judged],
        "values": ranks,
    }


def _counted(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
