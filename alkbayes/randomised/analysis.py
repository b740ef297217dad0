"""Randomised evidence as a whole: odds ratios of response and hazard ratios, each beside what single arms suggest."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.evidence.randomised import CLASS, TRIAL, RandomisedTable
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference.settings import DEFAULT_SEED, SamplerSettings
from alkbayes.model.summary import equal_tailed
from alkbayes.randomised.contrasts import Fits, consistency_table, contrast_table, difference, fits_of, ratio_summary
from alkbayes.randomised.counts import estimate_counts, posterior_of_counts
from alkbayes.randomised.network import CountTrial, Network, RatioTrial, Trial, count_network, ratio_network
from alkbayes.randomised.posterior import Estimates, NetworkPosterior
from alkbayes.randomised.priors import Priors
from alkbayes.randomised.ratios import estimate_ratios, posterior_of_ratios
from alkbayes.randomised.single_arms import (
    ADJUSTED,
    MODELS,
    SingleArms,
    median_contrasts,
    other_cohorts,
    response_contrasts,
)
from alkbayes.text.json import finite_or_none, records
from alkbayes.text.names import listed
from alkbayes.vocabulary import INTERVAL_PROB, in_order

type Array = NDArray[np.float64]
LINE = "line"
"""Column of the treatment line of a trial's patients."""

type Measure = Literal["odds_ratio", "hazard_ratio"]

DRAWS = 4000
SPLIT_DRAWS = 4000
"""Draws of a consistency and of each node-splitting model."""


class OutcomeRecord(TypedDict):
    """JSON record of :class:`OutcomeResults`."""

    measure: str
    reference: str
    replicated: bool
    several_arms: list[str]
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]
    contrasts: list[dict[str, Any]]
    consistency: list[dict[str, Any]]
    heterogeneity: list[dict[str, Any]]
    single_arms: list[dict[str, Any]]
    single_arms_model: str | None
    single_arms_adjusted: str | None
    notes: list[str]
    diagnostics: dict[str, Any]


class RandomisedRecord(TypedDict):
    """JSON record of :class:`Randomised`; undefined numbers are None."""

    table: dict[str, Any]
    by: str
    interval_prob: float
    effects: str
    priors: dict[str, Any]
    trials: list[dict[str, Any]]
    outcomes: list[OutcomeRecord]
    notes: list[str]
    converged: bool
    failures: list[str]
    settings: dict[str, int]


@dataclass(frozen=True, slots=True)
class OutcomeResults:
    """Network meta-analysis of one outcome.

    Attributes
    ----------
    measure
        "odds_ratio" or "hazard_ratio".
    nodes
        A row for each treatment: treatment, trials, patients.
    edges
        A row for each pair compared directly: first, second, trials, patients, names (of the trials), lines (number of
        trials by treatment line, such as "2 naive and 1 mixed"; empty if the table has no such column).
    contrasts, consistency
        See :mod:`alkbayes.randomised.contrasts`.
    heterogeneity
        The SD between trials: a row each for the posterior (median, low, high) and the classical estimate (median
        alone), with `method`; empty for common effects.
    single_arms
        A row for each pair that single arms compare: first, second; median, low, high and their Monte Carlo errors of
        the combined randomised ratio (prefix randomised_), of that of single arms of other trials (single_), of the
        second over the first (apart_) and of that of all cohorts, the trials' own arms included and unpaired (all_);
        first_cohorts, second_cohorts,
        first_patients and second_patients of the single arms.
    single_arms_model
        Their model; None if there are none.
    pareto_k, ess
        Worst over all models, None where draws are exact.
    failures
        Failures of gates.
    """

    measure: Measure
    network: Network[CountTrial] | Network[RatioTrial]
    nodes: pd.DataFrame
    edges: pd.DataFrame
    contrasts: pd.DataFrame
    consistency: pd.DataFrame
    heterogeneity: pd.DataFrame
    single_arms: pd.DataFrame
    single_arms_model: str | None
    pareto_k: float | None
    ess: float
    failures: tuple[str, ...]

    def to_dict(self) -> OutcomeRecord:
        """Return everything as JSON values."""
        return OutcomeRecord(
            measure=self.measure,
            reference=self.network.treatments[0],
            replicated=self.network.replicated,
            several_arms=list(self.network.several_arms),
            nodes=records(self.nodes),
            edges=records(self.edges),
            contrasts=records(self.contrasts),
            consistency=records(self.consistency),
            heterogeneity=records(self.heterogeneity),
            single_arms=records(self.single_arms),
            single_arms_model=self.single_arms_model,
            single_arms_adjusted=None if self.single_arms_model is None else ADJUSTED[self.single_arms_model],
            notes=list(self.network.notes),
            diagnostics={"pareto_k": self.pareto_k, "ess": self.ess, "failures": list(self.failures)},
        )


