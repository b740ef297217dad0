"""Certainty of the evidence: what GRADE asks for, gathered; what follows from it is for people to judge.

Items are those of the GRADE handbook (Schünemann, Brożek, Guyatt & Oxman 2013), chapter 5, for one outcome; GRADE of an
overall prognosis, which a pooled rate of single arms is: Iorio et al. (2015), doi:10.1136/bmj.h870.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pandas as pd

from alkbayes.appraisal.judgements import Appraisal
from alkbayes.appraisal.tools import OVERALL
from alkbayes.classical.moderators.small_study import small_study_effects
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.evidence.table import Evidence, trial_labels
from alkbayes.text.names import is_pair
from alkbayes.vocabulary import ALL, Estimand

METHOD = "reml-logit-hk-adhoc"
"""Classical pooling beside the posterior, the default of `pool`."""

SERIOUS = ("not serious", "serious", "very serious")
NO_JUDGEMENTS = "nobody's judgements are in the table"
NO_OVERALL = "the table has judgements of domains, and none overall"
NO_COMPARISON = "GRADE rates comparisons up for these; a pooled rate of single arms compares nothing"

Kind = Literal["count", "rate", "share", "sd", "rho", "variance", "number", "p", "words"]
"""Unit of a fact: counts; proportions in [0, 1] (rate, share, rho, p); on the scale of the link (sd), its square
(variance)."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A number, an interval or words that bear on a judgement; what does not apply is None.

    Attributes
    ----------
    name, kind
        What it is, and its unit.
    value, low, high
        The number and the limits of its interval.
    words
        Words where it is no number.
    errors
        Monte Carlo standard errors of a posterior's numbers, `mcse_median`, `mcse_low` and `mcse_high`.
    """

    name: str
    kind: Kind
    value: float | None = None
    low: float | None = None
    high: float | None = None
    words: str | None = None
    errors: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """What GRADE asks about, and the judgements it allows; the judgement itself is nobody's but people's."""

    name: str
    allowed: tuple[str, ...]
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class CertaintySheet:
    """The items of GRADE in order, for the outcome of a run.

    `outcome` is its label, `interval_prob` the probability of all intervals.
    """

    outcome: str
    interval_prob: float
    items: tuple[Item, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the sheet as values that JSON can hold; `judgement` and `reasons` are null, for people to fill in."""
        return {
            "outcome": self.outcome,
            "interval_prob": self.interval_prob,
            "items": [
                {
                    "item": item.name,
                    "facts": [asdict(fact) | {"errors": dict(fact.errors)} for fact in item.facts],
                    "allowed": list(item.allowed),
                    "judgement": None,
                    "reasons": None,
                }
                for item in self.items
            ],
        }

    def table(self) -> pd.DataFrame:
        """Return a row for each fact, one for an item without any.

        Returns
        -------
        pandas.DataFrame
            Columns item, fact, kind, value, low, high, words, and judgement and reasons, which are empty.
        """
        rows = [
            {
                "item": item.name,
                "fact": fact and fact.name,
                **{name: fact and getattr(fact, name) for name in ("kind", "value", "low", "high", "words")},
                "judgement": None,
                "reasons": None,
            }
            for item in self.items
            for fact in (item.facts or (None,))
        ]
        return pd.DataFrame(rows)


