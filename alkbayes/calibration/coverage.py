"""Coverage of 95 % intervals over the replications of a study."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alkbayes.calibration.replications import quantity_name
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.proportions import IntervalMethod, proportion_interval
from alkbayes.vocabulary import INTERVAL_PROB, Estimand

POSTERIOR = "posterior"
CONFIDENCE, PREDICTION = ("low", "high"), ("prediction_low", "prediction_high")
AIMS: tuple[tuple[PoolingMethod, Estimand, tuple[str, str]], ...] = (
    (PoolingMethod.CRUDE_WILSON, Estimand.THESE_COHORTS, CONFIDENCE),
    (PoolingMethod.CRUDE_WILSON, Estimand.MEAN, CONFIDENCE),
    (PoolingMethod.REML_LOGIT_HK, Estimand.TYPICAL, CONFIDENCE),
    (PoolingMethod.GLMM_ML, Estimand.TYPICAL, CONFIDENCE),
    (PoolingMethod.REML_LOGIT_HK, Estimand.NEXT_COHORT, PREDICTION),
    (PoolingMethod.GLMM_ML, Estimand.NEXT_COHORT, PREDICTION),
)
"""Estimands to compare each classical interval with: its own target and, for the crude one, what it is mistaken for."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Coverage of one interval over the replications of a study.

    Attributes
    ----------
    level
        "all", or the name of another of :attr:`alkbayes.calibration.replications.Study.groups`.
    estimand, method
        Quantity that the interval should cover; "posterior", or a classical method.
    replications, without
        Numbers of replications with an interval and without one.
    coverage
        Proportion of intervals that cover the true value; None if there are no intervals.
    se
        Its Monte Carlo standard error, sqrt(c (1 - c) / replications).
    low, high
        95 % interval (Wilson) for the coverage.
    width
        Mean width of the intervals, a difference of proportions.
    bias
        Mean of estimate minus true value, a difference of proportions; None for `next_cohort`, which is a single
        cohort.
    """

    level: str
    estimand: str
    method: str
    replications: int
    without: int
    coverage: float | None
    se: float | None
    low: float | None
    high: float | None
    width: float | None
    bias: float | None

    @property
    def verdict(self) -> str:
        """Position of the coverage interval relative to 95 %: "below" or "above" it, or "" if it contains 95 %."""
        if self.low is None or self.high is None or self.low <= INTERVAL_PROB <= self.high:
            return ""
        return "below" if self.high < INTERVAL_PROB else "above"


def coverage_of(records: Sequence[Mapping[str, Any]]) -> list[Coverage]:
    """Return the coverage of every interval by level and estimand, the posterior before the classical methods.

    `records` are successful ones of :func:`alkbayes.calibration.replications.replicate_study`.
    """
    levels = list(records[0]["classical"]) if records else []
    rows = []
    for level in levels:
        for estimand in Estimand:
            name = quantity_name(level, estimand)
            truths = [record["quantities"][name]["truth"] for record in records]
            found = [record["quantities"][name] for record in records]
            triples = [(item["mean"], item["low"], item["high"]) for item in found]
            rows.append(_covered(level, estimand, POSTERIOR, truths, triples))
            rows += [
                _covered(level, estimand, str(method), truths, limits)
                for method, limits in _classical(records, level, estimand)
            ]
    return rows


def _classical(
    records: Sequence[Mapping[str, Any]], level: str, aim: Estimand
) -> Iterator[tuple[PoolingMethod, list[tuple[Any, Any, Any]]]]:
    for method, estimand, (low, high) in AIMS:
        if estimand is aim:
            rows = [record["classical"][level][str(method)] for record in records]
            yield method, [(row["estimate"], row[low], row[high]) for row in rows]


def _covered(
    level: str,
    estimand: Estimand,
    method: str,
    truths: Sequence[float],
    triples: Sequence[tuple[float | None, float | None, float | None]],
) -> Coverage:
    """Return the coverage for triples of estimate and limits, None where a method has no answer."""
    whole = [
        (truth, *triple) for truth, triple in zip(truths, triples, strict=True) if all(x is not None for x in triple)
    ]
    count = len(whole)
    if count == 0:
        return Coverage(level, str(estimand), method, 0, len(truths), None, None, None, None, None, None)
    truth, estimate, low, high = np.array(whole, dtype=np.float64).T
    held = int(((low <= truth) & (truth <= high)).sum())
    share = held / count
    bottom, top = proportion_interval(held, count, method=IntervalMethod.WILSON, prob=INTERVAL_PROB)
    return Coverage(
        level=level,
        estimand=str(estimand),
        method=method,
        replications=count,
        without=len(truths) - count,
        coverage=share,
        se=float(np.sqrt(share * (1 - share) / count)),
        low=float(bottom[0]),
        high=float(top[0]),
        width=float((high - low).mean()),
        bias=None if estimand is Estimand.NEXT_COHORT else float((estimate - truth).mean()),
    )