@dataclass(frozen=True, slots=True)
class Randomised:
    """Randomised evidence of a table.

    Attributes
    ----------
    outcomes
        Odds ratios, hazard ratios or both, as the table has them.
    trials
        The table's arms as rows, with what each reports.
    effects
        "random" or "common".
    notes
        Sentences on what a reader must know.
    """

    table: RandomisedTable
    outcomes: tuple[OutcomeResults, ...]
    trials: pd.DataFrame
    effects: Literal["random", "common"]
    priors: Priors
    notes: tuple[str, ...]
    interval_prob: float
    seed: int

    @property
    def failures(self) -> tuple[str, ...]:
        """Failures of all outcomes."""
        return tuple(f"{each.measure.replace('_', ' ')}: {text}" for each in self.outcomes for text in each.failures)

    @property
    def contrasts(self) -> pd.DataFrame:
        """The contrasts of all outcomes, with `measure` as the first column."""
        return pd.concat([each.contrasts.assign(measure=each.measure) for each in self.outcomes]).pipe(
            lambda frame: frame[["measure", *frame.columns.drop("measure")]]
        )

    def to_dict(self) -> RandomisedRecord:
        """Return everything as JSON values."""
        priors = asdict(self.priors) | {"tau": str(self.priors.tau) if self.effects == "random" else None}
        record = RandomisedRecord(
            table={"source": self.table.source, "sha256": self.table.sha256},
            by=self.table.by,
            interval_prob=self.interval_prob,
            effects=self.effects,
            priors=priors,
            trials=records(self.trials),
            outcomes=[each.to_dict() for each in self.outcomes],
            notes=list(self.notes),
            converged=not self.failures,
            failures=list(self.failures),
            settings={"seed": self.seed, "draws": DRAWS},
        )
        plain: RandomisedRecord = finite_or_none(record)
        return plain


def randomised_of(
    table: RandomisedTable,
    *,
    reference: str | None = None,
    priors: Priors | None = None,
    common: bool = False,
    prob: float = INTERVAL_PROB,
    seed: int = DEFAULT_SEED,
    cohorts: Evidence | None = None,
) -> Randomised:
    """Analyse randomised trials.

    Parameters
    ----------
    table
        A checked table.
    reference
        Treatment that contrasts are against first; the first in order if None.
    priors
        Those of the Bayesian models; the default ones if None.
    common
        Whether effects are common to all trials instead of random.
    prob
        Probability of all intervals, in (0, 1).
    seed
        Random seed.
    cohorts
        Table of the single arms; the bundled one if None, and only beside the bundled randomised trials.

    Raises
    ------
    EvidenceError
        If the trials do not connect the treatments, or ratios lack their covariance.
    UsageError
        If no trial has the reference.
    """
    priors = priors or Priors()
    single = cohorts or (read_evidence() if table.bundled else None)
    networks = count_network(table, reference=reference), ratio_network(table, reference=reference)
    outcomes = []
    if (counts := networks[0]) is not None:
        rngs = _rngs(seed, 0)
        bayes = fits_of(
            counts,
            lambda pair: posterior_of_counts(
                counts, priors=priors, common=common, split=pair, draws=DRAWS, rng=next(rngs)
            ),
        )
        classical = fits_of(counts, lambda pair: estimate_counts(counts, common=common, split=pair))
        outcomes.append(_outcome("odds_ratio", counts, bayes, classical, table, single, prob, seed))
    if (ratios := networks[1]) is not None:
        rngs_of_ratios = _rngs(seed, 1)
        exact = fits_of(
            ratios,
            lambda pair: posterior_of_ratios(
                ratios, priors=priors, common=common, split=pair, draws=DRAWS, rng=next(rngs_of_ratios)
            ),
        )
        restricted = fits_of(ratios, lambda pair: estimate_ratios(ratios, common=common, split=pair))
        outcomes.append(_outcome("hazard_ratio", ratios, exact, restricted, table, single, prob, seed))
    return Randomised(
        table=table,
        outcomes=tuple(outcomes),
        trials=_trials(table),
        effects="common" if common else "random",
        priors=priors,
        notes=table.notes,
        interval_prob=prob,
        seed=seed,
    )


def _rngs(seed: int, outcome: int) -> Iterator[np.random.Generator]:
    """Yield a generator for each model of an outcome, independent of the others."""
    number = 0
    while True:
        yield np.random.default_rng([seed, outcome, number])
        number += 1