def certainty_sheet(
    evidence: Evidence,
    *,
    question: str,
    pooled: Sequence[Mapping[str, Any]],
    heterogeneity: Sequence[Mapping[str, Any]],
    appraisal: Appraisal | None,
    prob: float,
) -> CertaintySheet:
    """Gather what GRADE asks for of a run.

    Parameters
    ----------
    evidence
        The table that was fitted.
    question
        That of the model.
    pooled, heterogeneity
        Rows of the run's tables of these names.
    appraisal
        Judgements of the risk of bias of these cohorts, if there are any.
    prob
        Probability of the intervals, in (0, 1), that of the rows.
    """
    frame = evidence.frame
    classical = pool(
        frame["responders"],
        frame["n"],
        method=PoolingMethod(METHOD),
        cohorts=frame["cohort_id"].astype(str).tolist(),
        trials=trial_labels(frame),
        prob=prob,
    )
    overall = {row["estimand"]: row for row in pooled if row["group"] == ALL}
    taus = [row for row in heterogeneity if row["parameter"].startswith("tau_")]
    total = [row for row in taus if row["parameter"] == "tau_total"] or taus[:1]
    rates = frame["responders"] / frame["n"]
    outcome = evidence.outcome
    estimate = Fact(METHOD, "rate", classical.estimate, classical.low, classical.high)
    return CertaintySheet(
        outcome.label,
        prob,
        (
            Item("Studies", (), tuple(_studies(evidence))),
            Item("Risk of bias", (*SERIOUS, "extremely serious"), tuple(_risk_of_bias(appraisal, outcome.units))),
            Item(
                "Inconsistency",
                SERIOUS,
                (
                    _interval("prediction interval, posterior", overall[Estimand.NEXT_COHORT]),
                    Fact(
                        f"prediction interval, {METHOD}",
                        "rate",
                        low=classical.prediction_low,
                        high=classical.prediction_high,
                    ),
                    Fact("observed rates, lowest and highest", "rate", low=float(rates.min()), high=float(rates.max())),
                    *(_posterior("tau, posterior", row, "sd") for row in total),
                    *(_posterior("rho, posterior", row, "rho") for row in heterogeneity if row["parameter"] == "rho"),
                    Fact(f"tau², {METHOD}", "variance", classical.tau2, classical.tau2_low, classical.tau2_high),
                    Fact(f"I², {METHOD}", "share", classical.i2, classical.i2_low, classical.i2_high),
                    Fact("Cochran's Q", "number", classical.q),
                    Fact("its degrees of freedom", "count", classical.q_df),
                    Fact("its p-value", "p", classical.q_p),
                ),
            ),
            Item("Indirectness", SERIOUS, tuple(_directness(evidence, question, pooled))),
            Item(
                "Imprecision",
                SERIOUS,
                (
                    _posterior("mean over cohorts, posterior", overall[Estimand.MEAN], "rate"),
                    _posterior("typical cohort, posterior", overall[Estimand.TYPICAL], "rate"),
                    estimate,
                    Fact(outcome.units, "count", evidence.patients),
                    Fact(outcome.events, "count", evidence.responders),
                ),
            ),
            Item("Publication bias", ("undetected", "strongly suspected"), tuple(_small_studies(evidence))),
            Item(
                "Large effect, dose-response gradient, plausible confounding",
                ("no", "would raise the certainty"),
                (Fact("rating up", "words", words=NO_COMPARISON),),
            ),
            Item("Certainty of the evidence", ("high", "moderate", "low", "very low")),
        ),
    )


def _studies(evidence: Evidence) -> Iterator[Fact]:
    yield Fact("cohorts", "count", evidence.cohorts)
    if evidence.trials is not None:
        yield Fact("trials", "count", evidence.trials)
    yield Fact(evidence.outcome.units, "count", evidence.patients)
    yield Fact(evidence.outcome.events, "count", evidence.responders)
    yield Fact("design", "words", words="cohorts taken one by one; none is compared with a control")


def _risk_of_bias(appraisal: Appraisal | None, units: str) -> Iterator[Fact]:
    """Yield the shares of the overall judgements, or that there are none."""
    if appraisal is None:
        yield Fact("judgements", "words", words=NO_JUDGEMENTS)
        return
    yield Fact("tool", "words", words=appraisal.tool.citation)
    domain = next((domain for domain in appraisal.domains if domain.name == OVERALL), None)
    if domain is None:
        yield Fact("judgements", "words", words=NO_OVERALL)
        return
    cohorts, patients = len(appraisal.cohorts), sum(appraisal.patients)
    for share in appraisal.shares(domain):
        label = appraisal.tool.missing if share.judgement is None else share.judgement.label
        yield Fact(f"overall {label}: of cohorts", "share", share.cohorts / cohorts)
        yield Fact(f"overall {label}: of {units}", "share", share.patients / patients)


def _directness(evidence: Evidence, question: str, pooled: Sequence[Mapping[str, Any]]) -> Iterator[Fact]:
    """Yield what was asked, of whom, and the mix of patients by the model's columns."""
    outcome = evidence.outcome
    yield Fact("question of the model", "words", words=question)
    yield Fact("outcome", "words", words=f"{outcome.label}, of {outcome.patients}")
    levels = {
        (row["group"], row["level"]): row["patients"]
        for row in pooled
        if row["group"] != ALL and not is_pair(row) and row["level"]
    }
    for (group, level), patients in levels.items():
        name = f"{outcome.declared.name(group)} {level}: of {outcome.units}"
        yield Fact(name, "share", patients / evidence.patients)


def _small_studies(evidence: Evidence) -> Iterator[Fact]:
    frame = evidence.frame
    for effect in small_study_effects(frame["responders"], frame["n"]):
        yield Fact(f"{effect.test}, slope", "number", effect.slope)
        yield Fact(f"{effect.test}, p-value", "p", effect.p)


def _posterior(name: str, row: Mapping[str, Any], kind: Kind) -> Fact:
    """Return a posterior median with its interval."""
    return Fact(name, kind, row["median"], row["low"], row["high"], errors=_errors(row))


def _interval(name: str, row: Mapping[str, Any]) -> Fact:
    """Return the limits of a posterior interval."""
    return Fact(name, "rate", low=row["low"], high=row["high"], errors=_errors(row))


def _errors(row: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: row.get(name) for name in ("mcse_median", "mcse_low", "mcse_high")}
