"""Results of a study: uniformity of the ranks and coverage of the intervals."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from alkbayes.calibration.coverage import coverage_of
from alkbayes.calibration.replications import KEPT, Study, quantity_name
from alkbayes.calibration.uniformity import ALPHA, Uniformity, judge_ranks
from alkbayes.vocabulary import Estimand


def summarise_study(study: Study, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a study's results as JSON values, regardless of the order of its replications.

    Returns
    -------
    dict
        Numbers of replications: `replications`, finished; `engines`, by engine; `fallback_reason`, by reason for NUTS
        instead of quadrature; `diverged`, still divergent after the second attempt; `short`, with fewer effective draws
        than ranks need; `failed`, by reason. `ranks`: `kept`, `alpha`, `passed` and, for each quantity, its ranks and
        their uniformity, with `level` and `estimand`, None for a parameter; None with fixed parameters. `coverage` of
        each interval.
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
        "ranks": None if study.truth is not None or not whole else _ranks(study, whole),
        "coverage": [asdict(row) | {"verdict": row.verdict} for row in coverage_of(whole)],
    }


def calibrated(judged: Sequence[Uniformity]) -> bool:
    """Return the verdict on all quantities together; uniform ranks fail with probability at most ALPHA."""
    return all(item.adjusted >= ALPHA for item in judged)


def _ranks(study: Study, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    ranks = {name: [int(record["quantities"][name]["rank"]) for record in records] for name in records[0]["quantities"]}
    judged = judge_ranks(ranks, kept=KEPT)
    parameter = {"level": None, "estimand": None}
    estimands = {
        quantity_name(level, estimand): {"level": level, "estimand": str(estimand)}
        for level in study.groups
        for estimand in Estimand
    }
    return {
        "kept": KEPT,
        "alpha": ALPHA,
        "passed": calibrated(judged),
        "quantities": [asdict(item) | estimands.get(item.quantity, parameter) for item in judged],
        "values": ranks,
    }


def _counted(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