def _outcome(
    measure: Measure,
    network: Network[CountTrial] | Network[RatioTrial],
    bayes: Fits[NetworkPosterior],
    classical: Fits[Estimates],
    table: RandomisedTable,
    cohorts: Evidence | None,
    prob: float,
    seed: int,
) -> OutcomeResults:
    """Return the tables of one outcome."""
    posteriors = [bayes.combined, *bayes.split.values()]
    ks = [each.pareto_k for each in posteriors if each.pareto_k is not None]
    single, model, failures = pd.DataFrame(), None, list(dict.fromkeys(f for each in posteriors for f in each.failures))
    if cohorts is not None and (measure == "odds_ratio" or table.by == CLASS) and table.by in MODELS:
        other, every = (_single(measure, part, table.by, seed) for part in (other_cohorts(cohorts, table), cohorts))
        single, model = _beside(network, bayes.combined, other, every, prob, measure), other.model
        failures += [f"single arms: {failure}" for failure in (*other.failures, *every.failures)]
    return OutcomeResults(
        measure=measure,
        network=network,
        nodes=_nodes(network),
        edges=_edges(network, table),
        contrasts=contrast_table(network, bayes, classical, prob=prob, rng=np.random.default_rng([seed, 9])),
        consistency=consistency_table(network, bayes, classical, prob=prob),
        heterogeneity=_heterogeneity(bayes.combined, classical.combined, prob),
        single_arms=single,
        single_arms_model=model,
        pareto_k=max(ks) if ks else None,
        ess=min(each.ess for each in posteriors),
        failures=tuple(failures),
    )


def _single(measure: Measure, cohorts: Evidence, by: str, seed: int) -> SingleArms:
    if measure == "odds_ratio":
        return response_contrasts(cohorts, by, SamplerSettings(seed=seed))
    return median_contrasts(cohorts, seed=seed, draws=DRAWS)


def _beside(
    network: Network[CountTrial] | Network[RatioTrial],
    posterior: NetworkPosterior,
    other: SingleArms,
    every: SingleArms,
    prob: float,
    measure: Measure,
) -> pd.DataFrame:
    """Return each randomised contrast beside that of single arms; see :class:`OutcomeResults`."""
    # Under exponential survival a ratio of medians is the inverse of the hazard ratio.
    sign = 1.0 if measure == "odds_ratio" else -1.0
    rows = []
    for pair in network.pairs:
        second, first = (network.treatments[at] for at in pair)
        if (first, second) not in other.contrasts:
            continue
        randomised = difference(posterior.effects, pair)
        single, all_ = (sign * each.contrasts[first, second] for each in (other, every))
        many = min(len(randomised), len(single))
        apart = single[:many] - randomised[:many]
        row: dict[str, Any] = {"first": first, "second": second}
        for name, draws in (("randomised", randomised), ("single", single), ("apart", apart), ("all", all_)):
            # Draws by importance sampling repeat those of large weight.
            summary = ratio_summary(draws, ess=float(len(np.unique(draws))), prob=prob)
            row |= {f"{name}_{key}": value for key, value in summary.items()}
        for side, name in (("first", first), ("second", second)):
            row |= {f"{side}_cohorts": other.cohorts[name], f"{side}_patients": other.patients[name]}
        rows.append(row)
    return pd.DataFrame(rows)


def _nodes(network: Network[CountTrial] | Network[RatioTrial]) -> pd.DataFrame:
    rows = []
    for at, name in enumerate(network.treatments):
        arms = [trial.n[trial.treatments.index(at)] for trial in network.trials if at in trial.treatments]
        rows.append({"treatment": name, "trials": len(arms), "patients": float(np.sum(arms))})
    return pd.DataFrame(rows)


def _edges(network: Network[CountTrial] | Network[RatioTrial], table: RandomisedTable) -> pd.DataFrame:
    lines = dict(zip(table.frame[TRIAL], table.frame[LINE], strict=True)) if LINE in table.frame else {}

    def by_line(trials: Sequence[Trial]) -> str:
        counts = Counter(lines[trial.name] for trial in trials) if lines else Counter[str]()
        return listed([f"{counts[line]} {line}" for line in in_order(LINE, counts)])

    rows = [
        {
            "first": network.treatments[pair[1]],
            "second": network.treatments[pair[0]],
            "trials": len(trials),
            "patients": float(sum(trial.patients for trial in trials)),
            "names": "; ".join(trial.name for trial in trials),
            "lines": by_line(trials),
        }
        for pair in network.pairs
        if (trials := network.direct(pair))
    ]
    return pd.DataFrame(rows)


def _heterogeneity(posterior: NetworkPosterior, estimates: Estimates, prob: float) -> pd.DataFrame:
    low, median, high = equal_tailed(posterior.tau, prob=prob)
    return pd.DataFrame(
        [
            {"method": "posterior", "median": median, "low": low, "high": high},
            {"method": estimates.method, "median": estimates.tau, "low": np.nan, "high": np.nan},
        ]
    )


def _trials(table: RandomisedTable) -> pd.DataFrame:
    """Return the arms as rows of a table for readers."""
    shown = [
        name for name in ("line", "assessor", "hr_assessor", "certainty", "source_id", "note") if name in table.frame
    ]
    numbers = ["responders", "n", "hr", "hr_low", "hr_high", "hr_level", "hr_se", "hr_n"]
    columns = [TRIAL, "arm", "of_treatment", *numbers, "hr_vs", *shown]
    return table.frame[columns].rename(columns={"of_treatment": "treatment"})
